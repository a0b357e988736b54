"""The record of lesson 15's tables: a slice again, within a tolerance, and the counts against a slow look."""

import random
from collections import Counter

import pytest

from transformer_lab.experiments import experiment, recorded

neighbour_tables = experiment("neighbour_tables")


def test_a_slice_comes_out_as_recorded():
    record, again = recorded("neighbour_tables")["result"], neighbour_tables.compare(n_windows=250)
    for name in again["right"]:
        shares = record["right"][name]
        for kind, share in shares.items():
            # A quarter of the tokens; and another Python's documentation is another text.
            assert again["right"][name][kind] == pytest.approx(share, abs=0.05), (name, kind)
    assert record["tokens"] > 3 * again["tokens"] > 3000


def test_what_the_lesson_says_of_tables_and_networks():
    right = recorded("neighbour_tables")["result"]["right"]
    for kind in ("all", "words"):
        assert right["1,000 steps"][kind] < right["both neighbours"][kind] < right["docs-bert"][kind] - 0.03


def test_a_guess_is_what_stood_there_most_often():
    rng = random.Random()
    ids = rng.choices(range(2, 7), k=400) + rng.choices(range(8), k=400)
    tables = neighbour_tables.Tables(ids, special={0, 1})
    inner = [(a, b, c) for a, b, c in zip(ids, ids[1:], ids[2:], strict=False) if b > 1]
    for before in range(8):
        for behind in range(8):
            first, left, both = tables.guesses(before, behind)
            counted = [Counter(i for i in ids if i > 1), Counter(b for a, b, _ in inner if a == before)]
            counted.append(Counter(b for a, b, c in inner if (a, c) == (before, behind)) or counted[1])
            for guess, counts in zip((first, left, both), counted, strict=True):
                assert counts[guess] == max(counts.values())
    assert tables.guesses(None, 3) == [tables.all.most_common(1)[0][0]] * 3
