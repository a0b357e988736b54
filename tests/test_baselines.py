"""baselines.py: the n-grams are a distribution, and every number agrees with a slow or hand-made count."""

import math
import random
import string
from collections import namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab import baselines

Sentence = namedtuple("Sentence", "words tags")
texts = st.text(alphabet="abcdé \n", min_size=1, max_size=60)


def witten_bell(train, character, context):
    """The definition, recursive, by looking through the text anew for each probability."""
    if context is None:
        return 1 / (len(set(train)) + 1)
    after = [train[i + len(context)] for i in range(len(train) - len(context)) if train[i:].startswith(context)]
    shorter = witten_bell(train, character, context[1:] if context else None)
    if not after:
        return shorter
    kinds = len(set(after))
    return (after.count(character) + kinds * shorter) / (len(after) + kinds)


@given(train=texts, context=st.text(alphabet="abcxé ", max_size=6), n=st.integers(1, 6))
def test_probabilities_after_any_context_sum_to_one(train, context, n):
    ngrams = baselines.CharacterNgrams(train, n)
    probabilities = [ngrams.probability(character, context) for character in [*set(train), "unknown"]]
    assert min(probabilities) > 0 and math.isclose(sum(probabilities), 1, rel_tol=1e-12)


@given(train=texts, test=st.text(alphabet="abcxé ", min_size=1, max_size=20), n=st.integers(1, 6))
def test_ngrams_cost_what_the_slow_definition_says(train, test, n):
    bits = [-math.log2(witten_bell(train, test[i], test[max(0, i - n + 1) : i])) for i in range(len(test))]
    assert math.isclose(baselines.ngram_bits(train, test, n), sum(bits) / len(test), rel_tol=1e-9)


def test_unigrams_by_hand():
    # a twice, b once, so two different in three places; a third each for a, b and what is unknown below that.
    a, unknown = (2 + 2 / 3) / 5, (0 + 2 / 3) / 5
    assert math.isclose(baselines.unigram_bits("aab", "a"), -math.log2(a))
    assert math.isclose(baselines.unigram_bits("aab", "az"), -(math.log2(a) + math.log2(unknown)) / 2)


def test_ngrams_find_the_entropy_of_a_markov_chain():
    """Each letter goes on to one of two others, three times to one: 0.81 bits; alone each is one of eight: 3 bits."""
    rng, text = random.Random(7), "a"
    for _ in range(30_000):
        text += "abcdefgh"[("abcdefgh".index(text[-1]) + rng.choice([1, 1, 1, 3])) % 8]
    train, test = text[:20_000], text[20_000:]
    assert baselines.unigram_bits(train, test) == pytest.approx(3, abs=0.02)
    assert baselines.ngram_bits(train, test, 2) == pytest.approx(2 - 0.75 * math.log2(3), abs=0.06)


def test_five_is_the_default_length():
    train, test = "the cat sat on the mat. " * 3, "the rat sat on a hat."
    assert baselines.ngram_bits(train, test) == baselines.ngram_bits(train, test, 5)
    assert baselines.ngram_bits(train, test) != pytest.approx(baselines.ngram_bits(train, test, 4))


def test_xz_pays_for_what_is_new_and_not_for_what_it_read():
    rng = random.Random(7)
    train, new = ("".join(rng.choices(string.hexdigits[:16], k=k)) for k in (600_000, 20_000))
    assert baselines.xz_bits(train, train[:20_000]) < 0.1  # as far back as it goes
    assert 4 <= baselines.xz_bits(train, new) < 4.6  # hexadecimal digits: four bits each


def test_xz_counts_characters_and_not_bytes():
    rng = random.Random(7)
    train, test = ("".join(rng.choices("àáâãäåæçèéêëìíîï", k=20_000)) for _ in range(2))
    assert 4 <= baselines.xz_bits(train, test) < 5.5  # two bytes each


def test_the_majority_is_trainings_and_not_the_tests():
    assert baselines.majority_accuracy(["x", "y", "y"], ["x", "x", "x", "y"]) == 0.25
    assert baselines.majority_accuracy([1, 0, 0, 1, 1], [0, 0]) == 0


def test_words_get_their_most_frequent_tag():
    training = [
        Sentence(("Paris", "met", "Lee"), ("B-PER", "O", "B-ORG")),
        Sentence(("Paris", "Paris", "Lee", "May"), ("B-LOC", "B-LOC", "B-PER", "I-LOC")),
    ]
    words = ["May", "Paris", "paris", "met", "Paris", "Rome", "Lee"]
    # Lee is a tie: the tag that came first. Letters' case counts.
    assert baselines.lookup_tags(training, words) == ["I-LOC", "B-LOC", "O", "O", "B-LOC", "O", "B-ORG"]
    assert baselines.lookup_tags([], ["Paris"]) == ["O"] and baselines.lookup_tags(training, []) == []


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("OXY")), max_size=8), min_size=1, max_size=6)
)
def test_no_tag_was_more_frequent_than_the_one_looked_up(rows):
    training = [Sentence([w for w, _ in row], [t for _, t in row]) for row in rows]
    pairs = [pair for row in rows for pair in row]
    for word, tag in zip("abcd", baselines.lookup_tags(training, list("abcd")), strict=True):
        assert all(pairs.count((word, tag)) >= pairs.count((word, other)) for other in "OXY")


def test_mistakes_get_a_sentence():
    for bits in (baselines.unigram_bits, baselines.ngram_bits, baselines.xz_bits):
        for train, test, name in (("", "a", "train"), ("a", "", "test")):
            with pytest.raises(ValueError, match=f"^{name} is empty; there is nothing to count[.]$"):
                bits(train, test)
    with pytest.raises(ValueError, match="^n, the length of an n-gram, must be a whole number, at least 1; got 0[.]$"):
        baselines.ngram_bits("a", "a", 0)
    with pytest.raises(ValueError, match=r"^words must be a list of texts; got one text: 'Paris'\.$"):
        baselines.lookup_tags([], "Paris")
    with pytest.raises(ValueError, match="^train_labels is empty;"):
        baselines.majority_accuracy([], [1])
    with pytest.raises(ValueError, match="^test_labels is empty;"):
        baselines.majority_accuracy([1], [])
