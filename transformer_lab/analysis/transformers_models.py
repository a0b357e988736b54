"""The attention of a Hugging Face transformers model while it reads a text."""

from contextlib import contextmanager
from typing import Any

import torch

from ..models import evaluating
from .access import uncompiled
from .attention_record import AttentionRecord
from .sizes import check_size


@torch.no_grad()
def hf_attention(model: Any, tokenizer, text: str, target: str | None) -> dict[str, AttentionRecord]:
    """Return each kind of attention by name, for a transformers model and its tokenizer, as `read_attention` does."""
    if not callable(tokenizer):
        raise ValueError(f"A {type(model).__name__} needs its own tokenizer; got a {type(tokenizer).__name__}.")
    inputs = tokenizer(text, return_tensors="pt").to(model.device)
    S, sizes = inputs["input_ids"].shape[1], model.config.get_text_config()
    if S == 0:
        raise ValueError("There is nothing to attend to: the text is empty.")
    check_size(sizes.num_hidden_layers, sizes.num_attention_heads, S, S)
    source = pieces(tokenizer, inputs["input_ids"][0])
    shared = getattr(model.config, "num_key_value_heads", None)
    with uncompiled(), evaluating_eagerly(model):
        if not model.config.is_encoder_decoder:
            attentions = model(**inputs, output_attentions=True).attentions
            return {"attention": AttentionRecord(attentions, source, source, n_kv_heads=shared)}
        ids = model.generate(**inputs) if target is None else target_ids(model, tokenizer, target)
        T = ids.shape[1] - 1
        check_size(sizes.num_hidden_layers, sizes.num_attention_heads, T, max(T, S))
        output = model(**inputs, decoder_input_ids=ids[:, :-1], output_attentions=True)
    reads, writes = pieces(tokenizer, ids[0, :-1]), pieces(tokenizer, ids[0, 1:])
    return {
        "cross": AttentionRecord(output.cross_attentions, writes, source),
        "encoder": AttentionRecord(output.encoder_attentions, source, source),
        "decoder": AttentionRecord(output.decoder_attentions, writes, reads),
    }


def target_ids(model: Any, tokenizer, target: str) -> torch.Tensor:
    """Encode the target, with the decoder's start token in front."""
    ids = tokenizer(text_target=target, return_tensors="pt")["input_ids"]
    start = torch.full((1, 1), model.config.decoder_start_token_id)
    return torch.cat((start, ids), dim=1).to(model.device)


def pieces(tokenizer, ids) -> list[str]:
    """Decode each id on its own, so that a space is a space and not the tokenizer's marker for one."""
    return [tokenizer.decode([int(i)]) for i in ids]


@contextmanager
def evaluating_eagerly(model: Any):
    """Put the model in eval mode with eager attention within the block: fused kernels return no weights."""
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with evaluating(model):
            yield
    finally:
        model.set_attn_implementation(implementation)
