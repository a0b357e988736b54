"""Lesson 01: the checks of cross-entropy's gradient."""

import functools
import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, copies, expect_tensor, keeps_dtype, leaves_alone, number
from . import loss_faults as faults
from .cross_entropy import SIZES, case


class cross_entropy_gradient:
    answers = ("cross_entropy_gradient(scores, targets)",)

    @check("a tensor (N, V) of the same dtype", 1)
    def shape(cross_entropy_gradient):
        for dtype in (torch.float32, torch.float64):
            for N, V in draw.one_of(*SIZES):
                scores, targets = case(N, V, dtype)
                keeps_dtype(gradient_of(cross_entropy_gradient, scores, targets), dtype, "the gradient")
        scores, targets = case(*draw.one_of((4, 7), (5, 6), (3, 8)))
        targets.clamp_(max=3)  # the last ids do not occur
        try:
            gradient_of(cross_entropy_gradient, scores, targets)
        except Wrong as wrong:
            raise Wrong(f"{wrong} The last ids do not occur among these targets: take V from the scores.") from None

    @check("the right numbers", 2)
    def values(cross_entropy_gradient):
        for N, V in draw.one_of(*SIZES):
            ordinary_gradient(cross_entropy_gradient, N, V)

    @check("scores of 10000, and inputs left alone", 1)
    def large(cross_entropy_gradient):
        scores, targets = case(*draw.one_of(*SIZES)[0])
        once = functools.partial(with_autograd, cross_entropy_gradient)
        leaves_alone(once, scores=scores, targets=targets)
        ordinary_gradient(cross_entropy_gradient, *draw.one_of(*SIZES)[0])
        targets = torch.tensor([0, 1])
        for scale in (1e4, -1e4):
            scores = torch.tensor([[1.0, 0.5, -1.0], [-1.0, 0.9999, 1.0]]) * scale
            got = gradient_of(cross_entropy_gradient, scores, targets)
            if not got.isfinite().all():
                raise Wrong(
                    "Scores near 10000 give NaN or inf: exp(10000) is inf. Use torch's softmax, or subtract each row's "
                    "largest score before exp."
                )
            clamped = "Are the scores clamped? Scores that differ must stay different."
            compare(got, gradient_by_loops(scores, targets), (), "the gradient for scores near 10000", 1e-3, clamped)
        scores = torch.tensor([[1e4, 1e4 - 1, 1e4 - 3], [-1e4, -1e4 + 2, -1e4 + 1]])
        got, wanted = gradient_of(cross_entropy_gradient, scores, targets), gradient_by_loops(scores, targets)
        if not close(got, wanted, 1e-3):
            raise Wrong(
                "With one row near 10000 and one near -10000 the gradient is wrong: the largest score is taken over "
                "the whole tensor. Take it row by row, dim=-1, keepdim=True."
            )


def ordinary_gradient(cross_entropy_gradient, N: int, V: int) -> None:
    scores, targets = case(N, V)
    got, wanted = gradient_of(cross_entropy_gradient, scores, targets), gradient_by_loops(scores, targets)
    sums = got.detach().sum(-1)
    look = "Each row is its softmax, minus 1 at the target, divided by N."
    if sums.abs().max() > 1e-4:
        look = "Each row must sum to 0, because p and y both sum to 1; "
        look += f"yours sum to {number(sums.min())} ... {number(sums.max())}."
    compare(got, wanted, faults.gradients(scores, targets), f"the gradient for scores {(N, V)}", look=look)


def gradient_of(cross_entropy_gradient, scores: Tensor, targets: Tensor) -> Tensor:
    got = with_autograd(cross_entropy_gradient, *copies(scores, targets))
    return expect_tensor(got, "the gradient", scores.shape)


LEAF = (
    "By autograd: the inputs come without requires_grad. Take a copy, x.clone().requires_grad_(), compute the loss "
    "from that copy, call backward, and read the .grad of the copy itself."
)


def with_autograd(answer, *inputs):
    """answer(*inputs); a word on autograd where it went wrong: no gradient asked for, or read off another tensor."""
    try:
        got = answer(*inputs)
    except RuntimeError as error:
        if "require" in str(error) and "grad" in str(error):
            raise Wrong(LEAF) from error
        raise
    except Wrong as wrong:
        if "returned None" in str(wrong):
            raise Wrong(f"{wrong} Or is it a .grad that nothing has filled? {LEAF}") from None
        raise
    parts = got if isinstance(got, (tuple, list)) else [got]
    if any(part is None for part in parts):
        raise Wrong(f"None came back: a .grad that nothing has filled? {LEAF}")
    return got


def gradient_by_loops(scores: Tensor, targets: Tensor) -> Tensor:
    """The specification: the probability, less 1 at the target, over N, element by element."""
    (N, V), found = scores.shape, torch.zeros(scores.shape, dtype=torch.float64)
    for n in range(N):
        row = scores[n].double().tolist()
        powers = [math.exp(score - max(row)) for score in row]
        for j in range(V):
            found[n, j] = (powers[j] / sum(powers) - (1 if j == int(targets[n]) else 0)) / N
    return found
