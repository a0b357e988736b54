"""Lesson 02: the checks of a key that occurs twice."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, has_gradient, keeps_dtype, leaves_alone
from . import weights_faults as faults
from .softmax import softmax_by_loops


class duplicate:
    answers = ("duplicate(weights, j)",)

    @check("one weight more than before", 0.5)
    def shape(duplicate):
        for S, j in places()[:2]:
            for dtype in (torch.float32, torch.float64):
                keeps_dtype(row_for(duplicate, draw.normal(S, dtype=dtype).softmax(0), j), dtype, "the new row")

    @check("the right weights", 2)
    def values(duplicate):
        for (S, j), above in zip(places(), (1.0, -1.0, 1.0), strict=True):
            scores = draw.normal(S)
            scores[j] = scores.mean() + above  # not one whose weight is like the mean of all
            expect_row(duplicate, scores, j)
        for j in (0, 1):  # the first weight is 0: a key that nobody may see
            expect_row(duplicate, torch.tensor([0.0, 0.25, 0.75]).log(), j)

    @check("gradients flow, and the old row stays as it was", 0.5)
    def gradient(duplicate):
        (S, j), *_ = places()
        leaves_alone(lambda weights: duplicate(weights, j), weights=draw.normal(S).softmax(0))
        scores, upstream = draw.normal(S).requires_grad_(), draw.normal(S + 1)
        got = has_gradient(row_for(duplicate, scores.softmax(0), j), "the new row")
        wanted = torch.cat([scores, scores[j : j + 1]]).softmax(0)
        if close(got, wanted):
            gradient, right = (torch.autograd.grad((row * upstream).sum(), scores)[0] for row in (got, wanted))
            try:
                compare(gradient, right, name="the gradient of the scores through the new row", tolerance=1e-4)
            except Wrong as wrong:
                raise Wrong(f"{wrong} Look for .item(), float() or .detach() around a part of it.") from None


def places() -> list[tuple[int, int]]:
    """(S, j): how many keys there are and which one occurs twice, one in the middle, the first, the last."""
    S = draw.one_of(4, 5, 7)
    return [(S, draw.one_of(1, 2)), (S + 2, 0), (S + 1, S)]


def expect_row(duplicate, scores: Tensor, j: int) -> None:
    """The specification: the softmax of the scores, with that of key j once more at the end."""
    weights = softmax_by_loops(scores, -1).float()
    got = row_for(duplicate, weights, j)
    if got.isnan().any() and not weights.all():
        raise Wrong("Where a weight is 0 the new row holds NaN: look for 0 / 0, log(0) or 0 * inf.")
    wanted = softmax_by_loops(torch.cat([scores, scores[j : j + 1]]), -1)
    compare(got, wanted, faults.duplicated(weights, j, got), "the new row")


def row_for(duplicate, weights: Tensor, j: int) -> Tensor:
    got, S = duplicate(weights.clone(), j), len(weights)
    if isinstance(got, Tensor) and got.shape == (S,):
        raise Wrong(f"There are still {S} weights: the copy is a key of its own, at the end, so there are {S + 1}.")
    return expect_tensor(got, "the new row", (S + 1,))
