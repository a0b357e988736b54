"""Does the draw matter where a page gives kinds other names? Beside in_context_controls.py, which shows two of each.

The eight examples of in_context.py, as they were drawn, and sixteen; an animal is "blue" and so on. Five orders each.
The control of two of each: the same lines with the names shuffled, so that a lion is no longer "blue".
"""

import random

from in_context import SEEDS, Pairs, answers, count, drawn, page, pairs, shuffled
from in_context_controls import RENAMED, kinds
from transformer_lab import load


def exchanged(shown: Pairs) -> Pairs:
    return [(word, RENAMED[kind]) for word, kind in shown]


def all_shown(seed: int) -> Pairs:
    """The sixteen words that are not asked for, in a drawn order."""
    rest = [pair for pair in pairs("kinds") if pair not in drawn("kinds", 0)[1]]
    return random.Random(seed).sample(rest, len(rest))


PAGES = {
    "8 as drawn": lambda seed: exchanged(drawn("kinds", seed)[0]),
    "all 16": lambda seed: exchanged(all_shown(seed)),
    "two of each, shuffled": lambda seed: shuffled(kinds(seed, RENAMED)[0], seed),
}


def run(seeds=SEEDS) -> dict:
    """result[case]: the counts of each seed."""
    model, tokenizer = load("smollm2")
    asked, found = exchanged(drawn("kinds", 0)[1]), {}
    for case, draw in PAGES.items():
        pages = [draw(seed) for seed in seeds]
        found[case] = [count(answers(model, tokenizer, page(one), asked), one, asked) for one in pages]
        print(case, found[case], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
