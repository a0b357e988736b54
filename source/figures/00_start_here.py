"""Lesson 00's drawings: the translator with all its heads, how a text becomes vectors, and the map of the course."""

import torch
from architecture import FRAME, encoder_decoder
from kit import KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing

from transformer_lab import load

SOURCE = "Sunday, November 22, 2026"


def model() -> Drawing:
    config = load("dates")[0].config
    return encoder_decoder(config, SOURCE, "2 0 2 6 nián", "1", with_heads=True)


@torch.no_grad()
def tokens() -> Drawing:
    translator, tokenizer = load("dates")
    ids = tokenizer.encode(SOURCE)
    vectors = translator.embedding.tokens.weight[ids].double().round(decimals=2)
    drawing = Drawing(700, 290)
    for y, words in ((32, "text"), (86, "tokens"), (138, "ids"), (214, "vectors")):
        drawing.text(20, y, words, 12, QUIET, "left")
    drawing.text(330, 32, SOURCE, 14, bold=True)
    boxes = drawing.tokens(100, 86, tokenizer.tokens(ids), KEY)
    for box, number, vector in zip(boxes, ids, vectors, strict=True):
        drawing.arrow(box.bottom, (box.x, 126))
        drawing.text(box.x, 138, str(number), 12)
        drawing.arrow((box.x, 148), (box.x, 166))
        drawing.vector(box.x, 212, vector[:8], QUIET)
    words = (
        f"the first 8 of {vectors.shape[1]} numbers of each vector, from the translator; the darker, the further from 0"
    )
    drawing.text(350, 272, words, 11, QUIET)
    return drawing


def course() -> Drawing:
    """A block with the lesson that builds each part, and what becomes of it."""
    drawing = Drawing(700, 520)
    drawing.box(215, 275, 250, 300, color=FRAME)
    parts = (
        (496, "embedding", "10 tokens", LINE), (448, "positions", "08", LINE), (392, "layer norm", "07", LINE),
        (342, "attention", "02, mask 03,\nheads 04", QUERY), (296, "+", "06 residual", LIT),
        (252, "layer norm", "07", LINE), (204, "feed-forward", "05", VALUE), (158, "+", "06 residual", LIT),
        (92, "scores of the next token", "12 decoding", LINE),
    )  # fmt: skip
    for y, words, _, color in parts:
        drawing.box(215, y, 30 if words == "+" else 170, 26 if words == "+" else 30, words, color, lit=color != LINE)
    drawing.text(322, 412, "× N", 13, QUIET)
    drawing.text(84, 275, "09\nthe block", 12, LIT, "right", bold=True)
    for start, end in (
        (481, 463),
        (433, 408),
        (377, 358),
        (327, 310),
        (283, 268),
        (237, 220),
        (189, 172),
        (145, 108),
        (77, 56),
    ):
        drawing.arrow((215, start), (215, end), above=True)
    for start, end in ((418, 296), (275, 158)):  # the way around each sub-layer
        drawing.axes.plot([215, 110, 110], [start, start, end], color=LIT, linewidth=1.6, zorder=3)
        drawing.arrow((110, end), (200, end), color=LIT, width=1.6, above=True)
    for y, _, lesson, _ in parts:
        drawing.text(352, y, lesson, 12, QUIET if lesson[:2] in ("10", "12") else LIT, "left", bold=True)  # Part II
    drawing.text(215, 40, "Part I: the parts", 13, bold=True)
    drawing.text(590, 40, "Part II: the models", 13, bold=True)
    models = (
        ("11", "encoder and decoder:\na translator"), ("13", "training that works"), ("14", "GPT: a model that writes"),
        ("15", "BERT: a model that reads"), ("16", "fine-tuning"),
    )  # fmt: skip
    for place, (lesson, words) in enumerate(models):
        y = 96 + 62 * place
        drawing.text(508, y, lesson, 12, LIT, "right", bold=True)
        drawing.box(598, y, 164, 42, words, LINE, size=11)
    drawing.text(590, 420, "Part III: the practice", 13, bold=True)
    drawing.text(590, 460, "being written:\n17 heads   18 scale   19 deploy\n20 images   21 clinic", 11, QUIET)
    return drawing


DRAWINGS = (model, tokens, course)
