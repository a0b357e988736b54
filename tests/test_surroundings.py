"""surroundings.py: a result follows from data, settings and device alone, whatever else the process has been told."""

import io
import os
import re
import sys
import threading
import warnings
from contextlib import contextmanager, nullcontext

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch.nn.attention import SDPBackend, sdpa_kernel

from test_training import Rows, distance, in_a_fresh_python, weights
from transformer_lab.environment import is_first_process
from transformer_lab.progress_bar import ProgressBar
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

STATES = (AcceleratorState, PartialState, GradientState)


def learnt(precision: str = "float32", seed: int = 0) -> dict[str, torch.Tensor]:
    """The weights after a few steps with dropout."""
    task = Rows(dropout=0.2)
    train(task, Settings(steps=4, batch_size=16, precision=precision, seed=seed), progress=False)
    return weights(task.model)


def assert_same(these, those):
    assert these.keys() == those.keys()
    assert all(torch.equal(tensor, those[name]) for name, tensor in these.items())


@pytest.fixture(scope="module")
def expected():
    return {precision: learnt(precision) for precision in ("float32", "bfloat16")}


@pytest.fixture
def no_state():
    """accelerate as in a fresh process, and again afterwards."""
    before = [dict(kind._shared_state) for kind in STATES]
    for kind in STATES:
        kind._shared_state.clear()
    yield
    for kind, state in zip(STATES, before, strict=True):
        kind._shared_state.clear()
        kind._shared_state.update(state)


# What accelerate reads, each with a value that would change the run or end it.
VARIABLES = {
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
    "ACCELERATE_DYNAMO_BACKEND": "INDUCTOR",
    "ACCELERATE_USE_FSDP": "true",
    "ACCELERATE_USE_DEEPSPEED": "true",
    "ACCELERATE_USE_MEGATRON_LM": "true",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "true",
    "ACCELERATE_TORCH_DEVICE": "meta",
    "ACCELERATE_USE_CPU": "yes",
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_of_accelerate_changes_nothing_and_is_named(expected, no_state, monkeypatch, name):
    monkeypatch.setenv(name, VARIABLES[name])
    with pytest.warns(UserWarning) as told:
        assert_same(learnt(), expected["float32"])
    assert [str(one.message) for one in told] == [
        f"{name}={VARIABLES[name]} has no effect here: the settings and the device alone decide."
    ]
    assert os.environ[name] == VARIABLES[name]


def test_what_accelerate_launch_sets_anyway_is_not_worth_a_word(expected, no_state, monkeypatch):
    for name, value in {
        "ACCELERATE_MIXED_PRECISION": "no",
        "ACCELERATE_DYNAMO_BACKEND": "NO",
        "ACCELERATE_DYNAMO_MODE": "default",
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1",
        "ACCELERATE_USE_FSDP": "False",
        "ACCELERATE_CPU_AFFINITY": "0",
        "PMI_SIZE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(learnt(), expected["float32"])


ALONE = """
from test_training import Rows, Settings, trained
losses, _ = trained(Rows(), Settings(steps=2, batch_size=8, log_every=1))
assert len(losses) == 2
"""


@pytest.mark.parametrize("names", [["WORLD_SIZE", "RANK"], ["PMI_SIZE"]])
def test_processes_that_nobody_has_started_are_not_waited_for(names, monkeypatch):
    for name in names:
        monkeypatch.setenv(name, "1" if name == "RANK" else "2")
    run = in_a_fresh_python(ALONE)
    assert run.returncode == 0, run.stderr[-2000:]


def on_a_gpu():
    Accelerator(cpu=True)
    PartialState._shared_state["device"] = AcceleratorState._shared_state["device"] = torch.device("cuda")


EARLIER_CELLS = {
    "a run on a GPU": on_a_gpu,
    "an Accelerator in bf16": lambda: Accelerator(cpu=True, mixed_precision="bf16"),
    "an Accelerator that accumulates": lambda: Accelerator(cpu=True, gradient_accumulation_steps=8),
    "an Accelerator that compiles": lambda: Accelerator(cpu=True, dynamo_backend="eager"),
    "only the processes' state": lambda: PartialState(cpu=True),
}


@pytest.mark.parametrize("cell", EARLIER_CELLS)
def test_what_an_earlier_cell_has_left_changes_nothing_and_stays(expected, no_state, cell):
    left = EARLIER_CELLS[cell]()  # noqa: F841  # an Accelerator lives as long as somebody holds it
    before = [dict(kind._shared_state) for kind in STATES]
    assert any(before)
    assert_same(learnt(), expected["float32"])
    assert [dict(kind._shared_state) for kind in STATES] == before


@contextmanager
def default_type():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def rough_products():
    torch.set_float32_matmul_precision("medium")
    try:
        yield
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


@contextmanager
def rough_products_set_for_one_backend():
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        yield
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    finally:
        torch.set_float32_matmul_precision("highest")


@contextmanager
def without_onednn():
    before = torch.backends.mkldnn.set_flags(False, None, None, None)
    try:
        yield
    finally:
        torch.backends.mkldnn.set_flags(before[0], None, None, None)


DEFAULTS = {
    "nothing": nullcontext,
    "the default type": default_type,
    "the default device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "rough products": rough_products,
    "rough products on CUDA": rough_products_set_for_one_backend,
    "one kernel of attention": lambda: sdpa_kernel(SDPBackend.MATH),
    "no oneDNN": without_onednn,
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("default", DEFAULTS)
def test_torchs_defaults_change_nothing_and_stay(expected, default, precision):
    task, types = Rows(dropout=0.2), set()  # made before, as in an earlier cell
    collate = task.collate
    task.collate = lambda examples: types.add(seen()) or collate(examples)

    def seen():
        return torch.get_default_dtype(), torch.backends.mkldnn.enabled, torch.backends.cuda.flash_sdp_enabled()

    def state():
        return (
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.is_autocast_enabled("cpu"),
            torch.is_autocast_cache_enabled(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.backends.cuda.matmul.fp32_precision,
            torch.backends.mkldnn.matmul.fp32_precision,
            torch.backends.mkldnn.enabled,
            torch.backends.cuda.flash_sdp_enabled(),
        )

    with DEFAULTS[default]():
        before = state()
        train(task, Settings(steps=4, batch_size=16, precision=precision), progress=False)
        assert state() == before
    assert_same(weights(task.model), expected[precision])
    assert types == {(torch.float32, True, True)}  # what a task makes for itself, too


def test_the_two_precisions_and_the_seeds_differ(expected):
    """Otherwise the tests above would show nothing."""
    several = [expected["float32"], expected["bfloat16"], learnt(seed=1)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert distance(several[one], several[other]) > 1e-5


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_model_in_another_type_is_refused_by_a_sentence(dtype):
    task = Rows()
    task.model.to(dtype)
    with pytest.raises(ValueError, match=rf"^The model's \S+ is {re.escape(str(dtype))}; wanted torch.float32: .*\.$"):
        train(task, Settings(steps=1, batch_size=8), progress=False)


def test_a_model_that_another_accelerator_has_prepared_is_refused_by_a_sentence(no_state):
    task = Rows()
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    task.model = accelerator.prepare(task.model)
    with pytest.raises(ValueError, match=r"prepared by another Accelerator.*unwrap_model\(model, keep_fp32_wrapper=F"):
        train(task, Settings(steps=1, batch_size=8), progress=False)
    task.model = accelerator.unwrap_model(task.model, keep_fp32_wrapper=False)
    train(task, Settings(steps=1, batch_size=8), progress=False)


def test_a_trained_model_can_be_prepared_by_another_accelerator(no_state):
    task = Rows()
    train(task, Settings(steps=1, batch_size=8), progress=False)
    model = Accelerator(cpu=True, mixed_precision="bf16").prepare(task.model)
    assert hasattr(model, "_original_forward")  # it was not taken for one that is prepared already


def test_two_threads_do_not_train_at_once(expected):
    task, said = Rows(dropout=0.2), []

    def other():
        with pytest.raises(ValueError, match="^Another thread of this process is training a model: wait"):
            learnt(seed=1)
        said.append(True)

    def listen(now):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        learnt(seed=1)  # in the same thread, one after the other, they do no harm

    settings = Settings(steps=4, batch_size=16, precision="float32", log_every=1)
    train(task, settings, listeners=[listen], progress=False)
    assert len(said) == 4
    assert_same(weights(task.model), expected["float32"])


def test_random_numbers_of_others_go_on_as_if_nobody_had_trained():
    torch.manual_seed(7)
    wanted = torch.rand(3)
    task = Rows(dropout=0.2)
    torch.manual_seed(7)
    train(task, Settings(steps=2, batch_size=16), progress=False)
    assert torch.equal(torch.rand(3), wanted)


def test_a_run_stays_in_its_folder_whoever_changes_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = Settings(steps=4, batch_size=16, evaluate_every=2, log_every=1)
    train(Rows(), settings, "run", listeners=[lambda now: os.chdir(tmp_path / "elsewhere")], progress=False)
    assert {"checkpoints", "metrics.jsonl", "model.safetensors"} <= set(os.listdir(tmp_path / "run"))
    assert os.listdir(tmp_path / "elsewhere") == [] and ".owner.lock" not in os.listdir(tmp_path / "run")


def test_a_model_that_cannot_learn_is_called_so():
    frozen = Rows()
    frozen.model.requires_grad_(False)
    with pytest.raises(ValueError, match="None of the model's weights requires a gradient"):
        train(frozen, Settings(steps=2, batch_size=16), progress=False)
    with torch.inference_mode():
        made_inside = Rows()
    with pytest.raises(ValueError, match="made within torch.inference_mode and cannot be trained"):
        train(made_inside, Settings(steps=2, batch_size=16), progress=False)


def test_a_rank_that_is_not_torchruns_silences_nobody(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv("RANK", "1")
    assert is_first_process()
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert not is_first_process()


def test_when_a_training_has_ended_another_thread_may_train(expected):
    learnt()
    results = []
    thread = threading.Thread(target=lambda: results.append(learnt()), daemon=True)
    thread.start()
    thread.join(120)
    assert results, "the first training still held a lock"
    assert_same(results[0], expected["float32"])


class ClosedPipe(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


def test_a_bar_that_cannot_be_written_stops_no_bar_of_another_thread(monkeypatch):
    monkeypatch.setattr(sys, "stderr", ClosedPipe())
    with pytest.raises(BrokenPipeError):
        train(Rows(), Settings(steps=1, batch_size=16), progress=True)
    monkeypatch.undo()
    thread = threading.Thread(target=lambda: ProgressBar(total=1, disable=True), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "the failed bar still held tqdm's lock"
