"""The kernel of one submission: limits first, then the originals and the key, and only then the learner's cells.

Run as `python -m transformer_lab.classroom.kernel SCRATCH -f CONNECTION_FILE`, inside a sandbox.
"""

import json
import sys
from pathlib import Path

from .limits import limit_process


def main() -> None:
    order = Path(sys.argv.pop(1)) / "order.json"
    told = json.loads(order.read_text(encoding="utf-8"))
    limit_process(told["running"])
    order.unlink()  # the key is in memory only
    from .hidden import begin

    begin(bytes.fromhex(told["key"]), told["lesson"])
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance()


if __name__ == "__main__":
    main()
