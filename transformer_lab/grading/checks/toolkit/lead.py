"""Lesson 01: the checks of a loss turned into a lead of scores."""

import math

import torch

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import close, number, one_number

OTHERS = (2.0, 0.5, -1.0, 0.0)  # the explorer's other scores, as it starts
READ = 8.0  # the smallest score with one decimal whose loss is at most 0.1
POINTS = ((0.1, 5), (0.1, 14), (0.5, 1000), (2.0, 14))  # loss, vocab_size: what the cards name
MORE = (  # a large vocabulary; two losses above ln V
    ((0.01, 50000), (1.5, 2), (4.0, 20)),
    ((0.02, 30000), (1.2, 2), (3.5, 15)),
    ((0.03, 80000), (1.8, 2), (4.5, 30)),
)


class lead:
    answers = ("lead(loss, vocab_size)", ("the number read off the explorer",))

    @check("what the explorer says", 1)
    def read(lead, score_of_b):
        if score_of_b is None:
            raise NotDone("put the number that you read off the explorer in place of None, then run this cell again.")
        value = one_number(score_of_b, "score_of_b")
        if abs(value - READ) < 0.05 - 1e-9:  # the same to one decimal
            return
        told = (
            (4.6, "That is the score at temperature 1. Set the temperature to 2: only score / temperature counts."),
            (2.6, "That is the lead over a, and at temperature 1. Wanted the score of b itself, at temperature 2."),
            (5.95, "That is how far b leads a. Wanted the score of b itself."),
            (7.3, "That is right when the four others are equal to 0. Leave them at their starting values."),
            (3.98, "That is b's score divided by the temperature. Wanted the score as its slider shows it."),
        )
        for near, message in told:
            if abs(value - near) <= 0.06:
                raise Wrong(message)
        if abs(value) > 10:
            raise Wrong(f"{value:g} is not a score of the explorer: they go from -10 to 10.")
        loss = math.log1p(sum(math.exp((other - value) / 2) for other in OTHERS))
        raise Wrong(
            f"With b at {value:g} and temperature 2 the loss is {number(loss)} nats: "
            + ("more than 0.1; raise b." if loss > 0.1 else "less than 0.1 already; a lower score will do.")
        )

    @check("any loss and size of vocabulary", 1.5)
    def values(lead, score_of_b):
        points = (*POINTS, *draw.one_of(*MORE))
        got = torch.tensor([one_number(lead(*point), f"lead{point}") for point in points], dtype=torch.float64)
        wanted = torch.tensor([lead_by_search(*point) for point in points], dtype=torch.float64)
        if close(got, wanted, 1e-4):
            return
        for formula, message in misread():
            if close(got, torch.tensor([formula(*point) for point in points], dtype=torch.float64), 1e-4):
                raise Wrong(message)
        raise Wrong(first_off(points, got.tolist(), wanted.tolist()))

    @check("guessing: a loss of ln V", 0.5)
    def guessing(lead, score_of_b):
        for V in draw.one_of((2, 14, 1000), (2, 9, 500), (2, 20, 3000)):
            got = one_number(lead(math.log(V), V), f"lead(ln {V}, {V})")
            if abs(got) > 1e-4:
                raise Wrong(
                    f"lead(ln {V}, {V}) is {number(got)}. A loss of ln V is that of equal scores: the lead is 0."
                )


def lead_by_search(loss: float, V: int) -> float:
    """The specification: halve an interval until the target's -ln p, summed score by score, is the loss."""
    low, high = -50.0, 50.0
    for _ in range(80):
        middle = (low + high) / 2
        found = loss_at(middle, V)
        low, high = (middle, high) if found > loss else (low, middle)
    return high


def loss_at(lead: float, V: int) -> float:
    return math.log1p((V - 1) * math.exp(-lead)) if abs(lead) < 700 else max(0.0, math.log(V - 1) - lead)


def first_off(points, got: list[float], wanted: list[float]) -> str:
    """What the first wrong lead does, and what can be said of all of them."""
    (loss, V), yours, right = next(
        row for row in zip(points, got, wanted, strict=True) if not math.isclose(*row[1:], rel_tol=1e-4, abs_tol=1e-4)
    )
    text = f"lead({loss}, {V}) is {number(yours)}; wanted {number(right)}: "
    text += f"scores with your lead have a loss of {number(loss_at(yours, V))} nats, and {loss} was asked for."
    if math.isclose(got[0], got[1], rel_tol=1e-6):
        text += " lead(0.1, 5) and lead(0.1, 14) are the same: vocab_size plays no part, or a fixed number replaces it."
    elif math.isclose(got[1], got[3], rel_tol=1e-6):
        text += " lead(0.1, 14) and lead(2.0, 14) are the same: loss plays no part."
    elif min(got) >= 0 > min(wanted):
        text += " Yours is never negative: where the loss is more than ln V, the target lies behind the others."
    return text


def misread():
    """(formula, message) of the leads that people give."""
    ln, exp = math.log, math.exp
    yield lambda loss, V: ln(V / (exp(loss) - 1)), "There are V - 1 others, not V: the target is one of the V itself."
    yield lambda loss, V: ln((V - 2) / (exp(loss) - 1)) if V > 2 else -math.inf, "There are V - 1 others, not V - 2."
    yield lambda loss, V: -ln(exp(loss) - 1), "The V - 1 others are forgotten: each takes its share."
    yield (
        lambda loss, V: ln((exp(loss) - 1) / (V - 1)),
        "The sign is flipped: this is by how much the others would lead.",
    )
    two = "This is a logarithm to base 2; wanted ln."
    yield lambda loss, V: math.log2((V - 1) / (exp(loss) - 1)), two
    yield lambda loss, V: math.log2((V - 1) / (2**loss - 1)), two + " And the loss is in nats: e^loss, not 2^loss."
    yield lambda loss, V: math.log2(V / (exp(loss) - 1)), two + " And there are V - 1 others, not V."
    yield lambda loss, V: -math.log2(exp(loss) - 1), two + " And the V - 1 others are forgotten."
    below = "Never negative: where the loss is more than ln V, the target lies behind the others."
    yield lambda loss, V: max(0.0, ln((V - 1) / (exp(loss) - 1))), below
    yield lambda loss, V: abs(ln((V - 1) / (exp(loss) - 1))), below
    yield (
        lambda loss, V: math.log10((V - 1) / (exp(loss) - 1)),
        "This is a logarithm to base 10; wanted ln.",
    )
    yield lambda loss, V: ln((V - 1) / (2**loss - 1)), "2^loss is used where e^loss should be: the loss is in nats."
    yield lambda loss, V: (V - 1) / (exp(loss) - 1), "This is the ratio of two e^score: take its logarithm."
    yield lambda loss, V: ln((V - 1) / exp(loss)), "The 1 is missing: p = e^lead / (e^lead + V - 1), so e^loss - 1."
    yield lambda loss, V: ln((V - 1) / loss), "e^loss - 1 is nearly the loss only while that is small."
    yield (
        lambda loss, V: ln((V - 1) * (exp(loss) - 1)),
        "(e^loss - 1) belongs in the denominator, not in the numerator.",
    )
    yield (
        lambda loss, V: ln((V - 1) / (exp(loss) + 1)),
        "The sign in front of 1 is wrong: e^loss = 1 + (V - 1) / e^lead.",
    )
    yield lambda loss, V: ln((V - 1) / (1 - exp(-loss))), "This divides by 1 - p alone; wanted p / (1 - p)."
    yield lambda loss, V: exp(-loss), "This is p, the target's probability. By how much must its score lead?"
    yield lambda loss, V: ln(V) - loss, "ln V - loss is the gain over guessing; a score needs another number."
    yield lambda loss, V: ln(V - 1), "The loss is not used."
    yield lambda loss, V: ln(V), "The loss is not used: this is ln V, the loss of guessing."
    yield lambda loss, V: -ln(loss), "vocab_size is not used, and e^loss - 1 is only nearly the loss."
    yield lambda loss, V: -ln(1 - exp(-loss)), "vocab_size is not used, and this divides by 1 - p alone: p / (1 - p)."
    yield lambda loss, V: ln(V - 1) + loss, "This adds logarithms of V - 1 and e^loss; wanted (V - 1) / (e^loss - 1)."
    yield (
        lambda loss, V: math.log1p((V - 1) / (exp(loss) - 1)),
        "There is a 1 too many: ln(1 + ...) is the loss, not the lead.",
    )
    yield lambda loss, V: 2 * ln((V - 1) / (exp(loss) - 1)), "It is doubled: the formula is for temperature 1."
    yield lambda loss, V: ln((V - 1) / (exp(loss) - 1)) / 2, "It is halved: the formula is for temperature 1."
    for fixed in (5, 14, 55):
        words = f"vocab_size is not used: the number {fixed} replaces it."
        yield lambda loss, V, fixed=fixed: ln((fixed - 1) / (exp(loss) - 1)), words
    yield (
        lambda loss, V: exp(-loss) - (1 - exp(-loss)) / (V - 1),
        "This is a lead of p; wanted one of scores.",
    )
