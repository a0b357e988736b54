"""Controls for norm_position.py: post-norm at a rate of 0.01, small rates at the end, or none and more steps."""

from norm_position import LAST, SEEDS, STEPS, WARM_UP, losses
from recording import record

RATE, LONG = 1e-2, 2 * STEPS


def end(warm_up: int, seed: int, steps: int = STEPS, backwards: bool = False) -> float:
    """The mean loss of the last steps."""
    loss = sum(losses("post", warm_up, RATE, seed, steps, backwards)[-LAST:]) / LAST
    print(warm_up, seed, steps, backwards, loss, flush=True)
    return round(loss, 4)


def run() -> dict:
    """The loss at the end, one number a seed."""
    return {
        "small rates at the end": [end(WARM_UP, seed, backwards=True) for seed in SEEDS],
        "without warm-up, more steps": [end(0, seed, LONG) for seed in SEEDS[:3]],
        "steps": LONG,
    }


if __name__ == "__main__":
    record(__file__, run)
