"""Lesson 05: the checks of the width of a gated layer."""

import math

from ...answer import plain
from ...checking import Wrong, check
from ...draw import draw
from ..common import fitting


class gated_width:
    answers = ("gated_width(d_ff, multiple)",)

    @check("a whole number, a multiple of what is asked", 1)
    def whole(gated_width):
        for d_ff, multiple in cases():
            width(gated_width, d_ff, multiple)

    @check("as many weights as the plain layer, or a few more", 2)
    def values(gated_width):
        asked = cases()
        got = [width(gated_width, *case, whole=False) for case in asked]
        wanted = [smallest(*case) for case in asked]
        if got == wanted:
            return
        told = fitting(got, asked, misread())
        at = next(i for i in range(len(asked)) if got[i] != wanted[i])
        (d_ff, multiple), exact = asked[at], 2 * asked[at][0] / 3
        case = f"For d_ff = {d_ff:,} and multiple = {multiple} yours is {got[at]:,}, wanted {wanted[at]:,}."
        if not told and got[at] < exact:
            told = (f"The gated layer has fewer weights than the plain one: 3 times {got[at]:,} is less than 2 d_ff.",)
        told = told or (f"Wanted: the smallest multiple of {multiple} that is not below 2/3 of d_ff ({exact:,.2f}).",)
        raise Wrong(f"{case} {told[0]}")


# (d_ff, multiple). The first is Llama's: d_model 4096, and the 11,008 that stands in its config. Each of the others
# shows a mistake that many sizes hide; some are drawn besides.
CASES = (
    (16_384, 256), (300_000, 8), (3_072, 64), (4_096, 64), (100, 8), (512, 32), (2_048, 128), (100, 3), (100, 2),
    (50, 3), (61, 5), (99, 1),
)  # fmt: skip


def cases() -> list[tuple[int, int]]:
    return [*CASES, *((1000 + int(draw.integers(9000)), draw.one_of(8, 24, 40, 64)) for _ in range(3))]


def smallest(d_ff: int, multiple: int) -> int:
    """The specification: try one multiple after the other."""
    return next(w for w in range(multiple, 2 * d_ff + multiple, multiple) if 3 * w >= 2 * d_ff)


def misread():
    """(formula, message) of the widths that people give."""

    def up(size, multiple):
        return multiple * math.ceil(round(size / multiple, 9))

    fewer = "That is rounded down, and has fewer weights than the plain layer: round up."
    yield lambda f, m: up(2 * f // 3, m), "int(...) or // truncates 2/3 of d_ff before it is rounded up."
    yield (
        lambda f, m: up(round(2 * f / 3), m),
        "2/3 of d_ff is rounded before it is rounded up: round once, at the end.",
    )
    yield lambda f, m: m * (2 * f // (3 * m)), fewer
    yield (
        lambda f, m: m * round(2 * f / 3 / m),
        "That is rounded to the nearest multiple, also downwards: round up.",
    )
    yield lambda f, m: up(2 * (f // m) / 3 * m, m), "d_ff // m drops a part of d_ff first: round once, at the end."
    more = "Where 2/3 of d_ff is a multiple already, nothing is to be added."
    yield lambda f, m: m * (2 * f // (3 * m) + 1), more
    yield lambda f, m: m * (math.ceil(2 * f / 3) // m + 1), more
    yield (
        lambda f, m: up((2 * f + 1) / 3, m),
        "A plain layer has 2 d_ff D weights, no more: no biases, nothing added.",
    )
    yield (
        lambda f, m: up(8 * (f // 4) / 3, m),
        "d_ff // 4 drops a part: d_ff need not be a multiple of 4.",
    )
    for share in (0.66, 0.67, 0.666, 0.667, 0.6666, 0.6667, 0.66667):
        yield lambda f, m, share=share: up(share * f, m), f"{share} is not 2/3: write 2 * d_ff / 3."
    yield lambda f, m: up(8 * f / 3, m), "8/3 is the factor on d_model = d_ff / 4, not on d_ff."
    yield lambda f, m: up(3 * f / 2, m), "Three matrices of that width hold more, not fewer, weights: it is 2/3."
    yield lambda f, m: up(f, m), "A third matrix of the same width makes the layer half as large again."
    yield lambda f, m: up(f / 2, m), "Three matrices replace two (two do not replace one): 3 w = 2 d_ff."
    yield lambda f, m: up(f / 3, m), "That is a third: 3 w = 2 d_ff."
    yield lambda f, m: up(4 * f / 3, m), "3 w = 2 d_ff, so w = 2/3 d_ff, not 4/3."
    yield lambda f, m: m * 2 ** math.ceil(math.log2(2 * f / 3 / m)), "That is the next power of two times `multiple`."
    yield lambda f, m: 256 * math.ceil(2 * f / 768), "It is a multiple of 256, whatever `multiple` is."


def width(answer, d_ff: int, multiple: int, whole: bool = True) -> int | float:
    """The answer's width; if it is to be whole, an int and a multiple."""
    got, call = answer(d_ff, multiple), f"gated_width({d_ff}, {multiple})"
    if hasattr(got, "item"):
        got = plain(got.item())
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        raise Wrong(f"{call} is {got!r}, of type {type(got).__name__}; wanted a whole number, an int.")
    if not math.isfinite(got) or got != int(got):
        raise Wrong(f"{call} is {got:g}; a width is a whole number, an int: round up to a multiple.")
    if whole and isinstance(got, float):
        raise Wrong(f"{call} is {got!r}, a float; wanted a whole number, an int, as nn.Linear takes it: int(...).")
    if whole and got % multiple:
        raise Wrong(f"{call} is {got:,}, which is not a multiple of {multiple}: round up to one.")
    return got
