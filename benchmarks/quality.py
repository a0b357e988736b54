"""`make quality`: train the models with three seeds; report their metrics and seconds as a table and as JSON."""

import json
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from transformer_lab.baselines import ngram_bits, unigram_bits, xz_bits
from transformer_lab.data import python_docs
from transformer_lab.data.documents import join
from transformer_lab.tasks.catalogue import make_task, settings_for
from transformer_lab.tasks.language import language
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

TARGETS = {  # task: seconds allowed, and what its metrics must reach
    "dates": (60, {"exact_match": 1.0}),
    "numbers": (60, {"exact_match": 0.98}),
    "induction": (45, {"accuracy": 0.99, "prefix_matching": 0.8}),
    "docs, topics, last tenth": (120, {"bits_per_character": 1.87}),
    "docs, topics, by document": (None, {}),
    "docs, all, by document": (None, {}),
}
LOWER_IS_BETTER = {"bits_per_character"}


def texts(name: str) -> tuple[str, str]:
    """(training text, validation text) of a row on the documentation."""
    only_topics = "topics" in name
    if "last tenth" in name:
        return python_docs.raw_cut(join(python_docs.documents(only_topics)))
    return tuple(map(join, python_docs.train_and_validation(only_topics)))


def run(name: str, seed: int) -> dict:
    """Train one model; its seconds, from the first line of data to the last evaluation, and its metrics."""
    short = name.split(",")[0]
    start = time.perf_counter()
    if short == "docs":
        task = language({"task": name}, *texts(name), vocab_size=512, preset="nano", seed=seed, n_layers=3)
    else:
        task = make_task(short, seed=seed)
    settings = Settings(**settings_for(short), seed=seed)
    history = train(task, settings, progress=False)
    return {
        "task": name,
        "seed": seed,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "steps": settings.steps,
        "seconds": time.perf_counter() - start,
        "metrics": history.evaluations[-1]["metrics"],
    }


def baselines(name: str) -> dict:
    """Bits per character of three methods that are no neural network, on the same two texts."""
    train_text, test_text = texts(name)
    return {
        "unigram": unigram_bits(train_text, test_text),
        "5-gram": ngram_bits(train_text, test_text, n=5),
        "xz": xz_bits(train_text, test_text),
    }


def verdict(result: dict) -> str:
    """Which targets are missed, or "reached"."""
    seconds, wanted = TARGETS[result["task"]]
    missed = [
        name
        for name, target in wanted.items()
        if (result["metrics"][name] > target if name in LOWER_IS_BETTER else result["metrics"][name] < target)
    ]
    if seconds is not None and result["seconds"] > seconds:
        missed.append(f"{seconds} s")
    return f"MISSED: {', '.join(missed)}" if missed else "reached" if wanted else ""


def main(
    only: Annotated[str, typer.Option(help="Run the tasks whose name contains this.")] = "",
    seeds: Annotated[int, typer.Option(help="How many seeds, from 0.")] = 3,
    threads: Annotated[int, typer.Option(help="Threads torch may use; two are slower.")] = 1,
    out: Annotated[Path, typer.Option(help="Where to write the numbers.")] = Path("build/quality.json"),
):
    torch.set_num_threads(threads)
    console, results, compared = Console(width=150), [], {}
    table = Table("task", "seed", "parameters", "steps", "seconds", "metrics", "")
    for name in (name for name in TARGETS if only in name):
        for seed in range(seeds):
            results.append(run(name, seed))
            console.print(results[-1])
        if name.startswith("docs"):
            compared[name] = baselines(name)
    for one in results:
        metrics = ", ".join(f"{key} {value:.4g}" for key, value in one["metrics"].items())
        row = (one["seed"], f"{one['parameters']:,}", one["steps"], f"{one['seconds']:.0f}", metrics, verdict(one))
        table.add_row(one["task"], *map(str, row))
    for name, bits in compared.items():
        for baseline, value in bits.items():
            table.add_row(name, "", "", "", "", f"{baseline}: bits_per_character {value:.4g}", "")
    console.print(table)
    if compared:
        console.print(python_docs.describe())
    report = dict(
        command="make quality",
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        machine=platform.machine(),
        python=platform.python_version(),
        torch=version("torch"),
        threads=threads,
        results=results,
        baselines=compared,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written: {out}")


if __name__ == "__main__":
    typer.run(main)
