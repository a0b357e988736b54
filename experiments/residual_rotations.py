"""Norm only, 32 sub-layers: does it need a skip, or matrices that crush nothing? Rotations in place of random numbers.

All four have branches with a small tanh (residual_depth.py): with and without a skip, with matrices of random numbers
and with rotations (random orthogonal matrices) of the same size. Five seeds at each of the same three learning rates.
"""

import math

import torch
from torch import nn

from recording import record
from residual_depth import LEARNING_RATES, SEEDS, D, Deep, F, fitted, share_right, task

L = 32
STACKS = tuple(f"{way}, unit gain, small tanh" for way in ("norm only", "post-norm"))


class Rotated(Deep):
    """The same stack, but the two matrices of each sub-layer are rotations, of the same size as the random ones."""

    def __init__(self, arrangement: str, L: int):
        super().__init__(arrangement, L)
        for layer in self.layers:
            nn.init.orthogonal_(layer.w_1.weight, gain=0.3)
            nn.init.orthogonal_(layer.w_2.weight, gain=math.sqrt(2))


MATRICES = {"random": Deep, "rotations": Rotated}


def directions(arrangement: str, stack: type[Deep], seed: int) -> float:
    """Before training: in how many of the 32 directions a gradient comes down from the top, roughly.

    If s are the squares of the singular values of the Jacobian, it is (sum of s)^2 / (sum of s^2): 32 if all are
    alike, 1 if one is all that is left.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = stack(arrangement, L).double()
        start = model.enter(task()[0][0][:1].double())[0].detach()

    def top(x):
        for layer in model.layers:
            x = F.layer_norm(layer(x) + (x if model.way == "post-norm" else 0), (D,))
        return x

    s = torch.linalg.svdvals(torch.autograd.functional.jacobian(top, start)).square()
    return (s.sum().square() / s.square().sum()).item()


def run() -> dict:
    """accuracy[matrices][arrangement][learning rate]: a number a seed."""
    accuracy = {}
    for kind, stack in MATRICES.items():
        accuracy[kind] = {name: {} for name in STACKS}
        for name in STACKS:
            for rate in LEARNING_RATES:
                runs = [share_right(fitted(name, L, rate, seed, stack=stack), *task()[1]) for seed in SEEDS]
                accuracy[kind][name][f"{rate:g}"] = [round(share, 3) for share in runs]
                print(kind, name, rate, accuracy[kind][name][f"{rate:g}"], flush=True)
    return {"accuracy": accuracy}


if __name__ == "__main__":
    record(__file__, run)
