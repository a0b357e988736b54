"""Lesson 10: byte-pair encoding as its checks know it, slow and plain, and words to try it on."""

import string
from collections import Counter
from itertools import pairwise

from ...draw import draw


def joined(tokens: list[str], pair: tuple[str, str]) -> list[str]:
    """The tokens with the pair joined wherever it stands, from the left."""
    found = next((i for i, neighbours in enumerate(pairwise(tokens)) if neighbours == pair), None)
    return tokens if found is None else [*tokens[:found], "".join(pair), *joined(tokens[found + 2 :], pair)]


def by_rank(word: str, merges: list) -> list[str]:
    """The specification of encode: as long as a pair in the word is known, join the one that was learnt first."""
    tokens = list(word)
    while known := [merges.index(pair) for pair in pairwise(tokens) if pair in merges]:
        tokens = joined(tokens, merges[min(known)])
    return tokens


def overlapping(tokens: list[str]) -> list[tuple[str, str]]:
    """All pairs of neighbours."""
    return list(pairwise(tokens))


def greatest(counts: Counter) -> tuple[str, str]:
    """The most frequent pair; of several the greatest."""
    return max(counts, key=lambda pair: (counts[pair], pair))


def counted(words: dict[str, int], merges: list, pairs_of=overlapping, weigh=lambda count: count) -> Counter:
    """How often each pair occurs in the words, after these merges."""
    counts: Counter = Counter()
    for word, count in words.items():
        for pair in pairs_of(by_rank(word, merges)):
            counts[pair] += weigh(count)
    return counts


def learnt(words: dict[str, int], n_merges: int, choose=greatest, **how) -> list[tuple[str, str]]:
    """The specification of learn: count everything, choose a pair, join it everywhere, again and again."""
    merges: list = []
    while len(merges) < n_merges and (counts := counted(words, merges, **how)):
        merges.append(choose(counts))
    return merges


def drawn_letters(n: int) -> list[str]:
    """n letters in a random order."""
    return draw.shuffled(string.ascii_lowercase)[:n]


def drawn_words(letters: list[str], n: int, longest: int = 9) -> dict[str, int]:
    """n words of these letters, the first letters more often, and how often each word occurs: 2 to 9 times."""
    words: dict[str, int] = {}
    while len(words) < n:
        size = 3 + int(draw.integers(longest - 2))
        word = "".join(letters[int(len(letters) * u**1.5)] for u in draw.uniform(size).tolist())
        words[word] = 2 + int(draw.integers(8))
    return words


def is_tied(words: dict[str, int], n_merges: int) -> bool:
    """Is any of the merges one of several equally frequent pairs?"""
    merges = learnt(words, n_merges)
    for n in range(n_merges):
        counts = counted(words, merges[:n])
        if list(counts.values()).count(max(counts.values())) > 1:
            return True
    return False
