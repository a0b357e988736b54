"""Schedules of the learning rate: a factor between 0 and 1 for each training step.

Each first rises linearly over n_warmup steps: Adam's first estimates are too rough for large steps.
"""

import math


def warmup_cosine(step: int, n_steps: int, n_warmup: int) -> float:
    """After the warmup, half a cosine down to 0 at n_steps (Loshchilov and Hutter 2016, arXiv:1608.03983)."""
    if step < n_warmup:
        return (step + 1) / n_warmup
    return 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / max(1, n_steps - n_warmup)))


def warmup_inverse_sqrt(step: int, n_steps: int, n_warmup: int) -> float:
    """After the warmup, proportional to 1 / sqrt(step), whatever n_steps is (Vaswani et al. 2017, section 5.3)."""
    if step < n_warmup:
        return (step + 1) / n_warmup
    return math.sqrt(max(1, n_warmup) / (step + 1))


def warmup_constant(step: int, n_steps: int, n_warmup: int) -> float:
    """After the warmup, constant at 1."""
    return (step + 1) / n_warmup if step < n_warmup else 1.0


SCHEDULES = {"cosine": warmup_cosine, "inverse_sqrt": warmup_inverse_sqrt, "constant": warmup_constant}
