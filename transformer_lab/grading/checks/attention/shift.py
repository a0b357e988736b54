"""Lesson 02: the checks of a number added to every score, and of the bias that adds one to every row."""

import itertools

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import chosen, compare, expect_tensor, has_gradient, keeps_dtype, leaves_alone
from . import weights_faults as faults
from .softmax import softmax_by_loops

SIZES = ((4, 5), (5, 7), (6, 4), (5, 9))  # T, S
SHIFT_OPTIONS = ("b_Q", "b_K", "b_V", "none")
WHY_NOT = {
    "b_Q": "It adds b_Q · k_j to the score of key j: another number for each key of a row, so the weights change.",
    "b_V": "The weights do not see it, but every output moves by b_V: the weights of a row sum to 1.",
    "none": "One of the biases adds the same number to all scores of a row, whatever it holds. Multiply out "
    "(q_i + b_Q) · (k_j + b_K): what does not depend on j?",
}


ONE_LARGEST = (
    "A row whose scores are 300 below those of the others is not right: is the largest score of the whole tensor "
    "subtracted? Each row has a largest one of its own."
)


class shift:
    answers = ("shift(scores, c)", SHIFT_OPTIONS)

    @check("the weights after c is added to every score", 1)
    def values(shift, choice):
        T, S = draw.one_of(*SIZES)
        c = draw.one_of(2.5, 2.0, 1.8)
        cases = (((T, S), c), ((T, S), -c - 0.5), ((2, 3, T, S), 0.7), ((1, 3, S), 1.5))
        for dtype, (shape, c) in itertools.product((torch.float32, torch.float64), cases):
            scores = draw.normal(*shape, dtype=dtype)
            got = expect_tensor(shift(scores.clone(), c), "shift(scores, c)", shape)
            compare(got, softmax_by_loops(scores, -1), faults.shifted(scores, c, got), "shift(scores, c)")
            keeps_dtype(got, dtype, "shift(scores, c)")
        leaves_alone(lambda scores: shift(scores, 2.5), scores=draw.normal(T, S))
        for c in (1000.0, -1000.0):
            far_shift(shift, draw.normal(T, S), c)
        apart = draw.normal(T, S) - 300.0 * (torch.arange(T)[:, None] == 1)
        got = expect_tensor(shift(apart.clone(), 2.5), "shift(scores, c)", (T, S))
        if not got.isfinite().all():
            raise Wrong(ONE_LARGEST)
        compare(got, softmax_by_loops(apart, -1), name="shift(scores, c)", tolerance=1e-3, look=ONE_LARGEST)
        for c in (2.5, 1000.0, -1000.0):
            scores, upstream = draw.normal(T, S).requires_grad_(), draw.normal(T, S)
            found = []
            for weights in (has_gradient(shift(scores * 1.0, c), "the weights"), scores.softmax(-1)):
                found += torch.autograd.grad((weights * upstream).sum(), scores)
            look = "Look for .item() or .detach() around a part of it, or an exp that overflows in a branch not taken."
            compare(*found, name="the gradient of the scores through the weights", tolerance=2e-3, look=look)

    @check("the bias that changes nothing", 1)
    def choice(shift, choice):
        picked = chosen(choice, SHIFT_OPTIONS, "the choice")
        if picked in WHY_NOT:
            raise Wrong(f"You chose {picked!r}. {WHY_NOT[picked]}")


def far_shift(shift, scores: Tensor, c: float) -> None:
    name = f"shift(scores, {c})"
    got = expect_tensor(shift(scores.clone(), c), name, scores.shape)
    if not got.isfinite().all():
        how = "overflows" if c > 0 else "underflows, and the sum is 0"
        raise Wrong(f"c = {c:g} gives NaN or inf: exp {how}. Use a softmax that subtracts the row's maximum.")
    look = "So large a c must change nothing either: are the scores clamped?"
    compare(got, softmax_by_loops(scores, -1), name=name, tolerance=1e-3, look=look)
