"""checkpoints.py: what was written comes back bit by bit; what cannot be written or read does no harm."""

import errno
import json
import random
import shutil
import tempfile
from contextlib import contextmanager

import pytest
import torch
from safetensors import SafetensorError

from transformer_lab.config import TransformerConfig
from transformer_lab.models import GPT
from transformer_lab.training import checkpoints as module
from transformer_lab.training.checkpoints import FORMAT, Checkpoints
from transformer_lab.training.loop import make_optimizer
from transformer_lab.training.settings import Settings

TENSORS = ["model.safetensors", "optimizer.safetensors"]
FILES = sorted([*TENSORS, "state.json"])


def make(seed=None, **changes):
    """(model, optimizer); with a seed the optimizer has taken two steps and has moments."""
    torch.manual_seed(seed or 0)
    model = GPT(TransformerConfig.preset("nano", vocab_size=11, **{"d_model": 16, "d_ff": 32, **changes}))
    optimizer = make_optimizer(model, Settings(steps=1))
    for _ in range(2 if seed is not None else 0):
        optimizer.zero_grad()
        model(torch.randint(11, (2, 5))).logsumexp(dim=-1).sum().backward()
        optimizer.step()
    return model, optimizer


def tensors(model, optimizer):
    """Copies of all that a checkpoint has to keep, by name."""
    moments = {
        (name, key): tensor.clone()
        for name, parameter in model.named_parameters()
        for key, tensor in optimizer.state.get(parameter, {}).items()
    }
    return {name: tensor.clone() for name, tensor in model.state_dict().items()} | moments


def assert_equal(these, those):
    assert these.keys() == those.keys()
    for name, tensor in these.items():
        assert tensor.dtype == those[name].dtype and torch.equal(tensor, those[name]), name


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def two(tmp_path):
    """(checkpoints, contents): those of steps 5 and 10, and the tensors in each."""
    checkpoints, contents = Checkpoints(tmp_path / "checkpoints"), {}
    for step in (5, 10):
        model, optimizer = make(seed=step)
        checkpoints.save(step, model, optimizer, {"evaluations": [step]})
        contents[step] = tensors(model, optimizer)
    return checkpoints, contents


def test_weights_and_moments_come_back_bit_by_bit(two):
    checkpoints, contents = two
    model, optimizer = make()
    state = checkpoints.restore(model, optimizer)
    assert state["step"] == 10 and state["evaluations"] == [10]
    assert_equal(tensors(model, optimizer), contents[10])
    moments = {key for _, key in (name for name in contents[10] if isinstance(name, tuple))}
    assert moments == {"exp_avg", "exp_avg_sq", "step"}  # all that AdamW remembers


def test_a_restored_optimizer_takes_the_same_next_step(two):
    checkpoints, _ = two
    own, restored = make(seed=10), make()
    checkpoints.restore(*restored)
    ids = torch.randint(11, (2, 5))
    for model, optimizer in (own, restored):
        optimizer.zero_grad()
        model(ids).logsumexp(dim=-1).sum().backward()
        optimizer.step()
    assert_equal(tensors(*own), tensors(*restored))


def test_the_last_k_stay_and_the_best(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=3)
    pair = make(seed=1)
    for step in range(1, 9):
        checkpoints.save(step, *pair, {}, best_step=2 if step >= 2 else None)
    assert names(checkpoints.folder) == [f"step-{step:08d}" for step in (2, 6, 7, 8)]
    checkpoints.save(9, *pair, {}, best_step=9)  # a new best: the old one need not stay
    assert names(checkpoints.folder) == [f"step-{step:08d}" for step in (7, 8, 9)]
    assert [names(folder) for folder in checkpoints.saved()] == [FILES] * 3


def test_the_newest_is_the_last_step_and_not_the_last_name(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    for step in (999, 1000, 99_999, 100_000):
        checkpoints.save(step, *make(seed=1), {})
    assert checkpoints.restore(*make())["step"] == 100_000


# What can fail while a checkpoint is written: the name in the module, and which of its calls.
FAILURES = [("save_file", 1), ("save_file", 2), ("sha256", 1), ("flush", 1), ("flush", 3)]


@pytest.mark.parametrize("name, call", FAILURES)
def test_a_failure_while_writing_leaves_the_earlier_ones_and_no_half_one(two, monkeypatch, name, call):
    full = "No space left on device"
    error = SafetensorError(full) if name == "save_file" else OSError(errno.ENOSPC, full)  # as safetensors says it
    checkpoints, contents = two
    before, calls = names(checkpoints.folder), []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise error
        return original(*arguments)

    original = getattr(module, name)
    monkeypatch.setattr(module, name, failing)
    with pytest.raises(OSError, match=r"step 15 could not be written into .*checkpoints: .*No space left.*--resume"):
        checkpoints.save(15, *make(seed=15), {})
    assert names(checkpoints.folder) == before and len(calls) == call
    fresh = make()
    assert checkpoints.restore(*fresh)["step"] == 10
    assert_equal(tensors(*fresh), contents[10])


def test_where_nothing_was_saved_before_nothing_is_said_of_resuming(tmp_path):
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="step 5 could not be written into .*checkpoints") as caught:
        Checkpoints(tmp_path / "checkpoints").save(5, *make(seed=5), {})
    assert "resume" not in str(caught.value)


class Killed(BaseException):
    """Stands for kill -9: the folder that is being written is not cleaned up."""


@contextmanager
def left_behind(prefix, dir):
    yield tempfile.mkdtemp(prefix=prefix, dir=dir)


@pytest.mark.parametrize("name, call", [*FAILURES, ("Path.rename", 1)])
def test_what_a_killed_run_leaves_does_no_harm_and_goes_with_the_next_checkpoint(two, monkeypatch, name, call):
    checkpoints, contents = two
    owner, name = (module.Path, "rename") if name == "Path.rename" else (module, name)
    original, calls = getattr(owner, name), []

    def dying(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise Killed
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dying)
        patch.setattr(tempfile, "TemporaryDirectory", left_behind)
        with pytest.raises(Killed):
            checkpoints.save(15, *make(seed=15), {})
    left, *rest = names(checkpoints.folder)
    assert left.startswith(".unfinished-") and rest == ["step-00000005", "step-00000010"]
    fresh = make()
    assert checkpoints.restore(*fresh)["step"] == 10
    assert_equal(tensors(*fresh), contents[10])
    checkpoints.save(15, *make(seed=15), {})
    assert names(checkpoints.folder) == ["step-00000010", "step-00000015"]


def truncate(path):
    with path.open("r+b") as file:
        file.truncate(random.Random(path.name).randrange(path.stat().st_size))


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edit(**changes):
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | changes))


BROKEN = {
    **{f"{name} truncated": (name, truncate, "is missing, truncated or was changed") for name in TENSORS},
    **{f"{name} with one bit changed": (name, flip, "is missing, truncated or was changed") for name in TENSORS},
    **{f"{name} lost": (name, lambda path: path.unlink(), "is missing, truncated or was") for name in TENSORS},
    "state.json truncated": ("state.json", truncate, "cannot be read"),
    "state.json empty": ("state.json", lambda path: path.write_text(""), "cannot be read"),
    "state.json lost": ("state.json", lambda path: path.unlink(), "cannot be read"),
    "state.json no text": ("state.json", lambda path: path.write_bytes(b"\xff\xfe\x80"), "cannot be read"),
    "state.json a list": ("state.json", lambda path: path.write_text("[1, 2]"), "was not written by transformer_lab"),
    "state.json of others": ("state.json", lambda path: path.write_text('{"epoch": 3}'), "was not written by"),
    "state.json without sums": ("state.json", edit(sha256=["ab"]), "was not written by transformer_lab"),
    "state.json without a step": ("state.json", edit(step=None), "was not written by transformer_lab"),
    "state.json of a later version": ("state.json", edit(format=FORMAT + 1), rf"has format {FORMAT + 1}; this version"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_checkpoint_is_passed_by_with_its_files_name(two, case):
    checkpoints, contents = two
    name, damage, says = BROKEN[case]
    damage(checkpoints.path(10) / name)
    fresh = make()
    with pytest.warns(UserWarning, match=rf"step-00000010/{name} .*{says}.*The checkpoint before it is tried"):
        assert checkpoints.restore(*fresh)["step"] == 5
    assert_equal(tensors(*fresh), contents[5])


@pytest.mark.parametrize("changes", [{"d_model": 32}, {"n_layers": 3}, {"activation": "swiglu"}])
def test_another_models_checkpoint_is_passed_by(two, changes):
    checkpoints, contents = two
    checkpoints.save(15, *make(seed=15, **changes), {})
    fresh = make()
    with pytest.warns(UserWarning, match="step-00000015 is the checkpoint of another model"):
        assert checkpoints.restore(*fresh)["step"] == 10
    assert_equal(tensors(*fresh), contents[10])


def test_where_none_can_be_used_it_is_said_and_nothing_is_changed(two):
    checkpoints, _ = two
    truncate(checkpoints.path(5) / "optimizer.safetensors")  # its weights are whole, and must not be taken alone
    truncate(checkpoints.path(10) / "optimizer.safetensors")
    pair = make(seed=3)
    before = tensors(*pair)
    with (
        pytest.warns(UserWarning, match="optimizer.safetensors"),
        pytest.raises(ValueError, match="None of the 2 checkpoints in .*checkpoints can be used"),
    ):
        checkpoints.restore(*pair)
    assert_equal(tensors(*pair), before)
    with pytest.raises(ValueError, match="step-00000010/optimizer.safetensors is missing, truncated"):
        checkpoints.restore_weights(10, pair[0])
    assert_equal(tensors(*pair), before)


def test_where_there_is_none_it_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint in .*nowhere"):
        Checkpoints(tmp_path / "nowhere").restore(*make())


def test_the_weights_of_one_step_alone_can_be_had(two):
    checkpoints, contents = two
    model, optimizer = make()
    checkpoints.restore_weights(5, model)
    assert_equal(tensors(model, optimizer), {name: t for name, t in contents[5].items() if isinstance(name, str)})


def test_a_broken_checkpoint_is_written_again(two):
    checkpoints, contents = two
    truncate(checkpoints.path(10) / "model.safetensors")
    checkpoints.save(10, *make(seed=10), {})
    fresh = make()
    assert checkpoints.restore(*fresh)["step"] == 10
    assert_equal(tensors(*fresh), contents[10])


def test_a_broken_later_one_never_displaces_what_is_saved_after_it(tmp_path):
    """A resumed run may save at other steps than before: at 7 after the one of step 10 was passed by."""
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=1)
    checkpoints.save(5, *make(seed=5), {})
    shutil.copytree(checkpoints.path(5), checkpoints.path(10))
    truncate(checkpoints.path(10) / "state.json")
    checkpoints.save(7, *make(seed=7), {})
    assert names(checkpoints.folder) == ["step-00000007"]


def test_the_newest_state_is_that_of_the_newest_which_can_be_read(two):
    checkpoints, _ = two
    assert checkpoints.newest_state()["step"] == 10
    truncate(checkpoints.path(10) / "state.json")
    assert checkpoints.newest_state()["step"] == 5
    truncate(checkpoints.path(5) / "state.json")
    assert checkpoints.newest_state() is None
