"""What an answer with full marks gets: a sentence on what it can do beyond the question, and where to go on."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..exercise_files import PRISTINE
from .outline import lesson_names, value_of

START = "00_start_here"


@dataclass(frozen=True)
class Onward:
    """A sentence of insight, and the words and the target of a link that works in the exercise notebook."""

    insight: str
    words: str
    link: str


def onward(module, question: str) -> Onward:
    """Return the insight of a question of a lesson, with a link to the next question or, after the last, lesson."""
    names = list(module.__all__)
    following = names[names.index(question) + 1 :]
    words, link = next_question(module.LESSON, following[0]) if following else next_lesson(module.LESSON)
    return Onward(module.INSIGHTS.get(question, ""), words, link)


def next_question(lesson: str, question: str) -> tuple[str, str]:
    """Return the heading above a question's check, and JupyterLab's link to it."""
    notebook = json.loads((PRISTINE / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    heading = ""
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and text.startswith("## "):
            heading = text.splitlines()[0].removeprefix("## ")
        if f'grade("{lesson}.{question}"' in text:
            break
    return heading, "#" + heading.replace(" ", "-")


def next_lesson(lesson: str) -> tuple[str, str]:
    """Return the name of the lesson after this one, or of the start after the last, and the link to its notebook."""
    lessons = sorted(value_of(name, "LESSON") for name in lesson_names())
    name = [*lessons, START][lessons.index(lesson) + 1]
    number, _, title = name.partition("_")
    return f"Lesson {number}: {title.replace('_', ' ')}", f"../../{Path('notebooks', name).as_posix()}.ipynb"
