"""Where to compute, and from which seed."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch

from .arguments import check_seed


def pick_device() -> torch.device:
    """The best device there is: cuda, mps or cpu; TRANSFORMER_LAB_DEVICE overrides, ValueError if it is not there."""
    there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    there = (["cuda", *there] if there else []) + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    wanted = os.environ.get("TRANSFORMER_LAB_DEVICE", "").strip().lower() or there[0]
    if wanted not in there:
        raise ValueError(f"The device {wanted!r} is not here; torch finds: {', '.join(there)}.")
    return torch.device(wanted)


@contextmanager
def plain_tensors() -> Iterator[None]:
    """Within the block a new tensor is of float32 and on the CPU, whatever torch.set_default_... has said."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        # Only where need be, for a device as context slows every call.
        with nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


def seed_everything(seed: int) -> None:
    """Start Python's, NumPy's and torch's random numbers from one seed; ValueError for what is none."""
    check_seed(seed)
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
