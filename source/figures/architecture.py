"""Whole models, drawn from their configuration: what is not in the config cannot get into the drawing."""

from dataclasses import dataclass, field

from kit import INK, LINE, LIT, QUIET, Box, Drawing, Point

from transformer_lab import TransformerConfig

SELF, CROSS, FEED_FORWARD = "self-attention", "cross-attention", "feed-forward"
EMBEDDING, SCORES = "embedding + positions", "scores of the next token"
FRAME = "#D5DBE1"
WIDTH, HEIGHT, GAP, STEP = 150, 30, 8, 16


@dataclass
class Stack:
    """An encoder or decoder: x is its middle, `side` where its blocks' numbers stand, -1 left or 1 right."""

    drawing: Drawing
    config: TransformerConfig
    x: float
    parts: list[str]
    side: int
    lit: set[str] = field(default_factory=set)
    with_heads: bool = False

    @property
    def block_height(self) -> float:
        return len(self.parts) * (HEIGHT + GAP) + GAP

    def draw(self, bottom: float) -> Box:
        """Draw it from its embedding upwards; returns the space that it takes."""
        self.box(bottom - HEIGHT / 2, EMBEDDING, 11)
        for number in range(self.config.n_layers):
            below = self.below(bottom, number)
            self.drawing.arrow((self.x, below + STEP), (self.x, below))
            self.block(below, number + 1)
        top = self.below(bottom, self.config.n_layers) + STEP
        return Box(self.x, (bottom + top) / 2, WIDTH + 24, bottom - top)

    def below(self, bottom: float, number: int) -> float:
        """The lower edge of a block, counted from 0."""
        return bottom - HEIGHT - STEP - number * (self.block_height + STEP)

    def block(self, bottom: float, number: int) -> None:
        middle = bottom - self.block_height / 2
        self.drawing.box(self.x, middle, WIDTH + 24, self.block_height, color=FRAME)
        align = "left" if self.side > 0 else "right"
        self.drawing.text(self.x + self.side * (WIDTH / 2 + 20), middle, f"block {number}", 11, QUIET, align)
        for place, part in enumerate(self.parts):
            self.box(self.middle_of(bottom, place), part)

    @staticmethod
    def middle_of(bottom: float, place: int) -> float:
        """The middle of the part at this place of a block, counted from 0 from below."""
        return bottom - GAP - HEIGHT / 2 - place * (HEIGHT + GAP)

    def box(self, y: float, words: str, size=12) -> None:
        is_lit, heads = words in self.lit, self.config.n_heads if self.with_heads and "attention" in words else 0
        self.drawing.box(self.x, y, WIDTH, HEIGHT, "" if heads else words, LIT if is_lit else LINE, is_lit, size)
        if heads:
            self.drawing.text(self.x - WIDTH / 2 + 8, y, words, 11, align="left")
            for head in range(heads):
                self.drawing.box(self.x + WIDTH / 2 - 9 - 10 * head, y, 8, 14, color=LIT, lit=True)

    def cross_attentions(self, bottom: float) -> list[Point]:
        """Where each block's cross-attention receives what the encoder has read."""
        blocks = range(self.config.n_layers)
        places = [self.middle_of(self.below(bottom, number), self.parts.index(CROSS)) for number in blocks]
        return [(self.x - WIDTH / 2, y) for y in places]


def encoder_decoder(
    config: TransformerConfig, source: str, target: str, output: str, lit: set[str] = frozenset(), with_heads=False
) -> Drawing:
    """The model of 2017 with the given parts lit, over a source and what is written so far."""
    height = 170 + HEIGHT + config.n_layers * (3 * (HEIGHT + GAP) + GAP + STEP)
    drawing, bottom = Drawing(700, height), height - 62
    encoder = Stack(drawing, config, 190, [SELF, FEED_FORWARD], -1, lit, with_heads)
    decoder = Stack(drawing, config, 510, [SELF, CROSS, FEED_FORWARD], 1, lit, with_heads)
    for x, words, name in ((190, source, "the text to read"), (510, target, "what is written so far")):
        drawing.arrow((x, bottom + 26), (x, bottom))
        drawing.text(x, bottom + 34, words, 13, INK, bold=True)
        drawing.text(x, bottom + 50, name, 11, QUIET)
    read, written = encoder.draw(bottom), decoder.draw(bottom)
    memory = read.top[1] - 18
    drawing.arrow(read.top, (read.x, memory))
    drawing.text(read.x, memory - 10, "one vector for each token", 11, QUIET)
    for place in decoder.cross_attentions(bottom):  # each of them reads the encoder's result
        start = (read.x + WIDTH / 2 + 8, memory - 10)
        drawing.arrow(start, place, color=LIT if CROSS in lit or with_heads else QUIET, bend=-0.12, above=True)
    is_lit, place = SCORES in lit, written.top[1] - STEP - HEIGHT / 2
    scores = drawing.box(written.x, place, WIDTH, HEIGHT, SCORES, LIT if is_lit else LINE, is_lit, 10 if is_lit else 11)
    drawing.arrow(written.top, scores.bottom)
    drawing.arrow(scores.top, (written.x, scores.top[1] - 18))
    drawing.text(written.x, scores.top[1] - 28, output, 14, LIT, bold=True)
    return drawing
