"""Every head of a model's attention at a glance, and any of its weights at a click: in a notebook or a saved page."""

import base64
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from . import attention_picture, saved_page
from .inputs import MOST_WEIGHTS, as_picture, on_the_wire, romanised, visible
from .snapshots import Snapshot

STATIC = Path(__file__).parent / "static"
SYNCED = ("_parts", "_steps", "_weights", "_signed", "_romanised", "part", "step", "selection")


class AttentionView(anywidget.AnyWidget):
    """Attention (L, H, T, S), queries in rows and keys in columns: a grid of all heads and one large map.

    Axis 0 is layers, not a batch; a list of one (1, H, T, S) tensor a layer, as Hugging Face returns it, will do.
    `key_tokens=None` says that keys are the queries' own tokens (self-attention). Several kinds of attention come as a
    dict: by name (attention, query tokens, key tokens); `part` is the name of the one that is shown.

    `selection`, which Python and the browser both read and set, is {"layer", "head", "query", "key"}: indices; query
    and key are None until a cell is chosen. At first it is the last layer's head 0. Raises ValueError where sizes or
    weights are wrong.
    """

    _esm = STATIC / "attention_view.js"
    _css = STATIC / "attention_view.css"
    _parts = traitlets.List().tag(sync=True)  # each {"name", "shape", "start": its first weight, "queries", "keys"}
    _steps = traitlets.List().tag(sync=True)  # each {"step", "loss"}; empty where no training is shown
    _weights = traitlets.Bytes().tag(sync=True)  # part after part; within a part, step after step
    _signed = traitlets.Bool().tag(sync=True)  # differences of weights, not weights
    _romanised = traitlets.Dict().tag(sync=True)  # shown where the browser has no font for a label
    part = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int().tag(sync=True)  # an index into _steps
    selection = traitlets.Dict().tag(sync=True)

    def __init__(self, attention, query_tokens=None, key_tokens=None):
        self._start([by_name(attention, query_tokens, key_tokens)], steps=[])

    @classmethod
    def from_model(cls, model, tokenizer, text: str, target: str | None = None) -> "AttentionView":
        """The attention of a model while it reads a text: one of ours, or one of transformers with its tokenizer.

        An encoder-decoder translates the text, or reads the target that is given; its three kinds are the parts.
        """
        from .model_attention import model_attention  # here, for all the rest does without torch

        return cls(model_attention(model, tokenizer, text, target))

    @classmethod
    def over_training(cls, snapshots: list[Snapshot]) -> "AttentionView":
        """How attention came to be: a slider over snapshots (see AttentionSnapshots), with the loss beside it.

        Raises ValueError without a snapshot, and where not all of them have the same tokens.
        """
        if not snapshots:
            raise ValueError("There is no snapshot to show: give AttentionSnapshots to train as a listener.")
        view = cls.__new__(cls)
        steps = [{"step": one.step, "loss": one.loss} for one in snapshots]
        view._start([by_name(*one.attention) for one in snapshots], steps)
        return view

    @classmethod
    def difference(cls, one: "AttentionView", other: "AttentionView") -> "AttentionView":
        """one - other, as the two are shown now: two models, two seeds, a whole model and one with a part switched off.

        Raises ValueError where they have not the same layers, heads and tokens.
        """
        seen = [(view.attention.shape, view.query_tokens, view.key_tokens) for view in (one, other)]
        if seen[0] != seen[1]:
            raise ValueError(f"Both views must have the same layers, heads and tokens; got {one!r} and {other!r}.")
        view = cls.__new__(cls)
        change = one.attention - other.attention
        view._start([{"difference": (change, one.query_tokens, one.key_tokens)}], steps=[], signed=True)
        return view

    def _start(self, moments: list[dict], steps: list[dict], signed=False):
        state = self._check(moments, steps, signed)
        layer = state["_parts"][0]["shape"][0] - 1
        super().__init__(
            **state, part=state["_parts"][0]["name"], step=max(0, len(steps) - 1), selection={"layer": layer, "head": 0}
        )
        self.on_msg(self._answer)

    def update(self, attention, query_tokens=None, key_tokens=None):
        """Show other attention in place; what was selected stays so if it is still there."""
        state = self._check([by_name(attention, query_tokens, key_tokens)], steps=[], signed=False)
        names = [part["name"] for part in state["_parts"]]
        kept = dict(self.selection)
        with self.hold_sync():  # one message: the browser never sees new weights beside old tokens
            self.step = 0
            for name, value in state.items():
                setattr(self, name, value)
            self.part = self.part if self.part in names else names[0]
            self.selection = self._within(kept)

    def save(self, path) -> Path:
        """Write one HTML file that works anywhere, with no kernel and no network; returns its path.

        A path that ends in .png or .svg gets a picture.
        """
        if Path(path).suffix in (".png", ".svg"):
            return saved_page.write_whole(path, self._picture(Path(path).suffix[1:]))
        state = {name: getattr(self, name) for name in SYNCED}
        return saved_page.write(path, repr(self), self._esm, self._css, state)

    @property
    def attention(self) -> np.ndarray:
        """The exact weights that are shown, (L, H, T, S)."""
        return self._exact[self.part][0][self.step]

    @property
    def distances(self) -> np.ndarray:
        """Of a difference, how far apart each head's two attentions are, (L, H): 0 the same, 1 nothing in common.

        The total variation distance, half the sum of a row's absolute differences; mean of the rows.
        """
        return np.abs(self.attention).sum(axis=-1).mean(axis=-1) / 2

    @property
    def query_tokens(self) -> list[str]:
        return self._exact[self.part][1]

    @property
    def key_tokens(self) -> list[str]:
        return self._exact[self.part][2]

    @property
    def _shown(self) -> dict:
        return next(part for part in self._parts if part["name"] == self.part)

    def _check(self, moments: list[dict], steps: list[dict], signed: bool) -> dict:
        """What the browser gets, made from sound arguments; keeps the exact weights and the tokens here."""
        exact, parts, start = {}, [], 0
        for name in moments[0]:
            pictures = [as_picture(*moment[name], lowest=-1 if signed else 0) for moment in moments]
            weights, query_tokens, key_tokens = pictures[-1]
            if any(one[0].shape != weights.shape or one[1:] != (query_tokens, key_tokens) for one in pictures):
                raise ValueError("The snapshots must all have the same layers, heads and tokens.")
            exact[name] = [one[0] for one in pictures], query_tokens, key_tokens
            queries, keys = ([visible(token) for token in tokens] for tokens in (query_tokens, key_tokens))
            parts.append({"name": name, "shape": list(weights.shape), "start": start, "queries": queries, "keys": keys})
            start += len(pictures) * weights.size
        if start > MOST_WEIGHTS:
            raise ValueError(f"A view holds at most {MOST_WEIGHTS:,} weights; got {start:,}: leave out steps or parts.")
        self._exact = exact
        labels = [label for part in parts for label in part["queries"] + part["keys"]]
        return {
            "_parts": parts,
            "_steps": steps,
            "_weights": b"".join(on_the_wire(weights) for steps, *_ in exact.values() for weights in steps),
            "_signed": signed,
            "_romanised": {text: romanised(text) for text in labels if romanised(text) != text},
        }

    def _within(self, selection: dict) -> dict:
        """The selection, moved to where the part that is shown has heads and cells."""
        n_layers, n_heads, n_queries, n_keys = self._shown["shape"]
        kept = dict(selection)
        kept["layer"], kept["head"] = min(kept["layer"], n_layers - 1), min(kept["head"], n_heads - 1)
        if kept["query"] is not None and (kept["query"] >= n_queries or kept["key"] >= n_keys):
            kept["query"] = kept["key"] = None
        return kept

    @traitlets.validate("part")
    def _check_part(self, proposal) -> str:
        names = [part["name"] for part in self._parts]
        if proposal["value"] not in names:
            raise ValueError(f"part must be one of {', '.join(names)}; got {proposal['value']!r}.")
        return proposal["value"]

    @traitlets.validate("step")
    def _check_step(self, proposal) -> int:
        last = max(0, len(self._steps) - 1)
        if not 0 <= proposal["value"] <= last:
            raise ValueError(f"step must be a whole number from 0 to {last}; got {proposal['value']!r}.")
        return proposal["value"]

    @traitlets.observe("part")
    def _part_changed(self, _change):
        if self.selection:
            self.selection = self._within(self.selection)

    @traitlets.validate("selection")
    def _check_selection(self, proposal) -> dict:
        wanted = dict.fromkeys(("layer", "head", "query", "key")) | dict(proposal["value"])
        for (name, index), size in zip(wanted.items(), self._shown["shape"], strict=False):
            free = index is None and name in ("query", "key")
            if not free and (
                isinstance(index, bool) or not isinstance(index, (int, np.integer)) or not 0 <= index < size
            ):
                raise ValueError(f"selection[{name!r}] must be a whole number from 0 to {size - 1}; got {index!r}.")
        if len(wanted) > 4 or (wanted["query"] is None) != (wanted["key"] is None):
            raise ValueError(f"selection must hold layer, head, and query and key together; got {proposal['value']!r}.")
        return {name: None if index is None else int(index) for name, index in wanted.items()}

    def _answer(self, _widget, message, _buffers):
        """The browser, which holds 16 bits a weight, asks for one weight as it is."""
        try:
            steps = self._exact[message["part"]][0]
            value = float(steps[message["step"]][tuple(message["cell"])])
        except (TypeError, KeyError, IndexError, ValueError):
            return  # asked about attention that has been replaced since
        self.send({**message, "value": value})

    def __repr__(self):
        sizes = zip(
            self._shown["shape"], ("layer", "head", "query", "key"), ("layers", "heads", "queries", "keys"), strict=True
        )
        described = ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in sizes)
        return f"AttentionView({'difference: ' if self._signed else ''}{described})"

    def _repr_mimebundle_(self, **kwargs):
        """The live widget, and a picture for wherever there is no kernel: GitHub, a notebook not yet run."""
        result = super()._repr_mimebundle_(**kwargs)
        bundle, metadata = result if isinstance(result, tuple) else (result or {}, {})
        png = base64.b64encode(self._picture("png")).decode()
        return {**bundle, "text/plain": repr(self), "image/png": png}, metadata

    def _picture(self, format: str) -> bytes:
        part, head = self._shown, (self.selection["layer"], self.selection["head"])
        return attention_picture.picture(self.attention, part["queries"], part["keys"], *head, self._signed, format)


def by_name(attention, query_tokens=None, key_tokens=None) -> dict[str, tuple]:
    """Each kind of attention by name, as (attention, query tokens, key tokens); a single one is called "attention"."""
    if type(attention) is not dict:  # the output of a Hugging Face model is a kind of dict: as_weights knows it
        return {"attention": (attention, query_tokens, key_tokens)}
    if attention and query_tokens is None and all(isinstance(one, tuple) for one in attention.values()):
        return attention
    # What record_attention gives: the decoder's tokens are the queries, the encoder's the keys, as in "cross".
    key_tokens = query_tokens if key_tokens is None else key_tokens
    tokens = {"cross": (query_tokens, key_tokens), "decoder": (query_tokens,) * 2, "encoder": (key_tokens,) * 2}
    if not attention or set(attention) - set(tokens):
        raise ValueError(f"attention, a dict, must have the names {', '.join(tokens)}; got {list(attention)}.")
    return {name: (attention[name], *tokens[name]) for name in tokens if name in attention}
