"""predict(): commit to a guess before a cell runs, and see afterwards whether the run bore it out.

Guesses and outcomes stay on this machine, in files (store.py); with TRANSFORMER_LAB_PROGRESS=off they are kept in the
running process only.
"""

import html

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


class Note(str):
    """A sentence for the learner, shown without quotation marks; heading, if any, stands on a line of its own."""

    heading = ""

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        style = "border-left: 4px solid var(--jp-brand-color1, #1976d2); padding: 2px 10px; margin: 6px 0"
        note = f'<div style="{style}">{html.escape(self, quote=False)}</div>'
        return {"text/plain": str(self), "text/html": f"{self.heading}\n{note}" if self.heading else note}


class Verdict(Note):
    """The verdict on a guess. JupyterLab shows the first line of a folded output, so it must not give it away."""

    heading = "Your guess and the run:"


def predict(question: str, choice: str | int | float | None = None, *, actual: str | None = None) -> Note:
    """Store a guess, predict("02_attention.variance", "stays 1"), or compare it with the outcome, actual=..."""
    module, name = find(question, "prediction", lambda module: getattr(module, "PREDICTIONS", {}))
    options = module.PREDICTIONS[name]
    key = key_of(module, name)
    if actual is None:
        return guess(key, options, None if choice is None else option(question, options, choice))
    if choice is not None:
        guess(key, options, option(question, options, choice))
    return verdict(key, options, option(question, options, actual))


def option(question: str, options: tuple[str, ...], given) -> str:
    """Return the option that is meant: capitals, spaces, hyphens and quotation marks make no difference."""
    for one in options:
        if folded(one) == folded(str(given)):
            return one
    raise GradingError(f"{given!r} is not an option of {question}; choose from {listed(options)}.")


def folded(text: str) -> str:
    return "".join(text.casefold().translate(IGNORED).split())


def guess(key: str, options: tuple[str, ...], choice: str | None) -> Note:
    """Store the first guess; a later one does not replace it, and one that comes after the run does not count."""
    first = GUESSES.read().get(key)
    if first in options:
        if choice in (None, first):
            return Note(f"Your guess, {first!r}, is saved. Now run the cells below and see.")
        return Note(f"You first guessed {first!r}; the first guess counts.")
    if choice is None:
        return Note(f"No guess yet: put one of {listed(options)} in place of None and run this cell again.")
    if key in RUNS.read():
        LATE.add(key, choice)
        return Note(f"{choice!r} comes after the run, so it does not count as a guess.")
    GUESSES.add(key, choice)
    return Note(f"Your guess, {choice!r}, is saved. Now run the cells below and see.")


def verdict(key: str, options: tuple[str, ...], actual: str) -> Verdict:
    """Store the outcome of the run, and hold the guess against it."""
    RUNS.add(key, actual)
    first, late = GUESSES.read().get(key), LATE.read().get(key)
    if first not in options:
        late_guess = f" {late!r} came after the run and does not count." if late in options else ""
        return Verdict(f"You made no guess. The run says {actual!r}.{late_guess}")
    if first == actual:
        return Verdict(f"You guessed {first!r}, and the run bears it out.")
    return Verdict(f"You guessed {first!r}; the run says {actual!r}. Before you read on: what did you overlook?")


def listed(options: tuple[str, ...]) -> str:
    return ", ".join(map(repr, options))
