"""A program's surroundings: the environment variables of the course, read in one place, and the terminal."""

import os
import sys
from pathlib import Path

from .files import path_of

OFF = ("off", "0", "false", "no", "none", "disabled")


def is_off(name: str) -> bool:
    """Is the variable set to a word that means no?"""
    return os.environ.get(name, "").strip().lower() in OFF


def folder(name: str) -> Path | None:
    """The folder that the variable names, or None if it is not set; `~` is expanded."""
    value = os.environ.get(name, "").strip()
    return path_of(value) if value else None


def is_first_process() -> bool:
    """Is this torchrun's first process, or one that torchrun did not start? Other launchers' RANK does not count."""
    return "LOCAL_RANK" not in os.environ or os.environ.get("RANK", "0") == "0"


def speak_any_encoding() -> None:
    """From now on characters that the output's encoding lacks are printed as escapes (\\u5e74), not as errors."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def is_watched() -> bool:
    """Is stderr a terminal, where a progress bar moves? In a file or a pipe each of its steps would be a line."""
    return sys.stderr is not None and sys.stderr.isatty()
