"""experiments/splits.py: every case is there once, and what lesson 13 says of them is what was recorded."""

import random

import pytest

import splits
from transformer_lab.experiments import recorded

KEPT = recorded("splits")["result"]


def test_every_case_is_there_once():
    assert [*KEPT] == [*splits.WAYS] and all(len(bits) == len(splits.SEEDS) for bits in KEPT.values())


def test_what_the_lesson_says():
    """Less overlap, more bits; in each draw the copies are worth something, and as much other text next to nothing."""
    overlapping, shuffled, tenth, documents, cleaned, control = KEPT.values()
    assert max(overlapping) < min(shuffled) and sum(shuffled) < sum(tenth)
    assert abs(sum(documents) - sum(tenth)) / 5 < 0.15
    more = [b - a for a, b in zip(documents, cleaned, strict=True)]
    assert 0.4 < sum(more) / 5 < 0.7 and 0 < min(more) < 0.05 and max(more) > 0.9
    assert all(abs(b - a) < 0.1 for a, b in zip(documents, control, strict=True))


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
    whole = 640_000 if way == splits.WAYS[0] else len(splits.join(splits.python_docs.documents(only_topics=True)))
    assert 0.08 < sum(map(len, held_out)) / whole < 0.11
    assert way in splits.WAYS[4:] or sum(map(len, training)) == pytest.approx(0.9 * whole, rel=0.02)


def test_copies_are_taken_out_and_as_much_else():
    """The same windows are held out; no run of words is on both sides, and the control keeps every copy."""
    (everything,), windows = splits.split(splits.WAYS[3], 2)
    (cleaned,), same = splits.split(splits.WAYS[4], 2)
    parts, again = splits.split(splits.WAYS[5], 2)
    control = " ".join(parts)
    assert windows == same == again
    assert len(cleaned) == pytest.approx(len(control), rel=0.01) and len(cleaned) < 0.8 * len(everything)
    known = splits.shingles(
        splits.join(splits.split_documents(splits.python_docs.documents(only_topics=True), seed=2, run=10**6)[1]),
        splits.RUN,
    )
    shared = {text: splits.np.isin(splits.shingles(text, splits.RUN), known).sum() for text in (cleaned, control)}
    assert shared[cleaned] < 5 < 200 < shared[control]  # a run may reach over the border of two documents
