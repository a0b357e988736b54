"""Lesson 12: the checks of how much of a text repeats what stands before it."""

import math
from collections import Counter

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, fitting, one_number


class repeated:
    answers = ("repeated(tokens, n)",)

    @check("a text that goes round in circles, and one that does not", 1.5)
    def share(repeated):
        looping = draw.shuffled(range(5)) * 3 + draw.shuffled(range(9))
        free = [int(token) for token in draw.integers(4, 23)]
        cases = [(looping, n) for n in (1, 2, 4)] + [(free, n) for n in (2, 3)] + [([7] * 6, 2)]
        judge(repeated, [*cases, (alike(), 2)])

    @check("a text that is shorter than n", 0.5)
    def short(repeated):
        judge(repeated, [([4, 5], 3), ([], 2), ([4, 5, 6], 3)])


def alike() -> list[int]:
    """A text that repeats nothing, of pairs that written down without commas, or cut off, look the same."""
    a, b, c = draw.shuffled(range(1, 10))[:3]
    return [a, 10 * a + b, 11 * a, b, 10 * c + a, b, c, a]


def grams(tokens: list[int], n: int) -> list[tuple]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def right(tokens: list[int], n: int) -> float:
    """The specification: the share of n-grams that have occurred before."""
    found = grams(tokens, n)
    return 1 - len(set(found)) / len(found) if found else 0.0


def share(count, below):
    """A share of the n-grams; 0 where there are none."""
    return lambda tokens, n: count(grams(tokens, n)) / below(tokens, n) if grams(tokens, n) else 0.0


def again(found: list) -> int:
    return len(found) - len(set(found))


def of_several(found: list) -> int:
    return sum(count for count in Counter(found).values() if count > 1)


def n_grams(tokens: list[int], n: int) -> int:
    return len(grams(tokens, n))


FAULTS = (
    (
        share(lambda found: len(set(found)), n_grams),
        "This is the share of n-grams that are new; wanted the share that is not.",
    ),
    (
        share(of_several, n_grams),
        "Where an n-gram occurs for the *first* time it repeats nothing: it counts from then on.",
    ),
    (
        share(lambda found: sum(count > 1 for count in Counter(found).values()), n_grams),
        "Each n-gram is counted once, however often it comes again: every further place counts.",
    ),
    (
        share(lambda found: sum(count > 1 for count in Counter(found).values()), lambda t, n: len(set(grams(t, n)))),
        "This is the share of *different* n-grams that come again; wanted the share of places.",
    ),
    (share(again, lambda t, n: len(t)), "Divided by the number of tokens: a text of T tokens has T - n + 1 n-grams."),
    (share(again, lambda t, n: len(t) - n or 1), "A text of T tokens has T - n + 1 n-grams, not T - n."),
    (
        lambda t, n: right(t[: len(t) - 1], n),
        "The last n-gram is missing: they begin at the places 0 to T - n.",
    ),
    (
        lambda t, n: again(found) / len(found) if (found := grams(t, n)[::n]) else 0.0,
        "The n-grams are cut side by side: one begins at *every* place.",
    ),
    (lambda t, n: right(t, 1), "Single tokens are counted; wanted runs of n of them."),
    (share(again, lambda t, n: 1), "This is a number of places; wanted their share."),
    (
        lambda t, n: sum(a == b for a, b in zip(grams(t, n), grams(t, n)[1:], strict=False)) / max(len(grams(t, n)), 1),
        "An n-gram was compared with the one right before it: it may have occurred anywhere before.",
    ),
    (
        share(lambda found: again([tuple(sorted(gram)) for gram in found]), n_grams),
        "The order within an n-gram counts: (4, 5) is not (5, 4).",
    ),
    (
        share(lambda found: again([frozenset(gram) for gram in found]), n_grams),
        "The order within an n-gram counts: (4, 5) is not (5, 4), nor a set.",
    ),
    (
        share(lambda found: again(["".join(map(str, gram)) for gram in found]), n_grams),
        "Written one behind the other, 1, 12 and 11, 2 are the same: compare the tokens, as tuples.",
    ),
)


def judge(answer, cases: list[tuple]) -> None:
    given = [(list(tokens), n) for tokens, n in cases]
    got = [one_number(call(answer, *one), "repeated()") for one in given]
    if given != cases:
        raise Wrong("repeated() changed the list of tokens that it was given.")
    for (tokens, n), yours in zip(cases, got, strict=True):
        wanted = right(tokens, n)
        if not math.isclose(yours, wanted, rel_tol=1e-5, abs_tol=1e-6):
            mine, fine = apart(yours, wanted)
            words, *_ = fitting(got, cases, FAULTS) or ["How many of its n-grams have occurred before, of how many?"]
            raise Wrong(f"repeated({tokens}, {n}) is {mine}; wanted {fine}. {words}")


def call(answer, tokens: list[int], n: int):
    try:
        return answer(tokens, n)
    except ZeroDivisionError:
        raise Wrong(
            f"repeated({tokens}, {n}) divides by 0: a text of fewer than n tokens has no n-grams; wanted 0 then."
        ) from None
