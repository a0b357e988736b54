"""Lesson 15's drawings: who sees whom, words that are hidden, and the mean over real tokens."""

from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing

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
    drawing = Drawing(800, 290)
    rows = (
        (80, ["[CLS]", "leave", "a", "loop", ".", "[SEP]", "[PAD]", "[PAD]"]),
        (210, ["[CLS]", "how", "do", "i", "stop", "it", "?", "[SEP]"]),
    )
    for y, words in rows:
        real = [word for word in words if word != "[PAD]"]
        out = drawing.box(690, y - 20, 150, 34, f"mean of {len(real)} vectors", VALUE, lit=True)
        for number, word in enumerate(words):
            x = 48 + 68 * number
            is_real = word != "[PAD]"
            drawing.token(x, y + 46, word, KEY if is_real else LINE, width=60)
            drawing.box(x, y - 20, 26, 50, "", QUERY if is_real else LINE, lit=False)
            drawing.arrow((x, y + 32), (x, y + 6), color=QUIET)
            if not is_real:
                drawing.text(x, y - 20, "×", 22, LIT, bold=True)
        drawing.arrow((48 + 68 * 7 + 22, y - 20), out.left, color=VALUE, width=2.4)
    drawing.text(20, 24, "one vector for each token, out of MiniLM", 12, INK, "left", True)
    drawing.text(690, 24, "one for each text", 12, INK, bold=True)
    drawing.text(690, 146, "how alike? the cosine", 12, QUIET)
    drawing.arrow((690, 80), (690, 130), color=QUIET)
    drawing.arrow((690, 172), (690, 160), color=QUIET)
    return drawing


DRAWINGS = (where, hidden, mean)
