"""Byte-pair encoding written out: by hand, and beside the tokenizers library, which breaks ties in another way."""

import json
from collections import Counter

import pytest
import tokenizers
from tokenizers import Regex, models, pre_tokenizers, trainers

from transformer_lab.data.byte_pairs import WORD, apply_merges, encode, learn_merges, split_words
from transformer_lab.data.python_docs import topics
from transformer_lab.data.tokenizers import BPETokenizer

TEXT = "".join(topic.text for topic in topics()[:5]) + "naïve Übung, 十一月 11_1 ²³ 😀\n\n  end \t"


def in_the_library(words, n_merges, cut):
    """The library's byte-pair encoding learnt from these words, and its merges in order."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = cut
    trainer = trainers.BpeTrainer(vocab_size=len(set("".join(words))) + n_merges, show_progress=False)
    tokenizer.train_from_iterator(words, trainer)
    return tokenizer, [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def counted(spelt):
    """How often each pair of neighbours occurs in words spelt as tuples of tokens."""
    counts = Counter()
    for tokens, count in spelt.items():
        for left, right in zip(tokens, tokens[1:], strict=False):
            counts[left, right] += count
    return counts


def joined(tokens, pair):
    found = next((i for i in range(len(tokens) - 1) if tokens[i : i + 2] == pair), None)
    return tokens if found is None else (*tokens[:found], "".join(pair), *joined(tokens[found + 2 :], pair))


def test_merges_by_hand():
    assert learn_merges("low lower lowest", 3) == [("l", "o"), ("lo", "w"), (" ", "low")]
    assert apply_merges(" lowly", [("l", "o"), ("lo", "w"), (" ", "low")]) == [" low", "l", "y"]
    assert learn_merges({"ab": 1, "bc": 2}, 9) == [("b", "c"), ("a", "b")]  # and then every word is one token
    assert learn_merges("", 4) == learn_merges({"a": 7, "bc": 0}, 4) == learn_merges("ab", 0) == [] == encode("", [])


def test_of_equally_frequent_pairs_the_one_sorted_first_is_joined():
    assert learn_merges({"zy": 2, "ba": 2, "bB": 2, "yz": 1}, 4) == [("b", "B"), ("b", "a"), ("z", "y"), ("y", "z")]


def test_pairs_that_overlap_count_each_and_join_from_the_left():
    assert learn_merges({"aaa": 2, "bc": 3}, 3) == [("a", "a"), ("b", "c"), ("aa", "a")]  # a a occurs 4 times
    assert apply_merges("aaaaa", [("a", "a")]) == ["aa", "aa", "a"]


@pytest.mark.parametrize(
    ("word", "merges", "tokens"),
    [
        ("abcd", ["b c", "a b", "c d"], "a bc d"),  # neither the first pair from the left nor the longest token
        ("abc", ["b c", "a b", "a bc"], "abc"),
        ("abcd", ["b c", "c d", "ab cd"], "a bc d"),  # no merge makes ab
        ("x", ["x x"], "x"),
        ("", ["x x"], ""),
    ],
)
def test_the_merge_learnt_first_goes_first(word, merges, tokens):
    assert apply_merges(word, [tuple(merge.split()) for merge in merges]) == tokens.split()


def test_each_merge_is_the_most_frequent_pair_counted_anew():
    """Beside a slow version that counts everything again, and beside the library, which settles ties by ids."""
    short = TEXT[:6000]
    words = Counter(split_words(short))
    ours, tied = learn_merges(words, 80), 0
    _, theirs = in_the_library([short], 80, pre_tokenizers.Split(Regex(WORD), behavior="isolated"))
    ids = {letter: n for n, letter in enumerate(sorted(set(short)))}

    def by_ids(pair):
        return [ids[part] for part in pair]

    for merges, rule in ((theirs, by_ids), (ours, None)):
        spelt = {tuple(word): count for word, count in words.items()}
        for merge in merges:
            counts = counted(spelt)
            best = [pair for pair, count in counts.items() if count == max(counts.values())]
            assert merge == min(best, key=rule)
            ids.setdefault("".join(merge), len(ids))
            tied += len(best) > 1
            spelt = {joined(tokens, merge): count for tokens, count in spelt.items()}
    assert len(ours) == len(theirs) == 80 and tied and ours != theirs


def test_without_ties_the_library_learns_the_same():
    """Words of letters of their own, each more frequent than all before it; the first two letters once more."""
    words = {chr(3 * i) + chr(3 * i + 1) + chr(3 * i + 2): 3 * i for i in range(30, 60)}
    words |= {word[:2]: 1 for word in words}
    given = [word for word, count in words.items() for _ in range(count)]
    _, theirs = in_the_library(given, 60, pre_tokenizers.Split(Regex(r"[\s\S]+"), behavior="isolated"))
    assert learn_merges(words, 60) == theirs and len(theirs) == 60


def test_the_librarys_merges_give_its_tokens_of_characters():
    """By rank there are no ties."""
    words = split_words(TEXT)
    tokenizer, merges = in_the_library(words, 400, pre_tokenizers.Split(Regex(WORD), behavior="isolated"))
    assert len(set(words)) > 500
    assert all(apply_merges(word, merges) == tokenizer.encode(word).tokens for word in set(words))


def test_the_librarys_merges_give_its_tokens_of_bytes():
    library = BPETokenizer.train([TEXT], 256 + 4 + 300).tokenizer
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]  # bytes that GPT-2 writes as the character they are
    byte_of = {chr(byte): byte for byte in shown}
    byte_of |= {chr(256 + n): byte for n, byte in enumerate(sorted(set(range(256)) - set(shown)))}

    def as_bytes(token):
        return bytes(byte_of[character] for character in token)

    merges = [tuple(map(as_bytes, pair)) for pair in json.loads(library.to_str())["model"]["merges"]]
    for word in [" 十一月", " naïve", *split_words(TEXT)[:500]]:
        assert apply_merges(word.encode(), merges) == [*map(as_bytes, library.encode(word).tokens)]


def test_words_of_bytes_have_tokens_of_bytes():
    words = Counter(word.encode() for word in split_words(TEXT))
    merges = learn_merges(words, 50)
    assert (b" ", b" ") in merges and all(type(part) is bytes for merge in merges for part in merge)
    tokens = apply_merges("十一 the".encode(), merges)
    assert b"".join(tokens) == "十一 the".encode() and tokens[0] == "十".encode()[:1]


def test_tokens_joined_are_the_text():
    merges = learn_merges(TEXT, 100)
    assert "".join(split_words(TEXT)) == "".join(encode(TEXT, merges)) == TEXT
    assert split_words(" two  words, 3\n\n x_1") == [" two", " ", " words", ",", " 3", "\n\n", " x", "_", "1"]
    assert "".join(encode("हिन्दी \x85\u2028", merges)) == "हिन्दी \x85\u2028"


CALLS = {
    "split_words": split_words,
    "learn_merges": lambda text: learn_merges(text, 1),
    "learn_merges of counts": lambda text: learn_merges({text: 1}, 1),
    "apply_merges": lambda text: apply_merges(text, []),
    "encode": lambda text: encode(text, []),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_half_a_character_gets_a_sentence(call):
    with pytest.raises(ValueError, match=r"^A text holds '\\ud83d', which is not a character: 'a\\ud83d'\.$"):
        call("a\ud83d")


def test_a_number_of_merges_is_a_number():
    with pytest.raises(ValueError, match=r"^n_merges must be a whole number, at least 0; got -1\.$"):
        learn_merges("ab", -1)
