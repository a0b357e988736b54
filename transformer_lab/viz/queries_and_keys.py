"""What a model's self-attention computes with, and what comes out: queries, keys and weights."""

import numpy as np
import torch
from torch import nn

from ..models import GPT, Transformer, evaluating
from .heads_at_work import record_heads
from .inputs import as_weights


@torch.no_grad()
def queries_and_keys(model: nn.Module, ids: torch.Tensor):
    """(weights (L, H, T, T), queries and keys (L, H, T, d_head), whether a query sees later keys) of ids (1, T).

    As the scores use them. Of a Transformer, its encoder's. ValueError where weights do not come from queries and keys.
    """
    with evaluating(model), record_heads(model) as heads:
        model.encode(ids) if isinstance(model, Transformer) else model(ids)
    layers = heads["decoder" if isinstance(model, GPT) else "encoder"]
    weights = as_weights(stacked(layer.weights for layer in layers))
    if any(layer.queries is None for layer in layers):
        raise ValueError(
            "The weights of this attention are not the softmax of its queries and keys (a part is switched off, or "
            "replaced): there are no products to show."
        )
    queries, keys = (stacked(getattr(layer, name) for layer in layers) for name in ("queries", "keys"))
    sees_later = not isinstance(model, GPT) or bool(np.triu(weights, k=1).any())
    return weights, queries, keys, sees_later


def stacked(layers) -> np.ndarray:
    """One array, in 64 bits. First to the CPU: a device may have no such numbers."""
    return np.stack([layer.cpu().double().numpy() for layer in layers])
