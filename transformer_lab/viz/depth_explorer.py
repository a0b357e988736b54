"""Signal and gradient through a deep stack, depending on the gains of skip and branch and on the norm.

`through_layers` is all the mathematics; the browser computes the same formula so that moving a slider needs no round
trip.
"""

import math

import numpy as np
import traitlets

from ..sentences import short_repr
from .browser_files import module, sheet
from .explorer import Explorer

DEEPEST, STRONGEST, WEAKEST = 64, 1.2, 0.05  # layers; the largest gain of either; the smallest gain of a branch
NORMS = {"none": "no norm", "pre": "pre-norm", "post": "post-norm"}
ONE_PER_CENT = 0.01
LIMIT = 30  # powers of ten on either side of 1 that are drawn
SIGNAL, GRADIENT, MARK = "#0072B2", "#D55E00", "#616161"  # Okabe and Ito's


def through_layers(
    depth: int, skip: float | int, branch: float | int, norm: str = "none"
) -> tuple[np.ndarray, np.ndarray, float | int]:
    """`depth` layers x -> skip * x + branch * F(x) -> variance (depth + 1,), gradient (depth + 1,), around.

    F is a fresh random layer of gain 1, so that mean squares add. variance[l] is the variance of x after l layers,
    1 at the start; gradient[l] is the size of the gradient there, relative to the last layer's; around is the share of
    the last layer's gradient that reaches the first through the skips alone. norm: "none", "pre" (F sees norm(x)) or
    "post" (the sum is normalised).
    """
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(NORMS)}; got {norm!r}.")
    if isinstance(depth, bool) or not isinstance(depth, (int, np.integer)) or depth < 1:
        raise ValueError(f"depth must be a whole number, at least 1; got {short_repr(depth)}.")
    if not (skip >= 0 and branch > 0 and math.isfinite(skip + branch)):
        raise ValueError(f"skip must be at least 0 and branch above 0; got skip={skip}, branch={branch}.")
    variance, squares = [1.0], []  # squares[l]: by what layer l + 1 multiplies the gradient's mean square
    for _ in range(depth):
        seen = variance[-1] if norm == "pre" else 1.0  # what the norm on the branch divides by
        summed = skip**2 * variance[-1] + branch**2 * variance[-1] / seen
        variance.append(1.0 if norm == "post" else summed)
        squares.append((skip**2 + branch**2 / seen) / (summed if norm == "post" else 1.0))
    gradient = np.sqrt(np.cumprod([1.0, *reversed(squares)]))[::-1]
    own = skip / math.hypot(skip, branch) if norm == "post" else skip
    return np.array(variance), gradient, own**depth


class DepthExplorer(Explorer):
    """Two gains, a depth and a norm: `DepthExplorer()`, then read `.variance`, `.gradient`, `.around`."""

    _module = module("depth_explorer")
    _sheet = sheet("depth_explorer")
    title = "signal and gradient through a deep stack"
    depth = traitlets.Int(32).tag(sync=True)
    skip = traitlets.Float(1.0).tag(sync=True)
    branch = traitlets.Float(0.5).tag(sync=True)
    norm = traitlets.Enum(list(NORMS), "none").tag(sync=True)

    @traitlets.validate("depth", "skip", "branch")
    def _check(self, proposal):
        name, value = proposal.trait.name, proposal.value
        low, high = {"depth": (1, DEEPEST), "skip": (0, STRONGEST), "branch": (WEAKEST, STRONGEST)}[name]
        if not low <= value <= high:
            raise ValueError(f"{name} must be between {low} and {high}; got {value}.")
        return value

    @property
    def variance(self) -> np.ndarray:
        """The variance of x after 0 ... depth layers."""
        return through_layers(self.depth, self.skip, self.branch, self.norm)[0]

    @property
    def gradient(self) -> np.ndarray:
        """The size of the gradient at layers 0 ... depth, relative to the last."""
        return through_layers(self.depth, self.skip, self.branch, self.norm)[1]

    @property
    def around(self) -> float:
        """The share of the last layer's gradient that reaches the first through the skips alone."""
        return through_layers(self.depth, self.skip, self.branch, self.norm)[2]

    def draw(self, figure):
        """The same two panels, and the gradient at layer 1 against the skip gain for three depths."""
        figure.set_size_inches(5.6, 8.4)  # one above the other, so that a phone shows them in a readable size
        figure.subplots_adjust(left=0.13, right=0.97, bottom=0.06, top=0.91, hspace=0.42)
        figure.suptitle(
            f"{self.depth} layers of {self.skip:g} · x + {self.branch:g} · F(x), {NORMS[self.norm]}", fontsize=12
        )
        upper, middle, lower = figure.subplots(3, 1)
        self._draw_line(upper, self.variance, SIGNAL, f"Signal: variance {show(self.variance[-1])} at the end")
        upper.set_ylabel("variance of x", fontsize=9)
        self._draw_line(middle, self.gradient, GRADIENT, f"Gradient at layer 1: {share(self.gradient[0])}")
        middle.set_ylabel("size, relative to the last layer's", fontsize=9)
        gains = np.linspace(0, STRONGEST, 121)
        for depth, style in ((8, ":"), (32, "-"), (64, "--")):
            first = [through_layers(depth, gain, self.branch, self.norm)[1][0] for gain in gains]
            lower.plot(gains, np.maximum(first, 10.0**-LIMIT), style, color=GRADIENT, label=f"{depth} layers")
        lower.axhline(ONE_PER_CENT, color=MARK, linewidth=1, linestyle="--")
        lower.set(yscale="log", xlabel="skip gain", ylim=(1e-12, 1e12))
        lower.set_title(f"Gradient at layer 1, branch {self.branch:g}", fontsize=10, loc="left")
        lower.legend(fontsize=8, frameon=False, loc="upper left")
        for axes in (upper, middle, lower):
            axes.grid(alpha=0.3)
            axes.tick_params(labelsize=8)
            axes.spines[["top", "right"]].set_visible(False)

    def _draw_line(self, axes, values, colour, title):
        low, high = limits(values)
        drawn = np.clip(values, 10.0**low, 10.0**high)
        axes.plot(range(self.depth + 1), drawn, color=colour, marker="o", markersize=3)
        if colour == GRADIENT:
            axes.axhline(ONE_PER_CENT, color=MARK, linewidth=1, linestyle="--", label="one per cent")
            axes.legend(fontsize=8, frameon=False)
        axes.set(yscale="log", ylim=(10.0**low, 10.0**high), xlabel="layer")
        axes.set_title(title, fontsize=10, loc="left")

    def __repr__(self):
        return (
            f"DepthExplorer(depth={self.depth}, skip={self.skip:g}, branch={self.branch:g}, norm={self.norm!r}): "
            f"gradient at layer 1: {share(self.gradient[0])}"
        )


def limits(values: np.ndarray) -> tuple[int, int]:
    """Powers of ten for an axis that holds the values, in steps of 3 so that it does not move with every touch."""
    powers = np.log10(np.maximum(values, 10.0**-LIMIT))
    return max(-LIMIT, min(-3, 3 * math.floor(powers.min() / 3))), min(LIMIT, max(3, 3 * math.ceil(powers.max() / 3)))


def show(value: float) -> str:
    """Three digits, or a power of ten."""
    return f"{float(f'{value:.3g}'):g}" if value == 0 or 1e-3 <= value < 1e4 else f"{value:.1e}"


def share(value: float) -> str:
    """A share in per cent; above one, as a multiple."""
    return f"{show(value)} times" if value > 1.005 else f"{show(100 * value)} %"
