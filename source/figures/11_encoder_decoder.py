"""Lesson 11's drawings: the whole translator, one vector or all of them, the shift, and words that change places."""

import torch
from architecture import CROSS, encoder_decoder
from kit import INK, KEY, LIT, QUERY, QUIET, VALUE, Drawing

from transformer_lab import TransformerConfig, load
from transformer_lab.data import numbers

DATE = "November 22, 2026"
ENGLISH = ["ninety", "-", "seven", "thousand", ",", "eight", "hundred", "and", "two"]
GERMAN = ["sieben", "und", "neunzig", "tausend", "acht", "hundert", "zwei"]


def where() -> Drawing:
    config = TransformerConfig.preset("nano", vocab_size=121, n_layers=1, n_heads=1)
    return encoder_decoder(config, "ninety-seven thousand ...", "sieben und", "neunzig", lit={CROSS})


@torch.no_grad()
def memory() -> Drawing:
    """One vector, the mean, beside the encoder's eight vectors: the translator's own numbers."""
    model, tokenizer = load("dates")
    ids, _ = tokenizer.batch([DATE])
    vectors = model.encode(ids)[0].double().round(decimals=2)
    words = tokenizer.tokens(ids[0].tolist())
    drawing = Drawing(700, 380)
    for left, title, single in ((20, "one vector", True), (370, "one vector for each token", False)):
        places = [left + 24 + 38 * number for number in range(len(words))]
        drawing.text(left + 155, 26, title, 13, bold=True)
        asking = drawing.box(left + 155, 74, 190, 34, "decoder: what comes next?", QUERY, lit=True)
        for place, word, vector in zip(places, words, vectors, strict=True):
            drawing.vector(place, 270, vector[:10], VALUE)
            short = {"November": "Nov."}.get(word, word)
            drawing.box(place, 350, 34, 26, short, KEY, size=11)
            if not single:
                drawing.arrow((place, 213), asking.bottom, color=VALUE, width=1.2)
        if single:
            mean = drawing.box(left + 155, 146, 110, 30, "their mean", VALUE, lit=True)
            drawing.arrow(mean.top, asking.bottom, color=VALUE, width=3)
            for place in places:
                drawing.arrow((place, 213), mean.bottom, color=QUIET, width=0.8)
    return drawing


def shift() -> Drawing:
    """What the decoder reads and what it should write, shifted and not."""
    drawing = Drawing(700, 330)
    words = ["sieben", "und", "neunzig", "tausend"]
    rows = (
        (30, "shifted: each row writes the next word", ["[BOS]", *words], [*words, "[EOS]"], VALUE),
        (190, "not shifted: each row writes what it reads", ["[BOS]", *words], ["[BOS]", *words], LIT),
    )
    for top, title, reads, writes, color in rows:
        drawing.text(130, top, title, 12, bold=True, align="left")
        drawing.text(20, top + 36, "writes", 12, QUIET, "left")
        drawing.text(20, top + 104, "reads", 12, QUIET, "left")
        for number, (read, write) in enumerate(zip(reads, writes, strict=True)):
            x = 175 + 112 * number
            below = drawing.token(x, top + 104, read, QUERY, width=92)
            above = drawing.token(x, top + 36, write, color, True, width=92)
            drawing.arrow(below.top, above.bottom, color=color, width=1.8)
    return drawing


def places() -> Drawing:
    """Which English word each German word translates; those that change places are lit."""
    pair = numbers.make_pair(97_802)
    drawing = Drawing(700, 200)
    drawing.text(20, 42, "German", 12, QUIET, "left")
    drawing.text(20, 158, "English", 12, QUIET, "left")
    above = drawing.tokens(90, 42, GERMAN, QUERY, {0, 1, 2}, gap=14)
    below = drawing.tokens(90, 158, ENGLISH, KEY, {0, 1, 2}, gap=10)
    for number, gold in enumerate(pair.alignment):
        crosses = number < 3
        drawing.arrow(below[gold].top, above[number].bottom, color=LIT if crosses else INK, width=2 if crosses else 1.2)
    return drawing


DRAWINGS = (where, memory, shift, places)
