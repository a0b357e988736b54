"""Lesson 13: the checks of what is measured over batches of unequal size, with padding in them."""

import math

import torch
import torch.nn.functional as F

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, fitting, one_number

IGNORED = -100


class measures:
    answers = ("measures(batches)",)

    @check("the loss of a label", 1.5)
    def loss(measures):
        judge(measures, 0, "The loss", LOSSES)

    @check("the share of labels that are right", 1.5)
    def accuracy(measures):
        judge(measures, 1, "The accuracy", ACCURACIES)

    @check("the share of rows that are wholly right", 1)
    def exact(measures):
        judge(measures, 2, "The exact match", EXACT)


def drawn_batches() -> list:
    """Batches of unequal size; of the first most rows are right, of the last, which has a single row, none."""
    V, batches = draw.one_of(6, 9), []
    for B, T, share in ((6, 5, 0.7), (4, 8, 0.4), (1, 11, 0.0)):
        labels = draw.integers(V, B, T)
        lengths = 1 + draw.integers(T - 1, B)
        lengths[0] = draw.one_of(T - 1, T)
        labels[torch.arange(T) >= lengths[:, None]] = IGNORED
        if B > 1:
            labels[1] = labels[1].flip(0)  # of this row the padding stands in front
        logits = draw.standard(B, T, V, dtype=torch.float64) + 9 * F.one_hot(labels.clamp(min=0), V)
        for row in range(round(share * B), B):  # wrong in one label, or two
            for _ in range(2):
                logits[row, int(draw.integers(int(lengths[row])))] *= -1
        batches.append((logits, labels))
    return batches


def summary(batch) -> tuple:
    """Of one batch: the sum of its losses, labels right, rows right, labels, rows, places, rows right with padding,
    rows right in as many first places as there are labels, rows with any label right, the shares of the rows."""
    logits, labels = batch
    real, hit = labels != IGNORED, logits.argmax(-1) == labels
    loss = F.cross_entropy(logits.mT, labels, reduction="sum").item()
    rows = (hit | ~real).all(-1).sum()
    first = torch.arange(labels.shape[1]) < real.sum(-1, keepdim=True)
    front, some = (hit | ~first).all(-1).sum(), hit.any(-1).sum()
    counts = (hit.sum(), rows, real.sum(), len(labels), labels.numel(), hit.all(-1).sum(), front, some)
    return loss, *(int(count) for count in counts), (hit.sum(-1) / real.sum(-1).double()).sum().item()


def over(top: int, below: int):
    """The formula that adds up both, and divides once; over(0, 3) is the loss."""
    return lambda *batches: sum(batch[top] for batch in batches) / sum(batch[below] for batch in batches)


def mean_of(top: int, below: int):
    """The formula that divides in each batch and takes the mean of that."""
    return lambda *batches: sum(batch[top] / batch[below] for batch in batches) / len(batches)


def each_batch(top: int):
    """The formula that divides the sum by the number of batches."""
    return lambda *batches: sum(batch[top] for batch in batches) / len(batches)


def judge(measures, place: int, name: str, faults: tuple) -> None:
    cases = [drawn_batches() for _ in range(3)]
    lent = [[(x.clone(), y.clone()) for x, y in batches] for batches in cases]
    answers = [part(measures(batches), place, name) for batches in lent]
    if place == 2 and not all(map(torch.equal, tensors(lent), tensors(cases))):
        raise Wrong("A batch has changed in place: whoever calls measures() loses its labels, or its logits.")
    counted = [[summary(batch) for batch in batches] for batches in cases]
    right = (over(0, 3), over(1, 3), over(2, 4))[place]
    for batches, got in zip(counted, answers, strict=True):
        wanted = right(*batches)
        if not math.isclose(got, wanted, rel_tol=1e-5, abs_tol=1e-9):
            told = fitting([float(f"{answer:.7g}") for answer in answers], counted, rounded(faults)) or [LOOK]
            yours, wanted = apart(got, wanted)
            raise Wrong(f"{name} is {yours}; wanted {wanted}. {told[0]}", *told[1:])


def tensors(cases: list) -> list:
    return [tensor for batches in cases for batch in batches for tensor in batch]


def rounded(faults: tuple) -> list:
    """The faults' formulas to seven digits: an answer may add up in another order."""
    return [(lambda *case, of=of: float(f"{of(*case):.7g}"), *words) for of, *words in faults]


def part(value, place: int, name: str) -> float:
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        raise Wrong(f"measures() gives {value!r:.60}; wanted three numbers: (loss, accuracy, exact match).")
    return one_number(value[place], name)


LOOK = "Add up over all batches, and divide once, by what was counted."
MEANS = "This is the mean of the batches' means: the last batch, of one row, weighs as much as the first. " + LOOK
PADDED = "Padding is counted too, where there is nothing to be right about. "
# (formula of the batches' summaries, what to tell those who use it, misconception)
LOSSES = (
    (mean_of(0, 3), MEANS, "M41"),
    (over(0, 5), PADDED + LOOK, "M42"),
    (mean_of(0, 5), PADDED + MEANS, "M42"),
    (each_batch(0), "The sum of all losses is divided by the number of batches; wanted: of labels.", "M41"),
    (over(0, 4), "The sum of all losses is divided by the number of rows; wanted: of labels."),
    (mean_of(0, 4), "Each batch's sum is divided by its rows; wanted: all sums, divided once by all labels.", "M41"),
    (lambda *batches: sum(batch[0] for batch in batches), "This is the sum of all losses; divide by the labels."),
    (lambda *batches: over(0, 3)(*batches) / math.log(2), "This is in bits; wanted: nats."),
    (lambda *batches: math.exp(over(0, 3)(*batches)), "This is the perplexity; wanted: the loss."),
)
ACCURACIES = (
    (mean_of(1, 3), MEANS, "M41"),
    (over(1, 5), PADDED + LOOK, "M42"),
    (mean_of(1, 5), PADDED + MEANS, "M42"),
    (
        each_batch(1),
        "The labels that are right are divided by the number of *batches*: a share above 1 says so.",
        "M41",
    ),
    (over(1, 4), "The labels that are right are divided by the number of rows; wanted: of labels."),
    (over(2, 4), "This is the share of rows; wanted: of labels."),
    (over(9, 4), "This is the mean of the rows' shares: a short row weighs as much as a long one. " + LOOK, "M41"),
    (
        lambda *batches: sum(batch[1] + batch[5] - batch[3] for batch in batches) / sum(batch[3] for batch in batches),
        "Padding counts as right; it has no part in this.",
        "M42",
    ),
    (lambda *batches: 1 - over(1, 3)(*batches), "This is the share of labels that are wrong."),
    (lambda *batches: 100 * over(1, 3)(*batches), "This is in percent; wanted: a share, between 0 and 1."),
)
EXACT = (
    (mean_of(2, 4), MEANS, "M41"),
    (over(6, 4), "A row with padding counts as wrong: no token equals -100. Let padding count as right.", "M42"),
    (mean_of(6, 4), "No token equals -100, so a row with padding counts as wrong. And " + MEANS[0].lower() + MEANS[1:],
     "M42"),
    (each_batch(2), "The rows that are right are divided by the number of *batches*: a share above 1 says so.", "M41"),
    (over(2, 3), "The rows that are right are divided by the number of labels; wanted: of rows."),
    (over(7, 4), "As many first places as a row has labels were compared: its padding may stand in front.", "M42"),
    (over(8, 4), "One label that is right is enough here; a row is right only if all of its labels are."),
    (over(1, 3), "This is the share of labels; a row is right only if all of its labels are."),
    (lambda *batches: 100 * over(2, 4)(*batches), "This is in percent; wanted: a share, between 0 and 1."),
)  # fmt: skip
