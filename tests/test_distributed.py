"""Two processes under torchrun, on the CPU, do together what one does alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from test_training import Rows, distance, trained, weights
from transformer_lab.pretrained import load
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

SETTINGS = dict(steps=6, batch_size=32, log_every=1, evaluate_every=3)
# Every run that the tests look at, in one program: starting two Pythons takes longer than all they do.
SCRIPT = """
import json, os, signal, sys
from pathlib import Path
import torch
from test_distributed import SETTINGS
from test_training import Rows, trained
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

out, rank = Path(sys.argv[1]), int(os.environ["RANK"])
seen = {}

def keep(name, task, losses=None, history=None):
    torch.save(task.model.state_dict(), out / f"{name}-{rank}.pt")
    kept = {} if history is None else {"history": vars(history) | {"path": None}, "best": history.best}
    seen[name] = {"losses": losses} | kept

for accumulation in (1, 2):
    task = Rows()
    losses, _ = trained(task, Settings(**SETTINGS, accumulation=accumulation), folder=out / f"run-{accumulation}")
    keep(f"run-{accumulation}", task, losses)

class Falling(Rows):
    # Each process would say something else; the first has the last word.
    scores = iter((0.5, 0.3, 0.4, 0.6, 0.1) if rank == 0 else (0.9, 0.8, 0.7, 0.6, 0.5))
    def evaluate(self):
        return {"validation_loss": next(self.scores)}

task = Falling()
stops = Settings(steps=50, batch_size=32, evaluate_every=2, patience=2)
keep("stopped", task, history=train(task, stops, out / "stopped", progress=False))

class Interrupted(Rows):
    calls = 0
    def logits(self, network, batch):
        self.calls += 1
        if self.calls == 3 and rank == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return super().logits(network, batch)

longer = Settings(steps=20, batch_size=32)
task = Interrupted()
keep("interrupted", task, history=train(task, longer, out / "interrupted", progress=False))
task = Rows(seed=0)
keep("resumed", task, history=train(task, longer, out / "interrupted", resume=True, progress=False))

task, masks = Rows(dropout=0.5), []
task.model.embedding.dropout.register_forward_hook(lambda _m, _i, output: masks.append((output[0, 0] == 0).tolist()))
train(task, Settings(steps=1, batch_size=32, evaluate_every=1), progress=False)
seen["mask"] = masks[0]

try:
    train(Rows(), Settings(steps=1, batch_size=33), progress=False)
except ValueError as error:
    seen["refused"] = str(error)
try:
    train(Rows(), Settings(**SETTINGS), out / "run-1", progress=False)
except ValueError as error:
    seen["used"] = str(error)
(out / f"seen-{rank}.json").write_text(json.dumps(seen))
"""


DYING = """
import os, signal, sys
from test_training import Rows
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

class Dying(Rows):
    calls = 0
    def logits(self, network, batch):
        self.calls += 1
        if self.calls == 8 and os.environ["RANK"] == "1" and sys.argv[2] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().logits(network, batch)

settings = Settings(steps=20, batch_size=32, evaluate_every=5)
try:
    train(Dying(), settings, sys.argv[1], resume=sys.argv[2] == "resumes", progress=False)
except OSError as error:
    print(error, flush=True)
    raise
"""


def torchrun(folder: Path, script: str, *arguments) -> subprocess.CompletedProcess:
    """Run a script in two processes."""
    here = Path(__file__).parent
    (folder / "script.py").write_text(script)
    environment = os.environ | {
        "PYTHONPATH": f"{here}{os.pathsep}{here.parent}",
        "TRANSFORMER_LAB_DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [folder / "script.py", *arguments]
    return subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """Where the two processes have written."""
    folder = tmp_path_factory.mktemp("distributed")
    run = torchrun(folder, SCRIPT, folder)
    assert run.returncode == 0, run.stderr[-4000:]
    return folder


def seen(out: Path, rank: int) -> dict:
    return json.loads((out / f"seen-{rank}.json").read_text())


def weights_of(out: Path, name: str, rank: int) -> dict:
    return torch.load(out / f"{name}-{rank}.pt")


@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_processes_learn_what_one_learns_from_the_same_batches(out, accumulation):
    alone = Rows()
    start = weights(alone.model)
    losses, learnt = trained(alone, Settings(**SETTINGS))
    name = f"run-{accumulation}"
    assert seen(out, 0)[name]["losses"] == pytest.approx(losses, abs=1e-5)
    assert distance(weights_of(out, name, 0), learnt) < 1e-5 < 1e-3 < distance(learnt, start)
    assert distance(weights_of(out, name, 0), weights_of(out, name, 1)) == 0


def test_only_the_first_process_speaks_and_writes(out):
    assert seen(out, 1)["run-1"]["losses"] == []
    lines = [json.loads(line) for line in (out / "run-1" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6]
    assert sorted(path.name for path in (out / "run-1").iterdir()) == [
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert sorted(path.name for path in (out / "run-1" / "checkpoints").iterdir()) == ["step-00000003", "step-00000006"]
    saved, _ = load(out / "run-1")
    assert distance(weights(saved), {k: t.half().float() for k, t in weights_of(out, "run-1", 0).items()}) == 0


def test_the_first_process_decides_when_to_stop_and_all_go_back_to_its_best(out):
    for rank in (0, 1):
        evaluations = seen(out, rank)["stopped"]["history"]["evaluations"]
        assert [one["metrics"]["validation_loss"] for one in evaluations] == [0.5, 0.3, 0.4, 0.6]
        assert seen(out, rank)["stopped"]["best"]["step"] == 4
    assert distance(weights_of(out, "stopped", 0), weights_of(out, "stopped", 1)) == 0
    alone, snapshots = Rows(), {}
    train(
        alone,
        Settings(steps=50, batch_size=32, log_every=1),
        listeners=[lambda now: snapshots.update({now.step: weights(alone.model)})],
        progress=False,
    )
    assert distance(weights_of(out, "stopped", 0), snapshots[4]) < 1e-5 < distance(snapshots[4], snapshots[6])


def test_a_signal_to_one_process_stops_both_and_both_go_on_together(out):
    for rank in (0, 1):
        assert seen(out, rank)["interrupted"]["history"]["interrupted"]
        assert not seen(out, rank)["resumed"]["history"]["interrupted"]
    assert (out / "interrupted" / "checkpoints" / "step-00000020").is_dir()
    alone = trained(Rows(), Settings(steps=20, batch_size=32, log_every=1))[1]
    assert distance(weights_of(out, "interrupted", 0), alone) > 1e-3
    assert distance(weights_of(out, "resumed", 0), alone) < 1e-4
    assert distance(weights_of(out, "resumed", 0), weights_of(out, "resumed", 1)) == 0


def test_each_process_draws_its_own_dropout(out):
    assert seen(out, 0)["mask"] != seen(out, 1)["mask"]


def test_a_batch_that_two_processes_cannot_share_is_refused_by_both(out):
    for rank in (0, 1):
        assert "got 33 with 2 processes" in seen(out, rank)["refused"]


def test_a_folder_that_is_used_is_refused_by_both(out):
    for rank in (0, 1):
        assert "run-1 holds a training run already: resume it" in seen(out, rank)["used"]


def test_when_a_process_is_killed_the_other_saves_its_steps_and_says_how_to_go_on(tmp_path):
    killed = torchrun(tmp_path, DYING, tmp_path / "run", "dies")
    said = "Another process of this run has ended, and so the run ends; --resume continues from step 7."
    assert killed.returncode != 0 and killed.stdout == f"{said}\n", killed.stderr[-4000:]
    assert sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir()) == ["step-00000005", "step-00000007"]
    resumed = torchrun(tmp_path, DYING, tmp_path / "run", "resumes")
    assert resumed.returncode == 0, resumed.stderr[-4000:]
    alone = trained(Rows(), Settings(steps=20, batch_size=32, log_every=1))[1]
    saved, _ = load(tmp_path / "run")
    assert distance(weights(saved), {name: tensor.half().float() for name, tensor in alone.items()}) < 1e-3
