"""Everything about a training run that is not the model and not the data."""

import math
from dataclasses import dataclass
from numbers import Real

import torch

from ..arguments import check_at_least, check_seed
from ..sentences import said
from .schedules import SCHEDULES

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """How to train; raises ValueError for a value that makes no sense.

    steps          optimizer steps                      batch_size     examples a step, over all processes
    accumulation   parts that a process's share of the batch is computed in, one after the other, to save memory
    lr             highest learning rate                schedule       "cosine", "inverse_sqrt" or "constant"
    warmup         steps until lr is reached (default: a tenth of all steps)
    weight_decay   on matrices only                     clip           largest norm of the gradient
    beta_2         how long AdamW remembers the size of gradients
    label_smoothing   probability spread evenly over all labels (Szegedy et al. 2015, arXiv:1512.00567)
    seed           of the weights, the order of the examples and dropout
    evaluate_every    steps between two evaluations (default: a fifth of all steps)
    checkpoint_every  steps between two checkpoints, beside the one at each evaluation
    keep           how many checkpoints stay, beside the best
    patience       stop after so many evaluations without a better result (default: never)
    log_every      steps between two looks at the loss
    precision      of the matrix products: "float32" or "bfloat16" (default: bfloat16 on CUDA, else float32)
    compile        make one fast program of the model first (default: on CUDA only)
    """

    steps: int
    batch_size: int = 64
    accumulation: int = 1
    lr: float = 2e-3
    schedule: str = "cosine"
    warmup: int | None = None
    weight_decay: float = 0.01
    clip: float = 1.0
    beta_2: float = 0.99
    label_smoothing: float = 0.0
    seed: int = 0
    evaluate_every: int | None = None
    checkpoint_every: int | None = None
    keep: int = 2
    patience: int | None = None
    log_every: int = 10
    precision: str | None = None
    compile: bool | None = None

    def __post_init__(self):
        for name in ("steps", "batch_size", "accumulation", "keep", "log_every"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("evaluate_every", "checkpoint_every", "patience"):
            if getattr(self, name) is not None:
                check_at_least(name, getattr(self, name), 1)
        check_seed(self.seed)
        if self.warmup is not None:
            check_at_least("warmup", self.warmup, 0)
        for name in ("lr", "clip", "weight_decay", "label_smoothing", "beta_2"):
            check_number(name, getattr(self, name))
        for name in ("lr", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be more than 0; got {said(getattr(self, name))}.")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be at least 0; got {said(self.weight_decay)}.")
        for name in ("label_smoothing", "beta_2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1; got {said(getattr(self, name))}.")
        for name, value, choices in (
            ("schedule", self.schedule, tuple(SCHEDULES)),
            ("precision", self.precision, (None, *PRECISIONS)),
        ):
            if value not in choices:
                listed = ", ".join(repr(choice) for choice in choices if choice)
                raise ValueError(f"{name} must be one of {listed}; got {value!r}.")
        if self.compile not in (None, True, False):
            raise ValueError(f"compile must be True, False or None; got {self.compile!r}.")

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        n_warmup = self.steps // 10 if self.warmup is None else self.warmup
        return self.lr * SCHEDULES[self.schedule](step, self.steps, n_warmup)

    def in_bfloat16(self, device: torch.device) -> bool:
        """Are matrices multiplied in 16 bits?"""
        return device.type == "cuda" if self.precision is None else self.precision == "bfloat16"

    def compiles(self, device: torch.device) -> bool:
        """Is the model compiled?"""
        return device.type == "cuda" if self.compile is None else self.compile

    def check_share(self, n_processes: int) -> None:
        """Raise ValueError unless the batch can be shared evenly among so many processes and their parts."""
        if self.batch_size % (n_processes * self.accumulation):
            raise ValueError(
                f"batch_size must be a multiple of processes times accumulation; "
                f"got {self.batch_size} with {n_processes} processes and accumulation {self.accumulation}."
            )

    def is_evaluated(self, step: int) -> bool:
        """Is the model evaluated when so many steps are done?"""
        return step == self.steps or step % (self.evaluate_every or max(1, self.steps // 5)) == 0

    def is_saved(self, step: int) -> bool:
        """Is a checkpoint written when so many steps are done?"""
        # At each evaluation as well, for it may turn out to be the best.
        return self.is_evaluated(step) or (self.checkpoint_every is not None and step % self.checkpoint_every == 0)


def check_number(name: str, value) -> None:
    """Raise ValueError unless value is a number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number; got {said(value)}.")
