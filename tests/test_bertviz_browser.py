"""bertviz' views in a real browser with no network: as saved pages, two on one page, and live in JupyterLab."""

import nbformat
import numpy as np
import pytest
import torch

from browser import eventually
from test_bertviz import HOSTILE, a_model, names, params, random
from transformer_lab.viz.bertviz import Bertviz, head_view, model_view, neuron_view
from transformer_lab.viz.inputs import visible

pytestmark = pytest.mark.browser

TEXT = "the cat sat on the mat"


def opened(page, tmp_path, *views: Bertviz):
    """A page that holds these views; the frame of each."""
    path = views[0].save(tmp_path / "view.html")
    if len(views) > 1:
        page_text = path.read_text(encoding="utf-8")
        path.write_text(page_text.replace(views[0].html, "\n".join(view.html for view in views)), encoding="utf-8")
    page.goto(path.as_uri())
    frames = page.locator("body > div")
    assert frames.count() == len(views)
    return frames.first if len(views) == 1 else [frames.nth(i) for i in range(len(views))]


def opacities(lines) -> np.ndarray:
    return np.array(lines.evaluate_all("(all) => all.map((line) => +line.getAttribute('stroke-opacity'))"))


def visible_lines(frame):
    """Which lines of a head view a reader sees, as (query, key)."""
    return frame.locator("#attention line").evaluate_all(
        """(all) => all.filter((line) => getComputedStyle(line).visibility === "visible")
                       .map((line) => ["left", "right"].map((side) => +line.getAttribute(`${side}-token-index`)))"""
    )


def texts(frame, where):
    return frame.locator(f"{where} text").all_text_contents()


def test_head_view_draws_a_line_for_each_weight(page, tmp_path):
    weights = random(2, 3, 4, 5)
    frame = opened(page, tmp_path, head_view(weights, names("q", 4), names("k", 5), layer=1))
    assert frame.locator("#layer option").all_text_contents() == ["0", "1"]
    assert frame.locator("#layer").input_value() == "1"
    assert texts(frame, "#left") == names("q", 4) and texts(frame, "#right") == names("k", 5)
    lines = frame.locator("#attention line")
    np.testing.assert_allclose(opacities(lines).reshape(3, 4, 5), weights[1] / 3, atol=2e-4)
    frame.locator("#layer").select_option("0")
    np.testing.assert_allclose(opacities(lines).reshape(3, 4, 5), weights[0] / 3, atol=2e-4)


def test_head_view_answers_to_pointer_and_clicks(page, tmp_path):
    weights = random(1, 3, 4, 5)
    frame = opened(page, tmp_path, head_view(weights, names("q", 4), names("k", 5)))
    frame.get_by_text("q2", exact=True).hover()
    assert visible_lines(frame) == [[2, key] for _ in range(3) for key in range(5)]
    boxes = frame.locator("#right .attentionBoxes rect").evaluate_all("(all) => all.map((box) => +box.style.opacity)")
    np.testing.assert_allclose(np.array(boxes).reshape(3, 5), weights[0, :, 2], atol=1e-3)
    frame.get_by_text("k4", exact=True).hover()
    assert visible_lines(frame) == [[query, 4] for _ in range(3) for query in range(4)]

    squares = frame.locator("svg > g").last.locator("rect")
    squares.nth(1).click()  # without head 1: each of the other two counts for half
    shown = opacities(frame.locator("#attention line")).reshape(3, 4, 5)
    np.testing.assert_allclose(shown, weights[0] / 2 * torch.tensor([1, 0, 1])[:, None, None], atol=3e-4)


def test_heads_that_are_left_out_are_named(page, tmp_path):
    view = head_view(random(1, 6, 3, 3), list("abc"), include_heads=[2, 5])
    frame = opened(page, tmp_path, view)
    assert frame.locator("svg > g").last.locator("rect").count() == 2
    assert frame.get_by_text("Heads, from the left: 2, 5.").is_visible()


def test_model_view_draws_all_heads_and_enlarges_one(page, tmp_path):
    weights = random(4, 5, 3, 4)
    view = model_view(weights, names("q", 3), names("k", 4), include_layers=[1, 3], include_heads=[0, 2, 4])
    frame = opened(page, tmp_path, view)
    chosen = weights[[1, 3]][:, [0, 2, 4]]
    np.testing.assert_allclose(opacities(frame.locator("svg line")), chosen.flatten(), atol=1e-3)
    assert texts(frame, "svg")[:4] == ["Heads", "0", "2", "4"]
    thumbnail = frame.locator("#attn_background_1_2")
    box = thumbnail.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert frame.locator("text.detail").text_content() == "Layer 3, Head 4"
    assert frame.locator("g.detail text.token").all_text_contents() == names("q", 3) + names("k", 4)
    enlarged = frame.locator("g.detail line")
    np.testing.assert_allclose(opacities(enlarged), weights[3, 4].flatten(), atol=1e-3)
    frame.get_by_text("q1", exact=True).hover()
    groups = frame.locator(".attn-line-group").evaluate_all("(all) => all.map((one) => +one.style.opacity)")
    assert groups == [0, 1, 0]


def test_neuron_view_shows_the_numbers_of_the_token_pointed_at(page, tmp_path):
    model, tokenizer = a_model(positions="rotary", n_kv_heads=2)
    view = neuron_view(model, tokenizer, TEXT, layer=1, head=2)
    frame = opened(page, tmp_path, view)
    data = params(view)["attention"]["all"]
    assert (frame.locator("#layer").input_value(), frame.locator("#att_head").input_value()) == ("1", "2")
    assert texts(frame, "#collapsed #leftText") == data["left_text"]
    check_neuron(page, frame, data, layer=1, head=2, query=4)
    frame.locator("#att_head").select_option("3")
    frame.locator("#layer").select_option("0")
    check_neuron(page, frame, data, layer=0, head=3, query=5)


def check_neuron(page, frame, data, layer, head, query):
    """Open the token's computation by its plus, and compare what is shown with the data."""
    expanded = frame.locator("#expanded")
    if expanded.get_attribute("visibility") == "hidden":
        frame.locator("#collapsed #leftText text").nth(query).hover()
        frame.locator("#collapsed #leftText g").nth(query).locator("rect").last.click()
    eventually(lambda: expanded.get_attribute("visibility") == "visible")
    expanded.locator("#leftText text").nth(query).hover()
    q, k = np.array(data["queries"][layer][head]), np.array(data["keys"][layer][head])
    np.testing.assert_allclose(values(expanded, "#queries .element"), q.flatten())
    np.testing.assert_allclose(values(expanded, "#keys .element"), k.flatten())
    np.testing.assert_allclose(values(expanded, "#product .element"), (q[query] * k).flatten(), atol=1e-9)
    scores = values(expanded, ".dotproduct")
    np.testing.assert_allclose(scores, q[query] @ k.T / np.sqrt(q.shape[1]), atol=1e-9)
    softmax = expanded.locator("#rightText .highlight").evaluate_all("(all) => all.map((one) => +one.style.opacity)")
    np.testing.assert_allclose(softmax, data["attn"][layer][head][query], atol=1e-6)
    seen = np.exp(scores[: query + 1])  # causal
    np.testing.assert_allclose(softmax[: query + 1], seen / seen.sum(), atol=3e-3)


def values(where, which):
    return np.array(where.locator(which).evaluate_all("(all) => all.map((one) => +one.dataset.value)"))


def test_hostile_tokens_are_text(page, tmp_path):
    n = len(HOSTILE)
    views = [view(random(1, 2, n, n), HOSTILE) for view in (head_view, model_view)]
    head, model = opened(page, tmp_path, *views)
    wanted = [text if len(text) <= 11 else text[:10] + "…" for text in map(visible, HOSTILE)]
    assert texts(head, "#left") == texts(head, "#right") == wanted
    page.mouse.click(*middle(model.locator("#attn_background_0_0")))
    assert model.locator("g.detail text.token").all_text_contents() == wanted * 2
    assert page.locator("b").count() == 0


def middle(element):
    box = element.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_views_on_one_page_leave_each_other_alone(page, tmp_path):
    """Even the same view twice; and nothing of theirs is global."""
    model, tokenizer = a_model()
    head, neuron = head_view(random(2, 2, 3, 3), list("abc")), neuron_view(model, tokenizer, TEXT)
    frames = opened(page, tmp_path, neuron, head, neuron, head)
    assert [frame.locator("svg").count() for frame in frames] == [1] * 4
    frames[3].locator("#layer").select_option("1")
    assert [frame.locator("#layer").input_value() for frame in frames] == ["0", "0", "0", "1"]
    check_neuron(page, frames[2], params(neuron)["attention"]["all"], layer=0, head=0, query=2)
    assert frames[0].locator("#expanded").get_attribute("visibility") == "hidden"
    highlighted = "(all) => all.some((one) => +one.style.opacity > 0)"
    assert not frames[0].locator(".highlight").evaluate_all(highlighted)
    assert frames[2].locator(".highlight").evaluate_all(highlighted)
    added = page.evaluate("""() => {
        const frame = document.body.appendChild(document.createElement("iframe"));
        const usual = new Set(Object.getOwnPropertyNames(frame.contentWindow));
        frame.remove();
        return Object.getOwnPropertyNames(window).filter((name) => !usual.has(name) && !/^\\d+$/.test(name));
    }""")
    assert added == []


def test_scripts_may_run_behind_the_outputs(page):
    """As in VS Code, which copies each script to the end of its page: the same view is still drawn twice."""
    view = head_view(random(2, 2, 3, 3), list("abc"))
    page.set_content(f"<main>{view.html}{view.html}</main>".replace("<script>", "<script type='text/plain'>"))
    page.evaluate("""() => {
        for (const script of document.querySelectorAll("script")) {
            const copy = document.createElement("script");
            copy.text = script.textContent;
            document.body.append(copy);
        }
    }""")
    assert [page.locator("main > div").nth(i).locator("svg").count() for i in range(2)] == [1, 1]


def test_a_narrow_page_scrolls_and_cuts_nothing_off(page, tmp_path):
    page.set_viewport_size({"width": 600, "height": 800})
    frame = opened(page, tmp_path, model_view(random(2, 4, 6, 6), names("q", 6)))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    last = frame.locator("#attn_background_1_3")
    last.scroll_into_view_if_needed()
    x, y = middle(last)
    assert 0 < x < 600
    page.mouse.click(x, y)
    assert frame.locator("text.detail").text_content() == "Layer 1, Head 3"


MAKE = """
import torch
from transformer_lab.viz.bertviz import head_view, model_view
weights = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(-1)
view = head_view(weights, list("abcd"))
view
"""


def test_live_in_jupyterlab(lab):
    lab.open("bertviz.ipynb", [MAKE, "view", "model_view(weights, list('abcd'))"])
    lab.run_all()
    outputs = lab.page.locator(".jp-OutputArea-output")
    eventually(lambda: outputs.locator("svg #attention").count() == 2)  # the same view in two cells
    assert outputs.nth(0).locator("#attention line").count() == 3 * 4 * 4
    outputs.nth(1).locator("#layer").select_option("1")
    outputs.nth(1).locator("#layer").focus()
    lab.page.keyboard.press("b")  # JupyterLab would make a cell
    assert lab.page.evaluate("window.jupyterapp.shell.currentWidget.content.model.cells.length") == 3
    assert outputs.nth(0).locator("#layer").input_value() == "0"
    assert outputs.nth(2).locator("svg line").count() == 2 * 3 * 4 * 4


def test_a_notebook_that_nobody_ran_shows_the_picture(lab):
    view = head_view(random(2, 3, 4, 4), names("q", 4))
    output = nbformat.v4.new_output("execute_result", view._repr_mimebundle_(), execution_count=1)
    lab.open("stored.ipynb", [nbformat.v4.new_code_cell("view", outputs=[output], execution_count=1)])
    picture = lab.page.locator(".jp-OutputArea img")
    picture.wait_for()
    assert picture.evaluate("(image) => image.naturalWidth") >= 400
    assert lab.page.locator(".jp-RenderedHTML svg").count() == 0
