"""What nbval does not see: order, pictures, paths, links, size; and the marks of exercises and solutions."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import build
from test_telling import SECOND_EDITION
from transformer_lab import exercise_files

ROOT = build.ROOT


def is_clean(path):
    clean = exercise_files.pristine(path)
    return ".bak" not in path.name and clean.exists() and clean.read_bytes() == path.read_bytes()


RUN = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")])
CLEAN = sorted(exercise_files.PRISTINE.glob("*.ipynb"))
# Exercises that nobody has run or answered; the others are a learner's own.
UNTOUCHED = [path for path in sorted(ROOT.glob("exercises/*/*.ipynb")) if is_clean(path)]
ALL = [*RUN, *UNTOUCHED]
ARXIV = re.compile(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}")


def name(path):
    return f"{path.parent.name}/{path.name}"


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", RUN, ids=name)
def test_every_cell_ran_once_in_order(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in cell.metadata.get("tags", [])
            assert output.get("name") != "stderr", output.text


@pytest.mark.parametrize("path", RUN, ids=name)
def test_pictures_are_present(path):
    for cell in code_cells(read(path)):
        draws = re.search(
            r"plt\.subplots|plots\.\w+\(plt|^explorer$|AttentionView\(|DateTranslator\(", cell.source, re.M
        )
        saves = re.search(r"^\w+ = (AttentionView|QueryExplorer|DateTranslator)\(", cell.source.split("\n")[-1])
        if draws and not saves:
            assert any("image/png" in o.get("data", {}) for o in cell.outputs), cell.source


@pytest.mark.parametrize("path", ALL, ids=name)
def test_nothing_personal_or_unstable_is_stored(path):
    notebook, text = read(path), path.read_text(encoding="utf-8")
    outputs = json.dumps([cell.outputs for cell in code_cells(notebook)])
    assert not re.search(r"/home/|/Users/|/root/|/tmp/(?!ipykernel)|[A-Z]:\\\\", outputs)
    assert str(ROOT) not in outputs and str(Path.home()) not in outputs
    assert "widgets" not in notebook.metadata and "widget-view" not in outputs
    assert not any("execution" in cell.metadata for cell in notebook.cells)
    assert notebook.metadata.kernelspec.name == "python3"
    assert len(text) < 1_000_000
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    nbformat.validate(notebook)


@pytest.mark.parametrize("path", ALL, ids=name)
def test_cells_are_plain_and_short(path):
    for cell in code_cells(read(path)):
        assert not cell.source.rstrip().endswith(";"), "nbval cannot see a trailing semicolon: write `_ = ...`"
        assert not re.search(r"\bOutput\(|\binteract|tqdm", cell.source)
        lines = [line for line in cell.source.split("\n") if line.strip()]
        assert len(lines) <= 16, cell.source
        ast.parse(cell.source)
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            assert "# output differs" in cell.source, "say why the output is not compared"


@pytest.mark.parametrize("path", RUN, ids=name)
def test_what_a_folded_output_shows_gives_nothing_away(path):
    # JupyterLab shows the first line of a folded output.
    for cell in code_cells(read(path)):
        if cell.metadata.get("jupyter", {}).get("outputs_hidden") and cell.outputs:
            output = cell.outputs[0]
            text = output.get("text") or output.data.get("text/html") or output.data["text/plain"]
            assert "The run says" not in text.split("\n")[0] and not re.search(r"\d\.\d", text.split("\n")[0]), text


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_link_leads_somewhere(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"""(?:href|src)=["']([^"']+)""", text)
    for target in targets:
        if target.startswith("http"):
            assert ARXIV.fullmatch(target), f"{target}: only papers on arXiv are linked, all else must work offline"
        else:
            assert (path.parent / target.partition("#")[0]).exists(), f"{name(path)} links to {target}"
    assert not re.search(r"!\[\]\(|<img(?![^>]*alt=)", text), "a picture without alternative text"


@pytest.mark.parametrize("path", RUN, ids=name)
def test_every_picture_that_is_stored_has_alternative_text(path):
    for cell in code_cells(read(path)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert output.metadata.get("image/png", {}).get("alt"), cell.source


FIRST_EDITION = [p for p in RUN if p.parent.name == "notebooks" and p.stem not in SECOND_EDITION]  # others: minutes


@pytest.mark.parametrize("path", FIRST_EDITION, ids=name)
def test_a_lesson_is_not_too_long(path):
    cells = read(path).cells
    words = sum(len(re.findall(r"\w+", cell.source)) for cell in cells if cell.cell_type == "markdown")
    assert words < 2900  # about 2,500 words of prose, the rest is formulas and links


def scores(notebook):
    for cell in code_cells(notebook):
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade"):
            assert "from transformer_lab.grading import grade" in cell.source  # or a learner's own `grade` would do
            yield meta, cell.outputs[-1].data


@pytest.mark.parametrize("path", sorted(ROOT.glob("solutions/*/*.ipynb")), ids=name)
def test_a_solution_earns_full_marks(path):
    earned = list(scores(read(path)))
    assert earned
    for meta, data in earned:
        assert float(data["text/plain"]) == meta.points, meta.grade_id


@pytest.mark.parametrize("path", CLEAN, ids=lambda path: path.stem)
def test_an_untouched_exercise_runs_and_scores_nothing(path, tmp_path):
    notebook = read(path)
    NotebookClient(
        notebook, timeout=300, startup_timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    earned = list(scores(notebook))
    assert earned
    for meta, data in earned:
        assert float(data["text/plain"]) == 0 and "Not done yet" in data["text/html"], meta.grade_id


@pytest.mark.parametrize("path", CLEAN, ids=lambda path: path.stem)
def test_every_question_has_points_difficulty_minutes_and_three_hints(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    questions = re.split(r"^## Question \d+", text, flags=re.M)[1:]
    assert 5 <= len(questions) <= 8
    for question in questions:
        assert re.search(r"\d points, difficulty [1-5] of 5, about \d+ minutes", question), question[:80]
        assert question.count("<summary>Hint ") == 3, question[:80]


ANSWER = re.compile(r'answer="(\w+)"(?:(?!# %%).)*?### BEGIN SOLUTION\n(.*?)### END SOLUTION', re.DOTALL)


@pytest.mark.parametrize("path", CLEAN, ids=lambda path: path.stem)
def test_no_solution_leaks_into_an_exercise(path):
    exercise = path.read_text(encoding="utf-8")
    source = Path(ROOT, "source", "exercises", f"{path.stem}.py").read_text(encoding="utf-8")
    answers = ANSWER.findall(source)
    assert answers
    for name, solution in answers:
        body = [line.strip() for line in solution.split("\n") if line.strip()]
        leaked = [line for line in body if json.dumps(line)[1:-1] in exercise]
        # What is mended differs from the broken code in a line or two: the rest stands in the question.
        assert name.startswith("repair") or len(leaked) <= len(body) / 2, (name, leaked)
