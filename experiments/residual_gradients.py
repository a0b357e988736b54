"""Lesson 06: does a gradient that begins at the right size keep it in training? 32 sub-layers with norms and no skips.

The ratio of the gradient at the bottom to that at the top, at some steps of the training, for the stack with ReLU whose
biases begin at 0 ("norm only, no biases") and for the one with tanh, each at its best recorded rate.

    python experiments/residual_gradients.py
"""

import torch
import torch.nn.functional as F

from recording import record
from residual_depth import SEEDS, Deep, share_right, task

L, RATE, STEPS = 32, 3e-4, (0, 20, 50, 100, 250)
WAYS = {"relu": "norm only, no biases", "tanh": "norm only, unit gain, small tanh"}


def ratio(model, x, y) -> float:
    """The root mean square of the gradient at the bottom, as a multiple of that at the top."""
    states = model.states(x)
    loss = F.cross_entropy(model.leave(states[-1]), y)
    bottom, top = torch.autograd.grad(loss, (states[0], states[-1]))
    return (bottom.square().mean().sqrt() / top.square().mean().sqrt()).item()


def follow(way: str, seed: int, steps=STEPS) -> dict:
    """The ratio at these steps, and the share that is right at the last of them; trained as in residual_depth.py."""
    (x, y), test = task()
    torch.manual_seed(seed)
    model = Deep(way, L)
    optimiser, found = torch.optim.Adam(model.parameters(), lr=RATE), []
    for step in range(steps[-1] + 1):
        if step in steps:
            found.append(float(f"{ratio(model, x[:500], y[:500]):.2g}"))
        rows = torch.randint(len(x), (64,))
        optimiser.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimiser.step()
    return {"ratio": found, "right": round(share_right(model, *test), 3)}


def run(seeds=SEEDS) -> dict:
    """result[relu or tanh]: each seed's ratios and accuracy."""
    return {"steps": list(STEPS)} | {name: [follow(way, seed) for seed in seeds] for name, way in WAYS.items()}


if __name__ == "__main__":
    record(__file__, run)
