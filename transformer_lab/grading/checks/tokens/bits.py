"""Lesson 10: the checks of a language model that is a table of pairs, and of the bits that a text costs under it."""

import math
from functools import partial

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, one_number
from .bits_faults import BITS, PROBABILITIES, bits_per_character, probability, told
from .merging import drawn_letters

NOTHING = "Where nothing ever followed a, all counts are 0 until each is made one larger."
ALONE = "A text of one character has no pair, and still a first character: divide by len(text)."
UNDERFLOW = "The product of thousands of probabilities is 0 in a computer: add logarithms instead."


class bits:
    answers = ("probability(training, alphabet, a, b)", "bits_per_character(text, p, alphabet)")

    @check("the probability of a character after another", 1.5)
    def seen(probability, bits_per_character):
        judge_probability(probability, seen_pairs())

    @check("what never occurred, what overlaps, and the end of the training text", 1.5)
    def unseen(probability, bits_per_character):
        judge_probability(probability, rare_pairs())

    @check("the bits of a text, its first character too", 2)
    def whole(probability, bits_per_character):
        judge_bits(bits_per_character, short_texts())

    @check("a single character, and a long text", 1)
    def ends(probability, bits_per_character):
        judge_bits(bits_per_character, long_texts())


def drawn_text(letters: list[str], size: int) -> str:
    """A text in which some letters are much more frequent than others."""
    return "".join(letters[int(len(letters) * u**2)] for u in draw.uniform(size).tolist())


def seen_pairs() -> list[tuple]:
    """(training, alphabet, a, b), of pairs that occur; some letters never follow a, and a does not end the text."""
    a, b, c, x, y, *never = drawn_letters(8)
    training = drawn_text([a, b, c], 50) + a + b + b + a + c + x + y + x
    return [(training, "".join(sorted((a, b, c, x, y, *never))), *pair) for pair in ((a, b), (b, a), (b, b), (a, c))]


def rare_pairs() -> list[tuple]:
    """Pairs that never occur, letters never seen, one that only ends the training text, one that overlaps, a space."""
    a, b, c, x, end = drawn_letters(5)
    training = drawn_text([a, b], 40) + 5 * a + b + c + b + end
    alphabet = "".join(sorted((a, b, c, x, end)))
    pairs = [(a, c), (a, x), (x, a), (x, x), (end, a), (end, end), (c, c), (a, a), (c, b)]
    ends = [(c + a, alphabet, a, b), (c + a, alphabet, c, a), ("", alphabet, a, b)]
    return [(training, alphabet, *pair) for pair in pairs] + ends + with_spaces(a, b, c)


def with_spaces(a: str, b: str, c: str) -> list[tuple]:
    """Pairs with a space, which stands within the training text and at both of its ends."""
    training = f" {a}{b} {a}{a} {c}{a}  {b} "
    return [(training, f" {a}{b}{c}", *pair) for pair in ((a, " "), (" ", a), (" ", " "), (b, " "))]


def judge_probability(answer, cases: list[tuple]) -> None:
    answers = [number_of(answer, f"probability({called(*case)})", *case, by_zero=NOTHING) for case in cases]
    right = [probability(*case) for case in cases]
    for case, got, wanted in zip(cases, answers, right, strict=True):
        if not math.isclose(got, wanted, rel_tol=1e-5):
            yours, is_right = apart(got, wanted)
            words = told(answers, cases, PROBABILITIES) or counts(*case)
            raise Wrong(f"probability({called(*case)}) is {yours}; wanted {is_right}. {words}")


def counts(training: str, alphabet: str, a: str, b: str) -> str:
    following = [right for left, right in zip(training, training[1:], strict=False) if left == a]
    return (
        f"In this training text {a!r} is followed by {len(following)} characters, {following.count(b)} of them {b!r}; "
        f"the alphabet has {len(alphabet)}."
    )


def called(training: str, alphabet: str, a: str, b: str) -> str:
    return f"{training!r}, {alphabet!r}, {a!r}, {b!r}"


def model(letters: list[str]):
    """(p, alphabet): a table of pairs as p(a, b), learnt from a drawn text of some of the letters."""
    alphabet = "".join(sorted(letters))
    return partial(probability, drawn_text(letters[:-2], 50), alphabet), alphabet


def short_texts() -> list[tuple]:
    """(text, p, alphabet): texts whose first and last letter, letters, bytes and sizes are all different numbers."""
    cases = []
    for size in (6, 9, 13):
        letters = [*drawn_letters(6), "é", "十"]
        p, alphabet = model(letters)
        text = letters[7] + letters[1] + drawn_text(letters[:4], size) + letters[6] + letters[0] + letters[1]
        cases.append((text, p, alphabet))
    return cases


def long_texts() -> list[tuple]:
    letters = drawn_letters(6)
    p, alphabet = model(letters)
    long = letters[1] + drawn_text(letters[:4], 3000) + letters[0]  # begins and ends with different letters
    return [(letters[0], p, alphabet), (letters[5], p, alphabet), (long, p, alphabet)]


def judge_bits(answer, cases: list[tuple]) -> None:
    answers = [number_of(answer, name_of(case), *case, by_zero=ALONE) for case in cases]
    right = [bits_per_character(*case) for case in cases]
    for case, got, wanted in zip(cases, answers, right, strict=True):
        if not math.isclose(got, wanted, rel_tol=1e-5):
            yours, is_right = apart(got, wanted)
            words = told(answers, cases, BITS) or "Write down the bits of each character, and add."
            raise Wrong(f"{name_of(case)} is {yours}; wanted {is_right}. {words}")


def name_of(case: tuple) -> str:
    text, _, alphabet = case
    what = repr(text) if len(text) < 40 else f"a text of {len(text)} characters"
    return f"bits_per_character({what}, p, {alphabet!r})"


def number_of(answer, name: str, *case, by_zero: str) -> float:
    try:
        got = answer(*case)
    except ZeroDivisionError as error:
        raise Wrong(f"{name} divides by 0. {by_zero}") from error
    except ValueError as error:
        if "math domain" not in str(error):
            raise
        raise Wrong(f"{name} takes the logarithm of 0. {UNDERFLOW}") from error
    if isinstance(got, float) and math.isinf(got):
        raise Wrong(f"{name} is infinite. {UNDERFLOW}")
    return one_number(got, name)
