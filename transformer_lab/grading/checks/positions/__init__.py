"""Lesson 08: its questions, in the order of the exercise notebook; its guesses; the misconceptions it cures."""

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
    # How many dates come out right without positions?
    "break": ("most", "some", "none"),
    # Causal, no positions: can shuffling earlier tokens change the last output?
    "causal": ("never", "from two layers on", "with one layer too"),
    # Which dial tells position 1 from 101 best?
    "dial": ("pair 0", "pair 3", "pair 7"),
    # Equal contents: in which schemes does the score depend on the offset only?
    "diagonals": ("sinusoidal, rotary, ALiBi", "none, rotary, ALiBi", "all but learned"),
    # Best at the local task at four times the trained length
    "longer": ("sinusoidal", "rotary", "ALiBi"),
}

MISCONCEPTIONS = {
    "M25": "positions seen as one more part next to attention: without them the encoder commutes with any shuffle, "
    "but a causal model of two layers can infer order",
    "M26": "sinusoids with exponent i/d or 4i/d instead of 2i/d, two frequencies in one pair, or a table "
    "indexed by the batch",
    "M27": "rotary on the values, with the wrong pairing, or again on keys that are already turned",
}
