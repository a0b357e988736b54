"""experiments/one_number.py: what the lesson prints is what the code gives."""

import pytest

from one_number import NUMBERS, SEEDS, train
from transformer_lab.experiments import recorded

LOSS = recorded("one_number")["result"]["loss"]


def test_what_the_lesson_says_of_the_whole():
    assert list(LOSS) == [str(n) for n in NUMBERS] and all(len(losses) == SEEDS for losses in LOSS.values())
    one, two, eight = LOSS.values()
    assert sum(loss < 0.01 for loss in one) == 2 and sum(0.01 < loss < 0.45 for loss in one) == 2
    assert 0.45 < min(two) < 0.49 and 0.49 < min(eight) <= max(eight) < 0.51


def test_a_slice_of_the_run_gives_what_is_recorded():
    # A fifth of the steps, on a schedule as short: eight numbers stand at a half by then.
    assert train(8, seed=0, steps=300, of=300) == pytest.approx(LOSS["8"][0], abs=0.03)
