"""EntityExplorer without a browser: the sentence as each tagger reads it, with its names in boxes."""

from matplotlib.patches import FancyBboxPatch

from .attention_picture import drawn_with, letters, readable

INK, SOFT = "#212121", "#616161"
COLOURS = {"PER": "#0072B2", "LOC": "#009E73", "ORG": "#E69F00"}  # Okabe and Ito's
OTHER = "#CC79A7"
WIDTH, LETTER, LINE = 10.0, 0.092, 0.56  # inches: the figure, a letter, a line of words


def draw_entities(figure, explorer) -> None:
    """Draw on a figure as high as the readings need."""
    words, truth = explorer.record["words"], explorer.record["truth"]
    readings = dict(explorer.names)
    if truth is not None:
        readings["what is right"] = [(*one, 1.0) for one in truth]
    lines = {name: in_lines(words, names) for name, names in readings.items()}
    height = 0.2 + sum(0.42 + LINE * len(rows) for rows in lines.values())
    figure.set_size_inches(WIDTH, height)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    page.axis("off")
    y = 0.3
    for name, rows in lines.items():
        page.text(0.2, y, readable(name, longest=60), fontsize=10, va="center", color=SOFT, parse_math=False)
        for row in rows:
            y += LINE if row is not rows[0] else 0.34
            for piece in row:
                draw_piece(page, *piece, y, name != "what is right")
        y += 0.6


def in_lines(words, names) -> list[list[tuple]]:
    """The words in lines that fit, those of a name together, each piece as (x, width, text, kind or None, score)."""
    starts, pieces, n = {first: (kind, last, score) for kind, first, last, score in names}, [], 0
    while n < len(words):
        kind, last, score = starts.get(n, (None, n, 0.0))
        pieces.append((readable(" ".join(words[n : last + 1]), longest=60), kind, score))
        n = last + 1
    lines, x = [[]], 0.2
    for text, kind, score in pieces:
        width = LETTER * letters(text) + (0.16 if kind else 0.06)
        if x + width > WIDTH - 0.2 and lines[-1]:
            lines.append([])
            x = 0.2
        lines[-1].append((x, width, text, kind, score))
        x += width + 0.06
    return lines


def draw_piece(page, x, width, text, kind, score, y, told) -> None:
    """Draw a word, or a name in its box with its type and score below."""
    if kind:
        colour = COLOURS.get(kind, OTHER)
        style = "round,pad=0,rounding_size=0.04"
        box = FancyBboxPatch((x, y - 0.14), width, 0.28, boxstyle=style, facecolor=(colour, 0.25), edgecolor=colour)
        page.add_patch(box)
        below = f"{kind} {score:.2f}" if told else kind
        page.text(x + width / 2, y + 0.23, below, ha="center", va="center", fontsize=7, color=INK, parse_math=False)
    page.text(x + width / 2, y, text, ha="center", va="center", fontsize=9.5, color=INK, **drawn_with([text]))
