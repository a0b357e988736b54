"""What each head of a model computed while it read a text: queries, keys, values, scores, weights."""

import math
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..analysis import attention_modules, patched
from ..attention import fused_attention, with_causality, written_out


class HeadsAtWork(NamedTuple):
    """One attention layer at one text of the batch, with a key and a value for every head even where heads share one.

    queries and keys are as the scores use them: turned by their positions if the model is rotary. scores are before the
    softmax, -inf where masked. written is the norm of what each key's value adds to the residual stream if it gets all
    the weight, |v W_O| (Kobayashi et al. 2020, arXiv:2004.10102).
    """

    queries: Float[Tensor, "H T d_head"]
    keys: Float[Tensor, "H S d_head"]
    weights: Float[Tensor, "H T S"]
    scores: Float[Tensor, "H T S"]
    written: Float[Tensor, "H S"]
    n_kv_heads: int


@contextmanager
def record_heads(model):
    """Within the block, heads["encoder" | "decoder" | "cross"][layer] is what the last forward pass computed.

    Of the batch's first text. Raises ValueError, in that pass, if an attention of the model gives no weights.
    """
    modules = attention_modules(model)
    heads = {kind: [None] * len(layers) for kind, layers in modules.items()}

    def recorder(module, kind, layer):
        attend = module.attend
        # The fused kernel never forms the weights, so recording computes the same attention step by step.
        attend = written_out() if attend is fused_attention else attend

        def recording(q, k, v, mask=None, causal=False):
            output, weights = attend(q, k, v, mask, causal)
            if weights is None:
                raise ValueError("This model's attention gives no weights: there is nothing to show.")
            n_kv_heads = k.shape[1]
            k, v = (one.repeat_interleave(q.shape[1] // n_kv_heads, dim=1)[0] for one in (k, v))
            scores = q[0] @ k.mT / math.sqrt(q.shape[-1])
            if causal:
                mask = with_causality(mask, *scores.shape[-2:], q.device)
            if mask is not None:
                mask = mask[0] if mask.ndim == 4 else mask
                scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
            # W_O's columns belong to the heads in turn: head h reads d_head of them.
            w_o = module.w_o.weight.unflatten(1, (len(k), -1)).transpose(0, 1)  # (H, D, d_head)
            written = (v @ w_o.mT).norm(dim=-1)
            heads[kind][layer] = HeadsAtWork(q[0], k, weights[0], scores, written, n_kv_heads)
            return output, weights

        return recording

    with patched(
        (module, "attend", recorder(module, kind, layer))
        for kind, layers in modules.items()
        for layer, module in enumerate(layers)
    ):
        yield heads
