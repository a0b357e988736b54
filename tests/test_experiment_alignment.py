"""Lesson 11's second experiment: its parts on examples that can be checked by hand, and what the lesson says of it."""

import random

import pytest

from alignment import (
    EDGES,
    accuracies,
    exchange,
    kind_of,
    learn,
    new_task,
    one_later,
    only,
    silence,
    with_another_word,
)
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


def test_another_word_of_its_kind_comes_into_the_gold_place():
    pair, rng = numbers.make_pair(97_802), random.Random(0)  # ninety-seven thousand, eight hundred and two
    texts = {with_another_word(pair, 2, rng) for _ in range(100)}
    assert len(texts) == 8 and pair.source not in texts and "ninety-four thousand, eight hundred and two" in texts
    assert len({with_another_word(pair, 0, rng) for _ in range(100)}) == 7
    assert with_another_word(pair, 3, rng) is None and with_another_word(numbers.make_pair(12), 0, rng) is None


@pytest.fixture(scope="module")
def young():
    return learn(steps=20)


def test_rows_that_look_at_gold_have_one_vector_to_exchange(young):
    found = exchange(young)
    assert set(found) == {"digits", "tens"}
    for looks in found.values():
        gold, other = looks["at gold"], looks["elsewhere"]
        if gold["rows"]:
            assert gold["writes the other"]["gold"] == gold["writes the other"]["favourite"]
            assert gold["weight of gold"] == gold["weight of the favourite"]
        if other["rows"]:
            assert other["weight of gold"] < other["weight of the favourite"]


def rows_elsewhere():
    """(model, kind) -> what was found, of the groups that the lesson draws."""
    groups = {
        (model, kind): found["elsewhere"]
        for model, run in enumerate(RESULT["models"])
        for kind, found in run["exchanged"].items()
    }
    return {name: found for name, found in groups.items() if found["rows"] >= 50}


def test_which_vector_decides_differs_from_model_to_model():
    groups = rows_elsewhere()
    decides = {name: found["writes the other"] for name, found in groups.items()}
    in_another = {name for name, shares in decides.items() if shares["favourite"] > 3 * shares["gold"]}
    in_gold = {name for name, shares in decides.items() if shares["gold"] > 3 * shares["favourite"]}
    assert in_another == {(1, "digits"), (2, "digits"), (2, "tens")}
    assert set(groups) - in_another - in_gold == {(3, "tens")}
    assert all(shares["another"] < 0.01 for shares in decides.values())
    most = {name: found["most frequent word"][0][1] for name, found in groups.items()}
    assert max(most[name] for name in in_another) < 0.22 < 0.5 < min(most[name] for name in set(groups) - in_another)
    assert all(found["still right"]["gold hidden"] > 0.98 for found in groups.values())
    turned = {name: found["weight of gold when exchanged"] for name, found in groups.items()}
    assert max(turned[name] for name in in_another) < 0.3 < 0.4 < min(turned[name] for name in set(groups) - in_another)
    favourites = [RESULT["models"][model]["favourites"][kind][1][1] for model, kind in sorted(in_another)]
    assert favourites == ["-", "and", "thousand"]


def test_the_numbers_that_the_lesson_says():
    found = RESULT["models"][0]["exchanged"]["tens"]["elsewhere"]
    assert (found["rows"], found["writes the other"]["gold"], found["still right"]["by habit"]) == (100, 0.85, 0.59)
    assert found["most frequent word"][0][0] == "neunzig"
    assert max(one["still right"]["by habit"] for key, one in rows_elsewhere().items() if key != (0, "tens")) < 0.5
    assert (round(found["weight of gold"], 2), round(found["weight of gold when exchanged"], 2)) == (0.05, 0.68)
    assert RESULT["models"][4]["exchanged"]["digits"]["elsewhere"]["most frequent word"][0][0] == "zwei"
    assert 0.4 < rows_elsewhere()[3, "tens"]["writes the other"]["gold"] < 0.6
    assert all(run["exact match"] > 0.95 for run in RESULT["models"])


def test_each_held_out_pair_gives_one_word(young):
    groups = silence(young)
    cells = [shares for found in groups.values() for shares in found.values()]
    assert sum(shares[-1] for shares in cells) == 500
    assert all(len(shares) == len(EDGES) + 1 and max(shares[:-1]) <= 1 for shares in cells)
