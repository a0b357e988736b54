"""Lesson 16: ranks and products that wrong ways to take out a LoRA give, and what to tell their authors."""

import torch
from torch import Tensor


def size(matrix: Tensor) -> float:
    return float((matrix.double() ** 2).sum())


def smallest(parts: Tensor, share: float) -> int:
    """How many of the parts, added up in their order, reach the share of all."""
    kept = parts.cumsum(0)
    return int((kept < share * kept[-1]).sum()) + 1


def values(case) -> Tensor:
    return torch.linalg.svdvals(case.change)


def of(matrix: Tensor, power: int, share: float) -> int:
    return smallest(torch.linalg.svdvals(matrix) ** power, share)


AFTER = "That is the rank of `after` itself, which was large before anything was learnt. Take the change apart."
BEFORE = "That is the rank of `before`. Take the change apart, after - before."
SQUARES = "The singular values are added up as they are; each contributes its *square* to the energy."
# (formula of a case, words): the first that gives the answer's rank in every case
RANKS = (
    (lambda c: of(c.change, 1, c.share), SQUARES),
    (lambda c: of(c.change, 4, c.share), "The squares are squared once more: the energy is the sum of the squares."),
    (lambda c: of(c.after, 2, c.share), AFTER),
    (lambda c: of(c.after, 1, c.share), AFTER + " And square its singular values."),
    (lambda c: of(c.before, 2, c.share), BEFORE),
    (lambda c: of(c.before, 1, c.share), BEFORE),
    (
        lambda c: smallest(values(c) ** 2, c.share**2),
        "The root of the energy is compared with `share` (a norm, in place of its square).",
    ),
    (
        lambda c: smallest(values(c) ** 2, 1 - (1 - c.share) ** 2),
        "The *norm* of what is missing is compared with 1 - share; wanted: its energy, the square of the norm.",
    ),
    (
        lambda c: smallest(values(c) ** 2, c.share**0.5),
        "The energy is compared with the root of `share`: it is a share of the energy itself.",
    ),
    (
        lambda c: c.r - 1,
        "It is one too few. The place of a singular value is counted from 0; wanted is how many there are up to it, "
        "the one with which `share` is reached included.",
    ),
    (lambda c: c.r + 1, "It is one too many: stop with the first singular value with which `share` is reached."),
    (
        lambda c: smallest((values(c) ** 2).flip(0), c.share),
        "The singular values are added up from the smallest on. Begin with the largest.",
    ),
    (lambda c: smallest(values(c) ** 2, 1 - c.share), "That is the rank which keeps 1 - share: `share` is to stay."),
    (
        lambda c: int((values(c) >= c.share * values(c)[0]).sum()),
        "Each singular value is compared with the largest. Wanted: how many it takes, added up, to reach the share.",
    ),
    (
        lambda c: int((values(c) > (1 - c.share) * values(c)[0]).sum()),
        "Each singular value is compared with the largest. Wanted: how many it takes, added up, to reach the share.",
    ),
    (
        lambda c: int((values(c) ** 2 > (1 - c.share) * values(c)[0] ** 2).sum()),
        "Each singular value is compared with the largest. Wanted: how many it takes, added up, to reach the share.",
    ),
    (
        lambda c: int(-(-c.share * min(c.before.shape) // 1)),
        "That is a share of the *number* of singular values; wanted: of their energy.",
    ),
    (
        lambda c: int(c.share * min(c.before.shape)),
        "That is a share of the *number* of singular values; wanted: of their energy.",
    ),
    (
        lambda c: round(c.share * min(c.before.shape)),
        "That is a share of the *number* of singular values; wanted: of their energy.",
    ),
    (
        lambda c: int(((values(c) ** 2).cumsum(0) >= c.share * (values(c) ** 2).sum()).sum()),
        "The sums that reach the share are counted; wanted: how many are still too small, and one more.",
    ),
    (
        lambda c: min(int(((values(c) ** 2).cumsum(0) < c.share).sum()) + 1, min(c.before.shape)),
        "The sums are compared with `share` itself: divide them by the whole energy first.",
    ),
    (
        lambda c: min(c.before.shape),
        "All singular values are kept; wanted: as few as will do. Add up their squares, from the largest on, and "
        "compare the sums with `share` of the whole.",
    ),
    (lambda c: 1, "It is 1 whatever `share` says."),
    (lambda c: 0, "With rank 0 nothing of the change is kept."),
)


def best_of(matrix: Tensor, r: int) -> Tensor:
    U, S, Vh = torch.linalg.svd(matrix, full_matrices=False)
    return (U[:, :r] * S[:r]) @ Vh[:r]


# What was taken apart in place of the change, told by B @ A where the rank is wrong.
APART = (
    (lambda c: c.after, "B @ A stands for `after` itself, which was large before anything was learnt. Take the change "
     "apart, after - before."),
    (lambda c: c.before, "B @ A stands for `before`, which is there already. Take the change apart, after - before."),
    (lambda c: c.after + c.before, "B @ A stands for the sum of the two; the change is after - before."),
)  # fmt: skip


def parts(case) -> tuple:
    U, S, Vh = torch.linalg.svd(case.change, full_matrices=False)
    return U, S, Vh, case.r


def product(power: int | float = 1):
    def formula(case) -> Tensor:
        U, S, Vh, r = parts(case)
        return (U[:, :r] * S[:r] ** power) @ Vh[:r]

    return formula


def smallest_parts(case) -> Tensor:
    U, S, Vh, r = parts(case)
    return (U[:, -r:] * S[-r:]) @ Vh[-r:]


def turned(case) -> Tensor:
    """V in place of its transpose, which fits where the matrix is square."""
    U, S, Vh, r = parts(case)
    return (U[:, :r] * S[:r]) @ Vh.mT[:r] if len(Vh) == Vh.shape[1] == len(U) else case.best(r)


def corner(case) -> Tensor:
    """The first r rows and columns of the change, nothing else."""
    found = torch.zeros_like(case.change)
    found[: case.r] = case.change[: case.r]
    return found


ONCE = "Every singular value must come in once: with A or with B, or its root with both."
PRODUCTS = (
    (product(0.0), f"The singular values are missing in B @ A. {ONCE}"),
    (product(2.0), f"The singular values come in twice, with A and with B. {ONCE}"),
    (product(0.5), f"Only the roots of the singular values come in. {ONCE}"),
    (lambda c: -c.best(c.r), "The sign is turned: before + B @ A stands for after, so the change is after - before."),
    (
        lambda c: best_of(c.after, c.r),
        "B @ A stands for `after` itself. It is added to `before`: take the change apart.",
    ),
    (lambda c: best_of(c.before, c.r), "B @ A stands for `before`. Take the change apart, after - before."),
    (
        smallest_parts,
        "The *last* r singular values are taken, which are the smallest. The first ones keep the most.",
    ),
    (
        turned,
        "Where the matrix is square it is wrong: torch.linalg.svd gives the rows already, Vh. Take its first r rows, "
        "not its columns.",
    ),
    (
        lambda c: c.best(c.r) / c.r,
        "B @ A is divided by r. There is no alpha / r here: before + B @ A stands for after.",
    ),
    (
        lambda c: c.best(c.r) * size(c.change) ** -0.5,
        "B @ A is divided by the norm of the change: it must have the size of the change.",
    ),
    (lambda c: c.best(c.r - 1), "The last of the r parts is missing in B @ A."),
    (corner, "B @ A holds r rows of the change as they are. The best r parts are those of the singular values."),
)
