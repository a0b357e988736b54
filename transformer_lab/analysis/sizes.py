"""Limits on how much attention can be kept and drawn, checked before it is computed."""

import math

MOST_WEIGHTS = 16_000_000  # in one layer: 32 MB to send; more would stall a browser
MOST_RECORDED = 300_000_000  # in all layers of a recorded model: 2.4 GB of memory with their scores


def check_layer(shape, advice: str = "leave out heads or tokens") -> None:
    """Raise ValueError if a layer of this shape (H, T, S) has more weights than can be drawn."""
    if (n_weights := math.prod(shape)) > MOST_WEIGHTS:
        raise ValueError(
            f"A layer of attention must hold at most {MOST_WEIGHTS:,} weights to be drawn; got {n_weights:,}: {advice}."
        )


def check_size(n_layers: int, n_heads: int, n_queries: int, n_keys: int) -> None:
    """Raise ValueError if a model's attention to a text would be too large to draw or keep."""
    check_layer((n_heads, n_queries, n_keys), "give a shorter text")
    if (n_weights := n_layers * n_heads * n_queries * n_keys) > MOST_RECORDED:
        raise ValueError(
            f"All {n_layers} layers of attention together must hold at most {MOST_RECORDED:,} weights; "
            f"got {n_weights:,}: give a shorter text."
        )


def check_ids(ids, vocab_size: int) -> None:
    """Raise ValueError if one of a text's ids is not in the model's vocabulary, as with another model's tokenizer."""
    for i in ids:
        if not 0 <= i < vocab_size:
            raise ValueError(
                f"The model knows the ids 0 to {vocab_size - 1}; the text has {i}: is it another's tokenizer?"
            )
