"""Why a rotary decoder trained on 32 tokens fails at 128: the same models, with fewer keys for each query.

The models of position_lengths that learnt the local task, asked at the last places of 128 tokens. A query reads

all keys      as the model does;
near          itself and the 31 tokens before it: as many keys as in training, at offsets known from training;
far           itself, the token before it and 30 that stand 32 tokens back or more: as many keys, at new offsets;
some near     itself, the token before it and 10 of the 30 before that: are the near ones that `far` leaves out missed?
two           itself and the token before it, nothing else.

    python experiments/position_window.py
"""

import torch

from position_lengths import LENGTHS, TRAINED, accuracy, train
from transformer_lab import replace_attention, scaled_dot_product_attention

SCHEMES, SEEDS = ("sinusoidal", "rotary"), (0, 1, 2, 3, 4)


def near(length: int) -> torch.Tensor:
    """(length, length): True where a query may read a key, at most TRAINED - 1 back."""
    offset = torch.arange(length)[:, None] - torch.arange(length)
    return (offset >= 0) & (offset < TRAINED)


def two(length: int) -> torch.Tensor:
    """(length, length): a query's own place and the one before it."""
    offset = torch.arange(length)[:, None] - torch.arange(length)
    return (offset == 0) | (offset == 1)


def some(length: int, offsets: torch.Tensor, n: int) -> torch.Tensor:
    """(length, length): a query's own place, the one before it, and n random ones where `offsets` is True."""
    order = torch.rand(length, length, generator=torch.Generator().manual_seed(0)).masked_fill(~offsets, 2.0)
    return two(length) | (order.argsort(dim=1).argsort(dim=1) < n) & offsets


def far(length: int) -> torch.Tensor:
    """(length, length): `two`, and TRAINED - 2 random ones TRAINED back or more."""
    offset = torch.arange(length)[:, None] - torch.arange(length)
    return some(length, offset >= TRAINED, TRAINED - 2)


def some_near(length: int) -> torch.Tensor:
    """(length, length): `two`, and 10 random ones less than TRAINED back."""
    return some(length, near(length) & ~two(length), 10)


def reading(model, allowed: torch.Tensor):
    """The model with each query reading the allowed keys only, as a context."""

    def attend(q, k, v, mask=None):
        return scaled_dot_product_attention(q, k, v, allowed)

    return replace_attention(model, attend)


def measure(scheme: str, seed: int, steps: int) -> dict[str, float]:
    """One model's accuracy at the trained length, and at the longest with all keys, and with few."""
    model, longest = train(scheme, "local", seed, steps), max(LENGTHS)
    found = {"trained length": accuracy(model, "local", TRAINED), "all keys": accuracy(model, "local", longest)}
    for name, keys in (("near", near), ("far", far), ("some near", some_near), ("two", two)):
        with reading(model, keys(longest)):
            found[name] = accuracy(model, "local", longest)
    return {name: round(share, 3) for name, share in found.items()}


def run(schemes=SCHEMES, seeds=SEEDS, steps=300) -> dict:
    """result[scheme]: one row for each seed."""
    return {scheme: [measure(scheme, seed, steps) for seed in seeds] for scheme in schemes}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
