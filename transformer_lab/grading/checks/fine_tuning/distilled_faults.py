"""Lesson 16: losses that wrong ways to distil give, and what to tell their authors."""

import math
from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor


def logs(case) -> tuple[Tensor, Tensor]:
    """ln p and ln q."""
    return (case.teacher / case.T).log_softmax(-1), (case.student / case.T).log_softmax(-1)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    return log_p.exp() * (log_p - log_q)


def at(of_teacher: Callable, of_student: Callable):
    """The divergence of logits that are treated otherwise: (logits, T) -> log-probabilities."""
    return lambda case: divergence(of_teacher(case.teacher, case.T), of_student(case.student, case.T))


def warm(logits: Tensor, T: int | float) -> Tensor:
    return (logits / T).log_softmax(-1)


def cold(logits: Tensor, T: int | float) -> Tensor:
    return logits.log_softmax(-1)


def times(logits: Tensor, T: int | float) -> Tensor:
    return (logits * T).log_softmax(-1)


def twice(logits: Tensor, T: int | float) -> Tensor:
    return (logits / T).softmax(-1).log_softmax(-1)


def along_rows(logits: Tensor, T: int | float) -> Tensor:
    return (logits / T).log_softmax(0)


def other_way(case) -> Tensor:
    log_p, log_q = logs(case)
    return divergence(log_q, log_p)


def cross(case) -> Tensor:
    log_p, log_q = logs(case)
    return -log_p.exp() * log_q


def unlogged(case) -> Tensor:
    """F.kl_div of the student's probabilities, where it wants their logarithms."""
    log_p, log_q = logs(case)
    return log_p.exp() * (log_p - log_q.exp())


def best_class(case) -> Tensor:
    """The teacher's likeliest class as a label."""
    return -F.one_hot(case.teacher.argmax(-1), case.teacher.shape[1]) * logs(case)[1]


def cold_best_class(case) -> Tensor:
    return -F.one_hot(case.teacher.argmax(-1), case.teacher.shape[1]) * case.student.log_softmax(-1) / case.T**2


TEMPERATURE = "Both logits are divided by T, before the softmax"
# of a case (n, n_classes), and words
FORMS = (
    (at(warm, warm), ""),
    (other_way, "The divergence runs the other way: p, the teacher's, is what the logarithms are weighed by"),
    (
        lambda case: (at(warm, warm)(case) + other_way(case)) / 2,
        "The divergences of both directions are averaged; wanted: the one that is weighed by p, the teacher's",
    ),
    (cross, "The term with ln p is missing: this is the cross-entropy of the two"),
    (lambda case: -at(warm, warm)(case), "The sign is turned: ln p minus ln q"),
    (at(warm, cold), f"The student's logits are not divided by T. {TEMPERATURE}"),
    (at(cold, warm), f"The teacher's logits are not divided by T. {TEMPERATURE}"),
    (at(cold, cold), f"No logits are divided by T. {TEMPERATURE}"),
    (at(times, times), "The logits are multiplied by T; wanted: divided"),
    (at(warm, twice), "The student's logits go through two softmaxes: log_softmax wants logits"),
    (at(twice, warm), "The teacher's logits go through two softmaxes: log_softmax wants logits"),
    (at(twice, twice), "Both logits go through two softmaxes: log_softmax wants logits"),
    (at(along_rows, along_rows), "The softmax runs along the rows of the batch; wanted: along the classes"),
    (unlogged, "The student's probabilities stand where their logarithms should (F.kl_div wants the logarithms)"),
    (best_class, "Of the teacher only its likeliest class is used; wanted: all that it says"),
    (cold_best_class, "Of the teacher only its likeliest class is used; wanted: all that it says"),
    (lambda case: (case.student - case.teacher) ** 2, "The squared difference of the logits; wanted: the divergence"),
    (
        lambda case: (case.student - case.teacher) ** 2 / case.T**2,
        "Squared differences of logits; wanted: the divergence",
    ),
    (
        lambda case: (logs(case)[0].exp() - logs(case)[1].exp()) ** 2,
        "The squared difference of the probabilities; wanted: the divergence",
    ),
    (lambda case: at(warm, warm)(case) / math.log(2), "The logarithm is to the base 2; wanted: the natural one"),
)
FACTORS = (
    (lambda T: T**2, ""),
    (lambda T: 1.0, "T^2 is missing: without it the gradients shrink as T grows"),
    (lambda T: T, "It is multiplied by T; wanted: by T^2"),
    (lambda T: T**-2, "It is divided by T^2; wanted: multiplied"),
    (lambda T: 1 / T, "It is divided by T; wanted: multiplied by T^2"),
    (lambda T: T**4, "T^2 comes in twice"),
)
ALL = "Wanted: the mean over all rows, with a label or without"
MEANS = (
    (lambda rows, case: rows.sum(-1).mean(), ""),
    (
        lambda rows, case: rows.mean(),
        "The mean is over rows and classes; wanted: the sum over classes, the mean over rows",
    ),
    (lambda rows, case: rows.sum(), "The rows are added up; wanted: their mean"),
    (lambda rows, case: rows.sum(-1)[~case.has_label].mean(), f"Only rows without a label count. {ALL}"),
    (lambda rows, case: rows.sum(-1)[case.has_label].mean(), f"Only rows with a label count. {ALL}"),
    (lambda rows, case: rows.sum(-1)[~case.has_label].sum() / len(rows), f"Only rows without a label count. {ALL}"),
    (lambda rows, case: rows.sum(-1)[case.has_label].sum() / len(rows), f"Only rows with a label count. {ALL}"),
    (lambda rows, case: rows.sum(-1).sum() / case.has_label.sum(), f"It is divided by the number of labels. {ALL}"),
)


def part(form, factor, mean) -> Callable:
    return lambda case: factor(case.T) * mean(form(case), case)


def sentences(*words: str) -> str:
    return " ".join(f"{one}." for one in words if one)


def faults_of_teacher():
    """What can be wrong with the teacher's part: one thing, or two or three at once."""
    ways = product(FORMS, FACTORS, MEANS)
    for form, factor, mean in sorted(ways, key=lambda way: sum(bool(words) for _, words in way)):
        if words := sentences(form[1], factor[1], mean[1]):
            yield part(form[0], factor[0], mean[0]), words


def soft(case) -> Tensor:
    return case.T**2 * case.divergences().mean()


def hard(case) -> Tensor:
    return case.costs().mean() if case.has_label.any() else torch.zeros(())


def costs(logits: Tensor, case) -> Tensor:
    """The cross-entropy of other logits with the labels."""
    return F.cross_entropy(logits[case.has_label], case.targets[case.has_label], reduction="none")


LABELLED = "Wanted: the mean over the rows that have a label"
# (loss of the labels alone, words)
LABELS = (
    (
        lambda c: costs(c.student / c.T, c).mean(),
        "The labels' part is computed at the temperature T; wanted: with the logits as they are",
    ),
    (
        lambda c: c.T**2 * costs(c.student / c.T, c).mean(),
        "The labels' part is computed at the temperature T, and multiplied by T^2; it wants neither",
    ),
    (lambda c: c.T**2 * hard(c), "The labels' part is multiplied by T^2, which belongs to the teacher's alone"),
    (lambda c: c.costs().sum() / len(c.targets), f"It is divided by the number of all rows. {LABELLED}"),
    (lambda c: c.costs().sum(), f"The costs of the rows are added up. {LABELLED}"),
    (lambda c: costs(c.teacher, c).mean(), "The labels are compared with the teacher's logits; wanted: the student's"),
    (lambda c: costs(c.student.softmax(-1), c).mean(), "F.cross_entropy wants logits; it was given probabilities"),
    (lambda c: costs(c.student.log_softmax(-1).softmax(-1), c).mean(), "F.cross_entropy wants logits"),
    (lambda c: -hard(c), "The sign of the labels' part is turned"),
    (
        lambda c: F.cross_entropy(c.student, c.targets.clamp(min=0)),
        f"Rows without a label count as if they were labelled 0. {LABELLED}",
    ),
    (
        lambda c: F.cross_entropy(c.student[c.targets > 0], c.targets[c.targets > 0]),
        f"Rows labelled 0 are left out: 0 is a class; only -100 means that there is no label. {LABELLED}",
    ),
    (lambda c: F.cross_entropy(c.student, c.teacher.argmax(-1)), "The teacher's best class stands for the label"),
    (lambda c: -costs(c.student, c).neg().exp().mean(), "These are probabilities; wanted: minus their logarithms"),
)


def mixed(of_soft: Callable, of_hard: Callable):
    """The two parts together, weighed as they should be."""
    return lambda case: case.share * of_soft(case) + (1 - case.share) * of_hard(case)


def row_by_row(case) -> Tensor:
    """A row costs its own mixture if it has a label, and else the teacher's part whole."""
    rows = case.T**2 * case.divergences()
    rows[case.has_label] = case.share * rows[case.has_label] + (1 - case.share) * case.costs()
    return rows.mean()


def zeros(case) -> Tensor:
    return torch.zeros(())


# What a share of 0 or 1 shows of the mixture: there several mistakes look alike.
ALONE = {
    1.0: (
        (
            lambda c: soft(c) + hard(c),
            "The labels' part comes in, though 1 - share is 0: it is to be multiplied by that.",
        ),
        (hard, "That is the labels' part: `share` belongs to the teacher's part, and 1 - share to the labels'."),
        (zeros, "Nothing is left of the teacher's part: it is to be multiplied by `share`, which is 1."),
    ),
    0.0: (
        (
            lambda c: soft(c) + hard(c),
            "The teacher's part comes in, though share is 0: it is to be multiplied by that.",
        ),
        (soft, "That is the teacher's part: `share` belongs to it, and 1 - share to the labels' part."),
        (zeros, "Nothing is left of the labels' part: it is to be multiplied by 1 - share, which is 1."),
    ),
}
# What is told of cases where no row has a label, if those where some have one are right.
UNLABELLED = (
    (soft, "Where no row has a label the teacher's part comes in whole; wanted: `share` times it."),
    (zeros, "Where no row has a label the loss is 0; wanted: still `share` times the teacher's part."),
)
FAULTS = (
    (
        lambda c: (1 - c.share) * soft(c) + c.share * hard(c),
        "`share` weighs the labels here; wanted: the teacher's part.",
    ),
    (lambda c: soft(c) + hard(c), "`share` is not used: both parts count in full."),
    (lambda c: c.share * soft(c) + hard(c), "The labels' part is not multiplied by 1 - share."),
    (lambda c: soft(c) + (1 - c.share) * hard(c), "The teacher's part is not multiplied by share."),
    (lambda c: (soft(c) + hard(c)) / 2, "`share` is not used: both parts count half."),
    (lambda c: c.share * (soft(c) + hard(c)), "The labels' part is multiplied by share; wanted: by 1 - share."),
    (soft, "Only the teacher's part is there; wanted: share times it, plus 1 - share times the labels' part."),
    (lambda c: c.share * soft(c), "The labels' part is missing."),
    (lambda c: (1 - c.share) * hard(c), "The teacher's part is missing."),
    (hard, "Only the labels' part is there; wanted: share times the teacher's part, plus 1 - share times it."),
    (
        row_by_row,
        "The mixture is made row by row, a mean over all; wanted: two means, over all rows and over the labelled.",
    ),
    *((mixed(soft, of), words + ".") for of, words in LABELS),
    *((mixed(of, hard), words) for of, words in faults_of_teacher()),
    *((mixed(of, zeros), words) for of, words in faults_of_teacher()),
)
