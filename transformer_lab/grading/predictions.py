"""predict(): commit to a guess before a cell runs, and see afterwards whether the run bore it out.

Guesses and outcomes stay on this machine, in files (store.py); with TRANSFORMER_LAB_PROGRESS=off they are kept in the
running process only.
"""

from ..sentences import listed
from .guess_card import Note, Question, Verdict
from .score import GradingError, find, key_of
from .store import Store


def latest(old: str, new: str) -> str:
    return new


def is_text(value) -> bool:
    return isinstance(value, str)


GUESSES = Store("guesses", latest, is_text)
LATE = Store("late_guesses", latest, is_text)  # those made after the run
RUNS = Store("runs", latest, is_text)  # the outcome of each prediction's run
IGNORED = str.maketrans("", "", "-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}_\"'`‘’“”„«»")


def predict(question: str, choice: str | int | float | None = None, *, actual: str | None = None) -> Note:
    """Store a guess, predict("02_attention.variance", "stays 1"), or compare it with the outcome, actual=..."""
    key, options = asked(question)
    if actual is None:
        return guess(key, options, None if choice is None else option(question, options, choice))
    if choice is not None:
        guess(key, options, option(question, options, choice))
    return verdict(key, options, option(question, options, actual))


def guessed(question: str) -> str | None:
    """The guess that counts, to be marked in a figure of what came out, or None."""
    key, options = asked(question)
    first = GUESSES.read().get(key)
    return first if first in options else None


def asked(question: str) -> tuple[str, tuple[str, ...]]:
    """The key and the options of "02_attention.gradient"."""
    module, name = find(question, "prediction", lambda module: getattr(module, "PREDICTIONS", {}))
    return key_of(module, name), module.PREDICTIONS[name]


def option(question: str, options: tuple[str, ...], given) -> str:
    """Return the option that is meant: capitals, spaces, hyphens and quotation marks make no difference."""
    for one in options:
        if folded(one) == folded(str(given)):
            return one
    raise GradingError(f"{given!r} is not an option of {question}; choose from {named(options)}.")


def folded(text: str) -> str:
    return "".join(text.casefold().translate(IGNORED).split())


def guess(key: str, options: tuple[str, ...], choice: str | None) -> Question:
    """Store the first guess; a later one does not replace it, and one that comes after the run does not count."""

    def now(sentence: str, first: str = "", later: str = "") -> Question:
        return Question(sentence, options, lambda option: guess(key, options, option), first, later)

    first = GUESSES.read().get(key)
    if first in options:
        if choice in (None, first):
            return now(f"Your guess, {first!r}, is saved. Now run the cells below and see.", first)
        return now(f"You first guessed {first!r}; the first guess counts.", first, choice)
    if choice is None:
        return now(
            f"No guess yet: click {listed(map(repr, options), 'or')}; or write it into the call, as its second "
            "argument, and run this cell again."
        )
    if key in RUNS.read():
        LATE.add(key, choice)
        return now(f"{choice!r} comes after the run, so it does not count as a guess.", later=choice)
    GUESSES.add(key, choice)
    return now(f"Your guess, {choice!r}, is saved. Now run the cells below and see.", choice)


def verdict(key: str, options: tuple[str, ...], actual: str) -> Verdict:
    """Store the outcome of the run, and hold the guess against it."""
    RUNS.add(key, actual)
    first, late = GUESSES.read().get(key), LATE.read().get(key)
    if first not in options:
        late_guess = f" {late!r} came after the run and does not count." if late in options else ""
        sentence, first = f"You made no guess. The run says {actual!r}.{late_guess}", ""
    elif first == actual:
        sentence = f"You guessed {first!r}, and the run bears it out."
    else:
        sentence = f"You guessed {first!r}; the run says {actual!r}. Before you read on: what did you overlook?"
    return Verdict(sentence, options, first, actual)


def named(options: tuple[str, ...]) -> str:
    return ", ".join(map(repr, options))
