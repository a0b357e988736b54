"""Lesson 12: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .beam_step import beam_step
from .blame import blame
from .crossing import crossing
from .diagnose import diagnose
from .distribution import distribution
from .likeliest import likeliest
from .pad_left import pad_left
from .repeated import repeated

LESSON = "12_decoding"
__all__ = ["distribution", "beam_step", "blame", "diagnose", "likeliest", "crossing", "pad_left", "repeated"]

PREDICTIONS = {
    # How many more of a hundred dates does an undertrained translator get right with 64 beams than with one?
    "width": ("fewer", "up to 5 more", "5 to 20 more", "above 20 more"),
    # How many times as probable as a token of the manual is one that eight beams choose?
    "person": ("less", "1 to 3 times", "3 to 6 times", "above 6 times"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "distribution": "Give the tokens other ids, and the same numbers come out in the new order: equal tokens stay or "
    "go together, so ids decide nothing.",
    "beam_step": "With K = 1 it is greedy decoding, and it knows where to stop: after its end a text "
    "gets nothing but `eos`.",
    "blame": "What is the search's fault under one penalty may be the model's under another: a search is to be judged "
    "by what it was told to look for.",
    "diagnose": "With a single beam four of the five write what a right search writes: test a search with several.",
    "likeliest": "The first ended text that comes out is the likeliest; go on, and the others come in their order.",
    "crossing": "If it lies between 0 and 1, the shorter text has the better sum and the longer one the better mean.",
    "pad_left": "The last column holds the last token of every prompt: one step of the model continues them all.",
    "repeated": "A loop of m tokens holds only m different n-grams: the longer it runs, the nearer it comes to 1.",
}

MISCONCEPTIONS = {
    "M50": "a batch padded on the right, a mask guessed from the ids, or positions that count the padding",
}
