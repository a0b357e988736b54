"""Why is a table of characters more surprised by new text when it looks further back than four characters?

An unseen context costs nothing: the table of `tables.py` then says what the shorter one says. So the held-out
characters are sorted by the longest of their contexts that was counted (up to 11 characters): how often, and whether
this character ever followed it. Of each sort: its share of the characters, and the bits a character that n = 12 adds
to n = 5. The control skips a longer context that was counted in the same places as the shorter one: no new evidence.
"""

import math
from collections import Counter

import tables
from transformer_lab.baselines import CharacterNgrams

N, SHORT = 12, 5
SEEDS = range(5)


def chain(table: CharacterNgrams, text: str, i: int, new_places_only=False) -> list[float]:
    """The probabilities of text[i] for n = 1, 2, ... up to the longest context that was counted."""
    found, probability, before = [], 1 / (len(table.alphabet) + 1), None
    for length in range(min(table.n - 1, i) + 1):
        context = text[i - length : i]
        if (total := table.totals.get(context)) is None:
            break
        if not (new_places_only and total == before):
            counts = table.followers[context]
            probability = (counts.get(text[i], 0) + len(counts) * probability) / (total + len(counts))
        found.append(probability)
        before = total
    return found


def bits(probabilities: list[float], n: int) -> float:
    """The surprise of the table of n-grams: a context that was not counted leaves it to the longest that was."""
    return -math.log2(probabilities[min(n, len(probabilities)) - 1])


def sort(table: CharacterNgrams, text: str, i: int, n_counted: int) -> str:
    """How often the longest counted context of text[i] was counted, and whether text[i] followed it there."""
    if n_counted <= SHORT:
        return "none"
    context = text[i - n_counted + 1 : i]
    total = table.totals[context]
    times = "once" if total == 1 else "2 to 9 times" if total < 10 else "10 times or more"
    return f"{times}, {'followed' if text[i] in table.followers[context] else 'never followed'}"


def split(seed: int) -> dict:
    training, validation = tables.texts(seed)
    table = CharacterNgrams(training, N)
    curve, control, characters, extra = Counter(), Counter(), Counter(), Counter()
    for i in range(len(validation)):
        found, once = chain(table, validation, i), chain(table, validation, i, new_places_only=True)
        for n in range(1, N + 1):
            curve[n] += bits(found, n)
            control[n] += bits(once, n)
        name = sort(table, validation, i, len(found))
        characters[name] += 1
        extra[name] += bits(found, N) - bits(found, SHORT)
    shares = {
        "bits": curve,
        "same places counted once": control,
        "share of the characters": characters,
        "bits that n = 12 adds": extra,
    }
    return {key: {k: round(v / len(validation), 4) for k, v in row.items()} for key, row in shares.items()}


def run(seeds=SEEDS) -> list[dict]:
    return [split(seed) for seed in seeds]


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
