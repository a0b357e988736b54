"""The report of a class: the gradebook as CSV, a page for each learner, and one for the teacher."""

import csv
import io
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from ..files import write_whole
from ..grading.card import gist
from .batch import Graded, graded, submissions
from .pages import learners_page, teachers_page

FOLDER = "report"
NOT_GRADED = "not graded yet"


@dataclass(frozen=True)
class Question:
    """A question in a class: points possible, points of each learner, its most common fault and how many had it."""

    name: str
    possible: float
    points: list[float]
    fault: str
    faulty: int
    tried: int

    @property
    def mean(self) -> float:
        return sum(self.points) / len(self.points)

    @property
    def solved(self) -> int:
        return sum(points == self.possible for points in self.points)


@dataclass(frozen=True)
class Assignment:
    """An assignment in a class: its questions, and its learners' results."""

    name: str
    questions: list[Question]
    results: list[Graded]

    @property
    def possible(self) -> float:
        return sum(question.possible for question in self.questions)


def write(root: Path) -> Path:
    """Write the report of a course; returns the teacher's page."""
    results: dict[str, list[Graded]] = defaultdict(list)
    waiting = []
    for assignment, student in submissions(root):
        result = graded(root, assignment, student)
        if result is None:
            waiting.append((student, assignment))
        else:
            results[assignment].append(result)
    table = [of_class(name, found) for name, found in sorted(results.items())]
    place = root / FOLDER
    (place / "learners").mkdir(parents=True, exist_ok=True)
    points = points_in_gradebook(root)
    write_whole(place / "grades.csv", in_csv(table, points))
    for student in sorted({one.student for found in results.values() for one in found}):
        theirs = [one for assignment in table for one in assignment.results if one.student == student]
        write_whole(place / "learners" / f"{student}.html", learners_page(student, theirs, points))
    return write_whole(place / "index.html", teachers_page(table, waiting, points))


def of_class(name: str, results: list[Graded]) -> Assignment:
    """Put the results of an assignment together, question by question."""
    verdicts = defaultdict(list)
    for result in results:
        for question, verdict in result.verdicts.items():
            verdicts[question].append(verdict)
    return Assignment(name, [question_of(one, found) for one, found in verdicts.items()], results)


def question_of(name: str, verdicts: list[dict]) -> Question:
    faults: Counter = Counter()
    words: dict[str, str] = {}
    for verdict in verdicts:
        if fault := fault_of(verdict):
            key = gist(fault)
            faults[key] += 1
            words.setdefault(key, fault)
    [(key, count)] = faults.most_common(1) or [("", 0)]
    tried = sum(any(one["state"] != "to do" for one in verdict["feedback"]) for verdict in verdicts)
    points = [float(verdict["points"]) for verdict in verdicts]
    return Question(name, float(verdicts[0]["possible"]), points, words.get(key, ""), count, tried)


def fault_of(verdict: dict) -> str:
    """What the first failed check found: the misconception if it has a name, else the first line of its message."""
    for one in verdict["feedback"]:
        if one["state"] in ("fail", "error"):
            return (one["about"] or one["message"].partition("\n")[0] or one["check"])[:300]
    return ""


def points_in_gradebook(root: Path) -> dict[tuple[str, str], float]:
    """The points of each (assignment, student), changes by hand included."""
    from nbgrader.api import Assignment as Row
    from nbgrader.api import Student, SubmittedAssignment

    from .gradebook import gradebook

    with gradebook(root) as book:
        columns = book.db.query(Row.name, Student.id, SubmittedAssignment.score)
        rows = columns.select_from(SubmittedAssignment).join(Row, Row.id == SubmittedAssignment.assignment_id)
        rows = rows.join(Student, Student.id == SubmittedAssignment.student_id).all()
        return {(name, student): float(score or 0) for name, student, score in rows}


def in_csv(table: list[Assignment], points: dict) -> str:
    """A row for each submission: whose, of what, points, points possible, when, why it was stopped, each question."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["learner", "assignment", "points", "possible", "handed in (UTC)", "stopped", "questions"])
    for assignment in table:
        for one in assignment.results:
            each = "; ".join(
                f"{name.partition('.')[2]} {verdict['points']:g}" for name, verdict in one.verdicts.items()
            )
            total = points.get((assignment.name, one.student), one.points)
            points_of = [f"{total:g}", f"{assignment.possible:g}"]
            writer.writerow([one.student, assignment.name, *points_of, one.handed_in, one.stopped, each])
    return text.getvalue()
