"""What every explorer must stand: each control over its range, narrow pages, light and dark, and no kernel."""

import re

import numpy as np
import pytest

from test_explorers import KINDS, made
from transformer_lab import viz

pytestmark = pytest.mark.browser

CONTROLS = ".tl-explorer :is(input, select, button, [role=slider])"
SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def explorer(request, page, tmp_path):
    """A page that shows the explorer as it is at first, without a kernel."""
    page.goto(made(request.param).save(tmp_path / "explorer.html").as_uri())
    page.wait_for_selector(".tl-explorer")
    return page


def content(page):
    return page.inner_html(".tl-explorer")


def test_every_control_moves_something_and_breaks_nothing(explorer):
    page = explorer  # which fails the test for any error in the console
    controls = page.locator(".tl-explorer input[type=range]")
    assert controls.count() + page.locator(".tl-explorer select, .tl-explorer [role=slider]").count() > 0
    for i in range(controls.count()):
        control = controls.nth(i)
        low, high = (float(control.get_attribute(name)) for name in ("min", "max"))
        seen = set()
        for value in (low, *np.linspace(low, high, 5)[1:-1], high):
            control.evaluate(SET, str(value))
            seen.add(content(page))
        assert len(seen) > 1, f"slider {i} changes nothing"
    for select in page.locator(".tl-explorer select").all():
        for value in select.evaluate("(select) => [...select.options].map((option) => option.value)"):
            select.select_option(value)
            for control in controls.all():
                control.evaluate(SET, control.get_attribute("max"))
                control.evaluate(SET, control.get_attribute("min"))
    for box in page.locator(".tl-explorer input[type=checkbox]").all():
        box.click()
        box.click()
    for handle in page.locator(".tl-explorer [role=slider]:visible").all():
        handle.focus()
        for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"):
            page.keyboard.press(key)
    for button in page.locator(".tl-explorer button:visible").all():
        button.click()
    assert not any(word in page.inner_text(".tl-explorer") for word in ("NaN", "undefined", "Infinity"))


@pytest.mark.parametrize("width", [360, 700, 1100])
def test_nothing_is_cut_off(explorer, width):
    explorer.set_viewport_size({"width": width, "height": 900})
    assert explorer.evaluate("document.documentElement.scrollWidth") <= width


SMALLEST = """() => Math.min(...[...document.querySelectorAll(".tl-explorer svg text")]
  .filter((text) => text.checkVisibility() && text.textContent)
  .map((text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a))"""


@pytest.mark.parametrize("width", [360, 480, 720, 900])
def test_the_words_of_a_drawing_are_legible(explorer, width):
    explorer.set_viewport_size({"width": width, "height": 900})
    explorer.wait_for_function(f"({SMALLEST})() >= 10", timeout=5000)


def test_every_control_is_reached_by_tab_and_has_a_name(explorer):
    page = explorer
    wanted = page.locator(f"{CONTROLS}:visible").count()
    named = page.locator(CONTROLS).evaluate_all("""(controls) => controls.filter((e) => e.checkVisibility()
        && (e.labels?.length || e.textContent || e.getAttribute("aria-label"))).length""")
    assert named == wanted
    reached = set()
    for _ in range(3 * wanted + 2):
        page.keyboard.press("Tab")
        reached.add(page.locator(CONTROLS).evaluate_all("(controls) => controls.indexOf(document.activeElement)"))
    assert page.locator(".tl-explorer [tabindex='-1']").count() or len(reached - {-1}) >= wanted


def test_light_and_dark_both_have_contrast(explorer):
    for scheme in ("light", "dark"):
        explorer.emulate_media(color_scheme=scheme)
        ink, paper = (
            explorer.evaluate("""() => { const style = getComputedStyle(document.querySelector(".tl-explorer"));
            return [style.color, style.backgroundColor].map((c) => c.match(/[0-9.]+/g).slice(0, 3).map(Number)); }""")
        )
        assert abs(sum(ink) - sum(paper)) > 450
        assert (sum(ink) < sum(paper)) == (scheme == "light")


def test_no_explorer_changes_how_anything_else_looks():
    """Their styles share a page in a notebook: every rule must begin with a class of our own."""
    for kind in KINDS:
        css = re.sub(r"/\*.*?\*/", "", kind._sheet, flags=re.DOTALL)
        css = re.sub(r"@[^{]+\{((?:[^{}]|\{[^{}]*\})*)\}", r"\1", css)  # what stands inside @media
        for rule in re.findall(r"([^{}]+)\{", css):
            assert all(".tl-" in selector for selector in re.split(r",(?![^(]*\))", rule)), rule


RENDERED_AND_REMOVED = """async (module) => {
  const saved = JSON.parse(document.getElementById("saved").textContent), { state } = saved, listeners = [];
  for (const [name, text] of Object.entries(saved.bytes)) {
    const packed = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
    const bytes = packed.stream().pipeThrough(new DecompressionStream("gzip"));
    state[name] = new DataView(await new Response(bytes).arrayBuffer());
  }
  const is = (event, listener) => (one) => one[0] === event && one[1] === listener;
  const model = {
    get: (name) => state[name], set() {}, save_changes() {},
    on: (event, listener) => listeners.push([event, listener]),
    off: (event, listener) => listeners.splice(listeners.findIndex(is(event, listener)), 1),
  };
  const widget = await import(URL.createObjectURL(new Blob([module], { type: "text/javascript" })));
  const end = await widget.default.render({ model, el: document.createElement("div") }), before = listeners.length;
  end();
  return [before, listeners.length];
}"""


@pytest.mark.parametrize("kind", [*KINDS, viz.AttentionView], ids=lambda kind: kind.__name__)
def test_a_view_that_is_gone_listens_to_nothing(page, tmp_path, kind):
    view = kind(np.full((1, 2, 3, 3), 1 / 3), list("abc")) if kind is viz.AttentionView else made(kind)
    page.goto(view.save(tmp_path / "view.html").as_uri())
    before, after = page.evaluate(RENDERED_AND_REMOVED, str(view._module))
    assert before > 0 and after == 0


LOOKS = """() => [...document.querySelectorAll(".tl-explorer, .tl-explorer *")].map((e) => {
  const { x, y, width, height } = e.getBoundingClientRect(), style = getComputedStyle(e);
  return [x, y, width, height, style.color, style.font, style.padding, style.textAlign, style.backgroundColor].join();
})"""


def test_the_sheets_of_other_explorers_behind_its_own_change_nothing(explorer):
    before = explorer.evaluate(LOOKS)
    explorer.add_style_tag(content="\n".join(kind._sheet for kind in KINDS))
    assert explorer.evaluate(LOOKS) == before
