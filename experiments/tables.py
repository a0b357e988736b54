"""Tables of counts as language models: contexts of more and more characters, and pairs of longer and longer tokens.

They are counted in the manual of Python and measured on held-out topics, in bits per character; five splits of the
topics. Of what a table of characters writes: how much of it stands in the text it was counted in, word for word.
"""

import math
import random

from transformer_lab.baselines import CharacterNgrams, ngram_bits
from transformer_lab.data import python_docs
from transformer_lab.data.documents import join
from transformer_lab.data.tokenizers import BPETokenizer

LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)  # characters in an n-gram: the context and the one that follows
VOCABULARIES = (260, 300, 400, 700, 1000, 2000, 4000, 8000)
SEEDS = range(5)
WINDOW, LETTERS = 30, 20  # so many characters in a row from the text, with so many letters, are a quotation
PRIVATE = 0xF0000  # from here on characters mean nothing in Unicode, so they can stand for tokens


def texts(seed: int) -> tuple[str, str]:
    """(training, validation): topics of `help()`, without passages that stand on both sides."""
    training, validation = python_docs.train_and_validation(only_topics=True, seed=seed)
    return join(training), join(validation)


def write(table: CharacterNgrams, n_characters: int, seed=0, start="") -> str:
    """A text drawn from the table's probabilities, one character after another."""
    rng, text = random.Random(seed), start
    while len(text) < len(start) + n_characters:
        text += follower(table, text, rng)
    return text


def follower(table: CharacterNgrams, text: str, rng: random.Random) -> str:
    """The next character: a context seen N times with T followers hands over to the shorter one T times in N + T."""
    for length in range(min(table.n - 1, len(text)), -1, -1):
        counts = table.followers.get(text[len(text) - length :])
        if counts and rng.random() < counts.total() / (counts.total() + len(counts)):
            return rng.choices(list(counts), list(counts.values()))[0]
    return rng.choice(sorted(table.alphabet))


def quoted(written: str, training: str) -> float:
    """The share of its characters that stand in a passage of WINDOW characters from the training text, not of signs."""
    covered = set()
    for i in range(len(written) - WINDOW + 1):
        passage = written[i : i + WINDOW]
        if sum(map(str.isalpha, passage)) >= LETTERS and passage in training:
            covered.update(range(i, i + WINDOW))
    return len(covered) / len(written)


def as_characters(ids: list[int]) -> str:
    """Token ids as a text with one character for each, so that tokens can be counted as characters are."""
    return "".join(chr(PRIVATE + i) for i in ids)


def as_ids(text: str) -> list[int]:
    """The ids that as_characters made a text of."""
    return [ord(character) - PRIVATE for character in text]


def characters(n: int, seed: int) -> dict:
    training, validation = texts(seed)
    table = CharacterNgrams(training, n)
    starts = (max(0, i - n + 1) for i in range(len(validation)))
    costs = (-math.log2(table.probability(validation[i], validation[start:i])) for i, start in enumerate(starts))
    return {
        "bits": round(math.fsum(costs) / len(validation), 4),
        "quoted": round(quoted(write(table, 3000, seed), training), 4),
    }


def pairs(vocab_size: int, seed: int) -> dict:
    """Pairs of tokens: the bits of each token, shared out among its characters."""
    training, validation = texts(seed)
    tokenizer = BPETokenizer.train([training], vocab_size)
    counted, measured = (as_characters(tokenizer.encode(text)) for text in (training, validation))
    share = len(measured) / len(validation)
    return {"bits": round(ngram_bits(counted, measured, 2) * share, 4), "characters a token": round(1 / share, 4)}


def run(lengths=LENGTHS, vocabularies=VOCABULARIES, seeds=SEEDS) -> dict:
    return {
        "characters": {n: [characters(n, seed) for seed in seeds] for n in lengths},
        "pairs": {size: [pairs(size, seed) for seed in seeds] for size in vocabularies},
    }


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
