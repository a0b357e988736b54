"""Lesson 07's drawings. Their numbers are the trained translator's, which reads three dates."""

import torch
from architecture import CROSS, FEED_FORWARD, HEIGHT, SELF, WIDTH, Stack, encoder_decoder
from kit import INK, LIT, QUIET, Drawing, tint
from matplotlib.patches import Rectangle

from transformer_lab import load

DATES = ["Sunday, November 22, 2026", "Friday, March 13, 2026", "Monday, December 31, 1999"]
SHOWN = (("Sunday", 0), ("November", 2))  # two tokens of the first date, and their positions
N_TOKENS, N_FEATURES, CELL = 3, 5, 18  # so much of each date is drawn
PALE, BAR = "#EEF1F4", "#5B7F9E"


def where() -> Drawing:
    config = load("dates")[0].config
    drawing = encoder_decoder(config, DATES[0], "2 0 2 6 nián", "1")
    bottom = 100 * drawing.figure.get_figheight() - 62
    above = 1 if config.norm_position == "post" else -1
    for x, side, parts in ((190, -1, [SELF, FEED_FORWARD]), (510, 1, [SELF, CROSS, FEED_FORWARD])):
        stack = Stack(drawing, config, x, parts, side)
        for number in range(config.n_layers):
            for place in range(len(parts)):
                y = stack.middle_of(stack.below(bottom, number), place) - above * (HEIGHT / 2 + 3)
                drawing.axes.add_patch(Rectangle((x - WIDTH / 2, y - 4), WIDTH, 8, facecolor=LIT, zorder=4))
    return drawing


def sheet(drawing: Drawing, left: float, top: float, words: list[str], lit) -> None:
    """The vectors of a date's first tokens, a row each; lit(token, feature) says which numbers are averaged."""
    for t, word in enumerate(words):
        drawing.text(left - 6, top + (t + 0.5) * CELL, word, 13, align="right")
        for d in range(N_FEATURES):
            colour = tint(LIT, 0.75) if lit(t, d) else PALE
            corner = (left + d * CELL, top + t * CELL)
            drawing.axes.add_patch(Rectangle(corner, CELL, CELL, facecolor=colour, edgecolor="white", zorder=2))


def groups() -> Drawing:
    _, tokenizer = load("dates")
    words = [tokenizer.tokens(tokenizer.encode(date))[:N_TOKENS] for date in DATES]
    drawing = Drawing(700, 366)
    for number in range(3):
        drawing.text(235 + 182 * number, 24, f"date {number + 1}", 13, QUIET)
    rows = (
        ("over the\nfeatures", "one token", lambda b, t, d: (b, t) == (0, 2)),
        ("over the\nbatch", "one feature,\nin all dates", lambda b, t, d: (t, d) == (2, 3)),
        ("over time", "one feature,\nat all tokens", lambda b, t, d: (b, d) == (0, 3)),
    )
    for row, (name, meaning, lit) in enumerate(rows):
        top = 48 + 106 * row
        drawing.text(16, top + 12, name, 14, INK, "left", bold=True)
        drawing.text(16, top + 50, meaning, 13, QUIET, "left")
        for b in range(3):
            sheet(drawing, 190 + 182 * b, top, words[b], lambda t, d, b=b, lit=lit: lit(b, t, d))
    return drawing


@torch.no_grad()
def entering() -> list[torch.Tensor]:
    """Of each token shown: the vector that enters the first layer norm of the encoder, (64,)."""
    model, tokenizer = load("dates")
    seen = {}
    norm = model.encoder.blocks[0].attention_residual.norm
    hook = norm.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0][0]))
    model.encode(tokenizer.batch(DATES[:1])[0])
    hook.remove()
    return [seen["x"][place].double().round(decimals=2) for _, place in SHOWN]  # rounded: another CPU draws the same


def bars(drawing: Drawing, left: float, middle: float, values: torch.Tensor, color: str) -> None:
    """A vector as bars up and down from a line, and its mean as a dashed line."""
    drawing.axes.plot((left, left + 192), (middle, middle), color=QUIET, linewidth=0.8, zorder=1)
    for number, value in enumerate(values.tolist()):
        height = round(-15 * value, 1)
        drawing.axes.add_patch(Rectangle((left + 3 * number, middle), 2.2, height, facecolor=color, zorder=2))
    mean = middle - 15 * round(values.mean().item(), 2)
    drawing.axes.plot((left, left + 192), (mean, mean), color=LIT, linewidth=1.8, linestyle="--", zorder=3)


def steps() -> Drawing:
    drawing = Drawing(700, 390)
    for column, words in enumerate(("a vector, 64 numbers", "minus its mean", "divided by its deviation")):
        drawing.text(120 + 230 * column, 24, words, 13, INK, bold=True)
    for row, ((word, _), x) in enumerate(zip(SHOWN, entering(), strict=True)):
        middle = 118 + 180 * row
        centred = x - x.mean()
        for column, values in enumerate((x, centred, centred / x.std(unbiased=False))):
            bars(drawing, 24 + 230 * column, middle, values, BAR)
            mean, deviation = values.mean().item(), values.std(unbiased=False).item()
            numbers = f"mean {abs(mean) * (1 if mean > 0.005 else -1 if mean < -0.005 else 0):.2f}"
            drawing.text(120 + 230 * column, middle + 76, f"{numbers}, deviation {deviation:.2f}", 13, QUIET)
            if column:
                drawing.arrow((222 + 230 * (column - 1), middle), (248 + 230 * (column - 1), middle))
        drawing.text(24, middle - 64, word, 13, INK, "left", bold=True)
    return drawing


DRAWINGS = (where, groups, steps)
