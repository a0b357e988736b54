"""Lesson 02: the checks of question 3, five broken attentions: what is wrong with each, and one of them mended."""

from ...checking import Wrong, check
from ..common import chosen, diagnosed
from .scaled_dot_product_attention import (
    SIGNATURE,
    cases,
    compare_output,
    compare_weights,
    scaled_dot_product_attention,
)

# What the learner chooses from -> what such an attention would show. The notebook explains each in a table.
FAULTS = {
    "scale outside": "Then weights saturate, and values of 1 come out as 1 / sqrt(d).",
    "softmax twice": "Then weights are nearly equal whatever the scores: a lead of 1 is the most they can have.",
    "over the queries": "Then the columns of the weights sum to 1; the rows sum to anything.",
    "keys re-read": "Then rows sum to 1, as sharp as they should be, and a query does not find the key equal to it.",
    "no softmax": "Then weights are signed, and a row sums to anything.",
    "divisor too large": "Then weights are too flat, in the right order; larger scores sharpen them again.",
    "sum over the queries": "Then the weights are right in everything, and values of 1 come out as other numbers.",
    "no scale": "Then weights saturate, and values of 1 still come out as 1.",
}
# What tells apart two attentions that are both too flat -> what it shows.
OBSERVATIONS = {
    "what the rows sum to": "The rows of both sum to 1.",
    "values of 1": "They come out as 1 from both, because the rows of both sum to 1.",
    "queries 100 times as long": "",
    "the keys in another order": "The weights of both change places with the keys.",
}


class repair:
    answers = (f"repair{SIGNATURE}", *(tuple(FAULTS),) * 5, tuple(OBSERVATIONS))

    @check("broken_1: the fault", 0.75)
    def first(repair, fault_1, fault_2, fault_3, fault_4, fault_5, apart):
        seen = "broken_1 passes values of 1 as 1 and is about as sharp as torch's; but which key does a query find?"
        diagnosed(fault_1, "keys re-read", FAULTS, "fault_1", seen)

    @check("broken_2: the fault", 0.75)
    def second(repair, fault_1, fault_2, fault_3, fault_4, fault_5, apart):
        seen = "broken_2 is nearly flat even where a query meets a key equal to it, whose score is 8."
        diagnosed(fault_2, "softmax twice", FAULTS, "fault_2", seen)

    @check("broken_3: the fault", 0.75)
    def third(repair, fault_1, fault_2, fault_3, fault_4, fault_5, apart):
        seen = "broken_3 is far too sharp, and values of 1 come out as 0.125: two symptoms of one constant."
        diagnosed(fault_3, "scale outside", FAULTS, "fault_3", seen)

    @check("broken_4: the fault", 0.75)
    def fourth(repair, fault_1, fault_2, fault_3, fault_4, fault_5, apart):
        seen = "broken_4's weights are torch's own, and still values of 1 do not come out as 1."
        diagnosed(fault_4, "sum over the queries", FAULTS, "fault_4", seen)

    @check("broken_5: the fault", 0.75)
    def fifth(repair, fault_1, fault_2, fault_3, fault_4, fault_5, apart):
        seen = "broken_5 is too flat, and less so where a query meets a key equal to it."
        diagnosed(fault_5, "divisor too large", FAULTS, "fault_5", seen)

    @check("what tells broken_2 from broken_5", 0.5)
    def observation(repair, fault_1, fault_2, fault_3, fault_4, fault_5, apart):
        picked = chosen(apart, tuple(OBSERVATIONS), "apart")
        if picked != "queries 100 times as long":
            raise Wrong(f"apart is {picked!r}. {OBSERVATIONS[picked]} How large can a weight become in each?")

    @check("broken_1, mended", 0.75)
    def mended(repair, fault_1, fault_2, fault_3, fault_4, fault_5, apart):
        repaired(repair)


def repaired(answer) -> None:
    """All of attention in one check: a repair counts only as a whole."""
    for inputs in cases():
        compare_weights(answer, *inputs)
        compare_output(answer, *inputs)
    whole = scaled_dot_product_attention
    for rule in (whole.dtype, whole.gradient, whole.inputs):
        rule(answer)
