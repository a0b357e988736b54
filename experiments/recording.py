"""Record a long run: its result with the command, the versions, the machine and the seconds.

    python experiments/NAME.py      runs the experiment and writes experiments/NAME.json

An experiment is a file with `run(...)`, of which a lesson and a test rerun a small part, and a last line
`if __name__ == "__main__": record(__file__, run)`.
"""

import platform
import time
from pathlib import Path

import torch

from transformer_lab.files import to_json, write_whole


def record(file: str, run) -> None:
    """Run it and write the JSON file beside it; run() returns what JSON can hold."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    kept = {
        "command": f"python experiments/{Path(file).name}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__.partition("+")[0]},
        "machine": f"{platform.machine()}, one thread",
        "seconds": round(seconds),
        "result": result,
    }
    write_whole(Path(file).with_suffix(".json"), to_json(kept, indent=1) + "\n")
    print(f"{Path(file).stem}: {seconds:.0f} s")
