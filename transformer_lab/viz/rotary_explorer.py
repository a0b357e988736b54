"""Rotary positions as dials: pair i of a query and of a key, each turned by its position times the pair's frequency.

`turn_pairs` is all the mathematics; the browser computes the same formula so that dragging needs no round trip.
"""

import math

import numpy as np
import traitlets

from ..arguments import is_number
from ..sentences import short_repr
from .browser_files import module, sheet
from .explorer import Explorer

LAST = 127  # positions run from 0 to this
QUERY, KEY, INK, GREY = "#0072B2", "#D55E00", "#212121", "#757575"  # Okabe and Ito's blue and vermilion
COLUMNS = 8  # dials in a row of the picture


def turn_pairs(q, k, query_position: int, key_position: int, theta: float | int = 10_000.0):
    """q, k (d_head,) -> their pairs after turning, each (d_head / 2, 2), and the score q.k / sqrt(d_head).

    Pair i holds features i and i + d_head / 2, and is turned by position * theta^(-2i / d_head) (Su et al. 2021).
    """
    q, k = (np.asarray(x, dtype=np.float64) for x in (q, k))
    if q.ndim != 1 or q.shape != k.shape or len(q) % 2 or not len(q):
        raise ValueError(f"q and k must both be (d_head,), d_head even; got {q.shape} and {k.shape}.")
    for name, value in (("q", q), ("k", k)):
        if not np.isfinite(value).all():
            raise ValueError(f"{name} must be finite numbers; got {short_repr(value)}.")
    frequency = frequencies(len(q), theta)
    turned = [_turn(x.reshape(2, -1).T, p * frequency) for x, p in ((q, query_position), (k, key_position))]
    return *turned, float((turned[0] * turned[1]).sum() / math.sqrt(len(q)))


def frequencies(d_head: int, theta: float | int = 10_000.0) -> np.ndarray:
    """Radians per position for each of the d_head / 2 pairs."""
    if not is_number(theta) or theta <= 0:
        raise ValueError(f"theta must be a number, more than 0; got {short_repr(theta)}.")
    return float(theta) ** (-np.arange(0, d_head, 2) / d_head)


def _turn(pairs, angle):
    a, b = pairs.T
    return np.stack((a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)), axis=-1)


class RotaryExplorer(Explorer):
    """Move a query and a key along the sequence: `RotaryExplorer()`, then read `.offset`, `.angles`, `.score`.

    Without arguments q and k are equal, each pair an arrow of length 1 that points to the right at position 0.
    """

    _module = module("rotary_explorer")
    _sheet = sheet("rotary_explorer")
    title = "rotary positions: one dial for each pair of features"
    q = traitlets.List(read_only=True).tag(sync=True)
    k = traitlets.List(read_only=True).tag(sync=True)
    theta = traitlets.Float(read_only=True).tag(sync=True)
    last = traitlets.Int(LAST, read_only=True).tag(sync=True)
    query_position = traitlets.Int(9).tag(sync=True)
    key_position = traitlets.Int(3).tag(sync=True)
    lock_offset = traitlets.Bool(False).tag(sync=True)

    def __init__(self, q=None, k=None, theta: float | int = 10_000.0, **kwargs):
        q = [1.0] * 8 + [0.0] * 8 if q is None else np.asarray(q, dtype=np.float64)
        k = q if k is None else np.asarray(k, dtype=np.float64)
        if not (theta > 1 and math.isfinite(theta)):
            raise ValueError(f"theta must be more than 1; got {theta}.")
        turn_pairs(q, k, 0, 0, theta)  # complains about shapes and numbers
        for name, value in (("q", q), ("k", k)):
            self.set_trait(name, [float(x) for x in value])
        self.set_trait("theta", float(theta))
        super().__init__(**kwargs)

    @traitlets.validate("query_position", "key_position")
    def _check_position(self, proposal):
        if not 0 <= proposal.value <= LAST:
            raise ValueError(f"{proposal.trait.name} must be between 0 and {LAST}; got {proposal.value}.")
        return proposal.value

    @property
    def offset(self) -> int:
        """How far the query stands behind the key."""
        return self.query_position - self.key_position

    @property
    def angles(self) -> np.ndarray:
        """(d_head / 2, 2): by how much each pair of q, and of k, has been turned, in radians."""
        return np.outer(frequencies(len(self.q), self.theta), (self.query_position, self.key_position))

    @property
    def score(self) -> float:
        """q.k / sqrt(d_head) at the current positions."""
        return turn_pairs(self.q, self.k, self.query_position, self.key_position, self.theta)[2]

    def scores_by_offset(self) -> tuple[np.ndarray, np.ndarray]:
        """All possible offsets, and the score at each, whatever the two positions are."""
        offsets = range(-LAST, LAST + 1)
        scores = [turn_pairs(self.q, self.k, max(o, 0), max(-o, 0), self.theta)[2] for o in offsets]
        return np.array(offsets), np.array(scores)

    def draw(self, figure):
        """The dials, and below them the score against the offset."""
        queries, keys, score = turn_pairs(self.q, self.k, self.query_position, self.key_position, self.theta)
        half = len(self.q) // 2
        rows = math.ceil(half / COLUMNS)
        figure.set_size_inches(10, 2.4 + 1.9 * rows)
        figure.set_layout_engine("constrained")
        figure.suptitle(
            f"q (blue) at {self.query_position}, k (orange) at {self.key_position}: "
            f"offset {self.offset}, score {score:z.2f}",
            fontsize=12,
        )
        grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=[1.2] * rows + [1.5])
        reach = 1.15 * max(np.hypot(*queries.T).max(), np.hypot(*keys.T).max(), 1e-9)
        for i, wavelength in enumerate(2 * math.pi / frequencies(len(self.q), self.theta)):
            axes = figure.add_subplot(grid[i // COLUMNS, i % COLUMNS])
            _dial(axes, queries[i], keys[i], reach)
            axes.set_title(f"pair {i}\na turn: {_positions(wavelength)}", fontsize=8)
            part = queries[i] @ keys[i] / math.sqrt(len(self.q))
            axes.set_xlabel(f"{part:+z.2f}", fontsize=9)
        axes = figure.add_subplot(grid[rows, :])
        offsets, scores = self.scores_by_offset()
        axes.plot(offsets, scores, color=GREY, linewidth=1.5)
        axes.axvline(self.offset, color=INK, linewidth=0.8, linestyle=":")
        axes.plot(self.offset, score, "o", color=INK, markersize=7)
        axes.set(xlim=(-LAST, LAST), xlabel="offset = position of q - position of k", ylabel="score")
        axes.grid(alpha=0.3)

    def __repr__(self):
        return (
            f"RotaryExplorer({len(self.q) // 2} pairs, query at {self.query_position}, key at {self.key_position}, "
            f"score={self.score:z.2f})"
        )


def _positions(wavelength: float) -> str:
    return f"{wavelength:.1f}" if wavelength < 100 else f"{wavelength:,.0f}"


def _dial(axes, query, key, reach):
    axes.add_patch(_circle(reach / 1.15))
    for arrow, colour, width in ((key, KEY, 4.0), (query, QUERY, 2.0)):
        axes.annotate("", arrow, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkB": 0})
    axes.set(xlim=(-1.2 * reach, 1.2 * reach), ylim=(-1.2 * reach, 1.2 * reach), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _circle(radius):
    from matplotlib.patches import Circle

    return Circle((0, 0), radius, fill=False, color="#bdbdbd")
