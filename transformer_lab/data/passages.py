"""Passages: texts cut into pieces of about a hundred words, which a search can find and a reader can read at once.

A passage ends where a paragraph ends, never between a sentence and the example that it announces. It lies within one
section, whose heading is its title.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from .documents import CJK, Document
from .files import read_documents
from .python_docs import topics

FEWEST, MOST = 80, 150  # words: a passage is closed once it has the fewest, and takes no paragraph beyond the most
LEAST_ENTRY = 40  # words: with so many, it is closed before the next entry of a list of functions, too
LONGEST = 250  # words: what belongs together is cut after all if it has more
UNDERLINED = re.compile(r"(?P<title>\S.*)\n([*=\-~^\"+#])\2{2,}")  # a heading in the documentation, or in a .rst file
MARKED = re.compile(r"#{1,6} (?P<title>.*)")  # a heading in a .md file
# A word with the spaces before it. Where none are written between words each character is one, and so is each part of
# something long without a space, which a model could not read at once.
SPACED_WORD = re.compile(rf"(?<!\s)\s*(?:[{CJK}]|[^\s{CJK}]{{1,100}})")
FOOTNOTES = "-[ Footnotes ]-"


@dataclass(frozen=True)
class Passage:
    """A piece of a text.

    title     the heading of its section and, if it goes on with the text about a function, that function
    source    the file that it is from, or the topic for `help()`
    """

    title: str
    text: str
    source: str = ""

    @property
    def whole(self) -> str:
        """Title and text: what a search compares with a question."""
        return f"{self.title}\n\n{self.text}"


def passages(path=None) -> list[Passage]:
    """The passages of Python's documentation (the topics of `help()`) or, with a path, of a text file or a folder.

    The documentation repeats whole sections; a passage that stands in several topics is kept once, as one of the
    shortest. Raises as read_documents does.
    """
    if path is not None:
        return [passage for document in read_documents(path) for passage in document_passages(document)]
    found: dict[str, Passage] = {}
    for document in sorted(topics(), key=lambda topic: (len(topic.text), topic.name)):
        for passage in document_passages(document):
            found.setdefault(" ".join(passage.whole.split()), passage)
    return sorted(found.values(), key=lambda passage: passage.source)  # a stable sort: in a topic, in its order


def document_passages(document: Document) -> list[Passage]:
    """The passages of one text, in order; its name is the title of those before its first heading."""
    found = []
    for title, blocks in sections(document):
        entry = ""
        for piece in packed(units(blocks)):
            goes_on = (
                indent(piece[0]) and entry
            )  # with the text about a function, which has begun in the passage before
            found.append(Passage(f"{title}: {entry}" if goes_on else title, "\n\n".join(piece), document.name))
            for block, below in pairwise(piece):
                if is_entry(block) and indent(block) == 0 < indent(below):
                    entry = block.split("\n")[0]
    return found


def sections(document: Document) -> Iterator[tuple[str, list[str]]]:
    """(title, blocks) of each section that has some; a block is a run of lines without an empty one."""
    title = document.name
    blocks: list[str] = []
    headed = MARKED if document.name.endswith(".md") else UNDERLINED
    for block in re.split(r"\n(?:[ \t]*\n)+", document.text.strip("\n")):
        heading = headed.fullmatch(block)
        if heading or block == FOOTNOTES:
            if blocks:
                yield title, blocks
            title, blocks = unmarked(heading["title"]) if heading else title, []
        elif block.strip():
            blocks += cut(block)
    if blocks:
        yield title, blocks


def unmarked(title: str) -> str:
    """A heading's title without the number signs that may close it, behind a space: "Types" of "Types ##", and "C#"."""
    title = title.strip(" ")
    bare = title.rstrip("#")
    return title if bare and bare[-1] != " " else bare.rstrip(" ")


def units(blocks: list[str]) -> Iterator[list[str]]:
    """Blocks that belong together: what announces something and that, a name and the beginning of the text about it."""
    unit: list[str] = []
    for block in blocks:
        if unit and not (belongs(block, unit) and n_words(unit) + n_words([block]) <= LONGEST):
            yield unit
            unit = []
        unit.append(block)
    if unit:
        yield unit


def belongs(block: str, unit: list[str]) -> bool:
    """Would a reader of the unit miss this block: announced by a colon, or an example, indented below its sentence?"""
    opener = unit[1] if len(unit) > 1 and is_entry(unit[0]) else unit[0]
    announced = unit[-1].rstrip().endswith(":") or block.lstrip().startswith(">>>")
    return announced or indent(block) > indent(opener)


def packed(found: Iterator[list[str]]) -> Iterator[list[str]]:
    """The units, joined to passages; a short one at the end is joined with the passage before it."""
    done: list[list[str]] = []
    now: list[str] = []
    for unit in found:
        enough = LEAST_ENTRY if len(unit) > 1 and is_entry(unit[0]) else FEWEST
        if now and (n_words(now) >= enough or n_words(now) + n_words(unit) > MOST):
            done.append(now)
            now = []
        now = now + unit
    if done and n_words(now) < LEAST_ENTRY and n_words(done[-1]) + n_words(now) <= LONGEST:
        now = done.pop() + now
    yield from done
    if now:
        yield now


def is_entry(block: str) -> bool:
    """Is it the name of a function, method or command, whose description stands indented below it?"""
    return block.rstrip()[-1] not in ".:;!?,"


def indent(block: str) -> int:
    """The number of spaces before the block's first word."""
    return len(block) - len(block.lstrip(" \t"))


def n_words(blocks: list[str]) -> int:
    return sum(len(SPACED_WORD.findall(block)) for block in blocks)


def cut(block: str) -> list[str]:
    """The block, in pieces if it has more than LONGEST words: cut between lines or, in a longer line, between words."""
    pieces: list[str] = []
    for line in block.split("\n"):
        words = SPACED_WORD.findall(line)
        for part in ("".join(words[i : i + LONGEST]) for i in range(0, len(words), LONGEST)):
            if pieces and n_words([pieces[-1], part]) <= LONGEST:
                pieces[-1] += "\n" + part
            else:
                pieces.append(part)
    return pieces
