"""Lesson 03: two small language models of dates, trained alike, one with the causal mask and one without.

Without the mask, position t sees the character that it should predict. The loss falls towards 0, and the model cannot
write, for then that character does not exist yet. Two controls ask whether it has learnt nothing else. Given the
beginning of a date, does it go on to a date? And how well does it guess after a few more steps with the mask, beside a
new model after as many, and beside one that has copied as long, but from texts that are no dates: the same with their
characters shuffled?
"""

import datetime
import random
import re
from contextlib import nullcontext, suppress
from itertools import pairwise

import torch
import torch.nn.functional as F

from recording import record
from transformer_lab import switch_off
from transformer_lab.config import TransformerConfig
from transformer_lab.data import dates
from transformer_lab.generation import generate
from transformer_lab.models import GPT
from transformer_lab.tasks.task import IGNORED

END = 0  # the id that begins and ends a text
DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日(?:星期([一二三四五六日]))?")
CHARACTERS = "0123456789年月日星期一二三四五六"
LONGEST = 16  # characters that a model may write


def rows(texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (B, T) that begin with END, and the character after each as label (IGNORED behind the end)."""
    ids = [[CHARACTERS.index(c) + 1 for c in text] for text in texts]
    longest = max(map(len, ids))
    inputs = [[END, *row] + [END] * (longest - len(row)) for row in ids]
    labels = [[*row, END] + [IGNORED] * (longest - len(row)) for row in ids]
    return torch.tensor(inputs), torch.tensor(labels)


def mask_of(model, causal: bool):
    """Within the block the model runs with its causal mask, or without."""
    return nullcontext() if causal else switch_off(model, "causal mask")


def train(causal: bool, steps: int, seed: int = 0) -> tuple[GPT, list[float]]:
    """The model after so many steps, and the loss at each, in nats a character."""
    torch.manual_seed(seed)
    model = GPT(TransformerConfig(len(CHARACTERS) + 1, d_model=32, n_heads=2, n_layers=2, d_ff=128, max_len=20))
    return model, go_on(model, causal, steps)


def shuffled(texts: list[str]) -> list[str]:
    """The same texts, the characters of each in another order: as long and as frequent, but no dates."""
    chance = random.Random(0)
    return ["".join(chance.sample(text, len(text))) for text in texts]


def go_on(model, causal: bool, steps: int, change=list) -> list[float]:
    """Train it for so many steps, on the texts or what `change` makes of them; returns the loss at each, in nats."""
    losses = []
    inputs, labels = rows(change([pair.target for pair in dates.training_pairs(3000)]))
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    with mask_of(model, causal):
        for _ in range(steps):
            batch = torch.randint(len(inputs), (24,))
            loss = F.cross_entropy(model(inputs[batch]).transpose(1, 2), labels[batch], ignore_index=IGNORED)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return losses


def write(model, causal: bool, n: int = 200, seed: int = 0) -> list[str]:
    """Sample n texts from the model, character by character."""
    with mask_of(model, causal):
        start = torch.full((n, 1), END)
        ids = generate(model, start, LONGEST, temperature=1.0, stop=END, seed=seed, use_cache=False)
    return ["".join(CHARACTERS[i - 1] for i in row[1:] if i != END) for row in ids.tolist()]


def goes_on(model, causal: bool, n: int = 200, beginning: str = "1999年") -> list[str]:
    """n texts with this beginning, continued by the model."""
    with mask_of(model, causal):
        ids = rows([beginning])[0].repeat(n, 1)
        said = generate(model, ids, 12, temperature=1.0, stop=END, seed=0, use_cache=causal)
    return ["".join(CHARACTERS[i - 1] for i in row[1:] if i != END) for row in said.tolist()]


def well_formed(texts: list[str]) -> float:
    """The share of texts that look like a date."""
    return sum(bool(DATE.fullmatch(text)) for text in texts) / len(texts)


def repeats(texts: list[str]) -> float:
    """Of all characters drawn for these texts, the end sign among them: the share that equals the one before."""
    drawn = [("." + text + "." * (len(text) < LONGEST)) for text in texts]  # one sign both begins and ends a text
    pairs = [pair for text in drawn for pair in pairwise(text)]
    return round(sum(a == b for a, b in pairs) / len(pairs), 3)


def weekdays(texts: list[str]) -> tuple[int, int]:
    """Of the texts that are days with a weekday: how many have the right one, and how many there are."""
    right = []
    for year, month, day, name in (match.groups() for match in map(DATE.fullmatch, texts) if match and match[4]):
        with suppress(ValueError):  # February 30
            right.append("一二三四五六日"[datetime.date(int(year), int(month), int(day)).weekday()] == name)
    return sum(right), len(right)


@torch.no_grad()
def right_with_mask(model) -> float:
    """The share of next characters that the model guesses with its mask on, in 100 new texts."""
    inputs, labels = rows([pair.target for pair in dates.held_out_pairs(100)])
    return (model(inputs).argmax(dim=-1) == labels)[labels != IGNORED].float().mean().item()


def relearn(seed: int) -> dict:
    """With its mask put on, a model trained 120 steps without: its right guesses at once, and after 20 steps more.

    Beside it a new model after 20 steps; one that learnt on shuffled texts first; and one with its mask all along.
    """
    model, _ = train(causal=False, steps=120, seed=seed)
    at_once = right_with_mask(model)
    honest, losses = train(causal=True, steps=120, seed=seed)
    (new, _), (copier, _) = train(causal=True, steps=0, seed=seed), train(causal=False, steps=0, seed=seed)
    torch.manual_seed(seed)
    go_on(copier, causal=False, steps=120, change=shuffled)
    result = {"at once": at_once, "all along": right_with_mask(honest), "all along, loss": sum(losses[-5:]) / 5}
    for name, one in (
        ("20 steps more", model),
        ("a new model, 20 steps", new),
        ("shuffled, 20 steps more", copier),
    ):
        torch.manual_seed(seed)  # the same texts for all
        loss = sum(go_on(one, causal=True, steps=20)[-5:]) / 5
        result |= {name: right_with_mask(one), f"{name}, loss": loss}
    return {name: round(number, 4) for name, number in result.items()}


def run(seeds=tuple(range(5)), steps: int = 300) -> dict:
    """Loss (mean of each 10 steps) and share of dates among 200 texts, with and without the mask; the controls."""
    result = {"seeds": list(seeds), "steps": steps, "loss": {}, "well_formed": {}, "examples": {}}
    for name, causal in (("with the mask", True), ("without", False)):
        for seed in seeds:
            model, losses = train(causal, steps, seed)
            texts = write(model, causal, seed=seed)
            means = torch.tensor(losses).view(-1, 10).mean(dim=1)
            result["loss"].setdefault(name, []).append([round(x, 4) for x in means.tolist()])
            result["well_formed"].setdefault(name, []).append(well_formed(texts))
            result["examples"].setdefault(name, []).append(texts[:4])
            result.setdefault("repeats", {}).setdefault(name, []).append(repeats(texts))
            if causal:
                result.setdefault("weekdays", []).append(weekdays(write(model, causal, 4000, seed)))
            # Given a year, a model has a character to copy: does it go on to a date? After 120 steps, and at the end.
            for when, one in (("begun", train(causal, 120, seed)[0]), ("begun, late", model)):
                result.setdefault(when, {}).setdefault(name, []).append(well_formed(goes_on(one, causal)))
    result["relearn"] = [relearn(seed) for seed in range(5)]
    return result


if __name__ == "__main__":
    record(__file__, run)
