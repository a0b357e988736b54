"""Each lesson's questions and points, parsed from the checks' files without running them, so without torch."""

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
    """The names of the lessons' folders."""
    return sorted(path.parent.name for path in CHECKS.glob("*/__init__.py"))


@cache
def outlines() -> dict[str, Outline]:
    """The outline of each lesson by the name of its folder, in the order of the course."""
    found = {name: outline(name) for name in lesson_names()}
    parsed.cache_clear()  # syntax trees are large
    return dict(sorted(found.items(), key=lambda item: item[1].lesson))


def outline(lesson: str) -> Outline:
    questions = {name: points(lesson, name) for name in value_of(lesson, "__all__") or ()}
    return Outline(value_of(lesson, "LESSON"), questions, value_of(lesson, "PREDICTIONS") or {})


def value_of(lesson: str, name: str, file: str = "__init__"):
    """Return the literal that a file assigns to a name, itself or via another file (NAME = file.NAME), else None."""
    for node in parsed(lesson, file):
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
            if isinstance(node.value, ast.Attribute):
                return value_of(lesson, node.value.attr, ast.unparse(node.value.value))
            return ast.literal_eval(node.value)
    return None


def points(lesson: str, question: str, file: str = "__init__") -> int | float:
    """Sum the points of the question's checks, from `@check("title", points)` and `class X(snippets(..., points))`."""
    for node in parsed(lesson, file):
        if isinstance(node, ast.ImportFrom) and question in [alias.name for alias in node.names]:
            return points(lesson, question, node.module or "")
        if isinstance(node, ast.ClassDef) and node.name == question:
            marks = [mark for function in ast.walk(node) for mark in getattr(function, "decorator_list", ())]
            marks += node.bases
            return sum(worth(mark) for mark in marks if ast.unparse(mark).startswith(("check(", "snippets(")))
    raise LookupError(f"{lesson}/{file}.py has no question {question}.")


def worth(mark: ast.Call) -> int | float:
    given = mark.args[1:] + [keyword.value for keyword in mark.keywords if keyword.arg == "points"]
    return ast.literal_eval(given[0]) if given else 1


@cache
def parsed(lesson: str, file: str) -> list[ast.stmt]:
    return ast.parse((CHECKS / lesson / f"{file}.py").read_text(encoding="utf-8")).body
