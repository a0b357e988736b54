"""Dates in English and a second language, by the patterns of the Unicode CLDR (through babel), with gold alignments.

`Sunday, November 22, 2026` -> `2026年11月22日星期日`, `Sonntag, 22. November 2026`, `dimanche 22 novembre 2026`.
Every day from 1900 to 2099; each pair takes one of CLDR's widths: full (as above), long (no weekday) or medium
(`Nov 22, 2026`, in German `22.11.2026`).
"""

import datetime
import random
from functools import cache
from typing import Literal

from babel import Locale
from babel.dates import DateTimeFormat, get_date_format, tokenize_pattern

from ..arguments import check_choice, random_from
from .pairs import TOKEN, Pair, check_count

TARGETS = ("zh", "de", "fr")
Width = Literal["full", "long", "medium"]
WIDTHS: tuple[Width, ...] = ("full", "long", "medium")
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)


def write(date: datetime.date, locale: str, width: Width = "full") -> list[tuple[str | None, str]]:
    """The date as CLDR writes it, in pieces (field, text): field is "E", "y", "M" or "d", or None between them."""
    fields = DateTimeFormat(date, locale)
    return [
        (value[0], fields[value[0] * value[1]]) if kind == "field" else (None, value)
        for kind, value in pattern(locale, width)
    ]


@cache
def pattern(locale: str, width: Width) -> list:
    """CLDR's pattern for dates of this width, taken apart into fields and the characters between them."""
    return list(tokenize_pattern(get_date_format(width, Locale.parse(locale)).pattern))


def make_pair(date: datetime.date, width: Width = "full", source: str = "en", target: str = "zh") -> Pair:
    """The date in both languages, with its gold alignment: digits with digits, the month's number with its name."""
    source_pieces, target_pieces = write(date, source, width), write(date, target, width)
    position = 0
    start: dict[str | None, tuple[int, int]] = {}
    for field, text in source_pieces:
        n_tokens = len(TOKEN.findall(text))
        start[field] = (position, n_tokens)
        position += n_tokens
    alignment: list[int | None] = []
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


def training_pairs(n: int = 5000, seed: int = 0, target: str = "zh") -> list[Pair]:
    """n pairs of different training days. Raises ValueError for an unknown target or too large an n."""
    days = split_days()[0]
    check_choice("target", target, TARGETS)
    check_count(n, len(days))
    rng = random_from(seed)
    return [make_pair(day, rng.choice(WIDTHS), target=target) for day in rng.sample(days, n)]


def held_out_pairs(n: int = 500, target: str = "zh") -> list[Pair]:
    """The first n held-out days, the widths in turn: the same for every seed. Raises as training_pairs does."""
    days = split_days()[1]
    check_choice("target", target, TARGETS)
    check_count(n, len(days))
    return [make_pair(day, WIDTHS[i % len(WIDTHS)], target=target) for i, day in enumerate(days[:n])]
