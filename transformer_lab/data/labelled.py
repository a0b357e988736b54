"""A user's own labelled file: texts with a class each, or sentences with a tag for each word.

.tsv: text, one tab, label. .jsonl: in each line {"text": "...", "label": "..."}, or in each line {"words": [...],
"tags": [...]}, with tags in BIO: O, or B- and I- before a type, such as B-PER. An error names the file and the line.
"""

import json
import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TypeVar

from ..arguments import check_text
from ..files import path_of
from ..sentences import short_repr
from .entities import Sentence
from .files import naming, read_lines, read_pairs, same_text, some, split_by
from .pairs import Pair

TAG = re.compile(r"O|[BI]-\S+")
HEADER = "label"
LARGEST_TEST = 500
T = TypeVar("T", Pair, Sentence)


def read_labelled(path) -> list[Pair] | list[Sentence]:
    """(text, label) as pairs, or sentences with tags, in the file's order.

    Raises FileNotFoundError, or ValueError for a file that is not of one of these forms, or that has one label only.
    """
    path = path_of(path)
    suffix = path.suffix.lower()
    if suffix not in (".tsv", ".jsonl"):
        raise ValueError(f"{path} ends in {suffix or 'no suffix'!r}; wanted .tsv or .jsonl.")
    found = read_table(path) if suffix == ".tsv" else read_json_lines(path)
    labels = labels_of(found)
    if len(labels) < 2:
        what = f"no label but {labels[0]!r}" if labels else "no example"
        raise ValueError(f"{path} has {what}; wanted at least two labels.")
    return found


def read_table(path: Path) -> list[Pair]:
    """The pairs of a table, without a first line that names the columns: whose label, "label", no other line has."""
    first, *others = read_pairs(path)
    is_header = first.target.casefold() == HEADER and first.target not in {pair.target for pair in others}
    return others if is_header else [first, *others]


def read_json_lines(path: Path) -> list[Pair] | list[Sentence]:
    """The examples of a .jsonl file, which all have the form of the first."""
    found: list = []
    for number, line in read_lines(path):
        if line.strip():
            with naming(f"{path}, line {number}"):
                found.append(example(line))
                if type(found[-1]) is not type(found[0]):
                    raise ValueError('wanted all lines of one form: "text" and "label", or "words" and "tags".')
    return found


def example(line: str) -> Pair | Sentence:
    """The example in one line of JSON; ValueError if it is none."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"{short_repr(line)} is not JSON.") from None
    if isinstance(fields, dict) and {"text", "label"} <= fields.keys():
        for name in ("text", "label"):
            if not isinstance(fields[name], str) or not fields[name].strip():
                raise ValueError(f'"{name}" is {short_repr(fields[name])}; wanted a text.')
            check_text(fields[name])
        return Pair(fields["text"], fields["label"].strip())
    if isinstance(fields, dict) and {"words", "tags"} <= fields.keys():
        return tagged(fields["words"], fields["tags"])
    raise ValueError('wanted {"text": ..., "label": ...} or {"words": [...], "tags": [...]}.')


def tagged(words, tags) -> Sentence:
    """The sentence of these words and tags; ValueError unless there is a BIO tag for each word."""
    for name, given in (("words", words), ("tags", tags)):
        if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
            raise ValueError(f'"{name}" is {short_repr(given)}; wanted a list of texts.')
        for one in given:
            check_text(one)
            if not one.strip():
                raise ValueError(f'"{name}" holds {one!r}, which is empty.')
    if len(words) != len(tags):
        raise ValueError(f"{len(words)} words and {len(tags)} tags; wanted a tag for each word.")
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise ValueError(f"the tag {tag!r} is not BIO; wanted O, or B- or I- and a type, such as B-PER.")
    return Sentence(tuple(words), tuple(tags))


def labels_of(examples: Sequence[Pair] | Sequence[Sentence]) -> list[str]:
    """All labels, sorted. Tags begin with O, and each type has both of its tags, though one may not occur."""
    if all(isinstance(one, Pair) for one in examples):
        return sorted({one.target for one in examples if isinstance(one, Pair)})
    types = {tag[2:] for one in examples if isinstance(one, Sentence) for tag in one.tags if tag != "O"}
    return ["O", *(f"{letter}-{one}" for one in sorted(types) for letter in "BI")]


def split_labelled(examples: list[T]) -> tuple[list[T], list[T]]:
    """(training, held out): a fifth of the different texts are held out, at most LARGEST_TEST examples of them."""
    training, held_out = split_by(examples, identity, share=0.2, seed=0)  # the same each time: evaluate finds it again
    return training, some(held_out, LARGEST_TEST)


def identity(example: Pair | Sentence) -> Hashable:
    """What two examples with the same text have in common."""
    return same_text(example.source if isinstance(example, Pair) else " ".join(example.words))
