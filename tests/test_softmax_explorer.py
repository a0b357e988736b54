"""The softmax explorer: its formula against a slow one, autograd, and what the browser shows."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab.viz import SoftmaxExplorer, softmax_and_loss
from transformer_lab.viz.softmax_explorer import COLDEST, HOTTEST

rows = st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=6)
temperatures = st.floats(COLDEST, HOTTEST)


def slow(scores, target, temperature):
    """The formula, one number at a time, without the largest score taken off."""
    powers = [math.exp(score / temperature) for score in scores]
    p = [power / math.fsum(powers) for power in powers]
    return p, -math.log(p[target]), [p[i] - (i == target) for i in range(len(p))]


@given(rows, st.integers(0, 1), temperatures)
def test_equals_the_formula_one_number_at_a_time(scores, target, temperature):
    for got, wanted in zip(
        softmax_and_loss(scores, target, temperature), slow(scores, target, temperature), strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@given(rows, st.integers(0, 1), temperatures)
def test_the_gradient_is_autograds_at_the_scaled_scores(scores, target, temperature):
    scaled = (torch.tensor(scores, dtype=torch.float64) / temperature).requires_grad_()
    loss = F.cross_entropy(scaled, torch.tensor(target))
    loss.backward()
    _, ours, gradient = softmax_and_loss(scores, target, temperature)
    assert ours == pytest.approx(loss.item(), abs=1e-9)
    np.testing.assert_allclose(gradient, scaled.grad, atol=1e-9)


def test_a_shift_changes_nothing_and_large_scores_do_not_overflow():
    p, loss, _ = softmax_and_loss([2.0, 1.0, -1.0], 1)
    shifted = softmax_and_loss([1e6 + 2.0, 1e6 + 1.0, 1e6 - 1.0], 1)
    np.testing.assert_allclose(shifted[0], p, atol=1e-9)
    assert shifted[1] == pytest.approx(loss)
    assert softmax_and_loss([1e4, 0.0], 1)[1] == pytest.approx(1e4)  # ln of a probability that underflows


def test_what_python_reads():
    explorer = SoftmaxExplorer(scores=[3.8, 0, 0, 0, 0], target=0)
    assert explorer.lead == pytest.approx(3.8) and explorer.loss < 0.1
    explorer.scores, explorer.shift = [3.6, 0, 0, 0, 0], -20
    assert explorer.loss > 0.1 and explorer.probabilities.sum() == pytest.approx(1)
    assert repr(explorer).startswith("SoftmaxExplorer(target a, loss 0.10")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: SoftmaxExplorer(scores=[1, 2]), r"scores must be five numbers .* got \[1, 2\]"),
        (lambda: SoftmaxExplorer(scores=[11, 0, 0, 0, 0]), "from -10 to 10"),
        (lambda: SoftmaxExplorer(temperature=0), "temperature must be between 0.1 and 10; got 0"),
        (lambda: SoftmaxExplorer(target=5), "target must be between 0 and 4; got 5"),
        (lambda: SoftmaxExplorer(shift=51), "shift must be between -50 and 50; got 51"),
        (lambda: softmax_and_loss([], 0), r"scores must be finite .* got shape \(0,\)"),
        (lambda: softmax_and_loss([1.0, 2.0], 2), "target must be between 0 and 1; got 2"),
        (lambda: softmax_and_loss([1.0, 2.0], 0, 0), "temperature must be above 0 and finite; got 0"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=says) as error:
        wrong()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"


def shown(page):
    """The numbers that a reader sees: scores, probabilities, p - y, shift and temperature; and the loss."""
    read = "(nodes) => nodes.map((node) => Number(node.textContent.replace('−', '-')))"
    numbers = page.eval_on_selector_all(".tl-softmax .number", read)
    outputs = page.eval_on_selector_all(".tl-softmax output", read)
    loss = float(page.inner_text(".tl-softmax .read-out").rpartition("= ")[2].partition(" nats")[0])
    return outputs[:5], numbers[:5], numbers[5:], outputs[5:], loss


@pytest.mark.browser
def test_the_page_shows_what_python_computes(page, tmp_path):
    page.goto(SoftmaxExplorer().save(tmp_path / "softmax.html").as_uri())
    page.wait_for_selector(".tl-softmax")
    sliders = page.locator(".tl-softmax input[type=range]")
    for scores, target, power, shift in (
        ([2.0, 1.0, 0.5, -1.0, 0.0], 1, 0, 0),
        ([10.0, -10.0, 3.7, 0.0, 9.9], 3, 0, 50),
        ([0.0, 3.7, 0.0, 0.0, 0.0], 1, 0, -50),
        ([-4.0, 1.5, 2.5, -0.5, 8.0], 0, 1, 7.5),
        ([1.0, 0.5, 0.3, -0.5, 0.1], 4, -1, 0),
    ):
        for i, value in enumerate((*scores, power, shift)):
            sliders.nth(i).evaluate(SET, str(value))
        page.locator(".tl-softmax select").select_option(str(target))
        got_scores, p, gradient, (temperature, got_shift), loss = shown(page)
        assert got_scores == scores and got_shift == shift and temperature == 10**power
        wanted = softmax_and_loss(scores, target, temperature)
        np.testing.assert_allclose(p, wanted[0], atol=6e-4)
        np.testing.assert_allclose(gradient, wanted[2], atol=6e-4)
        assert loss == pytest.approx(wanted[1], abs=6e-4)
        assert ("below 0.1" in page.inner_text(".tl-softmax strong")) == (wanted[1] < 0.1)
