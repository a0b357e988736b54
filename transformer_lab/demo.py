"""The course's main job without a browser: train a translator of dates, measure it, save it with a picture."""

import time
from pathlib import Path

from .analysis import translation_attention
from .data import dates
from .device import pick_device
from .environment import is_watched
from .files import writable_folder
from .generation import translate
from .metrics import alignment_accuracy, exact_match
from .pretrained import load, save
from .tasks import translation as tasks
from .training.loop import train
from .training.settings import Settings
from .viz import AttentionView

CONFIG = dict(norm_position="post", activation="relu", max_len=64)  # as in the paper of 2017, smaller
EXAMPLE = "Sunday, November 22, 2026"
WRITTEN = ("model.safetensors", "config.json", "tokenizer.json", "attention.html")


def train_dates(seed: int = 0, n_steps: int = 600, progress=True):
    """(model, tokenizer): an encoder-decoder trained on 5,000 dates, English -> Chinese."""
    task = tasks.dates(seed=seed, **CONFIG)
    train(task, Settings(steps=n_steps, seed=seed, evaluate_every=n_steps), progress=progress)
    return task.model, task.tokenizer


def run(out: Path, seed: int = 0) -> float:
    """Train, save and report into the folder out; returns the exact match of the saved model.

    Raises OSError where nothing can be written into it, FileExistsError if it holds a model of others: before the work.
    """
    check_folder(out)
    print(f"Dates, English -> Chinese, on {pick_device()}, seed {seed}", flush=True)
    start = time.perf_counter()
    model, tokenizer = train_dates(seed, progress=is_watched())
    save(model, tokenizer, out)
    model, tokenizer = load(out)  # what is measured is what was saved: weights in 16 bits
    held_out = dates.held_out_pairs()
    score = exact_match(model, tokenizer, held_out)
    alignment = alignment_accuracy(model, tokenizer, held_out)
    print(f"parameters          {sum(p.numel() for p in model.parameters()):,}")
    print(f"seconds             {time.perf_counter() - start:.1f}")
    print(f"exact match         {score:.1%} of {len(held_out)} held-out dates")
    print(f"alignment accuracy  {alignment:.1%}")
    print(f"{EXAMPLE} -> {translate(model, tokenizer, [EXAMPLE])[0]}")
    picture = AttentionView(*translation_attention(model, tokenizer, EXAMPLE)).save(out / "attention.html")
    print(f"Written: {out / 'model.safetensors'}, {out / 'config.json'}, {picture} (open it in a browser)")
    return score


def check_folder(out: Path) -> None:
    """OSError if nothing can be written into the folder, or a model in it would be lost that no demo has written."""
    writable_folder(out)
    there = [name for name in WRITTEN if (out / name).exists()]
    # All of them, and no training run beside them: that is what a demo left, and may be made again.
    if there and (len(there) < len(WRITTEN) or (out / "checkpoints").exists()):
        raise FileExistsError(f"{out} holds {there[0]}, which the demo would replace: give another folder.")
