"""A run that was stopped, whatever by, and resumed ends where it would have ended: the same weights bit by bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, fields

import pytest
import torch

from transformer_lab.config import TransformerConfig
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.models import GPT
from transformer_lab.tasks.task import Task
from transformer_lab.training.loop import summed_loss, train
from transformer_lab.training.run import MAY_CHANGE
from transformer_lab.training.settings import Settings

SETTINGS = dict(steps=10, batch_size=8, evaluate_every=5, checkpoint_every=3, log_every=2)


class Stopped(Exception):
    """Whatever may end a run: a full disk, a bug, no memory."""


class Tokens(Task):
    """A small GPT with dropout learns random tokens by heart; action() is called as the given step begins."""

    metric = "nats"
    higher_is_better = False

    def __init__(self, at: int | None = None, action=None, seed: int = 0, **changes):
        self.description = {"task": "tokens", "seed": seed}
        self.tokenizer = WordTokenizer.train(["a b c d e f"])
        self.ids = torch.randint(len(self.tokenizer), (40, 6), generator=torch.Generator().manual_seed(seed))
        self.examples, self.at, self.action, self.n_batches = range(40), at, action, 0
        torch.manual_seed(seed)
        sizes = {"d_model": 16, "d_ff": 32, "n_layers": 1, "dropout": 0.1, **changes}
        self.model = GPT(TransformerConfig.preset("nano", vocab_size=len(self.tokenizer), **sizes))

    def collate(self, examples):
        self.n_batches += 1
        if self.n_batches == self.at:
            self.action()
        rows = self.ids[torch.tensor(examples)]
        return {"ids": rows[:, :-1], "labels": rows[:, 1:]}

    def logits(self, network, batch):
        return network(batch["ids"])

    def evaluate(self):
        logits = self.model(self.ids[:, :-1])
        return {"nats": summed_loss(logits, self.ids[:, 1:]).item() / self.ids[:, 1:].numel()}


def run(task, folder, resume=False, **changes):
    return train(task, Settings(**SETTINGS | changes), folder, resume, progress=False)


def stop():
    raise Stopped


def evaluations(record):
    """What was measured, without how fast the machine was."""
    return [{key: value for key, value in line.items() if key != "tokens_per_s"} for line in record.evaluations]


def lines(folder):
    written = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "tokens_per_s"} for line in written]


def assert_same_weights(model, other):
    for (name, ours), theirs in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """(task, its record, folder) of a run that nothing disturbed."""
    task, folder = Tokens(), tmp_path_factory.mktemp("uninterrupted")
    return task, run(task, folder), folder


def test_the_run_that_others_are_compared_with_learns_and_draws_dropout(uninterrupted, tmp_path):
    task, record, _ = uninterrupted
    assert [line["step"] for line in record.evaluations] == [5, 10]
    assert record.evaluations[1]["metrics"]["nats"] < record.evaluations[0]["metrics"]["nats"]
    without = Tokens(dropout=0.0)
    run(without, tmp_path)
    assert not torch.equal(without.model.embedding.tokens.weight, task.model.embedding.tokens.weight)


@pytest.mark.parametrize("step", range(4, 11))
def test_stopped_at_any_step_and_resumed_it_ends_the_same(uninterrupted, tmp_path, step):
    whole, record, folder = uninterrupted
    with pytest.raises(Stopped):
        run(Tokens(at=step, action=stop), tmp_path)
    resumed = Tokens(seed=0)
    torch.manual_seed(random.randrange(2**32))  # what was drawn before must not matter
    again = run(resumed, tmp_path, resume=True)
    assert resumed.n_batches < SETTINGS["steps"]  # it did not begin anew
    assert_same_weights(resumed.model, whole.model)
    assert evaluations(again) == evaluations(record) and lines(tmp_path) == lines(folder) == evaluations(record)
    assert (tmp_path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_stopped_many_times_it_ends_the_same(uninterrupted, tmp_path):
    whole, record, _ = uninterrupted
    with pytest.raises(Stopped):
        run(Tokens(at=5, action=stop), tmp_path)
    for batches in (1, 4, 2):
        with pytest.raises(Stopped):
            run(Tokens(at=batches, action=stop), tmp_path, resume=True)
    resumed = Tokens()
    assert evaluations(run(resumed, tmp_path, resume=True)) == evaluations(record)
    assert_same_weights(resumed.model, whole.model)


def test_stopped_before_the_first_checkpoint_it_begins_anew(uninterrupted, tmp_path):
    with pytest.raises(Stopped):
        run(Tokens(at=3, action=stop), tmp_path)
    with pytest.raises(FileNotFoundError, match="Nothing to resume: there is no checkpoint in"):
        run(Tokens(), tmp_path, resume=True)
    task = Tokens()
    run(task, tmp_path)
    assert_same_weights(task.model, uninterrupted[0].model)


def test_a_broken_newest_checkpoint_costs_its_steps_and_no_more(uninterrupted, tmp_path):
    whole, record, _ = uninterrupted
    with pytest.raises(Stopped):
        run(Tokens(at=8, action=stop), tmp_path)
    (tmp_path / "checkpoints" / "step-00000006" / "model.safetensors").write_bytes(b"half")
    resumed = Tokens()
    with pytest.warns(UserWarning, match="step-00000006/model.safetensors is missing, truncated or was changed"):
        assert evaluations(run(resumed, tmp_path, resume=True)) == evaluations(record)
    assert_same_weights(resumed.model, whole.model)


def test_a_finished_run_resumed_does_nothing_and_leaves_the_model(uninterrupted, tmp_path):
    run(Tokens(), tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    task = Tokens()
    record = run(task, tmp_path, resume=True)
    assert task.n_batches == 0 and evaluations(record) == evaluations(uninterrupted[1])
    assert (tmp_path / "model.safetensors").read_bytes() == before


# Far too large a learning rate: what the first steps have learnt is soon lost again.
STALLING = dict(lr=0.3, schedule="constant", warmup=0, evaluate_every=1, patience=3, steps=30)


@pytest.mark.parametrize("at", [2, 4])
def test_a_run_that_stopped_early_leaves_the_best_model_resumed_or_not(tmp_path, at):
    whole, resumed = Tokens(), Tokens()
    record = run(whole, tmp_path / "whole", **STALLING)
    last, best = record.evaluations[-1]["step"], record.best["step"]
    assert at <= best + 3 == last < STALLING["steps"]
    assert whole.evaluate() == pytest.approx(record.best["metrics"])
    with pytest.raises(Stopped):
        run(Tokens(at=at, action=stop), tmp_path / "stopped", **STALLING)
    assert evaluations(run(resumed, tmp_path / "stopped", resume=True, **STALLING)) == evaluations(record)
    assert_same_weights(resumed.model, whole.model)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_its_step_with_a_checkpoint(uninterrupted, tmp_path, number):
    whole, record, _ = uninterrupted
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    task = Tokens(at=7, action=lambda: signal.raise_signal(number))
    assert run(task, tmp_path).interrupted and task.n_batches == 7
    assert (tmp_path / "checkpoints" / "step-00000007").is_dir() and not (tmp_path / "model.safetensors").exists()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    resumed = Tokens()
    again = run(resumed, tmp_path, resume=True)
    assert not again.interrupted and resumed.n_batches == 3
    assert_same_weights(resumed.model, whole.model)
    assert [line["metrics"] for line in again.evaluations] == [line["metrics"] for line in record.evaluations]


@pytest.mark.parametrize("step", [6, 9])
def test_a_signal_between_two_looks_at_the_loss_changes_no_evaluation(tmp_path, step):
    rare = dict(log_every=10, checkpoint_every=None)  # so that the loss of step 10 is the mean of steps 6 to 10
    run(Tokens(), tmp_path / "whole", **rare)
    run(Tokens(at=step, action=lambda: signal.raise_signal(signal.SIGINT)), tmp_path / "stopped", **rare)
    run(Tokens(), tmp_path / "stopped", resume=True, **rare)
    for stopped, whole in zip(lines(tmp_path / "stopped"), lines(tmp_path / "whole"), strict=True):
        # The loss is of the steps since the last look, and the interruption was one.
        assert stopped["metrics"] == whole["metrics"] and stopped["step"] == whole["step"]


def test_a_second_ctrl_c_a_second_later_ends_the_run_at_once(tmp_path):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # the same, passed on by another process: does no harm
        time.sleep(1.1)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            run(Tokens(at=7, action=twice), tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["step-00000005", "step-00000006"]


# Another value for every setting there is.
OTHER = dict(
    steps=12,
    batch_size=4,
    accumulation=2,
    lr=1e-3,
    schedule="constant",
    warmup=3,
    weight_decay=0.1,
    clip=0.5,
    beta_2=0.9,
    label_smoothing=0.1,
    seed=1,
    evaluate_every=2,
    checkpoint_every=4,
    keep=3,
    patience=9,
    log_every=3,
    precision="bfloat16",
    compile=False,
)


@pytest.fixture
def begun(tmp_path):
    with pytest.raises(Stopped):
        run(Tokens(at=7, action=stop), tmp_path)
    return tmp_path


def test_every_setting_is_tried():
    assert OTHER.keys() == {field.name for field in fields(Settings)}
    assert all(OTHER[name] != value for name, value in asdict(Settings(**SETTINGS)).items())


def refused(task, begun, match, **changes):
    before = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    metrics = (begun / "metrics.jsonl").read_bytes()
    with pytest.raises(ValueError, match=match):
        run(task, begun, resume=True, **changes)
    assert all(torch.equal(tensor, before[name]) for name, tensor in task.model.state_dict().items())
    assert (begun / "metrics.jsonl").read_bytes() == metrics


@pytest.mark.parametrize("name", [name for name in OTHER if name not in MAY_CHANGE])
def test_resuming_with_another_setting_is_refused_by_name(begun, name):
    was = asdict(Settings(**SETTINGS))[name]
    match = rf"^{name} is {OTHER[name]!r}; the run in .* was begun with {was!r}\.$"
    refused(Tokens(), begun, match, **{name: OTHER[name]})


@pytest.mark.parametrize("name, other, was", [("dropout", 0.2, 0.1), ("d_model", 32, 16), ("n_layers", 2, 1)])
def test_resuming_with_another_model_is_refused_by_name(begun, name, other, was):
    match = rf"^{name} is {other}; the run in .* was begun with {was}\.$"
    refused(Tokens(**{name: other}), begun, match)


def test_resuming_another_task_is_refused_by_name(begun):
    refused(Tokens(seed=1), begun, r"^task is {'task': 'tokens', 'seed': 1}; the run in .* was begun with {'task': 'to")


def test_settings_that_do_not_change_the_weights_may_change(uninterrupted, begun):
    resumed = Tokens()
    run(resumed, begun, resume=True, **{name: OTHER[name] for name in MAY_CHANGE})
    assert_same_weights(resumed.model, uninterrupted[0].model)


def test_beginning_anew_where_a_run_is_kept_is_refused(begun):
    before = sorted(begun.rglob("*"))
    with pytest.raises(ValueError, match="holds a training run already: resume it, or give another folder"):
        run(Tokens(), begun)
    assert sorted(begun.rglob("*")) == before


def test_without_a_folder_ctrl_c_ends_the_program_as_it_does_elsewhere():
    task = Tokens(at=7, action=lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run(task, None)
    assert not task.model.training


def test_without_a_folder_there_is_nothing_to_resume():
    with pytest.raises(ValueError, match="To resume a run, give the folder"):
        run(Tokens(), None, resume=True)


# From here on: the command in processes of their own, one thread each, killed as a cluster or a user kills them.
KILLS = int(os.environ.get("KILLS", "3"))
EVERY = 40  # steps between evaluations, and more than are done between two kills
STEPS = EVERY * (KILLS + 1)
OPTIONS = ["--preset", "nano", "--batch-size", 8, "--evaluate-every", EVERY, "--checkpoint-every", 5]
ALONE = {"OMP_NUM_THREADS": "1", "TRANSFORMER_LAB_DEVICE": "cpu"}


def start(out, *more, steps=STEPS):
    command = [sys.executable, "-m", "transformer_lab", "train", "reverse", "--out", out, "--steps", steps]
    command += [*OPTIONS, *more]
    return subprocess.Popen(
        [str(part) for part in command],
        env=os.environ | ALONE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def newest(out):
    return max((int(path.name[5:]) for path in (out / "checkpoints").glob("step-*")), default=0)


def wait_for_checkpoint(process, out, step):
    deadline = time.monotonic() + 120
    while newest(out) < step:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"no checkpoint of step {step}"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a run of the command, and the process, which others need not wait for."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    process = start(out)
    yield out, process
    process.kill()
    process.communicate()


def test_killed_at_random_moments_and_resumed_it_writes_the_same_bytes(undisturbed, tmp_path):
    out, rng = tmp_path / "run", random.Random()
    for kill in range(KILLS):
        process = start(out, *(["--resume"] if kill else []))
        wait_for_checkpoint(process, out, newest(out) + 5 * rng.randint(1, 3))
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, errors
    finish(start(out, "--resume"))
    reference, process = undisturbed
    finish(process)
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (out / name).read_bytes() == (reference / name).read_bytes(), name
    assert lines(out) == lines(reference) and len(lines(out)) == KILLS + 1
    assert not list(out.rglob(".unfinished-*"))


def test_ctrl_c_is_answered_with_a_checkpoint_and_a_sentence(tmp_path):
    out = tmp_path / "run"
    process = start(out, steps=EVERY)
    wait_for_checkpoint(process, out, 5)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in errors
    assert output == f"Interrupted; a checkpoint is in {out / 'checkpoints'}. The same command with --resume goes on.\n"
    assert 5 <= newest(out) < EVERY and not (out / "model.safetensors").exists()
    finish(start(out, "--resume", steps=EVERY))
    assert [line["step"] for line in lines(out)] == [EVERY] and (out / "model.safetensors").is_file()
