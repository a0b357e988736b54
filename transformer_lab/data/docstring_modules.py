"""Texts to classify: which of ten modules of the standard library does a docstring come from?

Written by people, and there on every machine. How many examples there are depends a little on Python's version.
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
# Words in a row that make two of these short texts copies: "Find a frozen module. This method is deprecated."
RUN = 5


@dataclass(frozen=True)
class Example:
    """A docstring, and the index in MODULES of the module that it is from."""

    text: str
    label: int


def training_examples(seed: int = 0) -> list[Example]:
    """Four fifths of the examples, always the same ones; the seed is that of their order."""
    examples = list(split()[0])
    random_from(seed).shuffle(examples)
    return examples


def test_examples() -> list[Example]:
    """One fifth of the examples, the same for every seed. No 5 words in a row stand in a training example too."""
    return list(split()[1])


def prepare(docstring: str) -> str:
    """The docstring on one line, the ten modules' names masked wherever they stand, cut to 240 characters."""
    return NAMES.sub(MASK, " ".join(docstring.split()))[:LONGEST]


@cache
def split() -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """(training, test): 2 seconds, once. FileNotFoundError where this Python lacks one of the modules."""
    # A text that two modules share has no right answer; one that a module has twice counts once.
    modules: dict[str, set[str]] = {}
    for module, docstring in labelled_docstrings():
        modules.setdefault(prepare(docstring), set()).add(module)
    documents = [Document(found.pop(), text) for text, found in modules.items() if len(found) == 1]
    training, test = split_documents(documents, share=0.2, run=RUN)
    return tuple(map(example, training)), tuple(map(example, test))


def example(document: Document) -> Example:
    return Example(document.text, MODULES.index(document.name))


def labelled_docstrings() -> list[tuple[str, str]]:
    """(module, docstring) for every docstring of the ten modules and of what is in them."""
    found = []
    for name, path in source_files().items():
        module = name.split("/")[0].removesuffix(".py")
        if module in MODULES:
            found += [(module, docstring) for docstring in file_docstrings(path)]
    missing = set(MODULES) - {module for module, _ in found}
    if missing:
        raise FileNotFoundError(f"This Python has no source of {', '.join(sorted(missing))}.")
    return found
