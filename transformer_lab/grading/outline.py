"""What each lesson asks and what it is worth, read from the checks' files: nothing is run, so no torch is needed."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKS = Path(__file__).parent / "checks"


@dataclass(frozen=True)
class Outline:
    """A lesson's name as learners write it; the points of each question; the options of each prediction."""

    lesson: str
    questions: dict[str, int | float]
    predictions: dict[str, tuple]


def lesson_names() -> list[str]:
    """The names of the lessons' files."""
    names = sorted(path.stem for path in CHECKS.glob("*.py"))
    return [name for name in names if name != "common" and not name.startswith("_")]


def outlines() -> dict[str, Outline]:
    """The outline of each lesson by the name of its file, in the order of the course."""
    found = {name: outline(name) for name in lesson_names()}
    parsed.cache_clear()  # syntax trees are large
    return dict(sorted(found.items(), key=lambda item: item[1].lesson))


def outline(lesson: str) -> Outline:
    questions = {name: points(lesson, name) for name in value_of(lesson, "__all__") or ()}
    return Outline(value_of(lesson, "LESSON"), questions, value_of(lesson, "PREDICTIONS") or {})


def value_of(file: str, name: str):
    """What a file sets a name to: written there, or taken from another (NAME = file.NAME); None where it does not."""
    for node in parsed(file):
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
            if isinstance(node.value, ast.Attribute):
                return value_of(ast.unparse(node.value.value), node.value.attr)
            return ast.literal_eval(node.value)
    return None


def points(file: str, question: str) -> int | float:
    """The sum of what the question's checks are worth: @check("title", points) above its functions."""
    for node in parsed(file):
        if isinstance(node, ast.ImportFrom) and question in [alias.name for alias in node.names]:
            return points(node.module, question)
        if isinstance(node, ast.ClassDef) and node.name == question:
            marks = [mark for function in ast.walk(node) for mark in getattr(function, "decorator_list", ())]
            return sum(worth(mark) for mark in marks if ast.unparse(mark).startswith("check("))
    raise LookupError(f"{file}.py has no question {question}.")


def worth(mark: ast.Call) -> int | float:
    given = mark.args[1:] + [keyword.value for keyword in mark.keywords if keyword.arg == "points"]
    return ast.literal_eval(given[0]) if given else 1


@cache
def parsed(file: str) -> list[ast.stmt]:
    return ast.parse((CHECKS / f"{file}.py").read_text(encoding="utf-8")).body
