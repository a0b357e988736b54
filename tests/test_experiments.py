"""Records and their code are found from any working directory, and what is not there is named."""

import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

import build
from transformer_lab import experiments
from transformer_lab.experiments import recorded

NAMES = sorted(path.stem for path in (build.ROOT / "experiments").glob("*.json"))


def test_records_and_their_code_are_found_from_elsewhere(tmp_path):
    code = (
        f"from transformer_lab.experiments import experiment, recorded\nfor name in {NAMES}:\n"
        "    assert 'result' in recorded(name), name\n"
        "    module = experiment(name)\n"
        "    assert module.__file__.endswith(f'{name}.py') and callable(module.run), name"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_they_are_found_around_a_notebook_where_the_package_is_installed_elsewhere(tmp_path, monkeypatch):
    home, inside = tmp_path / "course", tmp_path / "course" / "notebooks" / "mine"
    inside.mkdir(parents=True)
    (home / "experiments").mkdir()
    (home / "experiments" / "own.json").write_text('{"result": 7}')
    monkeypatch.setattr(experiments, "__file__", str(tmp_path / "site-packages" / "transformer_lab" / "experiments.py"))
    monkeypatch.chdir(inside)
    assert recorded("own") == {"result": 7}
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"^experiments/own.json was not found: open the lesson in the course's"
    ):
        recorded("own")


def test_no_lesson_or_exercise_reads_a_path_beside_itself():
    for source in build.sources():
        for cell in build.read(source).cells:
            if cell.cell_type == "code":
                assert "../" not in cell.source and "read_text(" not in cell.source, (source.name, cell.source)


def test_a_lesson_runs_from_another_folder(tmp_path):
    notebook = nbformat.read(build.ROOT / "notebooks" / "03_masks.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=300, startup_timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
