"""What is known of one kind of attention after a model has read a text."""

from typing import NamedTuple


class AttentionRecord(NamedTuple):
    """One kind of attention: weights (L, H, T, S), the tokens of its queries and keys, and what else is known of it.

    scores (L, H, T, S) are what the softmax was given, NaN in a layer whose attention does not tell; norms (L, H, S)
    say how long each key's value is; with n_kv_heads below H, groups of heads share a key and a value. queries and keys
    (L, H, T or S, d_head) are those whose products the scores are, None where that is not so in every layer.
    """

    weights: object
    query_tokens: list[str] | None = None
    key_tokens: list[str] | None = None
    scores: object = None
    norms: object = None
    n_kv_heads: int | None = None
    queries: object = None
    keys: object = None
