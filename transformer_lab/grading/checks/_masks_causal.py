"""Lesson 03: the checks of causal_mask, of combine (with padding), and of count."""

import numbers

import numpy as np
import torch
from torch import Tensor

from ..score import Wrong, check
from ._masks_common import causal_by_loops, compare_masks, expect_bool, expect_mask
from .common import chosen, leaves_alone

# S - T is 3 or more to either side: nearer, one mistake gives the mask of another.
SQUARE, CACHED, LONGER = ((4, 4), (6, 6), (1, 1), (20, 20)), ((4, 7), (2, 5), (1, 6), (3, 20)), ((9, 6), (4, 1))
AGREE = ("always", "never", "T < S", "T = S", "T > S")
POLARITY = (
    "It is upside down: True stands where looking is forbidden. Here, as in F.scaled_dot_product_attention, True "
)
POLARITY += "means allowed (nn.MultiheadAttention's booleans mean the opposite)."
TOP_LEFT = (
    "the first query meets the first key (torch's is_causal does that), so the newest query does not see the newest "
    "keys. The *last* query meets the last key: query i stands at position S - T + i."
)


class causal_mask:
    answers = ("causal_mask(T, S)",)

    @check("booleans, a row for each query, a column for each key", 0.5)
    def shape(causal_mask):
        for T, S in (*SQUARE, *CACHED, *LONGER):
            mask_of(causal_mask, T, S)
            expect_bool(causal_mask(T, S), f"causal_mask({T}, {S})")

    @check("as many queries as keys", 1)
    def square(causal_mask):
        judged(causal_mask, SQUARE)

    @check("fewer queries than keys: the others are in a cache", 1)
    def cached(causal_mask):
        judged(causal_mask, CACHED)

    @check("more queries than keys", 0.5)
    def longer(causal_mask):
        judged(causal_mask, LONGER)


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
            "their rows are wholly False. (Attention must have a rule for such rows: question 2.)"
        )
        yield j <= i, f"the first query meets the first key. {empty}", None
        yield (j <= last + i) | (i < T - S), empty, None
        yield (j <= last + i) | ((i < T - S) & (j == 0)), empty, None
    yield j > last + i, POLARITY, "M36"
    yield (
        j >= last + i,
        "keys and queries are exchanged: this allows the future and blocks the past (triu for tril?).",
        None,
    )
    yield j < last + i, "a query's own position is blocked. It may look at itself and before: <=, not <.", None
    yield j <= last + i + 1, "each query sees one key too many, its own future: the diagonal is one too high.", "M36"
    yield torch.ones(T, S, dtype=torch.bool), "everything is allowed: no key is hidden from any query.", "M36"
    yield torch.zeros(T, S, dtype=torch.bool), "nothing is allowed: every row is wholly masked.", None
    yield j == last + i, "each query sees its own position only, and nothing before it.", None
    yield j <= i, TOP_LEFT, None
    yield j > i, f"True stands where looking is forbidden, and {TOP_LEFT}", "M36"
    yield j < i, f"a query's own position is blocked, and {TOP_LEFT}", None
    yield j <= i + 1, f"each query sees one key too many, its own future, and {TOP_LEFT}", "M36"
    yield j >= i, f"this allows the future and blocks the past, and {TOP_LEFT}", None
    cached = (j <= last + i) & (j >= last)
    yield cached, f"the first {last} keys, those from the cache, are blocked: they are the past of every query.", None
    yield j <= i - last, "the diagonal is shifted to the wrong side: its offset is S - T, not T - S.", None


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
        padding = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]]).bool()
        judge_combined(combine, [(padding, 5), (padding, 4)])


def cases() -> list[tuple[Tensor, int]]:
    """(padding, T): B, T and S all different where they can be; padding on the right, and a hole in the middle."""
    right = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]]).bool()
    hole = torch.tensor([[1, 0, 1, 1, 0], [1, 1, 1, 0, 1]]).bool()
    one = torch.tensor([[1, 1, 0, 1]]).bool()  # a batch of one text
    three = torch.tensor([[1, 0, 1, 1, 0], [1, 1, 1, 0, 1], [0, 1, 1, 1, 1]]).bool()  # as many texts as queries
    return [(hole, 5), (right, 6), (hole, 3), (right, 2), (right, 1), (one, 4), (one, 2), (three, 3)]


def combined(combine, padding: Tensor, T: int) -> Tensor:
    """The raw answer, if it has the right shape."""
    value, (B, S) = combine(padding.clone(), T), padding.shape
    hints = {
        (B, T, S): "The axis of the heads is missing, between batch and queries: without it a batch would be read as "
        "heads. Index with None, or unsqueeze(1).",
        (B, 1, 1, S): "This is the padding alone: every query gets the same row. And-ing a causal (T, S) gives T rows.",
        (1, 1, T, S): "Every text of the batch gets the same mask: the padding has a row for each of them.",
        (T, S): "This is one mask for all texts of the batch; the padding differs from text to text.",
        (B, T, S, 1): "The axis of the heads is the second, between batch and queries.",
        (1, B, T, S): "The batch comes first, the axis of the heads second: unsqueeze(1), not unsqueeze(0).",
        (B, 1, T, T): "All S keys stay, those from the cache too: S columns.",
        (B, 1, S, T): "Queries belong into the last but one axis, keys into the last.",
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
            "the rows of padded queries are closed as well. Nobody reads their outputs, and a wholly masked row only "
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


class count:
    answers = ("allowed_cells(T, S)", AGREE)

    @check("as many queries as keys, or fewer", 1)
    def shorter(allowed_cells, agree):
        counted(allowed_cells, ((3, 8), (5, 5), (7, 7), (1, 1), (1, 6), (3, 100)))

    @check("more queries than keys", 1)
    def longer(allowed_cells, agree):
        counted(allowed_cells, ((8, 3), (4, 1), (100, 7)))  # (5, 3) has 15 cells, as many as half a square of 5

    @check("where the two alignments agree", 1)
    def agree(allowed_cells, agree):
        choice = chosen(spelled(agree), AGREE, "agree")
        if choice != "T = S":
            first = {"always": (2, 5), "never": (4, 4), "T < S": (2, 5), "T > S": (5, 3)}[choice]
            T, S = first
            bottom, top = causal_by_loops(T, S), torch.ones(T, S).tril().bool()
            same = "agree" if torch.equal(bottom, top) else "differ"
            raise Wrong(
                f"You chose {agree!r}; but at T = {T}, S = {S} the two {same}. Set the explorer to causal, last meets "
                "last, and move T and S until it finds no cell that differs."
            )


def spelled(agree):
    """A comparison of T and S as AGREE writes it, however the learner wrote it; anything else as it is."""
    if not isinstance(agree, str):
        return agree
    plain = agree.upper().replace(" ", "").replace("==", "=").strip("'\".")
    plain = {"S=T": "T=S", "S>T": "T<S", "S<T": "T>S"}.get(plain, plain)
    return next((option for option in AGREE if option.replace(" ", "") == plain), agree)


def counted(allowed_cells, sizes) -> None:
    for T, S in sizes:
        value = allowed_cells(T, S)
        if isinstance(value, (Tensor, np.ndarray)) and value.ndim <= 1 and len(value.reshape(-1)) == 1:
            value = value.item()
        if isinstance(value, Tensor):
            raise Wrong(f"allowed_cells({T}, {S}) is a tensor of shape {tuple(value.shape)}; wanted one number.")
        if not isinstance(value, numbers.Real):
            raise Wrong(f"allowed_cells({T}, {S}) is of type {type(value).__name__}; wanted one number.")
        wanted = int(causal_by_loops(T, S).sum())
        if value == wanted:
            continue
        if value == wanted / (T * S):
            raise Wrong(f"allowed_cells({T}, {S}) is {value:g}, the *share* of the allowed cells; wanted {wanted}.")
        faults = count_faults(T, S)
        told = next((words for number, words in faults if number == value), "Count the cells of a small mask by hand.")
        raise Wrong(f"allowed_cells({T}, {S}) is {value:g}; wanted {wanted}. {told}")


def count_faults(T: int, S: int):
    """(a wrong count, what to tell its author)"""
    yield (
        sum(max(0, n) for n in range(S - T, S)),
        "Each query's own position is missing: query i sees S - T + i + 1 keys.",
    )
    many = "Each query sees one key too many, its own future: query i sees S - T + i + 1 keys."
    yield sum(min(S, max(0, n)) for n in range(S - T + 2, S + 2)), many
    if T > S:
        yield 0, "There are more queries than keys, and the last S of them do see keys."
        yield (
            T * S - T * (T - 1) // 2,
            (
                "The formula for T <= S goes wrong here: its first rows would see a negative number of keys. "
                "The first T - S queries see none."
            ),
        )
    yield (
        int(torch.ones(T, S).tril().sum()),
        ("This counts the mask whose *first* query meets the first key. Here the last meets the last."),
    )
    yield T * S, "This counts all cells."
    yield T * S - int(causal_by_loops(T, S).sum()), "This counts the forbidden cells."
    for n, name in ((T, "T"), (S, "S")):
        yield n * (n + 1) // 2, f"This is the count for a square of side {name}; T and S are two numbers."
        yield n * (n - 1) // 2, f"This is half a square of side {name} without its diagonal."
        yield n * n / 2, f"This is half of a square of side {name}; the diagonal belongs to the allowed half."
    yield T * S / 2, "This is half of all cells; the diagonal belongs to the allowed half, and T and S may differ."
    yield T * S // 2, "This is half of all cells; the diagonal belongs to the allowed half, and T and S may differ."
