"""A labelled file of one's own: a labeller on an old model learns its classes or tags, or is evaluated on it."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from ..classifiers import Classifier, Labeller, Tagger
from ..data.docstring_modules import Example
from ..data.entities import Sentence
from ..data.files import kept_path, naming
from ..data.labelled import labels_of, read_labelled, split_labelled
from ..data.pairs import Pair
from ..data.tokenizers import Tokenizer
from ..device import seed_everything
from ..files import path_of
from ..pretrained import adapt
from ..sentences import kind_of, listed
from .labelling import Classification, Tagging


def fine_tuning_task(
    path, base: str | Path = "minilm", method: str = "lora", seed: int = 0
) -> Classification | Tagging:
    """The task of a labelled file, with a new labeller on the base model. Raises as read_labelled and `adapt` do."""
    path = path_of(path)
    examples = read_labelled(path)
    kind = Classifier if isinstance(examples[0], Pair) else Tagger
    seed_everything(seed)  # the new head, and what the method adds, are drawn at random
    model, tokenizer = adapt(base, method, kind, labels_of(examples))
    return task_of(path, examples, cast(Labeller, model), tokenizer, seed=seed, base=str(base), method=method)


def labelled_file(path, model: Labeller, tokenizer: Tokenizer, **origin) -> Classification | Tagging:
    """The task of a labelled file, with a model that has learnt it: origin is what its description says besides."""
    path = path_of(path)
    return task_of(path, read_labelled(path), model, tokenizer, **origin)


def task_of(path: Path, examples, model: Labeller, tokenizer: Tokenizer, **origin) -> Classification | Tagging:
    """The task of the examples in a file; a fifth of the texts, at most 500, are held out.

    Raises ValueError if the model is of another kind, or has other labels.
    """
    kind, wanted = ("classes", Classifier) if isinstance(examples[0], Pair) else ("tags", Tagger)
    if not isinstance(model, wanted):
        raise ValueError(f"{path} holds {kind}, which need a {wanted.__name__}; got {kind_of(model)}.")
    unknown = sorted(set(labels_of(examples)) - set(model.labels))
    if unknown:
        raise ValueError(f"{path} has the label {unknown[0]!r}, which the model does not have.")
    with naming(path):
        training, held_out = split_labelled(examples)
    warn_of_unseen(path, training, held_out)
    description = {"task": kept_path(path), **origin}
    task: Classification | Tagging
    if isinstance(model, Classifier):
        task = Classification(model, tokenizer, indexed(training, model), indexed(held_out, model), description)
    else:
        with naming(path):
            task = Tagging(model, tokenizer, training, {"entity F1": held_out}, description)
            # What an evaluation would stumble over is refused before the training.
            for one in held_out:
                task.pieces(one.words)
            if not any(tag != "O" for one in held_out for tag in one.tags):
                raise ValueError(
                    f"none of the {len(held_out)} sentences held out to measure on has a tag other than O; wanted more "
                    "sentences with tags."
                )
    task.about = f"{path}: {len(training):,} examples to learn from, {len(held_out):,} held out; {kind}: " + (
        listed((label for label in model.labels if label != "O"), "and") + "."
    )
    return task


def indexed(pairs: Sequence[Pair], model: Labeller) -> list[Example]:
    """The pairs as texts with the index of their label."""
    return [Example(pair.source, model.labels.index(pair.target)) for pair in pairs]


def warn_of_unseen(path: Path, training: Sequence[Pair | Sentence], held_out: Sequence[Pair | Sentence]) -> None:
    """One warning if a label is not among the training examples: it cannot be learnt."""
    before, now = (
        {label for one in side for label in ((one.target,) if isinstance(one, Pair) else one.tags)}
        for side in (training, held_out)
    )
    unseen = sorted(now - before)
    if unseen:
        warnings.warn(f"{path}: {unseen[0]!r} is on held-out examples only, and cannot be learnt.", stacklevel=2)
