"""The recorded table experiment, against a slice of it run again."""

import pytest

from feed_forward_controls import trained
from feed_forward_table import PLANS, WIDTHS, train, weights_of_layers
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
    for rate in ("0.003", "0.01"):  # the norms that come with three attentions win a few points of their lead
        assert 0 < sum(right["three norms"][rate]) - sum(right["nothing"][rate]) < 3 * 0.06


def test_norms_without_attention_run_again():
    assert 0.1 < trained("three norms", 3e-3, seed=0, steps=100)[-1] < 0.4
