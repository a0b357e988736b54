"""Where to compute, and from which seed."""

import os
import random

import numpy as np
import torch


def pick_device() -> torch.device:
    """The best device there is: cuda, mps or cpu; TRANSFORMER_LAB_DEVICE overrides, ValueError if it is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    wanted = os.environ.get("TRANSFORMER_LAB_DEVICE")
    if wanted and not there.get(wanted.partition(":")[0]):
        usable = ", ".join(name for name, usable in there.items() if usable)
        raise ValueError(f"TRANSFORMER_LAB_DEVICE is {wanted!r}, which torch does not find here; it finds: {usable}.")
    return torch.device(wanted or next(name for name, usable in there.items() if usable))


def seed_everything(seed: int) -> None:
    """Start Python's, NumPy's and torch's random numbers from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
