"""One query among five keys, in the plane: what attention weighs, and where its output can be.

`attend_to` is all the mathematics; the browser computes the same formula so that dragging needs no round trip.
"""

import math
from itertools import combinations

import numpy as np
import traitlets

from ..sentences import short_repr
from .browser_files import module, sheet
from .explorer import Explorer

# k1 and k2 score the same along (2, 3), and k5, short but in between, comes next; v1 v2 is an edge of the hull.
KEYS = [[1.8, 0.2], [0.3, 1.2], [-1.3, 0.7], [-0.8, -1.2], [0.5, 0.4]]
VALUES = [[-2.2, 1.2], [1.0, 2.2], [2.3, -0.6], [-1.0, -2.1], [0.2, 0.1]]
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00"]  # Okabe and Ito's, safe for colour-blind readers
COLDEST, HOTTEST = 0.05, 10.0
INK = "#212121"


def attend_to(query, keys, values, temperature: float | int = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """One query (d), S keys (S, d), S values (S, d_value) -> the weights (S,) and the output (d_value,).

    weights = softmax(keys @ query / (temperature * sqrt(d))); output = weights @ values (Vaswani et al. 2017, eq. 1).
    """
    query, keys, values = (np.asarray(x, dtype=np.float64) for x in (query, keys, values))
    if query.ndim != 1 or keys.ndim != 2 or keys.shape[1] != len(query):
        raise ValueError(f"query and keys must be (d,) and (S, d); got {query.shape} and {keys.shape}.")
    if values.ndim != 2 or len(values) != len(keys) or not len(keys):
        raise ValueError(f"values must be (S, d_value), one row per key, S={len(keys)} > 0; got {values.shape}.")
    if not all(np.isfinite(x).all() for x in (query, keys, values)):
        raise ValueError("query, keys and values must be finite numbers; got NaN or infinity.")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above 0 and finite; got {temperature}.")
    scores = keys @ query / (temperature * math.sqrt(len(query)))
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return weights, weights @ values


class QueryExplorer(Explorer):
    """Drag a query among five keys: `QueryExplorer()`, then read `.query`, `.temperature`, `.weights`, `.output`."""

    _module = module("query_explorer")
    _sheet = sheet("query_explorer")
    title = "one query among five keys"
    key_points = traitlets.List(read_only=True).tag(sync=True)  # `keys` is ipywidgets' own name
    value_points = traitlets.List(read_only=True).tag(sync=True)
    reach = traitlets.Float(read_only=True).tag(sync=True)  # how far the query may go along each axis
    query = traitlets.List([1.2, -0.8]).tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)

    def __init__(self, keys=None, values=None, **kwargs):
        self.set_trait("key_points", _points("keys", KEYS if keys is None else keys, (5, 2)))
        self.set_trait("value_points", _points("values", VALUES if values is None else values, (5, 2)))
        self.set_trait("reach", max(3.0, float(math.ceil(np.abs(self.key_points).max()))))
        super().__init__(**kwargs)

    @traitlets.validate("query")
    def _check_query(self, proposal):
        query = _points("query", proposal.value, (2,))
        if max(map(abs, query)) > self.reach:
            raise ValueError(
                f"query must lie within -{self.reach:g} and {self.reach:g} on both axes; got {short_repr(query)}."
            )
        return query

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal):
        if not COLDEST <= proposal.value <= HOTTEST:
            raise ValueError(f"temperature must be between {COLDEST} and {HOTTEST:g}; got {proposal.value}.")
        return proposal.value

    @property
    def weights(self) -> np.ndarray:
        """The five weights for the current query."""
        return attend_to(self.query, self.key_points, self.value_points, self.temperature)[0]

    @property
    def output(self) -> np.ndarray:
        """The output (2,) for the current query."""
        return attend_to(self.query, self.key_points, self.value_points, self.temperature)[1]

    def draw(self, figure):
        """The same three panels, and below them the same query at three temperatures."""
        figure.set_size_inches(10, 7.2)
        figure.subplots_adjust(left=0.03, right=0.985, bottom=0.05, top=0.91, wspace=0.12, hspace=0.18)
        figure.suptitle("One query among five keys, and the same query at three temperatures")
        (left, middle, right), below = figure.subplots(2, 3)
        self._draw_keys(left)
        self._draw_weights(middle)
        self._draw_output(right, self.temperature, f"3  output = {_show(self.output)}")
        right.legend(loc="lower right", fontsize=7, frameon=False)
        for axes, temperature in zip(below, (0.1, 1.0, 10.0), strict=True):
            weights, _ = attend_to(self.query, self.key_points, self.value_points, temperature)
            title = f"temperature {temperature:g}: largest weight {weights.max():.2f}"
            self._draw_output(axes, temperature, title)

    def _draw_keys(self, axes):
        scores = np.array(self.key_points) @ self.query
        best = " and ".join(f"k{i + 1}" for i in np.flatnonzero(scores > scores.max() - 1e-9))
        axes.set_title(f"1  q·k is largest for {best}", fontsize=10)
        for i, (key, colour) in enumerate(zip(self.key_points, COLOURS, strict=True)):
            _arrow(axes, key, colour, f"k{i + 1}")
        _arrow(axes, self.query, INK, "q")
        axes.plot(*self.query, "o", color=INK, markersize=9)
        _plane(axes, self.reach * 1.15)

    def _draw_weights(self, axes):
        axes.set_title(f"2  weights at temperature {self.temperature:g}: they sum to 1", fontsize=10)
        rows = axes.barh(range(5), self.weights, color=COLOURS)
        scores = np.array(self.key_points) @ self.query
        labels = [f"{weight:.3f}  (q·k = {score:z.2f})" for weight, score in zip(self.weights, scores, strict=True)]
        axes.bar_label(rows, labels, padding=4, fontsize=8)
        axes.set(xlim=(0, 1.6), xticks=[0, 0.5, 1], yticks=range(5), yticklabels=["k1", "k2", "k3", "k4", "k5"])
        axes.set_box_aspect(1)
        axes.tick_params(labelsize=8)
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)

    def _draw_output(self, axes, temperature, title):
        weights, output = attend_to(self.query, self.key_points, self.value_points, temperature)
        axes.set_title(title, fontsize=10)
        for layer, (colour, width) in enumerate((("#9e9e9e", 2.5), ("#f0f0f0", 0.3))):  # an edge, then the inside
            for triangle in combinations(self.value_points, 3):  # the hull is the union of all triangles
                axes.fill(*zip(*triangle, strict=True), color=colour, linewidth=width, zorder=layer / 10)
        for i, (value, weight) in enumerate(zip(self.value_points, weights, strict=True)):
            axes.plot(*zip(value, output, strict=True), color=COLOURS[i], linewidth=5 * weight, alpha=0.6)
            axes.plot(*value, "o", color=COLOURS[i], markersize=5 + 13 * math.sqrt(weight))
            _label(axes, value, f"v{i + 1}", 12 + 6 * weight)
        midpoint, mark = np.mean(self.value_points[:2], axis=0), {"color": INK, "linestyle": "none"}
        axes.plot(*midpoint, "x", markersize=8, label="midpoint of v1 and v2", **mark)
        axes.plot(*output, "D", markersize=9, label="output", markeredgecolor="white", **mark)
        _plane(axes, 1.35 * np.abs(self.value_points).max() or 1.0)

    def __repr__(self):
        return f"QueryExplorer(5 keys, query={_show(self.query)}, temperature={self.temperature:g})"


def _points(name: str, value, shape: tuple) -> list:
    """`value` as nested lists of floats of this shape, or a ValueError that names it."""
    try:
        array = np.asarray(value, dtype=np.float64)
        came = f"shape {array.shape}: {short_repr(array)}"
    except (TypeError, ValueError, OverflowError):  # rows of different lengths, or no numbers at all
        array, came = np.array(np.nan), short_repr(value)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers of shape {shape}; got {came}.")
    return array.tolist()


def _show(point) -> str:
    return "({:z.2f}, {:z.2f})".format(*point)


def _arrow(axes, tip, colour, label):
    axes.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkB": 0})
    _label(axes, tip, label, 11)


def _label(axes, point, text, distance):
    """Write next to a point, on the side away from the origin."""
    away = np.array(point) / (np.hypot(*point) or 1.0)
    axes.annotate(text, point, away * distance, textcoords="offset points", ha="center", va="center")


def _plane(axes, reach):
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize=8)
