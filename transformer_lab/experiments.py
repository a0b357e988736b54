"""The course's long runs, found from wherever a notebook is: what they recorded, and their code for a slice of it."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from .files import read_json


def recorded(name: str) -> dict:
    """What experiments/NAME.py gave: "result", "command", "versions", "machine", "seconds"; FileNotFoundError."""
    return read_json(place(f"{name}.json"))


def experiment(name: str) -> ModuleType:
    """The module experiments/NAME.py, for a lesson that runs a part of it; FileNotFoundError."""
    folder = str(place(f"{name}.py").parent)
    if folder not in sys.path:
        sys.path.append(folder)  # experiments share a helper
    return import_module(name)


def place(file: str) -> Path:
    """Where a file of `experiments` is: in the course's folder, beside this package or around the working directory."""
    homes = [Path(__file__).resolve().parents[1], Path.cwd(), *Path.cwd().parents]
    for home in homes:
        if (found := home / "experiments" / file).is_file():
            return found
    raise FileNotFoundError(
        f"experiments/{file} is not here: open the lesson in the course's folder, "
        "or install the course from there with pip install -e ."
    )
