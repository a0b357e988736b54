"""The lessons as a learner meets them: in a real browser, offline. One test makes README's picture."""

import json
import os
import platform
import shutil
from pathlib import Path

import pytest

from browser import READY, eventually
from transformer_lab.viz.inputs import romanised

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "tests" / "screenshots" / "start.png"


def open_copy(lab, relative, kernel=True):
    path = lab.root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / relative, path)
    copy_figures(lab)
    lab.open(relative, kernel=kernel)


def copy_figures(lab):
    shutil.copytree(ROOT / "notebooks" / "figures", lab.root / "notebooks" / "figures", dirs_exist_ok=True)


def test_start_here_lets_you_translate_and_break(lab, page):
    page.set_viewport_size({"width": 1280, "height": 960})
    open_copy(lab, "notebooks/00_start_here.ipynb")
    lab.run_all()
    field = page.get_by_label("English date")
    field.scroll_into_view_if_needed()
    field.fill("Friday, May 3, 1935")
    field.press("Enter")
    eventually(lambda: lab.python("print(translator.translation)") == "1935年5月3日星期五")
    eventually(lambda: page.get_by_text("1935年5月3日星期五", exact=True).is_visible())
    labels = page.locator(".tl-attention .query-labels .label")
    written = [*"1935", "年", "5", "月", "3", "日", "星期五", "[EOS]"]
    # Where no font has Chinese characters they are written as they are read aloud.
    eventually(lambda: labels.all_text_contents() in (written, [romanised(token) for token in written]))

    page.get_by_label("switched off").select_option("choice")
    eventually(lambda: lab.python("print(translator.translation)") != "1935年5月3日星期五")
    page.get_by_label("switched off").select_option("nothing")
    page.get_by_label("show", exact=True).select_option("decoder: Chinese reads Chinese so far")
    eventually(lambda: page.get_by_text("exactly 0 (masked)").is_visible())

    field.fill("")
    field.press("Enter")
    eventually(lambda: page.get_by_text("Type a date such as").is_visible())
    field.fill("<b>May</b> 3, 1935")
    field.press("Enter")
    eventually(lambda: page.get_by_text("[UNK] marks a word the model has never seen").is_visible())


def test_text_keeps_its_distance_from_a_closed_fold_above_it(lab, page):
    open_copy(lab, "notebooks/02_attention.ipynb", kernel=False)
    fold = page.locator(".jp-MarkdownOutput details:not([open])").first
    assert fold.evaluate("fold => parseFloat(getComputedStyle(fold).marginBottom)") > 10


def test_the_picture_in_the_readme(lab, page, tmp_path):
    page.set_viewport_size({"width": 1180, "height": 900})
    lab.open("start.ipynb", ["from transformer_lab import load\nfrom transformer_lab.viz import DateTranslator\n"
                             "translator = DateTranslator(*load('dates'))\ntranslator"])  # fmt: skip
    lab.theme("JupyterLab Light")
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    lab.run_all()
    page.get_by_label("English date").scroll_into_view_if_needed()
    page.locator(".tl-attention .thumbnail").nth(6).click()
    taken = tmp_path / "start.png"
    page.screenshot(path=taken)
    if os.environ.get("UPDATE_SCREENSHOTS"):
        PICTURE.parent.mkdir(exist_ok=True)
        shutil.copy(taken, PICTURE)
    from matplotlib.image import imread

    seen, kept = imread(taken), imread(PICTURE)
    assert seen.shape == kept.shape
    assert abs(seen - kept).mean() < 0.05  # another machine's fonts move letters, not panels


def test_lesson_02_runs_and_its_widgets_live(lab, page):
    open_copy(lab, "notebooks/02_attention.ipynb")
    lab.run_all()
    assert lab.python("print(explorer.query, type(seen).__name__)") == "[1.2, -0.8] Tensor"
    lab.python("explorer.query = [2.0, 3.0]; explorer.temperature = 0.3")
    assert lab.python("print(explorer.output.round(1).tolist())") == "[-0.6, 1.7]"


def test_opening_a_lesson_or_an_exercise_changes_nothing(lab, page):
    for relative in ("notebooks/00_start_here.ipynb", "transformer_lab/exercises/02_attention.ipynb"):
        notebook = json.loads((ROOT / relative).read_text(encoding="utf-8"))
        notebook["metadata"]["language_info"]["version"] = platform.python_version()  # as if it had been built here
        path = lab.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        copy_figures(lab)
        lab.open(relative)
        page.wait_for_timeout(1000)  # JupyterLab stores what the kernel says a moment after it is ready
        assert not page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty"), relative


def test_a_long_line_of_code_wraps_on_a_narrow_page(lab, page):
    page.set_viewport_size({"width": 900, "height": 800})
    lab.open("long_line.ipynb", ["x = " + " + ".join(["1"] * 60)], kernel=False)
    widths = "(code) => [code.scrollWidth, code.clientWidth]"
    eventually(lambda: page.locator(".jp-CodeCell .cm-line").count() == 1)
    needed, there = page.locator(".jp-CodeCell .cm-scroller").evaluate(widths)
    assert needed <= there


def test_an_explorer_is_still_there_when_its_kernel_is_gone(lab, page):
    lesson = "notebooks/02_attention.ipynb"
    open_copy(lab, lesson, kernel=False)
    cell = page.locator(".jp-CodeCell", has_text="explorer  # QueryExplorer()")
    cell.scroll_into_view_if_needed()
    eventually(lambda: cell.locator("img").is_visible())  # built, and not trusted: a picture

    page.evaluate(READY)
    lab.run_all()
    lab.python("explorer.query = [2.0, 3.0]")
    lab.save(lesson)
    lab.shut_down()
    lab.open(lesson)  # with a new kernel, in which nothing has run
    cell.scroll_into_view_if_needed()
    read_out = cell.locator(".tl-query .read-out")
    eventually(lambda: read_out.count() == 1 and read_out.text_content().startswith("q = (2.00, 3.00)"))
    assert lab.python("print('explorer' in globals())") == "False"


def test_an_exercise_shows_its_card(lab, page):
    open_copy(lab, "exercises/02_attention/attention.ipynb")
    answer = "def softmax(x, dim=-1):\n    return x.exp() / x.exp().sum(dim=dim, keepdim=True)"
    page.evaluate(
        """(source) => {
          const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
          for (let i = 0; i < cells.length; i++)
            if (cells.get(i).sharedModel.source.startsWith("def softmax")) cells.get(i).sharedModel.setSource(source);
        }""",
        answer,
    )
    lab.run_all()
    card = page.locator(".jp-OutputArea-output", has_text="02_attention.softmax").first
    card.scroll_into_view_if_needed()
    assert "Not done yet" not in card.text_content() and "2.5 of 4 points" in card.text_content()
    other = page.locator(".jp-OutputArea-output", has_text="02_attention.entropy").first
    other.scroll_into_view_if_needed()
    assert "Not done yet" in other.text_content()
