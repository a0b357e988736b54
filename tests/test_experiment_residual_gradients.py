"""Lesson 06: does a gradient keep its size in training? The beginning again, and what the lesson says of the whole."""

import pytest

from residual_gradients import WAYS, follow
from transformer_lab.experiments import recorded

RESULT = recorded("residual_gradients")["result"]


@pytest.mark.parametrize("name", WAYS)
def test_the_first_ratio_is_the_one_recorded(name):
    assert follow(WAYS[name], seed=1, steps=(0,))["ratio"][0] == pytest.approx(RESULT[name][1]["ratio"][0], rel=0.05)


def test_what_the_lesson_says_of_the_whole():
    assert len(RESULT["relu"]) == len(RESULT["tanh"]) == 5
    assert all(0.5 < run["ratio"][0] < 10 for run in RESULT["relu"])
    lost = [run["ratio"][-1] < 0.01 for run in RESULT["relu"]]
    assert sum(lost) == 4 and max(RESULT["relu"], key=lambda run: run["right"])["ratio"][-1] > 1
    assert all(min(run["ratio"]) > 1 for run in RESULT["tanh"])
