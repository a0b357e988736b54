"""The course's main job without a browser: train a translator of dates, measure it, save it with a picture."""

import time
from pathlib import Path
from typing import Any

from .analysis.reading import translation_attention
from .data import dates
from .device import pick_device
from .environment import is_watched
from .generation import translate
from .metrics import alignment_accuracy, exact_match
from .pretrained import load, save
from .tasks import translation as tasks
from .training.loop import train
from .training.owner import owning
from .training.settings import Settings
from .viz import AttentionView

CONFIG: dict[str, Any] = dict(norm_position="post", activation="relu", max_len=64)  # as in the paper of 2017, smaller
EXAMPLE = "Sunday, November 22, 2026"
WRITTEN = ("model.safetensors", "config.json", "tokenizer.json", "attention.html")


def train_dates(seed: int = 0, n_steps: int = 600, progress=True) -> tasks.Translation:
    """The task with its model, an encoder-decoder trained on 5,000 dates, English -> Chinese."""
    task = tasks.dates(seed=seed, **CONFIG)
    train(task, Settings(steps=n_steps, seed=seed, evaluate_every=n_steps), progress=progress)
    return task


def run(out: Path, seed: int = 0) -> float:
    """Train, save to the folder out and print a report; returns the exact match of the saved model.

    Raises OSError, before the work, if the folder cannot be written or holds something that would be overwritten.
    """
    with owning(out):
        check_unused(out)
        print(f"Dates, English -> Chinese, on {pick_device()}, seed {seed}", flush=True)
        start = time.perf_counter()
        task = train_dates(seed, progress=is_watched())
        save(task.model, task.tokenizer, out, task.identity())
        model, tokenizer = load(out)  # what is measured is what was saved: weights in 16 bits
        seconds = time.perf_counter() - start
        picture = AttentionView(*translation_attention(model, tokenizer, EXAMPLE)).save(out / "attention.html")
    print(f"parameters          {sum(p.numel() for p in model.parameters()):,}")
    print(f"seconds             {seconds:.1f}")
    score = report(model, tokenizer)
    print(f"{EXAMPLE} -> {translate(model, tokenizer, [EXAMPLE])[0]}")
    print(f"Written: {out / 'model.safetensors'}, {out / 'config.json'}, {picture} (open it in a browser)")
    return score


def report(model, tokenizer) -> float:
    """Print how good the model is on held-out dates; returns its exact match."""
    held_out = dates.held_out_pairs()
    score = exact_match(model, tokenizer, held_out)
    print(f"exact match         {score:.1%} of {len(held_out)} held-out dates")
    print(f"alignment accuracy  {alignment_accuracy(model, tokenizer, held_out):.1%}")
    return score


def check_unused(out: Path) -> None:
    """Raise FileExistsError if something in the folder would be overwritten that no demo wrote."""
    there = [name for name in WRITTEN if (out / name).exists()]
    # All of them, and no training run next to them: a demo wrote them, and another demo may overwrite them.
    if there and (len(there) < len(WRITTEN) or (out / "checkpoints").exists()):
        raise FileExistsError(f"{out} holds {there[0]}, which the demo would overwrite: give another folder.")
