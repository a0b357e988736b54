"""Lesson 03: the checks of how many cells a causal mask allows."""

import numbers

import numpy as np
import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import chosen
from .common import causal_by_loops

# T, S, in which no two mistakes give one number: (5, 3) has 15 cells, as many as half a square of 5.
SHORTER = (
    ((3, 8), (5, 5), (7, 7), (1, 1), (1, 6), (3, 100)),
    ((4, 11), (6, 6), (8, 8), (1, 1), (1, 5), (4, 90)),
    ((5, 8), (4, 4), (9, 9), (1, 1), (1, 7), (4, 80)),
)
LONGER = ((8, 3), (4, 1), (100, 7)), ((10, 4), (5, 1), (90, 6)), ((9, 3), (6, 1), (80, 5))
AGREE = ("always", "never", "T < S", "T <= S", "T = S", "T >= S", "T > S")
# Of each wrong choice a size (T, S) that speaks against it.
AGAINST = {"always": (2, 5), "never": (4, 4), "T < S": (2, 5), "T <= S": (2, 5), "T = S": (5, 3), "T > S": (4, 4)}


class count:
    answers = ("allowed_cells(T, S)", AGREE)

    @check("as many queries as keys, or fewer", 1)
    def shorter(allowed_cells, agree):
        counted(allowed_cells, draw.one_of(*SHORTER))

    @check("more queries than keys", 1)
    def longer(allowed_cells, agree):
        counted(allowed_cells, draw.one_of(*LONGER))

    @check("where the last query sees the same keys under both rules", 1)
    def agree(allowed_cells, agree):
        choice = chosen(spelled(agree), AGREE, "agree")
        if choice != "T >= S":
            T, S = AGAINST[choice]
            bottom, top = causal_by_loops(T, S)[-1].tolist(), [j < T for j in range(S)]
            differ = f"{sum(bottom)} keys under one rule and {sum(top)} under the other"
            seen = "the same keys" if bottom == top else differ
            raise Wrong(
                f"You chose {agree!r}; but at T = {T}, S = {S} the last query sees {seen}. Set the explorer to these "
                "sizes, look at the last row under both rules, and move T and S."
            )


def spelled(agree):
    """A comparison of T and S as AGREE writes it, however the learner wrote it; anything else as it is."""
    if not isinstance(agree, str):
        return agree
    plain = agree.upper().replace(" ", "").replace("==", "=").strip("'\".")
    plain = plain.replace("≥", ">=").replace("≤", "<=").replace("=>", ">=").replace("=<", "<=")
    turned = {"S=T": "T=S", "S>T": "T<S", "S<T": "T>S", "S>=T": "T<=S", "S<=T": "T>=S"}
    plain = turned.get(plain, plain)
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
