"""Lesson 04: what one attention head cannot do, and how many heads are too many.

The model is a single attention layer. Eight positions hold eight random numbers each; the target at a position is its
left neighbour's numbers minus those of the first position. A layer that always outputs 0 has loss 1. Every layer is
16 wide, so that H heads have as many parameters as one; a control gives one head twice the width.

Why do sixteen heads of width 1 fail? Controls: wider queries and keys alone, wider values alone, more steps.
"""

import torch
from torch import nn

from recording import record
from transformer_lab import MultiHeadAttention, scaled_dot_product_attention

T, WIDTH = 8, 8  # positions, and numbers at each of them
HEADS, SEEDS, STEPS, BATCH = (1, 2, 4, 8, 16), 8, 400, 64
# (heads, width of queries and keys, width of values): sixteen heads, and eight, widened on one side or on both
WIDTHS = ((16, 2, 1), (16, 1, 2), (16, 8, 1), (16, 1, 8), (8, 8, 2), (8, 2, 8))


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


def examples(n: int, generator: torch.Generator):
    """Inputs (n, T, WIDTH + T), numbers with a marker of the position beside them, and targets (n, T - 2, WIDTH)."""
    numbers = torch.randn(n, T, WIDTH, generator=generator)
    marker = 3 * torch.eye(T).expand(n, T, T)
    return torch.cat((numbers, marker), dim=-1), numbers[:, 1:-1] - numbers[:, :1]


def loss_of(layer, n: int, generator: torch.Generator) -> torch.Tensor:
    """The mean squared error at the positions from 2 on, in units of the target's variance, 2."""
    x, target = examples(n, generator)
    return (layer(x)[:, 2:, :WIDTH] - target).square().mean() / 2


def train(n_heads: int, seed: int, d_key=None, d_value=None, steps: int = STEPS, of: int = STEPS, kind=Heads):
    """A layer after so many steps of a schedule of `of`, and its loss on 2,000 fresh examples."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    d_key = d_key or (WIDTH + T) // n_heads
    layer = kind(n_heads, d_key, d_value or d_key)
    optimiser = torch.optim.Adam(layer.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.01, total_steps=of, pct_start=0.1)
    for _ in range(steps):
        loss = loss_of(layer, BATCH, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return layer, loss_of(layer, 2000, generator).item()


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


def losses(n_heads: int, d_key=None, d_value=None, steps: int = STEPS, kind=Heads) -> list[float]:
    """The losses of all seeds."""
    return [round(train(n_heads, seed, d_key, d_value, steps, steps, kind)[1], 4) for seed in range(SEEDS)]


def of_widths(n_heads: int, d_key: int, d_value: int) -> dict:
    """What becomes of heads of these widths, for all seeds."""
    layers, found = zip(*(train(n_heads, seed, d_key, d_value) for seed in range(SEEDS)), strict=True)
    summaries = [summary(layer) for layer in layers]
    row = {"heads": n_heads, "key": d_key, "value": d_value, "loss": [round(loss, 4) for loss in found]}
    row |= {name: [one[name] for one in summaries] for name in summaries[0]} | picture(layers[0])
    print(row, flush=True)
    return row


def run() -> dict:
    """All losses: by number of heads, then the controls."""
    return {
        "steps": STEPS,
        "widths": [of_widths(*widths) for widths in WIDTHS],
        "two heads, split without a transpose": losses(2, kind=ViewedHeads),
        "loss": {str(n_heads): losses(n_heads) for n_heads in HEADS},
        "one head of twice the width": losses(1, 2 * (WIDTH + T)),
        "sixteen heads, four times the steps": losses(16, steps=4 * STEPS),
    }


if __name__ == "__main__":
    record(__file__, run)
