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
GROWS = (
    "Skips do not keep the size: what a branch writes is uncorrelated with x, so their variances add at every layer."
)


class variance:
    answers = ("variance(way, L, branch)",)

    @check("parallel: x + F(norm(x)) + G(norm(x))", 1)
    def parallel(variance):
        judge(variance, "parallel")

    @check("sandwich: x + norm(F(norm(x)))", 1)
    def sandwich(variance):
        judge(variance, "sandwich")

    @check("halved: (x + F(x)) / sqrt(2)", 1)
    def halved(variance):
        judge(variance, "halved")

    @check("normed-skip: norm(x) + F(x)", 1)
    def normed_skip(variance):
        judge(variance, "normed-skip")


def step_by_step(way: str, L: int, branch: float) -> float:
    """The specification: the variance, one layer after the other."""
    v = 1.0
    for _ in range(L):
        if way == "halved":
            v = (v + branch * branch * v) / 2
        elif way == "normed-skip":
            v = 1 + branch * branch * v
        else:
            v += 1 if way == "sandwich" else 2 * branch * branch
    return v


def judge(answer, way: str) -> None:
    points = draw.one_of(*POINTS)
    spelled(answer, way, points)

    def table(formula) -> Tensor:
        return torch.tensor([float(formula(L, branch)) for L, branch in points], dtype=torch.float64)

    def asked(L: int, branch: float) -> float:
        try:
            return one_number(answer(way, L, branch), f'variance("{way}", {L}, {branch})')
        except ZeroDivisionError as error:
            raise Wrong(
                f'variance("{way}", {L}, {branch}) divides by 0. A closed formula for 1 + r + r^2 + ... divides by '
                "1 - r; where r is 1 all terms are 1. (A loop over the layers has no such case.)"
            ) from error

    got, again = table(asked), table(asked)
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
    if not works(way):
        for name in names:
            if works(name) and not works("no such way"):
                hyphen = ", with a hyphen" * ("-" in way)
                raise Wrong(f"way comes as {way!r}{hyphen}; yours is right for {name!r}. The spelling must match.")


def mistaken(way: str):
    """(formula, message, misconception) of each way."""
    faults = {"parallel": of_parallel, "sandwich": of_sandwich, "halved": of_halved, "normed-skip": of_normed_skip}
    yield from faults[way]()
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


SIZE = "This is the size (root mean square); the variance is its square."
KEPT = "x starts with variance 1, and keeps it: that is missing."
COUNTED = "x is counted L times: it is there once, and each layer adds to it."


def of_parallel():
    both = "Growth does not compound: F and G see norm(x), of variance 1, whatever x has."
    one = "Here two branches write in each layer, F and G; this counts one."
    yield lambda L, b: 1.0, f"It stays 1 here. {GROWS}", "M17"
    yield lambda L, b: 1 + L * b * b, one, None
    yield lambda L, b: 1 + 2.0 * L, "This is 1 + 2 L, true for branch = 1: each branch adds branch^2.", None
    yield lambda L, b: 1.0 + L, f"{one} And each adds branch^2, not 1.", None
    yield lambda L, b: 1 + 2 * L * b, "branch is a factor on sizes: each branch adds branch^2 to the variance.", None
    yield lambda L, b: 1 + L * b, f"{one} And branch is a factor on sizes: each adds branch^2 to the variance.", None
    yield lambda L, b: (1 + 2 * b * b) ** L, both, None
    yield lambda L, b: (1 + b * b) ** (2 * L), both, None
    yield lambda L, b: (1 + b * b) ** L, f"{both} And two branches write in each layer.", None
    yield lambda L, b: 2 * L * b * b, KEPT, None
    words = "Sizes are added; F and G are uncorrelated, so together they write 2 branch^2, not (2 branch)^2."
    yield lambda L, b: 1 + 4 * L * b * b, words, None
    yield lambda L, b: 1 + L * (b * b) ** 2, "F and G stand side by side, and not one behind the other.", None
    yield lambda L, b: 1 + 2 * b * b, "This is one layer; L of them add 2 branch^2 each.", None
    yield lambda L, b: (1 + 2 * L * b * b) ** 0.5, SIZE, None
    yield lambda L, b: 1 + (2 * L * b) ** 2, "L is squared too: L uncorrelated layers add L times as much as one.", None
    yield lambda L, b: L * (1 + 2 * b * b), COUNTED, None


def of_sandwich():
    outer = "The outer norm brings what F writes to variance 1, whatever its gain."
    compounds = "Growth does not compound: 1 is added at each layer, whatever x has."
    yield lambda L, b: 1.0, f"It stays 1 here. {GROWS}", "M17"
    yield lambda L, b: 1 + L * b * b, f"This is pre-norm's. {outer}", None
    yield lambda L, b: 1 + L * b, outer, None
    yield lambda L, b: (1 + b * b) ** L, f"{compounds} {outer}", None
    yield lambda L, b: 2.0**L, compounds, None
    yield lambda L, b: float(L), KEPT, None
    yield lambda L, b: 2.0, "This is one layer; L of them add 1 each.", None
    yield lambda L, b: 1 + b * b, f"This is one layer without the outer norm. {outer}", None
    yield lambda L, b: 1 + 2.0 * L, "There is one branch a layer here, so L of them, not 2L.", None
    yield lambda L, b: (1.0 + L) ** 2, "Sizes are added; of uncorrelated parts the variances add.", None
    yield lambda L, b: (1.0 + L) ** 0.5, SIZE, None
    yield lambda L, b: 2.0 * L, COUNTED, None


def of_halved():
    root = "The division by sqrt(2) is missing: it halves the variance at every layer."
    yield lambda L, b: 1.0, "It stays 1 here. It does for branch = 1 only: what comes in is v + branch^2 v.", None
    yield lambda L, b: (1 + b * b) ** L, root, None
    yield lambda L, b: (1 + b * b) ** L / 2, "It is halved once, at the end; it is halved at every layer.", None
    yield lambda L, b: ((1 + b * b) / 2**0.5) ** L, "A factor 1 / sqrt(2) on x is 1/2 on its variance.", None
    yield (
        lambda L, b: ((1 + b * b) / 4) ** L,
        "It is halved twice: a factor 1 / sqrt(2) on x is 1/2 on its variance.",
        None,
    )
    words = "branch is a factor on sizes: the variance of F(x) is branch^2 times that of x."
    yield lambda L, b: ((1 + b) / 2) ** L, words, None
    words = "Sizes are added, (1 + branch)^2; of uncorrelated parts the variances add."
    yield lambda L, b: ((1 + b) ** 2 / 2) ** L, words, None
    yield (
        lambda L, b: (1 + L * b * b) / 2**L,
        "F sees x with all its variance: 1 + branch^2 is a factor each time.",
        None,
    )
    yield lambda L, b: 1 + L * b * b, f"This is pre-norm's: there is no norm here, so growth compounds. {root}", None
    yield lambda L, b: (1 + b * b / 2) ** L, "Both parts are divided, x as well as F(x).", None
    yield lambda L, b: 0.5**L, "F's part is lost: v becomes (v + branch^2 v) / 2.", None
    yield lambda L, b: (1 + b * b) / 2, "This is one layer; L of them multiply by it.", None
    yield lambda L, b: ((1 + b * b) / 2) ** (L / 2), SIZE, None
    yield lambda L, b: ((1 + b * b) / 2) ** (2 * L), "There is one branch a layer here, so L of them, not 2L.", None
    yield lambda L, b: L * (1 + b * b) / 2, "The layers add up here; one after the other they multiply.", None


def of_normed_skip():
    skip = "The skip carries norm(x), of variance 1, and not x: v becomes 1 + branch^2 v."
    yield lambda L, b: 1.0, "It stays 1 here. norm(x) has variance 1, and F(x) is added to it.", None
    yield lambda L, b: (1 + b * b) ** L, skip, None
    yield lambda L, b: 1 + L * b * b, "This is pre-norm's. Here F sees x itself, and the skip carries norm(x).", None
    yield lambda L, b: 1 + b * b, "This is one layer. From the second on F sees an x of more than variance 1.", None
    yield lambda L, b: b ** (2 * L), "norm(x) is missing: v becomes 1 + branch^2 v.", None
    words = "The layers between are missing: layer by layer it is 1, 1 + branch^2, 1 + branch^2 (1 + branch^2) ..."
    yield lambda L, b: 1 + b ** (2 * L), words, None
    words = "branch is a factor on sizes: the variance of F(x) is branch^2 times that of x."
    yield lambda L, b: sum(b**i for i in range(L + 1)), words, None
    yield lambda L, b: 1.0 + L, "This is 1 + L, true for branch = 1: F(x) has branch^2 times the variance of x.", None
    yield lambda L, b: 2.0**L, skip, None
    yield lambda L, b: sum(b ** (2 * i) for i in range(L + 1)) ** 0.5, SIZE, None
    words = "The norm stands on the skip, and not around the sum."
    yield lambda L, b: b * b, words, None
