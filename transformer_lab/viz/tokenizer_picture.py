"""TokenizerExplorer without a browser: each tokenizer's tokens as coloured chips with their ids."""

from matplotlib.patches import FancyBboxPatch

from .attention_picture import drawn_with, letters, readable

COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7"]  # Okabe and Ito's, to tell neighbours apart
INK, SOFT = "#212121", "#616161"
WIDTH, LETTER, LINE = 10.0, 0.088, 0.42  # inches: the figure, a letter, a line of chips
MOST_LINES = 8  # of one tokenizer's chips


def draw_readings(figure, explorer) -> None:
    """Draw all readings on a figure as high as they need; what is beyond MOST_LINES is counted."""
    rows = [(name, *in_lines(pieces)) for name, pieces in explorer.pieces.items()]
    height = 0.55 + sum(0.45 + LINE * max(len(lines), 1) for _, lines, _ in rows)
    figure.set_size_inches(WIDTH, height)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    page.axis("off")
    text = readable(explorer.heard.replace("\n", "↵"), longest=90)
    page.text(0.2, 0.25, f"“{text}”", fontsize=12, va="center", color=INK, **drawn_with([text]))
    y = 0.6
    for name, lines, n_left in rows:
        page.text(0.2, y, heading(explorer, name, n_left), fontsize=10, va="center", color=SOFT, parse_math=False)
        for line in lines or [[]]:
            y += LINE
            for place in line:
                draw_chip(page, *place, y)
        y += 0.45


def heading(explorer, name: str, n_left: int) -> str:
    """What stands above a tokenizer's chips."""
    n, merges = explorer.counts[name], explorer.merges.get(name)
    used = "" if merges is None else f", {merges:,} merges"
    left = f" (the last {n_left} are not drawn)" if n_left else ""
    return f"{name}{used}: {n} token{'' if n == 1 else 's'}{left}"


def in_lines(pieces) -> tuple[list, int]:
    """Lay chips out in lines, each as (x, width, label, id, colour, whether unknown); and how many found no place."""
    lines, x = [[]], 0.2
    for i, piece in enumerate(pieces):
        label = readable(piece.label, longest=24)
        width = 0.12 + max(LETTER * letters(label), 0.068 * len(str(piece.id)))
        if x + width > WIDTH - 0.2 and lines[-1]:
            if len(lines) == MOST_LINES:
                return lines, len(pieces) - i
            lines.append([])
            x = 0.2
        lines[-1].append((x, width, label, piece.id, COLOURS[i % len(COLOURS)], piece.is_unknown))
        x += width + 0.05
    return lines, 0


def draw_chip(page, x: float, width: float, label: str, i: int, colour: str, is_unknown: bool, y: float) -> None:
    """Draw one chip: its label, and below it its id."""
    edge = {"edgecolor": "#D55E00", "linestyle": "--", "linewidth": 1.5} if is_unknown else {"edgecolor": colour}
    style = "round,pad=0,rounding_size=0.04"
    for fill in ({"facecolor": "white", "linewidth": 0}, {"facecolor": (colour, 0.26), **edge}):
        page.add_patch(FancyBboxPatch((x, y - 0.18), width, 0.36, boxstyle=style, **fill))
    page.text(x + width / 2, y - 0.05, label, ha="center", va="center", fontsize=9, color=INK, **drawn_with([label]))
    page.text(x + width / 2, y + 0.11, str(i), ha="center", va="center", fontsize=6.5, color=INK)
