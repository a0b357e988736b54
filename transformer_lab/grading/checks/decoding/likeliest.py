"""Lesson 12: the checks of the likeliest text of all, which no search with beams is sure to find."""

import heapq

from ...checking import Wrong, check
from ...draw import draw
from .diagnose import by_hand
from .searching import Follow, drawn, search

MOST = 2000  # times that follow may be asked


class likeliest:
    answers = ("likeliest(follow, n)",)

    @check("texts that greedy decoding misses", 1)
    def missed(likeliest):
        judge(likeliest, [(by_hand(), 5), *((telling(), 5) for _ in range(3))])

    @check("at most n tokens", 1)
    def limit(likeliest):
        judge(likeliest, [(growing(), n) for n in (1, 2, 3)])

    @check("too many texts to try them all", 1)
    def many(likeliest):
        for length in (5, 6):
            judge(likeliest, [(deep(length), 14)])
        judge(likeliest, [(wide(), 14)])


def best(follow: Follow, n: int, power: float = 0.0) -> str:
    """The specification: the most probable text of at most n tokens that ends; power: for its length, if it has any."""
    waiting, found = [(-1.0, "")], []
    while waiting:
        p, text = heapq.heappop(waiting)
        if text.endswith("."):
            if power == 0:
                return text
            found.append((-((-p) ** (1 / len(text) ** power)), text))
        elif len(text) < n:
            for token, share in follow(text).items():
                heapq.heappush(waiting, (p * share, text + token))
    return min(found)[1]


def telling() -> Follow:
    """A table whose likeliest text neither greedy decoding nor the mean over the tokens finds."""
    while True:
        follow = drawn(4)
        if len({best(follow, 5), search(follow, 1, 0.0, 5), best(follow, 5, 1.0)}) == 3:
            return follow


def growing() -> Follow:
    """A table whose likeliest text has all the n tokens that it may have, up to four."""
    a, b, c, d, e = draw.shuffled("abcde")
    table = {
        "": {b: 0.05, a: 0.88, ".": 0.07},
        a: {c: 0.72, d: 0.08, ".": 0.2},
        a + c: {e: 0.1, d: 0.5, ".": 0.4},
        a + c + d: {e: 0.05, ".": 0.95},
    }
    return lambda text: dict(table.get(text, {".": 1.0}))


def deep(length: int) -> Follow:
    """A text of this length, and hundreds of thousands beside it."""
    a, b, c = draw.shuffled("abc")
    early, late = {b: 0.2, c: 0.09, a: 0.7, ".": 0.01}, {c: 0.02, a: 0.05, b: 0.03, ".": 0.9}
    return lambda text: dict(early if len(text) < length else late)


def wide() -> Follow:
    """A table in which 400 beginnings of two tokens are more probable than that of the likeliest text."""
    first, second, *others = draw.shuffled("abcdefghijklmnopqrstuv")
    evenly = dict.fromkeys(others, 1 / len(others))
    begins = draw.shuffled([(first, 0.0022), *((letter, 0.9978 / len(others)) for letter in others)])

    def follow(text: str) -> dict[str, float]:
        if text.startswith(first):
            return {second: 1.0} if len(text) < 2 else {".": 1.0}
        if len(text) < 3:
            return dict(evenly if text else begins)
        return {second: 1.0} if len(text) < 10 else {".": 1.0}

    return follow


def judge(answer, cases: list[tuple]) -> None:
    answers = [answer(counted(follow), n) for follow, n in cases]
    for (follow, n), got in zip(cases, answers, strict=True):
        if isinstance(got, (tuple, list)):
            raise Wrong(f"likeliest() gives {got!r:.60}; wanted the text alone, a str.")
        if not isinstance(got, str):
            raise Wrong(f"likeliest() gives {got!r:.60}; wanted a text, a str.")
        wanted = best(follow, n)
        if got != wanted:
            words = f"With a table of ours and n = {n} it gives {got!r}, probability {chance(follow, got):.3g}; wanted "
            raise Wrong(f"{words}{wanted!r}, probability {chance(follow, wanted):.3g}. {why(got, follow, n)}")


def why(got: str, follow: Follow, n: int) -> str:
    if len(got) > n:
        return "It has more than n tokens; the full stop is one of them."
    if not got.endswith("."):
        return "It has not ended: the last token of a text is a full stop."
    if got == search(follow, 1, 0.0, n):
        return "That is what greedy decoding writes. The likeliest text may begin with a less probable token."
    if got == best(follow, n - 1):
        return "That is the likeliest of at most n - 1 tokens."
    if n < 10 and got == best(follow, n, 1.0):  # which takes all texts
        return "It is the likeliest by the mean per token: here the sum counts."
    return "Some text was given up too early: only what is less probable than a text that has ended may be dropped."


def chance(follow: Follow, text: str) -> float:
    p = 1.0
    for place, token in enumerate(text):
        p *= follow(text[:place]).get(token, 0.0)
    return p


def counted(follow: Follow) -> Follow:
    """The table, which refuses to be asked too often and what comes after an end."""
    asked = 0

    def ask(text: str) -> dict[str, float]:
        nonlocal asked
        asked += 1
        if not isinstance(text, str):
            raise Wrong(f"follow() was asked about {text!r:.60}; a text is a str, '' at first.")
        if text.endswith("."):
            raise Wrong(f"follow() was asked what comes after {text!r}, which has ended.")
        if asked > MOST:
            raise Wrong(
                f"follow() was asked more than {MOST} times. A text only becomes less probable as it grows: what is "
                "already less probable than a text that has ended need not be continued."
            )
        return follow(text)

    return ask
