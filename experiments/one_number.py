"""Lesson 04: what one head can do when its weights depend on the numbers.

The task of two_signs.py, left neighbour minus first position, for one head and for 1, 2 or 8 numbers at each position.
The bound of the lesson, a half, holds for weights that go by position. With a single number a head gets below it: its
weights may carry the number themselves, and its values only the signs.
"""

import torch

from recording import record
from transformer_lab import MultiHeadAttention

T, NUMBERS, SEEDS, STEPS, BATCH = 8, (1, 2, 8), 5, 1500, 64


def loss_of(layer, n_numbers: int, n: int, generator: torch.Generator) -> torch.Tensor:
    """The mean squared error on n fresh examples at the positions from 2 on, in units of the target's variance, 2."""
    numbers = torch.randn(n, T, n_numbers, generator=generator)
    marker = 3 * torch.eye(T).expand(n, T, T)
    target = numbers[:, 1:-1] - numbers[:, :1]
    return (layer(torch.cat((numbers, marker), dim=-1))[:, 2:, :n_numbers] - target).square().mean() / 2


def train(n_numbers: int, seed: int, steps: int = STEPS, of: int = STEPS) -> float:
    """The loss of one head after so many steps of a schedule of `of`, on 8,000 fresh examples."""
    torch.manual_seed(seed)
    layer, generator = MultiHeadAttention(n_numbers + T, 1), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(layer.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.01, total_steps=of, pct_start=0.1)
    for _ in range(steps):
        loss = loss_of(layer, n_numbers, BATCH, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return loss_of(layer, n_numbers, 8000, generator).item()


def run() -> dict:
    """The loss of every number of numbers and every seed."""
    return {
        "steps": STEPS,
        "loss": {str(n): [round(train(n, seed), 4) for seed in range(SEEDS)] for n in NUMBERS},
    }


if __name__ == "__main__":
    record(__file__, run)
