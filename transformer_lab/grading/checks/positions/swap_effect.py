"""Lesson 08: the checks of what a causal model knows without positions."""

import itertools
import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import chosen, leaves_alone
from .is_equivariant import plain

OPTIONS = ("unchanged", "changes")


# T, a, b; never the last row, nor one that moves furthest.
SWAPS = (
    ((8, 1, 2), (9, 3, 7), (10, 8, 0)),
    ((9, 1, 2), (8, 5, 6), (10, 0, 3)),
    ((10, 1, 3), (7, 5, 3), (9, 7, 0)),
)


class swap_effect:
    answers = ("swap_effect(model, ids, a, b)", OPTIONS, OPTIONS)

    @check("how far the last row of logits moves", 2)
    def values(swap_effect, one_layer, two_layers):
        for T, a, b in draw.one_of(*SWAPS):
            one = tokens(T, a, b)
            for ids in (one, swapped(one, a, b)):  # there and back: the largest change is once positive, once negative
                got = effect(swap_effect, reader, ids, a, b)
                wanted = float((reader(swapped(ids, a, b)) - reader(ids))[0, -1].abs().max())
                if not math.isclose(got, wanted, rel_tol=2e-5, abs_tol=1e-6):
                    raise Wrong(why(got, wanted, ids, a, b))
        leaves_alone(lambda ids: swap_effect(reader, ids, 0, 2), ids=draw.permutation(20)[None, : draw.one_of(5, 6, 7)])

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


def tokens(T: int, a: int, b: int) -> Tensor:
    """Ids (1, T), of which the swap of two moves the last logits by more than a half, and by no whole number.

    It moves none of the rows that one might take for the last most, nor the last logit.
    """
    while True:
        ids = draw.permutation(20)[None, :T]
        moved = (reader(swapped(ids, a, b)) - reader(ids))[0].abs()
        last, others = float(moved[-1].max()), max(moved[[0, a, b, -2, -1]].max(), moved[:, -1].max())
        if last > 0.6 and abs(last - round(last)) > 0.06 and others < 0.99 * moved.max():
            return ids


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
    if any(got == round(wanted, digits) for digits in range(1, 5)):  # first: a rounded number may be near any other
        return "This is rounded; wanted the change itself."
    for words, value in faults.items():
        if math.isclose(got, float(value), rel_tol=1e-5, abs_tol=1e-6):
            return words.strip()
    for i, j in itertools.combinations(range(ids.shape[1]), 2):
        other = (reader(swapped(ids, i, j))[0] - before)[-1].abs().max()
        if math.isclose(got, float(other), rel_tol=1e-5):
            return f"Tokens {i} and {j} change places here; the call said a = {a}, b = {b}."
    return f"swap_effect is {got:.4g}; wanted {wanted:.4g}: max |model(swapped)[0, -1] - model(ids)[0, -1]|."
