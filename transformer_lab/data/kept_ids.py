"""The ids of a long text in a file: they are computed once, and only what a batch reads is in memory."""

import warnings
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from ..files import whole_file

PIECE = 2**20  # bytes


def kept_ids(path: Path, dtype: np.dtype, pieces: Iterable) -> Integer[np.ndarray, "n"]:
    """The ids in the file at path; if it is not there, or damaged, the pieces are written to it first.

    The file holds the ids, and behind them their SHA-256. Raises OSError if it cannot be written.
    """
    if not is_whole(path):
        write_ids(path, pieces)
    return np.memmap(path, dtype, mode="r", shape=(path.stat().st_size - sha256().digest_size) // dtype.itemsize)


def write_ids(path: Path, pieces: Iterable) -> None:
    """Write the ids to the file, completely or not at all."""
    digest = sha256()
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        file.write(digest.digest())


def is_whole(path: Path) -> bool:
    """Is the file there, as it was written? A warning if it is damaged."""
    if not path.is_file():
        return False
    digest, left = sha256(), path.stat().st_size - sha256().digest_size
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(PIECE, left))):
            digest.update(piece)
            left -= len(piece)
        if file.read() == digest.digest():
            return True
    warnings.warn(f"{path} is damaged: the text is turned into tokens again.", stacklevel=2)
    return False
