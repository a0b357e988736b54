"""A class graded: each hostile submission gets its points and its sentence, and no other is touched by it."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

import hostile_submissions
from build import ROOT
from hostile_submissions import FULL, HERE, HOSTILE
from transformer_lab.classroom import batch, course, gradebook, report, sandbox
from transformer_lab.classroom.collect import collect
from transformer_lab.classroom.notebooks import FIRST_LINE

CONTAINED = pytest.mark.skipif(sandbox.kind() != "bubblewrap", reason="no bubblewrap here, which hides the files")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A course whose assignment 02 is released."""
    root = tmp_path_factory.mktemp("class") / "course"
    course.new(root)
    gradebook.enter_assignments(root)
    gradebook.release(root, course.nbgrader_config(root), HERE[0])
    return root


@pytest.fixture(scope="module")
def right(root):
    return hostile_submissions.solved(root)


def test_what_learners_get_holds_neither_hidden_checks_nor_answers(root):
    released = nbformat.read(root / "release" / HERE[0] / f"{HERE[1]}.ipynb", 4)
    texts = "\n".join(cell.source for cell in released.cells)
    assert "HIDDEN TESTS" not in texts and "classroom" not in texts
    exercise = nbformat.read(ROOT / "transformer_lab" / "exercises" / f"{HERE[0]}.ipynb", 4)
    hidden = [cell for cell in released.cells if hostile_submissions.name_of(cell).endswith("-hidden")]
    assert {cell.source for cell in hidden} == {FIRST_LINE}
    shown = [cell.source for cell in released.cells if cell not in hidden]
    assert shown == [cell.source for cell in exercise.cells]  # word for word what one gets who learns alone


def hand_in(folder, student, notebook):
    place = folder / student / HERE[0] / f"{HERE[1]}.ipynb"
    place.parent.mkdir(parents=True)
    place.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook))


@pytest.fixture(scope="module")
def results(root, right, tmp_path_factory):
    """All submissions collected and graded, by the name of who handed them in."""
    folder = tmp_path_factory.mktemp("handed in")
    places = [str(root), str(root / "secret"), str(ROOT / "solutions"), str(Path.home()), str(ROOT / "tests")]
    for name, (make, _, _) in HOSTILE.items():
        notebook = make(right)
        text = notebook if isinstance(notebook, str) else json.dumps(notebook)
        hand_in(folder, name, text.replace("for path in PATHS", f"for path in {places}"))
    hand_in(folder, "Jürgen 王", right)
    assert len(collect(root, [folder]).kept) == len(HOSTILE) + 1
    untouched = fingerprints(root, "secret", "source", "release", "submitted")
    results = {one.student: one for one, _, _ in batch.grade(root, jobs=2)}
    assert fingerprints(root, "secret", "source", "release", "submitted") == untouched
    assert not list(batch.grade(root))  # nothing is graded twice
    return results


def fingerprints(root, *names):
    files = [path for name in names for path in (root / name).rglob("*") if path.is_file()] + [root / names[0]]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_gets_its_points_and_its_sentence(results, name):
    _, points, says = HOSTILE[name]
    told = json.dumps([results[name].stopped, results[name].verdicts])
    assert results[name].points == points, told
    assert says in told or says == "replaced" and '"replaced": ["' in told


def test_a_right_answer_under_a_unicode_name_has_full_marks(results):
    assert results["Jürgen 王"].points == FULL and not results["Jürgen 王"].halts


@CONTAINED
def test_a_submission_sees_and_touches_nothing_of_the_teachers(root, results):
    notebook = nbformat.read(root / "autograded" / "reads_and_writes" / HERE[0] / f"{HERE[1]}.ipynb", 4)
    (told,) = [output["text"] for output in notebook.cells[0].outputs]
    secret = (root / "secret").read_text().strip()
    assert secret not in told and "attention" not in told and "Network is unreachable" in told
    assert not list(root.rglob("written")) and not (Path.home() / "note").exists()


def test_gradebook_csv_and_pages_agree(root, results):
    page = report.write(root)
    points = report.points_in_gradebook(root)
    assert {one.student: one.points for one in results.values()} == {student: n for (_, student), n in points.items()}
    assert "<script" not in page.read_text() and "replaced" in page.read_text()
    lines = (root / "report" / "grades.csv").read_text().splitlines()
    assert len(lines) == len(results) + 1
    cards = (root / "report" / "learners" / "endless_loop.html").read_text()
    assert "02_attention.softmax: 0 of 4 points" in cards and "Your code was stopped" in cards


def test_a_batch_that_is_killed_goes_on_where_it_stopped(root, results, tmp_path, right):
    for number in range(4):
        hand_in(tmp_path, f"late{number}", right)
    collect(root, [tmp_path])
    command = [sys.executable, "-m", "transformer_lab", "class", "grade", "02", "--jobs", "2", "--course", str(root)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in running.stdout:
        if re.match("1 of 4: late", line):
            break
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    deadline = time.monotonic() + 60
    while children_of(root) and time.monotonic() < deadline:  # the workers, and their sandboxes, go by themselves
        time.sleep(0.5)
    assert not children_of(root)
    first = {name: batch.graded(root, HERE[0], name) for name in (f"late{n}" for n in range(4))}
    done = {name: (batch.paths(root, HERE[0], name)[1]).stat().st_mtime_ns for name in first if first[name]}
    assert 1 <= len(done) < 4
    again = [one for one, _, _ in batch.grade(root)]
    assert {one.student for one in again} == set(first) - set(done)
    assert all(one.points == FULL for one in again)
    assert all(batch.paths(root, HERE[0], name)[1].stat().st_mtime_ns == when for name, when in done.items())


def children_of(root):
    """Processes that have this course's folder among their arguments, or are workers of such a one."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if str(root) in words or (process.info["cwd"] == str(root) and "spawn_main" in " ".join(words)):
            found.append(process)
    return found


@pytest.mark.parametrize("name", ["right", "endless_loop", "os_exit"])
@pytest.mark.skipif(os.name != "posix", reason="Windows has no limits of this kind")
def test_without_a_sandbox_the_limits_hold(root, right, name, monkeypatch):
    monkeypatch.setattr(sandbox, "kind", lambda: "limits")
    make, points, says = HOSTILE.get(name, (lambda notebook: notebook, FULL, ""))
    place, _ = batch.paths(root, HERE[0], f"limits {name}")
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(make(right)))
    with busy(150):
        one = batch.grade_one(root, HERE[0], f"limits {name}")
    assert one.points == points and says in json.dumps([one.stopped, one.verdicts])


@contextmanager
def busy(number):
    """Have so many threads running, as a teacher's account may have."""
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
