"""Lesson 15's drawings: who sees whom, hidden words, the mean over real tokens, the search, and names that count."""

from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing
from seqeval.metrics.sequence_labeling import get_entities

from transformer_lab import TransformerConfig
from transformer_lab.experiments import recorded

SENTENCE = ["we", "know", "that", "Jordan", "borders", "two", "lakes"]
PLACES = (50, 118, 190, 274, 366, 444, 512)


def where() -> Drawing:
    """Jordan in a GPT and in a BERT: the same sentence, the same block, and the arrows that a mask takes away."""
    drawing = Drawing(800, 300)
    for top, name, causal in (
        (40, "GPT: each word sees those before it", True),
        (180, "BERT: each word sees all", False),
    ):
        drawing.text(24, top - 8, name, 13, INK, "left", True)
        above, below = top + 28, top + 92
        seen = range(4) if causal else range(7)
        jordan = drawing.token(PLACES[3], above, "Jordan's vector", LIT, True, width=130)
        for number, (word, x) in enumerate(zip(SENTENCE, PLACES, strict=True)):
            box = drawing.token(x, below, word, KEY if number in seen else LINE)
            if number in seen:
                drawing.arrow(box.top, jordan.bottom, color=KEY, width=1.8)
        words = "a person? a place?\nit cannot know" if causal else "a place:\nit borders something"
        drawing.arrow(jordan.right, (590, above))
        drawing.text(606, above, words, 13, LIT if causal else VALUE, "left")
    return drawing


def hidden() -> Drawing:
    """A date written twice, two words hidden; each is found from the other half."""
    drawing = Drawing(800, 230)
    words = ["[MASK]", ",", "October", "3", "1", "=", "samedi", "3", "1", "[MASK]"]
    asked = {0: "Saturday", 9: "octobre"}
    x = 110
    boxes = []
    for number, word in enumerate(words):
        width = max(34, 9 * len(word) + 14)
        boxes.append(drawing.token(x + width / 2, 170, word, LIT if number in asked else KEY, number in asked))
        x += width + 14
    drawing.text(20, 170, "it reads", 12, QUIET, "left")
    drawing.text(20, 50, "it should say", 12, QUIET, "left")
    for number, answer in asked.items():
        place = boxes[number].x + (10 if number == 0 else 0)
        said = drawing.token(place, 50, answer, VALUE, True)
        twin = boxes[6 if number == 0 else 2]
        drawing.arrow(twin.top, said.bottom, color=KEY, width=2)
        drawing.arrow(boxes[number].top, said.bottom, color=LIT, width=1.4)
    drawing.text(400, 212, "the other words are read, and not asked for", 11, QUIET)
    return drawing


def mean() -> Drawing:
    """Two texts in one batch become one vector each; padding is left out."""
    drawing = Drawing(800, 316)
    rows = (
        (96, ["[CLS]", "leave", "a", "loop", ".", "[SEP]", "[PAD]", "[PAD]"]),
        (234, ["[CLS]", "how", "do", "i", "stop", "it", "?", "[SEP]"]),
    )
    means = []
    for y, words in rows:
        real = [word for word in words if word != "[PAD]"]
        means.append(drawing.box(690, y - 20, 160, 34, f"mean of {len(real)} vectors", VALUE, lit=True))
        for number, word in enumerate(words):
            x = 48 + 68 * number
            is_real = word != "[PAD]"
            drawing.token(x, y + 46, word, KEY if is_real else LINE, width=60)
            drawing.box(x, y - 20, 26, 50, "", QUERY if is_real else LINE, lit=False)
            drawing.arrow((x, y + 32), (x, y + 6), color=QUIET)
            if not is_real:
                drawing.text(x, y - 20, "×", 22, LIT, bold=True)
        drawing.arrow((48 + 68 * 7 + 22, y - 20), means[-1].left, color=VALUE, width=2.4)
    drawing.text(20, 26, "one vector for each token, out of MiniLM", 13, INK, "left", True)
    drawing.text(690, 26, "one for each text", 13, INK, bold=True)
    cosine = drawing.box(690, (means[0].y + means[1].y) / 2, 160, 34, "cosine: how alike?", LINE)
    drawing.arrow(means[0].bottom, cosine.top)
    drawing.arrow(means[1].top, cosine.bottom)
    return drawing


def search() -> Drawing:
    """What is computed once, what for each question, and what for an answer."""
    drawing, d = Drawing(800, 430), TransformerConfig.preset("minilm", vocab_size=30522).d_model
    headings = (
        "once: a vector for each passage",
        "for each question: one vector, one product",
        "for an answer: read what was found",
    )
    for number, (y, words) in enumerate(zip((26, 196, 316), headings, strict=True), 1):
        drawing.text(24, y, f"{number}  {words}", 14, INK, "left", True)
    for shift in (14, 7, 0):
        drawing.box(104 + shift, 96 - shift, 130, 70, "", KEY)
    drawing.text(104, 96, "passages of the\ndocumentation", 12)
    reader = drawing.box(296, 96, 110, 50, "MiniLM", QUERY, size=14)
    drawing.arrow((190, 96), reader.left)
    rows = [drawing.box(480, 62 + 17 * row, 130, 12, "", QUERY) for row in range(5)]
    drawing.arrow(reader.right, (rows[2].left[0] - 4, reader.y))
    drawing.text(560, 96, f"stored: {d} numbers each", 12, QUIET, "left")
    asked = drawing.box(104, 246, 150, 50, "How do I make sure\na file gets closed?", LIT, size=12)
    again = drawing.box(296, 246, 110, 50, "MiniLM", QUERY, size=14)
    vector = drawing.box(480, 246, 130, 16, "", LIT, True)
    drawing.arrow(asked.right, again.left)
    drawing.arrow(again.right, vector.left)
    drawing.arrow((480, 142), vector.top, color=QUERY, width=1.8)
    drawing.text(490, 190, "times every stored row", 12, QUERY, "left")
    likeness, best = (0.2, 0.34, 0.12, 0.44, 0.08), 3
    for row, alike in enumerate(likeness):
        won = row == best
        drawing.box(590 + 75 * alike, 212 + 17 * row, 150 * alike, 12, "", LIT if won else LINE, won)
    drawing.arrow(vector.right, (584, 246), color=LIT, width=1.8)
    drawing.text(590, 300, "cosines: the largest wins", 12, QUIET, "left")
    found = drawing.box(735, 246, 90, 56, "the best\npassage", KEY, True)
    drawing.arrow((660, 212 + 17 * best), (found.left[0], found.y + 12), color=LIT, width=1.8)
    prompt = drawing.box(104, 370, 150, 54, "the passage,\nand the question", KEY)
    writer = drawing.box(296, 370, 110, 50, "SmolLM2", QUERY, size=14)
    said = drawing.box(540, 370, 230, 54, "an answer, with its source\nnext to it, to be checked", VALUE, True)
    drawing.arrow(prompt.right, writer.left)
    drawing.arrow(writer.right, said.left)
    return drawing


def names() -> Drawing:
    """One recorded sentence: true names above, reported ones below, and what counts as found."""
    words, gold, said = recorded("entity_templates")["result"]["said"]["new templates"][0]
    true, reported = (set(get_entities(tags)) for tags in (gold, said))
    drawing, x, places = Drawing(800, 290), 24.0, []
    for word in words:
        width = max(20, 9.6 * len(word) + 12)
        drawing.axes.text(x + width / 2, 110, word, fontsize=11, color=INK, ha="center", va="baseline")
        places.append((x, x + width))
        x += width + 3
    for spans, y, name in ((true, 66, "true names"), (reported, 146, "what the tagger reports")):
        drawing.text(24, y - 36 if spans is true else y + 34, name, 13, QUIET, "left", True)
        for kind, first, last in sorted(spans, key=lambda span: span[1]):
            left, right = places[first][0], places[last][1]
            color = VALUE if (kind, first, last) in true & reported else LINE if spans is true else LIT
            drawing.box((left + right) / 2, y, right - left, 26, kind, color, True, 12)
    same = sum(one == other for one, other in zip(gold, said, strict=True))
    hits = len(true & reported)
    f1 = 2 * hits / (len(true) + len(reported))
    drawing.text(24, 222, f"tags right: {same} of {len(gold)}", 14, INK, "left")
    told = f"names: precision {hits} of {len(reported)}, recall {hits} of {len(true)}, F1 {f1:.2f}"
    drawing.text(24, 252, told, 14, INK, "left", True)
    return drawing


DRAWINGS = (where, hidden, mean, search, names)
