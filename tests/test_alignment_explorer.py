"""AlignmentExplorer: its weights, texts and alignments are the models', at every step, in Python and in the browser."""

import copy
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from browser import eventually
from test_accessibility_browser import violations
from test_explorers_browser import KINDS, LOOKS, RENDERED_AND_REMOVED
from test_model_tour import made
from transformer_lab import GPT, Transformer, alignment_accuracy, load, translate
from transformer_lab.analysis.recording import record_attention
from transformer_lab.data.dates import held_out_pairs
from transformer_lab.viz import AlignmentExplorer
from transformer_lab.viz.inputs import visible

PAIRS = held_out_pairs(20)
KNOWN, OTHER, UNKNOWN = PAIRS[0], PAIRS[1], "May 32, 1965"


def blurred(model, amount):
    """A copy with noise on its weights, as if it had learnt less."""
    less = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in less.parameters():
            weight.add_(amount * torch.randn(weight.shape, generator=generator) * weight.std(correction=0))
    return less


def growing():
    model, tokenizer = load("dates")
    return [(0, blurred(model, 2.0)), (50, blurred(model, 0.35)), (100, model)], tokenizer


def explorer(text=KNOWN.source, pairs=PAIRS, **settings):
    return AlignmentExplorer(*growing(), text, pairs, **settings)


@pytest.fixture(scope="module")
def models():
    return growing()


def cross_attention(model, tokenizer, source, target_ids):
    """The last layer's weights (H, T, S), recorded while the model reads these."""
    with record_attention(model) as maps, torch.no_grad():
        model(torch.tensor([tokenizer.encode(source)]), torch.tensor([target_ids]))
    return maps["cross"][-1][0].numpy()


@pytest.mark.parametrize("reads", ["own", "given"])
def test_weights_and_texts_are_the_models_at_every_step_and_head(models, reads):
    snapshots, tokenizer = models
    seen = AlignmentExplorer(snapshots, tokenizer, KNOWN.source, PAIRS, reads=reads)
    for seen.step, model in snapshots:
        assert seen.written == translate(model, tokenizer, [KNOWN.source], 40)[0] == seen.translations[seen.step]
        text = KNOWN.target if reads == "given" else seen.written
        whole = [tokenizer.bos_id, *tokenizer.encode(text), tokenizer.eos_id]
        written = len(seen.query_tokens)
        maps = cross_attention(model, tokenizer, KNOWN.source, whole[:-1])[:, :written]
        assert seen.query_tokens == [visible(token) for token in tokenizer.tokens(whole[1:])][:written]
        assert seen.key_tokens == tokenizer.tokens(tokenizer.encode(KNOWN.source))
        np.testing.assert_allclose(seen.weights, maps.mean(axis=0), atol=1e-5)
        for seen.head in range(1, 5):
            np.testing.assert_allclose(seen.weights, maps[seen.head - 1], atol=1e-5)
        seen.head = 0


def test_its_accuracy_on_the_right_translation_is_the_packages(models):
    snapshots, tokenizer = models
    shares = []
    for pair in PAIRS[:3]:
        seen = AlignmentExplorer(snapshots, tokenizer, pair.source, PAIRS, reads="given")
        for seen.step, model in snapshots:
            assert seen.accuracy == pytest.approx(alignment_accuracy(model, tokenizer, [pair]))
            assert seen.gold == [*pair.alignment, None]
            shares.append(seen.accuracy)
    assert len(set(shares)) > 2  # else any constant would pass


def test_of_its_own_text_the_alignment_is_known_as_far_as_it_is_right(models):
    snapshots, tokenizer = models
    seen = AlignmentExplorer(snapshots, tokenizer, KNOWN.source, PAIRS)
    wanted = tokenizer.encode(KNOWN.target)
    lengths = set()
    for seen.step, _ in snapshots:
        own = tokenizer.encode(seen.written)
        same = next((n for n, (a, b) in enumerate(zip(own, wanted, strict=False)) if a != b), len(wanted))
        assert seen.gold == [*KNOWN.alignment[:same], *[None] * (len(seen.query_tokens) - same)]
        lengths.add(same)
    assert max(lengths) > 0 and len(lengths) > 1
    unknown = AlignmentExplorer(snapshots, tokenizer, KNOWN.source)
    assert unknown.accuracy is None and set(unknown.gold) == {None} and unknown.right is None
    with pytest.raises(ValueError, match="no right translation to read"):
        unknown.reads = "given"


def test_another_text_is_read_and_one_that_cannot_be_leaves_what_was_there():
    seen = explorer(reads="given")
    before = seen.packed
    for text, sentence in (("", "the text is empty"), ("1 " * 41, "room for a text of .* tokens; got 41: shorten")):
        seen.text = text
        assert re.search(sentence, seen.message) and seen.packed == before and seen.heard == KNOWN.source
    seen.text = UNKNOWN
    assert (seen.message, seen.heard, seen.reads, seen.right) == ("", UNKNOWN, "own", None)
    seen.text = OTHER.source
    fresh = explorer(OTHER.source)
    assert (seen.readings, seen.packed, seen.right) == (fresh.readings, fresh.packed, OTHER.target)


def test_texts_that_arrive_at_once_end_with_one_whole_text():
    seen = explorer()
    threads = [threading.Thread(target=setattr, args=(seen, "text", text)) for text in (OTHER.source, UNKNOWN, "1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = explorer(seen.text)
    assert (seen.heard, seen.readings, seen.packed) == (seen.text, fresh.readings, fresh.packed)


def test_what_makes_no_sense_is_refused_in_a_sentence(models):
    snapshots, tokenizer = models
    model, seen = snapshots[-1][1], explorer()
    for wrong, sentence in (
        (lambda: AlignmentExplorer([], tokenizer, "1"), r"a list of \(step, model\), 1 to 40 of them; got \[\]"),
        (lambda: AlignmentExplorer(model, tokenizer, "1"), r"snapshots must be a list of \(step, model\)"),
        (lambda: AlignmentExplorer([model], tokenizer, "1"), r"snapshots must be a list of \(step, model\); got"),
        (
            lambda: AlignmentExplorer([(0, model), (1, model)], tokenizer, "1"),
            "Step 1 has the model of an earlier step",
        ),
        (lambda: AlignmentExplorer([(0, made(Transformer)[0]), (1, model)], tokenizer, "1"), "one vocabulary"),
        (lambda: AlignmentExplorer(snapshots[::-1], tokenizer, "1"), "must rise; got 50 after 100"),
        (lambda: AlignmentExplorer([(0, made(GPT)[0])], tokenizer, "1"), "model must be a Transformer"),
        (lambda: AlignmentExplorer(snapshots, None, "1"), "tokenizer must be"),
        (lambda: AlignmentExplorer(snapshots, tokenizer, ""), "empty"),
        (lambda: AlignmentExplorer(snapshots, tokenizer, 3), "str"),
        (lambda: AlignmentExplorer(snapshots, tokenizer, "1", [("a", "b")]), "pairs must hold .*; got"),
        (lambda: setattr(seen, "text", "a\ud83d"), "not a character"),
        (lambda: setattr(seen, "step", 51), "step must be one of 0, 50, 100; got 51"),
        (lambda: setattr(seen, "head", 5), "head must be 1 to 4, or 0 for their mean; got 5"),
        (lambda: setattr(seen, "reads", "mine"), "reads must be 'own' or 'given'; got 'mine'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            wrong()
    assert (seen.step, seen.head, seen.reads) == (100, 0, "own")
    damaged = copy.deepcopy(model)
    with torch.no_grad():
        next(damaged.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN"):
        AlignmentExplorer([(7, damaged)], tokenizer, KNOWN.source)


def test_the_picture_is_the_same_each_time_and_says_what_it_shows():
    seen = explorer(step=50, head=2, reads="given")
    assert seen.static_twin() == seen.static_twin()
    bundle, metadata = seen._repr_mimebundle_()
    assert bundle["text/plain"].startswith(f"AlignmentExplorer({KNOWN.source!r}, step 50, head 2: {seen.written!r}, ")
    assert metadata["image/png"]["alt"] == bundle["text/plain"] and len(bundle["image/png"]) < 300_000
    assert explorer(UNKNOWN).static_twin().startswith(b"\x89PNG")


def opened(page, tmp_path, seen):
    page.goto(seen.save(tmp_path / "alignment.html").as_uri())
    page.wait_for_selector(".tl-alignment tbody td")
    return page


SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"
CELLS = """() => [...document.querySelectorAll(".tl-alignment tbody tr")].map((row) => (
  [...row.querySelectorAll("td")].map((cell) => [Number(cell.firstChild.textContent), cell.className.trim()])))"""


@pytest.mark.browser
def test_the_saved_page_shows_every_step_head_and_reading_without_a_kernel(page, tmp_path):
    seen = explorer()
    opened(page, tmp_path, seen)
    for reads in ("own", "given"):
        page.get_by_label("the decoder reads").select_option(reads)
        for n, step in enumerate(seen.steps):
            page.get_by_label("training step").evaluate(SET, str(n))
            for head in (0, 3):
                page.get_by_label("show", exact=True).select_option(str(head))
                seen.reads, seen.step, seen.head = reads, step, head
                eventually(lambda: np.shape(page.evaluate(CELLS))[:2] == seen.weights.shape)
                cells = page.evaluate(CELLS)
                shown = np.array([[number for number, _ in row] for row in cells])
                np.testing.assert_allclose(shown, 100 * seen.weights, atol=0.51)
                gold = [next((s for s, (_, kind) in enumerate(row) if "gold" in kind), None) for row in cells]
                most = [next(s for s, (_, kind) in enumerate(row) if "most" in kind) for row in cells]
                assert gold == seen.gold and most == seen.weights.argmax(axis=1).tolist()
                told = page.inner_text(".tl-alignment .read-out")
                if seen.accuracy is None:
                    assert "for none of these rows" in told
                else:
                    met, known = map(int, re.search(r"(\d+) of (\d+) rows", told).groups())
                    assert met / known == pytest.approx(seen.accuracy)
    page.locator(".tl-alignment li button").first.click()
    eventually(lambda: page.get_by_label("training step").input_value() == "0")
    texts = page.locator(".tl-alignment li .text").all_inner_texts()
    assert len(texts) == 3 and texts[-1].endswith("✓") == (seen.translations[100] == KNOWN.target)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_and_nothing_cut_off(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    for seen in (explorer(step=0), explorer(reads="given", head=1), explorer(UNKNOWN)):
        opened(page, tmp_path, seen)
        for width in (1366, 900, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert violations(page, "html") == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_an_explorer_that_is_gone_listens_to_nothing_and_other_sheets_change_nothing(page, tmp_path):
    seen = explorer()
    opened(page, tmp_path, seen)
    before, after = page.evaluate(RENDERED_AND_REMOVED, str(seen._module))
    assert before > 0 and after == 0
    looks = page.evaluate(LOOKS)
    page.add_style_tag(content="\n".join(kind._sheet for kind in KINDS))
    assert page.evaluate(LOOKS) == looks
    assert all(".tl-" in rule or rule.startswith("@") for rule in re.findall(r"[^{}]+(?={)", seen._sheet))


LIVE = """
from test_alignment_explorer import explorer
seen = explorer()
seen
"""


@pytest.mark.browser
def test_a_live_explorer_reads_what_is_typed(lab):
    page = lab.page
    lab.open("alignment.ipynb", [f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})", LIVE])
    lab.run_all()
    page.wait_for_selector(".tl-alignment tbody td")
    field, message = page.get_by_label("text", exact=True), page.locator(".tl-alignment .message")
    field.fill(OTHER.source)
    eventually(lambda: lab.python("print(seen.heard)") == OTHER.source)
    eventually(lambda: page.inner_text(".tl-alignment .right") == f"right: {OTHER.target}")
    field.fill("")
    eventually(lambda: "the text is empty" in message.inner_text())
    assert page.locator(".tl-alignment .body").is_hidden()
    field.fill(UNKNOWN)
    eventually(lambda: lab.python("print(seen.heard)") == UNKNOWN)
    eventually(lambda: page.get_by_label("the decoder reads").is_hidden())
    page.get_by_label("training step").focus()
    page.keyboard.press("Home")
    eventually(lambda: lab.python("print(seen.step)") == "0")
