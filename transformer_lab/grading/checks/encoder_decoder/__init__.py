"""Lesson 11: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .alignment import alignment
from .cross_attention import cross_attention
from .diagnose import diagnose
from .exchanged import exchanged
from .floor import floor
from .forced_and_free import forced_and_free
from .greedy import greedy
from .shift import shift

LESSON = "11_encoder_decoder"
__all__ = ["shift", "cross_attention", "alignment", "greedy", "diagnose", "forced_and_free", "floor", "exchanged"]

PREDICTIONS = {
    # Three times the steps, and one vector in place of the memory: what share of the dates comes out right?
    "one_vector": ("hardly any", "about half", "three quarters or more"),
    # Which way of running a half-trained model gets more texts entirely right?
    "free_running": ("teacher forcing", "free running", "exactly as many"),
    # Rows that give the gold token 5 % of their weight: exchange its vector, and how often comes another word?
    "elsewhere": ("hardly any", "about half", "three quarters or more"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "shift": "Each text adds one more prediction than it has tokens, and its rows are all trained in one pass: "
    "no row waits for another's answer.",
    "cross_attention": "Shuffle the memory's rows, and `is_real` with them: the output stays the same. Where a word "
    "stood, only the encoder's vectors can say.",
    "alignment": "A matrix with ones on its diagonal needs no model, and scores 1 wherever both languages keep the "
    "same order: compare with such a guess.",
    "greedy": "It never asks what `decode` is: hand it a function without a model behind it, such as a table of pairs, "
    "and it writes all the same.",
    "diagnose": "All five observations hold in an untrained model too: such tests find the fault before the first step "
    "of training.",
    "forced_and_free": "Up to the first mistake both ways write the same. What a model does after a mistake of its "
    "own, teacher forcing never shows.",
    "floor": "A loss that begins at ln V and settles about one nat below it names its fault before anyone opens the "
    "code.",
    "exchanged": "In the course's translator of dates the month, the weekday and each digit of the day follow the "
    "vector of their own token, and of no other.",
}

MISCONCEPTIONS = {
    "M33": "queries, keys or values made of the wrong side; queries come from the decoder, keys and values from the "
    "encoder's output",
    "M35": "the target not shifted: the decoder reads what it must predict",
    "M36": "no causal mask, no padding mask on the memory, one of the opposite polarity or in the wrong slot",
    "M37": "encoding taken for a part of every step: the source is encoded once, the decoder goes token by token",
    "M38": "a softmax in the model, before the one of the loss",
}
