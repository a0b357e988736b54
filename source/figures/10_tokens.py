"""Lesson 10's drawings. Merges are learnt, and words encoded, by the package; ids and rows are SmolLM2's."""

from kit import INK, KEY, LIT, QUERY, QUIET, VALUE, Box, Drawing
from matplotlib.patches import Arc, Circle

from transformer_lab.data.byte_pairs import apply_merges, learn_merges, merge_pair, split_words

TEXT, N_MERGES = "sing ring string spring in inn", 4
WORDS, IDS = ["The", " window", " is", " open"], [504, 5700, 314, 1440]
ROWS = [  # the first eight of their 576 numbers
    [0.11, 0.02, -0.09, 0.08, 0.09, -0.03, 0.05, 0.07],
    [0.16, 0.05, -0.05, -0.01, -0.01, 0.04, 0.12, 0.04],
    [-0.06, 0.01, -0.07, 0.04, 0.18, 0.07, -0.01, -0.08],
    [0.10, -0.05, 0.10, -0.19, -0.02, -0.15, -0.22, 0.03],
]


def shown(token: str) -> str:
    """A token with a sign for its space."""
    return token.replace(" ", "␣")


def where() -> Drawing:
    drawing = Drawing(700, 420)
    places = [230, 340, 450, 560]
    for y, name in ((385, "the text"), (330, "its tokens"), (275, "their ids"), (190, "a row of the\ntable each")):
        drawing.text(24, y, name, 12, QUIET, "left")
    drawing.text(395, 385, '"The window is open"', 15, INK, bold=True)
    for x, word, number, values in zip(places, WORDS, IDS, ROWS, strict=True):
        token = drawing.token(x, 330, shown(word), KEY, lit=True, width=96)
        drawing.arrow((x, 374), token.bottom)
        one = drawing.token(x, 275, f"{number:,}", LIT, lit=True, width=96)
        drawing.arrow(token.top, one.bottom)
        row = drawing.vector(x, 190, values, QUERY, cell=10)
        drawing.arrow(one.top, row.bottom)
        drawing.arrow(row.top, (x, 112))
    drawing.box(395, 92, 430, 40, "30 blocks, built in lessons 02 to 09")
    drawing.arrow((395, 72), (395, 52))
    drawing.text(395, 36, "a probability for each of 49,152 tokens to come next", 12, INK)
    drawing.text(24, 92, "the model", 12, QUIET, "left")
    drawing.text(24, 36, "what it says", 12, QUIET, "left")
    return drawing


def row(drawing: Drawing, left: float, y: float, tokens: list[str], joined: str) -> float:
    """A word's tokens from the left, the ones equal to `joined` lit; returns where the next word may begin."""
    for token in tokens:
        width = 9 * len(token) + 8
        drawing.box(left + width / 2, y, width, 26, shown(token), LIT if token == joined else KEY, token == joined, 12)
        left += width + 1.5
    return left + 8


def merging() -> Drawing:
    merges = learn_merges(TEXT, N_MERGES)
    drawing = Drawing(800, 40 + 46 * (N_MERGES + 1))
    words = [list(word) for word in split_words(TEXT)]
    for number, pair in enumerate([None, *merges]):
        y, joined = 40 + 46 * number, "".join(pair or ())
        words = [merge_pair(word, pair) if pair else word for word in words]
        n_tokens = sum(map(len, words))
        rule = f"{number}.  {shown(pair[0])} + {shown(pair[1])}" if pair else "letters"
        drawing.text(20, y, rule, 12, LIT if pair else QUIET, "left", bold=bool(pair))
        left = 112.0
        for word in words:
            left = row(drawing, left, y, word, joined)
        drawing.text(784, y, f"{n_tokens} tokens", 11, QUIET, "right")
    return drawing


def ranks() -> Drawing:
    merges, word = learn_merges(TEXT, N_MERGES), " ingot"
    drawing = Drawing(700, 250)
    drawing.text(24, 30, "merges, in the order in which they were learnt", 11, QUIET, "left")
    for number, (left, right) in enumerate(merges):
        drawing.box(90 + 140 * number, 62, 124, 28, f"{number + 1}.  {shown(left)} + {shown(right)}", LIT)
    tokens = list(word)
    for line, y in enumerate((112, 162, 212)):
        known = [merges.index(pair) for pair in zip(tokens, tokens[1:], strict=False) if pair in merges]
        joined = "" if not line else "".join(merges[best])
        row(drawing, 24, y, tokens, joined)
        if known:
            names = " and ".join(f"{shown(''.join(merges[rank]))} (number {rank + 1})" for rank in sorted(known))
            best = min(known)
            words = f"possible: {names}; the smallest number wins" if len(known) > 1 else f"possible: {names}"
            tokens = merge_pair(tokens, merges[best])
        else:
            words = "no pair of neighbours is in the list: done"
        drawing.text(250, y, words, 11, INK, "left")
    assert tokens == apply_merges(word, merges)
    return drawing


def ten(drawing: Drawing, x: float, y: float) -> None:
    """The Chinese sign for ten: two strokes that cross."""
    for ends in (((x - 10, x + 10), (y - 3, y - 3)), ((x, x), (y - 11, y + 11))):
        drawing.axes.plot(*ends, color=INK, linewidth=2, solid_capstyle="round", zorder=4)


def smile(drawing: Drawing, x: float, y: float) -> None:
    """A smiling face."""
    drawing.axes.add_patch(Circle((x, y), 11, facecolor="white", edgecolor=INK, linewidth=1.4, zorder=4))
    for side in (-4, 4):
        drawing.axes.add_patch(Circle((x + side, y - 3), 1.4, color=INK, zorder=5))
    drawing.axes.add_patch(Arc((x, y + 1), 11, 10, theta1=20, theta2=160, color=INK, linewidth=1.4, zorder=5))


def letters(drawing: Drawing, x: float, character: str, color: str) -> Box:
    """A character over its bytes."""
    data, pictures = character.encode(), {"十": ten, "🙂": smile}
    top = drawing.box(x, 42, 54, 34, "" if character in pictures else character, color, lit=True, size=17)
    if character in pictures:
        pictures[character](drawing, x, 42)
    for place, byte in enumerate(data):
        at = x + 44 * (place - (len(data) - 1) / 2)
        box = drawing.box(at, 110, 40, 26, str(byte), color)
        drawing.arrow(top.bottom, box.top)
    drawing.text(x, 142, f"{len(data)} byte" + "s" * (len(data) > 1), 11, QUIET)
    return top


def characters() -> Drawing:
    drawing = Drawing(620, 160)
    for x, character, color in ((70, "e", QUERY), (190, "é", QUERY), (340, "十", VALUE), (520, "🙂", KEY)):
        letters(drawing, x, character, color)
    return drawing


DRAWINGS = (where, merging, ranks, characters)
