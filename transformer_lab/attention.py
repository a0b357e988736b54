"""Attention: masks, the scaled dot product, and many heads of it side by side.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2 (arXiv:1706.03762).
Boolean masks are True where attention is allowed.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


def causal_mask(n_queries: int, n_keys: int | None = None, device=None) -> Bool[Tensor, "T S"]:
    """True where a query may look: at its own position and before; the last query meets the last key."""
    n_keys = n_queries if n_keys is None else n_keys
    allowed = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return allowed.tril(diagonal=n_keys - n_queries)


def scaled_dot_product_attention(
    q: Float[Tensor, "*batch T d_key"],
    k: Float[Tensor, "*batch S d_key"],
    v: Float[Tensor, "*batch S d_value"],
    mask: Bool[Tensor, "*#batch #T #S"] | None = None,
) -> tuple[Float[Tensor, "*batch T d_value"], Float[Tensor, "*batch T S"]]:
    """softmax(q k^T / sqrt(d_key)) v, and the weights; a row with every key masked gives zeros (2017, eq. 1)."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
        # Over an empty set of keys softmax is 0/0; masked_fill also stops the NaN in the backward pass.
        weights = weights.masked_fill(~mask.any(dim=-1, keepdim=True), 0.0)
    return weights @ v, weights


def fused_attention(q, k, v, mask=None) -> tuple[Tensor, None]:
    """The same output from torch's fused kernel, which never holds the weights in memory."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask), None


class MultiHeadAttention(nn.Module):
    """n_heads attentions of width d_model / n_heads, side by side (2017, section 3.2.2)."""

    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads; got d_model={d_model}, n_heads={n_heads}.")
        self.n_heads, self.d_head = n_heads, d_model // n_heads
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))
        # The one line a lesson or a recorder replaces: (q, k, v, mask) -> (output, weights or None).
        self.attend = fused_attention

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        memory: Float[Tensor, "B S D"] | None = None,
        mask: Bool[Tensor, "#B #H #T #S"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Queries come from x; keys and values from memory (cross-attention) or from x itself."""
        memory = x if memory is None else memory
        q, k, v = self.split(self.w_q(x)), self.split(self.w_k(memory)), self.split(self.w_v(memory))
        output, _ = self.attend(q, k, v, mask)
        return self.w_o(self.merge(output))

    def split(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B H T d_head"]:
        """Cut the features, not the sequence, into heads."""
        B, T, _ = x.shape
        return x.view(B, T, self.n_heads, self.d_head).transpose(1, 2)

    def merge(self, x: Float[Tensor, "B H T d_head"]) -> Float[Tensor, "B T D"]:
        """Put the heads' outputs side by side again: the inverse of split."""
        return x.transpose(1, 2).flatten(start_dim=2)
