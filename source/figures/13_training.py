"""Lesson 13's drawings: the loop with its probes, how text becomes a batch, a fresh model's bet, and the optimisers."""

import random

from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing

DOCUMENTS = (("To", "be", "or", "not", "."), ("Not", "now", "."), ("It", "is", "so", "."))
LENGTH = 4


def where() -> Drawing:
    """One step of training from left to right, and the place where each probe is put in."""
    drawing = Drawing(700, 300)
    data = drawing.box(75, 140, 90, 46, "examples", KEY)
    batch = drawing.box(195, 140, 80, 46, "batch", KEY)
    model = drawing.box(320, 140, 90, 46, "model", QUERY, lit=True)
    loss = drawing.box(440, 140, 70, 46, "loss", VALUE)
    step = drawing.box(580, 140, 120, 46, "optimiser", LIT)
    drawing.arrow(data.right, batch.left)
    drawing.arrow(batch.right, model.left)
    drawing.arrow(model.right, loss.left)
    drawing.arrow(loss.right, step.left)
    drawing.arrow((580, 117), (320, 117), color=LIT, bend=0.32)
    drawing.text(450, 52, "new weights, a few hundred times", 11, QUIET)
    probes = (
        (75, "overlap", "of training set\nand held-out set", data),
        (195, "one batch", "again and again", batch),
        (320, "text", "that it writes\nby itself", model),
        (440, "first loss\ntrain(), eval()", "", loss),
        (580, "gradient norm\nupdate / weight", "", step),
    )
    for x, name, words, box in probes:
        drawing.arrow((x, 216), (x, box.bottom[1] + 3), color=LINE, width=1.2)
        two = "\n" in name
        drawing.text(x, 232 + 8 * two, name, 12, LIT, bold=True)
        drawing.text(x, 262 if "\n" in words else 254, words, 11, INK)
    drawing.text(20, 24, "one step of training, and where the seven probes go in", 12, QUIET, "left")
    return drawing


def batches() -> Drawing:
    """Documents, joined, cut at T, and shifted by one."""
    drawing, colors = Drawing(700, 330), (QUERY, KEY, VALUE)
    x = 120
    drawing.text(20, 34, "documents", 12, QUIET, "left")
    for words, color in zip(DOCUMENTS, colors, strict=True):
        *_, last = drawing.tokens(x, 34, list(words), color)
        x = last.right[0] + 24
    drawing.text(20, 100, "joined", 12, QUIET, "left")
    stream = [(word, color) for words, color in zip(DOCUMENTS, colors, strict=True) for word in (*words, "[EOS]")]
    x, places = 120, []
    for word, color in stream:
        width = 58 if word == "[EOS]" else 9 * len(word) + 12
        box = drawing.token(x + width / 2, 100, word, color, word == "[EOS]", width)
        x += width + 2
        places.append(box)
    for cut in range(LENGTH, len(places), LENGTH):
        edge = (places[cut].left[0] + places[cut - 1].right[0]) / 2
        drawing.axes.plot([edge, edge], [76, 124], color=LIT, linewidth=2, linestyle=(0, (3, 2)), zorder=5)
    drawing.text(20, 150, f"cut at T = {LENGTH}, wherever that falls", 12, LIT, "left")
    window = stream[LENGTH : 2 * LENGTH + 1]
    for y, name, part in ((205, "reads", window[:-1]), (255, "predicts", window[1:])):
        drawing.text(20, y, name, 12, QUIET, "left")
        for column, (word, color) in enumerate(part):
            drawing.token(170 + 120 * column, y, word, color, width=70)
    for column in range(LENGTH):
        drawing.arrow((170 + 120 * column, 219), (170 + 120 * column, 241), color=QUIET)
    drawing.text(
        20, 305, "one window: the label is the token that comes next, so labels are shifted by one", 12, INK, "left"
    )
    return drawing


def bet() -> Drawing:
    """Why a fresh model with one table for both ends bets on the token that it has just read; the rows are random."""
    drawing, draw, words = Drawing(700, 240), random.Random(801), ("1", "5", "9", "0")
    table = [[draw.choice((-1, 1)) * draw.uniform(0.2, 1) for _ in range(8)] for _ in words]
    carried = [number + draw.uniform(-0.15, 0.15) for number in table[1]]
    sizes = [[abs(number) for number in row] for row in table]
    token = drawing.token(44, 112, "5", KEY, lit=True)
    first = drawing.matrix(160, 120, sizes, words, color=QUERY, cell=16, numbers="", mark=1)
    row = drawing.vector(280, 112, table[1], QUERY, cell=11)
    blocks = drawing.box(355, 56, 100, 34, "fresh blocks", LINE)
    last = drawing.vector(430, 112, carried, QUERY, cell=11)
    second = drawing.matrix(535, 120, sizes, words, color=QUERY, cell=16, numbers="", mark=1)
    drawing.arrow(token.right, (first.left[0] - 18, 112))
    drawing.arrow((first.right[0], 112), row.left)
    drawing.arrow(row.right, last.left, width=2.4)
    drawing.arrow((row.right[0] + 6, 108), blocks.left, color=LINE, bend=-0.3)
    drawing.arrow(blocks.right, (last.left[0] - 6, 108), color=LINE, bend=-0.3)
    drawing.arrow(last.right, (second.left[0] - 18, 112))
    for number, other in enumerate(table):
        logit = sum(a * b for a, b in zip(other, carried, strict=True))
        y, color = 120 + 16 * (number - 1.5), LIT if number == 1 else LINE
        drawing.axes.barh(y, 12 * logit, 10, left=616, color=color, zorder=2)
    drawing.axes.plot([616, 616], [86, 154], color=QUIET, linewidth=0.8, zorder=3)
    drawing.text(160, 24, "input table", 12, QUIET)
    drawing.text(535, 24, "output table", 12, QUIET)
    drawing.text(616, 70, "logits", 12, QUIET)
    drawing.text(44, 142, "just read", 11)
    drawing.text(355, 128, "residual path", 11)
    drawing.text(355, 27, "add little", 11, QUIET)
    drawing.text(630, 172, "the bet: 5 again", 11, LIT, bold=True)
    drawing.text(20, 214, "both tables are the same one, so the row that was read meets itself", 12, align="left")
    return drawing


def optimisers() -> Drawing:
    """From SGD to AdamW: what each keeps, and the step that it takes."""
    drawing = Drawing(700, 306)
    rows = (
        ("SGD", "nothing", "rate × gradient", LINE),
        ("momentum", "m: the mean of the last gradients", "rate × m", KEY),
        ("Adam", "m, and v: the mean of their squares", "rate × m / √v", QUERY),
        ("AdamW", "m and v", "rate × m / √v  +  rate × decay × weight", VALUE),
    )
    for x, words in ((90, "rule"), (290, "what it keeps for each weight"), (540, "what it takes off the weight")):
        drawing.text(x, 28, words, 12, QUIET)
    for number, (name, keeps, step, color) in enumerate(rows):
        y = 68 + 62 * number
        rule = drawing.box(90, y, 120, 38, name, color, lit=number > 0)
        memory = drawing.box(290, y, 240, 38, keeps, color)
        taken = drawing.box(553, y, 256, 38, step, color, size=11)
        drawing.arrow(rule.right, memory.left)
        drawing.arrow(memory.right, taken.left)
        if number:
            drawing.arrow((90, y - 43), (90, y - 19), color=QUIET)
    return drawing


DRAWINGS = (where, batches, bet, optimisers)
