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
    *earlier, (_, check) = inputs() or [("", "")]
    for name in graded_names(check):
        writing = [code for raw, code in earlier if re.search(WRITES.format(name=name), raw, re.MULTILINE)]
        if writing and (error := syntax_error(writing[-1])):
            return (
                f"Your last cell for `{name}` did not run: {type(error).__name__} in line {error.lineno}, {error.msg}. "
                f"The `{name}` that is graded is the one from before."
            )
    return ""


def inputs() -> list[tuple[str, str]]:
    """Return each cell that this kernel was given, as it was written and as Python; the last is the one that runs."""
    ipython = sys.modules.get("IPython")
    history = getattr(ipython.get_ipython() if ipython else None, "history_manager", None)
    return list(zip(history.input_hist_raw, history.input_hist_parsed, strict=False)) if history else []


def graded_names(check: str) -> list[str]:
    """Return the names that a check cell hands to grade()."""
    if syntax_error(check):
        return []
    calls = [node for node in ast.walk(ast.parse(check)) if isinstance(node, ast.Call)]
    graded = [call.args for call in calls if ast.unparse(call.func) == "grade"]
    return [argument.id for arguments in graded for argument in arguments if isinstance(argument, ast.Name)]


def syntax_error(code: str) -> SyntaxError | None:
    """Return the error that stops this code before it runs, if there is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(code, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except SyntaxError as error:
            return error
    return None
