"""Lesson 08: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .alibi_bias import alibi_bias
from .cached_step import cached_step
from .dials import dials
from .is_equivariant import is_equivariant
from .repair import repair
from .rotate import rotate
from .sinusoidal_table import sinusoidal_table
from .swap_effect import swap_effect

LESSON = "08_positions"
__all__ = [
    "sinusoidal_table",
    "rotate",
    "repair",
    "dials",
    "is_equivariant",
    "alibi_bias",
    "swap_effect",
    "cached_step",
]

PREDICTIONS = {
    # How many dates come out right if the encoder has no positions?
    "break": ("over half", "2 % to half", "under 2 %"),
    # How many, if every token gets the vector of the next place?
    "shift": ("over half", "2 % to half", "under 2 %"),
    # How much of the local task does a rotary model get right at four times the trained length?
    "longer": ("over 80 %", "40 to 80 %", "under 40 %"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "sinusoidal_table": "The translator of the dates reads your speeds as well as its own, in the lesson's order of "
    "columns; in halves, it gets no date right.",
    "rotate": "Turn by `positions` and then by `-positions`, and `x` is back. No turn changes a length: a token "
    "is no louder for standing far off.",
    "repair": "Every row of a right table has the same length, the root of D / 2, since sine and cosine of one "
    "angle share a pair: position is pure direction.",
    "dials": "The first dial turns once in 6.3 positions, the last once in 19,869: like the hands of a clock, "
    "together they tell near and far.",
    "is_equivariant": "Hand it `lambda x: attention(x, x, x)[0]` with your attention of lesson 02: True. Without "
    "positions or a mask, self-attention cannot tell one order from another.",
    "alibi_bias": "With 8 heads, a token at distance 8 loses 4 from the first head's score and 1/32 from the "
    "last one's: readers of near and of far.",
    "swap_effect": "In one layer the last token averages the same values in any order; in a second it reads tokens "
    "that have read different beginnings. With positions, one layer notices, too.",
    "cached_step": "Fed token by token, it gives row for row what causal attention gives at once: writing "
    "repeats nothing, and loses nothing.",
}

MISCONCEPTIONS = {
    "M25": "positions seen as one more part next to attention: without them the encoder commutes with any shuffle, "
    "but a causal model of two layers can infer order",
    "M26": "sinusoids with exponent i/d or 4i/d instead of 2i/d, two frequencies in one pair, or a table "
    "indexed by the batch",
    "M27": "rotary on the values, with the wrong pairing, or again on keys that are already turned",
}
