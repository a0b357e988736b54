"""Numbers in English words and in German morphemes or French words, made by num2words, with gold alignments.

`ninety-four thousand and five` -> `vier und neunzig tausend fünf`, `quatre-vingt-quatorze mille cinq`.
Every whole number from 0 to 999,999, each as likely as any other: nine in ten have six digits. The spelling is
num2words' own: 101,000 is `einhunderteinstausend`, where grammars have `einhunderteintausend`.
"""

import random
import re
from functools import cache

from ..arguments import check_choice, random_from
from ..optional import require_packages
from .pairs import TOKEN, Pair, check_count

TARGETS = ("de", "fr")
N_NUMBERS = 1_000_000

# German writes a number below a million as one word, made of these. A teen or a ten is one piece, as in English.
MORPHEMES = (
    "null ein eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf "
    "dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn "
    "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig hundert tausend und"
)
LONGEST_FIRST = re.compile("|".join(sorted(MORPHEMES.split(), key=len, reverse=True)))

HUNDRED = {"hundred", "hundert", "cent", "cents"}
THOUSAND = {"thousand", "tausend", "mille"}
GLUE = {"and", ","}  # in English only: German and French have nothing that corresponds to it

# A group of three digits (1000 for thousands, 1 for the rest) and a place in it: (1000, "tens").
Field = tuple[int, str]


def write(number: int, language: str) -> str:
    """The number in words ("en", "fr") or in morphemes with spaces between ("de").

    MissingPackageError if num2words is missing.
    """
    require_packages("Numbers in words", "num2words")
    from num2words import num2words

    words = num2words(number, lang=language)
    return " ".join(LONGEST_FIRST.findall(words)) if language == "de" else words


def fields(number: int, tokens: list[str], language: str) -> list[Field | None]:
    """What each token says about the number, or None where it says nothing."""
    found = iter(number_fields(number, [token for token in tokens if token not in GLUE], language))
    return [None if token in GLUE else next(found) for token in tokens]


def number_fields(number: int, tokens: list[str], language: str) -> list[Field | None]:
    """The fields of a number's tokens without glue: its thousands, the word for thousand, the rest."""
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return group_fields(1, rest, tokens, language)
    cut = next(i for i, token in enumerate(tokens) if token in THOUSAND)
    left = group_fields(1000, thousands, tokens[:cut], language)
    return [*left, (1000, "thousand"), *group_fields(1, rest, tokens[cut + 1 :], language)]


def group_fields(group: int, number: int, tokens: list[str], language: str) -> list[Field | None]:
    """The fields of a number below a thousand: hundreds ("four" of "four hundred"), hundred, and what is below it."""
    places: list[str | None] = []
    if number >= 100:
        digit = next(i for i, token in enumerate(tokens) if token in HUNDRED)  # 0 in French, where 100 is "cent"
        places += ["hundreds"] * digit + ["hundred"]
    places += places_below_hundred(number % 100, tokens[len(places) :], language)
    return [(group, place) if place else None for place in places]


def places_below_hundred(number: int, tokens: list[str], language: str) -> list[str | None]:
    """The place of each token of a number below a hundred: tens, joint (the sign or word between) or units.

    French says 97 as 4-20-10-7: all of `quatre-vingt-dix` is the tens, and the hyphens inside it have no place. Where a
    teen contains both a ten and the units (72 is 60-12), it counts as the units, which tell it from 60-13.
    """
    if number < 20:
        places = ["units"] * len(tokens)
    elif number % 10 == 0:
        places = ["tens"] * len(tokens)
    else:
        places = ["tens"] * (len(tokens) - 2) + ["joint", "units"]
    if language == "de":
        places.reverse()
    return [None if token == "-" and place != "joint" else place for token, place in zip(tokens, places, strict=True)]


def make_pair(number: int, target: str = "de") -> Pair:
    """The number in English and in the target language, each target token aligned with the one for the same part.

    German `und` and French `et` or a hyphen between tens and units are aligned with the English hyphen between these.
    French leaves out the one of "one hundred" and "one thousand". Raises ValueError for an unknown target, and for a
    number that is out of range.
    """
    check_choice("target", target, TARGETS)
    if not 0 <= number < N_NUMBERS:
        raise ValueError(f"number is {number}; wanted a whole number from 0 to {N_NUMBERS - 1}.")
    texts = {language: write(number, language) for language in ("en", target)}
    source, translated = (fields(number, TOKEN.findall(text), language) for language, text in texts.items())
    index = {field: i for i, field in enumerate(source)}
    return Pair(texts["en"], texts[target], tuple(None if field is None else index[field] for field in translated))


@cache
def split_numbers() -> tuple[list[int], list[int]]:
    """(training numbers, held-out numbers): one fixed draw of every tenth is held out, whatever the seed."""
    held_out = random.Random(0).sample(range(N_NUMBERS), N_NUMBERS // 10)
    return sorted(set(range(N_NUMBERS)) - set(held_out)), held_out


def training_pairs(n: int = 10_000, seed: int = 0, target: str = "de") -> list[Pair]:
    """n pairs of different training numbers. Raises ValueError for an unknown target or too large an n."""
    numbers = split_numbers()[0]
    check_choice("target", target, TARGETS)
    check_count(n, len(numbers))
    return [make_pair(number, target) for number in random_from(seed).sample(numbers, n)]


def held_out_pairs(n: int = 500, target: str = "de") -> list[Pair]:
    """The first n held-out numbers, the same for every seed. Raises as training_pairs does."""
    numbers = split_numbers()[1]
    check_choice("target", target, TARGETS)
    check_count(n, len(numbers))
    return [make_pair(number, target) for number in numbers[:n]]
