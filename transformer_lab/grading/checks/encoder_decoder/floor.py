"""Lesson 11: the checks of the lowest loss that two softmaxes allow."""

import math

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, chosen, fitting, one_number

SIZES = (2, 7, 66, 512, 50_257), (2, 9, 71, 1000, 32_000), (2, 5, 53, 30_522, 128)
ROOM = ("it grows without end", "it comes close to 1", "it comes close to 0")
# Of V classes.
FAULTS = (
    (
        lambda V: -math.log(math.exp(1) / (math.exp(1) + V)),
        "V - 1 classes have probability 0, not V: the right one is one of V.",
    ),
    (lambda V: math.log(V), "ln V is where the loss begins, with all scores equal: there is no floor yet."),
    (
        lambda V: math.log(V) - 1,
        "ln V - 1 is what it comes close to; the sum below the fraction holds e once, and V - 1 ones.",
    ),
    (
        lambda V: 0.0,
        "With one softmax the loss can come close to 0. With two, what goes into the second is between 0 and 1.",
    ),
    (
        lambda V: math.exp(1) / (math.exp(1) + V - 1),
        "This is the probability of the right class; the loss is -ln of it.",
    ),
    (lambda V: math.log2(math.exp(1) + V - 1) - 1, "Half of it is in bits: use the natural logarithm throughout."),
    (
        lambda V: (math.log(math.exp(1) + V - 1) - 1) / math.log(2),
        "This is in bits; wanted nats, the natural logarithm.",
    ),
    (lambda V: math.log(math.exp(1) + V - 1), "The score of the right class is not taken off: it is 1."),
    (lambda V: 1 - math.log(math.exp(1) + V - 1), "The sign is wrong: a loss is not negative."),
    (lambda V: math.log(1 + V - 1), "ln V is where the loss begins, with all scores equal: there is no floor yet."),
)


class floor:
    answers = ("floor(V)", ROOM)

    @check("the lowest loss for V tokens", 1)
    def value(floor, room):
        sizes = draw.one_of(*SIZES)
        got = [one_number(floor(V), "floor(V)") for V in sizes]
        for V, yours in zip(sizes, got, strict=True):
            wanted = math.log(math.e + V - 1) - 1
            if not math.isclose(yours, wanted, rel_tol=1e-4, abs_tol=6e-5):  # 0.3133, to four digits
                told = fitting(got, [(V,) for V in sizes], FAULTS)
                seen = "For V = {} yours is {}, wanted {}.".format(V, *apart(yours, wanted))
                look = "The best that goes into the second softmax is a 1 among V - 1 zeros. What does it make of that?"
                raise Wrong(f"{seen} {told[0] if told else look}")

    @check("how far the loss can fall from ln V", 1)
    def room(floor, room):
        choice = chosen(room, ROOM, "the choice")
        if choice != "it comes close to 1":
            raise Wrong(
                f"You chose {choice!r}. Compute ln V - floor(V) for V = 10, 1000 and 100,000: a logarithm of the ratio "
                "of two sums, which grow alike."
            )
