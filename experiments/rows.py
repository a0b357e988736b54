"""Can the letters of a word be read off its row in SmolLM2's table of embeddings, though its id does not hold them?

A linear probe (ridge regression) learns to name one letter of the words that are a token each, from their rows, and is
asked for words that it has not seen. These share no three letters with a word that it has seen: at the beginning, or at
the end where the last letter is asked for, so that neither "windows" nor the ending of another "-ing" helps. Controls:
the same rows with the words' letters shuffled, a random table, and always the most frequent letter. Five such splits.
"""

import random
import re

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lab import load

PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
PLAIN = "last, no -s, -ed, -ing, -ly"  # of words without these endings
SEEDS = range(5)
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
INFLECTED = re.compile("(s|ed|ing|ly)$")  # plurals, past tenses and the like: grammar gives away the last letter


def words_and_rows(model, tokenizer) -> tuple[list[str], Float[Tensor, "n D"]]:
    """The words of four small letters or more that are a token with the space before them, and their rows."""
    texts = [tokenizer.tokenizer.decode([i]) for i in range(len(tokenizer))]
    kept = [i for i, text in enumerate(texts) if re.fullmatch(" [a-z]{4,}", text)]
    return [texts[i][1:] for i in kept], model.embedding.tokens.weight.detach()[kept]


def three_letters(word: str, place: int) -> str:
    """The three letters that relatives share: the last ones where the last letter is asked for."""
    return word[-3:] if place < 0 else word[:3]


def held_out(words: list[str], place: int, seed: int) -> Tensor:
    """True at a fifth of the groups of words that share three letters, at the end for the last letter."""
    groups = [three_letters(word, place) for word in words]
    names = sorted(set(groups))
    random.Random(seed).shuffle(names)
    chosen = set(names[: len(names) // 5])
    return torch.tensor([group in chosen for group in groups])


def probe(rows: Float[Tensor, "n D"], words: list[str], place: int, seed: int, shuffled=False) -> float:
    """The share of held-out words whose letter in this place is read off their row."""
    letters = torch.tensor([ALPHABET.index(word[place]) for word in words])
    if shuffled:
        letters = letters[torch.randperm(len(words), generator=torch.Generator().manual_seed(seed))]
    return read_off(rows, letters, held_out(words, place, seed))


def probe_on(rows: Float[Tensor, "n D"], words: list[str], place: int, asked: list[str]) -> tuple[float, float]:
    """For each of these words a probe on all others that share no three letters with it.

    Two shares: of the letters that are read off, and of those that are the most frequent one among the probe's words.
    """
    letters = torch.tensor([ALPHABET.index(word[place]) for word in words])
    x, wanted = standardised(rows), torch.nn.functional.one_hot(letters, 26).double()
    gram, moments, hits, most = x.T @ x + torch.eye(x.shape[1]), x.T @ wanted, 0, 0
    groups, wanted_words = [three_letters(word, place) for word in words], set(asked)
    is_asked = torch.tensor([word in wanted_words for word in words])
    for group in sorted({three_letters(word, place) for word in asked}):
        out = torch.tensor([one == group for one in groups])  # the word and its relatives are taken out of the sums
        weights = torch.linalg.solve(gram - x[out].T @ x[out], moments - x[out].T @ wanted[out])
        new = is_asked & out
        hits += int(((x[new] @ weights).argmax(dim=1) == letters[new]).sum())
        most += int((letters[new] == letters[~out].bincount(minlength=26).argmax()).sum())
    return hits / int(is_asked.sum()), most / int(is_asked.sum())


def standardised(rows: Float[Tensor, "n D"]) -> Float[Tensor, "n E"]:
    """The rows about their mean, in double precision, with a one behind each for the bias."""
    return torch.cat(((rows - rows.mean(dim=0)) / rows.std(), torch.ones(len(rows), 1)), dim=1).double()


def read_off(rows: Float[Tensor, "n D"], letters: Tensor, is_new: Tensor) -> float:
    """The share of the new rows whose letter a ridge regression on the other rows finds."""
    x = standardised(rows)
    known, wanted = x[~is_new], torch.nn.functional.one_hot(letters[~is_new], 26).double()
    weights = torch.linalg.solve(known.T @ known + torch.eye(x.shape[1]), known.T @ wanted)
    return ((x[is_new] @ weights).argmax(dim=1) == letters[is_new]).double().mean().item()


def most_frequent(words: list[str], place: int, seed: int) -> float:
    """The share of held-out words with the letter that is the most frequent one among the others."""
    is_new = held_out(words, place, seed).tolist()
    seen = [word[place] for word, new in zip(words, is_new, strict=True) if not new]
    asked = [word[place] for word, new in zip(words, is_new, strict=True) if new]
    return asked.count(max(ALPHABET, key=seen.count)) / len(asked)


def run(places=(*PLACES, PLAIN), seeds=SEEDS) -> list[dict]:
    words, rows = words_and_rows(*load("smollm2"))
    random_rows = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0))
    found, everything = [], (words, rows, random_rows)
    plain = [i for i, word in enumerate(words) if not INFLECTED.search(word)]
    for name in places:
        place = PLACES[name.partition(",")[0]]
        words, rows, random_rows = everything
        if name == PLAIN:
            words, rows, random_rows = [words[i] for i in plain], rows[plain], random_rows[plain]
        results = {
            "SmolLM2's rows": [probe(rows, words, place, seed) for seed in seeds],
            "letters shuffled": [probe(rows, words, place, seed, shuffled=True) for seed in seeds],
            "random rows": [probe(random_rows, words, place, seed) for seed in seeds],
            "always the same": [most_frequent(words, place, seed) for seed in seeds],
        }
        found.append({"letter": name} | {key: [round(one, 4) for one in row] for key, row in results.items()})
        print(found[-1], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
