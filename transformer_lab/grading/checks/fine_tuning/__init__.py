"""Lesson 16: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .answer_labels import answer_labels
from .diagnose import diagnose
from .distilled import distilled
from .extracted import extracted
from .preferred import preferred
from .served import served

LESSON = "16_fine_tuning"
__all__ = ["served", "extracted", "answer_labels", "diagnose", "distilled", "preferred"]

PREDICTIONS = {
    # Entities on new templates, and only a small part of the model may change.
    "how_few": ("much worse", "about as well", "better"),
    # The search of lesson 15, after all of the model was trained for something else.
    "forgotten": ("nearly all", "about half", "hardly any"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "served": "Sort the texts by their LoRA, or shuffle them: each still gets what it would get alone.",
    "extracted": "From a matrix that was tuned with a LoRA of rank 3 it takes out rank 3, even to keep 99.99 %.",
    "answer_labels": "Exchange all the questions for others of the same lengths: not one label changes.",
    "diagnose": "New, all five give just what the old layer gives: such faults show once something is learnt.",
    "distilled": "At a very high temperature the teacher's part comes close to half the mean squared difference of the "
    "logits, each less its row's mean.",
    "preferred": "Where the new model is still the old one, each pair costs ln 2, whatever its answers are, and "
    "whatever beta is.",
}

MISCONCEPTIONS = {
    "M42": "padding that is learnt from as if it were text",
}
