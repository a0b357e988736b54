"""Lesson 04: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .contributions import contributions
from .diagnose import diagnose
from .grouped_query_attention import grouped_query_attention
from .multi_head_attention import multi_head_attention
from .permute_heads import permute_heads
from .pieces_that_agree import pieces_that_agree
from .split_and_merge import split_and_merge

LESSON = "04_multi_head"
__all__ = [
    "split_and_merge",
    "multi_head_attention",
    "diagnose",
    "contributions",
    "permute_heads",
    "grouped_query_attention",
    "pieces_that_agree",
]

PREDICTIONS = {
    # The loss that one trained head reaches on a target of two signs, in units of answering 0 everywhere.
    "one_head": ("near 0", "near a half", "near 1"),
    # 16 heads of width 1 on the same target, against two heads of width 8
    "many_heads": ("better", "as good", "worse"),
    # When do view, and view and transpose, agree everywhere?
    "agree": ("when T = H", "when T = 1 or H = 1", "never"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "split_and_merge": "`merge(split(x, h))` is `x` for every `h` that divides D: heads are a way to read the "
    "same numbers, and add none.",
    "multi_head_attention": "Let `memory` be the patches of a picture, each made D numbers wide, and words look "
    "at it: cross-attention does not ask where its memory comes from.",
    "diagnose": "At `T = 1` every weight of a right layer is 1, whatever queries and keys say: test attention with "
    "two positions at least.",
    "contributions": "Where the translator writes the first digit of `November`, head 3 has 47 percent of what the "
    "cross-attention of block 2 says, and head 4 has 8.",
    "permute_heads": "A layer of 8 heads can be written in 40,320 such orders: two models may compute the same "
    "although none of their matrices agree.",
    "grouped_query_attention": "One key head makes it multi-query attention, as many as there are queries makes "
    "it ordinary multi-head attention: yours holds both ends.",
    "pieces_that_agree": "Where T - 1 and H - 1 share no factor, just two pieces are right, the first and the "
    "last: the two that one looks at.",
}

MISCONCEPTIONS = {
    "M01": "scores divided by sqrt(d_model), or not at all; the scale is sqrt(d_head), the width of one head",
    "M04": "softmax over the query axis",
    "M06": "an activation on queries, keys or values: they are linear",
    "M10": "batched matmul called on four axes, or the key not transposed",
    "M11": "a view straight to (B, H, T, d_head), or back from it, without a transpose",
    "M12": "heads thought to cut the sequence: they cut the features, and every head sees every position",
    "M13": "heads of full width, at H times the cost: heads share the width, and only the maps multiply",
}
