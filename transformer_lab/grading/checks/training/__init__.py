"""Lesson 13: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .accumulate import accumulate
from .adamw import adamw
from .measures import measures
from .more_patients import more_patients
from .patients import patients
from .schedule import schedule

LESSON = "13_training"
__all__ = ["adamw", "accumulate", "patients", "more_patients", "measures", "schedule"]

PREDICTIONS = {
    # Four curves: whose model does what its owner wants?
    "best": ("Ada", "Bela", "Chen", "Dora", "none of them"),
    # After the step with the lowest held-out loss: the share of held-out dates that are exactly right ...
    "after": ("falls", "stays within a point", "rises"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "adamw": "Multiply all gradients by 1000, and `eps` with them: the weight takes the same way.",
    "accumulate": "However the batch is cut, into single rows even, `p.grad` comes out the same.",
    "patients": "Of 200 dates that they have never seen, Ines translates 95 % and Emil, whose curve is better, 56 %: "
    "their curves could not have told you.",
    "more_patients": "Of 200 dates neither Jona nor Gita gets one right, and their losses agree: one cannot read "
    "English, the other has read it beside the wrong dates.",
    "measures": "Cut the same rows into other batches, of three, of one, all at once: none of the three numbers moves.",
    "schedule": "With `lowest` at 0 and hardly any warm-up, the rates of all steps add up to half of what the highest "
    "rate alone would give.",
}

MISCONCEPTIONS = {
    "M41": "a mean of the means of unequal batches, or a sum divided by the number of batches",
    "M42": "a loss or a score averaged over padding",
    "M43": "gradients that are never set to 0: backward adds to those of the step before",
}
