"""Lesson 16: losses that wrong ways to learn from preferences give, and what to tell their authors."""

from collections.abc import Callable
from itertools import product

import torch.nn.functional as F
from torch import Tensor


def of_labels(numbers: Tensor, labels: Tensor) -> Tensor:
    """Of each place the number of its label, (2, n, T, tokens) -> (2, n, T); without a label that of token 0."""
    return numbers.gather(-1, labels.clamp(min=0)[..., None])[..., 0]


def answers(logits: Tensor, labels: Tensor) -> Tensor:
    """Of each place the logarithm of its label's probability; 0 where there is no label."""
    return of_labels(logits.log_softmax(-1), labels) * (labels >= 0)


def count(case) -> Tensor:
    return (case.labels >= 0).sum(-1)


def moved(logits: Tensor, case) -> Tensor:
    """As if the labels were the ids that were read."""
    return answers(logits[..., :-1, :], case.labels[..., 1:]).sum(-1)


SUM = "Wanted: the sum over an answer's labels"
# (logits, case) -> (2, n), and words
LOGS: tuple[tuple[Callable, str], ...] = (
    (lambda logits, case: answers(logits, case.labels).sum(-1), ""),
    (
        lambda logits, case: answers(logits, case.labels).sum(-1) / count(case),
        f"The logarithms of an answer are averaged. {SUM}, because only that is the logarithm of its probability",
    ),
    (lambda logits, case: answers(logits, case.labels).mean(-1), f"An answer's sum is divided by T. {SUM}"),
    (
        lambda logits, case: of_labels(logits.log_softmax(-1), case.labels).sum(-1),
        "Places with -100 count as if their label were token 0. They are to count nothing",
    ),
    (
        lambda logits, case: answers(logits, case.labels.masked_fill(case.labels == 0, -100)).sum(-1),
        "Places whose label is token 0 are left out. Only -100 means that a place does not count",
    ),
    (
        lambda logits, case: (of_labels(logits, case.labels) * (case.labels >= 0)).sum(-1),
        "The logits themselves are added up; wanted: logarithms of probabilities, so log_softmax first",
    ),
    (
        lambda logits, case: (of_labels(logits.softmax(-1), case.labels) * (case.labels >= 0)).sum(-1),
        "Probabilities are added up; wanted: their logarithms",
    ),
    (
        lambda logits, case: (of_labels(logits.log_softmax(-2), case.labels) * (case.labels >= 0)).sum(-1),
        "The softmax goes along the places; it goes over the tokens of the vocabulary, the last axis",
    ),
    (moved, "The labels are moved by one place. They stand already where they are to be predicted"),
)
GAINS: tuple[tuple[Callable, str], ...] = (
    (lambda new, old: new - old, ""),
    (lambda new, old: new, "The old model is missing: a gain is new less old"),
    (lambda new, old: new + old, "The old model's logarithm is added; a gain is new less old"),
    (lambda new, old: (new - old).exp(), "The gain is a ratio of probabilities; wanted: its logarithm, new less old"),
)
GAPS: tuple[tuple[Callable, str], ...] = (
    (lambda gains: gains[0] - gains[1], ""),
    (
        lambda gains: gains[1] - gains[0],
        "The difference has the wrong sign. What the preferred answer gains, new less old, comes first, and the "
        "preferred answers stand at 0",
    ),
    (lambda gains: gains[0], "The answers that are not preferred do not come in"),
    (lambda gains: gains[0] + gains[1], "The two gains of a pair are added; wanted: their difference"),
)
SCALES: tuple[tuple[Callable, str], ...] = (
    (lambda gap, beta: beta * gap, ""),
    (lambda gap, beta: gap, "beta is missing within the sigmoid"),
    (lambda gap, beta: gap / beta, "The difference is divided by beta; wanted: multiplied"),
)
COSTS: tuple[tuple[Callable, str], ...] = (
    (lambda z, beta: -F.logsigmoid(z), ""),
    (lambda z, beta: F.logsigmoid(z), "The sign of the loss is turned: it falls as people's choices get unlikelier"),
    (lambda z, beta: -z.sigmoid(), "The logarithm is missing: minus the sigmoid itself"),
    (lambda z, beta: 1 - z.sigmoid(), "The logarithm is missing: 1 minus the sigmoid"),
    (lambda z, beta: -z, "The sigmoid and its logarithm are missing"),
    (lambda z, beta: (1 - z).relu(), "This is a hinge, which is 0 from a difference of 1 on; wanted: -ln sigmoid"),
    (lambda z, beta: -beta * F.logsigmoid(z), "beta multiplies the loss; it belongs within the sigmoid only"),
)
MEANS: tuple[tuple[Callable, str], ...] = (
    (lambda costs: costs.mean(), ""),
    (lambda costs: costs.sum(), "The pairs are added up; wanted: their mean"),
    (lambda costs: costs.mean() / 2, "It is divided by the number of texts; wanted: by the number of pairs"),
)


def loss(log, gain, gap, scale, cost, mean) -> Callable:
    return lambda case: mean(cost(scale(gap(gain(log(case.new, case), log(case.old, case))), case.beta), case.beta))


def sentences(*words: str) -> str:
    return " ".join(f"{one}." for one in words if one)


def faults():
    """One thing wrong, or two at once."""
    ways = list(product(LOGS, GAINS, GAPS, SCALES, COSTS, MEANS))
    for way in sorted(ways, key=lambda way: sum(bool(words) for _, words in way)):
        wrong = [words for _, words in way if words]
        if 1 <= len(wrong) <= 2:
            yield loss(*(formula for formula, _ in way)), sentences(*wrong)


FAULTS = tuple(faults())
