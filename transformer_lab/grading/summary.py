"""my_progress(): a line for each lesson, from what grade() and predict() have kept on this machine."""

import html
import io
from dataclasses import dataclass

from .guess_card import Note
from .outline import Outline, outlines
from .predictions import GUESSES, LATE, RUNS
from .results import RESULTS
from .store import folder

HEADINGS = ("lesson", "tried", "done", "questions", "points", "guesses", "borne out")
OFF = "Nothing is recorded: TRANSFORMER_LAB_PROGRESS is off."
EMPTY = (
    "Nothing is recorded yet. Open an exercise, such as exercises/02_attention/attention.ipynb, write an answer and "
    "run the locked cell below it; or make a guess in a lesson."
)
LEFT, RIGHT = "text-align: left; padding: 2px 10px", "text-align: right; padding: 2px 10px"


@dataclass(frozen=True)
class Line:
    """A lesson's questions (tried, with full marks, all), points (so far, all), guesses (made, borne out, run, all)."""

    lesson: str
    tried: int
    done: int
    questions: int
    points: int | float
    possible: int | float
    guesses: int
    borne_out: int
    run: int  # predictions whose outcome is known, guessed or not
    predictions: int

    def cells(self) -> tuple[str, ...]:
        """What stands below HEADINGS."""
        points = f"{self.points:g} of {self.possible:g}"
        numbers = self.tried, self.done, self.questions, points, self.guesses, self.borne_out
        return self.lesson, *map(str, numbers)


class Summary:
    """The lines as a table, in text and HTML, with notes on where they are stored and what could not be read."""

    def __init__(self, lines: list[Line], notes: list[str]):
        self.lines = lines
        self.notes = [f"Kept in {folder()}, and nowhere else.", *notes]

    def __repr__(self) -> str:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for heading in HEADINGS:
            table.add_column(heading, justify="left" if heading == "lesson" else "right", no_wrap=True)
        for line in self.lines:
            table.add_row(*line.cells())
        text = io.StringIO()
        # In a notebook rich would show the table itself, and in colour, so that it would be seen twice.
        Console(file=text, width=100, force_jupyter=False, force_terminal=False).print(table)
        return "\n".join([*(line.rstrip() for line in text.getvalue().splitlines()), "", *self.notes])

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        head = html_row(HEADINGS, 'th scope="col"')
        body = "".join(html_row(line.cells(), "td") for line in self.lines)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
        return {"text/plain": repr(self), "text/html": table + notes}


def html_row(values: tuple, tag: str) -> str:
    """A row of the table; its first cell says whose row it is."""
    first, *rest = (html.escape(str(value)) for value in values)
    scope = "col" if tag.startswith("th") else "row"
    cells = [f'<th scope="{scope}" style="{LEFT}">{first}</th>']
    cells += [f'<{tag} style="{RIGHT}">{value}</{tag[:2]}>' for value in rest]
    return f"<tr>{''.join(cells)}</tr>"


def my_progress() -> Summary | Note:
    """Show what you have done so far, a line for each lesson, or a sentence if nothing is recorded."""
    if folder() is None:
        return Note(OFF)
    lines = all_lines()
    unread = [sentence for store in (RESULTS, GUESSES, LATE, RUNS) if (sentence := store.unread())]
    if any(line.tried or line.guesses for line in lines):
        return Summary(lines, unread)
    return Note("\n".join(unread) or EMPTY)


def all_lines() -> list[Line]:
    """A line for each lesson, in the order of the course."""
    return [line_of(name, outline) for name, outline in outlines().items()]


def line_of(name: str, outline: Outline) -> Line:
    """Make one lesson's line; records of questions that no longer exist do not count."""
    possible = {f"{name}.{question}": points for question, points in outline.questions.items()}
    # While recording is off, what this process alone knows does not count.
    results, guesses, runs = (store.read() if folder() else {} for store in (RESULTS, GUESSES, RUNS))
    # An old best may exceed the points that a question is worth today.
    earned = {question: min(results[question]["best"], possible[question]) for question in possible.keys() & results}
    guessed = {f"{name}.{prediction}" for prediction in outline.predictions} & guesses.keys()
    return Line(
        outline.lesson,
        tried=len(earned),
        done=sum(points == possible[question] for question, points in earned.items()),
        questions=len(possible),
        points=sum(earned.values()),
        possible=sum(possible.values()),
        guesses=len(guessed),
        borne_out=sum(guesses[question] == runs.get(question) for question in guessed),
        run=sum(f"{name}.{prediction}" in runs for prediction in outline.predictions),
        predictions=len(outline.predictions),
    )
