"""Controls for residual_depth.py at 32 sub-layers: one change at a time; plain gradient descent; more steps.

The controls (`CONTROLS` there) are trained as everything else: five seeds, the best of the same three learning rates.
"""

from statistics import median

from recording import record
from residual_depth import CONTROLS, LEARNING_RATES, SEEDS, STEPS, WAYS, train

L, LONG = 32, 4 * STEPS
SGD_RATE, SGD_SEEDS = 0.03, SEEDS[:3]


def best(name: str) -> dict:
    """Accuracy of each seed at the rate whose median over the seeds is best."""
    tried = {rate: [round(train(name, L, rate, seed), 3) for seed in SEEDS] for rate in LEARNING_RATES}
    rate = max(tried, key=lambda rate: median(tried[rate]))
    print(name, rate, tried[rate], flush=True)
    return {"learning rate": rate, "accuracy": tried[rate]}


def run() -> dict:
    """accuracy[arrangement] with Adam; sgd[arrangement] without, at one rate; long: no skip, one run at each rate."""
    return {
        "accuracy": {name: best(name) for name in CONTROLS},
        "sgd": {name: [round(train(name, L, SGD_RATE, seed, sgd=True), 3) for seed in SGD_SEEDS] for name in WAYS},
        "SGD's learning rate": SGD_RATE,
        "long": [round(train("no skip", L, rate, seed=0, steps=LONG), 3) for rate in LEARNING_RATES],
        "learning rates": LEARNING_RATES,
        "steps": LONG,
    }


if __name__ == "__main__":
    record(__file__, run)
