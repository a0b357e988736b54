"""SearchExplorer without a browser: of each search the titles, scores and beginnings of what it found."""

import textwrap

from matplotlib.patches import Rectangle

from .attention_picture import drawn_with, readable

INK, SOFT, BAR, SHADE = "#212121", "#616161", "#0072B2", "#EEEEEE"
WIDTH, MARGIN, GAP = 10.0, 0.25, 0.35  # inches
LETTER = 0.063  # a letter of a passage
LINES = 3  # that are drawn of a passage


def draw_search(figure, explorer) -> None:
    """Draw a column for each search, on a figure as high as the longest needs."""
    n = len(explorer.hits)
    rows = max(1, *(len(hits) for hits in explorer.hits.values())) if n else 1
    height = 1.25 + rows * (0.5 + 0.18 * LINES)
    figure.set_size_inches(WIDTH, height)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    page.axis("off")
    question = readable(explorer.heard.replace("\n", " "), longest=90)
    page.text(MARGIN, 0.32, f"“{question}”", fontsize=12, va="center", color=INK, **drawn_with([question]))
    width = (WIDTH - 2 * MARGIN - GAP * (n - 1)) / n
    for i, ((name, hits), (_, about)) in enumerate(zip(explorer.hits.items(), explorer.searches, strict=True)):
        draw_column(page, MARGIN + i * (width + GAP), width, f"{name}: {about}", hits)


def draw_column(page, x: float, width: float, heading: str, hits) -> None:
    """One search's hits, one under the other."""
    longest = int(width / LETTER)
    page.text(x, 0.72, readable(heading, longest=longest), fontsize=9, va="center", color=SOFT, parse_math=False)
    if not hits:
        page.text(x, 1.1, "nothing found", fontsize=9, va="center", color=INK)
    for i, hit in enumerate(hits):
        y = 1.1 + i * (0.5 + 0.18 * LINES)
        title = readable(f"{i + 1}  {hit.passage.title}", longest=int((width - 1.1) / 0.083))
        page.text(x, y, title, fontsize=9, va="center", color=INK, weight="bold", **drawn_with([title]))
        page.add_patch(Rectangle((x + width - 1.0, y - 0.06), 0.6, 0.12, facecolor=SHADE))
        page.add_patch(Rectangle((x + width - 1.0, y - 0.06), 0.6 * min(1.0, max(0.0, hit.score)), 0.12, facecolor=BAR))
        page.text(x + width, y, f"{hit.score:.2f}", fontsize=9, ha="right", va="center", color=INK)
        begin = " ".join(hit.passage.text.split())
        for j, line in enumerate(textwrap.wrap(begin, longest, max_lines=LINES, placeholder=" …")):
            line = readable(line, longest=longest + 2)
            page.text(x, y + 0.21 + 0.18 * j, line, fontsize=8, va="center", color=SOFT, **drawn_with([line]))
