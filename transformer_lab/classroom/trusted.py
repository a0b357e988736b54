"""nbgrader's preprocessors round Execute: cells that can be trusted before it, verdicts that can be trusted after it.

What a submission says about its cells (which are locked, what they are worth, which question they belong to) is not
believed: everything but the learner's own text comes from the source notebook.
"""

import hashlib
import hmac
import json
import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.preprocessors import NbGraderPreprocessor

from ..grading.card import html_card
from ..grading.score import CheckResult, Score
from .course import key_of
from .hidden import MIME, seal
from .notebooks import HIDDEN, question_of

NOTE = "transformer_lab_class"  # the metadata that says how a notebook was graded
SKIP = "skip-execution"
SHOWN = "text/plain", "image/png", "image/jpeg"
LONGEST = 2000  # characters of a message


class TrustedCells(NbGraderPreprocessor):
    """Restore every cell that is not the learner's own: deleted, copied, edited, moved or renamed."""

    def preprocess(self, nb, resources):
        told = resources["nbgrader"]
        source = source_notebook(Path.cwd(), told["assignment"], told["notebook"])
        trusted = {id_of(cell): cell for cell in source.cells if id_of(cell)}
        hidden = [name for name in trusted if name and name.endswith(HIDDEN)]
        nb.metadata = nbformat.from_dict(source.metadata)
        nb.cells = [cell for cell in nb.cells if id_of(cell) not in hidden]
        last = {id_of(cell): index for index, cell in enumerate(nb.cells) if id_of(cell) in trusted}  # of copies
        for index, cell in enumerate(nb.cells):
            name = id_of(cell)
            cell.metadata = nbformat.from_dict({})
            if last.get(name) == index:
                restore(cell, trusted[name])
        texts = {cell.source: cell for cell in source.cells if cell.cell_type == "markdown"}
        nb.cells = [cell if cell.cell_type == "code" else texts.get(cell.source) or text_of(cell) for cell in nb.cells]
        self.insert(nb, source, hidden)
        return nb, resources

    def insert(self, nb, source, hidden: list[str]) -> None:
        """Put the hidden cell of each question after the last cell of that question that is there."""
        group: list[str] = []
        for cell in source.cells:
            name = id_of(cell)
            if name in hidden:
                there = [index for index, one in enumerate(nb.cells) if id_of(one) in group]
                nb.cells.insert(max(there, default=len(nb.cells) - 1) + 1, nbformat.from_dict(cell))
                group = []
            elif name:
                group.append(name)


def id_of(cell) -> str | None:
    """The name by which nbgrader knows a cell, or None."""
    told = cell.metadata.get("nbgrader")
    name = told.get("grade_id") if isinstance(told, dict) else None
    return name if isinstance(name, str) else None


def restore(cell, trusted) -> None:
    """Make a cell what it is in the source, except for the text of an answer."""
    told = trusted.metadata["nbgrader"]
    cell.metadata = nbformat.from_dict(trusted.metadata)
    cell.cell_type = trusted.cell_type
    if cell.cell_type == "code":
        cell.setdefault("outputs", [])
        cell.setdefault("execution_count", None)
    if told["locked"]:
        cell.source = trusted.source
        # The check that the learner saw has been run, by them; the hidden one decides.
        cell.metadata["tags"] = [SKIP]


def text_of(cell):
    """A learner's own Markdown as it was typed: rendered, its HTML and its links could act as the teacher's page."""
    fence = "`" * (2 + max((len(run) for run in re.findall("`+", cell.source)), default=1))
    return new_markdown_cell(f"{fence}\n{cell.source}\n{fence}", metadata=cell.metadata)


def source_notebook(root: Path, assignment: str, notebook: str):
    return nbformat.read(root / "source" / assignment / f"{notebook}.ipynb", as_version=4)


class Verdicts(NbGraderPreprocessor):
    """Replace what a check cell shows by its sealed verdict, drawn anew from its data; without one it earns nothing."""

    def preprocess(self, nb, resources):
        told = resources["nbgrader"]
        key = key_of(Path.cwd(), told["assignment"], told["student"])
        note = nb.metadata.setdefault(NOTE, {"stopped": "", "seconds": 0})
        verdicts = []  # in the order of the notebook
        for cell in nb.cells:
            if (id_of(cell) or "").endswith(HIDDEN):
                question = question_of(cell)
                verdict = sealed(cell, key, question) or missing(cell, question, note["stopped"])
                verdicts.append(verdict)
                cell.outputs = [shown(verdict)]
            elif cell.cell_type == "code":
                cell.execution_count = None  # a kernel may say anything here, and the pages show it as it is
                cell.outputs = [harmless(output) for output in cell.outputs]
        path = Path("submitted", told["student"], told["assignment"], f"{told['notebook']}.ipynb")
        nb.metadata[NOTE] = {**note, "submission": fingerprint(path), "verdicts": verdicts}
        return nb, resources


def harmless(output):
    """Of what a learner's cell showed, text and pictures: Formgrader would run scripts in HTML, or in metadata."""
    kind = output.output_type
    if kind == "stream":
        return new_output("stream", name="stderr" if output.name == "stderr" else "stdout", text=output.text)
    if kind == "error":
        return new_output("error", ename=output.ename, evalue=output.evalue, traceback=output.traceback)
    data = {kind: output.data[kind] for kind in SHOWN if isinstance(output.data.get(kind), str)}
    return new_output("display_data", data=data)


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sealed(cell, key: bytes, question: str) -> dict | None:
    """The verdict of this question in the cell's outputs, if its seal is ours."""
    for output in cell.get("outputs", ()):
        told = output.get("data", {}).get(MIME)
        if isinstance(told, dict) and is_sealed(key, told.get("verdict"), told.get("seal")):
            verdict = json.loads(told["verdict"])
            if verdict["question"] == question and verdict["points"] <= cell.metadata["nbgrader"]["points"]:
                return verdict
    return None


def is_sealed(key: bytes, text, sealed_by) -> bool:
    given = isinstance(text, str) and isinstance(sealed_by, str)
    return given and hmac.compare_digest(seal(key, text).encode(), sealed_by.encode())


def missing(cell, question: str, stopped: str) -> dict:
    """What stands in place of a verdict: nothing earned, and why."""
    points = cell.metadata["nbgrader"]["points"]
    errors = [one for one in cell.get("outputs", ()) if one.get("output_type") == "error"]
    names = [one for one in errors if one.get("ename") == "NameError"]
    if names:
        state, message = "to do", f"There is no answer: {names[0].get('evalue', '')}."
    elif errors and errors[0].get("ename") in ("CellTimeoutError", "KeyboardInterrupt"):
        state, message = "fail", "The check was stopped: it took too long."
    elif errors:
        state, message = "fail", f"The check ended with {errors[0].get('ename')}: {errors[0].get('evalue', '')}"
    elif cell.get("outputs"):
        state, message = "fail", "The cell showed something else than its verdict, which earns nothing."
    elif stopped:
        state, message = "to do", f"Not reached. {stopped}"
    else:
        state, message = "fail", "The check gave no verdict."
    one = {"check": "answer", "points": points, "state": state, "message": message[:LONGEST], "misconception": None,
           "about": ""}  # fmt: skip
    return {"question": question, "points": 0.0, "possible": points, "note": "", "replaced": [], "feedback": [one]}


def shown(verdict: dict):
    """The verdict as a cell's output: the number for nbgrader, the card for people."""
    data = {"text/plain": f"{verdict['points']:g}", "text/html": card(verdict)}
    return new_output("execute_result", data=data, execution_count=1)


def card(verdict: dict) -> str:
    """The card of a verdict, drawn from its data, so that every text of the learner's is escaped."""
    feedback = [CheckResult(**{**one, "message": one["message"][:LONGEST]}) for one in verdict["feedback"]]
    note = verdict["note"]
    if verdict["replaced"]:
        names = ", ".join(verdict["replaced"])[:LONGEST]
        note = " ".join(filter(None, [note, f"The notebook replaced {names}; it was graded with the originals."]))
    return html_card(Score(verdict["question"], feedback, note))
