"""A run that was stopped, whatever by, and resumed ends where it would have ended: the same weights bit by bit."""

import importlib
import io
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, fields
from importlib.metadata import version

import pytest
import torch
from safetensors.torch import load_file, save_file

from references import with_numbered_residuals
from transformer_lab.config import TransformerConfig
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.models import GPT
from transformer_lab.pretrained.safetensors_file import sha256
from transformer_lab.tasks.catalogue import make_task
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


def evaluations(history):
    """What was measured, without how fast the machine was."""
    return [{key: value for key, value in line.items() if key != "tokens_per_s"} for line in history.evaluations]


def lines(folder):
    written = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "tokens_per_s"} for line in written]


def assert_same_weights(model, other):
    for (name, ours), theirs in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """(task, its history, folder) of a run that nothing disturbed."""
    task, folder = Tokens(), tmp_path_factory.mktemp("uninterrupted")
    return task, run(task, folder), folder


def test_the_run_that_others_are_compared_with_learns_and_draws_dropout(uninterrupted, tmp_path):
    task, history, _ = uninterrupted
    assert [line["step"] for line in history.evaluations] == [5, 10]
    assert history.evaluations[1]["metrics"]["nats"] < history.evaluations[0]["metrics"]["nats"]
    without = Tokens(dropout=0.0)
    run(without, tmp_path)
    assert not torch.equal(without.model.embedding.tokens.weight, task.model.embedding.tokens.weight)


@pytest.mark.parametrize("step", range(4, 11))
def test_stopped_at_any_step_and_resumed_it_ends_the_same(uninterrupted, tmp_path, step):
    whole, history, folder = uninterrupted
    with pytest.raises(Stopped):
        run(Tokens(at=step, action=stop), tmp_path)
    resumed = Tokens(seed=0)
    torch.manual_seed(random.randrange(2**32))  # what was drawn before must not matter
    again = run(resumed, tmp_path, resume=True)
    assert resumed.n_batches < SETTINGS["steps"]  # it did not begin anew
    assert_same_weights(resumed.model, whole.model)
    assert evaluations(again) == evaluations(history) and lines(tmp_path) == lines(folder) == evaluations(history)
    assert (tmp_path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_stopped_many_times_it_ends_the_same(uninterrupted, tmp_path):
    whole, history, _ = uninterrupted
    with pytest.raises(Stopped):
        run(Tokens(at=5, action=stop), tmp_path)
    for batches in (1, 4, 2):
        with pytest.raises(Stopped):
            run(Tokens(at=batches, action=stop), tmp_path, resume=True)
    resumed = Tokens()
    assert evaluations(run(resumed, tmp_path, resume=True)) == evaluations(history)
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
    whole, history, _ = uninterrupted
    with pytest.raises(Stopped):
        run(Tokens(at=8, action=stop), tmp_path)
    (tmp_path / "checkpoints" / "step-00000006" / "model.safetensors").write_bytes(b"half")
    resumed = Tokens()
    with pytest.warns(UserWarning, match="step-00000006/model.safetensors is missing, truncated or was changed"):
        assert evaluations(run(resumed, tmp_path, resume=True)) == evaluations(history)
    assert_same_weights(resumed.model, whole.model)


def test_a_finished_run_resumed_does_nothing_and_leaves_the_model(uninterrupted, tmp_path):
    run(Tokens(), tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    task = Tokens()
    history = run(task, tmp_path, resume=True)
    assert task.n_batches == 0 and evaluations(history) == evaluations(uninterrupted[1])
    assert (tmp_path / "model.safetensors").read_bytes() == before


# Far too large a learning rate: what the first steps have learnt is soon lost again.
STALLING = dict(lr=0.3, schedule="constant", warmup=0, evaluate_every=1, patience=3, steps=30)


@pytest.mark.parametrize("at", [2, 4])
def test_a_run_that_stopped_early_leaves_the_best_model_resumed_or_not(tmp_path, at):
    whole, resumed = Tokens(), Tokens()
    history = run(whole, tmp_path / "whole", **STALLING)
    last, best = history.evaluations[-1]["step"], history.best["step"]
    assert at <= best + 3 == last < STALLING["steps"]
    assert whole.evaluate() == pytest.approx(history.best["metrics"])
    with pytest.raises(Stopped):
        run(Tokens(at=at, action=stop), tmp_path / "stopped", **STALLING)
    assert evaluations(run(resumed, tmp_path / "stopped", resume=True, **STALLING)) == evaluations(history)
    assert_same_weights(resumed.model, whole.model)


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def no_signal_ignored():
    """As in a terminal: under nohup, or in a shell's background job, some are ignored, and so they are in children."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.usefixtures("no_signal_ignored")
def test_a_signal_ends_the_run_after_its_step_with_a_checkpoint(uninterrupted, tmp_path, number):
    whole, history, _ = uninterrupted
    handlers = [signal.getsignal(n) for n in SIGNALS]
    task = Tokens(at=7, action=lambda: signal.raise_signal(number))
    assert run(task, tmp_path).interrupted and task.n_batches == 7
    assert (tmp_path / "checkpoints" / "step-00000007").is_dir() and not (tmp_path / "model.safetensors").exists()
    assert [signal.getsignal(n) for n in SIGNALS] == handlers
    resumed = Tokens()
    again = run(resumed, tmp_path, resume=True)
    assert not again.interrupted and resumed.n_batches == 3
    assert_same_weights(resumed.model, whole.model)
    assert [line["metrics"] for line in again.evaluations] == [line["metrics"] for line in history.evaluations]


def test_a_run_that_is_to_survive_its_terminal_does(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        task = Tokens(at=7, action=lambda: signal.raise_signal(signal.SIGHUP))
        assert not run(task, tmp_path).interrupted and task.n_batches == 10
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_where_a_system_lacks_a_signal_the_others_work(tmp_path, monkeypatch):
    """Windows has no SIGHUP."""
    from transformer_lab.training import interrupt

    monkeypatch.delattr(signal, "SIGHUP")
    try:
        importlib.reload(interrupt)
        with interrupt.interrupts() as interrupted:
            signal.raise_signal(signal.SIGTERM)
        assert interrupted.is_set() and interrupt.SIGNALS == [signal.SIGINT, signal.SIGTERM]
    finally:
        monkeypatch.undo()
        importlib.reload(interrupt)


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


# ---- What strangers do while they listen


class Broken(Exception):
    pass


@pytest.mark.parametrize("error", [Broken, BrokenPipeError, OSError])
@pytest.mark.parametrize("step", [2, 4, 5, 10])  # looks at the loss; an evaluation; the last one
def test_a_listener_that_raises_costs_nothing_that_was_learnt(uninterrupted, tmp_path, step, error):
    whole, history, folder = uninterrupted

    def listen(now):
        if now.step == step:
            raise error("mine")

    task = Tokens()
    with pytest.raises(error, match="mine"):
        train(task, Settings(**SETTINGS), tmp_path, listeners=[listen], progress=False)
    assert not task.model.training
    assert (tmp_path / "checkpoints" / f"step-{step:08d}").is_dir()
    measured = [line for line in evaluations(history) if line["step"] <= step]
    assert lines(tmp_path) == measured
    resumed = Tokens()
    again = run(resumed, tmp_path, resume=True)
    assert resumed.n_batches == 10 - step
    assert_same_weights(resumed.model, whole.model)
    assert [line["metrics"] for line in again.evaluations] == [line["metrics"] for line in history.evaluations]


@pytest.mark.parametrize("step", [5, 10])
def test_an_evaluation_that_raises_costs_nothing_that_was_learnt_and_is_made_up_for(uninterrupted, tmp_path, step):
    whole, history, _ = uninterrupted

    class Unmeasured(Tokens):
        def evaluate(self):
            if self.n_batches == step:
                raise Broken("no memory")
            return super().evaluate()

    with pytest.raises(Broken, match="no memory"):
        run(Unmeasured(), tmp_path)
    assert len(lines(tmp_path)) == step // 5 - 1
    resumed = Tokens()
    again = run(resumed, tmp_path, resume=True)
    assert resumed.n_batches == 10 - step
    assert_same_weights(resumed.model, whole.model)
    assert [line["metrics"] for line in again.evaluations] == [line["metrics"] for line in history.evaluations]
    assert lines(tmp_path) == evaluations(again)
    assert again.evaluations[step // 5 - 1]["loss"] is None  # of steps that nobody remembers


def test_a_bar_that_cannot_be_drawn_costs_nothing_that_was_learnt(tmp_path, monkeypatch):
    """The terminal is gone, or the program that read our output."""

    class Gone(io.StringIO):
        def write(self, text):
            if "8/10" in text:  # a look at the loss, and no checkpoint
                raise BrokenPipeError
            return len(text)

    monkeypatch.setattr(sys, "stderr", Gone())
    with pytest.raises(BrokenPipeError):
        train(Tokens(), Settings(**SETTINGS), tmp_path, progress=True)
    assert (tmp_path / "checkpoints" / "step-00000008").is_dir()


def test_without_a_folder_a_listener_that_raises_only_ends_the_run():
    def listen(now):
        raise Broken

    with pytest.raises(Broken):
        train(Tokens(), Settings(**SETTINGS), listeners=[listen], progress=False)


# ---- Numbers that are none, files that are half


class Diverging(Tokens):
    """Its perplexity is infinite at first, and what it is measured by is no number at step 5."""

    values = ((math.inf, 3.0), (1e308, math.nan), (5.0, 2.0), (math.inf, 4.0))

    def evaluate(self):
        perplexity, nats = self.values[min(self.n_batches, 8) // 2 - 1]
        return {"perplexity": perplexity, "nats": nats}


def test_metrics_that_are_no_numbers_are_null_in_the_file_and_never_the_best(tmp_path):
    def refuse(constant):
        raise ValueError(constant)

    settings = dict(steps=8, evaluate_every=2, checkpoint_every=None)
    history = run(Diverging(), tmp_path, **settings)
    written = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    metrics = [json.loads(line, parse_constant=refuse)["metrics"] for line in written]
    assert [one["perplexity"] for one in metrics] == [None, 1e308, 5.0, None]
    assert [one["nats"] for one in metrics] == [3.0, None, 2.0, 4.0]
    assert [line["metrics"] for line in history.evaluations] == metrics and history.best["step"] == 6
    again = run(Diverging(), tmp_path, resume=True, **settings)
    assert evaluations(again) == evaluations(history) and again.best == history.best


def test_before_anything_was_measured_in_numbers_nothing_is_the_best(tmp_path):
    task = Tokens()
    task.evaluate = lambda: {"nats": math.nan}
    history = run(task, tmp_path, patience=1)
    assert history.best is None and not history.has_stalled(1) and len(history.evaluations) == 2


def test_weights_that_are_no_numbers_are_never_saved(tmp_path):
    """The loss of a step is computed before its weights: a step too far shows at the next one only."""
    task = Tokens(at=5, action=lambda: None)
    optimizer_step = torch.optim.AdamW.step

    def too_far(self, *arguments):
        optimizer_step(self, *arguments)
        if task.n_batches == 5:
            with torch.no_grad():
                self.param_groups[0]["params"][0].fill_(math.nan)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", too_far)
        with pytest.raises(ValueError, match=r"^\S+ is NaN or infinite after step 5: training has diverged\."):
            run(task, tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000003"]


def test_half_a_line_of_metrics_does_no_harm(uninterrupted, tmp_path):
    with pytest.raises(Stopped):
        run(Tokens(at=8, action=stop), tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 10, "loss": 1.')
    run(Tokens(), tmp_path, resume=True)
    assert lines(tmp_path) == lines(uninterrupted[2])


def test_metrics_that_cannot_be_written_cost_no_checkpoint(uninterrupted, tmp_path, monkeypatch):
    from transformer_lab.training import history

    with monkeypatch.context() as patch:
        write = history.write_whole

        def full(path, content):
            if content:
                raise OSError(f"{path} could not be written: No space left on device.")
            return write(path, content)

        patch.setattr(history, "write_whole", full)
        with pytest.raises(OSError, match="metrics.jsonl could not be written: No space left"):
            run(Tokens(), tmp_path)
    resumed = Tokens()
    run(resumed, tmp_path, resume=True)
    assert resumed.n_batches == 5 and lines(tmp_path) == lines(uninterrupted[2])
    assert_same_weights(resumed.model, uninterrupted[0].model)


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


# ---- What a run depends on


class Kept(Tokens):
    """Tokens that say what they are trained on."""

    def contents(self):
        return {"data": self.ids, "held_out": "texts", "tokenizer": self.tokenizer} | self.other

    def __init__(self, *arguments, other=None, **options):
        super().__init__(*arguments, **options)
        self.other = other or {}


@pytest.mark.parametrize(
    "name, says",
    [
        ("data", "the training examples are"),
        ("held_out", "the held-out examples are"),
        ("tokenizer", "the tokenizer is"),
    ],
)
def test_resuming_with_other_contents_is_refused_by_name(tmp_path, name, says):
    with pytest.raises(Stopped):
        run(Kept(at=7, action=stop), tmp_path)
    other = Kept(other={name: "reversed"})
    refused(other, tmp_path, rf"^{tmp_path} was trained on something else: {says} different now; restore the data")
    assert other.n_batches == 0
    run(Kept(), tmp_path, resume=True)


def states(folder):
    return {path: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("checkpoints/*/state.json")}


def test_a_checkpoint_says_what_its_run_depends_on(begun):
    for state in states(begun).values():
        assert state["run"]["task"] == {"task": "tokens", "seed": 0} and state["run"]["lr"] == Settings(steps=1).lr
        assert state["fingerprint"] == Tokens().fingerprint()
        assert state["machine"] == {
            "transformer_lab": version("transformer-lab"),
            "torch": torch.__version__,
            "device": "cpu",
            "threads": torch.get_num_threads(),
            "processes": 1,
        }


def test_what_an_older_version_has_begun_goes_on_with_one_warning(begun):
    for path, state in states(begun).items():
        old = {name: value for name, value in state.items() if name not in ("fingerprint", "machine")}
        del old["run"]["beta_2"]  # a setting that it had not
        path.write_text(json.dumps(old | {"format": 1}))
    task = Tokens()
    with pytest.warns(UserWarning) as told:
        run(task, begun, resume=True)
    assert task.n_batches == 4
    (warning,) = told
    assert str(warning.message) == (
        f"{begun} was begun with an older version, which kept no fingerprint of its data and put the examples in "
        "another order: the run goes on, but will end with different weights than it would have there."
    )


def test_a_run_begun_when_residual_paths_had_numbers_ends_the_same(uninterrupted, begun):
    for path, state in states(begun).items():
        for name in ("model.safetensors", "optimizer.safetensors"):
            tensors = load_file(path.parent / name)
            old = {with_numbered_residuals(key, cross=False): tensor.clone() for key, tensor in tensors.items()}
            assert old.keys() != tensors.keys()
            save_file(old, path.parent / name)
            state["sha256"][name] = sha256(path.parent / name)
        path.write_text(json.dumps(state | {"format": 2}))
    task = Tokens()
    run(task, begun, resume=True)
    assert task.n_batches == 4
    assert_same_weights(task.model, uninterrupted[0].model)


def test_another_version_or_device_is_told_in_one_warning(uninterrupted, begun):
    for path, state in states(begun).items():
        state["machine"] |= {"torch": "2.12.1", "device": "NVIDIA H100", "a later version's": 1}
        path.write_text(json.dumps(state))
    task = Tokens()
    with pytest.warns(UserWarning) as told:
        run(task, begun, resume=True)
    (warning,) = told
    assert str(warning.message) == (
        f"{begun} was begun with torch 2.12.1, device NVIDIA H100 and goes on with torch {torch.__version__}, device "
        "cpu: the result may differ a little."
    )
    assert_same_weights(task.model, uninterrupted[0].model)


def test_on_the_same_machine_nothing_is_told(begun):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(Tokens(), begun, resume=True)


@pytest.mark.parametrize("content", [{"run": 5}, {"run": {}, "evaluations": None}, {}])
def test_a_checkpoint_that_no_run_has_written_is_refused(begun, content):
    for path, state in states(begun).items():
        state = {name: value for name, value in state.items() if name not in ("run", "evaluations")} | content
        path.write_text(json.dumps(state))
    refused(Tokens(), begun, "newest checkpoint in .* was not written by a training run")


def test_a_run_on_a_file_goes_on_after_all_was_moved_and_keeps_no_path_of_this_machine(tmp_path, monkeypatch):
    home, elsewhere = tmp_path / "somebodys-home", tmp_path / "elsewhere"
    (home / "proj").mkdir(parents=True)
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefg", k=4)) for _ in range(80)]
    (home / "proj" / "pairs.tsv").write_text("".join(f"{word}\t{word[::-1]}\n" for word in words))
    settings = Settings(steps=4, batch_size=8, evaluate_every=2)

    def pairs(path):
        task = make_task(str(path), n_layers=1, d_model=16, d_ff=16)
        task.evaluate = lambda: {"chrf": 0.5}
        return task

    def listen(now):
        raise Stopped

    monkeypatch.chdir(home / "proj")
    with pytest.raises(Stopped):
        train(pairs(home / "proj" / "pairs.tsv"), settings, "run", listeners=[listen], progress=False)
    assert not [path for path in home.rglob("*") if path.is_file() and b"somebodys-home" in path.read_bytes()]
    home.rename(elsewhere)
    monkeypatch.chdir(elsewhere)
    train(pairs("proj/pairs.tsv"), settings, "proj/run", resume=True, progress=False)
    assert [line["step"] for line in lines(elsewhere / "proj" / "run")] == [2, 4]
    assert not [path for path in elsewhere.rglob("*") if path.is_file() and b"somebodys-home" in path.read_bytes()]


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
    says = f"Interrupted; a checkpoint is in {out / 'checkpoints'}. The same command with --resume continues.\n"
    assert output == says
    assert 5 <= newest(out) < EVERY and not (out / "model.safetensors").exists()
    finish(start(out, "--resume", steps=EVERY))
    assert [line["step"] for line in lines(out)] == [EVERY] and (out / "model.safetensors").is_file()


def test_a_reader_that_goes_away_costs_no_checkpoint(tmp_path):
    """As in `transformer-lab train ... | head -1`."""
    out = tmp_path / "run"
    process = start(out, steps=3 * EVERY)
    assert process.stdout.readline().startswith(f"step    {EVERY}")
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=120) != 0 and "Traceback" not in errors
    assert newest(out) == 2 * EVERY and [line["step"] for line in lines(out)] == [EVERY, 2 * EVERY]
    finish(start(out, "--resume", steps=3 * EVERY))


@pytest.mark.usefixtures("no_signal_ignored")
def test_a_closed_terminal_is_answered_with_a_checkpoint(tmp_path):
    out = tmp_path / "run"
    process = start(out, steps=EVERY)
    wait_for_checkpoint(process, out, 5)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=120)
    assert process.returncode == 130 and 5 <= newest(out) < EVERY
