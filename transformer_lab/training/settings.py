"""Everything about a training run other than the model and the data."""

import math
from dataclasses import MISSING, dataclass, field, fields
from numbers import Real

from ..arguments import check_at_least, check_seed
from ..sentences import short_repr
from .schedules import SCHEDULES

PRECISIONS = ("float32", "bfloat16")


def option(default, meaning: str):
    """A field of Settings. help(Settings) and the help of `transformer-lab train` show its meaning."""
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Settings:
    """How to train. Raises ValueError for a value that makes no sense."""

    steps: int = option(MISSING, "Optimizer steps.")
    batch_size: int = option(64, "Examples in a step, over all processes.")
    accumulation: int = option(
        1, "Parts into which a process splits its share of a batch, computed in turn to save memory."
    )
    lr: float = option(2e-3, "Highest learning rate.")
    schedule: str = option("cosine", "Learning rate after the warmup: cosine, inverse_sqrt or constant.")
    warmup: int | None = option(None, "Steps until the highest learning rate; by default a tenth of all steps.")
    weight_decay: float = option(0.01, "Weight decay of AdamW, on matrices only.")
    clip: float = option(1.0, "Largest norm of the gradient; a longer gradient is scaled down to it.")
    beta_2: float = option(0.99, "Second beta of AdamW: how long it remembers the size of gradients.")
    label_smoothing: float = option(
        0.0, "Probability spread evenly over all labels (Szegedy et al. 2015, arXiv:1512.00567)."
    )
    seed: int = option(0, "Seed of the examples' order and dropout; on the command line, of examples and weights too.")
    evaluate_every: int | None = option(None, "Steps between evaluations; by default a fifth of all steps.")
    checkpoint_every: int | None = option(None, "Steps between checkpoints, in addition to one at each evaluation.")
    keep: int = option(2, "How many of the last checkpoints are kept, besides the best.")
    patience: int | None = option(
        None, "Keep the best model, and stop after this many evaluations without a better one; by default never."
    )
    log_every: int = option(10, "Steps between reports of the loss to the progress bar and to listeners.")
    precision: str | None = option(
        None, "Type of the matrix products: float32 or bfloat16; by default bfloat16 on CUDA and float32 elsewhere."
    )
    compile: bool | None = option(
        None, "Compile model and loss with torch.compile; by default on CUDA if all batches have the same shape."
    )

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
                raise ValueError(f"{name} must be more than 0; got {short_repr(getattr(self, name))}.")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be at least 0; got {short_repr(self.weight_decay)}.")
        for name in ("label_smoothing", "beta_2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1; got {short_repr(getattr(self, name))}.")
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

    # The two below take a torch.device; torch is not imported for that: the command line's help would wait for it.
    def in_bfloat16(self, device) -> bool:
        """Are matrices multiplied in 16 bits?"""
        return device.type == "cuda" if self.precision is None else self.precision == "bfloat16"

    def compiles(self, device, is_padded: bool) -> bool:
        """Are model and loss compiled? Padded batches differ in length, and each new length would be compiled anew."""
        return device.type == "cuda" and not is_padded if self.compile is None else self.compile

    def check_share(self, n_processes: int) -> None:
        """Raise ValueError unless the batch can be shared evenly among this many processes and their parts."""
        if self.batch_size % (n_processes * self.accumulation):
            raise ValueError(
                f"batch_size must be a multiple of processes times accumulation; "
                f"got {self.batch_size} with {n_processes} processes and accumulation {self.accumulation}."
            )

    def is_evaluated(self, step: int) -> bool:
        """Is the model evaluated after this many steps?"""
        return step == self.steps or step % (self.evaluate_every or max(1, self.steps // 5)) == 0

    def is_saved(self, step: int) -> bool:
        """Is a checkpoint written after this many steps?"""
        # At each evaluation as well, because it may turn out to be the best.
        return self.is_evaluated(step) or (self.checkpoint_every is not None and step % self.checkpoint_every == 0)


def options_in_words() -> str:
    """A line for each option of Settings: its name, meaning and default."""
    lines = []
    for one in fields(Settings):
        default = "" if one.default in (MISSING, None) else f" Default: {one.default!r}."
        lines.append(f"    {one.name:<18}{one.metadata['help']}{default}")
    return "\n".join(lines)


Settings.__doc__ = f"{Settings.__doc__}\n\n{options_in_words()}\n"


def check_number(name: str, value) -> None:
    """Raise ValueError unless value is a number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number; got {short_repr(value)}.")
