"""Lesson 04: the checks of question 3, three broken attentions: what is wrong with each, and one of them mended."""

import torch
from torch import Tensor, nn

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import close, copies, diagnosed, expect_tensor, keeps_dtype, leaves_alone
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
from .multi_head_of_parts import compute, join_alone, not_swapped

# What the learner chooses from -> what such a layer would show. The notebook explains each in a table.
FAULTS = {
    "softmax over the queries": "In such a layer the weights of one key add up to 1, not those of one query.",
    "one map for all heads": "In such a layer every head averages its values with the same weights.",
    "merge without transpose": "In such a layer the heads are right, and w_o reads them in a mixed order.",
    "divided by sqrt(d_model)": "Such a layer has weights that are too even, and is right with one head.",
    "heads attend to one another": "In such a layer no position ever sees another one.",
    "split without transpose": "In such a layer a head gets the features of other positions.",
    "heads averaged": "In such a layer w_o reads the same d_head numbers for every head.",
}
# B, T, D, H: no two alike; then a head for each feature, and one head.
SIZES = (
    ((2, 5, 12, 3), (3, 4, 10, 5), (1, 7, 6, 6), (2, 3, 5, 1)),
    ((2, 7, 18, 3), (4, 3, 15, 5), (1, 4, 7, 7), (3, 2, 4, 1)),
    ((3, 5, 12, 4), (2, 6, 14, 7), (1, 6, 5, 5), (2, 4, 7, 1)),
)
LOOK = {
    1: "Between which two axes of broken_1 are the scores, and what does the symptom say about other positions?",
    2: "Follow the shape of broken_2's weights: how many maps are there when they meet the values?",
    3: "Follow broken_3's axes to its last line: in which order do the numbers lie in memory when w_o reads them?",
}


class repair:
    answers = ("repair(layer, x)", *(tuple(FAULTS),) * 3, ("a pair (T, n_heads)",))

    @check("broken_1: the fault", 0.5)
    def first(repair, fault_1, fault_2, fault_3, sizes):
        diagnosed(fault_1, "heads attend to one another", FAULTS, "fault_1", LOOK[1])

    @check("broken_2: the fault", 0.5)
    def second(repair, fault_1, fault_2, fault_3, sizes):
        diagnosed(fault_2, "one map for all heads", FAULTS, "fault_2", LOOK[2])

    @check("broken_3: the fault", 0.5)
    def third(repair, fault_1, fault_2, fault_3, sizes):
        diagnosed(fault_3, "merge without transpose", FAULTS, "fault_3", LOOK[3])

    @check("sizes at which broken_1 alone is wrong", 0.5)
    def apart(repair, fault_1, fault_2, fault_3, sizes):
        T, H = two_sizes(sizes)
        B, d_head = draw.one_of((2, 3), (3, 2), (2, 5))
        module, x = Layer(H * d_head, H), draw.normal(B, T, H * d_head)
        right = compute(module, x, None, H)
        wrong = [n for n, broken in BROKEN.items() if not close(compute(module, x, None, H, **broken), right, 1e-4)]
        if wrong != [1]:
            also = " and ".join(f"broken_{n}" for n in wrong) or "none of the three"
            raise Wrong(
                f"With T = {T} and n_heads = {H} {also} {'are' if len(wrong) > 1 else 'is'} wrong; wanted broken_1 "
                "alone. When is there nothing to swap, and when are all maps of weights the same?"
            )

    @check("broken_1, mended", 1)
    def mended(repair, fault_1, fault_2, fault_3, sizes):
        for B, T, D, H in draw.one_of(*SIZES):
            module, x = Layer(D, H), draw.normal(B, T, D)
            got = expect_tensor(attended(repair, module, x), "the output", (B, T, D))
            if not close(got, repair(module, *copies(x))):
                raise Wrong(
                    "Two calls with the same input give different results: is there dropout, or a new layer "
                    "in each call?"
                )
            expect_right(repair, module, got, x, None, H)
        B, T, D, H = draw.one_of(*SIZES)[0]
        module = Layer(D, H)
        leaves_alone(lambda x: repair(module, x), x=draw.normal(B, T, D))
        x = draw.normal(B, T, D).requires_grad_()
        reaches_all(repair(module, x), {"x": x} | {name: getattr(module, name).weight for name in NAMES})
        large = 30 * draw.normal(B, T, D)
        counts_in_full(holds_for_large(lambda x: repair(module, x), large), by_loops(module, large, None, H))
        keeps_dtype(repair(module.double(), draw.normal(B, T, D, dtype=torch.float64)), torch.float64, "the output")


# What each snippet does differently, in the words of compute.
BROKEN = {
    1: {"split": not_swapped, "merge": lambda o: o.flatten(2)},
    2: {"attend": lambda scores, v: scores.softmax(-1).mean(1, keepdim=True) @ v},
    3: {"merge": join_alone},
}


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


def attended(repair, module: Layer, x: Tensor):
    try:
        return repair(module, *copies(x))
    except (Wrong, NotDone):
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        if told := why_output_raised(error):
            raise Wrong(*told) from error
        raise


def two_sizes(sizes) -> tuple[int, int]:
    """The learner's (T, n_heads), if it is a pair of whole numbers that a layer can have."""
    if sizes is None:
        raise NotDone("put a pair (T, n_heads) in place of None, such as (4, 3), then run this cell again.")
    if not isinstance(sizes, (tuple, list)) or len(sizes) != 2:
        raise Wrong(f"sizes is {sizes!r}; write a pair of numbers, T and n_heads, such as (4, 3).")
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 64:
            raise Wrong(f"sizes is {sizes!r}; T and n_heads are whole numbers from 1 to 64.")
    return tuple(sizes)
