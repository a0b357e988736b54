"""Texts to classify: which of ten modules of the standard library does a docstring come from?

They were written by people and are on every machine. Their number depends a little on Python's version.
"""

import re
from dataclasses import dataclass
from functools import cache

from ..arguments import random_from
from .documents import Document, split_documents
from .python_docs import file_docstrings, source_files

# The ten with the most docstrings in Python 3.11, of those that are public, that Python 3.14 still has, and that are
# never packaged apart from Python (as tkinter and turtle are on some systems).
MODULES = (
    "asyncio", "email", "http", "importlib", "logging", "mailbox", "multiprocessing", "tarfile", "unittest", "xml",
)  # fmt: skip
NAMES = re.compile("|".join(MODULES), re.IGNORECASE)
MASK = "<module>"
LONGEST = 240  # characters
# Two of these short texts with so many words in a row in common count as copies: "This method is deprecated, use ..."
RUN = 5


@dataclass(frozen=True)
class Example:
    """A docstring, and the index in MODULES of the module that it comes from."""

    text: str
    label: int


def training_examples(seed: int = 0) -> list[Example]:
    """Four fifths of the examples, always the same ones, in an order that the seed decides."""
    examples = list(split()[0])
    random_from(seed).shuffle(examples)
    return examples


def test_examples() -> list[Example]:
    """One fifth of the examples, the same for every seed. They share no 5 words in a row with a training example."""
    return list(split()[1])


def prepare(docstring: str) -> str:
    """The docstring on one line, the ten modules' names masked wherever they stand, cut to 240 characters."""
    return NAMES.sub(MASK, " ".join(docstring.split()))[:LONGEST]


@cache
def split() -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """(training, test); takes 2 seconds, once. FileNotFoundError if this Python lacks one of the modules."""
    # A text that two modules share has no right label; one that a module has twice counts once.
    modules: dict[str, set[str]] = {}
    for module, docstring in labelled_docstrings():
        modules.setdefault(prepare(docstring), set()).add(module)
    documents = [Document(found.pop(), text) for text, found in modules.items() if len(found) == 1]
    training, test = split_documents(documents, share=0.2, run=RUN)
    return tuple(map(example, training)), tuple(map(example, test))


def example(document: Document) -> Example:
    return Example(document.text, MODULES.index(document.name))


def labelled_docstrings() -> list[tuple[str, str]]:
    """(module, docstring) for every docstring in the ten modules."""
    found = []
    for name, path in source_files().items():
        module = name.split("/")[0].removesuffix(".py")
        if module in MODULES:
            found += [(module, docstring) for docstring in file_docstrings(path)]
    missing = set(MODULES) - {module for module, _ in found}
    if missing:
        raise FileNotFoundError(f"This Python has no source of {', '.join(sorted(missing))}.")
    return found
