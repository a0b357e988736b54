"""Attention computed again: what is switched off, what that does, and what a learner's own function may do."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers

from transformer_lab import (
    BERT,
    GPT,
    Transformer,
    TransformerConfig,
    causal_mask,
    load,
    record_attention,
    replace_attention,
    scaled_dot_product_attention,
    switch_off,
)
from transformer_lab.analysis.ablation import PARTS, ablate_edges, ablate_heads
from transformer_lab.analysis.access import attention_modules
from transformer_lab.analysis.recording import record_heads
from transformer_lab.data.tokenizers import CharacterTokenizer
from transformer_lab.viz import AttentionView, LiveAttention, WhatIf
from transformer_lab.viz.bertviz import neuron_view

TEXT = "Sunday, November 22, 2026"


@pytest.fixture(scope="module")
def dates():
    return load("dates")


def gpt(**options):
    torch.manual_seed(0)
    tokenizer = CharacterTokenizer.train(["the cat sat on the mat"])
    sizes = {"d_model": 24, "n_layers": 2, "n_heads": 4, "positions": "rotary", "vocab_size": len(tokenizer)}
    options = sizes | options
    return GPT(TransformerConfig.preset("nano", **options)).eval(), tokenizer


def test_record_heads_has_the_weights_of_record_attention_and_scores_that_explain_them():
    for positions in ("rotary", "alibi", "learned"):
        model, tokenizer = gpt(positions=positions, n_kv_heads=2)
        ids = torch.tensor([tokenizer.encode("the mat sat")])
        with record_attention(model) as maps, torch.no_grad():
            model(ids)
        with record_heads(model) as heads, torch.no_grad():
            model(ids)
        for layer, weights in zip(heads["decoder"], maps["decoder"], strict=True):
            torch.testing.assert_close(layer.weights, weights[0])
            torch.testing.assert_close(layer.scores.softmax(dim=-1), weights[0], atol=1e-5, rtol=1e-4)
            assert layer.n_kv_heads == 2 and layer.keys.shape == layer.queries.shape == (4, ids.shape[1], 6)


def test_written_is_what_one_key_adds_to_the_residual_stream_when_it_gets_all_the_weight():
    model, tokenizer = gpt(n_kv_heads=2)
    ids = torch.tensor([tokenizer.encode("the mat")])
    with record_heads(model) as heads, torch.no_grad():
        model(ids)
    module, (head, key) = model.decoder.blocks[1].attention, (3, 2)

    def only_that_key(q, k, v, mask=None, causal=False):
        weights = torch.zeros(1, 4, ids.shape[1], ids.shape[1])
        weights[:, head, :, key] = 1
        return weights @ v.repeat_interleave(2, dim=1), weights

    module.attend, seen = only_that_key, []
    module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        model(ids)
    bias = module.w_o.bias if module.w_o.bias is not None else 0
    torch.testing.assert_close(heads["decoder"][1].value_norms[head, key], (seen[0] - bias)[0, 0].norm())


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_a_closed_edge_is_a_masked_score_and_nothing_else_changes_in_its_layer(dates, kind):
    model, tokenizer = dates
    source, target = (tokenizer.batch([text])[0] for text in ("May 3, 1931", "1931年5月3日"))
    with record_heads(model) as whole, torch.no_grad():
        before = model(source, target)
    with ablate_edges(model, [(0, 2, 3, 1), (0, 2, 3, 0)], kind), record_heads(model) as cut, torch.no_grad():
        after = model(source, target)
    wanted = whole[kind][0].scores.clone()
    wanted[2, 3, :2] = -torch.inf
    torch.testing.assert_close(cut[kind][0].weights, wanted.softmax(dim=-1), atol=1e-6, rtol=1e-5)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(model(source, target), before)  # afterwards all is as it was


SOURCE, TARGET = "May 3, 1931", "1931年5月3日"


def softmax_of(scores):
    """Worked out here anew, in 64 bits; a row with every key masked gets no weight."""
    powers = (scores.double() - scores.double().amax(dim=-1, keepdim=True)).exp()
    return (powers / powers.sum(dim=-1, keepdim=True)).nan_to_num(0.0).float()


def models_of_every_kind(dates):
    """(name, model, its arguments): encoder, decoder, cross-attention; shared keys, all kinds of positions, masks."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(4, 12, (1, 7), generator=generator)
    mask = torch.tensor([[False, True, True, True, True, True, True]])
    for positions in ("rotary", "alibi", "learned", "none"):
        sizes = TransformerConfig.preset(
            "nano", d_model=24, n_layers=2, n_heads=4, n_kv_heads=2, positions=positions, vocab_size=12
        )
        for cls in (GPT, BERT, Transformer):
            torch.manual_seed(5)
            model = cls(sizes).eval()
            with torch.no_grad():  # fresh weights attend to everything alike
                for parameter in model.parameters():
                    parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
            both = (ids, ids[:, 2:], mask, None) if cls is Transformer else (ids, mask)
            yield f"{cls.__name__} {positions}", model, both
    model, tokenizer = dates
    yield "dates", model, tuple(tokenizer.batch([text])[0] for text in (SOURCE, TARGET))


def explained(heads):
    """Every layer that was recorded; its scores, where it has some, give its weights."""
    for kind, layers in heads.items():
        for layer in layers:
            assert layer.scores is not None, f"{kind}: no scores, though a softmax made the weights"
            torch.testing.assert_close(softmax_of(layer.scores), layer.weights, atol=1e-5, rtol=1e-4)
            yield kind, layer


@pytest.mark.parametrize("part", [None, *PARTS])
def test_the_softmax_of_the_scores_is_the_weights_whatever_is_switched_off(dates, part):
    for name, model, inputs in models_of_every_kind(dates):
        with switch_off(model, part) if part else nullcontext(), record_heads(model) as heads, torch.no_grad():
            model(*inputs)
        seen = list(explained(heads))
        assert len(seen) == 2 * len(heads), name
        for kind, layer in seen:
            if part is None:
                assert layer.scores[layer.weights == 0].isneginf().all(), (name, kind)
                assert layer.queries is not None and layer.value_norms.min() > 0, (name, kind)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_a_closed_edge_has_no_score(dates, kind):
    edges = [(0, 2, 3, 1), (0, 2, 3, 0), (1, 0, 2, 2)]
    for name, model, inputs in models_of_every_kind(dates):
        if kind not in attention_modules(model):
            continue
        with ablate_edges(model, edges, kind), record_heads(model) as heads, torch.no_grad():
            model(*inputs)
        assert len(list(explained(heads))) == 2 * len(heads), name
        for layer, head, query, key in edges:
            assert heads[kind][layer].weights[head, query, key] == 0
            assert heads[kind][layer].scores[head, query, key] == -torch.inf


def by_hand(q, k, v, mask=None):
    """Attention whose weights no softmax makes: squares in the place of powers of e."""
    squares = (q @ k.mT).square() if mask is None else (q @ k.mT).square().masked_fill(~mask, 0.0)
    weights = squares / squares.sum(dim=-1, keepdim=True)
    return weights @ v, weights


def sharpened(q, k, v, mask=None):
    """The formula's weights, changed afterwards: its scores no longer tell of them."""
    _, weights = scaled_dot_product_attention(q, k, v, mask)
    weights = weights**4 / (weights**4).sum(dim=-1, keepdim=True)
    return weights @ v, weights


def colder(q, k, v, mask=None):
    """The formula at another temperature, with a softmax of the learner's own."""
    scores = 2 * q @ k.mT
    weights = F.softmax(scores if mask is None else scores.masked_fill(~mask, -torch.inf), dim=-1)
    return weights @ v, weights


@pytest.mark.parametrize("attend, known", [(by_hand, False), (sharpened, False), (colder, True)])
def test_replaced_attention_shows_the_scores_that_made_its_weights_or_none(attend, known):
    model, tokenizer = gpt(positions="learned")
    with replace_attention(model, attend):
        view = AttentionView.from_model(model, tokenizer, "the mat")
        unknown = pytest.raises(ValueError, match="^The weights of this attention are not the softmax of its queries")
        with unknown:  # its products would be others than those that made the weights
            neuron_view(model, tokenizer, "the mat")
    assert view._parts[0]["unscored"] == ([] if known else [0, 1])
    answers = []
    view.send = lambda content, buffers=None: answers.append(content)
    view._handle_custom_msg({"part": "decoder", "step": 0, "cell": [1, 2, 5, 3]}, [])
    assert (answers[0]["score"] is not None) == known
    if known:
        np.testing.assert_allclose(softmax_of(torch.from_numpy(view._record.scores)), view.attention, atol=1e-5)


def test_a_head_that_is_switched_off_writes_nothing():
    model, tokenizer = gpt()
    ids = torch.tensor([tokenizer.encode("the mat")])
    orders = [
        (ablate_heads(model, [(1, 2)]), record_heads(model)),
        (record_heads(model), ablate_heads(model, [(1, 2)])),
    ]
    for first, second in orders:
        with first as one, second as other, torch.no_grad():
            model(ids)
        heads = one if isinstance(one, dict) else other
        assert (heads["decoder"][1].value_norms[2] == 0).all() and heads["decoder"][1].value_norms[[0, 1, 3]].min() > 0
    with switch_off(model, "heads"), record_heads(model) as heads, torch.no_grad():
        model(ids)
    assert (heads["decoder"][0].value_norms[1:] == 0).all() and heads["decoder"][0].value_norms[0].min() > 0


def test_the_lengths_of_values_are_not_shown_where_something_else_is_passed_on():
    def doubled(q, k, v, mask=None):
        output, weights = scaled_dot_product_attention(q, k, v, mask)
        return 2 * output, weights

    model, tokenizer = gpt()
    with replace_attention(model, doubled):
        view = AttentionView.from_model(model, tokenizer, "the mat")
    assert view._parts[0]["value_norms"] is None and view._parts[0]["unscored"] == []


class Adapted(torch.nn.Linear):
    """A linear layer to whose output something is added, as an adapter does."""

    def forward(self, x):
        return super().forward(x) + x.sum(dim=-1, keepdim=True)


def test_the_lengths_of_values_are_not_shown_where_w_o_does_more_than_multiply():
    model, tokenizer = gpt()
    assert AttentionView.from_model(model, tokenizer, "the mat")._parts[0]["value_norms"] == 0
    model.decoder.blocks[1].attention.w_o.__class__ = Adapted
    assert AttentionView.from_model(model, tokenizer, "the mat")._parts[0]["value_norms"] is None
    model.decoder.blocks[1].attention.w_o = torch.nn.Sequential(torch.nn.Linear(24, 24))
    assert AttentionView.from_model(model, tokenizer, "the mat")._parts[0]["value_norms"] is None


def test_what_if_shows_scores_of_what_is_switched_off(dates):
    view = WhatIf(*dates, TEXT)
    view.switched_off = [["cross", 1, 0], ["cross", 1, 2, 3, 1], ["encoder", 0, 1], ["encoder", 0, 0, 0, 0]]
    for part in view._data.records.values():
        np.testing.assert_allclose(softmax_of(torch.from_numpy(part[0].scores)), part[0].weights, atol=1e-5)
    norms = {name: part[0].value_norms for name, part in view._data.records.items()}
    assert (norms["cross"][1, 0] == 0).all() and norms["cross"][1, 1].min() > 0


def test_scores_that_contradict_the_weights_are_refused():
    weights, tokens = np.full((1, 1, 2, 2), 0.5, np.float32), list("ab")
    assert AttentionView(weights, tokens, scores=np.full((1, 1, 2, 2), 3.0)).attention.shape == (1, 1, 2, 2)
    wrong = np.zeros((1, 1, 2, 2))
    wrong[0, 0, 1, 1] = 5
    with pytest.raises(ValueError, match=r"^scores must be what the softmax .*in layer 0 their softmax is up to 0\.49"):
        AttentionView(weights, tokens, scores=wrong)
    masked = np.array([[[[1.0, 0.0], [0.5, 0.5]]]])
    with pytest.raises(ValueError, match="-inf where masked"):
        AttentionView(masked, tokens, scores=np.zeros((1, 1, 2, 2)))
    AttentionView(masked, tokens, scores=np.where(masked == 0, -np.inf, 0.0))


def test_edges_that_are_not_there_get_a_sentence(dates):
    model, tokenizer = dates
    ids = tokenizer.batch(["May 3"])[0]
    with pytest.raises(ValueError, match="^No head 9 in layer 0"), ablate_edges(model, [(0, 9, 0, 0)], "encoder"):
        pass
    outside = pytest.raises(ValueError, match="^An edge to mask lies outside the . queries and . keys")
    with outside, ablate_edges(model, [(0, 0, 0, 50)], "encoder"):
        model.encode(ids)
    with pytest.raises(ValueError, match="^kind must be one of"), ablate_edges(model, [(0, 0, 0, 0)]):
        pass


def test_from_model_knows_scores_and_values_and_shared_keys():
    model, tokenizer = gpt(n_kv_heads=2)
    view = AttentionView.from_model(model, tokenizer, "the mat")
    assert view._parts[0]["n_kv_heads"] == 2 and view._parts[0]["value_norms"] == 0
    norms = np.frombuffer(view._value_norms, "<f4").reshape(2, 4, 7)
    with record_heads(model) as heads, torch.no_grad():
        model(torch.tensor([tokenizer.encode("the mat")]))
    np.testing.assert_allclose(norms[1], heads["decoder"][1].value_norms, rtol=1e-6)
    answers = []
    view.send = lambda content, buffers=None: answers.append(content)
    view._handle_custom_msg({"part": "decoder", "step": 0, "cell": [1, 2, 5, 3]}, [])
    view._handle_custom_msg({"part": "decoder", "step": 0, "cell": [1, 2, 3, 5]}, [])  # masked: no score
    assert answers[0]["score"] == pytest.approx(heads["decoder"][1].scores[2, 5, 3].item(), rel=1e-5)
    assert answers[1]["score"] is None and answers[1]["value"] == 0


def test_what_else_is_known_is_checked():
    weights, tokens = np.full((2, 4, 3, 3), 1 / 3, np.float32), list("abc")
    for known, message in (
        ({"scores": np.zeros((2, 4, 3))}, r"^scores must have the shape \(2, 4, 3, 3\); got \(2, 4, 3\)\.$"),
        ({"value_norms": np.zeros((2, 3))}, r"^value_norms must have the shape \(2, 4, 3\); got \(2, 3\)\.$"),
        ({"n_kv_heads": 3}, r"^n_kv_heads must divide the 4 heads; got 3\.$"),
    ):
        with pytest.raises(ValueError, match=message):
            AttentionView(weights, tokens, **known)
    view = AttentionView(weights, tokens)
    with pytest.raises(ValueError, match="^The norms of the values are not known here"):
        view.measure = "weight x value norm"
    known = AttentionView(weights, tokens, value_norms=np.ones((2, 4, 3)))
    known.measure = "weight x value norm"
    known.update(weights, tokens)  # nothing is known of their values
    assert known.measure == "weight"


def test_more_weights_than_a_browser_holds_are_sent_one_layer_at_a_time(tmp_path):
    rng = np.random.default_rng(0)
    weights = rng.random((5, 8, 640, 640), dtype=np.float32)
    view = AttentionView(weights, [str(i) for i in range(640)])
    assert view._layer == 4
    for layer in (4, 1):
        view.selection = {"layer": layer, "head": 3}
        assert view._layer == layer
        sent = np.frombuffer(view._weights, "<f2").reshape(8, 640, 640)
        np.testing.assert_allclose(sent, weights[layer], rtol=2**-11, atol=1e-7)
    view.save(tmp_path / "view.png")
    small = np.full((1, 1, 2, 2), 0.5, np.float32)
    view.update(small, ["a", "b"])
    assert view._layer is None and view.selection["layer"] == 0


def test_live_attention_computes_again_and_survives_any_error():
    called = []

    def compute(text):
        called.append(text)
        if "!" in text:
            raise ZeroDivisionError("division by zero")
        tokens = list(text)
        return torch.full((1, 2, len(tokens), len(tokens)), 1 / len(tokens)), tokens

    view = LiveAttention(compute, "abc")
    assert view.text == "abc" and called == ["abc"] and view.query_tokens == ["a", "b", "c"]
    view.text = "hello"
    assert view.query_tokens == list("hello") and view.message == ""
    view.text = "oh!"
    assert view.message == "ZeroDivisionError: division by zero" and view.query_tokens == list("hello")
    view.text = ""  # no token: AttentionView's own sentence
    assert view.message.startswith("ZeroDivisionError") or view.message.startswith("ValueError")
    view.text = "ok"
    assert view.message == "" and view.attention.shape == (1, 2, 2, 2)
    with pytest.raises(ZeroDivisionError):  # but not at the start, where a traceback can be read
        LiveAttention(compute, "!")


def test_live_attention_takes_a_learners_own_attention_with_its_mistake():
    def own(text):
        tokens = text.split()
        q = torch.ones(1, 1, len(tokens), 4)
        return scaled_dot_product_attention(q, q, q, causal_mask(len(tokens)))[1], tokens

    view = LiveAttention(own, "a b c")
    np.testing.assert_allclose(view.attention[0, 0], [[1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3], atol=1e-6)


def test_what_if_switches_off_what_ablation_switches_off(dates):
    model, tokenizer = dates
    view = WhatIf(model, tokenizer, TEXT)
    ids, written = view._ids
    off = [["cross", 1, 0], ["cross", 1, 2, 3, 1], ["encoder", 0, 1]]
    view.switched_off = off
    heads, edges = ablate_heads(model, [(1, 0)], "cross"), ablate_edges(model, [(1, 2, 3, 1)], "cross")
    with heads, edges, ablate_heads(model, [(0, 1)], "encoder"), torch.no_grad():
        logits = model(ids, written[:, :-1])
    wanted = F.cross_entropy(logits[0], written[0, 1:]).item()
    assert view._outcome["now"] == pytest.approx(wanted, rel=1e-5)
    assert view._outcome["whole"] < wanted
    assert view.attention[1, 2, 3, 1] == 0
    view.selection = {"layer": 1, "head": 0, "query": 4, "key": 0}
    rows = {row["token"]: row for row in view._outcome["rows"]}
    after = logits[0, 4].softmax(-1)
    right = tokenizer.tokens(written[0])[5]
    assert rows[right]["wanted"] and rows[right]["now"] == pytest.approx(after[written[0, 5]].item(), rel=1e-4)
    view.switched_off = []
    assert view._outcome["now"] == pytest.approx(view._outcome["whole"])


def test_what_if_another_text_switches_everything_on_again(dates):
    view = WhatIf(*dates, TEXT)
    view.switched_off = [["cross", 0, 0]]
    view.text = "May 3, 1931"
    assert view.switched_off == [] and view.message == "" and view.key_tokens[0] == "May"
    view.text = " "
    assert "empty" in view.message and view.key_tokens[0] == "May"
    for wrong in (["cross", 9, 0], ["self", 0, 0], ["cross", 0], ["cross", 0, 0, 99, 0]):
        with pytest.raises(ValueError, match="^switched_off holds"):
            view.switched_off = [wrong]


def test_what_if_of_a_gpt_and_of_another_librarys_model():
    model, tokenizer = gpt()
    view = WhatIf(model, tokenizer, "the cat")
    ids = torch.tensor([tokenizer.encode("the cat")])
    with torch.no_grad():
        logits = model(ids)
    assert view._outcome["whole"] == pytest.approx(F.cross_entropy(logits[0, :-1], ids[0, 1:]).item(), rel=1e-5)
    view.switched_off = [["decoder", layer, head] for layer in range(2) for head in range(4)]
    modules = attention_modules(model)["decoder"]
    assert view._outcome["now"] != view._outcome["whole"] and len(modules) == 2
    with pytest.raises(ValueError, match=r"^model must be a GPT, BERT or Transformer .* got a Linear\.$"):
        WhatIf(torch.nn.Linear(2, 2), tokenizer, "the")
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=5, n_embd=12, n_layer=1, n_head=2))
    with pytest.raises(ValueError, match=r"got a GPT2LMHeadModel\. Give from_hf\(model\)\.$"):
        WhatIf(theirs, tokenizer, "the")
