"""A trained translator to play with: type a date, see what it reads while it writes, switch a part off."""

import base64
import re
import threading
from contextlib import nullcontext

import ipywidgets
import traitlets

from ..analysis.ablation import PARTS, switch_off
from ..analysis.access import our_model
from ..analysis.reading import ids_of, read, weights_and_tokens
from ..data.tokenizers import our_tokenizer
from ..models import Transformer
from .attention_view import AttentionView
from .browser_files import module, sheet
from .inputs import romanised
from .shared_script import SharedScript

WHOLE = "nothing"
LONGEST = 32  # tokens: with a part switched off, the model may never stop
KINDS = {
    "cross-attention: Chinese reads English": "cross",
    "encoder: English reads English": "encoder",
    "decoder: Chinese reads Chinese so far": "decoder",
}


def run(model, tokenizer, text: str, part: str = WHOLE, kind: str = "cross"):
    """(translation, attention (L, H, T, S), query tokens, key tokens) with a part of the model switched off."""
    with nullcontext() if part == WHOLE else switch_off(model, part):
        ids, written = ids_of(model, tokenizer, text, max_new_tokens=LONGEST)
        records, _ = read(model, tokenizer, ids, written)
    return tokenizer.decode(written[0]), *weights_and_tokens(records[kind])


def romanised_words(tokenizer, text: str) -> str:
    """Transliterate the text into Latin letters, with spaces between words: 2026 nian 11 yue; "" if it is Latin."""
    words = " ".join(romanised(token) for token in tokenizer.tokens(tokenizer.encode(text)))
    return "" if romanised(text) == text else re.sub(r"(?<=\d) (?=\d)", "", words)


class Answer(SharedScript):
    """The translation, the same in Latin letters, and a note; grey while the kernel has not heard what was asked."""

    _module, _sheet = module("translator_answer"), sheet("translator_answer")
    text = traitlets.Unicode().tag(sync=True)
    part = traitlets.Int().tag(sync=True)  # the place of the choice in its menu, as is kind
    kind = traitlets.Int().tag(sync=True)
    heard = traitlets.List().tag(sync=True)
    large = traitlets.Unicode().tag(sync=True)
    latin = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)


class DateTranslator(ipywidgets.VBox):
    """A text field, a part to switch off, and the attention of the translation; `.translation` is the last one.

    It is also shown in Latin letters, for those who read no Chinese, or have no font for it. It opens on the given
    head, (layer, head) from 0, or else on the most telling one. Before each token everything is computed again, without
    a cache: so one sees what the causal mask is for.
    """

    def __init__(self, model, tokenizer, text: str = "Sunday, November 22, 2026", head: tuple[int, int] | None = None):
        self.model, self.tokenizer = our_model(model, Transformer), our_tokenizer(tokenizer)
        self.translation = ""
        # JupyterLab may deliver changes on several threads: translate one at a time, with the latest choices.
        self._one_at_a_time = threading.Lock()
        wide = {"layout": ipywidgets.Layout(width="32em"), "style": {"description_width": "8em"}}
        self.text = ipywidgets.Text(text, description="English date", continuous_update=False, **wide)
        self.part = ipywidgets.Dropdown(options=[WHOLE, *PARTS], description="switched off", **wide)
        self.kind = ipywidgets.Dropdown(options=KINDS, description="show", **wide)
        self.answer = Answer(text=text, part=self.part.index, kind=self.kind.index)
        asked = (self.text, "value", "text"), (self.part, "index", "part"), (self.kind, "index", "kind")
        for control, trait, name in asked:
            ipywidgets.jsdlink((control, trait), (self.answer, name))
        _, *seen = run(self.model, self.tokenizer, text)
        chosen = None if head is None else {"layer": head[0], "head": head[1], "query": None, "key": None}
        self.view = AttentionView(*seen, selection=chosen)
        for control in (self.text, self.part, self.kind):
            control.observe(self._translate, names="value")
        super().__init__([self.text, self.part, self.kind, self.answer, self.view])
        self.add_class("tl-translator")
        self._translate()

    def _translate(self, _change=None):
        with self._one_at_a_time:
            text, heard = self.text.value, [self.text.value, self.part.index, self.kind.index]
            try:
                translation, *seen = run(self.model, self.tokenizer, text, self.part.value, self.kind.value)
            except ValueError:  # an empty text, or one longer than the model can hold: there is nothing to see
                longest = self.model.config.max_len
                note = f"Type a date such as Sunday, November 22, 2026 (at most {longest} words and digits)."
                self.view.layout.display = "none"
                self._say("", note, heard)
                return
            self.view.update(*seen)
            self.view.layout.display = None
            unknown = self.tokenizer.unk_id in self.tokenizer.encode(text)
            note = "[UNK] marks a word the model has never seen (capitals count): the translation is a guess."
            self._say(translation, note if unknown else "", heard)
            self.translation = translation

    def _say(self, large: str, note: str, heard: list):
        latin = romanised_words(self.tokenizer, large)
        with self.answer.hold_sync():  # one message, so that the browser draws once
            self.answer.large, self.answer.latin, self.answer.note, self.answer.heard = large, latin, note, heard

    def __repr__(self):
        return f"DateTranslator({self.text.value!r} -> {self.translation!r}, switched off: {self.part.value})"

    def _repr_mimebundle_(self, **kwargs):
        """The live widget, and for wherever there is no kernel a picture: the translation, and the attention."""
        shown = super()._repr_mimebundle_(**kwargs)
        bundle, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        headline = [f"{self.text.value}:", self.translation, romanised_words(self.tokenizer, self.translation)]
        png = base64.b64encode(self.view._picture("png", headline)).decode()
        metadata = {**metadata, "image/png": {"alt": repr(self)}}
        return {**bundle, "text/plain": repr(self), "image/png": png}, metadata
