"""The record of one kind of attention after a model has read a text."""

from typing import NamedTuple


class AttentionRecord(NamedTuple):
    """One kind of attention: the weights (L, H, T, S), the tokens of its queries and keys, and optional details.

    scores (L, H, T, S) are the inputs of the softmax, NaN in layers where they are unknown. value_norms (L, H, S) are
    the norms of the values. With n_kv_heads < H, groups of heads share a key and a value. queries and keys
    (L, H, T or S, d_head) are the vectors whose products are the scores, None unless that holds in every layer.
    """

    weights: object
    query_tokens: list[str] | None = None
    key_tokens: list[str] | None = None
    scores: object = None
    value_norms: object = None
    n_kv_heads: int | None = None
    queries: object = None
    keys: object = None
