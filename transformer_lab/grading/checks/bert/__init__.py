"""Lesson 15: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .audit import audit
from .diagnose import diagnose
from .entity_report import entity_report
from .optimism import optimism
from .text_vectors import text_vectors
from .word_costs import word_costs

LESSON = "15_bert"
__all__ = ["text_vectors", "word_costs", "entity_report", "diagnose", "audit", "optimism"]

PREDICTIONS = {
    # At the full stop a causal tagger is asked again whether the name was a person or a place.
    "full_stop": ("about half", "about three quarters", "nearly always"),
    # A model that was always shown [MASK] reads a wrong word, nothing hidden: how often does it expect the right one?
    "wrong_word": ("nearly always", "about half the time", "seldom"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "text_vectors": "Where the vectors of a text depend on no neighbour, a text written twice in a row has the vector "
    "of the text.",
    "word_costs": "Where every token of the vocabulary is equally likely, each costs `ln V`: the cost of a word "
    "says how "
    "long it is.",
    "entity_report": "Given gold and prediction the other way round, it exchanges precision and recall, and leaves "
    "every "
    "F1 as it is.",
    "diagnose": "Asked about a single short passage, with a question as long as the passage, three of the five are "
    "right.",
    "audit": "F1 is twice the right ones, divided by the predicted ones and those in gold together: so it never lies "
    "outside precision and recall.",
    "optimism": "With 200 examples and 50 settings that are right four times in five, the best seems better by six "
    "points, "
    "and is not.",
}

MISCONCEPTIONS = {
    "M52": "the padding taken for text: the model attends to it, or the mean counts it",
    "M54": "tokens counted in place of entities: whoever says O everywhere is right nearly everywhere, and finds "
    "nothing",
    "M55": "a result believed though it cannot be: whatever is computed from the same counts has to agree",
}
