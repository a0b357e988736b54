"""Lesson 10: the checks of question 4, five broken tokenizers: what is wrong with each, and one of them mended."""

import re

from ...checking import Wrong, check
from ..diagnosis import Diagnosis, snippets
from .encode import by_hand, many_words, repetitions
from .encode_faults import FIRST, SHARED, by_choice, in_the_text, once_each, sharing_separators
from .merging import by_rank, drawn_letters

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "first pair from the left": "Then the leftmost known pair is joined, however late it was learnt.",
        "spaces dropped": "Then the tokens put together are not the text.",
        "last learnt first": "Then the pair is joined that stands last in `merges`.",
        "joins letters, not tokens": "Then a merge also takes the end of a longer token.",
        "no words": "Then a token may begin in one word and end in the next.",
        "one place only": "Then of a pair that stands twice in a word one stays apart.",
        "longest match": "Then the order of the merges says nothing: only which tokens there are.",
    },
    observations={
        "merges bc, ab, cd: abcd becomes ab cd": "that is so for two of the five.",
        "merges xa, ab: xab becomes xab": "that is so where a merge can take a part of a token.",
        "merges ab, a bc: abc becomes abc": "that is so where a token is taken that these merges cannot reach.",
        "merges ab, cd: abcd becomes ab cd": "a right tokenizer does that too.",
        "merges bc, ab, a bc: abc becomes ab c": "that is so where a pair that was learnt late goes first.",
        "one space and two give the same tokens": "that is so where the text cannot be had back.",
        "merge e and a space: in the text be on a token ends in a space": "that is so where words do not count.",
    },
    snippets={
        "a": (
            "longest match",
            "merges ab, a bc: abc becomes abc",
            "It never asks where a merge stands in the list.",
        ),
        "b": (
            "no words",
            "merge e and a space: in the text be on a token ends in a space",
            "Merges learnt word by word hide it: give it one that was not.",
        ),
        "c": (
            "joins letters, not tokens",
            "merges xa, ab: xab becomes xab",
            "It looks for `a|b` in a text: what may stand before that a?",
        ),
        "d": (
            "first pair from the left",
            "merges bc, ab, a bc: abc becomes ab c",
            "It asks whether a pair is known, and not since when.",
        ),
        "e": (
            "spaces dropped",
            "one space and two give the same tokens",
            "Each word is encoded as it should be; look at what is between the words.",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 3)):
    answers = (DIAGNOSIS, "repaired(text, merges)")

    @check("c, mended", 1)
    def mended(diagnoses, repaired):
        for word, merges in [*by_hand(), *repetitions(), *many_words()]:
            is_right(repaired, f"{word} {word[::-1]}  {word}", merges)
        for text, merges in with_signs():
            is_right(repaired, text, merges)


def with_signs() -> list[tuple[str, list]]:
    """Texts whose merges hold spaces, signs that mean something to regular expressions, and borders of words."""
    a, b, c = drawn_letters(3)
    return [
        (f"{a}{b} {b}{a} {b}", [(b, " "), (" ", b), (" " + b, a)]),
        (f"{a}.{b} {a}..{b} {a}{c}{b}", [(a, "."), (a + ".", b), (".", ".")]),
        (f"{a}+({b})? {a}{a}({b}", [("(", b), (a, "+"), ("(" + b, ")"), (a + "+", "(" + b + ")")]),
        (f"{a}'{b} {a}1 2{c}\n{c}\\", [("'", b), (a, "'" + b), (a, "1"), ("2", c), (c, "\\")]),
    ]


def words_of(text: str) -> list[str]:
    """As the notebook has it: a word keeps the space before it."""
    return re.findall(r" ?\S+|\s", text)


def is_right(repaired, text: str, merges: list) -> None:
    given = list(merges)
    got = repaired(text, given)
    called = f"repaired({text!r}, {merges})"
    if given != merges:
        raise Wrong(f"repaired() changed its list of merges: {merges} became {given}.")
    if not isinstance(got, (list, tuple)) or not all(isinstance(token, str) for token in got):
        raise Wrong(f"{called} is {got!r:.60}; wanted a list of tokens, as texts.")
    if "".join(got) != text:
        raise Wrong(f"{called} is {list(got)}: put together that is not the text.")
    wanted = [token for word in words_of(text) for token in by_rank(word, merges)]
    if list(got) != wanted:
        raise Wrong(f"{called} is {list(got)}; wanted {wanted}. {still(list(got), text, merges)}")


def still(got: list[str], text: str, merges: list) -> str:
    if got == [token for word in words_of(text) for token in in_the_text(word, merges)]:
        return "Parts of tokens are joined as before."
    if got == by_rank(text, merges):
        return "Pairs are joined across the border between two words now: cut the text with words_of, as before."
    for way, words in (
        (sharing_separators, SHARED),
        (once_each, "A pair that stands several times in a word is joined in one place only now."),
        (by_choice(lambda places, *_: places[0]), f"Now the first known pair from the left is joined. {FIRST}"),
    ):
        if got == [token for word in words_of(text) for token in way(word, merges)]:
            return words
    return "Compare whole tokens with the two of the pair, merge by merge."
