"""Lesson 10: the ways in which people apply merges wrongly, as functions of a word, and words to tell their authors."""

from collections.abc import Iterator
from itertools import pairwise

from .merging import joined

FIRST = "Of the pairs in the word that are known, the one to join is the one that stands earliest in `merges`."


def by_choice(choose):
    """Join one pair after the other: choose(places, tokens, merges) says which of the places where a pair is known."""

    def encode(word: str, merges: list) -> list[str]:
        tokens = list(word)
        while places := [i for i, pair in enumerate(pairwise(tokens)) if pair in merges]:
            i = choose(places, tokens, merges)
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
        return tokens

    return encode


def rank(tokens: list[str], i: int, merges: list) -> int:
    return merges.index((tokens[i], tokens[i + 1]))


def longest(word: str, merges: list) -> list[str]:
    known = {left + right for left, right in merges}
    tokens = []
    while word:
        size = next((n for n in range(len(word), 1, -1) if word[:n] in known), 1)
        tokens.append(word[:size])
        word = word[size:]
    return tokens


def longest_from_the_right(word: str, merges: list) -> list[str]:
    backwards = longest(word[::-1], [(right[::-1], left[::-1]) for left, right in merges])
    return [token[::-1] for token in backwards[::-1]]


def one_sweep(word: str, merges: list) -> list[str]:
    tokens: list[str] = []
    for letter in word:
        if tokens and (tokens[-1], letter) in merges:
            tokens[-1] += letter
        else:
            tokens.append(letter)
    return tokens


def once_each(word: str, merges: list) -> list[str]:
    tokens = list(word)
    for pair in merges:
        if pair in (neighbours := list(pairwise(tokens))):
            i = neighbours.index(pair)
            tokens[i : i + 2] = ["".join(pair)]
    return tokens


def in_the_text(word: str, merges: list) -> list[str]:
    spelt = "|".join(word)
    for left, right in merges:
        spelt = spelt.replace(f"{left}|{right}", left + right)
    return spelt.split("|") if word else []


def sharing_separators(word: str, merges: list) -> list[str]:
    """By replace in a text with single marks between and around tokens: two equal pairs in a row share one."""
    spelt = "\0" + "\0".join(word) + "\0"
    for left, right in merges:
        spelt = spelt.replace(f"\0{left}\0{right}\0", f"\0{left}{right}\0")
    return [token for token in spelt.split("\0") if token]


def by_alphabet(word: str, merges: list) -> list[str]:
    tokens = list(word)
    while known := [pair for pair in pairwise(tokens) if pair in merges]:
        tokens = joined(tokens, min(known))
    return tokens


def longest_pair(word: str, merges: list) -> list[str]:
    tokens = list(word)
    while known := [pair for pair in pairwise(tokens) if pair in merges]:
        tokens = joined(tokens, max(known, key=lambda pair: len("".join(pair))))
    return tokens


def until_one_is_missing(word: str, merges: list) -> list[str]:
    tokens = list(word)
    for pair in merges:
        if pair not in pairwise(tokens):
            break
        tokens = joined(tokens, pair)
    return tokens


def most_frequent(word: str, merges: list) -> list[str]:
    tokens = list(word)
    while known := [pair for pair in pairwise(tokens) if pair in merges]:
        tokens = joined(tokens, max(known, key=known.count))
    return tokens


def backwards(word: str, merges: list) -> list[str]:
    tokens = list(word)
    for pair in merges[::-1]:
        tokens = joined(tokens, pair)
    return tokens


def first_merge_only(word: str, merges: list) -> list[str]:
    tokens = list(word)
    known = [merges.index(pair) for pair in pairwise(tokens) if pair in merges]
    return joined(tokens, merges[min(known)]) if known else tokens


def last_pair_missed(word: str, merges: list) -> list[str]:
    tokens = list(word)
    while known := [merges.index(pair) for pair in list(pairwise(tokens))[:-1] if pair in merges]:
        pair = merges[min(known)]
        tokens = [*joined(tokens[:-1], pair), tokens[-1]]
    return tokens


def from_the_right(word: str, merges: list) -> list[str]:
    def last_place(places: list[int], tokens: list[str], merges: list) -> int:
        return min(reversed(places), key=lambda i: rank(tokens, i, merges))

    return by_choice(last_place)(word, merges)


def by_joined_text(word: str, merges: list) -> list[str]:
    texts, tokens = ["".join(pair) for pair in merges], list(word)
    while known := [pair for pair in pairwise(tokens) if "".join(pair) in texts]:
        tokens = joined(tokens, min(known, key=lambda pair: texts.index("".join(pair))))
    return tokens


SHARED = (
    "Of two equal pairs in a row only the first is joined: `replace` has used up the separator between them. Compare "
    "whole tokens, or give each token separators of its own."
)
# (a wrong way, what to tell those who go it)
STRATEGIES = (
    (by_choice(lambda places, *_: places[0]), f"The first known pair from the left is joined. {FIRST}"),
    (by_choice(lambda places, *_: places[-1]), f"The first known pair from the right is joined. {FIRST}"),
    (longest, f"The longest known token is taken from the left: that is another tokenizer. {FIRST}"),
    (longest_from_the_right, f"The longest known token is taken from the right: that is another tokenizer. {FIRST}"),
    (
        by_choice(lambda places, tokens, merges: max(places, key=lambda i: rank(tokens, i, merges))),
        f"The pair that was learnt *last* is joined. {FIRST}",
    ),
    (backwards, "The merges are made from the last to the first, once each: the first in `merges` goes first."),
    (
        one_sweep,
        "The word is gone through once, letter by letter, and each letter joins the token before it where that is a "
        f"known pair. {FIRST}",
    ),
    (once_each, "Each merge is made in one place only. A pair that stands twice in the word is joined twice."),
    (
        in_the_text,
        "A part of a token was joined with its neighbour: that happens where `replace` works on a text of letters and "
        "spaces. Compare whole tokens.",
    ),
    (sharing_separators, SHARED),
    (by_alphabet, f"Of the known pairs the first one in the alphabet is joined. {FIRST}"),
    (longest_pair, f"Of the known pairs the one that makes the longest token is joined. {FIRST}"),
    (
        until_one_is_missing,
        "It stops at the first of the merges that the word does not hold. Skip that one, and go on.",
    ),
    (
        most_frequent,
        f"The pair that stands most often in the word is joined; frequency counts in learning only. {FIRST}",
    ),
    (first_merge_only, "It stops after one merge. Go on as long as any pair in the word is known."),
    (last_pair_missed, "The last pair of the word is never joined: of n tokens the last pair begins at n - 2."),
    (from_the_right, "Where a pair overlaps itself it is joined from the right: of `aaa` the first two are joined."),
    (
        by_joined_text,
        "Two neighbours are joined that are no pair in `merges`: put together they are a token that another pair "
        "makes. Look for the pair itself.",
    ),
    (lambda word, merges: list(word), "No pair was joined at all."),
)


def consistent(answers: list[list[str]], cases: list) -> Iterator[str]:
    """The words for each wrong way that gives these answers in all cases."""
    for way, words in STRATEGIES:
        if answers == [way(word, merges) for word, merges in cases]:
            yield words
