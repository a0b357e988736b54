"""Looking inside a model that is already there: recording its attention, replacing or switching off its parts."""

import math
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest import mock

import torch

from .attention import MultiHeadAttention, fused_attention, scaled_dot_product_attention
from .generation import translate_ids
from .layers import FeedForward, LayerNorm, Residual
from .positions import SinusoidalPositions


def attention_modules(model) -> dict[str, list[MultiHeadAttention]]:
    """The model's attentions by kind ("encoder", "decoder", "cross"), one for each layer."""
    return {
        "encoder": [block.attention for block in model.encoder],
        "decoder": [block.attention for block in model.decoder],
        "cross": [block.cross_attention for block in model.decoder],
    }


@contextmanager
def patched(changes):
    """Within the block, each (module, attribute, replacement) holds; afterwards all is as it was."""
    with ExitStack() as stack:
        for module, attribute, replacement in changes:
            stack.enter_context(mock.patch.object(module, attribute, replacement))
        yield


@contextmanager
def replace_attention(model, attend, kinds=("encoder", "decoder", "cross")):
    """Within the block, attentions of these kinds compute attend(q, k, v, mask) -> (output, weights or None)."""
    with patched((module, "attend", attend) for kind in kinds for module in attention_modules(model)[kind]):
        yield model


@contextmanager
def record_attention(model):
    """Within the block, maps["encoder" | "decoder" | "cross"][layer] is (B, H, T, S) of the last forward pass."""
    modules = attention_modules(model)
    maps = {kind: [None] * len(layers) for kind, layers in modules.items()}

    def recorder(attend, kind, layer):
        # The fused kernel never forms the weights, so recording computes the same attention step by step.
        attend = scaled_dot_product_attention if attend is fused_attention else attend

        def recording(q, k, v, mask=None):
            output, weights = attend(q, k, v, mask)
            maps[kind][layer] = weights.detach()
            return output, weights

        return recording

    with patched(
        (module, "attend", recorder(module.attend, kind, layer))
        for kind, layers in modules.items()
        for layer, module in enumerate(layers)
    ):
        yield maps


def translation_attention(model, tokenizer, text: str, kind: str = "cross"):
    """What the model attends to while it translates text: (attention (L, H, T, S), query tokens, key tokens).

    Decoder rows are named by the token they write (the row that reads [BOS] writes the first token).
    """
    ids = translate_ids(model, tokenizer, [text])
    source = tokenizer.batch([text])[0].to(ids.device)
    with record_attention(model) as maps, torch.no_grad():
        model(source, ids[:, :-1])
    source_tokens, target_tokens = tokenizer.tokens(source[0]), tokenizer.tokens(ids[0])
    query_tokens = source_tokens if kind == "encoder" else target_tokens[1:]
    key_tokens = target_tokens[:-1] if kind == "decoder" else source_tokens
    return torch.cat(maps[kind]).cpu(), query_tokens, key_tokens


def no_scale(q, k, v, mask=None):
    """Attention without the division by sqrt(d_head): q is multiplied by what the division takes away."""
    return scaled_dot_product_attention(q * math.sqrt(q.shape[-1]), k, v, mask)


def no_choice(q, k, v, mask=None):
    """Attention that cannot choose: every score is 0, so every allowed key gets the same weight."""
    return scaled_dot_product_attention(torch.zeros_like(q), k, v, mask)


def no_mask(q, k, v, mask=None):
    """Attention that ignores its mask."""
    return scaled_dot_product_attention(q, k, v)


def first_head_only(q, k, v, mask=None):
    """Attention in which every head but the first says nothing."""
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    silenced = torch.cat((output[:, :1], torch.zeros_like(output[:, 1:])), dim=1)
    return silenced, weights


def _attention(attend, *kinds):
    return lambda model: [(m, "attend", attend) for kind in kinds for m in attention_modules(model)[kind]]


def _forward(kind, function):
    return lambda model: [(m, "forward", partial(function, m)) for m in model.modules() if isinstance(m, kind)]


# What switching a part off changes: model -> [(module, attribute, replacement)].
PARTS = {
    "scale": _attention(no_scale, "encoder", "decoder", "cross"),
    "choice": _attention(no_choice, "encoder", "decoder", "cross"),
    "causal mask": _attention(no_mask, "decoder"),
    "heads": _attention(first_head_only, "encoder", "decoder", "cross"),
    "feed-forward": _forward(FeedForward, lambda module, x: torch.zeros_like(x)),
    "residual": _forward(Residual, lambda module, x, sublayer: module.norm(sublayer(x))),
    "layer norm": _forward(LayerNorm, lambda module, x: x),
    "positions": _forward(SinusoidalPositions, lambda module, x: x),
}


@contextmanager
def switch_off(model, part: str):
    """Within the block, the trained model runs without one of its parts (a name in PARTS); raises ValueError."""
    if part not in PARTS:
        raise ValueError(f"No part called {part!r}: give one of {', '.join(PARTS)}.")
    with patched(PARTS[part](model)):
        yield model
