"""A training run and its folder: how it begins, is saved, goes on and ends."""

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

MAY_CHANGE = ("keep", "log_every", "checkpoint_every", "compile")  # between a run and its resumption
WRITTEN = ("model.safetensors", "config.json", "tokenizer.json", "metrics.jsonl")  # into its folder, beside checkpoints
DIVERGED = "training has diverged. A smaller lr may help, or more warmup."


class Run:
    """Where a run stands: its step and its history. This one writes nothing, and cannot be resumed."""

    def __init__(self, accelerator: Accelerator, task: Task, settings: Settings, optimizer):
        self.accelerator, self.task, self.settings, self.optimizer = accelerator, task, settings, optimizer
        self.step, self.history = 0, History(task.metric, task.higher_is_better)
        self.saved_step: int | None = None

    @contextmanager
    def under_way(self, resume: bool, curves: Iterable[Path] = ()) -> Iterator[None]:
        """Within the block it goes on, from the start or, to resume, from the last checkpoint.

        Its folder, and those into which its curves are drawn, are its own. Raises ValueError if the folder holds
        another run or something of others, or if there is none to resume from; OSError if another process owns it, or
        it cannot be written, or it has no room.
        """
        with ExitStack() as stack:
            # The model's weights are then what was learnt, whatever ends the run; dropout is only for learning.
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
        """Be as at the last checkpoint, if they are kept."""

    def on_main_process(self, work: Callable[[], None]) -> None:
        """Let the main process do it, and the others wait; what it raises, all raise."""
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
        """Within the block a task's or listener's code runs; what was learnt is saved before its error goes on."""
        try:
            yield
        except Exception:
            self.rescue()
            raise

    @contextmanager
    def needing_all_processes(self) -> Iterator[None]:
        """Within the block all processes are needed; ConnectionError, which says how to go on, if one has ended."""
        try:
            yield
        except RuntimeError as error:
            if self.accelerator.num_processes == 1 or not is_of_connection(error):
                raise
            self.rescue()  # the others' part of this step is missing, those before it are whole
            how = f"--resume goes on from step {self.saved_step}" if self.saved_step else "nothing was saved before"
            raise ConnectionError(f"Another process of this run has ended, and with it the run; {how}.") from error

    def owes_evaluation(self) -> bool:
        """Did the evaluation fail at the step from which it goes on?"""
        measured = [one["step"] for one in self.history.evaluations]
        return self.step > 0 and self.settings.is_evaluated(self.step) and self.step not in measured

    def interrupt(self) -> None:
        """End before the last step: KeyboardInterrupt, for there is nothing to come back to."""
        raise KeyboardInterrupt

    def finish(self) -> None:
        """Leave the model in the folder, if there is one."""


class SavedRun(Run):
    """A run in a folder: it keeps its checkpoints, its history and in the end the model there."""

    def __init__(
        self, accelerator: Accelerator, device: torch.device, task: Task, settings: Settings, optimizer, folder: Path
    ):
        super().__init__(accelerator, task, settings, optimizer)
        self.folder, self.checkpoints = folder, Checkpoints(folder / "checkpoints", settings.keep)
        # As they are read from a checkpoint: what JSON does not tell apart is no difference.
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
            # First, for weights of other shapes would only look like broken checkpoints.
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
        """Write a checkpoint, and then the evaluations up to it."""
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
        """Leave the model in the folder: the last one or, where it stopped getting better, the best."""
        best = self.history.best
        if best and self.history.has_stalled(self.settings.patience):
            self.restore_best(best["step"])
        tokenizer = cast(Tokenizer, self.task.tokenizer)  # claim_folder has asked for one
        task = {**self.task.description, "fingerprint": self.fingerprint}
        self.on_main_process(lambda: save(self.task.model, tokenizer, self.folder, task))

    def restore_best(self, step: int) -> None:
        """The best model's weights; the last one's, with a warning, if the file is broken."""
        try:
            self.checkpoints.restore_weights(step, self.task.model)
        except ValueError as error:
            warnings.warn(f"{error} The last model is kept in place of the best.", stacklevel=2)

    def check_same(self, state: dict | None) -> None:
        """Raise ValueError if a checkpoint is of another task, model or data, or was trained with other settings.

        What an older version has not kept is not compared.
        """
        if state is None:  # nothing can be read: restore says what is wrong
            return
        begun = state.get("run")
        if not isinstance(begun, dict) or not isinstance(state.get("evaluations"), list):
            raise ValueError(f"The newest checkpoint in {self.folder} was not written by a training run.")
        for name, value in self.identity.items():
            if name in begun and name not in MAY_CHANGE and not is_same(begun[name], value):
                raise ValueError(f"{name} is {value!r}; the run in {self.folder} was begun with {begun[name]!r}.")
        if state["format"] < SAME_BATCHES:
            warnings.warn(
                f"{self.folder} was begun with an older version, which kept nothing of its data and put the "
                "examples in another order: the run goes on, but not to the weights that it would have had there.",
                stacklevel=2,
            )
            return
        remedy = "put the data back as they were, or train anew into another folder"
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
    """A run in the folder; without one, a run that keeps nothing. Raises ValueError where it has to keep the best."""
    if folder is not None:
        # In full, for a listener or another thread may change the working directory.
        folder = Path(os.path.abspath(path_of(folder)))
        return SavedRun(accelerator, device, task, settings, optimizer, folder)
    if settings.patience:
        raise ValueError("patience needs a folder: the best model is kept there until it is known to be the best.")
    return Run(accelerator, task, settings, optimizer)


def check_weights(model: nn.Module, step: int) -> None:
    """Raise ValueError if a weight is no number any more, which the loss shows at the next step only."""
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise ValueError(f"{name} is no number after step {step}: {DIVERGED}")


def check_folder(folder: Path, resume: bool) -> None:
    """Raise what train would, if the folder is not fit for a run: before the data are read, which may take long."""
    with owning(folder):
        check_contents(folder, resume)


def check_contents(folder: Path, resume: bool) -> None:
    """Raise ValueError if a new run would overwrite something; FileNotFoundError if there is none to be resumed."""
    checkpoints = Checkpoints(folder / "checkpoints")
    if resume:
        checkpoints.check_there()
        return
    if checkpoints.saved():
        raise ValueError(f"{folder} holds a training run already: resume it, or give another folder.")
    for path in [*(folder / name for name in WRITTEN), *checkpoints.others()]:
        # Of a run that was stopped before its first checkpoint only an empty metrics.jsonl is left.
        if path.exists() and not (path.name == "metrics.jsonl" and path.is_file() and path.stat().st_size == 0):
            what = "a model" if path.name == "model.safetensors" else path.relative_to(folder)
            raise ValueError(f"{folder} holds {what} already: give another folder.")


def identity(task: Task, settings: Settings) -> dict:
    """What makes it this run: the task, the model's config, the settings."""
    return {"task": task.description, **asdict(cast(TransformerConfig, task.model.config)), **asdict(settings)}


def is_of_connection(error: RuntimeError) -> bool:
    """Does the error say that another process cannot be reached? gloo has no class of its own for it."""
    return isinstance(error, torch.distributed.DistError) or "peer" in str(error)


def is_same(begun, now) -> bool:
    """Is the value the same? Of a task's description what was kept; of a file its name, for it may have been moved."""
    if isinstance(begun, dict) and isinstance(now, dict):
        return all(name in now and is_same(value, now[name]) for name, value in begun.items())
    if isinstance(begun, str) and isinstance(now, str):
        return PureWindowsPath(begun).name == PureWindowsPath(now).name  # which knows both kinds of slash
    return begun == now
