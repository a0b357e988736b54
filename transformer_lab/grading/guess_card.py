"""How a guess is shown: the options to choose from, and afterwards which was guessed and which came true."""

import html
from collections.abc import Callable
from importlib.util import find_spec

FRAME = "border-left: 4px solid var(--jp-brand-color1, #1976d2); padding: 2px 10px; margin: 6px 0"
OPTION = "display: inline-block; vertical-align: top; padding: 2px 12px; margin: 3px; border: 1px solid"
GUESSED = "; border-style: dashed"
HAPPENED = "; border-width: 2px; font-weight: bold"


class Note(str):
    """A sentence for the learner, shown without quotation marks."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.as_html()}

    def as_html(self) -> str:
        return framed(html.escape(self, quote=False))


class Question(Note):
    """The guess so far, in a sentence. In a running notebook the options are buttons, elsewhere a list.

    choose(option) makes a guess and returns the new Question.
    """

    options: tuple[str, ...]
    choose: Callable
    first: str  # the guess that counts, or ""
    later: str  # one that does not, or ""

    def __new__(cls, sentence: str, options: tuple[str, ...], choose: Callable, first: str = "", later: str = ""):
        self = super().__new__(cls, sentence)
        self.options, self.choose, self.first, self.later = options, choose, first, later
        return self

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        if find_spec("anywidget") is None:  # then a guess is written, as the sentence says
            return super()._repr_mimebundle_()
        from ..viz.guess_buttons import GuessButtons

        return GuessButtons(self).bundle() | super()._repr_mimebundle_()

    def as_html(self) -> str:
        if self.first or self.later:
            return super().as_html()
        return framed(f"No guess yet. Run this cell, then click one of these: {row(self.options)}")


class Verdict(Note):
    """What the run says, and the guess beside it.

    JupyterLab shows the first line of a folded output, and GitHub all of it: so both give nothing away, and without a
    guess the rest is folded.
    """

    options: tuple[str, ...]
    first: str  # the guess, or ""
    actual: str

    def __new__(cls, sentence: str, options: tuple[str, ...], first: str, actual: str):
        self = super().__new__(cls, sentence)
        self.options, self.first, self.actual = options, first, actual
        return self

    def as_html(self) -> str:
        shown = f"{row(self.options, self.first, self.actual)}<div>{html.escape(self, quote=False)}</div>"
        if not self.first:
            shown = f"<details><summary>The run's answer: open it after your guess</summary>{shown}</details>"
        return f"Your guess and the run:\n{framed(shown)}"


def framed(inside: str) -> str:
    return f'<div style="{FRAME}">{inside}</div>'


def row(options: tuple[str, ...], guessed: str = "", actual: str = "") -> str:
    """The options side by side; below the guess and the outcome stands what they are."""
    items = "".join(item(option, guessed, actual) for option in options)
    return f'<ul style="list-style: none; margin: 4px 0; padding: 0">{items}</ul>'


def item(option: str, guessed: str, actual: str) -> str:
    roles = [word for word, one in (("your guess", guessed), ("the run", actual)) if one == option]
    style = OPTION + GUESSED * (option == guessed) + HAPPENED * (option == actual)
    below = f"<br><small>{' = '.join(roles)}</small>" if roles else ""
    return f'<li style="{style}">{html.escape(option, quote=False)}{below}</li>'
