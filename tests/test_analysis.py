"""analysis.py and ablation.py: what is recorded is what was computed, and a model is left as it was found."""

from dataclasses import replace

import pytest
import torch

from test_models import CONFIG, FAMILIES, lively, random_ids, run
from transformer_lab import (
    BERT,
    GPT,
    Transformer,
    ablate_heads,
    head_scores,
    record_attention,
    record_residual_stream,
    repeated_tokens,
    replace_attention,
    switch_off,
)
from transformer_lab.ablation import PARTS
from transformer_lab.attention import scaled_dot_product_attention

families = pytest.mark.parametrize("family", FAMILIES)
KINDS = {"vaswani2017": ["encoder", "decoder", "cross"], "gpt2": ["decoder"], "llama": ["decoder"], "bert": ["encoder"]}


def make(family):
    kind, config = FAMILIES[family]
    return lively(kind(config))


def state(model):
    """Everything that patching could leave behind."""
    return [
        (name, dict(m.__dict__), len(m._forward_hooks), len(m._forward_pre_hooks)) for name, m in model.named_modules()
    ]


@families
def test_recorded_maps_are_probabilities_and_leave_no_trace(family):
    model, ids = make(family), random_ids(2, 5)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    before, plain = str(state(model)), run(model, ids, mask)
    with record_attention(model) as maps:
        recorded = run(model, ids, mask)
    torch.testing.assert_close(recorded, plain)
    assert list(maps) == KINDS[family]
    n_heads = model.config.n_heads
    for kind, layers in maps.items():
        assert [m.shape for m in layers] == [(2, n_heads, 5, 5)] * 2 and not layers[0].requires_grad
        for layer in layers:
            torch.testing.assert_close(layer.sum(-1), torch.ones(2, n_heads, 5))
            assert (layer[1, :, :, 3:] == 0).all()
            assert (layer.triu(1) == 0).all() == (kind == "decoder")
    assert str(state(model)) == before and torch.equal(run(model, ids, mask), plain)


def test_a_mistake_inside_the_block_leaves_no_trace_either():
    model = make("gpt2")
    before = str(state(model))
    for context in (record_attention(model), record_residual_stream(model), ablate_heads(model, [(0, 1)])):
        with pytest.raises(ZeroDivisionError), context:
            raise ZeroDivisionError
        assert str(state(model)) == before


def test_the_residual_stream_starts_with_the_embedding_and_grows_block_by_block():
    model, ids = make("gpt2"), random_ids(2, 5)
    with record_residual_stream(model) as stream:
        logits = model(ids)
    x, positions = model.embedding(ids)
    assert list(stream) == ["decoder"] and len(stream["decoder"]) == 3
    for block, recorded in zip(model.decoder.blocks, stream["decoder"], strict=False):
        torch.testing.assert_close(recorded, x)
        attention = block.attention(block.residuals[0].norm(x), causal=True)
        x = x + attention
        x = x + block.feed_forward(block.residuals[1].norm(x))
    torch.testing.assert_close(stream["decoder"][-1], x)
    torch.testing.assert_close(model.logits(model.decoder.norm(stream["decoder"][-1])), logits)


def test_both_stacks_of_an_encoder_decoder_have_a_stream():
    model = make("vaswani2017")
    with record_residual_stream(model) as stream:
        model(random_ids(1, 6), random_ids(1, 4))
    assert {kind: [x.shape[1] for x in xs] for kind, xs in stream.items()} == {"encoder": [6] * 3, "decoder": [4] * 3}


@families
def test_an_ablated_head_is_one_whose_output_rows_are_zero(family):
    kind = KINDS[family][-1]
    model, ids = make(family), random_ids(2, 5)
    plain = run(model, ids)
    with ablate_heads(model, [(1, 1)], kind=kind):
        ablated = run(model, ids)
    assert torch.equal(run(model, ids), plain) and not torch.allclose(ablated, plain)
    # The same by surgery on the weights: W_O's columns for that head set to zero.
    block = getattr(model, "encoder" if kind == "encoder" else "decoder").blocks[1]
    attention = block.cross_attention if kind == "cross" else block.attention
    with torch.no_grad():
        attention.w_o.weight[:, attention.d_head : 2 * attention.d_head] = 0
    torch.testing.assert_close(ablated, run(model, ids))


def test_ablation_and_recording_go_together_in_either_order():
    model, ids = make("llama"), random_ids(2, 5)
    with ablate_heads(model, [(0, 0), (0, 3)]), record_attention(model) as inner:
        ablated = model(ids)
    with record_attention(model) as outer, ablate_heads(model, [(0, 3), (0, 0)]):
        torch.testing.assert_close(model(ids), ablated)
    torch.testing.assert_close(inner["decoder"], outer["decoder"])


@pytest.mark.parametrize(
    "family, heads, kind, sentence",
    [
        ("gpt2", [(2, 0)], None, r"No head 0 in layer 2: there are 2 layers of 2 heads, from 0 on\."),
        ("gpt2", [(0, -1)], None, r"No head -1 in layer 0"),
        ("vaswani2017", [(0, 0)], None, r"kind must be one of encoder, decoder, cross for this model; got None\."),
        ("bert", [(0, 0)], "decoder", r"kind must be one of encoder for this model; got 'decoder'\."),
    ],
)
def test_a_head_that_is_not_there_is_named(family, heads, kind, sentence):
    with pytest.raises(ValueError, match=sentence), ablate_heads(make(family), heads, kind):
        pass


def test_a_replacement_sees_causality_in_its_mask():
    model, ids, masks = make("gpt2"), random_ids(1, 4), []

    def attend(q, k, v, mask=None):
        masks.append(mask)
        return scaled_dot_product_attention(q, k, v, mask)

    plain = model(ids)
    with replace_attention(model, attend):
        torch.testing.assert_close(model(ids), plain)
    assert masks[0].tolist() == torch.ones(4, 4).tril().bool().tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_part_of_every_family_can_be_switched_off(family):
    model, ids = make(family), random_ids(2, 6)
    plain = run(model, ids)
    for part in PARTS:
        with switch_off(model, part):
            same = torch.allclose(run(model, ids), plain, atol=1e-4)
        assert same == (part == "causal mask" and family == "bert"), part  # which has none
        assert torch.equal(run(model, ids), plain), part


@pytest.mark.parametrize("norm_position", ["pre", "post"])
def test_without_residual_a_block_is_its_sublayers_alone(norm_position):
    model = lively(BERT(replace(CONFIG, n_layers=1, norm_position=norm_position)))
    ids = random_ids(1, 4)
    block, x = model.encoder.blocks[0], model.embedding(ids)[0]
    first, second = (residual.norm for residual in block.residuals)
    if norm_position == "pre":
        expected = model.encoder.norm(block.feed_forward(second(block.attention(first(x)))))
    else:
        expected = second(block.feed_forward(first(block.attention(x))))
    with switch_off(model, "residual"):
        torch.testing.assert_close(model(ids), expected)


def test_head_scores_of_heads_that_do_one_thing_only():
    period, T = 4, 8
    previous, first, induction = (torch.zeros(T, T) for _ in range(3))
    for t in range(T):
        previous[t, max(t - 1, 0)] = 1
        first[t, 0] = 1
        induction[t, t - period + 1 if t >= period else 0] = 1
    scores = head_scores([torch.stack((previous, first, induction))[None]] * 2, period)
    torch.testing.assert_close(scores["previous token"], torch.tensor([[1, 1 / 7, 1 / 7]] * 2))
    torch.testing.assert_close(scores["first token"], torch.tensor([[1 / 7, 1, 3 / 7]] * 2))
    torch.testing.assert_close(scores["induction"], torch.tensor([[0, 0, 1.0]] * 2))
    assert "induction" not in head_scores([previous[None, None]])


def test_a_uniform_head_scores_the_mean_of_its_rows():
    uniform = torch.ones(6, 6).tril()
    uniform = (uniform / uniform.sum(-1, keepdim=True))[None, None]
    scores = head_scores([uniform], period=3)
    mean = lambda rows: sum(1 / (t + 1) for t in rows) / len(rows)  # noqa: E731
    assert scores["previous token"].item() == pytest.approx(mean(range(1, 6)))
    assert scores["first token"].item() == pytest.approx(mean(range(1, 6)))
    assert scores["induction"].item() == pytest.approx(mean(range(3, 6)))


def test_repeated_tokens_repeat():
    ids = repeated_tokens(50, period=7, n_rows=3, seed=1)
    assert ids.shape == (3, 14) and torch.equal(ids[:, :7], ids[:, 7:])
    assert not torch.equal(ids, repeated_tokens(50, period=7, n_rows=3, seed=2))
    assert torch.equal(ids, repeated_tokens(50, period=7, n_rows=3, seed=1)) and ids.max() < 50


@pytest.mark.parametrize("model", [GPT, BERT, Transformer])
def test_without_a_recorder_no_weights_are_formed(model, monkeypatch):
    from transformer_lab import attention

    monkeypatch.setattr(attention, "scaled_dot_product_attention", None)  # calling it would fail
    run(model(CONFIG), random_ids(1, 3))
