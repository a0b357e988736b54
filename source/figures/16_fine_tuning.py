"""Lesson 16's drawings: what each method changes, the pieces of a matrix, LoRA, its use, answers, and distillation."""

from math import cos, pi

from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing, tint
from matplotlib.patches import Rectangle

from transformer_lab import TransformerConfig
from transformer_lab.experiments import recorded

MINILM = TransformerConfig.preset("minilm", vocab_size=30522)
RANK = 8
EMBEDDING = "embedding"
QUESTION = ["What", "does", "heapq.heappop", "do?"]
ANSWER = ["Pop", "the", "smallest", "item", ".", "[END]"]


def numbers(method: str) -> str:
    """How many numbers the method learns, the new head's among them."""
    return f"{recorded('fine_tuning_methods')['result'][method]['runs'][0]['parameters']:,} numbers"


def where() -> Drawing:
    """One encoder, four times: lit is what is learnt, the rest stays as it was."""
    drawing = Drawing(800, 440)
    title = "One old model, four ways to teach it: what is coloured is learnt, all else stays"
    drawing.text(24, 28, title, 14, INK, "left", True)
    columns = (
        ("everything", "everything"),
        ("last block", "the last block"),
        ("head", "only a new head"),
        ("lora", "LoRA"),
    )
    for number, (method, name) in enumerate(columns):
        x = 115 + 190 * number
        drawing.text(x, 62, name, 14, INK, bold=True)
        drawing.text(x, 83, numbers(method), 12, LIT)
        head = drawing.box(x, 122, 120, 26, "new head", LIT, True, 12)
        drawing.arrow(head.top, (x, 94))
        for block in range(MINILM.n_layers):
            y = 160 + 34 * block
            learnt = method == "everything" or (method == "last block" and block == 0)
            drawing.box(x, y, 120, 27, f"block {MINILM.n_layers - block}", LIT if learnt else LINE, learnt, 12)
            if method == "lora":
                for place in (70, 84):
                    drawing.box(x + place, y, 10, 24, "", LIT, True)
        learnt = method == "everything"
        bottom = drawing.box(x, 160 + 34 * MINILM.n_layers, 120, 27, EMBEDDING, LIT if learnt else LINE, learnt, 12)
        drawing.arrow((x, bottom.bottom[1] + 24), bottom.bottom)
        drawing.text(x, 414, "words", 12, QUIET)
    return drawing


def methods() -> Drawing:
    """One block, five times: where each method has the numbers that it learns."""
    drawing = Drawing(800, 456)
    title = "Inside one of the six blocks: coloured is what each method learns, beside the new head"
    drawing.text(24, 28, title, 14, INK, "left", True)
    columns = (
        ("biases", "biases", "what is added,\nnorms included"),
        ("lora", "LoRA", "thin matrices\nbeside q and v"),
        ("adapters", "adapters", "narrow layers\nafter each part"),
        ("prefix", "prefix", "keys and values,\nin each block"),
        ("prompt", "prompt", "vectors, below\nblock 1 only"),
    )
    for number, (method, name, words) in enumerate(columns):
        x = 88 + 156 * number
        drawing.text(x, 60, name, 14, INK, bold=True)
        drawing.text(x, 80, numbers(method), 12, LIT)
        drawing.frame(x, 212, 140, 236)
        inner_block(drawing, x, method)
        fed(drawing, x, 352, method == "prompt")
        drawing.arrow((x, 342), (x, 300 if method != "prefix" else 320))
        drawing.text(x, 398, words, 12, INK)
    drawing.text(
        24,
        434,
        "grey: the block's old matrices, which stay as they were. (Norms are drawn in the first only.)",
        12,
        QUIET,
        "left",
    )
    return drawing


def inner_block(drawing: Drawing, x: float, method: str) -> None:
    """Attention with its four matrices, feed-forward with its two, and what the method puts there."""
    for y, name, letters in ((264, "attention", "qkvo"), (156, "feed-forward", "12")):
        box = drawing.box(x, y, 124, 62, "", LINE)
        drawing.text(x, y - 18, name, 12, INK)
        for place, letter in enumerate(letters):
            at = x + 28 * (place - (len(letters) - 1) / 2)
            drawing.box(at, y + 8, 20, 20, letter, QUIET, size=11)
            if method == "biases":
                strip(drawing, at, y + 23, 20, 5)
            if method == "lora" and letter in "qv":
                strip(drawing, at + 13, y + 8, 4, 20)
                strip(drawing, at, y + 22, 20, 4)
        above = y - 54
        if method == "adapters":
            drawing.box(x, above, 80, 18, "adapter", LIT, True, 11)
            drawing.arrow(box.top, (x, above + 9))
            if name == "attention":
                drawing.arrow((x, above - 9), (x, y - 75))
        elif method == "biases":
            norm = drawing.box(x, y - 50, 60, 16, "norm", QUIET, size=11)
            strip(drawing, x, y - 38, 60, 5)
            if name == "attention":
                drawing.arrow(norm.top, (x, y - 75))
        elif name == "attention":
            drawing.arrow(box.top, (x, y - 75))
    if method == "prefix":
        fed(drawing, x, 312, True)


def strip(drawing: Drawing, x: float, y: float, width: float, height: float) -> None:
    """A thin row or column of numbers that are learnt, around a place."""
    drawing.axes.add_patch(Rectangle((x - width / 2, y - height / 2), width, height, color=LIT, linewidth=0, zorder=3))


def fed(drawing: Drawing, x: float, y: float, with_learnt: bool) -> None:
    """What goes in for each word, and before it what was learnt."""
    for place in range(5):
        learnt = place < 2
        if with_learnt or not learnt:
            drawing.box(x + 20 * (place - (2 if with_learnt else 3)), y, 15, 15, "", LIT if learnt else KEY, learnt)


def pieces() -> Drawing:
    """A matrix of rank 3 as a sum of three columns times rows, and the energy of each."""
    drawing, n, sizes = Drawing(800, 284), 8, (3, 2, 1)
    title = "A matrix as a sum of pieces, each a column times a row (an example of rank 3)"
    drawing.text(24, 28, title, 14, INK, "left", True)
    waves = {k: [round(cos(pi * (i + 0.5) * k / n), 3) for i in range(n)] for k in (1, 2, 3, 5)}
    pairs = ((waves[1], waves[2]), (waves[3], waves[1]), (waves[2], waves[5]))  # orthogonal, and all of one length
    parts = [[[size * a * b for b in row] for a in column] for size, (column, row) in zip(sizes, pairs, strict=True)]
    whole = [[sum(part[i][j] for part in parts) for j in range(n)] for i in range(n)]
    largest = max(abs(value) for row in whole for value in row)
    cells(drawing, 88, 146, whole, largest)
    drawing.text(88, 232, "the matrix", 13, INK, bold=True)
    energy = sum(size**2 for size in sizes)
    for number, (size, part, (column, row)) in enumerate(zip(sizes, parts, pairs, strict=True)):
        x = 300 + 195 * number
        drawing.text(x - 104, 146, "+" if number else "=", 22, INK, bold=True)
        cells(drawing, x, 146, part, largest)
        cells(drawing, x - 74, 146, [[value] for value in column], 1)
        cells(drawing, x, 74, [row], 1)
        name = ("the largest piece", "the second", "the third")[number]
        drawing.text(x, 232, name, 13, INK, bold=True)
        drawing.text(x, 254, f"size {size}: {size**2 / energy:.0%} of the energy", 12, LIT)
    return drawing


def cells(drawing: Drawing, x: float, y: float, values, largest: float, cell=14) -> None:
    """A matrix as cells around a place: orange where a number is positive, blue where it is negative."""
    height, width = cell * len(values), cell * len(values[0])
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            place = (x - width / 2 + j * cell, y - height / 2 + i * cell)
            shade = tint(LIT if value > 0 else QUERY, round(abs(value) / largest, 2))
            drawing.axes.add_patch(
                Rectangle(place, cell, cell, facecolor=shade, edgecolor=LINE, linewidth=0.4, zorder=2)
            )


def lora() -> Drawing:
    """A frozen square matrix, and beside it the two thin ones whose product is added to it."""
    drawing, d = Drawing(800, 390), MINILM.d_model
    drawing.text(24, 28, "While it learns: two ways for x, and only the lower one changes", 14, INK, "left", True)
    drawing.token(60, 185, "x", KEY, width=44)
    drawing.text(60, 216, f"{d} numbers", 12, QUIET)
    old = drawing.box(330, 125, 124, 124, "W\nas it was", LINE, size=14)
    drawing.text(404, 92, f"{d} × {d}:\n{d * d:,} numbers,\nnone is learnt", 12, QUIET, "left")
    a = drawing.box(250, 265, 130, 26, "A", LIT, True)
    b = drawing.box(410, 265, 26, 124, "B", LIT, True)
    drawing.text(250, 293, f"{RANK} × {d}, random at first", 12, LIT)
    drawing.text(432, 310, f"{d} × {RANK}, zero at first", 12, LIT, "left")
    drawing.text(185, 318, f"together {RANK * 2 * d:,} numbers, all learnt", 12, LIT, bold=True)
    drawing.arrow((82, 180), old.left)
    drawing.arrow((82, 190), a.left)
    drawing.arrow(a.right, b.left, "")
    drawing.text(354, 252, f"{RANK}", 12, QUIET)
    plus = drawing.box(590, 185, 40, 40, "+", QUERY, True, 16)
    drawing.arrow(old.right, (570, 178))
    drawing.arrow(b.right, (570, 192))
    drawing.text(505, 248, "× alpha / r", 12, QUIET, "left")
    drawing.arrow(plus.right, (690, 185))
    drawing.token(715, 185, "y", KEY, width=44)
    drawing.text(715, 216, f"{d} numbers", 12, QUIET)
    words = f"Merged afterwards: W + alpha / r · B A is one matrix of {d} × {d}, and x has one way again."
    drawing.text(24, 364, words, 14, INK, "left", True)
    return drawing


def taken_off() -> Drawing:
    """The same body three times: with nothing beside it, and with what was learnt for two tasks."""
    drawing = Drawing(800, 240)
    drawing.text(24, 28, "One body for many tasks: only what stands beside it is exchanged", 14, INK, "left", True)
    columns = (
        ("the old search", None),
        ("names", "LoRA and head\nfor names"),
        ("messages", "LoRA and head\nfor messages"),
    )
    for number, (task, beside) in enumerate(columns):
        x = (90, 300, 575)[number]
        body = drawing.box(x, 145, 124, 60, "MiniLM\nas it was", LINE, size=13)
        drawing.arrow(body.top, (x, 82))
        drawing.text(x, 68, task, 14, INK, bold=True)
        drawing.arrow((x, 212), body.bottom)
        if beside:
            drawing.box(x + 128, 145, 116, 60, beside, LIT if number == 1 else VALUE, True, 12)
        else:
            drawing.text(x + 76, 145, "nothing", 12, QUIET, "left")
        drawing.text(x + 20, 216, "a text", 12, QUIET, "left")
    return drawing


def answer() -> Drawing:
    """Question and answer as one text: a loss only where the answer stands."""
    drawing = Drawing(800, 210)
    x, places = 24, []
    for number, word in enumerate(QUESTION + ANSWER):
        is_answer = number >= len(QUESTION)
        width = 10.2 * len(word) + 18
        places.append(drawing.box(x + width / 2, 76, width, 34, word, LIT if is_answer else LINE, is_answer, 13.5))
        x += width + 5
    first, last = places[len(QUESTION)], places[-1]
    middle = (places[0].left[0] + places[len(QUESTION) - 1].right[0]) / 2
    drawing.text(middle, 34, "the question: read, and not judged", 13, QUIET)
    drawing.text((first.left[0] + last.right[0]) / 2, 34, "the answer: read, and to be predicted", 13, LIT)
    for before, after in zip(places[len(QUESTION) - 1 :], places[len(QUESTION) :], strict=False):
        drawing.arrow(before.bottom, (after.x, after.bottom[1] + 2), color=LIT, bend=0.45, width=1.4)
    drawing.text(24, 152, "Each arrow is a loss: from a place, the token after it is to be predicted.", 13, INK, "left")
    drawing.text(24, 178, "The arrow to [END] teaches the model to stop.", 13, INK, "left")
    return drawing


def distillation() -> Drawing:
    """A word that nobody has labelled: what the teacher says of it, and what the student is to say."""
    drawing = Drawing(800, 400)
    chances = {"place": (0.70, 0.35), "firm": (0.25, 0.35), "person": (0.05, 0.30)}  # teacher, student: an example
    drawing.text(24, 28, "One word of a sentence that nobody has labelled", 14, INK, "left", True)
    words, x, lima = ["Snow", "fell", "on", "Lima"], 24, None
    for word in words:
        lima = drawing.token(x + 27, 165, word, KEY, word == "Lima", 54)
        x += 58
    rows = (("the teacher\n22.6 million numbers", 100, QUERY, 0), ("the student\na hundredth of that", 230, LIT, 1))
    for name, y, color, which in rows:
        model = drawing.box(370, y, 170, 60, name, color, which == 1, 13)
        drawing.arrow((lima.right[0] + 2, 165), model.left)
        drawing.arrow(model.right, (485, y))
        for place, (label, shares) in enumerate(chances.items()):
            at = y - 24 + 24 * place
            drawing.text(546, at, label, 12, INK, "right")
            drawing.box(552 + 60 * shares[which], at, 120 * shares[which], 15, "", color, place == 0)
            drawing.text(558 + 120 * shares[which], at, f"{shares[which]:.2f}", 12, QUIET, "left")
    drawing.arrow((610, 142), (610, 192), color=VALUE, width=2.2)
    drawing.text(622, 158, 'soft label: all three\nhard label: "place"', 12, VALUE, "left")
    old = drawing.box(370, 340, 300, 40, "old sentences, with their true labels", KEY, size=13)
    drawing.arrow(old.top, (370, 262))
    drawing.text(24, 340, "the other half of each batch", 12, QUIET, "left")
    return drawing


DRAWINGS = (where, pieces, methods, lora, taken_off, answer, distillation)
