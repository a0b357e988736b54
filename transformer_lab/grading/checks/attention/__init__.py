"""Lesson 02: its questions, in the order of the exercise notebook; its guesses; the misconceptions it cures."""

from .diagnose import diagnose
from .duplicate import duplicate
from .entropy import entropy
from .mix import mix
from .scaled_dot_product_attention import scaled_dot_product_attention
from .shift import shift
from .softmax import softmax

LESSON = "02_attention"
__all__ = ["softmax", "scaled_dot_product_attention", "diagnose", "entropy", "shift", "duplicate", "mix"]

PREDICTIONS = {
    # Which hurts the trained translator more: all scores 4 times too large, or 4 times too small?
    "break_scale": ("too large", "too small", "about the same"),
    "gradient": ("grows", "stays", "vanishes"),
    # Can the output leave the convex hull of the values?
    "hull": ("yes", "no"),
}

MISCONCEPTIONS = {
    "M01": "scores divided by sqrt(d_model), or not at all; the scale is sqrt(d), d the width of one head's queries",
    "M02": "the scale put outside the softmax",
    "M03": "the softmax dropped, or its exp or its division",
    "M04": "softmax over the query axis",
    "M05": "the sum runs over the query index, or an index is both free and summed",
    "M06": "an activation on queries, keys or values: they are linear",
}
