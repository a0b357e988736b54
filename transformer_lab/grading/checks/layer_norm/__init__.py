"""Lesson 07: its questions, in the order of the exercise notebook; its guesses; the misconceptions it cures."""

from .counterexample import counterexample
from .layer_norm import layer_norm
from .layer_norm_backward import layer_norm_backward
from .repair import repair
from .rms_norm import rms_norm
from .sublayer import sublayer
from .which_axis import which_axis

LESSON = "07_layer_norm"
__all__ = ["layer_norm", "layer_norm_backward", "which_axis", "sublayer", "rms_norm", "repair", "counterexample"]

PREDICTIONS = {
    # Which hurts the trained translator more: no normalisation at all, or statistics over the batch?
    "break_axis": ("no norm", "over the batch", "about the same"),
    # A different number is added to each feature, the same at every position: does the layer norm's output change?
    "shift": ("changes", "stays"),
    # The upstream gradient is the same for every feature: what reaches x?
    "backward": ("the same gradient", "a smaller gradient", "nothing"),
    # Which place of the norm needs the warm-up at a learning rate of 3e-3?
    "warm_up": ("pre", "post", "both", "neither"),
    # Over which axes does one changed number move the most outputs?
    "farthest": ("features", "time", "batch", "batch and time", "time and features"),
}

MISCONCEPTIONS = {
    "M20": "statistics over the batch or over time; a layer norm takes them over the features of each position alone",
    "M21": "dividing by the variance or the unbiased one, or eps outside the root; right: sqrt(biased variance + eps)",
    "M22": "gamma and beta confused with the normalisation, or forgotten; they are a learnt scale and shift after it",
    "M23": "pre-norm and post-norm confused, or the final norm of a pre-norm stack forgotten",
    "M24": "dropout after the norm or on the sum; it belongs on the branch, before the addition",
}
