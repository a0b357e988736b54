"""What the views do with files, long texts, hostile tokens, odd devices and numbers that are none."""

import json
import math
import re
import subprocess
import sys
import tracemalloc
import unicodedata
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
import transformers
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.image import imread
from torch.overrides import TorchFunctionMode
from typer.testing import CliRunner

from test_analysis import without_shape_checks  # noqa: F401
from test_attention_view import hf_tokenizer
from transformer_lab import BERT, GPT, Transformer, TransformerConfig, attention, load
from transformer_lab.cli import app
from transformer_lab.data.tokenizers import CharacterTokenizer
from transformer_lab.sentences import short_repr
from transformer_lab.viz import (
    AttentionView,
    DateTranslator,
    FamilyExplorer,
    LiveAttention,
    NormExplorer,
    QueryExplorer,
    RotaryExplorer,
    SoftmaxExplorer,
    WhatIf,
    attend_to,
    attention_picture,
    model_cost,
    softmax_and_loss,
    turn_pairs,
)
from transformer_lab.viz.bertviz import head_view, model_view, neuron_view
from transformer_lab.viz.inputs import is_unseen, romanised, visible
from transformer_lab.viz.snapshots import Snapshot

pytestmark = pytest.mark.usefixtures("without_shape_checks")  # which would speak before the views do
HALF = np.full((1, 1, 2, 2), 0.5, np.float32)


def a_view():
    return AttentionView(HALF, ["a", "b"])


def a_gpt(**sizes):
    tokenizer = CharacterTokenizer.train(["the cat sat on the mat"])
    sizes = {"d_model": 24, "n_layers": 2, "n_heads": 4, "positions": "rotary", "vocab_size": len(tokenizer)} | sizes
    torch.manual_seed(0)
    return GPT(TransformerConfig.preset("nano", **sizes)).eval(), tokenizer


# Files

MAKE = {
    "AttentionView": (a_view, ["html", "png", "svg"]),
    "bertviz": (lambda: head_view(HALF, ["a", "b"]), ["html", "png"]),
    "explorer": (QueryExplorer, ["html", "png"]),
}
FIRST_BYTES = {"html": b"<!doctype html>", "png": b"\x89PNG", "svg": b"<?xml"}


@pytest.mark.parametrize("name", MAKE)
def test_the_ending_decides_what_is_written(tmp_path, name, monkeypatch):
    make, possible = MAKE[name]
    view = make()
    for ending in possible:
        for written in (ending, ending.upper(), ending.title()):
            path = view.save(tmp_path / f"view.{written}")
            assert path.name == f"view.{written}" and path.read_bytes().startswith(FIRST_BYTES[ending])
            path.unlink()
    assert view.save(tmp_path / "view").name == "view.html"  # without an ending: the page, and its name says so
    assert [path.name for path in tmp_path.iterdir()] == ["view.html"]
    monkeypatch.setattr(Figure, "savefig", None)  # whatever is drawn now fails in another way
    for ending in ("pdf", "jpg", "jpeg", "webp", "tiff", "v2", "png2", "htmlx"):
        with pytest.raises(ValueError, match=rf"view\.{ending} ends in \.{ending}; wanted \.html or \.png"):
            view.save(tmp_path / f"view.{ending}")
    assert [path.name for path in tmp_path.iterdir()] == ["view.html"]


@pytest.mark.parametrize("name", MAKE)
def test_a_place_that_cannot_be_written_gets_a_sentence(tmp_path, monkeypatch, name):
    view = MAKE[name][0]()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert view.save("~/view.html") == tmp_path / "view.html"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"^missing/view\.html cannot be written: there is no folder missing\.$"
    ):
        view.save("missing/view.html")
    (tmp_path / "folder.html").mkdir()
    for folder in (".", "folder.html", "folder"):
        if folder == "folder":
            (tmp_path / folder).mkdir()
        with pytest.raises(IsADirectoryError, match="is a folder; wanted the name of a file"):
            view.save(folder)
    with pytest.raises(ValueError, match=r"^The path is empty"):
        view.save("")

    def full(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(PermissionError, match=r"^new\.html could not be written: Permission denied\.$"):
        view.save("new.html")


# Long texts


class Letters:
    """A tokenizer of one letter a token, any number of them."""

    def encode(self, text):
        return [1 + ord(char) % 5 for char in text]

    def tokens(self, ids):
        return [str(int(i)) for i in ids]

    def batch(self, texts, bos=False, eos=False):
        ids = torch.tensor([[0] * bos + self.encode(text) + [0] * eos for text in texts])
        return ids, torch.ones_like(ids, dtype=torch.bool)


@pytest.fixture
def no_attention(monkeypatch):
    """Whoever computes attention now fails the test."""

    def computed(*_args, **_kwargs):
        raise AssertionError("attention was computed")

    monkeypatch.setattr(attention, "scaled_dot_product_attention", computed)
    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", computed)
    monkeypatch.setattr(attention, "fused_attention", computed)
    monkeypatch.setattr(torch.Tensor, "softmax", computed)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
@pytest.mark.parametrize("cls", [GPT, BERT, Transformer])
def test_a_text_that_is_too_long_is_refused_before_any_attention(cls, positions, no_attention):
    sizes = {"d_model": 36, "n_heads": 9, "n_layers": 30, "vocab_size": 8, "positions": positions}
    model = cls(TransformerConfig.preset("nano", **sizes))
    layer = (
        r"^A layer of attention must hold at most 16,000,000 weights to be drawn; got 81,000,000: give a shorter text"
    )
    stack = (
        r"^All 30 layers of attention together must hold at most 300,000,000 weights; got 388,800,000: give a shorter"
    )
    for length, sentence in ((3000, layer), (1200, stack)):
        for look in (AttentionView.from_model, neuron_view, WhatIf):
            with pytest.raises(ValueError, match=sentence):
                look(model, Letters(), "x" * length)


def test_a_translation_that_is_too_long_is_refused_too(no_attention):
    model = Transformer(TransformerConfig.preset("nano", d_model=36, n_heads=9, n_layers=2, vocab_size=8))
    with pytest.raises(ValueError, match="got 81,054,009"):
        AttentionView.from_model(model, Letters(), "x", target="x" * 3000)


def test_a_text_that_is_too_long_for_the_view_while_typing_leaves_the_view_as_it_was():
    model, tokenizer = a_gpt(d_model=36, n_heads=9, n_layers=30)
    view = WhatIf(model, tokenizer, "the cat")
    view.text = "the cat " * 400
    assert view.message.startswith("ValueError: A layer of attention must hold") and len(view.query_tokens) == 7


def test_a_hugging_face_model_is_not_run_on_a_text_that_is_too_long(monkeypatch):
    sizes = dict(vocab_size=5, n_embd=9, n_layer=2, n_head=9, n_positions=4000)
    gpt = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes))
    t5 = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=5, d_model=9, num_layers=2, num_heads=9, d_kv=1, d_ff=9, decoder_start_token_id=0
        )
    )
    for model in (gpt, t5):
        monkeypatch.setattr(type(model), "forward", lambda self, input_ids: pytest.fail("the model was run"))
        with pytest.raises(ValueError, match="got 81,000,000: give a shorter text"):
            AttentionView.from_model(model, hf_tokenizer(), "cat " * 3000)


@pytest.mark.parametrize("kind", ["numpy", "numpy in 16 bits", "torch", "a tensor a layer", "scores"])
def test_arrays_that_are_too_large_are_refused_before_they_are_copied(kind):
    one = np.full((1, 1, 1, 1), 0.5, np.float32)
    large = {
        "numpy": lambda: np.broadcast_to(one, (48, 25, 1024, 1024)),
        "numpy in 16 bits": lambda: np.broadcast_to(one.astype(np.float16), (48, 25, 1024, 1024)),
        "torch": lambda: torch.from_numpy(one).expand(48, 25, 1024, 1024),
        "a tensor a layer": lambda: tuple(torch.from_numpy(one).expand(1, 25, 1024, 1024) for _ in range(48)),
        "scores": lambda: np.broadcast_to(one, (48, 25, 1024, 1024)),
    }[kind]()
    tracemalloc.start()
    if kind == "scores":
        with pytest.raises(ValueError, match=r"^scores must have the shape \(1, 1, 2, 2\)"):
            AttentionView(HALF, ["a", "b"], scores=large)
    else:
        with pytest.raises(ValueError, match="got 26,214,400: leave out heads or tokens"):
            AttentionView(large, ["a"] * 1024)
        for draw in (head_view, model_view):
            with pytest.raises(ValueError, match=r"^The view would take 7549\.7 MB"):
                draw(large, ["a"] * 1024)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6, peak


def test_bertviz_is_asked_for_no_more_than_it_can_draw_before_anything_is_copied(no_attention):
    large = np.broadcast_to(np.full((1, 1, 1, 1), 0.5, np.float32), (48, 16, 900, 900))  # 2.5 GB, were it copied
    tracemalloc.start()
    for draw in (head_view, model_view):
        for given in (large, torch.full((1, 1, 1, 1), 0.5).expand(48, 16, 900, 900)):
            with pytest.raises(ValueError, match=r"^The view would take 3732\.5 MB"):
                draw(given, ["a"] * 900)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6, peak
    model, _ = a_gpt(vocab_size=8)
    with pytest.raises(ValueError, match=r"^The view would take .* give a shorter text\.$"):
        neuron_view(model, Letters(), "x" * 400)


def test_snapshots_that_are_too_many_are_refused_at_the_first():
    one = np.broadcast_to(np.full((1, 1, 1, 1), 1 / 400, np.float32), (4, 8, 400, 400))
    tokens = ["a"] * 400
    with pytest.raises(
        ValueError, match=r"^Snapshots hold at most 16,000,000 weights; got 512,000,000: leave out steps"
    ):
        AttentionView.over_training([Snapshot(i, 1.0, (one if i == 0 else None, tokens)) for i in range(100)])


def test_the_command_looks_at_the_ending_before_it_loads_a_model(tmp_path, monkeypatch):
    for out, sentence in (
        ("page.pdf", "page.pdf ends in .pdf; wanted .html or .png or .svg."),
        ("missing/page.html", f"there is no folder {tmp_path / 'missing'}."),
        ("", f"{tmp_path} is a folder; wanted the name of a file."),
    ):
        result = CliRunner().invoke(app, ["view", "no such model", "May 3", "-o", str(tmp_path / out)])
        assert result.exit_code == 2 and result.output.strip().endswith(sentence), result.output
    for out in ("page", "page.SVG"):
        result = CliRunner().invoke(app, ["view", "dates", "May 3", "-o", str(tmp_path / out)])
        assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.SVG", "page.html"]
    assert result.output.strip() == f"Written: {tmp_path / 'page.SVG'}"


# Devices


class WithoutFloat64(TorchFunctionMode):
    """A device that has no 64-bit numbers, as Apple's: what was not brought to the CPU before cannot become any."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if not isinstance(result, torch.Tensor):
            return result
        given = [one for one in args if isinstance(one, torch.Tensor)]
        if function is torch.Tensor.cpu or any(getattr(one, "brought", False) for one in given):
            result = result.view_as(result)
            result.brought = True
        elif result.dtype == torch.float64 and any(one.dtype != torch.float64 for one in given):
            raise TypeError("Cannot convert a tensor to float64: the device has no such numbers.")
        return result


def test_no_view_asks_a_device_for_64_bits():
    with WithoutFloat64(), pytest.raises(TypeError):
        torch.ones(1).double()
    model, tokenizer = a_gpt()
    dates = load("dates")
    with WithoutFloat64():
        torch.ones(1).cpu().double()
        neuron_view(model, tokenizer, "the cat")
        AttentionView.from_model(model, tokenizer, "the cat")
        WhatIf(model, tokenizer, "the cat").switched_off = [["decoder", 0, 0], ["decoder", 1, 0, 2, 1]]
        DateTranslator(*dates)
        head_view(torch.full((1, 1, 2, 2), 0.5), ["a", "b"])
        gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=5, n_embd=12, n_layer=1, n_head=2))
        AttentionView.from_model(gpt2, hf_tokenizer(), "cat sat")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_any_precision_are_shown(dtype):
    model, tokenizer = a_gpt()
    view = AttentionView.from_model(model.to(dtype), tokenizer, "the cat")
    np.testing.assert_allclose(view.attention.sum(-1), 1, atol=0.02)
    assert view._parts[0]["unscored"] == [] and view._parts[0]["value_norms"] is not None
    neuron_view(model, tokenizer, "the cat")
    assert WhatIf(model, tokenizer, "the cat")._outcome["now"] > 0


# Numbers that are none


def strict(page: str) -> dict:
    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    return json.loads(re.search(r'id="saved">(.*?)</script>', page, re.S)[1], parse_constant=refuse)


LOSSES = [float("inf"), 2.0, float("nan"), np.float32(1.0), torch.tensor(float("inf")), -float("inf")]


def a_training():
    return AttentionView.over_training([Snapshot(i, loss, (HALF, ["a", "b"])) for i, loss in enumerate(LOSSES)])


def test_a_loss_that_is_no_number_is_null_in_the_page_and_said_in_words(tmp_path):
    view = a_training()
    steps = strict(view.save(tmp_path / "view.html").read_text())["state"]["_steps"]
    assert [step["loss"] for step in steps] == [None, 2.0, None, 1.0, None, None]
    assert [step.get("loss_is") for step in steps] == ["infinite", None, "not a number", None] + ["infinite"] * 2
    assert json.loads(json.dumps(view._steps, allow_nan=False)) == steps


def test_an_outcome_that_is_no_number_is_said_in_words():
    model, tokenizer = a_gpt(tie_embeddings=False)
    with torch.no_grad():
        model.output.weight.fill_(1e38)
    view = WhatIf(model, tokenizer, "the cat")
    json.dumps(view._outcome, allow_nan=False)
    assert view._outcome["now"] is None and view._outcome["now_is"] in ("not a number", "infinite")
    one_token = WhatIf(*a_gpt(), "t")  # nothing follows: there is no loss, and that is not 0
    assert one_token._outcome["now_is"] == "not a number"


@pytest.mark.parametrize(
    "known, sentence",
    [
        (
            {"value_norms": np.full((1, 1, 2), np.nan)},
            "^value_norms must be finite and at least 0; got nan to nan",
        ),
        ({"value_norms": np.full((1, 1, 2), -1.0)}, "^value_norms must be finite"),
        ({"scores": np.full((1, 1, 2, 2), np.inf)}, "^scores must be what the softmax"),
        ({"n_kv_heads": np.int64(3)}, r"^n_kv_heads must divide the 1 heads; got 3\.$"),
    ],
)
def test_what_is_known_must_be_numbers(known, sentence):
    with pytest.raises(ValueError, match=sentence):
        AttentionView(HALF, ["a", "b"], **known)


# Labels


def test_no_character_of_unicode_has_a_blank_label_and_no_two_that_are_unseen_have_the_same():
    labels = {}
    for char in map(chr, range(sys.maxunicode + 1)):
        label = visible(char)
        assert any(unicodedata.category(one)[0] not in "CZM" for one in label), hex(ord(char))
        if label != char:
            assert label not in labels, (hex(ord(char)), labels[label])
            labels[label] = hex(ord(char))
    seen = {char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char) in UNSEEN}
    assert {char for char in seen if visible(char) == char} == set()


UNSEEN = {"Cf", "Cc", "Zs", "Zl", "Zp"}
OTHERS = "\u3164\u2800\u115f\u1160\uffa0\u034f\u17b4\u180b\ufe0f\ufe00\U000e0100\U000e0001\U000e0067\U0001d159"


@pytest.mark.parametrize("char", [*OTHERS, "\xa0", "\xad", "\u200b", "\u200d", "\u200e", "\u2028", "\u3000", "\ufeff"])
def test_what_draws_nothing_shows_its_code_point(char):
    assert visible(char) == f"<U+{ord(char):04X}>" and is_unseen(char)
    assert visible(f"a{char}b") == f"a<U+{ord(char):04X}>b"


def test_signs_for_spaces_lines_accents_and_nothing():
    wanted = {
        "": "∅", " ": "␣", "  ": "␣␣", " a ": "␣a␣", "a b": "a b", "\n": "↵", "\t": "⇥", "\r\n": "<U+000D>↵",
        "\x7f": "<U+007F>", "\u2029": "¶", "e\u0301": "e\u0301", "\u0301": "◌\u0301", " \u0301": "␣◌\u0301",
        "\u093e": "◌\u093e", "\u0915\u093e": "\u0915\u093e",
    }  # fmt: skip
    assert {token: visible(token) for token in wanted} == wanted


def test_what_a_font_draws_as_nothing_has_a_sign():
    """Independent of Unicode's categories: the glyphs of the font that pictures use."""
    font = FT2Font(font_manager.findfont("DejaVu Sans"))
    font.set_size(20, 72)
    for code in font.get_charmap():
        font.set_text(chr(code))
        font.draw_glyphs_to_bitmap()
        assert np.asarray(font.get_image()).any() or visible(chr(code)) != chr(code), hex(code)


def test_pictures_and_romanised_labels_are_never_blank_either():
    rng = np.random.default_rng(0)
    for code in [*range(0x3100), *rng.integers(0x3100, sys.maxunicode + 1, 3000).tolist()]:
        label = visible(chr(code))
        for drawn in (attention_picture.readable(label), romanised(label)):
            assert any(unicodedata.category(one)[0] not in "CZM" for one in drawn), hex(code)


INVISIBLE = ["\u200d", "\ufeff", "\xad", "\u2060", "\u200e", "\u2009", "\u2003", "\u3164", "\u2800", " ", "", "\u200b"]


def test_page_picture_bertviz_and_table_show_the_same_signs(tmp_path, monkeypatch):
    n = len(INVISIBLE)
    weights = np.full((1, 1, n, n), 1 / n, np.float32)
    view = AttentionView(weights, INVISIBLE)
    labels = [visible(token) for token in INVISIBLE]
    assert len(set(labels)) == n and view.query_tokens == INVISIBLE
    assert strict(view.save(tmp_path / "view.html").read_text())["state"]["_parts"][0]["queries"] == labels
    drawn = []
    monkeypatch.setattr(attention_picture, "readable", lambda label, longest=14: drawn.append(label) or label)
    view.save(tmp_path / "view.svg")
    assert drawn[:n] == labels
    assert json.dumps(labels[0]).replace("<", "\\u003c") in head_view(weights, INVISIBLE).html

    class Tokens(Letters):
        def tokens(self, ids):
            return [INVISIBLE[int(i)] for i in ids]

    rows = WhatIf(a_gpt(vocab_size=8)[0], Tokens(), "abc")._outcome["rows"]
    assert {row["token"] for row in rows} <= set(labels)


# Tokens as text, and nothing else

HOSTILE = [
    "$$", "US$", "$x^$", "$\\foo$", "\\frac", "_hidden", "^", "{", "%s", "&amp;", "<b>", "</script>", "[bold]", "[/b]",
    "]]>", "<!--", '"', "'", "`${1}`", "\\", "a\nb", "年", "\U0001f468", "\x00", "\ud800", "é" * 50,
]  # fmt: skip


@pytest.mark.parametrize("format", ["png", "svg"])
@pytest.mark.parametrize("tokens", [HOSTILE, *([token, token[::-1]] for token in HOSTILE)], ids=repr)
def test_hostile_tokens_are_drawn_as_they_stand(tmp_path, tokens, format):
    n = len(tokens)
    path = AttentionView(np.full((1, 1, n, n), 1 / n), tokens).save(tmp_path / f"view.{format}")
    assert imread(path).ndim == 3 if format == "png" else ElementTree.parse(path).getroot().tag.endswith("svg")


def test_hostile_tokens_pass_through_every_page(tmp_path):
    n = len(HOSTILE)
    weights = np.full((1, 1, n, n), 1 / n)
    for draw in (AttentionView, head_view, model_view):
        page = draw(weights, HOSTILE).save(tmp_path / "view.html").read_text(encoding="utf-8")
        assert "<b>" not in page and "<!--" not in page
    assert len(strict(AttentionView(weights, HOSTILE).save(tmp_path / "view.html").read_text())["state"]["_parts"]) == 1


# Sentences


@pytest.mark.parametrize(
    "value, wanted",
    [
        (np.float64("nan"), "nan"),
        ([np.float64(0.5), np.int64(2)], "[0.5, 2]"),
        (np.array([1.5, np.nan]), "[1.5, nan]"),
        (torch.tensor([1, 2]), "[1, 2]"),
        ((np.float32(0.5), "a"), "(0.5, 'a')"),
        ({"a": np.int64(1)}, "{'a': 1}"),
        (np.str_("x"), "'x'"),
        (None, "None"),
        ("x" * 99, "'" + "x" * 58 + "…"),
    ],
)
def test_a_value_is_said_without_the_library_it_comes_from(value, wanted):
    assert short_repr(value) == wanted


def wrong(make):
    with pytest.raises(ValueError) as caught:
        make()
    return str(caught.value)


NAN = np.float64("nan")


@pytest.mark.parametrize(
    "make",
    [
        lambda: RotaryExplorer(q=np.full(4, NAN)),
        lambda: RotaryExplorer(q=[NAN] * 4),
        lambda: SoftmaxExplorer(scores=[NAN] * 5),
        lambda: SoftmaxExplorer(scores=[np.float64(99.0)] * 5),
        lambda: NormExplorer(cell=[np.int64(9)] * 3),
        lambda: QueryExplorer(query=[NAN, NAN]),
        lambda: QueryExplorer(query=[np.float64(99), np.float64(0)]),
        lambda: QueryExplorer(query=[[np.float64(1)], [np.float64(1), np.float64(2)]]),
        lambda: AttentionView(HALF, np.array([4, 5])),
        lambda: AttentionView(HALF, [np.int64(4), np.int64(5)]),
        lambda: a_view().__setattr__("selection", {"layer": np.int64(9), "head": np.float64(0)}),
        lambda: WhatIf(*a_gpt(), "the").__setattr__("switched_off", [["decoder", np.int64(9), np.int64(0)]]),
        lambda: head_view(HALF, ["a", "b"], include_heads=np.array([7])),
        lambda: turn_pairs(np.full(4, NAN), np.ones(4), 0, 0),
        lambda: attend_to(np.full(2, NAN), np.ones((1, 2)), np.ones((1, 2))),
        lambda: attend_to(np.ones(2), np.ones((1, 2)), np.ones((1, 2)), math.inf),
        lambda: softmax_and_loss(np.ones(2), 0, math.inf),
        lambda: model_cost(math.nan, 1, 1),
        lambda: FamilyExplorer(ff_ratio=math.nan),
    ],
)
def test_no_sentence_speaks_numpy(make):
    sentence = wrong(make)
    assert "np." not in sentence and "array(" not in sentence and "\n" not in sentence, sentence


def test_numpy_indices_are_indices():
    view = WhatIf(*a_gpt(), "the cat")
    view.switched_off = [["decoder", np.int64(1), np.int64(2)]]
    assert json.dumps(view.switched_off) == '[["decoder", 1, 2]]'
    assert NormExplorer(cell=list(np.array([0, 1, 2]))).cell == [0, 1, 2]


EMPTY = "There is nothing to attend to: the text is empty."


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: AttentionView(np.ones((1, 1, 0, 0)), []), "attention must be .*; got shape (1, 1, 0, 0)"),
        (lambda: AttentionView(np.ones((1, 0, 2, 2)), ["a", "b"]), "attention must be .*; got shape (1, 0, 2, 2)"),
        (lambda: AttentionView([], ["a"]), "attention must be .*; got a list"),
        (lambda: AttentionView([None, torch.ones(1, 1, 2, 2)], ["a", "b"]), "a tensor for each layer; got None in it"),
        (lambda: AttentionView(np.full((1, 1, 2, 2), NAN), ["a", "b"]), "numbers from 0 to 1; got NaN or infinity"),
        (lambda: AttentionView("weights", ["a", "b"]), "attention must be .*; got a str"),
        (lambda: AttentionView(AttentionView(HALF)), "attention must be .*; got an AttentionView. Give its attention"),
        (lambda: AttentionView.difference(a_gpt()[0], a_gpt()[0]), "difference is of two views; got a GPT."),
        (lambda: AttentionView.over_training([HALF]), "snapshots must be Snapshots; got a"),
        (lambda: AttentionView.from_model(*a_gpt(), "the \ud83d"), "A text holds '\\ud83d', which is not a character"),
        (lambda: AttentionView(HALF, "ab"), "query_tokens must be a list of strings; got 'ab'."),
        (lambda: AttentionView(HALF, [b"a", b"b"]), 'Bytes? Give token.decode("utf-8", "replace").'),
        (lambda: AttentionView(HALF, b"ab"), 'Bytes? Give token.decode("utf-8", "replace").'),
        (lambda: AttentionView(HALF, [None, "a"]), "strings; got [None, 'a']. Ids? Give the tokenizer's tokens."),
        (lambda: LiveAttention(lambda text: torch.ones(1, 1, 1, 1), "a"), "compute(text) must return (attention, "),
        (lambda: AttentionView.from_model(*a_gpt(), ""), EMPTY),
        (lambda: neuron_view(*a_gpt(), ""), EMPTY),
        (lambda: WhatIf(*a_gpt(), ""), EMPTY),
        (lambda: AttentionView.from_model(*a_gpt(), ["the", "cat"]), "text must be a string; got ['the', 'cat']. One"),
        (lambda: neuron_view(*a_gpt(), ["the"]), "text must be a string; got ['the']. One text at a time."),
        (lambda: WhatIf(*a_gpt(), ["the"]), "text must be a string; got ['the']. One text at a time."),
        (lambda: AttentionView.from_model(*load("dates"), "May 3", target=3), "target must be a string; got 3."),
        (lambda: AttentionView.from_model(a_gpt()[0], {}, "cat"),
         "tokenizer must be one of transformer_lab or a fast one of transformers; got a dict."),
        (lambda: AttentionView.from_model(torch.nn.Linear(2, 2), None, "cat"), "model of transformers; got a Linear."),
        (lambda: DateTranslator(*a_gpt()), "model must be a Transformer of transformer_lab; got a GPT."),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_gets_one_sentence(make, sentence):
    said_so = wrong(make)
    pattern = ".*".join(re.escape(part) for part in sentence.split(".*"))
    assert re.search(pattern, said_so) and "\n" not in said_so and len(said_so) < 200, said_so


def test_weights_of_nan_are_named_in_a_model_too():
    model, tokenizer = a_gpt()
    with torch.no_grad():
        model.decoder.blocks[0].attention.w_q.weight.fill_(float("nan"))
    for look in (AttentionView.from_model, neuron_view, WhatIf):
        assert wrong(lambda look=look: look(model, tokenizer, "the cat")) == (
            "attention must be numbers from 0 to 1; got NaN or infinity."
        )


@pytest.mark.parametrize("wrap", [torch.nn.DataParallel, torch.optim.swa_utils.AveragedModel])
def test_wrapped_models_are_shown(wrap):
    model, tokenizer = a_gpt()
    plain = AttentionView.from_model(model, tokenizer, "the cat").attention
    wrapped = wrap(model)
    np.testing.assert_array_equal(AttentionView.from_model(wrapped, tokenizer, "the cat").attention, plain)
    np.testing.assert_array_equal(WhatIf(wrapped, tokenizer, "the cat").attention, plain)
    np.testing.assert_allclose(neuron_view(wrapped, tokenizer, "the cat").attention, plain, atol=1e-6)
    dates, words = load("dates")
    assert DateTranslator(wrap(dates), words).translation == "2026年11月22日星期日"
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=5, n_embd=12, n_layer=1, n_head=2))
    assert AttentionView.from_model(wrap(theirs), hf_tokenizer(), "cat sat").attention.shape == (1, 2, 2, 2)


def test_compiled_models_are_shown():
    """Without the checks of shapes that these tests install, which torch.compile cannot read."""
    code = """
import numpy as np, torch
from transformer_lab import load
from transformer_lab.viz import AttentionView, DateTranslator, WhatIf
from transformer_lab.viz.bertviz import neuron_view
model, tokenizer = load("dates")
text = "May 3, 1931"
plain, what_if = AttentionView.from_model(model, tokenizer, text), WhatIf(model, tokenizer, text)
what_if.switched_off = [["cross", 1, 0]]
compiled = torch.compile(model, backend="eager")
ids = tokenizer.batch([text])[0]
compiled(ids, ids)  # compiled from now on
view = AttentionView.from_model(compiled, tokenizer, text)
assert (view.attention == plain.attention).all() and not view._parts[0]["unscored"]
changed = WhatIf(compiled, tokenizer, text)
changed.switched_off = [["cross", 1, 0]]
assert changed._outcome == what_if._outcome
neuron_view(compiled, tokenizer, text)
translator = DateTranslator(compiled, tokenizer)
translator.part.value = "choice"
assert translator.translation != "2026年11月22日星期日"
from transformers import GPT2Config, GPT2LMHeadModel
theirs = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=12, n_layer=1, n_head=2))
class Theirs:
    def __call__(self, text, return_tensors):
        from transformers import BatchEncoding
        return BatchEncoding({"input_ids": tokenizer.batch([text])[0]})
    def decode(self, ids):
        return tokenizer.tokens(ids)[0]
one = AttentionView.from_model(theirs, Theirs(), text).attention
assert (AttentionView.from_model(torch.compile(theirs, backend="eager"), Theirs(), text).attention == one).all()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
