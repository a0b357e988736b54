"""Lesson 15: the checks of how much the best of many equally good settings owes to luck."""

import math
from itertools import accumulate

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, one_number, settled


class optimism:
    answers = ("optimism(n, p, k)",)

    @check("two or three settings, a few examples", 1)
    def small(optimism):
        few(optimism)

    @check("many settings, many examples", 1.5)
    def many(optimism):
        settled(lambda: few(optimism), "A few settings are")
        judge(
            optimism, (draw.one_of(40, 60), 0.83, draw.one_of(7, 9)), (300, 0.62, 24), (500, 0.35, draw.one_of(50, 60))
        )

    @check("one setting, one example, p of 0 and 1", 0.5)
    def ends(optimism):
        settled(lambda: few(optimism), "A few settings are")
        for case, why in (
            ((17, 0.3, 1), "The best of one is that one: no luck is picked."),
            ((1, 0.3, 4), "With one example a setting scores 0 or 1, and one of them is enough to score 1."),
            ((12, 0.0, 5), "Nobody is ever right: there is nothing to pick."),
            ((12, 1.0, 5), "All are always right: there is nothing to pick."),
        ):
            got, wanted = asked(optimism, case), excess(*case)
            if not math.isclose(got, wanted, rel_tol=1e-5, abs_tol=1e-6):
                raise Wrong(f"{called(case)} is {apart(got, wanted)[0]}; wanted {apart(got, wanted)[1]}. {why}")


def few(optimism) -> None:
    judge(optimism, (3, 0.4, 2), (draw.one_of(4, 6), 0.7, 3), (6, 0.8, 2), (7, 0.15, 3))


def chances(n: int, p: float) -> list[float]:
    """The probability of exactly j right ones, for j from 0 to n."""
    return [math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(n + 1)]


def at_most(n: int, p: float) -> list[float]:
    """The probability of at most j right ones."""
    return [min(1.0, below) for below in accumulate(chances(n, p))]


def best(n: int, p: float, k: int) -> float:
    """How many the best of k gets right, on average."""
    return math.fsum(1 - below**k for below in at_most(n, p)[:-1])


def excess(n: int, p: float, k: int) -> float:
    """The specification."""
    return best(n, p, k) / n - p if k > 1 else 0.0


def spread(n: int, p: float) -> float:
    return math.sqrt(p * (1 - p) / n)


def likeliest_best(n: int, p: float, k: int) -> float:
    powers = [below**k for below in at_most(n, p)]
    chance = [after - before for before, after in zip([0.0, *powers], powers, strict=False)]
    return chance.index(max(chance)) / n - p


def median_best(n: int, p: float, k: int) -> float:
    return next(j for j, below in enumerate(at_most(n, p)) if below**k >= 0.5) / n - p


def without_none(n: int, p: float, k: int, end: int) -> float:
    """Both sums begin at j = 1."""
    below = at_most(n, p)
    return math.fsum(1 - (below[j] - below[0]) ** k for j in range(1, end)) / n - p


NONE_RIGHT = "Begin with j = 0: that no example is right has a probability too, and belongs to every F_j."
NORMAL = {2: 1 / math.sqrt(math.pi), 3: 1.5 / math.sqrt(math.pi)}  # the mean of the largest of so many normal numbers
ALL_BELOW = "That none of k scores more than j has the probability of one setting, to the power of k."
SCORES_THE_SAME = (
    "The power is that of exactly j: as if all k had to score the same. The best scores at most j if all do: take the "
    "power of F_j."
)
# (formula of n, p and k, words, misconception)
FAULTS = (
    (lambda n, p, k: 0.0, "On average one setting has no luck, but the best of k was picked for its luck."),
    (lambda n, p, k: best(n, p, k), "This is how many examples the best gets right; wanted: its share, minus p."),
    (lambda n, p, k: best(n, p, k) / n, "This is the score of the best; wanted: by how much it exceeds p."),
    (lambda n, p, k: best(n, p, k) - p, "From a count of examples p is taken, a share: divide by n first."),
    (lambda n, p, k: excess(n, p, k) / p, "This is a share of p; wanted: the difference."),
    (lambda n, p, k: best(n, 1 - p, k) / n - p, "p and 1 - p are swapped: j examples are right, and n - j are not."),
    (lambda n, p, k: best(n, p, k) - p * n, "This counts examples; wanted: a share of the n examples."),
    (lambda n, p, k: p - best(n, p, k) / n, "The sign is turned round: the best scores more than p."),
    (
        lambda n, p, k: math.fsum(below**k for below in at_most(n, p)[:-1]) / n - p,
        "The probabilities of scoring *at most* so many are added up. The mean of a count is the sum of the "
        "probabilities of *more*.",
    ),
    (
        lambda n, p, k: math.fsum((1 - below) ** k for below in at_most(n, p)[:-1]) / n - p,
        "This is the worst of k: all of them score more than j, to the power of k. The best scores more if not all "
        "score at most j.",
    ),
    (
        lambda n, p, k: math.fsum(1 - below**k for below in at_most(n, p)[1:]) / n - p,
        "The sum begins one too late: it goes over more than 0, more than 1, up to more than n - 1.",
    ),
    (
        lambda n, p, k: math.fsum(1 - below**k for below in [0.0, *at_most(n, p)[:-1]]) / n - p,
        "One too many: this is the chance of at least j, from j = 0 on. Begin with j = 1.",
    ),
    (
        lambda n, p, k: math.fsum(1 - below**k for below in at_most(n, p)[:-1]) / (n + 1) - p,
        "It is divided by n + 1: a set of n examples has n + 1 possible scores, but a score is a share of n.",
    ),
    (
        lambda n, p, k: math.fsum(1 - below**k for below in [0.0, *at_most(n, p)[:-2]]) / n - p,
        "The probability of exactly j is not in F_j yet where it is used: F_j is that of at most j, j included.",
    ),
    (lambda n, p, k: without_none(n, p, k, n), NONE_RIGHT),
    (lambda n, p, k: without_none(n, p, k, n + 1), NONE_RIGHT),
    (lambda n, p, k: best(n, p, k - 1) / n - p, "This is the best of k - 1 settings."),
    (lambda n, p, k: best(n, p, k + 1) / n - p, "This is the best of k + 1 settings."),
    (
        lambda n, p, k: math.fsum(min(1.0, k * (1 - below)) for below in at_most(n, p)[:-1]) / n - p,
        "The chances of the k settings are added up, though several may score high at once. " + ALL_BELOW,
    ),
    (
        lambda n, p, k: math.fsum(k * (1 - below) for below in at_most(n, p)[:-1]) / n - p,
        "The chances of the k settings are added up, though several may score high at once. " + ALL_BELOW,
    ),
    (lambda n, p, k: 100 * excess(n, p, k), "This is in percent; wanted: a share of the n examples."),
    (
        lambda n, p, k: math.fsum(1 - exactly**k for exactly in chances(n, p)[:-1]) / n - p,
        "F_j is the probability of *at most* j: add up those of 0, 1, ... j, and take the power of their sum.",
    ),
    (
        lambda n, p, k: math.fsum(j * exactly**k for j, exactly in enumerate(chances(n, p)[:-1])) / n - p,
        SCORES_THE_SAME,
    ),
    (
        lambda n, p, k: math.fsum(j * exactly**k for j, exactly in enumerate(chances(n, p))) / n - p,
        SCORES_THE_SAME,
    ),
    (likeliest_best, "This is the likeliest score of the best; wanted: its mean."),
    (median_best, "This is the median of the best score; wanted: its mean."),
    (
        lambda n, p, k: spread(n, p),
        "This is the standard deviation of one setting's score. How far the best lies above p depends on k as well.",
    ),
    (
        lambda n, p, k: spread(n, p) * math.sqrt(2 * math.log(k)),
        "This is an estimate for large n and k, sqrt(2 ln k) standard deviations. Wanted: exactly.",
    ),
    (
        lambda n, p, k: spread(n, p) * math.sqrt(2 * math.log(k)) * n,
        "This is an estimate for large n and k, and in examples. Wanted: exactly, as a share.",
    ),
    (
        lambda n, p, k: spread(n, p) * NORMAL.get(k, 0),
        "This is right for scores of a normal distribution; a share of n examples has none. Wanted: exactly.",
    ),
    (lambda n, p, k: 1 - p, "This is as if the best were always right."),
    (lambda n, p, k: 1 - (1 - p**n) ** k, "This is the probability that one of k is right everywhere."),
    (
        lambda n, p, k: 1 - (1 - p) ** k - p,
        "This is the chance that at least one of k is right about an example. But one setting is kept for all "
        "examples.",
    ),
)


def fits(formula):
    return lambda got, case: math.isclose(got, formula(*case), rel_tol=1e-6, abs_tol=1e-9)


def called(case: tuple) -> str:
    return f"optimism({', '.join(map(str, case))})"


def asked(optimism, case: tuple) -> float:
    return one_number(optimism(*case), called(case))


def judge(optimism, *cases: tuple) -> None:
    answers = [asked(optimism, case) for case in cases]
    for case, got in zip(cases, answers, strict=True):
        wanted = excess(*case)
        if math.isclose(got, wanted, rel_tol=1e-5):
            continue
        words = next((told for formula, *told in FAULTS if all(map(fits(formula), answers, cases))), None)
        yours, right = apart(got, wanted)
        if not words and any(asked(optimism, case) != got for _ in range(3)):  # once, they may agree by chance
            words = [
                "Asked again it says something else: this is a simulation. Wanted: exactly, which needs no drawing."
            ]
        if not words and math.isclose(got, wanted, rel_tol=0.05):
            words = ["It is nearly right: is it rounded, an estimate, or a sum of too few terms? Wanted: exactly."]
        words = words or [
            "Work out the chance that the best scores more than j, for every j below n, and add these up."
        ]
        raise Wrong(f"{called(case)} is {yours}; wanted {right}. {words[0]}", *words[1:])
