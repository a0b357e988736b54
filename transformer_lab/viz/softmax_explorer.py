"""Five scores, their softmax, the cross-entropy of one target and the gradient p - y.

`softmax_and_loss` is all the mathematics; the browser computes the same formula, so that no drag needs a round trip.
"""

import numpy as np
import traitlets

from ..sentences import short_repr
from .browser_files import module, sheet
from .explorer import Explorer

NAMES = ["a", "b", "c", "d", "e"]
SCORES = [2.0, 1.0, 0.5, -1.0, 0.0]
LOWEST, HIGHEST = -10.0, 10.0  # of a score
FURTHEST = 50.0  # that all scores may be shifted together
COLDEST, HOTTEST = 0.1, 10.0
ENOUGH = 0.1  # nats: the loss that the explorer asks for
BLUE, MARK, GREEN, INK = "#0072B2", "#D55E00", "#009E73", "#212121"  # Okabe and Ito's


def softmax_and_loss(scores, target: int, temperature: float | int = 1.0) -> tuple[np.ndarray, float, np.ndarray]:
    """Scores (n) -> probabilities p (n), the target's cross-entropy in nats, and p - y (n), y being the one-hot target.

    p = softmax(scores / temperature); p - y is the gradient of the loss at scores / temperature. Raises ValueError.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise ValueError(f"scores must be finite numbers of shape (n,), n > 0; got shape {scores.shape}.")
    if not 0 <= target < len(scores):
        raise ValueError(f"target must be between 0 and {len(scores) - 1}; got {target}.")
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be above 0 and finite; got {temperature}.")
    lowered = (scores - scores.max()) / temperature
    total = np.exp(lowered).sum()
    probabilities = np.exp(lowered) / total
    return probabilities, float(np.log(total) - lowered[target]), probabilities - np.eye(len(scores))[target]


class SoftmaxExplorer(Explorer):
    """Move five scores: `SoftmaxExplorer()`, then read `.scores`, `.target`, `.loss`, `.lead`, `.probabilities`."""

    _module = module("softmax_explorer")
    _sheet = sheet("softmax_explorer")
    title = "five scores, their softmax and the loss"
    scores = traitlets.List(SCORES).tag(sync=True)
    shift = traitlets.Float(0.0).tag(sync=True)  # added to every score
    temperature = traitlets.Float(1.0).tag(sync=True)
    target = traitlets.Int(1).tag(sync=True)

    @traitlets.validate("scores")
    def _check_scores(self, proposal):
        try:
            scores = np.asarray(proposal.value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):  # no numbers
            scores = np.array(np.nan)
        if scores.shape != (5,) or not (np.abs(scores) <= HIGHEST).all():
            raise ValueError(
                f"scores must be five numbers from {LOWEST:g} to {HIGHEST:g}; got {short_repr(proposal.value)}."
            )
        return scores.tolist()

    @traitlets.validate("shift", "temperature", "target")
    def _check_range(self, proposal):
        name = proposal.trait.name
        low, high = {"shift": (-FURTHEST, FURTHEST), "temperature": (COLDEST, HOTTEST), "target": (0, 4)}[name]
        if not low <= proposal.value <= high:
            raise ValueError(f"{name} must be between {low:g} and {high:g}; got {proposal.value}.")
        return proposal.value

    def _computed(self):
        return softmax_and_loss(np.array(self.scores) + self.shift, self.target, self.temperature)

    @property
    def probabilities(self) -> np.ndarray:
        """The five current probabilities."""
        return self._computed()[0]

    @property
    def loss(self) -> float:
        """The target's cross-entropy in nats."""
        return self._computed()[1]

    @property
    def lead(self) -> float:
        """By how much the target's score exceeds the highest of the others."""
        others = [score for i, score in enumerate(self.scores) if i != self.target]
        return self.scores[self.target] - max(others)

    def draw(self, figure):
        """Scores, probabilities and p - y side by side; and the loss for every value of the target's score."""
        figure.set_size_inches(10, 3.6)
        figure.subplots_adjust(left=0.04, right=0.985, bottom=0.16, top=0.78, wspace=0.25)
        name = NAMES[self.target]
        figure.suptitle(
            f"Target {name}, temperature {self.temperature:g}: p = {self.probabilities[self.target]:.2f}, "
            f"so the loss is -ln p = {self.loss:.2f} nats"
        )
        first, second, third, fourth = figure.subplots(1, 4)
        colours = [MARK if i == self.target else BLUE for i in range(5)]
        scores, (p, _, gradient) = np.array(self.scores) + self.shift, self._computed()
        _bars(first, scores, colours, f"1  scores: {name} leads by {self.lead:z.1f}", "{:z.1f}")
        _bars(second, p, colours, "2  probabilities: sum 1", "{:.3f}")
        _bars(third, gradient, [MARK if g < 0 else BLUE for g in gradient], "3  p - y: sum 0", "{:z.3f}")
        line = np.linspace(LOWEST, HIGHEST, 201)
        losses = [self._loss_at(score) for score in line]
        fourth.plot(line, losses, color=INK)
        fourth.plot(self.scores[self.target], self.loss, "o", color=MARK, markersize=8)
        fourth.axhline(ENOUGH, color="grey", linestyle=":")
        fourth.set(xlabel=f"score of {name}", ylim=(0, max(losses) * 1.05))
        fourth.set_title("4  loss (nats); dotted: 0.1", fontsize=10)
        fourth.tick_params(labelsize=8)
        fourth.spines[["top", "right"]].set_visible(False)

    def _loss_at(self, score: float) -> float:
        scores = list(self.scores)
        scores[self.target] = score
        return softmax_and_loss(scores, self.target, self.temperature)[1]

    def __repr__(self):
        return f"SoftmaxExplorer(target {NAMES[self.target]}, loss {self.loss:.3f} nats)"


def _bars(axes, values, colours, title, pattern):
    axes.set_title(title, fontsize=10)
    bars = axes.barh(range(len(values)), values, color=colours, height=0.6)
    axes.bar_label(bars, [pattern.format(value) for value in values], padding=3, fontsize=8)
    low, high = min(0.0, values.min()), max(0.0, values.max())
    room = 0.45 * (high - low or 1.0)
    axes.set(xlim=(low - room * (low < 0), high + room), yticks=range(len(values)), yticklabels=NAMES)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
