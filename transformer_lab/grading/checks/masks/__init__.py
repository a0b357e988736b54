"""Lesson 03: its questions, in the order of the exercise notebook; its guesses; the misconceptions it cures."""

from .causal_mask import causal_mask
from .combine import combine
from .convert import convert
from .count import count
from .diagnose import diagnose
from .leaks import leaks
from .masked_attention import masked_attention

LESSON = "03_masks"
__all__ = ["causal_mask", "masked_attention", "diagnose", "leaks", "combine", "convert", "count"]

PREDICTIONS = {
    # Which mask does the trained translator miss more while it translates a batch?
    "break_mask": ("causal", "padding", "about the same"),
    # What loss does a language model reach that is trained without the causal mask?
    "leak_loss": ("near 0", "the same", "higher"),
    # And what share of the texts it then writes are dates?
    "leak_text": ("nearly all", "about half", "nearly none"),
    # Attention multiplied by the mask after the softmax: does the future reach the past?
    "clean_map": ("yes", "no"),
    # The cached translator under torch's is_causal=True: what becomes of its dates?
    "top_left": ("all right", "about half", "none right"),
    # nan_to_num on the weights of a fully masked row: is the gradient clean as well?
    "backward": ("clean", "NaN"),
}

MISCONCEPTIONS = {
    "M08": "a score of 0 or a small constant for -inf; weights multiplied by the mask and not renormalised; "
    "rows of NaN",
    "M36": "no mask, a mask accepted but ignored, in the wrong slot, or of the opposite polarity",
}
