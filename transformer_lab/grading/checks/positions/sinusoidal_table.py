"""Lesson 08, question 1: the clock of the authors' own library, which is not the one that they printed."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, settled
from .paper_clock import LONG

DEGREES = math.pi / 180
# max_len, d_model; of a short table max_len is no size that one might take for d_model, such as d_model + 2.
SMALL = ((3, 4), (1, 6)), ((5, 4), (1, 8)), ((6, 4), (1, 10))
SHORT = (
    ((7, 10), (12, 6), (20, 16), (5, 4)),
    ((9, 12), (11, 6), (19, 14), (6, 4)),
    ((6, 10), (13, 8), (17, 12), (7, 4)),
)
MANY = ((400, 64), (1100, 12), (5, 128)), ((420, 48), (1050, 14), (6, 96)), ((380, 72), (1150, 10), (4, 112))
IN_TURN = "sine and cosine stand in turn"


class sinusoidal_table:
    answers = ("sinusoidal_table(max_len, d_model)",)

    @check("a row for each position, a column for each feature", 0.5)
    def shape(sinusoidal_table):
        for sizes in (*draw.one_of(*SHORT), *draw.one_of(*SMALL)):
            table_of(sinusoidal_table, *sizes)

    @check("row 0, where every angle is 0", 0.5)
    def first(sinusoidal_table):
        max_len, D = draw.one_of(*SHORT)[0]
        table = table_of(sinusoidal_table, max_len, D)
        wanted = table_by_loops(max_len, D)
        if not table[0].any() and close(table[1:], wanted[1:], 1e-4):
            raise Wrong(
                "Row 0 is all zeros, as if for padding: position 0 is one like any other, sines 0 and cosines 1."
            )
        compare(table[0], wanted[0], first_row_faults(D), "row 0")

    @check("the speeds of the hands, in a short table", 2)
    def values(sinusoidal_table):
        short_tables(sinusoidal_table)

    @check("a long table, with other numbers of hands", 1)
    def long(sinusoidal_table):
        settled(lambda: short_tables(sinusoidal_table), "The short table is")
        for sizes in draw.one_of(*MANY):
            got = table_of(sinusoidal_table, *sizes)
            wanted = table_by_loops(*sizes)
            first_wrong_row(got, wanted)
            compare(got, wanted, table_faults(*sizes, got), "the table", LONG)


def short_tables(answer) -> None:
    for sizes in draw.one_of(*SHORT):
        got = table_of(answer, *sizes)
        compare(got, table_by_loops(*sizes), table_faults(*sizes, got), "the table", 1e-4)


def first_wrong_row(got: Tensor, wanted: Tensor) -> None:
    """Raise Wrong where a long table begins well: then it is no formula that is wrong."""
    right = [close(one, other, LONG) for one, other in zip(got, wanted, strict=True)]
    if len(right) > 100 and not all(right) and (row := right.index(False)) > 20:
        raise Wrong(
            f"Rows 0 to {row - 1} are right, row {row} is not. Does something start again there, as whole numbers of "
            "8 bits do after 255, or is an angle, a frequency or a position kept in 16 bits?"
        )


def table_of(answer, max_len: int, d_model: int) -> Tensor:
    got = answer(max_len, d_model)
    if isinstance(got, Tensor) and got.shape == (1, max_len, d_model):
        raise Wrong(f"The table has shape {tuple(got.shape)}; wanted {(max_len, d_model)}: no batch axis.")
    if isinstance(got, Tensor) and got.shape == (max_len, d_model // 2):
        raise Wrong(
            f"There are {d_model // 2} columns, one for each hand; wanted d_model = {d_model}: each hand has "
            "a sine *and* a cosine."
        )
    if isinstance(got, Tensor) and got.ndim == 2 and got.shape[1] == d_model and len(got) != max_len:
        raise Wrong(f"The table has {len(got)} rows; wanted max_len = {max_len}, for the positions 0 to {max_len - 1}.")
    got = expect_tensor(got, "the table", (max_len, d_model))
    if not got.is_floating_point():
        raise Wrong(f"The table is of {got.dtype}; wanted floating point numbers.")
    return got


def table_by_loops(max_len: int, D: int) -> Tensor:
    """The specification: one number at a time."""
    table, hands = [], D // 2
    for t in range(max_len):
        angles = [t * 10_000 ** (-i / (hands - 1)) for i in range(hands)]
        table.append([math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles])
    return torch.tensor(table, dtype=torch.float64)


def made(max_len, speed, other=None, start=0, unit=1.0, first=torch.sin, second=torch.cos):
    """A table of hands with these speeds (hands,), the cosines perhaps with others; from another first position, ..."""
    t = (start + torch.arange(max_len, dtype=torch.float64))[:, None] * unit
    return torch.cat((first(t * speed), second(t * (speed if other is None else other))), dim=-1)


def in_turn(halves: Tensor) -> Tensor:
    """Sine, cosine, sine, cosine, ..., from all sines and all cosines."""
    return torch.stack(halves.chunk(2, dim=-1), dim=-1).flatten(-2)


def first_row_faults(D: int):
    one, zero = torch.ones(D // 2), torch.zeros(D // 2)
    words = (
        "Row 0 reads 0, 1, 0, 1, ...: sine and cosine stand in turn, as in the lesson. Here the sines of all hands "
        "come first, and then all cosines."
    )
    yield torch.stack((zero, one), -1).flatten(), words, None
    yield torch.cat((one, zero)), "Row 0 reads 1, ..., 1, 0, ..., 0: the cosines stand first; wanted the sines.", None
    words = "Row 0 reads 1, 0, 1, 0, ...: wanted the sines of all hands first, and then all cosines."
    yield torch.stack((one, zero), -1).flatten(), words, None
    yield torch.zeros(D), "Row 0 is all zeros: where is cos 0 = 1, in the second half of the columns?", None
    yield torch.ones(D), "Row 0 is all ones: where is sin 0 = 0, in the first half of the columns?", None
    yield torch.cat((zero, -one)), "Row 0 ends in -1, -1, ...: cos 0 is +1.", None
    for speed, other, words in speed_faults(D):
        late = made(1, speed, other, start=1)[0]
        also = f" And: {words}" if words else ""
        yield late, f"Row 0 is position 1: count positions from 0.{also}", None
        yield in_turn(late), f"Row 0 is position 1, and sine and cosine stand in turn.{also}", None


def speed_faults(D: int):
    """(speeds of the sines, of the cosines, words); the first are the right ones, without words"""
    hands = D // 2
    i, f = torch.arange(hands, dtype=torch.float64), torch.arange(D, dtype=torch.float64)

    def fall(exponent):
        return 10_000.0**-exponent

    right = fall(i / (hands - 1))
    yield right, None, ""
    words = (
        "These are the speeds that the paper prints, 10000^(-2i/d_model): their last hand is too fast, with "
        f"{hands} hands {10_000 ** (1 / hands - 1):.2g} radians a position, and not 1/10000. How many *steps* are "
        f"there from the first of {hands} hands to the last?"
    )
    yield fall(i / hands), None, words
    words = "The last hand turns by 1/100 of a radian a position: the exponent is half of what it should be."
    yield fall(i / (hands - 1) / 2), None, words
    yield fall(i / D), None, "The last hand is far too fast: is the exponent halved? Count hands, d_model/2 of them."
    words = "The last hand is far too fast: the exponent is divided by a number of features, and counts hands."
    yield fall(i / (D - 1)), None, words
    words = "The last hand hardly turns at all: the exponent is doubled. `torch.arange(0, d_model, 2)` is 2i already."
    yield fall(2 * i / (hands - 1)), None, words
    yield fall(2 * i / hands), None, words
    words = "The exponents begin with 1/(d_model/2): count hands from 0, for the first turns by 1 radian."
    yield fall((i + 1) / hands), None, f"The last hand is right, and the first is too slow. {words}"
    yield fall((i + 1) / (hands + 1)), None, "The first hand is too slow, and the last too fast: both ends are given."
    words = "Hands are counted from 1: the exponent of the first is 0, so that it turns by 1 radian a position."
    yield fall((i + 1) / (hands - 1)), None, words
    words = "The last hand is too fast: the exponent is divided by a number greater than that of the steps."
    yield fall(i / (hands + 1)), None, words
    words = "Sine and cosine of a hand are of different angles: they are how far its tip is up and to the right."
    for count, also in ((D - 1, " (Do the exponents count features? Count hands.)"), (D - 2, ""), (D, "")):
        yield fall(f[:hands] / count), fall(f[hands:] / count), words + also
        yield fall(f[0::2] / count), fall(f[1::2] / count), words + also
    yield right, fall((i + 1) / (hands - 1)), words
    yield right, right.flip(0), words
    words = "Every hand turns at the same speed. Is the exponent always 0, by a whole-number division (//)?"
    yield torch.ones_like(i), None, words
    words = "All hands but the last turn at the same speed: is the exponent a whole-number division (//)?"
    yield fall(i // (hands - 1)), None, words
    yield fall(i), None, "Each hand is 10000 times slower than the one before: the exponent goes from 0 to 1 in all."
    yield right.flip(0), None, "The hands stand in reverse order: the fastest comes first."
    words = "The speeds fall in equal steps; wanted each *divided* by the same number, as 1, 1/10, 1/100 are."
    yield torch.linspace(1, 1e-4, hands, dtype=torch.float64), None, words
    words = "The time of a turn grows in equal steps; wanted each *multiplied* by the same number, as 1, 10, 100 are."
    yield 1 / torch.linspace(1, 1e4, hands, dtype=torch.float64), None, words
    for base, name in ((1000.0, "1/1000"), (1e5, "1/100000"), (math.e, "1/e"), (math.e**4, "exp(-4)")):
        hint = " (log10 in place of the natural logarithm?)" if name == "exp(-4)" else ""
        yield base ** -(i / (hands - 1)), None, f"The last hand turns by {name} a position; wanted 1/10000.{hint}"


def table_faults(max_len: int, D: int, got: Tensor):
    if max_len > 1 and D > 4:  # in float32 the later hands would be noise, so look at the second alone
        fast, columns = 10_000 ** (2 / (D - 2)), [1, D // 2 + 1]
        second = torch.tensor([math.sin(fast), math.cos(fast)], dtype=torch.float64)
        if any(close(table[1, columns], second, 1e-3) for table in (got, out_of_turn(got))):
            yield got, "The sign of the exponent is wrong: later hands turn *slower*, down to 1/10000.", None
    for speed, other, words in speed_faults(D):
        for start, faults in ((0, ()), (1, ("positions are counted from 1",))):
            table = made(max_len, speed, other, start)
            for numbers, also in ((table, faults), (in_turn(table), (*faults, IN_TURN))):
                if words or also:
                    yield numbers, told(words, also), None
    right = next(speed_faults(D))[0]
    of_rows = 10_000.0 ** (-2 * torch.arange(D // 2, dtype=torch.float64) / max_len)
    yield made(max_len, of_rows), "The exponent is divided by max_len; the speeds depend on d_model alone.", None
    words = "The angle is multiplied by 2 pi; the first hand turns by 1 radian a position, not once around."
    yield made(max_len, right, unit=2 * math.pi), words, None
    yield made(max_len, right, unit=DEGREES), "The angles are taken for degrees; sin and cos want radians.", None
    yield made(max_len, right, unit=1 / max_len), "Positions are divided by max_len; wanted 0, 1, 2, ...", None
    if max_len > 1:
        words = "Positions run from 0 to 1 (linspace?); wanted 0, 1, 2, ..."
        yield made(max_len, right, unit=1 / (max_len - 1)), words, None
    yield made(max_len, right, second=torch.sin), "All columns are sines: the second half is cosines.", None
    yield made(max_len, right, first=torch.cos), "All columns are cosines: the first half is sines.", None
    words = "Sines and cosines are swapped: the first half of the columns is sines."
    yield made(max_len, right, first=torch.cos, second=torch.sin), words, None
    words = "These are the angles; sine and cosine are missing."
    yield made(max_len, right, first=lambda x: x, second=lambda x: x), words, None
    wanted = table_by_loops(max_len, D)
    yield wanted.flip(0), "The positions run backwards.", None
    words = "The hands run backwards in both halves: the fastest comes first."
    yield torch.cat([half.flip(1) for half in wanted.chunk(2, dim=1)], dim=1), words, None
    yield wanted.flip(1), "The features run backwards: the last cosine stands first.", None
    yield -wanted, "The signs are flipped: sin and cos as they are.", None
    yield wanted * math.sqrt(D), "The table is multiplied by sqrt(d_model).", None
    yield wanted / math.sqrt(D), "The table is divided by sqrt(d_model).", None
    t = torch.arange(max_len, dtype=torch.float64)[:, None].expand(max_len, D)
    yield t, "Each column holds the position itself: no sines, no cosines, no speeds.", None
    for size in (max_len, max(1, max_len - 1)):
        yield t / size, "Each column holds the position divided by the length: no sines, no cosines.", None
    yield from observed(got)


def told(words: str, also: tuple[str, ...]) -> str:
    """What is wrong with the speeds, if anything is, and what is wrong beside them."""
    beside = ", and ".join(also)
    return f"The speeds are right, but {beside}." if not words else f"{words} (And {beside}.)" if also else words


def out_of_turn(table: Tensor) -> Tensor:
    """The inverse of `in_turn`."""
    return torch.cat((table[:, 0::2], table[:, 1::2]), dim=-1)


def observed(got: Tensor):
    """What a table that no fault explains does otherwise, if each of its hands is a sine and a cosine of one angle."""
    table, hands = got.detach().double(), got.shape[-1] // 2
    up, right = table.chunk(2, dim=-1)
    if len(table) < 2:
        return
    long = (up**2 + right**2).sqrt()
    if not close(long, torch.ones_like(long), LONG):
        hand = int((long - 1).abs().amax(dim=0).argmax())
        words = f"sin^2 + cos^2 of hand {hand} (counted from 0) is not 1: columns {hand} and {hand + hands} are not "
        yield got, f"{words}the sine and cosine of one angle.", None
        return
    step = torch.atan2(up[1], right[1]) - torch.atan2(up[0], right[0])
    speeds = next(speed_faults(2 * hands))[0]
    for hand, (turned, wanted) in enumerate(zip(step.tolist(), speeds.tolist(), strict=True)):
        if abs(math.remainder(turned - wanted, 2 * math.pi)) > LONG:
            words = f"Each hand is a sine and a cosine of one angle, but hand {hand} (counted from 0) turns by "
            words += f"{math.remainder(turned, 2 * math.pi):.4f} radians from row 0 to row 1; wanted {wanted:.4f}."
            yield got, words, None
            return
