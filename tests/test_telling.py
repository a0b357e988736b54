"""How the second edition of the lessons is told: honest minutes, drawings with words, findings, hidden answers.

The rules are tested on what learners get, the built notebooks.
"""

import re
import sys
from pathlib import Path

import nbformat
import pytest

from transformer_lab.grading.outline import outlines

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "source"))
from build import draw, read, sources  # noqa: E402

SECOND_EDITION = [
    "00_start_here",
    "01_toolkit",
    "02_attention",
    "03_masks",
    "04_multi_head",
    "05_feed_forward",
    "06_residual",
    "07_layer_norm",
    "08_positions",
    "09_block",
    "10_tokens",
    "11_encoder_decoder",
    "12_decoding",
    "13_training",
    "14_gpt",
    "15_bert",
    "16_fine_tuning",
]
lessons = pytest.mark.parametrize("name", SECOND_EDITION)
PICTURE = re.compile(r"!\[(.*?)\]\((.*?)\)", re.DOTALL)
FOLDED = re.compile(r"<details.*?</details>", re.DOTALL)
WIDGET = re.compile(r"(Explorer|AttentionView|ModelTour)(\.of)?\(")  # where it is shown, its code is open


def built(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells


def prose(name):
    """All words; those under a collapsed heading as if they stood in <details>."""
    texts = [(cell.source, is_deeper(cell)) for cell in built(name) if cell.cell_type == "markdown"]
    return "\n".join(f"<details>{text}</details>" if deeper else text for text, deeper in texts)


def is_hidden(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def is_deeper(cell):
    """Whether the cell stands under a collapsed heading, off the main road."""
    return "deeper" in cell.metadata.get("tags", [])


def minutes(name):
    """Words / 120, visible code lines / 10, 3 a guess, 6 a widget; folded words count a third, deeper code nothing."""
    text = PICTURE.sub("", prose(name))
    folded = " ".join(FOLDED.findall(text))
    n_words = len(FOLDED.sub("", text).split()) + len(folded.split()) / 3
    code = [cell for cell in built(name) if cell.cell_type == "code"]
    visible = [cell for cell in code if not is_hidden(cell) and not is_deeper(cell)]
    n_lines = sum(len([line for line in cell.source.splitlines() if line.strip()]) for cell in visible)
    n_guesses = sum(bool(re.search(r'predict\("[^")]*"(, None)?\)', cell.source)) for cell in code)
    n_widgets = sum(bool(WIDGET.search(cell.source)) for cell in visible)
    return n_words / 120 + n_lines / 10 + 3 * n_guesses + 6 * n_widgets


@lessons
def test_the_minutes_are_honest_and_not_too_many(name):
    promised = int(re.search(r"About (\d+) minutes", prose(name))[1])
    assert promised == pytest.approx(minutes(name), abs=5) and promised <= 60


ROW = re.compile(r"^\| \d+ \| (\d\d) [^|]*\| (\d+) min \| (\d+) min \| (\d+) min \|$", re.MULTILINE)
ASKED = re.compile(r"^# \*(Optional)?.*\bpoints, difficulty [1-5] of 5, about (\d+) minutes", re.MULTILINE)


def test_the_table_for_teachers_has_the_minutes_of_lessons_and_exercises():
    rows = ROW.findall((ROOT / "docs" / "teaching.md").read_text(encoding="utf-8"))
    assert [row[0] for row in rows] == [name[:2] for name in SECOND_EDITION[1:]]
    for name, row in zip(SECOND_EDITION[1:], rows, strict=True):
        asked = ASKED.findall((ROOT / "source" / "exercises" / f"{name}.py").read_text(encoding="utf-8"))
        core, optional = (sum(int(n) for of, n in asked if bool(of) == choice) for choice in (False, True))
        promised = int(re.search(r"About (\d+) minutes", prose(name))[1])
        assert [int(n) for n in row[1:]] == [promised, core, optional], name


@pytest.mark.parametrize("name", SECOND_EDITION[1:])
def test_an_exercise_ends_with_the_way_back(name):
    text = (ROOT / "source" / "exercises" / f"{name}.py").read_text(encoding="utf-8")
    back = f"[lesson](../../notebooks/{name}.ipynb), or to the [start](../../notebooks/00_start_here.ipynb)."
    assert text.endswith(f"# %% [markdown]\n# Back to the {back}\n")


@lessons
def test_every_picture_says_in_words_what_it_shows(name):
    pictures = PICTURE.findall(prose(name))
    assert len(pictures) >= 2
    for words, path in pictures:
        assert len(words.split()) >= 15, path
        assert (ROOT / "notebooks" / path).is_file()


@lessons
def test_the_drawings_are_those_that_their_source_draws(name, tmp_path):
    fresh = draw(name, tmp_path)
    kept = sorted((ROOT / "notebooks" / "figures").glob(f"{name}_*.svg"))
    assert [path.name for path in sorted(fresh)] == [path.name for path in kept]
    for path in fresh:
        assert path.read_bytes() == (ROOT / "notebooks" / "figures" / path.name).read_bytes(), path.name
        assert f"figures/{path.name}" in prose(name)


def printed(cell):
    return "".join(output.text for output in cell.get("outputs", []) if output.output_type == "stream")


LIST = re.compile(r"\s*(\d+[.)]|[-+*])\s")


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_no_running_text_becomes_a_list_where_its_line_was_broken(source):
    """A line that begins with "1." or a dash is an item, even amid a sentence: a list has an empty line before it."""
    for cell in read(source).cells:
        if cell.cell_type == "markdown":
            for paragraph in cell.source.split("\n\n"):
                first, *rest = paragraph.split("\n")
                assert LIST.match(first) or not any(map(LIST.match, rest)), paragraph


@lessons
def test_findings_are_numbers_not_booleans(name):
    lines = [line for cell in built(name) if not is_deeper(cell) for line in printed(cell).splitlines()]
    assert sum(bool(re.search(r"\b(True|False)\s*$", line)) for line in lines) <= 5


@lessons
def test_a_number_that_may_differ_is_asserted_in_the_same_cell(name):
    for cell in built(name):
        if cell.cell_type == "code":
            assert printed(cell).count("≈") <= cell.source.count("assert"), cell.source


@lessons
def test_no_catalogue_number_stands_in_a_lesson(name):
    assert not re.search(r"\bM\d\d\b", "\n".join(cell.source for cell in built(name)))


@lessons
def test_between_a_guess_and_its_answer_everything_is_folded(name):
    """From the cell that asks to the one that answers: code hidden, outputs closed, and the reason in <details>."""
    asked = None
    for cell in built(name):
        question = re.search(r'predict\(\s*"([\w.]+)"', cell.source) if cell.cell_type == "code" else None
        if question and "actual=" not in cell.source:
            asked = question[1]
        elif asked and cell.cell_type == "code":
            assert is_hidden(cell) and cell.metadata["jupyter"].get("outputs_hidden"), cell.source
            if question:
                assert question[1] == asked
                asked = None
    assert asked is None


def test_no_lesson_says_which_bias_question_5_of_lesson_02_asks_for():
    exercise = (ROOT / "source" / "exercises" / "02_attention.py").read_text(encoding="utf-8")
    asked = re.search(r"## Question 5: .*?## Question 6: ", exercise, re.DOTALL)[0]
    answer = re.compile(r"\bb_K\b|\bbias(es)? of (the |its )?keys?\b|\bkeys?('s?)? bias", re.IGNORECASE)
    assert answer.search(asked)
    before_13 = SECOND_EDITION[: SECOND_EDITION.index("13_training")]  # which recalls it
    texts = {name: "\n".join(cell.source for cell in built(name)) for name in before_13}
    texts["the other questions"] = exercise.replace(asked, "")
    assert [name for name, text in texts.items() if answer.search(text)] == []


def test_the_list_of_lessons_counts_their_questions():
    text = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    listed = {lesson: int(n) for n, lesson in re.findall(r"\[(\d+)\]\(\.\./exercises/(\w+)/", text)}
    assert listed == {one.lesson: len(one.questions) for one in outlines().values() if one.questions}
