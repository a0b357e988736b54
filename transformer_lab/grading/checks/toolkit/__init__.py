"""Lesson 01: its questions, in the order of the exercise notebook; its guesses; the misconceptions it cures."""

from . import predictions
from .cross_entropy import cross_entropy
from .cross_entropy_gradient import cross_entropy_gradient
from .diagnose import diagnose
from .lead import lead
from .scores import scores
from .softmax_jacobian import softmax_jacobian
from .two_layer_gradients import two_layer_gradients

LESSON = "01_toolkit"
__all__ = [
    "scores",
    "cross_entropy",
    "diagnose",
    "cross_entropy_gradient",
    "softmax_jacobian",
    "two_layer_gradients",
    "lead",
]

PREDICTIONS = predictions.PREDICTIONS

MISCONCEPTIONS = {
    "M38": "probabilities passed to a cross-entropy that expects scores: softmax is applied twice, and the "
    "loss has a floor",
    "M42": "a loss averaged over padding as well: predicting padding is rewarded, and real tokens count for less",
    "M43": "a line of the training loop forgotten: without zero_grad each step repeats the gradients of all "
    "steps before",
}
