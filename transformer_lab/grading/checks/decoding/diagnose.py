"""Lesson 12: the checks of question 4, five broken beam searches: what is wrong with each, and one of them mended."""

from ...checking import Wrong, check
from ...draw import draw
from ..diagnosis import Diagnosis, snippets
from .searching import LETTERS, Follow, alone, drawn, each_some, every_end, losing_beams, search

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
Case = tuple[Follow, int, float, int]  # follow, beams, penalty, n


class diagnose(snippets(DIAGNOSIS, 4)):
    answers = (DIAGNOSIS, "repaired(follow, beams, penalty, n)")

    @check("c, mended", 1)
    def mended(diagnoses, repaired):
        cases = [(by_hand(), 2, penalty, 5) for penalty in (0.0, 1.0)]
        cases += [telling(3, 0.0, 5), telling(5, 1.0, 5), (plain(1, 1.0, 5), 1, 1.0, 5)]
        cases += [apart_from(way, *setting) for setting, way, _ in WAYS if setting]
        are_right(repaired, cases)


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


def plain(beams: int, penalty: float, n: int) -> Follow:
    """A table in which it makes no difference whether an ended text takes the place of another."""
    while True:
        follow = drawn(4 if n > 4 else 3)
        if search(follow, beams, penalty, n) == search(follow, beams, penalty, n, refill=True):
            return follow


def telling(beams: int, penalty: float, n: int) -> Case:
    """Such a table in which neither beams that do not compete nor a single beam write the right text."""
    while True:
        given = plain(beams, penalty, n), beams, penalty, n
        if search(*given) not in (search(*given, keep=alone), search(given[0], 1, penalty, n)):
            return given


def apart_from(way, beams: int, penalty: float, n: int) -> Case:
    """Such a table in which this way does not write the right text."""
    while True:
        given = plain(beams, penalty, n), beams, penalty, n
        if search(*given) != way(*given):
            return given


def steps(more: int):
    return lambda follow, beams, penalty, n: search(follow, beams, penalty, n + more)


def scored(score):
    return lambda *given: search(*given, scored=score)


# (beams, penalty and n that tell it apart, or None; a wrong repair; what to tell those who write it)
WAYS = (
    (None, lambda *given: search(*given, keep=alone), "Each text still goes on with its own best token."),
    (
        None,
        lambda follow, beams, penalty, n: search(follow, 1, penalty, n),
        "That is what a single beam writes: how many texts are kept at each step?",
    ),
    (
        (2, 0.0, 4),
        lambda *given: search(*given, keep=each_some),
        "Each text leaves its best `beams` continuations, and all of these stay: of all of them together only the best "
        "`beams` do.",
    ),
    (
        None,
        lambda follow, beams, penalty, n: search(follow, EVERY, penalty, n),
        "That is what a search writes that keeps *every* text: keep the best `beams`.",
    ),
    (
        None,
        lambda follow, beams, penalty, n: search(follow, beams, 1 - penalty, n),
        "That is what another penalty gives: score as the other four do with the penalty, not as one of them.",
    ),
    (
        None,
        lambda follow, beams, penalty, n: search(follow, beams, -penalty, n),
        "The penalty is turned round, as in d: a larger one is to favour longer texts.",
    ),
    (None, lambda follow, beams, penalty, n: search(follow, beams, 0.0, n), "The penalty has no effect."),
    (
        None,
        lambda follow, beams, penalty, n: search(follow, beams, 1.0, n),
        "The penalty has no effect: the score is always the mean of a text's tokens.",
    ),
    (
        (3, 0.0, 2),
        lambda *given: search(*given, choose=lambda ended, texts: ended or texts),
        "Only a text that has ended comes back, if there is one: the best of *all* may be one that has not.",
    ),
    (
        (3, 0.0, 3),
        lambda *given: search(*given, choose=lambda ended, texts: texts or ended),
        "A text that has not ended comes back, if there is one: the best of *all* may be one that has.",
    ),
    ((3, 1.0, 2), steps(1), "It makes n + 1 steps."),
    ((3, 1.0, 3), steps(-1), "It makes n - 1 steps."),
    (
        (3, 0.5, 4),
        scored(lambda total, length, penalty: total / max(length - 1, 1) ** penalty),
        "A text's length is one too small: the full stop is one of its characters.",
    ),
    (
        (3, 0.5, 4),
        scored(lambda total, length, penalty: total / (length * penalty or 1)),
        "The length is multiplied by the penalty; wanted its power.",
    ),
    (
        (2, 1.0, 4),
        losing_beams,
        "Each text that ends leaves one beam fewer for good: at each step the best `beams` continuations are kept.",
    ),
    (
        (2, 0.0, 4),
        every_end,
        "A text that ends is put aside although it is not among the best `beams`: then it is dropped like any other.",
    ),
)


def are_right(repaired, cases: list[Case]) -> None:
    texts = [text_of(repaired(*given), given) for given in cases]
    for given, got in zip(cases, texts, strict=True):
        wanted = search(*given)
        if got != wanted:
            told = (words for _, way, words in WAYS if texts == [way(*given) for given in cases])
            look = "At each step, put the continuations of *all* texts together, and keep the best `beams` of them."
            raise Wrong(f"{called(given)} writes {got!r}; wanted {wanted!r}. {next(told, look)}")


def text_of(got, given: Case) -> str:
    if not isinstance(got, str):
        raise Wrong(f"{called(given)} gives {got!r:.60}; wanted a text.")
    return got


def called(given: Case) -> str:
    _, beams, penalty, n = given
    return f"With a table of ours, {beams} beam{'s' * (beams > 1)}, penalty {penalty:g} and n = {n} repaired()"
