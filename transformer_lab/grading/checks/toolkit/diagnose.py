"""Lesson 01: the checks of question 3, four broken training loops: what is wrong with each, and one of them mended."""

from ...checking import check
from ..diagnosis import Diagnosis, snippets
from .training_loop import judge

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "gradients pile up": "Such a loop learns, and better at first than later: each step repeats all before it.",
        "step before backward": "Such a loop has no gradient of its batch yet when the step looks for one.",
        "loss summed": "Such a loop's steps are too large by the number of rows in a batch; its losses are sums, too.",
        "softmax twice": "Such a loop learns, and its loss stays far above 0 however long it goes on.",
        "gradients emptied before the step": "In such a loop backward fills p.grad, and the step finds nothing there.",
        "other rows' targets": "Such a loop learns at best how often each class occurs: its loss ends near ln 3 = 1.1.",
        "gradient cut off": "Such a loop has a .detach() or no_grad between parameters and loss; backward would raise.",
    },
    observations={
        "the loss falls at first and rises again": "that is so where late steps are larger than early ones.",
        "nothing is learnt, and p.grad is filled afterwards": "that is so where the step came too early.",
        "only the biases change": "that is not so in any of the four.",
        "the loss falls at every step and stays above 0.55": "that is so where the loss has a floor.",
        "nothing is learnt, and p.grad is empty afterwards": "that is so where p.grad is lost between backward and "
        "the step.",
        "twice the rows, twice the loss": "the losses are means, in all four.",
    },
    snippets={
        "a": (
            "softmax twice",
            "the loss falls at every step and stays above 0.55",
            "Its loss falls at every step, and ends at twice what a right loop reaches.",
        ),
        "b": (
            "gradients emptied before the step",
            "nothing is learnt, and p.grad is empty afterwards",
            "Its loss never moves: follow p.grad through one pass of the loop, line by line.",
        ),
        "c": (
            "gradients pile up",
            "the loss falls at first and rises again",
            "Its loss falls first and rises again: what does a late step hold that an early one does not?",
        ),
        "d": (
            "step before backward",
            "nothing is learnt, and p.grad is filled afterwards",
            "Its loss never moves, though backward is called: follow p.grad through two passes of the loop.",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 2)):
    answers = (DIAGNOSIS, "repaired(model, batches, lr)")

    @check("d, mended", 1)
    def mended(diagnoses, repaired):
        judge(repaired)
