"""Lesson 10: the checks of four claims about a model: what could have refuted each, and two controls, counted."""

import math
from collections import Counter
from dataclasses import dataclass

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import apart, chosen, one_number
from ..diagnosis import Diagnosis, snippets
from .controls_faults import ALWAYS, DEALT, by_always, by_dealt
from .merging import drawn_letters

# The lists that the notebook prints; test_diagnoses.py holds its numbers against what is said here.
PROBES = {
    "always one letter": "It says how often one is right who knows no word at all. No answer of Owl's enters into it.",
    "answers dealt out": "It leaves the third letters that Owl says, and takes away to which word it says them.",
    "first letters asked": "It shows that Owl knows letters which it does not see. It does not show what Owl makes of "
    "letters in sight.",
    "first letters, random rows": "It shows that the probe reads no letter off where there is none. But Owl's rows did "
    "not begin as random numbers.",
    "first letters, rows before training": "It shows which first letters stood in the rows from the beginning.",
    "last letters asked, with commas": "It shows how many last letters Owl names when it sees them.",
    "last letters, no endings": "It shows what is left of the last letters where grammar gives none away.",
    "last letters, shuffled": "It shows that the probe cannot learn just any letters. It could learn grammar.",
}
VERDICTS = {"refuted": "", "stands": ""}


@dataclass(frozen=True)
class Claim:
    """Of a claim: what could have refuted it, whether it did, and what to tell who chooses otherwise."""

    probe: str
    verdict: str
    suppose: str
    compare: str


CLAIMED = {
    "a": Claim(
        "first letters, rows before training",
        "refuted",
        "Suppose that training did nothing: could the letters be in the rows all the same? What did the rows begin as?",
        "94 % after training, 93 % before it: how much has training put there?",
    ),
    "b": Claim(
        "last letters asked, with commas",
        "refuted",
        "The claim says what would be if Owl saw the letters. Where does it see them?",
        "13 % without seeing the letters, 15 % with all of them in sight: did that help?",
    ),
    "c": Claim(
        "last letters, no endings",
        "stands",
        "Suppose that the rows hold grammar and no letters: on which words would the probe fail?",
        "46 % of all words, 44 % of those without such an ending, where 19 % can be had for nothing: was it grammar?",
    ),
    "d": Claim(
        "answers dealt out",
        "stands",
        "Suppose that Owl pays no heed to the word, and says each letter as often as it does: how many would be right?",
        "Lay the 30 % beside `dealt`, the second number. (`always` is no measure for it: who is right less often than "
        "that may still listen to the words.)",
    ),
}


@dataclass(frozen=True)
class Claims(Diagnosis):
    """For each claim the probe that could have refuted it, and whether it did."""

    def __str__(self) -> str:
        return 'a dictionary {"a": (what could have refuted it, "refuted" or "stands"), ...}'

    def title(self, snippet: str) -> str:
        return f"{snippet}: what could have refuted it, and whether it did"

    def judge(self, diagnoses, snippet: str) -> None:
        probe, verdict = self.pair(diagnoses, snippet)
        claim = CLAIMED[snippet]
        probe = chosen(probe, tuple(self.faults), f"what could have refuted {snippet}")
        if probe != claim.probe:
            raise Wrong(f"Claim {snippet} could not be refuted by {probe!r}. {self.faults[probe]} {claim.suppose}")
        verdict = chosen(verdict, tuple(self.observations), f"the verdict on {snippet}")
        if verdict != claim.verdict:
            raise Wrong(f"{probe!r} could have refuted claim {snippet}. But not {verdict!r}: {claim.compare}")

    def pair(self, diagnoses, snippet: str) -> tuple:
        if diagnoses is None:
            raise NotDone("fill in the dictionary, run its cell, then run this one again.")
        if not isinstance(diagnoses, dict):
            raise Wrong(f"This is of type {type(diagnoses).__name__}; wanted {self}.")
        given = diagnoses.get(snippet)
        if given is None:
            raise NotDone(
                f'write "{snippet}": (what could have refuted it, "refuted" or "stands") into the dictionary.'
            )
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise Wrong(
                f'For claim {snippet} stands {given!r:.60}; wanted a pair: (what was tried, "refuted" or "stands").'
            )
        if given[0] in self.observations or given[1] in self.faults:
            raise Wrong(f"Claim {snippet}: what was tried comes first, and the verdict second.")
        return tuple(given)


CLAIMS = Claims(PROBES, VERDICTS, {name: (one.probe, one.verdict, one.suppose) for name, one in CLAIMED.items()})


class controls(snippets(CLAIMS, 2)):
    answers = (CLAIMS, "controls(said, right)")

    @check("always one letter, counted", 0.5)
    def always(refuting, controls):
        cases = answered_cases()
        judge([numbers(controls, case)[0] for case in cases], cases, by_always, ALWAYS, "always")

    @check("answers dealt out, counted", 1.5)
    def dealt(refuting, controls):
        cases = answered_cases()
        judge([numbers(controls, case)[1] for case in cases], cases, by_dealt, DEALT, "dealt")


def answered_cases() -> list[tuple[str, str]]:
    """(said, right): short ones and long ones; each says letters that are never right, and none that often are."""
    cases = []
    for n in (*draw.shuffled((5, 7, 12)), 60, 400):
        letters = drawn_letters(6)
        there = [*letters[:4], letters[1], letters[1]]  # the most frequent one is not the model's favourite
        right = [letters[1], *(there[i] for i in draw.integers(6, n - 1).tolist())]
        spoken = [*letters[2:], letters[5], letters[5]]
        said = [spoken[i] for i in draw.integers(6, n).tolist()]
        said = [b if u < 0.3 else a for a, b, u in zip(said, right, draw.uniform(n).tolist(), strict=True)]
        said[0], said[-1] = right[0], letters[5]
        cases.append(("".join(said), "".join(right)))
    a, b, c = drawn_letters(3)
    return [*cases, (a + b, b + a), (a, a), (a, b), (3 * a + c, 4 * b), (" é" + a, "é " + a)]


def numbers(controls, case: tuple[str, str]) -> tuple[float, float]:
    """The two numbers of the answer."""
    got = controls(*case)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Wrong(f"controls() gives {got!r:.60}; wanted two numbers: `return always, dealt`.")
    return one_number(got[0], "always"), one_number(got[1], "dealt")


def judge(got: list[float], cases: list[tuple[str, str]], right, faults, name: str) -> None:
    for mine, case in zip(got, cases, strict=True):
        wanted = right(*case)
        if not math.isclose(mine, wanted, rel_tol=1e-5, abs_tol=1e-9):
            yours, fine = apart(mine, wanted)
            told = next((words for way, words in faults if same(way, got, cases)), counted(name, *case))
            said, there = (repr(text) if len(text) < 40 else f"{len(text)} letters" for text in case)
            raise Wrong(f"controls({said}, {there}): `{name}` is {yours}; wanted {fine}. {told}")


def same(way, got: list[float], cases: list[tuple[str, str]]) -> bool:
    return all(
        math.isclose(mine, way(*case), rel_tol=1e-5, abs_tol=1e-9) for mine, case in zip(got, cases, strict=True)
    )


def counted(name: str, said: str, right: str) -> str:
    if name == "always":
        letter, n = Counter(right).most_common(1)[0]
        return f"Who says {letter!r} every time is right for {n} of {len(right)} words."
    return (
        "Each answer comes to each of the words in the same share of all orders, one in n. So count how many pairs of "
        "an answer and a word fit, of all n * n. Nothing has to be drawn."
    )
