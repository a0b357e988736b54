"""Lesson 12: the checks of question 3, five broken beam searches: what is wrong with each, and one of them mended."""

from ...checking import Wrong, check
from ...draw import draw
from ..diagnosis import Diagnosis
from .searching import LETTERS, Follow, alone, drawn, search

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "ended texts go on": "Then a text that has ended is continued like any other.",
        "the penalty is turned round": "Then a larger penalty favours *short* texts.",
        "only the last token counts": "Then a text's total forgets what it cost to get there.",
        "beams do not compete": "Then no text is dropped because two continuations of another one are better.",
        "ended texts are thrown away": "Then only texts that never ended are to choose from.",
        "the first ended text wins": "Then nothing is written any more as soon as some text has ended.",
        "the worst beams are kept": "Then the least probable continuations are chosen.",
        "probabilities are added": "Then every further token makes a total larger, however improbable it is.",
    },
    observations={
        "fork, 2 beams, penalty 0: it writes what 1 beam writes": "that is so where the second beam cannot help.",
        "something stands behind the first full stop": "that is so where a full stop is a token like any other.",
        "lengths, penalty 0: it writes an x and a full stop": "a right search does that too.",
        "always, penalty 0: it writes an x": "that is so where length is worth more than probability.",
        "lengths, penalty 0: it writes a bare full stop": "that is so where a better text was still to come.",
        "fork, 1 beam, penalty 0: it writes a, c and a full stop": "a right search does that too, and all five.",
        "lengths: an x with penalty 0, a bare full stop with penalty 2": "that is so where length is punished.",
    },
    snippets={
        "a": (
            "the first ended text wins",
            "lengths, penalty 0: it writes a bare full stop",
            "Its texts are short: when does it stop?",
        ),
        "b": (
            "probabilities are added",
            "always, penalty 0: it writes an x",
            "What does it add up for each token: can that ever make a total smaller?",
        ),
        "c": (
            "beams do not compete",
            "fork, 2 beams, penalty 0: it writes what 1 beam writes",
            "From the second step on, how many continuations does each text leave?",
        ),
        "d": (
            "the penalty is turned round",
            "lengths: an x with penalty 0, a bare full stop with penalty 2",
            "With penalty 0 it is right. What does its score do when a text grows longer?",
        ),
        "e": (
            "ended texts go on",
            "something stands behind the first full stop",
            "Which texts are longer in its next step?",
        ),
    },
)
EVERY = 10_000  # more beams than there are texts


class diagnose:
    answers = (DIAGNOSIS, "repaired(follow, beams, penalty, n)")

    @check("a: its fault, and what shows it", 0.8)
    def a(diagnoses, repaired):
        DIAGNOSIS.judge(diagnoses, "a")

    @check("b: its fault, and what shows it", 0.8)
    def b(diagnoses, repaired):
        DIAGNOSIS.judge(diagnoses, "b")

    @check("c: its fault, and what shows it", 0.8)
    def c(diagnoses, repaired):
        DIAGNOSIS.judge(diagnoses, "c")

    @check("d: its fault, and what shows it", 0.8)
    def d(diagnoses, repaired):
        DIAGNOSIS.judge(diagnoses, "d")

    @check("e: its fault, and what shows it", 0.8)
    def e(diagnoses, repaired):
        DIAGNOSIS.judge(diagnoses, "e")

    @check("c, mended", 1)
    def mended(diagnoses, repaired):
        for penalty in (0.0, 1.0):
            is_right(repaired, by_hand(), 2, penalty, 5)
        for beams, penalty in ((3, 0.0), (5, 1.0)):
            is_right(repaired, telling(beams, penalty), beams, penalty, 5)
        is_right(repaired, plain(1, 1.0), 1, 1.0, 5)


def by_hand() -> Follow:
    """A table in which two beams, one, two that do not compete and every text write four different texts."""
    a, b, c, d, e = draw.shuffled(LETTERS)
    table = {
        "": {a: 0.5, b: 0.3, c: 0.2},
        a: {d: 0.4, e: 0.35, b: 0.25},
        b: {d: 0.5, e: 0.3, a: 0.2},
        c: {d: 0.95, e: 0.05},
        a + d: {".": 0.4, e: 0.3, b: 0.3},
        a + e: {".": 0.8, b: 0.2},
        b + d: {".": 0.9, c: 0.1},
    }
    return lambda text: dict(table.get(text, {".": 1.0}))


def plain(beams: int, penalty: float) -> Follow:
    """A table in which it makes no difference whether an ended text takes the place of another."""
    while True:
        follow = drawn(4)
        if search(follow, beams, penalty, 5) == search(follow, beams, penalty, 5, refill=True):
            return follow


def telling(beams: int, penalty: float) -> Follow:
    """Such a table in which neither beams that do not compete nor a single beam write the right text."""
    while True:
        follow = plain(beams, penalty)
        given = follow, beams, penalty, 5
        if search(*given) not in (search(*given, keep=alone), search(follow, 1, penalty, 5)):
            return follow


def is_right(repaired, follow: Follow, beams: int, penalty: float, n: int) -> None:
    got = repaired(follow, beams, penalty, n)
    called = f"With a table of ours, {beams} beam{'s' * (beams > 1)}, penalty {penalty:g} and n = {n}"
    if not isinstance(got, str):
        raise Wrong(f"{called} repaired() gives {got!r:.60}; wanted a text.")
    wanted = search(follow, beams, penalty, n)
    if got != wanted:
        raise Wrong(f"{called} repaired() writes {got!r}; wanted {wanted!r}. {still(got, follow, beams, penalty, n)}")


def still(got: str, *given) -> str:
    follow, beams, penalty, n = given
    if got == search(*given, keep=alone):
        return "Each text still goes on with its own best token."
    if got == search(follow, 1, penalty, n):
        return "That is what a single beam writes: how many texts are kept at each step?"
    if got == search(follow, EVERY, penalty, n):
        return "That is what a search writes that keeps *every* text: keep the best `beams`."
    if got == search(follow, beams, 1 - penalty, n):
        return "That is what another penalty gives: score as the other four do with the penalty, not as one of them."
    return "At each step, put the continuations of *all* texts together, and keep the best `beams` of them."
