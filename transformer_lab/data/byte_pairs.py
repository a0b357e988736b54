"""Byte-pair encoding written out to be read (Sennrich et al. 2015, arXiv:1508.07909); BPETokenizer is the fast one.

    merges = learn_merges("low lower lowest", 3)   # [("l", "o"), ("lo", "w"), (" ", "low")]
    apply_merges(" lowly", merges)                 # [" low", "l", "y"]

A token begins as one character, or as one byte where the words are bytes: the code is the same.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import AnyStr

from ..arguments import check_at_least, check_text

# A word keeps the space before it, so that tokens put together are the text again. No token spans two words.
WORD = r" ?[^\W\d_]+| ?\d+| ?[^\w\s]+| ?_+|\s+(?!\S)|\s"


def split_words(text: str) -> list[str]:
    """Cut a text into words, numbers, signs and spaces; joined they give it back. ValueError for what is no text."""
    check_text(text)
    return re.findall(WORD, text)


def learn_merges(text: str | Mapping[AnyStr, int], n_merges: int) -> list[tuple[AnyStr, AnyStr]]:
    """The merges of a text, or of how often each word occurs: each joins the most frequent pair of neighbours.

    Tie rule: of pairs that are equally frequent, the one that Python sorts first. There are fewer merges than n_merges
    where every word is one token before that. ValueError for what is no text, and for a negative number.
    """
    check_at_least("n_merges", n_merges, 0)
    counts: Mapping = text if isinstance(text, Mapping) else Counter(split_words(text))
    words = {word: letters(word) for word in counts}
    pairs: Counter = Counter()
    for word, tokens in words.items():
        add_pairs(pairs, tokens, counts[word])
    merges: list = []
    while len(merges) < n_merges and (pairs := +pairs):  # without those that occur no more
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word, tokens in words.items():
            if best[0] in tokens and best[1] in tokens:
                words[word] = merge_pair(tokens, best)
                add_pairs(pairs, tokens, -counts[word])
                add_pairs(pairs, words[word], counts[word])
    return merges


def letters(word: AnyStr) -> list[AnyStr]:
    """The characters of a word, or the bytes, each a token; ValueError for what is neither."""
    if not isinstance(word, bytes):
        check_text(word)
    return [word[i : i + 1] for i in range(len(word))]


def add_pairs(pairs: Counter, tokens: list, count: int) -> None:
    """Count the pairs of neighbours in a word that occurs `count` times: "aaa" has two, though they overlap."""
    for pair in zip(tokens, tokens[1:], strict=False):
        pairs[pair] += count


def merge_pair(tokens: list[AnyStr], pair: tuple[AnyStr, AnyStr]) -> list[AnyStr]:
    """The tokens with each such pair of neighbours joined, from the left: of "aaa" the first two."""
    merged: list = []
    for token in tokens:
        if merged and (merged[-1], token) == pair:
            merged[-1] += token
        else:
            merged.append(token)
    return merged


def apply_merges(word: AnyStr, merges: Sequence[tuple[AnyStr, AnyStr]]) -> list[AnyStr]:
    """The tokens of a word: of the pairs in it, the one that was learnt first is joined, again and again.

    Neither the first pair from the left nor the longest token counts. ValueError for what is no word.
    """
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = letters(word)
    while known := [pair for pair in zip(tokens, tokens[1:], strict=False) if pair in ranks]:
        tokens = merge_pair(tokens, min(known, key=ranks.__getitem__))
    return tokens


def encode(text: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    """The tokens of a text, word by word; joined they give it back. ValueError for what is no text."""
    tokens = {word: apply_merges(word, merges) for word in set(split_words(text))}
    return [token for word in split_words(text) for token in tokens[word]]
