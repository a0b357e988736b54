"""The record of lesson 15's tables: a slice again, within a tolerance, and the counts against a slow look."""

import random
from collections import Counter
from itertools import pairwise

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
        assert right["docs-bert"][kind] == pytest.approx(right["up to four, mixed"][kind], abs=0.02)


def test_a_guess_is_what_stood_there_most_often():
    ids = random.choices(range(2, 7), k=400) + random.choices(range(8), k=400)
    rows = [[left, 9, right] for left in range(8) for right in range(8)]
    tables = neighbour_tables.Tables(ids, {0, 1}, [(row, 1) for row in rows])
    pairs = list(pairwise(ids))  # the first token stands after none, the last one before none
    inner = [(a, b, c) for (a, b), (_, c) in pairwise(pairs) if b > 1]
    for left, _, right in rows:
        guesses = tables.guesses([left, 9, right], 1)
        after = Counter(b for a, b in pairs if a == left and b > 1)
        before = Counter(b for b, c in pairs if c == right and b > 1)
        both = Counter(b for a, b, c in inner if (a, c) == (left, right))
        counted = [Counter(i for i in ids if i > 1), after, both or after]
        for guess, counts in zip(guesses[:3], counted, strict=True):
            assert counts[guess] == max(counts.values())
        votes = {
            i: sum(n * counts[i] / (counts.total() + 1) for n, counts in ((1, after), (1, before), (2, both)))
            for i in range(2, 8)
        }
        assert votes[guesses[3]] == pytest.approx(max(votes.values()))
    assert tables.guesses([9], 0) == [tables.all.most_common(1)[0][0]] * 4


def test_a_mixture_has_all_choices_of_up_to_four_neighbours():
    row = list(range(9))
    found = {neighbour_tables.neighbours(row, 4, span) for span in neighbour_tables.SPANS}
    assert len(found) == 14 and {len(one) for one in found} == {1, 2, 3, 4}
    assert {(3,), (5,), (3, 5), (2, 3, 5, 6), (0, 1, 2, 3), (5, 6, 7, 8)} <= found and all(
        4 not in one for one in found
    )
    assert neighbour_tables.neighbours(row, 0, (1, 1)) is neighbour_tables.neighbours(row, 8, (0, 1)) is None
