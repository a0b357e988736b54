"""Two ways to split a small tensor (1, T, D) into heads, and where each of them puts every number.

`split_both_ways` computes both: view + transpose, as multi-head attention needs it, and view alone, which runs without
an error and mixes positions with features.
"""

from itertools import pairwise

import numpy as np
import traitlets
from matplotlib.patches import Rectangle

from .browser_files import module, sheet
from .explorer import Explorer

COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7"]  # Okabe and Ito's, one for each head
MOST_POSITIONS, MOST_HEADS, MOST_FEATURES = 6, 4, 4
INK = "#212121"


def split_both_ways(T: int, H: int, d_head: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers 0, 1, ... of a tensor (T, H * d_head), as (H, T, d_head): by view + transpose, and by view alone.

    Raises ValueError unless each size is at least 1.
    """
    if min(T, H, d_head) < 1:
        raise ValueError(f"T, H and d_head must be at least 1; got T={T}, H={H}, d_head={d_head}.")
    numbers = np.arange(T * H * d_head)
    return numbers.reshape(T, H, d_head).swapaxes(0, 1), numbers.reshape(H, T, d_head)


class SplitExplorer(Explorer):
    """Click a number and see where it goes: `SplitExplorer()`, then read `.split`, `.viewed`, `.agree`."""

    _module = module("split_explorer")
    _sheet = sheet("split_explorer")
    title = "a tensor cut into heads, by view + transpose and by view alone"
    n_positions = traitlets.Int(4).tag(sync=True)
    n_heads = traitlets.Int(3).tag(sync=True)
    d_head = traitlets.Int(2).tag(sync=True)
    chosen = traitlets.Int(8).tag(sync=True)

    @traitlets.validate("n_positions", "n_heads", "d_head")
    def _check_size(self, proposal):
        name = proposal.trait.name
        most = {"n_positions": MOST_POSITIONS, "n_heads": MOST_HEADS, "d_head": MOST_FEATURES}[name]
        if not 1 <= proposal.value <= most:
            raise ValueError(f"{name} must be between 1 and {most}; got {proposal.value}.")
        return proposal.value

    @traitlets.validate("chosen")
    def _check_chosen(self, proposal):
        last = self.n_positions * self.n_heads * self.d_head - 1
        if not 0 <= proposal.value <= last:
            raise ValueError(f"chosen must be between 0 and {last}; got {proposal.value}.")
        return proposal.value

    @traitlets.observe("n_positions", "n_heads", "d_head")
    def _stay_inside(self, change):
        self.chosen = min(self.chosen, self.n_positions * self.n_heads * self.d_head - 1)

    @property
    def split(self) -> np.ndarray:
        """(H, T, d_head): the numbers after view(1, T, H, d_head).transpose(1, 2), the right way."""
        return split_both_ways(self.n_positions, self.n_heads, self.d_head)[0]

    @property
    def viewed(self) -> np.ndarray:
        """(H, T, d_head): the numbers after view(1, H, T, d_head) alone."""
        return split_both_ways(self.n_positions, self.n_heads, self.d_head)[1]

    @property
    def agree(self) -> np.ndarray:
        """(H, T, d_head): True where the two put the same number."""
        return self.split == self.viewed

    def draw(self, figure):
        """The tensor, and below it the two ways; a frame around each number that both put in the same place."""
        T, H, d_head = self.split.shape[1], *self.split.shape[::2]
        gap = 0.8
        columns = 1.6 + H * (d_head + gap)
        cell = min(0.34, 4.7 / columns)  # inches; panels below each other, so that numbers stay legible on a phone
        figure.set_size_inches(5, 2.2 + 3 * cell * (T + 1.1))
        rows = [cell * (T + 1.1) + 0.35] * 3 + [0.6]
        figure.subplots_adjust(left=0.03, right=0.97, bottom=0.02, top=1 - 0.6 / figure.get_figheight(), hspace=0.25)
        same = int(self.agree.sum())
        figure.suptitle(
            f"T = {T}, H = {H}, d_head = {d_head}: the two ways agree on {same} of {T * H * d_head} numbers",
            fontsize=10,
        )
        whole, right, wrong, empty = figure.subplots(4, 1, height_ratios=rows)
        numbers = np.arange(T * H * d_head).reshape(T, H * d_head)
        empty.axis("off")
        words = (
            f"colour: the head that the feature belongs to\nbold frame: both ways agree\nblack: number {self.chosen}"
        )
        empty.text(0.5, 0.5, words, ha="center", va="center", fontsize=9, transform=empty.transAxes)
        self._draw_cells(whole, [numbers], [""], gap)
        names = [f"head {h}" for h in range(H)]
        self._draw_cells(right, self.split, names, gap)
        self._draw_cells(wrong, self.viewed, names, gap)
        whole.set_title(f"x (1, {T}, {H * d_head}): a position a row", fontsize=10)
        right.set_title("view + transpose: every head gets its own features", fontsize=10)
        wrong.set_title("view alone: no error" + (", wrong numbers" if same < numbers.size else ""), fontsize=10)

    def _draw_cells(self, axes, grids, names, gap):
        T = len(grids[0])
        place = split_both_ways(self.n_positions, self.n_heads, self.d_head)
        agreeing = set(place[0][place[0] == place[1]].tolist())
        lefts = np.cumsum([0, *(len(grid[0]) + gap for grid in grids)])
        for grid, name, (left, end) in zip(grids, names, pairwise(lefts), strict=True):
            axes.text((left + end - gap) / 2, -0.3, name, ha="center", va="bottom", fontsize=9)
            for (t, f), number in np.ndenumerate(grid):
                self._draw_cell(axes, left + f, t, int(number), number in agreeing and name != "")
        for t in range(T):
            axes.text(-0.3, t + 0.5, f"t = {t}", ha="right", va="center", fontsize=8)
        axes.set(xlim=(-1.6, lefts[-1]), ylim=(T + 0.1, -1), aspect="equal")
        axes.axis("off")

    def _draw_cell(self, axes, x, y, number, framed):
        colour = INK if number == self.chosen else COLOURS[number // self.d_head % self.n_heads]
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, alpha=1 if number == self.chosen else 0.45,
                                 edgecolor="white", linewidth=1))  # fmt: skip
        if framed:
            axes.add_patch(Rectangle((x + 0.07, y + 0.07), 0.86, 0.86, fill=False, edgecolor=INK, linewidth=1.6))
        ink = "white" if number == self.chosen else INK
        axes.text(x + 0.5, y + 0.52, str(number), ha="center", va="center", fontsize=8, color=ink)

    def __repr__(self):
        return f"SplitExplorer(T={self.n_positions}, H={self.n_heads}, d_head={self.d_head}, chosen={self.chosen})"
