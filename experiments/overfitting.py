"""Train date translators on too few pairs, without and with two remedies: five seeds, the same pairs and first weights.

Loss and exact match are measured on 300 dates that no run has seen; early stopping would choose its step by the loss
on 200 others.
"""

import torch
import torch.nn.functional as F

from recording import record
from transformer_lab.data import dates as date_pairs
from transformer_lab.metrics import exact_match
from transformer_lab.models import evaluating
from transformer_lab.tasks.task import IGNORED
from transformer_lab.tasks.translation import dates
from transformer_lab.training.batches import Batches

WAYS = {"nothing": {}, "dropout 0.1": {"dropout": 0.1}, "decay 0.3": {"decay": 0.3}}
SEEDS, N_PAIRS, STEPS, BATCH, RATE, WARMUP, EVERY = (0, 1, 2, 3, 4), 350, 800, 64, 2e-3, 20, 100


def loss_of(task, batch):
    """Nats a label."""
    logits = task.logits(task.model, batch)
    return F.cross_entropy(logits.flatten(end_dim=1), batch["labels"].flatten(), ignore_index=IGNORED)


def by_token(task, batch) -> dict[str, float]:
    """The share of tokens whose likeliest prediction is wrong, and the mean loss of these and of the others."""
    logits, labels = task.logits(task.model, batch), batch["labels"]
    losses = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    wrong, real = logits.argmax(dim=-1) != labels, labels != IGNORED
    found = {"wrong": wrong[real].float(), "of wrong": losses[wrong & real], "of right": losses[~wrong & real]}
    return {name: float(f"{values.mean().item():.4g}") for name, values in found.items()}


def train(seed: int, dropout: float = 0.0, decay: float = 0.0, steps: int = STEPS, n: int = N_PAIRS) -> dict:
    """One run: losses and exact match at every hundredth step, in eval mode; "train" is on 200 training pairs."""
    task = dates(n=n, seed=seed, n_layers=1, dropout=dropout)
    unseen = date_pairs.held_out_pairs(500)
    parts = {"train": task.examples[:200], "stop": unseen[:200], "held out": unseen[200:]}
    batches = {name: task.collate(pairs) for name, pairs in parts.items()}
    order = Batches(n, BATCH, seed)
    optimiser = torch.optim.AdamW(task.model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=decay, fused=True)
    seen = {"step": [], **{name: [] for name in parts}, "right": [], "tokens": []}
    torch.manual_seed(seed)
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, step / WARMUP)
        task.model.train()
        optimiser.zero_grad()
        loss_of(task, task.collate([task.examples[i] for i in order(step - 1)])).backward()
        optimiser.step()
        if step % EVERY == 0:
            seen["step"].append(step)
            with evaluating(task.model), torch.no_grad():
                for name, batch in batches.items():
                    seen[name].append(float(f"{loss_of(task, batch).item():.4g}"))
                seen["tokens"].append(by_token(task, batches["held out"]))
            seen["right"].append(round(exact_match(task.model, task.tokenizer, parts["held out"]), 4))
    return seen


def run() -> dict:
    """One curve for each way and seed."""
    curves = {}
    for name, changes in WAYS.items():
        curves[name] = [train(seed, **changes) for seed in SEEDS]
        print(name, [curve["right"][-1] for curve in curves[name]], flush=True)
    return {"pairs": N_PAIRS, "curves": curves}


if __name__ == "__main__":
    record(__file__, run)
