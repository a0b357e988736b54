"""The notebooks in a folder or an archive, read one by one; nothing is ever unpacked to where a member says.

A link, a path with `..`, or a member that is larger than any notebook is refused, with a sentence.
"""

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath

LARGEST = 20 * 2**20  # bytes of a notebook, unpacked
MOST = 100_000  # members of an archive


@dataclass(frozen=True)
class Found:
    """A file that may be a submission: where it stood, its bytes and its date, or why it was refused."""

    where: tuple[str, ...]
    content: bytes = b""
    refused: str = ""
    when: datetime | None = None


def notebooks_in(path: Path) -> Iterator[Found]:
    """Every notebook in a folder, a .zip or a .tar (.tar.gz, .tgz, .tar.bz2, .tar.xz), or the notebook itself."""
    if path.is_dir():
        yield from in_folder(path)
    elif path.suffix == ".ipynb" and path.is_file():
        yield read((path.name,), path.stat().st_size, partial(path.open, "rb"), date_of(path.stat().st_mtime))
    elif path.is_file() and zipfile.is_zipfile(path):
        yield from in_zip(path)
    elif path.is_file() and tarfile.is_tarfile(path):
        yield from in_tar(path)
    else:
        raise ValueError(f"{path} is no folder, notebook, .zip or .tar file.")


def in_folder(folder: Path) -> Iterator[Found]:
    for path in sorted(folder.rglob("*")):  # rglob follows no links to folders
        where = path.relative_to(folder).parts
        if path.is_symlink():
            yield Found(where, refused="a link, which could lead anywhere")
        elif path.suffix == ".ipynb" and path.is_file():
            yield read(where, path.stat().st_size, partial(path.open, "rb"), date_of(path.stat().st_mtime))


def in_zip(path: Path) -> Iterator[Found]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist()[:MOST]:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if not member.is_dir():
                linked = kind not in (0, stat.S_IFREG)
                when = date_in_zip(member.date_time)
                yield one(member.filename, member.file_size, linked, partial(archive.open, member), when)


def in_tar(path: Path) -> Iterator[Found]:
    with tarfile.open(path) as archive:
        for number, member in enumerate(archive):
            if number >= MOST:
                return
            if not member.isdir():
                opened = partial(archive.extractfile, member)
                yield one(member.name, member.size, not member.isreg(), opened, date_of(member.mtime))


def date_of(seconds: int | float) -> datetime | None:
    """The date that many seconds after 1970 began, which is what stands there if nobody wrote one."""
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    return None


def date_in_zip(told: tuple) -> datetime | None:
    """A .zip holds the time of the clock on the wall, and 1980 if nobody knew it."""
    with suppress(ValueError, OverflowError, OSError):
        return datetime(*told).astimezone(UTC) if told[0] > 1980 else None
    return None


def one(name: str, size: int, linked: bool, opened, when: datetime | None = None) -> Found:
    where = PurePosixPath(name.replace("\\", "/")).parts
    if linked:
        return Found(where, refused="a link, which could lead anywhere")
    if ".." in where or name.startswith(("/", "\\")) or any(":" in part[:2] for part in where[:1]):
        return Found(where, refused="its path leads out of the archive")
    if not name.endswith(".ipynb") or "__MACOSX" in where:
        return Found(where, refused="" if ".ipynb_checkpoints" in where else "no notebook")
    return read(where, size, opened, when)


def read(where: tuple[str, ...], size: int, opened, when: datetime | None = None) -> Found:
    """Read a member, and no more of it than a notebook may have, whatever it says of its size."""
    if size > LARGEST:
        return Found(where, refused=f"{size / 2**20:.0f} MB, larger than any notebook")
    try:
        with opened() as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile) as error:
        return Found(where, refused=f"unreadable: {type(error).__name__}")
    if len(content) > LARGEST:
        return Found(where, refused=f"more than {LARGEST // 2**20} MB, larger than any notebook")
    return Found(where, content, when=when)
