"""Lesson 03: the checks of question 3, three wrong maskings: what is wrong with each, and one of them mended."""

from ...checking import check
from ..common import leaves_alone
from ..diagnosis import Diagnosis, snippets
from .masked_attention import SIGNATURE, compare_output, compare_weights
from .masked_inputs import cases, qkv

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "upside down": "Then query 0 reads keys 1 to 5, and the last query has no key left: NaN.",
        "masked after, divided again": "Then rows sum to 1 and blocked keys get nothing, for low scores too.",
        "a finite number for -inf": "Then blocked keys get next to nothing, and win when all scores are low.",
        "transposed": "Then query 0 reads all keys, and the last query its own alone.",
        "masked after, not divided": "Then blocked keys get nothing, and rows sum to less than 1.",
        "mask without effect": "Then every query reads every key, and all rows sum to 1.",
    },
    observations={
        "right for ordinary scores, wrong when all scores are 1000 lower": "that is so where a blocked score is a "
        "number that others can fall below.",
        "the rows of the weights sum to less than 1": "they do, in all three, with scores as the cell has them.",
        "NaN where a blocked score is 300 above the allowed ones": "that is so where blocked keys take their share "
        "before they lose it.",
        "any other mask gives the same output": "that is so where the mask is not used.",
        "no query reads the first key": "in all three some query reads it.",
    },
    snippets={
        "a": (
            "a finite number for -inf",
            "right for ordinary scores, wrong when all scores are 1000 lower",
            "It goes wrong for low scores only.",
        ),
        "b": (
            "mask without effect",
            "any other mask gives the same output",
            "Its query 0 reads all six keys, and so does its last; the scores play no part in that.",
        ),
        "c": (
            "masked after, divided again",
            "NaN where a blocked score is 300 above the allowed ones",
            "It looks right in everything that the cell prints: over which keys does its softmax run?",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 3)):
    answers = (DIAGNOSIS, f"repaired{SIGNATURE}")

    @check("c, mended", 1)
    def mended(diagnoses, repaired):
        is_right(repaired)


def is_right(answer) -> None:
    """All of masking in one check, but for rows without a key: a repair counts only as a whole."""
    for inputs in cases():
        compare_weights(answer, *inputs)
        compare_output(answer, *inputs)
    q, k, v, mask = qkv()
    leaves_alone(answer, q=q, k=k, v=v, mask=mask)
