"""transformer-lab export: a lesson as one page that asks for nothing, with formulas, drawings and pictures."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from transformer_lab.cli import app
from transformer_lab.export import WIDGET_VIEW, export, mathml

ROOT = Path(__file__).resolve().parents[1]
TEX = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$(.+?)(?<![\\$])\$", re.DOTALL)


def formulas(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    texts = [re.sub(r"```.*?```|`[^`]*`", "", "".join(c["source"]), flags=re.DOTALL) for c in cells
             if c["cell_type"] == "markdown"]  # fmt: skip
    return [one or other for text in texts for one, other in TEX.findall(text)]


@pytest.mark.parametrize("folder", ["notebooks", "transformer_lab/exercises"])
def test_every_formula_of_the_course_becomes_mathml(folder):
    found = {formula for path in (ROOT / folder).glob("*.ipynb") for formula in formulas(path)}
    assert len(found) > 200
    for formula in found:
        math = re.sub(r' alttext="[^"]*"', "", mathml(formula, "inline"))
        assert math.startswith("<math ") and "\\" not in math, formula


def test_what_is_no_formula_stays_as_it_was_written():
    assert mathml(r"\left( <b>", "inline") == r"<code>\left( &lt;b&gt;</code>"
    assert 'alttext="a &lt; &quot;b&quot;"' in mathml('a < "b"', "inline")


@pytest.mark.browser
def test_a_lesson_is_one_page_that_asks_for_nothing(page, tmp_path):
    lesson = tmp_path / "notebooks" / "02_attention.ipynb"
    shutil.copytree(ROOT / "notebooks" / "figures", lesson.parent / "figures")
    shutil.copy(ROOT / "notebooks" / lesson.name, lesson)
    out = tmp_path / "elsewhere" / "page.html"
    out.parent.mkdir()
    told = CliRunner().invoke(app, ["export", str(lesson), "--out", str(out)])
    assert (told.exit_code, told.output) == (0, f"{out}\n")
    shutil.rmtree(lesson.parent)
    page.goto(out.as_uri())  # any request to the outside fails the test
    page.wait_for_load_state("networkidle")
    wanted = {" ".join(formula.split()) for formula in formulas(ROOT / "notebooks" / lesson.name)}
    told = page.locator("math").evaluate_all("all => all.map((e) => e.getAttribute('alttext'))")
    assert {" ".join(formula.split()) for formula in told} == wanted
    assert "\\frac" not in page.inner_text("body") and page.locator("math[alttext*=sqrt]").count()
    assert page.locator("math msqrt").first.bounding_box()["height"] > 10
    summaries = page.locator("details summary")
    assert summaries.count() > 5 and "$" not in "".join(summaries.all_inner_texts())
    hidden = page.locator("details", has=page.get_by_text("Why? Open after your guess")).locator("p").first
    assert len(hidden.text_content()) > 100 and not hidden.is_visible()
    answer = page.locator("img[alt^='Figure: Dates right']")  # folded in the lesson, and here, below the guess
    assert answer.count() == 1 and not answer.is_visible()
    page.locator("details", has=answer).locator("> summary").first.click()
    assert answer.is_visible() and not page.get_by_text("def broken(").is_visible()
    images = page.locator("img")
    assert images.count() > 5
    for image in images.all():
        assert image.evaluate("(image) => image.complete && image.naturalWidth > 0")
    assert page.locator("img[alt^='Attention: Sunday']").count() == 1  # a view's own words for its picture
    assert "The translator drawn from its configuration" in page.locator("img").first.get_attribute("alt")


@pytest.mark.browser
def test_a_part_that_is_folded_in_the_notebook_is_folded_on_the_page_but_not_on_paper(page, tmp_path):
    new, folded = nbformat.v4.new_markdown_cell, {"jp-MarkdownHeadingCollapsed": True}
    cells = [new("# Lesson"), new("### Deeper: one", metadata=folded), new("in one"), new("#### Still one"),
             nbformat.v4.new_code_cell("1 + 1"), new("#### Deeper: two", metadata=folded), new("in two"),
             new("## The road"), new("on it"), new("### Deeper: last", metadata=folded), new("in last")]  # fmt: skip
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "parts.ipynb")
    page.goto(export(tmp_path / "parts.ipynb").as_uri())

    def seen():
        texts = [*(cell.source.lstrip("# ") for cell in cells)]
        return [text for text in texts if page.get_by_text(text).is_visible()]

    assert seen() == ["Lesson", "Deeper: one", "The road", "on it", "Deeper: last"]
    page.get_by_text("Open this part").first.click()
    assert seen() == [cell.source.lstrip("# ") for cell in cells if cell.source not in ("in two", "in last")]
    page.emulate_media(media="print")
    assert len(seen()) == len(cells) and not page.get_by_text("Open this part").first.is_visible()
    assert not page.locator("main .jp-part .jp-part >> text=The road").count()


@pytest.mark.browser
def test_columns_that_a_cell_printed_stay_columns_on_a_phone(page, tmp_path):
    row = "  ".join(f"{n:>12}" for n in range(9))
    printed = nbformat.v4.new_output("stream", text=f"{row}\n{row}\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(table)", outputs=[printed])])
    nbformat.write(notebook, tmp_path / "table.ipynb")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(export(tmp_path / "table.ipynb").as_uri())
    table = page.locator(".jp-OutputArea pre")
    assert table.bounding_box()["height"] < 4 * table.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
    assert page.evaluate("document.documentElement.scrollWidth") == 390  # the table scrolls, and not the page
    page.emulate_media(media="print")
    assert table.evaluate("(e) => getComputedStyle(e).whiteSpace") == "pre-wrap"
    page.emulate_media(media="screen")


@pytest.mark.browser
def test_on_paper_all_stands_open_but_the_code_and_nothing_is_cut(page, tmp_path):
    code = nbformat.v4.new_code_cell(f"print({' + '.join(['1'] * 60)})")
    shown = nbformat.v4.new_output("stream", text="the answer\n")
    table = nbformat.v4.new_output("display_data", {"text/html": '<div class="scrolls" tabindex="0">a table</div>'})
    code.outputs = [table]
    answer = nbformat.v4.new_code_cell("hidden = 1", outputs=[shown])
    answer.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
    text = nbformat.v4.new_markdown_cell("# 07 A *title*\n\n<details><summary>Why?</summary>\n\nBecause.\n\n</details>")
    heading = nbformat.v4.new_markdown_cell("## Why $\\sqrt d$?")
    nbformat.write(nbformat.v4.new_notebook(cells=[text, heading, code, answer]), tmp_path / "a.ipynb")
    page.set_viewport_size({"width": 700, "height": 900})
    page.goto(export(tmp_path / "a.ipynb").as_uri())
    assert page.title() == "07 A title" and page.locator("h2 math msqrt").count() == 1
    assert page.locator(".jp-Cell-inputWrapper[tabindex]").count() == 0
    assert page.locator(".scrolls[tabindex='0']").count() == 1  # what a cell itself shows stays within reach
    said = [page.get_by_text(words, exact=True) for words in ("the answer", "Because.")]
    assert not any(one.is_visible() for one in said)
    page.emulate_media(media="print")
    assert all(one.is_visible() for one in said)
    assert not page.get_by_text("hidden = 1").is_visible() and not page.get_by_text("What it shows").is_visible()
    needed, there = page.locator(".highlight pre").first.evaluate("(e) => [e.scrollWidth, e.clientWidth]")
    assert needed <= there


@pytest.mark.browser
def test_a_wide_picture_can_be_read_on_a_phone(page, tmp_path):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(export(ROOT / "notebooks" / "04_multi_head.ipynb", tmp_path / "lesson.html").as_uri())
    page.wait_for_load_state("networkidle")
    sizes = (
        "(all) => all.map((i) => [i.width, i.naturalWidth, i.parentElement.scrollWidth, i.parentElement.clientWidth])"
    )
    pictures = page.locator("img").evaluate_all(sizes)
    shown = [picture for picture in pictures if picture[0]]  # some are folded
    assert len(shown) > 5
    for width, natural, needed, there in shown:
        assert width == min(natural, 620) and needed >= width > there  # the picture scrolls, and not the page
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.browser
def test_widgets_of_a_learners_own_run_are_their_pictures(page, tmp_path):
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    data = {WIDGET_VIEW: {"model_id": "1", "version_major": 2}, "image/png": picture, "text/plain": "a view"}
    figure = {"image/png": picture, "text/plain": "<Figure size 700x300 with 1 Axes>"}
    outputs = [
        nbformat.v4.new_output("display_data", data),
        nbformat.v4.new_output("display_data", figure, metadata={"image/png": {"alt": "Figure: Loss falls"}}),
    ]
    cell = nbformat.v4.new_code_cell("view", outputs=outputs)
    state = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": state}), tmp_path / "own.ipynb")
    assert export(tmp_path / "own.ipynb") == tmp_path / "own.html"
    page.goto((tmp_path / "own.html").as_uri())
    page.wait_for_load_state("networkidle")
    told = page.locator("img").evaluate_all("all => all.map((image) => image.alt)")
    assert told == ["a view", "Figure: Loss falls"]


def test_a_notebook_that_is_not_there_gets_a_sentence(tmp_path):
    told = CliRunner().invoke(app, ["export", str(tmp_path / "none.ipynb")])
    assert told.exit_code == 2 and "none.ipynb" in told.output and "Traceback" not in told.output


@pytest.mark.parametrize(
    "content", ["{}", "[]", "{", "", '{"cells": [], "metadata": {}, "nbformat": 9, "nbformat_minor": 5}']
)
def test_what_is_no_notebook_gets_a_sentence(tmp_path, content):
    (tmp_path / "a.ipynb").write_text(content, encoding="utf-8")
    told = CliRunner().invoke(app, ["export", str(tmp_path / "a.ipynb")])
    assert told.exit_code == 2 and "a.ipynb" in told.output and "Traceback" not in told.output


@pytest.mark.parametrize("name", ["a.ipynb", "a.pdf"])
def test_a_page_is_written_under_no_other_ending(tmp_path, name):
    book = nbformat.v4.new_notebook()
    nbformat.write(book, tmp_path / "a.ipynb")
    with pytest.raises(ValueError, match=f"{name} ends in .*; wanted .html"):
        export(tmp_path / "a.ipynb", tmp_path / name)
    assert nbformat.read(tmp_path / "a.ipynb", as_version=4) == book and len(list(tmp_path.iterdir())) == 1
    assert export(tmp_path / "a.ipynb") == tmp_path / "a.html"
