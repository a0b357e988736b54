"""The base of our widgets: all of one kind share a script and a style, so that a saved notebook holds them once.

An anywidget carries its own copies, and a notebook with three views of attention would store three. Here every view
brings a few lines, static/shared_script.js, that fetch both from a `Script`.
"""

import anywidget
import ipywidgets
import traitlets

from .browser_files import module


class Script(ipywidgets.Widget):
    """The ES module and the style sheet of a kind of widgets."""

    module = traitlets.Unicode().tag(sync=True)
    sheet = traitlets.Unicode().tag(sync=True)


SCRIPTS: dict[str, Script] = {}  # by module


class SharedScript(anywidget.AnyWidget):
    """A subclass sets `_module = module(NAME)` and `_sheet = sheet(NAME)`."""

    _esm = module("shared_script")
    _module = _sheet = ""
    _script = traitlets.Instance(Script).tag(sync=True, **ipywidgets.widget_serialization)

    @traitlets.default("_script")
    def _shared(self) -> Script:
        script = SCRIPTS.get(self._module)
        if script is None or script.comm is None:  # Widget.close_all() was called
            script = SCRIPTS[self._module] = Script(module=self._module, sheet=self._sheet)
        return script
