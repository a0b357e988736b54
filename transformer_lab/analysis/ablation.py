"""Ablation: switch off heads, single attention weights or a kind of part in a trained model, to see what they do."""

import math
from contextlib import ExitStack, contextmanager
from functools import partial

import torch

from ..arguments import is_whole
from ..attention import explicit_attention, restrict, scaled_dot_product_attention, with_weights
from ..layers import FeedForward, LayerNorm, Residual, RMSNorm
from ..positions import NoPositions
from ..sentences import short_repr
from .access import KINDS, attention_modules, patched, stacks, uncompiled


@contextmanager
def ablate_heads(model, heads: list[tuple[int, int]], kind: str | None = None):
    """Set the output of these (layer, head) pairs, counted from 0, to zero within the block.

    kind is "encoder", "decoder" or "cross", for a model that has more than one. Raises ValueError for a head that does
    not exist.
    """
    layers = layers_of(model, kind)
    ablated: dict[int, list[int]] = {}
    for layer, head in whole_numbers("heads", heads, ("layer", "head")):
        check_head(layers, layer, head)
        ablated.setdefault(layer, []).append(head)

    def zero_heads(attention, heads):
        def hook(w_o, inputs):
            outputs = inputs[0].unflatten(-1, (attention.n_heads, attention.d_head))
            return outputs.index_fill(2, torch.tensor(heads, device=outputs.device), 0.0).flatten(start_dim=2)

        return hook

    with ExitStack() as hooks:
        hooks.enter_context(uncompiled())
        for layer, heads_of_layer in ablated.items():
            attention = layers[layer]
            handle = attention.w_o.register_forward_pre_hook(zero_heads(attention, heads_of_layer))
            hooks.callback(handle.remove)
        yield model


@contextmanager
def ablate_edges(model, edges: list[tuple[int, int, int, int]], kind: str | None = None):
    """Mask each (layer, head, query, key), counted from 0, within the block: the query cannot attend to that key.

    The mask acts before the softmax, so the query's other weights grow (Geva et al. 2023, arXiv:2304.14767, section 4).
    Use it for a text read in one pass, not for generation with a cache. Raises ValueError for a head, query or key
    that does not exist.
    """
    layers = layers_of(model, kind)
    masked: dict[int, list[tuple[int, int, int]]] = {}
    for layer, head, query, key in whole_numbers("edges", edges, ("layer", "head", "query", "key")):
        check_head(layers, layer, head)
        masked.setdefault(layer, []).append((head, query, key))

    def with_mask(attend, cells):
        attend = with_weights(attend)
        heads, queries, keys = zip(*cells, strict=True)

        def attention(q, k, v, mask=None):
            T, S = q.shape[2], k.shape[2]
            if not (0 <= min(queries) <= max(queries) < T and 0 <= min(keys) <= max(keys) < S):
                raise ValueError(f"An edge to mask lies outside the {T} queries and {S} keys: {short_repr(cells)}.")
            allowed = torch.ones(1, q.shape[1], T, S, dtype=torch.bool, device=q.device)
            allowed[0, heads, queries, keys] = False
            return attend(q, k, v, restrict(mask, allowed))

        return explicit_attention(attention)

    with patched((layers[i], "attend", with_mask(layers[i].attend, cells)) for i, cells in masked.items()):
        yield model


def layers_of(model, kind: str | None) -> list:
    """Return the attention modules of one kind; kind=None will do if the model has only one, else ValueError."""
    modules = attention_modules(model)
    if kind is None and len(modules) == 1:
        (kind,) = modules
    if kind not in modules:
        raise ValueError(f"kind must be one of {', '.join(modules)} for this model; got {short_repr(kind)}.")
    return modules[kind]


def whole_numbers(name: str, rows, columns: tuple[str, ...]) -> list[tuple]:
    """Return the rows as tuples; raise ValueError for one that is not a whole number for each column."""
    rows = list(rows)
    for row in rows:
        if not (isinstance(row, tuple | list) and len(row) == len(columns) and all(map(is_whole, row))):
            wanted = f"a list of whole numbers ({', '.join(columns)})"
            raise ValueError(f"{name} must be {wanted}; got {short_repr(row)} in it.")
    return [tuple(row) for row in rows]


def check_head(layers: list, layer: int, head: int) -> None:
    """Raise ValueError for a layer or head that the model does not have."""
    if not (0 <= layer < len(layers) and 0 <= head < layers[layer].n_heads):
        raise ValueError(
            f"No head {head} in layer {layer}: there are {len(layers)} layers of {layers[0].n_heads} heads, "
            "counted from 0."
        )


def no_scale(q, k, v, mask=None):
    """Attention without the division by sqrt(d_head): multiplying q by it cancels the division."""
    return scaled_dot_product_attention(q * math.sqrt(q.shape[-1]), k, v, mask)


def no_choice(q, k, v, mask=None):
    """Uniform attention: every score is 0, so every allowed key gets the same weight."""
    return scaled_dot_product_attention(torch.zeros_like(q), k, v, mask)


def first_head_only(q, k, v, mask=None):
    """Attention in which the output of every head but the first is zero."""
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    first_only = torch.cat((output[:, :1], torch.zeros_like(output[:, 1:])), dim=1)
    return first_only, weights


def _attention(attend, *kinds):
    attend = explicit_attention(attend)
    return lambda model: [(m, "attend", attend) for kind in kinds for m in attention_modules(model).get(kind, [])]


def _method(classes, name, function):
    return lambda model: [(m, name, partial(function, m)) for m in model.modules() if isinstance(m, classes)]


def _no_positions(model):
    methods = ("forward", "rotation", "bias")
    return [change for name in methods for change in _method(NoPositions, name, getattr(NoPositions, name))(model)]


def _no_causality(model):  # what the padding mask hides stays hidden
    return [(stack, "causal", False) for kind, stack in stacks(model).items() if kind == "decoder"]


def _no_skip(residual, x, sublayer):
    return sublayer(residual.norm(x)) if residual.norm_position == "pre" else residual.norm(sublayer(x))


# How to switch off each part: model -> [(module, attribute, replacement)].
PARTS = {
    "scale": _attention(no_scale, *KINDS),
    "choice": _attention(no_choice, *KINDS),
    "causal mask": _no_causality,
    "heads": _attention(first_head_only, *KINDS),
    "feed-forward": _method(FeedForward, "forward", lambda module, x: torch.zeros_like(x)),
    "residual": _method(Residual, "forward", _no_skip),
    "layer norm": _method((LayerNorm, RMSNorm), "forward", lambda module, x: x),
    "positions": _no_positions,
}


@contextmanager
def switch_off(model, part: str):
    """Run the model without one of its parts (a key of PARTS) within the block; ValueError for an unknown part."""
    if part not in PARTS:
        raise ValueError(f"No part called {short_repr(part)}: give one of {', '.join(PARTS)}.")
    with patched(PARTS[part](model)):
        yield model
