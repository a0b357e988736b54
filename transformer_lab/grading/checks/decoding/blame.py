"""Lesson 12: the checks of whose fault a wrong text is: that of the search, or of the model."""

import math

from ...checking import Wrong, check
from ...draw import draw
from ..common import chosen, settled

Text = tuple[float, int]  # the sum of its tokens' log-probabilities, and how many tokens they are
Case = tuple[Text, Text, int | float]  # found, right, penalty
SEARCH, MODEL = OPTIONS = ("search", "model")
KINDS = [(verdict, elsewhere) for verdict in OPTIONS for elsewhere in OPTIONS]
# The translators of the notebook: why one is not, or is, the answer.
RUNS = {
    "a": "It makes the most mistakes, but each scores better than the right text: a better search will not bring that.",
    "b": "All its right texts have the larger *sum*. These searches looked for sum / tokens: four of the five mistakes "
    "score better by that.",
    "c": "",
}


class blame:
    answers = ("blame(found, right, penalty)", tuple(RUNS))

    @check("without a length penalty", 1)
    def sums(blame, widen):
        judge(blame, unpenalised())

    @check("with one", 1.5)
    def scores(blame, widen):
        judge(blame, penalised())

    @check("two texts with the same score", 0.5)
    def ties(blame, widen):
        n = draw.one_of(4, 6)
        cases = [((-2.5, n), (-2.5, 2 * n), 0), ((-1.5, n), (-3.0, 2 * n), 1), ((-3.0, 2 * n), (-1.5, n), 1)]
        try:
            judge(blame, cases, WAYS[:1])
        except Wrong:
            settled(lambda: [judge(blame, those()) for those in (unpenalised, penalised)], "Unequal scores are")
            raise

    @check("which translator may gain most by a wider search", 1)
    def widen(blame, widen):
        if words := RUNS[chosen(widen, tuple(RUNS), "widen")]:
            raise Wrong(words)


def score(text: Text, penalty: int | float) -> float:
    return text[0] / text[1] ** penalty


def right(found: Text, wanted: Text, penalty: int | float) -> str:
    """The specification of blame."""
    return SEARCH if score(wanted, penalty) > score(found, penalty) else MODEL


def case(penalty: int | float, verdict: str, elsewhere: str, other: int) -> Case:
    """Two texts with this verdict under the penalty, and one, the same or not, under another penalty."""
    while True:
        found, wanted = ((round(-1 - 5 * float(draw.uniform(1)), 2), 3 + int(draw.integers(9))) for _ in "12")
        clear = found[1] != wanted[1] and all(abs(score(found, a) - score(wanted, a)) > 1e-3 for a in (penalty, other))
        if clear and (right(found, wanted, penalty), right(found, wanted, other)) == (verdict, elsewhere):
            return found, wanted, penalty


def unpenalised() -> list[Case]:
    """Cases without a penalty, of all kinds, and two of texts so long that their probabilities are 0 in a computer."""
    n = draw.one_of(280, 310)
    long = [((-1210.5, n + 20), (-1105.2, n), 0), ((-1105.2, n), (-1210.5, n + 20), 0)]
    return [case(0, *kind, other=1) for kind in KINDS * 2] + long


def penalised() -> list[Case]:
    """Cases with a penalty, of all kinds, in which no two values that one might compare blame alike; two are close."""
    near = draw.one_of(((-3.21, 10), (-3.53, 11)), ((-4.13, 9), (-5.04, 11)))
    while True:
        cases = [case(penalty, *kind, other) for penalty, other in ((1, 0), (0.5, 1), (2, 1)) for kind in KINDS]
        cases += [(*near, 1), (*reversed(near), 1)]
        verdicts = {tuple(way(*one) for one in cases) for way in VALUES}
        if len(verdicts) == len(VALUES):
            return cases


def by(value):
    """Blames as it should, but by another value(total, tokens, penalty) than the score."""
    return lambda found, wanted, penalty: SEARCH if value(*wanted, penalty) > value(*found, penalty) else MODEL


SUM, MEAN, PRODUCT = (
    by(lambda total, n, a: total),
    by(lambda total, n, a: total / n),
    by(lambda total, n, a: total * n**a),
)
WHOLE = by(lambda total, n, a: total / n ** int(a))
GNMT = by(lambda total, n, a: total / ((5 + n) / 6) ** a)
CHANCE = by(lambda total, n, a: math.exp(total) / n**a)
POWER = by(lambda total, n, a: math.exp(total / n**a))
CLOSE = "It is right where the two scores are far apart: are they rounded? Two that are close are not equal."
VALUES = right, SUM, MEAN, PRODUCT, WHOLE, GNMT, CHANCE
WAYS = (  # (a wrong way, what to tell those who take it)
    (
        lambda f, w, a: SEARCH if score(w, a) >= score(f, a) else MODEL,
        "With equal scores a search that finds the best of all may bring back either: it has missed nothing better.",
    ),
    (
        lambda f, w, a: SEARCH if right(f, w, a) == MODEL else MODEL,
        "The two are exchanged. Log-probabilities are negative, so the better score is the one nearer to 0; and who "
        "has missed something if the right text has it?",
    ),
    (
        SUM,
        "The sums are compared. This search looked for the best sum / tokens ** penalty, and can only be blamed for "
        "missing that.",
    ),
    (
        MEAN,
        "The means are compared, whatever the penalty. The score has a *power* of the number of tokens below, and the "
        "penalty is its exponent.",
    ),
    (PRODUCT, "The sum is multiplied by the power of the number of tokens: divide by it."),
    (WHOLE, "The penalty is made a whole number; one of 0.5 is a square root below."),
    (GNMT, "A power of (5 + tokens) / 6 stands below, as in some papers; wanted one of the number of tokens."),
    (POWER, "exp of a sum of many hundreds below 0 is 0 in a computer, for both texts: compare the logarithms."),
    (CHANCE, "A probability is divided, exp of the sum; wanted the sum of the logarithms itself."),
    (
        by(lambda total, n, a: round(total / n**a, 2)),
        CLOSE,
    ),
    (lambda f, w, a: SEARCH if score(w, a) > score(f, a) + 0.01 else MODEL, CLOSE),
    (lambda f, w, a: MODEL if f[1] < w[1] else SEARCH, "It goes by the number of tokens alone: compare the scores."),
    (lambda f, w, a: SEARCH if f[1] < w[1] else MODEL, "It goes by the number of tokens alone: compare the scores."),
    (lambda f, w, a: SEARCH, "The search is blamed for everything."),
    (lambda f, w, a: MODEL, "The model is blamed for everything."),
)


def judge(answer, cases: list[Case], ways=None) -> None:
    cases = draw.shuffled(cases)
    got = [chosen(answer(*one), OPTIONS, "what blame() gives") for one in cases]
    for (found, wanted, penalty), verdict in zip(cases, got, strict=True):
        if verdict != right(found, wanted, penalty):
            told = (words for way, words in ways or WAYS if got == [way(*one) for one in cases])
            mine, fine = (f"{score(text, penalty):.4g}" for text in (found, wanted))
            raise Wrong(
                f"blame({found}, {wanted}, {penalty}) is {verdict!r}. By what the search looked for the found text "
                f"scores {mine}, the right one {fine}. {next(told, '')}".rstrip()
            )
