"""RankExplorer: what training changed in a weight matrix, and how much of the change a low rank keeps.

`low_rank` and `kept_by_rank` are all the mathematics. The browser cannot decompose a matrix, so it gets the singular
values, the shares and small pictures at the stops of its slider.
"""

import base64
from functools import cache

import numpy as np
import traitlets
from jaxtyping import Float

from ..arguments import check_at_least
from ..sentences import short_repr
from .browser_files import module, sheet
from .explorer import Explorer
from .rank_picture import draw_rank

MOST_MATRICES, LARGEST = 12, 4096  # in one explorer; rows or columns
CELLS = 24  # rows and columns that are drawn
ENOUGH = 0.9  # of the energy
STEPS = 127  # a drawn cell is a whole number from -127 to 127
DEMO = "an example"


def low_rank(matrix: Float[np.ndarray, "d_out d_in"], rank: int) -> Float[np.ndarray, "d_out d_in"]:
    """The matrix of this rank that is closest to the given one: its `rank` largest singular values (Eckart, Young)."""
    check_at_least("rank", rank, 0)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


def kept_by_rank(matrix: Float[np.ndarray, "d_out d_in"]) -> Float[np.ndarray, "n"]:
    """The share of the energy (the sum of all squares) that ranks 1 ... n = min(d_out, d_in) keep.

    The energy is the sum of the singular values' squares. Raises ValueError for a matrix that is 0.
    """
    return shares(np.linalg.svd(matrix, compute_uv=False))


class RankExplorer(Explorer):
    """The change of a weight matrix: `RankExplorer({name: (before, after), ...})`, or `RankExplorer.of(before, after)`.

    The matrices are those of a linear layer, (d_out, d_in), as tensors or arrays. Python and the browser may set `name`
    and `rank`; shown is the rank, or the slider's stop below it, `shown_rank`. `kept` is by name the share of the
    energy that it keeps: of the change, of the matrix before, of a random one; `needed` is the rank for 90 %.
    Raises ValueError for matrices that do not fit together, and for one that did not change.
    """

    _module = module("rank_explorer")
    _sheet = sheet("rank_explorer")
    title = "the change of a weight matrix, and what a low rank keeps of it"
    matrices = traitlets.List().tag(sync=True)  # each as `record` makes it
    name = traitlets.Unicode().tag(sync=True)
    rank = traitlets.Int(2).tag(sync=True)

    def __init__(self, changes=None, **settings):
        changes = {DEMO: example()} if changes is None else changes
        if not isinstance(changes, dict) or not 1 <= len(changes) <= MOST_MATRICES:
            raise ValueError(
                f"changes must be a dict of 1 to {MOST_MATRICES}, name -> (before, after); got {short_repr(changes)}."
            )
        self._matrices = {str(name): Change(str(name), one) for name, one in changes.items()}
        told = [one.record(name) for name, one in self._matrices.items()]
        super().__init__(matrices=told, **{"name": next(iter(self._matrices))} | settings)

    @classmethod
    def of(cls, before, after=None, **settings) -> "RankExplorer":
        """An explorer of one matrix, before and after; or of several, as {name: (before, after)}."""
        return cls(before if after is None else {"the matrix": (before, after)}, **settings)

    @traitlets.validate("name")
    def _check_name(self, proposal) -> str:
        if proposal.value not in self._matrices:
            raise ValueError(f"name must be one of {', '.join(self._matrices)}; got {short_repr(proposal.value)}.")
        return proposal.value

    @traitlets.validate("rank")
    def _check_rank(self, proposal) -> int:
        check_at_least("rank", proposal.value, 1)
        return proposal.value

    @property
    def change(self) -> "Change":
        """What is known of the chosen matrix: `.delta` is its change, `.values` the change's singular values."""
        return self._matrices[self.name]

    @property
    def shown_rank(self) -> int:
        """The rank, or the largest stop of the slider below it."""
        return max(stop for stop in self.change.stops if stop <= self.rank)

    @property
    def kept(self) -> dict[str, float]:
        """The share of the energy that the rank keeps: of the change, of the matrix before, of a random one."""
        return {name: float(shares(values)[self.shown_rank - 1]) for name, values in self.change.spectra.items()}

    @property
    def needed(self) -> dict[str, int]:
        """The smallest rank that keeps 90 % of the energy: of the change, of the matrix before, of a random one."""
        return self.change.needed()

    @property
    def parameters(self) -> tuple[int, int]:
        """How many numbers two factors of this rank have, r (d_in + d_out), and the matrix itself, d_in d_out."""
        d_out, d_in = self.change.delta.shape
        return self.shown_rank * (d_in + d_out), d_in * d_out

    def draw(self, figure):
        """The singular values, the energy by rank, and the change, its approximation and what is left out."""
        draw_rank(figure, self)

    def __repr__(self):
        d_out, d_in = self.change.delta.shape
        kept = f"rank {self.shown_rank} keeps {percent(self.kept['change'])} of the change"
        return f"RankExplorer({self.name}, {d_out} x {d_in}: {kept})"


class Change:
    """One matrix before and after: its change, and the singular values of the change, the weight and a random one."""

    def __init__(self, name: str, pair):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"{name} must be two matrices, (before, after); got {short_repr(pair)}.")
        before, after = (as_matrix(f"{name} {when}", one) for when, one in zip(("before", "after"), pair, strict=True))
        if before.shape != after.shape:
            raise ValueError(
                f"{name} must have one shape before and after; got {before.shape} before and {after.shape} after."
            )
        self.delta = after - before
        if not self.delta.any():
            raise ValueError(f"{name} did not change: before and after are the same numbers.")
        left, self.values, right = np.linalg.svd(self.delta, full_matrices=False)
        weight = np.linalg.svd(before, compute_uv=False)
        random = random_values(*before.shape) * np.linalg.norm(self.values)
        spectra = {"change": self.values, "weight": weight, "random": random}
        self.spectra = {name: values for name, values in spectra.items() if values.any()}  # a weight may begin at 0
        self.size = float(np.linalg.norm(self.delta) / (np.linalg.norm(before) or np.inf))
        self.stops = stops_up_to(len(self.values))
        self.rows, self.columns = busiest(self.delta), busiest(self.delta.T)
        self._left, self._right = left[self.rows] * self.values, right[:, self.columns]

    def needed(self) -> dict[str, int]:
        """The smallest rank that keeps 90 % of the energy, by what it is of."""
        return {name: int(np.argmax(shares(values) >= ENOUGH - 1e-12)) + 1 for name, values in self.spectra.items()}

    def drawn(self, rank: int | None = None) -> Float[np.ndarray, "rows columns"]:
        """The rows and columns of the change that are drawn, or of its approximation by this rank."""
        return self._left[:, :rank] @ self._right[:rank]

    def record(self, name: str) -> dict:
        """What the browser shows, as JSON: numbers at the slider's stops, and pictures in steps of the largest cell."""
        drawn = np.stack([self.drawn(rank) for rank in (*self.stops, None)])
        pictures = np.rint(drawn / np.abs(drawn).max() * STEPS).astype(np.int8)
        at = [stop - 1 for stop in self.stops]
        return {
            "name": name, "shape": list(self.delta.shape), "stops": self.stops, "size": self.size,
            "values": {one: rounded(self.spectra[one][at] / self.values[0]) for one in ("random", "change")},
            "kept": {one: rounded(shares(values)[at]) for one, values in self.spectra.items()},
            "needed": self.needed(), "rows": len(self.rows), "columns": len(self.columns),
            "pictures": base64.b64encode(pictures.tobytes()).decode(),
        }  # fmt: skip


def shares(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Singular values -> the share of the sum of squares in the first 1 ... n of them."""
    if not values.any():
        raise ValueError("matrix must not be 0 everywhere: it has no energy to share.")
    energy = np.cumsum(values.astype(np.float64) ** 2)
    return energy / energy[-1]


def percent(share: float) -> str:
    """A share in per cent; what is not quite everything is not called 100."""
    if 0.9995 < share < 1 - 1e-9 or 0 < share < 0.0005:
        return ">99.9 %" if share > 0.5 else "<0.1 %"
    return f"{100 * share:.1f} %"


def rounded(numbers) -> list[float]:
    """Numbers from 0 to about 1 with five digits behind the point, which a saved page keeps."""
    return [round(float(one), 5) for one in numbers]


def as_matrix(what: str, given) -> Float[np.ndarray, "d_out d_in"]:
    """A tensor or array as a matrix of float64; ValueError, naming it, if it is none, too large or not finite."""
    given = given.detach().cpu().double().numpy() if hasattr(given, "detach") else given
    try:
        matrix = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be a matrix of numbers; got {short_repr(given)}.") from None
    if matrix.ndim != 2 or not matrix.size or max(matrix.shape) > LARGEST:
        raise ValueError(f"{what} must be a matrix of up to {LARGEST} rows and columns; got the shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{what} must be finite numbers; it holds NaN or infinity.")
    return matrix


def stops_up_to(n: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12 ... and n: the ranks that the slider stops at."""
    doubling = [2**i * base for i in range(n.bit_length()) for base in (2, 3)]
    return sorted({1, n, *(stop for stop in doubling if stop < n)})


def busiest(matrix: Float[np.ndarray, "rows columns"]) -> list[int]:
    """The CELLS rows with the largest sums of squares, in their own order."""
    return sorted(np.argsort(-(matrix**2).sum(axis=1), kind="stable")[:CELLS].tolist())


@cache
def random_values(d_out: int, d_in: int) -> Float[np.ndarray, "n"]:
    """The singular values of a random matrix, normally distributed, of norm 1."""
    values = np.linalg.svd(np.random.default_rng(0).normal(size=(d_out, d_in)), compute_uv=False)
    return values / np.linalg.norm(values)


def example() -> tuple[np.ndarray, np.ndarray]:
    """A random weight (48, 64), and the same after a change that is of rank 3 but for some noise."""
    generator = np.random.default_rng(1)
    before = generator.normal(size=(48, 64)) / 8
    change = generator.normal(size=(48, 3)) @ (np.array([[0.03], [0.024], [0.018]]) * generator.normal(size=(3, 64)))
    return before, before + change + 0.004 * generator.normal(size=(48, 64))
