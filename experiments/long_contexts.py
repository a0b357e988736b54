"""Why is a table of characters more surprised by new text when it looks further back than four characters?

An unseen context costs nothing: the table of `tables.py` then says what the shorter one says. So the held-out
characters are sorted by the longest of their contexts that was counted (up to 11 characters): how often, and whether
this character ever followed it. Of each sort: its share of the characters, and the bits a character that n = 12 adds
to n = 5. Two controls: one skips a longer context that was counted in the same places as the shorter one, no new
evidence; the other takes the smoothing of Kneser and Ney (1995) instead.
"""

import math
from collections import Counter, defaultdict

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


class KneserNey:
    """The same counts, smoothed another way, with one discount for each length of context.

    Each count gives up the same discount. A shorter context counts what followed it only once for each character that
    stood before the two, so what is frequent in one place only does not look frequent everywhere.
    """

    def __init__(self, table: CharacterNgrams):
        self.n, self.floor, self.counted = table.n, 1 / (len(table.alphabet) + 1), table.followers
        self.varied: dict[str, Counter[str]] = defaultdict(Counter)
        for context, row in self.counted.items():
            if context:
                self.varied[context[1:]].update(row.keys())
        self.discounts = {id(rows): discounts(rows) for rows in (self.counted, self.varied)}

    def share(self, rows: dict[str, Counter[str]], context: str, character: str, shorter: float) -> float:
        """The probability of the character after a context in rows; what the discount frees goes to the shorter one."""
        row, discount = rows[context], self.discounts[id(rows)][len(context)]
        return (max(row[character] - discount, 0) + discount * len(row) * shorter) / row.total()

    def chain(self, text: str, i: int) -> list[float]:
        """The probabilities of text[i] for n = 1, 2, ... as the function chain returns them."""
        found, below = [], self.floor
        for length in range(min(self.n - 1, i) + 1):
            context = text[i - length : i]
            if context not in self.counted:
                break
            found.append(self.share(self.counted, context, text[i], below))
            if context in self.varied:
                below = self.share(self.varied, context, text[i], below)
        return found + [below] * (self.n - len(found))


def discounts(rows: dict[str, Counter[str]]) -> dict[int, float]:
    """For each length of context: once / (once + 2 twice), of the counts that are 1 and 2; half where no count is 1."""
    once, twice = Counter(), Counter()
    for context, row in rows.items():
        counts = Counter(row.values())
        once[len(context)] += counts[1]
        twice[len(context)] += counts[2]
    return {length: n / (n + 2 * twice[length]) if n else 0.5 for length, n in once.items()}


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
    other = KneserNey(table)
    curve, control, kneser_ney, characters, extra = (Counter() for _ in range(5))
    for i in range(len(validation)):
        found, once = chain(table, validation, i), chain(table, validation, i, new_places_only=True)
        smoothed = other.chain(validation, i)
        for n in range(1, N + 1):
            curve[n] += bits(found, n)
            control[n] += bits(once, n)
            kneser_ney[n] += bits(smoothed, n)
        name = sort(table, validation, i, len(found))
        characters[name] += 1
        extra[name] += bits(found, N) - bits(found, SHORT)
    shares = {
        "bits": curve,
        "same places counted once": control,
        "Kneser and Ney": kneser_ney,
        "share of the characters": characters,
        "bits that n = 12 adds": extra,
    }
    return {key: {k: round(v / len(validation), 4) for k, v in row.items()} for key, row in shares.items()}


def run(seeds=SEEDS) -> list[dict]:
    return [split(seed) for seed in seeds]


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
