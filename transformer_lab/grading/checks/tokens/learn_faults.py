"""Lesson 10: the ways in which people learn merges wrongly, as functions of counted words, and what to tell them."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

from .merging import by_rank, counted, greatest, joined, learnt, overlapping


def apart(tokens: list[str]) -> list[tuple[str, str]]:
    """Pairs of neighbours without those that overlap an equal pair, as str.count has it: one in "aaa"."""
    pairs: list[tuple[str, str]] = []
    last = -2
    for i, pair in enumerate(overlapping(tokens)):
        if not (pairs and pair == pairs[-1] and i == last + 1):
            pairs.append(pair)
            last = i
    return pairs


def first_seen(counts: Counter) -> tuple[str, str]:
    return max(counts, key=counts.__getitem__)


def last_seen(counts: Counter) -> tuple[str, str]:
    return max(reversed(counts), key=counts.__getitem__)


def smallest(counts: Counter) -> tuple[str, str]:
    return min(counts, key=lambda pair: (-counts[pair], pair))


def longest(counts: Counter) -> tuple[str, str]:
    return max(counts, key=lambda pair: (counts[pair], len(pair[0] + pair[1]), pair))


def greatest_joined(counts: Counter) -> tuple[str, str]:
    return max(counts, key=lambda pair: (counts[pair], pair[0] + pair[1], pair))


def greatest_by_the_second(counts: Counter) -> tuple[str, str]:
    return max(counts, key=lambda pair: (counts[pair], pair[1], pair[0]))


def rarest(counts: Counter) -> tuple[str, str]:
    return min(counts, key=lambda pair: (counts[pair], pair))


def not_counted_again(words: dict[str, int], n_merges: int) -> list:
    counts = counted(words, [])
    return sorted(counts, key=lambda pair: (counts[pair], pair), reverse=True)[:n_merges]


def added_up(words: dict[str, int], n_merges: int) -> list:
    merges: list = []
    counts: Counter = Counter()
    while len(merges) < n_merges and (new := counted(words, merges)):
        counts += new
        merges.append(greatest(counts))
    return merges


def across_words(words: dict[str, int], n_merges: int) -> list:
    return learnt({"".join(word * count for word, count in words.items()): 1}, n_merges)


def words_side_by_side(words: dict[str, int], n_merges: int) -> list:
    return learnt({"".join(words): 1}, n_merges)


def joined_letters(words: dict[str, int], n_merges: int) -> list:
    """Pairs are joined in a text of letters and spaces, so that parts of tokens are joined too."""
    spelt = {word: " ".join(word) for word in words}
    merges: list = []
    while len(merges) < n_merges:
        counts: Counter = Counter()
        for word, count in words.items():
            for pair in overlapping(spelt[word].split()):
                counts[pair] += count
        if not counts:
            break
        left, right = greatest(counts)
        merges.append((left, right))
        spelt = {word: text.replace(f"{left} {right}", left + right) for word, text in spelt.items()}
    return merges


def first_place_only(words: dict[str, int], n_merges: int) -> list:
    """A merge joins one pair in each word."""
    spelt = {word: list(word) for word in words}
    merges: list = []
    while len(merges) < n_merges:
        counts: Counter = Counter()
        for word, count in words.items():
            for pair in overlapping(spelt[word]):
                counts[pair] += count
        if not counts:
            break
        merges.append(best := greatest(counts))
        for word, tokens in spelt.items():
            if best in (pairs := overlapping(tokens)):
                end = pairs.index(best) + 2
                spelt[word] = joined(tokens[:end], best) + tokens[end:]
    return merges


def only_frequent(words: dict[str, int], n_merges: int) -> list:
    """Stops where the most frequent pair occurs once."""
    merges = learnt(words, n_merges)
    kept = [pair for n, pair in enumerate(merges) if counted(words, merges[:n])[pair] > 1]
    return merges[: len(kept)]


def until_a_word_is_whole(words: dict[str, int], n_merges: int) -> list:
    """Stops as soon as one of the words is a single token."""
    merges: list = []
    for pair in learnt(words, n_merges):
        if any(len(by_rank(word, merges)) < 2 for word in words):
            break
        merges.append(pair)
    return merges


# (a wrong way, what to tell those who go it)
STRATEGIES = (
    (
        partial(learnt, weigh=lambda count: 1),
        "Each word is counted once, however often it occurs: a pair counts as often as its word, words[word] times.",
    ),
    (
        partial(learnt, pairs_of=lambda tokens: sorted(set(overlapping(tokens)))),
        "A pair is counted once a word; it counts in each place where it stands.",
    ),
    (
        partial(learnt, pairs_of=lambda tokens: sorted(set(overlapping(tokens))), weigh=lambda count: 1),
        "What is counted is how many different words hold a pair: count each place, as often as the word occurs.",
    ),
    (across_words, "Pairs are counted across the border between two words: no token spans two words."),
    (words_side_by_side, "The words are put side by side, and pairs are counted across their borders: count by word."),
    (
        not_counted_again,
        "These are the most frequent pairs of *letters*, counted once. After each merge the words hold other tokens: "
        "count again.",
    ),
    (added_up, "The counts of earlier rounds are kept and added up: after each merge begin with an empty counter."),
    (
        partial(learnt, pairs_of=apart),
        "Pairs that overlap are counted once: `aaa` holds the pair a, a twice.",
    ),
    (
        partial(learnt, choose=first_seen),
        "Of equally frequent pairs the first that was met is taken; wanted the greatest, as Python compares pairs.",
    ),
    (
        partial(learnt, choose=last_seen),
        "Of equally frequent pairs the last that was met is taken; wanted the greatest, as Python compares pairs.",
    ),
    (
        partial(learnt, choose=smallest),
        "Of equally frequent pairs the smallest is taken (so does the package); here the greatest is wanted.",
    ),
    (
        partial(learnt, choose=longest),
        "Of equally frequent pairs the one that gives the longest token is taken; wanted the greatest pair.",
    ),
    (
        partial(learnt, choose=greatest_joined),
        "Of equally frequent pairs those were compared that had been joined to one text: ('a', 'bc') and ('ab', 'a') "
        "compare as pairs, first with first.",
    ),
    (
        partial(learnt, choose=greatest_by_the_second),
        "Of equally frequent pairs those were compared by their second token first; Python begins with the first.",
    ),
    (partial(learnt, choose=rarest), "The rarest pair is taken, not the most frequent one."),
    (
        joined_letters,
        "A part of a token was joined with its neighbour: that happens where `replace` works on a text of letters and "
        "spaces. Compare whole tokens.",
    ),
    (first_place_only, "A merge joined one place of a word only: it joins every place where the pair stands."),
    (only_frequent, "It stops where the best pair occurs once. Go on as long as there is a pair."),
    (
        until_a_word_is_whole,
        "It stops as soon as one of the words is a single token. Go on as long as any word holds a pair.",
    ),
    (lambda words, n: learnt(words, n - 1) if n else [], "One merge too few: wanted n_merges of them."),
    (lambda words, n: learnt(words, n)[1:], "The first merge is missing."),
    (lambda words, n: learnt(words, n + 1), "One merge too many: wanted n_merges of them."),
    (
        lambda words, n: learnt(words, n)[::-1],
        "The merges stand in reverse order: the first that is learnt comes first.",
    ),
)


def consistent(answers: list, cases: list) -> Iterator[str]:
    """The words for each wrong way that gives these answers in all cases."""
    for way, words in STRATEGIES:
        if answers == [way(*case) for case in cases]:
            yield words
