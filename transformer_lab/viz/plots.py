"""Static pictures in one style: every function draws on the axes it is given and returns them."""

import matplotlib.pyplot as plt
import numpy as np

from .attention_picture import readable

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"]


def use_style() -> None:
    """Set matplotlib's defaults for the course: one palette, a light grid, no frame at the top and right."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": plt.cycler(color=COLORS),
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.figsize": (7, 3),
            "font.size": 10,
            "grid.alpha": 0.3,
            "legend.frameon": False,
            "lines.markersize": 5,
        }
    )


def shares(ax, by_name: dict[str, float], title: str):
    """Horizontal bars of shares between 0 and 1, in per cent, first name on top."""
    names, values = list(by_name), [100 * value for value in by_name.values()]
    bars = ax.barh(names, values, color=[COLORS[0]] + [COLORS[1]] * (len(names) - 1), height=0.6)
    ax.bar_label(bars, labels=[f"{value:.0f} %" for value in values], padding=3)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set(xlim=(0, 112), xticks=range(0, 101, 20), xlabel="dates translated exactly (%)", title=title)
    return ax


def matrix(ax, values, rows=None, columns=None, title: str = "", row_name: str = "query", column_name: str = "key"):
    """A small matrix as coloured cells with its numbers, on viridis from 0 to its largest value.

    Names in letters that no font here has are written in Latin ones.
    """
    values = np.asarray(values)
    top = max(values.max(), 1e-9)
    ax.imshow(values, cmap="viridis", vmin=min(0.0, values.min()), vmax=top)
    for i, j in np.ndindex(values.shape):
        ax.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=8,
                color="black" if values[i, j] > 0.6 * top else "white")  # fmt: skip
    ax.set_xticks(range(values.shape[1]), written(columns, values.shape[1]))
    ax.set_yticks(range(values.shape[0]), written(rows, values.shape[0]))
    ax.grid(False)
    ax.set(title=title, xlabel=column_name, ylabel=row_name)
    return ax


def written(names, n: int) -> list[str]:
    """The names as the fonts here can draw them; without names, numbers from 0."""
    return [readable(str(name), longest=40) for name in (range(n) if names is None else names)]
