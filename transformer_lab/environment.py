"""What surrounds a run: the course's variables, each read in one way, and the terminal that it talks to."""

import os
import sys
from pathlib import Path

from .files import path_of

OFF = ("off", "0", "false", "no", "none", "disabled")


def is_off(name: str) -> bool:
    """Does the variable say no, in whatever spelling?"""
    return os.environ.get(name, "").strip().lower() in OFF


def folder(name: str) -> Path | None:
    """The folder that the variable names, or None; `~` is the home folder here too."""
    value = os.environ.get(name, "").strip()
    return path_of(value) if value else None


def is_first_process() -> bool:
    """Is it torchrun's first process, or nobody's? A RANK without torchrun is another launcher's business."""
    return "LOCAL_RANK" not in os.environ or os.environ.get("RANK", "0") == "0"


def speak_any_encoding() -> None:
    """From now on what the terminal or file cannot show is printed as an escape (\\u5e74), and ends no program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def is_watched() -> bool:
    """Does somebody see a progress bar move? In a file or a pipe each of its steps would be a line."""
    return sys.stderr is not None and sys.stderr.isatty()
