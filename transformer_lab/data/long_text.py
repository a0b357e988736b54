"""Texts of any length, in pieces: no step ever has the whole text in memory as a Python str."""

import re
import sys
from collections.abc import Iterable, Iterator

from ..environment import is_first_process, is_watched
from ..progress_bar import ProgressBar

CHUNK = 2**12  # characters: larger ones take more memory and more time
# Where a text may be cut so that byte pairs, as in GPT-2, have the same words in its chunks as in the whole: before a
# single space or line end that is followed by something visible, and between a letter and a punctuation mark, which
# are never in the same word (in languages written without spaces there are only these).
CUT = re.compile(
    r"(?=[ \n]\S)|(?<=[A-Za-z\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3])(?=[,.;:!?，。、；：！？])"
)
LONGEST_RUN = 2**20  # characters. What has no such place for this long is hardly a text, and is cut anywhere.
SLOW = 2**20  # characters, which take about a second or more
LONG = 2**24  # characters, which take long enough to be told where nobody watches, too


class LongText:
    """A text in UTF-8, as large in memory as in a file; in Python's own form one emoji makes it four times as large."""

    def __init__(self, pieces: Iterable[str] = ()):
        self.pieces: list[bytes] = []
        self.n_characters = 0
        for piece in pieces:
            self.append(piece)

    def append(self, piece: str) -> None:
        """Add a piece at the end of the text."""
        self.pieces.append(piece.encode("utf-8", "surrogatepass"))
        self.n_characters += len(piece)

    @property
    def n_bytes(self) -> int:
        return sum(map(len, self.pieces))

    def __iter__(self) -> Iterator[str]:
        return (piece.decode("utf-8", "surrogatepass") for piece in self.pieces)

    def chunks(self, size: int = CHUNK) -> Iterator[str]:
        """The text in chunks of about this many characters, cut only where byte pairs allow it."""
        waiting, looked = "", size  # where to look next: before that there is no place to cut, or none is wanted
        for piece in self:
            waiting += piece
            start = 0
            while cut := CUT.search(waiting, looked):
                yield waiting[start : cut.start()]
                start, looked = cut.start(), cut.start() + size
            waiting, looked = waiting[start:], max(looked, len(waiting) - 1) - start
            if len(waiting) > LONGEST_RUN:
                yield waiting
                waiting, looked = "", size
        if waiting:
            yield waiting

    def sample(self, n_bytes: int) -> Iterator[str]:
        """The chunks or, of a text longer than n_bytes, about this many bytes of it, in evenly spread chunks."""
        share = min(1.0, n_bytes / max(1, self.n_bytes))
        return (chunk for i, chunk in enumerate(self.chunks()) if int((i + 1) * share) > int(i * share))

    def cut(self, share: float) -> tuple["LongText", "LongText"]:
        """(the text without its end, the end): the end has `share` of the characters. Both share the text's pieces."""
        room, beginning, end = self.n_characters - round(share * self.n_characters), LongText(), LongText()
        for piece, text in zip(self.pieces, self, strict=True):
            if 0 < room < len(text):
                beginning.append(text[:room])
                end.append(text[room:])
            else:
                side = beginning if room > 0 else end
                side.pieces.append(piece)
                side.n_characters += len(text)
            room -= len(text)
        return beginning, end


def watched(texts: Iterable[str], n_characters: int, work: str) -> Iterator[str]:
    """The texts, with a progress bar while they are read or, outside a terminal, a line for LONG ones."""
    if n_characters < (SLOW if is_watched() else LONG) or not is_first_process():
        yield from texts
        return
    if not is_watched():
        print(f"{work}: {n_characters:,} characters ...", file=sys.stderr, flush=True)
    with ProgressBar(total=n_characters, desc=work, unit="char", unit_scale=True, disable=not is_watched()) as bar:
        for text in texts:
            yield text
            bar.update(len(text))
