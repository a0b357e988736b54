"""Lesson 08: the checks of ALiBi's bias."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, number, settled

# Heads, T, S: with more than one number of heads, for where there are 8 some wrong slopes are right.
SQUARE = (
    ((8, 5, 5), (4, 6, 6), (2, 3, 3), (16, 4, 4), (1, 4, 4)),
    ((4, 5, 5), (8, 4, 4), (2, 6, 6), (16, 3, 3), (1, 5, 5)),
    ((8, 6, 6), (2, 4, 4), (4, 3, 3), (16, 5, 5), (1, 7, 7)),
)
FEWER = (
    ((4, 3, 7), (2, 1, 6), (8, 2, 3)),
    ((4, 2, 7), (2, 1, 5), (8, 3, 4)),
    ((2, 3, 6), (4, 1, 7), (8, 4, 5)),
)


class alibi_bias:
    answers = ("alibi_bias(n_heads, T, S)",)

    @check("a number for each head, query and key", 0.5)
    def shape(alibi_bias):
        for sizes in (*draw.one_of(*SQUARE), *draw.one_of(*FEWER)):
            bias_of(alibi_bias, *sizes)

    @check("as many queries as keys", 1.5)
    def square(alibi_bias):
        for sizes in draw.one_of(*SQUARE):
            compare_bias(alibi_bias, sizes)

    @check("fewer queries than keys: the last query stands where the last key stands", 1)
    def cached(alibi_bias):
        for sizes in draw.one_of(*SQUARE)[:3]:
            settled(lambda sizes=sizes: compare_bias(alibi_bias, sizes), "With as many queries as keys, the bias is")
        for sizes in draw.one_of(*FEWER):
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
        raise Wrong(f"The bias is of {got.dtype}: most slopes are fractions, which integers truncate.")
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
        words = "S - T is subtracted from the query's place; query i stands at S - T + i."
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
