"""The recorded experiment of lesson 03: a slice of it run again, and what the lesson says of the whole."""

import pytest

from causal_leak import DATE, goes_on, relearn, repeats, shuffled, train, weekdays, well_formed, write
from transformer_lab.data import dates
from transformer_lab.experiments import recorded

RESULT = recorded("causal_leak")["result"]


@pytest.mark.parametrize(("name", "causal"), [("with the mask", True), ("without", False)])
def test_the_first_steps_are_those_recorded(name, causal):
    _, losses = train(causal, 30, seed=0)
    for n, wanted in enumerate(RESULT["loss"][name][0][:3]):
        # The same seed on another CPU: rounding grows with the steps.
        assert sum(losses[10 * n : 10 * n + 10]) / 10 == pytest.approx(wanted, rel=0.02)


def test_what_the_lesson_says_of_the_whole():
    assert all(len(runs) == 5 for runs in [*RESULT["loss"].values(), *RESULT["well_formed"].values()])
    # Every model drew with random numbers of its own: else their texts are the same luck five times.
    assert len({tuple(texts) for texts in RESULT["examples"]["with the mask"]}) == 5
    for honest, leaky in zip(RESULT["loss"]["with the mask"], RESULT["loss"]["without"], strict=True):
        assert honest[-1] > 0.9 and leaky[-1] < 0.02
    assert min(RESULT["well_formed"]["with the mask"]) > 0.7 and max(RESULT["well_formed"]["without"]) < 0.05


def test_some_models_without_a_mask_go_on_to_a_date_and_each_does_worse_than_its_twin():
    honest, leaky = RESULT["begun"]["with the mask"], RESULT["begun"]["without"]
    assert len(honest) == len(leaky) == 5 and all(a > b for a, b in zip(honest, leaky, strict=True))
    assert max(leaky) > 0.5 and min(leaky) < 0.05
    late = RESULT["begun, late"]
    assert all(a > b + 0.5 for a, b in zip(late["with the mask"], late["without"], strict=True)) and len(late) == 2
    assert all(a > b for a, b in zip(leaky, late["without"], strict=True))
    texts = goes_on(train(True, 30)[0], True, n=5, beginning="2026年")
    assert len(texts) == 5 and all(text.startswith("2026年") for text in texts)


def test_a_model_without_a_mask_had_learnt_something_all_the_same():
    for row in RESULT["relearn"]:
        assert row["20 steps more"] > row["a new model, 20 steps"] > row["at once"]
        assert row["20 steps more, loss"] < row["a new model, 20 steps, loss"] - 0.4
        # And about dates: to copy texts without any order helps as little as nothing.
        assert row["20 steps more, loss"] < row["shuffled, 20 steps more, loss"] - 0.4
        assert abs(row["20 steps more"] - row["all along"]) < 0.03 < row["20 steps more, loss"] - row["all along, loss"]
    again = relearn(0)
    assert again == pytest.approx(RESULT["relearn"][0], abs=0.15) and len(RESULT["relearn"]) == 5


def test_weekdays_are_those_of_the_calendar():
    texts = ["2026年11月22日星期日", "2026年11月22日星期一", "2026年2月30日星期一", "2026年11月22日", "11月"]
    assert weekdays(texts) == (1, 2)


def test_a_date_is_told_from_rubbish():
    assert all(DATE.fullmatch(pair.target) for pair in dates.held_out_pairs(100))
    assert well_formed(["2026年11月22日", "2026年11月", "", "1111111111"]) == 0.25


def test_without_a_mask_a_model_mostly_repeats_the_newest_character():
    of = RESULT["repeats"]
    assert len(of["with the mask"]) == len(of["without"]) == 5
    assert max(of["with the mask"]) < 0.05 < 0.6 < min(of["without"])
    assert repeats([""]) == 1 and repeats(["1" * 16]) == 0.938 and repeats(["2026年"]) == 0
    assert repeats(["11", ""]) == 0.5  # of 1, 1, the end and the end two


def test_a_model_writes_texts_of_its_own():
    model, _ = train(True, 1)
    assert len(write(model, True, n=3)) == 3 and write(model, True, n=3) != write(model, True, n=3, seed=1)


def test_shuffled_texts_are_as_long_and_hold_the_same_characters():
    texts = [pair.target for pair in dates.training_pairs(200)]
    mixed = shuffled(texts)
    assert [sorted(text) for text in mixed] == [sorted(text) for text in texts] and well_formed(mixed) < 0.05
