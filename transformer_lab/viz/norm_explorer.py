"""A cube of numbers, B samples by T positions by D features: which outputs move when one input does?

`normalise` is all the mathematics; the browser computes the same formula, so that dragging needs no round trip.
"""

import numpy as np
import traitlets
from matplotlib.patches import Rectangle

from ..sentences import short_repr
from .browser_files import module, sheet
from .explorer import Explorer

# What people average over -> the axes of (B, T, D).
AXES = {"features": (2,), "time": (1,), "batch": (0,), "batch and time": (0, 1), "time and features": (1, 2)}
EPS, LOWEST, HIGHEST = 1e-5, -4.0, 4.0
MOVED = 1e-6  # an output that changes by less counts as unchanged
INK, MARK = "#212121", "#d55e00"
# Three samples, four positions, five features; no group has equal numbers.
CUBE = [
    [[1.2, -0.4, 0.7, 2.0, -1.1], [0.3, 1.6, -0.8, 0.1, 0.9], [-1.5, 0.6, 1.1, -0.2, 1.8], [0.8, -1.0, 0.4, 1.3, -0.6]],
    [[2.1, 0.5, -0.3, 0.9, 1.4], [-0.7, 1.0, 1.9, -1.2, 0.2], [0.6, -0.9, 0.0, 1.7, -0.5], [1.5, 0.2, -1.3, 0.4, 1.1]],
    [[-0.2, 1.3, 0.8, -1.4, 0.5], [1.7, -0.6, 0.3, 1.0, -0.9], [0.1, 2.2, -1.0, 0.7, 0.4], [-1.2, 0.9, 1.6, -0.1, 2.3]],
]


def normalise(cube, over: str = "features", eps: float = EPS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(B, T, D) -> the normalised cube, and the mean and standard deviation of each group, their axes kept as size 1.

    A group is what is averaged `over` (a key of AXES): (x - mean) / sqrt(variance + eps), variance divided by n.
    """
    cube = np.asarray(cube, dtype=np.float64)
    if cube.ndim != 3 or not cube.size or not np.isfinite(cube).all():
        raise ValueError(f"cube must be finite numbers of shape (B, T, D), none of them 0; got shape {cube.shape}.")
    if over not in AXES:
        raise ValueError(f"over must be one of {', '.join(map(repr, AXES))}; got {over!r}.")
    if not eps > 0:
        raise ValueError(f"eps must be above 0; got {eps}.")
    mean, variance = cube.mean(axis=AXES[over], keepdims=True), cube.var(axis=AXES[over], keepdims=True)
    return (cube - mean) / np.sqrt(variance + eps), mean, np.sqrt(variance)


class NormExplorer(Explorer):
    """Change one number of a cube: `NormExplorer()`, then read `.over`, `.cell`, `.value`, `.changed`."""

    _module = module("norm_explorer")
    _sheet = sheet("norm_explorer")
    title = "which outputs move when one input does"
    cube = traitlets.List(CUBE, read_only=True).tag(sync=True)
    over = traitlets.Enum(tuple(AXES), "batch").tag(sync=True)
    cell = traitlets.List([1, 2, 1]).tag(sync=True)  # sample, position, feature
    value = traitlets.Float(3.0).tag(sync=True)  # what stands in that cell now

    @traitlets.validate("cell")
    def _check_cell(self, proposal):
        cell, shape = list(proposal.value), np.shape(self.cube)
        if len(cell) != 3 or not all(i in range(n) for i, n in zip(cell, shape, strict=True)):
            raise ValueError(f"cell must be three whole numbers, below {shape}; got {short_repr(cell)}.")
        return [int(i) for i in cell]

    @traitlets.validate("value")
    def _check_value(self, proposal):
        if not LOWEST <= proposal.value <= HIGHEST:
            raise ValueError(f"value must be between {LOWEST:g} and {HIGHEST:g}; got {proposal.value}.")
        return proposal.value

    @property
    def inputs(self) -> np.ndarray:
        """The cube (B, T, D) with the value in its cell."""
        inputs = np.array(self.cube)
        inputs[tuple(self.cell)] = self.value
        return inputs

    @property
    def changed(self) -> np.ndarray:
        """(B, T, D): True where changing the cell's value changes the output."""
        before, after = (normalise(cube, self.over)[0] for cube in (self.cube, self.inputs))
        return np.abs(after - before) > MOVED

    def draw(self, figure):
        """The changed input, and the output with what changed in it lit up; the other choices of axes stay unseen."""
        figure.set_size_inches(5.6, 5.2)  # one above the other, so that a phone shows them in a readable size
        figure.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.88, hspace=0.16)
        (b, t, d), changed = self.cell, self.changed
        figure.suptitle(f"Over {self.over}: {changed.sum()} of {changed.size} outputs move")
        chosen = np.zeros(np.shape(self.cube), dtype=bool)
        chosen[b, t, d] = True
        above, below = figure.subplots(2, 1)
        was = f"{self.cube[b][t][d]:g} became {self.value:g}"
        _draw_cube(above, self.inputs, chosen, f"the input x: in sample {b}, position {t}, feature {d}, {was}")
        _draw_cube(below, normalise(self.inputs, self.over)[0], changed, "the output; what moved is lit")

    def __repr__(self):
        return f"NormExplorer(over={self.over!r}, cell={self.cell}, value={self.value:g})"


def _draw_cube(axes, cube, lit, title):
    """The cube's slices side by side, one per sample; cells that are lit stand out."""
    B, T, D = cube.shape
    axes.set_title(title, fontsize=10)
    for b, t, d in np.ndindex(cube.shape):
        x, y, on = b * (D + 0.6) + d, t, lit[b, t, d]
        face, edge = (MARK, MARK) if on else ("#f2f2f2", "#bdbdbd")
        axes.add_patch(_square(x, y, face, edge))
        colour, weight = ("white", "bold") if on else (INK, "normal")
        axes.text(x, y, f"{cube[b, t, d]:z.1f}", ha="center", va="center", fontsize=7.5, color=colour, weight=weight)
    for b in range(B):
        axes.text(b * (D + 0.6) + (D - 1) / 2, T - 0.15, f"sample {b}", ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.7, B * (D + 0.6) - 0.9), ylim=(T + 0.1, -0.6))
    axes.axis("off")


def _square(x, y, face, edge):
    return Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, facecolor=face, edgecolor=edge, linewidth=0.6)
