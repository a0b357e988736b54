"""course_home(): what it counts, where it sends one, and what it shows in words and as a map."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from transformer_lab import cli, course_home
from transformer_lab.grading import home as home_module
from transformer_lab.grading import predict, predictions, results
from transformer_lab.grading.outline import outlines

ROOT = Path(__file__).resolve().parents[1]
LAST = list(outlines())[-1]


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """The folder of the learner's files; one stands in the folder of the lessons, as their kernels do."""
    for store in (results.RESULTS, predictions.GUESSES, predictions.LATE, predictions.RUNS):
        monkeypatch.setattr(store, "waiting", {})
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path))
    monkeypatch.delenv("TRANSFORMER_LAB_PROGRESS", raising=False)
    monkeypatch.chdir(ROOT / "notebooks")
    return tmp_path


def record(data, solved=(), read=(), guess=True):
    """Write that the exercises of some lessons are solved, and others were read, with or without a guess each time."""
    outline = outlines()
    earned = {f"{n}.{q}": (float(p), float(p)) for n in solved for q, p in outline[n].questions.items()}
    entries = {q: {"best": best, "possible": p, "tries": 1, "last": "2026-01-01"} for q, (best, p) in earned.items()}
    runs = {f"{n}.{q}": options[0] for n in read for q, options in outline[n].predictions.items()}
    for name, content in {"results": entries, "runs": runs, "guesses": runs if guess else {}}.items():
        (data / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def html(shown):
    return shown._repr_mimebundle_()["text/html"]


def links(text):
    return re.findall(r'href="([^"]+)"', text)


def test_every_lesson_is_on_the_map_and_every_link_leads_somewhere():
    home = course_home()
    assert [stop.line.lesson for stop in home.stops] == [one.lesson for one in outlines().values()]
    there = {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert {stop.line.lesson for stop in home.stops} == there
    assert len(links(html(home))) == 1 + sum(1 + bool(stop.line.questions) for stop in home.stops)
    for link in links(html(home)):
        assert (ROOT / "notebooks" / link).is_file(), link


def test_titles_and_minutes_are_those_of_the_heads():
    for stop in course_home().stops:
        head = json.loads((ROOT / "notebooks" / f"{stop.line.lesson}.ipynb").read_text())["cells"][0]["source"]
        assert f"# {stop.name}" in "".join(head) and f"About {stop.minutes} minutes" in "".join(head)


def test_nothing_done_yet_is_a_beginning():
    home = course_home()
    assert str(home).startswith(
        f"{len(home.stops)} lessons lie before you. Begin with 00 Start here (00_start_here.ipynb)"
    )
    points = sum(sum(one.questions.values()) for one in outlines().values())
    guesses = sum(len(one.predictions) for one in outlines().values())
    hours = sum(stop.minutes for stop in home.stops) / 60
    assert f"Before you: {points:g} points, {guesses} guesses, {hours:.1f} hours of reading and running." in str(home)
    assert " of " not in str(home).split("Before you")[0] and 'stroke-dasharray="0.0 ' in html(home)


@pytest.mark.parametrize(
    "record_of, to",
    [
        (dict(read=["start_here"]), "01_toolkit.ipynb"),
        (dict(read=["start_here", "toolkit"]), "../exercises/01_toolkit/toolkit.ipynb"),
        (dict(read=["start_here"], solved=["toolkit"]), "01_toolkit.ipynb"),
        (dict(read=["start_here", "toolkit"], solved=["toolkit"]), "02_attention.ipynb"),
        (dict(read=["start_here", "toolkit"], solved=["toolkit"], guess=False), "02_attention.ipynb"),
        (dict(read=["masks"]), "../exercises/03_masks/masks.ipynb"),
        (dict(read=["block"], solved=["block"]), "10_tokens.ipynb"),
        (dict(read=[LAST], solved=[LAST]), "00_start_here.ipynb"),
    ],
)
def test_one_goes_on_where_one_left_off(data, record_of, to):
    record(data, **record_of)
    assert links(html(course_home()))[0] == to
    assert f"({to})" in str(course_home()).splitlines()[0]


def test_when_all_is_done_it_says_so(data):
    record(data, solved=list(outlines()), read=list(outlines()))
    home = course_home()
    assert home.next is None and str(home).startswith("Every lesson is read and every exercise solved.\n")
    assert all(stop.share == 1 for stop in home.stops)
    assert html(home).count('stroke-dasharray="100.0 ') == len(home.stops)
    assert "Before you" not in home.tally()


def test_points_and_guesses_are_counted_as_in_the_table(data):
    record(data, read=["masks"])
    half = {"best": 2.5, "possible": 4.0, "tries": 1, "last": "2026-01-01"}
    (data / "results.json").write_text(json.dumps({"attention.softmax": half}))
    (one, options), (other, others), *_ = outlines()["masks"].predictions.items()
    (data / "guesses.json").write_text(json.dumps({f"masks.{one}": options[0], f"masks.{other}": others[1]}))
    home = course_home()
    by_name = {stop.line.lesson: stop for stop in home.stops}
    attention, masks = by_name["02_attention"], by_name["03_masks"]
    assert attention.details()[:2] == ["2.5 of 29 points", "0 of 3 guesses"]
    assert attention.share == 2.5 / 32 and masks.share == 2 / (masks.line.possible + masks.line.predictions)
    all_guesses = sum(len(outline.predictions) for outline in outlines().values())
    assert home.tally().startswith("2.5 of ") and f"2 of {all_guesses} guesses" in home.tally()
    ahead = len(home.stops) - 2
    assert f"(1 right). Before you: {ahead} lessons, " in home.tally()  # the runs came out as first options
    assert str(data) in str(home)


def test_off_shows_the_map_and_says_why_it_stays_empty(data, monkeypatch):
    record(data, read=["start_here"])
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", "off")
    predict("02_attention.hull", "yes")  # kept in this process, and the built lesson must not show it
    home = course_home()
    assert "lie before you" in str(home) and "unless TRANSFORMER_LAB_PROGRESS is off" in html(home)
    assert str(data) not in str(home) + html(home)


def test_the_command_shows_the_words(monkeypatch):
    monkeypatch.chdir(ROOT)
    shown = CliRunner().invoke(cli.app, ["home"])
    assert shown.exit_code == 0 and shown.stdout == f"{course_home()}\n"
    assert "(notebooks/00_start_here.ipynb)" in shown.stdout


def test_without_the_lessons_the_map_has_their_names(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text('{"cells": []}')
    monkeypatch.chdir(tmp_path)
    home = course_home()
    assert [stop.title for stop in home.stops][:2] == ["Start here", "Toolkit"] and "hours" not in home.tally()
    assert "minutes" not in str(home)


def test_a_title_is_text(monkeypatch):
    monkeypatch.setattr(home_module, "head", lambda notebook, name: ("<script>alert(1)</script>", None))
    assert "<script>" not in html(course_home())


def test_every_guess_that_is_counted_is_asked_in_its_lesson():
    for outline in outlines().values():
        source = (ROOT / "source" / "lessons" / f"{outline.lesson}.py").read_text(encoding="utf-8")
        for name in outline.predictions:
            asked = re.findall(rf'predict\(\s*"{outline.lesson}\.{name}"', source)
            assert len(asked) == 2, f"{outline.lesson}.{name}"
