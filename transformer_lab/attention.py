"""Scaled dot-product attention, multi-head attention, and the masks, kernels and cache they use.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2 (arXiv:1706.03762).
A boolean mask is True where attention is allowed; a float mask is added to the scores.
"""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from .arguments import check_at_least
from .positions import rotate


def scaled_dot_product_attention(
    q: Float[Tensor, "*batch T d_key"],
    k: Float[Tensor, "*batch S d_key"],
    v: Float[Tensor, "*batch S d_value"],
    mask: Shaped[Tensor, "*#batch #T #S"] | None = None,
) -> tuple[Float[Tensor, "*batch T d_value"], Float[Tensor, "*batch T S"]]:
    """Return softmax(q k^T / sqrt(d_key)) v and the weights (2017, eq. 1); rows with every key masked are zero."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        allowed, bias = split_mask(mask)
        scores = scores if bias is None else scores + bias.to(scores.dtype)
        weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        # Over an empty set of keys softmax is 0/0; masked_fill also stops the NaN in the backward pass.
        weights = weights.masked_fill(~allowed.any(dim=-1, keepdim=True), 0.0)
    return weights @ v, weights


class MultiHeadAttention(nn.Module):
    """n_heads attention heads of width d_head, computed in parallel (2017, section 3.2.2).

    With n_kv_heads < n_heads, groups of heads share one key and one value (Ainslie et al. 2023, arXiv:2305.13245).
    By default it runs torch's fused kernel; explicit_attention puts scaled_dot_product_attention in its place.
    Raises ValueError unless n_heads divides d_model (if d_head is not given) and n_kv_heads divides n_heads.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        n_kv_heads: int | None = None,
        d_head: int | None = None,
        bias: bool = True,
    ):
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        for name, value in {"d_model": d_model, "n_heads": n_heads, "n_kv_heads": n_kv_heads}.items():
            check_at_least(name, value, 1)
        if d_head is not None:
            check_at_least("d_head", d_head, 1)
        if d_head is None and d_model % n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads; got d_model={d_model}, n_heads={n_heads}.")
        if n_heads % n_kv_heads:
            raise ValueError(
                f"n_heads must be a multiple of n_kv_heads; got n_heads={n_heads}, n_kv_heads={n_kv_heads}."
            )
        self.n_heads, self.n_kv_heads, self.d_head = n_heads, n_kv_heads, d_head or d_model // n_heads
        self.w_q = nn.Linear(d_model, n_heads * self.d_head, bias)
        self.w_k = nn.Linear(d_model, n_kv_heads * self.d_head, bias)
        self.w_v = nn.Linear(d_model, n_kv_heads * self.d_head, bias)
        self.w_o = nn.Linear(n_heads * self.d_head, d_model, bias)
        # (q, k, v, mask, is_causal) -> (output, weights or None). It is replaced to inspect the weights.
        self.attend = fused_attention

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        memory: Float[Tensor, "B S D"] | None = None,
        mask: Shaped[Tensor, "*#batch #T #S"] | None = None,
        causal: bool = False,
        rotation: tuple[Tensor, Tensor] | None = None,
        cache: "KVCache | None" = None,
    ) -> Float[Tensor, "B T D"]:
        """Attend from x to memory (cross-attention) or, without memory, to x itself.

        causal hides the future in addition to what the mask hides. rotation rotates queries and keys by their
        positions (rotary). cache holds earlier keys and values: those of x are appended to it; those of memory,
        which never changes, are computed once.
        """
        q = self.split(self.w_q(x))
        if memory is not None and cache is not None and len(cache):
            k, v = cache.keys, cache.values
        else:
            source = x if memory is None else memory
            k, v = self.split(self.w_k(source)), self.split(self.w_v(source))
            if rotation is not None:
                q, k = rotate(q, *rotation), rotate(k, *rotation)
            if cache is not None:
                k, v = cache.extend(k, v)
        mask, is_causal = with_causality(mask, causal, q.shape[2], k.shape[2], q.device)
        output, _ = self.attend(q, k, v, mask, is_causal)
        return self.w_o(self.merge(output))

    def split(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B H T d_head"]:
        """Split the features, not the sequence, into heads."""
        B, T, _ = x.shape
        return x.view(B, T, -1, self.d_head).transpose(1, 2)

    def merge(self, x: Float[Tensor, "B H T d_head"]) -> Float[Tensor, "B T D"]:
        """Concatenate the heads' outputs: the inverse of split."""
        return x.transpose(1, 2).flatten(start_dim=2)


# Masks


def causal_mask(n_queries: int, n_keys: int | None = None, device=None) -> Bool[Tensor, "T S"]:
    """Return a mask that lets each query see its own position and those before; last query and last key align."""
    n_keys = n_queries if n_keys is None else n_keys
    for name, value in {"n_queries": n_queries, "n_keys": n_keys}.items():
        check_at_least(name, value, 0)
    allowed = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return allowed.tril(diagonal=n_keys - n_queries)


def check_mask(mask: Tensor | None) -> None:
    """Raise ValueError for what is no tensor, and for integers: 0 and 1, added to the scores, would hide nothing."""
    if mask is not None and not isinstance(mask, Tensor):
        raise ValueError(f"The mask must be a tensor; got {type(mask).__name__}: torch.tensor(mask).")
    if mask is not None and mask.dtype != torch.bool and not mask.is_floating_point():
        raise ValueError(
            f"The mask must hold booleans, True where attention is allowed, or floats, which are added to the scores; "
            f"got {mask.dtype}: mask.bool()."
        )


def split_mask(
    mask: Shaped[Tensor, "*batch T S"],
) -> tuple[Bool[Tensor, "*batch T S"], Float[Tensor, "*batch T S"] | None]:
    """Return where the mask allows attention, and the bias it adds to the scores (None for a boolean mask)."""
    check_mask(mask)
    # Not >, which would take NaN for a hidden key; this way it shows in the output.
    return (mask, None) if mask.dtype == torch.bool else (mask != -torch.inf, mask)


def restrict(
    mask: Shaped[Tensor, "*#batch #T #S"] | None, allowed: Bool[Tensor, "*#batch #T #S"] | None
) -> Shaped[Tensor, "*batch T S"] | None:
    """Return the mask restricted to where `allowed` is True; None, for either, restricts nothing."""
    if mask is None or allowed is None:
        return allowed if mask is None else mask
    already_allowed, bias = split_mask(mask)
    allowed = already_allowed & allowed
    return allowed if bias is None else bias.masked_fill(~allowed, -torch.inf)


def with_causality(
    mask: Shaped[Tensor, "*#batch #T #S"] | None, causal: bool, T: int, S: int, device=None
) -> tuple[Shaped[Tensor, "*batch T S"] | None, bool]:
    """Return (mask, is_causal) for `attend`, which hide what the mask hides and, if causal, the future.

    At most one of the two is set. Without a mask, is_causal stays a flag, for which torch has a fast kernel. With a
    mask, or with cached keys, causality becomes part of the mask: torch's is_causal aligns the first query with the
    first key, not the last with the last.
    """
    if not causal or T == 1:  # the last query sees every key
        return mask, False
    if mask is None and T == S:
        return None, True
    return restrict(mask, causal_mask(T, S, device)), False


# Two implementations


def fused_attention(q, k, v, mask=None, is_causal=False) -> tuple[Tensor, None]:
    """Compute scaled_dot_product_attention with torch's fused kernel, which never holds the weights in memory.

    k and v may have fewer heads than q; each of them then serves a group of query heads.
    """
    check_mask(mask)
    kernel = partial(F.scaled_dot_product_attention, is_causal=is_causal, enable_gqa=q.shape[1] != k.shape[1])
    if mask is None:
        return kernel(q, k, v), None
    allowed, bias = split_mask(mask)
    mask = mask if bias is None else bias.to(q.dtype)
    blind = ~allowed.any(dim=-1, keepdim=True)
    # Usually there is none; but a GPU would have to be waited for, and a compiled program could not ask.
    if blind.device.type == "cpu" and not torch.compiler.is_compiling() and not blind.any():
        return kernel(q, k, v, mask), None
    # What kernels make of a row with every key masked differs with device and dtype (on CUDA in 16 bits, the mean of
    # the values). Such a row gets every key here, and is set to zero afterwards.
    opened = mask | blind if mask.dtype == torch.bool else mask.masked_fill(blind, 0.0)
    return kernel(q, k, v, opened).masked_fill(blind, 0.0), None


def explicit_attention(attend=scaled_dot_product_attention):
    """Wrap attend(q, k, v, mask) -> (output, weights) so that it can replace fused_attention.

    Use it to inspect or change how the weights are computed: attend gets a key and a value for every head, and a
    single mask that includes causality.
    """

    def attention(q, k, v, mask=None, is_causal=False):
        group = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        return attend(q, k, v, causal_mask(q.shape[2], device=q.device) if is_causal else mask)

    return attention


def with_weights(attend):
    """Return explicit attention in place of fused attention; any other function is returned unchanged."""
    return explicit_attention() if attend is fused_attention else attend


# The cache for generation


class KVCache:
    """The keys and values that one attention layer has already computed, each (B, n_kv_heads, S, d_head)."""

    keys: Any = None  # tensors, or both None while the cache is empty
    values: Any = None

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[2]

    def extend(self, keys: Float[Tensor, "B H T d_head"], values: Float[Tensor, "B H T d_head"]):
        """Append the new tokens' keys and values; return all of them."""
        if self.keys is not None:
            keys, values = torch.cat((self.keys, keys), dim=2), torch.cat((self.values, values), dim=2)
        self.keys, self.values = keys, values
        return keys, values

    def select(self, rows) -> None:
        """Keep these rows of the batch, in this order, as beam search does at each step."""
        if self.keys is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]
