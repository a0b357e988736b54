"""DecodingExplorer: probabilities, draws and beams are the model's, and the browser cuts what the package cuts."""

import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from browser import eventually
from test_accessibility_browser import violations
from test_beam_tree import DATE, log_probs
from test_explorers_browser import KINDS, LOOKS, RENDERED_AND_REMOVED
from test_model_tour import made
from transformer_lab import BERT, GPT, generate, load
from transformer_lab.data.tokenizers import CharacterTokenizer
from transformer_lab.viz import DecodingExplorer
from transformer_lab.viz.inputs import visible

SETTINGS = [
    {"temperature": 1.0},
    {"temperature": 0.3},
    {"temperature": 2.0, "top_k": 5},
    {"temperature": 1.0, "top_p": 0.75},
    {"temperature": 1.5, "min_p": 0.2},
    {"temperature": 0.8, "top_k": 10, "top_p": 0.9, "min_p": 0.05},
    {"temperature": 0.0},
    {"temperature": 1.0, "top_k": 1},
]


def gpt(text="the cat", **settings):
    return DecodingExplorer(*made(GPT), text, **settings)


@pytest.fixture(scope="module")
def dates():
    return load("dates")


def start_of(explorer):
    """(what the decoder begins with, what the encoder reads)."""
    ids = torch.tensor([explorer.tokenizer.encode(explorer.heard)])
    return (ids, None) if isinstance(explorer.model, GPT) else (torch.tensor([[explorer.tokenizer.bos_id]]), ids)


def slow(logits, temperature, top_k=None, top_p=None, min_p=None):
    """Token by token: keep the k largest, then add the largest until they have p, then those near the largest."""
    if temperature == 0:
        return np.eye(len(logits))[logits.argmax()]
    p = np.exp((logits - logits.max()) / temperature)
    order = list(np.argsort(-p))[:top_k]
    p = {i: p[i] / sum(p[j] for j in order) for i in order}
    if top_p is not None:
        n = 1
        while sum(p[i] for i in order[:n]) < top_p and n < len(order):
            n += 1
        order = order[:n]
    order = [i for i in order if min_p is None or p[i] >= min_p * p[order[0]]]
    total = sum(p[i] for i in order)
    return np.array([p[i] / total if i in order else 0.0 for i in range(len(logits))])


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_distribution_is_the_models_after_temperature_and_filters(settings):
    explorer = gpt(**settings)
    with torch.inference_mode():
        logits = explorer.model(start_of(explorer)[0])[0, -1].double().numpy()
    np.testing.assert_allclose(explorer.probabilities, slow(logits, **settings), atol=1e-5)
    largest_first = np.frombuffer(explorer.logits, "<f4")
    np.testing.assert_allclose(largest_first, -np.sort(-logits) - logits.max(), atol=1e-4)
    assert explorer.step["ids"] == np.argsort(-logits)[:40].tolist()
    assert explorer.step["names"][0] == visible(explorer.tokenizer.tokens([logits.argmax()])[0])


def test_what_is_written_has_the_models_log_probability_beside_greedys(dates):
    for explorer, ids in ((gpt(), [6, 9, 5]), (DecodingExplorer(*dates, DATE), [5, 6, 36])):
        explorer.written = ids
        start, source = start_of(explorer)
        assert explorer.log_prob == pytest.approx(log_probs(explorer.model, start, ids, source), abs=1e-3)
        stop = explorer.tokenizer.eos_id
        greedy = generate(explorer.model, start, 3, source=source, stop=stop)[0, start.shape[1] :].tolist()
        assert explorer.greedy_log_prob == pytest.approx(log_probs(explorer.model, start, greedy, source), abs=1e-3)
        assert sum(explorer.step["log_probs"]) == pytest.approx(explorer.log_prob, abs=1e-4)
        with torch.inference_mode():
            whole = torch.cat((start, torch.tensor([ids])), dim=1)
            logits = explorer.model(whole) if source is None else explorer.model(source, whole)
        explorer.temperature = 1.0
        np.testing.assert_allclose(explorer.probabilities, logits[0, -1].softmax(dim=-1), atol=1e-5)
        assert explorer.answered == [ids, 1, 1.0]


def test_ten_draws_are_generates_and_begin_with_what_is_written(dates):
    explorer = DecodingExplorer(*dates, DATE, temperature=1.8)
    explorer.written = explorer.best[:2]
    explorer.draw_ten(seed=3)
    texts = explorer.draws["texts"]
    assert sum(one["times"] for one in texts) == 10 and len(texts) > 1
    assert all(one["text"].startswith(dates[1].decode(explorer.written)) for one in texts)
    start, source = start_of(explorer)
    begun = torch.cat((start, torch.tensor([explorer.written])), dim=1).expand(10, -1)
    wanted = generate(dates[0], begun, 22, source=source.expand(10, -1), temperature=1.8, seed=3, stop=dates[1].eos_id)
    assert {one["text"] for one in texts} == {dates[1].decode(row) for row in wanted[:, 1:]}
    for one in texts:
        row = next(row[1:].tolist() for row in wanted if dates[1].decode(row[1:]) == one["text"])
        ids = row[: row.index(dates[1].eos_id) + 1] if one["is_finished"] else row
        assert one["n"] == len(ids)
        assert one["total"] == pytest.approx(log_probs(dates[0], start, ids, source), abs=2e-3)
    again = DecodingExplorer(*dates, DATE, temperature=0.0)
    again.draw_ten()
    assert [one["times"] for one in again.draws["texts"]] == [10]
    assert again.draws["texts"][0]["total"] == pytest.approx(again.search["greedy"][-1], abs=1e-3)
    explorer.written = []
    assert explorer.draws == {}


def test_one_draw_comes_from_what_the_filters_leave():
    explorer = gpt(temperature=2.0, top_k=3)
    allowed = set(explorer.step["ids"][:3])
    drawn = set()
    for seed in range(30):
        explorer.written = []
        explorer.draw_one(seed)
        drawn.add(explorer.written[0])
    assert drawn == allowed
    assert len(explorer.step["labels"]) == 1


def test_the_search_is_redrawn_with_beams_and_penalty_and_left_alone_while_writing(dates):
    explorer = DecodingExplorer(*dates, DATE)
    assert [node["total"] for node in explorer.search["nodes"]] == explorer.search["greedy"]
    explorer.beams = 3
    first = explorer.search
    best = [text for text in first["texts"] if text["is_best"]]
    assert [text["text"] for text in best] == ["2026年11月22日星期日"] and best[0] is first["texts"][0]
    for text in first["texts"]:
        assert text["score"] == pytest.approx(text["total"] / text["n"], abs=1e-4)
    on_the_way = [node["id"] for node in first["nodes"] if node["is_best"]]
    assert on_the_way == explorer.best and len(explorer.tree) == len(first["nodes"])
    explorer.written = explorer.best[:4]
    assert explorer.search is first
    explorer.length_penalty = 0.0
    assert all(text["score"] == text["total"] for text in explorer.search["texts"])
    for node in explorer.search["nodes"]:
        assert node["parent"] < 0 or explorer.search["nodes"][node["parent"]]["step"] == node["step"] - 1


def test_a_text_ends_at_its_stop_or_where_there_is_no_room(dates):
    explorer = DecodingExplorer(*dates, DATE)
    explorer.written = explorer.best
    assert explorer.written[-1] == dates[1].eos_id and explorer.step["is_over"]
    assert explorer.step["ids"] == [] and explorer.logits == b""
    assert explorer.log_prob == pytest.approx(explorer.greedy_log_prob, abs=1e-4)
    for draw in (explorer.draw_one, explorer.draw_ten):
        with pytest.raises(ValueError, match="Nothing follows: the text has ended"):
            draw()
    few = DecodingExplorer(*dates, DATE, max_new_tokens=3)
    assert few.room == 3 and few.best == explorer.best[:3]
    short = DecodingExplorer(*made(GPT, max_len=9), "the cat")  # a table of positions: two tokens can still be read
    assert short.room == 3
    short.written = [6, 7, 8]
    assert short.step["is_full"] and not short.step["is_over"] and len(short.step["log_probs"]) == 3
    ids = torch.tensor([short.tokenizer.encode("the cat")])
    assert short.log_prob == pytest.approx(log_probs(short.model, ids, [6, 7]) + short.step["log_probs"][2], abs=1e-3)


def test_another_text_is_read_and_one_that_cannot_be_leaves_what_was_there():
    explorer = gpt()
    explorer.written = [6, 7]
    before = explorer.step
    for text, sentence in (("", "the text is empty"), ("a" * 65, "room for a text of 64 tokens; got 65: shorten")):
        explorer.text = text
        assert sentence in explorer.message and explorer.step == before and explorer.heard == "the cat"
    explorer.text = "the mat"
    assert (explorer.message, explorer.heard, explorer.written, explorer.answered[0]) == ("", "the mat", [], [])
    fresh = gpt("the mat")
    assert explorer.step == fresh.step and explorer.search == fresh.search and explorer.logits == fresh.logits


def test_what_makes_no_sense_is_refused_in_a_sentence(dates):
    explorer, eos = gpt(), made(GPT)[1].eos_id
    for wrong, sentence in (
        (lambda: gpt(""), "the text is empty"),
        (lambda: gpt(3), "str"),
        (lambda: gpt("a\ud83d"), "not a character"),
        (lambda: setattr(explorer, "text", "a\ud83d"), "not a character"),
        (lambda: DecodingExplorer(*made(BERT), "the cat"), "model must be a GPT or Transformer"),
        (lambda: DecodingExplorer(made(GPT)[0], None, "the cat"), "tokenizer must be"),
        (lambda: setattr(explorer, "written", [999]), "written must hold ids from 0 to .*; got 999"),
        (lambda: setattr(explorer, "written", [True]), "written must hold ids"),
        (lambda: setattr(explorer, "written", [5] * 25), "written has room for 24 tokens; got 25"),
        (lambda: setattr(explorer, "written", [eos, 5]), "Nothing is written behind the token that ends a text"),
        (lambda: setattr(explorer, "temperature", 2.1), "temperature must be a number from 0 to 2.0; got 2.1"),
        (lambda: setattr(explorer, "top_k", 0), "top_k must be a whole number, at least 1; got 0"),
        (lambda: setattr(explorer, "top_p", 0.0), "top_p must be a number, more than 0"),
        (lambda: setattr(explorer, "min_p", 1.5), "min_p must be a number from 0 to 1; got 1.5"),
        (lambda: setattr(explorer, "beams", 6), "beams must be a number from 1 to 5; got 6"),
        (lambda: gpt(max_new_tokens=0), "max_new_tokens must be a whole number, at least 1; got 0"),
        (lambda: gpt(max_new_tokens=65), "max_new_tokens must be a number from 1 to 64; got 65"),
        (lambda: gpt(beams=0), "beams must be a whole number, at least 1; got 0"),
        (lambda: setattr(explorer, "length_penalty", float("nan")), "length_penalty must be a number"),
    ):
        with pytest.raises(ValueError, match=sentence):
            wrong()
    assert (explorer.written, explorer.temperature, explorer.beams) == ([], 1.0, 1)


def test_a_model_that_has_diverged_is_refused():
    model, tokenizer = made(GPT)
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="output is NaN: it has diverged"):
        DecodingExplorer(model, tokenizer, "the cat")


def test_what_an_earlier_call_has_answered_is_not_worked_out_again(monkeypatch):
    explorer = gpt(beams=2)
    asked = []
    monkeypatch.setattr(explorer, "_next", lambda written: asked.append(written))
    explorer._answer_again(None)
    explorer._read_again(None)
    assert asked == []


def test_a_vocabulary_larger_than_the_tokenizers_names_ids():
    model, _ = made(GPT)
    small = CharacterTokenizer.train(["the"])
    explorer = DecodingExplorer(model, small, "the")
    beyond = [name for i, name in zip(explorer.step["ids"], explorer.step["names"], strict=True) if i >= len(small)]
    assert beyond and all(re.fullmatch(r"id \d+", name) for name in beyond)
    explorer.written = [len(small)]
    assert explorer.step["text"] == "" and explorer.step["labels"] == [f"id {len(small)}"]


def test_choices_that_arrive_at_once_end_with_the_last(dates):
    explorer = DecodingExplorer(*dates, DATE)
    changes = [("written", [5, 6]), ("beams", 3), ("written", [5]), ("length_penalty", 0.5), ("text", "May 3, 1931")]
    threads = [threading.Thread(target=setattr, args=(explorer, *change)) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert explorer.heard == "May 3, 1931"
    assert explorer.answered == [explorer.written, explorer.beams, explorer.length_penalty]
    assert len(explorer.step["labels"]) == len(explorer.written)


def test_the_picture_is_the_same_each_time_and_shows_no_search_unless_asked(dates):
    explorer = DecodingExplorer(*dates, DATE)
    assert explorer.static_twin() == explorer.static_twin()
    bundle, metadata = explorer._repr_mimebundle_()
    assert bundle["text/plain"].startswith("DecodingExplorer('Sunday, November 22, 2026': 0 tokens written")
    assert metadata["image/png"]["alt"] == bundle["text/plain"] and "星期日" not in bundle["text/plain"]
    assert len(bundle["image/png"]) < 300_000
    explorer.beams, explorer.written = 3, explorer.best
    assert explorer.static_twin().startswith(b"\x89PNG")


def opened(page, tmp_path, explorer):
    page.goto(explorer.save(tmp_path / "decoding.html").as_uri())
    page.wait_for_selector(".tl-decoding svg .node", state="attached")
    return page


ROWS = """(rows) => rows.map((row) => ["key", "share"].map((name) => row.querySelector(`.${name}`).textContent))"""
SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"
PLACE = {
    "temperature": lambda value: round(10 * value),
    "top_k": lambda value: [1, 2, 3, 5, 10, 20, 50, 100, None].index(value),
    "top_p": lambda value: 19 if value is None else round(20 * value) - 1,
    "min_p": lambda value: [None, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1].index(value),
}


def share(text):
    number = re.search(r"[\d.]+", text)[0]
    return float(number) / 100


@pytest.mark.browser
def test_the_bars_are_the_packages_distribution_at_every_setting(page, tmp_path):
    explorer = gpt()
    opened(page, tmp_path, explorer)
    for settings in SETTINGS:
        settings = {"top_k": None, "top_p": None, "min_p": None} | settings
        for name, value in settings.items():
            page.get_by_label(name.replace("_", "-"), exact=True).evaluate(SET, str(PLACE[name](value)))
            setattr(explorer, name, value)
        rows = page.locator(".tl-decoding .row").evaluate_all(ROWS)
        probabilities = explorer.probabilities
        assert [key for key, _ in rows] == explorer.step["names"][:12]
        for i, (_, shown) in zip(explorer.step["ids"], rows, strict=False):
            assert shown.startswith("cut") == (probabilities[i] == 0), (settings, i)
            if shown.startswith("<"):
                assert 0 < probabilities[i] < 6e-4
            elif probabilities[i]:
                assert share(shown) == pytest.approx(float(probabilities[i]), abs=6e-4)
        n = int((probabilities > 0).sum())
        if n < len(probabilities):
            assert f"{n} of {len(probabilities)} kept" in page.inner_text(".tl-decoding .rest")


@pytest.mark.browser
def test_the_saved_page_shows_the_search_and_the_draws_and_asks_for_nothing(page, tmp_path, dates):
    explorer = DecodingExplorer(*dates, DATE, temperature=1.8, beams=3)
    explorer.written = explorer.best[:3]
    explorer.draw_ten(seed=3)
    opened(page, tmp_path, explorer)
    assert page.locator(".tl-decoding button").count() == 0
    nodes = page.locator(".tl-decoding .node .sum").all_text_contents()
    wanted = [f"{node['total']:z.2f}".replace("-", "−") for node in explorer.search["nodes"]]
    assert nodes == wanted
    assert page.locator(".tl-decoding .node.best").count() == len(explorer.best)
    assert page.locator(".tl-decoding .node.now").count() == 3
    rows = page.locator(".tl-decoding tbody tr").all_inner_texts()
    best = explorer.search["texts"][0]
    numbers = [str(best["n"]), *(f"{best[name]:z.2f}".replace("-", "−") for name in ("total", "score"))]
    assert rows[0].split("\t")[1:] == numbers and rows[0].startswith("→ ")
    times = page.locator(".tl-decoding .draws .times").all_inner_texts()
    assert [int(one.split()[0]) for one in times] == [one["times"] for one in explorer.draws["texts"]]
    told = page.inner_text(".tl-decoding .told").replace("−", "-")
    assert told.startswith("3 tokens: log-probability ")
    np.testing.assert_allclose([float(n) for n in re.findall(r"-?\d+\.\d\d", told)],
                               [explorer.log_prob, explorer.greedy_log_prob], atol=0.006)  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_and_nothing_cut_off(page, tmp_path, dates, scheme):
    page.emulate_media(color_scheme=scheme)
    explorer = DecodingExplorer(*dates, DATE, beams=4, top_k=2)
    explorer.draw_ten(seed=0)
    for written in ([], explorer.best[:5], explorer.best):
        explorer.written = written
        opened(page, tmp_path, explorer)
        for width in (1366, 900, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert violations(page, "html") == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_an_explorer_that_is_gone_listens_to_nothing_and_other_sheets_change_nothing(page, tmp_path, dates):
    explorer = DecodingExplorer(*dates, DATE, beams=2)
    opened(page, tmp_path, explorer)
    before, after = page.evaluate(RENDERED_AND_REMOVED, str(explorer._module))
    assert before > 0 and after == 0
    looks = page.evaluate(LOOKS)
    page.add_style_tag(content="\n".join(kind._sheet for kind in KINDS))
    assert page.evaluate(LOOKS) == looks
    assert all(".tl-" in rule or rule.startswith("@") for rule in re.findall(r"[^{}]+(?={)", explorer._sheet))


WITHOUT_AN_ANSWER = """async (module) => {
  const saved = JSON.parse(document.getElementById("saved").textContent), { state } = saved, listeners = [];
  for (const [name, text] of Object.entries(saved.bytes)) {
    const packed = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
    const bytes = packed.stream().pipeThrough(new DecompressionStream("gzip"));
    state[name] = new DataView(await new Response(bytes).arrayBuffer());
  }
  const set = (name, value) => {
    state[name] = value;
    for (const [event, listener] of listeners) if (event === `change:${name}`) listener();
  };
  const on = (event, listener) => listeners.push([event, listener]);
  const model = { get: (name) => state[name], set, save_changes() {}, on, off() {}, send() {} };
  const widget = await import(URL.createObjectURL(new Blob([module], { type: "text/javascript" })));
  const el = document.getElementById("widget");
  el.replaceChildren();
  widget.default.render({ model, el });
}"""


@pytest.mark.browser
def test_a_saved_page_asks_for_nothing_that_takes_a_kernel(page, tmp_path):
    opened(page, tmp_path, gpt(beams=2))
    assert page.get_by_label("beams", exact=True).is_disabled() and page.get_by_label("length penalty").is_disabled()
    assert "Choose the first token" not in page.inner_text(".tl-decoding")
    assert "A saved page keeps what was written" in page.inner_text(".tl-decoding .told")


@pytest.mark.browser
def test_where_no_kernel_answers_the_reader_is_told_and_the_sliders_still_move(page, tmp_path):
    explorer = gpt()
    page.clock.install()
    opened(page, tmp_path, explorer)
    page.evaluate(WITHOUT_AN_ANSWER, str(explorer._module))
    page.locator(".tl-decoding .row").first.click()
    eventually(lambda: page.locator(".tl-decoding.asking").count() == 1)
    assert "No answer yet" not in page.inner_text(".tl-decoding")
    page.clock.fast_forward(11_000)
    eventually(lambda: "No answer yet. If no other cell is running" in page.inner_text(".tl-decoding"))
    page.get_by_label("top-k", exact=True).evaluate(SET, "0")
    eventually(lambda: page.locator(".tl-decoding .row.cut").count() == 11)


LIVE = """
from test_decoding_explorer import gpt
explorer = gpt()
explorer
"""


@pytest.mark.browser
def test_a_live_explorer_is_written_with_by_mouse_and_keyboard(lab):
    page = lab.page
    lab.open("decoding.ipynb", [f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})", LIVE])
    lab.run_all()
    page.wait_for_selector(".tl-decoding .row")
    state = "print(explorer.written, round(explorer.log_prob, 2), round(explorer.greedy_log_prob, 2))"
    ids = gpt().step["ids"]
    page.locator(".tl-decoding .row").nth(2).click()
    eventually(lambda: page.locator(".tl-decoding .written .chip").count() == 1)
    wanted = gpt()
    wanted.written = [ids[2]]
    assert lab.python(state) == f"{[ids[2]]} {wanted.log_prob:.2f} {wanted.greedy_log_prob:.2f}"
    told = page.inner_text(".tl-decoding .told").replace("−", "-")
    assert f"{wanted.log_prob:.2f}" in told and f"{wanted.greedy_log_prob:.2f}" in told
    page.locator(".tl-decoding .row").first.focus()
    page.keyboard.press("Enter")
    eventually(lambda: lab.python("print(explorer.written)") == str([ids[2], wanted.step["ids"][0]]))
    eventually(lambda: page.evaluate("document.activeElement.classList.contains('row')"))
    page.get_by_text("undo", exact=True).click()
    eventually(lambda: lab.python("print(explorer.written)") == str([ids[2]]))
    page.get_by_text("draw one").click()
    eventually(lambda: page.locator(".tl-decoding .written .chip").count() == 2)
    page.get_by_text("start again").click()
    eventually(lambda: "Choose the first token." in page.inner_text(".tl-decoding .told"))
    page.get_by_text("draw ten texts").click()
    eventually(lambda: page.locator(".tl-decoding .draws li").count() > 0)
    page.get_by_label("beams", exact=True).evaluate(SET, "3")
    eventually(lambda: lab.python("print(explorer.answered)") == "[[], 3, 1.0]")
    eventually(lambda: page.locator(".tl-decoding.asking").count() == 0)
    assert page.locator(".tl-decoding .node").count() == int(lab.python("print(len(explorer.tree))"))
    page.get_by_label("temperature", exact=True).evaluate(SET, "5")
    eventually(lambda: lab.python("print(explorer.temperature)") == "0.5")
    field, message = page.get_by_label("text", exact=True), page.locator(".tl-decoding .message")
    field.fill("")
    eventually(lambda: "the text is empty" in message.inner_text())
    assert page.locator(".tl-decoding .body").is_hidden()
    field.fill("the mat")
    eventually(lambda: lab.python("print(explorer.heard, explorer.written)") == "the mat []")
    eventually(lambda: page.locator(".tl-decoding .body").is_visible() and message.inner_text() == "")
