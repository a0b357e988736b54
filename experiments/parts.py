"""Two ways to find out what a part does: remove it from the trained translator, or train one that never had it.

Every run uses the date translator's sizes and data, with 400 steps of 64 dates. Three seeds a part: enough to tell all
from nothing, too few to tell 97 from 99 %.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F

from transformer_lab import exact_match, load, switch_off
from transformer_lab.analysis.ablation import PARTS
from transformer_lab.data import dates
from transformer_lab.tasks.translation import Translation

STEPS, BATCH, RATE, WARMUP = 400, 64, 2e-3, 40
WHOLE = "nothing"


def without(model, part: str):
    """The model with a part switched off, as a context; WHOLE switches nothing off."""
    return torch.enable_grad() if part == WHOLE else switch_off(model, part)


def new_task(seed: int) -> Translation:
    """A new translator, of the trained one's configuration and tokens."""
    model, tokenizer = load("dates")
    choices = {name: getattr(model.config, name) for name in ("norm_position", "activation")}
    return Translation({}, dates.training_pairs(), dates.held_out_pairs(300), tokenizer, "nano", seed, **choices)


def train(task: Translation, seed: int, steps: int = STEPS) -> Iterator[float]:
    """Train the task's model, and hand out the loss of each step after it; the rate falls as for STEPS steps."""
    optimizer = torch.optim.AdamW(task.model.parameters(), RATE, betas=(0.9, 0.99))
    order = torch.Generator().manual_seed(seed)
    for step in range(steps):
        factor = min(1, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        optimizer.param_groups[0]["lr"] = RATE * factor
        rows = torch.randint(len(task.examples), (BATCH,), generator=order).tolist()
        batch = task.collate([task.examples[row] for row in rows])
        loss = F.cross_entropy(task.logits(task.model, batch).flatten(0, 1), batch["labels"].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.model.parameters(), 1.0)
        optimizer.step()
        yield loss.item()
    task.model.eval()


def train_without(part: str, seed: int = 0, steps: int = STEPS) -> tuple[Translation, list[float]]:
    """The task with its model, and the loss of each step, of a translator that never had the part."""
    task = new_task(seed)
    with without(task.model, part):
        losses = list(train(task, seed, steps))
    return task, losses


def run(parts=(WHOLE, *PARTS), seeds=(0, 1, 2), steps: int = STEPS) -> dict:
    """For each part: exact match of the trained model without it, and of new models that never had it."""
    trained, tokenizer = load("dates")
    held_out = dates.held_out_pairs(300)
    result = {}
    for part in parts:
        with without(trained, part):
            removed = exact_match(trained, tokenizer, held_out)
        never, first_losses = [], []
        for seed in seeds:
            task, losses = train_without(part, seed, steps)
            with without(task.model, part):
                never.append(exact_match(task.model, tokenizer, held_out))
            first_losses.append([round(loss, 5) for loss in losses[:10]])
        result[part] = {"removed": removed, "never had": never, "first losses": first_losses}
        print(part, removed, never, round(losses[-1], 3), flush=True)
    return result


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
