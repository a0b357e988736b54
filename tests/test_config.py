"""config.py: what makes no sense is refused; presets have the sizes of the published models."""

import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import torch
from transformers import BertConfig, GPT2Config

from transformer_lab import BERT, GPT, Transformer, TransformerConfig
from transformer_lab.pretrained.conversion import our_config

CONFIG = dict(vocab_size=17, d_model=16, n_heads=2, n_layers=2, d_ff=24, max_len=12)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (dict(n_heads=3), "d_model must be a multiple of n_heads; got d_model=16, n_heads=3."),
        (dict(n_layers=0), "n_layers must be a whole number, at least 1; got 0."),
        (dict(d_model=15, n_heads=3), "d_model must be even for sinusoidal positions; got 15."),
        (dict(norm_position="both"), 'norm_position must be one of "pre", "post"; got \'both\'.'),
        (dict(norm="batch"), 'norm must be one of "layer", "rms"; got \'batch\'.'),
        (dict(n_heads=4, n_kv_heads=3), "n_heads must be a multiple of n_kv_heads; got n_heads=4, n_kv_heads=3."),
        (dict(n_kv_heads=0), "n_kv_heads must be a whole number, at least 1; got 0."),
        (dict(d_head=0), "d_head must be a whole number, at least 1; got 0."),
        (dict(d_head=5, positions="rotary"), "d_head must be even for rotary positions; got 5."),
        (dict(d_model=18, positions="rotary"), "d_head must be even for rotary positions; got 9."),
        (dict(dropout=1.0), "dropout must be a number, at least 0 and less than 1; got 1.0."),
        (dict(norm_eps=0.0), "norm_eps must be a number, more than 0; got 0.0."),
        (dict(rope_theta=0.0), "rope_theta must be a number, more than 0; got 0.0."),
        (dict(n_segments=-1), "n_segments must be a whole number, at least 0; got -1."),
        (dict(dropout=float("nan")), "dropout must be a number, at least 0 and less than 1; got nan."),
        (dict(norm_eps=float("inf")), "norm_eps must be a number, more than 0; got inf."),
        (dict(n_layers=True), "n_layers must be a whole number, at least 1; got True."),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(change, sentence):
    with pytest.raises(ValueError) as error:
        TransformerConfig(**{**CONFIG, **change})
    assert str(error.value) == sentence


OF_ANOTHER_TYPE = """
from transformer_lab import TransformerConfig
for name, value in (
    ("d_model", 128 / 2), ("n_heads", "4"), ("n_segments", True), ("n_kv_heads", 2.0), ("d_head", "8"), ("bias", "no"),
    ("tie_embeddings", 1), ("pooler", None), ("dropout", "0.1"), ("rope_theta", None), ("norm", ["layer"]),
):
    try:
        TransformerConfig(**{"vocab_size": 9, name: value})
    except ValueError as error:
        print(error)
"""


def test_values_of_another_type_are_refused():
    # In a Python of its own: the shape checks of this one would refuse them first, in other words.
    run = subprocess.run([sys.executable, "-c", OF_ANOTHER_TYPE], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "d_model must be a whole number, at least 1; got 64.0.",
        "n_heads must be a whole number, at least 1; got '4'.",
        "n_segments must be a whole number, at least 0; got True.",
        "n_kv_heads must be a whole number, at least 1; got 2.0.",
        "d_head must be a whole number, at least 1; got '8'.",
        "bias must be True or False; got 'no'.",
        "tie_embeddings must be True or False; got 1.",
        "pooler must be True or False; got None.",
        "dropout must be a number, at least 0 and less than 1; got '0.1'.",
        "rope_theta must be a number, more than 0; got None.",
        'norm must be one of "layer", "rms"; got [\'layer\'].',
    ]


def test_d_head_follows_d_model_when_a_config_is_changed():
    config = TransformerConfig(**CONFIG)
    assert (config.head_width, replace(config, d_model=32).head_width, replace(config, d_head=6).head_width) == (
        8,
        16,
        6,
    )


def n_parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "name, model, n",
    [
        ("gpt2", GPT, 124_439_808),
        ("gpt2-medium", GPT, 354_823_168),
        ("gpt2-large", GPT, 774_030_080),
        ("gpt2-xl", GPT, 1_557_611_200),
        ("bert-base", BERT, 109_482_240),
        ("smollm2-135m", GPT, 134_515_008),
        ("vaswani2017", Transformer, 63_082_496),
    ],
)
def test_presets_have_the_published_number_of_parameters(name, model, n):
    with torch.device("meta"):
        assert n_parameters(model(TransformerConfig.preset(name))) == n


@pytest.mark.parametrize("model", [GPT, BERT, Transformer])
def test_teaching_sizes(model):
    with torch.device("meta"):
        assert n_parameters(model(TransformerConfig.preset("nano", vocab_size=500))) < 300_000
    small = GPT(TransformerConfig.preset("small", vocab_size=500))
    assert 9e6 < n_parameters(small) < 12e6


def test_a_preset_can_be_changed_and_says_what_it_needs():
    config = TransformerConfig.preset("gpt2", vocab_size=100, n_layers=1)
    assert (config.vocab_size, config.n_layers, config.d_model) == (100, 1, 768)
    with pytest.raises(ValueError, match=r'The preset "nano" needs a vocab_size\.'):
        TransformerConfig.preset("nano")
    with pytest.raises(ValueError, match=r"No preset called 'gpt3': give one of vaswani2017, gpt2,"):
        TransformerConfig.preset("gpt3")


def test_presets_are_the_published_configurations():
    """GPT-2's and BERT's as transformers has them by default; the others as they stand in the papers."""
    gpt2 = our_config("GPT2LMHeadModel", GPT2Config().to_dict())
    assert TransformerConfig.preset("gpt2", dropout=0.1) == gpt2
    for size, n_embd, n_layer, n_head in (("medium", 1024, 24, 16), ("large", 1280, 36, 20), ("xl", 1600, 48, 25)):
        published = GPT2Config(n_embd=n_embd, n_layer=n_layer, n_head=n_head).to_dict()
        assert TransformerConfig.preset(f"gpt2-{size}", dropout=0.1) == our_config("GPT2LMHeadModel", published)
    bert = our_config("BertModel", BertConfig().to_dict(), ["pooler.dense.weight"])
    assert TransformerConfig.preset("bert-base", dropout=0.1) == bert
    small = BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536).to_dict()
    minilm = our_config("BertModel", small, ["pooler.dense.weight"])
    assert TransformerConfig.preset("minilm", dropout=0.1) == minilm
    paper = TransformerConfig.preset("vaswani2017")
    assert (paper.norm_position, paper.activation, paper.positions, paper.dropout) == (
        "post",
        "relu",
        "sinusoidal",
        0.1,
    )
    assert paper.tie_embeddings and paper.scale_embeddings and paper.bias and paper.max_len == 512
    nano, small = (TransformerConfig.preset(name, vocab_size=9) for name in ("nano", "small"))
    assert (nano.max_len, small.max_len) == (64, 256) and nano.activation == small.activation == "gelu"
    assert (nano.n_heads, nano.n_layers, small.n_heads, small.n_layers) == (4, 2, 6, 6)


def test_what_is_not_said_is_as_in_2017_but_small():
    assert asdict(TransformerConfig(9)) == dict(
        vocab_size=9,
        d_model=64,
        n_heads=4,
        n_layers=2,
        d_ff=256,
        max_len=64,
        n_kv_heads=None,
        d_head=None,
        norm="layer",
        norm_position="pre",
        norm_eps=1e-5,
        activation="relu",
        positions="sinusoidal",
        rope_theta=10_000.0,
        bias=True,
        dropout=0.0,
        tie_embeddings=True,
        scale_embeddings=True,
        norm_embeddings=False,
        n_segments=0,
        pooler=False,
        masked_lm_head=False,
    )


def test_the_limits_themselves_are_in_order():
    TransformerConfig(1, d_model=2, n_heads=1, n_layers=1, d_ff=1, max_len=1, n_kv_heads=1, d_head=1, n_segments=0)
    TransformerConfig(9, d_model=15, n_heads=3, positions="none", dropout=0.0)
    TransformerConfig(9, d_model=15, n_heads=4, d_head=2, positions="rotary", dropout=0.999)
    TransformerConfig(9, d_model=18, n_heads=3, d_head=5)  # d_model counts for sinusoidal positions, not d_head
