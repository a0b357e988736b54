"""How much of a text should be hidden, and by what? BERT's objective on dates written twice.

`Sunday, November 22 = dimanche 22 novembre`: whatever one hides follows from the other half, so each answer
can be checked. A nano BERT learns to fill in what is hidden; every date is hidden anew each time it is read. Measured
on dates that it never read, whatever it was trained with: one word hidden, its counterpart seen, or hidden as well (a
control: then there is little to go by); and one word exchanged for a wrong one of its kind, nothing hidden: which word
does the model expect in its place?
"""

import datetime
import random
import re
from collections import Counter

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from transformer_lab import BERT, Settings, TransformerConfig, train
from transformer_lab.data import dates
from transformer_lab.data.masking import mask_tokens
from transformer_lab.device import seed_everything
from transformer_lab.models import evaluating
from transformer_lab.tasks.task import Task

RATES = (0.05, 0.15, 0.4, 0.8)
WAYS = {  # of the words that are asked for: (share exchanged for a random word, share left as it is); the rest hidden
    "100/0/0": (0.0, 0.0),
    "80/10/10": (0.1, 0.1),
    "80/20/0": (0.2, 0.0),
    "80/0/20": (0.0, 0.2),
}
N_TEST, STEPS, EVERY, RATE, SEEDS, RATE_SEEDS = 100, 300, 100, 5e-3, range(5), range(3)
SPECIAL = ("[PAD]", "[MASK]")


def fields(day, language: str) -> list[list[str]]:
    """The tokens of weekday, day and month."""
    pieces = dict(dates.write(day, language))
    return [re.findall(r"\d|[^\W\d]+", pieces[name]) for name in "EdM"]


def words_of(day) -> list[str]:
    """The date written twice, digits apart."""
    (weekday, number, month), french = fields(day, "en"), fields(day, "fr")
    return [*weekday, ",", *month, *number, "=", *sum(french, [])]


def twins(words: list[str]) -> list[tuple[int, int]]:
    """Where weekday and month stand: (in English, in French)."""
    return [(0, words.index("=") + 1), (2, len(words) - 1)]


def all_dates() -> list[list[str]]:
    """Each weekday with each day of the year once, shuffled, always in the same order."""
    first = datetime.date(1900, 1, 1)  # within 400 years, each day of the year falls on each weekday
    found = {tuple(words_of(first + datetime.timedelta(n))) for n in range(366 * 40)}
    return random.Random(0).sample(sorted(map(list, found)), len(found))


DATES = all_dates()
VOCABULARY = [*SPECIAL, *sorted({word for words in DATES for word in words})]
MASK = VOCABULARY.index("[MASK]")


def ids_of(words: list[str]) -> Int[Tensor, "T"]:
    return torch.tensor([VOCABULARY.index(word) for word in words])


class HiddenDates(Task):
    """Fill in the hidden words of dates written twice."""

    metric = "filled"

    def __init__(self, rate: float = 0.15, way: str = "80/10/10", seed: int = 0):
        self.description = {"task": "hidden dates"}
        self.rate, (self.random, self.keep) = rate, WAYS[way]
        self.examples = [ids_of(words) for words in DATES[2 * N_TEST :]]
        seed_everything(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.model = BERT(TransformerConfig.preset("nano", vocab_size=len(VOCABULARY), masked_lm_head=True))

    def collate(self, examples) -> dict:
        """Other words are hidden each time."""
        ids = pad_sequence(examples, batch_first=True)
        inputs, labels = mask_tokens(
            ids, MASK, len(VOCABULARY), special_ids=(0, 1), rate=self.rate, random=self.random, keep=self.keep,
            generator=self.generator,
        )  # fmt: skip
        return {"ids": inputs, "mask": ids != 0, "labels": labels}

    def logits(self, network, batch):
        return network.masked_lm_logits(network(batch["ids"], batch["mask"]))

    @torch.no_grad()
    def chances(self, rows: list[Int[Tensor, "T"]]) -> Float[Tensor, "B T V"]:
        """The probability of each word at each place."""
        ids = pad_sequence(rows, batch_first=True)
        with evaluating(self.model):
            return self.logits(self.model, {"ids": ids, "mask": ids != 0}).softmax(dim=-1)

    def evaluate(self) -> dict[str, float]:
        return {name: round(self.share_right(name), 4) for name in ("filled", "both hidden", "corrected", "kept")}

    def asked(self, question: str) -> tuple[list[Int[Tensor, "T"]], Int[Tensor, "B"], Int[Tensor, "B"]]:
        """Weekdays and months of held-out days, on either side: what is read, which place is asked for, what is right.

        filled: it is hidden, its twin is seen; both hidden; corrected: another word of its kind stands there, and its
        twin is seen (left out where the other date has the same word); kept: it stands there, and its twin is hidden.
        """
        rows, places, answers = [], [], []
        for words, others in zip(DATES[:N_TEST], DATES[N_TEST : 2 * N_TEST], strict=True):
            for both, elsewhere in zip(twins(words), twins(others), strict=True):
                for place, twin, other in (*zip(both, both[::-1], elsewhere, strict=True),):
                    ids, exchanged = ids_of(words), ids_of(others)[other]
                    if question == "corrected" and exchanged == ids[place]:
                        continue
                    answers.append(ids[place].item())
                    places.append(place)
                    if question in ("filled", "both hidden"):
                        ids[place] = MASK
                    if question in ("both hidden", "kept"):
                        ids[twin] = MASK
                    if question == "corrected":
                        ids[place] = exchanged
                    rows.append(ids)
        return rows, torch.tensor(places), torch.tensor(answers)

    def expected(self, rows: list[Int[Tensor, "T"]], places: Int[Tensor, "B"]) -> Int[Tensor, "B"]:
        """The likeliest word at the place that is asked for."""
        return self.chances(rows).argmax(dim=-1)[torch.arange(len(rows)), places]

    def share_right(self, question: str) -> float:
        """How often is the right word the likeliest?"""
        rows, places, answers = self.asked(question)
        return (self.expected(rows, places) == answers).float().mean().item()

    def said_of_wrong_words(self) -> Counter:
        """Which word is expected in a wrong one's place, and how often?"""
        rows, places, answers = self.asked("corrected")
        found: Counter = Counter()
        for row, place, answer, said in zip(rows, places, answers, self.expected(rows, places), strict=True):
            known = {row[place].item(): "the wrong word that stands there", answer.item(): "the right word"}
            found[known.get(said.item(), VOCABULARY[said])] += 1
        return found


def learn(rate: float = 0.15, way: str = "80/10/10", seed: int = 0, steps: int = STEPS) -> tuple[HiddenDates, list]:
    """The task with its trained model, and its evaluations."""
    task = HiddenDates(rate, way, seed)
    history = train(task, Settings(steps, lr=RATE, seed=seed, evaluate_every=EVERY), progress=False)
    return task, [{"step": one["step"], **one["metrics"]} for one in history.evaluations]


def run(seeds=SEEDS, rate_seeds=RATE_SEEDS) -> dict:
    """The evaluations of each seed: for every way with 15 percent, and for every rate with 80/10/10."""
    found: dict = {"ways": {}, "rates": {}}
    for way in WAYS:
        found["ways"][way] = [learn(way=way, seed=seed)[1] for seed in seeds]
        print(way, [runs[-1] for runs in found["ways"][way]], flush=True)
    for rate in RATES:
        known = found["ways"]["80/10/10"][: len(rate_seeds)] if rate == 0.15 else None
        found["rates"][str(rate)] = known or [learn(rate, seed=seed)[1] for seed in rate_seeds]
        print(rate, [runs[-1] for runs in found["rates"][str(rate)]], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
