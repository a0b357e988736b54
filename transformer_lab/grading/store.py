"""Small JSON files of the learner's own, which several notebooks may write in the same instant.

They stay on this machine. TRANSFORMER_LAB_DATA names another folder for them; TRANSFORMER_LAB_PROGRESS=off writes none.
An entry that this version does not know, a newer one's perhaps, hides no other and is written back as it was.
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
    """Where the files live, or None when nothing may be written."""
    if environment.is_off("TRANSFORMER_LAB_PROGRESS"):
        return None
    return environment.folder("TRANSFORMER_LAB_DATA") or user_data_path("transformer_lab", appauthor=False)


class Store:
    """A dictionary in the file NAME.json: merge(old, new) joins two values of a key, valid(value) knows a value.

    What cannot be written waits in the process, and goes into the file with the next value that can.
    """

    def __init__(self, name: str, merge: Callable, valid: Callable):
        self.name, self.merge, self.valid = name, merge, valid
        self.waiting: dict = {}

    def read(self) -> dict:
        """Every entry that is known for one; of a file that cannot be read, nothing."""
        found = {}
        with contextlib.suppress(OSError, ValueError):
            found = self.held()
        return self.joined({key: value for key, value in found.items() if self.valid(value)}, self.waiting)

    def unread(self) -> str:
        """A sentence on what the file holds and read() leaves out; or nothing."""
        try:
            found = self.held()
        except OSError as error:
            return f"What is recorded cannot be read: {error}"
        except ValueError as error:
            return f"What is recorded cannot be read, and will be put aside when the next is written: {error}"
        odd = ", ".join(sorted(key for key, value in found.items() if not self.valid(value)))
        return odd and f"In {self.name}.json this version cannot read, does not count and leaves as it is: {odd}."

    def held(self) -> dict:
        """All that the file holds. Raises OSError where it cannot be opened, ValueError where it is no JSON object."""
        home = folder()
        if home is None or not (file := home / f"{self.name}.json").exists():
            return {}
        if file.is_dir():
            raise IsADirectoryError(f"{file} is a folder.")
        return read_json(file)

    def add(self, key: str, value) -> None:
        """Join the value to what the file holds by now; what is no store's is put aside as NAME.broken.json."""
        self.waiting = self.joined(self.waiting, {key: value})
        home = folder()
        if home is None:
            return
        file = home / f"{self.name}.json"
        lock = FileLock(file.with_suffix(".lock"), mode=0o600)
        # A lock that takes too long is an OSError; old filelocks raise the other where a disk knows no locks.
        with contextlib.suppress(OSError, NotImplementedError):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with lock.acquire(timeout=5, poll_interval=0.01):
                found = self.kept(file)
                write_whole(file, to_json(dict(sorted(self.joined(found, self.waiting).items())), indent=1), mode=0o600)
                self.waiting = {}

    def kept(self, file: Path) -> dict:
        """What the file holds; a copy is put aside of one that is no store's, or loses an entry to one that waits."""
        try:
            found = self.held()
        except ValueError:
            os.replace(file, file.with_suffix(".broken.json"))
            return {}
        if any(key in found and not self.valid(found[key]) for key in self.waiting):
            write_whole(file.with_suffix(".broken.json"), file.read_bytes(), mode=0o600)
        return found

    def joined(self, old: dict, new: dict) -> dict:
        """Both in one; of a key in both the two values joined, if the old one is known for a value."""
        met = {key for key in new if key in old and self.valid(old[key])}
        return old | {key: self.merge(old[key], value) if key in met else value for key, value in new.items()}
