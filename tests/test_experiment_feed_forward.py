"""The recorded table experiment, against a slice of it run again."""

import pytest
import torch

from feed_forward_controls import DeepAboveZero, TableAboveZero, trained
from feed_forward_table import PLANS, SEEDS, WIDTHS, train, weights_of_layers
from transformer_lab.experiments import recorded


def test_the_plans_have_equal_weights():
    kept = recorded("feed_forward_table")["result"]["weights"]
    assert kept == {plan: weights_of_layers(plan) for plan in PLANS}
    assert kept["AF"] == kept["AAA"] and kept["AFAF"] == kept["AAAAAA"]


@pytest.mark.parametrize("plan", ["AF", "AAA"])
def test_a_slice_run_again_learns_as_recorded(plan):
    kept = recorded("feed_forward_table")["result"]["plans"][plan][0]
    assert train(plan, seed=0, steps=200) == pytest.approx(kept[:2], abs=0.06)  # other machines round differently


def test_the_record_says_what_the_lesson_says():
    result = recorded("feed_forward_table")["result"]
    last = {plan: [run[-1] for run in runs] for plan, runs in result["plans"].items()}
    assert min(last["AF"] + last["AFAF"]) >= 0.995 and max(last["AAA"] + last["AAAAAA"]) < 0.7
    means = [sum(map(sum, result["widths"][str(width)])) for width in WIDTHS]
    assert means == sorted(means) and means[0] < means[-1]


def test_the_controls_say_what_the_lesson_says():
    """At the better of two rates attention gets further, and still not as far as the block."""
    last = recorded("feed_forward_table")["result"]["plans"]
    right = recorded("feed_forward_controls")["result"]["right"]
    assert min(right["AF"]["0.01"]) > 0.99 and max(right["AAA"]["0.01"]) < 0.8
    assert min(right["AAA"]["0.01"]) > max(run[-1] for run in last["AAA"])
    assert {len(runs) for by_rate in right.values() for runs in by_rate.values()} == {len(SEEDS)}
    for rate in ("0.003", "0.01"):  # the norms that come with three attentions win little of their lead
        won = [a - b for a, b in zip(right["three norms"][rate], right["nothing"][rate], strict=True)]
        assert min(won) < 0 < sum(won) / len(won) < 0.025


def test_norms_without_attention_run_again():
    assert 0.1 < trained("three norms", 3e-3, seed=0, steps=100)[-1] < 0.4


def test_behind_the_last_projection_a_relu_leaves_nothing_below_zero():
    x = torch.randn(50, 4, 16)
    for stack in (TableAboveZero("AF", 4).layers[1:], DeepAboveZero("pre-norm", 3).layers):
        for layer in stack:
            assert layer(x if layer.w_1.in_features == 16 else torch.randn(50, 32)).min() == 0


def test_a_relu_at_the_end_run_again():
    kept = recorded("feed_forward_controls")["result"]["at the end"]
    assert kept["nothing"]["table, 300 steps"] == [
        run[2] for run in recorded("feed_forward_table")["result"]["plans"]["AF"]
    ]
    assert (
        kept["nothing"]["32 sub-layers"]
        == recorded("residual_depth")["result"]["accuracy"]["pre-norm"]["32"]["accuracy"]
    )
    again = train("AF", seed=0, steps=300, stack=TableAboveZero)[-1]
    assert again == pytest.approx(kept["ReLU"]["table, 300 steps"][0], abs=0.06)
