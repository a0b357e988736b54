"""Lesson 08: the checks of a test for equivariance, and of what a causal model knows without positions."""

import itertools
import math

import torch
from torch import Tensor

from ..score import Wrong, check
from .common import chosen, leaves_alone, normal

OPTIONS = ("unchanged", "changes")


class is_equivariant:
    answers = ("is_equivariant(f, x)",)

    @check("says True where f(Px) = P f(x)", 1)
    def true(is_equivariant):
        for f, words in equivariant():
            if not verdict(is_equivariant, f) or not verdict(is_equivariant, f, 7):
                hint = WHY_FALSE if words == "the identity" else f"{WHY_FALSE} {IF_ROUNDING}"
                raise Wrong(f"It says False of {words}, which commutes with every shuffle. {hint}")

    @check("says False where the order counts", 1)
    def false(is_equivariant):
        for f, words in ordered():
            if verdict(is_equivariant, f):
                raise Wrong(f"It says True of {words}. {WHY_TRUE}")

    @check("is fooled neither by rounding, nor by functions that survive one special shuffle", 1)
    def subtle(is_equivariant):
        for f, words, hint in special():
            if verdict(is_equivariant, f):
                raise Wrong(f"It says True of {words}. {hint}")
        for f, words in rounding():
            if not verdict(is_equivariant, f):
                raise Wrong(
                    f"It says False of {words}. Rounding differs with the order, here by about 1e-5: compare with a "
                    "tolerance such as torch.allclose(..., atol=1e-3), not with ==, nor with atol=1e-6."
                )
        leaves_alone(lambda x: is_equivariant(lambda y: y * 2.0, x), x=normal(9, 4))


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


def verdict(answer, f, T: int = 9) -> bool:
    got = answer(f, normal(T, 4))
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
    yield lambda x: torch.cat((x, x.square()), 1), "x with its squares beside it, (T, 2 D)"


def ordered():
    T = torch.arange(9.0)[:, None]
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
    yield lambda x: T.expand(9, 4).sin(), words


def special():
    T = torch.arange(9.0)[:, None]
    flip = "It survives reversing the rows, and only that (and its like): try random orders, torch.randperm, several."
    yield lambda x: x + (T - 4).abs(), "adding the distance from the middle", flip
    ring = (torch.arange(9)[:, None] - torch.arange(9)) % 9
    roll = "It survives torch.roll, and only that (and its like): try random orders, torch.randperm, several."
    yield lambda x: (ring * 0.3).softmax(-1) @ x, "a circular average", roll
    pairs = "It survives swapping the first two rows: try random orders of all rows, torch.randperm, several."
    yield lambda x: x + T // 2 * (T > 1), "adding a number that only the first two rows share", pairs
    both = (
        "It survives reversing the rows *and* torch.roll: each row gets its two neighbours on a ring, and a ring looks "
    )
    both += "the same turned or mirrored. Try random orders, torch.randperm, several."
    yield lambda x: x + x.roll(1, 0) + x.roll(-1, 0), "adding both neighbours, on a ring", both
    yield lambda x: x * 2 - x.roll(2, 0) - x.roll(-2, 0), "taking off the next neighbours but one, on a ring", both
    one = "Only one row is special: compare all rows, for several random orders, for some leave that row in its place. "
    one += "One order for which it fails is enough for False."
    for row in range(9):
        yield lambda x, row=row: x + (row == T), f"adding 1 to row {row} and nothing to the others", one
    small = "The positions added have size 0.01: a looser tolerance than 1e-3 no longer sees them."
    yield lambda x: x + 0.01 * T.sin(), "adding small positions", small
    yield lambda x: x + 5 + 0.01 * (T % 2), "adding 5, and 0.01 more to every other row", small
    feature = "Only some features tell the position: compare all of them, not a sum or mean over features or positions."
    for pair in ((0, 1), (2, 3)):
        signs = torch.zeros(4).scatter(0, torch.tensor(pair), torch.tensor([1.0, -1.0]))
        words = f"adding +t to feature {pair[0]} and -t to feature {pair[1]}"
        yield lambda x, signs=signs: x + T * signs, words, feature
    words = "adding 0.01 to every other row of a column that x has not, of five"
    wide = "f may give more columns than x has, (T, any width): compare them all."
    yield lambda x: torch.cat((x, x[:, :1] + 0.01 * (T % 2)), 1), words, wide
    corner = torch.zeros(9, 4)
    corner[6, 1] = 0.01
    yield (
        lambda x: x + corner,
        "adding 0.01 to one feature of one row",
        "A mean of differences hides one: take the max.",
    )
    mean = "Means agree, rows do not: compare row by row."
    yield lambda x: x.flip(0), "reversing the rows", mean


def rounding():
    yield lambda x: attention(x) * 30, "attention with outputs of size 30, equal up to rounding"
    for _ in range(4):
        yield lambda x: x - (x + 30).mean(0) + 30, "subtracting a mean that is rounded"


class swap_effect:
    answers = ("swap_effect(model, ids, a, b)", OPTIONS, OPTIONS)

    @check("how far the last row of logits moves", 2)
    def values(swap_effect, one_layer, two_layers):
        for T, a, b in ((7, 1, 2), (8, 3, 6), (9, 7, 0)):
            one = torch.randperm(20)[None, :T]
            for ids in (one, swapped(one, a, b)):  # there and back: the largest change is once positive, once negative
                got = effect(swap_effect, reader, ids, a, b)
                wanted = float((reader(swapped(ids, a, b)) - reader(ids))[0, -1].abs().max())
                if not math.isclose(got, wanted, rel_tol=2e-5, abs_tol=1e-6):
                    raise Wrong(why(got, wanted, ids, a, b))
        leaves_alone(lambda ids: swap_effect(reader, ids, 0, 2), ids=torch.randperm(20)[None, :5])

    @check("one layer", 0.5)
    def one(swap_effect, one_layer, two_layers):
        if chosen(one_layer, OPTIONS, "one_layer") != "unchanged":
            raise Wrong(
                "You chose 'changes'. In one layer the last query averages over all keys, and each key is made of its "
                "token alone: a bag. Once swap_effect is right, measure a model with n_layers=1: it is rounding."
            )

    @check("two layers", 0.5)
    def two(swap_effect, one_layer, two_layers):
        if chosen(two_layers, OPTIONS, "two_layers") != "changes":
            raise Wrong(
                "You chose 'unchanged'. Row t of layer 1 has seen tokens 0 to t, no more, so its output depends on "
                "what came *before* it; layer 2 reads that. Only without a mask is the order unknowable. Once "
                "swap_effect is right, measure a model with n_layers=2.",
                "M25",
            )


class Reader(torch.nn.Module):
    """Logits (1, T, 11) that depend on all tokens and their places, differently in each row."""

    def forward(self, ids):
        table = (torch.arange(20.0)[:, None] * torch.linspace(0.3, 1.7, 11)).sin()
        place = 1 + torch.arange(ids.shape[1]) ** 2 * 0.1
        weighted = table[ids] * place[:, None]
        turn = torch.linspace(0.4, math.pi, ids.shape[1])
        heard = 0.9 + 0.6 * turn.sin()[:, None]  # a row in the middle moves furthest, neither the first nor the last
        return 0.3 * weighted.cumsum(1) + weighted.sum(1, keepdim=True) * heard


reader = Reader().eval()


def swapped(ids, a, b):
    other = ids.clone()
    other[:, [a, b]] = ids[:, [b, a]]
    return other


def effect(answer, model, ids, a, b) -> float:
    got = plain(answer(model, ids.clone(), a, b))
    if isinstance(got, Tensor):
        raise Wrong(f"A tensor of shape {tuple(got.shape)} came back; wanted one number: .abs().max().item().")
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        raise Wrong(f"The answer is of type {type(got).__name__}; wanted one number, the largest change.")
    return float(got)


def why(got, wanted, ids, a, b) -> str:
    before, after = reader(ids)[0], reader(swapped(ids, a, b))[0]
    moved = after - before
    lost = ids.clone()
    lost[:, a] = lost[:, b]
    lost_other = ids.clone()
    lost_other[:, b] = lost_other[:, a]
    double = "One token overwrote the other before it was moved: swap both at once, other[:, [a, b]] = ids[:, [b, a]]."
    soft = after.softmax(-1) - before.softmax(-1)
    logs = after.log_softmax(-1) - before.log_softmax(-1)
    faults = {
        "0 came back: either both runs saw the same tokens (was `ids` itself changed? Swap in a clone), or it is a yes "
        "or no, in place of how far a logit moved.": torch.zeros(()),
        "1 came back: rounded to whole numbers, or a yes? Wanted is by how much the logit changes.": torch.ones(()),
        "This is the largest change in *all* rows; only the last row is asked for: [:, -1].": moved.abs().max(),
        "This is the change of row a; wanted the last row: [:, -1].": moved[a].abs().max(),
        "This is the change of row b; wanted the last row: [:, -1].": moved[b].abs().max(),
        "This is the change of the first row; wanted the last: [:, -1].": moved[0].abs().max(),
        "This is the change of the row before the last; wanted the last: [:, -1].": moved[-2].abs().max(),
        "This is the change of one logit (the last) in all rows; wanted the last row.": moved[:, -1].abs().max(),
        "This is the mean change; wanted the largest.": moved[-1].abs().mean(),
        "This is the sum of the changes; wanted the largest.": moved[-1].abs().sum(),
        "This is the length of the change; wanted its largest entry.": moved[-1].norm(),
        "This is the mean over all rows; wanted the largest in the last.": moved.abs().mean(),
        "The sign counts here: take .abs() before .max().": moved[-1].max(),
        "The sign counts here: take .abs() before .max(), new minus old.": (-moved[-1]).max(),
        "This is the change relative to the logit; wanted the change itself.": (moved / before)[-1].abs().max(),
        "This compares which logit is largest (argmax); wanted the change of the logits.": (
            after[-1].argmax() - before[-1].argmax()
        ).abs(),
        "This is rounded to whole numbers; wanted the change itself.": moved[-1].abs().max().round(),
        "This is the largest minus the smallest change; wanted the largest in size.": moved[-1].max() - moved[-1].min(),
        "This is the smallest change; wanted the largest.": moved[-1].abs().min(),
        "This is the difference of the two maxima; subtract first, then take the maximum.": after[-1].max()
        - before[-1].max(),
        "This is the *size* of the difference of two maxima; subtract first.": (
            after[-1].max() - before[-1].max()
        ).abs(),
        "This compares probabilities (softmax); wanted the logits themselves.": soft[-1].abs().max(),
        "This compares log-probabilities; wanted the logits themselves.": logs[-1].abs().max(),
        "The squares are compared; wanted .abs().": (moved[-1] ** 2).max(),
    }
    for tokens in (lost, lost_other):
        faults[double + " " * (tokens is lost)] = (reader(tokens)[0] - before)[-1].abs().max()
        faults[double + "  " + " " * (tokens is lost)] = (reader(tokens)[0] - before).abs().max()
    last = swapped(ids, a, -1)
    faults["Token a is swapped with the last token, not with b."] = (reader(last)[0] - before)[-1].abs().max()
    whole = (reader(ids.flip(1))[0] - before)[-1].abs().max()
    faults["All tokens are reversed; only a and b change places."] = whole
    for words, value in faults.items():
        if math.isclose(got, float(value), rel_tol=1e-5, abs_tol=1e-6):
            return words.strip()
    if any(got == round(wanted, digits) for digits in range(5)):
        return "This is rounded; wanted the change itself."
    for i, j in itertools.combinations(range(ids.shape[1]), 2):
        other = (reader(swapped(ids, i, j))[0] - before)[-1].abs().max()
        if math.isclose(got, float(other), rel_tol=1e-5):
            return f"Tokens {i} and {j} change places here; the call said a = {a}, b = {b}."
    return f"swap_effect is {got:.4g}; wanted {wanted:.4g}: max |model(swapped)[0, -1] - model(ids)[0, -1]|."
