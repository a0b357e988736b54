"""Save a model into a folder and load it again; damaged files raise errors that say what is wrong."""

import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from ..classifiers import Classifier, Labeller, Tagger
from ..config import TransformerConfig
from ..data.tokenizers import Tokenizer
from ..files import make_folder, path_of, read_json, to_json, whole_file
from ..models import BERT, GPT, Model, Transformer, unwrapped
from ..sentences import kind_of
from .adapted import save_adapted
from .hub import load_hf
from .safetensors_file import check_finite, checked, read_weights, sha256

MODELS: dict[str, type[Model]] = {model.__name__: model for model in (Transformer, GPT, BERT, Classifier, Tagger)}
# The fields of config.json besides those of TransformerConfig.
METADATA = ("model", "labels", "task", "special_tokens", "sha256", "tokenizer_sha256")


def save(model: nn.Module, tokenizer: Tokenizer, folder, task: dict | None = None) -> None:
    """Write one of our MODELS (weights in 16 bits) and its tokenizer into folder, which is created if necessary.

    Of a model that `adapt` made only what was learnt is written, and what it was learnt on.
    task describes what the model was trained to do, so that `transformer-lab evaluate` can measure it again. Raises
    ValueError for what `load` would not accept, and OSError if writing fails; the folder then stays as it was.
    """
    ours = unwrapped(model)
    check_savable(ours, tokenizer)
    if hasattr(ours, "adaptation"):
        save_adapted(cast(Model, ours), folder, task)
        return
    check_finite(ours.state_dict())
    weights = {name: to_16_bits(tensor) for name, tensor in ours.state_dict().items()}
    folder = make_folder(path_of(folder))
    # All three files are first written next to the old ones and then replace them, config.json last, as it holds the
    # others' checksums. On an interrupt or a full disk the old model remains; `load` detects a partial replacement.
    with (
        whole_file(folder / "config.json") as config_path,
        whole_file(folder / "tokenizer.json") as tokenizer_path,
        whole_file(folder / "model.safetensors") as weights_path,
    ):
        try:
            save_file(weights, weights_path)
        except SafetensorError as error:  # a full disk, which safetensors does not call an OSError
            raise OSError(f"The model could not be written into {folder}: {error}.") from error
        tokenizer.save(tokenizer_path)
        config = {
            "model": type(ours).__name__,
            **asdict(ours.config),
            **({"labels": ours.labels} if isinstance(ours, Labeller) else {}),
            **({"task": task} if task else {}),
            "special_tokens": tokenizer.special,
            "sha256": sha256(weights_path),
            "tokenizer_sha256": sha256(tokenizer_path),
        }
        config_path.write_text(to_json(config, indent=2) + "\n", encoding="utf-8")


def check_savable(model: nn.Module, tokenizer: Tokenizer | None) -> None:
    """Raise ValueError for a model or tokenizer that `load` would not accept, whatever the weights are."""
    ours = unwrapped(model)
    if type(ours) not in MODELS.values():
        raise ValueError(f"save takes a {', '.join(MODELS)}; got {kind_of(ours)}.")
    if not isinstance(tokenizer, Tokenizer):
        raise ValueError(
            f"save takes a tokenizer of transformer_lab besides the model; got {type(tokenizer).__name__}."
        )
    check_vocabulary(tokenizer, ours.config.vocab_size)


def to_16_bits(tensor: torch.Tensor) -> torch.Tensor:
    """Convert to float16, except for bfloat16 tensors and tensors with numbers too large for float16."""
    if tensor.dtype != torch.bfloat16 and tensor.abs().max() <= torch.finfo(torch.float16).max:
        tensor = tensor.half()
    return tensor.contiguous().cpu()


def load_folder(folder: Path) -> tuple[Model, Tokenizer]:
    """Load (model, tokenizer) from a folder that `save` wrote, or from one in Hugging Face's format."""
    fields = read_config(folder)
    if "model_type" in fields:
        return load_hf(str(folder))
    metadata = {name: fields.pop(name, None) for name in METADATA}
    try:
        check_metadata(metadata)
        config = TransformerConfig(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'config.json'} describes no model: {error}") from error
    make: Callable[..., Model] = MODELS[metadata["model"]]
    with_labels = partial(make, config, *([metadata["labels"]] if metadata["labels"] else []))
    model = read_weights(with_labels, config, checked(existing(folder / "model.safetensors"), metadata["sha256"]))
    return model, load_tokenizer(folder, metadata, config.vocab_size)


def check_metadata(metadata: dict) -> None:
    """Raise ValueError unless these fields are as `save` writes them."""
    if metadata["model"] not in list(MODELS):
        raise ValueError(f"its model is {metadata['model']!r}; it must be one of {', '.join(MODELS)}.")
    has_labels = issubclass(MODELS[metadata["model"]], Labeller)
    if has_labels != isinstance(metadata["labels"], list) or not all(
        isinstance(one, str) for one in metadata["labels"] or ()
    ):
        raise ValueError(
            f"its labels are {metadata['labels']!r}; wanted {'a list of texts' if has_labels else 'none'}."
        )
    special = metadata["special_tokens"]
    if not isinstance(special, dict) or not all(isinstance(token, str) for token in special.values()):
        raise ValueError(f"its special_tokens are {special!r}; wanted a token for each role.")
    if not isinstance(metadata["sha256"], str) or not isinstance(metadata["tokenizer_sha256"], str | None):
        raise ValueError("its sha256 is missing, or not a string.")


def load_tokenizer(folder: Path, metadata: dict, vocab_size: int) -> Tokenizer:
    """Load the tokenizer that was saved with the model; ValueError if it is a different one."""
    path = existing(folder / "tokenizer.json")
    if metadata["tokenizer_sha256"] is not None:
        checked(path, metadata["tokenizer_sha256"])
    tokenizer = Tokenizer.load(path, metadata["special_tokens"])
    without_id = [token for token in tokenizer.special.values() if tokenizer.tokenizer.token_to_id(token) is None]
    if without_id:
        raise ValueError(f"{path} has no token {without_id[0]!r}, which config.json calls special.")
    if metadata["tokenizer_sha256"] is None and len(tokenizer) != vocab_size:  # as older versions saved it
        raise ValueError(f"{path} has {len(tokenizer)} tokens; its model's vocab_size is {vocab_size}.")
    return tokenizer


def check_vocabulary(tokenizer: Tokenizer, vocab_size: int) -> None:
    """Raise ValueError if the tokenizer has ids without an embedding; embeddings without a token are fine."""
    # Tokens that were added later, and that no text is encoded to, may lie outside.
    largest = max(tokenizer.tokenizer.get_vocab(with_added_tokens=False).values(), default=0)
    if largest >= vocab_size:
        raise ValueError(f"The tokenizer has ids up to {largest}; the model's vocab_size is {vocab_size}.")


def read_config(folder: Path) -> dict:
    """Read a folder's config.json; FileNotFoundError if it is missing, ValueError if it is not a JSON object."""
    return read_json(existing(folder / "config.json"))


def existing(path: Path) -> Path:
    """Return the path; FileNotFoundError if there is no such file."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{path.parent} holds no model: {path.name} is missing.")
    return path
