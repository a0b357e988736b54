"""The learner's exercise notebooks: tell which were edited, and restore a clean one without losing answers."""

import json
import shutil
from pathlib import Path

from .files import write_whole

PRISTINE = Path(__file__).parent / "exercises"


class EditedExercise(Exception):
    """Raised instead of overwriting a learner's answers."""

    def __init__(self, path: Path):
        super().__init__(f"{path} holds answers: its cells differ from the clean notebook, so it was not changed.")


def pristine(path: Path) -> Path:
    """Return the path of the clean copy of exercises/NN_name/name.ipynb."""
    return PRISTINE / f"{path.parent.name}.ipynb"


def cells(path: Path) -> list[tuple[str, str]]:
    """Read each cell's type and text, which is what a person writes; outputs and execution counts are left out."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


def is_edited(path: Path) -> bool:
    """Return whether a person changed the notebook since it was clean (an unreadable file counts as changed)."""
    if not path.exists():
        return False
    clean = pristine(path)
    if not clean.exists():
        return True
    try:
        return cells(path) != cells(clean)
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def backup(path: Path) -> Path:
    """Copy the notebook to the first free name next to it, and return that path."""
    n = 1
    while (copy := path.with_suffix(f".bak{n}.ipynb")).exists():
        n += 1
    shutil.copy2(path, copy)
    return copy


def reset(lesson: str, exercises: Path) -> tuple[Path, Path | None]:
    """Restore the clean exercises of a lesson ("02", "2", "attention", "02_attention").

    Returns the notebook and the backup of an edited one, or None. Raises ValueError, with the valid names, for a
    lesson without exercises, and for a folder that does not exist.
    """
    if not exercises.is_dir():
        raise ValueError(f"There is no folder {exercises} here: run this in the course's own folder, or give --folder.")
    known = {path.stem: path for path in sorted(PRISTINE.glob("*.ipynb"))}
    matches = [name for name in known if lesson in (name, name[:2], name[:2].lstrip("0"), name[3:])]
    if not matches:
        raise ValueError(f"No exercises for {lesson!r}: give one of {', '.join(known)}.")
    name = matches[0]
    path = exercises / name / f"{name.partition('_')[2]}.ipynb"
    copy = backup(path) if is_edited(path) else None
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, known[name].read_bytes())
    return path, copy
