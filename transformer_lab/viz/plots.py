"""Static pictures in one style: every function draws on the axes it is given and returns them."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ..sentences import short_repr
from . import alternative_text
from .attention_picture import readable
from .inputs import visible

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"]

# What pictures stand on: a card that is light in every theme, with the corners of a card, as the lessons' drawings are.
INK, CARD, EDGE = "#1F2933", "#FFFFFF", "#D5DBE1"

# Names may be tokens: what matplotlib would take for mathematics or TeX ($$, \\foo) is drawn literally.
PLAIN = {"parse_math": False, "usetex": False}


def use_style() -> None:
    """Set matplotlib's defaults for the course: a card, one palette, a light grid, no frame at the top and right."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": plt.cycler(color=COLORS),
            "axes.edgecolor": INK,
            "axes.grid": True,
            "axes.labelcolor": INK,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "figure.constrained_layout.h_pad": 0.12,
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.w_pad": 0.12,
            "figure.dpi": 110,
            "figure.facecolor": CARD,
            "figure.figsize": (7, 3),
            "figure.hooks": [f"{__name__}:lay_on_card", f"{alternative_text.__name__}:tell_in_words"],
            "font.size": 10,
            "grid.alpha": 0.3,
            "legend.frameon": False,
            "lines.markersize": 5,
            "savefig.pad_inches": 0.02,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


def lay_on_card(figure: Figure) -> None:
    """Give a figure rounded corners: a white block with sharp ones is all that is seen of it in a dark theme."""
    figure.patch.set_visible(False)  # and not its colour: of a transparent figure JupyterLab makes a white block
    figure.add_artist(Card((0, 0), 1, 1))


class Card(FancyBboxPatch):
    """A rounded card as large as its figure, also if that is resized; lengths in inches."""

    def __init__(self, *place):
        super().__init__(*place, boxstyle="round,pad=0,rounding_size=0.08", facecolor=CARD, edgecolor=EDGE, zorder=-1)

    def get_path(self):
        width, height = self.figure.get_size_inches()
        self._x, self._y, self._width, self._height = 0.02, 0.02, width - 0.04, height - 0.04
        return super().get_path()

    def get_transform(self):
        return self.figure.dpi_scale_trans


def shares(ax, values: dict[str, float], title: str, guess: str | None = None):
    """Horizontal bars of shares between 0 and 1, name -> share, shown in per cent, the first name on top.

    The bar of the name that was guessed, if one was, is marked.
    """
    if not values or not all(0 <= value <= 1 for value in values.values()):
        raise ValueError(f"values must hold shares between 0 and 1, at least one; got {short_repr(values)}.")
    percentages = [100 * value for value in values.values()]
    places = range(len(percentages))
    bars = ax.barh(places, percentages, color=[COLORS[0]] + [COLORS[1]] * (len(values) - 1), height=0.6)
    names = [f"your guess: {name}" if name == guess else name for name in values]
    ax.set_yticks(places, drawable(names, len(values)), **PLAIN)
    ax.bar_label(bars, labels=[f"{value:.0f} %" for value in percentages], padding=3)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set(xlim=(0, 112), xticks=range(0, 101, 20), xlabel="dates translated exactly (%)")
    ax.set_title(title, **PLAIN)
    return ax


def matrix(ax, values, rows=None, columns=None, title: str = "", row_name: str = "query", column_name: str = "key"):
    """A small matrix as coloured cells with its numbers, on viridis from 0 to its largest value.

    Names in letters that no font here has are written in Latin ones. Raises ValueError unless there is a name for each
    row and each column, and a number in each cell.
    """
    values = np.asarray(values.detach().cpu().float() if hasattr(values, "detach") else values, dtype=np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"values must be finite numbers of shape (rows, columns); got shape {values.shape}: {short_repr(values)}."
        )
    top = max(values.max(), 1e-9)
    ax.imshow(values, cmap="viridis", vmin=min(0.0, values.min()), vmax=top)
    for i, j in np.ndindex(values.shape):
        ax.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=8,
                color="black" if values[i, j] > 0.6 * top else "white")  # fmt: skip
    names = drawable(columns, values.shape[1], "columns")
    turned = dict(rotation=45, ha="right") if names and max(map(len, names)) > 4 else {}  # or they run into each other
    ax.set_xticks(range(values.shape[1]), names, **turned, **PLAIN)
    ax.set_yticks(range(values.shape[0]), drawable(rows, values.shape[0], "rows"), **PLAIN)
    ax.grid(False)
    ax.set_title(title, **PLAIN)
    ax.set_xlabel(column_name, **PLAIN)
    ax.set_ylabel(row_name, **PLAIN)
    return ax


def drawable(names, n: int, what: str = "names") -> list[str]:
    """The names as the fonts here can draw them, with signs for invisible characters; without names, numbers from 0."""
    names = range(n) if names is None else names
    if isinstance(names, (str, bytes)) or len(names) != n:
        raise ValueError(f"{what} must be a list of {n} names; got {short_repr(names)}.")
    return [readable(visible(str(name)) if name != "" else "", longest=40) for name in names]
