"""Lesson 01's drawings: a table of vectors, vectors as arrows, a matrix as a machine, a loss, and its way back."""

import torch
from architecture import EMBEDDING, SCORES, encoder_decoder
from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing, Point, tint
from matplotlib.patches import Rectangle

from transformer_lab import load

FAINT = "#D5DBE1"
A, B = (3, 1), (1, 2)
W = torch.tensor([[2, 1], [-1, 1]])
X = torch.tensor([[2, 1], [0, 3], [1, -1]])
SCORES_BY_HAND, TARGET = torch.tensor([2.0, 1.0, 0.0]), 1  # of the tokens 1, 2 and 3; the second is right


class Plane:
    """A plane with its origin at a place of the drawing, and so many pixels a unit; seen through a window, in units."""

    def __init__(self, drawing: Drawing, x: float, y: float, unit: float, window=((-9, -9), (9, 9))):
        self.drawing, self.x, self.y, self.unit = drawing, x, y, unit
        (left, bottom), (right, top) = (self.at(corner) for corner in window)
        self.window = Rectangle((left, top), right - left, bottom - top, transform=drawing.axes.transData)

    def at(self, point) -> Point:
        return self.x + self.unit * float(point[0]), self.y - self.unit * float(point[1])

    def line(self, start, end, color=FAINT, style="-", width=1.0) -> None:
        (x, y), (other_x, other_y) = self.at(start), self.at(end)
        [line] = self.drawing.axes.plot(
            [x, other_x], [y, other_y], color=color, linestyle=style, linewidth=width, zorder=1.5
        )
        line.set_clip_path(self.window)

    def grid(self, right: range, up: range, machine=((1, 0), (0, 1))) -> None:
        """Lines one unit apart, after the machine has worked on them."""
        for i in right:
            self.line(through(machine, (i, up[0])), through(machine, (i, up[-1])), LINE if i == 0 else FAINT)
        for j in up:
            self.line(through(machine, (right[0], j)), through(machine, (right[-1], j)), LINE if j == 0 else FAINT)

    def arrow(self, end, color, words="", beside=(0.0, 0.0), start=(0, 0)) -> None:
        self.drawing.arrow(self.at(start), self.at(end), color=color, width=2.4, above=True)
        x, y = self.at(end)
        self.drawing.text(x + beside[0], y + beside[1], words, 12, color, bold=True)


def through(machine, point) -> Point:
    """A row vector times a matrix of 2 x 2."""
    (a, b), (c, d) = machine
    return float(point[0] * a + point[1] * c), float(point[0] * b + point[1] * d)


def where() -> Drawing:
    config = load("dates")[0].config
    return encoder_decoder(config, "Sunday, November 22, 2026", "2 0 2 6 nián", "1", lit={EMBEDDING, SCORES})


@torch.no_grad()
def table() -> Drawing:
    model, tokenizer = load("dates")
    rows = model.embedding.tokens.weight.double().round(decimals=2)
    november, shown = tokenizer.encode("November")[0], 12
    drawing, cell = Drawing(700, 250), 22
    word = drawing.token(70, 125, "November", KEY, lit=True)
    number = drawing.box(190, 125, 44, 30, str(november), KEY, lit=True)
    drawing.arrow(word.right, number.left)
    for x, words in ((70, "token"), (190, "id"), (432, f"the table: {len(rows)} rows of {rows.shape[1]} numbers")):
        drawing.text(x, 24, words, 12, QUIET)
    for place, id in enumerate(range(november - 2, november + 3)):
        y, is_it = 59 + 33 * place, id == november
        drawing.text(292, y, f"{id} {tokenizer.tokens([id])[0]}", 11, INK if is_it else QUIET, bold=is_it)
        strip(drawing, 346, y, rows[id, :shown], cell, LIT if is_it else QUIET)
        drawing.text(346 + shown * cell + 14, y, "…", 12, QUIET)
    for y in (38, 212):
        drawing.text(432, y, "⋮", 12, QUIET)
    drawing.arrow(number.right, (246, 125), color=LIT)
    drawing.text(432, 234, "row 20 is where November starts", 12, LIT)
    drawing.text(20, 218, "the darker, the further from 0;\ngreen: below 0,\ngrey or orange: above", 10, QUIET, "left")
    return drawing


def strip(drawing: Drawing, left: float, y: float, values, cell: float, color: str) -> None:
    """A vector as a row of cells, the darker the further from 0 the number; those below 0 in the colour of values."""
    largest = float(values.abs().max())
    for place, value in enumerate(values.tolist()):
        face = tint(color if value > 0 else VALUE, 0.85 * abs(value) / largest)
        drawing.axes.add_patch(
            Rectangle((left + place * cell, y - cell / 2), cell, cell, facecolor=face,
                      edgecolor=color, linewidth=0.5, zorder=2)
        )  # fmt: skip


def arrows() -> Drawing:
    drawing = Drawing(700, 250)
    for x, words in ((120, "a vector is an arrow"), (350, "a sum: one after the other"), (580, "a dot product: a · b")):
        drawing.text(x, 26, words, 12, bold=True)
    first, second, third = (Plane(drawing, x, 190, 42) for x in (50, 275, 510))
    first.line((0, 0), (3, 0), LINE, ":", 1.6)
    first.line((3, 0), (3, 1), LINE, ":", 1.6)
    first.arrow(A, QUERY, "a = (3, 1)", (-26, -16))
    drawing.text(*first.at((1.5, -0.3)), "3 to the right", 11, QUIET)
    drawing.text(*first.at((3.1, 0.5)), "1 up", 11, QUIET, "left")
    second.arrow(A, QUERY)
    second.arrow((4, 3), VALUE, start=A)
    second.arrow((4, 3), LIT, "a + b = (4, 3)", (-52, -12))
    drawing.text(*second.at((2.1, 0.35)), "a", 12, QUERY, bold=True)
    drawing.text(*second.at((3.8, 1.8)), "b", 12, VALUE, bold=True)
    share = sum(i * j for i, j in zip(A, B, strict=True)) / sum(i * i for i in A)
    shadow = (share * A[0], share * A[1])
    third.line(B, shadow, LINE, ":", 1.6)
    third.arrow(A, QUERY, "a", (12, 0))
    third.arrow(B, VALUE, "b", (4, -12))
    third.line((0, -0.12), (shadow[0], shadow[1] - 0.12), LIT, "-", 5)
    drawing.text(*third.at((0.75, -0.2)), "b's shadow on a: 1.6", 11, LIT, "left")
    for x, words in ((120, "length √(3² + 1²) = 3.2"), (350, "(3 + 1, 1 + 2)"), (580, "3·1 + 1·2 = 5 = 1.6 × 3.2")):
        drawing.text(x, 228, words, 12, QUIET)
    return drawing


def machine() -> Drawing:
    drawing = Drawing(700, 300)
    before = Plane(drawing, 80, 232, 46, ((-1.2, -1.2), (2.7, 3.7)))
    after = Plane(drawing, 502, 232, 46, ((-1.8, -1.2), (3.9, 3.7)))
    before.grid(range(-2, 5), range(-2, 5))
    after.grid(range(-6, 7), range(-6, 7), W.tolist())
    for plane, (first, second, x), names in (
        (before, ((1, 0), (0, 1), (2, 1)), ("(1, 0)", "(0, 1)", "x = (2, 1)")),
        (after, ((2, 1), (-1, 1), (3, 3)), ("(2, 1)", "(-1, 1)", "x W = (3, 3)")),
    ):
        plane.arrow(x, LIT, names[2], (-14, -14))
        plane.arrow(first, QUERY, names[0], (16, 16))
        plane.arrow(second, VALUE, names[1], (-6, -16))
    cells(drawing, 312, 150, W, row_colors=(QUERY, VALUE))
    drawing.text(312, 100, "the machine W", 12, bold=True)
    drawing.arrow((226, 150), (266, 150))
    drawing.arrow((358, 150), (398, 150))
    drawing.text(312, 206, "row 1: where\n(1, 0) lands", 11, QUERY)
    drawing.text(312, 244, "row 2: where\n(0, 1) lands", 11, VALUE)
    drawing.text(350, 24, "x is twice the blue arrow plus the green one, before and after", 12, LIT)
    return drawing


def cells(drawing: Drawing, x: float, y: float, values, row_colors=(), lit=(), cell=36) -> None:
    """A matrix of whole numbers around a place; lit holds the cells (row, column) to be seen first."""
    left, top = x - cell * values.shape[1] / 2, y - cell * values.shape[0] / 2
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            is_lit = (i, j) in lit
            color = LIT if is_lit else row_colors[i] if row_colors else LINE
            middle = (left + (j + 0.5) * cell, top + (i + 0.5) * cell)
            drawing.box(*middle, cell - 2, cell - 2, f"{value:g}", color, lit=is_lit, size=13)


def product() -> Drawing:
    drawing = Drawing(700, 240)
    result = X @ W
    cells(drawing, 150, 120, X, lit={(1, 0), (1, 1)})
    cells(drawing, 330, 120, W, lit={(0, 1), (1, 1)})
    cells(drawing, 530, 120, result, lit={(1, 1)})
    for x, words in ((240, "@"), (430, "=")):
        drawing.text(x, 120, words, 16, QUIET)
    for y, words in ((84, "x"), (120, "another"), (156, "a third")):
        drawing.text(104, y, words, 11, QUIET, "right")
    for x, words in ((150, "X  (3, 2)"), (330, "W  (2, 2)"), (530, "X @ W  (3, 2)")):
        drawing.text(x, 28, words, 13, bold=True)
    drawing.text(350, 206, f"row times column: 0 · 1 + 3 · 1 = {result[1, 1]}", 13, LIT)
    return drawing


def by_hand() -> Drawing:
    drawing = Drawing(700, 246)
    exponentials = SCORES_BY_HAND.double().exp()
    p = exponentials / exponentials.sum()
    places = (110, 250, 400, 590)
    for x, words in zip(places, ("score z", "made positive", "probability p", "loss, if it is right"), strict=True):
        drawing.text(x, 26, words, 12, bold=True)
    for row in range(3):
        y = 74 + 52 * row
        numbers = SCORES_BY_HAND[row], exponentials[row], p[row], -p[row].log()
        drawing.token(42, y, str(row + 1), KEY)
        for place, (x, number) in enumerate(zip(places, numbers, strict=True)):
            digits = 0 if place == 0 else 2
            drawing.box(x, y, 74, 34, f"{number:.{digits}f}", VALUE if place == 2 else LINE, lit=place == 2, size=13)
        for start, end in zip(places, places[1:], strict=False):
            drawing.arrow((start + 38, y), (end - 38, y))
    total = f"{exponentials.sum():.2f}"
    for x, words in ((180, "exp"), (325, f"÷ {total}"), (495, "− ln")):
        drawing.text(x, 56, words, 12, LIT, bold=True)
    for x, words in ((250, f"sum {total}"), (400, "sum 1.00")):
        drawing.text(x, 222, words, 12, QUIET)
    drawing.text(42, 26, "token", 12, bold=True)
    return drawing


def loop() -> Drawing:
    drawing = Drawing(700, 300)
    p = SCORES_BY_HAND.double().softmax(dim=0)
    back = p.clone()
    back[TARGET] -= 1
    table_, scores = drawing.box(90, 90, 116, 44, "table W"), drawing.box(270, 90, 120, 44, "scores z = x W")
    chances = drawing.box(450, 90, 120, 44, "p = softmax(z)", VALUE)
    loss = drawing.box(616, 90, 110, 44, "loss: −ln p\nof the target", LIT, lit=True)
    drawing.text(270, 152, "x", 12, bold=True)
    drawing.arrow((270, 142), scores.bottom)
    for start, end in ((table_, scores), (scores, chances), (chances, loss)):
        drawing.arrow(start.right, end.left)
    for box, words in (
        (scores, "2      1      0"), (chances, "  ".join(f"{number:.2f}" for number in p)),
        (loss, f"{-p[TARGET].log():.2f}, if 2 is right"),
    ):  # fmt: skip
        drawing.text(box.x, 52, words, 12, QUIET)
    drawing.text(20, 24, "forwards: how wrong is it?", 12, bold=True, align="left")
    drawing.text(20, 280, "backwards: whose fault is it?", 12, LIT, "left", bold=True)
    slope = drawing.box(450, 200, 170, 44, "gradient at z: p − y", LIT)
    drawing.text(450, 236, "  ".join(f"{number:.2f}" for number in back), 12, LIT)
    to_table = drawing.box(240, 200, 150, 44, "gradient at W", LIT)
    drawing.arrow(loss.bottom, (slope.right[0], 200), color=LIT, bend=-0.25)
    drawing.arrow(slope.left, to_table.right, color=LIT)
    drawing.arrow(to_table.left, table_.bottom, color=LIT, bend=-0.25)
    drawing.text(72, 222, "a step:\nsubtract\na little of it", 11, LIT, "center")
    return drawing


DRAWINGS = (where, table, arrows, machine, product, by_hand, loop)
