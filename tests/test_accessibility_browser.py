"""Every view under axe-core (WCAG 2.1, levels A and AA), light and dark; and nothing moves by itself."""

from functools import cache

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from browser import eventually
from test_attention_features_browser import WHAT_IF, image_model, with_patterns
from test_attention_view_browser import KEYS, QUERIES, live, random
from test_explorers import KINDS, made
from transformer_lab.viz import AttentionView
from transformer_lab.viz.snapshots import Snapshot

pytestmark = pytest.mark.browser

LEVELS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


def violations(page, selector):
    found = Axe().run(page, context=selector, options=LEVELS).response["violations"]
    return [(one["id"], one["help"], [node["html"][:150] for node in one["nodes"]][:3]) for one in found]


@cache
def several():
    steps = [Snapshot(i, 1.0, ({"cross": (random(2, 3, 3, 4, seed=i), QUERIES, KEYS)},)) for i in range(3)]
    masked = np.tril(np.ones((1, 8, 5, 5), np.float32)) / np.arange(1, 6)[:, None]
    keys = random(1, 2, 4, 4)
    one = AttentionView(random(2, 3, 3, 4), QUERIES, KEYS)
    return {
        "plain": AttentionView(random(2, 3, 3, 4), QUERIES, KEYS, value_norms=np.ones((2, 3, 4))),
        "masked, keys shared": AttentionView(masked, list("abcde"), n_kv_heads=2),
        "three kinds": AttentionView({"cross": (random(2, 3, 3, 4), QUERIES, KEYS), "encoder": (keys, KEYS)}),
        "training": AttentionView.over_training(steps),
        "difference": AttentionView.difference(one, AttentionView(random(2, 3, 3, 4, seed=5), QUERIES, KEYS)),
        "patterns": with_patterns(),
        "image": AttentionView.from_model(image_model()[0], None, image_model()[1]),
    }  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["plain", "masked, keys shared", "three kinds", "training", "difference", "patterns", "image"]
)
def test_a_saved_view_has_no_violation(page, tmp_path, name, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(several()[name].save(tmp_path / "view.html").as_uri())
    page.wait_for_selector(".tl-attention .map")
    page.get_by_label("arcs", exact=True).check()
    page.get_by_text("the numbers as a table").click()
    page.locator(".tl-attention .map").click(position={"x": 5, "y": 5})
    assert violations(page, ".tl-attention") == []
    assert violations(page, "html") == []  # the page around it: a title, a language, a main part


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_live_view_has_no_violation(lab, page, theme):
    live(lab, f"what_if {theme}", WHAT_IF)
    lab.theme(theme)
    page.get_by_text("switch this head off").click()
    eventually(lambda: page.locator(".thumbnail.off").count() == 1)
    lab.python("view.text = ''")
    eventually(lambda: page.locator(".message").is_visible())
    assert violations(page, ".tl-attention") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_explorer_has_no_violation(page, tmp_path, kind, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(made(kind).save(tmp_path / "explorer.html").as_uri())
    page.wait_for_selector(".tl-explorer")
    assert violations(page, ".tl-explorer") == []


def check_stillness(page, tmp_path, widget):
    """No animation and no transition at all: who asked for reduced motion gets what all others get."""
    moving = """() => [...document.querySelectorAll("main *")].filter((e) => {
        const style = getComputedStyle(e);
        return style.animationName !== "none" || style.transitionDuration.split(", ").some((t) => parseFloat(t) > 0)
            || style.scrollBehavior === "smooth";
    }).map((e) => e.outerHTML.slice(0, 80))"""
    page.goto(widget.save(tmp_path / "widget.html").as_uri())
    page.wait_for_selector("main div")
    assert page.evaluate(moving) == []


def test_no_view_moves_by_itself(page, tmp_path):
    for view in several().values():
        check_stillness(page, tmp_path, view)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_explorer_moves_by_itself(page, tmp_path, kind):
    check_stillness(page, tmp_path, made(kind))
