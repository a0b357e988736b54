"""Collect what learners hand in: from folders and archives into nbgrader's submitted/STUDENT/NN_name/name.ipynb.

The lesson is in the file's name (attention.ipynb, or anything that ends in _attention.ipynb), the student in the folder
above it, or in what stands before the first underscore of the file's name. Moodle, Canvas and nbgrader's own folders
are all of this kind.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..files import write_whole
from .archives import Found, notebooks_in
from .notebooks import assignments, notebook_name

MOODLE = re.compile(r"_\d+_assignsubmission_.*$")
LONGEST = 80


@dataclass
class Collected:
    """What was collected, as (student, assignment), and what was left out, as (where it stood, why)."""

    kept: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def collect(root: Path, sources: Iterable[Path]) -> Collected:
    """Collect from folders and archives; a later file of a learner takes the place of an earlier one."""
    collected = Collected()
    taken: dict[tuple[str, str], str] = {}
    for path in sources:
        for found in notebooks_in(path):
            keep(root, found, path, collected, taken)
    return collected


def keep(root: Path, found: Found, path: Path, collected: Collected, taken: dict) -> None:
    where = "/".join(found.where)[-200:]
    if ".ipynb_checkpoints" in found.where:
        return
    if found.refused:
        collected.left_out.append((where, found.refused))
        return
    assignment = assignment_of(found)
    if assignment is None:
        collected.left_out.append((where, "no exercise of the course has such a name"))
        return
    written = student_of(found, assignment, path)
    student = safe_name(written)
    if not student:
        collected.left_out.append((where, "it does not say whose it is"))
        return
    if taken.setdefault((student, assignment), written) != written:
        collected.left_out.append((where, f"two names become the same, {student}: rename one"))
        return
    place = root / "submitted" / student / assignment / f"{notebook_name(assignment)}.ipynb"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, found.content)
    timestamp = place.with_name("timestamp.txt")  # nbgrader's way of keeping the date
    if found.when:
        write_whole(timestamp, f"{found.when:%Y-%m-%d %H:%M:%S} UTC\n")
    else:
        timestamp.unlink(missing_ok=True)
    if (student, assignment) not in collected.kept:
        collected.kept.append((student, assignment))


def assignment_of(found: Found) -> str | None:
    """The assignment that a file's name says, or the folder above it, or else its own metadata."""
    stem = found.where[-1].removesuffix(".ipynb")
    names = {notebook_name(one): one for one in assignments()}
    for name in sorted(names, key=len, reverse=True):
        if re.search(rf"(^|[_\W]){re.escape(name)}([-_ ]?\(?\d*\)?)$", stem):
            return names[name]
    try:
        told = json.loads(found.content)["metadata"]["transformer_lab"]["source"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Path(str(told)).stem if Path(str(told)).stem in names.values() else None


def student_of(found: Found, assignment: str, path: Path) -> str:
    """Whose file this is: the folder above it, the start of its name, or the archive's own name."""
    above = [part for part in found.where[:-1] if part not in (assignment, notebook_name(assignment), "submitted", ".")]
    if above:
        return MOODLE.sub("", above[-1])
    before, underscore, _ = found.where[-1].removesuffix(".ipynb").partition("_")
    if underscore and before:
        return before
    return "" if path.is_dir() or path.suffix == ".ipynb" else path.name.partition(".")[0]


def safe_name(name: str) -> str:
    """A student's name as a folder's: letters and digits of any script, and a few signs; nothing else, nothing long."""
    name = unicodedata.normalize("NFC", name).strip()
    name = re.sub(r"[^\w.@ -]", "_", name)[:LONGEST]
    return name.strip(". -")
