"""Lesson 04: what one attention head cannot do, and how many heads are too many.

The model is a single attention layer. Eight positions hold eight random numbers each; the target at a position is its
left neighbour's numbers minus those of the first position. A layer that always outputs 0 has loss 1. Every layer is
16 wide, so that H heads have as many parameters as one; a control gives one head twice the width.
"""

import torch

from recording import record
from transformer_lab import MultiHeadAttention

T, WIDTH = 8, 8  # positions, and numbers at each of them
HEADS, SEEDS, STEPS, BATCH = (1, 2, 4, 8, 16), 8, 400, 64


def examples(n: int, generator: torch.Generator):
    """Inputs (n, T, WIDTH + T), numbers with a marker of the position beside them, and targets (n, T - 2, WIDTH)."""
    numbers = torch.randn(n, T, WIDTH, generator=generator)
    marker = 3 * torch.eye(T).expand(n, T, T)
    return torch.cat((numbers, marker), dim=-1), numbers[:, 1:-1] - numbers[:, :1]


def loss_of(layer, n: int, generator: torch.Generator, wanted: int = WIDTH) -> torch.Tensor:
    """The mean squared error of the first numbers at the positions from 2 on, in units of their variance, 2."""
    x, target = examples(n, generator)
    return (layer(x)[:, 2:, :wanted] - target[..., :wanted]).square().mean() / 2


def fit(layer, seed: int, steps: int = STEPS, of: int = STEPS, wanted: int = WIDTH):
    """The layer after so many steps of a schedule of `of`, and its loss on 2,000 fresh examples."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(layer.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.01, total_steps=of, pct_start=0.1)
    for _ in range(steps):
        loss = loss_of(layer, BATCH, generator, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return layer, loss_of(layer, 2000, generator, wanted).item()


def train(n_heads: int, seed: int, d_head: int | None = None, steps: int = STEPS):
    """A trained layer of so many heads, and its loss."""
    torch.manual_seed(seed)
    return fit(MultiHeadAttention(WIDTH + T, n_heads, d_head=d_head), seed, steps)


def run() -> dict:
    """The loss of every number of heads and seed, and of one head of twice the width."""
    losses = {str(n_heads): [round(train(n_heads, seed)[1], 4) for seed in range(SEEDS)] for n_heads in HEADS}
    wide = [round(train(1, seed, d_head=2 * (WIDTH + T))[1], 4) for seed in range(SEEDS)]
    return {"steps": STEPS, "loss": losses, "one head of twice the width": wide}


if __name__ == "__main__":
    record(__file__, run)
