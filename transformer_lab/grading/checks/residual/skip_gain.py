"""Lesson 06: the checks of a formula for the weakest skip that will do."""

import math

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import number, one_number

# L, branch, share: the explorer's case first; then also no branch, and a whole share.
POINTS = (
    ((32, 0.5, 0.01), (8, 0.3, 0.05), (5, 0.2, 0.5), (64, 0.7, 0.3), (12, 0.9, 0.8), (9, 0.0, 0.4), (6, 0.5, 1.0)),
    ((32, 0.5, 0.01), (10, 0.3, 0.06), (6, 0.25, 0.6), (48, 0.7, 0.2), (14, 0.9, 0.8), (7, 0.0, 0.4), (5, 0.6, 1.0)),
    ((32, 0.5, 0.01), (9, 0.35, 0.04), (7, 0.2, 0.7), (60, 0.65, 0.2), (11, 0.85, 0.7), (8, 0.0, 0.3), (5, 0.4, 1.0)),
)
ENOUGH = (((32, 0.95, 0.01), (4, 0.8, 0.1)), ((24, 0.9, 0.02), (3, 0.7, 0.2)), ((40, 0.93, 0.01), (5, 0.75, 0.15)))


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
            raise Wrong(f"{value:g} is not a skip gain of the explorer: they go from 0 to 1.20.")
        size = (value**2 + 0.25) ** 16
        raise Wrong(
            f"With skip {value:g}, branch 0.5 and depth 32 layer 1 gets {number(100 * size)} % of the gradient: "
            + ("less than one per cent." if size < 0.01 else "more than needed; a smaller skip gain will do.")
        )

    @check("any depth, branch and share", 1.5)
    def values(skip_gain, smallest_skip):
        points = draw.one_of(*POINTS)
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
        for point in draw.one_of(*ENOUGH):
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

    yield (
        lambda L, b, s: s ** (1 / L),
        "The branches are forgotten: they carry part of the gradient, branch^2 per layer.",
    )
    yield (
        lambda L, b, s: root(s ** (1 / L) - b * b),
        "share^(1/L) is what one layer does to the *size*; skip^2 + branch^2 is the square of that: share^(2/L).",
    )
    yield lambda L, b, s: root(s ** (2 / L) - b), "branch stands under the root with its square: skip^2 + branch^2."
    yield lambda L, b, s: max(0.0, s ** (1 / L) - b), "Gains do not add, their squares do: skip^2 + branch^2."
    yield lambda L, b, s: max(0.0, s ** (2 / L) - b * b), "This is the square of the skip gain: take the root."
    yield lambda L, b, s: root(s ** (2 / L) + b * b), "branch^2 is added; it must be subtracted from share^(2/L)."
    yield lambda L, b, s: s ** (2 / L), "The branches are forgotten, and the root."
    words = "2 // L truncates the exponent to a whole number: write 2 / L."
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
    yield lambda L, b, s: float(int(root(s ** (2 / L) - b * b))), "int() drops everything after the decimal point."
    for step in (100, 1000):
        yield (
            lambda L, b, s, step=step: math.ceil(root(s ** (2 / L) - b * b) * step) / step,
            f"It goes in steps of 1/{step}; wanted the exact value.",
        )
    yield lambda L, b, s: root(s ** (L / 2) - b * b), "The exponent is upside down: share^(2/L), not share^(L/2)."
    for digits in (2, 3):
        yield (
            lambda L, b, s, digits=digits: round(root(s ** (2 / L) - b * b), digits),
            f"It is rounded to {digits} digits; wanted the exact value.",
        )
