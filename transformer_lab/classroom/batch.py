"""Grade all submissions that are not graded yet, several at a time; what is interrupted goes on where it stopped.

A submission is graded when its notebook in autograded/ says so, and for this very file. nbgrader writes that notebook
last, after the gradebook, so whatever a kill leaves behind is graded again.
"""

import json
import os
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import nbformat

from ..files import write_whole
from .course import nbgrader_config
from .notebooks import assignments, notebook_name
from .trusted import NOTE, fingerprint, source_notebook

TIMESTAMP = "timestamp.txt"
BESIDE = TIMESTAMP, "submission_secret.txt"  # what nbgrader keeps beside a submission
NO_NOTEBOOK = 20 * 2**20  # bytes: nobody's exercise is as long as this


@dataclass(frozen=True)
class Graded:
    """How a submission was graded: points, what stopped it, seconds of computing, and the verdict on each question."""

    assignment: str
    student: str
    points: float
    stopped: str
    seconds: float
    verdicts: dict[str, dict]
    handed_in: str = ""  # when, in UTC, if that is known

    @property
    def halts(self) -> list[str]:
        """What was stopped, in sentences: the whole notebook, or an answer by the limit of its check."""
        lines = [
            f"{question.partition('.')[2]}: {one['message'].partition(chr(10))[0]}"
            for question, verdict in self.verdicts.items()
            for one in verdict["feedback"]
            if one["message"].startswith("Your code was stopped")
        ]
        return list(dict.fromkeys(([self.stopped] if self.stopped else []) + lines))


def submissions(root: Path, only: list[str] | None = None) -> list[tuple[str, str]]:
    """Every (assignment, student) of which there is something in submitted/."""
    found = [(folder.name, folder.parent.name) for folder in sorted((root / "submitted").glob("*/*"))]
    return [(name, student) for name, student in found if name in (only or assignments())]


def paths(root: Path, assignment: str, student: str) -> tuple[Path, Path]:
    """The submitted and the autograded notebook."""
    place = Path(student, assignment, f"{notebook_name(assignment)}.ipynb")
    return root / "submitted" / place, root / "autograded" / place


def graded(root: Path, assignment: str, student: str) -> Graded | None:
    """How this submission was graded; None if it was not, or if another file was handed in since."""
    submitted, done = paths(root, assignment, student)
    try:
        note = json.loads(done.read_bytes())["metadata"][NOTE]
        if note["submission"] != (fingerprint(submitted) if submitted.is_file() else ""):
            return None
        verdicts = {verdict["question"]: verdict for verdict in note["verdicts"]}
        points = float(sum(verdict["points"] for verdict in verdicts.values()))
        when = handed_in(submitted.with_name(TIMESTAMP))
        return Graded(assignment, student, points, note["stopped"], float(note["seconds"]), verdicts, when)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def handed_in(path: Path) -> str:
    """When a submission was handed in, to the minute, as nbgrader keeps it beside the notebook."""
    from nbgrader.utils import parse_utc

    try:
        return parse_utc(path.read_text(encoding="utf-8").strip()).isoformat(" ", "minutes")
    except (OSError, ValueError, OverflowError):
        return ""


def forget(root: Path, assignment: str) -> None:
    """Let every submission of an assignment be graded again. Points given by hand stay in the gradebook."""
    for one in submissions(root, [assignment]):
        paths(root, *one)[1].unlink(missing_ok=True)


def grade(root: Path, only: list[str] | None = None, jobs: int = 1) -> Iterator[tuple[Graded, int, int]]:
    """Grade what is not graded yet; yields each result, how many are done, and how many there are to do."""
    todo = [one for one in submissions(root, only) if graded(root, *one) is None]
    if jobs == 1 or len(todo) < 2:
        for number, one in enumerate(todo, 1):
            yield grade_one(root, *one), number, len(todo)
        return
    # A process each and not a thread: nbgrader changes the working folder. Each imports nbgrader once.
    with ProcessPoolExecutor(min(jobs, len(todo)), get_context("spawn"), end_with, (os.getpid(),)) as pool:
        running = [pool.submit(grade_one, root, *one) for one in todo]
        try:
            for number, future in enumerate(as_completed(running), 1):
                yield future.result(), number, len(todo)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def end_with(parent: int) -> None:
    """In a worker: end as soon as the parent has gone, with the sandbox of the submission."""

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if hasattr(os, "getppid") and os.name == "posix":
        threading.Thread(target=watch, daemon=True).start()


def grade_one(root: Path, assignment: str, student: str) -> Graded:
    """Grade one submission. Whatever it holds, this returns how."""
    from .gradebook import autograde, enter_nothing

    warnings.simplefilter("ignore")  # of nbgrader's and nbformat's own
    submitted, done = paths(root, assignment, student)
    problem = unreadable(submitted, assignment) or autograde(nbgrader_config(root), assignment, student)
    result = None if problem else graded(root, assignment, student)
    if result is None:
        problem = problem or "nbgrader graded it, and left no result."
        enter_nothing(root, assignment, student)
        write_nothing(submitted, done, problem, source_notebook(root, assignment, notebook_name(assignment)))
        result = graded(root, assignment, student)
    assert result is not None
    return result


def unreadable(path: Path, assignment: str) -> str:
    """Why this file cannot be graded as this assignment, in a sentence; nothing if it can."""
    if path.is_symlink() or not path.is_file():
        return f"There is no file {path.name} in this submission."
    if path.stat().st_size > NO_NOTEBOOK:
        return f"The file has {path.stat().st_size / 2**20:.0f} MB; a notebook with answers has less than one."
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        lesson = Path(str(notebook.metadata.get("transformer_lab", {}).get("source", assignment))).stem
    except Exception as error:  # JSON of any kind
        return f"The file is no notebook: {type(error).__name__}."
    return "" if lesson == assignment else f"This is the notebook of another lesson, {lesson[:60]}."


def write_nothing(submitted: Path, done: Path, problem: str, source) -> None:
    """Write the autograded notebook of a submission that could not be graded: a sentence, and nothing earned."""
    from .trusted import id_of, missing, question_of

    checks = [cell for cell in source.cells if (id_of(cell) or "").endswith("-hidden")]
    verdicts = [missing(cell, question_of(cell), problem) for cell in checks]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(problem)])
    of = fingerprint(submitted) if submitted.is_file() else ""
    notebook.metadata[NOTE] = {"stopped": problem, "seconds": 0, "submission": of, "verdicts": verdicts}
    done.parent.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    for beside in BESIDE:  # without these nbgrader cannot give feedback, to anybody
        if submitted.with_name(beside).is_file():
            write_whole(done.with_name(beside), submitted.with_name(beside).read_bytes())
    write_whole(done, nbformat.writes(notebook) + "\n")
