"""The alternative text of figures: a notebook stores with each picture what its titles and axes say, for its pages."""

from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def tell_in_words(_: Figure) -> None:
    """From the first figure on, have the notebook this runs in store words with its pictures."""
    shell = get_ipython()
    pictures = shell and shell.display_formatter.formatters["image/png"]
    draw = pictures and pictures.for_type(Figure)  # matplotlib's own, which is there once a figure has been made
    if draw and not hasattr(draw, "tells"):

        def draw_and_tell(figure: Figure):
            picture = draw(figure)
            return picture and (picture, {"alt": in_words(figure)})

        draw_and_tell.tells = True
        pictures.for_type(Figure, draw_and_tell)


def in_words(figure: Figure) -> str:
    """The figure's title, and of each panel the title and what its axes show."""
    told = [figure.get_suptitle(), *map(panel, figure.axes)]
    return "Figure: " + "; ".join(" ".join(words.split()) for words in told if words)


def panel(ax: Axes) -> str:
    """The title and labels of one panel, and the names in its legend."""
    title = next(filter(None, map(ax.get_title, ("left", "center", "right"))), "")
    axes = [f"{name}: {label}" for name, label in (("across", ax.get_xlabel()), ("up", ax.get_ylabel())) if label]
    lines = [line for line in ax.get_legend_handles_labels()[1] if line]
    legend = [f"lines: {', '.join(lines)}"] if lines else []
    return ", ".join(filter(None, [title, *axes, *legend]))
