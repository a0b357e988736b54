"""Lesson 13: how the parts of a batch are wrongly put together, and what to tell those who do so."""

from dataclasses import dataclass

import torch
from torch import Tensor

LOOK = "Add up the losses of all labels of all parts, and divide once, by the number of these labels."

SHORTEN = "Divide first; if the root of the sum of all squares is above `largest` then, multiply all by one number."


def real(labels: Tensor) -> Tensor:
    return (labels >= 0).sum()


@dataclass(frozen=True)
class Sizes:
    """Of each part: labels that are none of padding, rows, and places with padding."""

    labels: list[int]
    rows: list[int]
    places: list[int]

    @classmethod
    def of(cls, parts) -> "Sizes":
        every = [labels for _, labels in parts]
        return cls(*([int(count(one)) for one in every] for count in (real, len, Tensor.numel)))

    def means(self) -> list[float]:
        """What each part's sum is multiplied by in its own mean."""
        return [1 / n if n else 0.0 for n in self.labels]

    def weighed(self, weights: list) -> list[float]:
        return [mean * weight / sum(weights) for mean, weight in zip(self.means(), weights, strict=True)]

    def each(self, number: float) -> list[float]:
        return [number for _ in self.labels]

    def only(self, place: int, number: float) -> list[float]:
        weights = self.each(0.0)
        weights[place] = number
        return weights

    def so_far(self) -> list[float]:
        return [1 / max(1, sum(self.labels[: n + 1])) for n in range(len(self.labels))]


# (what each part's summed loss is multiplied by, what to tell those who do so, misconception)
WEIGHINGS = (
    (
        lambda s: [mean / len(s.labels) for mean in s.means()],
        "this is the mean of the parts' means: a part of two labels counts as much as one of fourteen. " + LOOK,
        "M41",
    ),
    (lambda s: s.means(), "the parts' means are added up, and not divided: " + LOOK, "M41"),
    (
        lambda s: s.weighed(s.rows),
        "each part's mean is weighed by its *rows*; what was averaged in it are labels. " + LOOK,
        "M41",
    ),
    (
        lambda s: s.weighed(s.places),
        "each part's mean is weighed by all its places, padding too; what was averaged in it are labels. " + LOOK,
        "M42",
    ),
    (
        lambda s: s.each(1 / sum(s.places)),
        "the sum is divided by all places, padding too; there is no loss in padding. " + LOOK,
        "M42",
    ),
    (
        lambda s: [1 / places / len(s.places) for places in s.places],
        "this is a mean of means, and each counts padding as well. " + LOOK,
        "M42",
    ),
    (lambda s: s.each(1.0), "the losses of all labels are added up, but not divided by their number."),
    (lambda s: s.each(1 / sum(s.rows)), "the sum is divided by the number of rows; wanted: of labels."),
    (lambda s: s.each(1 / len(s.labels)), "the sum is divided by the number of parts; wanted: of labels."),
    (
        lambda s: s.so_far(),
        "each part is divided by the number of labels *so far*: early parts count too much. Divide at the end.",
    ),
    (
        lambda s: s.only(-1, 1 / s.labels[-1]),
        "only the last part is in it. Are the gradients set to 0 inside the loop?",
    ),
    (
        lambda s: s.only(-1, 1 / sum(s.labels)),
        "only the last part is in it. Are the gradients set to 0 inside the loop?",
    ),
    (lambda s: s.only(-1, 1.0), "only the last part is in it. Are the gradients set to 0 inside the loop?"),
    (lambda s: s.only(0, 1 / s.labels[0]), "only the first part is in it. Is a return inside the loop?"),
    (
        lambda s: [1 / sum(s.labels)] * (len(s.labels) - 1) + [0.0],
        "the last part is missing.",
    ),
    (
        lambda s: s.each(1 / sum(s.labels) / len(s.labels)),
        "it is right but for a division by the number of parts: divide once.",
    ),
    (lambda s: s.each(1 / s.labels[-1]), "the sum is divided by the labels of the last part only."),
)


def flat(gradients) -> Tensor:
    return torch.cat([gradient.flatten() for gradient in gradients])


def added(sums: list, n: int = 1) -> list[Tensor]:
    return [sum(part) / n for part in zip(*sums, strict=True)]


def short(gradients: list[Tensor], largest: float) -> list[Tensor]:
    """The gradients with all of them together at most so long."""
    factor = min(1.0, largest / flat(gradients).norm().item())
    return [factor * gradient for gradient in gradients]


def one_by_one(sums: list, n: int, largest: float) -> Tensor:
    total = [torch.zeros_like(gradient) for gradient in sums[0]]
    for part in sums:
        total = short([a + b / n for a, b in zip(total, part, strict=True)], largest)
    return flat(total)


def always(sums: list, n: int, largest: float) -> Tensor:
    gradient = flat(added(sums, n))
    return gradient * largest / gradient.norm()


# (the gradient, from the sums of each part, all labels and the largest length; what to tell; misconception)
CLIPPINGS = (
    (lambda sums, n, c: flat(added(sums, n)), "A gradient that is too long is left as it is; shorten it to `largest`."),
    (
        lambda sums, n, c: flat([short([gradient], c)[0] for gradient in added(sums, n)]),
        "Each tensor is shortened for itself; wanted: the length of all gradients together, and their direction kept.",
    ),
    (
        lambda sums, n, c: flat(added(sums, n)).clamp(-c, c),
        "Each number is clamped; wanted: the length of all gradients together, which keeps their direction.",
    ),
    (
        always,
        "Every gradient becomes `largest` long, one that is shorter too; leave that as it is.",
    ),
    (
        lambda sums, n, c: flat(added([short([g / n for g in part], c) for part in sums])),
        "Each part is shortened before it is added; wanted: the whole gradient, once, at the end.",
    ),
    (
        one_by_one,
        "The gradient is shortened after each part; wanted: once, at the end.",
    ),
    (
        lambda sums, n, c: flat(short(added(sums), c)) / n,
        "The gradient is shortened before it is divided by the labels; wanted: the length of the mean's gradient.",
    ),
    (
        lambda sums, n, c: flat(added(sums, n)) * min(1.0, c / flat(added(sums, n)).square().sum().item()),
        "The length is the *root* of the sum of squares.",
    ),
    (
        lambda sums, n, c: flat(added(sums, n)) * min(1.0, c / flat(added(sums, n)).abs().max().item()),
        "The largest number counts as the length; wanted: the root of the sum of all squares.",
    ),
    (
        lambda sums, n, c: flat(added(sums, n)) * min(1.0, c / flat(added(sums, n)).abs().sum().item()),
        "The absolute values are added up; the length is the root of the sum of their squares.",
    ),
    (
        lambda sums, n, c: one_by_one(sums, 1, c) / n,
        "The gradient is shortened after each part, before it is divided; wanted: once, at the end.",
    ),
    (
        lambda sums, n, c: flat(added(sums, n)) * min(1.0, c / sum(g.norm().item() for g in added(sums, n))),
        "The lengths of the tensors are added up; the length of all together is the root of the sum of all squares.",
    ),
)
