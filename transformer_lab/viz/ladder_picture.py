"""LadderExplorer without a browser: what each rung wrote, and below it the bars of all rungs side by side."""

import textwrap

from .attention_picture import drawn_with, letters, readable
from .ladder_rungs import on_one_line

BLUE, INK, SOFT, MARK = "#1976d2", "#212121", "#616161", "#d55e00"
WIDTH, LINE, LETTERS = 11.0, 0.19, 112  # inches: the figure, a line of text; and the letters in a line


def draw_ladder(figure, explorer) -> None:
    """Draw on a figure as high as its texts need."""
    texts = [(name, in_lines(text)) for name, text in explorer.texts.items()]
    above = 0.62 + sum(LINE * (len(lines) + 1) + 0.1 for _, lines in texts)
    bars, height = 2.3, above + 2.95
    figure.set_size_inches(WIDTH, height)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    page.axis("off")
    given = readable(on_one_line(explorer.heard), longest=100)
    page.text(0.25, 0.3, f"“{given}” goes on", fontsize=12, va="center", color=INK, **drawn_with([given]))
    y = 0.62
    for name, lines in texts:
        page.text(0.25, y, readable(name, longest=80), fontsize=10, va="center", color=SOFT, **drawn_with([name]))
        for line in lines:
            y += LINE
            page.text(0.4, y, line, fontsize=9.5, va="center", color=INK, **drawn_with([line]))
        y += LINE + 0.1
    page.text(0.25, above + 0.08, told(explorer), fontsize=10, va="center", color=SOFT, **drawn_with([told(explorer)]))
    here = explorer.here
    each = (WIDTH - 0.2) / len(here)
    for i, (name, place) in enumerate(here.items()):
        left, wide = 0.1 + i * each, each - 1.0
        box = ((left + 0.85) / WIDTH, 0.12 / height, wide / WIDTH, bars / height)
        draw_rows(figure.add_axes(box), readable(name), place)


def told(explorer) -> str:
    """Which place the bars belong to."""
    before = explorer.heard[: explorer.shown_place]
    n = explorer.shown_place - len(explorer.heard)
    tail = readable(on_one_line(before[-40:]), longest=80)
    where = f"{n} characters on" if n > 0 else f"after “{'…' if len(before) > 40 else ''}{tail}”"
    return f"the next token {where}; in orange and bold what stands there"


def draw_rows(axes, name: str, place: dict) -> None:
    """Draw one rung's bars, the likeliest on top."""
    rows, own = place["rows"], place["own"]
    axes.set_title(name, fontsize=10, **drawn_with([name]))
    axes.spines[["top", "right"]].set_visible(False)
    labels = [readable(label, longest=12) for label, _ in rows]
    for y, (_, share) in enumerate(rows):
        is_own = own is not None and own[2] == y + 1
        axes.barh(y, share, color=MARK if is_own else BLUE)
        weight = "bold" if is_own else "normal"
        number = f"{share:.1%}" if share >= 0.0005 else "<0.1%"
        axes.text(share + 0.02, y, number, va="center", fontsize=8, color=INK, weight=weight)
    axes.set(xlim=(0, 1.25), xticks=[], ylim=(max(len(rows), 8) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), labels, fontsize=9, **drawn_with(labels))


def in_lines(text: str) -> list[str]:
    """The text in lines that fit."""
    text = readable(on_one_line(text), longest=400)
    at_most = int(LETTERS * max(len(text), 1) / max(letters(text), 1.0))
    return textwrap.wrap(text, at_most, drop_whitespace=False) or ["(nothing)"]
