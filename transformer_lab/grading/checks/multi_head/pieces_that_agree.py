"""Lesson 04: the checks of when a view alone will do."""

import math
from numbers import Real

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import fitting


class pieces_that_agree:
    answers = ("pieces_that_agree(T, H)",)

    @check("what the explorer shows for T = 4 and H = 3", 0.5)
    def example(pieces_that_agree):
        expect_count(pieces_that_agree, 4, 3)

    @check("where the two agree everywhere", 0.5)
    def everywhere(pieces_that_agree):
        for T, H in (
            (1, 1),
            *draw.one_of(((1, 4), (5, 1), (1, 7)), ((1, 6), (4, 1), (8, 1)), ((5, 1), (1, 3), (1, 9))),
        ):
            expect_count(pieces_that_agree, T, H)

    @check("every size up to 9 positions and 8 heads, and some large ones", 2)
    def all_sizes(pieces_that_agree):
        for T in range(1, 10):
            for H in range(1, 9):
                expect_count(pieces_that_agree, T, H)
        for T, H in draw.one_of(
            ((25, 9), (50, 8), (13, 16)), ((31, 11), (29, 8), (16, 21)), ((19, 13), (36, 6), (22, 15))
        ):
            expect_count(pieces_that_agree, T, H)


def count_pieces(T: int, H: int) -> int:
    """The specification: go through all pieces in the order of the memory."""
    return sum(divmod(t * H + h, T) == (h, t) for t in range(T) for h in range(H))


def expect_count(answer, T: int, H: int) -> None:
    got, wanted = counted(answer, T, H), count_pieces(T, H)
    if got == wanted:
        return
    words = f"pieces_that_agree({T}, {H}) gave {int(got)}; it is {wanted}."
    if told := misread(answer):
        words += f" {told}"
    elif min(T, H) == 1:
        words += " With one position or one head there is nothing to swap: all T * H pieces stay."
    elif got == 2:
        words += " The first and the last piece are not always the only ones: set T = 5 and H = 3 in the explorer."
    else:
        words += (
            " Piece (t, h) is number t * H + h in the memory; view alone takes it for number h * T + t. When are the "
            "two equal?"
        )
    raise Wrong(words)


def counted(answer, T: int, H: int) -> int | float:
    got = answer(T, H)
    if getattr(got, "ndim", None) == 0:  # of torch or numpy
        got = got.item()
    if isinstance(got, (list, tuple, set, dict)):
        raise Wrong(f"pieces_that_agree({T}, {H}) gave {kind_of(got)}; wanted how many there are, len(...).")
    if isinstance(got, bool) or not isinstance(got, Real) or not math.isfinite(got) or got != int(got):
        raise Wrong(f"pieces_that_agree({T}, {H}) gave {got!r}; wanted a whole number.")
    return int(got)


def misread(answer) -> str:
    """What the answer counts instead, if one rule gives its numbers at all sizes."""
    gcd = math.gcd
    shifted = "The greatest common divisor is that of T - 1 and H - 1, the last positions and heads counted from 0."
    ends = "The first piece and the last one always stay: t = 0, h = 0, and t = T - 1, h = H - 1."
    numbers = "Do you count numbers? Each piece has d_head of them, and is counted once."
    rules = (
        (lambda T, H: gcd(T - 1, H - 1), f"Is one end left out? {ends}"),
        (lambda T, H: gcd(T - 1, H - 1) - 1, f"Are both ends left out? {ends}"),
        (lambda T, H: max(0, gcd(T - 1, H - 1) - 1), f"Are both ends left out? {ends}"),
        (lambda T, H: gcd(T, H), f"This is gcd(T, H). {shifted} And one end is left out."),
        (lambda T, H: gcd(T, H) + 1, f"This is gcd(T, H) + 1. {shifted}"),
        (lambda T, H: gcd(T - 1, H) + 1, f"This is gcd(T - 1, H) + 1. {shifted}"),
        (lambda T, H: gcd(T, H - 1) + 1, f"This is gcd(T, H - 1) + 1. {shifted}"),
        (lambda T, H: T * H, "That is all of them: then a view alone would do."),
        (lambda T, H: T * H - count_pieces(T, H), "That is how many disagree."),
        (lambda T, H: min(T, H), "That is min(T, H). Not every head (or position) has one: try T = 4 and H = 3."),
        (lambda T, H: max(T, H), "That is the larger of T and H: set T = 4 and H = 3 in the explorer, and count."),
        (lambda T, H: sum(t * T + h == h * H + t for t in range(T) for h in range(H)), "T and H change places: piece "
         "(t, h) is number t * H + h in the memory, and view alone takes number h * T + t."),
        *((lambda T, H, n=n: n * count_pieces(T, H), numbers) for n in (2, 3, 4, 5, 6)),
        (lambda T, H: H * count_pieces(T, H), numbers),
        (lambda T, H: 2, "It is 2 for T = 4 and H = 3. With one head or one position there is nothing to swap, so all "
         "stay; and at T = 5, H = 3 there are others."),
    )  # fmt: skip
    sizes = [(T, H) for T in range(1, 10) for H in range(1, 9)]
    told = fitting([counted(answer, *size) for size in sizes], sizes, rules)
    return told[0] if told else ""
