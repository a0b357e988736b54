"""The training loop against a loop written by hand, its settings, schedules and batches."""

import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from transformer_lab import GPT, TransformerConfig
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.pretrained import load
from transformer_lab.tasks.task import IGNORED, Task
from transformer_lab.training.batches import Batches
from transformer_lab.training.checkpoints import Checkpoints
from transformer_lab.training.loop import make_loss, make_optimizer, summed_loss, train
from transformer_lab.training.permutation import permuted
from transformer_lab.training.schedules import SCHEDULES
from transformer_lab.training.settings import Settings
from transformer_lab.training.tensorboard import TensorBoard

VOCAB = 13
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


class Rows(Task):
    """Rows of 2 to 12 random tokens, each the one before plus 1 or 2: there is something to learn."""

    description = {"task": "rows"}
    metric, higher_is_better = "validation_loss", False

    def __init__(self, n: int = 96, seed: int = 0, with_lengths: bool = False, **changes):
        rng = random.Random(seed)
        self.examples = [self.row(rng) for _ in range(n)]
        self.held_out = [self.row(rng) for _ in range(20)]
        self.lengths = list(map(len, self.examples)) if with_lengths else None
        self.tokenizer = WordTokenizer.train(["a b c d e f g h i"])
        # No biases: a key's bias has no gradient but rounding errors, which Adam would make as large as any other.
        sizes = dict(vocab_size=VOCAB, d_model=16, n_heads=2, n_layers=2, d_ff=32, max_len=16, bias=False)
        torch.manual_seed(seed)
        self.model = GPT(TransformerConfig(**sizes | changes))

    def row(self, rng) -> list[int]:
        row = [rng.randrange(VOCAB)]
        while len(row) < rng.randint(3, 13):
            row.append((row[-1] + rng.choice((1, 2))) % VOCAB)
        return row

    def collate(self, examples):
        ids = torch.zeros(len(examples), max(map(len, examples)) - 1, dtype=torch.int64)
        labels = torch.full_like(ids, IGNORED)
        for i, row in enumerate(examples):
            ids[i, : len(row) - 1], labels[i, : len(row) - 1] = torch.tensor(row[:-1]), torch.tensor(row[1:])
        return {"ids": ids, "labels": labels}

    def logits(self, network, batch):
        return network(batch["ids"])

    def evaluate(self):
        batch = self.collate(self.held_out)
        loss = F.cross_entropy(self.model(batch["ids"]).transpose(1, 2), batch["labels"])
        return {"validation_loss": loss.item()}


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def trained(task: Task, settings: Settings, **options) -> tuple[list[float], dict[str, torch.Tensor]]:
    """(the loss of every step, the weights): log_every must be 1."""
    losses = []
    train(task, settings, listeners=[lambda now: losses.append(now.loss)], progress=False, **options)
    return losses, weights(task.model)


def trained_by_hand(task: Task, settings: Settings) -> tuple[list[float], dict[str, torch.Tensor]]:
    """The same as plain PyTorch: one process, one part, float32, AdamW, and a schedule of torch's own."""
    model = task.model.train()
    decaying = [p for name, p in model.named_parameters() if p.dim() == 2]
    others = [p for name, p in model.named_parameters() if p.dim() != 2]
    groups = [{"params": decaying, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, settings.beta_2))
    n_warmup, n_steps = settings.warmup, settings.steps

    def factor(step):
        if step < n_warmup:
            return (step + 1) / n_warmup
        return (1 + math.cos(math.pi * (step - n_warmup) / (n_steps - n_warmup))) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    batches = Batches(len(task.examples), settings.batch_size, settings.seed, task.lengths)
    losses = []
    for step in range(settings.steps):
        batch = task.collate([task.examples[i] for i in batches(step)])
        loss = F.cross_entropy(
            model(batch["ids"]).transpose(1, 2), batch["labels"], label_smoothing=settings.label_smoothing
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses, weights(model)


def distance(one: dict, other: dict) -> float:
    """The largest difference between two models' weights."""
    assert one.keys() == other.keys()
    return max((one[name] - other[name]).abs().max().item() for name in one)


# ---- The loop


@pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.2}, {"clip": 0.05, "weight_decay": 0.5}])
def test_a_run_equals_a_loop_written_by_hand(changes):
    settings = Settings(steps=12, batch_size=32, warmup=4, lr=0.01, seed=3, log_every=1, **changes)
    task = Rows(with_lengths=True)
    start = weights(task.model)
    losses, ours = trained(task, settings)
    expected, theirs = trained_by_hand(Rows(with_lengths=True), settings)
    assert losses == pytest.approx(expected, abs=2e-6)
    assert distance(ours, theirs) < 1e-5 < 1e-2 < distance(ours, start)


def test_four_parts_of_16_are_one_of_64():
    settings = dict(steps=6, batch_size=64, log_every=1, lr=0.003)
    whole, parts, eighths = (Rows(n=200) for _ in range(3))
    losses, of_whole = trained(whole, Settings(**settings))
    losses_of_parts, of_parts = trained(parts, Settings(**settings, accumulation=4))
    assert losses_of_parts == pytest.approx(losses, abs=1e-6)
    assert distance(of_parts, of_whole) < 1e-5
    # Had each part its own mean, the losses would be others: the parts differ in their numbers of labels.
    batch = Batches(200, 64, 0)(0)
    sums = [eighths.collate([eighths.examples[i] for i in batch[part::4]]) for part in range(4)]
    means = [F.cross_entropy(eighths.model(b["ids"]).transpose(1, 2), b["labels"]).item() for b in sums]
    assert abs(sum(means) / 4 - losses[0]) > 1e-4


def test_the_reported_loss_is_the_mean_over_all_labels_since_the_last_report():
    every_step, seen = Rows(), []
    losses, _ = trained(every_step, Settings(steps=7, batch_size=8, log_every=1, evaluate_every=100))
    train(
        Rows(),
        Settings(steps=7, batch_size=8, log_every=3, evaluate_every=100),
        listeners=[lambda now: seen.append((now.step, now.loss))],
        progress=False,
    )
    task, batches = Rows(), Batches(96, 8, 0)
    n_labels = [sum(len(task.examples[i]) - 1 for i in batches(step)) for step in range(7)]

    def mean(*steps):
        return sum(losses[step] * n_labels[step] for step in steps) / sum(n_labels[step] for step in steps)

    assert [step for step, _ in seen] == [3, 6, 7]
    assert [loss for _, loss in seen] == pytest.approx([mean(0, 1, 2), mean(3, 4, 5), losses[6]], abs=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_summed_loss_is_a_sum_over_labels(label_smoothing):
    logits, labels = torch.randn(2, 3, 5), torch.tensor([[1, IGNORED, 4], [IGNORED, IGNORED, 0]])
    expected = 0.0
    for b, t, label in ((0, 0, 1), (0, 2, 4), (1, 2, 0)):
        log_p = logits[b, t].log_softmax(dim=0)
        expected -= (1 - label_smoothing) * log_p[label] + label_smoothing * log_p.mean()
    torch.testing.assert_close(summed_loss(logits, labels, label_smoothing), expected)
    one_per_row = torch.tensor([1, IGNORED])  # as a classifier has them
    torch.testing.assert_close(summed_loss(logits[:, 0], one_per_row), -logits[0, 0].log_softmax(dim=0)[1])


def test_weight_decay_shrinks_matrices_only():
    model = Rows(bias=True).model
    optimizer = make_optimizer(model, Settings(steps=1, lr=0.1, weight_decay=0.5))
    before = weights(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        shrunk = before[name] * (1 - 0.1 * 0.5) if parameter.ndim == 2 else before[name]
        torch.testing.assert_close(parameter.detach(), shrunk, msg=name)
    assert {parameter.ndim for parameter in model.parameters()} == {1, 2}


def test_gradients_longer_than_clip_are_cut_to_it():
    def gradient_norm(clip):
        task = Rows()
        train(task, Settings(steps=1, batch_size=8, clip=clip), progress=False)
        return torch.cat([p.grad.flatten() for p in task.model.parameters()]).norm().item()

    free = gradient_norm(1e9)
    assert gradient_norm(free / 3) == pytest.approx(free / 3, rel=1e-4)
    assert gradient_norm(free * 3) == pytest.approx(free, rel=1e-6)


def test_bfloat16_multiplies_in_16_bits_and_keeps_weights_in_32():
    settings = dict(steps=5, batch_size=32, log_every=1)
    dtypes = {}

    def run(precision):
        task = Rows()
        seen = dtypes.setdefault(precision, set())
        for module in task.model.modules():
            if isinstance(module, nn.Linear):
                module.register_forward_hook(lambda m, _i, output: seen.add(output.dtype) if m.training else None)
        losses, _ = trained(task, Settings(**settings, precision=precision))
        assert {p.dtype for p in task.model.parameters()} == {p.grad.dtype for p in task.model.parameters()}
        assert {p.dtype for p in task.model.parameters()} == {torch.float32}
        return losses

    exact, rough = run("float32"), run("bfloat16")
    assert dtypes == {"float32": {torch.float32}, "bfloat16": {torch.bfloat16}}
    assert rough == pytest.approx(exact, abs=0.03)
    assert rough != exact


def test_precision_and_compilation_follow_the_device():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    default, chosen = Settings(steps=1), Settings(steps=1, precision="float32", compile=False)
    assert default.in_bfloat16(cuda) and default.compiles(cuda, is_padded=False)
    assert not default.in_bfloat16(cpu) and not default.compiles(cpu, is_padded=False)
    assert not default.compiles(cuda, is_padded=True), "batches of every length would be compiled one after the other"
    assert not chosen.in_bfloat16(cuda) and not chosen.compiles(cuda, is_padded=False)
    assert Settings(steps=1, precision="bfloat16").in_bfloat16(cpu)
    assert Settings(steps=1, compile=True).compiles(cpu, is_padded=True)


@pytest.mark.parametrize(
    ("changes", "replays"),
    [
        (dict(), True),
        (dict(device="cpu"), False),
        (dict(n_processes=2), False),
        (dict(accumulation=2), False),
        (dict(lengths=[5] * 64), False),
    ],
)
def test_a_program_is_recorded_and_replayed_only_where_no_result_is_overwritten(monkeypatch, changes, replays):
    asked = {}
    monkeypatch.setattr(torch, "compile", lambda function, **options: asked.update(options) or function)
    task = Rows()
    task.lengths = changes.get("lengths")
    settings = Settings(steps=1, batch_size=32, accumulation=changes.get("accumulation", 1), compile=True)
    device = torch.device(changes.get("device", "cuda"))
    make_loss(task, task.model, settings, device, changes.get("n_processes", 1))
    assert (asked["mode"] == "reduce-overhead") == replays


COMPILED = """
from functools import partial
from unittest import mock
import pytest
import torch
from test_training import Rows, Settings, distance, trained

class EqualRows(Rows):
    def collate(self, examples):
        return {name: torch.nn.functional.pad(tensor, (0, 12 - tensor.shape[1]), value=-100 * (name == "labels"))
                for name, tensor in super().collate(examples).items()}

compiled, traced = torch.compile, []

def count(graph, inputs):  # a compiler that leaves each graph as it is, and counts them
    traced.append(graph)
    return graph.forward

settings = dict(steps=6, batch_size=32, log_every=1)
losses, weights = trained(EqualRows(), Settings(**settings, compile=False))
assert not traced
with mock.patch("torch.compile", partial(compiled, backend=count)):
    fast_losses, fast_weights = trained(EqualRows(), Settings(**settings, compile=True))
assert len(traced) == 1, "logits and loss are one graph, without a break, and are traced once"
assert fast_losses == pytest.approx(losses, abs=1e-5)
assert distance(weights, fast_weights) < 1e-4
"""


def in_a_fresh_python(script: str) -> subprocess.CompletedProcess:
    """In a Python of its own: torch.compile cannot trace the shape checks that run in this one."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}", "TRANSFORMER_LAB_DEVICE": "cpu"}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)


def test_a_compiled_model_learns_the_same():
    run = in_a_fresh_python(COMPILED)
    assert run.returncode == 0, run.stderr[-3000:]


# ---- Randomness


class Drawing(Rows):
    """Its evaluation draws random numbers, as one that samples texts does."""

    def evaluate(self):
        torch.rand(7)
        return super().evaluate()


def test_evaluations_do_not_disturb_dropout():
    settings = dict(steps=6, batch_size=32, log_every=1)
    often, seldom = (trained(Drawing(dropout=0.3), Settings(**settings, evaluate_every=n)) for n in (1, 9))
    assert often[0] == seldom[0]
    assert distance(often[1], seldom[1]) == 0


def test_the_seed_settles_a_run():
    def run(seed):
        task = Rows(dropout=0.3)
        torch.manual_seed(random.randrange(10**6))  # whatever was drawn before does not matter
        return trained(task, Settings(steps=4, batch_size=32, log_every=1, seed=seed))[0]

    assert run(5) == run(5) != run(6)


def test_dropout_is_drawn_anew_at_each_step():
    task, masks = Rows(dropout=0.5), []
    task.model.embedding.dropout.register_forward_hook(
        lambda module, _i, output: masks.append(output[0, 0] == 0) if module.training else None
    )
    train(task, Settings(steps=4, batch_size=32), progress=False)
    assert len({tuple(mask.tolist()) for mask in masks}) == 4


def test_the_model_learns_in_train_mode_and_is_measured_and_left_in_eval_mode():
    task, learning, measuring = Rows(dropout=0.1), [], []
    task.logits = lambda network, batch: learning.append(task.model.training) or network(batch["ids"])
    evaluate = task.evaluate
    task.evaluate = lambda: measuring.append((task.model.training, torch.is_grad_enabled())) or evaluate()
    train(task, Settings(steps=4, batch_size=32, evaluate_every=2), progress=False)
    assert learning == [True] * 4
    assert measuring == [(False, False)] * 2
    assert not task.model.training


# ---- Who hears what


def test_listeners_hear_steps_losses_rates_and_metrics():
    heard, settings = [], Settings(steps=10, batch_size=32, log_every=3, evaluate_every=4, lr=0.02)
    task = Rows()
    history = train(task, settings, listeners=[heard.append], progress=False)
    assert [now.step for now in heard] == [3, 4, 6, 8, 9, 10]
    assert [now.step for now in heard if now.metrics] == [4, 8, 10]
    assert all(now.task is task and now.n_steps == 10 and now.tokens_per_s > 0 for now in heard)
    assert [now.learning_rate for now in heard] == [settings.learning_rate(now.step - 1) for now in heard]
    assert [(one["step"], one["loss"], one["metrics"]) for one in history.evaluations] == [
        (now.step, now.loss, now.metrics) for now in heard if now.metrics
    ]
    assert not history.interrupted
    with torch.no_grad():
        assert history.evaluations[-1]["metrics"] == task.evaluate()


def test_listeners_that_can_be_gone_through_only_once_are_all_told_each_time():
    heard = []
    listeners = (listen for listen in [lambda now: heard.append(now.step)] * 2)
    train(Rows(), Settings(steps=2, batch_size=8, log_every=1), listeners=listeners, progress=False)
    assert heard == [1, 1, 2, 2]


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(point.step, point.value) for point in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_shows_each_step_once_also_of_a_run_that_was_resumed(tmp_path):
    settings = Settings(steps=6, batch_size=8, log_every=1, evaluate_every=3)
    losses = []

    def killed(now):
        losses.append((now.step, pytest.approx(now.loss)))
        if now.step == 5:  # after the curves were drawn
            shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000005", ignore_errors=True)
            raise SystemExit

    def train_it(resume, *listeners):
        board = TensorBoard(tmp_path / "run" / "tensorboard")
        train(Rows(), settings, tmp_path / "run", resume, [board, *listeners], progress=False)
        board.writer.close()

    with pytest.raises(SystemExit):
        train_it(False, killed)
    train_it(True, lambda now: losses.append((now.step, pytest.approx(now.loss))))
    shown = curves(tmp_path / "run" / "tensorboard")
    assert set(shown) == {"loss", "learning_rate", "tokens_per_s", "validation_loss"}
    assert [step for step, _ in shown["loss"]] == [1, 2, 3, 4, 5, 6]
    assert shown["loss"] == losses[:3] + losses[5:]
    assert [step for step, _ in shown["validation_loss"]] == [3, 6]


def test_metrics_may_be_of_any_kind_of_number_or_undefined(tmp_path):
    task = Rows()
    task.evaluate = lambda: {
        "validation_loss": torch.tensor(0.5), "of_numpy": np.float32(0.25), "count": 3, "undefined": None
    }  # fmt: skip
    board = TensorBoard(tmp_path / "curves")
    settings = Settings(steps=1, batch_size=8)
    history = train(task, settings, tmp_path / "run", listeners=[board], progress=False)
    board.writer.close()
    metrics = {"validation_loss": 0.5, "of_numpy": 0.25, "count": 3.0, "undefined": None}
    assert history.evaluations[0]["metrics"] == metrics
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text())["metrics"] == metrics
    assert "count" in curves(tmp_path / "curves") and "undefined" not in curves(tmp_path / "curves")


def test_listeners_see_the_model_without_dropout():
    task, seen = Rows(dropout=0.5), []
    train(
        task,
        Settings(steps=2, batch_size=32, log_every=1),
        listeners=[lambda now: seen.append(now.task.model.training)],
        progress=False,
    )
    assert seen == [False, False]


def test_the_seconds_of_evaluations_and_checkpoints_are_not_the_models(tmp_path, monkeypatch):
    """Each step takes a quarter of a second of a made-up clock, an evaluation and a checkpoint a hundred each."""
    seconds, heard = [0.0], []
    monkeypatch.setattr(time, "perf_counter", lambda: seconds[0])

    class Slow(Rows):
        def logits(self, network, batch):
            seconds[0] += 0.25
            return super().logits(network, batch)

        def evaluate(self):
            seconds[0] += 100
            return super().evaluate()

    save = Checkpoints.save

    def save_slowly(*arguments):
        seconds[0] += 100
        save(*arguments)

    monkeypatch.setattr(Checkpoints, "save", save_slowly)
    task, batches = Slow(), Batches(96, 8, 0)
    settings = Settings(steps=9, batch_size=8, log_every=2, evaluate_every=4, checkpoint_every=3)
    train(task, settings, tmp_path, listeners=[heard.append], progress=False)
    n_labels = [sum(len(task.examples[i]) - 1 for i in batches(step)) for step in range(9)]
    begin = 0
    for now in heard:
        passed = 0.25 * (now.step - begin)
        assert now.tokens_per_s == pytest.approx(sum(n_labels[begin : now.step]) / passed), now.step
        begin = now.step
    assert begin == 9 and {now.step for now in heard} == {2, 3, 4, 6, 8, 9}


@pytest.mark.parametrize("higher_is_better", [False, True])
def test_early_stopping_leaves_the_best_model(tmp_path, higher_is_better):
    values = [0.9, 0.5, 0.4, 0.6, 0.4, 0.1, 0.0]  # a second 0.4 is no better
    sign = -1 if higher_is_better else 1
    task, snapshots = Rows(), {}
    script = iter(values)
    task.evaluate = lambda: {"other": 0.0, "score": sign * next(script)}
    task.metric, task.higher_is_better = "score", higher_is_better
    history = train(
        task,
        Settings(steps=100, batch_size=32, evaluate_every=2, patience=2, keep=1),
        tmp_path,
        listeners=[lambda now: snapshots.update({now.step: weights(task.model)})],
        progress=False,
    )
    assert [one["step"] for one in history.evaluations] == [2, 4, 6, 8, 10]
    assert history.best["step"] == 6
    assert distance(weights(task.model), snapshots[6]) == 0 < distance(snapshots[10], snapshots[6])
    saved, _ = load(tmp_path)
    assert distance(weights(saved), {name: t.half().float() for name, t in snapshots[6].items()}) == 0


def test_a_model_that_still_gets_better_is_trained_to_the_end(tmp_path):
    task = Rows()
    scores = iter(range(100))
    task.evaluate = lambda: {"validation_loss": -float(next(scores))}
    history = train(task, Settings(steps=6, batch_size=32, evaluate_every=1, patience=1), tmp_path, progress=False)
    assert history.evaluations[-1]["step"] == 6


@pytest.mark.parametrize("patience", [None, 3])
def test_with_patience_the_best_model_is_kept_even_if_the_run_ends_before_it_stops(tmp_path, patience):
    task, snapshots, scores = Rows(), {}, iter([0.5, 0.2, 0.9, 0.4])
    task.evaluate = lambda: {"validation_loss": next(scores)}
    settings = Settings(steps=4, batch_size=32, evaluate_every=1, patience=patience)
    train(task, settings, tmp_path, listeners=[lambda now: snapshots.update({now.step: weights(task.model)})])
    assert distance(weights(task.model), snapshots[2 if patience else 4]) == 0


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence():
    task = Rows()
    with torch.no_grad():
        next(task.model.parameters())[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"^The loss is nan at step \d+: training has diverged\."):
        train(task, Settings(steps=20, batch_size=4, log_every=5), progress=False)


def test_without_a_folder_nothing_is_written_and_patience_and_resume_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="patience needs a folder"):
        train(Rows(), Settings(steps=1, batch_size=8, patience=1), progress=False)
    with pytest.raises(ValueError, match="give the folder"):
        train(Rows(), Settings(steps=1, batch_size=8), resume=True, progress=False)
    train(Rows(), Settings(steps=1, batch_size=8), progress=False)
    assert not list(tmp_path.iterdir())


# ---- Settings


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("steps", 0, "whole number, at least 1"),
        ("batch_size", -4, "whole number, at least 1"),
        ("accumulation", 0, "whole number, at least 1"),
        ("keep", 0, "whole number, at least 1"),
        ("log_every", 0, "whole number, at least 1"),
        ("evaluate_every", 0, "whole number, at least 1"),
        ("checkpoint_every", -1, "whole number, at least 1"),
        ("patience", 0, "whole number, at least 1"),
        ("lr", 0.0, "more than 0"),
        ("lr", math.nan, "more than 0"),
        ("clip", -1.0, "more than 0"),
        ("warmup", -1, "at least 0"),
        ("weight_decay", -0.1, "at least 0"),
        ("seed", -1, "at least 0"),
        ("seed", 2**70, "at most 4294967295"),
        ("label_smoothing", 1.0, "at least 0 and less than 1"),
        ("label_smoothing", -0.1, "at least 0 and less than 1"),
        ("schedule", "linear", "one of 'cosine', 'inverse_sqrt', 'constant'"),
        ("precision", "float16", "one of 'float32', 'bfloat16'"),
        ("beta_2", 1.0, "less than 1"),
    ],
)
def test_a_bad_setting_is_named_in_one_sentence(name, value, wanted):
    with pytest.raises(ValueError) as error:
        Settings(**{"steps": 10, name: value})
    message = str(error.value)
    assert message.startswith(f"{name} must be") and wanted in message and repr(value) in message
    assert message.count(". ") == 0 and message.endswith(".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 1000 / 4),
        ("batch_size", "64"),
        ("patience", 2.0),
        ("warmup", 2.5),
        ("seed", 0.5),
        ("lr", "0.003"),
        ("clip", None),
        ("weight_decay", True),
        ("label_smoothing", "0"),
        ("beta_2", [0.9]),
        ("compile", "no"),
    ],
)
def test_a_value_of_another_kind_is_refused(name, value):
    settings = object.__new__(Settings)  # past the type checks of the tests, which a user does not have
    for field, usual in vars(Settings(steps=10)).items():
        object.__setattr__(settings, field, value if field == name else usual)
    with pytest.raises(
        ValueError,
        match=rf"^{name} must be (a number|a whole number, .*|True, False or None); got {re.escape(repr(value))}\.$",
    ):
        settings.__post_init__()


def test_a_batch_that_cannot_be_shared_is_refused():
    Settings(steps=1, batch_size=12, accumulation=3).check_share(4)
    for n_processes, accumulation in ((5, 1), (4, 2), (1, 8)):
        with pytest.raises(ValueError, match=f"got 12 with {n_processes} processes and accumulation {accumulation}"):
            Settings(steps=1, batch_size=12, accumulation=accumulation).check_share(n_processes)
    with pytest.raises(ValueError, match="multiple of processes times accumulation"):
        train(Rows(), Settings(steps=1, batch_size=12, accumulation=5), progress=False)


def test_evaluations_and_checkpoints_come_when_asked_for_and_at_the_end():
    settings = Settings(steps=10, evaluate_every=4, checkpoint_every=3)
    assert [step for step in range(1, 11) if settings.is_evaluated(step)] == [4, 8, 10]
    assert [step for step in range(1, 11) if settings.is_saved(step)] == [3, 4, 6, 8, 9, 10]
    assert [step for step in range(1, 53) if Settings(steps=52).is_evaluated(step)] == [10, 20, 30, 40, 50, 52]
    assert [step for step in range(1, 4) if Settings(steps=3).is_evaluated(step)] == [1, 2, 3]


# ---- Schedules

RUNS = st.integers(2, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1)))


@given(RUNS)
def test_every_schedule_rises_in_a_line_to_its_peak(run):
    n_steps, n_warmup = run
    for name, schedule in SCHEDULES.items():
        factors = [schedule(step, n_steps, n_warmup) for step in range(n_steps)]
        assert factors[:n_warmup] == pytest.approx([(i + 1) / n_warmup for i in range(n_warmup)]), name
        assert max(factors) == pytest.approx(1), name
        after = factors[max(0, n_warmup - 1) :]
        assert all(a >= b > 0 for a, b in zip(after, after[1:], strict=False)), name


def rates_of_torch(make, n_steps: int) -> list[float]:
    """The learning rates that one of torch's own schedules gives, for a peak of 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, rates = make(optimizer), []
    for _ in range(n_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@given(RUNS)
def test_cosine_is_torchs(run):
    n_steps, n_warmup = run
    expected = rates_of_torch(
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=n_steps - n_warmup),
        n_steps - n_warmup,
    )
    ours = [SCHEDULES["cosine"](step, n_steps, n_warmup) for step in range(n_warmup, n_steps)]
    assert ours == pytest.approx(expected, abs=1e-9)
    assert SCHEDULES["cosine"](n_steps, n_steps, n_warmup) == pytest.approx(0)


def test_inverse_sqrt_is_the_papers():
    n_warmup, d_model = random.randint(1, 50), 512

    def paper(step_num):  # section 5.3, with steps counted from 1
        return d_model**-0.5 * min(step_num**-0.5, step_num * n_warmup**-1.5)

    for step in range(200):
        expected = paper(step + 1) / paper(n_warmup)
        assert SCHEDULES["inverse_sqrt"](step, 200, n_warmup) == pytest.approx(expected)


def test_the_learning_rate_is_a_share_of_lr_and_warms_up_for_a_tenth():
    settings = Settings(steps=100, lr=0.3, schedule="constant")
    assert [settings.learning_rate(step) for step in (0, 4, 9, 10, 99)] == pytest.approx([0.03, 0.15, 0.3, 0.3, 0.3])
    assert Settings(steps=100, lr=0.3, warmup=0).learning_rate(0) == 0.3
    assert Settings(steps=5).learning_rate(0) == Settings(steps=5).lr


# ---- Batches


@given(st.integers(1, 120), st.integers(1, 20), st.integers(0, 10**9), st.booleans())
def test_a_pass_takes_each_example_once_but_for_a_remainder(n_examples, batch_size, seed, by_length):
    lengths = [random.randint(1, 9) for _ in range(n_examples)] if by_length else None
    if n_examples < batch_size:
        with pytest.raises(ValueError, match=f"A batch of {batch_size} .* there are {n_examples}"):
            Batches(n_examples, batch_size, seed, lengths)
        return
    batches = Batches(n_examples, batch_size, seed, lengths)
    assert len(batches) == n_examples // batch_size
    for pass_number in range(3):
        taken = [batches(pass_number * len(batches) + i) for i in range(len(batches))]
        assert {len(batch) for batch in taken} == {batch_size}
        flat = [index for batch in taken for index in batch]
        assert len(set(flat)) == len(flat) == n_examples - n_examples % batch_size
        assert set(flat) <= set(range(n_examples))


@pytest.mark.parametrize("lengths", [None, [i % 7 for i in range(100)]])
def test_a_batch_depends_on_seed_and_step_alone(lengths):
    in_order = Batches(100, 8, 4, lengths)
    expected = [in_order(step) for step in range(40)]
    batches = Batches(100, 8, 4, lengths)
    for step in random.sample(range(40), 40):
        assert batches(step) == expected[step]
        assert Batches(100, 8, 4, lengths)(step) == expected[step]
    assert [Batches(100, 8, 5, lengths)(step) for step in range(12)] != expected[:12]


def test_each_pass_has_another_order_and_other_left_out_examples():
    batches = Batches(100, 8, 0, [5] * 100)
    passes = [[batches(p * 12 + i) for i in range(12)] for p in range(6)]
    assert len({str(one) for one in passes}) == 6
    left_out = [set(range(100)) - {i for batch in one for i in batch} for one in passes]
    assert len(set.union(*left_out)) > 4  # not always the same four


def test_the_remainder_is_drawn_at_random_whatever_the_lengths():
    """Were all examples sorted before the cut, the longest would never be learnt."""
    lengths = list(range(100))
    taken = {i for seed in range(30) for step in range(12) for i in Batches(100, 8, seed, lengths)(step)}
    assert taken == set(range(100))


def test_batches_by_length_hold_less_padding_and_come_in_no_order_of_length():
    lengths = [random.randint(1, 60) for _ in range(3000)]

    def padding(batches):
        rows = [[lengths[i] for i in batches(step)] for step in range(len(batches))]
        return sum(len(row) * max(row) - sum(row) for row in rows) / sum(lengths), [max(row) for row in rows]

    random_share, _ = padding(Batches(3000, 32, 0))
    share, longest = padding(Batches(3000, 32, 0, lengths))
    assert share < 0.1 < 0.5 < random_share
    ordered = sum(a <= b for a, b in zip(longest, longest[1:], strict=False))
    assert 0.3 < ordered / len(longest) < 0.7


def test_every_order_is_as_probable_as_any_other():
    """Chi-square over the 24 orders of 4 examples: 0.9999 of all generators that are fair stay below 62."""
    batches, n = Batches(4, 1, 0), 4800
    orders = Counter(tuple(batches(4 * number + i)[0] for i in range(4)) for number in range(n))
    assert len(orders) == 24
    assert sum((count - n / 24) ** 2 / (n / 24) for count in orders.values()) < 62


def test_the_order_is_the_one_that_kept_runs_were_begun_with():
    """It may only change together with the checkpoints' FORMAT: a resumed run would learn other examples."""
    assert [Batches(10, 4, 3)(step) for step in range(3)] == [[0, 6, 3, 2], [8, 7, 1, 9], [5, 1, 6, 9]]
    by_length = Batches(10, 2, 3, [5, 1, 4, 2, 3, 9, 8, 7, 0, 6])
    assert [by_length(step) for step in range(2)] == [[9, 7], [8, 1]]


def test_many_examples_are_drawn_as_few_are(monkeypatch):
    """In the same sense: each once in a pass, in an order of its own; which examples are left out differs too."""
    monkeypatch.setattr(Batches, "MANY", 90)
    monkeypatch.setattr(Batches, "PART", 5)
    test_a_batch_depends_on_seed_and_step_alone(None)
    passes = [[Batches(100, 8, 0)(p * 12 + i) for i in range(12)] for p in range(6)]
    flat = [[i for batch in one for i in batch] for one in passes]
    assert all(len(set(one)) == 96 and set(one) <= set(range(100)) for one in flat)
    assert len({str(one) for one in flat}) == 6 and len(set.union(*(set(range(100)) - set(one) for one in flat))) > 4
    assert Batches(100, 8, 4)(0) == [57, 4, 43, 49, 58, 99, 31, 14]  # it may change only with the checkpoints' FORMAT


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 17, 1000, 4096, 4097])
def test_a_permutation_has_each_number_once_wherever_it_is_asked(n):
    for seed in (0, 1, 2**64 - 1):
        whole = permuted(np.arange(n), n, seed)
        assert sorted(whole) == list(range(n))
        places = np.array([n - 1, 0, n // 2])
        assert (permuted(places, n, seed) == whole[places]).all()


def test_every_permutation_is_as_probable_as_any_other():
    """Chi-square with 23 and with 2,401 degrees of freedom: 0.9999 of all that are fair stay below these."""
    orders = Counter(tuple(permuted(np.arange(4), 4, seed)) for seed in range(4800))
    assert len(orders) == 24 and sum((count - 200) ** 2 / 200 for count in orders.values()) < 62
    n = 10**6
    one, other = (permuted(np.arange(n), n, seed) for seed in (5, 6))
    for first, second in ((np.arange(n), one), (one[:-1], one[1:]), (one, other)):  # neither place nor neighbour tells
        counts, *_ = np.histogram2d(first, second, bins=50, range=[[0, n], [0, n]])
        assert ((counts - n / 2500) ** 2 / (n / 2500)).sum() < 2670


def test_half_a_billion_windows_take_neither_time_nor_memory():
    """A gigabyte of text has about so many. A list of them would take two gigabytes."""
    batches = Batches(500_000_000, 64, 0)
    start = time.process_time()
    drawn = [i for step in range(100) for i in batches(step)]
    assert time.process_time() - start < 1 and batches.batches.nbytes < 10**6
    assert len(set(drawn)) == 6400 and 2.3e8 < np.mean(drawn) < 2.7e8 and max(drawn) > 4.9e8


TEN_MILLION = """
import resource, sys, time
from transformer_lab.training.batches import Batches
from transformer_lab.training.checkpoints import Checkpoints

n, by_length = 10_000_000, sys.argv[1] == "by length"
lengths = [i * 7919 % 251 for i in range(n)] if by_length else None
megabytes = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
before, start = megabytes(), time.process_time()
batches = Batches(n, 64, 0, lengths)
made, seconds = time.process_time() - start, []
for step in (0, len(batches)):
    start = time.process_time()
    batches(step)
    seconds.append(time.process_time() - start)
print(made, *seconds, megabytes() - before)
"""


@pytest.mark.parametrize("lengths", ["none", "by length"])
def test_a_pass_over_ten_million_examples_is_drawn_in_a_second_and_200_mb(lengths):
    run = subprocess.run(
        [sys.executable, "-c", TEN_MILLION, lengths], capture_output=True, text=True, env={**os.environ, **ONE_THREAD}
    )
    assert run.returncode == 0, run.stderr
    *seconds, megabytes = map(float, run.stdout.split())
    assert max(seconds) < 2  # a third to two thirds of a second of CPU time on a quiet machine
    assert megabytes < 200
