"""Generating text one token at a time: how the model is run (reader), how a token is chosen (sampling, beam search)."""

from .decoding import generate, stream
from .translation import translate, translate_ids

__all__ = ["generate", "stream", "translate", "translate_ids"]
