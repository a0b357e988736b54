"""Lesson 08: the checks of a test for equivariance."""

import math

import torch

from ...checking import Wrong, check
from ...draw import draw
from ..common import leaves_alone

LENGTHS = 12, 13, 15


class is_equivariant:
    answers = ("is_equivariant(f, x)",)

    @check("says True where f(Px) = P f(x)", 1)
    def true(is_equivariant):
        T = draw.one_of(*LENGTHS)
        for f, words in equivariant():
            if not verdict(is_equivariant, f, T) or not verdict(is_equivariant, f, 7):
                hint = WHY_FALSE if words == "the identity" else f"{WHY_FALSE} {IF_ROUNDING}"
                raise Wrong(f"It says False for {words}, which commutes with every shuffle. {hint}")

    @check("says False where the order counts", 1)
    def false(is_equivariant):
        T = draw.one_of(*LENGTHS)
        for f, words in ordered(T):
            if verdict(is_equivariant, f, T):
                raise Wrong(f"It says True for {words}. {WHY_TRUE}")

    @check("is fooled neither by rounding, nor by functions that survive one special shuffle", 1)
    def subtle(is_equivariant):
        T = draw.one_of(*LENGTHS)
        for f, words, hint in special(T):
            if verdict(is_equivariant, f, T):
                raise Wrong(f"It says True for {words}. {hint}")
        for f, words in rounding():
            if not verdict(is_equivariant, f, T):
                raise Wrong(
                    f"It says False for {words}. Rounding differs with the order, here by about 1e-5: compare with a "
                    "tolerance such as torch.allclose(..., atol=1e-3), not with ==, nor with atol=1e-6."
                )
        leaves_alone(lambda x: is_equivariant(lambda y: y * 2.0, x), x=draw.normal(T, 4))


WHY_FALSE = (
    "Shuffle the rows of x, apply f, and compare with the rows of f(x) shuffled *in the same way*: f(x[order]) "
    "and f(x)[order]."
)
IF_ROUNDING = (
    "If you do that: sums in another order round differently, so compare with a tolerance of about 1e-3, not with ==."
)
WHY_TRUE = (
    "Compare f(x[order]) with f(x)[order], both (T, D), all rows and all features, for several *random* orders; one "
    "that fails is enough for False. A reversal, a roll or a swap of two rows misses much."
)


def verdict(answer, f, T: int) -> bool:
    got = answer(f, draw.normal(T, 4))
    if getattr(got, "shape", ()) not in ((), (1,)):
        raise Wrong(f"A tensor of shape {tuple(got.shape)} came back; wanted one True or False: .all(), or allclose.")
    got = plain(got)
    if isinstance(got, float):
        raise Wrong("A number came back; wanted True or False: compare the difference with a small tolerance.")
    if not isinstance(got, (bool, int)):
        raise Wrong(
            f"{got!r} came back, of type {type(got).__name__}; wanted True or False, "
            "without quotation marks or brackets."
        )
    return bool(got)


def plain(value):
    """Python's own number or bool for a tensor or array with one element and for numpy's numbers, else the value."""
    one = hasattr(value, "item") and math.prod(getattr(value, "shape", ())) == 1
    return value.item() if one else value


def attention(x, causal=False, bias=0.0):
    scores = x @ (x @ TURN).transpose(-2, -1) + bias
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:]).bool().tril(), -math.inf)
    return scores.softmax(-1) @ x


TURN = torch.tensor([[0.5, 1.0, 0.0, -0.3], [-1.0, 0.4, 0.2, 0.0], [0.3, 0.1, -0.6, 0.8], [0.0, 0.7, 0.2, 0.1]])


def equivariant():
    yield lambda x: x + 0.0, "the identity"  # nothing is rounded: who says False here does not test equivariance
    yield attention, "attention without a mask"
    yield lambda x: torch.relu(x @ TURN), "a feed-forward layer"
    yield lambda x: x - x.mean(0), "subtracting the mean over positions"
    yield lambda x: x.mean(0).expand_as(x) * 1.0, "the mean, handed to every position"
    yield lambda x: (x @ TURN)[:, :3], "a projection to another width"
    yield lambda x: x.sum(1, keepdim=True), "the sum of each row's features, (T, 1)"
    yield lambda x: torch.cat((x, x.square()), 1), "x with its squares concatenated, (T, 2 D)"


def ordered(n: int):
    T = torch.arange(float(n))[:, None]
    yield (
        lambda x: x + torch.cat((T.sin(), T.cos(), (T / 100).sin(), (T / 100).cos()), 1),
        "adding sinusoidal positions",
    )
    yield lambda x: attention(x, causal=True), "attention with a causal mask"
    yield lambda x: x.cumsum(0), "a running sum"
    yield lambda x: x.sort(dim=0).values, "sorting each feature over the positions (invariant, not equivariant)"
    yield lambda x: x.roll(1, 0), "moving every row one place on"
    yield lambda x: x[:1].expand_as(x) * 1.0, "handing the first row to every position"
    yield lambda x: x[-1:].expand_as(x) * 1.0, "handing the last row to every position"
    yield lambda x: attention(x, bias=-0.3 * (T - T.T).abs()), "attention with ALiBi's bias"
    words = "a table of constants that ignores x (f(Px) = f(x): invariant, not equivariant)"
    yield lambda x: T.expand(n, 4).sin(), words


def special(n: int):
    T = torch.arange(float(n))[:, None]
    flip = "It survives reversing the rows, and only that (and the like): try random orders, torch.randperm, several."
    yield lambda x: x + (T - (n - 1) / 2).abs(), "adding the distance from the middle", flip
    ring = (torch.arange(n)[:, None] - torch.arange(n)) % n
    roll = "It survives torch.roll, and only that (and the like): try random orders, torch.randperm, several."
    yield lambda x: (ring * 0.3).softmax(-1) @ x, "a circular average", roll
    pairs = "It survives swapping the first two rows: try random orders of all rows, torch.randperm, several."
    yield lambda x: x + T // 2 * (T > 1), "adding a number that only the first two rows share", pairs
    both = (
        "It survives reversing the rows *and* torch.roll: each row gets its two neighbours on a ring, and a ring looks "
    )
    both += "the same turned or mirrored. Try random orders, torch.randperm, several."
    yield lambda x: x + x.roll(1, 0) + x.roll(-1, 0), "adding both neighbours, on a ring", both
    yield (
        lambda x: x * 2 - x.roll(2, 0) - x.roll(-2, 0),
        "subtracting the second neighbours on either side, on a ring",
        both,
    )
    one = "Only one row is special: compare all rows, for several random orders, for some leave that row in its place. "
    one += "One order for which it fails is enough for False."
    for row in 2 * list(range(n)):  # one random order may leave a row in its place, and so may another
        yield lambda x, row=row: x + (row == T), f"adding 1 to row {row} and nothing to the others", one
    small = "The positions added have size 0.01: a looser tolerance than 1e-3 no longer sees them."
    yield lambda x: x + 0.01 * T.sin(), "adding small positions", small
    yield lambda x: x + 5 + 0.01 * (T % 2), "adding 5, and 0.01 more to every other row", small
    feature = "Only some features tell the position: compare all of them, not a sum or mean over features or positions."
    for pair in ((0, 1), (2, 3)):
        signs = torch.zeros(4).scatter(0, torch.tensor(pair), torch.tensor([1.0, -1.0]))
        words = f"adding +t to feature {pair[0]} and -t to feature {pair[1]}"
        yield lambda x, signs=signs: x + T * signs, words, feature
    corner = torch.zeros(n, 4)
    corner[6, 1] = 0.01
    yield (
        lambda x: x + corner,
        "adding 0.01 to one feature of one row",
        "A mean of differences hides one: take the max.",
    )
    words = "adding 0.01 to every other row of a column that x has not, of five"
    wide = "f may give more columns than x has, (T, any width): compare them all."
    yield lambda x: torch.cat((x, x[:, :1] + 0.01 * (T % 2)), 1), words, wide
    mean = "Means agree, rows do not: compare row by row."
    yield lambda x: x.flip(0), "reversing the rows", mean


def rounding():
    yield lambda x: attention(x) * 30, "attention with outputs of size 30, equal up to rounding"
    for _ in range(4):
        yield lambda x: x - (x + 30).mean(0) + 30, "subtracting a mean that is rounded"
