"""Attention that is recomputed as you type, by your own function or by a model whose heads you can switch off."""

import math
import threading
from contextlib import ExitStack
from functools import partial

import torch
import torch.nn.functional as F
import traitlets
from torch import nn

from ..analysis.ablation import ablate_edges, ablate_heads
from ..analysis.access import our_model
from ..analysis.reading import ids_of, read
from ..analysis.transformers_models import checked_text
from ..data.tokenizers import ids_without_tokenizer, our_tokenizer
from ..models import BERT
from ..sentences import short_repr
from .attention_view import AttentionView, cut, title_of
from .browser_data import BrowserData, records_by_name
from .inputs import number, visible

MOST_ROWS = 6  # of next tokens


class LiveAttention(AttentionView):
    """An AttentionView with a text field, which shows the result of `compute(text)` at each change.

    compute returns (attention, query tokens) or (attention, query tokens, key tokens), or a dict of these by name. An
    error is shown as `message` in place of the picture, and the attention stays as it was. If compute runs your own
    model, a wrong mask is visible at once.
    """

    text = traitlets.Unicode().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    heard = traitlets.List().tag(sync=True)  # what was asked when what is shown was computed: text, switched_off

    def __init__(self, compute, text: str):
        # JupyterLab may deliver changes on several threads: compute one at a time, with the latest choices.
        self._one_at_a_time = threading.RLock()
        self._compute = compute
        super().__init__(BrowserData([self._moment(checked_text(text))]))
        self.text = text
        self._answered()
        self.observe(self._read_again, names="text")

    def _heading(self) -> str:
        return self.title or f"Attention: {cut(self.text)}"

    def _moment(self, text: str) -> dict:
        given = self._compute(text)
        if not isinstance(given, (dict, tuple, list)) or len(given) < 2 and not isinstance(given, dict):
            came = type(given).__name__
            raise ValueError(f"compute(text) must return (attention, query tokens), or a dict of these; got a {came}.")
        return records_by_name(given) if isinstance(given, dict) else records_by_name(*given)

    def _read_again(self, _change):
        with self._one_at_a_time:
            try:
                self._show(self.text)
                self.message = ""
            except Exception as error:  # the learner's own code may raise anything: it must not end the view
                self.message = f"{type(error).__name__}: {error}"
            self._answered()

    def _answered(self):
        self.heard = [self.text, getattr(self, "switched_off", [])]

    def _show(self, text: str):
        self.update(self._moment(text))


class WhatIf(LiveAttention):
    """One of our models reading a text: switch off heads and single cells, and watch attention, loss and predictions.

    `switched_off` holds [kind, layer, head], or [kind, layer, head, query, key] for a cell. The loss of a Transformer
    is that of the translation it writes when intact, the loss of a GPT that of the text; for a BERT, the change of its
    output vectors is shown. Without a tokenizer (None), the text is ids: [3, 1, 4] or "3 1 4". Raises ValueError for
    any other model, and for an empty text.
    """

    switched_off = traitlets.List().tag(sync=True)
    _outcome = traitlets.Dict().tag(sync=True)  # {"what", "whole", "now", "position", "rows"}; see `number`

    def __init__(self, model: nn.Module, tokenizer, text):
        self.model = our_model(model)
        self.tokenizer = None if tokenizer is None else our_tokenizer(tokenizer)
        if tokenizer is None and not isinstance(text, str):
            text = " ".join(map(str, ids_without_tokenizer(text)))
        super().__init__(self._read_whole, text)
        self._say_outcome()
        self.observe(self._switched, names="switched_off")
        self.observe(lambda _: self._say_outcome(), names="selection")

    def _heading(self) -> str:
        return title_of(self.model, self.text)

    def _read_whole(self, text: str) -> dict:
        self._ids = ids_of(self.model, self.tokenizer, text)
        seen, self._whole = read(self.model, self.tokenizer, *self._ids)
        self._now = self._whole
        return seen

    def _show(self, text: str):
        super()._show(text)
        self.switched_off = []  # another text has other positions
        self._say_outcome()

    @traitlets.validate("switched_off")
    def _check_switched_off(self, proposal):
        sizes = {part["name"]: part["shape"] for part in self._parts}
        for one in proposal["value"]:
            kind, *place = one if isinstance(one, (list, tuple)) and one else [None]
            inside = kind in sizes and len(place) in (2, 4)
            if not inside or not all(i in range(n) for i, n in zip(place, sizes[kind], strict=False)):
                raise ValueError(
                    f"switched_off holds [kind, layer, head] or [kind, layer, head, query, key]; got {short_repr(one)}."
                )
        return [[kind, *map(int, place)] for kind, *place in proposal["value"]]

    def _switched(self, _change):
        with self._one_at_a_time, ExitStack() as off:
            for kind in {one[0] for one in self.switched_off}:
                heads = [tuple(place) for name, *place in self.switched_off if name == kind and len(place) == 2]
                edges = [tuple(place) for name, *place in self.switched_off if name == kind and len(place) == 4]
                off.enter_context(ablate_heads(self.model, heads, kind))
                off.enter_context(ablate_edges(self.model, edges, kind))
            seen, self._now = read(self.model, self.tokenizer, *self._ids)
            self.update(seen)
            self._say_outcome()
            self._answered()

    def _say_outcome(self):
        self._outcome = outcome(self.model, self.tokenizer, self._ids, self._whole, self._now, self._position())

    def _position(self) -> int | None:
        """The row whose prediction is shown: the selected query, unless it is the encoder's."""
        return None if self.part == "encoder" else self.selection.get("query")


def outcome(model, tokenizer, ids, whole, now, position: int | None) -> dict:
    """Compare a model's outputs (1, T, vocab_size) for a text, intact (whole) and with something switched off (now).

    "rows" are the most likely next tokens and the correct one, at position (if None: a text's last, a translation's
    first).
    """
    source, written = ids
    if isinstance(model, BERT):
        change = ((now - whole).norm() / whole.norm()).item()
        return {
            "what": "relative change of the output vectors",
            "whole": 0.0,
            **number("now", change),
            "position": "",
            "rows": [],
        }
    wanted = source[0, 1:] if written is None else written[0, 1:]
    loss = [F.cross_entropy(one[0, : len(wanted)], wanted).item() if len(wanted) else math.nan for one in (whole, now)]
    first = 0 if written is not None else source.shape[1] - 1
    position = first if position is None or position >= now.shape[1] else position
    before, after = (one[0, position].softmax(dim=-1) for one in (whole, now))
    right = int(wanted[position]) if position < len(wanted) else None
    shown = [int(i) for i in (before + after).topk(min(MOST_ROWS, len(before))).indices]
    shown = shown if right is None or right in shown else [right, *shown[:-1]]
    named = partial(row, tokenizer, before, after, right)
    what = "loss of the text" if written is None else "loss of its own translation"
    return {"what": f"{what} (nats per token)", **number("whole", loss[0]), **number("now", loss[1]),
            "position": f"next token after position {position + 1}" if written is None else f"token {position + 1}",
            "rows": [named(i) for i in sorted(shown, key=lambda i: -float(before[i]))]}  # fmt: skip


def row(tokenizer, before: torch.Tensor, after: torch.Tensor, right: int | None, i: int) -> dict:
    return {
        "token": f"id {i}" if tokenizer is None else visible(tokenizer.tokens([i])[0]),
        **number("whole", before[i]),
        **number("now", after[i]),
        "wanted": i == right,
    }
