"""The recorded table experiment, against a slice of it run again."""

import pytest

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
