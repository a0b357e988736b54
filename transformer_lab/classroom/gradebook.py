"""What we ask of nbgrader: its gradebook, and its two converters, one assignment or one submission at a time."""

import glob
import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from .course import GRADEBOOK
from .execute import NoKernel
from .notebooks import assignments, notebook_name, source
from .trusted import id_of


@contextmanager
def gradebook(root: Path):
    """nbgrader's gradebook of a course."""
    # nbgrader calls the program alembic, which is installed beside Python, when it makes a database.
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    with Gradebook(f"sqlite:///{root / GRADEBOOK}", "transformer-lab") as book:
        yield book


def enter_assignments(root: Path) -> None:
    """Enter every assignment, with the points of its questions, into the gradebook."""
    with gradebook(root) as book:
        for assignment in assignments():
            book.update_or_create_assignment(assignment)
            book.update_or_create_notebook(notebook_name(assignment), assignment)
            for cell in source(assignment).cells:
                told = cell.metadata.get("nbgrader", {})
                if told.get("grade"):
                    about = {"max_score": float(told["points"]), "cell_type": "code"}
                    book.update_or_create_grade_cell(id_of(cell), notebook_name(assignment), assignment, **about)


def release(root: Path, config: Config, assignment: str) -> Path:
    """Make the learners' notebook of an assignment, with nbgrader; returns its path."""
    converted(GenerateAssignment, config, assignment)
    return root / "release" / assignment / f"{notebook_name(assignment)}.ipynb"


def autograde(config: Config, assignment: str, student: str) -> str:
    """Grade one submission with nbgrader; returns nothing, or a sentence about why that was impossible."""
    try:
        converted(Autograde, config, assignment, student)
    except NoKernel as error:
        raise OSError(str(error)) from error
    except Exception as error:  # a submission may be anything; its grade is then nothing
        return f"nbgrader could not grade it: {last_of(error)}"
    return ""


def converted(converter, config: Config, assignment: str, student: str | None = None) -> None:
    """Run one of nbgrader's converters."""
    where = CourseDirectory(config=config)
    where.assignment_id = assignment
    if student is not None:
        where.student_id = glob.escape(student)
    log = logging.getLogger("transformer_lab.classroom")
    log.setLevel(logging.CRITICAL)  # what went wrong is told in the report, in a sentence
    one = converter(coursedir=where, config=config)
    one.log, one.force = log, True
    one.start()


def last_of(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[-1][:200] if text else ''}"


def enter_nothing(root: Path, assignment: str, student: str) -> None:
    """Enter a submission that could not be graded: 0 points for each question."""
    name = notebook_name(assignment)
    with gradebook(root) as book:
        book.update_or_create_student(student)
        book.update_or_create_submission(assignment, student)
        for grade in book.find_submission_notebook(name, assignment, student).grades:
            grade.auto_score, grade.needs_manual_grade = 0, False
        book.db.commit()


def points_of(root: Path, assignment: str, student: str) -> float | None:
    """The points of a submission as the gradebook has them, by hand or by check; None if it has none."""
    with gradebook(root) as book:
        try:
            return float(book.find_submission(assignment, student).score)
        except MissingEntry:
            return None
