"""experiments/splits.py: every case is there once, and what lesson 13 says of them is what was recorded."""

import random

import pytest

import splits
from transformer_lab.experiments import recorded

KEPT = recorded("splits")["result"]


def test_every_case_is_there_once():
    assert [*KEPT] == [*splits.WAYS] and all(len(bits) == len(splits.SEEDS) for bits in KEPT.values())


def test_what_the_lesson_says():
    """Less overlap, more bits; whole documents alone gain nothing, without copies they cost more; yet draws overlap."""
    overlapping, shuffled, tenth, kept, removed = KEPT.values()
    assert max(overlapping) < min(shuffled) and sum(shuffled) < sum(tenth)
    assert abs(sum(kept) - sum(tenth)) / 5 < 0.15 and 0.3 < (sum(removed) - sum(kept)) / 5 < 0.7
    assert min(removed) < max(kept)


def test_a_case_measured_again_gives_what_was_recorded():
    """About, because the manual differs a little from one version of Python to the next."""
    assert splits.measured(splits.WAYS[1], 0) == pytest.approx(KEPT[splits.WAYS[1]][0], abs=0.15)


def test_a_table_of_counts_guesses_evenly_and_then_trusts_what_it_saw():
    assert splits.surprise("aab", splits.count(["ab"])) > splits.surprise("ab", splits.count(["ab"] * 50))
    letters = "".join(random.Random(0).choices("abcd", k=4000))
    assert splits.surprise(letters[:200], splits.count([letters], longest=0)) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("way", splits.WAYS)
def test_what_is_held_out_is_about_a_tenth_in_windows(way):
    training, held_out = splits.split(way, 0)
    assert {len(window) for window in held_out} == {splits.WINDOW}
    share = sum(map(len, held_out)) / (sum(map(len, held_out)) + sum(map(len, training)))
    assert 0.08 < share < 0.11
