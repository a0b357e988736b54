"""What a model's self-attention computes with, and what comes out: queries, keys and weights."""

import numpy as np
import torch
from torch import nn

from ..models import BERT, GPT, Transformer
from ..reading import evaluating
from .heads_at_work import record_heads


@torch.no_grad()
def queries_and_keys(model: nn.Module, tokenizer, text: str):
    """(weights (L, H, T, T), queries and keys (L, H, T, d_head), tokens, whether a query sees later keys).

    As the scores use them. Of a Transformer, its encoder's. Raises ValueError for another model, and for an empty text.
    """
    if not isinstance(model, (GPT, BERT, Transformer)):
        raise ValueError(f"model must be a GPT, BERT or Transformer of transformer_lab; got a {type(model).__name__}.")
    ids = tokenizer.encode(text)
    if not ids:
        raise ValueError("There is nothing to attend to: the text is empty.")
    ids_in = torch.tensor([ids], device=next(model.parameters()).device)
    with evaluating(model), record_heads(model) as heads:
        model.encode(ids_in) if isinstance(model, Transformer) else model(ids_in)
    layers = heads["decoder" if isinstance(model, GPT) else "encoder"]
    recorded = ((layer.weights, layer.queries, layer.keys) for layer in layers)
    arrays = (np.stack([one.double().cpu().numpy() for one in kind]) for kind in zip(*recorded, strict=True))
    return *arrays, tokenizer.tokens(ids), not isinstance(model, GPT)
