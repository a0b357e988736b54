"""The recorded experiments of lesson 13 on overfitting and rates: a slice again, and what the lesson says."""

import math
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


def test_adamw_at_its_best_rate_is_ahead_of_sgd_with_every_seed():
    found = recorded("rates")["result"]
    best = {}
    for name, losses in found.items():
        runs = {rate: [math.inf if loss is None else loss for loss in seeds] for rate, seeds in losses.items()}
        best[name] = min(runs.values(), key=median)
        assert all(len(seeds) == len(rates.SEEDS) for seeds in runs.values())
    assert all(ours < theirs - 0.5 for ours, theirs in zip(best["AdamW"], best["SGD, momentum 0.9"], strict=True))
    assert found["SGD, momentum 0.9"]["1.0"] == [None] * 5 and max(found["SGD, momentum 0.9"]["0.3"]) > 6
    assert min(found["AdamW"]["2e-05"]) > math.log(55)


def test_warm_up_gains_nothing_here():
    plain, warm = (recorded("rates")["result"][name] for name in ("AdamW", "AdamW, warm-up of 20 steps"))
    for rate in ("2e-05", "0.0002", "0.0006", "0.002", "0.006"):
        assert all(a < b for a, b in zip(plain[rate], warm[rate], strict=True))
    assert abs(median(plain["0.02"]) - median(warm["0.02"])) < 0.1
