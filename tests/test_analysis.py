"""analysis.py and ablation.py: what is recorded is what was computed, and a model is left as it was found."""

from dataclasses import replace
from functools import partial

import jaxtyping
import numpy as np
import pytest
import torch
import transformers
from accelerate import Accelerator

from test_models import CONFIG, FAMILIES, lively, random_ids, run
from transformer_lab import (
    BERT,
    GPT,
    Transformer,
    TransformerConfig,
    ablate_heads,
    head_scores,
    make_task,
    record_attention,
    record_residual_stream,
    repeated_tokens,
    replace_attention,
    switch_off,
)
from transformer_lab.analysis.ablation import PARTS, ablate_edges, no_choice
from transformer_lab.analysis.reading import text_attention, translation_attention
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
        attention = block.attention(block.attention_residual.norm(x), causal=True)
        x = x + attention
        x = x + block.feed_forward(block.feed_forward_residual.norm(x))
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
        ("gpt2", [(2, 0)], None, r"No head 0 in layer 2: there are 2 layers of 2 heads, counted from 0\."),
        ("gpt2", [(0, -1)], None, r"No head -1 in layer 0"),
        ("vaswani2017", [(0, 0)], None, r"kind must be one of encoder, decoder, cross for this model; got None\."),
        ("bert", [(0, 0)], "decoder", r"kind must be one of encoder for this model; got 'decoder'\."),
    ],
)
def test_a_head_that_is_not_there_is_named(family, heads, kind, sentence):
    with pytest.raises(ValueError, match=sentence), ablate_heads(make(family), heads, kind):
        pass


@pytest.mark.parametrize("heads, came", [((0, 1), "0"), ([(0, 1.0)], r"\(0, 1.0\)"), ([(0, 1, 2)], r"\(0, 1, 2\)")])
def test_what_is_no_list_of_heads_is_refused_by_a_sentence(heads, came, without_shape_checks):
    sentence = rf"^heads must be a list of whole numbers \(layer, head\); got {came} in it\.$"
    with pytest.raises(ValueError, match=sentence), ablate_heads(make("gpt2"), heads):
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


def test_without_the_causal_mask_the_future_is_read_and_padding_still_is_not():
    model, ids = make("gpt2"), random_ids(1, 6)
    mask = torch.tensor([[True] * 4 + [False] * 2])
    other_future, other_padding = ids.clone(), ids.clone()
    other_future[0, 3], other_padding[0, 5] = (ids[0, 3] + 1) % 7, (ids[0, 5] + 1) % 7
    with switch_off(model, "causal mask"):
        plain, future, padding = (run(model, one, mask)[0, :3] for one in (ids, other_future, other_padding))
    assert (future - plain).abs().max() > 1e-3 and torch.equal(padding, plain)


@pytest.mark.parametrize("norm_position", ["pre", "post"])
def test_without_residual_a_block_is_its_sublayers_alone(norm_position):
    model = lively(BERT(replace(CONFIG, n_layers=1, norm_position=norm_position)))
    ids = random_ids(1, 4)
    block, x = model.encoder.blocks[0], model.embedding(ids)[0]
    first, second = block.attention_residual.norm, block.feed_forward_residual.norm
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


def compiled(model):
    return torch.compile(model, backend="eager")


def compiled_in_place(model):
    model.compile(backend="eager")
    return model


def compiled_by_blocks(model):
    for stack in (getattr(model, kind) for kind in ("encoder", "decoder") if hasattr(model, kind)):
        stack.blocks = torch.nn.ModuleList(torch.compile(block, backend="eager") for block in stack.blocks)
    return model


WRAPPED = {
    "compiled": compiled,
    "compiled in place": compiled_in_place,
    "compiled by blocks": compiled_by_blocks,
    "data parallel": torch.nn.DataParallel,
    "averaged": torch.optim.swa_utils.AveragedModel,
    "prepared": lambda model: Accelerator(cpu=True).prepare(model),
    "compiled and data parallel": lambda model: torch.nn.DataParallel(compiled(model)),
}


@pytest.fixture
def without_shape_checks():
    """As learners run it: the checks of these tests would speak first, and torch.compile cannot read their code."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
    torch.compiler.reset()


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("family", ["gpt2", "vaswani2017"])
def test_a_wrapped_model_is_recorded_and_changed_like_the_model_inside(family, wrap, without_shape_checks):
    model = make(family)
    inputs = (random_ids(2, 5),) * (2 if family == "vaswani2017" else 1)
    kind = KINDS[family][-1]
    changes = [
        lambda m: ablate_heads(m, [(0, 0), (1, 1)], kind),
        lambda m: ablate_edges(m, [(0, 1, 4, 2)], kind),
        lambda m: replace_attention(m, no_choice),
        *(partial(switch_off, part=part) for part in PARTS),
    ]
    with record_attention(model) as maps, record_residual_stream(model) as stream:
        plain = model(*inputs)
    wanted = []
    for change in changes:
        with change(model):
            wanted.append(model(*inputs))
    wrapped = wrap(model)
    torch.testing.assert_close(wrapped(*inputs), plain)  # compiled now: a recorder that comes later is news to its code
    with record_attention(wrapped) as maps_of_wrapped, record_residual_stream(wrapped) as stream_of_wrapped:
        wrapped(*inputs)
    torch.testing.assert_close(maps_of_wrapped, maps)
    torch.testing.assert_close(stream_of_wrapped, stream)
    for change, output in zip(changes, wanted, strict=True):
        with change(wrapped):
            torch.testing.assert_close(wrapped(*inputs), output)
        torch.testing.assert_close(wrapped(*inputs), plain)


def test_what_is_no_model_of_ours_is_named():
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=5, n_embd=12, n_layer=1, n_head=2))
    for model, sentence in [
        (torch.nn.Linear(2, 2), r"^model must be a GPT, BERT or Transformer of transformer_lab; got a Linear\.$"),
        (torch.nn.DataParallel(torch.nn.Linear(2, 2)), r"got a Linear\.$"),
        (compiled(theirs), r"got a GPT2LMHeadModel\. Give from_hf\(model\)\.$"),
        (None, r"got a NoneType\.$"),
    ]:
        for context in (record_attention, partial(switch_off, part="scale"), partial(ablate_heads, heads=[(0, 0)])):
            with pytest.raises(ValueError, match=sentence), context(model):
                pass
        with pytest.raises(ValueError, match="^model must be a "):
            text_attention(model, None, [1])
    with pytest.raises(ValueError, match=r"^model must be a Transformer of transformer_lab; got a GPT\.$"):
        translation_attention(make("gpt2"), None, "May 3")
    with pytest.raises(ValueError, match=r"^kind must be one of encoder, decoder, cross; got 'self'\.$"):
        translation_attention(make("vaswani2017"), None, "May 3", kind="self")
    wrong = pytest.raises(ValueError, match=r"^kinds must be among encoder, decoder, cross; got 'crosss'\.$")
    with wrong, replace_attention(make("gpt2"), no_choice, ["crosss"]):
        pass


@pytest.mark.parametrize(
    "attention, period, sentence",
    [
        ([], None, r"^attention must be a list of weights \(B, H, T, T\), T at least 2; got the shapes \[\]"),
        ([None], None, "^attention must be a list of weights"),  # nothing ran inside record_attention
        ([torch.ones(1, 1, 1, 1)], None, "T at least 2"),
        ([torch.ones(1, 1, 4, 5)], None, "^attention must be"),
        ([torch.ones(1, 1, 4, 4)], 4, r"^period must be at least 1 and less than the 4 tokens; got 4\.$"),
        ([torch.ones(1, 1, 4, 4)], 0, "^period must be"),
    ],
)
def test_head_scores_that_would_be_no_numbers_are_refused(attention, period, sentence, without_shape_checks):
    with pytest.raises(ValueError, match=sentence):
        head_scores(attention, period)


def test_no_edge_number_is_a_numpy_scalar_in_a_sentence(without_shape_checks):
    outside = pytest.raises(ValueError, match=r"^An edge to mask .*: \[\(0, 9, 9\)\]\.$")
    with outside, ablate_edges(make("gpt2"), [tuple(np.array([0, 0, 9, 9]))]) as model:
        model(random_ids(1, 4))


def test_attention_is_that_of_a_model_that_is_not_learning():
    task = make_task("copy", n=20, dropout=0.5)
    model, tokenizer = task.model.train(), task.tokenizer
    first, second = (translation_attention(model, tokenizer, "A B C", target="C B A")[0] for _ in range(2))
    assert torch.equal(first, second) and all(module.training for module in model.modules())
    gpt = GPT(TransformerConfig.preset("nano", vocab_size=9, dropout=0.5)).train()
    first, second = (text_attention(gpt, tokenizer, [4, 5, 6])[0] for _ in range(2))
    assert torch.equal(first, second) and gpt.training
