"""A slice of experiments/parts.py again: the first steps of some runs, and the trained model without a part."""

import pytest

import parts
from transformer_lab import exact_match, load
from transformer_lab.data import dates
from transformer_lab.experiments import recorded

RESULT = recorded("parts")["result"]


@pytest.mark.parametrize("part", [parts.WHOLE, "residual"])
def test_training_begins_as_recorded(part):
    """Three steps: rounding, which differs between processors, has not grown beyond one part in a hundred by then."""
    _, losses = parts.train_without(part, steps=3)
    assert losses == pytest.approx(RESULT[part]["first losses"][0][:3], rel=0.01)


@pytest.mark.parametrize("part", ["scale", "causal mask", "positions"])
def test_the_trained_model_without_a_part_is_as_right_as_recorded(part):
    model, tokenizer = load("dates")
    with parts.without(model, part):
        again = exact_match(model, tokenizer, dates.held_out_pairs(300))
    assert again == pytest.approx(RESULT[part]["removed"], abs=0.03)
