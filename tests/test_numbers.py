"""Numbers in words: against num2words itself, and alignments against a dictionary written by hand."""

import random
from collections import Counter

import num2words
import pytest

from transformer_lab import optional
from transformer_lab.data import numbers
from transformer_lab.data.pairs import TOKEN
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.optional import MissingPackageError

GERMAN = """zero null, one ein eins, two zwei, three drei, four vier, five fünf, six sechs, seven sieben, eight acht,
nine neun, ten zehn, eleven elf, twelve zwölf, thirteen dreizehn, fourteen vierzehn, fifteen fünfzehn,
sixteen sechzehn, seventeen siebzehn, eighteen achtzehn, nineteen neunzehn, twenty zwanzig, thirty dreißig,
forty vierzig, fifty fünfzig, sixty sechzig, seventy siebzig, eighty achtzig, ninety neunzig, hundred hundert,
thousand tausend, - und"""
FRENCH = """zero zéro, one un onze, two deux douze, three trois treize, four quatre quatorze, five cinq quinze,
six six seize, seven sept, eight huit, nine neuf, ten dix, eleven onze, twelve douze, thirteen treize,
fourteen quatorze, fifteen quinze, sixteen seize, seventeen dix sept, eighteen dix huit, nineteen dix neuf,
twenty vingt, thirty trente, forty quarante, fifty cinquante, sixty soixante, seventy soixante dix,
eighty quatre vingt vingts, ninety quatre vingt dix, hundred cent cents, thousand mille, - - et"""


def dictionary(text):
    return {english: set(words) for english, *words in (entry.split() for entry in text.split(","))}


MEANS = {"de": dictionary(GERMAN), "fr": dictionary(FRENCH)}


@pytest.fixture(scope="module")
def examples():
    """Pairs of a number, for both targets: all below 100, some round ones, and fresh ones from everywhere."""
    drawn = [*range(100), *random.sample(range(100, 1000), 100), *random.sample(range(1_000_000), 200)]
    drawn += [n * 1000 for n in random.sample(range(1, 1000), 50)] + [n * 100 for n in random.sample(range(10_000), 50)]
    return {target: {n: numbers.make_pair(n, target) for n in drawn} for target in numbers.TARGETS}


def tokens(pair):
    return TOKEN.findall(pair.source), TOKEN.findall(pair.target)


def aligned(pair):
    source, target = tokens(pair)
    return [(word, None if i is None else source[i]) for word, i in zip(target, pair.alignment, strict=True)]


@pytest.mark.parametrize("target", numbers.TARGETS)
def test_numbers_are_written_as_num2words_writes_them(examples, target):
    for n, pair in examples[target].items():
        said = pair.target.replace(" ", "") if target == "de" else pair.target
        assert (pair.source, said) == (num2words.num2words(n, lang="en"), num2words.num2words(n, lang=target))


@pytest.mark.parametrize("target", numbers.TARGETS)
def test_aligned_tokens_mean_the_same(examples, target):
    for pair in examples[target].values():
        for word, english in aligned(pair):
            assert word == "-" if english is None else word in MEANS[target][english], (pair, word)


def test_german_says_every_part_once_and_in_order(examples):
    """Only tens and units change places, and they are different words: the k-th "four" is the k-th "vier"."""
    for pair in examples["de"].values():
        source, target = tokens(pair)
        assert sorted(pair.alignment) == [i for i, word in enumerate(source) if word not in ("and", ",")]
        for t, i in enumerate(pair.alignment):
            assert source[:i].count(source[i]) == sum(word in MEANS["de"][source[i]] for word in target[:t]), pair


def test_german_crosses_tens_and_units():
    pair = numbers.make_pair(94_005)
    assert (pair.source, pair.target) == ("ninety-four thousand and five", "vier und neunzig tausend fünf")
    assert pair.alignment == (2, 1, 0, 3, 5)


def test_french_never_crosses_and_leaves_out_only_some_ones(examples):
    """It says every part of the English but the one of "one hundred" and of "one thousand" alone."""
    for n, pair in examples["fr"].items():
        source = tokens(pair)[0]
        said = [i for i in pair.alignment if i is not None]
        silent = {i for i, word in enumerate(source) if word in ("and", ",") or source[i : i + 2] == ["one", "hundred"]}
        if n // 1000 == 1:
            silent.add(0)
        assert said == sorted(said) and set(said) == set(range(len(source))) - silent, pair


def test_french_tens_are_several_words():
    def french(number):
        return aligned(numbers.make_pair(number, "fr"))

    ninety = [("quatre", "ninety"), ("-", None), ("vingt", "ninety"), ("-", None), ("dix", "ninety")]
    assert french(97) == [*ninety, ("-", "-"), ("sept", "seven")]
    assert french(72) == [("soixante", "seventy"), ("-", "-"), ("douze", "two")]
    assert french(21) == [("vingt", "twenty"), ("et", "-"), ("un", "one")]
    assert french(18) == [("dix", "eighteen"), ("-", None), ("huit", "eighteen")]
    assert french(100) == [("cent", "hundred")] and french(1000) == [("mille", "thousand")]
    assert numbers.make_pair(121_101, "fr").alignment == (1, 3, 4, 5, 6, 9, 11)


@pytest.mark.parametrize("target", numbers.TARGETS)
def test_held_out_numbers_are_never_trained_on(target):
    """English says each number differently, so a source stands for its number."""
    held_out = [pair.source for pair in numbers.held_out_pairs(150, target)]
    assert len(set(held_out)) == 150 and held_out[:20] == [p.source for p in numbers.held_out_pairs(20, target)]
    training, kept = numbers.split_numbers()
    assert len(training) == 900_000 and sorted(training + kept) == list(range(1_000_000))
    for seed in random.sample(range(1000), 2):
        drawn = [pair.source for pair in numbers.training_pairs(150, seed, target)]
        assert set(drawn) <= {num2words.num2words(n) for n in random.Random(seed).sample(training, 150)}
        assert len(set(drawn)) == 150 and not set(drawn) & set(held_out)


def test_a_seed_draws_the_same_numbers_again():
    assert (
        numbers.training_pairs(30, seed=4) == numbers.training_pairs(30, seed=4) != numbers.training_pairs(30, seed=5)
    )
    german, french = (numbers.training_pairs(30, 4, target) for target in numbers.TARGETS)
    assert [pair.source for pair in german] == [pair.source for pair in french]


def test_numbers_are_drawn_evenly():
    """Of 4,000 numbers each hundred thousand gets about 400: six standard deviations are 114."""
    held_out = numbers.split_numbers()[1][:4000]
    drawn = random.Random(random.random()).sample(numbers.split_numbers()[0], 4000)
    for sample in (held_out, drawn):
        counts = Counter(n // 100_000 for n in sample)
        assert len(counts) == 10 and all(abs(count - 400) < 114 for count in counts.values())


def test_only_the_numbers_drawn_are_put_into_words(monkeypatch):
    calls, original = [], num2words.num2words
    monkeypatch.setattr(num2words, "num2words", lambda n, lang: calls.append((n, lang)) or original(n, lang=lang))
    numbers.training_pairs(7)
    assert len(calls) == 14 and Counter(lang for _, lang in calls) == {"en": 7, "de": 7}


@pytest.mark.parametrize("target", numbers.TARGETS)
def test_the_tokenizer_cuts_where_alignments_count(target):
    pairs = numbers.training_pairs(200, target=target)
    tokenizer = WordTokenizer.train([text for p in pairs for text in (p.source, p.target)])
    for pair in pairs:
        for text in (pair.source, pair.target):
            assert tokenizer.tokens(tokenizer.encode(text)) == TOKEN.findall(text)
        assert len(tokenizer.encode(pair.target)) == len(pair.alignment)


def test_what_cannot_be_drawn_gets_a_sentence():
    for draw in (numbers.training_pairs, numbers.held_out_pairs):
        with pytest.raises(ValueError, match=r"^target is 'zh'; wanted one of de, fr\.$"):
            draw(5, target="zh")
        with pytest.raises(ValueError, match=r"^n is 1000000; wanted a number of pairs from 0 to \d00000\.$"):
            draw(1_000_000)
        with pytest.raises(ValueError, match="^n is -1;"):
            draw(-1)
    for number in (-1, 1_000_000):
        with pytest.raises(ValueError, match=rf"^number is {number}; wanted a whole number from 0 to 999999\.$"):
            numbers.make_pair(number)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="pip install num2words"):
        numbers.held_out_pairs(1)
