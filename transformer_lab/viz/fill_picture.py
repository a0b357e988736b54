"""FillExplorer without a browser: the text with its hidden words, and the bars of each."""

from matplotlib.patches import FancyBboxPatch

from .attention_picture import drawn_with, letters, readable
from .ladder_picture import draw_rows

INK, SOFT, BLUE = "#212121", "#616161", "#1976d2"
WIDTH, LETTER, LINE = 10.0, 0.088, 0.5  # inches: the figure, a letter, a line of tokens
BARS, ACROSS = 2.1, 4  # inches: a hidden word's bars; and how many stand side by side


def draw_fill(figure, explorer) -> None:
    """Draw the tokens, and below them the bars, on a figure as high as they need."""
    lines = in_lines(explorer)
    places = list(explorer.places.items())
    n_rows = -(-len(places) // ACROSS)
    above = 0.75 + LINE * len(lines)
    height = above + n_rows * (BARS + 0.5)
    figure.set_size_inches(WIDTH, height)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    page.axis("off")
    when = "it is hidden, too" if explorer.reading["fixed"] else "it alone is hidden"
    told = f"below each token: the probability that the model gives it when {when}"
    page.text(0.2, 0.25, told, fontsize=9, va="center", color=SOFT)
    for i, line in enumerate(lines):
        for chip in line:
            draw_chip(page, *chip, 0.65 + LINE * i)
    for i, (n, place) in enumerate(places):
        left = 0.2 + (i % ACROSS) * (WIDTH - 0.2) / ACROSS + 0.75
        bottom = height - above - (i // ACROSS + 1) * (BARS + 0.5) + 0.15
        box = (left / WIDTH, bottom / height, ((WIDTH - 0.2) / ACROSS - 0.95) / WIDTH, BARS / height)
        own = place["own"]
        title = f"instead of {readable(own[0], longest=16)}, rank {own[2]:,}" if own else explorer.nth(n)
        draw_rows(figure.add_axes(box), title, place)


def in_lines(explorer) -> list[list[tuple]]:
    """The tokens in lines that fit, each as (x, width, label, share, whether hidden)."""
    lines, x = [[]], 0.2
    for n, (token, share) in enumerate(explorer.alone):
        hidden = n in explorer.hidden
        label = "[MASK]" if hidden else readable(token, longest=24)
        width = 0.14 + max(LETTER * letters(label), 0.42)
        if x + width > WIDTH - 0.2 and lines[-1]:
            lines.append([])
            x = 0.2
        lines[-1].append((x, width, label, None if n in explorer.reading["fixed"] else share, hidden))
        x += width + 0.05
    return lines


def draw_chip(page, x: float, width: float, label: str, share: float | None, hidden: bool, y: float) -> None:
    """Draw one token, and below it its probability."""
    edge = {"edgecolor": INK, "linestyle": "--"} if hidden else {"edgecolor": "none"}
    style = "round,pad=0,rounding_size=0.04"
    fill = {"facecolor": "white" if hidden else (BLUE, 0.06 + 0.5 * (share or 0.0)), **edge}
    page.add_patch(FancyBboxPatch((x, y - 0.14), width, 0.26, boxstyle=style, **fill))
    page.text(x + width / 2, y, label, ha="center", va="center", fontsize=9.5, color=INK, **drawn_with([label]))
    number = "" if share is None else f"{share:.0%}" if share >= 0.005 else "<1%"
    page.text(x + width / 2, y + 0.21, number, ha="center", va="center", fontsize=7, color=SOFT)
