"""Where to compute, and from which seed."""

import os
import random

import numpy as np
import torch


def pick_device() -> torch.device:
    """The best device there is: cuda, mps or cpu; TRANSFORMER_LAB_DEVICE overrides, ValueError if it is not there."""
    there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    there = (["cuda", *there] if there else []) + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    wanted = os.environ.get("TRANSFORMER_LAB_DEVICE", "").strip().lower() or there[0]
    if wanted not in there:
        raise ValueError(f"The device {wanted!r} is not here; torch finds: {', '.join(there)}.")
    return torch.device(wanted)


def seed_everything(seed: int) -> None:
    """Start Python's, NumPy's and torch's random numbers from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
