"""Lesson 05: its questions, in the order of the exercise notebook; its guesses; the misconceptions it cures."""

from .cost import cost
from .feed_forward import feed_forward
from .gated_width import gated_width
from .gelu import gelu
from .mixes_positions import mixes_positions
from .repair import repair
from .swiglu import swiglu

LESSON = "05_feed_forward"
__all__ = ["feed_forward", "gelu", "repair", "mixes_positions", "cost", "swiglu", "gated_width"]

PREDICTIONS = {
    # Which one of the translator's four feed-forward layers can it least do without?
    "layer": ("encoder 0", "encoder 1", "decoder 0", "decoder 1"),
    # Can six layers of attention, seeing one token only, compute XOR?
    "xor": ("yes", "no"),
    # Shuffle the positions before or after attention: the same?
    "shuffle": ("only the feed-forward layer", "only attention", "both", "neither"),
    # At which T do scores and mix cost as much as a feed-forward layer of width 4 d_model?
    "crossing": ("T = d_model", "T = 4 d_model", "T = 4 d_model^2"),
}

MISCONCEPTIONS = {
    "M28": "the second projection forgotten; inner width = d_model; an activation after the last projection",
    "M30": "tanh or sigmoid as GPT-2's activation: it is GELU, in its tanh approximation",
}
