"""Lesson 04: why sixteen heads of width 1 fail at the task of two_signs.py, and what a split without transpose does.

Controls of the explanation "queries and keys of width 1 can favour only two keys": wider queries and keys alone, wider
values alone, twice the steps, more heads as narrow, and fewer numbers wanted of the very same layer. Then two heads
whose layer splits and merges by `view` alone: trained from chance, and from numbers that are written by hand.
"""

import torch
from torch import nn

from recording import record
from transformer_lab import MultiHeadAttention, scaled_dot_product_attention
from two_signs import STEPS, WIDTH, T, examples, fit

SEEDS = 5
WIDTHS = ((1, 1), (2, 1), (1, 2), (8, 1), (1, 8))  # of queries and keys; of values
MORE = (32, 64)  # heads of width 1 of either kind
FEWER = (4, 2)  # of the eight numbers are wanted, of sixteen heads of width 1


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


@torch.no_grad()
def viewed_by_hand() -> ViewedHeads:
    """Two heads without transpose that do better than training finds: the third and fourth position are right.

    The view makes two rows of each position: the first half of its features and the second. Both ask and answer for
    themselves, among the rows of four positions, and reshape gives both answers back to the position.
    """
    layer, (first, second) = ViewedHeads(2, WIDTH, WIDTH), (slice(0, WIDTH), slice(WIDTH, 2 * WIDTH))
    numbers, marker = slice(0, WIDTH), slice(WIDTH, WIDTH + T)
    for parameter in layer.parameters():
        parameter.zero_()
    # For each position (a column): what its two rows ask for, and as what they offer themselves.
    asks, offers, ones = torch.zeros(2 * WIDTH, T), torch.zeros(2 * WIDTH, T), torch.eye(T)
    offers[first, :-1] = ones[:, :-1]  # the numbers of position s, under s; the last place is free
    offers[second] = ones[:, -1:]  # nothing, under the last place
    asks[first, 1:] = ones[:, :-1]  # the left neighbour
    asks[first, 4] = ones[:, -1]  # which the fifth position cannot see: nothing
    asks[second, 2:4] = ones[:, :1]  # the first position
    asks[second, 4:] = ones[:, -1:]  # which the others cannot see: nothing
    layer.w_q.weight[:, marker], layer.w_k.weight[:, marker] = 10 * asks, offers / 3
    layer.w_v.weight[first, numbers] = layer.w_o.weight[numbers, first] = torch.eye(WIDTH)
    layer.w_o.weight[numbers, second] = -torch.eye(WIDTH)
    return layer


@torch.no_grad()
def by_position(layer) -> list[float]:
    """The loss at each position from 2 on, over 2,000 examples."""
    x, target = examples(2000, torch.Generator().manual_seed(0))
    return ((layer(x)[:, 2:, :WIDTH] - target).square().mean(dim=(0, 2)) / 2).tolist()


def train(kind: type[Heads], widths: tuple[int, int, int], seed: int, steps: int = STEPS, of: int = STEPS):
    """A trained layer of this kind and these sizes, and its loss."""
    torch.manual_seed(seed)
    return fit(kind(*widths), seed, steps, of)


def narrow(seed: int, wanted: int, steps: int = STEPS) -> float:
    """The loss of sixteen heads of width 1 of which only the first numbers are wanted."""
    torch.manual_seed(seed)
    return fit(Heads(16, 1, 1), seed, steps, wanted=wanted)[1]


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
    viewed = [train(ViewedHeads, (2, 8, 8), seed) for seed in seeds]
    return {
        "steps": STEPS,
        "widths": [of_widths(*widths) for widths in WIDTHS],
        "more heads": {str(n): [round(train(Heads, (n, 1, 1), seed)[1], 4) for seed in seeds] for n in MORE},
        "fewer numbers": {str(n): [round(narrow(seed, n), 4) for seed in seeds] for n in FEWER},
        "without transpose": [round(loss, 4) for _, loss in viewed],
        "without transpose, by position": [[round(loss, 3) for loss in by_position(layer)] for layer, _ in viewed],
        "without transpose, from hand": [round(fit(viewed_by_hand(), seed)[1], 4) for seed in seeds],
        "twice the steps": [round(train(Heads, (16, 1, 1), seed, longer, longer)[1], 4) for seed in seeds],
    }


if __name__ == "__main__":
    record(__file__, run)
