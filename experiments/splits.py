"""One table of characters, six ways to split Python's manual: how good it looks depends on what is held out.

The table of lesson 13 predicts each character from at most nine before it. Each way of splitting is drawn five times:
other windows, another tenth, other documents. The last three hold out the same documents: once with all others to learn
from, once without those that share a passage of thirteen words with a held-out one, and, as a control, with these but
with as much of the remaining text taken out.
"""

import math
import random
from collections import Counter

import numpy as np

from transformer_lab.data import python_docs
from transformer_lab.data.documents import RUN, join, shingles, split_documents

WAYS = (
    "random windows, overlapping",
    "cut first, then shuffled",
    "a tenth in a row",
    "whole documents",
    "the same, copies taken out",
    "the same, as much else taken out",
)
SEEDS, WINDOW, N_MEASURED = (0, 1, 2, 3, 4), 64, 200


def count(texts, longest=9):
    """counts[k]: how often each string of k characters occurs."""
    return [Counter(t[i : i + k] for t in texts for i in range(len(t) - k + 1)) for k in range(longest + 2)]


def surprise(text, counts) -> float:
    """Bits a character, each predicted from at most nine characters before it."""
    bits = 0.0
    for i, character in enumerate(text):
        p = 1 / len(counts[1])
        for k in range(min(i, len(counts) - 2) + 1):
            seen = text[i - k : i]
            p = (counts[k + 1][seen + character] + 3 * p) / (counts[k][seen] + 3)
        bits -= math.log2(p)
    return bits / len(text)


def cut(text):
    return [text[i : i + WINDOW] for i in range(0, len(text) - WINDOW, WINDOW)]


def split(way: str, seed: int):
    """Two lists of texts: what is learnt from, and windows that are held out."""
    documents = python_docs.documents(only_topics=True)
    whole, draw = join(documents), random.Random(seed)
    if way == WAYS[0]:
        starts = [draw.randrange(len(whole) - WINDOW) for _ in range(10_000)]
        windows = [whole[start : start + WINDOW] for start in starts]
        return windows[1000:], windows[:1000]
    if way == WAYS[1]:
        windows = cut(whole)
        draw.shuffle(windows)
        return windows[len(windows) // 10 :], windows[: len(windows) // 10]
    if way == WAYS[2]:
        first = (9 - 2 * seed) * len(whole) // 10  # with seed 0 the last tenth
        last = first + len(whole) // 10
        return [whole[:first], whole[last:]], cut(whole[first:last])
    # No document has a million words, so only equal ones are copies.
    training, held_out = split_documents(documents, seed=seed, run=10**6)
    windows = cut(join(held_out))
    if way == WAYS[3]:
        return [join(training)], windows
    copies, others = copied(training, held_out)
    if way == WAYS[4]:
        return [join(others)], windows
    draw.shuffle(others)
    assert len(join(copies)) < len(join(others)), "more copies than other text"
    return [join(copies), join(others)[len(join(copies)) :]], windows


def copied(training, held_out) -> tuple[list, list]:
    """The documents that share a run of words with a held-out one, and the others."""
    known = np.concatenate([shingles(document.text, RUN) for document in held_out])
    shared = [bool(np.isin(shingles(document.text, RUN), known).any()) for document in training]
    return tuple([d for d, one in zip(training, shared, strict=True) if one == which] for which in (True, False))


def measured(way: str, seed: int) -> float:
    """The bits a character that the table needs on windows held out in this way."""
    training, windows = split(way, seed)
    counts = count(training)
    drawn = random.Random(seed).sample(windows, min(N_MEASURED, len(windows)))
    return round(sum(surprise(window, counts) for window in drawn) / len(drawn), 3)


def run(ways=WAYS, seeds=SEEDS) -> dict:
    found: dict = {}
    for way in ways:
        found[way] = []
        for seed in seeds:
            found[way].append(measured(way, seed))
            print(way, seed, found[way][-1], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
