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


def test_without_a_remedy_the_loss_rises_again_while_more_dates_come_out_right():
    for run in recorded("overfitting")["result"]["curves"]["nothing"]:
        turn = run["held out"].index(min(run["held out"]))
        assert 400 <= run["step"][turn] <= 600 and run["train"][-1] < 0.0005
        assert run["held out"][-1] > run["held out"][turn] and run["right"][-1] > run["right"][turn] + 0.01
        assert 0.6 < run["right"][-1] < 0.9


def test_both_remedies_help_with_every_seed():
    curves = recorded("overfitting")["result"]["curves"]
    for remedy in ("dropout 0.1", "decay 0.3"):
        gains = [b["right"][-1] - a["right"][-1] for a, b in zip(curves["nothing"], curves[remedy], strict=True)]
        assert len(gains) == 5 and min(gains) > 0.075 and max(gains) < 0.19
        assert all(
            b["held out"][-1] < a["held out"][-1] for a, b in zip(curves["nothing"], curves[remedy], strict=True)
        )


def test_adamw_beats_sgd_at_the_best_rate_of_each():
    found = recorded("rates")["result"]
    best = {
        name: min(median(9 if loss is None else loss for loss in seeds) for seeds in losses.values())
        for name, losses in found.items()
    }
    assert best["AdamW"] < best["SGD, momentum 0.9"] and best["AdamW, warm-up of 20 steps"] < best["SGD, momentum 0.9"]
