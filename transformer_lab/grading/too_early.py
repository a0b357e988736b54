"""A check cell that is run before the cells of its answer gets a card that says so, not a NameError's traceback."""

import ast
import sys

from .score import CheckResult, GradingError, Score, checks, find, questions
from .unrun import calls_of_grade, graded_names, inputs, last_cell, syntax_error


def explain_missing_answers() -> None:
    """Have IPython, if this is it, show a card for a check cell whose answer has no name yet."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell and not shell.custom_exceptions:  # a handler of the learner's own stays
        shell.set_custom_exc((NameError,), explain)


def explain(shell, kind, error, traceback, tb_offset=None) -> None:
    """Show the card as the cell's result, since nbgrader reads the points there; any other NameError as ever."""
    _, check = (inputs() or [("", "")])[-1]
    score = not_yet(check, shell.user_ns) if error.name in graded_names(check) else None
    if score is None:
        shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
    else:
        shell.displayhook(score)


def not_yet(check: str, names: dict) -> Score | None:
    """Return the score of a check cell whose answers are not all there, or None if its grade() names no question."""
    (exercise, *_) = calls_of_grade(check)[0].args
    try:
        module, name = find(ast.literal_eval(exercise), "question", questions)
    except (GradingError, ValueError):
        return None
    feedback = [CheckResult(function.title, function.points, "to do") for function in checks(questions(module)[name])]
    missing = [answer for answer in graded_names(check) if answer not in names]
    return Score(f"{module.LESSON}.{name}", feedback, " ".join(map(why, missing)) + " Then run this cell again.")


def why(name: str) -> str:
    """Say what to do about an answer that does not exist."""
    cell = last_cell(name)
    if cell is None:
        return f"There is no `{name}` yet: run the cell of your answer, which defines it."
    if error := syntax_error(cell):
        told = f"{type(error).__name__} in line {error.lineno}, {error.msg}"
        return f"There is no `{name}` yet: its cell did not run ({told}). Mend it and run it."
    return f"There is no `{name}` yet: its cell stopped before that, with the error shown there. Mend it and run it."
