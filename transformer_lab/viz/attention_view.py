"""Every head of a model's attention at a glance, and any of its weights at a click: in a notebook or a saved page."""

import base64
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from anyascii import anyascii

from . import attention_picture, saved_page

STATIC = Path(__file__).parent / "static"
# The smallest positive number that 16 bits can hold: a weight that is not zero must never look masked.
SMALLEST = np.finfo(np.float16).smallest_subnormal
MOST_WEIGHTS = 16_000_000  # 32 MB to send: more would stall a browser
# Signs for characters that have none; other control characters get their Unicode picture.
SIGNS = {"\n": "↵", "\t": "⇥", "\x7f": "␡", "\xa0": "␣", "\u3000": "␣", "\u200b": "␣"}


class AttentionView(anywidget.AnyWidget):
    """Attention (L, H, T, S), queries in rows and keys in columns: a grid of all heads and one large map.

    Axis 0 is layers, not a batch; a list of one (1, H, T, S) tensor a layer, as Hugging Face returns it, will do.
    `key_tokens=None` says that keys are the queries' own tokens (self-attention). `selection`, which Python and
    the browser both read and set, is {"layer", "head", "query", "key"}: indices; query and key are None until
    a cell is chosen. At first it is the last layer's head 0. Raises ValueError where sizes or weights are wrong.
    """

    _esm = STATIC / "attention_view.js"
    _css = STATIC / "attention_view.css"
    _shape = traitlets.List().tag(sync=True)
    _weights = traitlets.Bytes().tag(sync=True)
    _query_labels = traitlets.List().tag(sync=True)
    _key_labels = traitlets.List().tag(sync=True)
    _romanised = traitlets.Dict().tag(sync=True)  # shown where the browser has no font for a label
    selection = traitlets.Dict().tag(sync=True)

    def __init__(self, attention, query_tokens, key_tokens=None):
        state = self._check(attention, query_tokens, key_tokens)
        super().__init__(**state, selection={"layer": state["_shape"][0] - 1, "head": 0})
        self.on_msg(self._answer)

    def update(self, attention, query_tokens, key_tokens=None):
        """Show other attention (L, H, T, S) in place; what was selected stays so if it is still there."""
        state = self._check(attention, query_tokens, key_tokens)
        n_layers, n_heads, n_queries, n_keys = state["_shape"]
        kept = dict(self.selection)
        kept["layer"], kept["head"] = min(kept["layer"], n_layers - 1), min(kept["head"], n_heads - 1)
        if kept["query"] is not None and (kept["query"] >= n_queries or kept["key"] >= n_keys):
            kept["query"] = kept["key"] = None
        with self.hold_sync():  # one message: the browser never sees new weights beside old tokens
            for name, value in state.items():
                setattr(self, name, value)
            self.selection = kept

    def save(self, path) -> Path:
        """Write one HTML file that works anywhere, with no kernel and no network; returns its path."""
        names = ("_shape", "_weights", "_query_labels", "_key_labels", "_romanised", "selection")
        state = {name: getattr(self, name) for name in names}
        return saved_page.write(path, repr(self), self._esm, self._css, state)

    def _check(self, attention, query_tokens, key_tokens) -> dict:
        """What the browser gets, made from sound arguments; keeps the exact weights and the tokens here."""
        weights = as_weights(attention)
        n_queries, n_keys = weights.shape[2:]
        lengths = [len(t) if hasattr(t, "__len__") else None for t in (query_tokens, key_tokens)]
        if n_queries != n_keys and lengths == [n_keys, n_queries]:
            raise ValueError(
                f"query_tokens and key_tokens are exchanged: attention has {n_queries} queries, {n_keys} keys."
            )
        query_tokens = as_tokens("query_tokens", query_tokens, weights.shape[2], "queries (axis 2 of attention)")
        if key_tokens is None and weights.shape[2] != weights.shape[3]:
            raise ValueError(
                f"key_tokens must be given when attention is not square; got None with {weights.shape[2]} queries "
                f"and {weights.shape[3]} keys."
            )
        keys = query_tokens if key_tokens is None else key_tokens
        key_tokens = as_tokens("key_tokens", keys, weights.shape[3], "keys (axis 3 of attention)")
        self.attention, self.query_tokens, self.key_tokens = weights, query_tokens, key_tokens
        queries, keys = [visible(token) for token in query_tokens], [visible(token) for token in key_tokens]
        return {
            "_shape": list(weights.shape),
            "_weights": on_the_wire(weights),
            "_query_labels": queries,
            "_key_labels": keys,
            "_romanised": {text: romanised(text) for text in queries + keys if romanised(text) != text},
        }

    @traitlets.validate("selection")
    def _check_selection(self, proposal) -> dict:
        wanted = dict.fromkeys(("layer", "head", "query", "key")) | dict(proposal["value"])
        for (name, index), size in zip(wanted.items(), self._shape, strict=False):
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
        cell = message.get("cell")
        try:
            value = float(self.attention[tuple(cell)])
        except (TypeError, IndexError, ValueError):
            return  # asked about attention that has been replaced since
        self.send({"cell": cell, "value": value})

    def __repr__(self):
        sizes = zip(self._shape, ("layer", "head", "query", "key"), ("layers", "heads", "queries", "keys"), strict=True)
        return f"AttentionView({', '.join(f'{n} {one if n == 1 else many}' for n, one, many in sizes)})"

    def _repr_mimebundle_(self, **kwargs):
        """The live widget, and a picture for wherever there is no kernel: GitHub, a notebook not yet run."""
        result = super()._repr_mimebundle_(**kwargs)
        bundle, metadata = result if isinstance(result, tuple) else (result or {}, {})
        labels = self._query_labels, self._key_labels
        png = attention_picture.png(self.attention, *labels, self.selection["layer"], self.selection["head"])
        return {**bundle, "text/plain": repr(self), "image/png": base64.b64encode(png).decode()}, metadata


def as_weights(attention) -> np.ndarray:
    """A tensor or array of weights as numpy (L, H, T, S), float32 or float64; ValueError where it cannot be one."""
    given = attention
    if isinstance(attention, (list, tuple)) and any(hasattr(layer, "shape") for layer in attention):
        attention = one_array(attention)
    if isinstance(attention, tuple) and not attention:
        raise ValueError(
            'attention is empty: a Hugging Face model returns it only when loaded with attn_implementation="eager" '
            "and called with output_attentions=True."
        )
    if hasattr(attention, "detach"):
        attention = attention.detach().cpu()
        attention = (attention if attention.element_size() == 8 else attention.float()).numpy()
    try:
        array = np.asarray(attention)
        array = array if array.dtype == np.float64 else array.astype(np.float32)
    except (TypeError, ValueError, RuntimeError):
        array = np.empty(0)
    if array.ndim != 4 or array.size == 0:
        came = f"shape {tuple(given.shape)}" if hasattr(given, "shape") else f"a {type(given).__name__}"
        advice = {3: " One layer? attention[None].", 5: " A batch axis? attention[:, 0]."}.get(array.ndim, "")
        if hasattr(given, "attentions"):
            advice = " Give its attentions: output.attentions."
        raise ValueError(f"attention must be a tensor or array (layers, heads, queries, keys); got {came}.{advice}")
    if array.size > MOST_WEIGHTS:
        raise ValueError(
            f"attention must hold at most {MOST_WEIGHTS:,} weights to be drawn; got {array.size:,}: "
            f"leave out layers, heads or tokens."
        )
    if not np.isfinite(array).all():
        raise ValueError("attention must be numbers from 0 to 1; got NaN or infinity.")
    if array.min() < 0 or array.max() > 1.001:
        raise ValueError(
            f"attention must be numbers from 0 to 1, after the softmax and without dropout; "
            f"got {array.min():.3g} to {array.max():.3g}."
        )
    return array


def one_array(layers) -> np.ndarray:
    """One tensor a layer, (1, H, T, S) as Hugging Face returns them or (H, T, S), as one array (L, H, T, S)."""
    layers = [
        layer.detach().cpu().float().numpy() if hasattr(layer, "detach") else np.asarray(layer) for layer in layers
    ]
    shapes = {layer.shape for layer in layers}
    if len(shapes) > 1 or layers[0].ndim not in (3, 4):
        raise ValueError(f"attention, a list, must hold tensors (1, H, T, S), all of one shape; got {sorted(shapes)}.")
    if layers[0].ndim == 4 and len(layers[0]) != 1:
        raise ValueError(
            f"attention holds a batch of {len(layers[0])}: choose one, for instance [layer[:1] for layer in attention]."
        )
    return np.stack([layer[0] if layer.ndim == 4 else layer for layer in layers])


def as_tokens(name: str, tokens, n_wanted: int, what: str) -> list[str]:
    """The tokens as a list of n_wanted strings; ValueError, naming the argument, where they are not."""
    tokens = list(tokens) if hasattr(tokens, "__iter__") and not isinstance(tokens, str) else tokens
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        advice = " Ids? Give the tokenizer's tokens." if not isinstance(tokens, str) else ""
        raise ValueError(f"{name} must be a list of strings; got {tokens!r:.60}.{advice}")
    if len(tokens) != n_wanted:
        raise ValueError(f"{name} must name all {n_wanted} {what}; got {len(tokens)} tokens.")
    # Half a surrogate pair is a string to Python, but no text: nothing can send or draw it.
    return [token.encode("utf-8", "replace").decode() for token in tokens]


def on_the_wire(weights: np.ndarray) -> bytes:
    """The weights in 16 bits, little-endian; zero only where they are zero."""
    halves = weights.astype("<f2")
    halves[(weights > 0) & (halves == 0)] = SMALLEST
    return halves.tobytes()


def visible(token: str) -> str:
    """The token with a sign for what has none: space, line break, control characters, nothing at all."""
    if not token:
        return "∅"
    left, right = len(token) - len(token.lstrip(" ")), len(token) - len(token.rstrip(" "))
    text = "␣" * len(token) if left == len(token) else "␣" * left + token.strip(" ") + "␣" * right
    return "".join(SIGNS.get(char) or (chr(0x2400 + ord(char)) if ord(char) < 32 else char) for char in text)


def romanised(label: str) -> str:
    """The label with its letters in Latin ones, near to how they are read aloud: 日 becomes ri."""
    return "".join(anyascii(c).lower() or "?" if c.isalpha() and ord(c) >= 0x370 else c for c in label)
