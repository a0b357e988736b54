"""The recorded experiments of lesson 13 on overfitting and rates: a slice again, and what the lesson says."""

from statistics import median

import pytest
import torch

import overfitting
import rates
from transformer_lab.experiments import recorded


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_overfitting_begins_as_recorded():
    kept = recorded("overfitting")["result"]["curves"]["nothing"][0]
    again = overfitting.train(0, steps=overfitting.EVERY)
    assert again["held out"][0] == pytest.approx(kept["held out"][0], rel=0.1)
    assert again["right"][0] == pytest.approx(kept["right"][0], abs=0.05)


def test_a_rate_far_too_low_gives_what_was_recorded():
    kept = recorded("rates")["result"]["AdamW"]["2e-05"][0]
    assert rates.train("AdamW", 2e-5, 0) == pytest.approx(kept, rel=0.02)


def test_the_loss_rises_again_while_the_dates_do_not_get_worse():
    for run in recorded("overfitting")["result"]["curves"]["nothing"]:
        turn = run["held out"].index(min(run["held out"]))
        assert run["held out"][-1] > run["held out"][turn] and run["right"][-1] >= run["right"][turn] - 0.01
        assert 0.6 <= run["right"][-1] <= 0.85 or run["right"][-1] >= 0.5


def test_dropout_helps_with_every_seed():
    curves = recorded("overfitting")["result"]["curves"]
    for plain, dropped in zip(curves["nothing"], curves["dropout 0.1"], strict=True):
        assert dropped["right"][-1] > plain["right"][-1] and dropped["held out"][-1] < plain["held out"][-1]


def test_adamw_beats_sgd_at_the_best_rate_of_each():
    found = recorded("rates")["result"]
    best = {
        name: min(median(9 if loss is None else loss for loss in seeds) for seeds in losses.values())
        for name, losses in found.items()
    }
    assert best["AdamW"] < best["SGD, momentum 0.9"] and best["AdamW, warm-up of 20 steps"] < best["SGD, momentum 0.9"]
