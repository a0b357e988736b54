"""RankExplorer without a browser: two charts over the rank, and three pictures of the change."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from .attention_picture import readable

LINES = {
    "change": ("the change", "#0072B2", "o-"),
    "weight": ("the matrix before", "#00835F", "--"),
    "random": ("a random matrix", "#616161", ":"),
}
MARK = "#D55E00"
SIGNS = LinearSegmentedColormap.from_list("signs", ["#0072B2", "white", "#D55E00"])


def draw_rank(figure, explorer) -> None:
    """Draw the chosen matrix at the chosen rank."""
    change, rank = explorer.change, explorer.shown_rank
    d_out, d_in = change.delta.shape
    figure.set_size_inches(10, 5.6)
    name = readable(explorer.name, longest=40)
    kept = round(100 * explorer.kept["change"], 1)
    title = f"{name}, {d_out} x {d_in}: rank {rank} keeps {kept} % of the change"
    figure.suptitle(title, fontsize=12, parse_math=False)
    grid = figure.add_gridspec(2, 6, left=0.07, right=0.985, bottom=0.09, top=0.86, hspace=0.5, wspace=0.9)
    draw_values(figure.add_subplot(grid[0, :3]), explorer)
    draw_kept(figure.add_subplot(grid[0, 3:]), explorer)
    whole, close = change.drawn(), change.drawn(rank)
    largest = np.abs(whole).max()
    pictures = {"the change": whole, f"rank {rank} of it": close, "what is left out": whole - close}
    for n, (title, picture) in enumerate(pictures.items()):
        ax = figure.add_subplot(grid[1, 2 * n : 2 * n + 2])
        ax.imshow(picture, cmap=SIGNS, vmin=-largest, vmax=largest)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=10)
    rows, columns = whole.shape
    which = "all cells" if whole.size == d_out * d_in else f"the {rows} rows and {columns} columns that changed most"
    figure.text(0.5, 0.03, f"{which}; orange is above 0, blue below", fontsize=9, ha="center", va="center")


def draw_values(ax, explorer) -> None:
    """The singular values of the change, and of a random matrix."""
    for name in ("random", "change"):
        draw_line(ax, name, explorer.change.spectra[name])
    finish(ax, explorer, "singular values")


def draw_kept(ax, explorer) -> None:
    """The share of the energy that each rank keeps."""
    for name, values in explorer.change.spectra.items():
        draw_line(ax, name, 100 * np.cumsum(values**2) / np.sum(values**2))
    ax.set_ylim(0, 105)
    finish(ax, explorer, "energy kept (%)")


def draw_line(ax, name, numbers) -> None:
    """One line over the ranks 1 ... n."""
    label, colour, style = LINES[name]
    ax.plot(range(1, len(numbers) + 1), numbers, style, color=colour, markersize=3, linewidth=2, label=label)


def finish(ax, explorer, title) -> None:
    """The axes of both charts, and the chosen rank."""
    ax.axvline(explorer.shown_rank, color=MARK, linewidth=1.5)
    ax.set_xscale("log", base=2)
    ax.set_xlim(0.93, len(explorer.change.values) * 1.07)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("rank", fontsize=9)
    ax.set_title(title, fontsize=10, loc="left")
    ax.legend(fontsize=8, frameon=False)
    ax.grid(alpha=0.3)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
