"""Lesson 05: the checks of the gated feed-forward layer."""

import itertools

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import (
    close,
    close_by_size,
    copies,
    expect_tensor,
    has_gradient,
    keeps_dtype,
    leaves_alone,
)
from . import feed_forward_faults as faults
from .feed_forward import BATCHES, DETACHED, WIDTHS, D, by_hand, of_both_signs


class swiglu:
    answers = ("swiglu(x, w_gate, w_1, w_2)",)

    @check("as wide as x", 0.5)
    def shape(swiglu):
        for batch in BATCHES:
            gated(swiglu, *gates(*batch))

    @check("the right numbers", 1.5)
    def values(swiglu):
        for batch, sizes in itertools.product(BATCHES, (draw.one_of(*WIDTHS), (D, D))):
            inputs = gates(*batch, sizes=sizes)
            got, wanted = gated(swiglu, *inputs), gated_by_loops(*inputs)
            by_hand(got, wanted, faults.swiglu(*inputs), "the output", GATE_BY_HAND)

    @check("large numbers", 0.5)
    def large(swiglu):
        x, *weights = gates(3)
        x = (300 * x).requires_grad_()
        got = gated(swiglu, x, *weights)
        if not got.isfinite().all():
            raise Wrong(
                "With sums of about 300 the output holds NaN or inf: an exp(z) overflows, and inf / inf is NaN. "
                "torch.sigmoid and F.silu are safe for any z."
            )
        if got.requires_grad and not torch.autograd.grad(got.sum(), x)[0].isfinite().all():
            raise Wrong(
                "With sums of about 300 the output is finite, and its gradient is NaN or inf: an exp(z) overflows "
                "on the way, and torch.where or a clamp afterwards does not save the gradient. F.silu is safe."
            )
        inputs = gates(3)
        ordinary = close(gated(swiglu, *inputs), gated_by_loops(*inputs), 1e-4)
        if ordinary and not close_by_size(got, gated_by_loops(x.detach(), *weights)):
            raise Wrong(
                "With sums of about 300 the output is wrong, and with ordinary ones it is right: is something clamped?"
            )

    @check("dtype and inputs are kept, gradients flow", 0.5)
    def gradient(swiglu):
        for dtype in (torch.float64, torch.float32):
            keeps_dtype(gated(swiglu, *gates(3, dtype=dtype)), dtype, "the output")
        names = ("x", "w_gate", "w_1", "w_2")
        leaves_alone(swiglu, **dict(zip(names, gates(3), strict=True)))
        inputs = [tensor.requires_grad_() for tensor in gates(3)]
        got = has_gradient(gated(swiglu, *inputs), "the output")
        for name, gradient in zip(names, torch.autograd.grad(got.sum(), inputs, allow_unused=True), strict=True):
            if gradient is None or not gradient.any():
                right = close(got, gated_by_loops(*inputs), 1e-4)
                used = DETACHED if right else "And the numbers are wrong (see above): is it used at all?"
                raise Wrong(f"No gradient reaches {name}: it could not learn. {used}")


GATE_BY_HAND = (
    "Follow one hidden unit at one position by hand: z from its row of w_gate, z sigmoid(z); times the sum from its "
    "row of w_1; times its column of w_2. Then add up the units."
)


def gates(*batch: int, sizes=None, dtype=torch.float32) -> tuple[Tensor, ...]:
    width, inner = sizes or draw.one_of(*WIDTHS)
    shapes = ((*batch, width), (inner, width), (inner, width), (width, inner))
    while True:
        x, w_gate, w_1, w_2 = (draw.normal(*shape, dtype=dtype) for shape in shapes)
        if of_both_signs(x @ w_gate.T) and of_both_signs(x @ w_1.T):
            return x, w_gate, w_1, w_2


def gated_by_loops(x, w_gate, w_1, w_2) -> Tensor:
    """The specification: for each unit the sum of its gate, silu of it, times the unit's own sum."""
    found = []
    for row in x.double().reshape(-1, x.shape[-1]):
        result = torch.zeros(len(w_2)).double()
        for unit in range(len(w_1)):
            gate, value = (w_gate[unit].double() * row).sum(), (w_1[unit].double() * row).sum()
            result = result + gate / (1 + (-gate).exp()) * value * w_2[:, unit].double()
        found.append(result)
    return torch.stack(found).view(x.shape)


def gated(answer, x, w_gate, w_1, w_2) -> Tensor:
    try:
        got = answer(*copies(x, w_gate, w_1, w_2))
    except (RuntimeError, ValueError, IndexError) as error:
        square = gates(D, sizes=(D, D))
        try:
            wrong = answer(*copies(*square))
        except Exception:
            wrong = None
        turned = faults.swiglu(*square)
        if isinstance(wrong, Tensor) and (told := next((t for t in turned if close(wrong, t[0], 1e-4)), None)):
            raise Wrong(f"{told[1]} (It raised because d_ff and D differ here.)", told[2]) from error
        raise
    if isinstance(got, Tensor) and got.shape == (*x.shape[:-1], len(w_1)) != x.shape:
        raise Wrong("The output is as wide as the hidden layer: the last projection, w_2, is missing.", "M28")
    return expect_tensor(got, "the output", tuple(x.shape))
