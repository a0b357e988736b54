"""Lesson 04's drawings. Their numbers are the trained translator's, which is about to write the first 1 of 11."""

from functools import cache

import torch
from architecture import CROSS, SELF, encoder_decoder
from kit import INK, LINE, LIT, QUIET, Drawing, tint
from matplotlib.patches import Rectangle

from transformer_lab import load
from transformer_lab.analysis.recording import record_heads

SOURCE, TARGET = "Sunday, November 22, 2026", "2026年11月22日星期日"
WRITTEN = ["2", "0", "2", "6", "nián"]  # and now the month: 11, November
BLOCK = 2  # counted from 1, as heads are below
ROWS = slice(1, 6)  # the rows that have read what is written
HEADS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")  # one colour a head, as in the lesson's explorer
PALE = "#D5DBE1"


@cache
@torch.no_grad()
def running_example():
    """(words, x, queries, weights, outputs, y) of the attention that is drawn: all heads, the rows of WRITTEN."""
    model, tokenizer = load("dates")
    source, _ = tokenizer.batch([SOURCE])
    target, _ = tokenizer.batch([TARGET], bos=True)
    layer, seen = model.decoder.blocks[BLOCK - 1].cross_attention, {}
    hook = layer.register_forward_hook(lambda _, inputs, output: seen.update(x=inputs[0][0], y=output[0]))
    with record_heads(model) as heads:
        model(source, target)
    hook.remove()
    head, v = heads["cross"][BLOCK - 1], layer.split(layer.w_v(model.encode(source)))[0]
    numbers = seen["x"], head.queries, head.weights, head.weights @ v, seen["y"]
    # Rounded, so that another CPU draws the same.
    return tokenizer.tokens(source[0].tolist()), *(n[..., ROWS, :].double().round(decimals=2) for n in numbers)


def where() -> Drawing:
    return encoder_decoder(load("dates")[0].config, SOURCE, "2 0 2 6 nián", "1", lit={SELF, CROSS}, with_heads=True)


def looks() -> Drawing:
    words, _, _, weights, *_ = running_example()
    drawing, left = Drawing(480, 370), 20
    drawing.text(left, 160, "written so far", 12, QUIET, "left")
    *_, asking = drawing.tokens(left, 186, [*WRITTEN, "?"], LIT, {len(WRITTEN)})
    drawing.text(asking.right[0] + 12, 186, "next comes the first 1 of 11", 12, QUIET, "left")
    for number, y, toward in ((3, 80, 1), (1, 292, -1)):
        color, row = HEADS[number - 1], weights[number - 1, -1].tolist()
        drawing.text(left, y - 56 * toward, f"head {number} reads, with weights", 12, INK, "left", bold=True)
        for box, weight in zip(drawing.tokens(left, y, words, color), row, strict=True):
            start, end = (box.bottom, asking.top) if toward > 0 else (box.top, asking.bottom)
            if weight > 0.05:
                drawing.arrow(start, end, color=color if weight > 0.1 else PALE, width=0.6 + 6 * weight)
            ink = INK if weight > 0.1 else QUIET
            drawing.text(box.x, y - 28 * toward, f"{weight:.2f}", 12, ink, bold=weight > 0.1)
    return drawing


def signed(number: float) -> str:
    return f"{number:.1f}".replace("-", "\u2212")


def task() -> Drawing:
    numbers = [0.3, 1.2, -0.5, 0.9, 0.4, -1.1, 0.7, 0.2]
    drawing, place = Drawing(560, 210), [122 + 57 * t for t in range(8)]
    drawing.text(16, 30, "position", 12, QUIET, "left")
    drawing.text(16, 66, "one of its\nnumbers", 12, QUIET, "left")
    drawing.text(16, 170, "wanted", 12, QUIET, "left")
    for t, number in enumerate(numbers):
        used, asks = t in (0, 3), t == 4
        drawing.text(place[t], 30, f"{t + 1}", 12, QUIET)
        drawing.box(place[t], 66, 48, 28, signed(number), HEADS[2] if t == 3 else HEADS[0] if t == 0 else PALE, used)
        wanted = signed(numbers[t - 1] - numbers[0]) if t > 1 else "–"
        drawing.box(place[t], 170, 48, 28, wanted, LIT if asks else PALE, asks)
    drawing.arrow((place[3], 80), (place[4] - 6, 156), color=HEADS[2], width=2.4)
    drawing.arrow((place[0], 80), (place[4] - 20, 156), color=HEADS[0], width=2.4)
    drawing.text(place[3] + 50, 112, "plus", 13, HEADS[2], bold=True)
    drawing.text(place[1] + 14, 134, "minus", 13, HEADS[0], bold=True)
    return drawing


def one() -> Drawing:
    drawing, middle = Drawing(460, 300), 230
    drawing.box(middle - 100, 36, 150, 30, "left neighbour: 0.9", HEADS[2])
    drawing.box(middle + 100, 36, 150, 30, "first: 0.3", HEADS[0])
    average = drawing.box(middle, 130, 160, 34, "a · 0.9 + b · 0.3")
    drawing.arrow((middle - 100, 51), (middle - 35, 112), "weight a ≥ 0", INK, beside=-24)
    drawing.arrow((middle + 100, 51), (middle + 35, 112), "weight b ≥ 0", INK, beside=24)
    factor = drawing.box(middle, 196, 160, 34, "times one factor m", LIT, lit=True)
    drawing.arrow(average.bottom, factor.top)
    drawing.arrow(factor.bottom, (middle, 240))
    drawing.text(middle, 256, "a and b go by position: both places get the sign of m.", 12, INK)
    drawing.text(middle, 276, "Wanted: 0.9 with plus, 0.3 with minus.", 12, QUIET)
    return drawing


def two() -> Drawing:
    drawing, middle = Drawing(460, 300), 230
    result = drawing.box(middle, 240, 160, 34, "0.9 − 0.3 = 0.6", LIT, lit=True)
    for side, name, read, number, factor, color in (
        (-1, "left neighbour: 0.9", "reads 0.9", 1, "times +1", HEADS[2]),
        (1, "first: 0.3", "reads 0.3", 2, "times −1", HEADS[0]),
    ):
        x = middle + 100 * side
        start = drawing.box(x, 36, 150, 30, name, color)
        head = drawing.box(x, 110, 130, 34, f"head {number} {read}", color)
        turned = drawing.box(x, 170, 130, 34, factor, color, lit=True)
        drawing.arrow(start.bottom, head.top, "weight 1", INK, beside=8 * side)
        drawing.arrow(head.bottom, turned.top, color=color)
        drawing.arrow(turned.bottom, (middle + 35 * side, result.top[1]), color=color)
    drawing.text(middle, 276, "W_O holds the factors, and sums the heads", 12, INK)
    return drawing


def cells(drawing, left, top, values, color, wide, high, gap=0):
    """Rows of small cells, the darker the larger the number (of either sign); `gap` pixels between rows."""
    largest = float(values.abs().max())
    for i, row in enumerate(values.abs().tolist()):
        for j, value in enumerate(row):
            place = left + j * wide, top + i * (high + gap)
            face = tint(color, 0.08 + 0.8 * value / largest)
            drawing.axes.add_patch(Rectangle(place, wide, high, facecolor=face, edgecolor="none", zorder=2))


def frame(drawing, left, top, width, height, color):
    place = left - 2, top - 2
    drawing.axes.add_patch(
        Rectangle(place, width + 4, height + 4, fill=False, edgecolor=color, linewidth=1.4, zorder=3)
    )


LEFT, WIDE, HIGH = 52, 6, 11  # where rows begin, and one number's size
BAND, TALL = 16 * WIDE, HIGH * len(WRITTEN)  # one head's numbers of a token; all rows


def sheets(drawing, top, values, wide):
    """Each head's own rows, side by side, in a frame of its colour."""
    for h, color in enumerate(HEADS):
        width = values.shape[-1] * wide
        left = LEFT + h * (BAND + 18) + (BAND - width) / 2
        cells(drawing, left, top, values[h], color, wide, HIGH)
        frame(drawing, left, top, width, TALL, color)


def cut() -> Drawing:
    words, x, queries, weights, outputs, y = running_example()
    drawing, gap, middle = Drawing(530, 890), 5, LEFT + 2 * BAND
    drawing.text(
        middle + 14, 32, "drawn: 5 of 13 rows; the darker,\nthe larger the number, of either sign", 11, QUIET, "left"
    )
    stages = {  # where its rows begin: (what they are, their shape, how they come about)
        56: ("x, one vector per token", "(13, 64)", ""),
        172: ("queries of all heads", "(13, 64)", "· W_Q: four matrices (64, 16)"),
        288: ("a token, then its heads", "(13, 4, 16)", "view: cut every row into four"),
        440: ("a head, then its tokens", "(4, 13, 16)", "transpose: swap tokens and heads"),
        556: ("weights on 10 tokens", f"(4, 13, {len(words)})", "with keys cut alike: softmax of scores"),
        672: ("outputs of the heads", "(4, 13, 16)", "times values, cut alike"),
        788: ("one vector per token", "(13, 64)", "the way back, then · W_O"),
    }
    for top, (name, shape, step) in stages.items():
        between = gap if top == 288 else 0  # here the rows stand apart
        above = top - 18 * (top == 440)  # here the heads have names
        for i, word in enumerate(WRITTEN):
            drawing.text(LEFT - 8, top + (i + 0.5) * HIGH + i * between, word, 11, QUIET, align="right")
        drawing.text(LEFT, above - 34, name, 12, INK, "left")
        drawing.text(LEFT, above - 16, shape, 12, INK, "left", bold=True)
        if step:
            drawing.arrow((middle, above - 46), (middle, above - 8))
            drawing.text(middle + 14, above - 27, step, 12, QUIET, "left")
    cells(drawing, LEFT, 56, x, QUIET, WIDE, HIGH)
    for h, color in enumerate(HEADS):
        cells(drawing, LEFT + h * BAND, 172, queries[h], color, WIDE, HIGH)
        cells(drawing, LEFT + h * (BAND + 8), 288, queries[h], color, WIDE, HIGH, gap)
        drawing.text(LEFT + h * (BAND + 18) + BAND / 2, 428, f"head {h + 1}", 11, INK)
    for i in range(len(WRITTEN)):
        frame(drawing, LEFT, 288 + i * (HIGH + gap), 4 * BAND + 24, HIGH, LINE)
    sheets(drawing, 440, queries, WIDE)
    sheets(drawing, 556, weights, 9)
    sheets(drawing, 672, outputs, WIDE)
    cells(drawing, LEFT, 788, y, QUIET, WIDE, HIGH)
    drawing.text(
        LEFT, 868, f"One column of the weights for each token, from {words[0]} to {words[-1]}.", 11, QUIET, "left"
    )
    return drawing


DRAWINGS = (where, looks, task, one, two, cut)
