"""Make a task: by its name in the registry, on a user's file, or the task of a saved model."""

from pathlib import Path

from ..classifiers import Labeller
from ..data.files import find_texts, found_again
from ..device import pick_device, plain_tensors
from ..files import path_of
from ..pretrained import load, trained_on
from ..pretrained.names import COURSE, name_in_course
from ..sentences import listed
from .labelled_file import labelled_file
from .language import text_files
from .registry import FILE_SETTINGS, SMALL_CHANGES, SMALL_SETTINGS, TASKS, with_targets
from .task import Task, check_fingerprint
from .translation import parallel_file

# `transformer-lab train docs` is what the README says, in the folder that has this one.
MANUAL = Path(__file__).resolve().parents[2] / "docs"
PARALLEL = (".tsv", ".tab", ".po", ".mo")


def make_task(
    task: str | Path,
    target: str | None = None,
    preset: str = "nano",
    seed: int = 0,
    ids_folder: Path | None = None,
    **options,
) -> Task:
    """The task of this name (TASKS), or on a file: pairs if its ending says so (PARALLEL), otherwise text.

    target: the language of tasks that translate; ids_folder: where the ids of a long text are kept for the next time,
    instead of in memory. If a file or folder has the name of a task, see `name_in_course`.
    Raises ValueError for a target of a task that has none, FileNotFoundError for a name that is neither a task nor a
    file.
    """
    name = name_in_course(task, TASKS, holds_data, "task")
    options = {**(SMALL_CHANGES if preset == "small" else {}), **options, "preset": preset, "seed": seed}
    if target is not None:
        if name not in with_targets():
            raise ValueError(
                f"target is {target!r}, but only {listed(with_targets(), 'and')} have a choice of targets."
            )
        options["target"] = target
    if name is None and not path_of(task).exists():
        raise FileNotFoundError(f"{str(task)!r} is neither a file nor one of the tasks: {', '.join(TASKS)}.")
    with plain_tensors():
        return file_task(path_of(task), ids_folder, **options) if name is None else TASKS[name].make(**options)


def check_data(path: Path, kept: str) -> None:
    """Raise ValueError if what a run has recorded as its data, `kept`, cannot be at this path now."""
    if kept in TASKS:
        raise ValueError(f"The model was trained on {kept}, a task of the course, which reads no file.")
    if path.exists() and is_parallel(path) != is_parallel(Path(kept)):
        wanted, found = ("text", "a file of pairs") if is_parallel(path) else ("a file of pairs", "text")
        raise ValueError(f"The model was trained on {Path(kept).name}, which is {wanted}; {path} is {found}.")


def is_parallel(path: Path) -> bool:
    """Does the path's ending say that it holds pairs of texts?"""
    return path.suffix.lower() in PARALLEL and not path.is_dir()


def file_task(path: Path, ids_folder: Path | None = None, **options) -> Task:
    """A task on a file or folder that exists."""
    parallel = is_parallel(path)
    task = parallel_file(path, **options) if parallel else text_files(path, ids_folder=ids_folder, **options)
    if task.description["task"] in TASKS:
        task.description["task"] = f"./{task.description['task']}"
    return task


def holds_data(path: Path) -> bool:
    """Is it something to train on: a file, or a folder with texts? The course's own manual, in MANUAL, is not."""
    return path.is_file() or (path.is_dir() and path.resolve() != MANUAL and bool(find_texts(path)))


def settings_for(task: str | Path, preset: str = "nano") -> dict:
    """The settings that suit a task and a preset, where they differ from those of Settings."""
    named = None if isinstance(task, Path) else TASKS.get(task.removeprefix(COURSE))
    settings = FILE_SETTINGS if named is None else named.settings
    if preset != "small":
        return settings
    return settings | SMALL_SETTINGS | ({} if named is None else named.small)


def saved_task(name: str | Path, data: str | Path | None = None) -> Task:
    """The task that a saved model was trained on, with that model; data: its file or folder, if that has been moved.

    Raises as load does, and ValueError if the model names no task, or if its data are not those it was trained with.
    """
    options = dict(trained_on(name))
    fingerprint, task_name = options.pop("fingerprint", None), options.pop("task", None)
    if task_name is None:
        raise ValueError(f"{name} does not say what its model was trained on, so there is nothing to evaluate it on.")
    model, tokenizer = load(name)
    if data is not None:
        check_data(path_of(data), str(task_name))
    try:
        if data is None and task_name in TASKS:
            named = TASKS[task_name]
            task = named.make(**options, **({"tokenizer": tokenizer} if named.takes("tokenizer") else {}))
            remedy = "use the versions of Python and of the packages that it was trained with, or train again"
        else:
            path = found_again(str(task_name), path_of(name)) if data is None else path_of(data)
            if isinstance(model, Labeller):
                task = labelled_file(path, model, tokenizer, **options)
            else:
                task = file_task(path, tokenizer=tokenizer, **options)
            remedy = f"put {path} back as it was, or say with --data where it is"
    except TypeError as error:
        raise ValueError(f"{name} describes its task in a way that this version does not know: {error}.") from error
    task.model, task.tokenizer = model.to(pick_device()), tokenizer
    check_fingerprint(fingerprint, task.fingerprint(), name, remedy)
    return task
