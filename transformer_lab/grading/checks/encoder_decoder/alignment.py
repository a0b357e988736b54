"""Lesson 11: the checks of alignment accuracy, read off the weights of a cross-attention."""

from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, copies, number, one_number
from .alignment_faults import FAULTS, Alignment, hits, share

# Tokens of the target (the weights have a row more) and of the source; never as many rows as columns.
ONE_TEXT = ((9, 6),), ((10, 7),), ((8, 6),)
SEVERAL = ((6, 4), (9, 7), (3, 5)), ((7, 5), (10, 6), (4, 7)), ((5, 7), (8, 4), (3, 6))
N_CASES = 3  # by chance one fault gives the share of another, but hardly in three cases

Case = tuple[list[Tensor], list[Alignment]]


class alignment:
    answers = ("alignment_accuracy(weights, alignments)",)

    @check("one text, one head: the row that predicts the token", 2)
    def one(alignment_accuracy):
        judge(alignment_accuracy, draw.one_of(*ONE_TEXT), n_heads=1)

    @check("tokens without a source token, and source token 0", 1)
    def bare(alignment_accuracy):
        judge(alignment_accuracy, draw.one_of(*ONE_TEXT), n_heads=1, bare=True)

    @check("several texts, several heads", 1)
    def several(alignment_accuracy):
        judge(alignment_accuracy, draw.one_of(*SEVERAL), n_heads=3, bare=True)
        judge_unaligned(alignment_accuracy)


def judge(answer, sizes, n_heads: int, bare: bool = False) -> None:
    shows = {"texts": len(sizes) > 1, "heads": n_heads > 1, "bare": bare, "": True}
    faults = [(fault, words) for fault, words, needs in FAULTS if shows[needs]]
    cases = telling_cases(faults, sizes, n_heads, bare)
    got = [asked(answer, *case) for case in cases]
    right = [share(*case) for case in cases]
    if alike(got, right):
        return
    words = next((words for fault, words in faults if alike(got, [fault(*case) for case in cases])), None)
    worst = max(range(N_CASES), key=lambda n: abs(got[n] - right[n]))
    raise Wrong(words or told(got[worst], *cases[worst]))


def judge_unaligned(answer) -> None:
    """Some of the texts have no aligned token: they add nothing, and there is nothing to divide by."""
    weights, alignments = case(((7, 5), (4, 6), (6, 4)), n_heads=2, bare=True)
    alignments[1] = [None] * len(alignments[1])
    try:
        got = asked(answer, weights, alignments)
    except ZeroDivisionError as error:
        raise Wrong(
            "One of the texts has no aligned token, and its hits are divided by their number, 0. Add up the hits and "
            "the tokens of all texts, then divide once."
        ) from error
    if not alike([got], [share(weights, alignments)]):
        raise Wrong(
            f"One of the texts has no aligned token, and counts in neither number. {told(got, weights, alignments)}"
        )


def asked(answer, weights: list[Tensor], alignments: list[Alignment]) -> float:
    """The answer's share; it must leave weights and alignments as they are."""
    given, lists = copies(*weights), [list(one) for one in alignments]
    value = one_number(answer(given, lists), "the share")
    kept = len(given) == len(weights) and all(close(*pair, 0.0) for pair in zip(given, weights, strict=True))
    if not kept or lists != alignments:
        raise Wrong("The function changed its inputs in place: whoever calls it loses those weights or alignments.")
    return value


def alike(some: list, others: list) -> bool:
    return all(abs(one - other) < 1e-4 for one, other in zip(some, others, strict=True))


def told(yours: float, weights: list[Tensor], alignments: list[Alignment]) -> str:
    found = [hit for one in zip(weights, alignments, strict=True) for hit in hits(*one)]
    return (
        f"Yours is {number(yours)}, wanted {sum(found)} of {len(found)}, {number(sum(found) / len(found))}. Average "
        "the heads' weights. Then, for each token t that has a source token: is the largest weight of the row that "
        "predicts t in that source token's column?"
    )


def telling_cases(faults, sizes, n_heads: int, bare: bool) -> list[Case]:
    """Cases in which no fault gives the right shares, and no two faults of different words give the same."""
    while True:
        cases = [case(sizes, n_heads, bare) for _ in range(N_CASES)]
        shares = [("", [share(*one) for one in cases])]
        shares += [(words, [fault(*one) for one in cases]) for fault, words in faults]
        pairs = combinations(shares, 2)
        mixed = any(alike(one, other) for (words, one), (others, other) in pairs if words != others)
        if not mixed and all(map(any, (values for _, values in shares))):  # 0 in every case would fit anything
            return cases


def case(sizes, n_heads: int, bare: bool) -> Case:
    texts = [text(T, S, n_heads, bare) for T, S in sizes]
    return [weights for weights, _ in texts], [alignment for _, alignment in texts]


def text(T: int, S: int, n_heads: int, bare: bool) -> tuple[Tensor, Alignment]:
    """Weights (n_heads, T + 1, S) of which about two rows in three look where they should, and the alignment."""
    first = 0 if bare else 1
    gold = first + draw.integers(S - first, T)
    looks = torch.where(draw.uniform(T) < 0.65, gold, draw.integers(S, T))
    looks = torch.cat((looks, draw.integers(S, 1)))  # [EOS]
    scores = draw.standard(n_heads, T + 1, S) + 1.2 * F.one_hot(looks, S)
    alignment: Alignment = gold.tolist()
    if bare:
        alignment[0] = 0
        alignment[T - 2] = None
        alignment[T // 2] = 0 if draw.integers(2) else None
    return scores.softmax(dim=-1), alignment
