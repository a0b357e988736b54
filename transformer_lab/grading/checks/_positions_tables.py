"""Lesson 08: the checks of the sinusoidal table and of ALiBi's bias."""

import math

import torch
from torch import Tensor

from ..score import Wrong, check
from .common import close, compare, expect_tensor, number, settled

DEGREES = math.pi / 180
LONG = 1e-3  # tolerance where positions are large: float32 holds an angle of 400 to about 3e-5


class sinusoidal_table:
    answers = ("sinusoidal_table(max_len, d_model)",)

    @check("a row for each position, a column for each feature", 0.5)
    def shape(sinusoidal_table):
        for sizes in ((7, 10), (12, 6), (3, 2), (1, 4)):
            table_of(sinusoidal_table, *sizes)

    @check("row 0, where every angle is 0", 0.5)
    def first(sinusoidal_table):
        table = table_of(sinusoidal_table, 7, 10)
        if not table[0].any() and close(table[1:], table_by_loops(7, 10)[1:], 1e-4):
            raise Wrong(
                "Row 0 is all zeros, as if for padding: position 0 is one like any other, sines 0 and cosines 1."
            )
        compare(table[0], table_by_loops(1, 10)[0], first_row_faults(table[0]), "row 0")

    @check("all values of a short table", 2)
    def values(sinusoidal_table):
        short_tables(sinusoidal_table)

    @check("a long table: the slowest pair, and another width", 1)
    def long(sinusoidal_table):
        settled(lambda: short_tables(sinusoidal_table), "The short table is")
        for sizes in ((400, 64), (1100, 12), (5, 128)):
            got = table_of(sinusoidal_table, *sizes)
            wanted = table_by_loops(*sizes)
            first_wrong_row(got, wanted)
            compare(got, wanted, table_faults(*sizes, got), "the table", LONG)


def short_tables(answer) -> None:
    for sizes in ((7, 10), (12, 6), (20, 16)):
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
        "Row 0 reads 0, 0, ..., 1, 1, ...: all sines, then all cosines. That layout serves as well (the features are "
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
    yield -table_by_loops(max_len, D), "The signs are turned round: sin and cos as they are.", None
    t = torch.arange(max_len, dtype=torch.float64)[:, None].expand(max_len, D)
    words = "Sine or cosine is chosen by the row, even or odd; wanted by the column: even features are sines."
    turned = angles.repeat_interleave(2, -1)
    yield torch.where(t % 2 == 0, turned.sin(), turned.cos()), words, None
    yield torch.where(t % 2 == 0, turned.cos(), turned.sin()), words, None
    yield t, "Each column holds the position itself: no sines, no cosines, no frequencies.", None
    for size in (max_len, max(1, max_len - 1)):
        yield t / size, "Each column holds the position divided by the length: no sines, no cosines.", None
    words = "The columns are binary digits of the position; wanted sines and cosines, which are their smooth kin."
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


class alibi_bias:
    answers = ("alibi_bias(n_heads, T, S)",)

    @check("a number for each head, query and key", 0.5)
    def shape(alibi_bias):
        for sizes in ((8, 5, 5), (4, 3, 7), (2, 1, 6), (1, 4, 4)):
            bias_of(alibi_bias, *sizes)

    @check("as many queries as keys", 1.5)
    def square(alibi_bias):
        for sizes in ((8, 5, 5), (4, 6, 6), (2, 3, 3), (16, 4, 4), (1, 4, 4)):
            compare_bias(alibi_bias, sizes)

    @check("fewer queries than keys: the last query stands where the last key stands", 1)
    def cached(alibi_bias):
        for sizes in ((4, 5, 5), (2, 3, 3)):
            settled(lambda sizes=sizes: compare_bias(alibi_bias, sizes), "With as many queries as keys, the bias is")
        for sizes in ((4, 3, 7), (2, 1, 6), (8, 2, 3)):
            compare_bias(alibi_bias, sizes)


def compare_bias(answer, sizes: tuple[int, int, int]) -> None:
    got = bias_of(answer, *sizes)
    compare(got, bias_by_loops(*sizes), bias_faults(*sizes, got), "the bias")


def bias_of(answer, H: int, T: int, S: int) -> Tensor:
    got = answer(H, T, S)
    if isinstance(got, Tensor) and tuple(got.shape) == (T, S) != (H, T, S):
        raise Wrong(f"The bias has shape {(T, S)}: one slope for all heads. Each head has its own: {(H, T, S)}.")
    if isinstance(got, Tensor) and got.shape == (1, H, T, S):
        raise Wrong(f"The bias has shape {(1, H, T, S)}; wanted {(H, T, S)}: no batch axis.")
    if isinstance(got, Tensor) and T != S:
        if got.shape == (H, S, S):
            raise Wrong(f"The bias has a row for each of S = {S} positions; the T = {T} queries are the last of them.")
        if got.shape == (H, T, T):
            raise Wrong(f"The bias has a column for each query only; there are S = {S} keys: wanted {(H, T, S)}.")
    if isinstance(got, Tensor) and got.shape == (T, S, H) != (H, T, S):
        raise Wrong(f"The bias has shape {(T, S, H)}, the heads last; they come first: {(H, T, S)}.")
    got = expect_tensor(got, "the bias", (H, T, S))
    if not got.is_floating_point():
        raise Wrong(f"The bias is of {got.dtype}: most slopes are fractions, and whole numbers cut them off.")
    return got


def bias_by_loops(H: int, T: int, S: int) -> Tensor:
    """The specification: one number at a time; query i stands at position S - T + i."""
    bias = torch.zeros(H, T, S, dtype=torch.float64)
    for h in range(H):
        for i in range(T):
            for j in range(S):
                bias[h, i, j] = -(2 ** (-8 * (h + 1) / H)) * abs(S - T + i - j)
    return bias


def bias_faults(H: int, T: int, S: int, got: Tensor):
    h, i, j = (torch.arange(n, dtype=torch.float64) for n in (H, T, S))
    slopes = 2 ** (-8 * (h + 1) / H)
    behind = (S - T + i)[:, None] - j  # how far the query stands behind the key
    right = -slopes[:, None, None] * behind.abs()
    aligned_first = i[:, None] - j
    yield -right, "The sign is wrong: a far key *loses*, so the bias is -slope * distance.", None
    words = "The first query is put at the first key. With T < S the queries are the *last* T of the S positions."
    yield -slopes[:, None, None] * aligned_first.abs(), words, None
    yield slopes[:, None, None] * aligned_first.abs(), words + " And the sign: a far key loses.", None
    words = "Keys after the query are *favoured*: distance is |i - j|, never negative."
    yield -slopes[:, None, None] * behind, words, None
    yield -slopes[:, None, None] * aligned_first, f"{words} And the last query stands at the last key.", None
    words = "The sign is wrong for keys before the query: they are favoured by their distance. Wanted -slope * |i - j|."
    yield slopes[:, None, None] * behind, words, None
    words = "Keys after the query get 0; here the distance counts on both sides (a causal mask is another matter)."
    yield -slopes[:, None, None] * behind.clamp(min=0), words, None
    words = (
        "This is slope * (position of the key): each row is off by a constant. Softmax would not see it, but the "
        "question asks for -slope * distance."
    )
    yield slopes[:, None, None] * j.expand(H, T, S), words, None
    others = {
        "Every head has the first head's slope; each has its own, 2^(-8h/H).": slopes[:1].expand(H),
        "Every head has slope 1; each has its own, 2^(-8h/H).": torch.ones(H),
        "Every head has slope 1/2; each has its own, 2^(-8h/H).": torch.full((H,), 0.5),
        "Heads are counted from 0, so the first slope is 1; h runs from 1 to H: 2^(-8h/H).": 2 ** (-8 * h / H),
        "The slopes are 2^(-h); the 8/H is missing: 2^(-8h/H) ends at 2^-8 for any H.": 2 ** -(h + 1),
        "The slopes are 2^(-h) with h from 0; wanted 2^(-8h/H), h from 1 to H.": 2**-h,
        "The slopes stand in reverse order: head 1 has the steepest.": slopes.flip(0),
        "The slopes are multiples of 2^(-8/H), not powers: 2^(-8h/H).": slopes[0] * (h + 1),
        "The slopes are equally spaced; they are powers, 2^(-8h/H).": (h + 1) / H,
        "The slopes are 1/h; wanted 2^(-8h/H).": 1 / (h + 1),
        "The exponent has the wrong sign: slopes are below 1, 2^(-8h/H).": 1 / slopes,
        "The base is e; wanted 2: 2^(-8h/H).": torch.exp(-8 * (h + 1) / H),
        "The exponent is -h/H; the 8 is missing: 2^(-8h/H).": 2 ** (-(h + 1) / H),
    }
    for words, other in others.items():
        yield -other[:, None, None] * behind.abs(), words, None
        yield other[:, None, None] * behind.abs(), f"{words} And the sign: a far key loses.", None
        yield -other[:, None, None] * aligned_first.abs(), f"{words} And the last query stands at the last key.", None
    words = "Keys before the query get 0; here the distance counts on both sides."
    yield -slopes[:, None, None] * (-behind).clamp(min=0), words, None
    yield -slopes[:, None, None] * behind.abs().sqrt(), "The root of the distance is taken.", None
    words = "The distance is divided by the number of keys: a head loses its slope for each token of distance."
    yield -slopes[:, None, None] * behind.abs() / S, words, None
    words = "Each row is off by a constant: at the query's own place, where the distance is 0, the bias must be 0."
    yield slopes[:, None, None] * (j - (S - 1)).expand(H, T, S), words, None
    if T < S:
        words = "S - T is taken off the query's place; query i stands at S - T + i."
        yield -slopes[:, None, None] * (behind - 2 * (S - T)).abs(), words, None
    if T == S:
        words = "The queries stand S places too far on: query i stands at S - T + i, which is i here."
        yield -slopes[:, None, None] * (behind + S).abs(), words, None
    yield -slopes[:, None, None] * behind**2, "The distance is squared.", None
    yield -slopes[:, None, None] * behind.abs().log1p(), "The logarithm of the distance is taken.", None
    yield right.softmax(-1), "This is the softmax of the bias; wanted what is added to the scores before it.", None
    for off, words in ((1, "far"), (-1, "near")):
        told = f"Each query is put one place too {words}: the last query stands where the last key stands."
        yield -slopes[:, None, None] * (behind + off).abs(), told, None
    yield right.exp(), "This is exp(bias), the factor on a weight; wanted what is added to the score.", None
    yield right.masked_fill(behind < 0, -math.inf), "The causal mask is mixed in; here the bias alone is wanted.", None
    words = "The distance is counted from 1; a key at the query's own place loses nothing."
    yield -slopes[:, None, None] * (behind.abs() + 1), words, None
    yield (
        torch.zeros(H, T, S),
        "The bias is 0 everywhere: does something round 2^(-8h/H) down, or is it never filled?",
        None,
    )
    far, got = behind.abs(), got.detach().double()
    found = -(got * far).sum((1, 2)) / (far * far).sum()
    if close(got, -found[:, None, None] * far) and not close(found, slopes, 0.01):
        told, wanted = (", ".join(number(n) for n in those) for those in (found, slopes))
        yield got, f"The distances are right, the slopes are not: {told}; wanted {wanted}.", None
