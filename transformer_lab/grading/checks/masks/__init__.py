"""Lesson 03: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

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
    # A language model trained without the causal mask: what share of the texts it writes are dates?
    "leak_text": ("nearly all", "about half", "nearly none"),
    # The cached translator under torch's is_causal=True: what becomes of its dates?
    "top_left": ("all right", "about half", "none right"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "causal_mask": "`causal_mask(1, S)` is True everywhere: the newest token has no future, so it needs no mask "
    "when the others come from a cache.",
    "masked_attention": "With the causal mask it is the attention of GPT, with the padding's that of BERT, with "
    "a band of True a sliding window: only the mask changes.",
    "diagnose": "Ordinary scores let a finite stand-in for minus infinity pass; a blocked key 300 above the "
    "others, or very low scores, give it away. Keep such a test.",
    "leaks": "It never looks inside: let a convolution or a recurrent network return a pair, and you can search "
    "it for leaks too.",
    "combine": "With `T = 1` only the padding is left of it: the mask of a batch of texts that are being "
    "written, one token each.",
    "convert": "Numbers to add need not be 0 or minus infinity: ALiBi (lesson 08) puts distances there, and "
    "`to_allowed` rightly finds nothing blocked.",
    "count": "For long texts with `T = S` its share of all cells comes close to one half: what a kernel saves "
    "that skips blocked cells.",
}

MISCONCEPTIONS = {
    "M08": "a score of 0 or a small constant for -inf; weights multiplied by the mask and not renormalised; "
    "rows of NaN",
    "M36": "no mask, a mask accepted but ignored, in the wrong slot, or of the opposite polarity",
}
