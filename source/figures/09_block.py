"""Lesson 09's drawings: the model of 2017, one block with its shapes, and three families, all from their configs."""

from dataclasses import dataclass

from kit import INK, LINE, LIT, QUERY, QUIET, VALUE, Box, Drawing
from matplotlib.patches import Rectangle

from transformer_lab import TransformerConfig, load
from transformer_lab.viz.family_explorer import parameters_by_part

SELF, CROSS, FEED_FORWARD = "self-attention", "cross-attention", "feed-forward"
MASK = "#7B4173"
NORMS = {"layer": "layer norm", "rms": "RMS norm"}
PART, NORM, PLUS, GAP = 42, 24, 20, 13  # heights, and the way between two boxes


@dataclass
class Column:
    """One stack around x, drawn from below: each method adds something and moves `y`, its upper end, upwards."""

    drawing: Drawing
    config: TransformerConfig
    x: float
    y: float
    width: float = 150
    size: float = 11

    def add(self, words: str, height: float, color=LINE, lit=False, width=None, bold=False) -> Box:
        """A box with an arrow into it from what stands below."""
        start, self.y = self.y, self.y - GAP - height
        box = self.drawing.box(self.x, self.y + height / 2, width or self.width, height, "", color, lit)
        self.drawing.text(self.x, box.y, words, self.size, bold=bold)
        self.drawing.arrow((self.x, start), box.bottom)
        return box

    def norm(self) -> Box:
        return self.add(NORMS[self.config.norm], NORM)

    def sub_layer(self, words: str, color: str) -> tuple[Box, Box, Box]:
        """(part, plus, norm): the part, the way around it and its norm, where the config wants it."""
        start, pre = (self.x, self.y - 7), self.config.norm_position == "pre"
        norm = self.norm() if pre else None
        part = self.add(words, PART, color, lit=True)
        plus = self.add("+", PLUS, LIT, lit=True, width=PLUS, bold=True)
        side = self.x - self.width / 2 - 13
        self.drawing.axes.plot([start[0], side, side], [start[1], start[1], plus.y], color=LIT, linewidth=1.6, zorder=3)
        self.drawing.arrow((side, plus.y), plus.left, color=LIT, width=1.6, above=True)
        return part, plus, norm or self.norm()

    def frame(self, below: float, left=22) -> None:
        """A frame around the block that has been drawn since `below`, wide enough on the left for the ways around."""
        width, place = self.width + left + 10, (self.x - self.width / 2 - left, self.y - 6)
        edge = Rectangle(
            place, width, below - self.y + 3, fill=False, edgecolor=LINE, linewidth=1.1, linestyle=(0, (5, 3))
        )
        self.drawing.axes.add_patch(edge)


def heads(config: TransformerConfig) -> str:
    return f"{config.n_heads} heads of {config.head_width}"


def inside(config: TransformerConfig) -> str:
    return f"{config.d_model} → {config.d_ff:,} → {config.d_model}"


def ends(column: Column) -> tuple[Box, Box]:
    """The lower end of a model: token vectors, and positions where they are added to them."""
    config = column.config
    factor = f" × √{config.d_model}" if config.scale_embeddings else ""
    return column.add(f"token vectors{factor}", 28), column.add(f"+ {config.positions} positions", 28)


def whole() -> Drawing:
    """Figure 1 of the paper of 2017, from our preset, with the lesson that built each part."""
    config = TransformerConfig.preset("vaswani2017")
    drawing, bottom = Drawing(700, 612), 570
    encoder, decoder = Column(drawing, config, 222, bottom), Column(drawing, config, 478, bottom)
    for x, words in ((222, "the text to read"), (478, "what is written so far")):
        drawing.text(x, bottom + 16, words, 13, bold=True)
    _, positions = ends(encoder)
    ends(decoder)
    below = encoder.y
    attention, plus, norm = encoder.sub_layer(f"{SELF}\n{heads(config)}", QUERY)
    feed_forward, *_ = encoder.sub_layer(f"{FEED_FORWARD}\n{inside(config)}", VALUE)
    encoder.frame(below)
    masked, *_ = decoder.sub_layer(f"masked {SELF}\n{heads(config)}", MASK)
    cross, *_ = decoder.sub_layer(f"{CROSS}\n{heads(config)}", QUERY)
    decoder.sub_layer(f"{FEED_FORWARD}\n{inside(config)}", VALUE)
    decoder.frame(below)
    named = (
        (positions, "08 positions"), (attention, "02 attention\n04 heads"), (plus, "06 residual"),
        (norm, "07 layer norm"), (feed_forward, "05 feed-forward"),
    )  # fmt: skip
    for box, lesson in named:
        drawing.text(114, box.y, lesson, 11, LIT, "right", bold=True)
    for box, lesson in ((masked, "03 the mask"), (cross, "02 attention,\nto the other text")):
        drawing.text(574, box.y, lesson, 11, LIT, "left", bold=True)
    for column, x, align, name in ((encoder, 114, "right", "encoder"), (decoder, 574, "left", "decoder")):
        drawing.text(x, column.y + 16, f"{name}\n× {config.n_layers}", 14, INK, align, bold=True)
    top = encoder.y - 20
    drawing.axes.plot([222, 222, 334, 334], [encoder.y, top, top, cross.y], color=QUERY, linewidth=1.6, zorder=3)
    drawing.arrow((334, cross.y), cross.left, color=QUERY, width=1.6, above=True)
    drawing.text(222, top - 12, "one vector for each token", 11, QUIET)
    scores = decoder.add("scores: x · token vectors", 28)
    drawing.arrow(scores.top, (478, scores.top[1] - 14))
    drawing.text(478, scores.top[1] - 24, "the next token", 13, LIT, bold=True)
    return drawing


def block() -> Drawing:
    """Block 1 of the trained translator's encoder, with shapes and the line of Python for each step."""
    model, tokenizer = load("dates")
    config, T = model.config, len(tokenizer.encode("Sunday, November 22, 2026"))
    drawing, shape = Drawing(700, 370), f"(1, {T}, {config.d_model})"
    column = Column(drawing, config, 230, 328, 170, 12)
    drawing.text(230, 346, "x", 14, bold=True)
    attention, plus_1, norm_1 = column.sub_layer(f"{SELF}\n{heads(config)}", QUERY)
    feed_forward, plus_2, norm_2 = column.sub_layer(f"{FEED_FORWARD}\n{inside(config)}", VALUE)
    top = column.y
    drawing.arrow((230, top), (230, top - 24))
    drawing.text(230, top - 32, "x", 14, bold=True)
    for y in (346, top - 32):
        drawing.text(252, y, shape, 11, QUIET, "left")
    lines = (
        (attention, "y = attention(x)", "each token gathers\nfrom the others"), (norm_1, "x = norm_1(x + y)", ""),
        (feed_forward, "y = feed_forward(x)", "each token works\nby itself"), (norm_2, "x = norm_2(x + y)", ""),
    )  # fmt: skip
    for box, line, words in lines:
        middle = box.y if words else (box.y + (plus_1 if box is norm_1 else plus_2).y) / 2
        drawing.text(350, middle, line, 13, INK, "left", bold=True)
        drawing.text(550, middle, shape, 12, QUIET, "left")
        drawing.text(112, box.y, words, 11, QUIET, "right")
    return drawing


def mask(drawing: Drawing, x: float, y: float, causal: bool, cell=8, n=4) -> None:
    """Who may look at whom: rows look, columns are looked at."""
    for i in range(n):
        for j in range(n):
            place = x - n * cell / 2 + j * cell, y - n * cell / 2 + i * cell
            face = "white" if causal and j > i else MASK if causal else QUERY
            drawing.axes.add_patch(
                Rectangle(place, cell, cell, facecolor=face, edgecolor=LINE, linewidth=0.6, zorder=3)
            )


def small_stack(drawing, config, x, parts, causal, result, bottom=346) -> tuple[Column, dict[str, Box]]:
    column, boxes = Column(drawing, config, x, bottom, 122, 10), {}
    column.add("token vectors", 26)
    if config.positions in ("learned", "sinusoidal"):
        column.add(f"+ {config.positions} positions", 26)
    below = column.y
    for part in parts:
        color = VALUE if part == FEED_FORWARD else MASK if part == SELF and causal else QUERY
        boxes[part] = column.add(part, 34, color, lit=True)
    column.frame(below, left=10)
    drawing.text(x + 68, column.y - 18, f"× {config.n_layers}", 12, INK, "right", bold=True)
    if SELF in boxes:
        mask(drawing, x, 386, causal)
    drawing.arrow((x, column.y), (x, column.y - 26))
    drawing.text(x, column.y - 38, result, 10.5, LIT, bold=True)
    return column, boxes


def families() -> Drawing:
    """GPT, BERT and the encoder-decoder side by side; what separates them is who looks where."""
    drawing, preset = Drawing(700, 512), TransformerConfig.preset
    gpt, bert, both = preset("gpt2"), preset("bert-base"), preset("vaswani2017")
    small_stack(drawing, gpt, 86, [SELF, FEED_FORWARD], True, "the next token")
    small_stack(drawing, bert, 260, [SELF, FEED_FORWARD], False, "a vector for each token")
    encoder, _ = small_stack(drawing, both, 440, [SELF, FEED_FORWARD], False, "")
    _, boxes = small_stack(drawing, both, 606, [SELF, CROSS, FEED_FORWARD], True, "the next token")
    place, top = boxes[CROSS].left, encoder.y - 27
    drawing.axes.plot([440, 523, 523], [top, top, place[1]], color=QUERY, linewidth=1.6, zorder=3)
    drawing.arrow((523, place[1]), place, color=QUERY, width=1.6, above=True)
    names = (
        (86, "GPT-2", gpt, "GPT"), (260, "BERT", bert, "BERT"), (523, "Transformer of 2017", both, "Transformer"),
    )  # fmt: skip
    for x, name, config, kind in names:
        size = sum(parameters_by_part(config, kind).values()) / 1e6
        drawing.text(x, 30, name, 14, bold=True)
        drawing.text(x, 52, f"{size:.0f} million parameters", 10.5, QUIET)
        where = "before" if config.norm_position == "pre" else "after"
        drawing.text(x, 468, f"{NORMS[config.norm]} {where} each part", 10.5, QUIET)
    for x, words in ((86, "looks back"), (260, "looks both ways"), (440, "looks both ways"), (606, "looks back")):
        drawing.text(x, 416, words, 10.5, QUIET)
    drawing.text(86, 441, "writes", 12, bold=True)
    drawing.text(260, 441, "reads", 12, bold=True)
    drawing.text(523, 441, "reads one text, writes another", 12, bold=True)
    drawing.text(350, 496, "(residual paths are not drawn, nor the norms)", 10.5, QUIET)
    return drawing


DRAWINGS = (whole, block, families)
