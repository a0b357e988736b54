"""Controls for feed_forward_table.py: another rate, norms without attention, nothing at all; and a ReLU at the end.

The ReLU stands behind the last projection of each feed-forward layer. It is tried on the table, half-way, where the
block still makes mistakes, and in residual_depth.py's stack of 32 sub-layers in pre-norm.
"""

from statistics import median

import torch
from torch import nn

import feed_forward_table as table
import residual_depth as depth
from recording import record

RATES = {  # the table itself was learnt at 3e-3
    "nothing": (3e-3, 1e-2),
    "three norms": (3e-3, 1e-2),
    "AAA": (1e-2,),
    "AF": (1e-2,),
}
HALF_WAY, SUB_LAYERS = 300, 32


class NormsOnly(table.Stack):
    """Three times x + norm(x): what is left of three attentions that hand on what they hear."""

    def __init__(self, plan: str, width: int):
        super().__init__(plan, width)
        self.layers = nn.ModuleList(nn.Identity() for _ in plan)


def ends_in_relu(layer: nn.Module) -> nn.Module:
    """The layer, which now says nothing below zero."""
    layer.register_forward_hook(lambda module, inputs, output: torch.relu(output))
    return layer


class TableAboveZero(table.Stack):
    """A ReLU behind each feed-forward layer."""

    def __init__(self, plan: str, width: int):
        super().__init__(plan, width)
        for kind, layer in zip(plan, self.layers, strict=True):
            if kind == "F":
                ends_in_relu(layer)


class DeepAboveZero(depth.Deep):
    """A ReLU behind each sub-layer."""

    def __init__(self, arrangement: str, L: int):
        super().__init__(arrangement, L)
        for layer in self.layers:
            ends_in_relu(layer)


def trained(kind: str, rate: float, seed: int, steps: int = table.STEPS) -> list[float]:
    """Share of right answers after every 100 steps."""
    if kind == "three norms":
        return table.train("AAA", 4, seed, steps, rate, NormsOnly)
    return table.train("" if kind == "nothing" else kind, 4, seed, steps, rate)


def deep(stack) -> list[float]:
    """Accuracy of 32 sub-layers in pre-norm, a seed each, at the rate whose median is best."""
    tried = [[round(depth.train("pre-norm", SUB_LAYERS, rate, seed, stack=stack), 3) for seed in depth.SEEDS]
             for rate in depth.LEARNING_RATES]  # fmt: skip
    return max(tried, key=median)


def run() -> dict:
    """right[kind][rate]: for each seed the share of right answers after the last step; at the end: a ReLU, or not."""
    right = {}
    for kind, rates in RATES.items():
        right[kind] = {str(rate): [trained(kind, rate, seed)[-1] for seed in table.SEEDS] for rate in rates}
        print(kind, right[kind], flush=True)
    stacks = {"nothing": (table.Stack, depth.Deep), "ReLU": (TableAboveZero, DeepAboveZero)}
    at_the_end = {
        last: {
            "table, 300 steps": [table.train("AF", seed=seed, steps=HALF_WAY, stack=short)[-1] for seed in table.SEEDS],
            "32 sub-layers": deep(long),
        }
        for last, (short, long) in stacks.items()
    }
    return {"right": right, "at the end": at_the_end}


if __name__ == "__main__":
    record(__file__, run)
