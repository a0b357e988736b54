"""Lesson 06's drawings. Sizes are the trained translator's, which is about to write the first 1 of 11."""

from itertools import product

import torch
from architecture import CROSS, FEED_FORWARD, HEIGHT, SELF, WIDTH, Stack, encoder_decoder
from kit import INK, LINE, LIT, QUIET, VALUE, Drawing
from matplotlib.patches import FancyArrowPatch

from transformer_lab import load
from transformer_lab.layers import Residual

SOURCE, TARGET = "Sunday, November 22, 2026", "2026年11月22日星期日"
BLOCK, ROW = 2, 5  # the decoder's block, counted from 1; the row that has read nián
PALE = "#D5DBE1"


def where() -> Drawing:
    config = load("dates")[0].config
    drawing = encoder_decoder(config, SOURCE, "2 0 2 6 nián", "1")
    bottom = 100 * drawing.figure.get_figheight() - 62
    encoder = Stack(drawing, config, 190, [SELF, FEED_FORWARD], -1)
    decoder = Stack(drawing, config, 510, [SELF, CROSS, FEED_FORWARD], 1)
    for stack in (encoder, decoder):
        for number in range(config.n_layers):
            for place in range(len(stack.parts)):
                y = stack.middle_of(stack.below(bottom, number), place)
                x = stack.x + stack.side * (WIDTH / 2 - 4)
                low, high, out = y + HEIGHT / 2 + 2, y - HEIGHT / 2 - 2, x + stack.side * (10 + 6 * (place % 2))
                drawing.axes.plot((x, out, out), (low, low, high), color=LIT, linewidth=2, zorder=4)
                head = FancyArrowPatch(
                    (out, high), (x - 6 * stack.side, high), arrowstyle="-|>", mutation_scale=9, color=LIT, linewidth=2,
                    shrinkA=0, shrinkB=0, zorder=4,
                )  # fmt: skip
                drawing.axes.add_patch(head)
    return drawing


@torch.no_grad()
def sizes() -> list[list[float]]:
    """[x, F(x), x + F(x)] of each sub-layer of the block: lengths of the vectors in the row; then the last x."""
    model, tokenizer = load("dates")
    source, target = tokenizer.batch([SOURCE])[0], tokenizer.batch([TARGET], bos=True)[0]
    found = []

    def note(_, inputs, output):
        x, sublayer = inputs
        f = sublayer(x)
        found.append([t[0, ROW].norm().item() for t in (x, f, x + f, output)])

    parts = [part for part in model.decoder.blocks[BLOCK - 1].modules() if isinstance(part, Residual)]
    hooks = [part.register_forward_hook(note) for part in parts]
    model(source, target)
    for hook in hooks:
        hook.remove()
    return [[round(size, 1) for size in row] for row in found]


def line(drawing: Drawing, xs, ys, color=LIT, width=4.0) -> None:
    drawing.axes.plot(xs, ys, color=color, linewidth=width, solid_capstyle="round", zorder=1)


def plus(drawing: Drawing, x: float, y: float) -> None:
    drawing.box(x, y, 22, 22, "+", LIT, lit=True, size=14)


def stream() -> Drawing:
    drawing, y, step = Drawing(700, 260), 190, 205
    found, thick = sizes(), 0.7
    names = "self-attention", "cross-attention", "feed-forward"
    drawing.text(20, 26, f"the decoder's block {BLOCK}, at the token nián: length of each vector", 12, QUIET, "left")
    for number, (name, (x_in, written, summed, x_out)) in enumerate(zip(names, found, strict=True)):
        left = 24 + step * number
        line(drawing, (left, left + 118), (y, y), width=thick * x_in)
        line(drawing, (left + 118, left + 170), (y, y), width=thick * summed)
        line(drawing, (left + 170, left + step + 20), (y, y), width=thick * x_out)
        drawing.text(left + 16, y + 26, f"{x_in:.1f}", 13, LIT, bold=True)
        drawing.text(left + 144, y + 26, f"{summed:.1f}", 13, LIT, bold=True)
        box = drawing.box(left + 82, 90, 120, 34, name, VALUE, size=13)
        drawing.arrow((left + 46, y), (left + 46, box.bottom[1]), "reads", QUIET, beside=-5)
        drawing.arrow((left + 118, box.bottom[1]), (left + 118, y - 10), color=VALUE, width=thick * written)
        drawing.text(left + 132, 138, f"writes {written:.1f}", 13, VALUE, "left", bold=True)
        plus(drawing, left + 118, y)
        drawing.box(left + 174, y, 40, 24, "norm", size=11)
    drawing.text(664, y + 26, f"{found[-1][-1]:.1f}", 13, LIT, bold=True)
    drawing.text(20, 242, "the residual stream", 13, LIT, "left", bold=True)
    return drawing


def one() -> Drawing:
    drawing = Drawing(700, 250)
    for x, name, goes_on in (
        (175, "a residual connection", "x + F(x) goes on"),
        (540, "without its skip", "F(x) goes on"),
    ):
        drawing.text(x, 26, name, 14, INK, bold=True)
        drawing.text(x, 52, goes_on, 13, QUIET)
    line(drawing, (130, 130), (226, 90))
    drawing.arrow((130, 100), (130, 72), color=LIT, width=4)
    branch(drawing, 130, 206, 116, ["sub-layer F"])
    drawing.text(114, 160, "skip", 13, LIT, "right", bold=True)
    drawing.text(292, 160, "branch", 13, VALUE, "left", bold=True)
    drawing.text(116, 226, "x", 14, LIT, bold=True)
    box = drawing.box(540, 161, 100, 28, "sub-layer F", VALUE, size=13)
    drawing.arrow((540, 226), box.bottom, color=VALUE)
    drawing.arrow(box.top, (540, 72), color=VALUE)
    drawing.text(526, 226, "x", 14, LIT, bold=True)
    return drawing


def placed() -> Drawing:
    drawing = Drawing(700, 430)
    for x, name, formula in ((175, "post-norm", "norm(x + F(x))"), (525, "pre-norm", "x + F(norm(x))")):
        drawing.text(x, 28, name, 15, INK, bold=True)
        drawing.text(x, 50, formula, 13, QUIET)
    for x in (110, 460):
        line(drawing, (x, x), (400, 86))
        drawing.arrow((x, 96), (x, 72), color=LIT, width=4)
        drawing.text(x - 14, 396, "x", 14, LIT, bold=True)
    for number in range(2):
        low = 380 - 150 * number
        branch(drawing, 110, low, low - 90, ["sub-layer F"])
        drawing.box(110, low - 122, 70, 26, "norm")
        branch(drawing, 460, low, low - 110, ["norm", "sub-layer F"])
    drawing.text(168, 86, "a norm on the line\nafter every addition", 12, QUIET, "left")
    drawing.text(518, 86, "nothing on the line\nbut additions", 12, QUIET, "left")
    return drawing


def branch(drawing: Drawing, x: float, low: float, high: float, parts: list[str]) -> None:
    """A branch that leaves the line at `low`, goes up through its parts and is added at `high`."""
    line(drawing, (x, x + 100), (low, low), VALUE, 1.6)
    below = low
    for number, part in enumerate(parts):
        y = low - 45 - 40 * number if len(parts) == 1 else low - 32 - 44 * number
        box = drawing.box(x + 100, y, 100, 28, part, LINE if part == "norm" else VALUE, size=13)
        drawing.arrow((x + 100, below), box.bottom, color=VALUE)
        below = box.top[1]
    line(drawing, (x + 100, x + 100), (below, high), VALUE, 1.6)
    drawing.arrow((x + 100, high), (x + 11, high), color=VALUE)
    plus(drawing, x, high)


def paths() -> Drawing:
    drawing = Drawing(700, 230)
    columns = "around all three", "through one", "through two", "through all three"
    placed_in = [0, 0, 0, 0]
    for through in product((False, True), repeat=3):
        n = sum(through)
        x, rows = 24 + 168 * n, (1, 3, 3, 1)[n]
        y = 118 + 48 * (placed_in[n] - (rows - 1) / 2)
        placed_in[n] += 1
        drawing.arrow((x, y), (x + 148, y), color=LIT, width=2.2)
        for number, goes in enumerate(through):
            if goes:
                drawing.box(x + 114 - 44 * number, y, 34, 28, f"J{number + 1}", VALUE, lit=True, size=13)
    for n, words in enumerate(columns):
        drawing.text(98 + 168 * n, 26, words, 13, INK, bold=True)
    drawing.text(98, 148, "the gradient\nas it was", 12, QUIET)
    drawing.text(24, 92, "top", 11, QUIET, "left")
    drawing.text(172, 92, "bottom", 11, QUIET, "right")
    drawing.text(602, 160, "without skips:\nonly this one", 12, QUIET)
    drawing.text(350, 210, "with skips: the sum of all eight", 13, LIT, bold=True)
    return drawing


DRAWINGS = (where, one, paths, placed, stream)
