"""Lesson 01: its questions, in the order of the exercise notebook; its guesses; the misconceptions it cures."""

from . import _toolkit_predictions
from ._toolkit_derivatives import softmax_jacobian, two_layer_gradients
from ._toolkit_diagnosis import repair
from ._toolkit_lead import lead
from ._toolkit_loss import cross_entropy, cross_entropy_gradient
from ._toolkit_scores import scores

LESSON = "01_toolkit"
__all__ = [
    "scores",
    "cross_entropy",
    "repair",
    "cross_entropy_gradient",
    "softmax_jacobian",
    "two_layer_gradients",
    "lead",
]

PREDICTIONS = _toolkit_predictions.PREDICTIONS

MISCONCEPTIONS = {
    "M38": "probabilities handed to a cross-entropy that wants scores: softmax twice, and the loss has a floor",
    "M42": "a loss averaged over padding as well: predicting padding is rewarded, and real tokens count for less",
    "M43": "a line of the training loop forgotten: without zero_grad each step repeats the gradients of all before it",
}
