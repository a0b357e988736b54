"""owner.py: one process at a time writes into a folder, and a run touches nothing there that is not its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from test_resume import SETTINGS, Stopped, Tokens, run, stop
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.training.loop import train
from transformer_lab.training.owner import owning
from transformer_lab.training.run import check_folder
from transformer_lab.training.settings import Settings
from transformer_lab.training.tensorboard import TensorBoard

HOLD = """
import sys, time
from transformer_lab.training.owner import owning
with owning(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process, which owns tmp_path / "run"."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "run"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def contents(folder: Path) -> dict:
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in sorted(folder.rglob("*"))}


def test_a_run_in_another_processs_folder_is_refused_by_name(holder, tmp_path):
    before = contents(tmp_path)
    with pytest.raises(BlockingIOError) as refused:
        run(Tokens(), tmp_path / "run")
    said = str(refused.value)
    assert f"{tmp_path / 'run'} is being written by process {holder.pid} on {socket.gethostname()} since 2" in said
    assert said.endswith("wait until it ends, stop it, or give another folder.") and ". " not in said
    assert contents(tmp_path) == before


def test_a_killed_owner_owns_nothing(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with owning(tmp_path / "run"):
        told = json.loads((tmp_path / "run" / ".owner.json").read_text())
        assert (told["pid"], told["host"]) == (os.getpid(), socket.gethostname())
    assert not contents(tmp_path / "run")


def test_a_folder_that_was_made_for_nothing_goes(tmp_path):
    with pytest.raises(FileNotFoundError, match="Nothing to resume"):
        run(Tokens(), tmp_path / "run", resume=True)
    assert not contents(tmp_path)


def test_a_cell_that_still_trains_keeps_the_next_one_out(tmp_path):
    seen = []

    def second():
        with pytest.raises(BlockingIOError, match=rf"is being written by process {os.getpid()}, which is this one, on"):
            run(Tokens(), tmp_path)
        with pytest.raises(BlockingIOError, match="which is this one"):
            run(Tokens(), tmp_path, resume=True)
        seen.append(sorted(path.name for path in tmp_path.iterdir()))

    task = Tokens(at=7, action=second)
    run(task, tmp_path)
    assert seen == [[".owner.json", ".owner.lock", "checkpoints", "metrics.jsonl"]]
    assert not list(tmp_path.glob(".*"))


def test_after_a_run_that_failed_the_folder_is_free(tmp_path):
    with pytest.raises(Stopped):
        run(Tokens(at=7, action=stop), tmp_path)
    with owning(tmp_path):
        pass
    run(Tokens(), tmp_path, resume=True)


def test_of_many_that_want_a_folder_at_once_one_has_it(tmp_path):
    together, inside, most, other = threading.Barrier(8), [], [], []

    def want():
        together.wait()
        for _ in range(40):
            try:
                with owning(tmp_path / "run"):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
            except BlockingIOError:
                pass
            except Exception as error:  # which a thread would keep to itself
                other.append(error)

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most and max(most) == 1 and not other


def test_a_folder_that_cannot_be_written_is_known_before_the_work(tmp_path):
    (tmp_path / "file").write_text("mine")
    task = Tokens()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OSError, match=rf"^{folder} cannot be used, because nothing can be written there: .*\.$"):
            run(task, folder)
    assert task.n_batches == 0 and (tmp_path / "file").read_text() == "mine"


def test_a_disk_without_room_is_known_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    task = Tokens()
    with pytest.raises(OSError, match=r"checkpoints has no room for 4 checkpoints of .* MB: 0\.0 MB are free\."):
        run(task, tmp_path / "run")
    assert task.n_batches == 0 and not contents(tmp_path)


def test_a_model_that_could_not_be_saved_is_known_before_the_work(tmp_path):
    class Mine(type(Tokens().model)):
        """A model of one's own, which `load` would not know."""

    task = Tokens()
    task.model.__class__ = Mine
    with pytest.raises(ValueError, match="^save takes a Transformer, GPT, .*; got a Mine"):
        run(task, tmp_path / "run")
    task = Tokens()
    task.tokenizer = WordTokenizer.train(["a b c d e f g h i j k l"])
    with pytest.raises(ValueError, match="vocab"):
        run(task, tmp_path / "run")
    assert task.n_batches == 0 and not contents(tmp_path)


# What others may have put into the folder, and the name in the refusal.
OTHERS = {
    "a config": ({"config.json": '{"model_type": "bert"}'}, "config.json"),
    "a tokenizer": ({"tokenizer.json": "{}"}, "tokenizer.json"),
    "metrics": ({"metrics.jsonl": '{"epoch": 1}\n'}, "metrics.jsonl"),
    "weights": ({"model.safetensors": "weights"}, "a model"),
    "a model of Hugging Face": ({"config.json": "{}", "pytorch_model.bin": "weights"}, "config.json"),
    "checkpoints of others": ({"checkpoints/epoch-3.pt": "weights"}, "checkpoints/epoch-3.pt"),
    "a copy of a checkpoint": ({"checkpoints/step-00000005-before/state.json": "{}"}, "step-00000005-before"),
    "a file called checkpoints": ({"checkpoints": "mine"}, "checkpoints"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_others_have_in_the_folder_is_refused_by_name_and_left(tmp_path, case):
    files, name = OTHERS[case]
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    before, task = contents(tmp_path), Tokens()
    with pytest.raises(ValueError, match=rf"^{tmp_path} holds .*{name} already: give another folder\.$"):
        run(task, tmp_path)
    assert contents(tmp_path) == before and task.n_batches == 0


def test_what_is_in_nobodys_way_is_left_and_does_no_harm(tmp_path):
    kept = {
        "notes.txt": "mine",
        "checkpoint.txt": "mine",
        "metrics.unfinished": "mine",
        ".unfinished-thoughts/essay.txt": "mine",
        "checkpoints/.DS_Store": "of the system",
        "checkpoints/.unfinished-thoughts/essay.txt": "mine",
    }
    for path, content in kept.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    with pytest.raises(Stopped):
        run(Tokens(at=7, action=stop), tmp_path)
    run(Tokens(), tmp_path, resume=True)
    assert {path: (tmp_path / path).read_text() for path in kept} == kept


def test_what_a_killed_run_has_left_goes(tmp_path):
    for left in (".unfinished-abcd1234/metrics.jsonl", "checkpoints/.unfinished-abcd1234/checkpoint/model.safetensors"):
        (tmp_path / left).parent.mkdir(parents=True)
        (tmp_path / left).write_text("half")
    run(Tokens(), tmp_path)
    assert not list(tmp_path.rglob(".unfinished-*"))


def test_curves_have_one_owner_too(holder, tmp_path):
    task = Tokens()
    for folder in (None, tmp_path / "other"):
        with pytest.raises(BlockingIOError, match=rf"run is being written by process {holder.pid} "):
            listeners = [TensorBoard(tmp_path / "run")]
            train(task, Settings(**SETTINGS), folder, listeners=listeners, progress=False)
    assert task.n_batches == 0
    train(task, Settings(**SETTINGS), listeners=[TensorBoard(tmp_path / "curves")], progress=False)
    assert not [path.name for path in (tmp_path / "curves").iterdir() if "tfevents" not in path.name]


def test_a_folder_is_looked_at_before_the_data_are_read(holder, tmp_path):
    """What `transformer-lab train` asks first: a large text takes minutes to be read."""
    with pytest.raises(BlockingIOError, match="is being written by process"):
        check_folder(tmp_path / "run", resume=False)
    with pytest.raises(FileNotFoundError, match="Nothing to resume: there is no checkpoint in"):
        check_folder(tmp_path / "new", resume=True)
    check_folder(tmp_path / "new", resume=False)
    assert not (tmp_path / "new").exists()
    run(Tokens(), tmp_path / "used")
    with pytest.raises(ValueError, match="used holds a training run already"):
        check_folder(tmp_path / "used", resume=False)
    check_folder(tmp_path / "used", resume=True)
    never = [sys.executable, "-m", "transformer_lab", "train", tmp_path / "no.txt", "--out", tmp_path / "used"]
    said = subprocess.run([*map(str, never)], capture_output=True, text=True).stderr
    assert "used holds a training run already" in said and "no.txt" not in said
