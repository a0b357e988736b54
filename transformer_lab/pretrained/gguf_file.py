"""A model of the Llama family from a GGUF file, the format of llama.cpp: settings, vocabulary and quantised weights."""

import numpy as np
import tokenizers
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from torch import Tensor

from ..config import TransformerConfig
from ..data.tokenizers import Tokenizer
from ..models import GPT
from .conversion import Fields, build, our_name, require

# Their module -> ours; N is the number of the layer.
NAMES = {
    "token_embd": "embedding.tokens",
    "blk.N.attn_norm": "decoder.blocks.N.attention_residual.norm",
    "blk.N.attn_q": "decoder.blocks.N.attention.w_q",
    "blk.N.attn_k": "decoder.blocks.N.attention.w_k",
    "blk.N.attn_v": "decoder.blocks.N.attention.w_v",
    "blk.N.attn_output": "decoder.blocks.N.attention.w_o",
    "blk.N.ffn_norm": "decoder.blocks.N.feed_forward_residual.norm",
    "blk.N.ffn_gate": "decoder.blocks.N.feed_forward.w_gate",
    "blk.N.ffn_up": "decoder.blocks.N.feed_forward.w_1",
    "blk.N.ffn_down": "decoder.blocks.N.feed_forward.w_2",
    "output_norm": "decoder.norm",
    "output": "output",
}
CONTROL = 3  # llama.cpp's token type of special tokens
ROLES = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}


def read_gguf(path) -> tuple[GPT, Tokenizer]:
    """Read (model, tokenizer) from a GGUF file, with the weights dequantised to float32.

    Raises FileNotFoundError if there is no such file, ValueError if it is damaged or not supported.
    """
    try:
        reader = GGUFReader(path)
        fields = Fields({name: field.contents() for name, field in reader.fields.items()})
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        config = llama_config(fields, tied="output.weight" not in tensors)
        weights = {our_name(name, NAMES): to_torch(name, tensor, config) for name, tensor in tensors.items()}
        return build(GPT, config, weights), byte_pair_tokenizer(fields)
    except OSError:
        raise
    except Exception as error:  # the reader trusts its file, and may raise anything if that is damaged
        raise ValueError(f"{path} cannot be read as a model in GGUF: {error}") from error


def llama_config(fields: Fields, tied: bool) -> TransformerConfig:
    """Our configuration from the file's fields; tied: the output layer is the embedding."""
    require(fields, "general.architecture", "llama")
    require(fields, "llama.rope.scaling.type", "none")
    d_model, n_heads = fields["llama.embedding_length"], fields["llama.attention.head_count"]
    require(fields, "llama.rope.dimension_count", d_model // n_heads)
    return TransformerConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        d_model=d_model,
        n_heads=n_heads,
        n_kv_heads=fields["llama.attention.head_count_kv"],
        n_layers=fields["llama.block_count"],
        d_ff=fields["llama.feed_forward_length"],
        max_len=fields["llama.context_length"],
        norm="rms",
        norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        activation="swiglu",
        positions="rotary",
        rope_theta=fields["llama.rope.freq_base"],
        bias=False,
        tie_embeddings=tied,
        scale_embeddings=False,
    )


def to_torch(name: str, tensor, config: TransformerConfig) -> Tensor:
    """Dequantise to float32. llama.cpp rotates neighbouring features, we i and i + d_head / 2, so rows are permuted."""
    weight = torch.from_numpy(np.require(dequantize(tensor.data, tensor.tensor_type), requirements="W"))
    if name.endswith(("attn_q.weight", "attn_k.weight")):
        heads = weight.unflatten(0, (-1, config.head_width // 2, 2))  # (H, pairs, 2, D)
        weight = heads.transpose(1, 2).flatten(end_dim=2)
    return weight


def byte_pair_tokenizer(fields: dict) -> Tokenizer:
    """Byte-pair encoding (Sennrich et al. 2015, arXiv:1508.07909) of bytes, with the file's tokens and merges."""
    require(fields, "tokenizer.ggml.model", "gpt2")
    require({"tokenizer.ggml.pre": None, **fields}, "tokenizer.ggml.pre", "smollm")
    require(fields, "tokenizer.ggml.add_bos_token", False)
    vocabulary = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    ids = {token: i for i, token in enumerate(vocabulary)}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=ids, merges=merges))
    # What "smollm" means: every digit alone, then words with the space before them, as bytes.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = fields["tokenizer.ggml.token_type"]
    control = [token for token, kind in zip(vocabulary, kinds, strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    special_ids = {role: fields.get(f"tokenizer.ggml.{name}_token_id") for role, name in ROLES.items()}
    return Tokenizer(tokenizer, {role: vocabulary[i] for role, i in special_ids.items() if i is not None})
