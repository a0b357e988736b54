"""AttentionView without a browser: what it accepts, what it sends, its picture and its saved page."""

import base64
import gzip
import io
import json
import re
import warnings
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
import torch
import transformers
from matplotlib.figure import Figure
from matplotlib.image import imread
from tokenizers import Tokenizer, models, pre_tokenizers

from transformer_lab import Settings, causal_mask, load, scaled_dot_product_attention, train
from transformer_lab.analysis.reading import translation_attention
from transformer_lab.tasks.induction import Induction
from transformer_lab.viz import AttentionSnapshots, AttentionView, attention_picture
from transformer_lab.viz.snapshots import Snapshot

TOKENS = ["[BOS]", "2", "0", "2", "6", "年"]


def cross(L=2, H=4, T=6, S=7):
    return torch.randn(L, H, T, S, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)


def view(**sizes):
    weights = cross(**sizes)
    queries, keys = ([f"{letter}{i}" for i in range(n)] for letter, n in zip("qk", weights.shape[2:], strict=True))
    return AttentionView(weights, queries, keys)


def sent(view):
    return np.frombuffer(view._weights, "<f2").reshape(view._parts[0]["shape"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_float_tensor_or_array_will_do(dtype):
    weights = cross().to(dtype).requires_grad_()
    shown = AttentionView(weights, list("abcdef"), list("ABCDEFG"))
    assert shown._parts[0]["shape"] == [2, 4, 6, 7]
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
        (
            (torch.zeros(1, 1, 1, 1).expand(3, 20, 900, 900), ["a"] * 900),
            "layer of attention .* at most .* got 16,200,000",
        ),
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


def test_the_selection_stays_within_the_data():
    shown = view()
    shown.selection = {"layer": 1, "head": 0}
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
    assert changed == {"_parts", "_weights", "_romanised"}


def test_the_kernel_answers_with_every_digit(monkeypatch):
    shown, answers = view(), []
    monkeypatch.setattr(AttentionView, "send", lambda self, content, buffers=None: answers.append(content))
    asked = {"part": "attention", "step": 0, "cell": [1, 2, 3, 4]}
    shown._handle_custom_msg(asked, [])
    for gone in ({"cell": [1, 2, 3, 99]}, {"part": "cross"}, {"step": 1}):  # about attention that has been replaced
        shown._handle_custom_msg({**asked, **gone}, [])
    shown._handle_custom_msg({}, [])
    assert answers == [{**asked, "value": cross()[1, 2, 3, 4].item(), "score": None}]


def test_the_bundle_holds_a_picture_and_stable_text():
    bundle, _ = view()._repr_mimebundle_()
    assert bundle["text/plain"] == repr(view()) == "AttentionView(2 layers, 4 heads, 6 queries, 7 keys)"
    assert repr(view(L=1, H=1, T=1, S=1)) == "AttentionView(1 layer, 1 head, 1 query, 1 key)"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    with matplotlib.rc_context({"text.color": "red", "figure.dpi": 50, "font.family": "STIXGeneral"}):
        again, _ = view()._repr_mimebundle_()
    assert bundle["image/png"] == again["image/png"]
    assert len(bundle["image/png"]) < 60_000


def shown_as(attention, queries, keys=None, head=0):
    return AttentionView(attention, queries, keys, selection={"layer": len(attention) - 1, "head": head})


def picture(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a missing glyph
        bundle, metadata = shown_as(*arguments)._repr_mimebundle_()
    assert metadata["image/png"]["alt"].startswith("Attention: ")
    return imread(io.BytesIO(base64.b64decode(bundle["image/png"])))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 4, 11, 13), (1, 8, 3, 60), (12, 12, 40, 2), (24, 2, 6, 6)])
def test_the_picture_has_white_margins_so_nothing_is_cut(shape):
    weights = np.full(shape, 1 / shape[-1])
    image = picture(weights, [f"query {i}" for i in range(shape[2])], ["an extremely long key"] * shape[3])
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (edges == 1).all()


def test_a_stored_picture_is_small_and_no_colour_is_far_from_the_drawn_one(monkeypatch):
    """A notebook stores one with every view."""
    files, savefig = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, file, **how: files.append(file) or savefig(self, file, **how))
    weights = np.random.default_rng(0).dirichlet(np.ones(8), size=(6, 8, 8))
    stored = attention_picture.picture(weights, list("abcdefgh"), list("ijklmnop"), 2, 3)
    (drawn,) = files
    assert len(stored) < len(drawn.getvalue()) / 2
    stored, drawn = (imread(io.BytesIO(data))[..., :3] for data in (stored, drawn.getvalue()))
    assert abs(stored - drawn).max() < 5 / 255


def test_the_picture_is_narrow_enough_for_a_telephone():
    """390 pixels wide, the labels (10 points, 14 pixels) come to more than 9."""
    weights = np.full((2, 4, 13, 10), 0.1)
    image = picture(weights, [f"query{i}" for i in range(13)], ["Sunday", "November", *"22,2026", "."])
    assert 14 * 390 / image.shape[1] > 9


def test_the_pictures_colours_are_the_live_views():
    """They follow the square root, and each head has a scale of its own; 60 pixels in, the first cell is drawn."""
    weights = np.full((1, 2, 6, 6), 0.04)
    weights[0, :, range(6), range(6)] = 0.8
    weights[0, 1] /= 10
    assert attention_picture.largest_coloured(weights[0, 0]) == pytest.approx(0.8)
    assert attention_picture.largest_coloured(np.full((5, 5), 0.2)) == pytest.approx(0.8)  # four times the mean
    assert attention_picture.largest_coloured(np.zeros((5, 5))) == 1
    wanted = np.array(matplotlib.colormaps["viridis"](0.05**0.5))[:3]
    for head in (0, 1):
        image = picture(weights, None, None, head)
        assert (np.abs(image[..., :3] - wanted).max(axis=-1) < 0.02).sum() > 30 * 20 * 20  # most cells of the map


def test_the_picture_shows_the_selected_head():
    weights = np.zeros((1, 2, 1, 1))
    weights[0, 1] = 1.0
    shown = AttentionView(weights, ["a"], selection={"layer": 0, "head": 0})
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
    assert shown._parts[0]["queries"][4:7] == ["∅", "␣a␣", "↵⇥<U+0000>"]
    picture(cross(T=9, S=9), tokens)


def test_the_saved_page_is_whole_small_and_escaped(tmp_path):
    hostile = ["</script><script>alert(1)</script>", "<!--", "\"'&", "\u2028", "\ud800", "x" * 10_000]
    shown = AttentionView(cross(T=6, S=6), hostile)
    path = shown.save(tmp_path / "view.html")
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "view.html" and list(tmp_path.iterdir()) == [path]
    assert (
        text.count("</script>") == 2
        and "<!--" not in text
        and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    )
    saved = json.loads(re.search(r'id="saved">(.*?)</script>', text, re.S)[1])
    assert saved["state"]["_parts"][0]["queries"][0] == hostile[0]
    assert gzip.decompress(base64.b64decode(saved["bytes"]["_weights"])) == shown._weights
    view(T=11, S=13).save(path)  # over the first one
    assert path.stat().st_size < 81_000, path.stat().st_size
    assert '<html lang="en">' in text and all(f"<{tag}>Attention: &lt;/script&gt;" in text for tag in ("title", "h1"))


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
    with pytest.raises(ValueError, match="swapped: attention has 2 queries, 3 keys"):
        AttentionView(np.full((1, 1, 2, 3), 1 / 3), list("abc"), list("de"))
    with pytest.raises(ValueError, match="must be a list of strings"):
        AttentionView(np.full((1, 1, 2, 2), 1 / 2), torch.tensor([4, 5]))
    view = AttentionView(np.full((1, 1, 2, 3), 1 / 3), list("de"), list("abc"))
    view.selection = {"layer": np.int64(0), "head": 0, "query": np.argmax([0, 1]), "key": 2}
    assert view.selection["query"] == 1 and type(view.selection["query"]) is int


def kinds(seed=0):
    """What an encoder-decoder's three kinds look like: other layers, heads, queries and keys each."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"cross": (2, 4, 6, 7), "encoder": (3, 2, 7, 7), "decoder": (2, 4, 6, 6)}
    return {name: torch.randn(shape, generator=generator).softmax(-1) for name, shape in shapes.items()}


def shown_by_the_browser(shown, name, step=0):
    """A part's weights as the browser finds them."""
    part = next(part for part in shown._parts if part["name"] == name)
    size, halves = int(np.prod(part["shape"])), np.frombuffer(shown._weights, "<f2")
    start = part["start"] + step * size
    return halves[start : start + size].reshape(part["shape"])


def test_recorded_maps_are_shown_together_each_with_its_own_tokens():
    maps, queries, keys = kinds(), list("abcdef"), list("ABCDEFG")
    shown = AttentionView({name: list(one[:, None]) for name, one in maps.items()}, queries, keys)
    assert {part["name"] for part in shown._parts} == {"cross", "encoder", "decoder"}
    for name, (rows, columns) in {"cross": (queries, keys), "encoder": (keys, keys), "decoder": (queries,) * 2}.items():
        shown.part = name
        np.testing.assert_array_equal(shown.attention, maps[name])
        np.testing.assert_allclose(shown_by_the_browser(shown, name), maps[name], rtol=2**-11)
        assert (shown.query_tokens, shown.key_tokens) == (rows, columns)


def test_another_part_keeps_the_selection_where_it_can():
    shown = AttentionView({name: (one, *([str(i) for i in range(n)] for n in one.shape[2:]))
                           for name, one in kinds().items()})  # fmt: skip
    assert shown.part == "cross"
    shown.selection = {"layer": 1, "head": 3, "query": 5, "key": 6}
    shown.part = "decoder"  # it has no key 6
    assert shown.selection == {"layer": 1, "head": 3, "query": None, "key": None}
    shown.part = "encoder"
    shown.selection = {"layer": 2, "head": 1, "query": 6, "key": 6}
    shown.part = "cross"
    assert shown.selection == {"layer": 1, "head": 1, "query": None, "key": None}
    with pytest.raises(ValueError, match=r"^part must be one of cross, encoder, decoder; got 'self'\.$"):
        shown.part = "self"
    assert shown.part == "cross"
    shown.part = "encoder"
    shown.update(cross(), TOKENS, list("ABCDEFG"))  # one part, of another name
    assert shown.part == "attention" and shown.attention.shape == (2, 4, 6, 7)


@pytest.mark.parametrize(
    "attention, message",
    [
        ({}, r"the names cross, decoder, encoder; got \[\]"),
        ({"self": cross()}, r"the names .*; got \['self'\]"),
        ({"cross": (cross(), ["a"] * 6)}, "validated_attention|key_tokens"),
    ],
)
def test_a_dict_of_something_else_is_told_in_a_sentence(attention, message):
    with pytest.raises(ValueError, match=message):
        AttentionView(attention, *([] if any(isinstance(v, tuple) for v in attention.values()) else [TOKENS]))


def test_training_is_shown_step_by_step():
    moments = [kinds(seed)["cross"] for seed in range(3)]
    tokens = list("abcdef"), list("ABCDEFG")
    snapshots = [Snapshot(10 * i, 3.0 - i, (one, *tokens)) for i, one in enumerate(moments)]
    shown = AttentionView.over_training(snapshots)
    assert shown.step == 2 and shown._steps == [{"step": 10 * i, "loss": 3.0 - i} for i in range(3)]
    for i, one in enumerate(moments):
        shown.step = i
        np.testing.assert_array_equal(shown.attention, one)
        np.testing.assert_allclose(shown_by_the_browser(shown, "attention", i), one, rtol=2**-11)
    with pytest.raises(ValueError, match=r"^step must be a whole number from 0 to 2; got 3\.$"):
        shown.step = 3
    with pytest.raises(ValueError, match="^There is no snapshot to show"):
        AttentionView.over_training([])
    other = Snapshot(30, 0.1, (moments[0], list("abcdeX"), tokens[1]))
    with pytest.raises(ValueError, match="^The snapshots must all have the same layers, heads and tokens"):
        AttentionView.over_training([*snapshots, other])
    shown.update(moments[0], *tokens)  # training is no longer shown
    assert shown.step == 0 and shown._steps == []


def test_too_much_training_is_refused_before_it_is_sent():
    big = Snapshot(0, 1.0, (np.full((4, 8, 200, 200), 1 / 200, np.float32), ["a"] * 200))
    with pytest.raises(ValueError, match=r"at most 16,000,000 weights; got 16,640,000: leave out steps"):
        AttentionView.over_training([big] * 13)


def test_a_listener_keeps_what_training_did():
    task = Induction(n=64, d_model=16, n_heads=2)
    snapshots = AttentionSnapshots(every=4)
    train(task, Settings(steps=8, batch_size=8, log_every=2), listeners=[snapshots], progress=False)
    assert [one.step for one in snapshots] == [4, 8]
    shown = AttentionView.over_training(snapshots)
    np.testing.assert_array_equal(shown.attention, task.attention()[0])  # the last step's is the model's now
    assert not np.array_equal(shown._data.records["attention"][0].weights, shown.attention)


def test_a_model_of_ours_shows_itself_while_it_reads():
    model, tokenizer = load("dates")
    shown = AttentionView.from_model(model, tokenizer, "May 3, 1931")
    attention, queries, keys = translation_attention(model, tokenizer, "May 3, 1931")
    np.testing.assert_array_equal(shown.attention, attention)
    assert (shown.part, shown.query_tokens, shown.key_tokens) == ("cross", queries, keys)
    shown.part = "encoder"
    assert shown.query_tokens == shown.key_tokens == keys
    given = AttentionView.from_model(model, tokenizer, "May 3, 1931", target="1999年1月")
    assert given.query_tokens == ["1", "9", "9", "9", "年", "1", "月", "[EOS]"]


HF_TOKENS = ["[PAD]", "[EOS]", "the", "cat", "sat"]


def hf_tokenizer():
    words = Tokenizer(models.WordLevel({token: i for i, token in enumerate(HF_TOKENS)}, unk_token="[PAD]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", eos_token="[EOS]")


def test_a_model_of_transformers_shows_itself_though_it_was_loaded_with_a_fused_kernel():
    config = transformers.GPT2Config(vocab_size=5, n_embd=12, n_layer=3, n_head=2, n_positions=8)
    model = transformers.GPT2LMHeadModel._from_config(config, attn_implementation="sdpa").train()
    shown = AttentionView.from_model(model, hf_tokenizer(), "the cat sat")
    assert model.config._attn_implementation == "sdpa" and model.training  # as it was
    model.eval().set_attn_implementation("eager")
    expected = model(torch.tensor([[2, 3, 4]]), output_attentions=True).attentions
    np.testing.assert_array_equal(shown.attention, torch.cat(expected).detach())
    assert shown.query_tokens == ["the", "cat", "sat"]


def test_an_encoder_decoder_of_transformers_shows_its_three_kinds():
    config = transformers.T5Config(vocab_size=5, d_model=12, d_kv=6, d_ff=8, num_layers=2, num_heads=2,
                                   decoder_start_token_id=0)  # fmt: skip
    model = transformers.T5ForConditionalGeneration(config).eval()
    shown = AttentionView.from_model(model, hf_tokenizer(), "the cat sat", target="sat the")
    assert [part["name"] for part in shown._parts] == ["cross", "encoder", "decoder"]
    assert (shown.query_tokens, shown.key_tokens) == (["sat", "the"], ["the", "cat", "sat"])
    model.set_attn_implementation("eager")
    ids = torch.tensor([[2, 3, 4]])
    expected = model(ids, decoder_input_ids=torch.tensor([[0, 4]]), output_attentions=True).cross_attentions
    np.testing.assert_array_equal(shown.attention, torch.cat(expected).detach())
    shown.part = "decoder"
    assert (shown.query_tokens, shown.key_tokens) == (["sat", "the"], ["[PAD]", "sat"])


def test_a_text_without_tokens_and_a_target_that_is_not_read_get_a_sentence():
    gpt = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=5, n_embd=12, n_layer=1, n_head=2))
    with pytest.raises(ValueError, match="the text is empty"):
        AttentionView.from_model(gpt, hf_tokenizer(), "")
    with pytest.raises(ValueError, match="Only an encoder-decoder reads a target; got a GPT2LMHeadModel"):
        AttentionView.from_model(gpt, hf_tokenizer(), "cat", target="sat")


def pair_of_views():
    one, other = (torch.randn(2, 4, 6, 7, generator=torch.Generator().manual_seed(s)).softmax(-1) for s in (1, 2))
    one[0, 1] = other[0, 1]  # one head did not change
    return AttentionView(one, TOKENS, list("ABCDEFG")), AttentionView(other, TOKENS, list("ABCDEFG"))


def test_a_difference_is_one_minus_the_other_on_the_wire_too():
    one, other = pair_of_views()
    shown = AttentionView.difference(one, other)
    expected = one.attention.astype(np.float64) - other.attention
    np.testing.assert_allclose(shown.attention, expected, atol=1e-7)
    np.testing.assert_allclose(sent(shown), expected, rtol=2**-11, atol=1e-7)
    assert expected.min() < -0.1 and expected.max() > 0.1
    assert repr(shown) == "AttentionView(difference: 2 layers, 4 heads, 6 queries, 7 keys)"
    shown.update(cross(), TOKENS, list("ABCDEFG"))
    assert not shown._signed


def test_distances_are_total_variation():
    one, other = pair_of_views()
    found = AttentionView.difference(one, other).distances
    # Another way to it: the mass that the first puts where the second puts less.
    more = np.clip(one.attention - other.attention, 0, None).sum(-1).mean(-1)
    np.testing.assert_allclose(found, more, atol=1e-6)
    assert found[0, 1] == 0 and (np.delete(found.flatten(), 1) > 0.1).all()
    apart = np.zeros((2, 1, 1, 1, 2))
    apart[0, ..., 0] = apart[1, ..., 1] = 1
    views = [AttentionView(weights, ["q"], ["a", "b"]) for weights in apart]
    assert AttentionView.difference(*views).distances == [[1.0]]


def test_only_what_has_the_same_shape_and_tokens_is_compared():
    one, other = pair_of_views()
    for wrong in (AttentionView(cross(L=1), TOKENS, list("ABCDEFG")), AttentionView(cross(), TOKENS, list("abcdefg"))):
        with pytest.raises(ValueError, match="^Both views must have the same layers, heads and tokens; got Attention"):
            AttentionView.difference(one, wrong)
    with pytest.raises(ValueError, match="numbers from 0 to 1"):  # a difference is no attention
        AttentionView(AttentionView.difference(one, other).attention, TOKENS, list("ABCDEFG"))


def test_a_differences_picture_is_blue_where_the_first_is_larger():
    one, other = np.zeros((2, 1, 1, 1, 2), np.float32)
    one[..., 0] = other[..., 1] = 1
    shown = AttentionView.difference(*(AttentionView(weights, ["q"], ["a", "b"]) for weights in (one, other)))
    picture = imread(io.BytesIO(base64.b64decode(shown._repr_mimebundle_()[0]["image/png"])))[:-80, :, :3]
    blue, orange = ((picture - np.array(colour) / 255) ** 2 for colour in ((11, 60, 120), (154, 62, 0)))
    columns = [np.nonzero((distances.sum(-1) < 1e-3).any(axis=0))[0] for distances in (blue, orange)]
    assert len(columns[0]) and len(columns[1]) and columns[0].min() < columns[1].min()  # "a" stands left of "b"


def test_a_picture_is_saved_by_its_ending_and_is_the_same_each_time(tmp_path):
    shown = view()
    shown.save(tmp_path / "a.png")
    shown.save(tmp_path / "a.svg")
    shown.save(tmp_path / "b.svg")
    bundle, _ = shown._repr_mimebundle_()
    assert (tmp_path / "a.png").read_bytes() == base64.b64decode(bundle["image/png"])
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    shown.selection = {"layer": 0, "head": 2}
    shown.save(tmp_path / "b.svg")
    assert text != (tmp_path / "b.svg").read_text()
