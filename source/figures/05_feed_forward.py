"""Lesson 05's drawings. The numbers in `alone` are the trained translator's, which reads a date in November."""

import torch
from architecture import FEED_FORWARD, encoder_decoder
from kit import CARD, INK, LIT, QUERY, QUIET, VALUE, Drawing, Point, tint
from matplotlib.patches import Circle, Rectangle

from transformer_lab import load

SOURCE = "Sunday, November 22, 2026"
SHOWN = [0, 2, 3]  # three of the ten words
PALE = "#D5DBE1"


@torch.no_grad()
def running_example():
    """(words, x, hidden, y) of the feed-forward layer in the encoder's first block."""
    model, tokenizer = load("dates")
    source, _ = tokenizer.batch([SOURCE])
    layer, seen = model.encoder.blocks[0].feed_forward, {}
    hook = layer.register_forward_hook(lambda _, inputs, output: seen.update(x=inputs[0][0], y=output[0]))
    model.encode(source)
    hook.remove()
    numbers = seen["x"], layer.w_1(seen["x"]).relu(), seen["y"]
    # Rounded, so that another CPU draws the same.
    return tokenizer.tokens(source[0].tolist()), *(tensor.double().round(decimals=2) for tensor in numbers)


def where() -> Drawing:
    return encoder_decoder(load("dates")[0].config, SOURCE, "2 0 2 6 nián", "1", lit={FEED_FORWARD})


def lying(drawing: Drawing, left: float, y: float, values, color: str, cell=10) -> None:
    """A vector as a row of cells, the darker the larger the number (either sign); a number that is 0 is white."""
    largest = max(map(abs, values)) or 1
    for place, value in enumerate(values):
        face = tint(color, abs(value) / largest)
        drawing.axes.add_patch(
            Rectangle((left + cell * place, y - 9), cell, 18, facecolor=face, edgecolor=color, linewidth=0.6, zorder=2)
        )


def bars(drawing: Drawing, left: float, y: float, values, color: str, cell=10) -> None:
    """A vector as a row of bars: up for plus, down for minus."""
    largest = max(map(abs, values)) or 1
    drawing.axes.plot([left, left + cell * len(values)], [y, y], color=color, linewidth=0.8, zorder=2)
    for place, value in enumerate(values):
        drawing.axes.add_patch(
            Rectangle((left + cell * place + 1, y), cell - 2, -16 * value / largest, facecolor=color, zorder=2)
        )


def alone() -> Drawing:
    words, x, hidden, y = running_example()
    drawing = Drawing(700, 300)
    for place, name, size in (
        (168, "x", "10 of 64"),
        (378, "hidden units", "20 of 256"),
        (588, "what it adds", "10 of 64"),
    ):
        drawing.text(place, 34, f"{name}\n{size} numbers", 11, INK)
    for row, word in enumerate(SHOWN):
        height = 92 + 56 * row
        drawing.token(60, height, words[word], LIT if word == 2 else QUIET, word == 2, width=96)
        lying(drawing, 118, height, x[word, :10].tolist(), QUERY)
        lying(drawing, 278, height, hidden[word, :20].tolist(), LIT)
        lying(drawing, 538, height, y[word, :10].tolist(), VALUE)
        drawing.arrow((222, height), (274, height))
        drawing.arrow((482, height), (534, height))
        if row:
            drawing.axes.plot([14, 686], [height - 28] * 2, color=PALE, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    drawing.text(248, 252, "up\nW₁, b₁, ReLU", 11, QUIET)
    drawing.text(508, 252, "down\nW₂, b₂", 11, QUIET)
    drawing.text(60, 252, "three of\nten tokens", 11, QUIET)
    drawing.text(378, 252, "white: silent", 11, QUIET)
    drawing.text(350, 284, "the same W₁, b₁, W₂, b₂ in every row; no arrow leads from one row to another", 11, INK)
    return drawing


@torch.no_grad()
def at_work(largest: bool) -> tuple[int, float, list[float], list[float]]:
    """(unit, w_1 x + b_1, ten numbers of its row, ten of its column): the loudest unit at November, or the quietest."""
    _, x, _, _ = running_example()
    layer = load("dates")[0].encoder.blocks[0].feed_forward
    before = layer.w_1(x[2].float())
    unit = int(before.argmax() if largest else before.argmin())
    row, column = layer.w_1.weight[unit, :10], layer.w_2.weight[:10, unit]
    return unit, before[unit].item(), *(part.double().round(decimals=2).tolist() for part in (row, column))


def unit() -> Drawing:
    words, x, _, _ = running_example()
    drawing = Drawing(700, 280)
    detects, writes = "its row of W₁ (10 of 64):\nwhat it detects", "its column of W₂ (10 of 64):\nwhat it writes"
    for place, name in ((216, detects), (338, "agreement\nwith x, plus b₁"), (438, "ReLU"), (588, writes)):
        drawing.text(place, 34, name, 11, INK)
    drawing.token(64, 116, words[2], LIT, True, width=96)
    bars(drawing, 14, 158, x[2, :10].tolist(), QUERY)
    drawing.text(64, 190, "x, 10 of 64", 11, QUIET)
    drawing.text(64, 207, "up: plus, down: minus", 9, QUIET)
    for height, largest in ((92, True), (192, False)):
        number, before, row, column = at_work(largest)
        amount = max(before, 0)
        bars(drawing, 166, height, row, LIT)
        drawing.arrow((120, 140 if largest else 152), (160, height), color=QUERY)
        drawing.arrow((270, height), (308, height))
        drawing.box(338, height, 54, 28, f"{before:.1f}".replace("-", "\u2212"), LIT if largest else QUIET)
        drawing.arrow((368, height), (408, height))
        drawing.box(438, height, 54, 28, f"{amount:.1f}", LIT if largest else QUIET, lit=largest)
        drawing.arrow((468, height), (530, height))
        drawing.text(499, height - 12, f"× {amount:.1f}", 11, LIT if largest else QUIET)
        bars(drawing, 538, height, column if largest else [0] * 10, VALUE if largest else PALE)
        said = f"unit {number} fires, and so {amount:.1f} times its column is added" if largest else (
            f"unit {number} is silent, and writes nothing")  # fmt: skip
        drawing.text(430, height + 32, said, 11, LIT if largest else QUIET)
    drawing.text(350, 264, "the layer's output: what all 256 write, and b₂", 11, INK)
    return drawing


def point(drawing: Drawing, place: Point, lit: bool, words: str, beside: Point) -> None:
    drawing.axes.add_patch(
        Circle(place, 9, facecolor=LIT if lit else CARD, edgecolor=LIT if lit else INK, linewidth=1.8, zorder=5)
    )
    drawing.text(place[0] + beside[0], place[1] + beside[1], words, 12)


def line(drawing: Drawing, start: Point, end: Point, color: str, style="-", width=1.4) -> None:
    drawing.axes.plot(*zip(start, end, strict=True), color=color, linestyle=style, linewidth=width, zorder=2)


def fold() -> Drawing:
    drawing = Drawing(700, 320)

    def before(a: float, b: float) -> Point:
        return 90 + 130 * a, 240 - 130 * b

    def after(first: float, second: float) -> Point:
        return 440 + 95 * first, 240 - 95 * second

    for start, end in ((before(-0.2, 0), before(1.5, 0)), (before(0, -0.2), before(0, 1.5)),
                       (after(-0.2, 0), after(2.45, 0)), (after(0, -0.2), after(0, 1.55))):  # fmt: skip
        drawing.arrow(start, end, color=PALE)
    for place, name in ((before(1.6, 0), "a"), (before(0, 1.6), "b")):
        drawing.text(*place, name, 12, QUIET)
    drawing.text(*after(2.2, -0.2), "unit 1", 12, QUIET)
    drawing.text(*after(0, 1.7), "unit 2", 12, QUIET)
    line(drawing, before(1.3, -0.3), before(-0.3, 1.3), QUERY, ":")  # along it both units say the same
    drawing.text(*before(0.98, 0.5), "squeeze along\nthis line", 11, QUERY)
    point(drawing, before(0, 0), False, "0 0", (22, 20))
    point(drawing, before(1, 0), True, "1 0", (-6, 24))
    point(drawing, before(0, 1), True, "0 1", (28, -12))
    point(drawing, before(1, 1), False, "1 1", (26, -16))
    line(drawing, after(0, 0), after(1, 0), QUERY, width=2.6)
    line(drawing, after(1, 0), after(2.2, 1.2), QUERY, width=2.6)
    line(drawing, after(0.3, -0.1), after(2.4, 0.95), VALUE, "--", 2)
    point(drawing, after(0, 0), False, "0 0", (-2, 24))
    point(drawing, after(1, 0), True, "1 0 and 0 1", (4, 24))
    point(drawing, after(2, 1), False, "1 1", (-26, -12))
    drawing.arrow((322, 150), (392, 150), color=QUERY, width=2.2)
    drawing.text(357, 118, "two\nhidden units", 11, QUERY)
    drawing.text(190, 296, "the four inputs: orange where XOR is 1", 12, INK)
    drawing.text(545, 296, "squeezed, then bent; and one straight line", 12, INK)
    return drawing


def points() -> Drawing:
    drawing = Drawing(700, 300)

    def place(a: float, b: float) -> Point:
        return 280 + 120 * a, 236 - 120 * b

    for end, name in (((1.6, 0), "a"), ((0, 1.6), "b")):
        drawing.arrow(place(*(-0.15 * number for number in end)), place(*end), color=PALE)
        drawing.text(*place(*(1.06 * number for number in end)), name, 12, QUIET)
    for total in (0.55, 1.45):  # two lines that fail
        line(drawing, place(total + 0.2, -0.2), place(total - 1.25, 1.25), VALUE, "--", 1.6)
    point(drawing, place(0, 0), False, "0 0", (-24, 18))
    point(drawing, place(1, 0), True, "1 0", (2, 26))
    point(drawing, place(0, 1), True, "0 1", (-28, 0))
    point(drawing, place(1, 1), False, "1 1", (28, -12))
    drawing.text(110, 110, "orange:\nXOR is 1", 13, LIT)
    drawing.text(590, 110, "each line leaves a white\npoint with the orange ones", 13, VALUE)
    return drawing


DRAWINGS = (where, alone, unit, points, fold)
