"""The generator of dates, its tokens and its gold alignment."""

import datetime
import random
import re

import pytest
from babel.dates import format_date

from transformer_lab.data import dates
from transformer_lab.data.tokenizers import WordTokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer.train([text for p in dates.training_pairs(3000) for text in (p.source, p.target)])


def test_the_issue_example():
    pair = dates.make_pair(datetime.date(2026, 11, 22))
    assert (pair.source, pair.target) == ("Sunday, November 22, 2026", "2026年11月22日星期日")
    #     2  0  2  6    年   1  1    月   2  2    日  星期日     <- Sunday , November 2 2 , 2 0 2 6
    assert pair.alignment == (6, 7, 8, 9, None, 2, 2, None, 3, 4, None, 0)


@pytest.mark.parametrize("width", dates.WIDTHS)
def test_dates_are_written_as_babel_writes_them(width):
    for day in random.sample(dates.split_days()[0], 200):
        pair = dates.make_pair(day, width)
        assert pair.source == format_date(day, width, "en")
        assert pair.target == format_date(day, width, "zh")


def test_aligned_tokens_mean_the_same(tokenizer):
    months = [format_date(datetime.date(2000, m, 1), w, "en") for w in ("MMM", "MMMM") for m in range(1, 13)]
    for pair in dates.held_out_pairs(300):
        source, target = (tokenizer.tokens(tokenizer.encode(text)) for text in (pair.source, pair.target))
        assert len(target) == len(pair.alignment)
        month = re.search("年(.+)月", pair.target)[1]
        for token, index in zip(target, pair.alignment, strict=True):
            if index is None:
                assert token in "年月日"
            elif token.startswith("星期"):
                assert source[index].endswith("day")
            elif source[index].isdigit():
                assert source[index] == token
            else:
                assert months.index(source[index]) % 12 + 1 == int(month) and token in month


def test_held_out_days_are_never_trained_on():
    held_out = {pair.target[: pair.target.index("日")] for pair in dates.held_out_pairs(500)}
    assert len(held_out) == 500
    for seed in (0, 1, 2):
        trained = {pair.target[: pair.target.index("日")] for pair in dates.training_pairs(seed=seed)}
        assert len(trained) == 5000 and not trained & held_out
    assert dates.training_pairs(50, seed=1) != dates.training_pairs(50, seed=2)


def test_tokens_come_back(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    again = WordTokenizer.load(tmp_path / "tokenizer.json")
    for pair in dates.held_out_pairs(100):
        assert again.decode(tokenizer.encode(pair.target)) == pair.target
        assert again.tokens(again.encode(pair.source)) == dates.TOKEN.findall(pair.source)
        assert tokenizer.unk_id not in tokenizer.encode(pair.source) + tokenizer.encode(pair.target)
    assert again.tokens(again.encode("Someday 5")) == ["[UNK]", "5"] and again.encode("") == []


def test_a_batch_is_padded_on_the_right(tokenizer):
    ids, mask = tokenizer.batch(["5", "1 2 3"], bos=True, eos=True)
    assert mask.tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert tokenizer.tokens(ids[0]) == ["[BOS]", "5", "[EOS]", "[PAD]", "[PAD]"]
