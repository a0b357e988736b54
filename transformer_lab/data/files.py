"""A user's own files: parallel text as pairs, any other text as documents.

An error is one sentence that names the file and, if there is one, the line. What is left out because it is useless
gives a warning, except blank lines, and empty files in a folder.
"""

import codecs
import gettext
import io
import os
import re
import struct
import unicodedata
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import NoReturn, TypeVar

from babel.messages import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import PoFileError, read_po

from ..arguments import random_from
from ..files import decoded, path_of
from ..sentences import short_repr
from .documents import Document, check_share
from .long_text import LongText
from .pairs import Pair

T = TypeVar("T")
TABLES = (".tsv", ".txt", ".tab")
TEXTS = (".txt", ".md", ".rst", ".tex", ".html", ".py", ".c", ".h", ".cpp", ".java", ".js", ".ts", ".rs", ".go")
# What each line of a .po file, except comments, must look like: a keyword and a string in quotes, or the string alone.
# babel itself would silently drop a message with a missing quote.
PO_LINE = re.compile(r'((msgctxt|msgid|msgid_plural|msgstr|msgstr\[\d+\])\s*)?"([^"\\]|\\.)*"')
# Headers that say nothing about the pairs, but for which babel may refuse the whole file: an invalid date, an unknown
# language, and the placeholder for a rule that gettext's template contains.
IDLE = re.compile("(POT-Creation-Date|PO-Revision-Date|Language)(?=:)|Plural-Forms(?=: nplurals=INTEGER)")
LONGEST_LINE = 100_000  # characters, in a file of pairs, where a line is one sentence that the model must read
PIECE = 2**20  # bytes
# UTF-32's begins as UTF-16's does.
OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_pairs(path) -> list[Pair]:
    """The pairs of a file of parallel text, in its order; pairs that occur twice are kept.

    .tsv, .tab or .txt: source, one tab, target in every line that is not blank; further columns are left out, with a
    warning. .po or .mo: gettext's messages and their translations; fuzzy, obsolete and untranslated messages are left
    out, and the form for one stands for a plural. UTF-8. Spaces around a text are dropped. Raises FileNotFoundError,
    or ValueError for a file that is not of this form.
    """
    path = path_of(path)
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return table_pairs(path)
    if suffix == ".po":
        return catalog_pairs(path, parse_po(path))
    if suffix == ".mo":
        return catalog_pairs(path, parse_mo(path))
    raise ValueError(f"{path} ends in {suffix or 'no suffix'!r}; wanted one of {', '.join(TABLES)}, .po, .mo.")


def read_documents(path) -> list[Document]:
    """A text file as one document; a folder as one document for each text file in it and below, sorted by name. UTF-8.

    In a folder the suffix decides (TEXTS); empty files and names that begin with a dot are left out, and so are binary
    files with such a suffix, with a warning. Raises FileNotFoundError, or ValueError for a file that is empty or not
    text, and for a folder without text.
    """
    path = path_of(path)
    if not path.is_dir():
        return [Document(path.name, read_text(path))]
    files = find_texts(path)
    if not files:
        raise ValueError(f"The folder {path} holds no text file; wanted at least one of {', '.join(TEXTS)}.")
    binary, documents = [], []
    for name, file in files.items():
        if is_binary(file):
            binary.append(name)
        elif (text := "".join(read_pieces(file))).strip():
            documents.append(Document(name, text))
    if not documents:
        raise ValueError(f"The text files in {path} ({len(files)}) are all empty or binary; wanted one with text.")
    if binary:
        more = f" and {len(binary) - 5} more" if len(binary) > 5 else ""
        warnings.warn(f"{path}: binary files are left out: {', '.join(binary[:5])}{more}.", stacklevel=2)
    return documents


def find_texts(folder: Path) -> dict[str, Path]:
    """The text files in a folder and below by name ("a/b.txt"), sorted; OSError if a folder cannot be read.

    A link to a folder is followed, unless it leads to a folder that has been seen: it may lead back up.
    """
    found, seen = {}, {os.path.realpath(folder)}
    for inner, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        real = {name: os.path.realpath(os.path.join(inner, name)) for name in sorted(folders) if name[0] != "."}
        new = {place: name for name, place in real.items() if place not in seen}
        seen |= set(new)
        folders[:] = new.values()
        for file in (Path(inner) / name for name in names if not name.startswith(".")):
            if file.suffix.lower() in TEXTS and file.is_file():
                found[file.relative_to(folder).as_posix()] = file
    return dict(sorted(found.items()))


def split_pairs(pairs: Sequence[Pair], share: float = 0.1, seed: int = 0) -> tuple[list[Pair], list[Pair]]:
    """(training, held out): `share` of the different sources are held out, each with all its pairs.

    Sources that differ only in their spaces, or in how Unicode writes an accent, count as one source. Raises ValueError
    if share is not between 0 and 1, or if there are not two different sources.
    """
    return split_by(pairs, lambda pair: same_text(pair.source), share, seed, "The pairs have {} different sources")


def split_by(
    items: Sequence[T],
    key: Callable[[T], Hashable],
    share: float,
    seed: int,
    found_few: str = "There are {} different texts",
) -> tuple[list[T], list[T]]:
    """(training, held out): `share` of the different keys are held out, each with all its items.

    Raises ValueError as split_pairs does; found_few is the beginning of its sentence.
    """
    check_share(share)
    found = list(dict.fromkeys(map(key, items)))  # in order, unlike a set's
    if len(found) < 2:
        raise ValueError(f"{found_few.format(len(found))}; wanted at least 2, one to hold out.")
    n_held_out = min(max(1, round(share * len(found))), len(found) - 1)
    held_out = set(random_from(seed).sample(found, n_held_out))
    return [one for one in items if key(one) not in held_out], [one for one in items if key(one) in held_out]


def some(items: Sequence[T], most: int) -> list[T]:
    """At most this many of the items, in their order: drawn at random, because a file may be sorted, as by label."""
    chosen = random_from(0).sample(range(len(items)), min(most, len(items)))
    return [items[i] for i in sorted(chosen)]


def same_text(text: str) -> str:
    """The text, normalised: it is the same for two texts that a reader could not tell apart."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def opened(path: Path) -> io.BufferedReader:
    """The file, open for reading; FileNotFoundError, ValueError if it is a folder, OSError if it cannot be read."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; wanted a file.")
    try:
        return path.open("rb")
    except OSError as error:
        unreadable(error)


def unreadable(error: OSError) -> NoReturn:
    raise type(error)(f"{error.filename} cannot be read: {error.strerror}.") from error


def is_binary(path: Path) -> bool:
    """Does its beginning contain a NUL character, as no text does unless it is in UTF-16 or UTF-32?"""
    with opened(path) as file:
        beginning = file.read(8000)
    return b"\0" in beginning and not beginning.startswith(tuple(OTHER_ENCODINGS))


def read_pieces(path: Path) -> Iterator[str]:
    """The file's text piece by piece, with Unix line ends; ValueError if it is not UTF-8, or not text."""
    with opened(path) as file:
        beginning = file.read(4)
        for mark, encoding in OTHER_ENCODINGS.items():
            if beginning.startswith(mark):
                raise ValueError(f"{path} is in {encoding}, as its first bytes say; wanted a text in UTF-8.")
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True)
        n_lines, data = 1, beginning
        while True:
            try:
                piece = decoder.decode(data, final=not data)
            except UnicodeDecodeError:
                if path.is_file():
                    decoded(path.read_bytes(), path)  # says where
                raise
            if "\0" in piece:
                line = n_lines + piece[: piece.index("\0")].count("\n")
                raise ValueError(f"{path}, line {line}: there is a NUL character; wanted a text, and not binary data.")
            yield piece
            if not data:
                return
            n_lines += piece.count("\n")
            data = file.read(PIECE)


def read_text(path: Path) -> str:
    """The whole text of a file; raises as read_pieces does, and ValueError if it is empty."""
    text = "".join(read_pieces(path))
    if not text.strip():
        raise ValueError(f"{path} is empty; wanted text.")
    return text


def read_long_text(path: Path) -> LongText:
    """The text of a file of any length; raises as read_text does."""
    text = LongText(read_pieces(path))
    if not any(piece.strip() for piece in text):
        raise ValueError(f"{path} is empty; wanted text.")
    return text


def read_lines(path: Path) -> list[tuple[int, str]]:
    """(number, line) for each line of a file of pairs; raises as read_text does, and ValueError if one is too long."""
    numbered = list(enumerate(lines(read_text(path)), 1))
    for number, line in numbered:
        if len(line) > LONGEST_LINE:
            raise ValueError(f"{path}, line {number}: {len(line)} characters; wanted at most {LONGEST_LINE} in a line.")
    return numbered


def lines(text: str) -> list[str]:
    """The lines that an editor counts: str.splitlines would also split at form feeds and Unicode's separators."""
    return text.removesuffix("\n").split("\n")


def table_pairs(path: Path) -> list[Pair]:
    pairs, wider = [], []
    for number, line in read_lines(path):
        # Files that were concatenated, each beginning with a byte order mark, have such marks inside.
        columns = [column.strip() for column in line.removeprefix("\ufeff").split("\t")]
        if not any(columns):
            continue
        if len(columns) == 1:
            raise ValueError(f"{path}, line {number}: 1 column; wanted 2, with one tab between them.")
        if not all(columns[:2]):
            empty = "first" if not columns[0] else "second"
            raise ValueError(f"{path}, line {number}: the {empty} column is empty; wanted a text in both.")
        if any(columns[2:]):
            wider.append(number)
        pairs.append(Pair(columns[0], columns[1]))
    if not pairs:
        raise ValueError(f"{path} holds no pair of texts; wanted at least one.")
    if wider:
        where = f"line {wider[0]}" + (f" and {len(wider) - 1} more" if len(wider) > 1 else "")
        warnings.warn(f"{path}, {where}: columns after the second are left out.", stacklevel=2)
    return pairs


def parse_po(path: Path) -> Catalog:
    content, n_messages = [], 0
    for number, line in read_lines(path):
        line = line.strip()
        if line and not line.startswith("#") and not PO_LINE.fullmatch(line):
            raise ValueError(
                f'{path}, line {number}: not valid in a .po file; wanted a keyword and a string in "quotes".'
            )
        n_messages += line.startswith("msgid")
        content.append(renamed(line) if n_messages < 2 else line)  # the header is the first message
    try:
        return read_po(content, ignore_obsolete=True, abort_invalid=True)
    except PoFileError as error:
        what = str(error).rpartition(" on ")[0]  # babel counts lines from 0
        raise ValueError(f"{path}, line {error.lineno + 1}: not valid in a .po file: {what}.") from None
    except (ValueError, LookupError) as error:
        raise ValueError(f"{path} is not a valid .po file: {error}.") from None


def parse_mo(path: Path) -> Catalog:
    with opened(path) as file:
        data = file.read()
    if not data.strip():
        raise ValueError(f"{path} is empty; wanted text.")
    try:
        return read_mo(io.BytesIO(without_idle_headers(data)))
    except (OSError, ValueError, LookupError, struct.error):
        raise ValueError(
            f"{path} is not a .mo file, or is damaged; wanted a file that gettext's msgfmt wrote."
        ) from None


def without_idle_headers(data: bytes) -> bytes:
    """A .mo file's bytes with its IDLE headers renamed; they are in the first message, the one with an empty source."""
    order = "<" if data.startswith(b"\xde\x12\x04\x95") else ">"
    sources, translations = struct.unpack_from(f"{order}2I", data, 12)
    length, start = struct.unpack_from(f"{order}2I", data, translations)
    if struct.unpack_from(f"{order}I", data, sources) != (0,):
        return data
    header = renamed(data[start : start + length].decode("latin-1")).encode("latin-1")  # which can decode any byte
    return data[:start] + header + data[start + length :]


def renamed(header: str) -> str:
    """The header, of the same length, with dashes in place of the names that are IDLE."""
    return IDLE.sub(lambda found: "-" * len(found[0]), header)


def catalog_pairs(path: Path, catalog: Catalog) -> list[Pair]:
    messages = [message for message in catalog if message.string and not message.fuzzy]
    one = form_for_one(path, catalog) if any(not isinstance(message.id, str) for message in messages) else 0
    pairs = []
    for message in messages:
        # Of a plural: the singular of (singular, plural), and the form for one of the language's forms.
        source, target = form(message.id, 0), form(message.string, one)
        if source and target:  # the message without a source is the file's header
            pairs.append(Pair(source, target))
    if not pairs:
        raise ValueError(f"{path} holds no translated message; wanted at least one.")
    return pairs


def form(texts: str | Sequence[str] | None, number: int) -> str:
    """A text, or the form of this number among several; nothing where there is none."""
    if isinstance(texts, str):
        return texts.strip()
    return texts[number].strip() if texts and 0 <= number < len(texts) else ""


def form_for_one(path: Path, catalog: Catalog) -> int:
    """Which of a plural's forms the language uses for 1: it need not be the first. By default English's rule."""
    try:
        return int(gettext.c2py(catalog.plural_expr)(1))
    except (ValueError, ArithmeticError):
        raise ValueError(
            f"{path}: its header's Plural-Forms, {short_repr(catalog.plural_expr)}, is not a rule; wanted one in "
            "gettext's syntax."
        ) from None


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Within the block, put the name of the file or folder in front of a ValueError's sentence."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def kept_path(path: Path) -> str:
    """The path that a run records: relative to the working directory or, if it is outside of it, the name alone.

    An absolute path would be of no use on another machine, and would reveal names of this one.
    """
    whole, here = Path(os.path.abspath(path)), Path.cwd()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else whole.name


def found_again(kept: str, folder: Path) -> Path:
    """Where the data of a run in folder are now. FileNotFoundError if they are not found.

    They are looked for at the recorded path, relative to the working directory and to each folder around the run, and
    then by their name, in the working directory, next to the run and in its folder.
    """
    folder = Path(os.path.abspath(folder))
    name = PureWindowsPath(kept).name  # which knows both kinds of slash
    places = Path(), *folder.parents
    for path in (*(place / kept for place in places), Path(name), folder.parent / name, folder / name):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{kept}, which the model in {folder} was trained on, is not here; say where it is with --data."
    )
