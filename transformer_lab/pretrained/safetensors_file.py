"""Validate a file of weights before using it: its checksum, the names and shapes of its tensors, and its numbers."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from ..config import TransformerConfig

M = TypeVar("M", bound=nn.Module)
FLOATS = ("F16", "BF16", "F32", "F64")
# The largest table of positions, which is computed and not stored: 1 GiB of float32.
LARGEST_TABLE = 2**28
NUMBERED = re.compile(r"(?P<block>.*\bblocks\.\d+\.)residuals\.(?P<number>[012])(?P<rest>\..*)")


def sha256(path: Path) -> str:
    """The file's SHA-256, a fingerprint of every byte of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked(path: Path, checksum: str) -> Path:
    """Return the path; ValueError if the file's SHA-256 differs from the checksum, FileNotFoundError without a file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} holds no model: {path.name} is missing.")
    if sha256(path) != checksum:
        raise ValueError(f"{path} is truncated or was changed: its SHA-256 is not the recorded one.")
    return path


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read each tensor's shape from the header; ValueError unless it is a safetensors file of floats."""
    try:
        with safe_open(path, "pt") as file:
            names = file.keys()
            slices = {name: file.get_slice(name) for name in names}
            for name, one in slices.items():
                if one.get_dtype() not in FLOATS:
                    raise ValueError(f"{path}: {name} is of type {one.get_dtype()}; wanted one of {', '.join(FLOATS)}.")
            return {name: tuple(one.get_shape()) for name, one in slices.items()}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}.") from error


def current_names(tensors: dict) -> dict:
    """Rename parameters saved by earlier versions, which numbered a block's residual connections.

    A key is a parameter's name, or starts with one, as in a checkpoint.
    """
    numbered = {name: match for name in tensors if (match := NUMBERED.match(name))}
    with_cross = {match["block"] for match in numbered.values() if match["number"] == "2"}

    def renamed(name):
        if name not in numbered:
            return name
        block, number, rest = numbered[name].groups()
        paths = ("attention", "cross", "feed_forward") if block in with_cross else ("attention", "feed_forward")
        return f"{block}{paths[int(number)]}_residual{rest}"

    return {renamed(name): tensor for name, tensor in tensors.items()}


def check_sizes(config: TransformerConfig, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError if these tensors cannot belong to a model of these sizes, before building one takes memory."""
    longest = max((size for shape in shapes.values() for size in shape), default=0)
    for name in ("vocab_size", "d_model", "n_heads", "head_width", "d_ff", "n_segments"):
        if getattr(config, name) > longest:
            raise ValueError(f"{name} is {getattr(config, name)}, but no weight is larger than {longest}.")
    if config.n_layers > len(shapes):
        raise ValueError(f"n_layers is {config.n_layers}, but there are only {len(shapes)} weights.")
    if config.positions == "sinusoidal" and config.max_len * config.d_model > LARGEST_TABLE:
        raise ValueError(f"max_len is {config.max_len}: its table would have more than {LARGEST_TABLE:,} numbers.")


def check_shapes(model: nn.Module, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError unless these are the names and shapes of the model's weights."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    missing, unknown = sorted(wanted.keys() - shapes), sorted(shapes.keys() - wanted)
    if missing:
        raise ValueError(f"{len(missing)} weights are missing, among them {missing[0]!r}.")
    if unknown:
        raise ValueError(f"{len(unknown)} weights have no place in the model, among them {unknown[0]!r}.")
    for name, shape in wanted.items():
        if shapes[name] != shape:
            raise ValueError(f"The weight {name!r} must have the shape {shape}; got {shapes[name]}.")


def check_finite(weights: dict[str, Tensor]) -> None:
    """Raise ValueError if a weight is NaN or infinite: such a model would silently compute nonsense."""
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise ValueError(
                f"The weight {name!r} holds NaN or infinite numbers: the model is damaged or has diverged."
            )


def read_weights(make: Callable[[], M], config: TransformerConfig, path: Path) -> M:
    """Return make(), a model of this config, with the file's weights as float32; ValueError if they do not fit."""
    shapes = current_names(read_shapes(path))
    try:
        check_sizes(config, shapes)
        with torch.device("meta"):  # where tensors take no memory
            check_shapes(make(), shapes)
    except ValueError as error:
        raise ValueError(f"{path} does not hold the model described next to it: {error}") from error
    model = make()
    model.load_state_dict(current_names(load_file(path)))  # copies the 16 bits into the model's float32
    return model.eval()
