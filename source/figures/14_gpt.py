"""Lesson 14's drawings: the ladder, windows over a long text, a page of examples, and two models' configurations."""

from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Box, Drawing
from matplotlib.patches import Rectangle

from transformer_lab import TransformerConfig
from transformer_lab.scoring import windows as spans

NANO, SMALL = (TransformerConfig.preset(name, vocab_size=512) for name in ("nano", "small"))
GPT2, SMOL = TransformerConfig.preset("gpt2"), TransformerConfig.preset("smollm2-135m")
TEXT = "the name of the file (a string or a path to open"


def where() -> Drawing:
    """Five models under one text with an open bracket: each sees so much of it, and all are asked the same."""
    drawing = Drawing(800, 396)
    rungs = (
        ("pairs", "counts", "sees 1 character", 1),
        ("n-grams", "counts", "sees 4 characters", 4),
        ("nano", layers(NANO), f"sees {NANO.max_len} tokens: more than this line", len(TEXT)),
        ("small", layers(SMALL), f"sees {SMALL.max_len} tokens: some paragraphs", len(TEXT)),
        ("SmolLM2", layers(SMOL), f"sees {SMOL.max_len:,} tokens: many pages", len(TEXT)),
    )
    drawing.text(24, 28, "One question for all five: what comes next? A bracket is open.", 14, INK, "left", True)
    left, step = 168, 8.8
    right = left + step * len(TEXT) + 6
    for number, (name, made_of, sees, n) in enumerate(rungs):
        y = 342 - 66 * number
        drawing.box(88, y, 132, 46, "", LINE)
        drawing.text(88, y - 9, name, 14, INK, bold=True)
        drawing.text(88, y + 11, made_of, 11, QUIET)
        drawing.box((left + right) / 2, y - 6, right - left, 30, "", LINE)
        width = right - left if n == len(TEXT) else n * step + 6
        drawing.box(right - width / 2, y - 6, width, 30, "", KEY, lit=True)
        for place, letter in enumerate(TEXT):
            is_bracket, in_sight = letter == "(", place >= len(TEXT) - n
            color = LIT if is_bracket else INK if in_sight else QUIET
            drawing.axes.text(
                left + 3 + (place + 0.5) * step, y - 1, letter, fontsize=11 if is_bracket else 9.5, color=color,
                ha="center", va="baseline", zorder=4, family="DejaVu Sans Mono",
                fontweight="bold" if is_bracket else "normal",
            )  # fmt: skip
        drawing.text(left, y + 19, sees, 12, QUIET, "left")
        drawing.arrow((right, y - 6), (right + 28, y - 6))
        in_sight = n == len(TEXT)
        words = "the bracket is\nin sight" if in_sight else "the bracket is\nout of sight"
        drawing.text(right + 36, y - 5, words, 12, VALUE if in_sight else QUIET, "left")
    return drawing


def layers(config: TransformerConfig) -> str:
    return f"{config.n_layers} blocks, width {config.d_model}"


def windows() -> Drawing:
    """A text longer than the window, read in two ways: what each window reads, and what it judges."""
    n, window, cell, left, few = 25, 8, 21, 30, 4
    drawing = Drawing(800, 324)
    drawing.text(
        24, 26, f"A text of {n} tokens, a window of {window}: what each window reads and judges", 14, INK, "left", True
    )
    y = 62
    for stride in (window, window // 2):
        drawing.text(left, y, f"a new window every {stride} tokens", 12, INK, "left", True)
        y += 20
        top, cold, read = y, 0, 0
        for start, first, end in spans(n, window, stride):
            for place in range(start, end):
                is_cold = place >= first and place - start < few
                color, lit = (KEY, False) if place < first else (LIT, True) if is_cold else (VALUE, False)
                if place == end - 1:
                    unread(drawing, left + (place + 0.5) * cell, y, cell - 3)
                else:
                    drawing.box(left + (place + 0.5) * cell, y, cell - 3, 15, "", color, lit)
                cold += is_cold
            read += end - 1 - start
            y += 18
        middle = (top + y - 18) / 2
        drawing.text(575, middle - 11, f"{cold} of {n - 1} judged cold", 13, LIT, "left", True)
        drawing.text(575, middle + 11, f"{read} tokens read", 12, QUIET, "left")
        y += 14
    y += 8
    for x, color, lit, words in (
        (left, KEY, False, "only read"),
        (left + 110, VALUE, False, "read and judged"),
        (left + 250, LIT, True, f"the same, but cold: fewer than {few} tokens before it in its window"),
    ):
        drawing.box(x + 9, y, 18, 15, "", color, lit)
        drawing.text(x + 26, y, words, 12, INK, "left")
    y += 24
    unread(drawing, left + 9, y, 18)
    drawing.text(left + 26, y, "judged, not read: the token after the last one that the window reads", 12, INK, "left")
    return drawing


def unread(drawing: Drawing, x: float, y: float, width: float) -> None:
    """A box for a token that is judged in a window which does not read it."""
    drawing.axes.add_patch(
        Rectangle(
            (x - width / 2, y - 7.5), width, 15, facecolor="white", edgecolor=VALUE, linestyle=(0, (2.5, 1.5)), zorder=2
        )
    )


def examples() -> Drawing:
    """Two ways to get opposites: training changes the weights, a page of examples only what is read."""
    drawing = Drawing(800, 296)
    pairs = (("up:", "down"), ("buy:", "sell"), ("hot:", "cold"))
    for top, name, on_page in ((20, "training, as in lesson 13", False), (170, "examples on the page", True)):
        drawing.text(24, top + 8, name, 14, INK, "left", True)
        x, y, boxes = 24, top + 48, []
        for question, answer in pairs:
            for word, color in ((question, KEY), (answer, VALUE)):
                width = 9 * len(word) + 16
                boxes.append(drawing.token(x + width / 2, y, word, color, width=width))
                x += width + 3
            x += 13
        if on_page:
            boxes.append(drawing.token(x + 32, y, "rich:", LIT, True, 64))
        text = Box((24 + boxes[-1].right[0]) / 2, y, boxes[-1].right[0] - 24, 28)
        model = drawing.box(600, y, 120, 54, "the model", QUERY, not on_page, 14)
        drawing.arrow((text.right[0] + 6, y), model.left)
        if on_page:
            drawing.text(600, y + 46, "its weights stay as they are", 12, QUIET)
            drawing.arrow(model.right, (700, y))
            drawing.token(740, y, "next?", LIT, True, 70)
            drawing.text(24, y + 42, "One text, read once. The examples are its beginning,", 12, INK, "left")
            drawing.text(24, y + 62, "and after it they are gone.", 12, INK, "left")
        else:
            drawing.arrow(model.right, (700, y))
            loss = drawing.box(740, y, 70, 36, "loss", LIT, True)
            drawing.arrow(loss.bottom, (612, y + 28), color=LIT, bend=-0.45, width=1.8)
            drawing.text(690, y + 66, "changes the weights", 12, LIT)
            drawing.text(24, y + 42, "Read again and again. What was learnt is in the weights,", 12, INK, "left")
            drawing.text(24, y + 62, "and stays there.", 12, INK, "left")
    drawing.axes.plot([24, 776], [156, 156], color=LINE, linewidth=0.8)
    return drawing


def configs() -> Drawing:
    """One block of GPT-2 and one of SmolLM2, part by part; lit is what the second has otherwise."""
    drawing = Drawing(800, 480)
    for x, name, config in ((215, "GPT-2", GPT2), (605, "SmolLM2", SMOL)):
        drawing.text(x, 28, f"{name}: {config.n_layers} such blocks, width {config.d_model}", 14, INK, bold=True)
        block(drawing, config, x)
        learned = config.positions == "learned"
        words = "embedding + learned positions" if learned else "embedding"
        part(drawing, config, (x, 425), (280, 30), words, "positions")
        drawing.text(x, 456, f"reads up to {config.max_len:,} tokens", 12, QUIET)
    return drawing


def part(drawing: Drawing, config: TransformerConfig, place, size, words: str, *fields: str) -> Box:
    """A box, lit where one of these fields is another one than in GPT-2."""
    lit = any(getattr(config, field) != getattr(GPT2, field) for field in fields)
    return drawing.box(*place, *size, words, LIT if lit else LINE, lit, 12.5)


def block(drawing: Drawing, config: TransformerConfig, x: float) -> None:
    """A block from below: the stream on the left, and beside it what is read from it and added to it."""
    drawing.frame(x, 210, 340, 300)
    middle, stream = x + 22, x - 132
    norm, without = {"layer": "layer norm", "rms": "RMSNorm"}[config.norm], "" if config.bias else ", no biases"
    drawing.arrow((stream, 410), (stream, 46), width=2)
    attention = part(drawing, config, (middle, 220), (250, 106), "", "positions", "n_kv_heads", "bias")
    feed = f"feed-forward: {config.activation}{without}"
    forward = part(drawing, config, (middle, 84), (250, 32), feed, "activation", "bias")
    for y, above in ((318, attention), (134, forward)):
        below = part(drawing, config, (middle, y), (250, 30), norm, "norm")
        drawing.arrow((stream, y), below.left)
        drawing.arrow(below.top, above.bottom)
        plus = drawing.box(stream, above.y, 20, 20, "+", QUERY, True, 13)
        drawing.arrow(above.left, plus.right)
    drawing.text(middle, 183, f"attention{without}", 12.5, INK, bold=not config.bias)
    for y, words, n, color in (
        (207, "queries", config.n_heads, QUERY),
        (229, "keys, values", config.n_kv_heads or config.n_heads, VALUE),
    ):
        drawing.text(x - 92, y, words, 11.5, INK, "left")
        width = 12 * config.n_heads / n
        for head in range(n):
            drawing.box(x - 6 + width * (head + 0.5), y, width - 2, 14, "", color, True)
    turned = ", rotary positions" if config.positions == "rotary" else ""
    drawing.text(middle, 254, f"{config.n_heads} heads of {config.head_width}{turned}", 11.5, INK)


DRAWINGS = (where, windows, examples, configs)
