"""Lesson 01: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

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

INSIGHTS = {  # what a right answer can do beyond its question
    "scores": "With `k = x @ w_k` these are all scores of self-attention; lesson 02 does no more to them than "
    "divide by the square root of `d_head`.",
    "cross_entropy": "With all scores equal it returns ln V, whatever the targets: the loss of a model that "
    "knows nothing, and the first number to look for in a training log.",
    "diagnose": "Hand the mended loop one small batch a hundred times: the loss falls. The quickest test of any "
    "training loop, and two of the four broken ones fail it.",
    "cross_entropy_gradient": "Each of its rows sums to 0: a step raises the target's score by as much as it "
    "lowers all others together.",
    "softmax_jacobian": "For `p = (1, 0, 0)` it is zero everywhere: where softmax is certain no gradient passes. "
    "Lesson 02 keeps scores small for this reason.",
    "two_layer_gradients": "`loss.backward()` does the same and no more: in a hundred layers it follows these "
    "rules from the last one back to the first.",
    "lead": "From 5 words to 50,000 the lead that the same loss needs grows by only 9.4: it rises with the "
    "logarithm of the vocabulary.",
}

MISCONCEPTIONS = {
    "M38": "probabilities passed to a cross-entropy that expects scores: softmax is applied twice, and the "
    "loss has a floor",
    "M42": "a loss averaged over padding as well: predicting padding is rewarded, and real tokens count for less",
    "M43": "a line of the training loop forgotten: without zero_grad each step repeats the gradients of all "
    "steps before",
}
