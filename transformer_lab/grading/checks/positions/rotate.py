"""Lesson 08: the checks of turning vectors by their positions."""

import itertools

import torch
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import (
    close,
    compare,
    copies,
    expect_tensor,
    has_gradient,
    keeps_dtype,
    leaves_alone,
    reordered,
    settled,
)
from .rotate_faults import by_pairs, rotate_by_loops, rotate_faults, zero_faults

# Shape, theta; the last with as many heads as positions, where a wrong axis raises no error.
CASES = (
    (((5, 8), 10_000.0), ((3, 7, 6), 10_000.0), ((2, 3, 5, 12), 300.0), ((4, 1, 2), 500.0), ((3, 3, 4), 90.0)),
    (((6, 10), 10_000.0), ((2, 5, 8), 10_000.0), ((3, 2, 4, 14), 250.0), ((3, 1, 2), 400.0), ((4, 4, 6), 80.0)),
    (((7, 12), 10_000.0), ((2, 6, 10), 10_000.0), ((2, 5, 3, 8), 350.0), ((5, 1, 2), 600.0), ((5, 5, 4), 70.0)),
)
COUNTED = (
    (3, 9, 4, 17, 30, 31, 40),
    (5, 11, 6, 19, 33, 34, 42),
    (2, 8, 3, 15, 27, 28, 38),
)  # with gaps, and in no order: they are given, not counted
FAR = 5000


class rotate:
    answers = ("rotate(x, positions, theta=10_000.0)",)

    @check("the shape stays, with any leading axes; position 0 changes nothing", 1)
    def shape(rotate):
        for shape, theta in draw.one_of(*CASES):
            x = draw.normal(*shape)
            turned(rotate, x, torch.arange(shape[-2]), theta)
            at_zero(rotate, x, theta)
        x = reordered(draw.normal(*draw.one_of((2, 3, 5, 12), (3, 2, 4, 10))))
        turned(rotate, x, torch.arange(x.shape[-2]), 10_000.0)

    @check("each pair turned by position * theta^(-2i/d_head)", 2)
    def values(rotate):
        cases = draw.one_of(*CASES)
        for shape, theta in cases:
            settled(lambda shape=shape, theta=theta: at_zero(rotate, draw.normal(*shape), theta), "x at position 0 is")
        for shape, theta in cases:
            x, positions = draw.normal(*shape), counted(shape[-2])
            got = turned(rotate, x, positions, theta)
            wanted = rotate_by_loops(x, positions, theta)
            if not close(got, wanted, 1e-4):
                faults = rotate_faults(x, positions, theta)
                if not close(got, wanted, 0.02):  # nearer than that it is a matter of precision
                    faults = itertools.chain(faults, by_pairs(got, x, positions, theta))
                compare(got, wanted, faults, "the result", 1e-4)
        x = draw.normal(*draw.one_of((2, 4, 10), (3, 5, 12)))
        positions = torch.arange(x.shape[-2])
        got = expect_tensor(rotate(*copies(x, positions)), "rotate(x, positions)", tuple(x.shape))
        if not close(got, rotate_by_loops(x, positions), 1e-4):
            raise Wrong("rotate(x, positions), without theta, does not use 10000: look at the default in the `def`.")

    @check("far positions: lengths stay, and scores depend on the offset only", 1)
    def offset(rotate):
        d = draw.one_of(12, 14, 16)
        settled(lambda: at_zero(rotate, draw.normal(1, d), 10_000.0), "x at position 0 is")
        far_away(rotate)
        q, k = draw.normal(1, d), draw.normal(1, d)
        of_q, of_k = draw.one_of((9, 2), (10, 3), (12, 5))
        scores = []
        for shift in (0, 100, FAR):
            at = [turned(rotate, x, torch.tensor([shift + p]), 10_000.0) for x, p in ((q, of_q), (k, of_k))]
            for got, x, p in zip(at, (q, k), (of_q, of_k), strict=True):
                if abs(got.norm() - x.norm()) > 1e-2:
                    raise Wrong(f"At position {shift + p} a vector's length changed; a rotation keeps it.")
            scores.append(float((at[0].double() * at[1].double()).sum()))
        if max(scores) - min(scores) > 1e-2:
            told = ", ".join(f"{score:.3f}" for score in scores)
            raise Wrong(
                f"The score q.k at offset 7 is {told} when both stand 0, 100, {FAR} further on; wanted equal. "
                "(If only the last differs: angles of thousands of radians need float32 at least.)"
            )

    @check("dtype is kept, gradients flow, x stays as it was", 1)
    def gradient(rotate):
        positions, shape = torch.tensor([1, 5, 6]), draw.one_of((2, 3, 8), (4, 3, 10))
        for dtype in (torch.float64, torch.float32):
            keeps_dtype(turned(rotate, draw.normal(*shape, dtype=dtype), positions, 10_000.0), dtype, "the result")
        sixteen_bits(rotate)
        leaves_alone(lambda x, positions: rotate(x, positions, 10_000.0), x=draw.normal(*shape), positions=positions)
        x, upstream = draw.normal(*shape).requires_grad_(), draw.normal(*shape)
        got = has_gradient(turned(rotate, x * 1.0, positions, 10_000.0), "the result")
        (found,) = torch.autograd.grad((got * upstream).sum(), x)
        wanted = rotate_by_loops(upstream, positions, sign=-1)  # a rotation's transpose turns back
        if close(got, rotate_by_loops(x.detach(), positions), 1e-4) and not close(found, wanted, 1e-4):
            raise Wrong("A part of x is cut from the gradient: look for .detach() or torch.no_grad().")


def counted(n: int) -> Tensor:
    """n positions."""
    return torch.tensor(draw.one_of(*COUNTED)[:n])


def at_zero(answer, x: Tensor, theta: float) -> None:
    got = turned(answer, x, torch.zeros(x.shape[-2], dtype=torch.long), theta)
    compare(got, x, zero_faults(x), "x at position 0 (an angle of 0 turns nothing)")


def far_away(answer) -> None:
    """An answer that is right at small positions is right at large ones: nothing wraps, nothing is clipped."""
    near, x = counted(3), draw.normal(3, draw.one_of(12, 14, 16))
    if not close(turned(answer, x, near, 10_000.0), rotate_by_loops(x, near), 1e-3):
        return  # that is what the check before this one is about
    for far in (130, 260, 1030, 2050, 4100, FAR):
        positions = torch.tensor([far, far + 3, far + 7])
        if not close(turned(answer, x, positions, 10_000.0), rotate_by_loops(x, positions), 2e-2):
            raise Wrong(
                f"At small positions it is right, at {far} to {far + 7} it is not. Do positions start again or stop "
                "there (%, clamp, whole numbers of 8 bits)? Or are angles kept in 16 bits, which do not hold them?"
            )


def sixteen_bits(answer) -> None:
    """bfloat16 comes back as bfloat16, turned as float32 is: 301 is not a number of that type, 300 and 302 are."""
    x, positions = draw.normal(2, 8).bfloat16(), torch.tensor([3, 301])
    x[:, 0] = 2.0  # of the pair that turns fastest
    try:
        got = turned(answer, x, positions, 10_000.0)
    except RuntimeError as error:
        if isinstance(error, NotDone) or "16" not in str(error):
            raise
        return  # an operation that torch does not have for 16 bits, complex numbers for instance: it says so itself
    if got.dtype != x.dtype:
        raise Wrong(
            f"The input is {x.dtype}, the result came back as {got.dtype}: cos and sin are of float32, and the wider "
            "type wins in a product. End with .type_as(x)."
        )
    wanted = rotate_by_loops(x, positions)  # of an answer that is wrong in float32 too, other checks speak
    if close(turned(answer, x.float(), positions, 10_000.0), wanted, 0.02) and not close(got, wanted, 0.1):
        raise Wrong(
            f"With x of {x.dtype} the angles are wrong: bfloat16 does not hold a position such as 301. Make position, "
            "frequency and angle in float32, and go back to x's dtype at the end."
        )


def turned(answer, x: Tensor, positions: Tensor, theta: float) -> Tensor:
    return expect_tensor(answer(*copies(x, positions), theta), "the result", tuple(x.shape))
