"""Dates in English and in Chinese, written by the patterns of the Unicode CLDR (through babel), with gold alignments.

`Sunday, November 22, 2026` -> `2026年11月22日星期日`. Every day from 1900 to 2099; each pair takes one of CLDR's
widths: full (as above), long (no weekday) or medium (`Nov 22, 2026`).
"""

import datetime
import random
import re
from dataclasses import dataclass
from functools import cache

from babel import Locale
from babel.dates import DateTimeFormat, get_date_format, tokenize_pattern

WIDTHS = ("full", "long", "medium")
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
# The tokens that WordTokenizer will see; tests hold the two together.
TOKEN = re.compile(r"\d|[A-Za-z]+|星期.|\S")


@dataclass(frozen=True)
class Pair:
    """One sentence in both languages. alignment[t] is the source token that target token t translates, or None."""

    source: str
    target: str
    alignment: tuple[int | None, ...]


def write(date: datetime.date, locale: str, width: str = "full") -> list[tuple[str | None, str]]:
    """The date as CLDR writes it, in pieces (field, text): field is "E", "y", "M" or "d", or None between them."""
    fields = DateTimeFormat(date, locale)
    return [
        (value[0], fields[value[0] * value[1]]) if kind == "field" else (None, value)
        for kind, value in pattern(locale, width)
    ]


@cache
def pattern(locale: str, width: str) -> list:
    """CLDR's pattern for dates of this width, taken apart into fields and the characters between them."""
    return list(tokenize_pattern(get_date_format(width, Locale.parse(locale)).pattern))


def make_pair(date: datetime.date, width: str = "full", source: str = "en", target: str = "zh") -> Pair:
    """The date in both languages, with its gold alignment: digits to digits, the month's number to its name."""
    source_pieces, target_pieces = write(date, source, width), write(date, target, width)
    position, start = 0, {}
    for field, text in source_pieces:
        n_tokens = len(TOKEN.findall(text))
        start[field] = (position, n_tokens)
        position += n_tokens
    alignment = []
    for field, text in target_pieces:
        for i in range(len(TOKEN.findall(text))):
            if field is None:
                alignment.append(None)
            else:
                first, n_tokens = start[field]
                alignment.append(first + min(i, n_tokens - 1))
    return Pair(
        "".join(text for _, text in source_pieces),
        "".join(text for _, text in target_pieces),
        tuple(alignment),
    )


@cache
def split_days() -> tuple[list[datetime.date], list[datetime.date]]:
    """(training days, held-out days): one fixed shuffle of all days, every tenth held out whatever the seed."""
    days = [FIRST + datetime.timedelta(n) for n in range((LAST - FIRST).days + 1)]
    random.Random(0).shuffle(days)
    n_held_out = len(days) // 10
    return days[n_held_out:], days[:n_held_out]


def training_pairs(n: int = 5000, seed: int = 0) -> list[Pair]:
    """n pairs, drawn from the training days."""
    rng = random.Random(seed)
    return [make_pair(day, rng.choice(WIDTHS)) for day in rng.sample(split_days()[0], n)]


def held_out_pairs(n: int = 500) -> list[Pair]:
    """The first n held-out days, the widths in turn: the same for every seed."""
    return [make_pair(day, WIDTHS[i % len(WIDTHS)]) for i, day in enumerate(split_days()[1][:n])]
