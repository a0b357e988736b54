"""Lesson 08: the checks of question 3: four faulty ways to add sinusoids, what tells two apart, and a repair."""

import math

import torch
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import (
    chosen,
    close,
    compare,
    copies,
    diagnosed,
    expect_tensor,
    has_gradient,
    keeps_dtype,
    leaves_alone,
)
from .paper_clock import LONG, exponent_faults, made, other_speeds, table_by_loops

# What the learner chooses from -> what such a function would show. The notebook explains each in a table.
FAULTS = {
    "exponent halved": "With it the last of four pairs would turn in 199 positions, far too fast.",
    "two frequencies in a pair": "With it a pair's sine and cosine are of two angles, and its length is not 1.",
    "positions run on": "With it the second sequence of a batch begins where the first one ends.",
    "one speed for all pairs": "With it the last pair would turn as fast as the first, in 6 positions.",
    "exponent doubled": "With it the last pair would hardly turn at all: once in millions of positions.",
    "rows by sequence": "With it all tokens of a sequence get one vector, that of the sequence's number.",
    "positions from 1": "With it both sequences get the same, and only row 0 is not what it should be.",
}
# What tells apart two functions that treat the sequences of a batch differently -> what it shows.
OBSERVATIONS = {
    "rows of one sequence": "",
    "sequences of the batch": "They differ with both.",
    "lengths of the pairs": "They are 1 with both: each pair is a sine and a cosine of one angle.",
    "the last pair's turn": "It is 6,283 positions with both: both turn as they should.",
}


# B, T, d_model: more tokens than sequences, fewer, as many (where a wrong axis raises no error), and a long text.
SIZES = (
    ((3, 7, 10), (7, 3, 16), (5, 5, 6), (1, 60, 32)),
    ((4, 9, 12), (6, 2, 14), (4, 4, 10), (1, 50, 36)),
    ((2, 6, 8), (9, 4, 18), (3, 3, 12), (1, 70, 28)),
)


class repair:
    answers = ("repair(x)", *(tuple(FAULTS),) * 4, tuple(OBSERVATIONS))

    @check("broken_1: the fault", 0.5)
    def first(repair, fault_1, fault_2, fault_3, fault_4, apart):
        seen = "broken_1 is right about rows, sequences and lengths: how long does its last pair take for a turn?"
        diagnosed(fault_1, "exponent doubled", FAULTS, "fault_1", seen)

    @check("broken_2: the fault", 0.5)
    def second(repair, fault_1, fault_2, fault_3, fault_4, apart):
        seen = "not all of broken_2's pairs have length 1: which angle does each of their two features have?"
        diagnosed(fault_2, "two frequencies in a pair", FAULTS, "fault_2", seen)

    @check("broken_3: the fault", 0.5)
    def third(repair, fault_1, fault_2, fault_3, fault_4, apart):
        seen = (
            "broken_3 gives two tokens of one sequence the same, and two sequences something else: which axis is read?"
        )
        diagnosed(fault_3, "rows by sequence", FAULTS, "fault_3", seen)

    @check("broken_4: the fault", 0.5)
    def fourth(repair, fault_1, fault_2, fault_3, fault_4, apart):
        seen = (
            "broken_4 tells the tokens of a sequence apart, and gives another sequence other vectors: what counts on?"
        )
        diagnosed(fault_4, "positions run on", FAULTS, "fault_4", seen)

    @check("what tells broken_3 from broken_4", 0.5)
    def observation(repair, fault_1, fault_2, fault_3, fault_4, apart):
        picked = chosen(apart, tuple(OBSERVATIONS), "apart")
        if picked != "rows of one sequence":
            raise Wrong(f"apart is {picked!r}. {OBSERVATIONS[picked]} Which column differs between the two?")

    @check("broken_2, mended", 0.5)
    def mended(repair, fault_1, fault_2, fault_3, fault_4, apart):
        repaired(repair)


def repaired(answer) -> None:
    """All of it in one check: a repair counts only as a whole."""
    for B, T, D in draw.one_of(*SIZES):
        x = draw.normal(B, T, D)
        got = added(answer, x)
        if isinstance(got, Tensor) and got.shape == (B, T, 2 * D):
            raise Wrong(
                f"The result has {2 * D} features: the table is concatenated to x. It should be added: {(B, T, D)}."
            )
        got = expect_tensor(got, "the result", (B, T, D))
        wanted = x.double() + table_by_loops(T, D)
        compare(got, wanted, added_faults(x.double(), got), "the result", LONG)
        keeps_dtype(got, x.dtype, "the result")
    x = draw.normal(*draw.one_of((2, 4, 6), (3, 5, 8)), dtype=torch.float64)
    leaves_alone(answer, x=x)
    has_gradient(answer(x.clone().requires_grad_() * 1.0), "x + table")


def added(answer, x: Tensor):
    try:
        return answer(*copies(x))
    except NotDone:
        raise
    except (RuntimeError, IndexError) as error:
        B, T, D = x.shape
        raise Wrong(
            f"It cannot be added to x of shape (B, T, D) = {(B, T, D)}: the table has a row for each *position*, "
            f"T = {T} of them, and the same rows serve every sequence of the batch."
        ) from error


def added_faults(x: Tensor, got: Tensor):
    B, T, D = x.shape
    table = table_by_loops(max(B, T), D)
    i = torch.arange(D // 2, dtype=torch.float64)
    words = (
        "The table is indexed by the batch: every token of a sequence gets the same vector, so no position is told at "
        "all. Its rows belong to axis 1, the positions: table[: x.shape[1]]."
    )
    yield x + table[:B, None], words, "M26"
    for sine, cosine, told, misconception in exponent_faults(D):
        yield x + made(T, D, sine, cosine), told, misconception
        yield x + made(max(B, T), D, sine, cosine)[:B, None], f"{words} And: {told}", "M26"
    yield table[:T].expand(B, T, D), "x is lost: the table is added to it.", None
    yield x + made(T, D, 2 * i / D, start=1), "Positions start at 1; wanted 0, 1, 2, ...", None
    yield x + 0, "x comes back as it was: the table is not added.", None
    yield x * table[:T], "The table is multiplied; it should be added.", None
    yield x - table[:T], "The table is subtracted; it should be added.", None
    words = "Positions run on from one sequence of the batch to the next; each sequence starts at 0."
    yield x + table_by_loops(B * T, D).view(B, T, D), words, None
    yield x * math.sqrt(D) + table[:T], "x is multiplied by sqrt(d_model): nothing was wrong with x itself.", None
    words = (
        "All sines stand before all cosines: the snippet has them in turn, and a trained model expects its own layout."
    )
    yield x + torch.cat((table[:T, 0::2], table[:T, 1::2]), -1), words, None
    yield x + made(T, D, 2 * i / D, first=torch.cos, second=torch.sin), "Sine and cosine are swapped.", None
    sines, cosines = (made(T, D, 2 * i / D, first=f, second=f) for f in (torch.sin, torch.cos))
    yield x + sines, "All columns are sines: the cosines are missing.", None
    yield x + cosines, "All columns are cosines: the sines are missing.", None
    yield x + 2 * table[:T], "The table is added twice.", None
    yield x + table[:T] / 2, "Half of the table is added.", None
    yield (x + table[:T]) / 2, "The sum is halved.", None
    yield x + table[:T].flip(0), "The positions run backwards.", None
    yield from observed(x, got)


def observed(x: Tensor, got: Tensor):
    """What was added, in words, where no fault explains it."""
    what = got.detach().double() - x
    one_token, one_sequence = what[:, :1].expand_as(what), what[:1].expand_as(what)
    if what.shape[1] > 1 and close(what, one_token, LONG):
        words = "Every token of a sequence gets the same vector, so no position is told at all: the table's rows belong"
        yield got, f"{words} to axis 1, the positions.", "M26"
    if what.shape[0] > 1 and not close(what, one_sequence, LONG):
        words = "The sequences of the batch get different vectors at the same place: the table depends on the position"
        yield got, f"{words} alone, so it is added along axis 1 and the same for all of axis 0.", None
    yield from other_speeds(what[0], got)
    lengths = what.unflatten(-1, (-1, 2)).norm(dim=-1)
    if not close(lengths, torch.ones_like(lengths), LONG):
        pair = int((lengths - 1).abs().amax((0, 1)).argmax())
        words = f"In what is added, sin^2 + cos^2 of pair {pair} (counted from 0) is not 1: features {2 * pair} and "
        yield got, f"{words}{2 * pair + 1} are not the sine and cosine of one angle.", None
