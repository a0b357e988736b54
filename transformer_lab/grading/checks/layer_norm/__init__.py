"""Lesson 07: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .counterexample import counterexample
from .diagnose import diagnose
from .layer_norm import layer_norm
from .layer_norm_backward import layer_norm_backward
from .rms_norm import rms_norm
from .sublayer import sublayer
from .which_axis import which_axis

LESSON = "07_layer_norm"
__all__ = ["layer_norm", "layer_norm_backward", "which_axis", "sublayer", "rms_norm", "diagnose", "counterexample"]

PREDICTIONS = {
    # Which leaves the trained translator fewer next tokens right: no norm, or statistics over the batch?
    "break_axis": ("no norm", "over the batch", "about the same"),
    # Which place of the norm needs the warm-up at a learning rate of 1e-2?
    "warm_up": ("pre", "post", "both", "neither"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "layer_norm": "Multiply `x` by 100 or add 7 to each feature: the output hardly moves. What comes next never "
    "learns how large its input was.",
    "layer_norm_backward": "Its `grad_x` sums to 0 and, but for eps, is orthogonal to `x`: it never asks for a "
    "shift or a scale that the norm would undo.",
    "which_axis": "A layer's code is not needed to know what it mixes: ask it twice and see which outputs move. "
    "Lesson 03 found leaks that way.",
    "sublayer": "Call it with attention and then with a feed-forward layer, and you have a whole Transformer "
    "block: lesson 09 does just that.",
    "rms_norm": "Where a position's features have mean 0 it equals `layer_norm` with beta 0: but for the shift, "
    "centring is all that RMSNorm leaves out.",
    "diagnose": "A pre-norm stack whose sub-layers are attention and feed-forward in turn, with a norm at the end: "
    "that is the whole stack of GPT-2.",
    "counterexample": "The two claims that hold are all that a layer norm forgets: where gamma has no 0, every "
    "other change of `x` shows.",
}

MISCONCEPTIONS = {
    "M20": "statistics over the batch or over time; a layer norm takes them over the features of each position alone",
    "M21": "dividing by the variance or the unbiased one, or eps outside the root; right: sqrt(biased variance + eps)",
    "M22": "gamma and beta confused with the normalisation, or forgotten; they are a learnt scale and shift after it",
    "M23": "pre-norm and post-norm confused, or the final norm of a pre-norm stack forgotten",
    "M24": "dropout after the norm or on the sum; it belongs on the branch, before the addition",
}
