"""A mask as a table of queries and keys: which outputs change when one key changes, and which rows see nothing.

`make_mask` is all the mathematics; the browser computes the same, so that moving a slider needs no round trip.
"""

import numpy as np
import traitlets
from matplotlib.patches import Rectangle

from .browser_files import module, sheet
from .explorer import Explorer

KINDS = {
    "none": "none",
    "causal": "causal, last query meets last key",
    "top left": "causal, first query meets first key",
    "padding": "padding",
    "causal and padding": "causal (last meets last) and padding",
}
SIDES = ("right", "left")
LARGEST = 8
ALLOWED, CHANGED, EMPTY = "#0072B2", "#D55E00", "#CC79A7"  # Okabe and Ito's, safe for colour-blind readers
BLOCKED, PADDED = "#f2f2f2", "#d9d9d9"


def make_mask(kind: str, T: int, S: int, n_padded: int = 0, side: str = "right") -> np.ndarray:
    """Booleans (T, S), True where query i may look at key j. n_padded keys are padding, on this side; ValueError.

    "causal" puts the last query at the last key, "top left" the first at the first, as torch's is_causal does.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}.")
    if side not in SIDES:
        raise ValueError(f"side must be one of {', '.join(SIDES)}; got {side!r}.")
    if T < 1 or S < 1 or not 0 <= n_padded <= S:
        raise ValueError(f"Wanted T and S of at least 1 and n_padded from 0 to S; got {T}, {S} and {n_padded}.")
    i, j = np.arange(T)[:, None], np.arange(S)
    allowed = np.ones((T, S), dtype=bool)
    if kind.startswith("causal"):
        allowed &= j <= S - T + i
    if kind == "top left":
        allowed &= j <= i
    if kind.endswith("padding"):
        allowed &= j < S - n_padded if side == "right" else j >= n_padded
    return allowed


class MaskExplorer(Explorer):
    """Choose a mask and a key: `MaskExplorer()`, then read `.mask`, `.changed_rows`, `.empty_rows`."""

    _module = module("mask_explorer")
    _sheet = sheet("mask_explorer")
    title = "a mask, and which outputs change when one key changes"
    T = traitlets.Int(6).tag(sync=True)
    S = traitlets.Int(6).tag(sync=True)
    kind = traitlets.Enum(list(KINDS), "causal").tag(sync=True)
    n_padded = traitlets.Int(2).tag(sync=True)
    side = traitlets.Enum(SIDES, "right").tag(sync=True)
    changed_key = traitlets.Int(3).tag(sync=True)

    @traitlets.validate("T", "S", "n_padded", "changed_key")
    def _check_size(self, proposal):
        name, value = proposal.trait.name, proposal.value
        lowest = 1 if name in ("T", "S") else 0
        highest = LARGEST - 1 if name == "changed_key" else LARGEST
        if not lowest <= value <= highest:
            raise ValueError(f"{name} must be between {lowest} and {highest}; got {value}.")
        return value

    @property
    def mask(self) -> np.ndarray:
        """The current mask, booleans (T, S)."""
        return make_mask(self.kind, self.T, self.S, min(self.n_padded, self.S), self.side)

    @property
    def changed_rows(self) -> list[int]:
        """The queries whose output changes when the key and the value at changed_key do: those that may look at it."""
        return np.flatnonzero(self.mask[:, self._key]).tolist()

    @property
    def empty_rows(self) -> list[int]:
        """The queries that may look at no key."""
        return np.flatnonzero(~self.mask.any(axis=1)).tolist()

    @property
    def _key(self) -> int:
        return min(self.changed_key, self.S - 1)

    def draw(self, figure):
        """The current mask; then, for fewer queries than keys, the two alignments, and a mask with empty rows."""
        others = (
            dict(T=3, S=6, kind="causal", changed_key=3),
            dict(T=3, S=6, kind="top left", changed_key=3),
            dict(T=6, S=6, kind="causal and padding", n_padded=2, side="left", changed_key=3),
        )
        explorers = [self, *(MaskExplorer(**other) for other in others)]
        heights = [0.31 * (len(explorer.mask) + 1) for explorer in explorers]  # in inches
        figure.set_size_inches(4.4, 0.9 + sum(heights) + 4 * 0.5)  # below each other: legible on a phone
        space = dict(bottom=0.01, top=1 - 1.1 / figure.get_figheight(), hspace=0.5 / (sum(heights) / 4))
        figure.subplots_adjust(left=0.04, right=0.96, **space)
        words = "Blue: allowed, with its weight if all scores are equal.\nOrange: what changes with one key"
        figure.suptitle(words, fontsize=10)
        panels = figure.subplots(4, 1, height_ratios=heights)
        for axes, explorer in zip(panels, explorers, strict=True):
            explorer._draw_table(axes)

    def _draw_table(self, axes):
        mask, key, (T, S) = self.mask, self._key, self.mask.shape
        name = KINDS[self.kind] + (f" on the {self.side}" if self.kind.endswith("padding") else "")
        axes.set_title(f"{name}\nkey {key} changes: {_outputs(self.changed_rows)}", fontsize=9)
        padded = ~make_mask("padding", 1, S, min(self.n_padded, S), self.side)[0] & self.kind.endswith("padding")
        for i, j in np.ndindex(T, S):
            colour = ALLOWED if mask[i, j] else PADDED if padded[j] else BLOCKED
            edge = CHANGED if j == key and mask[i, j] else "white"
            axes.add_patch(Rectangle((j + 0.05, i + 0.05), 0.9, 0.9, facecolor=colour, edgecolor=edge, linewidth=2))
            if mask[i, j]:
                weight = f"1/{mask[i].sum()}" if mask[i].sum() > 1 else "1"
                axes.text(j + 0.5, i + 0.5, weight, ha="center", va="center", fontsize=8, color="white")
        for j in range(S):
            text = f"k{j}" + ("\npad" if padded[j] else "")
            axes.text(j + 0.5, -0.1, text, ha="center", fontsize=8, color=CHANGED if j == key else "black")
        for i in range(T):
            axes.text(-0.15, i + 0.5, f"q{i}", ha="right", va="center", fontsize=8)
            words, colour = ("same", "#616161") if mask[i].any() else ("no key: 0", "black")
            if mask[i, key]:
                words, colour = "changes", CHANGED
            axes.text(S + 0.2, i + 0.5, f"output {i}: {words}", va="center", fontsize=8, color=colour)
        axes.set(xlim=(-0.8, max(S, 6) + 3), ylim=(T + 0.1, -0.9), aspect="equal")
        axes.axis("off")

    def __repr__(self):
        return f"MaskExplorer(T={self.T}, S={self.S}, kind={self.kind!r}, n_padded={self.n_padded}, side={self.side!r})"


def _outputs(rows: list[int]) -> str:
    if not rows:
        return "no output changes"
    return f"output{'s' * (len(rows) > 1)} {', '.join(map(str, rows))} change{'s' * (len(rows) == 1)}"
