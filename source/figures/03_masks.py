"""Lesson 03's drawings: which token may read which, while a model is trained and while it writes."""

from architecture import CROSS, FEED_FORWARD, SELF, Stack, encoder_decoder
from kit import INK, KEY, LIT, QUERY, QUIET, Drawing

from transformer_lab import load

BEGINNING = ["begin", "2", "0", "2", "6", "nián"]
GUESSED = ["2", "0", "2", "6", "nián", "1"]  # after each of them
CLOSED = "#B8C1CB"


def where() -> Drawing:
    config = load("dates")[0].config
    drawing = encoder_decoder(config, "Sunday, November 22, 2026", "2 0 2 6 nián", "1", lit={SELF, CROSS})
    bottom = 100 * drawing.figure.get_figheight() - 62
    encoder = Stack(drawing, config, 190, [SELF, FEED_FORWARD], -1)
    decoder = Stack(drawing, config, 510, [SELF, CROSS, FEED_FORWARD], 1)
    for number in range(config.n_layers):
        for stack in (encoder, decoder):
            for place, part in enumerate(stack.parts):
                if part != FEED_FORWARD:
                    y = stack.middle_of(stack.below(bottom, number), place)
                    icon(drawing, stack.x + 64, y, causal=stack is decoder and part == SELF)
    for y, causal, words in ((bottom - 92, True, "hides what\ncomes later"), (bottom - 48, False, "hides padding")):
        icon(drawing, 302, y, causal, cell=6)
        drawing.text(322, y, words, 11, align="left")
    return drawing


def icon(drawing: Drawing, x: float, y: float, causal: bool, cell=4) -> None:
    """A small mask: a triangle, or columns of which the last is closed. What is closed is pale."""
    is_open = [[1 if (j <= i if causal else j < 3) else 0.2 for j in range(4)] for i in range(4)]
    drawing.box(x, y, 4 * cell + 2, 4 * cell + 2, color="white", lit=True)
    drawing.matrix(x, y, is_open, cell=cell, numbers="")


def beginnings() -> Drawing:
    drawing = Drawing(520, 330)
    left, step, high, guess = 102, 54, 40, 470
    drawing.text(16, 26, "reads", 12, QUIET, "left")
    drawing.text(guess, 26, "must guess", 12, QUIET)
    for j in range(6):
        drawing.text(left + j * step, 26, f"key {j + 1}", 12, "#9A6B00")
    for i, guessed in enumerate(GUESSED):
        y = 62 + i * high
        drawing.text(16, y, f"query {i + 1}", 12, QUERY, "left")
        for j, word in enumerate(BEGINNING):
            seen = j <= i
            words, color = (word, KEY) if seen else ("", CLOSED)
            drawing.box(left + j * step, y, step - 6, 30, words, color, lit=j >= i)
        drawing.arrow((left + 5 * step + 28, y), (guess - 26, y))
        drawing.token(guess, y, guessed, LIT, lit=True, width=46)
    drawing.text(16, 310, "grey: hidden from this query by the mask", 12, QUIET, "left")
    return drawing


def training() -> Drawing:
    drawing = Drawing(500, 290)
    asking(drawing, 94, "trained with the mask:", "the answer is hidden, it has to guess")
    asking(drawing, 232, "trained without:", "the answer is one place to the right", peeks=True)
    return drawing


def writing() -> Drawing:
    drawing = Drawing(500, 290)
    asking(drawing, 94, "writing, trained with the mask:", "nothing is missing", is_whole=False)
    asking(drawing, 232, "writing, trained without:", "where the answer was, there is nothing", True, is_whole=False)
    return drawing


def asking(drawing: Drawing, y: float, name: str, words: str, peeks=False, is_whole=True) -> None:
    """What the query at nián reads: the tokens before it, and if it peeks those behind it, if the text is whole."""
    drawing.text(20, y - 70, name, 12, INK, "left", bold=True)
    drawing.text(32 + 6.6 * len(name), y - 70, words, 12, LIT if peeks else INK, "left")
    boxes = drawing.tokens(20, y, BEGINNING[:-1], KEY)
    query = drawing.token(boxes[-1].right[0] + 45, y, "nián", QUERY, lit=True, width=66)
    x = query.right[0] + 8
    for box in boxes:
        drawing.arrow(box.top, query.top, color=KEY, bend=-0.25, width=1)
    if is_whole:
        _, *later = drawing.tokens(x, y, ["1", "1", "yuè"], KEY if peeks else CLOSED, {0} if peeks else set())
        for box in later if peeks else ():
            drawing.arrow(box.top, query.top, color=KEY, bend=0.25, width=1)
    if peeks:
        answer = drawing.token(x + 15, y, "1" if is_whole else "?", LIT, lit=is_whole)
    if peeks and is_whole:
        drawing.arrow(answer.top, query.top, color=LIT, bend=0.7, width=1)
    drawing.text(query.x, y + 28, "What comes next?", 12, QUERY)


def cache() -> Drawing:
    drawing = Drawing(570, 350)
    words, cell = [*BEGINNING, "1"], 30
    for left, title, causal in ((74, "with the mask", True), (358, "without", False)):
        drawing.text(left - 15 + 3.5 * cell, 24, title, 13, bold=True)
        for i, row in enumerate(words):
            y = 84 + i * cell
            is_new = i == 6
            drawing.text(left - 22, y, row, 12, LIT if is_new else INK, "right", bold=is_new)
            drawing.text(left + i * cell, 54, row, 10, LIT if is_new else INK, bold=is_new)
            for j in range(7):
                seen = j <= i or not causal
                color = CLOSED if not seen else LIT if is_new or j == 6 else KEY
                drawing.box(left + j * cell, y, cell - 4, cell - 4, color=color, lit=True)
    drawing.text(146, 312, "The new token adds one row.\nNo old row reads it, so none changes.", 12)
    drawing.text(434, 312, "Every old row reads the new token,\nso everything must be computed again.", 12, LIT)
    return drawing


DRAWINGS = (where, beginnings, training, writing, cache)
