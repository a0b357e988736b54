"""Corpora: named documents, and a split that leaves no passage of one side in the other."""

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt64

from ..arguments import check_at_least, is_number, random_from
from ..sentences import short_repr
from .long_text import LongText, watched

SEPARATOR = "\n\n"
# Two documents that have so many words in a row in common count as copies, as for GPT-3 (Brown et al. 2020,
# arXiv:2005.14165, appendix C). Case and punctuation do not count, so that a new line break or a comma hides no copy.
RUN = 13
# Chinese and Japanese put no spaces between words: there each character is one.
CJK = "\u3040-\u30ff\u3400-\u9fff"
# Accents and vowel signs that are characters of their own, as in Hindi and Arabic: \w does not match them.
MARKS = "".join(sign for sign in map(chr, range(0x300, 0x1F000)) if unicodedata.category(sign).startswith("M"))
WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+(?:[{MARKS}]+[^\W{CJK}]*)*")


@dataclass(frozen=True)
class Document:
    """A text and its name: that of a file, a topic or a module."""

    name: str
    text: str


def join(documents: Sequence[Document]) -> str:
    """All texts as one, with an empty line between documents."""
    return SEPARATOR.join(document.text for document in documents)


def fingerprint(text: str) -> str:
    """Twelve hexadecimal digits of the text's SHA-256: two texts with the same ones are the same text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def split_documents(
    documents: Sequence[Document], share: float = 0.1, seed: int = 0, run: int = RUN
) -> tuple[list[Document], list[Document]]:
    """(training, validation): whole documents, `share` of the characters in validation, or a little less.

    No `run` words in a row are on both sides, nor the same shorter document. Cutting the joined text in two would leave
    copied passages on both sides, and the validation loss would be too good. Documents that share passages stay
    together as a group; if no group is small enough for the share, the smallest one is the validation text. Raises
    ValueError if share is not between 0 and 1, or if all documents are in one group.
    """
    documents = list(documents)
    check_share(share)
    check_at_least("run", run, 1)
    if len(documents) < 2:
        raise ValueError(f"There are {len(documents)} documents to split; wanted at least 2.")
    groups = group_copies([document.text for document in documents], run)
    if len(groups) < 2:
        raise ValueError(
            f"All {len(documents)} documents share passages of {run} words with one another; "
            "wanted at least one that does not."
        )
    # One more than its characters, so that an empty document counts too.
    sizes = [sum(len(documents[i].text) + 1 for i in group) for group in groups]
    chosen = {i for g in draw(sizes, share, seed) for i in groups[g]}
    training = [document for i, document in enumerate(documents) if i not in chosen]
    return training, [documents[i] for i in sorted(chosen)]


def group_copies(texts: Sequence[str], run: int = RUN) -> list[list[int]]:
    """The texts' indices, in groups: texts that share a run of words, directly or through others, are in one group."""
    parent = list(range(len(texts)))  # union-find: following parents leads to the representative of the group

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in copies(texts, run):
        parent[root(j)] = root(i)
    groups: dict[int, list[int]] = {}
    for i in range(len(texts)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def copies(texts: Sequence[str], run: int) -> Iterator[tuple[int, int]]:
    """Pairs of texts that share a run of words; not all such pairs, but enough to link every text to its group."""
    watched_texts = watched(texts, sum(map(len, texts)), "Looking for copied passages")
    found = [np.unique(shingles(text, run)) for text in watched_texts]
    # One eighth of the hashes at a time, so that sorting them takes little more memory.
    bounds = [np.searchsorted(hashes, np.arange(1, 8, dtype=np.uint64) << np.uint64(61)) for hashes in found]
    for part in zip(*(np.split(hashes, cuts) for hashes, cuts in zip(found, bounds, strict=True)), strict=True):
        hashes, owners = np.concatenate(part), np.repeat(np.arange(len(texts)), [len(one) for one in part])
        order = np.argsort(hashes, kind="stable")
        hashes, owners = hashes[order], owners[order]
        same = hashes[1:] == hashes[:-1]
        yield from {(int(i), int(j)) for i, j in zip(owners[:-1][same], owners[1:][same], strict=True)}


def shingles(text: str, run: int) -> UInt64[np.ndarray, "n"]:
    """A hash of every run of this many words or, in a shorter text, of all its words."""
    words = np.concatenate([word_hashes(chunk) for chunk in LongText([text]).chunks()] or [word_hashes("")])
    n = min(run, len(words))
    # A polynomial in a fixed number, modulo 2**64.
    found = np.full(max(1, len(words) - run + 1), n, dtype=np.uint64)
    for i in range(n):
        found *= np.uint64(0x9E3779B97F4A7C15)
        found += words[i : i + len(found)]
    return found


def word_hashes(text: str) -> UInt64[np.ndarray, "n"]:
    """A hash of each word; Python's hash() would differ between processes."""
    words = WORD.findall(text.lower())
    crc = np.fromiter((zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words), np.uint64, len(words))
    return (crc + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)  # 32 bits spread over 64


def draw(sizes: Sequence[int], share: float, seed: int) -> list[int]:
    """Random indices whose sizes add up to at most `share` of the total; if none fits, that of the smallest size."""
    order = list(range(len(sizes)))
    random_from(seed).shuffle(order)
    room, drawn = share * sum(sizes), []
    for i in order:
        if sizes[i] <= room:
            room -= sizes[i]
            drawn.append(i)
    return drawn or [min(order, key=lambda i: sizes[i])]


def check_share(share: float) -> None:
    """ValueError unless the share lies between 0 and 1."""
    if not is_number(share) or not 0 < share < 1:
        raise ValueError(f"share is {short_repr(share)}; wanted a number between 0 and 1.")
