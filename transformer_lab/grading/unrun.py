"""A cell with a syntax error does not run, and the check below it grades the answer from before: this says so."""

import ast
import re
import sys
import warnings

# A cell writes a name that it defines, assigns or imports; its text is searched, for it may be no Python.
WRITES = (
    r"^[ \t]*(?:async +)?(?:def|class) +{name}\b"
    r"|^(?:[\w, ]*,)? *{name}\b(?: *,[\w, ]*)?(?: *:[^=\n]*)? *=(?!=)"
    r"|^[ \t]*(?:from|import)\b.*\b{name}\b"
)


def unrun_cell() -> str:
    """Return a sentence if the last cell that writes an answer of the running check cell did not run, else nothing."""
    _, check = (inputs() or [("", "")])[-1]
    for name in graded_names(check):
        cell = last_cell(name)
        if cell and (error := syntax_error(cell)):
            return (
                f"Your last cell for `{name}` did not run: {type(error).__name__} in line {error.lineno}, {error.msg}. "
                f"The `{name}` that is graded is the one from before."
            )
    return ""


def last_cell(name: str) -> str | None:
    """Return the last cell before the running one that writes this name, whether it ran or not."""
    writing = [code for raw, code in inputs()[:-1] if re.search(WRITES.format(name=name), raw, re.MULTILINE)]
    return writing[-1] if writing else None


def inputs() -> list[tuple[str, str]]:
    """Return each cell that this kernel was given, as it was written and as Python; the last is the one that runs."""
    ipython = sys.modules.get("IPython")
    history = getattr(ipython.get_ipython() if ipython else None, "history_manager", None)
    return list(zip(history.input_hist_raw, history.input_hist_parsed, strict=False)) if history else []


def graded_names(check: str) -> list[str]:
    """Return the names that a check cell hands to grade()."""
    arguments = [argument for call in calls_of_grade(check) for argument in call.args]
    return [argument.id for argument in arguments if isinstance(argument, ast.Name)]


def calls_of_grade(check: str) -> list[ast.Call]:
    """Return the calls of grade() in a cell."""
    if syntax_error(check):
        return []
    calls = [node for node in ast.walk(ast.parse(check)) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == "grade"]


def syntax_error(code: str) -> SyntaxError | None:
    """Return the error that stops this code before it runs, if there is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(code, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except SyntaxError as error:
            return error
    return None
