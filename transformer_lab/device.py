"""Where to compute, and from which seed."""

import os
import random

import numpy as np
import torch


def pick_device() -> torch.device:
    """The best device there is: cuda, mps or cpu; TRANSFORMER_LAB_DEVICE overrides."""
    name = os.environ.get("TRANSFORMER_LAB_DEVICE")
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return torch.device(name)


def seed_everything(seed: int) -> None:
    """Start Python's, NumPy's and torch's random numbers from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
