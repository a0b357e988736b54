"""A model's attention while it reads a text, ready to be drawn: a model of ours, or of Hugging Face's transformers."""

from contextlib import contextmanager

import torch
from torch import nn

from ..analysis import text_attention, translation_attention
from ..models import BERT, GPT, Transformer
from ..reading import evaluating


def model_attention(model: nn.Module, tokenizer, text: str, target: str | None = None) -> dict[str, tuple]:
    """Each kind of attention by name, as (attention (L, H, T, S), query tokens, key tokens).

    An encoder-decoder has "cross", "encoder" and "decoder": it translates the text, or reads the target that is given.
    Decoder rows are named by the token they write. Any other model has one kind, of the text to itself.
    Raises ValueError for an empty text, a target where none is read, and a model that gives no attention.
    """
    is_translator = isinstance(model, Transformer) or getattr(model.config, "is_encoder_decoder", False)
    if target is not None and not is_translator:
        raise ValueError(f"Only an encoder-decoder reads a target; got a {type(model).__name__}.")
    if isinstance(model, Transformer):
        kinds = ("cross", "encoder", "decoder")
        return {kind: translation_attention(model, tokenizer, text, kind, target=target) for kind in kinds}
    if isinstance(model, (GPT, BERT)):
        ids = tokenizer.encode(text)
        if not ids:
            raise ValueError("There is nothing to attend to: the text is empty.")
        return {"decoder" if isinstance(model, GPT) else "encoder": text_attention(model, tokenizer, ids)}
    return hf_attention(model, tokenizer, text, target)


@torch.no_grad()
def hf_attention(model: nn.Module, tokenizer, text: str, target: str | None) -> dict[str, tuple]:
    """The same of a model of transformers and its tokenizer."""
    inputs = tokenizer(text, return_tensors="pt").to(model.device)
    if inputs["input_ids"].shape[1] == 0:
        raise ValueError("There is nothing to attend to: the text is empty.")
    source = pieces(tokenizer, inputs["input_ids"][0])
    with evaluating_eagerly(model):
        if not model.config.is_encoder_decoder:
            attentions = model(**inputs, output_attentions=True).attentions
            return {"attention": (attentions, source, source)}
        ids = model.generate(**inputs) if target is None else target_ids(model, tokenizer, target)
        output = model(**inputs, decoder_input_ids=ids[:, :-1], output_attentions=True)
    read, written = pieces(tokenizer, ids[0, :-1]), pieces(tokenizer, ids[0, 1:])
    return {
        "cross": (output.cross_attentions, written, source),
        "encoder": (output.encoder_attentions, source, source),
        "decoder": (output.decoder_attentions, written, read),
    }


def target_ids(model: nn.Module, tokenizer, target: str) -> torch.Tensor:
    """The start token, and the target's ids behind it."""
    ids = tokenizer(text_target=target, return_tensors="pt")["input_ids"]
    start = torch.full((1, 1), model.config.decoder_start_token_id)
    return torch.cat((start, ids), dim=1).to(model.device)


def pieces(tokenizer, ids) -> list[str]:
    """Each token as the text it stands for: with its space, without a tokenizer's private signs for one."""
    return [tokenizer.decode([int(i)]) for i in ids]


@contextmanager
def evaluating_eagerly(model: nn.Module):
    """Within the block: eval mode, and attention computed step by step, for a fused kernel returns no weights."""
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with evaluating(model):
            yield
    finally:
        model.set_attn_implementation(implementation)
