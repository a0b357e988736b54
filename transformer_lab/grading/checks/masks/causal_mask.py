"""Lesson 03: the checks of the causal mask."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from .common import POLARITY, TOP_LEFT, causal_by_loops, compare_masks, expect_bool, expect_mask

# S - T is 3 or more to either side: nearer, one mistake gives the mask of another.
SQUARE = (
    ((4, 4), (6, 6), (1, 1), (20, 20)),
    ((5, 5), (7, 7), (1, 1), (19, 19)),
    ((3, 3), (8, 8), (1, 1), (21, 21)),
)
CACHED = (
    ((4, 7), (2, 5), (1, 6), (3, 20)),
    ((3, 7), (2, 6), (1, 5), (4, 21)),
    ((5, 8), (3, 9), (1, 4), (2, 19)),
)
LONGER = ((9, 6), (4, 1)), ((10, 6), (5, 1)), ((8, 5), (6, 2))


class causal_mask:
    answers = ("causal_mask(T, S)",)

    @check("booleans, a row for each query, a column for each key", 0.5)
    def shape(causal_mask):
        for T, S in (*draw.one_of(*SQUARE), *draw.one_of(*CACHED), *draw.one_of(*LONGER)):
            mask_of(causal_mask, T, S)
            expect_bool(causal_mask(T, S), f"causal_mask({T}, {S})")

    @check("as many queries as keys", 1)
    def square(causal_mask):
        judged(causal_mask, draw.one_of(*SQUARE))

    @check("fewer queries than keys: the others are in a cache", 1)
    def cached(causal_mask):
        judged(causal_mask, draw.one_of(*CACHED))

    @check("more queries than keys", 0.5)
    def longer(causal_mask):
        judged(causal_mask, draw.one_of(*LONGER))


def mask_of(causal_mask, T: int, S: int) -> Tensor:
    value, name = causal_mask(T, S), f"causal_mask({T}, {S})"
    if isinstance(value, Tensor) and tuple(value.shape) == (S, T) != (T, S):
        raise Wrong(f"{name} has shape {(S, T)}: keys in rows. Wanted queries in rows, keys in columns, {(T, S)}.")
    if isinstance(value, Tensor) and tuple(value.shape) in {(T, T), (S, S)} - {(T, S)}:
        n = value.shape[0]
        raise Wrong(
            f"{name} has shape {(n, n)}; wanted {(T, S)}: T queries and S keys are two numbers. Take rows from T, "
            "columns from S."
        )
    return expect_mask(value, name, (T, S))


def judged(causal_mask, sizes) -> None:
    for T, S in sizes:
        got = mask_of(causal_mask, T, S)
        compare_masks(got, causal_by_loops(T, S), causal_faults(T, S), "the mask", f"T = {T}, S = {S}")


def causal_faults(T: int, S: int):
    """Wrong causal masks (T, S)."""
    i, j = torch.arange(T)[:, None], torch.arange(S)
    last = S - T
    if T > S:
        empty = (
            f"There are more queries than keys, so the first {T - S} stand before all keys and see none of them: "
            "their rows are entirely False. (Attention must have a rule for such rows: question 2.)"
        )
        yield j <= i, f"the first query meets the first key. {empty}", None
        yield (j <= last + i) | (i < T - S), empty, None
        yield (j <= last + i) | ((i < T - S) & (j == 0)), empty, None
    yield j > last + i, POLARITY, "M36"
    yield (
        j >= last + i,
        "keys and queries are swapped: this allows the future and blocks the past (triu for tril?).",
        None,
    )
    yield j < last + i, "a query's own position is blocked. It may look at itself and before: <=, not <.", None
    yield j <= last + i + 1, "each query sees one key too many, its own future: the diagonal is one too high.", "M36"
    yield torch.ones(T, S, dtype=torch.bool), "everything is allowed: no key is hidden from any query.", "M36"
    yield torch.zeros(T, S, dtype=torch.bool), "nothing is allowed: every row is fully masked.", None
    yield j == last + i, "each query sees its own position only, and nothing before it.", None
    yield j <= i, TOP_LEFT, None
    yield j > i, f"True stands where looking is forbidden, and {TOP_LEFT}", "M36"
    yield j < i, f"a query's own position is blocked, and {TOP_LEFT}", None
    yield j <= i + 1, f"each query sees one key too many, its own future, and {TOP_LEFT}", "M36"
    yield j >= i, f"this allows the future and blocks the past, and {TOP_LEFT}", None
    cached = (j <= last + i) & (j >= last)
    yield cached, f"the first {last} keys, those from the cache, are blocked: they are the past of every query.", None
    yield j <= i - last, "the diagonal is shifted to the wrong side: its offset is S - T, not T - S.", None
