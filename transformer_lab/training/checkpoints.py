"""A training run on disk: a run that is killed continues from its last checkpoint as if nothing had happened."""

import json
import re
import shutil
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..files import clear_unfinished, decoded, flush, names_in, to_json
from ..pretrained.safetensors_file import current_names, sha256

FORMAT = 3  # to be increased when a checkpoint's files, or the batches of a step, change
SAME_BATCHES = 2  # the first format with this version's batches and with a fingerprint of the data
FILES = ("model.safetensors", "optimizer.safetensors", "state.json")


class Checkpoints:
    """The checkpoints in a folder, step-00000100 and so on: the last `keep` of them, and the best.

    The caller makes sure that the folder has one owner. Everything else in it is left alone.
    """

    def __init__(self, folder: Path, keep: int = 2):
        self.folder, self.keep = Path(folder), keep

    def saved(self) -> list[Path]:
        """The checkpoints' folders, newest last; a copy under another name does not count."""
        steps = [int(path.name[5:]) for path in self.folder.glob("step-*") if re.fullmatch(r"step-\d+", path.name)]
        return [self.path(step) for step in sorted(set(steps)) if names_in(self.path(step)) & set(FILES)]

    def save(self, step: int, model: nn.Module, optimizer, state: dict, best_step: int | None = None) -> None:
        """Write the checkpoint of a step, then remove those no longer kept. Raises OSError if it cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            clear_unfinished(self.folder, ("checkpoint", "old"))
            # Written next to the others under a name that nobody reads, and renamed when it is complete.
            with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=self.folder) as unfinished:
                new = Path(unfinished) / "checkpoint"
                new.mkdir()
                save_file(unfrozen(model), new / "model.safetensors")
                save_file(flat_state(model, optimizer), new / "optimizer.safetensors")
                checksums = {path.name: sha256(path) for path in new.iterdir()}
                content = {"format": FORMAT, "step": step, "sha256": checksums, **state}
                (new / "state.json").write_text(to_json(content, indent=1), encoding="utf-8")
                for path in new.iterdir():
                    flush(path)
                final = self.path(step)
                remove(final)  # a broken one, which the resumed run has skipped
                new.rename(final)
        except (OSError, SafetensorError) as error:
            before = " The checkpoints before it are complete; --resume continues from them." if self.saved() else ""
            raise OSError(
                f"The checkpoint of step {step} could not be written into {self.folder}: {error}.{before}"
            ) from error
        # Checkpoints of later steps are broken: the resumed run has skipped them.
        saved = self.saved()
        kept = saved[: saved.index(final) + 1][-self.keep :]
        if best_step is not None:
            kept.append(self.path(best_step))
        for path in saved:
            if path not in kept:
                try:
                    remove(path)
                except OSError as error:  # on Windows, while another program reads it; the next checkpoint tries again
                    warnings.warn(f"{path}, which is no longer kept, could not be removed: {error}.", stacklevel=2)

    def others(self) -> list[Path]:
        """What is in the folder that no run has written."""
        if not self.folder.is_dir():
            return [self.folder] if self.folder.exists() else []
        return sorted(set(self.folder.glob("[!.]*")) - set(self.saved()))

    def check_space(self, model: nn.Module) -> None:
        """Raise OSError if the disk has no room for all the checkpoints that will be in the folder at once."""
        # AdamW has two numbers per weight
        size = 3 * sum(tensor.numel() * tensor.element_size() for tensor in unfrozen(model).values())
        n = max(1, self.keep + 2 - len(self.saved()))  # with the best, and the one that is being written
        existing = next(path for path in (self.folder, *self.folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if free < n * size:
            raise OSError(
                f"{self.folder} has no room for {n} checkpoints of {size / 1e6:,.1f} MB: {free / 1e6:,.1f} MB are free."
            )

    def newest_state(self) -> dict | None:
        """The state of the newest checkpoint whose state can be read, or None."""
        for folder in reversed(self.saved()):
            with suppress(ValueError):
                return read_state(folder)
        return None

    def restore(self, model: nn.Module, optimizer) -> dict:
        """Load the newest complete checkpoint into model and optimizer; returns its state.

        A checkpoint that is truncated, from another model or from a newer version is skipped with a warning.
        Raises FileNotFoundError if there is no checkpoint, ValueError if none can be used.
        """
        self.check_there()
        folders = self.saved()
        for folder in reversed(folders):
            try:
                return restore(folder, model, optimizer)
            except ValueError as error:
                warnings.warn(f"{error} Trying the checkpoint before it.", stacklevel=2)
        raise ValueError(f"None of the {len(folders)} checkpoints in {self.folder} can be used.")

    def check_there(self) -> None:
        """Raise FileNotFoundError if there is no checkpoint."""
        if not self.saved():
            raise FileNotFoundError(f"Nothing to resume: there is no checkpoint in {self.folder}.")

    def restore_weights(self, step: int, model: nn.Module) -> None:
        """Load the weights of one step's checkpoint into model; ValueError if it is broken."""
        restore(self.path(step), model)

    def path(self, step: int) -> Path:
        """The folder of a step's checkpoint."""
        return self.folder / f"step-{step:08d}"


def restore(folder: Path, model: nn.Module, optimizer=None) -> dict:
    """Load one checkpoint into model and, if given, its optimizer; returns its state.

    Raises ValueError, and changes nothing, if it is broken, from another model or too new.
    """
    state = read_state(folder)
    weights, moments = read_tensors(folder, "model", state), read_tensors(folder, "optimizer", state)
    own = unfrozen(model)
    if {name: t.shape for name, t in weights.items()} != {name: t.shape for name, t in own.items()}:
        raise ValueError(f"{folder} is the checkpoint of another model: its weights have other names or shapes.")
    model.load_state_dict(weights, strict=False)
    if optimizer is not None:
        for name, parameter in model.named_parameters():
            prefix = f"{name}/"
            optimizer.state[parameter] = {
                # A copy: safetensors may return the file itself, mapped into memory, and the file will be removed.
                key.removeprefix(prefix): tensor.to(parameter.device, copy=True)
                for key, tensor in moments.items()
                if key.startswith(prefix)
            }
    return state


def read_state(folder: Path) -> dict:
    """A checkpoint's state.json; ValueError if it is missing, broken, foreign or newer than this version."""
    path = folder / "state.json"
    try:
        state = json.loads(decoded(path.read_bytes(), path))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({error}).") from error
    if not isinstance(state, dict) or not isinstance(state.get("format"), int):
        raise ValueError(f"{path} was not written by transformer_lab.")
    if state["format"] > FORMAT:
        raise ValueError(f"{path} has format {state['format']}; this version of transformer_lab reads up to {FORMAT}.")
    if not isinstance(state.get("step"), int) or not isinstance(state.get("sha256"), dict):
        raise ValueError(f"{path} was not written by transformer_lab.")
    return state


def read_tensors(folder: Path, name: str, state: dict) -> dict[str, torch.Tensor]:
    """The tensors of one of a checkpoint's files; ValueError if it is not the file that was written."""
    path = folder / f"{name}.safetensors"
    if not path.is_file() or sha256(path) != state["sha256"].get(path.name):
        raise ValueError(f"{path} is missing, truncated or was changed.")
    try:
        return current_names(load_file(path))
    except SafetensorError as error:
        raise ValueError(f"{path} was not written by transformer_lab ({error}).") from error


def unfrozen(model: nn.Module) -> dict[str, torch.Tensor]:
    """The model's state without the frozen parameters, which training leaves as they are."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}


def flat_state(model: nn.Module, optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's tensors, named "parameter/moment": AdamW's two moments and its count of steps."""
    return {
        f"{name}/{key}": tensor
        for name, parameter in model.named_parameters()
        for key, tensor in optimizer.state[parameter].items()
    }


def remove(folder: Path) -> None:
    """Remove a checkpoint's files, and its folder unless something else is in it. Raises OSError."""
    for name in reversed(FILES):  # its state first, so that half a checkpoint does not look like a whole one
        (folder / name).unlink(missing_ok=True)
    if not names_in(folder) and folder.is_dir():
        folder.rmdir()
