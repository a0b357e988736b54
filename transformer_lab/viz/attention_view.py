"""AttentionView: all heads of a model at a glance and every weight at a click, in a notebook or a saved page."""

import base64
from functools import partial
from pathlib import Path

import numpy as np
import traitlets

from ..analysis.attention_record import AttentionRecord
from ..analysis.head_patterns import HeadPattern
from ..data.token_labels import indices
from ..sentences import kind_of, short_repr
from . import attention_picture, saved_page
from .browser_data import BrowserData, records_by_name
from .browser_files import module, sheet
from .inputs import number, patches
from .shared_script import SharedScript
from .snapshots import Snapshot

LONGEST_TITLE = 80  # letters of a text in it
FORMATS = ("html", "png", "svg")
SAVED = ("_parts", "_steps", "_weights", "_value_norms", "_layer", "_signed", "_romanised", "_image",
         "part", "step", "selection", "palette", "measure")  # fmt: skip


def title_of(model, text) -> str:
    """Return the name of the model and the text that it reads, if it is one."""
    kind, name = type(model).__name__, getattr(getattr(model, "config", None), "_name_or_path", "")
    named = f"{kind} ({name})" if name else kind
    return f"{named} reads: {cut(text)}" if isinstance(text, str) else named


def cut(text: str) -> str:
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1] + "…"


class AttentionView(SharedScript):
    """Attention (L, H, T, S), queries in rows and keys in columns: a grid of all heads and one large map.

    Axis 0 is layers, not a batch; a list with one (1, H, T, S) tensor per layer, as Hugging Face returns, is accepted.
    `key_tokens=None` means that keys and queries are the same tokens (self-attention); without any tokens, labels are
    indices. Several kinds of attention are
    given as a dict, name -> (attention, query tokens, key tokens); `part` is the name of the one shown. Optional are
    scores (L, H, T, S), the inputs of the softmax; value_norms (L, H, S), the norms of the values; and n_kv_heads, if
    groups of heads share keys. A BrowserData, already checked, is also accepted as attention.

    `selection`, which both Python and the browser may set, holds the indices {"layer", "head", "query", "key"}; query
    and key are None until a cell is chosen. Unless it is given, the view opens on the most telling head, see
    analysis.head_patterns. `palette` is "viridis" or
    "cividis"; `measure` is "weight" or, if value_norms are known, "weight x value norm". Raises ValueError if sizes or
    weights are wrong.
    """

    _module = module("attention_view")
    _sheet = sheet("attention_view")
    _parts = traitlets.List().tag(sync=True)  # see BrowserData
    _steps = traitlets.List().tag(sync=True)  # each {"step", "loss"}, see `number`; empty where no training is shown
    _weights = traitlets.Bytes().tag(sync=True)  # 16 bits each: all of them, or one layer's
    _value_norms = traitlets.Bytes().tag(sync=True)  # 32 bits each
    _layer = traitlets.Int(None, allow_none=True).tag(
        sync=True
    )  # whose weights are there, where it is only one layer's
    _signed = traitlets.Bool().tag(sync=True)  # differences of weights, not weights
    _romanised = traitlets.Dict().tag(sync=True)  # shown where the browser has no font for a label
    part = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int().tag(sync=True)  # an index into _steps
    selection = traitlets.Dict().tag(sync=True)
    palette = traitlets.Enum(("viridis", "cividis"), "viridis").tag(sync=True)
    measure = traitlets.Enum(("weight", "weight x value norm"), "weight").tag(sync=True)
    _image = traitlets.Dict().tag(sync=True)  # whose patches are the tokens, see `patches`; empty for a text
    title = traitlets.Unicode()  # of a saved page: the model and the text, where they are known

    def __init__(
        self, attention, query_tokens=None, key_tokens=None, *, scores=None, value_norms=None, n_kv_heads=None,
        selection=None,
    ):  # fmt: skip
        if not isinstance(attention, BrowserData):
            known = {"scores": scores, "value_norms": value_norms, "n_kv_heads": n_kv_heads}
            attention = BrowserData([records_by_name(attention, query_tokens, key_tokens, **known)])
        self._data = attention
        part, n_steps = attention.parts[0], len(attention.steps)
        step = max(0, n_steps - 1)
        opening = attention.opening(part["name"], step)
        super().__init__(
            **self._state(part["name"], opening["layer"]), _steps=attention.steps, _signed=attention.signed,
            part=part["name"], step=step, selection=opening,
        )  # fmt: skip
        if selection is not None:
            self.selection = selection
        self.on_msg(self._answer)

    @classmethod
    def from_model(cls, model, tokenizer, text, target=None, selection=None) -> "AttentionView":
        """Show the attention of a model, ours or one of transformers with its tokenizer, while it reads a text.

        An encoder-decoder translates the text, or reads the given target; its parts are the three kinds of attention.
        Without a tokenizer, give None and what the model reads: from_model(gpt, None, ids), or for a model of images
        from_model(vit, None, pixel_values). Layers without attention, as a Jamba has, are shown without weights.
        """
        from ..analysis.reading import read_attention  # here, for all the rest does without torch

        view = cls(read_attention(model, tokenizer, text, target), selection=selection)
        view.title, view._image = title_of(model, text), patches(text, view.key_tokens)
        return view

    @classmethod
    def over_training(cls, snapshots: list[Snapshot]) -> "AttentionView":
        """Show how attention develops: a slider over snapshots (see AttentionSnapshots), with the loss next to it.

        Raises ValueError if there are no snapshots, for what is none, or if their tokens differ.
        """
        snapshots = list(snapshots)
        if not snapshots:
            raise ValueError("There is no snapshot to show: pass AttentionSnapshots to train as a listener.")
        for one in snapshots:
            if not isinstance(one, Snapshot):
                advice = "AttentionSnapshots, passed to train as a listener, takes them."
                raise ValueError(f"snapshots must be Snapshots; got {kind_of(one)}. {advice}")
        steps = [{"step": int(one.step), **number("loss", one.loss)} for one in snapshots]
        return cls(BrowserData([records_by_name(*one.attention) for one in snapshots], steps))

    @classmethod
    def difference(cls, one: "AttentionView", other: "AttentionView") -> "AttentionView":
        """Show one - other, as both are shown now: two models, two seeds, or a model and the same with a part ablated.

        Raises ValueError unless both are views with the same layers, heads and tokens.
        """
        for view in (one, other):
            if not isinstance(view, AttentionView):
                advice = "AttentionView.from_model(model, tokenizer, text) makes one of a model."
                raise ValueError(f"difference is of two views; got {kind_of(view)}. {advice}")
        seen = [(view.attention.shape, view.query_tokens, view.key_tokens) for view in (one, other)]
        if seen[0] != seen[1]:
            raise ValueError(f"Both views must have the same layers, heads and tokens; got {one!r} and {other!r}.")
        change = AttentionRecord(one.attention - other.attention, one.query_tokens, one.key_tokens)
        return cls(BrowserData([{"difference": change}], signed=True))

    def _state(self, part: str, layer: int) -> dict:
        shown = self._data
        return {
            "_parts": shown.parts,
            "_weights": shown.wire(part, layer),
            "_value_norms": shown.value_norms(),
            "_layer": layer if shown.one_layer else None,
            "_romanised": shown.romanised(),
        }

    def update(self, attention, query_tokens=None, key_tokens=None, *, scores=None, value_norms=None, n_kv_heads=None):
        """Replace the attention shown; the selection is kept if it still exists."""
        known = {"scores": scores, "value_norms": value_norms, "n_kv_heads": n_kv_heads}
        shown = BrowserData([records_by_name(attention, query_tokens, key_tokens, **known)])
        names = [part["name"] for part in shown.parts]
        part, kept = self.part if self.part in names else names[0], dict(self.selection)
        self._data = shown
        with self.hold_sync():  # one message: the browser never sees new weights with old tokens
            self.step, self._steps, self._signed, self._image = 0, [], False, {}
            self._parts = shown.parts
            self.part = part
            self.selection = self._within(kept)
            if not shown.value_norms():
                self.measure = "weight"
            for name, value in self._state(part, self.selection["layer"]).items():
                setattr(self, name, value)

    def save(self, path) -> Path:
        """Write one HTML file that works without a kernel or a network, or a .png or .svg picture; return its path.

        Raises ValueError for any other ending, OSError if the file cannot be written.
        """
        return saved_page.save(path, {format: partial(self._file, format) for format in FORMATS})

    def _file(self, format: str) -> bytes:
        if format in ("png", "svg"):
            return self._picture(format)
        state = {name: getattr(self, name) for name in SAVED}
        return saved_page.page(self._heading(), self._module, self._sheet, state).encode("utf-8")

    def _heading(self) -> str:
        """A saved page's title; without one, what was read, and what for."""
        part = self._part
        sides = [part["keys"]] if part["keys"] == part["queries"] else [part["keys"], part["queries"]]
        texts = [cut(" ".join(side)) for side in sides if side != indices(len(side))]
        return self.title or f"{'Difference of attention' if self._signed else 'Attention'}: " + (
            " → ".join(texts) or repr(self).partition("(")[2].rstrip(")")
        )

    @property
    def _record(self) -> AttentionRecord:
        return self._data.records[self.part][self.step]

    @property
    def attention(self) -> np.ndarray:
        """The exact weights of the part and step shown, (L, H, T, S)."""
        return self._record.weights

    @property
    def distances(self) -> np.ndarray:
        """For a difference: the distance (L, H) between each head's two attentions, 0 if equal, 1 if disjoint.

        This is the total variation distance, half the sum of absolute differences in a row, averaged over rows.
        """
        return np.abs(self.attention).sum(axis=-1).mean(axis=-1) / 2

    @property
    def query_tokens(self) -> list[str]:
        return self._record.query_tokens

    @property
    def key_tokens(self) -> list[str]:
        return self._record.key_tokens

    @property
    def patterns(self) -> list[HeadPattern]:
        """The heads that follow a pattern, as (layer, head, name, score): see analysis.head_patterns."""
        return [HeadPattern(*one) for one in self._part["patterns"][self.step]]

    @property
    def _part(self) -> dict:
        return next(part for part in self._parts if part["name"] == self.part)

    def _within(self, selection: dict) -> dict:
        """Return the selection, clipped to the heads and cells of the part shown."""
        n_layers, n_heads, n_queries, n_keys = self._part["shape"]
        kept = dict(selection)
        kept["layer"], kept["head"] = min(kept["layer"], n_layers - 1), min(kept["head"], n_heads - 1)
        if kept["query"] is not None and (kept["query"] >= n_queries or kept["key"] >= n_keys):
            kept["query"] = kept["key"] = None
        return kept

    @traitlets.validate("part")
    def _check_part(self, proposal) -> str:
        names = [part["name"] for part in self._parts]
        if proposal["value"] not in names:
            raise ValueError(f"part must be one of {', '.join(names)}; got {short_repr(proposal['value'])}.")
        return proposal["value"]

    @traitlets.validate("step")
    def _check_step(self, proposal) -> int:
        last = max(0, len(self._steps) - 1)
        if not 0 <= proposal["value"] <= last:
            raise ValueError(f"step must be a whole number from 0 to {last}; got {short_repr(proposal['value'])}.")
        return proposal["value"]

    @traitlets.validate("measure")
    def _check_measure(self, proposal) -> str:
        if proposal["value"] != "weight" and not self._value_norms:
            raise ValueError(
                "The norms of the values are not known here: pass value_norms, or use AttentionView.from_model."
            )
        return proposal["value"]

    @traitlets.observe("part")
    def _part_changed(self, _change):
        if self.selection:
            self.selection = self._within(self.selection)
            self._send_layer()

    @traitlets.observe("selection")
    def _selection_changed(self, _change):
        self._send_layer()

    def _send_layer(self):
        """If the browser holds only one layer at a time, send it the selected one."""
        if self._data.one_layer and len(self._data.records) == len(self._parts):
            layer = self.selection["layer"]
            with self.hold_sync():
                self._layer, self._weights = layer, self._data.wire(self.part, layer)

    @traitlets.validate("selection")
    def _check_selection(self, proposal) -> dict:
        wanted = dict.fromkeys(("layer", "head", "query", "key")) | dict(proposal["value"])
        for (name, index), size in zip(wanted.items(), self._part["shape"], strict=False):
            free = index is None and name in ("query", "key")
            if not free and (
                isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not 0 <= index < size
            ):
                raise ValueError(
                    f"selection[{name!r}] must be a whole number from 0 to {size - 1}; got {short_repr(index)}."
                )
        if len(wanted) > 4 or (wanted["query"] is None) != (wanted["key"] is None):
            raise ValueError(
                f"selection must hold layer, head, and query and key together; got {short_repr(proposal['value'])}."
            )
        return {name: None if index is None else int(index) for name, index in wanted.items()}

    def _answer(self, _widget, message, _buffers):
        """Answer the browser, which asks for a file to download or for one exact weight (it holds only 16 bits)."""
        if "save" in message:
            self.send(message, [self._file(message["save"])])
            return
        try:
            seen, cell = self._data.records[message["part"]][message["step"]], tuple(message["cell"])
            value = float(seen.weights[cell])
            score = None if seen.scores is None else float(seen.scores[cell])
        except (TypeError, KeyError, IndexError, ValueError):
            return  # asked about attention that has been replaced since
        self.send({**message, "value": value, "score": score if score is None or np.isfinite(score) else None})

    def __repr__(self):
        sizes = zip(
            self._part["shape"], ("layer", "head", "query", "key"), ("layers", "heads", "queries", "keys"), strict=True
        )
        described = ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in sizes)
        return f"AttentionView({'difference: ' if self._signed else ''}{described})"

    def _repr_mimebundle_(self, **kwargs):
        """Return the live widget, and a picture for places without a kernel: GitHub, a notebook not yet run."""
        result = super()._repr_mimebundle_(**kwargs)
        bundle, metadata = result if isinstance(result, tuple) else (result or {}, {})
        png = base64.b64encode(self._picture("png")).decode()
        metadata = {**(metadata or {}), "image/png": {"alt": self._heading()}}
        return {**bundle, "text/plain": repr(self), "image/png": png}, metadata

    def _picture(self, format: str, headline=()) -> bytes:
        part, head = self._part, (self.selection["layer"], self.selection["head"])
        attention = self.attention
        if self._data.one_layer:  # a picture of all heads would hold more than anyone can see
            attention, head = attention[head[0]][None], (0, head[1])
        first = self.selection["layer"] - head[0]
        pattern = next(
            (f"{one.name} {one.score:.2f}" for one in self.patterns if one[:2] == (first + head[0], head[1])), ""
        )
        return attention_picture.picture(
            attention,
            part["queries"],
            part["keys"],
            *head,
            self._signed,
            format,
            self.palette,
            first,
            headline,
            pattern,
        )
