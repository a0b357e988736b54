"""A training run and its folder: how it begins, is saved, goes on and ends."""

import warnings
from dataclasses import asdict
from pathlib import Path

from accelerate import Accelerator

from ..pretrained import save
from ..tasks.task import Task
from .checkpoints import Checkpoints
from .record import Record
from .settings import Settings

MAY_CHANGE = ("keep", "log_every", "checkpoint_every", "compile")  # between a run and its resumption


class Run:
    """Where a run stands: its step and its record. Without a folder nothing is written."""

    def __init__(self, accelerator: Accelerator, task: Task, settings: Settings, optimizer, folder=None):
        if settings.patience and folder is None:
            raise ValueError("patience needs a folder: the best model is kept there until it is known to be the best.")
        self.accelerator, self.task, self.settings, self.optimizer = accelerator, task, settings, optimizer
        self.folder = None if folder is None else Path(folder)
        self.step, self.record = 0, Record(task.metric, task.higher_is_better)
        if folder is not None:
            self.checkpoints = Checkpoints(self.folder / "checkpoints", settings.keep)
            if accelerator.is_main_process:
                self.record.path = self.folder / "metrics.jsonl"

    def begin(self, resume: bool) -> None:
        """From the start or, to resume, as at the last checkpoint; ValueError if the folder holds another run."""
        if self.folder is None:
            if resume:
                raise ValueError("To resume a run, give the folder that it was trained in.")
            return
        if resume:
            # First, for weights of other shapes would only look like broken checkpoints.
            self.check_same(self.checkpoints.newest_state())
            state = self.checkpoints.restore(self.task.model, self.optimizer)
            self.step = state["step"]
            self.record.go_back(state["evaluations"])
        elif self.checkpoints.saved():
            raise ValueError(f"{self.folder} holds a training run already: resume it, or give another folder.")
        elif (self.folder / "model.safetensors").exists():
            raise ValueError(f"{self.folder} holds a model already: give another folder.")
        elif self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.record.go_back([])
        self.accelerator.wait_for_everyone()

    def save(self) -> None:
        """Write a checkpoint; the other processes wait for it."""
        if self.folder is None:
            return
        if self.accelerator.is_main_process:
            state = {"run": self.identity(), "evaluations": self.record.evaluations}
            best = self.record.best
            self.checkpoints.save(self.step, self.task.model, self.optimizer, state, best and best["step"])
        self.accelerator.wait_for_everyone()

    def interrupt(self) -> Record:
        """End in between: the record says so; without a folder there is nothing to come back to, KeyboardInterrupt."""
        self.task.model.eval()
        if self.folder is None:
            raise KeyboardInterrupt
        self.record.interrupted = True
        return self.record

    def finish(self) -> None:
        """Leave the model in the folder: the last one or, where it stopped getting better, the best."""
        self.task.model.eval()
        if self.folder is None:
            return
        if self.record.has_stalled(self.settings.patience):
            self.restore_best()
        if self.accelerator.is_main_process:
            save(self.task.model, self.task.tokenizer, self.folder, self.task.description)
        self.accelerator.wait_for_everyone()

    def restore_best(self) -> None:
        """The best model's weights; the last one's, with a warning, if the file is broken."""
        try:
            self.checkpoints.restore_weights(self.record.best["step"], self.task.model)
        except ValueError as error:
            warnings.warn(f"{error} The last model is kept in place of the best.", stacklevel=2)

    def identity(self) -> dict:
        """What makes it this run: the task, the model's config, the settings."""
        return {"task": self.task.description, **asdict(self.task.model.config), **asdict(self.settings)}

    def check_same(self, state: dict | None) -> None:
        """Raise ValueError if a checkpoint is of another task or model, or was trained with other settings."""
        if state is None:  # nothing can be read: restore says what is wrong
            return
        for name, value in self.identity().items():
            begun = state["run"].get(name)
            if name not in MAY_CHANGE and begun != value:
                raise ValueError(f"{name} is {value!r}; the run in {self.folder} was begun with {begun!r}.")
