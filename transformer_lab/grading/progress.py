"""predict(): commit to a guess before a cell runs, and read afterwards whether the run bore it out.

Guesses stay on this machine, in one small file. TRANSFORMER_LAB_DATA names another folder for it;
TRANSFORMER_LAB_PROGRESS=off keeps guesses in the running process only.
"""

import contextlib
import html
import json
import os
import tempfile
from pathlib import Path

from .score import GradingError, find

_kept: dict[str, str] = {}  # the guesses when no file may be touched


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
    """What the run says of a guess. JupyterLab shows the first line of a folded output: it must not tell."""

    heading = "Your guess and the run:"


def predict(question: str, choice: str | None = None, *, actual: str | None = None) -> Note:
    """Keep a guess, predict("02_attention.variance", "stays 1"); or hold it against what the run gave, actual=..."""
    module, name = find(question, "prediction", lambda module: getattr(module, "PREDICTIONS", {}))
    options = module.PREDICTIONS[name]
    for given in (choice, actual):
        if given is not None and given not in options:
            raise GradingError(f"{given!r} is no option of {question}; choose from {listed(options)}.")
    key = f"{module.__name__.rpartition('.')[2]}.{name}"
    if choice is not None:
        keep(key, choice)
    if actual is None and choice is None:
        return Note(f"No guess yet: put one of {listed(options)} in place of None and run this cell again.")
    if actual is None:
        return Note(f"Your guess, {choice!r}, is kept. Now run on and see.")
    guess = guesses().get(key)
    if guess is None:
        return Verdict(f"You made no guess. The run says {actual!r}.")
    if guess == actual:
        return Verdict(f"You guessed {guess!r}, and the run bears it out.")
    return Verdict(f"You guessed {guess!r}; the run says {actual!r}. Before you read on: what did you overlook?")


def listed(options: tuple[str, ...]) -> str:
    return ", ".join(map(repr, options))


def guesses() -> dict[str, str]:
    """Every guess kept so far; a file that cannot be read is put aside and started anew."""
    file = guesses_file()
    if file is None or not file.exists():
        return _kept
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("not a dictionary")
        return found | _kept
    except ValueError:
        with contextlib.suppress(OSError):
            os.replace(file, file.with_suffix(".broken.json"))
    except OSError:
        pass
    return _kept


def keep(key: str, guess: str) -> None:
    """Write the guess, all of the file or nothing of it; where no file can be written, keep it in the process."""
    file = guesses_file()
    if file is None:
        _kept[key] = guess
        return
    text = json.dumps(guesses() | {key: guess}, indent=1, sort_keys=True)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, new = tempfile.mkstemp(dir=file.parent, text=True)  # for its owner's eyes only
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(new, file)
        except OSError:
            os.unlink(new)
            raise
    except OSError:
        _kept[key] = guess


def guesses_file() -> Path | None:
    """Where guesses live, or None when nothing may be written."""
    if os.environ.get("TRANSFORMER_LAB_PROGRESS") == "off":
        return None
    folder = os.environ.get("TRANSFORMER_LAB_DATA")
    if not folder:
        try:
            from platformdirs import user_data_path
        except ImportError:  # a bare install, without the course's packages
            return None
        folder = user_data_path("transformer_lab", appauthor=False)
    return Path(folder) / "guesses.json"
