"""What every corpus gives: named documents, and a split that leaves no passage of the one side in the other."""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

SEPARATOR = "\n\n"
# Two documents that have so many words in a row in common count as copies, as for GPT-3 (Brown et al. 2020,
# arXiv:2005.14165, appendix C). Case and punctuation do not count, so that a new line break or a comma hides no copy.
RUN = 13
# Chinese and Japanese put no spaces between words: there each character is one.
CJK = "\u3040-\u30ff\u3400-\u9fff"
WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+")


@dataclass(frozen=True)
class Document:
    """A text and what it is called: a file, a topic, a module."""

    name: str
    text: str


def join(documents: Sequence[Document]) -> str:
    """All texts as one, an empty line between two."""
    return SEPARATOR.join(document.text for document in documents)


def fingerprint(text: str) -> str:
    """Twelve hexadecimal digits of the text's SHA-256: two texts with the same ones are the same text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def split_documents(
    documents: Sequence[Document], share: float = 0.1, seed: int = 0, run: int = RUN
) -> tuple[list[Document], list[Document]]:
    """(training, validation): whole documents, `share` of the characters in validation, or a little less.

    No `run` words in a row stand on both sides, nor the same words as a shorter document. Cutting a joined text in two
    would leave copied passages on both sides, and the validation loss would be too good. Documents linked by copies
    go together; where no such group is small enough for the share, validation is the smallest. Raises ValueError at a
    share not between 0 and 1, and where all documents are one group.
    """
    check_share(share)
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
    parent = list(range(len(texts)))  # union-find: following parents leads to the one that stands for the group

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first_seen = {}
    for i, text in enumerate(texts):
        for shingle in shingles(text, run):
            first = first_seen.setdefault(shingle, i)
            if first != i:
                parent[root(i)] = root(first)
    groups = {}
    for i in range(len(texts)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def shingles(text: str, run: int) -> set[tuple[str, ...]]:
    """Every run of so many words; of a shorter text, all its words."""
    words = WORD.findall(text.lower())
    return {tuple(words[i : i + run]) for i in range(max(1, len(words) - run + 1))}


def draw(sizes: Sequence[int], share: float, seed: int) -> list[int]:
    """Indices drawn at random whose sizes add up to at most `share` of the total; the smallest one where none fits."""
    order = list(range(len(sizes)))
    random.Random(seed).shuffle(order)
    room, drawn = share * sum(sizes), []
    for i in order:
        if sizes[i] <= room:
            room -= sizes[i]
            drawn.append(i)
    return drawn or [min(order, key=lambda i: sizes[i])]


def check_share(share: float) -> None:
    """ValueError unless the share lies between 0 and 1."""
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; wanted a number between 0 and 1.")
