"""The options of a guess as buttons. A press goes to Python, which keeps the guess and says what became of it."""

import traitlets

from .browser_files import module, sheet
from .shared_script import SharedScript


class GuessButtons(SharedScript):
    """Buttons for the options of a question (grading/guess_card.py)."""

    _module = module("guess_buttons")
    _sheet = sheet("guess_buttons")
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    guess = traitlets.Unicode().tag(sync=True)  # the first one, which counts
    later = traitlets.Unicode().tag(sync=True)  # one that came after it, or after the run
    message = traitlets.Unicode().tag(sync=True)

    def __init__(self, question):
        super().__init__(options=list(question.options))
        self._show(question)
        self._choose = question.choose
        self.on_msg(self._pressed)

    def bundle(self) -> dict:
        """What a notebook shows, by kind."""
        shown = self._repr_mimebundle_()  # with its metadata from anywidget 0.10 on
        return shown[0] if isinstance(shown, tuple) else shown

    def _show(self, question):
        with self.hold_sync():
            self.guess, self.later = question.first, question.later
            self.message = str(question) if question.first or question.later else ""

    def _pressed(self, _widget, option, _buffers):
        self._show(self._choose(option))
        self.send("answered")
