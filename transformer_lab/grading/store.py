"""The learner's record in small JSON files, which several notebooks may write at the same time.

The files stay on this machine. TRANSFORMER_LAB_DATA sets their folder; with TRANSFORMER_LAB_PROGRESS=off none is
written. Entries that this version does not understand, perhaps from a newer one, are skipped and kept.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from platformdirs import user_data_path

from .. import environment
from ..files import read_json, to_json, write_whole


def folder() -> Path | None:
    """Return the folder of the files, or None if nothing may be written."""
    if environment.is_off("TRANSFORMER_LAB_PROGRESS"):
        return None
    return environment.folder("TRANSFORMER_LAB_DATA") or user_data_path("transformer_lab", appauthor=False)


def aside(file: Path) -> Path:
    """The first free one of NAME.broken.json, NAME.broken2.json ...: what was set aside before stays."""
    names = (file.with_suffix(f".broken{n}.json") for n in ("", *range(2, 1000)))
    return next((name for name in names if not name.exists()), file.with_suffix(".broken.json"))


class Store:
    """A dictionary in the file NAME.json; merge(old, new) merges two values of a key, valid(value) recognises a value.

    Values that cannot be written are kept in memory and written together with the next one.
    """

    def __init__(self, name: str, merge: Callable, valid: Callable):
        self.name, self.merge, self.valid = name, merge, valid
        self.waiting: dict = {}

    def read(self) -> dict:
        """Return all valid entries; none if the file cannot be read."""
        found = {}
        with contextlib.suppress(OSError, ValueError):
            found = self.held()
        return self.joined({key: value for key, value in found.items() if self.valid(value)}, self.waiting)

    def unread(self) -> str:
        """Describe what read() leaves out of the file, in a sentence, or return an empty string."""
        try:
            found = self.held()
        except OSError as error:
            return f"The record cannot be read: {error}"
        except ValueError as error:
            return f"The record cannot be read, and will be set aside at the next write: {error}"
        odd = ", ".join(sorted(key for key, value in found.items() if not self.valid(value)))
        return (
            odd
            and f"{self.name}.json holds entries that this version cannot read; they are kept but not counted: {odd}."
        )

    def held(self) -> dict:
        """Return the file's whole content. OSError if it cannot be opened, ValueError if it is not a JSON object."""
        home = folder()
        if home is None or not (file := home / f"{self.name}.json").exists():
            return {}
        if file.is_dir():
            raise IsADirectoryError(f"{file} is a folder.")
        return read_json(file)

    def add(self, key: str, value) -> None:
        """Merge the value into the file; a file that is not a valid store is set aside, as NAME.broken.json."""
        self.waiting = self.joined(self.waiting, {key: value})
        home = folder()
        if home is None:
            return
        file = home / f"{self.name}.json"
        lock = FileLock(file.with_suffix(".lock"), mode=0o600)
        # A lock that times out raises an OSError; old filelocks raise the other on disks that do not support locks.
        with contextlib.suppress(OSError, NotImplementedError):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with lock.acquire(timeout=5, poll_interval=0.01):
                found = self.kept(file)
                write_whole(file, to_json(dict(sorted(self.joined(found, self.waiting).items())), indent=1), mode=0o600)
                self.waiting = {}

    def kept(self, file: Path) -> dict:
        """Return the file's content; if it is invalid, or an invalid entry is about to be replaced, set it aside."""
        try:
            found = self.held()
        except ValueError:
            os.replace(file, aside(file))
            return {}
        if any(key in found and not self.valid(found[key]) for key in self.waiting):
            write_whole(aside(file), file.read_bytes(), mode=0o600)
        return found

    def joined(self, old: dict, new: dict) -> dict:
        """Merge two dictionaries; a key in both gets merge(old, new), or the new value if the old one is invalid."""
        met = {key for key in new if key in old and self.valid(old[key])}
        return old | {key: self.merge(old[key], value) if key in met else value for key, value in new.items()}
