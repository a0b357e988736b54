"""Lesson 12: the checks of the length penalty from which on a longer text wins."""

import math

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, fitting, one_number

LENGTHS = (3, 7), (4, 9), (2, 5)


class crossing:
    answers = ("crossing(short, long)",)

    @check("the longer text is less probable", 1)
    def less(crossing):
        judge(crossing, [case(*sizes, 1.2, 1.9) for sizes in LENGTHS])

    @check("the longer text is more probable, and much less probable", 1)
    def more(crossing):
        judge(crossing, [case(*LENGTHS[0], 0.4, 0.8), case(*LENGTHS[1], 3.1, 4.2), case(*LENGTHS[2], 0.5, 0.9)])


def case(n_short: int, n_long: int, low: float, high: float) -> tuple[list[float], list[float]]:
    """Log-probabilities of two texts' tokens; the longer one's sum is low to high times the other's."""
    short, long = (-0.1 - draw.uniform(n) for n in (n_short, n_long))
    ratio = low + (high - low) * float(draw.uniform(1))
    long = long * (ratio * short.sum() / long.sum())
    return [round(x, 4) for x in short.tolist()], [round(x, 4) for x in long.tolist()]


def right(short: list[float], long: list[float]) -> float:
    """The specification: sum / length ** penalty is the same for both."""
    return math.log(sum(long) / sum(short)) / math.log(len(long) / len(short))


def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


FAULTS = (
    (
        lambda s, t: -right(s, t),
        "The sign is turned. Bring the lengths to one side and the sums to the other, and look which stands above.",
    ),
    (lambda s, t: 1 / right(s, t), "Upside down: the logarithm of the lengths' ratio stands below."),
    (lambda s, t: -1 / right(s, t), "Upside down, and the sign is turned."),
    (
        lambda s, t: math.log(mean(t) / mean(s)) / math.log(len(t) / len(s)),
        "Means were compared: a mean is divided by its length already. The score begins with the sum.",
    ),
    (
        lambda s, t: (sum(t) - sum(s)) / math.log(len(t) / len(s)),
        "The *difference* of the sums was taken. Equal is sum / length ** penalty: take the logarithm of the sums' "
        "ratio.",
    ),
    (
        lambda s, t: (sum(s) - sum(t)) / math.log(len(t) / len(s)),
        "The *difference* of the sums was taken. Equal is sum / length ** penalty: take the logarithm of the sums' "
        "ratio.",
    ),
    (lambda s, t: sum(t) / sum(s) / (len(t) / len(s)), "The penalty is an exponent: a logarithm gets it down."),
    (lambda s, t: sum(t) / sum(s), "This is the ratio of the sums; the lengths play a part."),
    (lambda s, t: math.log(sum(t) / sum(s)), "The lengths are missing: divide by the logarithm of their ratio."),
    (
        lambda s, t: math.log(sum(t) / sum(s)) / (len(t) - len(s)),
        "The difference of the lengths stands below; wanted the logarithm of their ratio.",
    ),
    (
        lambda s, t: math.log(sum(t) / sum(s)) / (len(t) / len(s)),
        "The ratio of the lengths stands below; wanted its logarithm.",
    ),
    (lambda s, t: abs(right(s, t)), "The sign is lost: a penalty may be negative."),
    (lambda s, t: max(right(s, t), 0.0), "Negative penalties count too: the longer one may win before 0 is reached."),
    (lambda s, t: min(max(right(s, t), 0.0), 1.0), "A penalty may be negative, or above 1."),
)


def judge(answer, cases: list[tuple]) -> None:
    got = [one_number(answer(list(short), list(long)), "crossing()") for short, long in cases]
    for (short, long), yours in zip(cases, got, strict=True):
        wanted = right(short, long)
        if not math.isclose(yours, wanted, rel_tol=1e-5, abs_tol=1e-6):
            mine, fine = apart(yours, wanted)
            words, *_ = fitting(got, cases, FAULTS) or [
                f"With your penalty the shorter one scores {score(short, yours)}, the longer one {score(long, yours)}."
            ]
            raise Wrong(
                f"For sums of {sum(short):.4g} over {len(short)} tokens and {sum(long):.4g} over {len(long)} yours is "
                f"{mine}; wanted {fine}. {words}"
            )


def score(log_probs: list[float], penalty: float) -> str:
    try:
        return f"{sum(log_probs) / len(log_probs) ** penalty:.4g}"
    except OverflowError:
        return "nothing that can be computed"
