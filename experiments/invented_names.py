"""How much of what MiniLM finds in new templates is due to names that it has read before?

The models of fine_tuning_methods.py, everything tuned and from scratch, three seeds each, are asked once more: the
same test sentences, in which every capitalised word of a name is a word of drawn syllables. A word gets the same
syllables wherever it stands, so that only its spelling is new.
"""

import random
import re

from fine_tuning_methods import FEWER_SEEDS, tests, trained
from transformer_lab.data.entities import LETTERS, Sentence

METHODS = ("everything", "from scratch")


def invented(sentences: list[Sentence]) -> list[Sentence]:
    """The sentences with other names: `Malone lives in Rwanda .` becomes `Tagu lives in Pekeva .`"""
    rng, known = random.Random(0), {}

    def other(match: re.Match) -> str:
        word = match.group()
        if word[0].islower():  # the "and" of a firm
            return word
        syllables = (rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(max(2, len(word) // 2)))
        return known.setdefault(word, "".join(syllables).capitalize())

    return [
        Sentence(
            tuple(
                word if tag == "O" else LETTERS.sub(other, word) for word, tag in zip(one.words, one.tags, strict=True)
            ),
            one.tags,
        )
        for one in sentences
    ]


def scores(method: str, seed: int) -> dict[str, dict[str, float]]:
    """The F1 of each test, with its own names and with invented ones."""
    task, run = trained(method, seed)
    kinds = tests()
    task.tests = {kind: invented(sentences) for kind, sentences in kinds.items()}
    found = {"its own names": {kind: run[kind] for kind in kinds}, "invented": task.evaluate()}
    print(method, seed, found, flush=True)
    return found


def run(seeds=FEWER_SEEDS) -> dict:
    """result[method][seed]["invented"]["new templates"]: an F1."""
    return {method: [scores(method, seed) for seed in seeds] for method in METHODS}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
