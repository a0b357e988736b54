"""How the learning rate moves while a model trains."""

import math


def warmup_cosine(step: int, n_steps: int, n_warmup: int) -> float:
    """A factor for the learning rate: rises linearly to 1 over n_warmup steps, then falls along a cosine to 0."""
    if step < n_warmup:
        return (step + 1) / n_warmup
    return 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / max(1, n_steps - n_warmup)))
