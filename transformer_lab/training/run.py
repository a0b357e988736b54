"""A training run and its folder: how it starts, is saved, continues and ends."""

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path, PureWindowsPath
from typing import cast

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn

from ..config import TransformerConfig
from ..data.tokenizers import Tokenizer
from ..files import clear_unfinished, path_of, to_json
from ..pretrained.folder import check_savable, save
from ..tasks.task import Task, check_fingerprint
from .checkpoints import SAME_BATCHES, Checkpoints
from .history import History
from .meter import TrainingStatus
from .owner import owning
from .settings import Settings
from .surroundings import machine

MAY_CHANGE = ("keep", "log_every", "checkpoint_every", "compile")  # settings with which a run may be resumed
WRITTEN = ("model.safetensors", "config.json", "tokenizer.json", "metrics.jsonl")  # to its folder, besides checkpoints/
DIVERGED = "training has diverged. A smaller lr may help, or more warmup."


class Run:
    """Where a run stands: its step and its history. This one writes nothing, and cannot be resumed."""

    def __init__(self, accelerator: Accelerator, task: Task, settings: Settings, optimizer):
        self.accelerator, self.task, self.settings, self.optimizer = accelerator, task, settings, optimizer
        self.step, self.history = 0, History(task.metric, task.higher_is_better)
        self.saved_step: int | None = None

    @contextmanager
    def under_way(self, resume: bool, curves: Iterable[Path] = ()) -> Iterator[None]:
        """Within the block the run takes its steps, from the first or, to resume, from the last checkpoint.

        It owns its folder, and those of its curves. Raises ValueError if the folder holds another run or something
        else, FileNotFoundError if it holds nothing to resume, OSError if another process owns it, if it cannot be
        written, or if the disk has no room.
        """
        with ExitStack() as stack:
            # Whatever ends the run, the model is then ready for use; dropout is for training only.
            stack.callback(self.task.model.eval)
            self.on_main_process(lambda: self.claim_folders(stack, resume, curves))
            if resume:
                self.restore()
            self.on_main_process(self.history.write)
            yield

    def claim_folders(self, stack: ExitStack, resume: bool, curves: Iterable[Path]) -> None:
        """Take ownership of the folders into which the run writes, and check that they are fit for it."""
        self.claim_folder(stack, resume)
        for folder in curves:
            stack.enter_context(owning(folder))

    def claim_folder(self, stack: ExitStack, resume: bool) -> None:
        """Take ownership of the folder in which the run is kept, if there is one."""
        if resume:
            raise ValueError("To resume a run, give the folder that it was trained in.")

    def restore(self) -> None:
        """Return to the last checkpoint, if they are kept."""

    def on_main_process(self, work: Callable[[], None]) -> None:
        """Let the main process do the work while the others wait; if it raises, all raise the same."""
        error = None
        if self.accelerator.is_main_process:
            try:
                work()
            except (OSError, ValueError) as raised:
                error = raised
        error = broadcast_object_list([error])[0]
        if error is not None:
            raise error

    def status(self, loss: float, tokens_per_s: float) -> TrainingStatus:
        """The status of the run at this step, for its listeners."""
        learning_rate = self.settings.learning_rate(self.step - 1)
        return TrainingStatus(self.step, self.settings.steps, loss, tokens_per_s, learning_rate, self.task)

    def save(self) -> None:
        """Write a checkpoint, if they are kept; the other processes wait for it."""

    def rescue(self) -> None:
        """Write a checkpoint of this step, if they are kept and it has none, without the other processes."""

    @contextmanager
    def saved_on_error(self) -> Iterator[None]:
        """Within the block a task's or listener's code runs; what was learnt is saved before its error is passed on."""
        try:
            yield
        except Exception:
            self.rescue()
            raise

    @contextmanager
    def needing_all_processes(self) -> Iterator[None]:
        """Within the block all processes are needed; if one has ended, a ConnectionError says how to continue."""
        try:
            yield
        except RuntimeError as error:
            if self.accelerator.num_processes == 1 or not is_of_connection(error):
                raise
            self.rescue()  # this step lacks the others' share, but all steps before it are complete
            how = f"--resume continues from step {self.saved_step}" if self.saved_step else "nothing was saved before"
            raise ConnectionError(f"Another process of this run has ended, and so the run ends; {how}.") from error

    def owes_evaluation(self) -> bool:
        """Did the evaluation fail at the step from which the run continues?"""
        measured = [one["step"] for one in self.history.evaluations]
        return self.step > 0 and self.settings.is_evaluated(self.step) and self.step not in measured

    def interrupt(self) -> None:
        """End before the last step. Raises KeyboardInterrupt, because nothing is kept to continue from."""
        raise KeyboardInterrupt

    def finish(self) -> None:
        """Save the model to the folder, if there is one."""


class SavedRun(Run):
    """A run in a folder: it keeps its checkpoints, its history and in the end the model there."""

    def __init__(
        self, accelerator: Accelerator, device: torch.device, task: Task, settings: Settings, optimizer, folder: Path
    ):
        super().__init__(accelerator, task, settings, optimizer)
        self.folder, self.checkpoints = folder, Checkpoints(folder / "checkpoints", settings.keep)
        # As it will be read from a checkpoint: values that are the same in JSON count as the same.
        self.identity = json.loads(to_json(identity(task, settings)))
        self.fingerprint, self.machine = task.fingerprint(), machine(accelerator, device)
        if accelerator.is_main_process:
            self.history.path = folder / "metrics.jsonl"

    def claim_folder(self, stack: ExitStack, resume: bool) -> None:
        """Take ownership of the folder, which must hold this run if it is resumed, and otherwise nothing."""
        check_savable(self.task.model, self.task.tokenizer)
        stack.enter_context(owning(self.folder))
        clear_unfinished(self.folder, WRITTEN)
        check_contents(self.folder, resume)
        if resume:
            # Before the weights are read, because weights of other shapes would look like broken checkpoints.
            self.check_same(self.checkpoints.newest_state())
        self.checkpoints.check_space(self.task.model)

    def restore(self) -> None:
        """Return to the last checkpoint."""
        state = self.checkpoints.restore(self.task.model, self.optimizer)
        self.step = self.saved_step = state["step"]
        self.history.go_back(state["evaluations"])

    def save(self) -> None:
        """Write a checkpoint; the other processes wait for it."""
        self.on_main_process(self.write)
        self.saved_step = self.step

    def write(self) -> None:
        """Write a checkpoint, and then the evaluations so far."""
        best = self.history.best
        state = {
            "run": self.identity,
            "fingerprint": self.fingerprint,
            "machine": self.machine,
            "evaluations": self.history.evaluations,
        }
        self.checkpoints.save(self.step, self.task.model, self.optimizer, state, best["step"] if best else None)
        self.history.write()

    def rescue(self) -> None:
        """Write a checkpoint of this step, if there is none, without the other processes."""
        if self.accelerator.is_main_process and self.step != self.saved_step:
            check_weights(self.task.model, self.step)
            self.write()
            self.saved_step = self.step

    def interrupt(self) -> None:
        """End before the last step, from where the run can be resumed; the history says so."""
        self.history.interrupted = True

    def finish(self) -> None:
        """Save the model to the folder: the last one or, with patience, the best."""
        best = self.history.best
        if best and self.settings.patience and best["step"] != self.step:
            self.restore_best(best["step"])
        tokenizer = cast(Tokenizer, self.task.tokenizer)  # claim_folder has asked for one
        task = {**self.task.description, "fingerprint": self.fingerprint}
        self.on_main_process(lambda: save(self.task.model, tokenizer, self.folder, task))

    def restore_best(self, step: int) -> None:
        """Load the best model's weights; keep the last one's, with a warning, if the file is broken."""
        try:
            self.checkpoints.restore_weights(step, self.task.model)
        except ValueError as error:
            warnings.warn(f"{error} The last model is kept instead of the best one.", stacklevel=2)

    def check_same(self, state: dict | None) -> None:
        """Raise ValueError if a checkpoint has another task, model, data or settings than this run.

        What an older version did not record is not compared.
        """
        if state is None:  # nothing can be read: restore will say what is wrong
            return
        begun = state.get("run")
        if not isinstance(begun, dict) or not isinstance(state.get("evaluations"), list):
            raise ValueError(f"The newest checkpoint in {self.folder} was not written by a training run.")
        for name, value in self.identity.items():
            if name in begun and name not in MAY_CHANGE and not is_same(begun[name], value):
                raise ValueError(f"{name} is {value!r}; the run in {self.folder} was begun with {begun[name]!r}.")
        if state["format"] < SAME_BATCHES:
            warnings.warn(
                f"{self.folder} was begun with an older version, which kept no fingerprint of its data and put the "
                "examples in another order: the run goes on, but will end with different weights than it "
                "would have there.",
                stacklevel=2,
            )
            return
        remedy = "restore the data as they were, or train again in another folder"
        check_fingerprint(state.get("fingerprint"), self.fingerprint, self.folder, remedy)
        self.warn_of(state.get("machine") or {})

    def warn_of(self, begun: dict) -> None:
        """One warning if the run was begun with another version, or on another device."""
        differ = [name for name, value in self.machine.items() if name in begun and begun[name] != value]
        if differ:
            were, are = (", ".join(f"{name} {kept[name]}" for name in differ) for kept in (begun, self.machine))
            warnings.warn(
                f"{self.folder} was begun with {were} and goes on with {are}: the result may differ a little.",
                stacklevel=2,
            )


def make_run(accelerator, device, task: Task, settings: Settings, optimizer, folder: Path | str | None) -> Run:
    """A run in the folder; without one, a run that keeps nothing. Raises ValueError for patience without a folder."""
    if folder is not None:
        # An absolute path, for a listener or another thread may change the working directory.
        folder = Path(os.path.abspath(path_of(folder)))
        return SavedRun(accelerator, device, task, settings, optimizer, folder)
    if settings.patience:
        raise ValueError("patience needs a folder, because the best model so far is kept there.")
    return Run(accelerator, task, settings, optimizer)


def check_weights(model: nn.Module, step: int) -> None:
    """Raise ValueError if a weight has become NaN or infinite, which the loss shows only at the next step."""
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise ValueError(f"{name} is NaN or infinite after step {step}: {DIVERGED}")


def check_folder(folder: Path, resume: bool) -> None:
    """Raise what train would if the folder is not fit for a run: before the data are read, which may be slow."""
    with owning(folder):
        check_contents(folder, resume)


def check_contents(folder: Path, resume: bool) -> None:
    """Raise ValueError if a new run would overwrite something; FileNotFoundError if there is none to resume."""
    checkpoints = Checkpoints(folder / "checkpoints")
    if resume:
        checkpoints.check_there()
        return
    if checkpoints.saved():
        raise ValueError(f"{folder} holds a training run already: resume it, or give another folder.")
    for path in [*(folder / name for name in WRITTEN), *checkpoints.others()]:
        # A run that was stopped before its first checkpoint leaves only an empty metrics.jsonl.
        if path.exists() and not (path.name == "metrics.jsonl" and path.is_file() and path.stat().st_size == 0):
            what = "a model" if path.name == "model.safetensors" else path.relative_to(folder)
            raise ValueError(f"{folder} holds {what} already: give another folder.")


def identity(task: Task, settings: Settings) -> dict:
    """What a resumed run must have in common with its checkpoints: the task, the model's config, the settings."""
    return {"task": task.description, **asdict(cast(TransformerConfig, task.model.config)), **asdict(settings)}


def is_of_connection(error: RuntimeError) -> bool:
    """Does the error say that another process cannot be reached? gloo has no exception class for that."""
    return isinstance(error, torch.distributed.DistError) or "peer" in str(error)


def is_same(begun, now) -> bool:
    """Is the value the same? In a task's description only what was recorded counts; of a path only the file's name."""
    if isinstance(begun, dict) and isinstance(now, dict):
        return all(name in now and is_same(value, now[name]) for name, value in begun.items())
    if isinstance(begun, str) and isinstance(now, str):
        return PureWindowsPath(begun).name == PureWindowsPath(now).name  # which knows both kinds of slash
    return begun == now
