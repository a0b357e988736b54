"""A user's own files: parallel text as pairs, any other text as documents. All of a file is read, or none of it.

What is wrong in a file gets one sentence that names the file and, where there is one, the line.
"""

import codecs
import io
import random
import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import PoFileError, read_po

from .documents import Document, check_share
from .pairs import Pair

TABLES = (".tsv", ".txt", ".tab")
TEXTS = (".txt", ".md", ".rst", ".tex", ".html", ".py", ".c", ".h", ".cpp", ".java", ".js", ".ts", ".rs", ".go")
# What a line of a .po file must look like, comments apart: a keyword and a string in quotes, or the string alone. babel
# itself would drop a message with a lost quote and say nothing.
PO_LINE = re.compile(r'((msgctxt|msgid|msgid_plural|msgstr|msgstr\[\d+\])\s*)?"([^"\\]|\\.)*"')
LONGEST_LINE = 100_000  # characters. A longer one is hardly text, and would be one sentence of so many tokens.


def read_pairs(path) -> list[Pair]:
    """The pairs of a file of parallel text, in its order; pairs that come twice stay.

    .tsv, .tab or .txt: source, one tab, target in every line. .po or .mo: gettext's messages and their translations;
    fuzzy, obsolete and untranslated messages are left out, and of a plural the first form is taken. UTF-8. Spaces
    around a text are dropped. Raises FileNotFoundError, or ValueError for anything that is not as said.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return table_pairs(path)
    if suffix == ".po":
        return catalog_pairs(path, parse_po(path))
    if suffix == ".mo":
        return catalog_pairs(path, parse_mo(path))
    raise ValueError(f"{path} ends in {suffix or 'no suffix'!r}; wanted one of {', '.join(TABLES)}, .po, .mo.")


def read_documents(path) -> list[Document]:
    """A text file as one document, or a folder as one for each text file in it and below, sorted by name. UTF-8.

    In a folder the suffix decides (TEXTS), and what begins with a dot is left out. Raises FileNotFoundError, or
    ValueError for a file that is not text or is empty, and for a folder without text files.
    """
    path = Path(path)
    if not path.is_dir():
        return [Document(path.name, read_text(path))]
    names = sorted(
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if file.suffix.lower() in TEXTS and file.is_file() and not is_hidden(file.relative_to(path))
    )
    if not names:
        raise ValueError(f"The folder {path} holds no text file; wanted at least one of {', '.join(TEXTS)}.")
    return [Document(name, read_text(path / name)) for name in names]


def split_pairs(pairs: Sequence[Pair], share: float = 0.1, seed: int = 0) -> tuple[list[Pair], list[Pair]]:
    """(training, held out): `share` of the different sources are held out, each with all its pairs.

    ValueError at a share not between 0 and 1, and where there are no two different sources.
    """
    check_share(share)
    sources = list(dict.fromkeys(pair.source for pair in pairs))  # in order, unlike a set's
    if len(sources) < 2:
        raise ValueError(f"The pairs have {len(sources)} different sources; wanted at least 2, one to hold out.")
    n_held_out = min(max(1, round(share * len(sources))), len(sources) - 1)
    held_out = set(random.Random(seed).sample(sources, n_held_out))
    return [p for p in pairs if p.source not in held_out], [p for p in pairs if p.source in held_out]


def read_bytes(path: Path) -> bytes:
    """What is in the file; FileNotFoundError, or ValueError where it is a folder or empty."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; wanted a file.")
    data = path.read_bytes()
    if not data.strip():
        raise ValueError(f"{path} is empty; wanted text.")
    return data


def read_text(path: Path) -> str:
    """The file's text with line ends as in Unix; ValueError where it is not UTF-8, or not text."""
    # Decoded by hand, so that a wrong byte can be traced to its line.
    data = read_bytes(path).removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise ValueError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8; wanted a text in UTF-8.") from None
    if not text.strip():
        raise ValueError(f"{path} is empty; wanted text.")
    for number, line in enumerate(lines(text), 1):
        if "\0" in line:
            raise ValueError(f"{path}, line {number}: there is a NUL character; wanted a text, and not binary data.")
        if len(line) > LONGEST_LINE:
            raise ValueError(f"{path}, line {number}: {len(line)} characters; wanted at most {LONGEST_LINE} in a line.")
    return text


def lines(text: str) -> list[str]:
    """The lines an editor counts: str.splitlines would cut at form feeds and Unicode's separators too."""
    return text.removesuffix("\n").split("\n")


def table_pairs(path: Path) -> list[Pair]:
    pairs = []
    for number, line in enumerate(lines(read_text(path)), 1):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 2:
            count = f"{len(columns)} column{'s' * (len(columns) != 1)}"
            raise ValueError(f"{path}, line {number}: {count}; wanted 2, with one tab between them.")
        if not all(columns):
            empty = "first" if not columns[0] else "second"
            raise ValueError(f"{path}, line {number}: the {empty} column is empty; wanted a text in both.")
        pairs.append(Pair(*columns))
    return pairs


def parse_po(path: Path) -> Catalog:
    content = [line.strip() for line in lines(read_text(path))]
    for number, line in enumerate(content, 1):
        if line and not line.startswith("#") and not PO_LINE.fullmatch(line):
            raise ValueError(f'{path}, line {number}: not as in a .po file; wanted a keyword and a string in "quotes".')
    try:
        return read_po(content, ignore_obsolete=True, abort_invalid=True)
    except PoFileError as error:
        what = str(error).rpartition(" on ")[0]  # babel counts lines from 0
        raise ValueError(f"{path}, line {error.lineno + 1}: not as in a .po file: {what}.") from None
    except (ValueError, LookupError) as error:
        raise ValueError(f"{path} is not as in gettext: {error}.") from None


def parse_mo(path: Path) -> Catalog:
    data = read_bytes(path)
    try:
        return read_mo(io.BytesIO(data))
    except (OSError, ValueError, LookupError, struct.error):
        raise ValueError(f"{path} is no .mo file, or a damaged one; wanted what gettext's msgfmt writes.") from None


def catalog_pairs(path: Path, catalog: Catalog) -> list[Pair]:
    pairs = []
    for message in catalog:
        source, target = first_form(message.id).strip(), first_form(message.string).strip()
        if source and target and not message.fuzzy:  # the message without a source is the file's header
            pairs.append(Pair(source, target))
    if not pairs:
        raise ValueError(f"{path} holds no translated message; wanted at least one.")
    return pairs


def first_form(text: str | Iterable[str]) -> str:
    """A message's text; of a plural, its first form."""
    return text if isinstance(text, str) else next(iter(text), "")


def is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
