"""Lesson 06: the checks of a formula for the variance after L layers."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, close, compare, number, one_number

POINTS = (  # L, branch
    ((1, 0.5), (2, 0.5), (3, 1.3), (5, 0.8), (6, 1.0), (12, 0.9)),
    ((1, 0.6), (2, 0.6), (4, 1.2), (5, 0.7), (7, 1.0), (11, 0.9)),
    ((1, 0.4), (2, 0.4), (3, 1.4), (6, 0.8), (5, 1.0), (10, 0.7)),
)
GROWS = "The skip does not keep the size: x and F(x) are uncorrelated, so their variances add at every layer."


class variance:
    answers = ("variance(way, L, branch)",)

    @check("plain: F(x)", 1)
    def plain(variance):
        judge(variance, "plain")

    @check("skip: x + F(x)", 1)
    def skip(variance):
        judge(variance, "skip")

    @check("pre-norm: x + F(norm(x))", 1)
    def pre_norm(variance):
        judge(variance, "pre-norm")

    @check("post-norm: norm(x + F(x))", 1)
    def post_norm(variance):
        judge(variance, "post-norm")


def step_by_step(way: str, L: int, branch: float) -> float:
    """The specification: the variance, one layer after the other."""
    v = 1.0
    for _ in range(L):
        seen = 1.0 if way == "pre-norm" else v
        written = branch * branch * seen
        v = written if way == "plain" else 1.0 if way == "post-norm" else v + written
    return v


def judge(answer, way: str) -> None:
    points = draw.one_of(*POINTS)
    spelled(answer, way, points)

    def table(formula) -> Tensor:
        return torch.tensor([float(formula(L, branch)) for L, branch in points], dtype=torch.float64)

    got = table(lambda L, branch: one_number(answer(way, L, branch), f'variance("{way}", {L}, {branch})'))
    again = table(lambda L, branch: one_number(answer(way, L, branch), f'variance("{way}", {L}, {branch})'))
    if not torch.equal(got, again):
        raise Wrong("Two calls give two numbers: wanted the expected variance from a formula, without random numbers.")
    wanted = table(lambda L, branch: step_by_step(way, L, branch))
    faults = [(table(formula), message, misconception) for formula, message, misconception in mistaken(way)]
    try:
        compare(got, wanted, faults, f'variance("{way}", L, branch) at (L, branch) = {list(points)}')
    except Wrong as wrong:
        at = next(i for i in range(len(points)) if not math.isclose(got[i], wanted[i], rel_tol=1e-5))
        L, branch = points[at]
        if str(wrong) in {message for _, message, _ in faults}:
            where = f" (L = {L}, branch = {branch}: yours is {number(got[at])}, wanted {number(wanted[at])}.)"
            raise Wrong(str(wrong) + where, wrong.misconception) from None
        if close(got, wanted, 0.1):
            raise Wrong(
                f'variance("{way}", {L}, {branch}) is {apart(got[at], wanted[at])[0]}; wanted '
                f"{apart(got[at], wanted[at])[1]}, and the others are near what is wanted, too. Is it measured with "
                "random numbers, or kept in 16 bits? Wanted is the expected variance, from a formula."
            ) from None
        raise Wrong(
            f'variance("{way}", {L}, {branch}) is {number(got[at])}; wanted {number(wanted[at])}. '
            "Start with variance 1 and do one layer at a time: what does F add, and what does norm do?"
        ) from None


def spelled(answer, way: str, points) -> None:
    """An answer that knows this way under another name only is told so."""

    def works(name: str) -> bool:
        try:
            return all(
                math.isclose(float(answer(name, *case)), step_by_step(way, *case), rel_tol=1e-5) for case in points
            )
        except Exception:
            return False

    names = [way.replace("-", other) for other in ("_", " ", "")] + [way.title(), way.capitalize(), way.upper()]
    names += ["residual"] if way == "skip" else ["branch", "none"] if way == "plain" else []
    if not works(way):
        for name in names:
            if works(name) and not works("no such way"):
                hyphen = ", with a hyphen" * ("-" in way)
                raise Wrong(f"way comes as {way!r}{hyphen}; yours is right for {name!r}. The spelling must match.")


def mistaken(way: str):
    """(formula, message, misconception) of each way."""
    stays = "It stays 1 here. "
    if way == "plain":
        yield (
            lambda L, b: b**L,
            "branch is a factor on sizes; the variance is multiplied by its square at each layer.",
            None,
        )
        yield lambda L, b: 1.0, stays + "Only if branch = 1: each layer multiplies the variance by branch^2.", None
        yield lambda L, b: 1 + L * b * b, "This is 1 + L branch^2, pre-norm's: without a skip nothing is added.", None
        yield lambda L, b: 1.0 + L, "This is 1 + L: without a skip nothing is added; each layer multiplies.", None
        yield lambda L, b: (1 + b * b) ** L, "This has a skip: (1 + branch^2)^L. Without, x itself is gone.", None
        yield (
            lambda L, b: 2.0**L,
            "This is 2^L, a skip's with branch 1. Without a skip each layer multiplies by branch^2.",
            None,
        )
        yield lambda L, b: L * b * b, "The layers add up here; one after the other they multiply.", None
        yield lambda L, b: b * b, "This is one layer; L of them multiply by branch^2 each.", None
        yield lambda L, b: b ** (4 * L), "There is one branch per layer here, so L of them, not 2L.", None
    if way == "skip":
        yield lambda L, b: 1.0, stays + GROWS, "M17"
        yield lambda L, b: 2.0**L, "This is 2^L, true for branch = 1: F(x) has branch^2 times the variance of x.", None
        yield (
            lambda L, b: (1 + b) ** L,
            "branch is a factor on sizes: the variance of F(x) is branch^2 times that of x.",
            None,
        )
        yield (
            lambda L, b: (1 + b) ** (2 * L),
            "Sizes are added, (1 + branch)^2; uncorrelated parts add their variances.",
            None,
        )
        yield (
            lambda L, b: 1 + L * b * b,
            "This is pre-norm's: without a norm F sees all of x, so that growth compounds.",
            None,
        )
        yield lambda L, b: 1.0 + L, "This is 1 + L, pre-norm's with branch 1: without a norm growth compounds.", None
        yield (
            lambda L, b: (1 + b * b) ** (L / 2),
            "This is the size (root mean square); the variance is its square.",
            None,
        )
        yield (
            lambda L, b: b ** (2 * L),
            "This is without the skip: x itself is added, so the factor is 1 + branch^2.",
            None,
        )
        yield lambda L, b: 1 + b * b, "This is one layer; L of them multiply by 1 + branch^2 each.", None
        yield lambda L, b: (1 + b * b) ** (2 * L), "There is one branch per layer here, so L of them, not 2L.", None
        yield lambda L, b: (b * b) ** L + 1, "x is added once, at the end; it is added at each layer.", None
        yield (
            lambda L, b: (1 + 2 * b * b) ** L,
            "There is one branch per layer here: 1 + branch^2 per layer, not 2 of them.",
            None,
        )
        yield (
            lambda L, b: 1 + (1 + b * b) ** L,
            "1 is added once too often: (1 + branch^2)^L holds the start already.",
            None,
        )
        yield (
            lambda L, b: math.exp(L * b * b),
            "exp(L branch^2) is what very small branches give; L layers multiply.",
            None,
        )
        yield lambda L, b: (1 + b * b) * L, "The layers add up here; one after the other they multiply.", None
        yield lambda L, b: (2 * b * b) ** L, "x has variance v, F(x) branch^2 v: their sum is (1 + branch^2) v.", None
        yield (
            lambda L, b: 2.0 * L,
            "This grows by 2 per layer; each layer doubles (for branch = 1) what came before.",
            None,
        )
    if way == "pre-norm":
        yield lambda L, b: 1.0, stays + "The norm stands on the branch, not on the sum: each layer adds branch^2.", None
        yield lambda L, b: 1.0 + L, "This is 1 + L, true for branch = 1: each layer adds branch^2.", None
        yield lambda L, b: 1 + L * b, "branch is a factor on sizes: each layer adds branch^2 to the variance.", None
        yield (
            lambda L, b: (1 + b * b) ** L,
            "Growth does not compound: F sees norm(x), of variance 1, whatever x has.",
            None,
        )
        yield lambda L, b: 2.0**L, "2^L is the plain sum's: F sees norm(x), of variance 1, whatever x has.", None
        yield lambda L, b: L * b * b, "x starts with variance 1, and keeps it: that is missing.", None
        yield lambda L, b: float(L), "x starts with variance 1, and keeps it; and each layer adds branch^2.", None
        yield lambda L, b: 1 + 2 * L * b * b, "There is one branch per layer here, so L of them, not 2L.", None
        yield lambda L, b: (1 + L * b) ** 2, "Sizes are added; uncorrelated parts add their variances.", None
        yield lambda L, b: (1 + L * b * b) ** 0.5, "This is the size; the variance is its square.", None
        yield lambda L, b: 1 + b * b, "This is one layer; L of them add branch^2 each.", None
        yield lambda L, b: 1 + (L * b) ** 2, "L is squared too: L uncorrelated branches add L times branch^2.", None
        yield (
            lambda L, b: L * (1 + b * b),
            "x is counted L times: it is there once, and each layer adds branch^2.",
            None,
        )
        yield lambda L, b: 1 + L**0.5 * b * b, "The variances add, L branch^2; a root of L belongs to sizes.", None
    if way == "post-norm":
        yield (
            lambda L, b: 1 + L * b * b,
            "The norm comes last: whatever the sum has, it is brought back to variance 1.",
            None,
        )
        yield lambda L, b: 1.0 + L, "The norm comes last: whatever the sum has, it is brought back to variance 1.", None
        yield lambda L, b: 1 + b * b, "This is the sum before the norm; the norm comes last.", None
        yield (
            lambda L, b: (1 + b * b) ** L,
            "The norm comes last: whatever the sum has, it is brought back to variance 1.",
            None,
        )
        yield lambda L, b: 2.0**L, "The norm comes last: whatever the sum has, it is brought back to variance 1.", None
        yield lambda L, b: 0.0, "A norm brings the mean to 0; the variance to 1.", None
        yield lambda L, b: b * b, "The norm comes last: the branch's gain no longer shows.", None
        yield lambda L, b: 2.0, "The norm comes last: whatever the sum has, it is brought back to variance 1.", None
        yield lambda L, b: b * b / (1 + b * b), "That is the branch's share of the sum; the norm brings all to 1.", None
        yield lambda L, b: 1 / (1 + b * b), "That is what is left of x in the sum; the norm brings all to 1.", None
    right = step_by_step
    for digits in (1, 2, 3, 4):
        yield (
            lambda L, b, digits=digits: round(right(way, L, b), digits),
            f"It is rounded to {digits} digit{'s' * (digits > 1)}: give the number unrounded.",
            None,
        )
    for whole in (int, round):
        yield (
            lambda L, b, whole=whole: whole(right(way, L, b)),
            "It is rounded to a whole number.",
            None,
        )
    for off in (-1, 1):
        yield (
            lambda L, b, off=off: right(way, max(L + off, 0), b),
            f"This is right for L {off:+d} layers: count again.",
            None,
        )
