"""Lesson 11's first experiment: a slice of it run again, what one vector is, and what the lesson says of the whole."""

import pytest
import torch

from one_vector import LENGTHS, OneVector, learn, new_task, random_symbols
from transformer_lab.data import toys
from transformer_lab.experiments import recorded

RESULT = recorded("one_vector")["result"]


@pytest.mark.parametrize(("kind", "one_vector"), [("full memory", False), ("one vector", True)])
def test_the_first_steps_are_those_recorded(kind, one_vector):
    _, (first,) = learn("dates", one_vector, seed=0, steps=50)
    wanted = RESULT["dates"][kind][0]["evaluations"][0]
    # The same seed on another CPU: rounding grows with the steps.
    assert first["loss"] == pytest.approx(wanted["loss"], rel=0.03)


def test_one_vector_is_the_mean_of_the_real_tokens_and_padding_does_not_change_it():
    task = new_task("dates", True, seed=0)
    full = new_task("dates", False, seed=0).model
    ids, mask = task.tokenizer.batch(["May 1, 1999", "Sunday, November 22, 2026"])
    with torch.no_grad():
        memory = task.model.encode(ids, mask)
        alone = full.encode(ids[:1, : mask[0].sum()])
    assert memory.shape == (2, 1, 64)
    assert torch.allclose(memory[0, 0], alone[0].mean(dim=0), atol=1e-5)
    assert isinstance(task.model, OneVector)


def test_both_kinds_begin_with_the_same_weights():
    one, full = (new_task("dates", one_vector, seed=3).model.state_dict() for one_vector in (True, False))
    assert all(torch.equal(one[name], full[name]) for name in full)


def test_no_held_out_list_of_symbols_is_trained_on():
    trained = {pair.source for pair in random_symbols(2000, range(4, 25), 0, held_out=False)}
    held_out = random_symbols(120, LENGTHS, 0, held_out=True)
    assert not trained & {pair.source for pair in held_out}
    assert {len(pair.target.split()) for pair in held_out} == set(LENGTHS)
    assert all(pair.source == pair.target and set(pair.source.split()) <= set(toys.SYMBOLS) for pair in held_out)


def last(task, kind, measure):
    return [run["evaluations"][-1][measure] for run in RESULT[task][kind]]


def passes(share, run):
    return next(one["step"] for one in run["evaluations"] if one["exact_match"] > share)


def test_what_the_lesson_says_of_dates():
    full, one = (RESULT["dates"][kind] for kind in ("full memory", "one vector"))
    assert {passes(0.9, run) for run in full} == {150, 200}
    assert min(passes(0.9, run) for run in one) == 800 and max(passes(0.9, run) for run in one) == 1000
    pairs = zip(last("dates", "full memory", "exact_match"), last("dates", "one vector", "exact_match"), strict=True)
    assert all(a > b for a, b in pairs)


def test_what_the_lesson_says_of_copying():
    for length in LENGTHS:
        full, one = (last("copy", kind, f"exact {length}") for kind in ("full memory", "one vector"))
        assert sum(full) / 5 > 0.85
        assert length == 4 or all(a > b + 0.4 for a, b in zip(full, one, strict=True))
    assert min(last("copy", "one vector", "exact 4")) >= 0.75
    assert min(last("copy", "one vector", "exact 8")) > 0.15 and max(last("copy", "one vector", "exact 8")) < 0.4
    assert max(last("copy", "one vector", "exact 12")) < 0.02
