"""Tasks by name, as the command line names them, with the settings that suit them."""

from pathlib import Path

from ..data.files import find_texts, found_again
from ..device import pick_device, plain_tensors
from ..files import path_of
from ..pretrained import load, trained_on
from ..pretrained.names import COURSE, shipped
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


def make_task(task: str | Path, target: str | None = None, preset: str = "nano", seed: int = 0, **options) -> Task:
    """The task of this name, a key of SETTINGS, or on a file: pairs by its ending (PARALLEL), otherwise text.

    target: the language of dates and numbers. Where there is a file or a folder of texts with a task's name, see
    `shipped`. Raises ValueError for a target where there is none to choose, FileNotFoundError for a name that is
    neither a task nor a file.
    """
    name = shipped(task, SETTINGS, holds_data, "task")
    options = dict(options, preset=preset, seed=seed)
    if target is not None:
        if name not in ("dates", "numbers"):
            raise ValueError(f"target is {target!r}, but only dates and numbers have one to choose.")
        options["target"] = target
    if name is None and not path_of(task).exists():
        raise FileNotFoundError(f"{str(task)!r} is neither a file nor one of the tasks: {', '.join(SETTINGS)}.")
    with plain_tensors():
        return file_task(path_of(task), **options) if name is None else named_task(name, **options)


def named_task(name: str, **options) -> Task:
    """One of the course's own tasks."""
    if name in ("copy", "reverse", "sort"):
        return toy(name, **options)
    makers = {"dates": dates, "numbers": numbers, "docs": docs, "ner": Entities, "modules": Modules}
    return makers.get(name, Induction)(**options)


def check_data(path: Path, kept: str) -> None:
    """Raise ValueError if the path cannot be where the data now are that a run has kept as `kept`."""
    if kept in SETTINGS:
        raise ValueError(f"The model was trained on {kept}, which is of the course: there is no file to be given.")
    if path.exists() and is_parallel(path) != is_parallel(Path(kept)):
        wanted = "a file of pairs" if is_parallel(Path(kept)) else "text to go on with"
        raise ValueError(f"The model was trained on {Path(kept).name}, {wanted}; {path} is none.")


def is_parallel(path: Path) -> bool:
    """Does the path hold pairs of texts, by its ending?"""
    return path.suffix.lower() in PARALLEL and not path.is_dir()


def file_task(path: Path, **options) -> Task:
    """A task on a file or folder that is there."""
    task = (parallel_file if is_parallel(path) else text_files)(path, **options)
    if task.description["task"] in SETTINGS:
        task.description["task"] = f"./{task.description['task']}"
    return task


def holds_data(path: Path) -> bool:
    """Is it a file, or a folder with texts, that could be trained on?"""
    return path.is_file() or (path.is_dir() and bool(find_texts(path)))


def settings_for(task: str | Path) -> dict:
    """The settings that suit a task, if nothing else is said."""
    return SETTINGS.get(str(task).removeprefix(COURSE), FILE_SETTINGS)


def saved_task(name: str | Path, data: str | Path | None = None) -> Task:
    """The task that a saved model was trained on, with that model; data: its file or folder, if that has been moved.

    Raises as load does, and ValueError if the model names no task, or if its data are not those it was trained with.
    """
    told = dict(trained_on(name))
    kept, task_name = told.pop("fingerprint", None), told.pop("task", None)
    model, tokenizer = load(name)
    if data is not None:
        check_data(path_of(data), str(task_name))
    try:
        if data is None and task_name in SETTINGS:
            more = {"tokenizer": tokenizer} if task_name == "docs" else {}
            task = named_task(task_name, **told, **more)
            remedy = "take the versions of Python and the packages that it was trained with, or train anew"
        else:
            path = found_again(str(task_name), path_of(name)) if data is None else path_of(data)
            task = file_task(path, tokenizer=tokenizer, **told)
            remedy = f"put {path} back as it was, or say with --data where it is"
    except TypeError as error:
        raise ValueError(f"{name} says of its task what cannot be made: {error}.") from error
    task.model, task.tokenizer = model.to(pick_device()), tokenizer
    check_fingerprint(kept, task.fingerprint(), name, remedy)
    return task
