"""Files and folders, on every system: paths as people write them, and files that appear whole or not at all."""

import codecs
import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def path_of(written) -> Path:
    """The path that somebody wrote, `~` being the home folder; ValueError if it is empty, or no path at all.

    A shell expands `~`; a variable, a notebook or a settings file does not.
    """
    try:
        written = os.fsdecode(written)
    except TypeError:
        raise ValueError(f"A path must be a str or a Path; got {type(written).__name__}.") from None
    if not written.strip():
        raise ValueError("The path is empty; wanted the name of a file or folder.")
    try:
        return Path(written).expanduser()
    except RuntimeError:  # no such user, or no home folder
        return Path(written)


def place_for(path) -> Path:
    """The path of a file that is to be written; OSError, in a sentence, if it is something else, or in no folder."""
    path = path_of(path)
    # os.path's, unlike Path's, take a name that no file could have.
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; wanted the name of a file.")
    if os.path.exists(path) and not os.path.isfile(path):  # /dev/null, which a file would replace for everybody
        raise OSError(f"{path} is a device or a pipe; wanted the name of a file.")
    if not os.path.isdir(path.parent):
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}.")
    return path


@contextmanager
def whole_file(path, mode: int | None = None) -> Iterator[Path]:
    """Within the block, write to the path that it gives; then the file stands at `path`, flushed, or nothing changed.

    It may be read and written by those who may read and write the file before it or, without one, by whom the system
    allows it (umask), unless a mode is given. A link stays one: what it leads to is written. Raises OSError, in a
    sentence that names `path`, where the file cannot be written.
    """
    path = place_for(path)
    place = Path(os.path.realpath(path))
    try:
        # Beside it, for a file can only be renamed within one disk; the folder is gone in any case.
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=place.parent) as folder:
            unfinished = Path(folder) / place.name
            yield unfinished
            if mode is None and place.exists():
                mode = stat.S_IMODE(place.stat().st_mode)
            if mode is not None:
                unfinished.chmod(mode)
            flush(unfinished)
            os.replace(unfinished, place)
    except OSError as error:
        if error.strerror is None:  # a sentence already, of the block or of another file in it
            raise
        raise type(error)(f"{path} could not be written: {error.strerror}.") from error


def write_whole(path, content: str | bytes, mode: int | None = None) -> Path:
    """Write a text (in UTF-8) or bytes to path, all or nothing; returns the path. Raises OSError, in a sentence."""
    path = path_of(path)
    with whole_file(path, mode) as unfinished:
        unfinished.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def flush(path: Path) -> None:
    """Wait until the file is on the disk: a power cut after a rename must not leave an empty file."""
    with path.open("r+b") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())


def clear_unfinished(folder: Path, written: Iterable[str]) -> None:
    """Remove what a process has left that was killed while it wrote something of these names into the folder.

    Nobody else may be writing it just now.
    """
    for path in folder.glob(".unfinished-*"):
        if path.is_dir() and names_in(path) <= set(written):
            shutil.rmtree(path)


def names_in(folder: Path) -> set[str]:
    """The names of what is in a folder; of what is none, no names."""
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def decoded(data: bytes, path) -> str:
    """A file's bytes as text, line ends as in Unix; ValueError, with path and line, where they are not UTF-8."""
    # Decoded by hand, so that a wrong byte can be traced to its line.
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n?|\n", data[: error.start])) + 1
        byte = data[error.start]
        raise ValueError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8; wanted a text in UTF-8.") from None


def read_json(path) -> dict:
    """The object in a JSON file; FileNotFoundError, or ValueError where it holds none."""
    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        content = json.loads(decoded(path.read_bytes(), path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}.") from None
    except RecursionError:
        raise ValueError(f"{path} is not JSON that can be read: it is nested too deeply.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object; it holds a {type(content).__name__}.")
    return content


def to_json(value, indent: int | None = None) -> str:
    """The value as JSON that every reader accepts: NaN and infinity, which JSON does not know, become null."""
    # NumPy's numbers and torch's have an item(), the same number as Python's.
    return json.dumps(finite(value), indent=indent, allow_nan=False, default=lambda number: number.item())


def finite(value):
    """The same, with None for each number in it that is NaN or infinite."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
