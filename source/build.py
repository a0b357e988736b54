"""source/*.py -> notebooks/, exercises/ and solutions/: the only way course notebooks and their drawings are made.

A lesson is a jupytext percent file. An exercise file marks its cells on the cell line: `# %% answer="softmax"` is
where the learner writes (between BEGIN SOLUTION and END SOLUTION), `# %% check="softmax" points=4` is the locked cell
that grades. nbgrader's own preprocessors make both notebooks of an exercise. source/figures/NAME.py draws what the
lesson of that name shows as notebooks/figures/NAME_WHAT.svg.
"""

import hashlib
import os
import platform
import sys
from importlib import import_module
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbgrader.preprocessors import CheckCellMetadata, ClearSolutions, ComputeChecksums, LockCells
from traitlets.config import Config

from transformer_lab.exercise_files import PRISTINE, EditedExercise, backup, is_edited
from transformer_lab.files import write_whole

ROOT = Path(__file__).resolve().parents[1]
# The metadata that JupyterLab stores: with any other, a notebook counts as changed as soon as it is opened.
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "mimetype": "text/x-python",
    "file_extension": ".py",
    "codemirror_mode": {"name": "ipython", "version": 3},
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
    "version": platform.python_version(),
}
STUB = "raise NotImplementedError"
MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")
FOLD = '<details style="margin-bottom: 1em">'  # in JupyterLab the text after a fold would stand close to it
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def derive(source: Path) -> dict[Path, nbformat.NotebookNode]:
    """The unexecuted notebooks that a source file stands for, by path from the root."""
    notebook = read(source)
    name = source.stem
    if source.parent.name == "lessons":
        return {Path("notebooks", f"{name}.ipynb"): notebook}
    home = Path(name, f"{name.partition('_')[2]}.ipynb")
    return {Path("exercises") / home: exercise(notebook), Path("solutions") / home: solution(notebook)}


def read(source: Path) -> nbformat.NotebookNode:
    """The source as a notebook: fixed cell ids, our metadata, and the source's hash."""
    text = source.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.nbformat_minor = 5
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": KERNEL,
            "language_info": LANGUAGE,
            "transformer_lab": {
                "source": source.relative_to(ROOT).as_posix(),
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            },
        }
    )
    for index, cell in enumerate(notebook.cells):
        cell.id = f"c{index:03d}"
        cell.metadata.pop("lines_to_next_cell", None)
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("<details>", FOLD)
        mark_for_nbgrader(cell)
    return notebook


def mark_for_nbgrader(cell) -> None:
    """Write out the metadata that `answer=` and `check= points=` stand for."""
    answer, check = cell.metadata.pop("answer", None), cell.metadata.pop("check", None)
    if answer is None and check is None:
        return
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": answer or f"{check}-check",
        "solution": check is None,
        "grade": answer is None,
        "locked": answer is None,
        "task": False,
    }
    if check is not None:
        cell.metadata["nbgrader"]["points"] = cell.metadata.pop("points")


def exercise(notebook):
    """The learner's notebook: solutions replaced by a stub, checks locked."""
    config = Config()
    config.ClearSolutions.code_stub = {"python": STUB}
    notebook = nbformat.from_dict(notebook)
    for step in (LockCells(), ClearSolutions(config=config), CheckCellMetadata(), ComputeChecksums()):
        notebook, _ = step.preprocess(notebook, {})
    for cell in notebook.cells:
        # Outside a function the stub would stop the notebook; there the answer is a variable that starts as None.
        cell.source = "\n".join(line for line in cell.source.split("\n") if line != STUB)
    return notebook


def solution(notebook):
    """The same notebook, solved."""
    notebook, _ = LockCells().preprocess(nbformat.from_dict(notebook), {})
    for cell in notebook.cells:
        cell.source = "\n".join(line for line in cell.source.split("\n") if line.strip() not in MARKERS)
    return notebook


def execute(notebook, folder: Path) -> None:
    """Run every cell in folder, then drop what differs from run to run or machine to machine."""
    # Without store_widget_state nbclient loses what widgets write; the state itself is not kept (see below).
    folder.mkdir(exist_ok=True)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=300, startup_timeout=300, store_widget_state=True, record_timing=False, resources=resources
    )
    client.coalesce_streams = True
    client.execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = LANGUAGE
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_VIEW, None)


def write(path: Path, notebook) -> None:
    """Write the notebook, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, nbformat.writes(notebook).rstrip("\n") + "\n")


def build(source: Path, force: bool = False) -> list[Path]:
    """Make the notebooks of one source; returns their paths. Raises EditedExercise before writing anything."""
    notebooks = derive(source)
    for path in notebooks:
        if path.parts[0] == "exercises" and is_edited(ROOT / path):
            if not force:
                raise EditedExercise(ROOT / path)
            print(f"{path}: the answers in it are kept in {backup(ROOT / path).name}")
    # A clean copy of an exercise goes into the package: by it "edited" is measured, and reset restores it.
    copies = {PRISTINE / f"{path.parent.name}.ipynb": notebook for path, notebook in notebooks.items()
              if path.parts[0] == "exercises"}  # fmt: skip
    for copy, notebook in copies.items():
        if not copy.exists():  # a new exercise: what it grades in its solution is looked up there
            write(copy, notebook)
    for path, notebook in notebooks.items():  # everything has run before anything else is written
        if path.parts[0] != "exercises":
            execute(notebook, ROOT / path.parts[0])
    for path, notebook in (notebooks | copies).items():
        write(ROOT / path, notebook)
    return list(notebooks)


def sources() -> list[Path]:
    """Every lesson and exercise source, in course order, and the glossary."""
    folders = [ROOT / "source" / name for name in ("exercises", "lessons")]
    numbered = [path for folder in folders for path in sorted(folder.glob("[0-9][0-9]_*.py"))]
    return [*numbered, *(ROOT / "source").glob("lessons/glossary.py")]


def draw(name: str, folder: Path) -> list[Path]:
    """Write the drawings of the lesson of this name, if it has any, to the folder; returns their paths."""
    figures = ROOT / "source" / "figures"
    if not (figures / f"{name}.py").exists():
        return []
    if str(figures) not in sys.path:
        sys.path.append(str(figures))
    paths = []
    for drawing in import_module(name).DRAWINGS:
        paths.append(folder / f"{name}_{drawing.__name__}.svg")
        drawing().save(paths[-1])
    return paths


# Whoever builds: no record of theirs, no signs of work in the outputs, and the device that every learner has.
SURROUNDINGS = {"TRANSFORMER_LAB_PROGRESS": "off", "TRANSFORMER_LAB_DEVICE": "cpu"}


def main(names: list[str]) -> int:
    chosen = [path for path in sources() if not names or path.stem in names or path.stem[:2] in names]
    if not chosen:
        print(f"No source called {' '.join(names)}; there are {', '.join(sorted({p.stem for p in sources()}))}.")
        return 2
    status = 0
    os.environ.update(SURROUNDINGS)
    for source in chosen:
        if source.parent.name == "lessons":
            for path in draw(source.stem, ROOT / "notebooks" / "figures"):
                print(path.relative_to(ROOT))
        try:
            for path in build(source, force=bool(os.environ.get("FORCE"))):
                print(path)
        except EditedExercise as edited:
            print(f"{edited} To build over it all the same and keep a backup beside it: make notebooks FORCE=1")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
