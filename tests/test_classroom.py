"""The parts of a class that need no kernel: sources, archives, names, seals, pages, the sandbox's words."""

import copy
import io
import json
import os
import re
import stat
import tarfile
import zipfile
from datetime import UTC, datetime

import nbformat
import pytest
import zmq
from nbconvert import HTMLExporter
from nbgrader.coursedir import CourseDirectory
from typer.testing import CliRunner

from transformer_lab.classroom import batch, course, hidden, limits, notebooks, pages, report, sandbox
from transformer_lab.classroom.archives import LARGEST
from transformer_lab.classroom.batch import Graded
from transformer_lab.classroom.collect import collect, safe_name
from transformer_lab.classroom.execute import SandboxedManager
from transformer_lab.classroom.trusted import TrustedCells, Verdicts, card, id_of, sealed
from transformer_lab.cli import app
from transformer_lab.grading.outline import outlines

NAME = "02_attention", "attention"


@pytest.mark.parametrize("assignment", notebooks.assignments())
def test_points_add_up_and_nothing_hidden_is_released(assignment):
    source = notebooks.source(assignment)
    graded = [cell for cell in source.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    worth = {notebooks.question_of(cell): cell.metadata.nbgrader.points for cell in graded}
    questions = outlines()[notebooks.notebook_name(assignment)].questions
    assert worth == {f"{assignment}.{name}": points for name, points in questions.items()}
    assert all("BEGIN HIDDEN TESTS" in cell.source and cell.metadata.nbgrader.locked for cell in graded)
    assert len({id_of(cell) for cell in source.cells if id_of(cell)}) == sum(bool(id_of(cell)) for cell in source.cells)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "course"
    course.new(root)
    return root


def test_the_secret_is_the_courses_own_and_no_key_tells_another(root, tmp_path):
    course.new(tmp_path / "other")
    key = course.key_of(root, NAME[0], "ada")
    others = [course.key_of(root, NAME[0], "bob"), course.key_of(root, "03_masks", "ada"),
              course.key_of(tmp_path / "other", NAME[0], "ada")]  # fmt: skip
    assert key == course.key_of(root, NAME[0], "ada") and key not in others
    assert stat.S_IMODE((root / "secret").stat().st_mode) == 0o600 and stat.S_IMODE(root.stat().st_mode) == 0o700
    assert hidden.seed_of(key, "02_attention.softmax") != hidden.seed_of(key, "02_attention.entropy")
    with pytest.raises(ValueError, match="not empty"):
        course.new(root)


def test_a_course_that_could_not_be_made_leaves_nothing(tmp_path):
    def fails(place):
        assert (place / "secret").is_file()
        raise OSError("the disk is full")

    for folder in (tmp_path / "new", tmp_path):
        with pytest.raises(OSError, match="disk"):
            course.new(folder, fails)
        assert list(tmp_path.iterdir()) == []


def test_a_lesson_that_is_forgotten_is_to_be_graded_again(root):
    for name in (NAME[0], "03_masks"):
        submitted, done = batch.paths(root, name, "ada")
        submitted.parent.mkdir(parents=True)
        submitted.write_bytes(NOTEBOOK)
        batch.write_nothing(submitted, done, "Nothing.", notebooks.source(name))
    batch.forget(root, NAME[0])
    assert not batch.graded(root, NAME[0], "ada") and batch.graded(root, "03_masks", "ada")


def test_only_a_seal_of_this_submission_and_question_counts():
    key, text = b"k" * 32, json.dumps({"question": "a.b", "points": 4.0})
    cell = nbformat.v4.new_code_cell(metadata={"nbgrader": {"points": 4}})

    def shows(seal, verdict=text):
        data = {hidden.MIME: {"verdict": verdict, "seal": seal}, "text/plain": "4"}
        cell.outputs = [nbformat.v4.new_output("execute_result", data=data)]
        return sealed(cell, key, "a.b")

    assert shows(hidden.seal(key, text))["points"] == 4
    forged = text.replace("4.0", "9.0")
    for seal, verdict in [
        (hidden.seal(b"x" * 32, text), text),
        (hidden.seal(key, text), forged),
        ("", text),
        (4, text),
    ]:
        assert shows(seal, verdict) is None
    other = json.dumps({"question": "a.c", "points": 4.0})
    assert shows(hidden.seal(key, other), other) is None


def test_a_verdict_is_worth_no_more_than_its_question():
    key, text = b"k" * 32, json.dumps({"question": "a.b", "points": 9.0})
    cell = nbformat.v4.new_code_cell(metadata={"nbgrader": {"points": 4}})
    data = {hidden.MIME: {"verdict": text, "seal": hidden.seal(key, text)}}
    cell.outputs = [nbformat.v4.new_output("execute_result", data=data)]
    assert sealed(cell, key, "a.b") is None


def test_what_a_submission_says_of_its_cells_is_not_believed(root, monkeypatch):
    monkeypatch.chdir(root)
    source = notebooks.source(NAME[0])
    told = {"assignment": NAME[0], "notebook": NAME[1]}
    odd = [{}, {"nbgrader": 3}, {"nbgrader": {"grade_id": ["softmax"]}}, {"nbgrader": {"grade": True, "points": 99}}]
    cells = [nbformat.v4.new_code_cell(f"x = {number}", metadata=about) for number, about in enumerate(odd)]
    answer = next(cell for cell in source.cells if id_of(cell) == "softmax")
    submitted = nbformat.v4.new_notebook(cells=[*cells, answer, copy.deepcopy(answer)])
    restored, _ = TrustedCells().preprocess(submitted, {"nbgrader": told})
    assert [id_of(cell) for cell in restored.cells[:7]] == [None] * 5 + ["softmax", "softmax-hidden"]
    graded = [id_of(cell) for cell in source.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert sorted(filter(None, map(id_of, restored.cells[6:]))) == sorted(graded)


EVIL = "<img src=x onerror=alert(1)><script>alert(1)</script>[x](javascript:alert(1))"


def test_a_page_of_a_graded_notebook_runs_no_code_of_a_learner(root, monkeypatch):
    monkeypatch.chdir(root)
    kinds = {"text/html": EVIL, "text/markdown": EVIL, "text/latex": EVIL, "image/svg+xml": EVIL, "text/plain": EVIL}
    wide = {"image/png": {"width": "1 onerror=alert(1)"}}
    code = nbformat.v4.new_code_cell(EVIL)
    texts = [nbformat.v4.new_markdown_cell(f"```\n{EVIL}\n```\n{EVIL}"), nbformat.v4.new_raw_cell(EVIL)]
    kept = next(cell for cell in notebooks.source(NAME[0]).cells if "<details" in cell.source)
    about = {"title": EVIL, "language_info": {"name": EVIL}}
    submitted = nbformat.v4.new_notebook(cells=[code, *texts, kept], metadata=about)
    restored, _ = TrustedCells().preprocess(submitted, {"nbgrader": {"assignment": NAME[0], "notebook": NAME[1]}})
    code.execution_count = EVIL
    code.outputs = [
        nbformat.v4.new_output("display_data", data=kinds | {"image/png": EVIL}, metadata=wide),
        nbformat.v4.new_output("execute_result", data={"text/plain": EVIL}, execution_count=4),
        nbformat.v4.new_output("stream", text=EVIL, name=EVIL),
        nbformat.v4.new_output("error", ename=EVIL, evalue=EVIL, traceback=[EVIL]),
    ]
    code.outputs[1].execution_count = EVIL
    told = {"assignment": NAME[0], "notebook": NAME[1], "student": "ada"}
    hand_in = root / "submitted" / "ada" / NAME[0] / "attention.ipynb"
    hand_in.parent.mkdir(parents=True)
    hand_in.write_bytes(NOTEBOOK)
    graded, _ = Verdicts().preprocess(restored, {"nbgrader": told})
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(graded)
    body = page.partition("<body")[2]
    assert "<details" in body and "&lt;script&gt;" in body
    for tag in re.findall("<[a-z][^>]*", body):
        assert "alert(1)" not in re.sub('"[^"]*"', "", tag) and 'href="javascript:' not in tag and tag != "<script"


NOTEBOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def test_archives_of_every_system_are_collected(root, tmp_path):
    with zipfile.ZipFile(tmp_path / "moodle.zip", "w") as archive:
        archive.writestr("Ada Lovelace_123_assignsubmission_file_/attention.ipynb", NOTEBOOK)
        archive.writestr("王 芳_124_assignsubmission_file_/attention (1).ipynb", NOTEBOOK)
        archive.writestr("__MACOSX/._attention.ipynb", b"")
    with tarfile.open(tmp_path / "canvas.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("hopper_LATE_77_88_multi_head-2.ipynb")
        member.size = len(NOTEBOOK)
        archive.addfile(member, io.BytesIO(NOTEBOOK))
    own = tmp_path / "submitted" / "noether" / NAME[0] / "attention.ipynb"
    own.parent.mkdir(parents=True)
    own.write_bytes(NOTEBOOK)
    found = collect(root, [tmp_path / "moodle.zip", tmp_path / "canvas.tar.gz", tmp_path / "submitted"])
    assert sorted(found.kept) == [("Ada Lovelace", NAME[0]), ("hopper", "04_multi_head"), ("noether", NAME[0]),
                                  ("王 芳", NAME[0])]  # fmt: skip
    assert (root / "submitted" / "王 芳" / NAME[0] / "attention.ipynb").read_bytes() == NOTEBOOK


def test_the_date_of_a_file_in_an_archive_is_kept(root, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("ada/attention.ipynb", (2026, 11, 3, 12, 30, 0)), NOTEBOOK)
        archive.writestr(zipfile.ZipInfo("bob/attention.ipynb"), NOTEBOOK)  # 1980: not known
        archive.writestr(zipfile.ZipInfo("cyd/attention.ipynb", (2026, 0, 0, 0, 0, 0)), NOTEBOOK)
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        for name, when in [("dan", 1790000000), ("eve", 0), ("fay", 10**15)]:
            member = tarfile.TarInfo(f"{name}/attention.ipynb")
            member.size, member.mtime = len(NOTEBOOK), when
            archive.addfile(member, io.BytesIO(NOTEBOOK))
    collect(root, [tmp_path / "a.zip", tmp_path / "b.tar"])
    place = root / "submitted"
    local = datetime(2026, 11, 3, 12, 30).astimezone(UTC)
    told = {name: batch.handed_in(place / name / NAME[0] / "timestamp.txt") for name in ("ada", "bob", "cyd", "dan")}
    assert told == {"ada": f"{local:%Y-%m-%d %H:%M}", "bob": "", "cyd": "", "dan": "2026-09-21 14:13"}
    assert not (place / "eve" / NAME[0] / "timestamp.txt").exists()
    assert CourseDirectory().get_existing_timestamp(str(place / "dan" / NAME[0])).isoformat() == "2026-09-21T14:13:20"
    again = tmp_path / "folder" / "ada" / "attention.ipynb"
    again.parent.mkdir(parents=True)
    again.write_bytes(NOTEBOOK)
    os.utime(again, (1790000000, 1790000000))
    collect(root, [tmp_path / "folder"])
    assert batch.handed_in(place / "ada" / NAME[0] / "timestamp.txt") == "2026-09-21 14:13"


def test_an_archive_writes_nothing_elsewhere(root, tmp_path):
    before = {path for path in tmp_path.rglob("*")}
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../ada/attention.ipynb", NOTEBOOK)
        archive.writestr("/bob/attention.ipynb", NOTEBOOK)
        archive.writestr("C:\\cyd\\attention.ipynb", NOTEBOOK)
        archive.writestr("bomb/attention.ipynb", b"\0" * (LARGEST + 2))
        link = zipfile.ZipInfo("eve/attention.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("fay/essay.ipynb", NOTEBOOK)
        archive.writestr("fay/readme.txt", b"")
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        member = tarfile.TarInfo("gus/attention.ipynb")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    found = collect(root, [tmp_path / "bad.zip", tmp_path / "bad.tar"])
    assert found.kept == [] and len(found.left_out) == 8
    assert {path for path in tmp_path.rglob("*")} == before | {tmp_path / "bad.zip", tmp_path / "bad.tar"}


def test_a_bomb_that_lies_about_its_size_is_cut_off(root, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/attention.ipynb", b"\0" * (LARGEST + 2))
    monkeypatch.setattr("transformer_lab.classroom.archives.one", lying)
    (left_out,) = collect(root, [tmp_path / "bomb.zip"]).left_out
    assert "more than 20 MB" in left_out[1]


def lying(name, size, linked, opened, when):
    from transformer_lab.classroom.archives import read

    return read(tuple(name.split("/")), 10, opened)


def test_names_become_folders():
    assert safe_name("  O'Brien, *[x]/../~ ") == "O_Brien_ __x_"[:4] + safe_name("  O'Brien, *[x]/../~ ")[4:]
    assert not set(safe_name("a/b\\c*?[!]'\",\n\0")) & set("/\\*?[]'\",\n\0")
    assert safe_name("..") == "" and len(safe_name("x" * 999)) == 80
    assert safe_name("Zoe\u0308") == "Zo\u00eb"


def verdict(points, message, about="", replaced=()):
    state = "pass" if points else "fail"
    one = {"check": "values", "points": 4, "state": state, "message": message, "misconception": None, "about": about}
    return {"question": "02_attention.softmax", "points": float(points), "possible": 4.0, "note": "",
            "replaced": list(replaced), "feedback": [one]}  # fmt: skip


def test_the_teacher_sees_the_commonest_fault_and_no_code_of_a_learner():
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    faults = [verdict(0, "row 1 sums to 3"), verdict(0, "row 2 sums to 9"), verdict(0, evil), verdict(4, "")]
    graded = [Graded(NAME[0], f"{number}{evil}", one["points"], evil, 1.0, {one["question"]: one})
              for number, one in enumerate(faults)]  # fmt: skip
    table = report.of_class(NAME[0], graded)
    (question,) = table.questions
    assert (question.fault, question.faulty, question.tried, question.solved) == ("row 1 sums to 3", 2, 4, 1)
    for page in [pages.teachers_page([table], [], {}), pages.learners_page("x" + evil, graded, {}), card(faults[2])]:
        assert "<script" not in page and "<img" not in page
        assert "&lt;script&gt;" in page
    assert "Nobody has solved softmax" in pages.teachers_page([report.of_class(NAME[0], graded[:3])], [], {})


def test_the_sandbox_says_what_it_is(monkeypatch, tmp_path):
    assert sandbox.command("limits", ["python"], tmp_path) == ["python"]
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    sandbox.kind.cache_clear()
    assert sandbox.kind() == "limits" and "runs as you" in sandbox.SENTENCES[sandbox.kind()]
    sandbox.kind.cache_clear()


def test_the_grader_reads_no_message_of_any_length(tmp_path):
    manager = SandboxedManager()
    manager.prepare(tmp_path)
    client = manager.client()
    assert client.context is manager.context
    with client.context.socket(zmq.SUB) as socket:
        assert socket.getsockopt(zmq.MAXMSGSIZE) == limits.MESSAGE


@pytest.mark.browser
def test_a_long_word_makes_no_page_wider_than_the_window(page, tmp_path):
    long = "x" * 300
    one = Graded(NAME[0], "n" * 80, 0.0, long, 1.0, {"02_attention.softmax": verdict(0, long, replaced=[long])})
    page.set_viewport_size({"width": 900, "height": 900})
    for html in [
        pages.teachers_page([report.of_class(NAME[0], [one])], [], {}),
        pages.learners_page(one.student, [one], {}),
    ]:
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        page.goto((tmp_path / "page.html").as_uri())
        page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 900


def test_mistakes_are_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, says in [
        (["grade"], "is no course folder"),
        (["collect", "nothing.zip"], "is no course folder"),
        (["new", "."], ""),
    ]:
        result = CliRunner().invoke(app, ["class", *words])
        assert says in result.output
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["class", "release", "99"])
    assert "There are no exercises called '99'" in result.output
