"""What does SmolLM2 know of the letters of a word that is one token?

It is shown twenty words with their answers, one on each line, and then a word without: "- window ->". Asked for are the
first letter, the last one, or all; the word stands there as one token, or letter by letter, with spaces or commas
between. Each letter is then a token of its own. The control: letters that make no word. Five draws of the words shown.
"""

import copy
import random
from collections import defaultdict

import torch

from transformer_lab import load

NOUNS = """
    animal bottle button camera candle castle circle cloud coffee corner cotton dinner doctor dollar engine
    finger flower forest friend garden guitar hammer house island jacket kitchen lemon letter machine market
    mirror monkey month mountain music number office orange paper pencil pepper picture planet pocket potato
    rabbit river school season shadow silver sister spring station stone street sugar summer table teacher tiger
    tomato tower train travel village water weather window winner winter wonder world yellow
"""
WORDS = NOUNS.split()
N_SHOWN, SEEDS = 20, range(5)
SPELLINGS = {"one token": str, "with spaces": " ".join, "with commas": ", ".join}
ANSWERS = {"first letter": lambda word: word[0], "last letter": lambda word: word[-1], "all letters": " ".join}


class Reader:
    """SmolLM2 that has read some lines, and finishes others after them."""

    def __init__(self, model, tokenizer, lines: str):
        self.model, self.tokenizer, self.cache = model, tokenizer, model.decoder.new_cache()
        with torch.inference_mode():
            model.decode(torch.tensor([tokenizer.encode(lines)]), cache=self.cache)

    @torch.inference_mode()
    def finish(self, starts: list[str], n_tokens: int) -> list[str]:
        """What it writes after each, up to the end of the line; starts of the same length are read together."""
        rows, written = defaultdict(list), {}
        for start in starts:
            rows[len(self.tokenizer.encode(start))].append(start)
        for group in rows.values():
            ids = torch.tensor([self.tokenizer.encode(start) for start in group])
            for start, new_ids in zip(group, self.continued(ids, n_tokens).tolist(), strict=True):
                written[start] = self.tokenizer.decode(new_ids).partition("\n")[0].strip()
        return [written[start] for start in starts]

    def continued(self, ids, n_tokens: int):
        cache, new_ids = copy.deepcopy(self.cache), []
        for own, _ in cache:
            own.select(torch.zeros(len(ids), dtype=torch.int64))
        for _ in range(n_tokens):
            ids = self.model.logits(self.model.decode(ids, cache=cache)[:, -1:])[:, 0].argmax(dim=-1, keepdim=True)
            new_ids.append(ids)
        return torch.cat(new_ids, dim=1)


def words_of(seed: int, nonsense: bool) -> tuple[list[str], list[str]]:
    """(shown, asked): the words in an order of this seed; nonsense is as long, of letters that no word repeats."""
    rng = random.Random(seed)
    words = rng.sample(WORDS, len(WORDS))
    if nonsense:
        words = ["".join(rng.sample("abcdefghijklmnopqrstuvwxyz", len(word))) for word in words]
    return words[:N_SHOWN], words[N_SHOWN:]


def asked(model, tokenizer, answer: str, spelling: str, seed: int, nonsense=False, n=None) -> dict[str, str]:
    """What SmolLM2 answers for each of the first n words that are asked for."""
    shown, words = words_of(seed, nonsense)
    spell, right = SPELLINGS[spelling], ANSWERS[answer]
    reader = Reader(model, tokenizer, "".join(f"- {spell(word)} -> {right(word)}\n" for word in shown))
    n_tokens = 10 if answer == "all letters" else 1
    return dict(zip(words[:n], reader.finish([f"- {spell(word)} ->" for word in words[:n]], n_tokens), strict=True))


def score(answer: str, said: dict[str, str]) -> float:
    """The share of the answers that are right."""
    return sum(ANSWERS[answer](word) == text for word, text in said.items()) / len(said)


def always_the_same(answer: str, seed: int) -> float:
    """What somebody gets who always says what is right most often among the words asked for."""
    answers = [ANSWERS[answer](word) for word in words_of(seed, nonsense=False)[1]]
    return max(map(answers.count, answers)) / len(answers)


CASES = [(answer, spelling, False) for answer in ("first letter", "last letter") for spelling in SPELLINGS]
CASES += [("last letter", spelling, True) for spelling in ("with spaces", "with commas")]
CASES += [("all letters", "one token", False)]


def run(cases=tuple(CASES), seeds=SEEDS) -> list[dict]:
    model, tokenizer = load("smollm2")
    assert all(len(tokenizer.encode(" " + word)) == 1 for word in WORDS)
    rows = []
    for answer, spelling, nonsense in cases:
        said = [asked(model, tokenizer, answer, spelling, seed, nonsense) for seed in seeds]
        row = {"answer": answer, "spelling": spelling, "nonsense": nonsense}
        row["right"] = [round(score(answer, one), 4) for one in said]
        row["always the same"] = [round(always_the_same(answer, seed), 4) for seed in seeds]
        rows.append(row | {"said": said[0]})
        print(row, flush=True)
    return rows


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
