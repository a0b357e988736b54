"""The course's tasks by name. The command line's help is made from this table too, so nothing here loads torch."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module

from ..data import dates, numbers

# "small" has more parameters than these data have letters, and would soon learn them by heart. So it is trained with
# dropout, and the best model is kept, not the last. Batch size and rate were tried in one run on a GPU, without
# dropout; all other values are guesses.
SMALL_SETTINGS = dict(batch_size=64, lr=1e-3, patience=5)
SMALL_CHANGES = dict(dropout=0.2)  # to the model's config


@dataclass(frozen=True)
class Named:
    """A task that has a name."""

    maker: str  # "module.function" in this folder: takes preset, seed and the description's options, returns the Task
    summary: str  # for the command line's help
    settings: dict = field(default_factory=dict)  # what differs from Settings, enough for "nano" on a laptop
    targets: tuple[str, ...] = ()  # the languages from which --target chooses
    small: dict = field(default_factory=dict)  # which settings differ for "small", in addition to SMALL_SETTINGS

    def make(self, **options):
        """The task, made with these options."""
        return self.function()(**options)

    def takes(self, option: str) -> bool:
        """Does the maker have an option of this name?"""
        return option in inspect.signature(self.function()).parameters

    def function(self) -> Callable:
        """The maker; its module is imported only now."""
        module, name = self.maker.split(".")
        return getattr(import_module(f".{module}", __package__), name)


TASKS = {
    "dates": Named("translation.dates", "translate dates from English", dict(steps=700, lr=3e-3), dates.TARGETS),
    "numbers": Named(
        "translation.numbers", "translate numbers in English words", dict(steps=700, lr=3e-3), numbers.TARGETS
    ),
    "docs": Named(
        "language.docs",
        "continue the documentation that comes with Python",
        dict(steps=1000, batch_size=32, lr=8e-3),
        small=dict(steps=2000, warmup=100, evaluate_every=100),
    ),
    "masked": Named("masking.Masked", "fill in hidden words of the documentation", dict(steps=1000, lr=5e-3)),
    "ner": Named(
        "labelling.Entities", "find the names of persons, places and organisations", dict(steps=400, batch_size=32)
    ),
    "modules": Named(
        "labelling.Modules", "tell which module a docstring comes from", dict(steps=600, batch_size=32, lr=1e-3)
    ),
    "copy": Named("translation.copy", "repeat a list of letters", dict(steps=600, lr=4e-3)),
    "reverse": Named("translation.reverse", "write a list of letters backwards", dict(steps=700, lr=4e-3)),
    "sort": Named("translation.sort", "put a list of letters in order", dict(steps=800, lr=4e-3)),
    "induction": Named("induction.Induction", "continue a block of letters that repeats", dict(steps=400)),
}
FILE_SETTINGS = dict(steps=2000)
# Each method of fine-tuning has a rate of its own: the fewer numbers are learnt, the further each has to move.
TUNING_SETTINGS = {
    method: dict(steps=200, batch_size=16, lr=lr)
    for method, lr in {
        "everything": 1e-4,
        "last block": 2e-3,
        "head": 2e-2,
        "biases": 1e-2,
        "lora": 3e-3,
        "adapters": 3e-3,
        "prefix": 2e-2,
        "prompt": 2e-2,
    }.items()
}


def with_targets() -> dict[str, tuple[str, ...]]:
    """The languages of each task that has some to choose from."""
    return {name: task.targets for name, task in TASKS.items() if task.targets}
