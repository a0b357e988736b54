"""Convert Hugging Face models to ours, by translating the names of their weights and their configurations.

A family is a table of names and a function from their configuration to ours. The mathematics is the same, so nothing is
computed here, except for the layout of GPT-2: it stores its matrices transposed, and queries, keys and values in one.
"""

import re
from collections.abc import Callable, Container
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..config import TransformerConfig
from ..models import BERT, GPT
from .safetensors_file import check_shapes, check_sizes

M = TypeVar("M", bound=nn.Module)
# Their module -> ours; N is the number of the layer.
GPT2_NAMES = {
    "transformer.wte": "embedding.tokens",
    "transformer.wpe": "embedding.positions",
    "transformer.h.N.ln_1": "decoder.blocks.N.attention_residual.norm",
    "transformer.h.N.attn.q": "decoder.blocks.N.attention.w_q",
    "transformer.h.N.attn.k": "decoder.blocks.N.attention.w_k",
    "transformer.h.N.attn.v": "decoder.blocks.N.attention.w_v",
    "transformer.h.N.attn.c_proj": "decoder.blocks.N.attention.w_o",
    "transformer.h.N.ln_2": "decoder.blocks.N.feed_forward_residual.norm",
    "transformer.h.N.mlp.c_fc": "decoder.blocks.N.feed_forward.w_1",
    "transformer.h.N.mlp.c_proj": "decoder.blocks.N.feed_forward.w_2",
    "transformer.ln_f": "decoder.norm",
    "lm_head": "output",
}
LLAMA_NAMES = {
    "model.embed_tokens": "embedding.tokens",
    "model.layers.N.input_layernorm": "decoder.blocks.N.attention_residual.norm",
    "model.layers.N.self_attn.q_proj": "decoder.blocks.N.attention.w_q",
    "model.layers.N.self_attn.k_proj": "decoder.blocks.N.attention.w_k",
    "model.layers.N.self_attn.v_proj": "decoder.blocks.N.attention.w_v",
    "model.layers.N.self_attn.o_proj": "decoder.blocks.N.attention.w_o",
    "model.layers.N.post_attention_layernorm": "decoder.blocks.N.feed_forward_residual.norm",
    "model.layers.N.mlp.gate_proj": "decoder.blocks.N.feed_forward.w_gate",
    "model.layers.N.mlp.up_proj": "decoder.blocks.N.feed_forward.w_1",
    "model.layers.N.mlp.down_proj": "decoder.blocks.N.feed_forward.w_2",
    "model.norm": "decoder.norm",
    "lm_head": "output",
}
BERT_NAMES = {
    "embeddings.word_embeddings": "embedding.tokens",
    "embeddings.position_embeddings": "embedding.positions",
    "embeddings.token_type_embeddings": "embedding.segments",
    "embeddings.LayerNorm": "embedding.norm",
    "encoder.layer.N.attention.self.query": "encoder.blocks.N.attention.w_q",
    "encoder.layer.N.attention.self.key": "encoder.blocks.N.attention.w_k",
    "encoder.layer.N.attention.self.value": "encoder.blocks.N.attention.w_v",
    "encoder.layer.N.attention.output.dense": "encoder.blocks.N.attention.w_o",
    "encoder.layer.N.attention.output.LayerNorm": "encoder.blocks.N.attention_residual.norm",
    "encoder.layer.N.intermediate.dense": "encoder.blocks.N.feed_forward.w_1",
    "encoder.layer.N.output.dense": "encoder.blocks.N.feed_forward.w_2",
    "encoder.layer.N.output.LayerNorm": "encoder.blocks.N.feed_forward_residual.norm",
    "pooler.dense": "pooler",
    "cls.predictions.transform.dense": "masked_lm_head.dense",
    "cls.predictions.transform.LayerNorm": "masked_lm_head.norm",
    "cls.predictions": "masked_lm_head",
}
# Entries that are not weights of ours: the numbers 0, 1, 2 ..., and second names of tied weights.
NOT_OURS = {"embeddings.position_ids", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
# Those names, and the weights' first ones.
SECOND_NAMES = (
    ("lm_head.weight", "transformer.wte.weight"),
    ("lm_head.weight", "model.embed_tokens.weight"),
    ("cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
)
ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu", "relu": "relu"}


class Fields(dict):
    """The fields of a foreign configuration; a missing field raises ValueError."""

    def __missing__(self, name):
        raise ValueError(f"The configuration lacks {name}.")


def require(fields: dict, name: str, *supported):
    """Return the field's value, or the first supported one if it is absent; ValueError if it is not supported."""
    value = fields.get(name, supported[0])
    if value not in supported:
        wanted = " or ".join(repr(choice) for choice in supported)
        raise ValueError(f"{name}={value!r} is not supported: it must be {wanted}.")
    return value


def gpt2_config(fields: dict, weights: Container[str]) -> TransformerConfig:
    """Convert the fields of transformers' GPT2Config (Radford et al. 2019)."""
    require(fields, "scale_attn_weights", True)
    require(fields, "scale_attn_by_inverse_layer_idx", False)
    require(fields, "add_cross_attention", False)
    return TransformerConfig(
        vocab_size=fields["vocab_size"],
        d_model=fields["n_embd"],
        n_heads=fields["n_head"],
        n_layers=fields["n_layer"],
        d_ff=fields.get("n_inner") or 4 * fields["n_embd"],
        max_len=fields["n_positions"],
        norm_eps=fields["layer_norm_epsilon"],
        activation=ACTIVATIONS[require(fields, "activation_function", *ACTIVATIONS)],
        positions="learned",
        dropout=fields["resid_pdrop"],
        tie_embeddings=fields.get("tie_word_embeddings", True),
        scale_embeddings=False,
    )


def llama_config(fields: dict, weights: Container[str]) -> TransformerConfig:
    """Convert the fields of transformers' LlamaConfig (Touvron et al. 2023, arXiv:2302.13971)."""
    # transformers 5 keeps all of rotary's settings in rope_parameters; before, there were rope_scaling and rope_theta.
    rope = fields.get("rope_parameters") or fields.get("rope_scaling") or {}
    require({"rope_type": rope.get("type", "default"), **rope}, "rope_type", "default")
    require({**fields, **rope}, "partial_rotary_factor", 1.0, None)
    require(fields, "hidden_act", "silu", "swish")
    bias = fields.get("attention_bias", False)
    if fields.get("mlp_bias", False) != bias:
        raise ValueError(f"attention_bias={bias} with mlp_bias={not bias} is not supported: they must be the same.")
    d_model, n_heads = fields["hidden_size"], fields["num_attention_heads"]
    n_kv_heads, d_head = fields.get("num_key_value_heads"), fields.get("head_dim")
    return TransformerConfig(
        vocab_size=fields["vocab_size"],
        d_model=d_model,
        n_heads=n_heads,
        n_layers=fields["num_hidden_layers"],
        d_ff=fields["intermediate_size"],
        max_len=fields["max_position_embeddings"],
        n_kv_heads=None if n_kv_heads == n_heads else n_kv_heads,
        d_head=None if d_head and d_head * n_heads == d_model else d_head,
        norm="rms",
        norm_eps=fields["rms_norm_eps"],
        activation="swiglu",
        positions="rotary",
        rope_theta=rope.get("rope_theta", fields.get("rope_theta", 10_000.0)),
        bias=bias,
        tie_embeddings=fields.get("tie_word_embeddings", False),
        scale_embeddings=False,
    )


def bert_config(fields: dict, weights: Container[str]) -> TransformerConfig:
    """Convert the fields of transformers' BertConfig (Devlin et al. 2018); it has the heads that have weights."""
    masked_lm_head = "cls.predictions.bias" in weights
    require(fields, "is_decoder", False)
    require(fields, "add_cross_attention", False)
    require(fields, "position_embedding_type", "absolute")
    if masked_lm_head:
        require(fields, "tie_word_embeddings", True)
    return TransformerConfig(
        vocab_size=fields["vocab_size"],
        d_model=fields["hidden_size"],
        n_heads=fields["num_attention_heads"],
        n_layers=fields["num_hidden_layers"],
        d_ff=fields["intermediate_size"],
        max_len=fields["max_position_embeddings"],
        norm_position="post",
        norm_eps=fields["layer_norm_eps"],
        activation=ACTIVATIONS[require(fields, "hidden_act", *ACTIVATIONS)],
        positions="learned",
        dropout=fields["hidden_dropout_prob"],
        scale_embeddings=False,
        norm_embeddings=True,
        n_segments=fields["type_vocab_size"],
        pooler="pooler.dense.weight" in weights,
        masked_lm_head=masked_lm_head,
    )


# Their class -> our class, our configuration from theirs, our names from theirs.
Config = Callable[[dict, Container[str]], TransformerConfig]
FAMILIES: dict[str, tuple[type[GPT] | type[BERT], Config, dict[str, str]]] = {
    "GPT2LMHeadModel": (GPT, gpt2_config, GPT2_NAMES),
    "LlamaForCausalLM": (GPT, llama_config, LLAMA_NAMES),
    "BertModel": (BERT, bert_config, BERT_NAMES),
    "BertForMaskedLM": (BERT, bert_config, BERT_NAMES),
}


def our_config(architecture: str, fields: dict, weights: Container[str] = ()) -> TransformerConfig:
    """Convert a configuration of theirs to ours; ValueError names what ours cannot express."""
    require(fields, "quantization_config", None)
    try:
        return FAMILIES[architecture][1](Fields(fields), weights)
    except TypeError as error:  # a string where a number is expected ...
        raise ValueError(f"The configuration describes no model: {error}.") from error


def our_name(name: str, names: dict[str, str]) -> str:
    """model.layers.3.self_attn.q_proj.weight -> decoder.blocks.3.attention.w_q.weight; ValueError if it is unknown."""
    module, _, parameter = name.rpartition(".")
    layer = re.search(r"(?<=\.)\d+(?=\.)", module)
    pattern = re.sub(r"(?<=\.)\d+(?=\.)", "N", module)
    if pattern not in names or parameter not in ("weight", "bias"):
        raise ValueError(f"The weight {name!r} is not supported: our model has no place for it.")
    ours = names[pattern].replace("N", layer[0]) if layer else names[pattern]
    if ours.endswith("norm"):
        parameter = {"weight": "gamma", "bias": "beta"}[parameter]
    if ours.endswith("positions"):
        parameter = "table"
    return f"{ours}.{parameter}"


def our_weights(architecture: str, weights: dict[str, Tensor], tied: bool) -> dict[str, Tensor]:
    """Return the same tensors, or views of them, under our names; tied means that the output layer is the embedding."""
    if architecture == "GPT2LMHeadModel":
        weights = unpack_gpt2(weights)
    weights = {name.removeprefix("bert."): tensor for name, tensor in weights.items()}
    not_ours = NOT_OURS | ({"lm_head.weight"} if tied else set())
    names = FAMILIES[architecture][2]
    return {our_name(name, names): tensor for name, tensor in weights.items() if name not in not_ours}


def check_tied(weights: dict[str, Tensor], tied: bool) -> None:
    """Raise ValueError if a weight that should be another one's second name is a weight of its own."""
    for name, first_name in SECOND_NAMES:
        both = [weights[one] for one in (name, first_name) if one in weights and (tied or name != "lm_head.weight")]
        if len(both) == 2 and not is_same(*both):
            raise ValueError(f"{name} is not the same as {first_name}, although the configuration says so.")


def is_same(one: Tensor, other: Tensor) -> bool:
    """Are they one tensor, or two that are equal? NaN equals NaN here."""
    if one.data_ptr() == other.data_ptr():
        return True
    return one.shape == other.shape and bool(torch.isclose(one, other, rtol=0, atol=0, equal_nan=True).all())


def unpack_gpt2(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Transpose matrices to nn.Linear's layout (outputs, inputs), and split c_attn into queries, keys and values."""
    unpacked = {}
    for name, tensor in weights.items():
        if re.search(r"\.c_\w+\.weight$", name):
            tensor = tensor.T
        if ".c_attn." in name:
            if tensor.ndim == 0 or len(tensor) % 3:
                raise ValueError(f"The weight {name!r} holds no queries, keys and values: {tuple(tensor.shape)}.")
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                unpacked[name.replace("c_attn", letter)] = part
        else:
            unpacked[name] = tensor
    return unpacked


def build(make: Callable[[TransformerConfig], M], config: TransformerConfig, weights: dict[str, Tensor]) -> M:
    """Build our model from these weights, with their dtype and device, in eval mode; ValueError if they do not fit."""
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    check_sizes(config, shapes)
    with torch.device("meta"):  # no memory and no random numbers yet: every weight is about to be replaced
        model = make(config)
    check_shapes(model, shapes)
    model.load_state_dict(weights, assign=True)
    return model.eval()


def convert(architecture: str, fields: dict, weights: dict[str, Tensor]) -> GPT | BERT:
    """Make our model from the name of their class, their configuration as a plain dict, and their state dict.

    Raises ValueError for what ours cannot express, naming the field, its value and what is supported.
    """
    theirs = {name.removeprefix("bert."): tensor for name, tensor in weights.items()}
    config = our_config(architecture, fields, theirs)
    weights = our_weights(architecture, weights, config.tie_embeddings)
    # Copies: training one of the two models must not move the other.
    copies = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()}
    make: Callable[[TransformerConfig], GPT | BERT] = FAMILIES[architecture][0]
    ours = build(make, config, copies)
    check_tied(theirs, config.tie_embeddings)
    return ours
