"""Lesson 14's drawings: the ladder, a page of examples, and two models from their configurations."""

from architecture import FEED_FORWARD, SELF, Stack
from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing

from transformer_lab import TransformerConfig

NANO = TransformerConfig.preset("nano", vocab_size=512)
GPT2, SMOL = TransformerConfig.preset("gpt2"), TransformerConfig.preset("smollm2-135m")
TEXT = "... a file that it opened (and closes again) when the with statement"


def where() -> Drawing:
    """Four models under one text: each sees so much of it, and all say the same kind of thing."""
    drawing = Drawing(800, 330)
    rungs = (
        ("pairs", "sees 1 character", 1, "counts"),
        ("n-grams", "sees 4 characters", 4, "counts"),
        (
            "nano",
            f"sees {NANO.max_len} tokens: more than this line",
            len(TEXT),
            f"{NANO.n_layers} blocks, width {NANO.d_model}",
        ),
        (
            "SmolLM2",
            f"sees {SMOL.max_len:,} tokens: many pages",
            len(TEXT),
            f"{SMOL.n_layers} blocks, width {SMOL.d_model}",
        ),
    )
    drawing.text(24, 30, "all four begin with one question: what comes next?", 13, INK, "left", True)
    left, right = 190, 610
    step = (right - left) / len(TEXT)
    for number, (name, sees, n, made_of) in enumerate(rungs):
        y = 270 - 62 * number
        drawing.box(94, y, 130, 44, "", LIT, lit=False)
        drawing.text(94, y - 8, name, 13, INK, bold=True)
        drawing.text(94, y + 10, made_of, 9, QUIET)
        drawing.box((left + right) / 2, y, right - left, 26, "", LINE)
        width = n * step
        drawing.box(right - width / 2, y, max(width, 4), 26, "", KEY, lit=True)
        for place, letter in enumerate(TEXT):
            color, x = INK if place >= len(TEXT) - n else QUIET, left + (place + 0.5) * step
            drawing.axes.text(x, y + 4, letter, fontsize=7, color=color, ha="center", va="baseline", zorder=4)
        drawing.text(left, y + 24, sees, 10, QUIET, "left")
        drawing.arrow((right, y), (650, y))
        drawing.token(690, y, "next?", QUERY, lit=True, width=70)
    drawing.text(776, 306, "shaded: what it can see", 10, QUIET, "right")
    return drawing


def examples() -> Drawing:
    """The examples are a text that is read; no weight changes."""
    drawing = Drawing(800, 250)
    drawing.text(24, 30, "the text that it reads", 12, QUIET, "left")
    lines = (("up:", "down"), ("buy:", "sell"), ("hot:", "cold"), ("rich:", "?"))
    for number, (question, answer) in enumerate(lines):
        y = 66 + 42 * number
        drawing.token(90, y, question, KEY, width=90)
        if answer == "?":
            drawing.token(200, y, answer, LIT, lit=True, width=90)
        else:
            drawing.token(200, y, answer, VALUE, width=90)
    drawing.text(290, 108, "examples", 12, VALUE, "left")
    drawing.text(290, 192, "the question", 12, LIT, "left")
    model = drawing.box(500, 129, 150, 70, "the model", QUERY, size=14)
    drawing.text(500, 190, "its weights stay as they are", 11, QUIET)
    drawing.arrow((380, 129), model.left)
    drawing.arrow(model.right, (650, 129))
    drawing.text(715, 129, "which token\ncomes next?", 13, INK)
    return drawing


def configs() -> Drawing:
    """One block of GPT-2 and one of SmolLM2, and what their configurations say."""
    drawing = Drawing(800, 330)
    names = {"layer": "layer norm", "rms": "RMSNorm"}
    for x, side, name, config in ((200, -1, "GPT-2", GPT2), (600, 1, "SmolLM2", SMOL)):
        drawing.text(x, 28, f"{name}: {config.n_layers} such blocks", 14, INK, bold=True)
        Stack(drawing, config, x, [SELF, FEED_FORWARD], side).block(170, 1)
        drawing.arrow((x, 190), (x, 170))
        drawing.arrow((x, 78), (x, 58))
        heads = config.n_kv_heads or config.n_heads
        rows = (
            f"width {config.d_model}, {config.n_heads} heads of {config.head_width}",
            f"keys and values for {heads} heads",
            f"norm: {names[config.norm]}, before each part",
            f"positions: {config.positions}",
            f"inside feed-forward: {config.activation}",
            f"biases: {'yes' if config.bias else 'no'};  sees {config.max_len:,} tokens",
        )
        for line, words in enumerate(rows):
            drawing.text(x, 206 + 21 * line, words, 12, INK)
    return drawing


DRAWINGS = (where, examples, configs)
