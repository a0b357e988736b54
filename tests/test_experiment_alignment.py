"""Lesson 11's second experiment: its parts on examples that can be checked by hand, and what the lesson says of it."""

import pytest

from alignment import EDGES, accuracies, kind_of, learn, new_task, one_later, only, silence
from transformer_lab.data import numbers
from transformer_lab.experiments import recorded

RESULT = recorded("alignment")["result"]


def test_only_one_kind_of_word_keeps_its_alignment():
    pair = numbers.make_pair(97_802)  # sieben und neunzig tausend acht hundert zwei
    assert pair.alignment == (2, 1, 0, 3, 5, 6, 8)
    assert only([pair], "digits")[0].alignment == (2, None, None, None, 5, None, 8)
    assert only([pair], "hundert")[0].alignment == (None, None, None, None, None, 6, None)
    assert [kind_of(word) for word in ("zwölf", "und", "neunzig")] == ["digits", "und", "tens"]


def test_the_row_that_reads_a_word_is_one_later():
    assert one_later([numbers.make_pair(72)])[0].alignment == (None, 2, 1)


def test_an_untrained_model_is_as_recorded():
    assert accuracies(new_task(0)) == pytest.approx(RESULT["models"][0]["untrained"], abs=0.01)


def test_each_held_out_pair_gives_one_word():
    groups = silence(learn(steps=20))
    cells = [shares for found in groups.values() for shares in found.values()]
    assert sum(shares[-1] for shares in cells) == 500
    assert all(len(shares) == len(EDGES) + 1 and max(shares[:-1]) <= 1 for shares in cells)
