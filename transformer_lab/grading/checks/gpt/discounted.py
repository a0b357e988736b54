"""Lesson 14: the checks of a table of n-grams that passes some of its probability on to a shorter context."""

import math

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, one_number, settled

LETTERS = "abcdefghklm"


class discounted:
    answers = ("discounted(counts, context, token, d, V)",)

    @check("nothing stands before", 1)
    def empty(discounted):
        nothing_before(discounted)

    @check("contexts that have been seen", 1)
    def seen(discounted):
        settled(lambda: nothing_before(discounted), "Without a context it is")
        judge(discounted, [table() + (draw.one_of("a", "b", "ba", "ab"), token) for token in LETTERS[:6]])

    @check("contexts that have never been seen", 1)
    def unseen(discounted):
        settled(lambda: nothing_before(discounted), "Without a context it is")
        cases = []
        for context in ("mba", "kab", "akm", "mk"):
            cases += [table() + (context, token) for token in "abcz"]
        judge(discounted, cases)


def nothing_before(discounted) -> None:
    """With d / n for every token two mistakes are the same: only a context tells them apart."""
    cases = [table() + ("", token) for token in "abdz"]
    judge(discounted, cases, with_context=tuple(table() + ("b", token) for token in "abdz"))


def table() -> tuple[dict, float, int]:
    """counts, d and V: contexts of up to two characters, and the followers of each."""

    def followers(least: int) -> dict[str, int]:
        chosen = draw.shuffled("abcdef")[: least + int(draw.integers(2))]
        return {token: 2 + int(draw.integers(7)) for token in chosen[1:]} | {chosen[0]: 1}

    counts = {"": followers(4), "a": followers(3), "b": followers(2), "ba": followers(2), "ab": followers(3)}
    if len(counts["a"]) == len(counts["ba"]):
        counts["a"] |= {"h": 3}
    return counts, draw.one_of(0.7, 0.55, 0.85), draw.one_of(31, 37)


def right(counts, context: str, token: str, d: float, V: int) -> float:
    """The specification."""
    shorter = right(counts, context[1:], token, d, V) if context else 1 / V
    return step(counts.get(context), token, d, shorter)


def step(seen, token: str, d: float, shorter: float) -> float:
    if not seen:
        return shorter
    n = sum(seen.values())
    return max(seen.get(token, 0) - d, 0) / n + d * len(seen) / n * shorter


def recursive(of, cut=lambda context: context[1:], end=lambda V: 1 / V, unseen=lambda shorter, d, V: shorter):
    """The same, with another way of(count, n, kinds, d, shorter) to mix, to shorten, to end or to pass on."""

    def formula(counts, context, token, d, V):
        shorter = formula(counts, cut(context), token, d, V) if context else end(V)
        seen = counts.get(context)
        if not seen:
            return unseen(shorter, d, V)
        return of(seen.get(token, 0), sum(seen.values()), len(seen), d, shorter)

    return formula


def sharing(share, counts, context, token, d, V):
    """The same with another share(seen, d, V) for the shorter context, out of n."""
    shorter = sharing(share, counts, context[1:], token, d, V) if context else 1 / V
    seen = counts.get(context)
    if not seen:
        return shorter
    return (max(seen.get(token, 0) - d, 0) + share(seen, d, V) * shorter) / sum(seen.values())


def downwards(counts, context, token, d, V):
    """The contexts the wrong way round: the shortest comes last, and weighs most."""
    p = 1 / V
    for start in range(len(context) + 1):
        p = step(counts.get(context[start:]), token, d, p)
    return p


def from_the_longest_end(counts, context, token, d, V):
    """The empty context is left out: behind one character 1 / V."""
    shorter = from_the_longest_end(counts, context[1:], token, d, V) if context else 1 / V
    return step(counts.get(context), token, d, shorter) if context else shorter


def unmixed_at_the_end(counts, context, token, d, V):
    """The empty context says what was counted, and passes nothing on."""
    if not context:
        return counts[""].get(token, 0) / sum(counts[""].values())
    return step(counts.get(context), token, d, unmixed_at_the_end(counts, context[1:], token, d, V))


def one_step(counts, context, token, d, V):
    shorter = step(counts.get(context[1:]), token, d, 1 / V) if context else 1 / V
    return step(counts.get(context), token, d, shorter)


def mixed(count, n, kinds, d, shorter):
    return max(count - d, 0) / n + d * kinds / n * shorter


FAULTS = (
    (
        recursive(lambda count, n, kinds, d, shorter: (count - d) / n if count else d * kinds / n * shorter),
        "A token that has been seen gets nothing from the shorter context. It gets its share there as well: both are "
        "added.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: count / n if count else shorter),
        "Nothing is taken from what has been seen, so there is nothing to pass on: all tokens together get more than "
        "1.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: count / n if count else d * shorter),
        "Nothing is taken from what has been seen, so there is nothing to pass on: all tokens together get more than "
        "1.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: count / n + d * kinds / n * shorter),
        "What is passed on has not been taken from anything: d is to be subtracted from each count.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: (1 - d) * count / n + d * kinds / n * shorter),
        "A *share* d is taken from each count; wanted: the number d.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count / n - d, 0) + d * kinds / n * shorter),
        "d is taken from c / n; wanted: from the count c, and then all of it is divided by n.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / kinds + d * kinds / n * shorter),
        "It is divided by the number of different tokens; wanted: by n, the number of all.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n + d * kinds * shorter),
        "What is passed on is not divided by n.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n + d * n / kinds * shorter),
        "What is passed on is d n / k: n and k have changed places.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n + (1 - d) * shorter),
        "What is passed on is 1 - d. Wanted: what was taken from all the counts, out of n.",
    ),
    (
        recursive(
            lambda count, n, kinds, d, shorter: mixed(count, n, kinds, d, shorter) if count else shorter,
        ),
        "A token that has not been seen gets all of what the shorter context says; wanted: the share of it that every "
        "token gets.",
    ),
    (
        lambda *case: sharing(lambda seen, d, V: d * sum(c > 1 for c in seen.values()), *case),
        "d is taken from tokens that were seen once as well, and that part is not passed on here.",
    ),
    (
        lambda *case: sharing(lambda seen, d, V: d * (len(seen) - (case[2] in seen)), *case),
        "What was taken from this token's own count is not passed on: count all tokens that followed.",
    ),
    (downwards, "The longest context comes first, and the shortest has the last word. Wanted: the other way round."),
    (from_the_longest_end, 'What has been counted without a context, counts[""], is not used.'),
    (
        unmixed_at_the_end,
        "Without a context the counts alone decide. There too d is taken from each, and goes to all V tokens alike.",
    ),
    (one_step, "It goes back by one character, and then to 1 / V; wanted: on to the empty context."),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n + d * shorter),
        "What is passed on is not d. Of each of the different tokens that followed, d was taken, out of n.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n + d / n * shorter),
        "d is taken from *each* of the different tokens that followed: all of that is passed on.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n + kinds / n * shorter),
        "More is passed on than was taken: of each different token, d.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n + kinds / (n + kinds) * shorter),
        "What is passed on is Witten and Bell's share; wanted: what was taken, d of each different token, out of n.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: (count + kinds * shorter) / (n + kinds)),
        "This is Witten and Bell's mixture, which the package has; wanted: d taken from each count.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: (count - d) / n + d * kinds / n * shorter),
        "A token that has not been seen has nothing that d could be taken from: at least 0 is left.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n),
        "What was taken is not passed on: a token that was not seen gets 0.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: (1 - d) * count / n + d * shorter),
        "A *share* d is passed on; wanted: the number d, taken from each count.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / (n - d * kinds) + d * kinds / n * shorter),
        "What is left is divided by what is left; wanted: by n, so that a part remains to be passed on.",
    ),
    (
        recursive(lambda count, n, kinds, d, shorter: max(count - d, 0) / n + d * kinds / n),
        "What was taken is given to every token whole; the shorter context says how it is shared out.",
    ),
    (
        lambda *case: sharing(lambda seen, d, V: d * V, *case),
        "As much is passed on as if d were taken from all V tokens; it is taken from those that followed.",
    ),
    (
        recursive(mixed, end=lambda V: 0.0),
        "The chain ends with 0: a token that has never been seen at all gets its share of 1 / V.",
    ),
    (
        lambda counts, context, token, d, V: recursive(mixed, end=lambda _: 1 / len(counts[""]))(
            counts, context, token, d, V
        ),
        "The chain ends with the tokens that have been seen; V says how many there are.",
    ),
    (
        recursive(mixed, cut=lambda context: context[:-1]),
        "The context was shortened at its end. What stands furthest away goes first: context[1:].",
    ),
    (
        recursive(mixed, unseen=lambda shorter, d, V: d * shorter),
        "A context that was never seen has had nothing taken away: its answer is that of the shorter one.",
    ),
    (
        recursive(mixed, unseen=lambda shorter, d, V: 1 / V),
        "A context that was never seen says nothing: ask the one that is shorter.",
    ),
    (
        recursive(mixed, unseen=lambda shorter, d, V: 0.0),
        "A context that was never seen says nothing: ask the one that is shorter.",
    ),
    (
        lambda counts, context, token, d, V: step(counts.get(context), token, d, 1 / V),
        "From the context it goes to 1 / V at once; wanted: to the context that is one shorter, and so on.",
    ),
    (
        lambda *case: math.log(right(*case)),
        "This is the logarithm; wanted: the probability.",
    ),
)

LOOK = "Work out n, k and c of the longest context by hand, and compare each of the two parts of the sum."


def judge(discounted, cases: list[tuple], with_context: tuple = ()) -> None:
    """with_context: more cases, that help to tell what is wrong with these."""
    cases = [(counts, context, token, d, V) for counts, d, V, context, token in cases]
    answers = [answer(discounted, case) for case in cases]
    for case, got in zip(cases, answers, strict=True):
        wanted = right(*case)
        if math.isclose(got, wanted, rel_tol=1e-5):
            continue
        cases += [(counts, context, token, d, V) for counts, d, V, context, token in with_context]
        answers += [answer(discounted, case) for case in cases[len(answers) :]]
        words = next((words for formula, words in FAULTS if all(map(fits(formula), answers, cases))), LOOK)
        yours, known = apart(got, wanted)
        raise Wrong(
            f"P({case[2]!r} | {case[1]!r}) with d = {case[3]}, V = {case[4]}: {yours}; wanted {known}. {words}".strip()
        )


def answer(discounted, case: tuple) -> float:
    counts, *rest = case
    given = {context: dict(seen) for context, seen in counts.items()}
    got = one_number(discounted(given, *rest), "discounted(...)")
    if given != counts:
        raise Wrong("discounted() changed the counts it was given. (A defaultdict grows when it is asked.)")
    return got


def fits(formula):
    return lambda got, case: math.isclose(got, formula(*case), rel_tol=1e-6, abs_tol=1e-12)
