"""Lesson 12: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .beam_step import beam_step
from .diagnose import diagnose
from .distribution import distribution

LESSON = "12_decoding"
__all__ = ["distribution", "beam_step", "diagnose"]

PREDICTIONS = {}

INSIGHTS = {  # what a right answer can do beyond its question
    "distribution": "Give the tokens other ids, and the same numbers come out in the new order: equal tokens stay or "
    "go together, so ids decide nothing.",
    "beam_step": "With K = 1 it is greedy decoding, and it knows where to stop: after its end a text "
    "gets nothing but `eos`.",
    "diagnose": "With a single beam four of the five write what a right search writes: test a search with several.",
}

MISCONCEPTIONS = {}
