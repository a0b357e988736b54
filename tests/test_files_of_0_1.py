"""What learners and users of version 0.1 have on their disks keeps working: its files are in files_of_0.1."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner

import build
from transformer_lab import BERT, Transformer, cli, load
from transformer_lab.exercise_files import PRISTINE, reset
from transformer_lab.grading import grade, my_progress, predict, predictions, results
from transformer_lab.tasks.catalogue import make_task, saved_task
from transformer_lab.training.checkpoints import Checkpoints
from transformer_lab.training.loop import evaluate, make_optimizer, train
from transformer_lab.training.settings import Settings

OLD = Path(__file__).parent / "files_of_0.1"
NUMBERS = json.loads((OLD / "numbers.json").read_text(encoding="utf-8"))
SMALL = dict(n=64, d_model=8, n_heads=2, n_layers=1, d_ff=16)
RUN = Settings(steps=8, batch_size=16, evaluate_every=4, keep=1)
UNKNOWN_DATA = "does not say what data its model was trained with"


def copied(name, tmp_path):
    """A copy of an old file or folder, for a test to write into."""
    copy = shutil.copytree if (OLD / name).is_dir() else shutil.copyfile
    return copy(OLD / name, tmp_path / Path(name).name)


def outputs(model):
    """What a model computes of fixed ids, where some are padding: eight numbers for each token."""
    ids = torch.tensor([[4, 5, 6, 7, 8], [9, 8, 4, 0, 0]])
    mask = ids != 0
    output = model(ids, ids, mask, mask) if isinstance(model, Transformer) else model(ids, mask)
    if isinstance(model, BERT) and model.pooler is not None:
        pooled = model.pool(output)[:, None].expand(-1, 5, -1)
        return torch.cat([pooled, model.masked_lm_logits(output)], dim=-1)[mask][:, ::2]
    return output if output.ndim == 2 else output[mask][:, :8]


def assert_as_then(found, recorded):
    torch.testing.assert_close(found.detach(), torch.tensor(recorded), rtol=1e-4, atol=1e-4)


# answers and progress --------------------------------------------------------------------------------------------


@pytest.fixture
def record(tmp_path, monkeypatch):
    """The learner's record of version 0.1."""
    for store in (results.RESULTS, predictions.GUESSES, predictions.RUNS):
        monkeypatch.setattr(store, "waiting", {})
    monkeypatch.delenv("TRANSFORMER_LAB_PROGRESS", raising=False)
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(copied("progress", tmp_path)))


def test_progress_shows_what_was_done_with_the_old_version(record):
    summary = my_progress()
    done = {line.lesson: line for line in summary.lines if line.tried or line.guesses}
    assert sorted(done) == ["02_attention", "03_masks"]
    attention, masks = done["02_attention"], done["03_masks"]
    # Of the two old guesses one is on a question that no lesson asks any more.
    assert (attention.tried, attention.done, attention.guesses, attention.borne_out) == (3, 1, 1, 0)
    assert attention.points == 7
    assert (masks.tried, masks.guesses, masks.borne_out) == (1, 1, 0) and masks.points == 3
    assert all("cannot" not in note for note in summary.notes)


def test_new_work_is_added_to_the_old(record):
    predict("02_attention.gradient", "vanishes")
    predict("02_attention.gradient", actual="vanishes")
    results.RESULTS.add("attention.mix", {"best": 3.0, "possible": 3.0, "tries": 1, "last": "2027-01-01"})
    kept = results.RESULTS.read()
    assert kept["attention.mix"]["tries"] == 2 and kept["attention.softmax"]["best"] == 4
    assert {line.lesson: line.borne_out for line in my_progress().lines}["02_attention"] == 1


@pytest.fixture
def exercises(tmp_path):
    """An exercises folder with a notebook of version 0.1, answers in it."""
    (tmp_path / "exercises" / "02_attention").mkdir(parents=True)
    copied("attention.ipynb", tmp_path / "exercises" / "02_attention")
    return tmp_path / "exercises"


def test_reset_keeps_old_answers_beside_the_new_notebook(exercises):
    path, kept = reset("02", exercises)
    assert path.read_bytes() == (PRISTINE / "02_attention.ipynb").read_bytes()
    assert kept.read_bytes() == (OLD / "attention.ipynb").read_bytes()
    assert "my own note: zeros first" in kept.read_text(encoding="utf-8")


def test_the_build_leaves_old_answers_alone(exercises, monkeypatch):
    source = build.ROOT / "source" / "exercises" / "02_attention.py"
    derived = build.derive(source)
    monkeypatch.setattr(build, "derive", lambda source: derived)
    monkeypatch.setattr(build, "ROOT", exercises.parent)
    with pytest.raises(build.EditedExercise, match="holds answers"):
        build.build(source)
    assert (exercises / "02_attention" / "attention.ipynb").read_bytes() == (OLD / "attention.ipynb").read_bytes()


def test_old_answers_are_graded(exercises):
    """Cell by cell, as they stand in the old notebook; a question that is another now says how to go on."""
    scores, names = {}, {}
    notebook = json.loads((exercises / "02_attention" / "attention.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        grader = cell["metadata"].get("nbgrader", {})
        code = "".join(cell["source"])
        if grader.get("grade"):
            try:
                scores[grader["grade_id"]] = eval(code.splitlines()[-1], {**names, "grade": grade})
            except ValueError as error:
                scores[grader["grade_id"]] = str(error)
        elif cell["cell_type"] == "code" and not code.startswith("def show"):
            exec(code, names)
    assert scores["softmax-check"] == 4 and scores["entropy-check"] == 3
    assert scores["mix-check"] == 0
    assert "`make reset LESSON=02_attention`" in scores["repair-check"]


# models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NUMBERS["outputs"])
def test_an_old_model_computes_what_it_did(name):
    model, tokenizer = load(OLD / "models" / name)
    assert_as_then(outputs(model), NUMBERS["outputs"][name])
    assert len(tokenizer) == model.config.vocab_size


@pytest.mark.parametrize("name", NUMBERS["metrics"])
def test_an_old_model_is_evaluated_as_it_was(name, monkeypatch):
    data = {"pairs": "pairs.tsv", "text": "text.txt"}.get(name)
    with pytest.warns(UserWarning, match=UNKNOWN_DATA):
        task = saved_task(OLD / "models" / name, data and OLD / data)
    found = evaluate(task)
    assert found == pytest.approx({metric: NUMBERS["metrics"][name][metric] for metric in found}, rel=1e-3, abs=1e-3)
    assert task.metric in found


def test_the_command_line_evaluates_and_translates_with_an_old_model(tmp_path):
    folder = str(copied("models/pairs", tmp_path))
    run = CliRunner().invoke(cli.app, ["evaluate", folder])
    assert run.exit_code == 2 and "pairs.tsv, which the model in" in run.output and "--data" in run.output
    copied("pairs.tsv", tmp_path)  # beside the model it is found
    run = CliRunner().invoke(cli.app, ["evaluate", folder])
    assert run.exit_code == 0 and UNKNOWN_DATA in run.output and "exact_match          1.0000" in run.output
    run = CliRunner().invoke(cli.app, ["translate", folder, "the house is old"])
    assert run.output == "Haus ist alt\n"


# a run -----------------------------------------------------------------------------------------------------------


def test_an_old_run_goes_on(tmp_path):
    folder, task = copied("run", tmp_path), make_task("copy", **SMALL)
    with pytest.warns(UserWarning, match="begun with an older version.*the run goes on"):
        history = train(task, RUN, folder, resume=True, progress=False)
    assert [one["step"] for one in history.evaluations] == [4, 8]
    then, now = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert then == json.loads((OLD / "run" / "metrics.jsonl").read_text(encoding="utf-8")) and now["step"] == 8
    model, _ = load(folder)
    torch.testing.assert_close(outputs(model), outputs(task.model).detach(), rtol=1e-2, atol=1e-2)  # 16 bits


def test_an_old_run_is_held_to_its_settings(tmp_path):
    folder = copied("run", tmp_path)
    with pytest.raises(ValueError, match="lr is 0.1; the run in .* was begun with 0.002"):
        train(make_task("copy", **SMALL), replace(RUN, lr=0.1), folder, resume=True, progress=False)


def test_an_old_optimizer_takes_the_step_that_it_would_have_taken():
    """With the moments of each parameter: mixed up, they would lead elsewhere."""
    task = make_task("copy", **SMALL)
    optimizer = make_optimizer(task.model, RUN)
    assert Checkpoints(OLD / "run" / "checkpoints").restore(task.model, optimizer)["step"] == 4
    ids = torch.tensor([[4, 5, 6, 7, 8]])
    F.cross_entropy(task.model(ids, ids).flatten(end_dim=1), ids.flatten()).backward()
    optimizer.step()
    assert_as_then(outputs(task.model), NUMBERS["one step after the run"])
