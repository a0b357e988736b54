"""Lesson 15: the checks of precision, recall and F1 of whole entities, for each type and for all."""

import math
from numbers import Real

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, settled
from .entity_faults import FAULTS, report

TYPES = "PER", "LOC", "ORG"


class entity_report:
    answers = ("entity_report(gold, predicted)",)

    @check("one sentence, whose entities do not touch", 1.5)
    def clean(entity_report):
        one_sentence(entity_report)

    @check("borders: entities that touch, that end with the sentence, that are a token too long or too short", 1.5)
    def borders(entity_report):
        settled(lambda: one_sentence(entity_report), "Entities that do not touch are")
        judge(entity_report, 2, lambda: [telling(lambda: [sentence(touching=True, borders=True)]) for _ in range(5)])

    @check("an I- tag that continues nothing", 1)
    def broken(entity_report):
        settled(lambda: one_sentence(entity_report), "Entities that do not touch are")
        judge(entity_report, 3, lambda: [telling(lambda: [broken_sentence()]) for _ in range(5)])

    @check("several sentences", 1)
    def several(entity_report):
        settled(lambda: one_sentence(entity_report), "One sentence is")
        judge(entity_report, 4, lambda: [telling(lambda: [opened_by_i() for _ in range(3)]) for _ in range(3)])

    @check("nothing there or nothing predicted, a hyphen, and lists that stay as they are", 1)
    def ends(entity_report):
        settled(lambda: one_sentence(entity_report), "One sentence is")
        extremes(entity_report)


def one_sentence(entity_report) -> None:
    judge(entity_report, 1, lambda: [telling(lambda: [sentence()]) for _ in range(5)])


def telling(make) -> list:
    """A case in which nothing is divided by 0 and not all is right."""
    while True:
        numbers = report(*apart_lists(case := make()))
        if all(map(all, numbers.values())) and numbers["all"] != (1.0, 1.0, 1.0):
            return case


def judge(entity_report, level: int, make) -> None:
    """make() -> cases, lists of (gold, predicted) sentences; drawn until each fault of this level is told from all."""
    while True:
        cases = make()
        rights = [report(*apart_lists(case)) for case in cases]
        if all_told_apart(level, cases, rights):
            break
    answers = [asked(entity_report, case) for case in cases]
    for case, got, wanted in zip(cases, answers, rights, strict=True):
        if problem := differs(got, wanted):
            told = [words for _, formula, *words in FAULTS if all(map(fits(formula), answers, cases))]
            look = LOOK if max(map(max, got.values()), default=0) <= 1 else ABOVE_1
            words = told[0] if told else [look if problem.endswith(".") and "; wanted" in problem else ""]
            raise Wrong(f"{problem} {words[0]}".strip() + f"\n{shown_as(case)}", *words[1:])


def all_told_apart(level: int, cases: list, rights: list[dict]) -> bool:
    """Does each fault of this level give other numbers than a right answer and than any other fault?"""
    seen = [rights]
    for of, formula, *_ in sorted(FAULTS, key=lambda fault: fault[0] != level):
        found = [formula(*apart_lists(case)) for case in cases]
        if of == level and found in seen or of != level and found in seen[1:]:
            return False
        if of == level:
            seen.append(found)
    return True


LOOK = (
    "List the entities of both sides as (sentence, type, first token, last token). A predicted one is right if the "
    "very same stands in the other list."
)
ABOVE_1 = "No share is above 1: the right ones are divided by all predicted ones, or by all in gold."


def fits(formula):
    return lambda got, case: not differs(got, formula(*apart_lists(case)))


def apart_lists(case: list) -> tuple[list, list]:
    return [gold for gold, _ in case], [predicted for _, predicted in case]


def shown_as(case: list) -> str:
    """The sentences of a case below each other."""
    lines = []
    for n, (gold, predicted) in enumerate(case):
        which = f" of sentence {n}" if len(case) > 1 else ""
        lines += [f"gold{which}: {' '.join(gold)}", f"predicted{which}: {' '.join(predicted)}"]
    return "\n".join(lines)


def asked(entity_report, case: list) -> dict:
    """What came back for a case, as a dictionary of triples of numbers."""
    gold, predicted = apart_lists([([*g], [*p]) for g, p in case])
    got = entity_report(gold, predicted)
    if not isinstance(got, dict):
        raise Wrong(
            f"entity_report() returned {kind_of(got)}; wanted a dictionary with (precision, recall, F1) for "
            'each type and for "all".'
        )
    for key, triple in got.items():
        if not isinstance(triple, (tuple, list)) or len(triple) != 3:
            raise Wrong(f"Under {key!r} stands {triple!r:.60}; wanted (precision, recall, F1).")
        if not all(isinstance(one, Real) or getattr(one, "ndim", None) == 0 for one in triple):
            raise Wrong(f"Under {key!r} stands {triple!r:.60}; wanted three numbers.")
    if gold != apart_lists(case)[0] or predicted != apart_lists(case)[1]:
        raise Wrong("entity_report() changed the lists it was given: whoever calls it loses them.")
    return {key: tuple(float(one) for one in triple) for key, triple in got.items()}


def differs(got: dict, wanted: dict) -> str:
    """The first difference, in words; an empty string if there is none."""
    if "all" not in got:
        return f'There is no "all"; the keys are {sorted(map(str, got))}.'
    for key in got:
        if key not in wanted:
            return f"There is {key!r}, but no entity of that type on either side."
    for key, right in wanted.items():
        if key not in got:
            return f"There is no {key!r}, though an entity of that type stands on at least one side."
        for name, one, other in zip(("precision", "recall", "F1"), got[key], right, strict=True):
            if not math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-9):
                if math.isnan(one):
                    return f"The {name} of {key!r} is nan: what would be 0 / 0 is 0 here."
                yours, wanted_one = apart(one, other)
                return f"The {name} of {key!r} is {yours}; wanted {wanted_one}."
    return ""


def sentence(touching: bool = False, borders: bool = False, n: int = 0, full: bool = False, types=TYPES) -> tuple:
    """The tags of both sides; the prediction is the gold one with a few mistakes. full: an entity at both ends."""
    n = n or draw.one_of(9, 10, 11)
    while True:
        found, t = [], 0 if full else draw.one_of(0, 1)
        while t < n:
            length = min(draw.one_of(1, 2, 3), n - t)
            found.append((draw.one_of(*types), t, t + length))
            t += length + (draw.one_of(0, 0, 1) if touching else draw.one_of(1, 2))
        if len(found) > 2 and (found[-1][2] == n) == (touching or full):
            break
    return tags_of(found, n), tags_of(mistaken(found, n, borders, types), n)


def mistaken(found: list, n: int, borders: bool, types) -> list:
    guessed = []
    for type_, start, end in found:
        taken = guessed[-1][2] if guessed else 0
        start = max(start, taken)
        if start >= end:
            continue
        what = draw.one_of("keep", "keep", "retype", "drop", *(("shorter", "longer", "later") if borders else ()))
        if what == "retype":
            type_ = draw.one_of(*[one for one in types if one != type_])
        if what == "longer" and end < n:
            end += 1
        if what == "shorter" and end - start > 1:
            end -= 1
        if what == "later" and end - start > 1:
            start += 1
        if what != "drop":
            guessed.append((type_, start, end))
    free = [t for t in range(n) if not any(start - 1 <= t <= end for _, start, end in guessed + found)]
    if free and draw.one_of(True, False):
        place = draw.one_of(*free)
        guessed.append((draw.one_of(*types), place, place + 1))
    return guessed


def tags_of(found: list, n: int) -> list[str]:
    tags = ["O"] * n
    for type_, start, end in found:
        tags[start:end] = [f"B-{type_}"] + [f"I-{type_}"] * (end - start - 1)
    return tags


def broken_sentence() -> tuple:
    """Some B- have become I-, on both sides."""
    return tuple([tag.replace("B-", draw.one_of("I-", "I-", "B-")) for tag in tags] for tags in sentence(touching=True))


def opened_by_i() -> tuple:
    """A sentence that begins and ends with an entity; where the first tag is a B- it has become an I-."""
    sides = sentence(touching=True, n=6, full=True)
    return tuple([tags[0].replace("B-", "I-"), *tags[1:]] for tags in sides)


def extremes(entity_report) -> None:
    for case, why in (
        (
            [(["O", "B-PER", "I-PER"], ["O", "O", "O"])],
            "Nothing is predicted: precision divides 0 by 0, and is 0 here.",
        ),
        ([(["O", "O", "O"], ["B-LOC", "O", "O"])], "There is nothing to find: recall divides 0 by 0, and is 0 here."),
        ([(["O", "O"], ["O", "O"]), (["O"], ["O"])], 'No entity stands on either side: "all" is (0, 0, 0).'),
        (
            [(["B-PER", "O", "B-LOC", "I-LOC"], ["B-ORG", "O", "B-LOC", "I-LOC"])],
            "A type that stands on one side only is listed too, with zeros.",
        ),
        (
            [(["B-work-of-art", "I-work-of-art", "O", "B-work"], ["B-work-of-art", "I-work-of-art", "O", "O"])],
            "A type may hold a hyphen: only the first one divides a tag.",
        ),
        (
            [(["B-work-of-art", "B-work-of-fiction", "O"], ["B-art", "O", "B-O"])],
            "A type may hold a hyphen, and be any word: only the first hyphen divides a tag.",
        ),
        (
            [(["B-work-of-art", "I-work-of-fiction"], ["B-work-of-art", "I-work-of-art"])],
            "An I- of another type begins an entity. Compare whole types, hyphens included.",
        ),
    ):
        problem = differs(asked(entity_report, case), report(*apart_lists(case)))
        if problem.startswith("There is no") and why.endswith("here."):  # 0 / 0 is not what is wrong
            why = "A type that stands on one side only is listed too."
        if problem:
            raise Wrong(f"{problem} {why}\n{shown_as(case)}")
