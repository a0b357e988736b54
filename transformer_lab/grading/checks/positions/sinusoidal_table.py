"""Lesson 08: the checks of the sinusoidal table."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, settled

DEGREES = math.pi / 180
# max_len, d_model; of a short table max_len is no size that one might take for d_model, such as d_model + 2.
SMALL = ((3, 2), (1, 4)), ((4, 2), (1, 6)), ((5, 2), (1, 8))
SHORT = (
    ((7, 10), (12, 6), (20, 16)),
    ((9, 12), (11, 6), (19, 14)),
    ((6, 10), (13, 8), (17, 12)),
)
MANY = ((400, 64), (1100, 12), (5, 128)), ((420, 48), (1050, 14), (6, 96)), ((380, 72), (1150, 10), (4, 112))
LONG = 1e-3  # tolerance where positions are large: float32 holds an angle of 400 to about 3e-5


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
        if not table[0].any() and close(table[1:], table_by_loops(max_len, D)[1:], 1e-4):
            raise Wrong(
                "Row 0 is all zeros, as if for padding: position 0 is one like any other, sines 0 and cosines 1."
            )
        compare(table[0], table_by_loops(1, D)[0], first_row_faults(table[0]), "row 0")

    @check("all values of a short table", 2)
    def values(sinusoidal_table):
        short_tables(sinusoidal_table)

    @check("a long table: the slowest pair, and another width", 1)
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
            f"There are {d_model // 2} columns, one for each pair; wanted d_model = {d_model}: each pair is "
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
    table = []
    for t in range(max_len):
        row = []
        for i in range(D // 2):
            angle = t / 10_000 ** (2 * i / D)
            row += [math.sin(angle), math.cos(angle)]
        table.append(row)
    return torch.tensor(table, dtype=torch.float64)


def made(max_len, D, sine, cosine=None, base=10_000.0, start=0, unit=1.0, first=torch.sin, second=torch.cos):
    """A table with other exponents, base, first position, unit of angle, or functions."""
    exponents = [torch.as_tensor(e, dtype=torch.float64) for e in (sine, sine if cosine is None else cosine)]
    t = (start + torch.arange(max_len, dtype=torch.float64))[:, None] * unit
    a, b = (t * base ** -e.expand(D // 2) for e in exponents)
    return torch.stack((first(a), second(b)), dim=-1).flatten(1)


def first_row_faults(got):
    D = len(got)
    one, zero = torch.ones(D // 2), torch.zeros(D // 2)
    words = "Row 0 reads 1, 0, 1, 0, ...: cosines stand first. Feature 2i is the sine, feature 2i + 1 the cosine."
    yield torch.stack((one, zero), -1).flatten(), words, None
    words = (
        "Row 0 reads 0, 0, ..., 1, 1, ...: all sines, then all cosines. That layout works as well (the features are "
        "only permuted), but this question asks for interleaved ones: feature 2i the sine, feature 2i + 1 the cosine."
    )
    yield torch.cat((zero, one)), words, None
    words = "Row 0 reads 1, ..., 1, 0, ..., 0: wanted sine and cosine in turn, the sine first."
    yield torch.cat((one, zero)), words, None
    yield torch.zeros(D), "Row 0 is all zeros: where is cos 0 = 1, in every other column?", None
    yield torch.ones(D), "Row 0 is all ones: where is sin 0 = 0, in every other column?", None
    yield torch.stack((zero, -one), -1).flatten(), "Row 0 reads 0, -1, 0, -1, ...: cos 0 is +1.", None
    yield made(1, D, 2 * torch.arange(D // 2) / D, start=1)[0], "Row 0 is position 1: count positions from 0.", None
    for sine, cosine, words, misconception in exponent_faults(D):
        yield made(1, D, sine, cosine, start=1)[0], f"Row 0 is position 1: count from 0. And: {words}", misconception


def exponent_faults(D: int):
    """(exponent of the sines, of the cosines, words, misconception)"""
    i = torch.arange(D // 2, dtype=torch.float64)
    right = 2 * i / D
    words = "The exponent is i/d_model, half of what it should be: the slowest pair turns far too fast. With i "
    yield i / D, None, words + "counting pairs (0, 1, 2, ...) it is 2i/d_model.", "M26"
    words = (
        "The exponent is 4i/d_model, doubled twice: `torch.arange(0, d_model, 2)` is 2i already. The slow pairs hardly "
        "turn at all."
    )
    yield 4 * i / D, None, words, "M26"
    words = (
        "Sine and cosine of a pair have different frequencies (the exponent counts features, not pairs), so a pair is "
        "no rotating hand. Feature 2i and feature 2i + 1 share the exponent 2i/d_model."
    )
    yield right, (2 * i + 1) / D, words, "M26"
    yield 4 * i / D, (4 * i + 2) / D, words + " (It is also doubled: 2 * feature / d_model.)", "M26"
    yield right, 2 * (i + 1) / D, words, "M26"
    yield right, 2 * (2 * i + 1) / D, words, "M26"
    yield i / D, (i + 0.5) / D, words + " (It is also halved.)", "M26"
    yield (
        2 * (i + 1) / D,
        None,
        "Pairs are counted from 1: the first exponent is 0, so the first pair turns fastest.",
        None,
    )
    for size, name in ((D - 1, "d_model - 1"), (D - 2, "d_model - 2"), (D + 2, "d_model + 2")):
        if size > 0:
            yield 2 * i / size, None, f"The exponent is 2i/({name}); the paper's is 2i/d_model.", None
    yield 0 * i, None, "Every pair turns at the same speed: is the exponent a whole-number division (//)?", None
    yield 2 * i, None, "The exponent is not divided by d_model.", None
    yield 1 - right, None, "The pairs stand in reverse order: the fastest comes first.", None
    yield torch.flip(right, (0,)), None, "The pairs stand in reverse order: the fastest comes first.", None


def table_faults(max_len: int, D: int, got: Tensor):
    i = torch.arange(D // 2, dtype=torch.float64)
    right = 2 * i / D
    fast = 10_000 ** (2 / D)  # in float32 the later pairs are noise, so look at the second alone
    second = torch.tensor([math.sin(fast), math.cos(fast)], dtype=torch.float64)
    first_is_right = close(got[:, :2], table_by_loops(max_len, D)[:, :2], LONG)
    if max_len > 1 and D > 2 and first_is_right and close(got[1, 2:4], second, 1e-3):
        words = "The sign of the exponent is wrong: later pairs turn *slower*, t / 10000^(2i/d_model)."
        yield got, words, None
    for sine, cosine, words, misconception in exponent_faults(D):
        yield made(max_len, D, sine, cosine), words, misconception
        yield made(max_len, D, sine, cosine, start=1), words + " (And positions are counted from 1.)", misconception
    yield made(max_len, D, 2 * i / max_len), "The exponent is 2i/max_len; wanted 2i/d_model.", None
    for base, name in ((1000.0, "1000"), (100.0, "100"), (1e5, "100000"), (math.e, "e"), (math.e**4, "exp(4)")):
        hint = " (log10 in place of the natural logarithm?)" if name == "exp(4)" else ""
        words = f"The base is {name}; wanted 10000.{hint}"
        yield made(max_len, D, right, base=base), words, None
    yield made(max_len, D, right, start=1), "Positions are counted from 1; wanted 0, 1, 2, ...", None
    yield (
        made(max_len, D, right, unit=2 * math.pi),
        "The angle is multiplied by 2 pi; it is t times the frequency.",
        None,
    )
    yield made(max_len, D, right, unit=DEGREES), "The angles are taken for degrees; sin and cos want radians.", None
    yield made(max_len, D, right, unit=1 / max_len), "Positions are divided by max_len; wanted 0, 1, 2, ...", None
    if max_len > 1:
        words = "Positions run from 0 to 1 (linspace?); wanted 0, 1, 2, ..."
        yield made(max_len, D, right, unit=1 / (max_len - 1)), words, None
    words = "All columns are sines: feature 2i + 1 is the cosine."
    yield made(max_len, D, right, second=torch.sin), words, None
    yield made(max_len, D, right, first=torch.cos), "All columns are cosines: feature 2i is the sine.", None
    words = "Sine and cosine are swapped: feature 2i is the sine."
    yield made(max_len, D, right, first=torch.cos, second=torch.sin), words, None
    sines, cosines = table_by_loops(max_len, D)[:, 0::2], table_by_loops(max_len, D)[:, 1::2]
    words = "All sines stand before all cosines; this question asks for them in turn, feature by feature."
    yield torch.cat((sines, cosines), -1), words, None
    words = "These are the angles; sine and cosine are missing."
    angles = torch.arange(max_len)[:, None] * 10_000.0**-right
    yield angles.repeat_interleave(2, -1), words, None
    yield table_by_loops(max_len, D).flip(0), "The positions run backwards.", None
    yield table_by_loops(max_len, D).flip(1), "The features run backwards: the last pair stands first.", None
    yield -table_by_loops(max_len, D), "The signs are flipped: sin and cos as they are.", None
    t = torch.arange(max_len, dtype=torch.float64)[:, None].expand(max_len, D)
    words = "Sine or cosine is chosen by the row, even or odd; wanted by the column: even features are sines."
    turned = angles.repeat_interleave(2, -1)
    yield torch.where(t % 2 == 0, turned.sin(), turned.cos()), words, None
    yield torch.where(t % 2 == 0, turned.cos(), turned.sin()), words, None
    yield t, "Each column holds the position itself: no sines, no cosines, no frequencies.", None
    for size in (max_len, max(1, max_len - 1)):
        yield t / size, "Each column holds the position divided by the length: no sines, no cosines.", None
    words = "The columns are binary digits of the position; wanted sines and cosines, their smooth counterpart."
    yield t.long() >> torch.arange(D) & 1, words, None
    yield t.long() >> torch.arange(D - 1, -1, -1) & 1, words, None
    yield table_by_loops(max_len, D) * math.sqrt(D), "The table is multiplied by sqrt(d_model).", None
    yield table_by_loops(max_len, D) / math.sqrt(D), "The table is divided by sqrt(d_model).", None
    yield from other_speeds(got, got)


def other_speeds(table: Tensor, got: Tensor):
    """What a table in which each pair is a sine and a cosine of one angle does otherwise, if it is one: its speeds."""
    pairs, D = table.detach().double().unflatten(-1, (-1, 2)), table.shape[-1]
    if len(table) < 2 or not close(pairs.norm(dim=-1), torch.ones(pairs.shape[:-1]), LONG):
        return
    step = torch.atan2(pairs[1, :, 0], pairs[1, :, 1]) - torch.atan2(pairs[0, :, 0], pairs[0, :, 1])
    for pair, (turned, wanted) in enumerate(zip(step.tolist(), speeds(D).tolist(), strict=True)):
        if abs(math.remainder(turned - wanted, 2 * math.pi)) > LONG:
            words = f"Each pair is a sine and a cosine of one angle, but pair {pair} (counted from 0) turns by "
            words += f"{math.remainder(turned, 2 * math.pi):.4f} radians from row 0 to row 1; wanted {wanted:.4f}."
            yield got, words, None
            return


def speeds(D: int) -> Tensor:
    """Radians a position for each pair: 10000^(-2i/D)."""
    return 10_000.0 ** (-2 * torch.arange(D // 2, dtype=torch.float64) / D)
