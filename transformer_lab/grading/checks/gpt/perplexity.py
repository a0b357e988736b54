"""Lesson 14: the checks of the perplexity of a text that is longer than the model can read at once."""

import math

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, settled
from .long_text import Text, filling
from .perplexity_faults import FAULTS

# Text, window and stride. No stride is half its window: an overlap must not look like a stride.
INNER = (41, 12, 5), (52, 13, 4), (47, 11, 7)
COLD = (43, 9, 8), (50, 10, 9), (37, 8, 7)
ENDS = (30, 12, 7), (33, 13, 9), (28, 11, 4)


class perplexity:
    answers = ("perplexity(nats_of, ids, window, stride)",)

    @check("a text that is read at once", 1)
    def at_once(perplexity):
        once(perplexity)

    @check("windows that overlap", 2.5)
    def overlapping(perplexity):
        settled(lambda: once(perplexity), "A text that is read at once is")
        judge(perplexity, [filling(*draw.one_of(*INNER)) for _ in range(3)] + [filling(*draw.one_of(*COLD))])

    @check("where the text ends", 1.5)
    def ends(perplexity):
        settled(lambda: once(perplexity), "A text that is read at once is")
        T, window, stride = draw.one_of(*ENDS)
        for length in range(T, T + stride):
            judge(perplexity, [Text(length, window, stride)])

    @check("which pieces are read, and that ids stay as they are", 1)
    def pieces(perplexity):
        settled(lambda: once(perplexity), "A text that is read at once is")
        for T, window, stride in (draw.one_of(*INNER), draw.one_of(*COLD), draw.one_of(*ENDS), (12, 12, 5), (2, 9, 4)):
            read_right(perplexity, Text(T, window, stride))


def once(perplexity) -> None:
    judge(perplexity, [Text(T, window, 5) for T, window in ((9, 14), (12, 12), (2, 8))])


LOOK = "Add up the nats of all ids but the first, each in the first piece that judges it; divide by T - 1; then exp."


def judge(perplexity, texts: list[Text]) -> None:
    answers = [text.asked(perplexity) for text in texts]
    for text, got in zip(texts, answers, strict=True):
        wanted = text.wanted()
        if math.isclose(got, wanted, rel_tol=1e-5):
            continue
        told = [words for formula, *words in FAULTS if all(map(fits(formula), answers, texts))] or [[LOOK]]
        yours, right = apart(got, wanted)
        called = f"A text of {text.T} ids, window {text.window}, stride {text.stride}"
        raise Wrong(f"{called}: {yours}; wanted {right}. {told[0][0]}", *told[0][1:])


def fits(formula):
    return lambda got, text: math.isclose(got, formula(text), rel_tol=1e-6)


def read_right(perplexity, text: Text) -> None:
    text.asked(perplexity)
    wanted = text.pieces()
    if text.read == wanted:
        return
    called = f"A text of {text.T} ids, window {text.window}, stride {text.stride}:"
    shown = [f"{start} to {end - 1}" for start, end in text.read]
    if text.read[: len(wanted)] == wanted:
        raise Wrong(
            f"{called} ids {shown[len(wanted) - 1]} reach the end, and nats_of was asked again all the same, about "
            f"{shown[len(wanted)]}. That costs time, and adds nothing."
        )
    if sorted(set(text.read)) == wanted:
        raise Wrong(f"{called} nats_of was asked twice about the same piece. A model's time is dear: keep the list.")
    n = next((n for n, pair in enumerate(zip(text.read, wanted, strict=False)) if pair[0] != pair[1]), len(shown))
    piece = f"ids {wanted[n][0]} to {wanted[n][1] - 1}"
    if n == len(shown):
        raise Wrong(f"{called} after ids {shown[-1]} nats_of was asked no more; {piece} are still to be read.")
    raise Wrong(f"{called} piece {n + 1} holds ids {shown[n]}; wanted {piece}.")
