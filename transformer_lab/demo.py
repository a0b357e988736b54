"""The course's main job without a browser: train a translator of dates, measure it, save it with a picture."""

import time
from pathlib import Path

from rich.console import Console

from .analysis import translation_attention
from .data import dates
from .device import pick_device
from .generation import translate
from .metrics import alignment_accuracy, exact_match
from .pretrained import load, save
from .tasks import translation as tasks
from .training.loop import train
from .training.settings import Settings
from .viz import AttentionView

CONFIG = dict(norm_position="post", activation="relu", max_len=64)  # as in the paper of 2017, smaller
EXAMPLE = "Sunday, November 22, 2026"


def train_dates(seed: int = 0, n_steps: int = 600, progress=True):
    """(model, tokenizer): an encoder-decoder trained on 5,000 dates, English -> Chinese."""
    task = tasks.dates(seed=seed, **CONFIG)
    train(task, Settings(steps=n_steps, seed=seed, evaluate_every=n_steps), progress=progress)
    return task.model, task.tokenizer


def run(out: Path, seed: int = 0) -> float:
    """Train, save and report into the folder out; returns the exact match of the saved model."""
    console = Console(highlight=False)
    out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    console.print(f"Dates, English -> Chinese, on {pick_device()}, seed {seed}")
    start = time.perf_counter()
    model, tokenizer = train_dates(seed)
    save(model, tokenizer, out)
    model, tokenizer = load(out)  # what is measured is what was saved: weights in 16 bits
    held_out = dates.held_out_pairs()
    score = exact_match(model, tokenizer, held_out)
    alignment = alignment_accuracy(model, tokenizer, held_out)
    console.print(f"parameters          {sum(p.numel() for p in model.parameters()):,}")
    console.print(f"seconds             {time.perf_counter() - start:.1f}")
    console.print(f"exact match         {score:.1%} of {len(held_out)} held-out dates")
    console.print(f"alignment accuracy  {alignment:.1%}")
    console.print(f"{EXAMPLE} -> {translate(model, tokenizer, [EXAMPLE])[0]}")
    picture = AttentionView(*translation_attention(model, tokenizer, EXAMPLE)).save(out / "attention.html")
    console.print(
        f"Written: {out / 'model.safetensors'}, {out / 'config.json'}, {picture} (open it in a browser)", soft_wrap=True
    )
    return score
