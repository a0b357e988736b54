"""checkpoints.py: what was written comes back bit by bit; what cannot be written or read does no harm."""

import errno
import fcntl
import json
import math
import os
import random
import shutil
import tempfile
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from transformer_lab.config import TransformerConfig
from transformer_lab.models import GPT
from transformer_lab.pretrained.safetensors_file import sha256
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
    checkpoints, contents = Checkpoints(tmp_path / "run" / "checkpoints"), {}
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
    with pytest.warns(UserWarning, match=rf"step-00000010/{name} .*{says}.*Trying the checkpoint before it"):
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


# ---- What is not ours


def test_a_learners_copy_stays_and_is_never_the_newest(two):
    checkpoints, contents = two
    for copy in (
        "step-00000005-before-lr-change",
        "step-00000010 copy",
        "step-99999999~",
        "step-5",
        "my-step-00000005",
    ):
        shutil.copytree(checkpoints.path(5), checkpoints.folder / copy)
    before = set(names(checkpoints.folder))
    (checkpoints.folder / "step-00000099").write_text("a file")
    (checkpoints.folder / "step-00000098").mkdir()
    (checkpoints.folder / "step-00000098" / "notes.txt").write_text("mine")
    assert [path.name for path in checkpoints.saved()] == ["step-00000005", "step-00000010"]
    fresh = make()
    assert checkpoints.restore(*fresh)["step"] == 10
    for step in (15, 20, 25):
        checkpoints.save(step, *make(seed=1), {})
    ours = {"step-00000005", "step-00000010"}
    assert set(names(checkpoints.folder)) == before - ours | {f"step-000000{n}" for n in (20, 25, 98, 99)}


def test_what_somebody_has_put_into_a_checkpoint_stays(two):
    checkpoints, contents = two
    (checkpoints.path(5) / "notes.txt").write_text("the one before I changed lr")
    (checkpoints.path(10) / ".DS_Store").write_text("of the system")
    assert checkpoints.restore(*make())["step"] == 10
    checkpoints.save(15, *make(seed=1), {})
    assert names(checkpoints.path(5)) == ["notes.txt"] and len(checkpoints.saved()) == 2
    with pytest.raises(OSError, match="step 5 could not be written into"):
        checkpoints.save(5, *make(seed=1), {})
    assert names(checkpoints.path(5)) == ["notes.txt"] and len(checkpoints.saved()) == 2


@pytest.mark.parametrize("steps", [(99_999_999, 100_000_000), (5, 1_000_000_000)])
def test_steps_of_more_digits_are_later_ones(tmp_path, steps):
    checkpoints = Checkpoints(tmp_path, keep=1)
    for step in steps:
        checkpoints.save(step, *make(seed=1), {})
    assert [path.name for path in checkpoints.saved()] == [f"step-{steps[1]}"]
    assert checkpoints.restore(*make())["step"] == steps[1]


def test_tensors_that_safetensors_did_not_write_are_passed_by_although_their_sum_is_right(two):
    checkpoints, contents = two
    path = checkpoints.path(10) / "model.safetensors"
    path.write_bytes((2**63).to_bytes(8, "little") + b"{}")
    edit(sha256=json.loads((path.parent / "state.json").read_text())["sha256"] | {path.name: sha256(path)})(
        path.parent / "state.json"
    )
    with pytest.warns(UserWarning, match="step-00000010/model.safetensors was not written by transformer_lab"):
        assert checkpoints.restore(*make())["step"] == 5


def test_a_state_nested_too_deeply_is_passed_by(two):
    checkpoints, contents = two
    (checkpoints.path(10) / "state.json").write_text("[" * 100_000)
    with pytest.warns(UserWarning, match="step-00000010/state.json cannot be read"):
        assert checkpoints.restore(*make())["step"] == 5


def test_a_state_is_read_by_every_reader_of_json(tmp_path):
    def refuse(constant):
        raise ValueError(constant)

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(5, *make(seed=5), {"evaluations": [{"loss": math.inf, "metrics": {"perplexity": math.nan}}]})
    content = json.loads((checkpoints.path(5) / "state.json").read_bytes().decode("utf-8"), parse_constant=refuse)
    assert content["evaluations"] == [{"loss": None, "metrics": {"perplexity": None}}]


# ---- Other systems, other disks


def test_files_are_flushed_as_windows_wants_it(tmp_path, monkeypatch):
    """There only a file that may be written can be flushed."""
    flushed = []

    def fsync(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flushed.append(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    Checkpoints(tmp_path).save(5, *make(seed=5), {})
    assert len(flushed) == 3


def test_what_is_restored_is_no_view_of_the_file(two, monkeypatch):
    """Windows removes no file of which a part is in memory; elsewhere a changed file would change the optimizer."""
    checkpoints, contents = two
    loaded = []
    monkeypatch.setattr(module, "load_file", lambda path: loaded.append(load_file(path)) or loaded[-1])
    model, optimizer = make()
    checkpoints.restore(model, optimizer)
    of_files = {tensor.data_ptr() for file in loaded for tensor in file.values()}
    ours = list(model.state_dict().values()) + [t for state in optimizer.state.values() for t in state.values()]
    assert len(of_files) == len(ours) and not of_files & {tensor.data_ptr() for tensor in ours}


def test_a_checkpoint_that_cannot_be_removed_costs_no_training(two, monkeypatch):
    checkpoints, contents = two

    def unlink(self, missing_ok=False):
        if "step-00000005" in str(self):
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return original(self, missing_ok)

    original = module.Path.unlink
    monkeypatch.setattr(module.Path, "unlink", unlink)
    with pytest.warns(
        UserWarning, match="step-00000005, which is no longer kept, could not be removed: .*cannot access"
    ):
        checkpoints.save(15, *make(seed=15), {})
    assert len(checkpoints.saved()) == 3 and checkpoints.restore(*make())["step"] == 15
    monkeypatch.undo()
    checkpoints.save(20, *make(seed=20), {})
    assert names(checkpoints.folder) == ["step-00000015", "step-00000020"]


def test_room_for_all_that_is_to_be_kept_is_known_before_the_work(two, monkeypatch):
    checkpoints, contents = two
    model, optimizer = make(seed=15, d_model=128, d_ff=512)
    size = 3 * 4 * sum(p.numel() for p in model.parameters())
    checkpoints.save(15, model, optimizer, {})
    stored = sum(path.stat().st_size for path in checkpoints.path(15).glob("*.safetensors"))
    assert stored == pytest.approx(size, rel=0.05)  # beside names and shapes

    def with_free(free):
        monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage.append(path) or SimpleNamespace(free=free))

    usage = []
    with_free(2 * size)  # two are there, and each new one takes an old one's place
    checkpoints.check_space(model)
    with_free(2 * size - 1)
    with pytest.raises(OSError, match=r"^\S+checkpoints has no room for 2 checkpoints of .* MB: .* MB are free\.$"):
        checkpoints.check_space(model)
    new = Checkpoints(checkpoints.folder / "a" / "b", keep=3)
    with_free(5 * size - 1)
    with pytest.raises(OSError, match="no room for 5 checkpoints"):
        new.check_space(model)
    with_free(5 * size)
    new.check_space(model)
    full = Checkpoints(checkpoints.folder, keep=1)  # one place more is taken than it needs: one new one must fit
    checkpoints.save(20, model, optimizer, {}, best_step=15)
    with_free(size)
    full.check_space(model)
    assert all(path.exists() for path in usage)
