"""AttentionView without a browser: the same grid and map as PNG or SVG, for GitHub, papers, notebooks not yet run."""

import io
import unicodedata
from functools import cache

import numpy as np
from anyascii import anyascii
from matplotlib import font_manager, rc_context, style
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Rectangle

from .inputs import code_point
from .png import small_png

FONT = "DejaVu Sans"  # comes with matplotlib, so it is always there
# Fonts to leave out: placeholders for every character, mathematics, emoji, and what comes with matplotlib.
NOT_FOR_TEXT = ("Last Resort", "STIX", "cm", "DejaVu", "Noto Emoji", "Noto Color Emoji")
MOST_LABELS, LONGEST_LABEL = 40, 14
SOFT, MARK, HATCH = "#62626a", "#ff5a1f", "#cfcfd4"
# From orange through near-white to blue, which readers with red-green colour blindness can tell apart.
DIVERGING = LinearSegmentedColormap.from_list("difference", ["#9a3e00", "#e8842c", "#f7f7f7", "#4f92cc", "#0b3c78"])
SMALL = {"fontsize": 9.5, "color": SOFT}
TITLE = {"fontsize": 11, "fontweight": "bold", "va": "center"}


@style.context("default")  # the same picture whatever style the notebook has set
def picture(
    attention: np.ndarray, query_labels, key_labels, layer: int, head: int, signed=False, format="png",
    palette="viridis", first_layer=0, headline=(), pattern="",
) -> bytes:  # fmt: skip
    """Draw all heads of attention (L, H, T, S) small and below them one head large; equal inputs give equal bytes.

    It is narrow, to be read on a telephone. format is "png" or "svg". signed: attention holds differences of weights,
    drawn blue if positive and orange if negative, on one scale for all heads. first_layer is the index of the first
    layer; labels count from 1. headline holds lines of text to write above; those that no installed font can draw are
    left out. pattern is what the large head does.
    """
    most = float(np.abs(attention).max()) or 1.0 if signed else None
    n_layers, n_heads, n_queries, n_keys = attention.shape
    queries, keys = [readable(label) for label in query_labels], [readable(label) for label in key_labels]
    # All in inches, y downwards: the overview, the map's title, its labels, the map, what its colours mean.
    cell = min(0.3, max(4.2 / max(n_queries, n_keys), 0.15), 6.4 / max(n_queries, n_keys))
    map_width, map_height = max(n_keys * cell, 1.6), max(n_queries * cell, 1.2)
    left = 0.55 + 0.085 * max(map(letters, queries))
    slant = 0 if upright(keys) else 0.7 * 0.085 * letters(keys[-1]) if slanted(keys) else 0  # beyond the map's right
    width = max(left + map_width + 0.2 + slant, 4.0)
    side = min(0.84, (width - 1.0) / n_heads - 0.08, max(map_height, 2) / n_layers + 0.06)
    thumbnail_width, thumbnail_height = (side * n / max(n_queries, n_keys) for n in (n_keys, n_queries))
    column, row = max(thumbnail_width + 0.08, 0.22), thumbnail_height + min(0.1, side / 2)
    below = 0.6 + n_layers * row + 0.15  # the overview: there the large head begins
    top = below + 0.68 + 0.07 * max(map(letters, keys))
    bottom = top + map_height
    height = bottom + (0.95 if (attention[layer, head] == 0).any() and not signed else 0.65)

    headline = [line for line in headline if line and all(map(font_for, line))]
    above = 0.4 * len(headline)  # y is negative there
    width = max([width, 0.85 + n_heads * column, *(0.2 + 0.13 * letters(line) for line in headline)])
    figure = Figure(figsize=(width, above + height), dpi=100, facecolor="white")
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, -above))
    page.axis("off")
    for i, line in enumerate(headline):
        page.text(0.1, 0.2 + 0.4 * i - above, line, fontsize=14, va="center", **drawn_with([line]))
    heading = "All heads: first \N{MINUS SIGN} second" if signed else "All heads"
    page.text(0.1, 0.2, heading, **TITLE)
    for (i, j), weights in zip(np.ndindex(n_layers, n_heads), attention.reshape(-1, n_queries, n_keys), strict=True):
        x, y = 0.8 + j * column, 0.6 + i * row
        draw(page, weights, x, y, thumbnail_width, thumbnail_height, most, palette)
        if (i, j) == (layer, head):
            frame = {"fill": False, "edgecolor": MARK, "linewidth": 2.5, "zorder": 4}
            page.add_patch(Rectangle((x, y), thumbnail_width, thumbnail_height, **frame))
        if i == 0:
            text = f"head {j + 1}" if column > 0.6 else str(j + 1)
            page.text(x + thumbnail_width / 2, 0.5, text, ha="center", va="center", **SMALL)
        if j == 0 and (row > 0.16 or i % 2 == 0):
            name = f"block {first_layer + i + 1}"
            page.text(0.72, y + thumbnail_height / 2, name, ha="right", va="center", **SMALL)

    image = draw(page, attention[layer, head], left, top, map_width, map_height, most, palette)
    name = f"block {first_layer + layer + 1}, head {head + 1}"
    page.text(0.1, below + 0.2, f"{name}: {pattern}" if pattern else name, **TITLE)
    page.text(left, below + 0.45, "key: the token that is read →", va="center", **SMALL)
    outside = left - 0.25 - 0.085 * max(map(letters, queries))
    middle = top + map_height / 2
    page.text(outside, middle, "← query: the row that reads", rotation=90, ha="center", va="center", **SMALL)
    write_labels(page, queries, keys, left, top, map_width, map_height)
    bar = figure.add_axes(
        (0.3 / width, (height - bottom - 0.35) / (above + height), 1.7 / width, 0.12 / (above + height))
    )
    draw_scale(page, figure.colorbar(image, cax=bar, orientation="horizontal"), attention[layer, head], bottom, signed)

    if format == "png":
        return small_png(figure, dpi=100)
    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "transformer_lab"}):
        figure.savefig(file, format=format, metadata={"Date": None})
    return file.getvalue()


def draw_scale(page, bar, weights, bottom: float, signed: bool):
    """Say which colour stands for which number, beside it what the numbers are, and what is hatched."""
    low, high = bar.mappable.norm.vmin, bar.mappable.norm.vmax
    cut = not signed and high < 0.99 * weights.max()
    if signed:
        ticks = {low: f"\N{MINUS SIGN}{high:.2f}", 0: "0", high: f"{high:.2f}"}
    else:
        ticks = {0: "0", high / 4: f"{high / 4:.2g}", high: f"≥ {high:.2g}" if cut else f"{high:.2g}"}
    bar.set_ticks(list(ticks), labels=list(ticks.values()), **SMALL)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    about = (
        ("difference of weights,", "one scale for all heads") if signed else ("attention weight,", "square-root scale")
    )
    for i, line in enumerate(about):
        page.text(2.3, bottom + 0.22 + 0.18 * i, line, va="center", **SMALL)
    if (weights == 0).any() and not signed:
        y = bottom + 0.7
        page.add_patch(Rectangle((0.3, y), 0.16, 0.16, facecolor="white", edgecolor=HATCH, hatch="//////"))
        page.text(0.54, y + 0.08, "exactly 0 (masked)", va="center", **SMALL)


def largest_coloured(weights: np.ndarray) -> float:
    """Return where a head's colours end, as in the live view: 1 weight in 100 is larger; at least 4 times the mean."""
    read = weights[weights > 0]
    return float(min(1.0, max(np.quantile(read, 0.99), 4 * read.mean()))) if read.size else 1.0


def draw(page, weights, x, y, width, height, most=None, palette="viridis"):
    """Draw one map (T, S), colours by the square root, with exact zeros hatched to tell them from small weights.

    If most is given, the weights are differences, drawn from -most to most.
    """
    n_queries, n_keys = weights.shape
    signed = most is not None
    if (weights == 0).any() and not signed:
        hatching = {"facecolor": "white", "edgecolor": HATCH, "hatch": "//////"}
        page.add_patch(Rectangle((x, y), width, height, linewidth=0.8, **hatching))
    image = page.imshow(
        weights if signed else np.ma.masked_equal(weights, 0),
        extent=(x, x + width, y + height, y),
        norm=Normalize(-most, most) if signed else PowerNorm(0.5, 0, largest_coloured(weights), clip=True),
        cmap=DIVERGING if signed else palette,
        interpolation="nearest",
        aspect="auto",
        zorder=2,
    )
    page.set(xlim=page.get_xlim(), ylim=page.get_ylim())
    if width / n_keys >= 0.12:  # white lines between cells that are large enough
        line = {"color": "white", "linewidth": 0.7, "zorder": 3}
        page.vlines(x + width / n_keys * np.arange(1, n_keys), y, y + height, **line)
        page.hlines(y + height / n_queries * np.arange(1, n_queries), x, x + width, **line)
    return image


def upright(keys: list[str]) -> bool:
    return max(map(len, keys)) <= 2


def slanted(keys: list[str]) -> bool:
    return not upright(keys) and len(keys) <= 25


def write_labels(page, queries, keys, left, top, map_width, map_height):
    """Write the tokens next to the map's rows and above its columns, slanted if they are long."""
    text = {"fontsize": 10, **drawn_with(queries + keys)}
    rotation = 0 if upright(keys) else 45 if slanted(keys) else 90
    across = {"ha": "center" if rotation == 0 else "left", "va": "center" if rotation == 90 else "bottom"}
    for i in range(0, len(queries), -(-len(queries) // MOST_LABELS)):
        y = top + (i + 0.5) * map_height / len(queries)
        page.text(left - 0.08, y, queries[i], ha="right", va="center_baseline", **text)
    for i in range(0, len(keys), -(-len(keys) // MOST_LABELS)):
        x = left + (i + 0.5) * map_width / len(keys)
        page.text(x, top - 0.07, keys[i], rotation=rotation, rotation_mode="anchor", **across, **text)


def drawn_with(texts: list[str]) -> dict:
    """Return matplotlib's options for drawing these texts as they stand, with the fonts that have their characters."""
    fonts = {font_for(char) for text in texts for char in text} - {FONT, None}
    return {"fontfamily": [FONT, *sorted(fonts)], "parse_math": False}


def readable(label: str, longest: int = LONGEST_LABEL) -> str:
    """Return the label, shortened if long, and romanised where no installed font can draw it."""
    label = label if len(label) <= longest else label[: longest - 1] + "…"
    return "".join(char if font_for(char) else anyascii(char).strip().lower() or code_point(char) for char in label)


def letters(label: str) -> float:
    """Return the label's width in Latin letters; a Chinese character counts one and a half."""
    return sum((1.5 if unicodedata.east_asian_width(char) in "WF" else 1.0 for char in label), 0.0)


@cache
def font_for(char: str) -> str | None:
    """The name of a font that has the glyph: matplotlib's own, else an installed one, else None."""
    candidates = [(FONT, font_manager.findfont(FONT)), *text_fonts()]
    return next((name for name, path in candidates if ord(char) in glyphs(path)), None)


@cache
def text_fonts() -> list[tuple[str, str]]:
    """(name, path) of the installed upright text fonts of normal weight, by name."""
    upright = (f for f in font_manager.fontManager.ttflist if f.style == "normal" and f.weight in (400, "normal"))
    return sorted((f.name, f.fname) for f in upright if not f.name.startswith(NOT_FOR_TEXT))


@cache
def glyphs(path: str) -> frozenset[int]:
    """The characters that a font file has glyphs for; none if it cannot be read."""
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
