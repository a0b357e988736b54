"""The owner of a folder: the one process that may write into it, for as long as that process lives."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout, UnixFileLock

from ..files import path_of, read_json, to_json, write_whole

LOCK, OWNER = ".owner.lock", ".owner.json"


@contextmanager
def owning(folder: Path | str) -> Iterator[Path]:
    """Within the block no other process may write into the folder, which is made if it does not exist.

    Raises BlockingIOError, which names the owner, if the folder has one; OSError if it cannot be written. When the
    process ends, however it ends, the system frees the folder.
    """
    folder = Path(os.path.abspath(path_of(folder)))  # the same one even if the working directory changes
    was_there = os.path.exists(folder)  # which, unlike Path.exists, never raises
    lock = locked(folder)
    try:
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        write_whole(folder / OWNER, to_json({"pid": os.getpid(), "host": socket.gethostname(), "since": now}))
        yield folder
    finally:
        with suppress(OSError):
            (folder / OWNER).unlink()
        # While the lock is held, because afterwards the file may be another's. Windows removes it by itself.
        if isinstance(lock, UnixFileLock):
            with suppress(OSError):
                (folder / LOCK).unlink()
        lock.release()
        if not was_there:
            with suppress(OSError):  # there is something in it now
                folder.rmdir()


def locked(folder: Path, n_tries: int = 5) -> FileLock:
    """The folder's lock, held."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise BlockingIOError(
            f"{folder} is being written by {owner(folder)}: wait until it ends, stop it, or give another folder."
        ) from None
    except (OSError, NotImplementedError) as error:
        # Another process, which made the folder, may be removing it at this moment.
        if isinstance(error, FileNotFoundError | FileExistsError) and n_tries > 1:
            return locked(folder, n_tries - 1)
        reason = getattr(error, "strerror", None) or error
        raise OSError(f"{folder} cannot be used, because nothing can be written there: {reason}.") from error
    return lock


def owner(folder: Path) -> str:
    """The process that owns the folder, in words."""
    try:
        content = read_json(folder / OWNER)
        process, host, since = content["pid"], content["host"], content["since"]
    except (OSError, ValueError, KeyError):  # it has not written it yet
        return "another process"
    this = ", which is this one," if (process, host) == (os.getpid(), socket.gethostname()) else ""
    return f"process {process}{this} on {host} since {since}"
