"""What grade() and predict() keep on this machine: nothing is lost, nothing is in the way, and how it is shown."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
from datetime import date
from html.parser import HTMLParser

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from typer.testing import CliRunner

from transformer_lab import cli
from transformer_lab.exercise_files import PRISTINE
from transformer_lab.grading import grade, my_progress, predict, predictions, results, summary
from transformer_lab.grading.outline import outlines
from transformer_lab.grading.score import checks, lessons, questions
from transformer_lab.grading.store import Store
from wrong_answers import attention

SOFTMAX = "02_attention.softmax"
POSSIBLE = sum(attention.POINTS.values())  # of lesson 02
POINTS = {"right": 4, "unstable": 2.5, "wrong": 0}


def answer(kind):
    """An answer to the softmax question that earns POINTS[kind]."""

    def softmax(x, dim=-1):
        if kind == "wrong":
            raise ValueError("wrong")
        if kind == "unstable":
            return x.exp() / x.exp().sum(dim, keepdim=True)
        return torch.nan_to_num(torch.softmax(x, dim), 0.0)

    return softmax


def begun(kind):
    score = grade(SOFTMAX, answer(kind))
    assert score == POINTS[kind]
    return score


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of the learner's files, not yet made."""
    for store in (results.RESULTS, predictions.GUESSES, predictions.LATE, predictions.RUNS):
        monkeypatch.setattr(store, "waiting", {})
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("TRANSFORMER_LAB_PROGRESS", raising=False)
    return tmp_path / "data"


def kept(home, name="results"):
    return json.loads((home / f"{name}.json").read_text(encoding="utf-8"))


# what is kept ----------------------------------------------------------------------------------------------------


def test_the_best_is_kept_when_a_later_try_is_worse(home):
    for kind in ("unstable", "right", "wrong"):
        begun(kind)
    today = date.today().isoformat()
    assert kept(home) == {"attention.softmax": {"best": 4, "possible": 4, "tries": 3, "last": today}}


def test_a_try_under_a_shorter_name_is_a_try_of_the_same_question(home):
    begun("right")
    grade(" attention.softmax", answer("wrong"))
    assert list(kept(home)) == ["attention.softmax"] and kept(home)["attention.softmax"]["tries"] == 2


def test_a_question_that_is_not_begun_or_wrongly_asked_is_no_try(home):
    grade(SOFTMAX, None)
    with pytest.raises(ValueError):
        grade("02_attention.softmaks", answer("right"))
    assert not home.exists()
    grade("02_attention.shift", lambda scores, c: (scores + c).softmax(-1), None)  # one half of it is
    assert kept(home)["attention.shift"]["tries"] == 1


def test_the_best_is_looked_for_anew_when_the_points_have_changed(home):
    home.mkdir()
    old = {"attention.softmax": {"best": 9.0, "possible": 10.0, "tries": 5, "last": "2020-01-31"}}
    (home / "results.json").write_text(json.dumps(old))
    begun("unstable")
    found = kept(home)["attention.softmax"]
    assert (found["best"], found["possible"], found["tries"]) == (2.5, 4, 6)


def test_guesses_of_an_earlier_version_are_still_read(home):
    home.mkdir()
    (home / "guesses.json").write_text('{\n "attention.hull": "yes"\n}')
    assert "bears it out" in predict("02_attention.hull", actual="yes")
    predict("02_attention.gradient", "stays")
    assert kept(home, "guesses") == {"attention.hull": "yes", "attention.gradient": "stays"}


def test_a_guess_after_the_run_is_not_counted(home):
    predict("02_attention.hull", actual="no")
    assert str(predict("02_attention.hull", "no")) == "'no' comes after the run, so it does not count as a guess."
    verdict = predict("02_attention.hull", actual="no")
    assert verdict == "You made no guess. The run says 'no'. 'no' came after the run and does not count."
    assert not (home / "guesses.json").exists() and kept(home, "late_guesses") == {"attention.hull": "no"}
    predict("02_attention.gradient", "stays")
    assert cells_of(shown())["02_attention"][-2:] == ["1", "0"]


# files -----------------------------------------------------------------------------------------------------------

WRITER = """
import sys
from transformer_lab.grading.predictions import GUESSES
from transformer_lab.grading.results import RESULTS
name = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
for n in range(50):
    RESULTS.add("shared", {"best": float(n), "possible": 99.0, "tries": 1, "last": f"2026-01-{n % 28 + 1:02}"})
    RESULTS.add(f"{name}.{n}", {"best": 1.0, "possible": 1.0, "tries": 1, "last": "2026-01-01"})
    GUESSES.add(f"{name}.{n}", "yes")
assert not RESULTS.waiting and not GUESSES.waiting  # everything is in the files
"""


def test_two_processes_that_write_at_once_lose_nothing(home):
    command = [sys.executable, "-c", WRITER]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    writers = [subprocess.Popen([*command, name], **pipes) for name in "ab"]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=300)
    assert [writer.returncode for writer in writers] == [0, 0]
    everyone = {f"{name}.{n}" for name in "ab" for n in range(50)}
    assert kept(home).keys() == everyone | {"shared"} and kept(home, "guesses").keys() == everyone
    assert kept(home)["shared"] == {"best": 49, "possible": 99, "tries": 100, "last": "2026-01-28"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_folder_and_files_are_for_their_owner_only(home):
    before = os.umask(0)
    try:
        begun("right")
        predict("02_attention.hull", "yes")
    finally:
        os.umask(before)
    assert home.stat().st_mode & 0o777 == 0o700
    names = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    assert {"results.json", "guesses.json"} <= names.keys() and set(names.values()) == {0o600}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[1, 2]",
        b"\xff",
        b"[" * 100_000,
        b'{"attention.softmax": 4}',
        b'{"attention.softmax": {"best": "4", "possible": 4.0, "tries": 1, "last": "2026-01-01"}}',
        b'{"attention.softmax": {"best": 4.0}}',
    ],
    ids=lambda content: content[:60].decode("latin-1"),
)
def test_a_corrupt_file_is_kept_aside_and_started_anew(home, content):
    home.mkdir()
    (home / "results.json").write_bytes(content)
    told = str(my_progress())
    assert "results.json" in told and "cannot read" in told.replace("cannot be read", "cannot read")
    assert "Nothing is recorded yet" not in told
    begun("right")
    assert (home / "results.broken.json").read_bytes() == content
    assert kept(home)["attention.softmax"]["tries"] == 1


NEWER = {
    "version": 2,
    "attention.mix": {"best": 3, "possible": 3.0, "tries": 2, "last": "2027-01-01", "seconds": [1, 2], "by": "a newer"},
    "attention.entropy": {"best": 3.0, "of": 3.0},
    "attention.softmax": {"best": 1.0, "possible": 4.0, "tries": 1, "last": "2027-01-01", "hints": {"seen": 2}},
    "attention.shift": None,
}


def test_what_a_newer_version_wrote_is_kept_as_it_is_and_hides_nothing(home):
    home.mkdir()
    (home / "results.json").write_text(json.dumps(NEWER))
    (home / "guesses.json").write_text(
        json.dumps({"attention.hull": "yes", "attention.variance": {"choice": "stays 1"}})
    )
    told = shown()
    assert cells_of(told)["02_attention"][:4] == ["2", "1", "8", "4"]
    assert "results.json holds entries that this version cannot read; they are kept but not counted:" in told
    assert "attention.entropy, attention.shift, version." in told and "attention.variance." in told
    begun("right")
    predict("02_attention.gradient", "stays")
    untouched = {key: NEWER[key] for key in NEWER if key != "attention.softmax"}
    now = kept(home)
    assert {key: now[key] for key in untouched} == untouched
    assert now["attention.softmax"]["best"] == 4 and now["attention.softmax"]["hints"] == {"seen": 2}
    assert kept(home, "guesses")["attention.variance"] == {"choice": "stays 1"}
    assert not list(home.glob("*.broken.json"))


def test_an_entry_that_a_new_try_replaces_is_kept_aside(home):
    home.mkdir()
    before = json.dumps({"attention.softmax": {"stars": 3}, "attention.mix": NEWER["attention.mix"]})
    (home / "results.json").write_text(before)
    begun("unstable")
    assert kept(home)["attention.softmax"]["best"] == 2.5 and kept(home)["attention.mix"] == NEWER["attention.mix"]
    assert (home / "results.broken.json").read_text() == before


@pytest.mark.parametrize("spelling", ["OFF", "Off", "0", "false", "no", " off "])
def test_off_may_be_spelt_in_many_ways(home, monkeypatch, spelling):
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", spelling)
    begun("right")
    predict("02_attention.hull", "yes")
    assert not home.exists() and "is off" in str(my_progress())


def test_the_folder_may_be_written_with_a_tilde(tmp_path, home, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", "~/lab")
    monkeypatch.chdir(tmp_path)
    begun("right")
    assert (tmp_path / "lab" / "results.json").exists() and not (tmp_path / "~").exists()


def test_a_record_that_cannot_be_opened_is_said_so(home):
    (home / "results.json").mkdir(parents=True)
    assert "The record cannot be read" in str(my_progress()) and "results.json is a folder" in str(my_progress())


def test_off_writes_nothing_and_keeps_no_result(home, monkeypatch):
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", "off")
    begun("right")
    predict("02_attention.hull", "yes")
    assert not home.exists() and results.RESULTS.read() == {}
    assert str(my_progress()) == "Nothing is recorded: TRANSFORMER_LAB_PROGRESS is off."


def test_without_a_folder_of_ones_own_files_go_where_the_platform_keeps_such_things(tmp_path, home):
    environment = {key: value for key, value in os.environ.items() if key != "TRANSFORMER_LAB_DATA"}
    environment |= {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    code = "from transformer_lab.grading.store import folder; print(folder())"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path)) and "transformer_lab" in done.stdout
    assert not home.exists()


def test_a_folder_that_cannot_be_made_does_not_break_grade(home):
    home.write_text("a file, no folder")
    begun("unstable")
    begun("right")
    assert f"4 of {POSSIBLE}" in str(my_progress())  # it waits in the process ...
    home.unlink()
    begun("wrong")
    assert kept(home)["attention.softmax"]["tries"] == 3  # ... until it can be written
    begun("wrong")
    assert kept(home)["attention.softmax"]["tries"] == 4  # and is written once


@pytest.mark.parametrize("name", ["results.lock", "results.json"])
def test_a_file_that_cannot_be_opened_does_not_break_grade_and_stays(home, name):
    (home / name).mkdir(parents=True)
    begun("right")
    assert {path.name for path in home.iterdir()} <= {"results.lock", "results.json"} and (home / name).is_dir()
    assert results.RESULTS.read()["attention.softmax"]["tries"] == 1


def test_a_full_disk_leaves_the_old_file_and_no_other(home, monkeypatch):
    begun("unstable")
    before = (home / "results.json").read_bytes()

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        begun("right")
    assert (home / "results.json").read_bytes() == before
    assert {path.name for path in home.iterdir()} == {"results.json", "results.lock"}


def test_a_store_joins_what_another_has_written_meanwhile(home):
    one, other = (Store("sums", merge=lambda old, new: old + new, valid=lambda value: True) for _ in range(2))
    one.add("a", 1)
    other.add("a", 10)
    other.add("b", 100)
    one.add("a", 1000)
    assert one.read() == other.read() == {"a": 1011, "b": 100}


# how it is shown -------------------------------------------------------------------------------------------------


def shown():
    result = CliRunner().invoke(cli.app, ["progress"])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def cells_of(text):
    """The numbers of each lesson, by lesson."""
    return {words[0]: words[1:] for words in map(str.split, text.splitlines()) if words and words[0][0].isdigit()}


class Cells(HTMLParser):
    """The rows of a table, and every tag that is no part of one."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.others = [], set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        elif tag not in ("table", "thead", "tbody", "th", "td"):
            self.others.add(tag)

    def handle_data(self, data):
        if "p" not in self.others:
            self.rows[-1].append(data)


def test_an_empty_record_says_what_to_do(home):
    assert "Open an exercise" in shown() and "exercises/02_attention/attention.ipynb" in shown()
    assert not home.exists()


def test_the_table_counts_tried_and_done_questions_points_and_guesses(home):
    begun("unstable")
    grade("02_attention.shift", lambda scores, c: (scores + c).softmax(-1), "b_K")  # 2 of 2
    predict("02_attention.hull", "yes")
    predict("02_attention.hull", actual="yes")
    predict("02_attention.gradient", "stays")
    predict("02_attention.gradient", actual="grows")
    predict("09_block.order", "neither")  # and not yet held against a run
    predict("02_attention.break_scale", actual="too large")  # run without a guess
    lines = cells_of(shown())
    assert list(lines) == [module.LESSON for module in lessons().values()]
    assert lines["02_attention"] == ["2", "1", "8", "4.5", "of", str(POSSIBLE), "2", "1"]
    assert lines["09_block"][-2:] == ["1", "0"]
    assert lines["00_start_here"] == ["0", "0", "0", "0", "of", "0", "0", "0"]
    begun("right")
    assert cells_of(shown())["02_attention"][:4] == ["2", "2", "8", "6"]


def test_all_points_are_those_of_the_locked_cells(home):
    begun("right")
    lines = cells_of(shown())
    for path in PRISTINE.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        points = [
            cell["metadata"]["nbgrader"]["points"] for cell in cells if "points" in cell["metadata"].get("nbgrader", {})
        ]
        assert (int(lines[path.stem][2]), float(lines[path.stem][5])) == (len(points), sum(points)), path.stem


def test_what_is_recorded_of_other_courses_does_not_count(home):
    home.mkdir()
    entry = {"best": 7.0, "possible": 7.0, "tries": 1, "last": "2020-01-01"}
    (home / "results.json").write_text(json.dumps({"attention.gone": entry, "gone.softmax": entry}))
    (home / "guesses.json").write_text('{"attention.gone": "yes"}')
    assert "Nothing is recorded yet" in shown()
    (home / "results.json").write_text(json.dumps({"attention.softmax": entry}))  # 7 points, and today 4 at most
    assert cells_of(shown())["02_attention"][:6] == ["1", "1", "8", "4", "of", str(POSSIBLE)]


def test_text_and_html_say_the_same_and_where_it_is_kept(home):
    begun("right")
    bundle = my_progress()._repr_mimebundle_()
    rows = Cells(bundle["text/html"]).rows
    assert rows[0] == ["lesson", "tried", "done", "questions", "points", "guesses", "borne out"]
    assert {row[0]: " ".join(row[1:]).split() for row in rows[1:]} == cells_of(bundle["text/plain"])
    assert bundle["text/plain"] == repr(my_progress()) == shown().rstrip("\n")
    assert str(home) in bundle["text/plain"] and str(home) in bundle["text/html"]


def test_a_notebook_shows_the_table_once(home, tmp_path):
    begun("right")
    cell = nbformat.v4.new_code_cell("from transformer_lab.grading import my_progress\nmy_progress()")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, startup_timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    # On a slow machine the cell takes over a second: then the sign that it works has left an empty output.
    (output,) = (one for one in notebook.cells[0].outputs if one.data["text/plain"])
    assert output.data["text/plain"] == repr(my_progress()) and output.data["text/html"].count("<table>") == 1


def test_html_is_escaped(home, monkeypatch):
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(home / "<img src=x>"))
    begun("right")
    hostile = dataclasses.replace(outlines()["attention"], lesson="<script>alert(1)</script>")
    monkeypatch.setattr(summary, "outlines", lambda: {"attention": hostile})
    found = Cells(my_progress()._repr_mimebundle_()["text/html"])
    assert found.others == {"p"} and "<script>alert(1)</script>" in [row[0] for row in found.rows]


def test_the_command_does_not_read_a_path_as_markup(home, monkeypatch):
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(home / "[bold]x[/bold]"))
    begun("right")
    assert "[bold]x[/bold]" in shown()


# without torch ---------------------------------------------------------------------------------------------------


def test_the_outline_read_from_the_files_is_what_the_checks_are():
    modules = lessons()
    assert list(outlines()) == list(modules)
    for name, outline in outlines().items():
        worth = {title: sum(check.points for check in checks(q)) for title, q in questions(modules[name]).items()}
        assert outline.questions == worth and list(outline.questions) == list(worth)
        assert (outline.lesson, outline.predictions) == (modules[name].LESSON, modules[name].PREDICTIONS)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # its import fails
from transformer_lab.grading import my_progress
text = str(my_progress())
assert "numpy" not in sys.modules
from transformer_lab.cli import app
sys.argv = ["transformer-lab", "progress"]
try:
    app()
except SystemExit as end:
    assert not end.code
print(text)
"""


def test_progress_needs_no_torch(home):
    begun("unstable")
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout[: len(done.stdout) // 2], done.stdout[len(done.stdout) // 2 :]
    assert first.strip() == second.strip() and cells_of(first)["02_attention"][:2] == ["1", "0"]


def test_what_was_set_aside_before_stays(home):
    home.mkdir()
    for content in ("first {", "second {"):
        (home / "results.json").write_text(content)
        results.RESULTS.add("attention.softmax", {"best": 1.0, "possible": 4, "tries": 1, "last": "2026-01-01"})
    kept = {path.name: path.read_text() for path in home.glob("*.broken*.json")}
    assert kept == {"results.broken.json": "first {", "results.broken2.json": "second {"}
