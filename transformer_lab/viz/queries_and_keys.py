"""What a model's self-attention computes with, and what comes out: queries, keys and weights."""

import numpy as np
import torch
from torch import nn

from ..analysis import attention_modules, patched
from ..attention import fused_attention, written_out
from ..models import BERT, GPT, Transformer
from ..reading import evaluating


@torch.no_grad()
def queries_and_keys(model: nn.Module, tokenizer, text: str):
    """(weights (L, H, T, T), queries and keys (L, H, T, d_head), tokens, whether a query sees later keys).

    As the scores use them: turned by their positions if the model is rotary, and a key for every head even where
    heads share one. Of a Transformer, its encoder's. Raises ValueError for another model, and for an empty text.
    """
    if not isinstance(model, (GPT, BERT, Transformer)):
        raise ValueError(f"model must be a GPT, BERT or Transformer of transformer_lab; got a {type(model).__name__}.")
    ids = tokenizer.encode(text)
    if not ids:
        raise ValueError("There is nothing to attend to: the text is empty.")
    modules = attention_modules(model)["decoder" if isinstance(model, GPT) else "encoder"]
    recorded = []

    def recorder(attend):
        attend = written_out() if attend is fused_attention else attend  # the fused kernel never forms the weights

        def recording(q, k, v, mask=None, causal=False):
            output, weights = attend(q, k, v, mask, causal)
            if weights is None:
                raise ValueError("This model's attention gives no weights: there is nothing to show.")
            recorded.append((weights[0], q[0], k[0].repeat_interleave(q.shape[1] // k.shape[1], dim=0)))
            return output, weights

        return recording

    ids_in = torch.tensor([ids], device=next(model.parameters()).device)
    with evaluating(model), patched((module, "attend", recorder(module.attend)) for module in modules):
        model.encode(ids_in) if isinstance(model, Transformer) else model(ids_in)
    arrays = (np.stack([one.double().cpu().numpy() for one in layers]) for layers in zip(*recorded, strict=True))
    return *arrays, tokenizer.tokens(ids), not isinstance(model, GPT)
