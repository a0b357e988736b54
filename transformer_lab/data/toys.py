"""Toy tasks whose right attention is known: copy, reverse and sort a list of symbols; continue a repeated block.

Copy `d a c`, reverse `c a d`, sort `a c d`: 4 to 12 of 20 symbols, each a token of its own.
"""

import zlib

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..arguments import check_choice, generator_from, random_from
from .pairs import Pair, check_count

SYMBOLS = "abcdefghijklmnopqrst"
LENGTHS = (4, 12)  # shortest and longest, both included
# There are only 160,000 lists of four symbols: with more pairs than this they would run out, and lengths be uneven.
MOST_TRAINING, MOST_HELD_OUT = 100_000, 10_000

# The index in the source of each symbol of the target. Sorting is stable: equal symbols keep their order.
ORDERS = {
    "copy": lambda symbols: list(range(len(symbols))),
    "reverse": lambda symbols: list(range(len(symbols)))[::-1],
    "sort": lambda symbols: sorted(range(len(symbols)), key=symbols.__getitem__),
}
TASKS = tuple(ORDERS)


def make_pair(task: str, symbols: str) -> Pair:
    """The symbols and the task's answer: `make_pair("sort", "dac")` is `d a c` -> `a c d`, aligned (1, 2, 0).

    Raises ValueError for an unknown task or symbol.
    """
    check_choice("task", task, TASKS)
    for symbol in symbols:
        check_choice("symbol", symbol, SYMBOLS)
    order = ORDERS[task](symbols)
    return Pair(" ".join(symbols), " ".join(symbols[i] for i in order), tuple(order))


def is_held_out(symbols: str) -> bool:
    """Are these symbols held out, in every task? Their checksum decides, and holds out about one list in ten."""
    return zlib.crc32(symbols.encode()) % 10 == 0


def draw(n: int, seed: int, held_out: bool) -> list[str]:
    """n different lists of symbols from one side of the split: lengths drawn evenly, then symbols."""
    check_count(n, MOST_HELD_OUT if held_out else MOST_TRAINING)
    rng = random_from(seed)
    drawn: dict[str, None] = {}
    while len(drawn) < n:
        symbols = "".join(rng.choices(SYMBOLS, k=rng.randint(*LENGTHS)))
        if is_held_out(symbols) == held_out:
            drawn[symbols] = None  # a dict keeps the order of the draws, and each list once
    return list(drawn)


def training_pairs(task: str, n: int = 5000, seed: int = 0) -> list[Pair]:
    """n pairs of different training lists. Raises ValueError for an unknown task or too large an n."""
    check_choice("task", task, TASKS)
    return [make_pair(task, symbols) for symbols in draw(n, seed, held_out=False)]


def held_out_pairs(task: str, n: int = 500) -> list[Pair]:
    """n pairs of different held-out lists, the same for every seed. Raises as training_pairs does."""
    check_choice("task", task, TASKS)
    return [make_pair(task, symbols) for symbols in draw(n, seed=0, held_out=True)]


def induction_rows(
    n: int, seed: int = 0, vocab_size: int = 32, periods: tuple[int, int] = (8, 16)
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """(ids, predictable): each row repeats a random block of tokens up to the length T, twice the longest period.

    A row's period, the length of its block, is drawn evenly from periods (both ends included): if it were always the
    same, a head could attend a fixed distance back, and would not have to look for the token. No token comes twice in a
    block, so whatever followed a token before follows it again, and there is one right answer.

    predictable[b, t] is True where ids[b, t] follows from the row so far, that is, where its predecessor ids[b, t - 1]
    has appeared before: t > period. The token at t = period begins the second block, but nothing before it says that
    the first one is over. So with logits for the next token, score logits[:, :-1] on ids[:, 1:] where
    predictable[:, 1:]. Raises ValueError for a negative n or periods that no block can have.
    """
    shortest, longest = periods
    if n < 0:
        raise ValueError(f"n is {n}; wanted a number of rows, 0 or more.")
    if not 1 <= shortest <= longest <= vocab_size:
        raise ValueError(f"periods is {periods}; wanted (shortest, longest) from 1 to vocab_size, {vocab_size}.")
    generator = generator_from(seed)
    shuffled = torch.rand(n, vocab_size, generator=generator).argsort(dim=1)  # a row's block is the first of these
    period = torch.randint(shortest, longest + 1, (n, 1), generator=generator)
    position = torch.arange(2 * longest)
    return shuffled.gather(1, position % period), position > period
