"""The source notebooks of a class: the course's exercises, each check followed by a hidden one that carries the points.

Points stay what the learner sees: the visible check becomes a locked cell without points, and the hidden one, the same
checks on unseen inputs, earns them.
"""

import ast

import nbformat

from ..exercise_files import PRISTINE

HIDDEN = "-hidden"
FIRST_LINE = "# Here your teacher's copy of this notebook runs the same checks, on inputs that nobody has seen."
BODY = """{first}
### BEGIN HIDDEN TESTS
from transformer_lab.classroom.hidden import grade

{call}
### END HIDDEN TESTS"""


def assignments() -> list[str]:
    """The names of all lessons with exercises, such as "02_attention", in the order of the course."""
    return sorted(path.stem for path in PRISTINE.glob("[0-9][0-9]_*.ipynb"))


def named(lesson: str) -> str:
    """The full name of a lesson given as "02", "2", "attention" or "02_attention"; ValueError lists the names."""
    for name in assignments():
        if lesson in (name, name[:2], name[:2].lstrip("0"), name[3:]):
            return name
    raise ValueError(f"There are no exercises called {lesson!r}; there are {', '.join(assignments())}.")


def notebook_name(assignment: str) -> str:
    """The name of an assignment's notebook, without .ipynb: "attention" for "02_attention"."""
    return assignment.partition("_")[2]


def source(assignment: str):
    """An assignment's source notebook."""
    notebook = nbformat.read(PRISTINE / f"{assignment}.ipynb", as_version=4)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        told = cell.metadata.get("nbgrader")
        if told and told["grade"]:
            cells.append(hidden_cell(cell))
            told["grade"] = False
            del told["points"]
    notebook.cells = cells
    notebook.metadata["transformer_lab"]["assignment"] = assignment
    return notebook


def hidden_cell(check):
    """The hidden cell of a check cell."""
    told = dict(check.metadata["nbgrader"])
    told["grade_id"] = told["grade_id"].removesuffix("-check") + HIDDEN
    told.pop("checksum", None)
    call = ast.unparse(ast.parse(check.source).body[-1])
    cell = nbformat.v4.new_code_cell(BODY.format(first=FIRST_LINE, call=call), metadata={**check.metadata})
    cell.metadata["nbgrader"] = nbformat.from_dict(told)
    cell.id = f"{check.id}h"
    return cell


def question_of(cell) -> str:
    """The question that a check cell grades, such as "02_attention.softmax"."""
    call = ast.parse(cell.source).body[-1].value
    return ast.literal_eval(call.args[0])
