"""QueryExplorer moved by mouse, touch and keyboard, in JupyterLab and in a saved page; each time offline."""

import json

import numpy as np
import pytest

from browser import eventually
from transformer_lab.viz import QueryExplorer, attend_to
from transformer_lab.viz.query_explorer import COLDEST, HOTTEST, KEYS, VALUES

pytestmark = pytest.mark.browser

CELL = "from transformer_lab.viz import QueryExplorer\nexplorer = QueryExplorer()\nexplorer"
STATE = "print([explorer.query, explorer.temperature, explorer.weights.tolist(), explorer.output.tolist()])"
HANDLE, SLIDER = ".tl-query .handle", ".tl-query input[type=range]"


@pytest.fixture(params=["notebook", "saved page"])
def explorer(request, tmp_path):
    """The page that shows an explorer, and Python's view of it (None where there is no kernel)."""
    if request.param == "notebook":
        lab = request.getfixturevalue("lab")
        lab.open("query.ipynb", [CELL])
        lab.run_all()
        page, python = lab.page, lambda: json.loads(lab.python(STATE))
    else:
        page, python = request.getfixturevalue("page"), None
        page.goto(QueryExplorer().save(tmp_path / "query.html").as_uri())
    page.wait_for_selector(HANDLE)
    return page, python


def shown(page):
    """query, temperature, weights and output as a reader sees them."""
    numbers = page.evaluate("""() => {
      const text = (selector) => [...document.querySelectorAll(".tl-query " + selector)].map((e) => e.textContent);
      const inside = (s) => s.match(/\\(.*?\\)/g).map((pair) => pair.slice(1, -1).replaceAll("−", "-"));
      const [query, output] = inside(text(".read-out")[0]).map((pair) => pair.split(", ").map(Number));
      return [query, Number(text("output")[0]), text("td.weight").map(Number), output];
    }""")
    sums, formula = page.inner_text(".tl-query td.sum"), attend_to(numbers[0], KEYS, VALUES, numbers[1])
    assert sums == "1.000"
    np.testing.assert_allclose(numbers[2], formula[0], atol=6e-4)
    np.testing.assert_allclose(numbers[3], formula[1], atol=6e-3)
    return numbers


def check(explorer, query=None, temperature=None):
    """What is shown is this, follows from the formula, and is what Python has."""
    page, python = explorer
    now = shown(page)
    assert query is None or now[0] == query
    assert temperature is None or now[1] == temperature
    if python is not None:

        def same():
            for ours, theirs, error in zip(python(), now, (0, 0, 6e-4, 6e-3), strict=True):
                np.testing.assert_allclose(ours, theirs, atol=error)

        eventually(same)
    return now


def place(page, x, y):
    """Where on the screen the query would be at (x, y)."""
    box = page.locator(".tl-query .plane").bounding_box()
    return box["x"] + box["width"] * (x / 3.48 + 1) / 2, box["y"] + box["height"] * (1 - y / 3.48) / 2


def drag(page, *points):
    box = page.locator(f"{HANDLE} circle >> nth=1").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for point in points:
        page.mouse.move(*place(page, *point), steps=4)
    page.mouse.up()


def set_slider(page, value):
    page.locator(SLIDER).evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", str(value))


def test_dragging_moves_the_query_everywhere(explorer):
    page, _ = explorer
    check(explorer, [1.2, -0.8], 1)
    drag(page, (-1.5, 0.5), (2, 3))
    query = check(explorer)[0]
    np.testing.assert_allclose(query, [2, 3], atol=0.051)
    drag(page, (-9, 9))  # beyond the panel: it stops at the edge
    check(explorer, [-3, 3])
    page.mouse.click(*place(page, 0, -1))  # a click anywhere brings the query there
    np.testing.assert_allclose(check(explorer)[0], [0, -1], atol=0.051)
    page.mouse.move(*place(page, 2, 2))  # the button is up: nothing follows
    np.testing.assert_allclose(check(explorer)[0], [0, -1], atol=0.051)


def test_the_task_by_keyboard(explorer):
    page, _ = explorer
    page.focus(HANDLE)
    presses = [("ArrowRight", 6), ("Shift+ArrowRight", 1), ("Shift+ArrowUp", 8), ("ArrowDown", 2), ("ArrowUp", 2)]
    for key, times in presses:
        for _ in range(times):
            page.keyboard.press(key)
    check(explorer, [2.0, 3.0], 1)
    assert page.inner_text(".tl-query strong") == ""
    page.keyboard.press("Tab")
    for _ in range(26):
        page.keyboard.press("ArrowLeft")
    check(explorer, [2.0, 3.0], 0.302)
    assert "within 1 %" in page.inner_text(".tl-query strong")
    # What is said aloud follows once the reader pauses.
    eventually(lambda: "within 1 %" in page.text_content(".tl-query [aria-live]"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # reset
    check(explorer, [1.2, -0.8], 1)


def test_every_control_over_its_whole_range(explorer):
    page, _ = explorer
    for value in np.linspace(-1.3, 1, 12):
        set_slider(page, value)
        assert COLDEST <= check(explorer)[1] <= HOTTEST
    set_slider(page, -1.3)
    check(explorer, temperature=COLDEST)
    for x in (-3, -1.5, 0, 1.5, 3):
        for y in (-3, 0, 3):
            page.mouse.click(*place(page, x, y))
            np.testing.assert_allclose(shown(page)[0], [x, y], atol=0.051)
    check(explorer)
    set_slider(page, 1)
    check(explorer, temperature=HOTTEST)
    page.click(".tl-query button")
    check(explorer, [1.2, -0.8], 1)


def test_a_handle_in_focus_has_a_ring_and_keeps_the_arrow_keys(lab):
    lab.open("two.ipynb", [CELL, "1 + 1"])
    lab.run_all()
    page = lab.page
    page.wait_for_selector(HANDLE)
    page.click(".tl-query button")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    ring = page.locator(f"{HANDLE} .ring").evaluate("(e) => getComputedStyle(e).stroke")
    assert ring != "none"
    active = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    before = page.evaluate(active)
    page.keyboard.press("ArrowDown")
    assert shown(page)[0] == [1.2, -0.85] and page.evaluate(active) == before


def test_python_moves_what_is_shown_in_every_view(lab):
    lab.open("views.ipynb", [CELL, "explorer"])
    lab.run_all()
    page = lab.page
    eventually(lambda: page.locator(HANDLE).count() == 2)
    lab.python("explorer.query, explorer.temperature = [2, 3], 0.3")
    for i in range(2):
        handle = page.locator(HANDLE).nth(i)
        eventually(lambda handle=handle: handle.get_attribute("aria-valuetext") == "(2.00, 3.00)")
    page.locator(".tl-query button").first.click()
    eventually(lambda: page.locator(HANDLE).nth(1).get_attribute("aria-valuetext") == "(1.20, −0.80)")


@pytest.mark.parametrize("width", [360, 700, 900, 1100])
def test_nothing_is_cut_off(page, tmp_path, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(QueryExplorer().save(tmp_path / "query.html").as_uri())
    page.wait_for_selector(HANDLE)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tops = page.evaluate("[...document.querySelectorAll('.tl-query section')].map((e) => e.getBoundingClientRect().y)")
    assert width < 700 or len(set(tops)) == 1


def test_a_finger_drags_the_handle_and_scrolls_elsewhere(chromium, tmp_path):
    context = chromium.new_context(has_touch=True, viewport={"width": 900, "height": 900})
    page = context.new_page()
    page.goto(QueryExplorer().save(tmp_path / "query.html").as_uri())
    page.wait_for_selector(HANDLE)
    touch = context.new_cdp_session(page)

    def finger(start, end):
        points = [[{"x": x, "y": y}] for x, y in (place(page, *start), place(page, *end))]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points[0]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points[1]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    finger((-2, -2), (-1, -1))
    assert shown(page)[0] == [1.2, -0.8]
    finger((1.2, -0.8), (-2, 1))
    np.testing.assert_allclose(shown(page)[0], [-2, 1], atol=0.051)
    context.close()
