"""Lesson 04: why sixteen heads of width 1 fail at the task of two_signs.py, and what a split without transpose does.

Controls of the explanation "queries and keys of width 1 can favour only two keys": wider queries and keys alone, wider
values alone, twice the steps. Then two heads whose layer splits and merges by `view` alone.
"""

import torch
from torch import nn

from recording import record
from transformer_lab import MultiHeadAttention, scaled_dot_product_attention
from two_signs import STEPS, WIDTH, T, examples, fit

SEEDS = 5
WIDTHS = ((1, 1), (2, 1), (1, 2), (8, 1), (1, 8))  # of queries and keys; of values


class Heads(MultiHeadAttention):
    """Heads whose values may have another width than their queries and keys."""

    def __init__(self, n_heads: int, d_key: int, d_value: int):
        super().__init__(WIDTH + T, n_heads, d_head=d_key)
        if d_value != d_key:
            self.w_v = nn.Linear(WIDTH + T, n_heads * d_value)
            self.w_o = nn.Linear(n_heads * d_value, WIDTH + T)

    def split(self, x):
        return x.view(*x.shape[:2], self.n_heads, -1).transpose(1, 2)


class ViewedHeads(Heads):
    """The mistake: a view straight to the heads, and straight back, without a transpose."""

    def split(self, x):
        return x.view(len(x), self.n_heads, x.shape[1], -1)

    def merge(self, x):
        return x.reshape(len(x), x.shape[2], -1)


def train(kind: type[Heads], widths: tuple[int, int, int], seed: int, steps: int = STEPS, of: int = STEPS):
    """A trained layer of this kind and these sizes, and its loss."""
    torch.manual_seed(seed)
    return fit(kind(*widths), seed, steps, of)


@torch.no_grad()
def looks(layer: Heads) -> tuple[torch.Tensor, torch.Tensor]:
    """Each head's weights (H, T, T), a mean over 200 examples, and its factor for each number (H, WIDTH)."""
    x, _ = examples(200, torch.Generator().manual_seed(0))
    q, k = layer.split(layer.w_q(x)), layer.split(layer.w_k(x))
    weights = scaled_dot_product_attention(q, k, k)[1].mean(dim=0)
    values = layer.w_v.weight[:, :WIDTH].unflatten(0, (layer.n_heads, -1))
    outputs = layer.w_o.weight[:WIDTH].unflatten(1, (layer.n_heads, -1))
    return weights, torch.einsum("nhd,hdn->hn", outputs, values)


def on_left(weights):
    """(..., T, T) -> the mean over the positions from 2 on of what stands at the left neighbour."""
    return weights[..., 2:, :].diagonal(1, -2, -1).mean(dim=-1)


def summary(layer: Heads) -> dict:
    """The most that one head looks to the left, and what all heads together make of both places."""
    weights, factors = looks(layer)
    together = torch.einsum("hn,hts->nts", factors, weights)
    found = {
        "most of one head": on_left(weights).max(),
        "left": on_left(together).mean(),
        "first": together[:, 2:, 0].mean(),
    }
    return {name: round(number.item(), 3) for name, number in found.items()}


def picture(layer: Heads) -> dict:
    """The weights of the head that looks most to the left, and what all together make of the first number; (T, T)."""
    weights, factors = looks(layer)
    together = torch.einsum("h,hts->ts", factors[:, 0], weights)
    maps = {"sharpest head": weights[on_left(weights).argmax()], "together": together}
    return {name: [[round(number, 2) for number in row] for row in one.tolist()] for name, one in maps.items()}


def of_widths(d_key: int, d_value: int) -> dict:
    """What becomes of sixteen heads of these widths, for all seeds."""
    trained = [train(Heads, (16, d_key, d_value), seed) for seed in range(SEEDS)]
    summaries = [summary(layer) for layer, _ in trained]
    row = {"key": d_key, "value": d_value, "loss": [round(loss, 4) for _, loss in trained]}
    row |= {name: [one[name] for one in summaries] for name in summaries[0]} | picture(trained[0][0])
    print(row, flush=True)
    return row


def run() -> dict:
    seeds, longer = range(SEEDS), 2 * STEPS
    return {
        "steps": STEPS,
        "widths": [of_widths(*widths) for widths in WIDTHS],
        "without transpose": [round(train(ViewedHeads, (2, 8, 8), seed)[1], 4) for seed in seeds],
        "twice the steps": [round(train(Heads, (16, 1, 1), seed, longer, longer)[1], 4) for seed in seeds],
    }


if __name__ == "__main__":
    record(__file__, run)
