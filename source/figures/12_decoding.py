"""Lesson 12's drawings. The probabilities of `where` are SmolLM2's, rounded; those of `misses` are made up."""

from kit import INK, KEY, LIT, QUERY, QUIET, VALUE, Drawing

PROMPT = ["My", "favourite", "animal", "is", "the"]
NEXT = [("cat", 0.112), ("elephant", 0.069), ("Mon", 0.024), ("lion", 0.023), ("one", 0.023)]


def where() -> Drawing:
    drawing = Drawing(800, 310)
    drawing.text(24, 34, "the text so far", 12, QUIET, "left")
    tokens = drawing.tokens(24, 70, PROMPT, KEY)
    model = drawing.box(436, 70, 110, 56, "the model", QUERY, size=13)
    drawing.arrow(tokens[-1].right, model.left)
    drawing.text(776, 34, "what it says", 12, QUIET, "right")
    for line, (word, probability) in enumerate(NEXT):
        y = 62 + 24 * line
        drawing.text(620, y, word, 12, INK, "right")
        drawing.box(630 + 400 * probability, y, 800 * probability, 14, "", QUERY)
        drawing.text(638 + 800 * probability, y, f"{probability:.2f}", 11, QUIET, "left")
    rest = 1 - sum(probability for _, probability in NEXT)
    drawing.text(776, 62 + 24 * len(NEXT), f"49,147 other tokens together {rest:.2f}", 12, INK, "right")
    drawing.arrow(model.right, (528, 70))
    choose = drawing.box(640, 262, 150, 40, "choose one", LIT, lit=True, size=14)
    drawing.arrow((640, 198), choose.top)
    place = tokens[-1].x + 44  # behind the last token
    chosen = drawing.token(place, 262, "?", LIT, lit=True, width=36)
    drawing.arrow(choose.left, chosen.right)
    drawing.arrow(chosen.top, (place, 74), "append it, and begin again", beside=10)
    return drawing


def misses() -> Drawing:
    """A tree of two steps on which the likeliest first token does not begin the likeliest text."""
    drawing = Drawing(720, 290)
    root = drawing.token(70, 145, "It", KEY)
    first = {"is": (0.6, 75), "rains": (0.4, 215)}
    second = {
        "is": [("late", 0.4, 35), ("cold", 0.35, 75), ("here", 0.25, 115)],
        "rains": [(".", 0.9, 195), ("on", 0.1, 235)],
    }
    totals = {(a, b): first[a][0] * p for a, ends in second.items() for b, p, _ in ends}
    best, greedy = max(totals, key=totals.get), ("is", "late")
    for word, (probability, y) in first.items():
        token = drawing.token(250, y, word, QUERY if word == greedy[0] else VALUE, lit=True)
        drawing.arrow(root.right, token.left)
        drawing.text(160, (145 + y) / 2 - 14, f"{probability:g}", 11, QUIET)
        for end, share, at in second[word]:
            pair = (word, end)
            color = QUERY if pair == greedy else VALUE if pair == best else KEY
            leaf = drawing.token(430, at, end, color, lit=pair in (best, greedy))
            drawing.arrow(token.right, leaf.left)
            drawing.text(leaf.left[0] - 26, 0.75 * at + 0.25 * y - 9, f"{share:g}", 11, QUIET)
            words = f"{probability:g} × {share:g} = {totals[pair]:.2f}"
            drawing.text(480, at, words, 12, INK if pair in (best, greedy) else QUIET, "left", pair in (best, greedy))
    drawing.text(620, 35, "greedy", 12, QUERY, "left", bold=True)
    drawing.text(620, 195, "the likeliest", 12, VALUE, "left", bold=True)
    drawing.text(
        24,
        270,
        "Made-up numbers. With two beams both first words are kept, and the likeliest text is found.",
        12,
        QUIET,
        "left",
    )
    return drawing


def padding() -> Drawing:
    drawing = Drawing(720, 230)
    prompts = (["The", "sky", "is"], ["Two", "and", "two", "are"])
    longest = max(map(len, prompts))
    for left, title, on_the_left in ((24, "padded on the right", False), (390, "padded on the left", True)):
        drawing.text(left, 28, title, 12, QUIET, "left")
        for line, words in enumerate(prompts):
            y, pads = 70 + 56 * line, ["[PAD]"] * (longest - len(words))
            row = [*pads, *words] if on_the_left else [*words, *pads]
            for place, word in enumerate(row):
                drawing.token(left + 27 + 56 * place, y, word, KEY if word != "[PAD]" else QUIET, width=52)
            drawing.token(left + 27 + 56 * longest, y, "?", LIT, lit=True, width=40)
    drawing.text(24, 190, "the new token stands after\npadding, far from its text", 12, INK, "left")
    drawing.text(
        390,
        190,
        "every new token follows its text;\nthe padding is masked, and not counted in positions",
        12,
        INK,
        "left",
    )
    return drawing


DRAWINGS = (where, misses, padding)
