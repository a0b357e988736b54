"""Lesson 08: the checks of the sinusoidal table, of three repairs of it, and of ALiBi's bias."""

import math

import torch
from torch import Tensor

from ..score import NotDone, Wrong, check
from .common import close, compare, copies, expect_tensor, has_gradient, leaves_alone, normal, number

DEGREES = math.pi / 180
LONG = 1e-3  # tolerance where positions are large: float32 holds an angle of 400 to about 3e-5


class sinusoidal_table:
    answers = ("sinusoidal_table(max_len, d_model)",)

    @check("a row for each position, a column for each feature", 0.5)
    def shape(sinusoidal_table):
        for sizes in ((7, 10), (12, 6), (3, 2)):
            table_of(sinusoidal_table, *sizes)

    @check("row 0, where every angle is 0", 0.5)
    def first(sinusoidal_table):
        got = table_of(sinusoidal_table, 7, 10)[0]
        compare(got, table_by_loops(1, 10)[0], first_row_faults(got), "row 0")

    @check("all values of a short table", 2)
    def values(sinusoidal_table):
        for sizes in ((7, 10), (12, 6), (20, 16)):
            got = table_of(sinusoidal_table, *sizes)
            compare(got, table_by_loops(*sizes), table_faults(*sizes, got), "the table", 1e-4)

    @check("a long table: the slowest pair, and another width", 1)
    def long(sinusoidal_table):
        for sizes in ((400, 64), (400, 12), (5, 128)):
            got = table_of(sinusoidal_table, *sizes)
            compare(got, table_by_loops(*sizes), table_faults(*sizes, got), "the table", LONG)


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
    yield torch.zeros(D), "Row 0 is all zeros: the cosines are missing (cos 0 = 1).", None
    yield torch.ones(D), "Row 0 is all ones: the sines are missing (sin 0 = 0).", None
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
    if max_len > 1 and D > 2 and close(got[1, 2:4], second, 1e-3):
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
    yield table_by_loops(max_len, D) * math.sqrt(D), "The table is multiplied by sqrt(d_model).", None
    yield table_by_loops(max_len, D) / math.sqrt(D), "The table is divided by sqrt(d_model).", None


class repair:
    answers = tuple(f"repair_{n}(x)" for n in (1, 2, 3))

    @check("repair 1", 1)
    def first(repair_1, repair_2, repair_3):
        repaired(repair_1)

    @check("repair 2", 1)
    def second(repair_1, repair_2, repair_3):
        repaired(repair_2)

    @check("repair 3", 1)
    def third(repair_1, repair_2, repair_3):
        repaired(repair_3)


def repaired(answer) -> None:
    """All of it in one check: a repair is whole or it is none."""
    for B, T, D in ((3, 7, 10), (7, 3, 16), (5, 5, 6), (1, 60, 32)):
        x = normal(B, T, D)
        got = added(answer, x)
        if isinstance(got, Tensor) and got.shape == (B, T, 2 * D):
            raise Wrong(f"The result has {2 * D} features: the table stands beside x. It is added: {(B, T, D)}.")
        got = expect_tensor(got, "the result", (B, T, D))
        wanted = x.double() + table_by_loops(T, D)
        compare(got, wanted, added_faults(x.double()), "the result", LONG)
    x = normal(2, 4, 6, dtype=torch.float64)
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


def added_faults(x: Tensor):
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
    yield x * table[:T], "The table is multiplied; it is added.", None
    yield x - table[:T], "The table is subtracted; it is added.", None
    words = "Positions run on from one sequence of the batch to the next; each sequence starts at 0."
    yield x + table_by_loops(B * T, D).view(B, T, D), words, None
    yield x * math.sqrt(D) + table[:T], "x is multiplied by sqrt(d_model): nothing was wrong with x itself.", None
    words = (
        "All sines stand before all cosines: the snippet has them in turn, and a trained model expects its own layout."
    )
    yield x + torch.cat((table[:T, 0::2], table[:T, 1::2]), -1), words, None
    yield x + made(T, D, 2 * i / D, first=torch.cos, second=torch.sin), "Sine and cosine are swapped.", None


class alibi_bias:
    answers = ("alibi_bias(n_heads, T, S)",)

    @check("a number for each head, query and key", 0.5)
    def shape(alibi_bias):
        for sizes in ((8, 5, 5), (4, 3, 7), (2, 1, 6), (1, 4, 4)):
            bias_of(alibi_bias, *sizes)

    @check("as many queries as keys", 1.5)
    def square(alibi_bias):
        for sizes in ((8, 5, 5), (4, 6, 6), (2, 3, 3), (16, 4, 4), (1, 4, 4)):
            got = bias_of(alibi_bias, *sizes)
            compare(got, bias_by_loops(*sizes), bias_faults(*sizes, got), "the bias")

    @check("fewer queries than keys: the last query stands where the last key stands", 1)
    def cached(alibi_bias):
        for sizes in ((4, 3, 7), (2, 1, 6), (8, 2, 3)):
            got = bias_of(alibi_bias, *sizes)
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
