"""What drawings are made of: boxes, arrows, tokens, vectors and matrices, on a card that is light in every theme.

    drawing = Drawing(600, 200)
    word = drawing.token(100, 150, "November")
    query = drawing.box(100, 40, 120, 36, "query", QUERY)
    drawing.arrow(word.top, query.bottom, "W_Q")

Places are in pixels from the upper left corner, and name the middle of what is drawn. Letters become outlines, so that
a drawing looks the same on machines with other fonts.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

# The same part has the same colour in every lesson: Okabe and Ito's, told apart by colour-blind readers too.
QUERY, KEY, VALUE, LIT = "#0072B2", "#E69F00", "#009E73", "#D55E00"
INK, QUIET, LINE, CARD = "#1F2933", "#6B7785", "#9AA5B1", "#FFFFFF"
Point = tuple[float, float]


def tint(color: str, share: float) -> tuple[float, float, float]:
    """The colour mixed with white: share 1 leaves it, 0 makes it white."""
    red, green, blue = (1 - share * (1 - channel) for channel in to_rgb(color))
    return red, green, blue


@dataclass(frozen=True)
class Box:
    """Where something stands, and the points at which arrows begin and end."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> Point:
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> Point:
        return self.x, self.y - self.height / 2

    @property
    def bottom(self) -> Point:
        return self.x, self.y + self.height / 2


class Drawing:
    """A card of so many pixels, on which the methods draw."""

    def __init__(self, width: int, height: int):
        self.figure = Figure(figsize=(width / 100, height / 100), dpi=100)
        FigureCanvasSVG(self.figure)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.axis("off")
        self.axes.add_patch(
            FancyBboxPatch(
                (2, 2), width - 4, height - 4, boxstyle="round,pad=0,rounding_size=8",
                facecolor=CARD, edgecolor="#D5DBE1",
            )
        )  # fmt: skip

    def text(self, x: float, y: float, words: str, size: float = 12, color=INK, align="center", bold=False) -> None:
        """Words around a place, or beginning ("left") or ending ("right") there."""
        if words in (".", ","):
            y += 0.3 * size  # on its line: in the middle they would look like other signs
        self.axes.text(
            x, y, words, fontsize=size * 0.72, color=color, ha=align, va="center", linespacing=1.35,
            fontweight="bold" if bold else "normal", parse_math=False, zorder=4,
        )  # fmt: skip

    def box(
        self, x: float, y: float, width: float, height: float, words: str = "", color: str = LINE, lit=False, size=12
    ) -> Box:
        """A rounded box with words in it; lit ones are strong in colour."""
        self.axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2), width, height,
                boxstyle=f"round,pad=0,rounding_size={min(5, width / 4)}",
                facecolor=tint(color, 0.35 if lit else 0.1), edgecolor=color, linewidth=2 if lit else 1, zorder=2,
            )
        )  # fmt: skip
        self.text(x, y, words, size, bold=lit)
        return Box(x, y, width, height)

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """A pale box behind all that is drawn after it, such as that of a block around its parts."""
        self.axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=5",
                facecolor="#F7F8FA", edgecolor="#D5DBE1", linewidth=1,
            )
        )  # fmt: skip

    def token(self, x: float, y: float, word: str, color: str = LINE, lit=False, width: float | None = None) -> Box:
        """A token in a box that fits it."""
        return self.box(x, y, width or max(30, 9 * len(word) + 14), 28, word, color, lit)

    def tokens(
        self, x: float, y: float, words: list[str], color: str = LINE, lit: set[int] = frozenset(), gap=6
    ) -> list[Box]:
        """Tokens side by side, the first one beginning at x."""
        boxes = []
        for number, word in enumerate(words):
            width = max(30, 9 * len(word) + 14)
            boxes.append(self.token(x + width / 2, y, word, color, number in lit))
            x += width + gap
        return boxes

    def arrow(
        self, start: Point, end: Point, words: str = "", color=QUIET, bend=0.0, width=1.4, beside=0.0, above=False
    ) -> None:
        """An arrow with words at its middle; bend curves it, `beside` moves the words, `above` draws it over boxes."""
        self.axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=9 + width, color=color, linewidth=width,
                shrinkA=1, shrinkB=1, connectionstyle=f"arc3,rad={bend}", zorder=3 if above else 1,
            )
        )  # fmt: skip
        if words:
            x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            self.text(x + beside, y, words, 11, color, "left" if beside > 0 else "right" if beside < 0 else "center")

    def vector(self, x: float, y: float, values, color: str, words: str = "", cell=11) -> Box:
        """A vector as a column of cells, the darker the larger the number (either sign); its name stands below."""
        values = [float(value) for value in values]
        largest = max(map(abs, values)) or 1.0
        top = y - cell * len(values) / 2
        for number, value in enumerate(values):
            self.axes.add_patch(
                Rectangle(
                    (x - cell / 2, top + number * cell), cell, cell, facecolor=tint(color, abs(value) / largest),
                    edgecolor=color, linewidth=0.6, zorder=2,
                )
            )  # fmt: skip
        self.text(x, top + cell * len(values) + 11, words, 11)
        return Box(x, y, cell, cell * len(values))

    def matrix(
        self, x: float, y: float, values, rows=(), columns=(), color: str = QUERY, cell=30, numbers="{:.2f}", mark=None
    ) -> Box:
        """A matrix of numbers at least 0 as cells, the darker the larger, with names for its rows and columns."""
        values = [[float(value) for value in row] for row in values]
        largest = max(max(row) for row in values) or 1.0
        height, width = cell * len(values), cell * len(values[0])
        left, top = x - width / 2, y - height / 2
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                place = (left + j * cell, top + i * cell)
                share = 0.9 * value / largest
                self.axes.add_patch(
                    Rectangle(place, cell, cell, facecolor=tint(color, share), edgecolor="white", linewidth=1, zorder=2)
                )
                if numbers:
                    ink = "white" if share > 0.5 else INK
                    self.text(place[0] + cell / 2, place[1] + cell / 2, numbers.format(value), 9, ink)
        for i, word in enumerate(rows):
            self.text(left - 7, top + (i + 0.5) * cell, word, 11, align="right", bold=i == mark)
        for j, word in enumerate(columns):
            self.axes.text(
                left + (j + 0.5) * cell, top - 6, word, fontsize=8, color=INK, rotation=45, ha="left", va="bottom"
            )
        if mark is not None:
            edge = Rectangle((left, top + mark * cell), width, cell, fill=False, edgecolor=LIT, linewidth=2, zorder=3)
            self.axes.add_patch(edge)
        return Box(x, y, width, height)

    def save(self, path: Path) -> None:
        """Write the drawing as SVG: the same drawing has the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": path.name, "font.family": "DejaVu Sans"}):
            self.figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None}, facecolor="none")
