"""Is Jordan a person or a country? A tagger that sees the words before a name, and one that sees those after it, too.

The two are the same class with the same weights at the start, the same examples in the same order; one mask differs. In
half of the sentences the words that decide stand after the name ("Chad exports rice ."), in the other half before it
("the painter Chad was in the news ."). At the full stop, both have seen everything, and are asked again which it was.

Each name is a person in half of its sentences and a place in the others, so it says nothing by itself. What is held out
are pairs: a third of all pairs of a name and a deciding word, and of a deciding word and what goes with it. A tested
sentence holds one of each kind.
"""

import random
from dataclasses import dataclass

import torch

from transformer_lab import Settings, TransformerConfig, train
from transformer_lab.classifiers import Tagger
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.device import seed_everything
from transformer_lab.models import evaluating
from transformer_lab.tasks.task import IGNORED, Task

TAGS = ("O", "PERSON", "PLACE")
NAMES_TEXT = """
    Jordan Chad Georgia Paris Florence Sydney Virginia Austin Chelsea Brooklyn Dallas Israel India Asia
    Savannah Carolina Montana Madison Lincoln Washington Houston Orlando Adelaide Victoria Charlotte Sofia Devon Milan
"""
NAMES = NAMES_TEXT.split()
AFTER = {  # what stands after the name: a word that decides, and what may follow it
    "PERSON": (
        ["said", "heard", "remembered", "repeated", "knew", "forgot"],
        ["that it rained", "that we were late", "nothing", "a word or two", "something about you", "what we feared"],
    ),
    "PLACE": (
        ["borders", "overlooks", "spans", "surrounds", "covers", "straddles"],
        ["two lakes", "a wide valley", "the northern desert", "most of the coast", "an old forest", "three rivers"],
    ),
}
BEFORE = {  # what stands before it
    "PERSON": (["painter", "doctor", "uncle", "singer", "neighbour", "pilot"], ["the", "our old", "a young"]),
    "PLACE": (["train", "ferry", "bus", "flight", "coach", "boat"], ["the last", "a late", "another"]),
}
LINK = {"PERSON": "", "PLACE": "to"}
OPENINGS = ["", "yesterday", "we know that", "they read that", "in those days", "as you see"]
ENDINGS = ["was in the news", "is often spoken of", "was never mentioned again", "is well known", "had been forgotten"]
BETWEEN = ["", "", ", as you know ,", ", it seems ,"]  # so that the deciding word is not always the next one
N_TRAINING, N_TEST, STEPS, SEEDS = 4000, 600, 100, range(5)


@dataclass(frozen=True)
class Sentence:
    """The words, the tag of each, where the name is, and on which side of it the deciding word stands."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    place: int
    side: str


def is_held_out(one: int, other: int) -> bool:
    """Is the pair of words with these numbers only for the test? Of all that go with a word, a third is."""
    return (one + other) % 3 == 0


def sentence(rng: random.Random, side: str, held_out: bool) -> Sentence:
    """Draw one whose two pairs are both held out, or neither."""
    kind, (number, name) = rng.choice(TAGS[1:]), rng.choice([*enumerate(NAMES)])
    words, rests = (AFTER if side == "after" else BEFORE)[kind]
    place, deciding = rng.choice([one for one in enumerate(words) if is_held_out(number, one[0]) == held_out])
    rest = rng.choice([rest for other, rest in enumerate(rests) if is_held_out(place, other) == held_out])
    opening = rng.choice(OPENINGS)
    if side == "after":
        before, after = opening, f"{rng.choice(BETWEEN)} {deciding} {rest}"
    else:
        before = f"{opening} {rest} {deciding} {LINK[kind]}"
        after = f"{rng.choice(BETWEEN)} {rng.choice(ENDINGS)}"
    left, right = before.split(), after.split()
    tags = ["O"] * len(left) + [kind] + ["O"] * len(right) + [kind]  # the full stop asks again
    return Sentence((*left, name, *right, "."), tuple(tags), len(left), side)


def sentences(n: int, seed: int, held_out: bool = False) -> list[Sentence]:
    """n sentences, the two sides in turn."""
    rng = random.Random(f"{seed} {held_out}")
    return [sentence(rng, ("after", "before")[i % 2], held_out) for i in range(n)]


def same_beginning(found: list[Sentence]) -> tuple[Sentence, Sentence]:
    """Two sentences that are the same up to their name, which is a person in the first and a place in the second."""
    after = [one for one in found if one.side == "after" and one.place and "," not in one.words]
    for one in after:
        for other in after:
            if one.words[: one.place + 1] == other.words[: one.place + 1] and one.tags[-1] < other.tags[-1]:
                return one, other
    raise ValueError("No two of these sentences begin alike.")


class Names(Task):
    """Tag each word: does it name a person, a place, or neither?"""

    metric = "all words"

    def __init__(self, causal: bool, seed: int = 0):
        self.description = {"task": "both ways"}
        self.sentences, self.test = sentences(N_TRAINING, seed), sentences(N_TEST, 0, held_out=True)
        self.tokenizer = WordTokenizer.train([" ".join(one.words) for one in self.sentences + self.test])
        seed_everything(seed)
        self.model = Tagger(TransformerConfig.preset("nano", vocab_size=len(self.tokenizer)), TAGS)
        self.model.encoder.causal = causal  # the only difference
        self.examples = [self.encode(one) for one in self.sentences]

    def encode(self, one: Sentence) -> tuple[list[int], list[int]]:
        return self.tokenizer.encode(" ".join(one.words)), [TAGS.index(tag) for tag in one.tags]

    def collate(self, examples) -> dict:
        ids, mask = self.tokenizer.pad([ids for ids, _ in examples])
        labels, _ = self.tokenizer.pad([labels for _, labels in examples])
        return {"ids": ids, "mask": mask, "labels": labels.masked_fill(~mask, IGNORED)}

    def logits(self, network, batch):
        return network(batch["ids"], batch["mask"])

    @torch.no_grad()
    def predict(self, asked: list[Sentence]) -> list[list[str]]:
        """The tag of each word."""
        batch = self.collate([self.encode(one) for one in asked])
        with evaluating(self.model):
            best = self.model(batch["ids"], batch["mask"]).argmax(dim=-1).tolist()
        return [[TAGS[tag] for tag in row[: len(one.words)]] for row, one in zip(best, asked, strict=True)]

    def evaluate(self) -> dict[str, float]:
        return accuracies(self.predict(self.test), self.test)


def accuracies(predicted: list[list[str]], test: list[Sentence]) -> dict[str, float]:
    """Shares of right tags: of the names, by the side that decides, of all words, and at the full stop."""
    hits: dict[str, list[bool]] = {name: [] for name in ("after", "before", "all words", "full stop")}
    for tags, one in zip(predicted, test, strict=True):
        right = [tag == truth for tag, truth in zip(tags, one.tags, strict=True)]
        hits[one.side].append(right[one.place])
        hits["full stop"].append(right[-1])
        hits["all words"] += right[:-1]
    return {name: round(sum(found) / len(found), 4) for name, found in hits.items()}


def always_o(test: list[Sentence]) -> float:
    """The share of all words that a tagger has right which says O everywhere."""
    return accuracies([["O"] * len(one.tags) for one in test], test)["all words"]


def learn(causal: bool, seed: int = 0, steps: int = STEPS) -> Names:
    """The task with its trained tagger."""
    task = Names(causal, seed)
    train(task, Settings(steps, seed=seed, evaluate_every=steps), progress=False)
    return task


def run(seeds=SEEDS) -> dict:
    """For both taggers: the accuracies of each seed; and what is held out."""
    found = {"causal": [], "both ways": []}
    for seed in seeds:
        for kind, rows in found.items():
            rows.append(learn(kind == "causal", seed).evaluate())
            print(seed, kind, rows[-1], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
