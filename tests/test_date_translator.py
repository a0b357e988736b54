"""The translator to play with: every control over its range, hostile input, and two changes at once."""

import io
import threading
import time

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from transformer_lab import load
from transformer_lab.analysis.ablation import PARTS
from transformer_lab.grading.checks.start_here import PREDICTIONS
from transformer_lab.viz import attention_picture, date_translator
from transformer_lab.viz.date_translator import KINDS, WHOLE, DateTranslator


@pytest.fixture(scope="module")
def loaded():
    return load("dates")


def test_every_control_over_its_range(loaded):
    widget = DateTranslator(*loaded)
    assert widget.translation == "2026年11月22日星期日"
    for part in widget.part.options:
        for kind in KINDS.values():
            widget.part.value, widget.kind.value = part, kind
            _, *seen = date_translator.run(*loaded, widget.text.value, part, kind)
            assert (widget.view.query_tokens, widget.view.key_tokens) == tuple(seen[1:])
            assert (widget.view.attention == seen[0].numpy()).all()
    assert widget.part.options == (WHOLE, *PARTS)
    assert set(PREDICTIONS["part_off"]) < set(PARTS)  # three of them, each with a reason why it might be harmless


def test_it_opens_on_the_head_that_is_asked_for_and_keeps_it(loaded):
    widget = DateTranslator(*loaded, head=(1, 2))
    assert (widget.view.selection["layer"], widget.view.selection["head"]) == (1, 2)
    widget.text.value = "May 3, 1931"
    assert (widget.view.selection["layer"], widget.view.selection["head"]) == (1, 2)


def test_without_its_causal_mask_it_writes_what_the_attention_beside_it_says(loaded):
    """With a cache the mask would seem to be needed for nothing."""
    widget = DateTranslator(*loaded)
    widget.part.value = "causal mask"
    assert widget.translation != "2026年11月22日星期日" and len(widget.view.query_tokens) < 20


@pytest.mark.parametrize("text", ["", "   ", "5 " * 80, "<b>&", "Someday, Smarch 33, 1999", "日", "a" * 5000])
def test_whatever_is_typed_gets_an_answer(loaded, text):
    widget = DateTranslator(*loaded)
    widget.text.value = text
    if not text.strip() or len(text.split()) > 64:
        assert widget.translation == "2026年11月22日星期日" and "Type a date such as" in widget.answer.note
        assert widget.answer.large == "" and widget.view.layout.display == "none"  # no picture of another text
    widget.text.value = "May 3, 1935"
    assert widget.translation == widget.answer.large == "1935年5月3日" and widget.view.layout.display is None
    assert widget.answer.heard == ["May 3, 1935", 0, 0]


def test_of_two_changes_at_once_the_latest_choices_are_shown(loaded, monkeypatch):
    widget = DateTranslator(*loaded)
    quick = date_translator.run

    def slow_at_first(model, tokenizer, text, part, kind):
        seen = quick(model, tokenizer, text, part, kind)
        if kind == "cross":
            time.sleep(0.3)
        return seen

    monkeypatch.setattr(date_translator, "run", slow_at_first)
    first = threading.Thread(target=setattr, args=(widget.part, "value", "scale"))
    second = threading.Thread(target=setattr, args=(widget.kind, "value", "encoder"))
    first.start(), time.sleep(0.1), second.start()
    first.join(), second.join()
    assert widget.view.query_tokens == widget.view.key_tokens  # the encoder's, chosen last


def test_its_bundle_has_a_picture_and_stable_text(loaded):
    bundle, metadata = DateTranslator(*loaded)._repr_mimebundle_()
    assert bundle["text/plain"] == (
        "DateTranslator('Sunday, November 22, 2026' -> '2026年11月22日星期日', switched off: nothing)"
    )
    assert bundle["image/png"].startswith("iVBOR")
    assert "星期日" in metadata["image/png"]["alt"]


def test_the_translation_is_romanised_underneath(loaded, monkeypatch):
    """By word, for those who have no Chinese font; and so in the picture, which leaves out what no font can draw."""
    widget = DateTranslator(*loaded)
    large = widget.answer.large
    assert (large, widget.answer.latin) == ("2026年11月22日星期日", "2026 nian 11 yue 22 ri xingqiri")
    assert date_translator.romanised_words(widget.tokenizer, "11 22") == ""
    written = []
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **rest: written.append(text))
    monkeypatch.setattr(attention_picture, "font_for", lambda char: "DejaVu Sans" if char < "\u0370" else None)
    widget._repr_mimebundle_()
    assert written[1] == "2026 nian 11 yue 22 ri xingqiri" and large not in written
    monkeypatch.setattr(attention_picture, "font_for", lambda char: "DejaVu Sans")
    written.clear()
    widget._repr_mimebundle_()
    assert written[:3] == ["Sunday, November 22, 2026:", large, "2026 nian 11 yue 22 ri xingqiri"]


def test_a_headline_moves_the_picture_down_and_changes_nothing_below():
    label, weights = ["a", "b"], np.full((1, 2, 2, 2), 0.5)
    plain, headed = (
        imread(io.BytesIO(attention_picture.picture(weights, label, label, 0, 0, headline=lines)))
        for lines in ((), ("2026 nian", "11 yue"))
    )
    assert (headed[-len(plain) :, : plain.shape[1]] == plain).mean() > 0.98 and len(headed) == len(plain) + 80
    assert (headed[:80] != 1).any()
