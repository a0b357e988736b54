"""Train small date translators at six learning rates, by three optimisers: five seeds each.

One block in each stack, 100 steps of 64 pairs, the rate constant (after its warm-up, where it has one).
"""

import math

import torch

from overfitting import loss_of
from recording import record
from transformer_lab.data import dates as date_pairs
from transformer_lab.models import evaluating
from transformer_lab.tasks.translation import dates
from transformer_lab.training.batches import Batches

RATES = {
    "SGD, momentum 0.9": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "AdamW": (2e-5, 2e-4, 6e-4, 2e-3, 6e-3, 2e-2),
    "AdamW, warm-up of 20 steps": (2e-5, 2e-4, 6e-4, 2e-3, 6e-3, 2e-2),
}
SEEDS, STEPS, BATCH = (0, 1, 2, 3, 4), 100, 64


def train(optimiser: str, rate: float, seed: int, steps: int = STEPS) -> float:
    """The loss on 300 dates never seen, after training; infinite if it is no number."""
    task = dates(n=5000, seed=seed, n_layers=1)
    parameters = task.model.parameters()
    if optimiser.startswith("SGD"):
        stepper = torch.optim.SGD(parameters, lr=rate, momentum=0.9)
    else:
        stepper = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    warmup, order = 20 if "warm-up" in optimiser else 1, Batches(5000, BATCH, seed)
    for step in range(steps):
        for group in stepper.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / warmup)
        stepper.zero_grad()
        loss_of(task, task.collate([task.examples[i] for i in order(step)])).backward()
        stepper.step()
    with evaluating(task.model), torch.no_grad():
        loss = loss_of(task, task.collate(date_pairs.held_out_pairs(300))).item()
    return loss if math.isfinite(loss) else math.inf


def run() -> dict:
    """losses[optimiser][rate]: one for each seed; None where the run has left the numbers."""
    losses = {name: {} for name in RATES}
    for name, rates in RATES.items():
        for rate in rates:
            found = [train(name, rate, seed) for seed in SEEDS]
            losses[name][str(rate)] = [float(f"{loss:.4g}") if math.isfinite(loss) else None for loss in found]
            print(name, rate, losses[name][str(rate)], flush=True)
    return losses


if __name__ == "__main__":
    record(__file__, run)
