"""Lesson 04: the checks of question 3, three broken attentions: what is wrong with each, and one of them mended."""

import torch
from torch import Tensor, nn

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import close, copies, expect_tensor, keeps_dtype, leaves_alone
from ..diagnosis import Diagnosis, snippets
from . import multi_head_faults as faults
from .multi_head_attention import (
    NAMES,
    by_loops,
    counts_in_full,
    expect_right,
    holds_for_large,
    reaches_all,
    why_output_raised,
    with_weights,
)

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "softmax over the queries": "In such a layer the weights of one key add up to 1, not those of one query.",
        "one map for all heads": "In such a layer every head averages its values with the same weights.",
        "merge without transpose": "In such a layer the heads are right, and w_o reads them in a mixed order.",
        "divided by sqrt(d_model)": "Such a layer has weights that are too even, and is right with one head.",
        "heads attend to one another": "In such a layer no position ever sees another one.",
        "split without transpose": "In such a layer a head gets the features of other positions.",
        "heads averaged": "In such a layer w_o reads the same d_head numbers for every head.",
    },
    observations={
        "with w_o the identity, the right numbers in wrong places": "every head is right there, and the merge is not.",
        "the output has another shape than x": "all three give the shape of x.",
        "wrong for a text of a single position": "that is so where positions have no part in the scores.",
        "right with a single head": "that is so of two of the three.",
        "for longer texts, right only where all heads have the same queries and keys": "that is so where heads "
        "must share weights.",
    },
    snippets={
        "a": (
            "heads attend to one another",
            "wrong for a text of a single position",
            "Between which two axes are its scores, and what does the symptom say about other positions?",
        ),
        "b": (
            "one map for all heads",
            "for longer texts, right only where all heads have the same queries and keys",
            "Follow the shape of its weights: how many maps are there when they meet the values?",
        ),
        "c": (
            "merge without transpose",
            "with w_o the identity, the right numbers in wrong places",
            "Follow its axes to the last line: in which order do the numbers lie in memory when w_o reads them?",
        ),
    },
)
# B, T, D, H: no two alike; then a head for each feature, and one head.
SIZES = (
    ((2, 5, 12, 3), (3, 4, 10, 5), (1, 7, 6, 6), (2, 3, 5, 1)),
    ((2, 7, 18, 3), (4, 3, 15, 5), (1, 4, 7, 7), (3, 2, 4, 1)),
    ((3, 5, 12, 4), (2, 6, 14, 7), (1, 6, 5, 5), (2, 4, 7, 1)),
)


class diagnose(snippets(DIAGNOSIS, 1.5)):
    answers = (DIAGNOSIS, "repaired(layer, x)")

    @check("a, mended", 1.5)
    def mended(diagnoses, repaired):
        is_right(repaired)


def is_right(answer) -> None:
    """All of attention with several heads in one check: a repair counts only as a whole."""
    for B, T, D, H in draw.one_of(*SIZES):
        module, x = Layer(D, H), draw.normal(B, T, D)
        got = expect_tensor(attended(answer, module, x), "the output", (B, T, D))
        if not close(got, answer(module, *copies(x))):
            raise Wrong(
                "Two calls with the same input give different results: is there dropout, or a new layer in each call?"
            )
        expect_right(answer, module, got, x, None, H, module, faults.of_three_matrices(module, x, None, H))
    B, T, D, H = draw.one_of(*SIZES)[0]
    module = Layer(D, H)
    leaves_alone(lambda x: answer(module, x), x=draw.normal(B, T, D))
    x = draw.normal(B, T, D).requires_grad_()
    reaches_all(answer(module, x), {"x": x} | {name: getattr(module, name).weight for name in NAMES})
    large = 30 * draw.normal(B, T, D)
    counts_in_full(holds_for_large(lambda x: answer(module, x), large), by_loops(module, large, None, H))
    keeps_dtype(answer(module.double(), draw.normal(B, T, D, dtype=torch.float64)), torch.float64, "the output")


class Layer(nn.Module):
    """The four maps of a multi-head attention and its number of heads, with weights that tell mistakes apart."""

    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.n_heads, self.d_head = n_heads, d_model // n_heads
        for name in NAMES:
            setattr(self, name, nn.Linear(d_model, d_model))
        with_weights(self)

    def forward(self, *_, **__):
        raise Wrong(
            "The layer was called whole: write its attention out, from layer.w_q(x), layer.w_k(x), layer.w_v(x)."
        )


def attended(answer, module: Layer, x: Tensor):
    try:
        return answer(module, *copies(x))
    except (Wrong, NotDone):
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        if told := why_output_raised(error):
            raise Wrong(*told) from error
        raise
