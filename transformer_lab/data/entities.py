"""Sentences with named entities: Faker's persons, places and organisations in templates, tagged in BIO by word.

`Shares of Lee and Sons fell 4 percent.` is tagged `O O B-ORG I-ORG I-ORG O O O O`. Test names are never training names,
and the test sets become harder in steps: new names, then also new templates, then also French and Italian names.

How names are split: a hash of each capitalised word reserves a third of all words for testing, but never a word of the
training templates. A training name contains none of them; in a test name every capitalised word is one of them. So not
only whole names are new, but also every first name, surname, word of a place and ending of a company's name, and
looking words up in the training sentences finds no entity.
"""

import random
import re
import unicodedata
import zlib
from dataclasses import dataclass

from ..arguments import check_choice, check_seed
from ..optional import require_packages
from .documents import MARKS

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
KINDS = ("same templates", "new templates", "new templates, foreign names")

# What may fill a template's field: its type, and forms made of Faker's parts. A surname may also be the whole name of a
# firm, and a city that of a team, so that only the words around a name tell its type.
NAMES = {
    "person": ("PER", ("{first_name} {last_name}",)),
    "surname": ("PER", ("{last_name}",)),
    "city": ("LOC", ("{city}",)),
    "country": ("LOC", ("{country}",)),
    "street": ("LOC", ("{street_name}",)),
    "company": (
        "ORG",
        (
            "{last_name} {company_suffix}",
            "{last_name}-{last_name}",
            "{last_name} and {last_name}",
            "{last_name}, {last_name} and {last_name}",
            "{first_name} {last_name}",
            "{last_name}",
        ),
    ),
    "team": ("ORG", ("{city}",)),
}
NUMBERS = {"number": (2, 99), "year": (1900, 2030)}

TEMPLATES = (
    "{person} moved from {city} to {city} in {year}.",
    "{company} opened an office with {number} desks in {city}.",
    "{person} has been director of {company} since {year}.",
    "{team} beat {team} by {number} points.",
    "{surname} said that the mayor of {city} had not been told.",
    "Shares of {company} fell {number} percent after {person} resigned.",
    "The river floods {street} in {city} every spring.",
    "{country} and {country} signed the treaty in {year}.",
    "Who paid {person}, the painter, {number} dollars?",
    "{company} sued {company} over a patent from {year}.",
    "A train with {number} passengers was stuck near {city}.",
    "Our neighbour {person} keeps {number} hens on {street}.",
    "On Monday {team} lost at home in {city}.",
    "{company} was named after its founder, {person}.",
    "The engineer {surname} left {country} for a job at {company}.",
    "It rained for {number} days in {country}.",
    "{person} and {person} were married in {city}.",
    "Nobody at {company} remembers {surname}.",
)
TEST_TEMPLATES = (
    "Born in {city}, {person} grew up in {country}.",
    "The board of {company} elected {person} with {number} votes.",
    "Tickets for {team} cost {number} euros.",
    "{surname} bought {company} in {year} and sold it to {company}.",
    "Letters to {person} should be sent to {number} {street}, {city}.",
    "{company} makes shoes in {country}, but {surname} wears none of them.",
)
FIELD = re.compile(r"\{(\w+)\}")
WORD = re.compile(rf"[\w{MARKS}]+(?:[-'’.][\w{MARKS}]+)*|\S[{MARKS}]*")  # a word, a number or a punctuation mark
LETTERS = re.compile(r"[^\W\d_]+")
WRITTEN = {word.casefold() for template in TEMPLATES for word in LETTERS.findall(FIELD.sub("", template))}


@dataclass(frozen=True)
class Sentence:
    """The words of a sentence, including punctuation marks, and the tag of each, one of TAGS."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def training_sentences(n: int = 3000, seed: int = 0) -> list[Sentence]:
    """n sentences from TEMPLATES with training names. Raises ValueError for n < 0, ImportError without Faker."""
    check_seed(seed)
    return make_sentences(n, TEMPLATES, ("en_US",), test=False, seed=int(seed))


def test_sentences(kind: str, n: int = 500) -> list[Sentence]:
    """The first n sentences of a test set, one of KINDS. Raises as training_sentences does, and for an unknown kind."""
    check_choice("kind", kind, KINDS)
    templates = TEMPLATES if kind == "same templates" else TEST_TEMPLATES
    locales = ("fr_FR", "it_IT") if kind == "new templates, foreign names" else ("en_US",)
    return make_sentences(n, templates, locales, test=True, seed="test")  # not a training seed


def make_sentences(n: int, templates, locales, test: bool, seed: int | str) -> list[Sentence]:
    """n sentences, each from one template drawn at random, with names of one locale drawn at random."""
    require_packages("The entity data", "faker")
    from faker import Faker

    if n < 0:
        raise ValueError(f"n is {n}; wanted a number of sentences, 0 or more.")
    # By default Faker draws common names more often; drawing all equally often makes the data richer.
    fakes = [Faker(locale, use_weighting=False) for locale in locales]
    for fake, locale in zip(fakes, locales, strict=True):
        fake.seed_instance(f"{locale} {seed}")
        if locale == "it_IT":  # Faker's order of Italian towns changes from run to run; provinces bear towns' names
            fake.city = fake.state  # type: ignore[method-assign]
    rng = random.Random(seed)
    return [fill(rng.choice(templates), rng.choice(fakes), rng, test) for _ in range(n)]


def fill(template: str, fake, rng: random.Random, test: bool) -> Sentence:
    """The template as words and tags, its fields filled with names or numbers."""
    words, tags = [], []
    for i, piece in enumerate(FIELD.split(template)):
        label, text = None, piece
        if i % 2 and piece in NUMBERS:  # split returns the fields at odd indices, the text between them at even ones
            text = str(rng.randint(*NUMBERS[piece]))
        elif i % 2:
            label, forms = NAMES[piece]
            text = FIELD.sub(lambda part: draw(fake, part[1], test), rng.choice(forms))
        for j, word in enumerate(WORD.findall(text)):
            words.append(word)
            tags.append("O" if label is None else f"{'I' if j else 'B'}-{label}")
    return Sentence(tuple(words), tuple(tags))


def draw(fake, part: str, test: bool) -> str:
    """One of Faker's first names, cities ..., drawn until all its capitalised words are on the wanted side."""
    while True:
        text = getattr(fake, part)()
        if all(is_test_word(word) == test for word in LETTERS.findall(text) if word[0].isupper()):
            return text


def is_test_word(word: str) -> bool:
    """Is the word reserved for test names? Case and accents do not count, because an uncased model sees neither."""
    plain = unicodedata.normalize("NFKD", word.casefold()).encode("ascii", "ignore")
    return plain.decode() not in WRITTEN and zlib.crc32(plain) % 3 == 0
