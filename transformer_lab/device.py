"""The device to compute on, and the random seed."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch

from .arguments import check_seed


def pick_device() -> torch.device:
    """Return the device that TRANSFORMER_LAB_DEVICE names, else the best of cuda, mps and cpu that is available.

    Raises ValueError if the named device is not available.
    """
    available = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    available = (["cuda", *available] if available else []) + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    wanted = os.environ.get("TRANSFORMER_LAB_DEVICE", "").strip().lower() or available[0]
    if wanted not in available:
        raise ValueError(f"The device {wanted!r} is not available; torch finds {', '.join(available)}.")
    return torch.device(wanted)


@contextmanager
def plain_tensors() -> Iterator[None]:
    """Make new tensors float32 and on the CPU within the block, whatever torch's default dtype and device are."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        # Only if necessary: a device context slows down every call.
        with nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch; ValueError for an invalid seed."""
    check_seed(seed)
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
