"""Plain gradient descent, not Adam, at 32 sub-layers whose biases begin at 0: norm only, at four rates; and skips.

A control of residual_controls.py: does "norm only, no biases" stay at guessing because Adam rescales each gradient?

    python experiments/residual_sgd.py
"""

from recording import record
from residual_depth import SEEDS, train

L, RATES, SKIP_RATE = 32, (0.003, 0.01, 0.03, 0.1), 0.01


def run(L=L, seeds=SEEDS[:3], rates=RATES, **others) -> dict:
    """norm only[rate], and skip at one rate: the accuracy of each seed."""

    def right(way: str, rate: float) -> list[float]:
        return [round(train(f"{way}, no biases", L, rate, seed, sgd=True, **others), 3) for seed in seeds]

    return {"norm only": {str(rate): right("norm only", rate) for rate in rates}, "skip": right("skip", SKIP_RATE)}


if __name__ == "__main__":
    record(__file__, run)
