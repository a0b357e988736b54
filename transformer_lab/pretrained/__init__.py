"""Models with their weights: load, from_hf, adapt, save, and what a saved model was trained on."""

from .folder import save
from .loading import adapt, from_hf, load, trained_on

__all__ = ["adapt", "from_hf", "load", "save", "trained_on"]
