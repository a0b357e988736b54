"""What else a reader does with an AttentionView: arcs, scores, values, a table, files, one layer at a time, what-if."""

import json
from datetime import date

import numpy as np
import pytest
import torch
import transformers as hf
from matplotlib import colormaps

from browser import eventually
from test_attention_view_browser import FIRST, HOSTILE, KEYS, QUERIES, Drawn, live, random, shows
from test_live_attention import by_hand, gpt
from test_views import INVISIBLE
from transformer_lab import load, record_attention, replace_attention
from transformer_lab.analysis.recording import record_heads
from transformer_lab.viz import AttentionView
from transformer_lab.viz.inputs import visible
from transformer_lab.viz.snapshots import Snapshot

pytestmark = pytest.mark.browser


@pytest.fixture
def saved(page, tmp_path):
    def open_it(view) -> Drawn:
        page.goto(view.save(tmp_path / "view.html").as_uri())
        return Drawn(page)

    return open_it


def arcs(page):
    return page.locator(".tl-attention path.arc").evaluate_all(
        "(arcs) => arcs.map((arc) => [arc.getAttribute('d'), Number(arc.getAttribute('stroke-width'))])"
    )


def test_every_number_on_hover_is_the_models(lab):
    """What stands beside the map is what record_attention has, of every head, in a live notebook."""
    code = """
from transformer_lab import load
from transformer_lab.viz import AttentionView
view = AttentionView.from_model(*load("dates"), "May 3, 1931")
view.part = "encoder"
view
"""
    drawn = live(lab, "numbers", code)
    model, tokenizer = load("dates")
    ids = torch.tensor([tokenizer.encode("May 3, 1931")])
    with record_attention(model) as maps, record_heads(model) as heads, torch.no_grad():
        model.encode(ids)
    rng = np.random.default_rng(0)
    for layer, head in np.ndindex(2, 4):
        query, key = (int(i) for i in rng.integers(ids.shape[1], size=2))
        drawn.page.locator(f"[data-head='{layer},{head}']").click()
        drawn.hover(query, key)
        weight, score = maps["encoder"][layer][0, head, query, key], heads["encoder"][layer].scores[head, query, key]
        shows(drawn, f"{weight:.6f}", f"score {'−' if score < 0 else '+'}{abs(score):.3f}", "add up to 1.00")
        lab.page.mouse.move(0, 0)


def test_arcs_are_the_same_weights_and_follow_the_map(saved, page):
    weights = random(2, 3, 3, 4)
    drawn = saved(AttentionView(weights, QUERIES, KEYS, selection=FIRST))
    assert not page.locator(".tl-attention .arcs").is_visible()
    page.get_by_label("arcs", exact=True).check()
    assert len(arcs(page)) == (weights[1, 0] > 0.01).sum()
    drawn.hover(1, 3)
    row = sorted((1 + 6 * w for w in weights[1, 0, 1] if w > 0.01), reverse=True)
    np.testing.assert_allclose([width for _, width in arcs(page)], row, atol=0.011)
    page.get_by_label("follow").select_option("the key: who reads it")
    drawn.hover(1, 3)
    column = sorted((1 + 6 * w for w in weights[1, 0, :, 3] if w > 0.01), reverse=True)
    np.testing.assert_allclose([width for _, width in arcs(page)], column, atol=0.011)
    shows(drawn, f"all 3 queries together give this key {weights[1, 0, :, 3].sum():.2f}")
    page.get_by_label("follow").select_option("the query: what it reads")
    page.locator(".arc-names.query .arc-name").nth(2).hover()  # and the map follows the arcs
    assert page.locator(".query-labels .label.hot").text_content() == QUERIES[2]
    page.locator(".arc-names.query .arc-name").nth(2).click()
    page.mouse.move(0, 0)
    shows(drawn, f"key ‘{KEYS[weights[1, 0, 2].argmax()]}’", "selected")


def test_without_a_kernel_the_weights_still_tell_how_far_a_score_lies_below_the_largest(saved):
    scores = np.array([[[[0.5, 2.0, -1.25]]]])
    weights = np.exp(scores) / np.exp(scores).sum()
    drawn = saved(AttentionView(weights, ["q"], ["a", "b", "c"]))
    drawn.hover(0, 2)
    shows(drawn, "score 3.25 below this query's largest")
    drawn.hover(0, 1)
    shows(drawn, "the largest score of this query")


def test_weights_that_no_softmax_made_have_no_score(saved):
    model, tokenizer = gpt()
    with replace_attention(model, by_hand):
        view = AttentionView.from_model(model, tokenizer, "the mat")
    drawn = saved(view)
    drawn.hover(5, 2)
    shows(drawn, "no score: no softmax made these weights")


def test_a_loss_that_is_no_number_is_said_in_words_and_left_out_of_the_curve(saved, page):
    steps = [Snapshot(10 * i, loss, (random(1, 1, 3, 4, seed=i), QUERIES, KEYS))
             for i, loss in enumerate([float("nan"), 3.0, 1.0, float("inf")])]  # fmt: skip
    drawn = saved(AttentionView.over_training(steps))
    text, mark = page.locator(".step"), page.locator(".curve circle")
    assert text.text_content() == "step 30 \u00b7 loss infinite" and not mark.is_visible()
    drawn.press("Tab")
    for said, seen in (("1.000", True), ("3.000", True), ("not a number", False)):
        drawn.press("ArrowLeft")
        eventually(lambda said=said: text.text_content().endswith(f"loss {said}"))
        assert mark.is_visible() == seen
    points = page.locator(".curve polyline").get_attribute("points").split()
    assert len(points) == 2 and "NaN" not in " ".join(points)


def test_tokens_that_draw_nothing_are_told_apart(saved, page):
    n = len(INVISIBLE)
    drawn = saved(AttentionView(random(1, 1, n, n), INVISIBLE))
    labels = drawn.labels("query")
    assert labels == [visible(token) for token in INVISIBLE] and len({*labels}) == n
    widths = page.locator(".query-labels .label").evaluate_all("(all) => all.map((one) => one.offsetWidth)")
    assert min(widths) > 4


def test_weight_times_value_multiplies_by_the_values_length(saved, page):
    weights, norms = random(2, 3, 3, 4), np.random.default_rng(1).random((2, 3, 4)).astype(np.float32) * 5
    drawn = saved(AttentionView(weights, QUERIES, KEYS, value_norms=norms, selection=FIRST))
    page.get_by_label("measure", exact=True).select_option("weight x value norm")
    product = weights * norms[:, :, None]
    for layer, head, query, key in ((0, 2, 1, 3), (1, 1, 2, 0)):
        page.locator(f"[data-head='{layer},{head}']").click()
        drawn.hover(query, key)
        shows(drawn, f"{product[layer, head, query, key]:.3f}", f"add up to {product[layer, head, query].sum():.2f}")
        most = max(product[layer, head].max(), 4 * product[layer, head].mean())
        wanted = colormaps["viridis"](float(product[layer, head, query, key] / most) ** 0.5, bytes=True)
        assert np.abs(np.array(wanted, int) - drawn.colour(query, key)).max() <= 4
        assert f"{most:.2g}" in page.locator(".legend").text_content()
    page.get_by_label("measure", exact=True).select_option("weight")
    drawn.hover(2, 0)
    shows(drawn, f"{weights[1, 1, 2, 0]:.3f}", "add up to 1.00")


def test_cividis_is_matplotlibs(saved, page):
    weights = random(2, 3, 3, 4)
    drawn = saved(AttentionView(weights, QUERIES, KEYS, selection=FIRST))
    page.get_by_label("colours").select_option("cividis")
    for query, key in np.ndindex(3, 4):
        wanted = colormaps["cividis"](float(weights[1, 0, query, key]) ** 0.5, bytes=True)
        assert np.abs(np.array(wanted, int) - drawn.colour(query, key)).max() <= 4
    assert not page.get_by_label("measure", exact=True).is_visible()  # nothing is known of the values


def test_the_table_says_every_number_of_the_head(saved, page):
    weights = random(2, 3, 3, 4)
    drawn = saved(AttentionView(weights, QUERIES, KEYS, selection=FIRST))
    page.get_by_text("the numbers as a table").focus()
    drawn.press("Enter")
    for i in (3, 1):
        drawn.thumbnails.nth(i).click()
        rows = page.locator(".table tbody tr").evaluate_all(
            "(rows) => rows.map((r) => [...r.cells].map((c) => c.textContent))"
        )
        assert [row[0] for row in rows] == QUERIES
        np.testing.assert_allclose(np.array([row[1:] for row in rows], float), weights[i // 3, i % 3], atol=6e-4)
        assert page.locator(".table caption").text_content() == f"block {i // 3 + 1}, head {i % 3 + 1}"
    assert page.locator(".table thead th").all_text_contents() == ["query \\ key", *KEYS]


def test_the_line_to_paste_is_the_selection(saved, page):
    drawn = saved(AttentionView(random(2, 3, 3, 4), QUERIES, KEYS, selection=FIRST))
    line = page.locator(".footer code")
    assert line.text_content() == 'selection = {"layer": 1, "head": 0}'
    drawn.thumbnails.nth(2).click()
    drawn.click(2, 1)
    scope = {}
    exec(line.text_content(), scope)
    assert scope["selection"] == {"layer": 0, "head": 2, "query": 2, "key": 1}
    page.get_by_label("copy the selection").click()
    eventually(lambda: page.evaluate("getSelection().toString()") == line.text_content())


def test_a_live_view_is_saved_from_the_browser(lab, page):
    drawn = live(lab, "files")
    drawn.thumbnails.nth(1).click()
    for format, start in (("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("HTML", b"<!doctype html>")):
        with page.expect_download() as download:
            page.get_by_label(f"save as {format}").click()
        assert download.value.suggested_filename == f"attention.{format.lower()}"
        path = download.value.path()
        assert path.read_bytes().startswith(start)
    page.goto(f"file://{path}") if path.suffix == ".html" else page.set_content(path.read_text())
    saved = Drawn(page)
    assert saved.title() == "block 1, head 2"
    assert page.locator(".save").count() == 0  # no kernel, no file


def test_heads_that_share_keys_are_under_one_bracket(saved, page):
    model, tokenizer = gpt(n_kv_heads=2)
    drawn = saved(AttentionView.from_model(model, tokenizer, "the mat"))
    brackets = page.locator(".bracket")
    assert brackets.all_text_contents() == ["1", "2"]
    assert brackets.nth(1).get_attribute("aria-label") == "heads 3 to 4 share keys and values"
    heads = [drawn.thumbnails.nth(i).bounding_box() for i in (2, 3)]
    box = brackets.nth(1).bounding_box()
    assert abs(box["x"] - heads[0]["x"]) < 8 and abs(box["x"] + box["width"] - heads[1]["x"] - heads[1]["width"]) < 8
    drawn.thumbnails.nth(3).click()
    assert drawn.title() == "block 1, head 4 (keys 2)"


BIG = """
import numpy as np
from transformer_lab.viz import AttentionView
def layer(i):
    rows = np.random.default_rng(i).random((32, 512, 512), dtype=np.float32)
    return rows / rows.sum(-1, keepdims=True)
weights = np.empty((32, 32, 512, 512), np.float32)
weights[31], weights[2] = layer(31), layer(2)
weights[[i for i in range(32) if i not in (2, 31)]] = 1 / 512
view = AttentionView(weights, [str(i) for i in range(512)], selection={'layer': 31, 'head': 0})
view
"""


def test_32_layers_of_32_heads_at_512_tokens_open_one_layer_at_a_time(lab, page):
    page.set_default_timeout(60_000)
    drawn = live(lab, "big", BIG)
    assert "268,435,456 weights are more than a browser can hold: one block at a time" in page.inner_text(".controls")
    assert drawn.thumbnails.count() == 32 and drawn.title() == "block 32, head 1"
    page.get_by_label("block", exact=True).select_option(value="3")
    eventually(lambda: drawn.title() == "block 3, head 1", timeout=60)
    lab.python("view.selection = {'layer': 2, 'head': 5, 'query': 300, 'key': 17}")
    shown = json.loads(lab.python("print([float(weights[2, 5, 300, 17])])"))
    eventually(lambda: f"{shown[0]:.6f}" in drawn.readout(), timeout=30)
    waited = """() => { const start = performance.now();
        return new Promise((done) => setTimeout(() => done(performance.now() - start), 0)); }"""
    assert page.evaluate(waited) < 1000  # the tab answers
    lab.restart()
    page.get_by_label("block", exact=True).select_option(value="4")
    eventually(lambda: drawn.title() == "block 4, head 6: loading" and page.locator(".tl-attention.waits").count() == 1)
    eventually(lambda: page.get_by_text("No answer yet. If no other cell is running").is_visible())


def test_a_saved_page_of_one_layer_says_so(saved, page):
    weights = np.full((5, 8, 640, 640), 1 / 640, np.float32)
    drawn = saved(AttentionView(weights, [str(i) for i in range(640)]))
    assert "this page holds block 5 alone" in page.inner_text(".controls")
    assert page.get_by_label("block", exact=True).is_disabled() and drawn.thumbnails.count() == 8


OWN = """
import torch
import transformers as hf
from transformer_lab import causal_mask, scaled_dot_product_attention
from transformer_lab.viz import LiveAttention
def attend(text):
    tokens = text.split()
    if "boom" in tokens:
        raise RuntimeError("my mask has the wrong shape <b>")
    x = torch.ones(1, 1, len(tokens), 4)
    return scaled_dot_product_attention(x, x, x, causal_mask(len(tokens)))[1], tokens
view = LiveAttention(attend, "one two three")
view
"""


def test_a_text_typed_is_computed_by_the_learners_own_function(lab, page):
    drawn = live(lab, "own", OWN)
    field = page.get_by_label("text", exact=True)
    assert field.input_value() == "one two three" and drawn.labels("query") == ["one", "two", "three"]
    field.click()
    page.keyboard.press("End")
    page.keyboard.type(" four", delay=20)
    eventually(lambda: drawn.labels("query") == ["one", "two", "three", "four"])
    drawn.hover(3, 0)
    shows(drawn, "0.250000")
    field.fill("one boom")
    message = page.get_by_role("alert")
    eventually(lambda: message.text_content() == "RuntimeError: my mask has the wrong shape <b>")
    assert drawn.labels("query") == ["one", "two", "three", "four"]  # the view survives
    field.fill("again")
    eventually(lambda: drawn.labels("query") == ["again"] and not message.is_visible())
    assert lab.python("print(view.text)") == "again"


def test_typing_quickly_computes_once(lab, page):
    live(lab, "debounced", OWN.replace("    tokens = text.split()", "    tokens = text.split(); calls.append(text)")
         .replace("import torch", "import torch\ncalls = []", 1))  # fmt: skip
    page.get_by_label("text", exact=True).click()
    page.keyboard.press("End")
    page.keyboard.type(" and many more words", delay=15)
    eventually(lambda: lab.python("print(view.text)").endswith("more words"))
    assert int(lab.python("print(len(calls))")) <= 4


WHAT_IF = """
from transformer_lab import load
from transformer_lab.viz import WhatIf
model, tokenizer = load("dates")
view = WhatIf(model, tokenizer, "May 3, 1931")
view.selection = {"layer": 1, "head": 0}
view
"""


def test_a_head_and_a_cell_are_switched_off_and_the_outcome_stands_beside(lab, page):
    drawn = live(lab, "what_if", WHAT_IF)
    close = page.get_by_text("close this cell")
    assert close.is_disabled()
    page.get_by_text("switch this head off").click()
    eventually(lambda: lab.python("print(view.switched_off)") == "[['cross', 1, 0]]")
    eventually(lambda: "off" in page.locator("[data-head='1,0']").get_attribute("class").split())
    drawn.click(4, 0)
    close.click()
    eventually(lambda: lab.python("print(len(view.switched_off))") == "2")
    drawn.hover(4, 0)
    shows(drawn, "0 (masked)")
    assert "May" in page.locator(".what-if li").nth(1).text_content()
    outcome = json.loads(lab.python("import json; print(json.dumps(view._outcome))"))
    eventually(lambda: f"{outcome['now']:.3f} (whole model: {outcome['whole']:.3f})" in page.inner_text(".outcome"))
    cells = page.locator(".predictions tbody tr").evaluate_all(
        "(rows) => rows.map((r) => [...r.cells].map((c) => c.textContent))"
    )
    for cell, row in zip(cells, outcome["rows"], strict=True):
        assert cell[:3] == [row["token"], f"{row['whole']:.3f}", f"{row['now']:.3f}"]
    page.get_by_text("switch everything on").focus()
    page.keyboard.press("Enter")  # by keyboard too
    eventually(lambda: lab.python("print(view.switched_off)") == "[]")
    eventually(lambda: page.locator(".thumbnail.off").count() == 0)


def test_everything_is_done_by_keyboard_alone(saved, page):
    """Tab goes through every control of the view; none needs a pointer."""
    view = AttentionView(random(2, 3, 3, 4), QUERIES, KEYS, value_norms=np.ones((2, 3, 4)))
    drawn = saved(view)
    seen = []
    for _ in range(12):
        drawn.press("Tab")
        seen.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
        )
    for wanted in (
        "follow",
        "arcs",
        "hide the first key",
        "measure",
        "colours",
        "the numbers as a table",
        "copy the selection",
    ):
        assert any(wanted in one for one in seen), (wanted, seen)
    page.get_by_label("arcs", exact=True).focus()
    drawn.press(" ")
    assert page.locator(".arcs").is_visible()
    page.get_by_label("colours").focus()
    drawn.press("ArrowDown")
    assert page.get_by_label("colours").input_value() == "cividis"


def test_every_control_over_its_whole_range(saved, page):
    """All choices together, in every order of two: nothing breaks (the page fixture fails on any error)."""
    parts = {"cross": (random(2, 3, 3, 4), QUERIES, KEYS, None, np.random.default_rng(0).random((2, 3, 4))),
             "encoder": (random(3, 2, 4, 4), KEYS, KEYS)}  # fmt: skip
    drawn = saved(AttentionView(parts))
    choices = page.locator(".tl-attention select")
    for select in choices.all():
        for value in select.evaluate("(select) => [...select.options].map((option) => option.value)"):
            if not select.is_visible():
                continue
            select.select_option(value)
            for box in page.locator(".tl-attention input[type=checkbox]:visible").all():
                box.click()
                for thumbnail in drawn.thumbnails.all():
                    thumbnail.click()
                drawn.hover(1, 1)
                box.click()
    assert "NaN" not in page.inner_text(".tl-attention") and "undefined" not in page.inner_text(".tl-attention")


def brightness(drawn, query, key):
    """Of the cell's colour: from about 30 (viridis's first) to 220 (its last)."""
    *colour, opacity = drawn.colour(query, key)
    assert opacity == 255
    return np.dot(colour, [0.3, 0.59, 0.11])


def ticks(page):
    return [float(tick.removeprefix("≥ ")) for tick in page.locator(".ticks span").all_text_contents()]


def with_a_sink(n):
    """Causal attention of n tokens, nine tenths of it to the first; to the rest the nearer, the more."""
    weights = np.tril(np.exp(-np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / 20))
    weights[:, 0] = 0
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-9)
    weights *= 0.1
    weights[:, 0] = 1 - weights.sum(-1)
    return weights[None, None].astype(np.float32)


def test_a_long_text_is_not_black_and_its_numbers_are_what_they_were(saved, page):
    weights = with_a_sink(300)
    drawn = saved(AttentionView(weights, [f"token{i}" for i in range(300)]))
    assert brightness(drawn, 250, 245) > 70 > brightness(drawn, 250, 100)  # 0.004 and 0.000003
    assert brightness(drawn, 250, 0) > 200
    assert ticks(page)[2] < 0.1 and page.locator(".ticks span").last.text_content().startswith("≥")
    assert "square-root scale of this head" in page.inner_text(".legend")
    page.get_by_role("application").focus()
    page.keyboard.press("PageDown")
    shows(drawn, f"{np.float16(weights[0, 0, 299, 0]):.3f}", "add up to 1.00")
    page.get_by_label("hide the first key").check()
    assert 0.02 < ticks(page)[2] < 0.5 and brightness(drawn, 250, 245) > 120


def test_hiding_the_first_key_rescales_the_colours(saved, page):
    weights = with_a_sink(24)
    weights[0, 0, 1:3] = weights[0, 0, 3] * [[1], [1]]  # but for rows of one or two keys, which would be all or nothing
    drawn = saved(AttentionView(weights, [f"token{i}" for i in range(24)]))
    before, dark = ticks(page), brightness(drawn, 20, 12)
    assert before[0] == 0 and before[1] == pytest.approx(before[2] / 4, abs=0.01)  # a square root's middle
    page.get_by_label("hide the first key").check()
    assert ticks(page)[2] < before[2] and brightness(drawn, 20, 12) > dark + 30


def test_each_head_has_its_own_colours_whatever_the_norms_of_its_values(saved, page):
    weights, norms = random(1, 2, 6, 6), np.stack([np.full(6, 80.0), np.full(6, 0.5)])[None]
    drawn = saved(AttentionView(weights, list("abcdef"), value_norms=norms))
    page.get_by_label("measure", exact=True).select_option("weight x value norm")
    for head, norm in ((0, 80), (1, 0.5)):
        drawn.thumbnails.nth(head).click()
        at = np.unravel_index(weights[0, head].argmax(), (6, 6))
        assert brightness(drawn, *map(int, at)) > 160
        assert ticks(page)[2] == pytest.approx(max(weights[0, head].max(), 4 / 6) * norm, rel=0.05)


def test_a_head_that_reads_all_keys_alike_is_not_all_bright(saved, page):
    drawn = saved(AttentionView(np.full((1, 1, 10, 10), 0.1), list("abcdefghij")))
    assert 80 < brightness(drawn, 5, 5) < 140
    assert ticks(page) == [0, 0.1, 0.4]


def with_patterns():
    """Two blocks of three heads: previous token, first token, none; none, previous token (weaker), uniform."""
    n, own = 12, np.arange(12)

    def reads(keys, share):
        weights = np.full((n, n), (1 - share) / n, np.float32)
        weights[own, keys] += share
        return weights

    before, rest = np.maximum(own - 1, 0), random(2, n, n)
    heads = [[reads(before, 0.9), reads(own * 0, 0.7), rest[0]], [rest[1], reads(before, 0.6), reads(own, 0)]]
    return AttentionView(np.array(heads, np.float32), [f"t{i}" for i in range(n)])


def test_a_view_opens_on_the_most_telling_head_and_names_what_heads_do(saved, page):
    view = with_patterns()
    drawn, pattern = saved(view), page.locator(".detail .pattern")
    assert drawn.title() == "block 1, head 1" and pattern.text_content() == "previous token 0.91"
    assert page.locator(".thumbnail .caption").all_text_contents() == ["prev", "1st", "prev", "even"]
    for layer, head, name, score in view.patterns:
        thumbnail = page.locator(f"[data-head='{layer},{head}']")
        said = f"block {layer + 1}, head {head + 1}: {name} {score:.2f}"
        assert thumbnail.get_attribute("aria-label") == said and thumbnail.get_attribute("title").startswith(
            f"{said}: "
        )
        thumbnail.click()
        assert pattern.text_content() == f"{name} {score:.2f}" and "of the weight goes to" in pattern.get_attribute(
            "title"
        )
    page.locator("[data-head='0,2']").click()
    assert pattern.text_content() == "no pattern"
    page.get_by_text("what the names mean").click()
    assert page.locator(".pattern-names dt").all_text_contents() == ["prev", "1st", "even"]
    assert "at least half of a head’s weight" in page.inner_text(".pattern-names")


def test_heads_are_ordered_by_what_they_do_and_arrow_keys_follow(saved, page):
    drawn, order = saved(with_patterns()), page.get_by_label("order", exact=True)
    shown = page.locator(".thumbnail")
    assert [shown.nth(i).get_attribute("data-head") for i in range(6)] == ["0,0", "0,1", "0,2", "1,0", "1,1", "1,2"]
    order.select_option("by pattern")
    assert [shown.nth(i).get_attribute("data-head") for i in range(6)] == ["0,0", "1,1", "0,1", "1,2", "0,2", "1,0"]
    names = page.get_by_role("rowheader").all_text_contents()
    assert names == ["previous token", "first token", "uniform", "no pattern"]
    assert page.locator(".thumbnail .caption").all_text_contents() == ["1.1", "2.2", "1.2", "2.3", "1.3", "2.1"]
    assert drawn.title() == "block 1, head 1"  # what is shown stays
    shown.first.focus()
    for key, title in (("Right", "block 2, head 2"), ("Down", "block 1, head 2"), ("Up", "block 1, head 1"),
                       ("Left", "block 1, head 1")):  # fmt: skip
        drawn.press(f"Arrow{key}", "Enter")
        assert drawn.title() == title
    order.select_option("as in the model")
    assert page.get_by_role("rowheader").all_text_contents() == ["block 1", "block 2"]


def test_where_nothing_stands_out_no_head_has_a_name_and_there_is_no_order_to_choose(saved, page):
    saved(AttentionView(random(2, 3, 12, 12), [f"t{i}" for i in range(12)]))
    assert page.locator(".caption").count() == 0 and not page.get_by_label("order", exact=True).is_visible()
    assert page.locator(".detail .pattern").text_content() == "" and page.locator(".pattern-names").count() == 0


def lights(page, name):
    """For each token of a line of text how much it is lit, in per cent, and the index of the one that is framed."""
    tokens = page.get_by_role("listbox", name=name).get_by_role("option")
    read = """(all) => [all.map((one) => parseInt(one.style.getPropertyValue("--light"))),
        all.findIndex((one) => one.getAttribute("aria-selected") === "true")]"""
    return tokens.evaluate_all(read)


def test_a_token_that_is_pointed_at_lights_what_it_reads(saved, page):
    weights = random(2, 3, 3, 4)
    drawn = saved(AttentionView(weights, QUERIES, KEYS, selection=FIRST))
    queries = page.get_by_role("listbox", name="queries").get_by_role("option")
    keys = page.get_by_role("listbox", name="keys").get_by_role("option")
    assert queries.all_text_contents() == QUERIES and lights(page, "keys") == [[0] * 4, -1]
    queries.nth(1).hover()
    wanted = [round(55 * float(np.float16(w)) ** 0.5) for w in weights[1, 0, 1]]  # the scale ends at 1: four keys
    assert np.abs(np.subtract(lights(page, "keys")[0], wanted)).max() <= 1 and lights(page, "queries")[1] == 1
    shows(drawn, "query ‘2’", f"{weights[1, 0, 1].max():.3f}")
    keys.nth(3).hover()  # a key: who reads it
    wanted = [round(55 * float(w) ** 0.5) for w in weights[1, 0, :, 3]]
    assert np.abs(np.subtract(lights(page, "queries")[0], wanted)).max() <= 1 and lights(page, "keys")[1] == 3
    page.mouse.move(0, 0)
    assert lights(page, "keys") == [[0] * 4, -1]
    page.get_by_label("arcs", exact=True).focus()
    drawn.hover(2, 0)  # and the map lights the text
    assert lights(page, "queries")[1] == 2 and max(lights(page, "keys")[0]) > 20
    page.mouse.move(0, 0)
    queries.first.focus()
    drawn.press("ArrowRight", "ArrowRight", "Enter")
    assert lights(page, "queries")[1] == 2
    page.evaluate("document.activeElement.blur()")
    shows(drawn, f"key ‘{KEYS[weights[1, 0, 2].argmax()]}’", "selected")


def test_one_text_is_one_line_and_indices_are_none(saved, page):
    saved(AttentionView(random(1, 2, 4, 4), KEYS))
    assert page.get_by_role("listbox").count() == 1 and lights(page, "text")[1] == -1
    page.get_by_role("listbox").get_by_role("option").nth(2).hover()
    assert lights(page, "text")[1] == 2
    saved(AttentionView(random(1, 2, 4, 4)))
    assert page.get_by_role("listbox").count() == 0


def test_a_saved_page_says_of_which_model_and_text_it_is_and_when_it_was_saved(saved, page):
    model, tokenizer = gpt()
    saved(AttentionView.from_model(model, tokenizer, "the mat"))
    assert page.get_by_role("heading", level=1).text_content() == page.title() == "GPT reads: the mat"
    assert page.locator("time").get_attribute("datetime") == date.today().isoformat()
    assert str(date.today().year) in page.locator("time").text_content()
    saved(AttentionView(random(2, 3, 3, 4), QUERIES, KEYS))
    assert page.get_by_role("heading", level=1).text_content() == f"Attention: May , 3 1931 → [BOS] 2 {HOSTILE}"
    saved(AttentionView(random(2, 3, 4, 4)))
    assert page.title() == "Attention: 2 layers, 3 heads, 4 queries, 4 keys"


def image_model():
    """An untrained ViT of 4 x 4 patches, and an image for it whose patches differ."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 8}
    model = hf.ViTModel(hf.ViTConfig(**sizes, image_size=32, patch_size=8, initializer_range=0.5))
    return model, torch.arange(3 * 32 * 32).reshape(1, 3, 32, 32) / 1000 - 1


def test_a_patch_of_an_image_shows_which_patches_it_reads(saved, page):
    model, pixels = image_model()
    view = AttentionView.from_model(model, None, pixels, selection={"layer": 0, "head": 1})
    saved(view)
    patches = page.locator(".patches > div")
    before = [patches.nth(i).bounding_box() for i in range(16)]
    assert len({(box["x"], box["y"]) for box in before}) == 16 and {box["width"] for box in before} == {56}
    row = view.attention[0, 1, 1 + 6, 1:]  # [CLS] comes first
    patches.nth(6).hover()
    assert [patches.nth(i).bounding_box() for i in range(16)] == before
    assert "query ‘patch 6’" in page.inner_text(".readout")
    opacity = "(all) => all.map((one) => parseFloat(one.style.background.split(',')[3]))"
    dark = patches.evaluate_all(opacity)
    top = float(page.locator(".ticks span").last.text_content().removeprefix("≥ "))
    wanted = 0.85 * (1 - np.minimum(row / top, 1) ** 0.5)
    np.testing.assert_allclose(dark, wanted, atol=0.02)
    assert patches.evaluate_all("(all) => all.findIndex((one) => one.className === 'asks')") == 6
    patches.nth(6).click()
    page.mouse.move(0, 0)
    assert json.loads(page.locator(".footer code").text_content().partition("= ")[2])["query"] == 7
    page.get_by_role("listbox").get_by_role("option").nth(3).focus()  # the same by keyboard
    page.keyboard.press("ArrowRight")
    assert patches.evaluate_all("(all) => all.findIndex((one) => one.className === 'asks')") == 3
    assert page.locator(".image img").evaluate("(image) => image.naturalWidth") == 32
