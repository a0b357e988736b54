"""`make bench`: time this package against the usual alternatives. Prints a table and writes JSON.

Each ratio is the rival's time / ours, measured alternately in one process; above 1, ours is faster.
"""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

IMPORT_LIMIT = 0.05  # seconds
TIME_IMPORT = """
import sys, time
start = time.perf_counter()
import {}
print(time.perf_counter() - start, "torch" in sys.modules)
"""


def import_seconds(module: str, repeats: int = 5) -> tuple[float, bool]:
    """The fastest of several imports, each in a fresh Python, and whether it loaded torch."""
    runs = [
        subprocess.run([sys.executable, "-c", TIME_IMPORT.format(module)], capture_output=True, text=True, check=True)
        for _ in range(repeats)
    ]
    times, torch_loaded = zip(*(run.stdout.split() for run in runs), strict=True)
    return min(map(float, times)), "True" in torch_loaded


def measure(n_threads: int, only: str) -> list[dict]:
    """Every case whose name contains `only`, with this many threads."""
    import encoding
    import generating
    import loops
    import texts
    import torch
    import training
    from compare import compare

    torch.set_num_threads(n_threads)
    results = []
    for case in [*training.CASES, *loops.CASES, *generating.CASES, *encoding.CASES, *texts.CASES]:
        if only in case.work:
            print(f"{n_threads} thread(s): {case.work} ...", file=sys.stderr, flush=True)
            row = dict(work=case.work, rival=case.rival, threads=n_threads, floor=case.floor, goal=case.goal)
            results.append(row | compare(case))
    return results


def table(results: list[dict]) -> Table:
    out = Table("work", "rival", "threads", "ours", "rival's", "rival / ours", "middle half", "floor", "goal", "")
    for row in results:
        low, high = row["quartiles"]
        verdict = "goal" if row["ratio"] >= row["goal"] else "floor" if row["ratio"] >= row["floor"] else "BELOW"
        out.add_row(
            row["work"],
            row["rival"],
            str(row["threads"]),
            f"{row['ours_s'] * 1e3:.1f} ms",
            f"{row['rival_s'] * 1e3:.1f} ms",
            f"{row['ratio']:.2f}",
            f"{low:.2f}-{high:.2f}",
            f"{row['floor']:.2f}",
            f"{row['goal']:.2f}",
            verdict,
        )
    return out


def main(
    only: Annotated[str, typer.Option(help="Measure only the work whose name contains this.")] = "",
    out: Annotated[Path, typer.Option(help="Where to write the numbers.")] = Path("build/bench.json"),
):
    console = Console(width=150)
    ours, torch_loaded = import_seconds("transformer_lab")
    theirs, _ = import_seconds("torch")
    results = [row for n_threads in (1, 2) for row in measure(n_threads, only)]
    console.print(table(results))
    console.print(
        f"import transformer_lab: {ours:.3f} s (limit {IMPORT_LIMIT} s), torch loaded: {torch_loaded}; "
        f"import torch: {theirs:.2f} s"
    )
    report = dict(
        command="make bench",
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        machine=platform.machine(),
        python=platform.python_version(),
        versions={name: version(name) for name in ("torch", "transformers")},
        import_seconds=dict(transformer_lab=ours, torch=theirs, transformer_lab_loads_torch=torch_loaded),
        results=results,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written: {out}")


typer.run(main)
