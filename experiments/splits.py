"""One table of characters, five ways to split Python's manual: how good it looks depends on what is held out.

The table of lesson 13 predicts each character from at most nine before it. Each way of splitting is drawn five times:
other windows, another tenth, other documents. The last two differ in one argument of split_documents: whether documents
that share a passage of thirteen words may stand on both sides.
"""

import math
import random
from collections import Counter

from transformer_lab.data import python_docs
from transformer_lab.data.documents import join, split_documents

WAYS = (
    "random windows, overlapping",
    "cut first, then shuffled",
    "a tenth in a row",
    "whole documents, copies kept",
    "whole documents, copies removed",
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
    run = {"run": 10**6} if way == WAYS[3] else {}  # no document has a million words, so only equal ones are copies
    training, held_out = split_documents(documents, seed=seed, **run)
    return [join(training)], cut(join(held_out))


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
