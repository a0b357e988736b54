"""Widgets of one kind share a script: a notebook holds it once, and every view finds it."""

import ipywidgets
import pytest

from browser import eventually
from transformer_lab.viz import AttentionView, SoftmaxExplorer, browser_files
from transformer_lab.viz.shared_script import Script

SETUP = """
from transformer_lab import load
from transformer_lab.viz import AttentionView, SoftmaxExplorer
model, tokenizer = load('dates')
"""
VIEW = "AttentionView.from_model(model, tokenizer, 'May {}, 1935')"
LATE = """async ([script, refusals]) => {
  const { default: widget } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const module = 'export default { render({ el }) { el.append("here"); return () => (el.textContent = "gone"); } }';
  const shared = { module, sheet: "#late { color: rgb(1, 2, 3) }" };
  const manager = { get_model: async (id) => {
    if (id !== "7") throw new Error(`${id} was asked for`);
    if (refusals-- > 0) throw new Error("not made yet");
    return { get: (name) => shared[name] };
  } };
  const own = { _script: "IPY_MODEL_7", _anywidget_id: "late-kind" };
  const el = Object.assign(document.createElement("div"), { id: "late" });
  document.body.append(el);
  const end = await widget.render({ model: { get: (name) => own[name], widget_manager: manager }, el });
  const seen = [el.textContent, getComputedStyle(el).color];
  end();
  return [...seen, el.textContent, document.querySelectorAll("#late-kind").length];
}"""


def test_two_of_a_kind_have_one_script_and_another_kind_has_its_own():
    one, other, third = SoftmaxExplorer(), SoftmaxExplorer(), AttentionView([[[[1.0]]]])
    assert one._script is other._script is not third._script
    assert third._script.module == browser_files.module("attention_view")
    assert third._script.sheet == browser_files.sheet("attention_view")


def test_no_view_carries_more_than_the_few_lines_that_fetch_it():
    one = SoftmaxExplorer()
    state = one.get_state()
    assert state["_script"] == f"IPY_MODEL_{one._script.model_id}"
    assert sum(len(value) for value in state.values() if isinstance(value, str)) < 1500


def test_when_all_widgets_were_closed_the_next_one_has_a_script_again():
    before = SoftmaxExplorer()._script
    ipywidgets.Widget.close_all()
    after = SoftmaxExplorer()._script
    assert isinstance(after, Script) and after is not before and after.comm is not None


@pytest.mark.browser
@pytest.mark.parametrize("refusals", [0, 3])
def test_a_script_that_comes_later_is_waited_for(page, refusals):
    page.goto("about:blank")
    seen = page.evaluate(LATE, [browser_files.module("shared_script"), refusals])
    assert seen == ["here", "rgb(1, 2, 3)", "gone", 1]


@pytest.mark.browser
def test_a_saved_notebook_holds_the_script_once_and_all_its_views_come_back(lab, page):
    views = [VIEW.format(day) for day in (3, 4)]
    lab.open("views.ipynb", [SETUP, *views, "SoftmaxExplorer()"])
    lab.run_all()
    maps = page.locator(".tl-attention .detail")
    eventually(lambda: maps.count() == 2)
    lab.save("views.ipynb")
    text = (lab.root / "views.ipynb").read_text(encoding="utf-8")
    assert text.count("function attentionMap(") == 1
    lab.shut_down()
    lab.open("views.ipynb")
    eventually(lambda: maps.count() == 2)
    assert page.locator(".tl-softmax").count() == 1
    other = page.locator(".tl-attention").nth(1).locator(".thumbnail").last
    assert other.get_attribute("aria-selected") == "false"
    other.click()
    eventually(lambda: other.get_attribute("aria-selected") == "true")
