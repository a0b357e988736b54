"""A course folder: nbgrader's own folders, its configuration and gradebook, and a secret."""

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat

from ..files import write_whole
from .notebooks import assignments, notebook_name, source

CONFIG = "nbgrader_config.py"
SECRET = "secret"
GRADEBOOK = "gradebook.db"


def new(folder: Path, enter: Callable[[Path], None] = lambda place: None) -> list[str]:
    """Make a course folder with the sources of all exercises, entered into a gradebook; returns their names.

    ValueError if there is something in the folder. After an error it is as it was.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is there already, and not empty: name a folder for a new course.")
    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder) as unfinished:
            fill(Path(unfinished))
            enter(Path(unfinished))
            os.chmod(folder, 0o700)  # the gradebook, the secret and everybody's answers
            for path in list(Path(unfinished).iterdir()):
                path.rename(folder / path.name)
    except BaseException:
        if not was_there:
            folder.rmdir()
        raise
    return assignments()


def fill(folder: Path) -> None:
    """Write what belongs into a course folder, but for the gradebook."""
    write_whole(folder / SECRET, secrets.token_hex(32) + "\n", mode=0o600)
    config = (Path(__file__).parent / "config_template.py").read_text(encoding="utf-8")
    write_whole(folder / CONFIG, config)
    for assignment in assignments():
        place = folder / "source" / assignment / f"{notebook_name(assignment)}.ipynb"
        place.parent.mkdir(parents=True)
        write_whole(place, nbformat.writes(source(assignment)) + "\n")
    (folder / "submitted").mkdir()


def found(folder: Path | None = None) -> Path:
    """The course folder: this one, or the one given; ValueError if it is none."""
    folder = (folder or Path.cwd()).absolute()
    if not (folder / CONFIG).is_file() or not (folder / SECRET).is_file():
        raise ValueError(f"{folder} is no course folder: go into the one that `transformer-lab class new` made.")
    return folder


def key_of(root: Path, assignment: str, student: str) -> bytes:
    """The key of one submission, drawn from the course's secret; no key tells another, or the secret."""
    secret = bytes.fromhex((root / SECRET).read_text(encoding="utf-8").strip())
    return hmac.new(secret, f"{assignment}/{student}".encode(), hashlib.sha256).digest()


def lesson_of(assignment: str) -> str:
    """The lesson whose checks grade an assignment."""
    return notebook_name(assignment)


def nbgrader_config(root: Path):
    """The course's configuration for nbgrader, as nbgrader itself would read it there."""
    from traitlets.config.loader import PyFileConfigLoader

    config = PyFileConfigLoader(CONFIG, path=str(root)).load_config()
    config.CourseDirectory.root = str(root)
    return config
