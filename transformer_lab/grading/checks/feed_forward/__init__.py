"""Lesson 05: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .cost import cost
from .diagnose import diagnose
from .feed_forward import feed_forward
from .gated_width import gated_width
from .gelu import gelu
from .mixes_positions import mixes_positions
from .swiglu import swiglu

LESSON = "05_feed_forward"
__all__ = ["feed_forward", "gelu", "diagnose", "mixes_positions", "cost", "swiglu", "gated_width"]

PREDICTIONS = {
    # Can six layers of attention, seeing one token only, compute XOR?
    "xor": ("yes", "no"),
    # Silence each month's five favourite units, a fifth of the layer: how many of the right dates go wrong?
    "months": ("hardly any", "about a fifth", "most"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "feed_forward": "With the identity as `activation` it equals one D x D matrix and a bias, however large "
    "`d_ff` is: without a bend, width buys nothing.",
    "gelu": "`gelu(x) - gelu(-x)` is `x`, for both of yours: two hidden units can carry a number through the "
    "bend unchanged.",
    "diagnose": "Shuffle the positions of a right layer's input, and its output is shuffled alike: one such layer "
    "serves texts of every length and order.",
    "mixes_positions": "Nothing in it is about feed-forward layers: a convolution, a whole encoder, anything "
    "from `(B, T, D)` to `(B, T, D)` can be asked.",
    "cost": "At GPT-2's width of 768 and 512 tokens, scores and mix cost a sixth of a feed-forward layer of "
    "width 3072: there the square hardly counts.",
    "swiglu": "Where the gates are wide open, an input 10 times as large gives an output about 100 times as "
    "large: gated units multiply inputs with inputs.",
    "gated_width": "`gated_width(4 * 4096, 256)` is 11008: Llama's odd number is 8/3 of 4096, rounded up to a "
    "multiple of 256.",
}

MISCONCEPTIONS = {
    "M28": "the second projection forgotten; inner width = d_model; an activation after the last projection",
    "M30": "tanh or sigmoid as GPT-2's activation: it is GELU, in its tanh approximation",
}
