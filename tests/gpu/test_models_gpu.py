"""All families on the GPU against the CPU: hidden states, text and attention."""

import copy
from contextlib import nullcontext

import pytest
import torch

from transformer_lab import BERT, GPT, Transformer, TransformerConfig, generate, record_attention

SIZES = dict(vocab_size=101, d_model=64, n_heads=4, n_layers=3, d_ff=160, max_len=48)
FAMILIES = {
    "2017": (Transformer, dict(norm_position="post")),
    "gpt2": (GPT, dict(positions="learned", activation="gelu_tanh", scale_embeddings=False)),
    "llama": (GPT, dict(positions="rotary", norm="rms", activation="swiglu", bias=False, n_kv_heads=2)),
    "alibi": (GPT, dict(positions="alibi")),
    "bert": (BERT, dict(positions="learned", norm_position="post", norm_embeddings=True, n_segments=2)),
}
families = pytest.mark.parametrize("family", FAMILIES)


def make(family):
    """A model whose parameters are all far from where they begin, and a copy of it for the GPU."""
    kind, changes = FAMILIES[family]
    torch.manual_seed(0)
    model = kind(TransformerConfig(**SIZES, **changes)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, mean=0.05, std=0.15)
    return model, copy.deepcopy(model)


def inputs(model, T=20):
    """Ids, and a mask with padding on the left."""
    ids = torch.randint(101, (3, T), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(T) >= torch.tensor([[0], [4], [9]])
    return {"source": ids, "target": ids, "source_mask": mask} if isinstance(model, Transformer) else {
        "ids": ids, "mask": mask
    }  # fmt: skip


@families
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_gpu_computes_what_the_cpu_computes(device, family, dtype):
    model, theirs = make(family)
    theirs.to(device)
    arguments = inputs(model)
    real = arguments.get("mask", torch.ones(3, 20, dtype=torch.bool))
    with torch.no_grad():
        expected = model(**arguments)
        with nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype):
            output = theirs(**{name: tensor.to(device) for name, tensor in arguments.items()}).float().cpu()
    error = (output - expected)[real].abs().mean() / expected[real].std()
    assert output.isfinite().all() and error < (1e-5 if dtype == torch.float32 else 0.05), error


@pytest.mark.parametrize("family", ["2017", "gpt2", "llama", "alibi"])
@pytest.mark.parametrize("how", [dict(), dict(use_cache=False), dict(beams=3)], ids=str)
def test_the_same_text_is_written(device, family, how):
    model, theirs = make(family)
    theirs.to(device)
    ids = torch.randint(101, (2, 5), generator=torch.Generator().manual_seed(2))
    options = {"mask": torch.arange(5) >= torch.tensor([[0], [2]])} if family != "2017" else {"source": ids}
    expected = generate(model, ids, 12, **options, **how)
    options = {name: tensor.to(device) for name, tensor in options.items()}
    assert torch.equal(generate(theirs, ids.to(device), 12, **options, **how).cpu(), expected)


def test_seeded_sampling_repeats(device):
    model = make("llama")[1].to(device)
    ids = torch.zeros(4, 1, dtype=torch.long, device=device)
    first, again, other = (generate(model, ids, 20, temperature=1.0, top_p=0.9, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@families
def test_attention_is_recorded_where_the_model_is(device, family):
    model, theirs = make(family)
    theirs.to(device)
    arguments = inputs(model)
    with record_attention(model) as expected, torch.no_grad():
        model(**arguments)
    with record_attention(theirs) as maps, torch.no_grad():
        theirs(**{name: tensor.to(device) for name, tensor in arguments.items()})
    for kind in expected:
        for ours, right in zip(maps[kind], expected[kind], strict=True):
            torch.testing.assert_close(ours.cpu(), right, atol=1e-5, rtol=1e-4)


def test_a_view_shows_a_model_on_the_gpu(device):
    pytest.importorskip("anywidget", reason="the view needs anywidget")
    from transformer_lab import load
    from transformer_lab.viz import AttentionView

    model, tokenizer = load("dates")
    expected, shown = (
        AttentionView.from_model(one, tokenizer, "May 3, 1931") for one in (model, copy.deepcopy(model).to(device))
    )
    for name, (record, *_) in expected._data.records.items():
        assert shown._data.records[name][0].weights == pytest.approx(record.weights, abs=1e-4)
