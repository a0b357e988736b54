"""Files and folders, on every system: paths as users write them, and files that are written whole or not at all."""

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

from .sentences import kind_of


def path_of(written) -> Path:
    """The path that a user wrote, with `~` expanded; ValueError if it is empty, or not a path.

    A shell expands `~` itself; in a variable, a notebook or a settings file nothing does.
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
    """The path of a file to be written; OSError, in a sentence, if it is a folder's or its folder does not exist."""
    path = path_of(path)
    if "\0" in str(path):
        raise ValueError(f"A path cannot hold a NUL character; got {str(path)!r}.")
    # os.path's functions, unlike Path's methods, accept names that no file could have.
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; wanted the name of a file.")
    if os.path.exists(path) and not os.path.isfile(path):  # such as /dev/null, which a file would replace for everybody
        raise OSError(f"{path} is a device or a pipe; wanted the name of a file.")
    if os.path.isfile(path) and not os.access(path, os.W_OK):  # a rename would replace it all the same
        raise PermissionError(f"{path} is read-only.")
    if not os.path.isdir(path.parent):
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}.")
    return path


@contextmanager
def whole_file(path, mode: int | None = None) -> Iterator[Path]:
    """Gives a path to write to; after the block the file is at `path`, flushed. After an error nothing has changed.

    Without a mode the file has the permissions of the one that it replaces or, if there is none, those of a new file
    (umask). If `path` is a link, the file that it leads to is written. Raises OSError, in a sentence that names `path`,
    if the file cannot be written.
    """
    path = place_for(path)
    place = Path(os.path.realpath(path))
    try:
        # Next to it, because a file can only be renamed within one disk; the folder is removed in any case.
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
        if error.strerror is None:  # it is a sentence already, raised in the block
            raise
        raise type(error)(f"{path} could not be written: {error.strerror}.") from error


def write_whole(path, content: str | bytes, mode: int | None = None) -> Path:
    """Write a text (in UTF-8) or bytes to path, completely or not at all; returns the path. OSError, in a sentence."""
    path = path_of(path)
    with whole_file(path, mode) as unfinished:
        unfinished.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def make_folder(folder: Path) -> Path:
    """Create the folder if necessary, and return it; OSError with a readable message if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"The folder {folder} cannot be created: {error.strerror}.") from error
    return folder


def flush(path: Path) -> None:
    """Wait until the file is on the disk: otherwise a power cut after a rename could leave an empty file."""
    with path.open("r+b") as file:  # Windows flushes only files that are open for writing
        os.fsync(file.fileno())


def clear_unfinished(folder: Path, written: Iterable[str]) -> None:
    """Remove what a process that was killed while writing files of these names has left in the folder.

    Only the owner of the folder may call this, because it would remove the unfinished files of others too.
    """
    for path in folder.glob(".unfinished-*"):
        if path.is_dir() and names_in(path) <= set(written):
            shutil.rmtree(path)


def names_in(folder: Path) -> set[str]:
    """The names of what is in a folder; none if it is not a folder."""
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def decoded(data: bytes, path) -> str:
    """A file's bytes as text, with Unix line ends; ValueError, with path and line, if they are not UTF-8."""
    # Decoded here and not by open(), so that a wrong byte can be traced to its line.
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n?|\n", data[: error.start])) + 1
        byte = data[error.start]
        raise ValueError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8; wanted a text in UTF-8.") from None


def read_json(path) -> dict:
    """The object in a JSON file. Raises FileNotFoundError, or ValueError if it does not hold one."""
    path = path_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    text = decoded(path.read_bytes(), path)
    try:
        content = json.loads(text)
    except ValueError as error:  # a number of too many digits, too
        raise ValueError(f"{path} is not JSON: {error}.") from None
    except RecursionError:
        raise ValueError(f"{path} cannot be read: its JSON is nested too deeply.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object; it holds {kind_of(content)}.")
    return content


def to_json(value, indent: int | None = None) -> str:
    """The value as JSON that every reader accepts: NaN and infinity, which JSON does not have, become null."""
    # NumPy's and torch's numbers have an item(), the same number as Python's.
    return json.dumps(finite(value), indent=indent, allow_nan=False, default=lambda number: finite(number.item()))


def finite(value):
    """The same value, with None in place of each number that is NaN or infinite."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
