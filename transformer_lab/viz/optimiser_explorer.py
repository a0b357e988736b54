"""A ravine and four ways down: SGD, momentum, Adam and AdamW from one start, and where each of them diverges.

`walk` is all the mathematics; the browser computes the same formulas so that moving a slider needs no round trip.
"""

import math
import random

import numpy as np
import traitlets
from matplotlib.patches import Ellipse

from ..arguments import check_at_least, check_between
from .browser_files import module, sheet
from .explorer import Explorer

RULES = ("SGD", "momentum", "Adam", "AdamW")
COLOURS = dict(zip(RULES, ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), strict=True))  # Okabe and Ito's
DASHES = dict(zip(RULES, ("-", "--", ":", "-."), strict=True))
LOWEST = (2.0, -0.6)  # the weights with the lowest loss; they begin at (0, 0)
BETA_2, EPS = 0.99, 1e-8  # Adam's memory of the squares, and what keeps it from dividing by 0
FAR = 1e12  # a walk that has come so far from the start is not followed any further
SLOWEST, FASTEST, MOST_STEPS = 0.001, 2.0, 300
DIGITS = (1.0, 1.1, 1.3, 1.4, 1.6, 1.8, 2.0, 2.2, 2.5, 2.8, 3.2, 3.5, 4.0, 4.5, 5.0, 5.6, 6.3, 7.1, 7.9, 8.9)
RATES = [rate for power in (-3, -2, -1, 0) for d in DIGITS if (rate := float(f"{d * 10**power:.2g}")) <= FASTEST]
STEEPNESSES = (1, 2, 5, 10, 20, 50, 100, 200)
RINGS = (0.3, 2.0, 6.0, 15.0, 30.0)  # losses times 2 at which a contour is drawn
LIMITS = {"rate": (SLOWEST, FASTEST), "beta": (0, 0.99), "decay": (0, 0.5), "noise": (0, 3)}
LIMIT = 6  # powers of ten on either side of 1 that are drawn
VIEW = (-0.4, 3.0, -1.4, 0.2)  # the part of the weights that is drawn: x from, to, y from, to


def _draws() -> list[list[float]]:
    """Standard normal numbers, two for each step, the same for every rule."""
    generator = random.Random(0)
    return [[round(generator.normalvariate(), 3) for _ in range(2)] for _ in range(MOST_STEPS)]


DRAWS = _draws()


def walk(rule: str, rate, beta=0.9, decay=0.0, noise=0.0, steepness=50, steps: int = 60) -> np.ndarray:
    """(steps + 1, 2): the two weights, which begin at 0, before and after each step of `rule`, one of RULES.

    The loss is ((x - 2)² + steepness (y + 0.6)²) / 2; each gradient gets `noise` times the next row of DRAWS. beta is
    the memory of momentum and of Adam's mean; only AdamW has a decay. What has come further than 10^12 stays there.
    Raises ValueError for another rule, steepness below 1, and numbers outside LIMITS.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}; got {rule!r}.")
    for name, value in (("rate", rate), ("beta", beta), ("decay", decay), ("noise", noise)):
        check_between(name, value, *LIMITS[name])
    check_between("steepness", steepness, 1, STEEPNESSES[-1])
    check_at_least("steps", steps, 1)
    check_between("steps", steps, 1, MOST_STEPS)
    curvature, lowest = np.array([1.0, steepness]), np.array(LOWEST)
    w, m, v, left = np.zeros(2), np.zeros(2), np.zeros(2), np.ones(2)  # left: beta^t and BETA_2^t
    path = [w]
    for draw in np.array(DRAWS[:steps]):
        if np.abs(w).max() <= FAR:
            g = curvature * (w - lowest) + noise * draw
            m, v, left = beta * m + (1 - beta) * g, BETA_2 * v + (1 - BETA_2) * g * g, left * np.array([beta, BETA_2])
            mean, mean_square = m / (1 - left[0]), v / (1 - left[1])
            towards = {"SGD": g, "momentum": m}.get(rule, mean / (np.sqrt(mean_square) + EPS))
            shrunk = w * (1 - rate * decay) if rule == "AdamW" else w
            w = shrunk - rate * towards
        path.append(w)
    return np.array(path)


def bound(rule: str, beta=0.9, steepness=50) -> float | None:
    """The rate above which the rule diverges; None for Adam and AdamW, which divide by the gradient's size.

    Across, the gradient is steepness times the distance, so SGD's step overshoots by more than the distance above
    2 / steepness. Momentum's distance obeys d' = (1 + beta - rate (1 - beta) steepness) d - beta d_before, which grows
    above the rate at which a root of that equation is -1.
    """
    return {"SGD": 2 / steepness, "momentum": 2 * (1 + beta) / (1 - beta) / steepness}.get(rule)


class OptimiserExplorer(Explorer):
    """Four ways down a ravine: `OptimiserExplorer()`, then read `.paths`, `.distances`, `.final`, `.bounds`.

    Python and the browser may set `rate`, `beta`, `decay` (AdamW's), `noise`, `steepness` and `steps`.
    """

    _module = module("optimiser_explorer")
    _sheet = sheet("optimiser_explorer")
    title = "four ways down a ravine"
    draws = traitlets.List(DRAWS, read_only=True).tag(sync=True)
    rates = traitlets.List(RATES, read_only=True).tag(sync=True)
    steepnesses = traitlets.List(list(STEEPNESSES), read_only=True).tag(sync=True)
    rate = traitlets.Float(0.032).tag(sync=True)
    beta = traitlets.Float(0.9).tag(sync=True)
    decay = traitlets.Float(0.1).tag(sync=True)
    noise = traitlets.Float(0.0).tag(sync=True)
    steepness = traitlets.Int(50).tag(sync=True)
    steps = traitlets.Int(60).tag(sync=True)

    @traitlets.validate(*LIMITS)
    def _check(self, proposal):
        check_between(proposal.trait.name, proposal.value, *LIMITS[proposal.trait.name])
        return proposal.value

    @traitlets.validate("steps")
    def _check_steps(self, proposal):
        check_between("steps", proposal.value, 1, MOST_STEPS)
        return proposal.value

    @traitlets.validate("steepness")
    def _check_steepness(self, proposal):
        if proposal.value not in STEEPNESSES:
            raise ValueError(f"steepness must be one of {', '.join(map(str, STEEPNESSES))}; got {proposal.value}.")
        return proposal.value

    @property
    def paths(self) -> dict[str, np.ndarray]:
        """Each rule's walk (steps + 1, 2)."""
        settings = {"beta": self.beta, "decay": self.decay, "noise": self.noise, "steepness": self.steepness}
        return {rule: walk(rule, self.rate, steps=self.steps, **settings) for rule in RULES}

    @property
    def distances(self) -> dict[str, np.ndarray]:
        """How far each rule is from the lowest point before and after each step, (steps + 1,)."""
        return {rule: np.hypot(*(path - LOWEST).T) for rule, path in self.paths.items()}

    @property
    def final(self) -> dict[str, float]:
        """How far each rule is from the lowest point at the end."""
        return {rule: float(distances[-1]) for rule, distances in self.distances.items()}

    @property
    def bounds(self) -> dict[str, float | None]:
        """The rate above which each rule diverges; None where there is no such rate."""
        return {rule: bound(rule, self.beta, self.steepness) for rule in RULES}

    def draw(self, figure):
        """The four walks between the ravine's contours, and the distances over the steps."""
        figure.set_size_inches(10, 4.2)
        figure.subplots_adjust(left=0.085, right=0.985, bottom=0.13, top=0.81, wspace=0.12, hspace=0.14)
        settings = f"beta {self.beta:g}, decay {self.decay:g}, noise {self.noise:g}, steepness {self.steepness}"
        figure.suptitle(f"{self.steps} steps at a rate of {self.rate:g}; {settings}", fontsize=12)
        grid = figure.add_gridspec(2, 4, height_ratios=(1, 1.05))
        for n, (rule, path) in enumerate(self.paths.items()):
            self._draw_walk(figure.add_subplot(grid[0, n]), rule, path)
        below = figure.add_subplot(grid[1, :])
        for rule, distances in self.distances.items():
            below.plot(
                np.clip(distances, 10.0**-LIMIT, 10.0**LIMIT),
                linestyle=DASHES[rule],
                color=COLOURS[rule],
                linewidth=2,
                label=rule,
            )
        low, high = limits(np.concatenate(list(self.distances.values())))
        below.set(yscale="log", ylim=(10.0**low, 10.0**high), xlabel="step", ylabel="distance from\nthe lowest point")
        below.legend(frameon=False, fontsize=8, ncols=4, loc="lower left")
        below.grid(alpha=0.3)
        below.spines[["top", "right"]].set_visible(False)

    def _draw_walk(self, axes, rule, path):
        for level in RINGS:
            size = 2 * np.sqrt([level, level / self.steepness])
            axes.add_patch(Ellipse(LOWEST, *size, fill=False, edgecolor="#bdbdbd", linewidth=0.8))
        axes.plot(*np.clip(path, -1e4, 1e4).T, "o-", color=COLOURS[rule], markersize=2, linewidth=1)
        axes.plot(*LOWEST, "*", color="#212121", markersize=8)
        low, high = VIEW[:2], VIEW[2:]
        axes.set(xlim=low, ylim=high, xticks=[], yticks=[], aspect="equal")
        axes.set_title(f"{rule}\n{show(self.final[rule])} away at the end", fontsize=10)

    def __repr__(self):
        ends = ", ".join(f"{rule} {show(distance)}" for rule, distance in self.final.items())
        return f"OptimiserExplorer(rate={self.rate:g}): from the lowest point after {self.steps} steps: {ends}"


def limits(values: np.ndarray) -> tuple[int, int]:
    """Powers of ten for an axis that holds the values."""
    powers = np.log10(np.maximum(values, 10.0**-LIMIT))
    return max(-LIMIT, min(-1, math.floor(powers.min()))), min(LIMIT, max(1, math.ceil(powers.max())))


def show(value: float) -> str:
    """Three digits, or a power of ten."""
    return f"{float(f'{value:.3g}'):g}" if value == 0 or 1e-3 <= value < 1e4 else f"{value:.1e}"
