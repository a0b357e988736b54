"""Parallel text: pairs of sentences, with gold alignments if they are known."""

import re
from dataclasses import dataclass

from ..arguments import is_whole
from ..sentences import short_repr

# Alignments count these tokens: a digit, a Chinese weekday or character, a word, any other visible sign, but no spaces.
# WordTokenizer cuts at the same places, as tests check.
TOKEN = re.compile(r"\d|星期.|[\u4e00-\u9fff]|[^\W\d_]+|\S")


@dataclass(frozen=True, slots=True)
class Pair:
    """One sentence in both languages. alignment[t] is the source token that target token t translates, or None.

    A pair that was not generated has no gold alignment: None.
    """

    source: str
    target: str
    alignment: tuple[int | None, ...] | None = None


def check_count(n: int, available: int) -> None:
    """Raise ValueError unless there are n different pairs."""
    if not is_whole(n) or not 0 <= n <= available:
        raise ValueError(f"n is {short_repr(n)}; wanted a number of pairs from 0 to {available}.")
