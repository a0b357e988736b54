"""How much of a text should be hidden, and by what? BERT's objective on dates written twice.

`Sunday, November 22, 2026 = dimanche 22 novembre 2026`: whatever one hides follows from the other half, so each answer
can be checked. A nano BERT learns to fill in what is hidden; every date is hidden anew each time it is read. Measured
on dates that it never read, whatever it was trained with: one word hidden, its counterpart seen, or hidden as well (a
control: then there is little to go by); and one word exchanged for a wrong one of its kind, nothing hidden: which word
does the model expect in its place?
"""

import re

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from transformer_lab import BERT, Settings, TransformerConfig, train
from transformer_lab.data import dates
from transformer_lab.data.masking import mask_tokens
from transformer_lab.device import seed_everything
from transformer_lab.models import evaluating
from transformer_lab.tasks.task import Task

RATES = (0.02, 0.05, 0.15, 0.3, 0.5, 0.8)
WAYS = {  # of the words that are asked for: (share exchanged for a random word, share left as it is); the rest hidden
    "100/0/0": (0.0, 0.0),
    "80/10/10": (0.1, 0.1),
    "80/20/0": (0.2, 0.0),
    "80/0/20": (0.0, 0.2),
}
N_TRAINING, N_TEST, STEPS, SEEDS = 5000, 100, 500, range(5)
PAIRED = (0, 2)  # the fields of FIELDS that are one word in either language: weekday and month
SPECIAL = ("[PAD]", "[MASK]")


def fields(day, language: str) -> list[list[str]]:
    """The tokens of weekday, day, month and year."""
    pieces = dict(dates.write(day, language))
    return [re.findall(r"\d|[^\W\d]+", pieces[name]) for name in "EdMy"]


def words_of(day) -> list[str]:
    """The date written twice, digits apart."""
    (weekday, number, month, year), french = fields(day, "en"), fields(day, "fr")
    return [*weekday, ",", *month, *number, ",", *year, "=", *sum(french, [])]


def twins(day) -> list[tuple[int, int]]:
    """Where weekday and month stand: (in English, in French)."""
    words = words_of(day)
    found = []
    for field in PAIRED:
        (english,), (french,) = (fields(day, language)[field] for language in ("en", "fr"))
        found.append((words.index(english), words.index(french)))
    return found


DAYS, HELD_OUT = dates.split_days()
VOCABULARY = [*SPECIAL, *sorted({word for day in DAYS[:2000] for word in words_of(day)})]
MASK = VOCABULARY.index("[MASK]")


def ids_of(day) -> Int[Tensor, "T"]:
    return torch.tensor([VOCABULARY.index(word) for word in words_of(day)])


class HiddenDates(Task):
    """Fill in the hidden words of dates written twice."""

    metric = "filled"

    def __init__(self, rate: float = 0.15, way: str = "80/10/10", seed: int = 0):
        self.description = {"task": "hidden dates"}
        self.rate, (self.random, self.keep) = rate, WAYS[way]
        self.examples = [ids_of(day) for day in DAYS[:N_TRAINING]]
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
    def expected(self, rows: list[Int[Tensor, "T"]]) -> Int[Tensor, "B T"]:
        """The likeliest word at each place."""
        ids = pad_sequence(rows, batch_first=True)
        with evaluating(self.model):
            return self.logits(self.model, {"ids": ids, "mask": ids != 0}).argmax(dim=-1)

    def evaluate(self) -> dict[str, float]:
        return {name: round(self.share_right(name), 4) for name in ("filled", "both hidden", "corrected", "kept")}

    def share_right(self, question: str) -> float:
        """Weekdays and months of held-out days, on either side: how often the right word is the likeliest?

        filled: it is hidden, its twin is seen; both hidden; corrected: another word of its kind stands there, and its
        twin is seen; kept: it stands there, and its twin is hidden.
        """
        rows, places, answers = [], [], []
        for number, day in enumerate(HELD_OUT[:N_TEST]):
            other = ids_of(HELD_OUT[number + N_TEST])
            for both, others in zip(twins(day), twins(HELD_OUT[number + N_TEST]), strict=True):
                for (place, twin), elsewhere in ((both, others[0]), (both[::-1], others[1])):
                    ids = ids_of(day)
                    answers.append(ids[place].item())
                    places.append(place)
                    if question in ("filled", "both hidden"):
                        ids[place] = MASK
                    if question in ("both hidden", "kept"):
                        ids[twin] = MASK
                    if question == "corrected":
                        ids[place] = other[elsewhere]
                    rows.append(ids)
        expected = self.expected(rows)[torch.arange(len(rows)), torch.tensor(places)]
        return (expected == torch.tensor(answers)).float().mean().item()


def learn(rate: float = 0.15, way: str = "80/10/10", seed: int = 0, steps: int = STEPS) -> HiddenDates:
    """The task with its trained model."""
    task = HiddenDates(rate, way, seed)
    train(task, Settings(steps, seed=seed, evaluate_every=steps), progress=False)
    return task


def run(seeds=SEEDS) -> dict:
    """Evaluations of each seed: for every rate with 80/10/10, and for every way with 15 percent."""
    cases = {("rates", str(rate)): (rate, "80/10/10") for rate in RATES}
    cases |= {("ways", way): (0.15, way) for way in WAYS}
    found: dict = {"rates": {}, "ways": {}}
    for (kind, name), (rate, way) in cases.items():
        known = found["rates"].get(str(rate)) if way == "80/10/10" else None
        found[kind][name] = known or [learn(rate, way, seed).evaluate() for seed in seeds]
        print(kind, name, found[kind][name], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
