"""Lesson 08: the paper's clock, the specification, and wrong clocks as numbers, with words to tell their authors."""

import math

import torch
from torch import Tensor

from ..common import close

LONG = 1e-3  # tolerance where positions are large: float32 holds an angle of 400 to about 3e-5


def table_by_loops(max_len: int, D: int) -> Tensor:
    """The specification: one number at a time."""
    table = []
    for t in range(max_len):
        row = []
        for i in range(D // 2):
            angle = t / 10_000 ** (2 * i / D)
            row += [math.sin(angle), math.cos(angle)]
        table.append(row)
    return torch.tensor(table, dtype=torch.float64)


def made(max_len, D, sine, cosine=None, base=10_000.0, start=0, unit=1.0, first=torch.sin, second=torch.cos):
    """A table with other exponents, base, first position, unit of angle, or functions."""
    exponents = [torch.as_tensor(e, dtype=torch.float64) for e in (sine, sine if cosine is None else cosine)]
    t = (start + torch.arange(max_len, dtype=torch.float64))[:, None] * unit
    a, b = (t * base ** -e.expand(D // 2) for e in exponents)
    return torch.stack((first(a), second(b)), dim=-1).flatten(1)


def exponent_faults(D: int):
    """(exponent of the sines, of the cosines, words, misconception)"""
    i = torch.arange(D // 2, dtype=torch.float64)
    right = 2 * i / D
    words = "The exponent is i/d_model, half of what it should be: the slowest pair turns far too fast. With i "
    yield i / D, None, words + "counting pairs (0, 1, 2, ...) it is 2i/d_model.", "M26"
    words = (
        "The exponent is 4i/d_model, doubled twice: `torch.arange(0, d_model, 2)` is 2i already. The slow pairs hardly "
        "turn at all."
    )
    yield 4 * i / D, None, words, "M26"
    words = (
        "Sine and cosine of a pair have different frequencies (the exponent counts features, not pairs), so a pair is "
        "no rotating hand. Feature 2i and feature 2i + 1 share the exponent 2i/d_model."
    )
    yield right, (2 * i + 1) / D, words, "M26"
    yield 4 * i / D, (4 * i + 2) / D, words + " (It is also doubled: 2 * feature / d_model.)", "M26"
    yield right, 2 * (i + 1) / D, words, "M26"
    yield right, 2 * (2 * i + 1) / D, words, "M26"
    yield i / D, (i + 0.5) / D, words + " (It is also halved.)", "M26"
    yield (
        2 * (i + 1) / D,
        None,
        "Pairs are counted from 1: the first exponent is 0, so the first pair turns fastest.",
        None,
    )
    for size, name in ((D - 1, "d_model - 1"), (D - 2, "d_model - 2"), (D + 2, "d_model + 2")):
        if size > 0:
            yield 2 * i / size, None, f"The exponent is 2i/({name}); the paper's is 2i/d_model.", None
    yield 0 * i, None, "Every pair turns at the same speed: is the exponent a whole-number division (//)?", None
    yield 2 * i, None, "The exponent is not divided by d_model.", None
    yield 1 - right, None, "The pairs stand in reverse order: the fastest comes first.", None
    yield torch.flip(right, (0,)), None, "The pairs stand in reverse order: the fastest comes first.", None


def other_speeds(table: Tensor, got: Tensor):
    """What a table in which each pair is a sine and a cosine of one angle does otherwise, if it is one: its speeds."""
    pairs, D = table.detach().double().unflatten(-1, (-1, 2)), table.shape[-1]
    if len(table) < 2 or not close(pairs.norm(dim=-1), torch.ones(pairs.shape[:-1]), LONG):
        return
    step = torch.atan2(pairs[1, :, 0], pairs[1, :, 1]) - torch.atan2(pairs[0, :, 0], pairs[0, :, 1])
    for pair, (turned, wanted) in enumerate(zip(step.tolist(), speeds(D).tolist(), strict=True)):
        if abs(math.remainder(turned - wanted, 2 * math.pi)) > LONG:
            words = f"Each pair is a sine and a cosine of one angle, but pair {pair} (counted from 0) turns by "
            words += f"{math.remainder(turned, 2 * math.pi):.4f} radians from row 0 to row 1; wanted {wanted:.4f}."
            yield got, words, None
            return


def speeds(D: int) -> Tensor:
    """Radians a position for each pair: 10000^(-2i/D)."""
    return 10_000.0 ** (-2 * torch.arange(D // 2, dtype=torch.float64) / D)
