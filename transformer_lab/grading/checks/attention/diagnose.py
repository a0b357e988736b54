"""Lesson 02: the checks of question 3, four broken attentions: what is wrong with each, and one of them mended."""

from ...checking import check
from ..diagnosis import Diagnosis, snippets
from .scaled_dot_product_attention import (
    SIGNATURE,
    cases,
    compare_output,
    compare_weights,
    scaled_dot_product_attention,
)

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "scale outside": "Then weights saturate, and values of 1 come out as 1 / sqrt(d).",
        "softmax twice": "Then weights are nearly equal whatever the scores: a lead of 1 is the most they can have.",
        "over the queries": "Then the columns of the weights sum to 1; the rows sum to anything.",
        "keys re-read": "Then rows sum to 1, as sharp as they should be, and a query misses the key equal to it.",
        "divisor too large": "Then weights are too flat, in the right order; larger scores sharpen them again.",
        "sum over the queries": "Then the weights are right in everything, and values of 1 come out as other numbers.",
        "no scale": "Then weights saturate, and values of 1 still come out as 1.",
    },
    observations={
        "the rows of the weights do not sum to 1": "they do, in all four.",
        "queries 100 times as long leave the weights flat": "that is so where a weight can lead by 1 at most.",
        "an equal key gets no more than the others": "that is so where scores are not between queries and keys.",
        "right again when all queries are multiplied by one number": "that is so where the divisor alone is wrong.",
        "the weights are right, the output is not": "that is so where the fault lies behind the weights.",
        "keys and values in another order change nothing": "a right attention does not change either.",
    },
    snippets={
        "a": (
            "keys re-read",
            "an equal key gets no more than the others",
            "It passes values of 1 as 1 and is about as sharp as torch's; but which key does a query find?",
        ),
        "b": (
            "softmax twice",
            "queries 100 times as long leave the weights flat",
            "It is nearly flat even where a query meets a key equal to it, whose score is 8.",
        ),
        "c": (
            "sum over the queries",
            "the weights are right, the output is not",
            "Its weights are torch's own, and still values of 1 do not come out as 1.",
        ),
        "d": (
            "divisor too large",
            "right again when all queries are multiplied by one number",
            "It is too flat, and less so where a query meets a key equal to it.",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 4)):
    answers = (DIAGNOSIS, f"repaired{SIGNATURE}")

    @check("a, mended", 1)
    def mended(diagnoses, repaired):
        is_right(repaired)


def is_right(answer) -> None:
    """All of attention in one check: a repair counts only as a whole."""
    for inputs in cases():
        compare_weights(answer, *inputs)
        compare_output(answer, *inputs)
    whole = scaled_dot_product_attention
    for rule in (whole.dtype, whole.gradient, whole.inputs):
        rule(answer)
