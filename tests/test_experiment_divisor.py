"""experiments/divisor.py: every setting is there once, and a slice run again gives what was recorded."""

import pytest

import divisor
from transformer_lab.experiments import recorded

ROWS = recorded("divisor")["result"]


def test_every_setting_is_there_once():
    seen = {(row["heads"], row["divisor"]) for row in ROWS}
    assert len(ROWS) == len(seen) == 2 * len(divisor.DIVISORS)
    for row in ROWS:
        assert len(row["right"]) == len(row["losses"]) == len(divisor.SEEDS)
        assert all(len(losses) == divisor.STEPS // 10 for losses in row["losses"])


def test_undivided_is_behind_with_each_of_five_seeds():
    right = {(row["heads"], row["divisor"]): row["right"] for row in ROWS}
    for n_heads in (4, 1):
        pairs = list(zip(right[n_heads, "sqrt(d)"], right[n_heads, "nothing"], strict=True))
        assert len(pairs) == 5 and all(divided > undivided for divided, undivided in pairs)
    assert max(right[1, "nothing"]) < min(right[4, "nothing"])


@pytest.mark.parametrize("name", ["sqrt(d)", "nothing"])
def test_training_begins_as_recorded(name):
    """Ten steps: rounding, which differs between processors, has not grown beyond one part in a hundred by then."""
    row = next(row for row in ROWS if (row["heads"], row["divisor"]) == (1, name))
    _, losses = divisor.translator(1, name, divisor.SEEDS[0], steps=10)
    assert losses[0] == pytest.approx(row["losses"][0][0], rel=0.01)
