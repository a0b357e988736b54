"""Translators of dates that never had the mean subtracted: RMSNorm in place of LayerNorm, from the first step on.

RMSNorm lacks the shift, too; so a third kind is a layer norm whose shift stays at 0. Both places of the norm;
everything else, the seeds too, as in parts.py, whose runs with the layer norm of 2017 these repeat. The loss on dates
that were not seen is measured on the way, where the translators still differ.
"""

import torch
import torch.nn.functional as F

from parts import STEPS, train
from transformer_lab import exact_match, load
from transformer_lab.data import dates
from transformer_lab.tasks.translation import Translation

NORMS = ("layer", "layer without shift", "rms")
PLACES, SEEDS, LOOKS = ("post", "pre"), (0, 1, 2, 3, 4), (100, 200, 400)


def new_task(norm: str, place: str, seed: int) -> Translation:
    """A new translator like the shipped one, but for the norm and its place."""
    model, tokenizer = load("dates")
    changes = {"norm": norm.split()[0], "norm_position": place, "activation": model.config.activation}
    task = Translation({}, dates.training_pairs(), dates.held_out_pairs(300), tokenizer, "nano", seed, **changes)
    for name, parameter in task.model.named_parameters():
        if name.endswith("beta") and "without shift" in norm:
            parameter.requires_grad_(False)  # it begins at 0
    return task


@torch.no_grad()
def loss_on_unseen(task: Translation) -> float:
    """Nats a token, on the 300 dates held out."""
    batch = task.collate(task.held_out)
    task.model.eval()
    loss = F.cross_entropy(task.logits(task.model, batch).flatten(0, 1), batch["labels"].flatten()).item()
    task.model.train()
    return loss


def trained(norm: str, place: str, seed: int, steps: int = STEPS, looks=LOOKS) -> tuple[Translation, list[float]]:
    """The task with its model after so many steps, and the loss on unseen dates after each number of steps in looks."""
    task, losses = new_task(norm, place, seed), []
    for step, _ in enumerate(train(task, seed, steps), 1):
        if step in looks:
            losses.append(round(loss_on_unseen(task), 5))
    return task, losses


def run() -> dict:
    """losses[place][norm]: for each seed the loss after each of LOOKS; right: exact match at the end."""
    losses, right = {}, {}
    for place in PLACES:
        losses[place], right[place] = {norm: [] for norm in NORMS}, {norm: [] for norm in NORMS}
        for seed in SEEDS:
            for norm in NORMS:
                task, found = trained(norm, place, seed)
                losses[place][norm].append(found)
                right[place][norm].append(exact_match(task.model, task.tokenizer, task.held_out))
                print(place, seed, norm, found, right[place][norm][-1], flush=True)
    return {"looks": list(LOOKS), "losses": losses, "right": right}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
