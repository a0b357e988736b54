"""Models with their weights: load, from_hf, save, and what a saved model was trained on."""

from .folder import save
from .loading import from_hf, load, trained_on

__all__ = ["from_hf", "load", "save", "trained_on"]
