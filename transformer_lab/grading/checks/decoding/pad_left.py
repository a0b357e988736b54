"""Lesson 12: the checks of a batch of prompts of unequal lengths."""

import torch
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import expect_tensor

NAMES = "ids", "is_real", "positions"


class pad_left:
    answers = ("pad_left(prompts, pad)",)

    @check("the ids", 1)
    def ids(pad_left):
        judge(pad_left, 0)

    @check("which of them are real", 1)
    def is_real(pad_left):
        judge(pad_left, 1)

    @check("the positions", 1)
    def positions(pad_left):
        judge(pad_left, 2)


def case(lengths: tuple[int, ...]) -> tuple[list[list[int]], int]:
    """Prompts of these lengths, some of which hold the padding's id as a token of their own."""
    pad = draw.one_of(0, 3)
    prompts = [(4 + draw.integers(9, n)).tolist() for n in lengths]
    prompts[0][0] = prompts[1][-1] = pad
    return prompts, pad


def right(prompts: list[list[int]], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """The specification of pad_left."""
    T = max(map(len, prompts))
    ids = torch.tensor([[pad] * (T - len(prompt)) + prompt for prompt in prompts])
    is_real = torch.arange(T) >= T - torch.tensor([[len(prompt)] for prompt in prompts])
    return ids, is_real, (is_real.cumsum(1) - 1).clamp(min=0)


def faults(part: int, prompts: list[list[int]], pad: int):
    """(what comes back, words, misconception or None)"""
    ids, is_real, positions = right(prompts, pad)
    B, T = ids.shape
    n = torch.tensor([[len(prompt)] for prompt in prompts])
    columns = torch.arange(T).expand(B, T)
    if part == 0:
        behind = torch.tensor([prompt + [pad] * (T - len(prompt)) for prompt in prompts])
        words = "The padding stands after the prompts: then a row's next token would have to go into its middle."
        yield behind, words, "M50"
        cut, words = min(map(len, prompts)), "Prompts were cut to the shortest: pad the others."
        yield torch.tensor([prompt[:cut] for prompt in prompts]), words, None
        yield torch.tensor([prompt[-cut:] for prompt in prompts]), words, None
        yield ids.flip(1), "The rows are turned round: the prompt keeps its order, behind the padding.", None
    elif part == 1:
        by_ids = "It is read from the ids, but a prompt may hold the padding's id itself: go by the lengths."
        yield ~is_real, "It is upside down: True where a token is real.", None
        yield ids != pad, by_ids, "M50"
        yield columns < n, "That is for padding on the right: the real tokens stand at the end of a row.", "M50"
        yield ids == pad, f"It is upside down. {by_ids}", "M50"
        yield is_real.long(), "These are numbers; wanted booleans.", None
    else:
        first = "The first *real* token of each prompt has position 0, wherever its row puts it."
        by_ids = "They go by the ids, but a prompt may hold the padding's id itself."
        below_0 = "a table has no such row: wanted 0 there."
        yield columns, f"The columns are counted. {first}", "M50"
        yield columns - (T - n), f"The positions of padding are negative, and {below_0}", None
        yield is_real.cumsum(1) - 1, f"Padding has position -1, and {below_0}", None
        yield positions + 1, f"Counted from 1. {first}", None
        yield is_real.cumsum(1), f"Counted from 1. {first} cumsum counts the token itself.", None
        yield columns * is_real, f"The columns are counted, where a token is real. {first}", "M50"
        yield columns.flip(1), "They run backwards.", None
        yield ((ids != pad).cumsum(1) - 1).clamp(min=0), by_ids, "M50"


def judge(answer, part: int) -> None:
    cases = [case(lengths) for lengths in ((3, 6, 4), (5, 2), (2, 7, 3, 4))]
    given = [([list(prompt) for prompt in prompts], pad) for prompts, pad in cases]
    answers = [part_of(answer(*one), part, case) for one, case in zip(given, cases, strict=True)]
    if [prompts for prompts, _ in given] != [prompts for prompts, _ in cases]:
        raise Wrong("pad_left() changed the prompts it was given: build new lists.")
    for one, got in zip(cases, answers, strict=True):
        wanted = right(*one)[part]
        if is_same(got, wanted):
            continue
        ways = zip(*(faults(part, *one) for one in cases), strict=True)
        told = (way[0][1:] for way in ways if all(is_same(a, b) for a, (b, *_) in zip(answers, way, strict=True)))
        if found := next(told, None):
            raise Wrong(*found)
        expect_tensor(got, NAMES[part], wanted.shape)
        b = int((got != wanted).any(dim=1).nonzero()[0])
        raise Wrong(f"For the prompt {one[0][b]} {NAMES[part]} are {got[b].tolist()}; wanted {wanted[b].tolist()}.")


def is_same(got: Tensor, wanted: Tensor) -> bool:
    return (
        got.shape == wanted.shape
        and (got.dtype == torch.bool) == (wanted.dtype == torch.bool)
        and torch.equal(got, wanted)
    )


def part_of(got, part: int, case: tuple) -> Tensor:
    """One of the answer's three tensors."""
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        raise Wrong(f"pad_left() gives {kind_of(got)}; wanted three tensors (B, T): {', '.join(NAMES)}.")
    one = got[part]
    if not isinstance(one, Tensor):
        expect_tensor(one, NAMES[part], (len(case[0]), max(map(len, case[0]))))
    if part != 1 and one.dtype != torch.int64:
        raise Wrong(f"{NAMES[part]} are {one.dtype}; wanted whole numbers, torch.int64.")
    return one
