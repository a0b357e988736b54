"""Small JSON files of the learner's own, which several notebooks may write in the same instant.

They stay on this machine. TRANSFORMER_LAB_DATA names another folder for them; TRANSFORMER_LAB_PROGRESS=off writes none.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from platformdirs import user_data_path


def folder() -> Path | None:
    """Where the files live, or None when nothing may be written."""
    if os.environ.get("TRANSFORMER_LAB_PROGRESS") == "off":
        return None
    named = os.environ.get("TRANSFORMER_LAB_DATA")
    return Path(named) if named else user_data_path("transformer_lab", appauthor=False)


class Store:
    """A dictionary in the file NAME.json: merge(old, new) joins two values of a key, valid(value) knows a value.

    What cannot be written waits in the process, and goes into the file with the next value that can.
    """

    def __init__(self, name: str, merge: Callable, valid: Callable):
        self.name, self.merge, self.valid, self.waiting = name, merge, valid, {}

    def read(self) -> dict:
        """Everything kept so far; of a file that cannot be read, nothing."""
        home, found = folder(), None
        if home is not None:
            with contextlib.suppress(OSError):
                found = self.parsed(home / f"{self.name}.json")
        return self.joined(found or {}, self.waiting)

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
                found = self.parsed(file)
                if found is None:
                    os.replace(file, file.with_suffix(".broken.json"))
                write(file, self.joined(found or {}, self.waiting))
                self.waiting = {}

    def parsed(self, file: Path) -> dict | None:
        """What the file holds; None if that is nothing that a store has written."""
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) and all(map(self.valid, found.values())) else None

    def joined(self, old: dict, new: dict) -> dict:
        return old | {key: self.merge(old[key], value) if key in old else value for key, value in new.items()}


def write(file: Path, content: dict) -> None:
    """All of the file or nothing of it, for its owner's eyes only."""
    descriptor, new = tempfile.mkstemp(dir=file.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1, sort_keys=True)
        os.replace(new, file)
    except BaseException:  # an interrupt too leaves no half file behind
        os.unlink(new)
        raise
