"""Record a long run: its result with the command, the versions, the machine and the seconds.

    python experiments/NAME.py      runs the experiment and writes experiments/NAME.json

An experiment is a file with `run(...)`, of which a lesson and a test rerun a small part, and a last line
`if __name__ == "__main__": record(__file__, run)`. One of many parts has `run(found, keep)` instead, and ends in
`go_on(__file__, run)`: started again, it computes only what its JSON file lacks.
"""

import platform
import time
from pathlib import Path

import torch

from transformer_lab.files import read_json, to_json, write_whole


def record(file: str, run) -> None:
    """Run it and write the JSON file beside it; run() returns what JSON can hold."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    write(file, run(), time.perf_counter() - start)


def go_on(file: str, run) -> None:
    """As record, but run(found, keep) adds to what the file holds, and calls keep() after each part: it may stop there.

    The seconds are those of all the times it ran.
    """
    torch.set_num_threads(1)
    path = Path(file).with_suffix(".json")
    before = read_json(path) if path.exists() else {"result": {}, "seconds": 0}
    found, start = before["result"], time.perf_counter()

    def keep() -> None:
        write(file, found, before["seconds"] + time.perf_counter() - start)

    run(found, keep)
    keep()


def write(file: str, result: dict, seconds: float) -> None:
    """Write the JSON file beside the experiment."""
    kept = {
        "command": f"python experiments/{Path(file).name}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__.partition("+")[0]},
        "machine": f"{platform.machine()}, one thread",
        "seconds": round(seconds),
        "result": result,
    }
    write_whole(Path(file).with_suffix(".json"), to_json(kept, indent=1) + "\n")
    print(f"{Path(file).stem}: {seconds:.0f} s")
