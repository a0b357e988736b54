"""The generator of dates, its tokens and its gold alignment."""

import datetime
import random
import re

import pytest
from babel.dates import format_date

from transformer_lab.data import dates, pairs
from transformer_lab.data.tokenizers import WordTokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer.train([text for p in dates.training_pairs(3000) for text in (p.source, p.target)])


def test_a_pair_is_found_in_both_places():
    assert dates.Pair is pairs.Pair and dates.TOKEN is pairs.TOKEN


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


@pytest.mark.parametrize("locale", ["de", "fr"])
def test_german_and_french_say_the_same_day(locale):
    """Word by word: the aligned English token is babel's English for the same field, a digit is the same digit."""
    for day in random.sample(sum(dates.split_days(), []), 200):
        weekday = format_date(day, "EEEE", locale)
        months = [*(t for w in ("MMM", "MMMM") for t in dates.TOKEN.findall(format_date(day, w, locale))), "."]
        english_months = [format_date(day, w, "en") for w in ("MMM", "MMMM")]
        for width in dates.WIDTHS:
            pair = dates.make_pair(day, width, target=locale)
            assert (pair.source, pair.target) == (format_date(day, width, "en"), format_date(day, width, locale))
            source, target = dates.TOKEN.findall(pair.source), dates.TOKEN.findall(pair.target)
            assert pair.alignment[-4:] == tuple(range(len(source) - 4, len(source)))  # the year
            assert set(pair.alignment) - {None} == {i for i, token in enumerate(source) if token != ","}
            for token, index in zip(target, pair.alignment, strict=True):
                if index is None:
                    assert token in ",."
                elif source[index].isdigit():
                    assert token == source[index] or (token == "0" and day.day < 10)
                elif source[index] in english_months:
                    assert token in months or token in f"{day.month:02}"
                else:
                    assert token == weekday and source[index] == format_date(day, "EEEE", "en")


@pytest.mark.parametrize("target", dates.TARGETS)
def test_the_draws_stay_what_the_shipped_model_learned_from(target):
    """The draws, written out: the model in the package and the lessons' numbers depend on them."""
    days = [datetime.date(1900, 1, 1) + datetime.timedelta(n) for n in range(73049)]
    random.Random(0).shuffle(days)
    held_out, training = days[:7304], days[7304:]
    for seed in (0, 3):
        rng = random.Random(seed)
        drawn = [(day, rng.choice(["full", "long", "medium"])) for day in rng.sample(training, 2000)]
        assert [(p.source, p.target) for p in dates.training_pairs(2000, seed, target)] == [
            (format_date(day, width, "en"), format_date(day, width, target)) for day, width in drawn
        ]
    assert [(p.source, p.target) for p in dates.held_out_pairs(target=target)] == [
        tuple(format_date(day, ["full", "long", "medium"][i % 3], language) for language in ("en", target))
        for i, day in enumerate(held_out[:500])
    ]


def test_chinese_is_the_default():
    assert dates.training_pairs(target="zh") == dates.training_pairs() and len(dates.training_pairs()) == 5000
    assert dates.held_out_pairs(target="zh") == dates.held_out_pairs() and len(dates.held_out_pairs()) == 500


@pytest.mark.parametrize("target", dates.TARGETS)
def test_the_tokenizer_cuts_where_alignments_count(target):
    examples = dates.training_pairs(1000, target=target)
    tokenizer = WordTokenizer.train([text for p in examples for text in (p.source, p.target)])
    for pair in examples:
        for text in (pair.source, pair.target):
            assert [t.strip() for t in tokenizer.tokens(tokenizer.encode(text))] == dates.TOKEN.findall(text)
        assert len(tokenizer.encode(pair.target)) == len(pair.alignment)


def test_what_cannot_be_drawn_gets_a_sentence():
    for draw in (dates.training_pairs, dates.held_out_pairs):
        with pytest.raises(ValueError, match=r"^target is 'hu'; wanted one of zh, de, fr\.$"):
            draw(5, target="hu")
        with pytest.raises(ValueError, match=r"^n is 80000; wanted a number of pairs from 0 to \d+\.$"):
            draw(80_000)
        with pytest.raises(ValueError, match="^n is -1;"):
            draw(-1)


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


def test_a_batch_is_padded_on_the_left_for_generating(tokenizer):
    ids, mask = tokenizer.batch(["5", "1 2 3"], side="left")
    assert mask.tolist() == [[False, False, True], [True] * 3]
    assert tokenizer.tokens(ids[0]) == ["[PAD]", "[PAD]", "5"]
