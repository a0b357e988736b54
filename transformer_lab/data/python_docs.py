"""Text for language models that comes with every Python: its reference manual and its docstrings.

The text changes a little with each version of Python: `describe` says which version this is.
"""

import ast
import platform
import sysconfig
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics as manual

from .documents import Document, check_share, fingerprint, join, split_documents

# Folders that are not the library itself: installed packages, and tests, whose docstrings say little.
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idle_test"}


def topics() -> list[Document]:
    """The topics of Python's `help()`, from its reference manual: 0.5 million characters, in 79 topics in 3.11."""
    return [Document(name, text) for name, text in sorted(manual.items())]


def docstrings() -> list[Document]:
    """The standard library's docstrings, one document for each file that has some: 1.8 million characters in 3.11.

    The files are read and never imported, which takes 6 seconds, once. FileNotFoundError if they are not there.
    """
    return list(library())


@cache
def library() -> tuple[Document, ...]:
    found = ((name, file_docstrings(path)) for name, path in source_files().items())
    return tuple(Document(name, "\n\n".join(texts)) for name, texts in found if texts)


def documents(only_topics: bool = False) -> list[Document]:
    """The topics and, unless only_topics, after them the docstrings."""
    return topics() if only_topics else topics() + docstrings()


def train_and_validation(only_topics: bool = False, seed: int = 0) -> tuple[list[Document], list[Document]]:
    """(training, validation): nine tenths and one tenth of the documents, see split_documents."""
    return split_documents(documents(only_topics), seed=seed)


def raw_cut(text: str, share: float = 0.1) -> tuple[str, str]:
    """(training, validation): the text cut in two, its last `share` of the characters the validation text.

    This is what most people do. Passages that the text repeats are then on both sides; split_documents avoids that.
    """
    check_share(share)
    cut = len(text) - round(share * len(text))
    return text[:cut], text[cut:]


def describe(only_topics: bool = False) -> str:
    """One sentence on this text: its documents, characters and fingerprint, and the version of Python."""
    found = documents(only_topics)
    text = join(found)
    return (
        f"The documentation of Python {platform.python_version()}: {len(found)} documents, {len(text):,} characters, "
        f"fingerprint {fingerprint(text)}."
    )


def source_files() -> dict[str, Path]:
    """The standard library's files by name ("email/charset.py"), sorted; FileNotFoundError where there are none."""
    library = Path(sysconfig.get_path("stdlib"))
    names = {path.relative_to(library): path for path in library.rglob("*.py")}
    kept = {
        name.as_posix(): path
        for name, path in names.items()
        if not LEFT_OUT & set(name.parts) and not name.name.startswith("test_")
    }
    if not kept:
        raise FileNotFoundError(f"There is no source of Python's standard library in {library}.")
    return dict(sorted(kept.items()))


def file_docstrings(path: Path) -> list[str]:
    """The docstrings of a Python file's module, classes and functions, from top to bottom."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid escapes in strings of the library
        tree = ast.parse(path.read_bytes())
    found = (ast.get_docstring(node) for node in definitions(tree))
    return [text for text in found if text]


Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def definitions(tree: ast.AST) -> Iterator[Definition]:
    """The module and its classes and functions, nested ones too, in order.

    ast.walk would find them too, but visits all expressions, which are most of a tree and contain none.
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Definition):
            yield node
        children = ast.iter_child_nodes(node)
        inner = [child for child in children if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)]
        waiting += reversed(inner)
