"""The assembled models against torch.nn's, and the properties a reader may rely on."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from references import torch_stack
from test_attention import both_precisions, close, gradients
from transformer_lab import BERT, GPT, Transformer, TransformerConfig
from transformer_lab.attention import causal_mask
from transformer_lab.classifiers import Classifier, Tagger
from transformer_lab.models import unwrapped

CONFIG = TransformerConfig(vocab_size=17, d_model=16, n_heads=2, n_layers=2, d_ff=24, max_len=12)
POSITIONS = ("none", "sinusoidal", "learned", "rotary", "alibi")
# One config of every family, small.
FAMILIES = {
    "vaswani2017": (Transformer, replace(CONFIG, norm_position="post")),
    "gpt2": (GPT, replace(CONFIG, positions="learned", activation="gelu_tanh", scale_embeddings=False)),
    "llama": (
        GPT,
        replace(CONFIG, positions="rotary", norm="rms", activation="swiglu", bias=False, n_heads=4, n_kv_heads=2),
    ),
    "bert": (
        BERT,
        replace(
            CONFIG,
            positions="learned",
            norm_position="post",
            activation="gelu",
            norm_embeddings=True,
            n_segments=2,
            pooler=True,
            masked_lm_head=True,
        ),
    ),
}
families = pytest.mark.parametrize("family", FAMILIES)


def lively(model):
    """No parameter left at a value that hides a mistake (a bias of 0, a gamma of 1)."""
    for p in model.parameters():
        nn.init.normal_(p, mean=0.1, std=0.3)
    return model.eval()


def random_ids(*shape):
    return torch.randint(17, shape)


def run(model, ids, mask=None):
    """Ids through any family; an encoder-decoder reads them on both sides."""
    return model(ids, ids, mask, mask) if isinstance(model, Transformer) else model(ids, mask)


@both_precisions
@pytest.mark.parametrize("norm_position", ["pre", "post"])
def test_equals_torch_transformer(norm_position, dtype):
    model = lively(Transformer(replace(CONFIG, norm_position=norm_position))).to(dtype)
    encoder = torch_stack(model.encoder, model.config, decoder=False)
    decoder = torch_stack(model.decoder, model.config, decoder=True)
    source, target = random_ids(3, 7), random_ids(3, 5)
    real = torch.arange(7) < torch.tensor([7, 4, 6])[:, None]
    vectors = [model.embedding(ids)[0].detach().requires_grad_() for ids in (source, target)]
    memory = encoder(vectors[0], src_key_padding_mask=~real)
    expected = decoder(vectors[1], memory, tgt_mask=~causal_mask(5), memory_key_padding_mask=~real)

    positions = [torch.arange(n)[None] for n in (7, 5)]
    our_memory = model.encoder(vectors[0], positions[0], real)
    output = model.decoder(vectors[1], positions[1], None, our_memory, real)
    close(our_memory[real], memory[real], dtype)
    close(output, expected, dtype)
    ours = gradients(output, (*vectors, model.encoder.blocks[0].feed_forward.w_1.weight))
    for a, b in zip(ours, gradients(expected, (*vectors, encoder.layers[0].linear1.weight)), strict=True):
        close(a, b, dtype)
    close(model(source, target, real), expected @ model.embedding.tokens.weight.T, dtype)


@pytest.mark.parametrize("positions", POSITIONS)
@given(T=st.integers(2, 12), data=st.data())
def test_the_future_does_not_matter(positions, T, data):
    t = data.draw(st.integers(1, T - 1))
    model = lively(GPT(replace(CONFIG, positions=positions))).double()
    ids = random_ids(2, T)
    changed = ids.clone()
    changed[:, t:] = (changed[:, t:] + 1) % 17
    before, after = model(ids), model(changed)
    close(before[:, :t], after[:, :t], torch.float64)
    assert not torch.allclose(before[:, t:], after[:, t:])


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("model", [GPT, BERT, Transformer])
@given(left=st.integers(0, 3), right=st.integers(0, 3))
def test_padding_changes_nothing_on_either_side(model, positions, left, right):
    model = lively(model(replace(CONFIG, positions=positions))).double()
    ids = random_ids(2, 5)
    padded = torch.cat((random_ids(2, left), ids, random_ids(2, right)), dim=1)
    mask = (torch.arange(5 + left + right) >= left) & (torch.arange(5 + left + right) < left + 5)
    output = run(model, padded, mask.expand(2, -1))
    close(output[:, left : left + 5], run(model, ids), torch.float64)


def test_masked_tokens_of_the_source_do_not_matter_and_others_do():
    model = lively(Transformer(CONFIG))
    source, target = random_ids(1, 6), random_ids(1, 4)
    real = torch.tensor([[True, True, False, True, True, False]])
    changed = (source + ~real) % 17
    torch.testing.assert_close(model(source, target, real), model(changed, target, real))
    assert not torch.allclose(model(source, target), model(changed, target))


@given(order=st.permutations(range(7)))
def test_without_positions_and_mask_a_permutation_goes_straight_through(order):
    model = lively(BERT(replace(CONFIG, positions="none"))).double()
    ids = random_ids(2, 7)
    close(model(ids[:, order]), model(ids)[:, order], torch.float64)
    with_positions = lively(BERT(CONFIG)).double()
    if order != sorted(order) and ids[0].tolist() != ids[0, order].tolist():
        assert not torch.allclose(with_positions(ids[:, order]), with_positions(ids)[:, order])


@pytest.mark.parametrize("positions", POSITIONS)
@given(cuts=st.lists(st.integers(1, 8), max_size=4, unique=True).map(sorted), padded=st.booleans())
def test_a_cache_changes_nothing_wherever_the_text_is_cut(positions, cuts, padded):
    model = lively(GPT(replace(CONFIG, positions=positions, n_heads=4, n_kv_heads=2))).double()
    ids = random_ids(2, 9)
    mask = torch.arange(9) >= torch.tensor([[0], [3]]) if padded else None
    cache, pieces = model.decoder.new_cache(), []
    for a, b in zip([0, *cuts], [*cuts, 9], strict=True):
        pieces.append(model(ids[:, a:b], mask[:, :b] if padded else None, cache=cache))
    whole, real = model(ids, mask), mask if padded else slice(None)
    close(torch.cat(pieces, dim=1)[real], whole[real], torch.float64)


def test_bert_tells_segments_apart_and_pools_the_first_token():
    model = lively(FAMILIES["bert"][0](FAMILIES["bert"][1]))
    ids, segments = random_ids(2, 6), torch.tensor([[0, 0, 0, 1, 1, 1]] * 2)
    hidden = model(ids)
    torch.testing.assert_close(hidden, model(ids, segments=torch.zeros_like(ids)))
    assert not torch.allclose(hidden, model(ids, segments=segments), atol=1e-3)
    torch.testing.assert_close(model.pool(hidden), torch.tanh(hidden[:, 0] @ model.pooler.weight.T + model.pooler.bias))
    assert model.masked_lm_logits(hidden).shape == (2, 6, 17)


@pytest.mark.parametrize("head", ["pool", "masked_lm_logits"])
def test_a_head_that_the_config_leaves_out_is_named(head):
    model = BERT(TransformerConfig(vocab_size=5, d_model=8, n_heads=2, n_layers=1, d_ff=8))
    with pytest.raises(ValueError, match="its config says .*=False"):
        getattr(model, head)(torch.zeros(1, 2, 8))


@families
def test_a_wholly_padded_row_gives_no_nan_forward_or_backward(family):
    kind, config = FAMILIES[family]
    model = lively(kind(config))
    mask = torch.tensor([[True] * 5, [False] * 5])
    output = run(model, random_ids(2, 5), mask)
    output.sum().backward()
    assert output.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@families
def test_runs_in_every_precision_and_on_no_device_at_all(family):
    kind, config = FAMILIES[family]
    model, ids = lively(kind(config)), random_ids(2, 5)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    expected = run(model, ids, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = run(model, ids, mask)
    mixed.float().sum().backward()
    real = mask if kind is not Transformer else torch.ones_like(mask)
    scale = expected.abs().max()
    assert (mixed.float() - expected)[real].abs().max() < 0.1 * scale
    assert (run(model.bfloat16(), ids, mask).float() - expected)[real].abs().max() < 0.1 * scale
    with torch.device("meta"):
        nowhere = run(kind(config), torch.zeros(2, 5, dtype=torch.long), torch.ones(2, 5, dtype=torch.bool))
    assert nowhere.shape == expected.shape and nowhere.is_meta


@pytest.mark.parametrize("positions", POSITIONS)
def test_every_scheme_runs_under_autocast_with_a_mask(positions):
    model, ids = lively(GPT(replace(CONFIG, positions=positions))), random_ids(2, 5)
    mask = torch.tensor([[True] * 5, [False] * 2 + [True] * 3])
    expected = model(ids, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (model(ids, mask).float() - expected)[mask].abs().max() < 0.1 * expected.abs().max()


COMPILE = """
import torch
from test_models import FAMILIES, lively, random_ids, run

mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
for family, (kind, config) in FAMILIES.items():
    model, ids = lively(kind(config)), random_ids(2, 5)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    args = (ids, ids, mask, mask) if family == "vaswani2017" else (ids, mask)
    grads = []
    for module in (model, compiled):
        model.zero_grad()
        output = module(*args)
        output.pow(2).mean().backward()
        grads.append([output.detach()] + [p.grad for p in model.parameters() if p.grad is not None])
    for eager, fast in zip(*grads, strict=True):
        torch.testing.assert_close(fast, eager, rtol=1e-3, atol=1e-4, msg=family)
"""


def test_every_family_compiles_as_one_graph():
    # In a Python of its own: torch.compile cannot trace the shape checks that run in this one.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]


def test_untied_output_has_a_matrix_of_its_own():
    tied, untied = GPT(CONFIG), GPT(replace(CONFIG, tie_embeddings=False))
    assert sum(p.numel() for p in untied.parameters()) - sum(p.numel() for p in tied.parameters()) == 17 * 16
    hidden = torch.randn(1, 2, 16)
    torch.testing.assert_close(untied.logits(hidden), hidden @ untied.output.weight.T)
    torch.testing.assert_close(tied.logits(hidden), hidden @ tied.embedding.tokens.weight.T)


def test_dropout_only_while_training():
    model = GPT(replace(CONFIG, dropout=0.5))
    ids = random_ids(1, 6)
    assert not torch.equal(model(ids), model(ids))
    assert torch.equal(model.eval()(ids), model(ids))


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_a_sequence_longer_than_the_table_is_refused(positions):
    model = Transformer(replace(CONFIG, positions=positions))
    with pytest.raises(ValueError, match=r"13 positions; this model's max_len is 12\."):
        model(random_ids(1, 13), random_ids(1, 2))
    cache = model.decoder.new_cache()
    memory = model.encode(random_ids(1, 3))
    model.decode(random_ids(1, 12), memory=memory, cache=cache)
    with pytest.raises(ValueError, match=r"13 positions; this model's max_len is 12\."):
        model.decode(random_ids(1, 1), memory=memory, cache=cache)


@pytest.mark.parametrize("positions", ["none", "rotary", "alibi"])
def test_schemes_without_a_table_read_on_as_if_max_len_were_larger(positions):
    model, larger = (lively(GPT(replace(CONFIG, positions=positions, max_len=n))) for n in (12, 40))
    larger.load_state_dict(model.state_dict())
    ids = random_ids(1, 40)
    output = model(ids)
    assert torch.equal(output, larger(ids)) and not torch.allclose(output[:, 12:24], output[:, :12])
    close(output[:, :12], model(ids[:, :12]), torch.float32)


# ---- How a model begins


SIZES = dict(vocab_size=500, d_model=64, d_ff=300, n_layers=3, max_len=400, positions="learned", n_segments=400)
GPT_STYLE = dict(scale_embeddings=False)
# Standard deviations: of a token's row, of what is added to it, of the last layer of a sub-layer (None: Xavier's rule).
BEGINNINGS = {
    "2017": (Transformer, dict(norm_position="post"), 1 / 8, 1.0, None),
    "2017, pre-norm, untied": (GPT, dict(tie_embeddings=False), 1 / 8, 1.0, None),
    "GPT-2": (GPT, GPT_STYLE, 0.02, 0.02, 0.02 / 6**0.5),
    "GPT-2 as an encoder-decoder": (
        Transformer,
        GPT_STYLE,
        0.02,
        0.02,
        {"encoder": 0.02 / 6**0.5, "decoder": 0.02 / 3},
    ),
    "Llama": (GPT, dict(GPT_STYLE, norm="rms", activation="swiglu", bias=False), 0.02, 0.02, 0.02 / 6**0.5),
    "BERT": (BERT, dict(GPT_STYLE, norm_position="post", pooler=True, masked_lm_head=True), 0.02, 0.02, 0.02),
    "classifier": (
        partial(Classifier, labels=list(map(str, range(150)))),
        dict(GPT_STYLE, norm_position="post"),
        0.02,
        0.02,
        0.02,
    ),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_each_parameter_begins_at_its_size(name):
    """Glorot and Bengio 2010, formula 16; Radford et al. 2019, section 2.3; Devlin et al. 2018, appendix A.2."""
    torch.manual_seed(0)
    family, changes, tokens, added, last = BEGINNINGS[name]
    for parameter_name, p in family(TransformerConfig(**SIZES, **changes)).named_parameters():
        if p.ndim == 1:
            assert (p == (1 if parameter_name.endswith("gamma") else 0)).all(), parameter_name
            continue
        wanted = 0.02 if changes.get("scale_embeddings") is False else (2 / sum(p.shape)) ** 0.5
        if parameter_name.endswith(("w_o.weight", "w_2.weight")) and last is not None:
            wanted = last[parameter_name.split(".")[0]] if isinstance(last, dict) else last
        if parameter_name.startswith("embedding"):
            wanted = tokens if "tokens" in parameter_name else added
        assert p.std().item() == pytest.approx(wanted, rel=0.05), parameter_name
        assert abs(p.mean().item()) < 5 * wanted / p.numel() ** 0.5, parameter_name


@pytest.mark.parametrize("changes", [dict(), dict(tie_embeddings=False), dict(scale_embeddings=False)])
@pytest.mark.parametrize("family", [GPT, Transformer])
def test_an_untrained_model_finds_all_tokens_about_equally_likely(family, changes):
    torch.manual_seed(0)
    model = family(TransformerConfig(vocab_size=1000, d_model=64, positions="rotary", **changes))
    ids, labels = torch.randint(1000, (2, 4, 50))
    loss = nn.functional.cross_entropy(run(model, ids).flatten(end_dim=1), labels.flatten())
    # With one table for both ends the token that was just read looks more likely than the others.
    assert math.log(1000) - 0.1 < loss < math.log(1000) + 1.5


def test_the_embedding_drops_out_what_blocks_read():
    torch.manual_seed(0)
    embedding = GPT(replace(CONFIG, dropout=0.25, positions="none")).embedding
    ids = random_ids(20, 12)
    (dropped, _), (whole, _) = embedding(ids), embedding.eval()(ids)
    kept = dropped != 0
    assert 0.7 < kept.float().mean() < 0.8
    torch.testing.assert_close(dropped[kept], whole[kept] / 0.75)
    close(whole, embedding.tokens(ids) * 4, torch.float32)  # sqrt(16)


@families
@pytest.mark.parametrize("positions", POSITIONS)
def test_whatever_a_model_makes_stands_where_the_model_stands(family, positions):
    """A tensor left behind on the CPU meets those on another device: meta is one that every machine has."""
    kind, config = FAMILIES[family]
    model = kind(replace(config, positions=positions)).to("meta")
    ids, mask = torch.zeros(2, 5, dtype=torch.long, device="meta"), torch.ones(2, 5, dtype=torch.bool, device="meta")
    for given_mask in (None, mask):
        assert run(model, ids, given_mask).device.type == "meta"
    if kind is GPT:
        cache = model.decoder.new_cache()
        model(ids, cache=cache)
        assert model(ids[:, :2], torch.ones(2, 7, dtype=torch.bool, device="meta"), cache=cache).shape == (2, 2, 17)


# ---- Heads that name


@pytest.mark.parametrize("kind", [Classifier, Tagger])
def test_a_labeller_is_a_bert_with_one_layer_on_top(kind):
    model = lively(kind(FAMILIES["bert"][1], ["a", "b", "c"]))
    assert model.labels == ("a", "b", "c") and model.head.weight.shape == (3, 16)
    assert model.pooler is None and model.masked_lm_head is None and not model.config.pooler
    ids, segments = random_ids(2, 6), torch.tensor([[0, 0, 0, 1, 1, 1]] * 2)
    mask = torch.tensor([[True] * 6, [True] * 2 + [False] * 4])
    hidden = BERT.forward(model, ids, mask, segments)
    if kind is Tagger:
        torch.testing.assert_close(model(ids, mask, segments), model.head(hidden))
        return
    means = torch.stack([hidden[0].mean(dim=0), hidden[1, :2].mean(dim=0)])
    torch.testing.assert_close(model(ids, mask, segments), model.head(means))
    torch.testing.assert_close(model(ids), model(ids, torch.ones_like(mask)))
    nothing = model(ids, torch.zeros_like(mask))
    torch.testing.assert_close(nothing, model.head.bias.expand(2, -1))


@pytest.mark.parametrize(
    "ids, mask, sentence",
    [
        (torch.zeros(5).long(), None, r"Token ids must be int64 of shape \(B, T\); got torch.int64 of shape \(5,\)\."),
        (torch.zeros(1, 5), None, r"Token ids must be int64 of shape \(B, T\); got torch.float32 of shape \(1, 5\)\."),
        (
            torch.zeros(1, 5).long(),
            torch.ones(1, 5).long(),
            r"The mask must be bool of shape \(1, 5\), True at real tokens; got torch.int64 of shape \(1, 5\)\.",
        ),
        (
            torch.zeros(2, 5).long(),
            torch.ones(2, 4).bool(),
            r"The mask must be bool of shape \(2, 5\), True at real tokens; got torch.bool of shape \(2, 4\)\.",
        ),
    ],
)
def test_wrong_ids_and_masks_are_named(ids, mask, sentence):
    from transformer_lab.blocks import check_tokens

    with pytest.raises(ValueError, match=sentence):
        check_tokens(ids, mask, 0)


def test_a_model_refuses_a_mask_that_is_not_as_long_as_its_ids():
    with pytest.raises(ValueError, match=r"The mask must be bool of shape \(2, 5\)"):
        GPT(CONFIG)(random_ids(2, 5), torch.ones(2, 4, dtype=torch.bool))


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel, lambda model: nn.DataParallel(torch.compile(model))])
def test_a_wrapped_model_is_found_in_what_is_around_it(wrap):
    model = GPT(CONFIG)
    assert unwrapped(wrap(model)) is model and unwrapped(model) is model
