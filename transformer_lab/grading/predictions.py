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
RUNS = Store("runs", latest, is_text)  # the outcome of each prediction's run


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


def predict(question: str, choice: str | None = None, *, actual: str | None = None) -> Note:
    """Store a guess, predict("02_attention.variance", "stays 1"), or compare it with the outcome, actual=..."""
    module, name = find(question, "prediction", lambda module: getattr(module, "PREDICTIONS", {}))
    options = module.PREDICTIONS[name]
    for given in (choice, actual):
        if given is not None and given not in options:
            raise GradingError(f"{given!r} is not an option of {question}; choose from {listed(options)}.")
    key = key_of(module, name)
    if choice is not None:
        GUESSES.add(key, choice)
    if actual is not None:
        RUNS.add(key, actual)
    if actual is None and choice is None:
        return Note(f"No guess yet: put one of {listed(options)} in place of None and run this cell again.")
    if actual is None:
        return Note(f"Your guess, {choice!r}, is saved. Now run the cells below and see.")
    guess = GUESSES.read().get(key)
    if guess is None:
        return Verdict(f"You made no guess. The run says {actual!r}.")
    if guess == actual:
        return Verdict(f"You guessed {guess!r}, and the run bears it out.")
    return Verdict(f"You guessed {guess!r}; the run says {actual!r}. Before you read on: what did you overlook?")


def listed(options: tuple[str, ...]) -> str:
    return ", ".join(map(repr, options))
