"""Lesson 02: the checks of softmax."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import TOLERANCE, close, compare, expect_tensor, has_gradient, keeps_dtype, leaves_alone, number
from . import softmax_faults as faults
from .softmax_faults import ROUNDING

INF = float("inf")
SIZES = ((5, 3, 2, 4), (6, 4, 3, 5), (7, 4, 2, 3), (5, 4, 3, 2))  # no two alike, the last axis of a matrix the longest


class softmax:
    answers = ("softmax(x, dim=-1)",)

    @check("a tensor of the same shape and dtype", 0.5)
    def shape(softmax):
        for x in inputs():
            weights = expect_tensor(softmax(x.clone()), "softmax(x)", x.shape)
            keeps_dtype(weights, x.dtype, "softmax(x)")

    @check("the right numbers, along the axis asked for", 1.5)
    def values(softmax):
        for shape, dim in shapes():
            expect_values(softmax, shape, dim)
        x = draw.normal(*matrix())
        weights = expect_tensor(softmax(x.clone()), "softmax(x)", x.shape)
        compare(weights, softmax_by_loops(x, -1), faults.values(x, -1, weights), "softmax(x)")

    @check("scores of 10000 and of -10000", 1)
    def large(softmax):
        for dim in (-1, 0):  # what goes wrong with ordinary scores is told as that
            expect_values(softmax, matrix(), dim)
        for x, tell in faults.large_scores():
            weights = expect_tensor(softmax(x.clone(), dim=-1), "softmax(x)", x.shape)
            if not close(weights, softmax_by_loops(x, -1), ROUNDING):
                raise Wrong(tell(weights))
            columns = expect_tensor(softmax(x.T.clone(), dim=0), "softmax(x, dim=0)", x.T.shape)
            wanted = softmax_by_loops(x.T, 0)
            compare(columns.T, wanted.T, faults.large_columns(x, columns), "softmax(x, dim=0)", ROUNDING)

    @check("scores of -inf", 0.5)
    def minus_infinity(softmax):
        for dim in (-1, 0):
            expect_values(softmax, matrix(), dim)
        x = draw.normal(4, 5)
        x[0, 2:] = x[1, 0] = x[2] = -INF
        x[3] = torch.tensor([-1e4, -1e4 + 1, -INF, -INF, -INF])  # what stands for -inf must lie below -10000
        wanted = softmax_by_loops(x, -1)
        weights = expect_tensor(softmax(x.clone(), dim=-1), "softmax(x)", x.shape)
        compare(weights, wanted, faults.minus_infinity(x, wanted, weights), "softmax of scores with -inf", ROUNDING)
        columns = expect_tensor(softmax(x.T.clone(), dim=0), "softmax(x, dim=0)", x.T.shape)
        told = [*faults.large_columns(x, columns), *faults.minus_infinity(x, wanted, columns.T)]
        compare(columns.T, wanted, told, "softmax(x, dim=0) with -inf", ROUNDING)

    @check("gradients flow, and the input stays as it was", 0.5)
    def gradient(softmax):
        leaves_alone(lambda x: softmax(x, dim=-1), x=torch.tensor([[1.0, -INF, 0.5], [-INF, -INF, -INF]]))
        compare_gradient(softmax, draw.normal(*matrix()))
        for x, _ in faults.large_scores():
            compare_gradient(softmax, x, ROUNDING)


def matrix() -> tuple[int, int]:
    """The shape of a matrix."""
    a, b, _, _ = draw.one_of(*SIZES)
    return b, a


def shapes() -> tuple:
    """(shape, dim): one axis to four, and each of three."""
    a, b, c, d = draw.one_of(*SIZES)
    three, four = (d, c, b), (c, b, d, a)
    return ((b, a), -1), (three, 0), (three, 1), (three, -2), (four, 1), (four, -1), ((a + 1,), -1), ((1, a), -1)


def inputs() -> list[Tensor]:
    a, b, c, d = draw.one_of(*SIZES)
    double = draw.normal(b, a, dtype=torch.float64)
    return [draw.normal(b, a), draw.normal(c, b, d), draw.normal(a + 1), double]


def expect_values(softmax, shape: tuple[int, ...], dim: int) -> None:
    x, name = draw.normal(*shape), f"softmax(x, dim={dim})"
    weights = expect_tensor(softmax(x.clone(), dim=dim), name, shape)
    compare(weights, softmax_by_loops(x, dim), faults.values(x, dim, weights), name)


def compare_gradient(softmax, x: Tensor, tolerance: float = TOLERANCE) -> None:
    """The gradient of softmax at x, where its values are right: wrong ones are told by the other checks."""
    x, upstream = x.clone().requires_grad_(), draw.normal(*x.shape)
    weights = has_gradient(expect_tensor(softmax(x * 1.0, dim=-1), "softmax(x)", x.shape), "softmax")
    (got,) = torch.autograd.grad((weights * upstream).sum(), x)
    w = softmax_by_loops(x.detach(), -1)
    if not close(weights, w, tolerance):
        return
    if got.isnan().any():
        raise Wrong(
            f"For scores of {number(x.abs().max())} the weights are right and their gradient is NaN. torch.where hands "
            "a gradient of 0 to the branch not taken, and 0 times inf is NaN: no exp may overflow in either branch."
        )
    wanted = w * (upstream - (w * upstream).sum(-1, keepdim=True))
    look = "Is a part of it cut from the gradient (.detach(), no_grad, rounding)?"
    compare(got, wanted, faults.gradient(x, w, upstream), "the gradient of softmax", tolerance, look)


def softmax_by_loops(x: Tensor, dim: int) -> Tensor:
    """The specification: exp(score - largest) over its sum, one row at a time; zeros for a row that is all -inf."""
    moved = x.double().movedim(dim, -1)
    rows = torch.zeros(moved.numel() // moved.shape[-1], moved.shape[-1], dtype=torch.float64)
    for result, scores in zip(rows, moved.reshape(rows.shape), strict=True):
        if scores.max() > -INF:
            powers = (scores - scores.max()).exp()
            result[:] = powers / powers.sum()
    return rows.view(moved.shape).movedim(-1, dim)
