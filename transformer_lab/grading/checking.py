"""The tools for writing checks: @check marks a check, Wrong fails it, NotDone means there is no answer yet.

A question is a class in checks/LESSON/QUESTION.py. Its `answers` lists what grade() wants: the signature of a function,
a tuple of options to choose from, or a Diagnosis of broken snippets. Its checks are functions marked @check, which run
from top to bottom.
"""


class Wrong(AssertionError):
    """Raised by a check that fails: what the answer did, why that is wrong, where to look, and the misconception."""

    def __init__(self, message: str, misconception: str | None = None):
        super().__init__(message)
        self.misconception = misconception


class NotDone(NotImplementedError):
    """The learner has not answered yet."""


def check(title: str, points: int | float = 1):
    """Mark a function of a question's class as a check worth this many points."""

    def mark(function):
        function.title, function.points = title, points
        return staticmethod(function)

    return mark
