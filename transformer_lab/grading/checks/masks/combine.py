"""Lesson 03: the checks of a causal mask joined with padding."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import leaves_alone
from .common import POLARITY, TOP_LEFT, causal_by_loops, compare_masks, expect_bool, expect_mask, table

# Padding on the right; with a hole in the middle; a batch of one text; as many texts as there are queries, 3.
PADDINGS = (
    ("111100 111111 110000", "10110 11101", "1101", "10110 11101 01111"),
    ("1111100 1111111 1110000 1100000", "101110 111101", "11011", "101101 111011 011111"),
    ("11110000 11111111 11100000", "1011 1101", "110111", "1011011 1110101 0111111"),
)
LEFT = "00111 01111 11111", "000111 001111 111111", "00011 00111 01111 11111"


class combine:
    answers = ("combine(padding, T)",)

    @check("booleans (B, 1, T, S)", 0.5)
    def shape(combine):
        for padding, T in cases():
            mask = combined(combine, padding, T)
            expect_bool(mask, "the mask")
        leaves_alone(lambda padding: combine(padding, 3), padding=cases()[1][0])

    @check("as many queries as keys", 1)
    def square(combine):
        judge_combined(combine, [(padding, T) for padding, T in cases() if padding.shape[1] == T])

    @check("fewer queries than keys", 1)
    def cached(combine):
        judge_combined(combine, [(padding, T) for padding, T in cases() if padding.shape[1] > T])

    @check("padding on the left: rows without a key stay without one", 0.5)
    def left(combine):
        padding = table(draw.one_of(*LEFT))
        S = padding.shape[1]
        judge_combined(combine, [(padding, S), (padding, S - 1)])


def cases() -> list[tuple[Tensor, int]]:
    """(padding, T): B, T and S all different where they can be."""
    right, hole, one, three = [table(rows) for rows in draw.one_of(*PADDINGS)]
    square = [(padding, padding.shape[1]) for padding in (hole, right, one)]
    return [*square, (hole, 3), (right, 2), (right, 1), (one, 2), (three, 3)]


def combined(combine, padding: Tensor, T: int) -> Tensor:
    """The raw answer, if it has the right shape."""
    value, (B, S) = combine(padding.clone(), T), padding.shape
    hints = {
        (B, T, S): "The axis of the heads is missing, between batch and queries: without it a batch would be read as "
        "heads. Index with None, or unsqueeze(1).",
        (B, 1, 1, S): "This is the padding alone: every query gets the same row. ANDing a causal (T, S) gives T rows.",
        (1, 1, T, S): "Every text of the batch gets the same mask: the padding has a row for each of them.",
        (T, S): "This is one mask for all texts of the batch; the padding differs from text to text.",
        (B, T, S, 1): "The axis of the heads is the second, between batch and queries.",
        (1, B, T, S): "The batch comes first, the axis of the heads second: unsqueeze(1), not unsqueeze(0).",
        (B, 1, T, T): "All S keys stay, those from the cache too: S columns.",
        (B, 1, S, T): "Queries belong on the second to last axis, keys on the last.",
        (B, 1, S, S): "There are T queries, not S: take the rows from T.",
    }
    shape = tuple(value.shape) if isinstance(value, Tensor) else ()
    if len(shape) == 4 and shape[0] == B and shape[1] != 1 and shape[2:] == (T, S):
        hints[shape] = "The axis of the heads has size 1 here, and fits any number of them: padding[:, None, None, :]."
    if isinstance(value, Tensor) and tuple(value.shape) != (B, 1, T, S) and tuple(value.shape) in hints:
        raise Wrong(f"The mask has shape {tuple(value.shape)}; wanted {(B, 1, T, S)}. {hints[tuple(value.shape)]}")
    expect_mask(value, "the mask", (B, 1, T, S))
    return value


def judge_combined(combine, inputs) -> None:
    for padding, T in inputs:
        S = padding.shape[1]
        got = expect_mask(combined(combine, padding, T), "the mask", (len(padding), 1, T, S))
        keys, causal = padding[:, None, None, :], causal_by_loops(T, S)
        faults = combined_faults(padding, keys, causal, T, S)
        compare_masks(got, keys & causal, faults, "the mask (text, head, query)", f"T = {T}, S = {S}")


def combined_faults(padding: Tensor, keys: Tensor, causal: Tensor, T: int, S: int):
    """Wrong combinations (B, 1, T, S)."""
    queries = padding[:, None, -T:, None]
    full, everything = keys & causal, torch.ones_like(keys & causal)
    yield keys | causal, "`or` opens a key as soon as *one* of the two masks allows it; both must: `and`.", "M36"
    yield keys & everything, "this is the padding alone: the future is open.", "M36"
    yield causal & everything, "this is the causal mask alone: padding is attended to.", "M36"
    yield ~full, POLARITY, "M36"
    yield ~keys & causal, "the padding is upside down: True in `padding` marks a real token, which may be seen.", "M36"
    yield keys & ~causal, "the causal part is upside down: it allows the future and blocks the past.", "M36"
    yield ~keys & ~causal, "both parts are upside down: True means allowed.", "M36"
    yield ~keys | ~causal, POLARITY, "M36"
    slot = "the padding lies on the queries' axis. It must close *columns*: no query may look at a padded key."
    yield queries & causal, slot, "M36"
    yield (
        queries & keys & causal,
        (
            "the rows of padded queries are closed as well. Nobody reads their outputs, and a fully masked row only "
            "asks for trouble: close the columns alone."
        ),
        None,
    )
    by_length = torch.arange(S) < padding.sum(dim=1)[:, None, None, None]
    length = "the padding is taken as a length, as if real tokens always stood first: use `padding` itself."
    yield by_length & causal, length, "M36"
    if T != S:
        top = causal_by_loops(T, T).new_ones(T, S).tril()
        yield keys & top, f"in the causal part {TOP_LEFT}", None
    yield keys & causal.tril(S - T - 1), "a query's own position is blocked: it may look at itself and before.", None
    yield keys & causal.new_ones(T, S).tril(S - T + 1), "each query sees one key too many: its own future.", "M36"
    own = torch.eye(S, dtype=torch.bool)[-T:]
    yield full | own, "a query's own position is always open, even where it is padding.", None
    opened = full | ~full.any(-1, keepdim=True)
    yield opened, "rows that see no key were opened again, so that they average over what is forbidden.", None
    first = full | (~full.any(-1, keepdim=True) & (torch.arange(S) == 0))
    yield first, "rows that see no key were given the first one, which is padding.", None
    yield (padding[:1, None, None, :] & causal).expand_as(full), "all texts got the padding of the first.", None
