"""Lesson 02: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .diagnose import diagnose
from .duplicate import duplicate
from .entropy import entropy
from .missed import missed
from .mix import mix
from .scaled_dot_product_attention import scaled_dot_product_attention
from .shift import shift
from .softmax import softmax

LESSON = "02_attention"
__all__ = ["softmax", "scaled_dot_product_attention", "diagnose", "entropy", "shift", "duplicate", "missed", "mix"]

PREDICTIONS = {
    # Which hurts the trained translator more: all scores 4 times too large, or 4 times too small?
    "break_scale": ("too large", "too small", "about the same"),
    "gradient": ("grows", "stays", "vanishes"),
    # Is there a query whose favourite is the explorer's fifth key, which lies in the convex hull of the others?
    "hull": ("yes", "no"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "softmax": "Multiply ordinary scores by 100 and it nearly chooses, by 0 and it averages: your function goes "
    "all the way from one to the other.",
    "scaled_dot_product_attention": "With one query and all keys so far, it is already the step by which GPT "
    "attends while it writes: a single new token needs no mask.",
    "diagnose": "One line guards the mended one: compare it with torch's own attention on random inputs. Each of "
    "the four broken ones fails that test.",
    "entropy": "Its exponential counts keys: equal weights on n of them give exactly n. Of a "
    "language model's loss the exponential is called perplexity.",
    "shift": "You may set the bias of the translator's keys to 0, and it computes the same. Whisper, which "
    "turns speech into text, has none.",
    "duplicate": "Both copies together draw `2w / (1 + w)`: up to twice the attention, although no score has "
    "changed. Repetition is heard.",
    "missed": "With its weight shared out, a key moves the output by `w / (1 - w)` times its value's distance from it: "
    "at distance 0 the largest weight moves nothing.",
    "mix": "Scores that differ by ln 3 in place of 0 would mix the two values 3 to 1: any mixture is one query away.",
}

MISCONCEPTIONS = {
    "M01": "scores divided by sqrt(d_model), or not at all; the scale is sqrt(d), d the width of one head's queries",
    "M02": "the scale put outside the softmax",
    "M03": "the softmax dropped, or its exp or its division",
    "M04": "softmax over the query axis",
    "M05": "the sum runs over the query index, or an index is both free and summed",
    "M06": "an activation on queries, keys or values: they are linear",
}
