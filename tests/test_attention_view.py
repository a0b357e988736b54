"""AttentionView without a browser: what it accepts, what it sends, its picture and its saved page."""

import base64
import io
import json
import re
import warnings

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.image import imread

from transformer_lab import causal_mask, scaled_dot_product_attention
from transformer_lab.viz import AttentionView, attention_picture

TOKENS = ["[BOS]", "2", "0", "2", "6", "年"]


def cross(L=2, H=4, T=6, S=7):
    return torch.randn(L, H, T, S, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)


def view(**sizes):
    weights = cross(**sizes)
    queries, keys = ([f"{letter}{i}" for i in range(n)] for letter, n in zip("qk", weights.shape[2:], strict=True))
    return AttentionView(weights, queries, keys)


def sent(view):
    return np.frombuffer(view._weights, "<f2").reshape(view._shape)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_float_tensor_or_array_will_do(dtype):
    weights = cross().to(dtype).requires_grad_()
    shown = AttentionView(weights, list("abcdef"), list("ABCDEFG"))
    assert shown._shape == [2, 4, 6, 7]
    np.testing.assert_allclose(sent(shown), weights.detach().double(), rtol=2**-11)
    same = AttentionView(weights.detach().float().numpy().astype(float), list("abcdef"), list("ABCDEFG"))
    assert same._weights == shown._weights


def test_masked_is_zero_on_the_wire_and_nothing_else_is():
    q = torch.randn(1, 1, 5, 8)
    _, weights = scaled_dot_product_attention(q, q, q, causal_mask(5))
    tiny = weights.numpy().copy()
    tiny[0, 0, 4, 0] = 1e-30  # too small for 16 bits
    halves = sent(AttentionView(tiny, list("abcde")))
    np.testing.assert_array_equal(halves[0, 0] > 0, np.tril(np.ones((5, 5), bool)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((torch.ones(4, 4), ["a"] * 4), "attention .* (layers, heads, queries, keys); got shape (4, 4)"),
        (
            ([torch.ones(1, 2, 4, 4), torch.ones(1, 2, 4)], ["a"] * 4),
            "attention, a list, must hold tensors .* all of one shape",
        ),
        ((None, ["a"] * 4), "attention .* got a NoneType"),
        ((torch.ones(1, 0, 4, 4), ["a"] * 4), "attention .* got shape (1, 0, 4, 4)"),
        ((torch.full((1, 1, 2, 2), torch.nan), ["a"] * 2), "attention .* from 0 to 1; got NaN"),
        ((torch.full((1, 1, 2, 2), -0.5), ["a"] * 2), "attention .* from 0 to 1, .* got -0.5 to -0.5"),
        ((torch.full((1, 1, 2, 2), 3.0), ["a"] * 2), "attention .* from 0 to 1, after the softmax .* got 3 to 3"),
        ((torch.zeros(1, 1, 1, 1).expand(20, 20, 300, 300), ["a"] * 300), "attention .* at most .* got 36,000,000"),
        ((torch.ones(1, 1, 2, 2), ["a"]), "query_tokens must name all 2 queries .* got 1"),
        ((torch.ones(1, 1, 2, 2), "ab"), "query_tokens must be a list of strings; got 'ab'"),
        ((torch.ones(1, 1, 2, 2), ["a", 2]), "query_tokens must be a list of strings; got ['a', 2]"),
        ((torch.ones(1, 1, 2, 3), ["a", "b"]), "key_tokens must be given .* got None with 2 queries and 3 keys"),
        ((torch.ones(1, 1, 2, 3), ["a", "b"], ["c"]), "key_tokens must name all 3 keys .* got 1"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(arguments, message):
    pattern = ".*".join(re.escape(part) for part in message.split(" .* "))
    with pytest.raises(ValueError, match=pattern) as caught:
        AttentionView(*arguments)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 160


def test_a_failed_update_changes_nothing():
    shown = view()
    before = shown._weights, shown.attention, shown.query_tokens
    with pytest.raises(ValueError, match="key_tokens"):
        shown.update(cross(T=3), ["a"] * 3, ["b"])
    assert (shown._weights, shown.attention, shown.query_tokens) == before


def test_selection_starts_at_the_last_layer_and_stays_within_the_data():
    shown = view()
    assert shown.selection == {"layer": 1, "head": 0, "query": None, "key": None}
    shown.selection = {"layer": 0, "head": 3}
    assert shown.selection == {"layer": 0, "head": 3, "query": None, "key": None}
    for wrong in ({"layer": 2, "head": 0}, {"layer": 0}, {"layer": 0, "head": 0, "query": 6, "key": 0},
                  {"layer": 0, "head": 0, "query": 1}, {"layer": 0, "head": 0, "row": 1}):  # fmt: skip
        with pytest.raises(ValueError, match="^selection"):
            shown.selection = wrong
    shown.selection = {"layer": 1, "head": 3, "query": 5, "key": 6}
    shown.update(cross(), TOKENS, list("ABCDEFG"))
    assert shown.selection == {"layer": 1, "head": 3, "query": 5, "key": 6}  # still there: kept
    shown.update(cross(L=1, H=2, T=2, S=2), ["a", "b"])
    assert shown.selection == {"layer": 0, "head": 1, "query": None, "key": None}
    assert (shown.query_tokens, shown.key_tokens) == (["a", "b"], ["a", "b"])


def test_an_update_is_one_message(monkeypatch):
    shown, messages = view(), []
    monkeypatch.setattr(AttentionView, "_send", lambda self, message, buffers=None: messages.append(message))
    shown.update(cross(T=2, S=2), ["a", "年"])  # in two, new weights would stand beside old tokens
    (message,) = messages
    changed = {*message["state"], *(path[0] for path in message["buffer_paths"])}
    assert changed == {"_shape", "_weights", "_query_labels", "_key_labels", "_romanised"}


def test_the_kernel_answers_with_every_digit(monkeypatch):
    shown, answers = view(), []
    monkeypatch.setattr(AttentionView, "send", lambda self, content: answers.append(content))
    shown._handle_custom_msg({"cell": [1, 2, 3, 4]}, [])
    shown._handle_custom_msg({"cell": [1, 2, 3, 99]}, [])  # about a map that has been replaced
    shown._handle_custom_msg({}, [])
    assert answers == [{"cell": [1, 2, 3, 4], "value": cross()[1, 2, 3, 4].item()}]


def test_the_bundle_holds_a_picture_and_stable_text():
    bundle, _ = view()._repr_mimebundle_()
    assert bundle["text/plain"] == repr(view()) == "AttentionView(2 layers, 4 heads, 6 queries, 7 keys)"
    assert repr(view(L=1, H=1, T=1, S=1)) == "AttentionView(1 layer, 1 head, 1 query, 1 key)"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    with matplotlib.rc_context({"text.color": "red", "figure.dpi": 50, "font.family": "STIXGeneral"}):
        again, _ = view()._repr_mimebundle_()
    assert bundle["image/png"] == again["image/png"]
    assert len(bundle["image/png"]) < 60_000


def picture(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a missing glyph
        bundle, _ = AttentionView(*arguments)._repr_mimebundle_()
    return imread(io.BytesIO(base64.b64decode(bundle["image/png"])))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 4, 11, 13), (1, 8, 3, 60), (12, 12, 40, 2), (24, 2, 6, 6)])
def test_the_picture_has_white_margins_so_nothing_is_cut(shape):
    weights = np.full(shape, 1 / shape[-1])
    image = picture(weights, [f"query {i}" for i in range(shape[2])], ["an extremely long key"] * shape[3])
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (edges == 1).all()


def test_the_picture_shows_the_selected_head():
    weights = np.zeros((1, 2, 1, 1))
    weights[0, 1] = 1.0
    shown = AttentionView(weights, ["a"])
    first = shown._repr_mimebundle_()[0]["image/png"]
    shown.selection = {"layer": 0, "head": 1}
    assert first != shown._repr_mimebundle_()[0]["image/png"]


def test_labels_are_romanised_only_where_no_font_has_the_glyph(monkeypatch):
    for cached in (attention_picture.font_for, attention_picture.text_fonts):
        cached.cache_clear()
    monkeypatch.setattr(attention_picture.font_manager.fontManager, "ttflist", [])
    try:
        assert [attention_picture.readable(t) for t in ("星期日", "日", "␣May", "é", "a" * 30)] == [
            "xingqiri", "ri", "␣May", "é", "a" * 13 + "…",
        ]  # fmt: skip
        attention_picture.font_for.cache_clear()
        monkeypatch.setattr(attention_picture, "text_fonts", lambda: [("Han", "han.ttf")])
        monkeypatch.setattr(attention_picture, "glyphs", lambda path: {ord("日")} if path == "han.ttf" else set())
        assert attention_picture.readable("日") == "日" and attention_picture.font_for("日") == "Han"
    finally:
        monkeypatch.undo()
        for cached in (attention_picture.font_for, attention_picture.text_fonts):
            cached.cache_clear()


def test_any_token_is_drawn_without_a_warning():
    tokens = ["$x_", "年", "שלום", "\U0010fffd", "", " a ", "\n\t\x00", "long" * 2500, "\ud800"]
    shown = AttentionView(cross(T=9, S=9), tokens)
    assert shown._query_labels[4:7] == ["∅", "␣a␣", "↵⇥␀"]
    picture(cross(T=9, S=9), tokens)


def test_the_saved_page_is_whole_small_and_escaped(tmp_path):
    hostile = ["</script><script>alert(1)</script>", "<!--", "\"'&", "\u2028", "\ud800", "x" * 10_000]
    shown = AttentionView(cross(T=6, S=6), hostile)
    path = shown.save(tmp_path / "view.html")
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "view.html" and list(tmp_path.iterdir()) == [path]
    assert text.count("</script>") == 2 and "<!--" not in text and "http" not in text.replace("http-equiv", "")
    saved = json.loads(re.search(r'id="saved">(.*?)</script>', text, re.S)[1])
    assert saved["state"]["_query_labels"][0] == hostile[0]
    assert base64.b64decode(saved["bytes"]["_weights"]) == shown._weights
    view(T=11, S=13).save(path)  # over the first one
    assert path.stat().st_size < 40_000, path.stat().st_size
    assert '<html lang="en">' in text and "<title>AttentionView(2 layers, 4 heads" in text


def test_a_page_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "view.html").write_text("before")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        view().save(tmp_path / "view.html")
    assert [p.name for p in tmp_path.iterdir()] == ["view.html"] and (tmp_path / "view.html").read_text() == "before"


def hugging_face_output(batch=1, **kwargs):
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=8, vocab_size=9)
    model = BertModel._from_config(config, **kwargs).eval()
    return model(torch.randint(9, (batch, 6)), output_attentions=kwargs.get("attn_implementation") == "eager")


def test_a_hugging_face_models_attentions_are_taken_as_they_come():
    output, tokens = hugging_face_output(attn_implementation="eager"), list("abcdef")
    view = AttentionView(output.attentions, tokens)
    np.testing.assert_array_equal(view.attention, torch.cat(output.attentions).detach().numpy())
    assert AttentionView([layer[0] for layer in output.attentions], tokens).attention.shape == (3, 4, 6, 6)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: hugging_face_output(attn_implementation="eager"), "Give its attentions: output.attentions."),
        (lambda: hugging_face_output(2, attn_implementation="eager").attentions, "a batch of 2: choose one"),
        (lambda: (), 'only when loaded with attn_implementation="eager"'),
        (lambda: hugging_face_output(attn_implementation="eager").attentions[0][0], "One layer? attention[None]."),
        (lambda: torch.rand(3, 1, 4, 6, 6), "A batch axis? attention[:, 0]."),
        (lambda: [torch.rand(4, 6, 6), torch.rand(2, 6, 6)], "all of one shape"),
    ],
)
def test_what_is_handed_over_wrongly_is_told_in_a_sentence(make, sentence):
    with pytest.raises(ValueError) as error:
        AttentionView(make(), list("abcdef"))
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_exchanged_tokens_and_numpy_selections():
    with pytest.raises(ValueError, match="exchanged: attention has 2 queries, 3 keys"):
        AttentionView(np.full((1, 1, 2, 3), 1 / 3), list("abc"), list("de"))
    with pytest.raises(ValueError, match="must be a list of strings"):
        AttentionView(np.full((1, 1, 2, 2), 1 / 2), torch.tensor([4, 5]))
    view = AttentionView(np.full((1, 1, 2, 3), 1 / 3), list("de"), list("abc"))
    view.selection = {"layer": np.int64(0), "head": 0, "query": np.argmax([0, 1]), "key": 2}
    assert view.selection["query"] == 1 and type(view.selection["query"]) is int
