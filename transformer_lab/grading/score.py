"""grade(): run an exercise's checks on an answer, and explain what it did, why that is wrong and where to look."""

import importlib
import re
import zlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ..sentences import kind_of
from .answer import Answer, describe, plain
from .card import html_card, text_card
from .checking import NotDone, Wrong
from .faults import internal_error_report, is_ours
from .limit import TimeIsUp, limited
from .onward import Onward, onward
from .originals import learn, originals
from .outline import lesson_names
from .results import keep
from .undisturbed import ONE_AT_A_TIME, undisturbed
from .unrun import unrun_cell

BASE_SEED: ContextVar[int] = ContextVar("base seed", default=0)  # another one: the checks draw other inputs
SECONDS = 10.0  # of CPU time for a check: several times what the slowest right answer takes on a slow machine


class GradingError(ValueError):
    """grade() or predict() was called wrongly: IPython shows the sentence alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class CheckResult:
    """The result of one check; state is "pass", "fail", "to do", or "error" if the check itself failed."""

    check: str
    points: int | float
    state: str
    message: str = ""
    misconception: str | None = None
    about: str = ""  # the misconception in words

    @property
    def passed(self) -> bool:
        return self.state == "pass"


class Score(float):
    """The points earned: its repr is the bare number, which nbgrader reads; its HTML and its str() are the card."""

    exercise: str
    feedback: list[CheckResult]
    possible: float
    note: str  # on what was graded, or nothing
    onward: Onward | None  # with full marks

    def __new__(cls, exercise: str, feedback: list[CheckResult], note: str = "", onward: Onward | None = None):
        self = super().__new__(cls, sum(result.points for result in feedback if result.passed))
        self.exercise, self.feedback, self.note = exercise, feedback, note
        self.possible = float(sum(result.points for result in feedback))
        self.onward = onward if self == self.possible else None
        return self

    def __repr__(self) -> str:
        return f"{float(self):g}"

    def __str__(self) -> str:
        return text_card(self)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": html_card(self)}

    def __reduce__(self):
        return Score, (self.exercise, self.feedback, self.note, self.onward)


def grade(exercise: str | None = None, *answers, **named) -> Score:
    """Run the checks of an exercise, e.g. grade("02_attention.softmax", softmax), and keep the best points so far."""
    if exercise is None or named:
        raise GradingError('Give the name and then the answer itself: grade("02_attention.softmax", softmax).')
    with ONE_AT_A_TIME:
        module, name = find(exercise, "question", questions)
        question = questions(module)[name]
        accepted = accept(exercise, question.answers, answers)
        about = getattr(module, "MISCONCEPTIONS", {})
        learn()
        feedback = [run(function, accepted, about) for function in checks(question)]
        score = Score(exercise, feedback, unrun_cell(), onward(module, name))
        keep(key_of(module, name), score)
        return score


def run(function, answers: list, about: dict[str, str]) -> CheckResult:
    """Run one check silently, with its own seed, a time limit, and the original functions in force."""
    title, points = function.title, function.points
    functions = [answer for answer in answers if isinstance(answer, Answer)]
    for answer in functions:
        answer.arguments = None
    try:
        judge(function, answers, zlib.crc32(title.encode(), BASE_SEED.get()), SECONDS)
    except KeyboardInterrupt:
        raise
    except NotDone as error:
        return CheckResult(title, points, "to do", f"Not done yet: {error}")
    except Wrong as error:
        cause = describe(error.__cause__, hints=False) if error.__cause__ else ""
        message = "\n".join(filter(None, [str(error), cause]))
        misconception = error.misconception
        return CheckResult(title, points, "fail", message, misconception, about.get(misconception or "", ""))
    except BaseException as error:  # a broken answer may raise anything, SystemExit too
        if is_ours(error):
            return CheckResult(title, points, "error", internal_error_report(error))
        if isinstance(error, TimeIsUp):
            stop(error, functions)
        return CheckResult(title, points, "fail", describe(error))
    return CheckResult(title, points, "pass")


def stop(error: TimeIsUp, functions: list[Answer]) -> None:
    """Stop calling the answers that this check had called when time was up."""
    for answer in functions:
        if answer.arguments is not None and answer.stopped is None:
            answer.stopped = error
            error.add_note(answer.how_called())


def judge(function, answers: list, seed: int, seconds: float) -> None:
    """Run a check. What it draws is its own; the generators that the answer may use have a seed of theirs."""
    from .draw import draw  # only now: it loads torch

    draw.begin(seed)
    with undisturbed(zlib.crc32(b"the answer", seed)), originals():
        limited(seconds, function, *answers)


def find(exercise: str, kind: str, names) -> tuple:
    """Look up "02_attention.softmax": return the lesson's module and the name, which must be in names(module)."""
    if not isinstance(exercise, str):
        kind = type(exercise).__name__
        raise GradingError(f'The first argument is a name such as "02_attention.softmax"; got a {kind}.')
    lesson, _, name = exercise.strip().partition(".")
    lesson = re.sub(r"^\d+_", "", lesson)
    if lesson not in lesson_names():
        having = [found for found in lessons().values() if names(found)]
        for module in having:
            if not name and lesson in names(module):
                raise GradingError(f"Name the lesson too: write {module.LESSON}.{lesson}.")
        listed = ", ".join(module.LESSON for module in having)
        raise GradingError(f"There is no lesson {lesson!r}; the lessons with a {kind} are {listed}.")
    module = load(lesson)
    if name not in names(module):
        valid = ", ".join(names(module)) or "none so far"
        raise GradingError(
            f"Lesson {lesson!r} has no {kind} {name!r}; it has: {valid}.{of_another_version(kind, module.LESSON)}"
        )
    return module, name


def key_of(module, name: str) -> str:
    """Return a question's or prediction's key in the record: without the lesson's number, which may change."""
    return f"{module.__name__.rpartition('.')[2]}.{name}"


def load(lesson: str):
    """The module of one lesson."""
    try:
        return importlib.import_module(f"{__package__}.checks.{lesson}")
    except (ImportError, OSError) as error:
        raise GradingError(
            f"The checks of lesson {lesson!r} could not be loaded, which is no fault of your answer: {error}. "
            "Install the course's packages again (README.md says how)."
        ) from error


def lessons() -> dict:
    """The module of each lesson, in the order of the course."""
    modules = {name: load(name) for name in lesson_names()}
    return dict(sorted(modules.items(), key=lambda item: item[1].LESSON))


def questions(module) -> dict[str, Any]:
    """The questions of a lesson, in the order of its exercise notebook."""
    return {name: getattr(module, name) for name in getattr(module, "__all__", ())}


def checks(question: type) -> list:
    """The checks of a question in the order in which they run: those of its base class come first."""
    found = [getattr(value, "__func__", value) for base in reversed(question.__mro__) for value in vars(base).values()]
    return [function for function in found if hasattr(function, "points")]


def accept(exercise: str, wanted: tuple, answers: tuple) -> list:
    """Return the answers, functions wrapped; GradingError for a wrong number of answers or a wrong type."""
    words = [described(want) for want in wanted]
    if len(answers) != len(wanted):
        raise GradingError(
            f"{exercise} wants {len(wanted)} answer{'s' * (len(wanted) > 1)} after its name: {'; '.join(words)}; "
            f"got {len(answers)}.{of_another_version('question', exercise.strip().partition('.')[0])}"
        )
    for want, word, answer in zip(wanted, words, answers, strict=True):
        if callable(answer) and not isinstance(want, str):
            raise GradingError(f"{exercise}: got a function where {word} is wanted; the order is: {'; '.join(words)}.")
    return [accept_one(exercise, want, answer) for want, answer in zip(wanted, answers, strict=True)]


def described(want) -> str:
    """Describe what is wanted: a function's signature, a choice from a tuple of options, or a Diagnosis."""
    return "one of " + ", ".join(map(repr, want)) if isinstance(want, tuple) else str(want)


def of_another_version(kind: str, lesson: str) -> str:
    """Return advice for a call in an old exercise notebook: questions may have changed since it was made."""
    if kind != "question":
        return ""
    return (
        f" If the notebook itself makes this call, it is of another version: `make reset LESSON={lesson}` "
        "gives you this "
        "version's exercises and keeps your answers next to them."
    )


def accept_one(exercise: str, want, answer):
    """Wrap a function in Answer; return a choice unchanged."""
    if not isinstance(want, str):
        return plain(answer)
    name = want.split("(")[0]
    if answer is not None and not callable(answer):
        how = "quotation marks" if isinstance(answer, str) else "brackets after it"
        raise GradingError(
            f"{exercise} wants the function {want} itself; got {kind_of(answer)}: "
            f"write its name, {name}, without {how}."
        )
    return Answer(answer, want)
