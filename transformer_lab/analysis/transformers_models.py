"""The attention of a Hugging Face transformers model while it reads a text, an image or sound."""

import inspect
import re
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..arguments import check_text
from ..data.token_labels import indices, labels_of
from ..data.tokenizers import ids_without_tokenizer
from ..models import evaluating
from ..sentences import kind_of, listed, short_repr
from .access import uncompiled
from .attention_record import AttentionRecord
from .sizes import check_ids, check_size

# What a model may read, and its axes without the batch.
AXES = {
    "input_ids": "tokens",
    "pixel_values": "channels, height, width",
    "input_features": "mel bands, frames",
}


@torch.no_grad()
def hf_attention(model: Any, tokenizer, text, target) -> dict[str, AttentionRecord]:
    """Return each kind of attention by name, for a transformers model and its tokenizer, as `read_attention` does."""
    inputs = model_inputs(model, tokenizer, text)
    if "input_ids" in inputs:
        check_row(model, inputs["input_ids"][0].tolist())
    with uncompiled(), evaluating_eagerly(model):
        if model.config.is_encoder_decoder:
            return translated(model, tokenizer, inputs, target)
        attentions = by_layer(model, run(model, inputs).get("attentions"))
    source = source_labels(model, tokenizer, inputs, attentions)
    shared = getattr(model.config, "num_key_value_heads", None)
    return {"attention": AttentionRecord(attentions, source, source, n_kv_heads=shared)}


def translated(model: Any, tokenizer, inputs: dict[str, Tensor], target) -> dict[str, AttentionRecord]:
    """Return the three kinds of attention of an encoder-decoder that reads the target, or writes without one."""
    if target is not None:
        ids = target_ids(model, tokenizer, target)
    elif hasattr(model, "generate"):
        ids = model.generate(**inputs)
    else:
        raise ValueError(f"A {type(model).__name__} cannot write by itself: give the target that its decoder reads.")
    if ids.shape[1] < 2:
        raise ValueError(f"The {type(model).__name__} wrote nothing: give the target that its decoder reads.")
    check_row(model, ids[0, :-1].tolist(), inputs["input_ids"].shape[1] if "input_ids" in inputs else 0)
    output = run(model, {**inputs, "decoder_input_ids": ids[:, :-1]})
    kinds = {kind: layers_of(model, output.get(f"{kind}_attentions")) for kind in ("cross", "encoder", "decoder")}
    source = source_labels(model, tokenizer, inputs, kinds["encoder"])
    reads, writes = labels_of(tokenizer, ids[0, :-1]), labels_of(tokenizer, ids[0, 1:])
    labels = {"cross": (writes, source), "encoder": (source, source), "decoder": (writes, reads)}
    return {kind: AttentionRecord(layers, *labels[kind]) for kind, layers in kinds.items()}


def model_inputs(model: Any, tokenizer, text) -> dict[str, Tensor]:
    """Return the inputs of a model, by name and on its device, with a batch of one; ValueError if they do not fit.

    text is a text, for a model with a tokenizer, or the model's main input, or a dict of all its inputs.
    """
    name, kind = model.main_input_name, type(model).__name__
    if isinstance(text, str) and name != "input_ids":
        raise ValueError(f"A {kind} reads {name}, not a text: give from_model(model, None, {name}).")
    if (
        isinstance(text, str)
        or tokenizer is not None
        and name == "input_ids"
        and not isinstance(text, Mapping | Tensor)
    ):
        if tokenizer is None:
            raise ValueError(f"A {kind} reads a text only with its tokenizer: give from_model(model, tokenizer, text).")
        if not callable(tokenizer):
            raise ValueError(f"A {kind} needs its own tokenizer; got {kind_of(tokenizer)}.")
        accepted = inspect.signature(model.forward).parameters
        given = tokenizer(checked_text(text), return_tensors="pt").items()
        inputs = {key: one for key, one in given if key in accepted or name not in accepted}
    elif isinstance(text, Mapping):
        inputs = {key: one for key, one in text.items() if isinstance(one, Tensor)}
    else:
        inputs = {name: torch.tensor([ids_without_tokenizer(text)]) if name == "input_ids" else as_tensor(name, text)}
    if name not in inputs:
        raise ValueError(f"A {kind} reads {name}; got {', '.join(inputs) or 'nothing'}.")
    return {key: one.to(model.device) for key, one in {**inputs, name: one_of(name, inputs[name])}.items()}


def as_tensor(name: str, values) -> Tensor:
    """Convert a model's main input to a tensor; ValueError if it is none, as an image before its processor."""
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        wanted = "a tensor, as the model's processor returns it"
        raise ValueError(f"{name} must be {wanted}; got {kind_of(values)}.") from None


def one_of(name: str, values: Tensor) -> Tensor:
    """Return a model's main input with a batch axis; ValueError unless it is a single text, image or sound."""
    axes = AXES.get(name, "")
    n_axes = axes.count(",") + 2 if axes else values.ndim
    values = values[None] if values.ndim == n_axes - 1 else values
    if values.ndim < n_axes or len(values) != 1:
        raise ValueError(
            f"{name} must have the shape (1, {axes or '...'}), of one at a time; got {tuple(values.shape)}."
        )
    if values.numel() == 0:
        raise ValueError("There is nothing to attend to: the text is empty.")
    return values


def check_row(model: Any, ids: list[int], n_keys: int = 0) -> None:
    """Raise ValueError if the model cannot read a row of ids, or if its attention would be too large."""
    sizes, n = model.config.get_text_config(), len(ids)
    n_heads = getattr(sizes, "num_attention_heads", None)
    if isinstance(n_heads, int):
        check_size(sizes.num_hidden_layers, n_heads, n, max(n, n_keys))
    longest = getattr(sizes, "max_position_embeddings", None) or n
    if n > longest > 0:
        raise too_long(model, n, str(longest))
    check_ids(ids, getattr(sizes, "vocab_size", None) or max(ids) + 1)


def too_long(model: Any, n: int, holds: str) -> ValueError:
    return ValueError(f"The context of this {type(model).__name__} holds {holds} tokens; got {n}: give a shorter text.")


def run(model: Any, inputs: dict[str, Tensor]) -> Any:
    """Return the model's output with its attention; ValueError if it has too few positions, or lacks an input."""
    try:
        return model(**inputs, output_attentions=True)
    except (torch.OutOfMemoryError, ValueError):
        raise
    except Exception as error:
        lengths = [one.shape[1] for name, one in inputs.items() if name.endswith("input_ids")]
        # Of a table of positions, for all ids are known to be in the vocabulary.
        if lengths and re.search("index.* out of (range|bounds)", str(error)):
            raise too_long(model, max(lengths), "fewer") from error
        raise ValueError(
            f"This {type(model).__name__} could not read its {listed(inputs, 'and')} ({first_line(error)}): give a "
            "dict of all its inputs, as its processor returns them."
        ) from error


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def layers_of(model: Any, attentions) -> tuple[Tensor | None, ...]:
    """Return the attention (1, H, T, S) of each layer, None of those without; ValueError if none has any."""
    if attentions is None or all(layer is None for layer in attentions):
        raise ValueError(f"A {type(model).__name__} gives no attention weights: there is nothing to show.")
    shapes = sorted({tuple(layer.shape) for layer in attentions if layer is not None})
    if hasattr(model.config, "attention_window") or len(shapes) > 1 or shapes[0][0] != 1:
        raise ValueError(
            f"A {type(model).__name__} computes attention in windows, of the shape {shapes[0]}; only attention among "
            "all tokens, (1, heads, queries, keys), can be shown."
        )
    return tuple(attentions)


def by_layer(model: Any, attentions) -> tuple[Tensor, ...]:
    """Return self-attention (1, H, T, T) of all layers; a layer that has none, as most of a Jamba's, is all zeros."""
    found = layers_of(model, attentions)
    n_layers = max(len(found), getattr(model.config.get_text_config(), "num_hidden_layers", 0))
    places = list(range(n_layers)) if len(found) == n_layers else attending_layers(model)
    if len(places) != len(found):
        raise ValueError(
            f"A {type(model).__name__} gives the attention of {len(found)} of its {n_layers} layers, not saying which: "
            "give AttentionView its attentions."
        )
    layers = dict(zip(places, found, strict=True))
    blank = torch.zeros_like(next(layer for layer in found if layer is not None))
    every_layer = (layers.get(i) for i in range(n_layers))
    return tuple(blank if layer is None else layer for layer in every_layer)


def attending_layers(model: Any) -> list[int]:
    """Return the indices of the layers with attention among all tokens, as their modules know them."""
    modules = [module for module in model.modules() if "Attention" in type(module).__name__]
    return sorted({int(one.layer_idx) for one in modules if getattr(one, "layer_idx", None) is not None})


def source_labels(model: Any, tokenizer, inputs: dict[str, Tensor], attentions) -> list[str]:
    """Label what a model reads: tokens, patches of an image, or else indices."""
    if "input_ids" in inputs and "pixel_values" not in inputs:
        return labels_of(tokenizer, inputs["input_ids"][0])
    n = attentions[0].shape[-1]
    return patch_labels(model, inputs["pixel_values"], n) if "pixel_values" in inputs else indices(n)


def patch_labels(model: Any, pixels: Tensor, n: int) -> list[str]:
    """Label n tokens of an image: [CLS], if there is one, and patch 0 ... row by row; indices if there are others."""
    size = getattr(model.config, "patch_size", None)
    height, width = size if isinstance(size, list | tuple) else (size or 1, size or 1)
    n_patches = (pixels.shape[-2] // height) * (pixels.shape[-1] // width)
    if n - n_patches not in (0, 1):
        return indices(n)
    return ["[CLS]"] * (n - n_patches) + [f"patch {i}" for i in range(n_patches)]


def target_ids(model: Any, tokenizer, target) -> Tensor:
    """Encode the target, ids if there is no tokenizer, with the decoder's start token in front (T5's is its padding).

    Raises ValueError if the model's config says neither.
    """
    if callable(tokenizer):
        ids = tokenizer(text_target=target, return_tensors="pt")["input_ids"][0].tolist()
    else:
        ids = ids_without_tokenizer(target)
    starts = (getattr(model.config, name, None) for name in ("decoder_start_token_id", "pad_token_id"))
    start = next((one for one in starts if one is not None), None)
    if start is None:
        raise ValueError(f"The config of this {type(model).__name__} must have a decoder_start_token_id; got None.")
    return torch.tensor([[start, *ids]], device=model.device)


def checked_text(text, name: str = "text") -> str:
    """Return the text; ValueError, which names the argument, unless it is a string of whole characters."""
    if not isinstance(text, str):
        advice = " One text at a time." if isinstance(text, (list, tuple)) else ""
        raise ValueError(f"{name} must be a string; got {short_repr(text)}.{advice}")
    check_text(text)
    return text


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
