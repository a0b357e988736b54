"""Guesses by a click: what a press does, what is stored and what is not, and what stands where there is no kernel."""

import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from transformer_lab.grading import guess_card, guessed, predict, predictions
from transformer_lab.grading.guess_card import Question, row
from transformer_lab.viz.guess_buttons import GuessButtons

ROOT = Path(__file__).resolve().parents[1]
GRADIENT, OPTIONS = "02_attention.gradient", ("grows", "stays", "vanishes")


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    """The file of the guesses, in a new folder."""
    for store in (predictions.GUESSES, predictions.LATE, predictions.RUNS):
        monkeypatch.setattr(store, "waiting", {})
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path))
    monkeypatch.delenv("TRANSFORMER_LAB_PROGRESS", raising=False)
    return tmp_path / "guesses.json"


def pressed(buttons, option):
    """What the buttons show after a press: (the guess, a later one, the message)."""
    buttons._handle_custom_msg(option, [])
    return buttons.guess, buttons.later, buttons.message


def plain(html):
    """The text of the HTML, without what stands in <details>."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<details>.*?</details>", "", html, flags=re.DOTALL))


def test_the_first_press_is_kept_and_a_later_one_is_called_so(file):
    buttons = GuessButtons(predict(GRADIENT))
    assert (buttons.options, buttons.guess, buttons.later, buttons.message) == ([*OPTIONS], "", "", "")
    saved = "Your guess, 'stays', is saved. Now run the cells below and see."
    assert pressed(buttons, "stays") == ("stays", "", saved)
    assert pressed(buttons, "grows") == ("stays", "grows", "You first guessed 'stays'; the first guess counts.")
    assert pressed(buttons, "stays") == ("stays", "", saved)
    assert json.loads(file.read_text()) == {"attention.gradient": "stays"}


def test_a_press_after_the_run_does_not_count(file):
    buttons = GuessButtons(predict(GRADIENT))
    predict(GRADIENT, actual="grows")
    sentence = "'stays' comes after the run, so it does not count as a guess."
    assert pressed(buttons, "stays") == ("", "stays", sentence)
    assert not file.exists() and predictions.LATE.read() == {"attention.gradient": "stays"}


def test_a_guess_is_pressed_again_when_the_cell_runs_in_a_new_kernel():
    GuessButtons(predict(GRADIENT))._handle_custom_msg("grows", [])
    again = GuessButtons(predict(GRADIENT))
    assert again.guess == "grows" and "is saved" in again.message


def test_a_press_and_a_written_guess_are_the_same_guess():
    GuessButtons(predict(GRADIENT))._handle_custom_msg("grows", [])
    assert predict(GRADIENT, "stays") == "You first guessed 'grows'; the first guess counts."
    assert GuessButtons(predict(GRADIENT, "stays")).later == "stays"


def test_the_guess_that_counts_can_be_marked_in_a_figure():
    assert guessed(GRADIENT) is None
    predict(GRADIENT, "stays")
    predict(GRADIENT, "grows")
    assert guessed(GRADIENT) == "stays"


@pytest.mark.parametrize("call", [(GRADIENT,), (GRADIENT, None)])
def test_without_a_kernel_the_options_are_a_list(call):
    shown = predict(*call)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"].startswith("No guess yet: click 'grows', 'stays' or 'vanishes'; or write it")
    assert re.findall(r"<li[^>]*>(.*?)</li>", shown["text/html"]) == [*OPTIONS]
    assert shown["text/html"] == predict(*call)._repr_mimebundle_()["text/html"]


def test_without_anywidget_a_guess_is_written(monkeypatch):
    monkeypatch.setattr(guess_card, "find_spec", lambda name: None)
    assert predict(GRADIENT)._repr_mimebundle_().keys() == {"text/plain", "text/html"}
    assert importlib.util.find_spec("anywidget")  # else the other tests would prove nothing


def test_the_answer_is_folded_until_there_is_a_guess():
    html = predict(GRADIENT, actual="grows")._repr_mimebundle_()["text/html"]
    assert plain(html).split() == ["Your", "guess", "and", "the", "run:"] and "<details>" in html
    assert html.startswith("Your guess and the run:\n")


@pytest.mark.parametrize(
    "guess, items",
    [
        ("stays", ["grows the run", "stays your guess", "vanishes"]),
        ("grows", ["grows your guess = the run", *OPTIONS[1:]]),
    ],
)
def test_the_guess_stands_in_the_result(guess, items):
    predict(GRADIENT, guess)
    html = predict(GRADIENT, actual="grows")._repr_mimebundle_()["text/html"]
    assert [" ".join(plain(item).split()) for item in re.findall(r"<li[^>]*>(.*?)</li>", html)] == items
    assert "<details" not in html and html.startswith("Your guess and the run:\n")


def test_options_are_text():
    class Tags(HTMLParser):
        def handle_starttag(self, tag, attributes):
            assert tag in ("ul", "li", "div", "br", "small", "details", "summary"), tag

    Tags().feed(row(("<img src=x>", "&amp;"), "<img src=x>", "&amp;"))
    Tags().feed(Question("", ("<script>",), print).as_html())


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/0[02]_*.ipynb")), ids=lambda path: path.stem)
def test_a_built_lesson_holds_no_guess_and_no_open_answer(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and re.search(r"^predict\(", cell.source, re.M):
            html = cell.outputs[-1].data["text/html"]
            assert "is saved" not in html and "You guessed" not in html and "<small>your guess" not in html
            assert "The run says" not in plain(html), cell.source
            assert ("actual=" in cell.source) == ("<details>" in html)
