"""Lesson 11: is attention alignment for dates, too? Small translators, whose one head is all that reads the source.

Gold alignments are known, because the pairs are generated: digits of a year with its digits, a month with its name.
Measured are alignment accuracy, for each field of a date apart, with that of an untrained model; where the row that
writes the weekday looks; and what it writes when one vector of the memory comes from that date with another weekday.
"""

from dataclasses import replace

import torch

from alignment import SIZES, STEPS, one_later
from transformer_lab import Settings, alignment_accuracy, record_attention, train
from transformer_lab.data import dates as data
from transformer_lab.data.pairs import TOKEN, Pair
from transformer_lab.tasks.translation import Translation, dates

N_HELD_OUT = 500  # as in the task
FIELDS = {"y": "year", "M": "month", "d": "day", "E": "weekday"}
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def new_task(seed: int = 0) -> Translation:
    """The task, dates in Chinese, with a new model of one block and one head."""
    return dates(seed=seed, **SIZES)


def learn(seed: int = 0, steps: int = STEPS) -> Translation:
    """The task with its trained model."""
    task = new_task(seed)
    train(task, Settings(steps, seed=seed, evaluate_every=steps), progress=False)
    return task


def only(field: str) -> list[Pair]:
    """The held-out pairs that have this field of CLDR, with the gold alignments of its tokens alone."""
    kept = []
    for i, day in enumerate(data.split_days()[1][:N_HELD_OUT]):
        width = data.WIDTHS[i % len(data.WIDTHS)]
        pair = data.make_pair(day, width)
        fields = [name for name, text in data.write(day, "zh", width) for _ in TOKEN.findall(text)]
        gold = [place if name == field else None for name, place in zip(fields, pair.alignment, strict=True)]
        if any(place is not None for place in gold):
            kept.append(replace(pair, alignment=tuple(gold)))
    return kept


def accuracies(task: Translation) -> dict[str, float]:
    """Alignment accuracy: of all tokens, by the row that reads the token, and of each field."""
    asked = {"all": task.held_out, "one row later": one_later(task.held_out)}
    asked |= {name: only(field) for field, name in FIELDS.items()}
    return {name: round(alignment_accuracy(task.model, task.tokenizer, pairs), 4) for name, pairs in asked.items()}


def with_the_next_weekday(source: str) -> str:
    """`Sunday, November 22, 2026` -> `Monday, November 22, 2026`."""
    name, rest = source.split(",", 1)
    return f"{WEEKDAYS[(WEEKDAYS.index(name) + 1) % 7]},{rest}"


PLACES = {"name": [0], "comma": [1], "others": slice(2, None)}  # of the memory: the weekday, its comma, all the rest


@torch.no_grad()
def exchange(here, there, says) -> dict[str, float]:
    """The share of rows that say what the memory `there` makes them say, with only these PLACES of `here` from it."""
    wanted, shares = says(there), {}
    for name, places in PLACES.items():
        memory = here.clone()
        memory[:, places] = there[:, places]
        shares[name] = round((says(memory) == wanted).double().mean().item(), 4)
    return shares


@torch.no_grad()
def weekday(task: Translation) -> dict:
    """Of the rows that write a weekday: what they write right, where they look, and what an exchange does.

    The other memory is that of the same date with the next weekday.
    """
    pairs, model, tokenizer = only("E"), task.model.eval(), task.tokenizer
    source, is_real = tokenizer.batch([pair.source for pair in pairs])
    other, _ = tokenizer.batch([with_the_next_weekday(pair.source) for pair in pairs])
    target, _ = tokenizer.batch([pair.target for pair in pairs], bos=True)
    texts, rows = torch.arange(len(pairs)), torch.tensor([pair.alignment.index(0) for pair in pairs])
    here, there = model.encode(source, is_real), model.encode(other, is_real)

    def says(memory):
        hidden = model.decode(target, memory=memory, memory_mask=is_real)
        return model.logits(hidden)[texts, rows].argmax(dim=-1)

    with record_attention(model) as maps:
        right = says(here) == target[texts, rows + 1]
    weights = maps["cross"][-1].mean(dim=1)[texts, rows]  # (texts, S)
    favourite = weights.argmax(dim=-1)
    return {
        "texts": len(pairs),
        "right": round(right.double().mean().item(), 4),
        "favourite": {
            name: round(torch.isin(favourite, torch.arange(weights.shape[1])[places]).double().mean().item(), 4)
            for name, places in PLACES.items()
        },
        "weight": {name: round(weights[:, places].sum(dim=-1).mean().item(), 4) for name, places in PLACES.items()},
        "says another": round((says(here) != says(there)).double().mean().item(), 4),
        "exchanged": exchange(here, there, says),
    }


def run(seeds=(0, 1, 2, 3, 4)) -> dict:
    """For each seed: exact match, accuracies (also untrained), and what is read to write the weekday."""
    result: dict = {"seeds": list(seeds), "steps": STEPS, "models": []}
    for seed in seeds:
        untrained, task = accuracies(new_task(seed)), learn(seed)
        exact = task.evaluate()["exact_match"]
        found = {"exact match": exact, "accuracy": accuracies(task), "untrained": untrained, "weekday": weekday(task)}
        result["models"].append(found)
        print(seed, result["models"][-1], flush=True)
    return result


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
