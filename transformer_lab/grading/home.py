"""course_home(): the map of the course with what is done of each lesson, and where to go on.

It reads the records that my_progress() reads. Titles and minutes come from the heads of the lessons' notebooks.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from ..files import read_json
from ..viz.browser_files import sheet
from .store import folder
from .summary import Line, all_lines

# pathLength: the circle is 100 units long, so that a share in per cent is a length.
RING = (
    '<span class="ring"><svg viewBox="0 0 64 64" aria-hidden="true"><circle cx="32" cy="32" r="28" class="whole"/>'
    '<circle cx="32" cy="32" r="28" class="done" pathLength="100" stroke-dasharray="{done:.1f} 200"/></svg>'
    "<b>{number}</b></span>"
)

BETWEEN = '<span class="between"> · </span>'  # on the map a new line begins here


@dataclass(frozen=True)
class Stop:
    """A lesson on the map: its line of the record, and what stands in the head of its notebook."""

    line: Line
    title: str
    minutes: int | None
    notebook: str
    exercises: str

    @property
    def number(self) -> str:
        return self.line.lesson.partition("_")[0]

    @property
    def name(self) -> str:
        return f"{self.number} {self.title}"

    @property
    def share(self) -> float:
        """What is done of the lesson, from 0 to 1: a guess counts as much as a point."""
        return (self.line.points + self.line.guesses) / ((self.line.possible + self.line.predictions) or 1)

    @property
    def is_begun(self) -> bool:
        return bool(self.line.tried or self.line.guesses or self.line.run)

    @property
    def is_read(self) -> bool:
        return self.line.run == self.line.predictions

    @property
    def is_done(self) -> bool:
        """Is it read, and are its exercises solved? A guess that was not made in time is lost, and holds nobody up."""
        return self.is_read and self.line.done == self.line.questions

    def details(self) -> list[str]:
        """Points, guesses and minutes, in words: what is done of them once the lesson is begun, and what there is."""
        line = self.line
        counts = (line.points, line.possible, "point"), (line.guesses, line.predictions, "guess")
        words = [f"{so_far:g} of " * self.is_begun + count(whole, what) for so_far, whole, what in counts if whole]
        return words + [f"{self.minutes} minutes"] * (self.minutes is not None)

    def where(self) -> tuple[str, str]:
        """The notebook to go on with, as (words, path): the lesson, or once that is read, its exercises."""
        return (f"the exercises of {self.name}", self.exercises) if self.is_read else (self.name, self.notebook)


class CourseHome:
    """The map, in text and HTML: `stops` are the lessons, `next` is where to go on, or None when all is done."""

    def __init__(self, stops: list[Stop]):
        self.stops, self.next = stops, next_stop(stops)

    def __repr__(self) -> str:
        width = max(len(stop.name) for stop in self.stops)
        lines = [f"{stop.name:<{width}}  {bar(stop.share)}  {', '.join(stop.details())}" for stop in self.stops]
        to_next = " {} ({})".format(*self.next.where()) if self.next else ""
        return "\n".join([self.advice() + to_next, "", *lines, "", self.tally(), kept()])

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.as_html()}

    def advice(self) -> str:
        """Where to go on, in words."""
        if self.next is None:
            return "Every lesson is read and every exercise solved."
        if not any(stop.is_begun for stop in self.stops):
            return f"{len(self.stops)} lessons lie before you. Begin with"
        return "Go on where you left off:" if self.next.is_begun else "Go on with"

    def tally(self) -> str:
        """All points, guesses and hours."""
        lines = [stop.line for stop in self.stops]
        points = count(sum(line.possible for line in lines), "point")
        guesses = count(sum(line.predictions for line in lines), "guess")
        ahead = [stop for stop in self.stops if not stop.is_begun]
        if ahead == self.stops:
            return f"Before you: {points}, {guesses}{hours(ahead)}."
        earned, made = sum(line.points for line in lines), sum(line.guesses for line in lines)
        borne_out = sum(line.borne_out for line in lines)
        told = f"{earned:g} of {points}, {made} of {guesses} ({borne_out} right)"
        return f"{told}. Before you: {count(len(ahead), 'lesson')}{hours(ahead)}." if ahead else f"{told}."

    def as_html(self) -> str:
        to_next = link(*self.next.where()) if self.next else ""
        items = "".join(map(self.item, self.stops))
        return (
            f"<style>{sheet('course_home')}</style>"
            f'<div class="tl-widget tl-home"><p class="next">{self.advice()} {to_next}</p>'
            f'<ol style="list-style: none; padding: 0">{items}</ol>'
            f"<p>{self.tally()}</p><p><small>{escape(kept())}</small></p></div>"
        )

    def item(self, stop: Stop) -> str:
        """A lesson on the map: its ring, its title, and in small letters what is done of it."""
        ring = RING.format(done=100 * stop.share, number=stop.number)
        here = ' aria-current="step"' * (stop is self.next)
        exercises = [link("exercises", stop.exercises, about=stop.name)] if stop.line.questions else []
        return (
            f'<li><a href="{quote(stop.notebook)}"{here}>{ring} {escape(stop.title)}</a>'
            f" <small>{BETWEEN.join(['', *stop.details(), *exercises])}</small></li>"
        )


def hours(stops: list[Stop]) -> str:
    """The time that lessons take, exercises apart, in words that follow a comma; nothing if it is not known."""
    minutes = sum(stop.minutes or 0 for stop in stops)
    return f", {minutes / 60:.1f} hours of reading and running" if minutes else ""


def count(number: int | float, what: str) -> str:
    """1 guess, 2 guesses, 26 points."""
    return f"{number:g} {what}" + ("" if number == 1 else "es" if what.endswith("s") else "s")


def link(words: str, path: str, about: str = "") -> str:
    """A link; what it is about is for screen readers, where several links have the same words."""
    unseen = f'<span class="spoken"> of {escape(about)}</span>' if about else ""
    return f'<a href="{quote(path)}">{escape(words)}{unseen}</a>'


def next_stop(stops: list[Stop]) -> Stop | None:
    """The lesson begun last, in the order of the course, or the first unfinished one after it, or else any."""
    last = max((place for place, stop in enumerate(stops) if stop.is_begun), default=0)
    return next((stop for stop in [*stops[last:], *stops[:last]] if not stop.is_done), None)


def bar(share: float) -> str:
    """A share in ten characters; full only when all is done."""
    return f"[{'#' * int(10 * share):.<10}]"


def kept() -> str:
    if folder() is None:
        return "A ring fills with points and guesses, unless TRANSFORMER_LAB_PROGRESS is off."
    return f"A ring fills with points and guesses, which are kept in {folder()}, and nowhere else."


def course_home() -> CourseHome:
    """Show the map of the course: what is done of each lesson, where to go on, and all points, guesses and hours."""
    course = course_folder()
    return CourseHome([stop(line, course) for line in all_lines()])


def stop(line: Line, course: Path) -> Stop:
    name = line.lesson.partition("_")[2]
    notebook = course / "notebooks" / f"{line.lesson}.ipynb"
    exercises = course / "exercises" / line.lesson / f"{name}.ipynb"
    return Stop(line, *head(notebook, name), from_here(notebook), from_here(exercises))


def course_folder() -> Path:
    """The course's folder: the working directory or one above it, else where this package lies."""
    for place in (Path.cwd(), *Path.cwd().parents):
        if (place / "notebooks" / "00_start_here.ipynb").is_file():
            return place
    return Path(__file__).resolve().parents[2]


def from_here(path: Path) -> str:
    """The path relative to the working directory, which JupyterLab sets to the notebook's folder."""
    with suppress(ValueError):  # on Windows, from one drive to another
        return Path(os.path.relpath(path)).as_posix()
    return path.as_posix()


def head(notebook: Path, name: str) -> tuple[str, int | None]:
    """The title and the minutes that a lesson's first cell gives; if it cannot be read, its name and None."""
    text = ""
    with suppress(OSError, ValueError, LookupError, TypeError):
        text = "".join(read_json(notebook)["cells"][0]["source"])
    title, minutes = re.search(r"^# \d+ (.+)$", text, re.MULTILINE), re.search(r"About (\d+) minutes", text)
    return title[1] if title else name.replace("_", " ").capitalize(), int(minutes[1]) if minutes else None
