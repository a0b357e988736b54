"""The course's long runs, for notebooks in any folder: their recorded results, and their code to rerun a part."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from .files import read_json


def recorded(name: str) -> dict:
    """Return what experiments/NAME.py recorded: "result", "command", "versions", "machine" and "seconds".

    Raises FileNotFoundError if the course's folder cannot be found.
    """
    return read_json(find_file(f"{name}.json"))


def experiment(name: str) -> ModuleType:
    """Import experiments/NAME.py, so that a lesson can run a part of it; raises FileNotFoundError as `recorded`."""
    folder = str(find_file(f"{name}.py").parent)
    if folder not in sys.path:
        sys.path.append(folder)  # the experiments share a module
    return import_module(name)


def find_file(name: str) -> Path:
    """Find a file of `experiments` next to this package, in the working directory or in a folder above it."""
    for folder in (Path(__file__).resolve().parents[1], Path.cwd(), *Path.cwd().parents):
        if (path := folder / "experiments" / name).is_file():
            return path
    raise FileNotFoundError(
        f"experiments/{name} was not found: open the lesson in the course's folder, "
        "or install the course from there with pip install -e ."
    )
