"""What could change a run from outside: other libraries' variables and process-wide settings, and the machine."""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import RLock

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..device import pick_device, plain_tensors
from ..environment import is_off
from ..optional import own_version

# Variables of accelerate and of MPI's launchers. A run's own, set by torchrun, are LOCAL_RANK, RANK and WORLD_SIZE.
FOREIGN = ("ACCELERATE_", "FSDP_", "PARALLELISM_CONFIG_", "MEGATRON_LM_", "PMI_", "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_")
# Those of accelerate's variables that ask for another kind of training.
REQUESTS = (
    *("MIXED_PRECISION", "GRADIENT_ACCUMULATION_STEPS", "DYNAMO_BACKEND", "TORCH_DEVICE", "USE_CPU"),
    *("USE_FSDP", "USE_DEEPSPEED", "USE_MEGATRON_LM", "USE_PARALLELISM_CONFIG"),
)


@contextmanager
def isolated() -> Iterator[tuple[Accelerator, torch.device]]:
    """(accelerator, device), which depend on torchrun and TRANSFORMER_LAB_DEVICE alone.

    Within the block torch computes as in a fresh process. Afterwards everything is as before: the state that an
    Accelerator or Trainer of an earlier cell has left, torch's default type and device, its random numbers, its
    precision, whether it computes gradients. Raises ValueError while another thread of the process trains.
    """
    with ExitStack() as stack:
        stack.enter_context(one_training_at_a_time())
        stack.enter_context(without_foreign_variables())
        stack.enter_context(without_foreign_state())
        on_cpu = pick_device().type == "cpu"
        accelerator = Accelerator(cpu=on_cpu, device_placement=False, mixed_precision="no", dynamo_backend="no")
        # Under torchrun each process has a device of its own.
        device = pick_device() if accelerator.num_processes == 1 else accelerator.device
        stack.enter_context(fresh_torch(device))
        yield accelerator, device


TRAINING = RLock()


@contextmanager
def one_training_at_a_time() -> Iterator[None]:
    """Within the block no other thread trains: both would draw from the same random numbers. Raises ValueError."""
    if not TRAINING.acquire(blocking=False):
        raise ValueError("Another thread of this process is training a model: wait until it has ended.")
    try:
        yield
    finally:
        TRAINING.release()


@contextmanager
def without_foreign_variables() -> Iterator[None]:
    """Within the block accelerate finds none of its variables; one warning for those that ask for something."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith(FOREIGN)}
    if "LOCAL_RANK" not in os.environ:  # not torchrun's: they tell of processes that do not take part
        hidden |= {name: os.environ[name] for name in ("WORLD_SIZE", "RANK") if name in os.environ}
    requests = [name for name in map("ACCELERATE_{}".format, REQUESTS) if asks_for_something(name)]
    if requests:
        listed = ", ".join(f"{name}={os.environ[name]}" for name in requests)
        warnings.warn(f"{listed} has no effect here: the settings and the device alone decide.", stacklevel=2)
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def asks_for_something(name: str) -> bool:
    """Is the variable set to something other than the default?"""
    accumulates = name != "ACCELERATE_GRADIENT_ACCUMULATION_STEPS" or os.environ.get(name) != "1"
    return bool(os.environ.get(name)) and not is_off(name) and accumulates


@contextmanager
def without_foreign_state() -> Iterator[None]:
    """Within the block accelerate does not know of Accelerators that were made before."""
    states = [kind._shared_state for kind in (AcceleratorState, PartialState, GradientState)]
    before = [dict(state) for state in states]
    for state in states:
        state.clear()
    try:
        yield
    finally:
        for state, content in zip(states, before, strict=True):
            state.clear()
            state.update(content)


@contextmanager
def fresh_torch(device: torch.device) -> Iterator[None]:
    """Within the block torch's defaults are those of a fresh process."""
    with ExitStack() as stack:
        stack.enter_context(plain_tensors())
        stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
        stack.enter_context(all_kernels())
        stack.callback(restore_precision, *precision())
        torch.set_float32_matmul_precision("highest")
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in {"cpu", device.type}:
            if torch.is_autocast_enabled(kind):
                # Within another autocast ours would keep its copies of the weights across steps: so keep none at all.
                stack.enter_context(torch.autocast(kind, enabled=False, cache_enabled=False))
        yield


ATTENTION_KERNELS = [
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.OVERRIDEABLE,
]


@contextmanager
def all_kernels() -> Iterator[None]:
    """Within the block torch may use all of its kernels: which one it chooses changes the last digits."""
    enabled, deterministic, *_ = torch.backends.mkldnn.set_flags(True, False, None, None)
    try:
        with sdpa_kernel(ATTENTION_KERNELS):
            yield
    finally:
        torch.backends.mkldnn.set_flags(enabled, deterministic, None, None)


MATMULS = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]  # torch hides it


def precision() -> tuple[str | None, list[str]]:
    """The precision of float32 matrix products: that of all backends, None if they differ, and that of each."""
    try:
        together = torch.get_float32_matmul_precision()
    except RuntimeError:
        together = None
    return together, [matmul.fp32_precision for matmul in MATMULS]


def restore_precision(together: str | None, each: list[str]) -> None:
    """Restore what precision() has returned."""
    if together is not None:
        torch.set_float32_matmul_precision(together)
    for matmul, value in zip(MATMULS, each, strict=True):
        matmul.fp32_precision = value


def check_model(model: nn.Module) -> None:
    """Raise ValueError for a model that cannot learn, is not in float32, or computes in another library's precision."""
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("None of the model's weights requires a gradient: call model.requires_grad_() to train them.")
    for name, parameter in model.named_parameters():
        if parameter.is_inference():
            raise ValueError("The model was made within torch.inference_mode and cannot be trained: make it outside.")
        if parameter.dtype != torch.float32:
            raise ValueError(f"The model's {name} is {parameter.dtype}; wanted torch.float32: model.float().")
    if hasattr(model, "_original_forward"):
        raise ValueError(
            "The model was prepared by another Accelerator, in whose precision it computes; "
            "give the model itself: accelerator.unwrap_model(model, keep_fp32_wrapper=False)."
        )


def machine(accelerator: Accelerator, device: torch.device) -> dict:
    """What determines the last digits of a result, besides data and settings."""
    return {
        "transformer_lab": own_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "processes": accelerator.num_processes,
    }
