"""Lesson 02: the checks of the entropy of attention's weights."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, has_gradient, keeps_dtype, leaves_alone
from . import weights_faults as faults

SIZES = ((4, 5), (5, 7), (6, 4), (5, 9))  # T, S: neither is 2 or 3, as the batch axes are
MANY = 20_000  # equal weights: each is small, and all together are everything


class entropy:
    answers = ("entropy(weights)",)

    @check("one number for each row, of the same dtype", 0.5)
    def shape(entropy):
        T, S = draw.one_of(*SIZES)
        for shape in ((T, S), (2, 3, T, S), (1, S), (S,)):
            for dtype in (torch.float32, torch.float64):
                keeps_dtype(entropies(entropy, draw.normal(*shape, dtype=dtype).softmax(-1)), dtype, "entropy")

    @check("rows with a known entropy: equal weights, one key alone", 1)
    def known(entropy):
        # The last row is like no other: on those before it many a formula agrees with another.
        weights = torch.tensor([[0.25] * 4, [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.1, 0.2, 0.4, 0.3]])
        got = entropies(entropy, weights)
        if got[1:].isnan().any():
            raise Wrong("A weight of 0 gives NaN: log(0) is -inf and 0 * -inf is NaN. Its share is 0 (0 log 0 = 0).")
        if got[1:].isinf().any():
            raise Wrong(
                "A weight of 0 gives inf: log(0) is -inf, and nothing multiplies it by 0. Each -log w_j counts w_j "
                "times, and a weight of 0 adds nothing (0 log 0 = 0)."
            )
        compare(got, entropy_by_loops(weights), faults.entropy(weights, got), "entropy")

    @check("the right numbers", 1)
    def values(entropy):
        T, S = draw.one_of(*SIZES)
        for shape in ((T, S), (S + 1, S + 1), (1, 3, S), (2, 3, T, S)):
            weights = rows(*shape)
            got = entropies(entropy, weights)
            compare(got, entropy_by_loops(weights), faults.entropy(weights, got), "entropy")
        weights = torch.full((1, MANY), 1 / MANY)
        got = entropies(entropy, weights)
        look = "Only a weight of exactly 0 adds nothing: are small ones left out, or is a number added to them?"
        compare(got, entropy_by_loops(weights), (), f"the entropy of {MANY:,} equal weights", 1e-3, look)

    @check("gradients flow, and the weights stay as they were", 0.5)
    def gradient(entropy):
        leaves_alone(entropy, weights=torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]))
        T, S = draw.one_of(*SIZES)
        weights, upstream = draw.normal(T, S).softmax(-1).requires_grad_(), draw.normal(T)
        got = has_gradient(entropies(entropy, weights * 1.0), "entropy")
        (gradient,) = torch.autograd.grad((got * upstream).sum(), weights)
        w = weights.detach()
        wanted = -(w.log() + 1) * upstream[:, None]
        log_cut = -w.log() * upstream[:, None]
        # One number more for a whole row is felt only where the row does not sum to 1: another formula, as right.
        more = (gradient - wanted).mean(-1, keepdim=True)
        same = close(gradient, wanted + more, 1e-4) and not close(gradient, log_cut, 1e-4)
        if close(got, entropy_by_loops(w)) and not same:
            told = [(log_cut, "log is cut from the gradient (.detach() or no_grad around it).", None)]
            compare(gradient, wanted, told, "the gradient of entropy", 1e-4)


def rows(*shape: int) -> Tensor:
    """Weights of ordinary size, but for one: the first of the first row of a matrix is small."""
    scores = draw.normal(*shape).clamp(-1.0, 1.5)
    scores[..., 0, 0] = -3.5
    return scores.softmax(-1)


def entropies(entropy, weights: Tensor) -> Tensor:
    """The answer's numbers, if there is one for each row."""
    got, shape = entropy(weights.clone()), tuple(weights.shape)
    if isinstance(got, Tensor) and tuple(got.shape) == shape:
        raise Wrong(f"entropy(weights) has the shape of the weights, {shape}: sum the terms of each row, dim=-1.")
    for axis in range(weights.ndim - 1):
        if isinstance(got, Tensor) and tuple(got.shape) == shape[:axis] + shape[axis + 1 :] != shape[:-1]:
            over = "the queries" if axis == weights.ndim - 2 else "a batch axis"
            raise Wrong(
                f"entropy(weights) has shape {tuple(got.shape)}; wanted {shape[:-1]}. The sum runs over {over} "
                f"(axis {axis}); each row is a distribution over the keys: dim=-1.",
                "M04" if over == "the queries" else None,
            )
    return expect_tensor(got, "entropy(weights)", shape[:-1])


def entropy_by_loops(weights: Tensor) -> Tensor:
    """The specification: minus the sum of w log w over the keys, where 0 log 0 is 0."""
    rows = weights.double().reshape(-1, weights.shape[-1])
    sums = [-sum(w * math.log(w) for w in row.tolist() if w > 0) for row in rows]
    return torch.tensor(sums, dtype=torch.float64).view(weights.shape[:-1])
