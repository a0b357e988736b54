"""Lesson 01: the checks of question 3, four broken training loops: what is wrong with each, and one of them mended."""

from ...checking import Wrong, check
from ..common import chosen, diagnosed
from .training_loop import judge

# What the learner chooses from -> what such a loop would show. The notebook explains each in a table.
FAULTS = {
    "gradients pile up": "Such a loop learns, and better at first than later: each step repeats all steps before it.",
    "step before backward": "Such a loop has no gradient of its batch yet when the step looks for one.",
    "loss summed": "Such a loop's steps are too large by the number of rows in a batch; its losses are sums, too.",
    "softmax twice": "Such a loop learns, and its loss stays far above 0 however long it goes on.",
    "gradients emptied before the step": "In such a loop backward fills p.grad, and the step finds nothing there.",
    "other rows' targets": "Such a loop learns at best how often each class occurs: its loss ends near ln 3 = 1.1.",
    "gradient cut off": "Such a loop has a .detach() or no_grad between parameters and loss; backward would raise.",
}
# What tells apart two loops that both learn nothing -> what it shows.
OBSERVATIONS = {
    "the first loss": "It is measured before any step, so all loops begin with the same one.",
    "the parameters afterwards": "Both loops leave the parameters as they were.",
    "p.grad afterwards": "",
    "more batches": "However many there are, neither loop learns from them.",
}


class repair:
    answers = ("repair(model, batches, lr)", *(tuple(FAULTS),) * 4, tuple(OBSERVATIONS))

    @check("broken_1: the fault", 0.5)
    def first(repair, fault_1, fault_2, fault_3, fault_4, apart):
        seen = "broken_1's loss falls at every step, and ends at twice what a right loop reaches."
        diagnosed(fault_1, "softmax twice", FAULTS, "fault_1", seen)

    @check("broken_2: the fault", 0.5)
    def second(repair, fault_1, fault_2, fault_3, fault_4, apart):
        seen = "broken_2's loss never moves: follow p.grad through one pass of the loop, line by line."
        diagnosed(fault_2, "gradients emptied before the step", FAULTS, "fault_2", seen)

    @check("broken_3: the fault", 0.5)
    def third(repair, fault_1, fault_2, fault_3, fault_4, apart):
        seen = "broken_3's loss falls first and rises again: what does a late step hold that an early one does not?"
        diagnosed(fault_3, "gradients pile up", FAULTS, "fault_3", seen)

    @check("broken_4: the fault", 0.5)
    def fourth(repair, fault_1, fault_2, fault_3, fault_4, apart):
        seen = "broken_4's loss never moves, though backward is called: follow p.grad through two passes of the loop."
        diagnosed(fault_4, "step before backward", FAULTS, "fault_4", seen)

    @check("what tells broken_2 from broken_4", 0.5)
    def observation(repair, fault_1, fault_2, fault_3, fault_4, apart):
        picked = chosen(apart, tuple(OBSERVATIONS), "apart")
        if picked != "p.grad afterwards":
            raise Wrong(f"apart is {picked!r}. {OBSERVATIONS[picked]} What has backward left behind in each?")

    @check("broken_4, mended", 0.5)
    def mended(repair, fault_1, fault_2, fault_3, fault_4, apart):
        judge(repair)
