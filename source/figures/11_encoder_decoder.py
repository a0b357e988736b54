"""Lesson 11's drawings: the whole translator, one vector or all, the shift, words that change places, two tests."""

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
        asking = drawing.box(left + 155, 74, 230, 34, "decoder: what comes next?", QUERY, lit=True)
        for place, word, vector in zip(places, words, vectors, strict=True):
            drawing.vector(place, 270, vector[:10], VALUE)
            short = {"November": "Nov."}.get(word, word)
            drawing.box(place, 350, 34, 26, short, KEY, size=11)
            if not single:
                below = left + 155 + 0.7 * (place - left - 157)
                drawing.arrow((place, 213), (below, asking.bottom[1]), color=VALUE, width=1.2)
        if single:
            mean = drawing.box(left + 155, 146, 110, 30, "their mean", VALUE, lit=True)
            drawing.arrow(mean.top, asking.bottom, color=VALUE, width=3)
            for place in places:
                drawing.arrow((place, 213), (left + 155 + 0.35 * (place - left - 157), mean.bottom[1]), width=0.8)
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


def tests() -> Drawing:
    """A vector of the memory hidden, and one exchanged for that of another number. The vectors are made up."""
    drawing = Drawing(720, 405)
    words = ["ninety", "-", "seven", "thousand"]
    for left, title, hidden in ((20, "hide it", True), (380, "exchange it", False)):
        at = [left + 44 + 78 * number for number in range(4)]
        drawing.text(left + 160, 26, title, 13, bold=True)
        asking = drawing.box(
            left + 160, 68, 280, 32, f"after sieben und: {'neunzig' if hidden else 'neunzig or vierzig'}?", QUERY
        )
        rows = ((165, words, VALUE), (318, ["forty", *words[1:]], LIT))[: 1 if hidden else 2]
        for y, row, color in rows:
            for number, (x, word) in enumerate(zip(at, row, strict=True)):
                taken = number == 0 and y == 165
                own = QUIET if taken and hidden else LIT if taken else color
                drawing.vector(x, y, [1 + (3 * number + 2 * i * i + (own == LIT)) % 5 for i in range(6)], own)
                drawing.token(x, y + 56, "forty" if taken and not hidden else word, own, taken, width=72)
                if y == 165 and not (taken and hidden):
                    drawing.arrow((x, 130), asking.bottom, color=own, width=1.4)
        if hidden:
            drawing.text(at[0], 118, "×", 22, LIT, bold=True)
            drawing.text(
                left, 290, "One reason for neunzig is taken away.\nIs it written all the same?", 12, INK, "left"
            )
        else:
            drawing.arrow((at[0], 283), (at[0], 237), "this vector only", color=LIT, width=2.4, beside=12)
    return drawing


DRAWINGS = (where, memory, shift, places, tests)
