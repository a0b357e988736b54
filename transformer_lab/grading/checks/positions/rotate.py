"""Lesson 08: the checks of turning vectors by their positions."""

import itertools
import math

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
NOT_ONE = "positions come with the call and need not be 0, 1, 2, ...: with a cache a token may stand at 57. Use them."


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
            f"With x of {x.dtype} the angles are wrong: 16 bits do not hold a position such as 301. Make position, "
            "frequency and angle in float32, and go back to x's dtype at the end."
        )


def turned(answer, x: Tensor, positions: Tensor, theta: float) -> Tensor:
    return expect_tensor(answer(*copies(x, positions), theta), "the result", tuple(x.shape))


def rotate_by_loops(x: Tensor, positions: Tensor, theta: float = 10_000.0, sign: int = 1) -> Tensor:
    """The specification: feature i and feature i + half, turned by one angle, in each row."""
    T, d = x.shape[-2:]
    rows = x.detach().double().reshape(math.prod(x.shape[:-2]), T, d)
    out, half = torch.zeros_like(rows), d // 2
    for t in range(T):
        for i in range(half):
            angle = sign * float(positions[t]) * theta ** (-2 * i / d)
            a, b = rows[:, t, i], rows[:, t, i + half]
            out[:, t, i] = a * math.cos(angle) - b * math.sin(angle)
            out[:, t, i + half] = b * math.cos(angle) + a * math.sin(angle)
    return out.view(x.shape)


def neighbours(x: Tensor) -> Tensor:
    """Features 0, 2, 4, ..., then 1, 3, 5, ...: what makes pairs of neighbours pairs of halves."""
    return torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)


def interleaved(x: Tensor) -> Tensor:
    """The inverse of `neighbours`."""
    return torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)


def rotate_neighbours(x, positions, theta=10_000.0):
    return interleaved(rotate_by_loops(neighbours(x), positions, theta))


def with_angles(x, angle, other=None):
    """x turned by these angles (T, half); other: the angles of the second feature of each pair."""
    other = angle if other is None else other
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * angle.cos() - b * angle.sin(), b * other.cos() + a * other.sin()), dim=-1)


def zero_faults(x):
    x = x.double()
    a, b = x.chunk(2, dim=-1)
    words = "At position 0 the features come back in another order: halves stay halves (cat), pairs are i and i + half."
    yield interleaved(x), words, None
    yield neighbours(x), words, None
    yield torch.cat((b, a), -1), "At position 0 the halves come back swapped: (a cos - b sin, b cos + a sin).", None
    swapped = "At position 0 the pair is already turned by a right angle: sine and cosine are swapped."
    yield torch.cat((-b, a), -1), swapped, None
    yield torch.cat((b, -a), -1), swapped, None
    words = "At position 0 both halves hold the first one: the second is b cos + a sin, so cos belongs to b."
    yield torch.cat((a, a), -1), words, None
    yield torch.zeros_like(x), "At position 0 nothing is left: where are the terms with cos?", None
    words = "At position 0 the second half is negated: look at the signs, (a cos - b sin, b cos + a sin)."
    yield torch.cat((a, -b), -1), words, None
    words = "x at position 0 is turned as if it stood at its row's number, 0, 1, 2, ...: " + NOT_ONE
    yield rotate_by_loops(x, torch.arange(x.shape[-2])), words, None
    yield rotate_by_loops(x, torch.ones(x.shape[-2])), "Position 0 is treated as position 1.", None
    words = "At position 0 the features come back in reverse order: the first half stays the first, (a, b)."
    yield x.flip(-1), words, None
    words = "At position 0 every vector has length 1: rotary keeps the length that it had."
    yield torch.nn.functional.normalize(x, dim=-1), words, None
    yield (
        x - x.mean(-1, keepdim=True),
        "At position 0 the mean of the features is subtracted; nothing asks for it.",
        None,
    )
    words = "Sines and cosines are added, as with the sinusoidal table; rotary multiplies: it turns the vector."
    yield x + torch.cat((torch.zeros_like(a), torch.ones_like(b)), -1), words, None
    yield x + interleaved(torch.cat((torch.zeros_like(a), torch.ones_like(b)), -1)), words, None


FASTER = "The sign of the exponent is wrong: later pairs turn slower, theta^(-2i/d_head)."


def frequency_faults(d, theta):
    """(frequencies (half,), words)"""
    i = torch.arange(d // 2, dtype=torch.float64)
    words = "The exponent is i/d_head; wanted 2i/d_head, which is i/half."
    yield theta ** (-i / d), words
    words = "The exponent is 4i/d_head, doubled twice: torch.arange(0, d_head, 2) is 2i already."
    yield theta ** (-4 * i / d), words
    yield theta ** (2 * i / d), FASTER
    yield theta ** (-2 * (i + 1) / d), "Pairs are counted from 1; the first frequency is 1."
    yield theta ** (-2 * i / max(d - 2, 1)), "The exponent is 2i/(d_head - 2); wanted 2i/d_head."
    yield theta ** (-2 * i), "The exponent is not divided by d_head."
    yield torch.ones_like(i), "All pairs turn at one speed: theta^(-2i/d_head) makes later pairs slower."
    if theta != 10_000:
        yield 10_000.0 ** (-2 * i / d), f"theta is fixed at 10000; the call said theta = {theta:g}."
    yield (theta ** (-2 * i / d)).flip(0), "The frequencies stand in reverse order: pair 0 turns fastest."


def rotate_faults(x, positions, theta):
    x, T, d = x.double(), x.shape[-2], x.shape[-1]
    half = d // 2
    position = positions.double()[:, None]
    frequency = theta ** (-2 * torch.arange(half, dtype=torch.float64) / d)
    angle = position * frequency
    words = (
        "Neighbours are paired, 2i with 2i + 1. Just as good a scheme, but not the one asked for: here "
        "feature i is paired with feature i + d_head/2, and weights trained with one pairing fail with the other."
    )
    yield rotate_neighbours(x, positions, theta), words, "M27"
    words = "The pairs turn backwards. Wanted (a cos - b sin, b cos + a sin): the minus is in the first half."
    yield rotate_by_loops(x, positions, theta, sign=-1), words, None
    yield rotate_by_loops(neighbours(x), positions, theta), "The features are put into another order on the way.", "M27"
    words = (
        "Halves go in, but the result is interleaved (stack and flatten): put the two halves side by side, torch.cat."
    )
    yield interleaved(rotate_by_loops(x, positions, theta)), words, "M27"
    a, b = x.chunk(2, dim=-1)
    cos, sin = angle.cos(), angle.sin()
    mixed = [interleaved(torch.cat((v, v), -1)) for v in (cos, sin)]
    words = (
        "cos and sin are repeated for neighbours (0, 0, 1, 1, ...) but meet features paired as halves: repeat them as "
        "0, 1, ..., 0, 1, ... (torch.cat((angle, angle), -1))."
    )
    yield x * mixed[0] + torch.cat((-b, a), -1) * mixed[1], words, "M27"
    signs = "Look at the signs: (a cos - b sin, b cos + a sin)."
    yield torch.cat((a * cos - b * sin, b * cos - a * sin), -1), f"This is not a rotation. {signs}", None
    yield torch.cat((a * cos + b * sin, b * cos + a * sin), -1), f"This is not a rotation. {signs}", None
    words = "Cosine and sine are swapped between the features: (a cos - b sin, b cos + a sin)."
    yield torch.cat((a * cos - b * sin, a * cos + b * sin), -1), words, None
    words = "The second half is computed from the first half already turned: keep a as it was."
    new = a * cos - b * sin
    yield torch.cat((new, b * cos + new * sin), -1), words, None
    yield torch.cat((new, b), -1), "Only the first feature of each pair is turned.", None
    yield x * torch.cat((cos, cos), -1), "x is only multiplied by cos: the terms with sin are missing.", None
    words = "Sines and cosines are added, as with the sinusoidal table; rotary multiplies: it turns the vector."
    yield x + torch.cat((sin, cos), -1), words, None
    yield x + interleaved(torch.cat((sin, cos), -1)), words, None
    yield x, "x comes back as it was.", None
    counted = torch.arange(T, dtype=torch.float64)
    for sign, start in itertools.product((1, -1), (0, 1)):
        also = "" if sign == 1 else " (And the pairs turn backwards.)"
        yield rotate_by_loops(x, counted + start, theta, sign), f"The rows are counted instead: {NOT_ONE}{also}", None
    yield rotate_by_loops(x, positions + 1, theta), "Every position is one too high: positions count from 0.", None
    words = "Only the first position is used, and counted on from there: positions may have gaps. Use them all."
    yield rotate_by_loops(x, positions[0] + counted, theta), words, None
    words = "Positions are counted from the first one that is given; a token at 57 is turned by 57 times its frequency."
    yield rotate_by_loops(x, positions - positions[0], theta), words, None
    yield with_angles(x, angle / T), "Positions are divided by the number of rows; they are used as they come.", None
    if x.ndim > 2:
        lead = torch.arange(x.shape[-3], dtype=torch.float64)[:, None, None] * frequency
        words = "The angle grows along the axis before the positions (heads): the positions are axis -2."
        yield with_angles(x, lead), words, None
    for other, words in frequency_faults(d, theta):
        yield with_angles(x, position * other), words, None
        yield interleaved(with_angles(neighbours(x), position * other)), f"{words} And neighbours are paired.", "M27"
        yield with_angles(x, -position * other), f"{words} And the pairs turn backwards.", None
    words = "The two features of a pair are turned by different angles."
    features = theta ** (-torch.arange(d, dtype=torch.float64) / d)
    yield with_angles(x, position * features[0::2], position * features[1::2]), words, None
    yield with_angles(x, position * features[:half], position * features[half:]), words, None
    yield with_angles(x, angle * math.pi / 180), "The angles are taken for degrees.", None
    yield with_angles(x, angle * 2 * math.pi), "The angle is multiplied by 2 pi; it is position * frequency.", None
    yield rotate_by_loops(rotate_by_loops(x, positions, theta), positions, theta), "x is turned twice.", "M27"


def by_pairs(got, x, positions, theta):
    """What an answer that no fault explains did to the pairs, from the lengths it kept."""
    got, x, half = got.detach().double(), x.double(), x.shape[-1] // 2
    pair = [1, half + 1]  # of later ones the angles are so large that float32 does not hold them
    faster = with_angles(x, positions.double()[:, None] * theta ** (torch.arange(half) / half))
    if half > 1 and close(got[..., pair], faster[..., pair], 1e-3):
        yield got, FASTER, None
    z, w = torch.complex(*x.chunk(2, dim=-1)), torch.complex(*got.chunk(2, dim=-1))
    still = [n for n in range(x.shape[-1]) if close(got[..., n], x[..., n])]
    if still and half > 1:
        words = f"Feature {still[0]} comes back as it was" if len(still) == 1 else f"The features {still} come back as "
        words += "" if len(still) == 1 else "they were"
        yield got, f"{words}: every feature belongs to a pair, and is turned with it.", None
    if half > 1 and close(lengths(neighbours(got)), lengths(neighbours(x)), 1e-4):
        words = (
            "Neighbours are turned together (2i with 2i + 1), and not by the right angles. Here feature i is paired "
        )
        yield got, words + "with feature i + d_head/2.", "M27"
    if close(w.abs(), z.abs(), 1e-4):
        wanted = torch.complex(*rotate_by_loops(x, positions, theta).chunk(2, dim=-1))
        worst = [int(n) for n in torch.unravel_index((w - wanted).abs().argmax(), w.shape)]
        t, i = worst[-2:]
        yours = float((w / z)[tuple(worst)].angle())
        right = float(positions[t]) * theta ** (-i / half)
        yield (
            got,
            (
                f"Each pair keeps its length, but the angles are others: pair {i} at position {int(positions[t])} is "
                f"turned by {yours:.3f} radians (up to whole turns); wanted {math.remainder(right, 2 * math.pi):.3f}: "
                "position * theta^(-2i/d_head)."
            ),
            None,
        )
    elif close(got.norm(dim=-1), x.norm(dim=-1), 1e-4):
        words = "Vectors keep their length, pairs (i, i + d_head/2) do not: other features are turned together."
        yield got, words, "M27"
    elif half > 1:
        words = (
            "This is not a rotation: lengths change. If it is written as `x * cos + y * sin`: is y the "
            "halves swapped and "
            "the first negated, torch.cat((-b, a), -1), and are cos and sin repeated as halves, "
            "torch.cat((angle, angle), -1)?"
        )
        yield got, words, None


def lengths(x):
    """The length of each pair of halves."""
    return torch.complex(*x.chunk(2, dim=-1)).abs()
