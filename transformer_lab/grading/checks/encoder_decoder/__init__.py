"""Lesson 11: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .alignment import alignment
from .cross_attention import cross_attention
from .shift import shift

LESSON = "11_encoder_decoder"
__all__ = ["shift", "cross_attention", "alignment"]

PREDICTIONS = {}

INSIGHTS = {  # what a right answer can do beyond its question
    "shift": "Each text adds one more prediction than it has tokens, and its rows are all trained in one pass: "
    "no row waits for another's answer.",
    "cross_attention": "Shuffle the memory's rows, and `is_real` with them: the output stays the same. Where a word "
    "stood, only the encoder's vectors can say.",
    "alignment": "A matrix with ones on its diagonal needs no model, and scores 1 wherever both languages keep the "
    "same order: compare with such a guess.",
}

MISCONCEPTIONS = {
    "M33": "queries, keys or values made of the wrong side; queries come from the decoder, keys and values from the "
    "encoder's output",
    "M35": "the target not shifted: the decoder reads what it must predict",
    "M36": "no padding mask on the memory, one of the opposite polarity or in the wrong slot, or a causal mask on it",
}
