"""grade(): run an exercise's checks on an answer, and say what it did, why that is wrong and where to look.

A question is a class in checks/NAME.py. Its `answers` lists what grade() wants: the signature of a function,
or a tuple of options to choose from. Its checks are functions marked @check, run from top to bottom.
"""

import contextlib
import importlib
import io
import pkgutil
import random
import re
import sys
import warnings
import zlib
from dataclasses import dataclass

from .answer import Answer, NotDone, Wrong, describe
from .card import html_card, text_card
from .results import keep

__all__ = ["GradingError", "NotDone", "Record", "Score", "Wrong", "check", "grade"]


class GradingError(ValueError):
    """grade() or predict() was called wrongly: IPython shows the sentence alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class Record:
    """How one check went; state is "pass", "fail" or "to do"."""

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

    def __new__(cls, exercise: str, feedback: list[Record]):
        self = super().__new__(cls, sum(record.points for record in feedback if record.passed))
        self.exercise, self.feedback = exercise, feedback
        self.possible = float(sum(record.points for record in feedback))
        return self

    def __repr__(self) -> str:
        return f"{float(self):g}"

    def __str__(self) -> str:
        return text_card(self)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": html_card(self)}

    def __reduce__(self):
        return Score, (self.exercise, self.feedback)


def check(title: str, points: int | float = 1):
    """Mark a function of a question's class as a check worth so many points."""

    def mark(function):
        function.title, function.points = title, points
        return staticmethod(function)

    return mark


def grade(exercise: str | None = None, *answers, **named) -> Score:
    """Run the checks of an exercise, e.g. grade("02_attention.softmax", softmax), and keep the best points so far."""
    if exercise is None or named:
        raise GradingError('Give the name and then the answer itself: grade("02_attention.softmax", softmax).')
    module, name = find(exercise, "question", questions)
    question = questions(module)[name]
    answers = accept(exercise, question.answers, answers)
    about = getattr(module, "MISCONCEPTIONS", {})
    score = Score(exercise, [run(function, answers, about) for function in checks(question)])
    keep(key_of(module, name), score)
    return score


def run(function, answers: list, about: dict[str, str]) -> Record:
    """Run one check, quietly and under its own seed."""
    title, points = function.title, function.points
    try:
        with undisturbed(seed=zlib.crc32(title.encode())):
            function(*answers)
    except KeyboardInterrupt:
        raise
    except NotDone as error:
        return Record(title, points, "to do", f"Not done yet: {error}")
    except Wrong as error:
        message = "\n".join(filter(None, [str(error), error.__cause__ and describe(error.__cause__, hints=False)]))
        misconception = error.misconception
        return Record(title, points, "fail", message, misconception, about.get(misconception, ""))
    except BaseException as error:  # a broken answer may raise anything, SystemExit too
        return Record(title, points, "fail", describe(error))
    return Record(title, points, "pass")


def find(exercise: str, kind: str, names) -> tuple:
    """The lesson's module and the name, from "02_attention.softmax"; names(module) are the valid ones."""
    if not isinstance(exercise, str):
        kind = type(exercise).__name__
        raise GradingError(f'The first argument is a name such as "02_attention.softmax"; got a {kind}.')
    lesson, _, name = exercise.strip().partition(".")
    lesson = re.sub(r"^\d+_", "", lesson)
    modules = lessons()
    if lesson not in modules:
        having = [found for found in modules.values() if names(found)]
        for module in having:
            if not name and lesson in names(module):
                raise GradingError(f"Name the lesson too: write {module.LESSON}.{lesson}.")
        listed = ", ".join(module.LESSON for module in having)
        raise GradingError(f"There is no lesson {lesson!r}; the lessons with a {kind} are {listed}.")
    module = modules[lesson]
    if name not in names(module):
        valid = ", ".join(names(module)) or "none so far"
        raise GradingError(f"Lesson {lesson!r} has no {kind} {name!r}; it has: {valid}.")
    return module, name


def key_of(module, name: str) -> str:
    """How the learner's record names a question or a prediction: without the lesson's number, which may change."""
    return f"{module.__name__.rpartition('.')[2]}.{name}"


def lessons() -> dict:
    """The module of each lesson, in the order of the course."""
    folder = importlib.import_module(f"{__package__}.checks")
    found = [info.name for info in pkgutil.iter_modules(folder.__path__)]
    found = [name for name in found if name != "common" and not name.startswith("_")]
    modules = {name: importlib.import_module(f"{folder.__name__}.{name}") for name in found}
    return dict(sorted(modules.items(), key=lambda item: item[1].LESSON))


def questions(module) -> dict[str, type]:
    """The questions of a lesson, in the order of its exercise notebook."""
    return {name: getattr(module, name) for name in getattr(module, "__all__", ())}


def checks(question: type) -> list:
    found = [getattr(value, "__func__", value) for value in vars(question).values()]
    return [function for function in found if hasattr(function, "points")]


def accept(exercise: str, wanted: tuple, answers: tuple) -> list:
    """The answers, functions wrapped; one sentence if there are too few, too many, or one is no function."""
    words = [want if isinstance(want, str) else "one of " + ", ".join(map(repr, want)) for want in wanted]
    if len(answers) != len(wanted):
        raise GradingError(
            f"{exercise} wants {len(wanted)} answer{'s' * (len(wanted) > 1)} after its name: {'; '.join(words)}; "
            f"got {len(answers)}."
        )
    for want, word, answer in zip(wanted, words, answers, strict=True):
        if callable(answer) and isinstance(want, tuple):
            raise GradingError(f"{exercise}: a function came where {word} is wanted; the order is: {'; '.join(words)}.")
    return [accept_one(exercise, want, answer) for want, answer in zip(wanted, answers, strict=True)]


def accept_one(exercise: str, want, answer):
    """A function wrapped, a choice as it is."""
    if not isinstance(want, str):
        return answer
    name = want.split("(")[0]
    if answer is not None and not callable(answer):
        how = "quotation marks" if isinstance(answer, str) else "brackets after it"
        raise GradingError(
            f"{exercise} wants the function {want} itself; got a {type(answer).__name__}: "
            f"write its name, {name}, without {how}."
        )
    return Answer(answer, want)


@contextlib.contextmanager
def undisturbed(seed: int):
    """Silence stderr and warnings, seed every generator, and put every global state back afterwards."""
    with contextlib.ExitStack() as after:
        after.callback(random.setstate, random.getstate())
        random.seed(seed)
        if numpy := sys.modules.get("numpy"):
            after.callback(numpy.random.set_state, numpy.random.get_state())
            numpy.random.seed(seed)
        if torch := sys.modules.get("torch"):
            after.callback(torch.set_rng_state, torch.get_rng_state())
            after.callback(torch.set_num_threads, torch.get_num_threads())
            after.callback(torch.set_default_dtype, torch.get_default_dtype())
            after.callback(torch.set_grad_enabled, torch.is_grad_enabled())
            after.callback(torch.autograd.set_detect_anomaly, torch.is_anomaly_enabled())
            determined, warn = (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            )
            after.callback(torch.use_deterministic_algorithms, determined, warn_only=warn)
            torch.default_generator.manual_seed(seed)
            torch.set_num_threads(1)  # tensors here are tiny: more threads would only wait for one another
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
            after.enter_context(torch.inference_mode(False))
            after.enter_context(torch.autocast("cpu", enabled=False))
            after.enter_context(torch.device("cpu"))
        after.enter_context(contextlib.redirect_stderr(io.StringIO()))
        after.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield
