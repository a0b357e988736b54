"""Whole models, drawn from their configuration: what is not in the config cannot get into the drawing."""

from kit import INK, LINE, LIT, QUIET, Box, Drawing

from transformer_lab import TransformerConfig

SELF, CROSS, FEED_FORWARD = "self-attention", "cross-attention", "feed-forward"
WIDTH, HEIGHT, GAP = 150, 30, 8


def block(drawing: Drawing, x: float, bottom: float, parts: list[str], lit: set[str], number: int, side: int) -> float:
    """One block, its first part at the bottom and its number on the left (-1) or right (1); returns its upper edge."""
    height = len(parts) * (HEIGHT + GAP) + GAP
    drawing.box(x, bottom - height / 2, WIDTH + 24, height, color="#D5DBE1")
    drawing.text(
        x + side * (WIDTH / 2 + 20), bottom - height / 2, f"block {number}", 11, QUIET, "left" if side > 0 else "right"
    )
    for i, part in enumerate(parts):
        y = bottom - GAP - HEIGHT / 2 - i * (HEIGHT + GAP)
        drawing.box(x, y, WIDTH, HEIGHT, part, LIT if part in lit else LINE, part in lit)
    return bottom - height


def stack(
    drawing: Drawing, x: float, bottom: float, config: TransformerConfig, parts: list[str], lit: set[str], side: int
) -> Box:
    """All blocks of an encoder or decoder, on their embedding; returns the space that they take."""
    drawing.box(
        x, bottom - HEIGHT / 2, WIDTH, HEIGHT, "embedding + positions", LIT if "embedding" in lit else LINE, size=11
    )
    top = bottom - HEIGHT
    for number in range(1, config.n_layers + 1):
        drawing.arrow((x, top), (x, top - 16))
        top = block(drawing, x, top - 16, parts, lit, number, side)
    return Box(x, (bottom + top) / 2, WIDTH + 24, bottom - top)


def encoder_decoder(config: TransformerConfig, lit: set[str], source: str, target: str, output: str) -> Drawing:
    """The model of 2017 with the given parts lit, over a source and what is written so far."""
    part_height = HEIGHT + GAP
    height = 170 + config.n_layers * (3 * part_height + GAP + 16) + HEIGHT
    drawing = Drawing(700, height)
    bottom = height - 62
    encoder = stack(drawing, 190, bottom, config, [SELF, FEED_FORWARD], lit, -1)
    decoder = stack(drawing, 510, bottom, config, [SELF, CROSS, FEED_FORWARD], lit, 1)
    for x, words, name in ((190, source, "the text to read"), (510, target, "what is written so far")):
        drawing.arrow((x, bottom + 26), (x, bottom))
        drawing.text(x, bottom + 22 + 12, words, 13, INK, bold=True)
        drawing.text(x, bottom + 50, name, 11, QUIET)
    memory = encoder.top[1] - 18
    drawing.arrow(encoder.top, (encoder.x, memory))
    drawing.text(encoder.x, memory - 10, "one vector for each word", 11, QUIET)
    for number in range(config.n_layers):  # each cross-attention reads the encoder's result
        above = bottom - HEIGHT - 16 - number * (3 * part_height + GAP + 16) - GAP - HEIGHT / 2 - part_height
        start, end = (encoder.x + WIDTH / 2 + 4, memory - 10), (510 - WIDTH / 2, above)
        drawing.arrow(start, end, color=LIT if CROSS in lit else QUIET, bend=-0.12, above=True)
    head = drawing.box(510, decoder.top[1] - 16 - HEIGHT / 2, WIDTH, HEIGHT, "scores of the next token", LINE, size=11)
    drawing.arrow(decoder.top, head.bottom)
    drawing.arrow(head.top, (510, head.top[1] - 18))
    drawing.text(510, head.top[1] - 28, output, 14, LIT, bold=True)
    return drawing
