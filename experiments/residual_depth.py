"""Train stacks with and without skips on a small task, at depths 2, 8 and 32, with the best of three learning rates.

Each sub-layer is the package's FeedForward, as torch starts it or started with gain 1. Five ways to put L of them
together (`WAYS`), and one of them with tanh in place of ReLU; everything else is equal. (`residual_controls.py` trains
the `CONTROLS`, at one depth.)
"""

import math
from itertools import product
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn

from recording import record
from transformer_lab.layers import FeedForward

WAYS = ("no skip", "norm only", "skip", "pre-norm", "post-norm")
ARRANGEMENTS = (*WAYS, *(f"{way}, unit gain" for way in WAYS), "norm only, unit gain, tanh")
CONTROLS = (
    "norm only, no biases",  # torch's start, but every bias begins at 0
    "norm only, unit gain, small tanh",  # tanh of small numbers: its slope is nearly 1
    "post-norm, unit gain, small tanh",  # the same with a skip
    "skip, unit gain, last norm",  # the norm that pre-norm has after the last sub-layer
    "pre-norm, unit gain, no last norm",
)
DEPTHS = (2, 8, 32)
LEARNING_RATES = (3e-4, 1e-3, 3e-3)
SEEDS = (0, 1, 2, 3, 4)
N_INPUTS, N_CLASSES, D, STEPS, BATCH = 16, 8, 32, 250, 64


class Deep(nn.Module):
    """L sub-layers between an input layer and an output layer."""

    def __init__(self, arrangement: str, L: int):
        super().__init__()
        self.way, *options = arrangement.split(", ")
        self.last_norm = "last norm" in options or self.way == "pre-norm" and "no last norm" not in options
        self.enter, self.leave = nn.Linear(N_INPUTS, D), nn.Linear(D, N_CLASSES)
        self.layers = nn.ModuleList(FeedForward(D, D) for _ in range(L))
        for layer in self.layers:
            if "unit gain" in options:  # each sub-layer says as much as it gets; as torch starts it, about a quarter
                nn.init.normal_(layer.w_1.weight, std=(0.3 if "small tanh" in options else 1) / math.sqrt(D))
                nn.init.normal_(layer.w_2.weight, std=math.sqrt(2 / D))
                layer.activation = torch.tanh if arrangement.endswith("tanh") else torch.relu
            if "unit gain" in options or "no biases" in options:
                nn.init.zeros_(layer.w_1.bias), nn.init.zeros_(layer.w_2.bias)

    def states(self, x):
        """The L + 1 states: what the input layer makes of x, and what goes on from each of the L sub-layers."""
        states = [self.enter(x)]
        for layer in self.layers:
            x = states[-1]
            if self.way == "skip":
                x = x + layer(x)
            elif self.way == "pre-norm":
                x = x + layer(F.layer_norm(x, (D,)))
            elif self.way == "post-norm":
                x = F.layer_norm(x + layer(x), (D,))
            elif self.way == "norm only":
                x = F.layer_norm(layer(x), (D,))
            else:
                x = layer(x)
            states.append(x)
        return states

    def forward(self, x):
        x = self.states(x)[-1]
        return self.leave(F.layer_norm(x, (D,)) if self.last_norm else x)


def gradient_left(arrangement: str, L: int, seed: int) -> float:
    """Before any training: the size of the loss's gradient at the first state, as a share of its size at the last."""
    (x, y), _ = task()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Deep(arrangement, L).double()
        states = model.states(x[:1000].double())
        top = F.layer_norm(states[-1], (D,)) if model.last_norm else states[-1]
        gradients = torch.autograd.grad(F.cross_entropy(model.leave(top), y[:1000]), (states[0], states[-1]))
    below, above = (gradient.square().mean().sqrt().item() for gradient in gradients)
    return below / above


def task():
    """Return (train, test): random inputs, and the class that a fixed random network with one hidden layer assigns."""
    draw = torch.Generator().manual_seed(7)
    w_1, w_2 = torch.randn(N_INPUTS, 32, generator=draw), torch.randn(32, N_CLASSES, generator=draw)
    x = torch.randn(6000, N_INPUTS, generator=draw)
    scores = (x @ w_1 / 4).relu() @ w_2
    y = (scores - scores.mean(dim=0)).argmax(dim=-1)
    return (x[:5000], y[:5000]), (x[5000:], y[5000:])


def fitted(
    arrangement: str, L: int, learning_rate: float, seed: int, steps: int = STEPS, sgd: bool = False, stack=Deep
) -> Deep:
    """A stack of this kind after training, with Adam or with plain gradient descent."""
    (x, y), _ = task()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = stack(arrangement, L)
        optimiser = (torch.optim.SGD if sgd else torch.optim.Adam)(model.parameters(), lr=learning_rate, fused=True)
        for _ in range(steps):
            rows = torch.randint(len(x), (BATCH,))
            optimiser.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
    return model


@torch.no_grad()
def share_right(model: Deep, x, y) -> float:
    return (model(x).argmax(dim=-1) == y).float().mean().item()


def train(arrangement: str, L: int, learning_rate: float, seed: int, **others) -> float:
    """Accuracy on the 1,000 test inputs after training (always the commonest class: 0.2)."""
    return share_right(fitted(arrangement, L, learning_rate, seed, **others), *task()[1])


def run() -> dict:
    """accuracy[arrangement][depth]: one number a seed, at the learning rate whose median over the seeds is best."""
    accuracy = {name: {} for name in ARRANGEMENTS}
    for name, L in product(ARRANGEMENTS, DEPTHS):
        tried = {rate: [round(train(name, L, rate, seed), 3) for seed in SEEDS] for rate in LEARNING_RATES}
        best = max(tried, key=lambda rate: median(tried[rate]))
        accuracy[name][str(L)] = {"learning rate": best, "accuracy": tried[best]}
        print(name, L, best, tried[best], flush=True)
    commonest = task()[1][1].bincount().max().item() / 1000
    return {"accuracy": accuracy, "commonest class": commonest, "steps": STEPS, "learning rates": LEARNING_RATES}


if __name__ == "__main__":
    record(__file__, run)
