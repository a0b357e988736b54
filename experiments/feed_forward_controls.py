"""Controls for feed_forward_table.py: another learning rate, norms without attention, and nothing at all."""

from torch import nn

import feed_forward_table as table
from recording import record

RATES = {  # the table itself was learnt at 3e-3
    "nothing": (3e-3, 1e-2),
    "three norms": (3e-3, 1e-2),
    "AAA": (1e-2,),
    "AF": (1e-2,),
}


class NormsOnly(table.Stack):
    """Three times x + norm(x): what is left of three attentions that hand on what they hear."""

    def __init__(self, plan: str, width: int):
        super().__init__(plan, width)
        self.layers = nn.ModuleList(nn.Identity() for _ in plan)


def trained(kind: str, rate: float, seed: int, steps: int = table.STEPS) -> list[float]:
    """Share of right answers after every 100 steps."""
    if kind == "three norms":
        return table.train("AAA", 4, seed, steps, rate, NormsOnly)
    return table.train("" if kind == "nothing" else kind, 4, seed, steps, rate)


def run() -> dict:
    """right[kind][rate]: for each seed the share of right answers after the last step."""
    right = {}
    for kind, rates in RATES.items():
        right[kind] = {str(rate): [trained(kind, rate, seed)[-1] for seed in table.SEEDS] for rate in rates}
        print(kind, right[kind], flush=True)
    return {"right": right}


if __name__ == "__main__":
    record(__file__, run)
