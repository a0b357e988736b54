"""Tasks by name, as the command line names them, with the settings that suit them."""

from pathlib import Path

from ..device import pick_device
from ..pretrained import load, trained_on
from .induction import Induction
from .labelling import Entities, Modules
from .language import docs, text_files
from .task import Task, check_fingerprint
from .translation import dates, numbers, parallel_file, toy

# What to train each for, if nothing else is said: enough for "nano" on a laptop.
SETTINGS = {
    "dates": dict(steps=700, lr=3e-3),
    "numbers": dict(steps=700, lr=3e-3),
    "docs": dict(steps=1000, batch_size=32, lr=8e-3),
    "ner": dict(steps=400, batch_size=32),
    "modules": dict(steps=600, batch_size=32, lr=1e-3),
    "copy": dict(steps=600, lr=4e-3),
    "reverse": dict(steps=700, lr=4e-3),
    "sort": dict(steps=800, lr=4e-3),
    "induction": dict(steps=400),
}
FILE_SETTINGS = dict(steps=2000)
PARALLEL = (".tsv", ".tab", ".po", ".mo")


def make_task(task: str, target: str | None = None, preset: str = "nano", seed: int = 0, **options) -> Task:
    """The task of this name, a key of SETTINGS, or on a file: pairs by its ending (PARALLEL), otherwise text.

    target: the language of dates and numbers. Raises ValueError for a target where there is none to choose, and
    FileNotFoundError for a name that is neither a task nor a file.
    """
    options = dict(options, preset=preset, seed=seed)
    if target is not None and task not in ("dates", "numbers"):
        raise ValueError(f"target is {target!r}, but only dates and numbers have one to choose.")
    if task in ("dates", "numbers"):
        make = {"dates": dates, "numbers": numbers}[task]
        return make(target, **options) if target else make(**options)
    if task in ("copy", "reverse", "sort"):
        return toy(task, **options)
    if task in SETTINGS:
        return {"docs": docs, "ner": Entities, "modules": Modules, "induction": Induction}[task](**options)
    path = Path(task)
    if not path.exists():
        raise FileNotFoundError(f"{task!r} is neither a file nor one of the tasks: {', '.join(SETTINGS)}.")
    return parallel_file(path, **options) if path.suffix.lower() in PARALLEL else text_files(path, **options)


def saved_task(name: str) -> Task:
    """The task that a saved model was trained on, with that model.

    Raises as load does, and ValueError if the model names no task, or if its data are not those it was trained with.
    """
    told = dict(trained_on(name))
    kept = told.pop("fingerprint", None)
    task = make_task(**told)
    task.model, task.tokenizer = load(name)
    check_fingerprint(kept, task.fingerprint(), name, "put the data back as they were, or train anew on these")
    task.model.to(pick_device())
    return task
