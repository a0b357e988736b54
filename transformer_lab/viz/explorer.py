"""The base of every explorer: a widget that also runs without a kernel, a saved page and a static twin.

An explorer is a pure function that computes, and a subclass of `Explorer` that shows it. The browser computes the same
formula, so that dragging needs no round trip; a test compares the two.
"""

import base64
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

from . import saved_page
from .plots import lay_on_card
from .png import small_png
from .shared_script import SharedScript


class Explorer(SharedScript):
    """A subclass sets `_module`, `_sheet` and `title`, and defines its traits and `draw`."""

    title = ""  # one line: the saved page's title, and what stands in a notebook that shows no pictures

    def draw(self, figure: Figure) -> None:
        """Draw the explorer's current state on a matplotlib figure: its static twin. The figure's size may be set."""
        raise NotImplementedError

    @style.context("default")  # the same picture whatever style the notebook has set
    def static_twin(self) -> bytes:
        """The drawing as a PNG, for wherever there is no kernel: GitHub, a notebook not yet run."""
        figure = Figure(figsize=(10, 4), facecolor="white")
        lay_on_card(figure)
        self.draw(figure)
        return small_png(figure, dpi=90)

    def save(self, path) -> Path:
        """Write the explorer's current state to one HTML file that works offline, or to a .png; returns its path."""
        return saved_page.save(path, {"html": self._page, "png": self.static_twin})

    def _page(self) -> str:
        state = {name: getattr(self, name) for name in self.own_traits()}
        return saved_page.page(self.title, self._module, self._sheet, state)

    @classmethod
    def own_traits(cls) -> list[str]:
        """The synced traits that the explorer defines itself; all others are ipywidgets' business."""
        names = set(cls.class_trait_names(sync=True)) - set(SharedScript.class_trait_names(sync=True))
        return sorted(name for name in names if not name.startswith("_"))

    def __repr__(self):
        return f"{type(self).__name__}: {self.title}"

    def _repr_mimebundle_(self, **kwargs):
        shown = super()._repr_mimebundle_(**kwargs)
        bundle, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        picture = base64.b64encode(self.static_twin()).decode("ascii")
        metadata = {**metadata, "image/png": {"alt": repr(self)}}
        return {**bundle, "image/png": picture, "text/plain": repr(self)}, metadata
