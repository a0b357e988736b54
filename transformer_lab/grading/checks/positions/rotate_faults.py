"""Lesson 08, rotary: the specification, and wrong rotations as numbers, with words to tell their authors."""

import itertools
import math

import torch
from torch import Tensor

from ..common import close

NOT_ONE = "positions come with the call and need not be 0, 1, 2, ...: with a cache a token may stand at 57. Use them."


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
