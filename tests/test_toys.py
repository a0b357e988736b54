"""The toy tasks and their alignments, and rows that only induction can go on with."""

import random
from collections import Counter

import pytest
import torch

from transformer_lab.data import toys
from transformer_lab.data.pairs import TOKEN
from transformer_lab.data.tokenizers import WordTokenizer

ANSWERS = {"copy": list, "reverse": lambda letters: letters[::-1], "sort": sorted}


def test_every_task_is_tested():
    assert set(ANSWERS) == set(toys.TASKS)


@pytest.mark.parametrize("task", toys.TASKS)
def test_the_target_is_the_answer_and_says_where_each_symbol_came_from(task):
    for pair in toys.training_pairs(task, 500, seed=random.randrange(10**6)):
        source, target = pair.source.split(), pair.target.split()
        assert target == ANSWERS[task](source)
        assert sorted(pair.alignment) == list(range(len(source)))
        assert [source[i] for i in pair.alignment] == target


def test_alignments_run_forward_backward_and_stable():
    for pair in toys.training_pairs("copy", 100):
        assert list(pair.alignment) == sorted(pair.alignment)
    for pair in toys.training_pairs("reverse", 100):
        assert list(pair.alignment) == sorted(pair.alignment, reverse=True)
    assert toys.make_pair("sort", "dacacd").alignment == (1, 3, 2, 4, 0, 5)
    n_ties = 0
    for pair in toys.training_pairs("sort", 100):
        target = pair.target.split()
        for t in range(1, len(target)):
            if target[t] == target[t - 1]:
                n_ties += 1
                assert pair.alignment[t - 1] < pair.alignment[t]
    assert n_ties > 50  # symbols do come twice, or sorting would have nothing to be stable about


@pytest.mark.parametrize("task", toys.TASKS)
def test_the_tokenizer_cuts_where_alignments_count(task):
    examples = toys.training_pairs(task, 300)
    tokenizer = WordTokenizer.train([pair.source for pair in examples])
    assert len(tokenizer) == 20 + 4  # the symbols, and four special tokens
    for pair in examples:
        for text in (pair.source, pair.target):
            assert tokenizer.tokens(tokenizer.encode(text)) == TOKEN.findall(text) == text.split()


def test_what_is_held_out_in_one_task_is_trained_on_in_none():
    held_out = [pair.source for pair in toys.held_out_pairs("sort", 2000)]
    assert len(set(held_out)) == 2000
    for task in toys.TASKS:
        assert [pair.source for pair in toys.held_out_pairs(task)] == held_out[:500]
        trained = [pair.source for pair in toys.training_pairs(task, 2000, seed=random.randrange(10**6))]
        assert len(set(trained)) == 2000 and not set(trained) & set(held_out)


def test_a_seed_draws_the_same_lists_again():
    assert toys.training_pairs("copy", 30, 4) == toys.training_pairs("copy", 30, 4)
    assert toys.training_pairs("copy", 30, 4) != toys.training_pairs("copy", 30, 5)
    assert toys.training_pairs("copy", 30, 4) == toys.training_pairs("copy", 60, 4)[:30]


def test_lengths_and_symbols_are_drawn_evenly():
    """Both sides, as often as chance allows: six standard deviations."""
    drawn = toys.training_pairs("copy", 1800, seed=random.randrange(10**6))
    for pairs in (drawn, toys.held_out_pairs("copy", 900)):
        lengths = Counter(len(pair.alignment) for pair in pairs)
        mean = len(pairs) / 9
        assert set(lengths) == set(range(4, 13)) and all(abs(n - mean) < 6 * mean**0.5 for n in lengths.values())
        symbols = Counter(symbol for pair in pairs for symbol in pair.source.split())
        mean = symbols.total() / 20
        assert len(symbols) == 20 and all(abs(n - mean) < 6 * mean**0.5 for n in symbols.values())


@pytest.mark.parametrize("length", [4, 8, 12])
def test_about_one_list_in_ten_is_held_out(length):
    rng = random.Random(length)
    share = sum(toys.is_held_out("".join(rng.choices(toys.SYMBOLS, k=length))) for _ in range(2500)) / 2500
    assert abs(share - 0.1) < 0.036  # six standard deviations


def test_what_cannot_be_drawn_gets_a_sentence():
    for draw, most in ((toys.training_pairs, 100_000), (toys.held_out_pairs, 10_000)):
        with pytest.raises(ValueError, match=r"^task is 'shuffle'; wanted one of copy, reverse, sort\.$"):
            draw("shuffle", 5)
        with pytest.raises(ValueError, match=rf"^n is {most + 1}; wanted a number of pairs from 0 to {most}\.$"):
            draw("copy", most + 1)
        with pytest.raises(ValueError, match="^n is -1;"):
            draw("copy", -1)
    with pytest.raises(ValueError, match="^symbol is ' '; wanted one of a, b, c,"):
        toys.make_pair("copy", "a b")


def seen_periods(ids):
    """Each row's period: where its first token stands again."""
    return [row.index(row[0], 1) for row in ids.tolist()]


@pytest.mark.parametrize("vocab_size, periods", [(32, (8, 16)), (64, (12, 24)), (5, (1, 5)), (9, (4, 4))])
def test_a_row_repeats_a_block_of_different_tokens(vocab_size, periods):
    ids, _ = toys.induction_rows(200, random.randrange(10**6), vocab_size, periods)
    assert ids.shape == (200, 2 * periods[1]) and ids.dtype == torch.int64
    assert ids.min() >= 0 and ids.max() < vocab_size
    for row, period in zip(ids.tolist(), seen_periods(ids), strict=True):
        assert periods[0] <= period <= periods[1]
        assert len(set(row[:period])) == period
        assert row == (row[:period] * len(row))[: len(row)]


def test_exactly_what_followed_before_is_predictable():
    """A reader that remembers who followed whom is right wherever it has an answer, and has one just there."""
    ids, predictable = toys.induction_rows(300, random.randrange(10**6))
    assert predictable.shape == ids.shape and predictable.dtype == torch.bool
    for row, mask in zip(ids.tolist(), predictable.tolist(), strict=True):
        follower = {}
        assert not mask[0]
        for t in range(1, len(row)):
            assert mask[t] == (row[t - 1] in follower)
            assert follower.setdefault(row[t - 1], row[t]) == row[t]


def test_periods_and_tokens_are_drawn_evenly():
    ids, _ = toys.induction_rows(4500, random.randrange(10**6))
    periods = Counter(seen_periods(ids))
    assert set(periods) == set(range(8, 17)) and all(abs(n - 500) < 134 for n in periods.values())
    for t in (0, 7):
        assert (torch.bincount(ids[:, t], minlength=32) - 4500 / 32).abs().max() < 6 * (4500 / 32) ** 0.5


def test_rows_depend_on_the_seed_alone():
    first, again, other = (toys.induction_rows(20, seed)[0] for seed in (1, 1, 2))
    torch.rand(3)  # the global generator has no part in it
    assert torch.equal(first, again) and torch.equal(first, toys.induction_rows(20, 1)[0])
    assert not torch.equal(first, other)
    before = torch.random.get_rng_state()
    toys.induction_rows(5)
    assert torch.equal(before, torch.random.get_rng_state())


def test_rows_that_cannot_be_get_a_sentence():
    with pytest.raises(ValueError, match=r"^n is -1; wanted a number of rows, 0 or more\.$"):
        toys.induction_rows(-1)
    for periods in ((0, 4), (5, 4), (8, 33)):
        with pytest.raises(ValueError, match=r"^periods is \(\d, \d+\); wanted \(shortest, longest\) from 1 to vocab"):
            toys.induction_rows(3, periods=periods)
