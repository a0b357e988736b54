"""Scores for known types of heads: previous-token heads, first-token heads and induction heads."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..arguments import check_at_least, generator_from, is_whole
from ..sentences import short_repr


def repeated_tokens(vocab_size: int, period: int, n_rows: int = 8, seed: int = 0) -> Int[Tensor, "B T"]:
    """Rows of `period` random tokens, repeated once: only a model that looks back can predict the second half."""
    for name, value, least in (("vocab_size", vocab_size, 1), ("period", period, 1), ("n_rows", n_rows, 0)):
        check_at_least(name, value, least)
    once = torch.randint(vocab_size, (n_rows, period), generator=generator_from(seed), device="cpu")
    return torch.cat((once, once), dim=1)


def head_scores(
    attention: list[Float[Tensor, "B H T T"]], period: int | None = None
) -> dict[str, Float[Tensor, "L H"]]:
    """The weight, 0 to 1, that each head gives to a certain key, averaged over queries and batch.

    "previous token": the key just before the query. "first token": the first key, where idle heads look.
    "induction", for `repeated_tokens` of that period: the key after the previous occurrence of the query's token
    (Olsson et al. 2022, arXiv:2209.11895). Raises ValueError unless attention is a list of such weights with T >= 2.
    """
    shapes = [tuple(getattr(layer, "shape", ())) for layer in attention]
    if not shapes or any(len(shape) != 4 or 0 in shape or shape[2] != shape[3] or shape[2] < 2 for shape in shapes):
        raise ValueError(
            f"attention must be a list of weights (B, H, T, T), T at least 2; got the shapes {short_repr(shapes)}."
        )
    T = shapes[0][-1]
    if period is not None and not (is_whole(period) and 1 <= period < T):
        raise ValueError(f"period must be at least 1 and less than the {T} tokens; got {short_repr(period)}.")
    weights = torch.stack([layer.mean(dim=0) for layer in attention])  # (L, H, T, T)
    scores = {
        "previous token": weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1),
        "first token": weights[..., 1:, 0].mean(dim=-1),  # the first query has nowhere else to look
    }
    if period is not None:
        scores["induction"] = weights.diagonal(offset=1 - period, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)
    return scores
