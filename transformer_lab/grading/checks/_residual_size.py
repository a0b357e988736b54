"""Lesson 06: the checks of two formulas: the variance after L layers, and the weakest skip that will do."""

import math

import torch
from torch import Tensor

from ..score import NotDone, Wrong, check
from .common import apart, close, compare, number, one_number

POINTS = ((1, 0.5), (2, 0.5), (3, 1.3), (5, 0.8), (6, 1.0), (12, 0.9))  # L, branch
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
    spelled(answer, way)

    def table(formula) -> Tensor:
        return torch.tensor([float(formula(L, branch)) for L, branch in POINTS], dtype=torch.float64)

    got = table(lambda L, branch: one_number(answer(way, L, branch), f'variance("{way}", {L}, {branch})'))
    again = table(lambda L, branch: one_number(answer(way, L, branch), f'variance("{way}", {L}, {branch})'))
    if not torch.equal(got, again):
        raise Wrong("Two calls give two numbers: wanted the expected variance from a formula, without random numbers.")
    wanted = table(lambda L, branch: step_by_step(way, L, branch))
    faults = [(table(formula), message, misconception) for formula, message, misconception in mistaken(way)]
    try:
        compare(got, wanted, faults, f'variance("{way}", L, branch) at (L, branch) = {list(POINTS)}')
    except Wrong as wrong:
        at = next(i for i in range(len(POINTS)) if not math.isclose(got[i], wanted[i], rel_tol=1e-5))
        L, branch = POINTS[at]
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


def spelled(answer, way: str) -> None:
    """An answer that knows this way under another name only is told so."""

    def works(name: str) -> bool:
        try:
            return all(
                math.isclose(float(answer(name, *case)), step_by_step(way, *case), rel_tol=1e-5) for case in POINTS
            )
        except Exception:
            return False

    names = [way.replace("-", other) for other in ("_", " ", "")] + [way.title(), way.capitalize(), way.upper()]
    names += ["residual"] if way == "skip" else ["branch", "none"] if way == "plain" else []
    if not works(way):
        for name in names:
            if works(name) and not works("no such way"):
                hyphen = ", with a hyphen" * ("-" in way)
                raise Wrong(f"way comes as {way!r}{hyphen}; yours is right for {name!r}. They must be spelled alike.")


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
        yield lambda L, b: b ** (4 * L), "There is one branch a layer here, so L of them, not 2L.", None
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
        yield lambda L, b: (1 + b * b) ** (2 * L), "There is one branch a layer here, so L of them, not 2L.", None
        yield lambda L, b: (b * b) ** L + 1, "x is added once, at the end; it is added at each layer.", None
        yield (
            lambda L, b: (1 + 2 * b * b) ** L,
            "There is one branch a layer here: 1 + branch^2 a layer, not 2 of them.",
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
            "This grows by 2 a layer; each layer doubles (for branch = 1) what came before.",
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
        yield lambda L, b: 1 + 2 * L * b * b, "There is one branch a layer here, so L of them, not 2L.", None
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
            f"It is rounded to {digits} digit{'s' * (digits > 1)}: give the number as it comes.",
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


class skip_gain:
    answers = ("skip_gain(L, branch, share)", ("the number read off the explorer",))

    @check("what the explorer says", 1)
    def read(skip_gain, smallest_skip):
        if smallest_skip is None:
            raise NotDone("put the number that you read off the explorer in place of None, then run this cell again.")
        value = one_number(smallest_skip, "smallest_skip")
        exact = math.sqrt(0.01 ** (2 / 32) - 0.5**2)  # 0.7070
        if abs(value - 0.71) < 1e-6 or abs(value - exact) < 1e-4:
            return
        if 0.7 < value < 0.72:
            raise Wrong(
                f"{value:g} is near: at {value:g} the share is {number(100 * (value**2 + 0.25) ** 16)} %. To two "
                f"decimals the smallest that will do is 0.71; with more decimals it is {exact:.4f}."
            )
        told = {
            0.7: "Nearly: at 0.70 layer 1 gets a little less than one per cent. One step more.",
            0.87: "0.87 is right without branches (gain near 0). Here they have gain 0.5, and carry gradient too.",
            0.79: "0.79 is where the *variance* of x is one per cent, or the gradient at depth 64: look at the right "
            "panel, at depth 32.",
        }
        for near, message in told.items():
            if abs(value - near) < 0.006:
                raise Wrong(message)
        if value > 1.2 or value < 0:
            raise Wrong(f"{value:g} is no skip gain of the explorer: they go from 0 to 1.20.")
        size = (value**2 + 0.25) ** 16
        raise Wrong(
            f"With skip {value:g}, branch 0.5 and depth 32 layer 1 gets {number(100 * size)} % of the gradient: "
            + ("less than one per cent." if size < 0.01 else "more than needed; a smaller skip gain will do.")
        )

    @check("any depth, branch and share", 1.5)
    def values(skip_gain, smallest_skip):
        points = [(32, 0.5, 0.01), (8, 0.3, 0.05), (5, 0.2, 0.5), (64, 0.7, 0.3), (12, 0.9, 0.8), (9, 0.0, 0.4),
                  (6, 0.5, 1.0)]  # fmt: skip
        got = [one_number(skip_gain(*point), f"skip_gain{point}") for point in points]
        wanted = [gain_by_search(*point) for point in points]
        at = next((i for i in range(len(points)) if not nearly(got[i], wanted[i])), None)
        if at is None:
            return
        for formula, message in misread():
            if all(nearly(mine, formula(*point)) for mine, point in zip(got, points, strict=True)):
                raise Wrong(message)
        raise Wrong(
            f"skip_gain{points[at]} is {number(got[at])}; wanted {number(wanted[at])}. Solve "
            "(skip^2 + branch^2)^(L/2) = share for skip: first the power, then branch^2, then the root."
        )

    @check("0 where the branches alone carry enough", 0.5)
    def enough(skip_gain, smallest_skip):
        for point in ((32, 0.95, 0.01), (4, 0.8, 0.1)):
            try:
                got = skip_gain(*point)
            except Wrong as wrong:
                if "returned None" not in str(wrong):
                    raise
                raise Wrong(f"skip_gain{point} is None; where the branches alone carry enough it is 0.") from None
            except ValueError as error:
                raise Wrong(
                    f"skip_gain{point} takes the root of a negative number. There the branches alone carry more than "
                    "the share asked for, so that no skip is needed: 0."
                ) from error
            if isinstance(got, float) and math.isnan(got):
                raise Wrong(f"skip_gain{point} is NaN, the root of a negative number: there no skip is needed, 0.")
            if isinstance(got, complex):
                raise Wrong(f"skip_gain{point} is complex, the root of a negative number: there no skip is needed, 0.")
            got = one_number(got, f"skip_gain{point}")
            if not abs(got) < 1e-6:
                raise Wrong(
                    f"skip_gain{point} is {number(got)}; the branches alone carry enough there: wanted 0. What stands "
                    "under the root is negative: take at least 0."
                )


def nearly(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4)


def gain_by_search(L: int, branch: float, share: float) -> float:
    """The specification: halve an interval until the gradient, multiplied layer by layer, is the share wanted."""
    low, high = 0.0, 3.0
    for _ in range(60):
        middle, size = (low + high) / 2, 1.0
        for _ in range(L):
            size *= math.hypot(middle, branch)
        low, high = (middle, high) if size < share else (low, middle)
    return high


def misread():
    """(formula, message) of the gains that people give."""

    def root(square):
        return math.sqrt(max(0.0, square))

    yield lambda L, b, s: s ** (1 / L), "The branches are forgotten: they carry part of the gradient, branch^2 a layer."
    yield (
        lambda L, b, s: root(s ** (1 / L) - b * b),
        "share^(1/L) is what one layer does to the *size*; skip^2 + branch^2 is the square of that: share^(2/L).",
    )
    yield lambda L, b, s: root(s ** (2 / L) - b), "branch stands under the root with its square: skip^2 + branch^2."
    yield lambda L, b, s: max(0.0, s ** (1 / L) - b), "Gains do not add, their squares do: skip^2 + branch^2."
    yield lambda L, b, s: max(0.0, s ** (2 / L) - b * b), "This is the square of the skip gain: take the root."
    yield lambda L, b, s: root(s ** (2 / L) + b * b), "branch^2 is added; it must be taken off share^(2/L)."
    yield lambda L, b, s: s ** (2 / L), "The branches are forgotten, and the root."
    words = "2 // L cuts the exponent off to a whole number: write 2 / L."
    yield lambda L, b, s: root(s ** (2 // L) - b * b), words
    for off in (-1, 1):
        yield (
            lambda L, b, s, off=off: root(s ** (2 / (L + off)) - b * b),
            "The number of layers is off by one: from the output of layer L to the input of layer 1 there are L.",
        )
    yield (
        lambda L, b, s: root(s ** (1 / (2 * L)) - b * b),
        "The exponent is 2/L: the size after L layers is gain^L, and gain = sqrt(...).",
    )
    fixed = "It is the same whatever {0} is: take {0} from the arguments, not from the explorer's case."
    yield lambda L, b, s: root(s ** (2 / 32) - b * b), fixed.format("L")
    yield lambda L, b, s: root(s ** (2 / L) - 0.25), fixed.format("branch")
    yield lambda L, b, s: root(0.01 ** (2 / L) - b * b), fixed.format("share")
    yield lambda L, b, s: 0.71, "It is the number read off the explorer, whatever L, branch and share are."
    yield lambda L, b, s: root(s**2 / L - b * b), "s ** 2 / L is the square of s, divided by L: write s ** (2 / L)."
    yield (
        lambda L, b, s: root((s / 100) ** (2 / L) - b * b),
        "share is a share, not a percentage: do not divide by 100.",
    )
    yield lambda L, b, s: root((s * 100) ** (2 / L) - b * b), "share is a share, not a percentage."
    yield lambda L, b, s: root(2 / L * math.log(s) - b * b), "The power is undone: e to the (2/L) log(share) is wanted."
    yield (
        lambda L, b, s: max(0.0, 1 - b),
        "1 - branch does not depend on L or share: one layer's factor, L times, is share.",
    )
    yield lambda L, b, s: float(int(root(s ** (2 / L) - b * b))), "int() cuts everything behind the point off."
    for step in (100, 1000):
        yield (
            lambda L, b, s, step=step: math.ceil(root(s ** (2 / L) - b * b) * step) / step,
            f"It goes in steps of 1/{step}; wanted as exact as it comes.",
        )
    yield lambda L, b, s: root(s ** (L / 2) - b * b), "The exponent is turned around: share^(2/L), not share^(L/2)."
    for digits in (2, 3):
        yield (
            lambda L, b, s, digits=digits: round(root(s ** (2 / L) - b * b), digits),
            f"It is rounded to {digits} digits; wanted as exact as it comes.",
        )
