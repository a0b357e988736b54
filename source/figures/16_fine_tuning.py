"""Lesson 16's drawings: what each method changes, LoRA beside its matrix, who is asked for what, and distillation."""

from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing

from transformer_lab import TransformerConfig

MINILM = TransformerConfig.preset("minilm", vocab_size=30522)
RANK = 8
ATTENTION, FEED_FORWARD, EMBEDDING = "attention", "feed-forward", "embedding"
QUESTION = ["What", "does", "heapq.heappop", "do?"]
ANSWER = ["Pop", "the", "smallest", "item", ".", "[END]"]


def where() -> Drawing:
    """One encoder, four times: lit is what is learnt, the rest stays as it was."""
    drawing = Drawing(800, 420)
    drawing.text(
        24,
        28,
        "one old model, four ways to teach it: what is coloured is learnt, all else stays",
        13,
        INK,
        "left",
        True,
    )
    columns = (("everything", "all"), ("the last block", "last"), ("only a new head", "head"), ("LoRA", "lora"))
    for number, (name, kind) in enumerate(columns):
        x = 115 + 190 * number
        drawing.text(x, 52, name, 13, INK, bold=True)
        head = drawing.box(x, 92, 120, 26, "new head", LIT, True, 11)
        for block in range(MINILM.n_layers):
            y = 132 + 36 * block
            learnt = kind == "all" or (kind == "last" and block == 0)
            drawing.box(x, y, 120, 28, f"block {MINILM.n_layers - block}", LIT if learnt else LINE, learnt, 11)
            if kind == "lora":
                for place, shape in ((70, (10, 24)), (84, (10, 24))):
                    drawing.box(x + place, y, *shape, "", LIT, True)
        learnt = kind == "all"
        bottom = drawing.box(x, 132 + 36 * MINILM.n_layers, 120, 28, EMBEDDING, LIT if learnt else LINE, learnt, 11)
        drawing.arrow((x, bottom.bottom[1] + 24), bottom.bottom)
        drawing.arrow(head.top, (x, 62))
        drawing.text(x, 402, "the words of a sentence", 10, QUIET)
    return drawing


def lora() -> Drawing:
    """A frozen square matrix, and beside it the two thin ones whose product is added to it."""
    drawing, d = Drawing(800, 330), MINILM.d_model
    drawing.token(60, 165, "x", KEY, width=44)
    drawing.text(60, 196, f"{d} numbers", 10, QUIET)
    old = drawing.box(330, 95, 130, 130, "W\nas it was", LINE, size=13)
    drawing.text(330, 20, f"{d} × {d} = {d * d:,} numbers, none learnt", 11, QUIET)
    a = drawing.box(250, 245, 130, 26, "A", LIT, True)
    b = drawing.box(410, 245, 26, 130, "B", LIT, True)
    drawing.text(250, 275, f"{RANK} × {d}", 10, LIT)
    drawing.text(432, 290, f"{d} × {RANK}, zero at first", 10, LIT, "left")
    drawing.text(250, 310, f"{RANK} × ({d} + {d}) = {RANK * 2 * d:,} numbers, all learnt", 11, LIT)
    drawing.arrow((82, 160), old.left)
    drawing.arrow((82, 170), a.left)
    drawing.arrow(a.right, b.left, "")
    drawing.text(354, 232, f"{RANK}", 11, QUIET)
    plus = drawing.box(590, 165, 40, 40, "+", QUERY, True, 16)
    drawing.arrow(old.right, (570, 158))
    drawing.arrow(b.right, (570, 172))
    drawing.text(505, 228, "× alpha / r", 11, QUIET, "left")
    drawing.arrow(plus.right, (680, 165))
    drawing.token(715, 165, "y", KEY, width=44)
    drawing.text(715, 196, f"{d} numbers", 10, QUIET)
    return drawing


def answer() -> Drawing:
    """Question and answer as one text: a loss only where the answer stands."""
    drawing = Drawing(800, 190)
    x, places = 30, []
    for number, word in enumerate(QUESTION + ANSWER):
        is_answer = number >= len(QUESTION)
        width = 8 * len(word) + 18
        places.append(drawing.token(x + width / 2, 70, word, LIT if is_answer else LINE, is_answer, width))
        x += width + 5
    first, last = places[len(QUESTION)], places[-1]
    drawing.text((places[0].left[0] + places[len(QUESTION) - 1].right[0]) / 2, 32, "read, and not judged", 12, QUIET)
    drawing.text((first.left[0] + last.right[0]) / 2, 32, "read, and to be predicted", 12, LIT)
    for before, after in zip(places[len(QUESTION) - 1 :], places[len(QUESTION) :], strict=False):
        drawing.arrow(before.bottom, (after.x, after.bottom[1] + 2), color=LIT, bend=0.45, width=1.2)
    drawing.text(30, 140, "Each arrow is a loss: from a place, the token after it is to be predicted.", 12, INK, "left")
    drawing.text(
        30,
        164,
        "The token that ends the answer is asked for, too. Else the model would never stop.",
        12,
        INK,
        "left",
    )
    return drawing


def distillation() -> Drawing:
    """A large teacher labels sentences that nobody has labelled; a small student learns from them."""
    drawing = Drawing(800, 250)
    new = drawing.box(110, 70, 170, 50, "new sentences,\nno labels", KEY)
    teacher = drawing.box(340, 70, 150, 80, "the teacher\nMiniLM with LoRA\n22.6 million", QUERY, size=12)
    labels = drawing.box(560, 70, 150, 50, "its chances for\neach word", VALUE)
    old = drawing.box(110, 190, 170, 50, "old sentences,\nlabels by hand", KEY)
    student = drawing.box(560, 190, 130, 50, "the student", LIT, True)
    drawing.arrow(new.right, teacher.left)
    drawing.arrow(teacher.right, labels.left)
    drawing.arrow(labels.bottom, student.top)
    drawing.arrow(old.right, student.left)
    drawing.text(650, 190, "small, a vocabulary\nof its own", 11, QUIET, "left")
    return drawing


DRAWINGS = (where, lora, answer, distillation)
