"""bertviz' three views (Vig 2019, arXiv:1906.05714) with no network: in a notebook, and as a saved page.

bertviz does the drawing. This module gives it validated data, rounded to keep outputs small, and adds a picture for
places where scripts do not run.
"""

import base64
from html import escape
from pathlib import Path

import bertviz
import bertviz.neuron_view
import numpy as np
import torch
from IPython.display import Image

from ..analysis.access import our_model, patched
from ..analysis.reading import read, source_ids
from ..data.token_labels import labels_of
from ..models import GPT
from . import attention_picture, saved_page
from .bertviz_html import offline
from .inputs import as_weights, shape_of, validated_attention, visible

MOST_MEGABYTES = 4  # of data in one output: a notebook keeps all of it
MOST_SHAPES = 150_000  # drawn at once: they take a browser some 5 seconds
LONGEST_LABEL = 11  # what bertviz has room for
CHOOSE = "leave out tokens, or choose with include_layers=[0, 1] and include_heads=[0, 1]"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>%s</title>
</head>
<body>
%s</body>
</html>
"""


class Bertviz:
    """A view drawn by bertviz in the browser. `attention` (L, H, T, S) holds the weights before rounding."""

    def __init__(self, drawing, kind, width, attention, labels, layer, head, note=""):
        self.kind, self.attention, self.labels, self.layer, self.head = kind, attention, labels, layer, head
        png = base64.b64encode(self.picture().data).decode()
        picture = f'<img alt="{escape(repr(self))}" src="data:image/png;base64,{png}">'
        self.html = offline(drawing.data, width, instead=picture, note=note)

    def picture(self) -> Image:
        """The same attention as a PNG: every head small, and in large the one that is shown first."""
        return Image(attention_picture.picture(self.attention, *self.labels, self.layer, self.head))

    def save(self, path) -> Path:
        """Write one HTML file that works with no kernel and no network, or the picture as .png; returns its path."""
        return saved_page.save(path, {"html": self._page, "png": lambda: self.picture().data})

    def _page(self) -> str:
        return PAGE % (escape(repr(self)), self.html)

    def __repr__(self):
        sizes = zip(self.attention.shape, ("layers", "heads", "queries", "keys"), strict=True)
        return f"bertviz {self.kind} view: {', '.join(f'{size} {name}' for size, name in sizes)}"

    def _repr_mimebundle_(self, **kwargs):
        return {"text/html": self.html, "text/plain": repr(self)}


def head_view(
    attention, query_tokens=None, key_tokens=None, *, layer=None, heads=None, include_layers=None, include_heads=None
) -> Bertviz:
    """One layer at a time: lines from queries (left) to keys (right), a colour for each head.

    Takes the same attention and tokens as AttentionView. layer and heads are the indices shown initially (by default
    the first layer and all heads); include_layers and include_heads are the indices that the view contains. Raises
    ValueError if arguments do not fit together, or if there is too much data for a notebook.
    """
    included = include_layers, include_heads
    weights, labels, layers, kept = prepared(attention, query_tokens, key_tokens, *included, one_layer=True)
    layer = chosen("layer", layer, layers)[0]
    heads = chosen("heads", heads, kept)
    drawing = bertviz.head_view(
        **arguments(weights[:, kept], labels),  # bertviz leaves out layers itself, but not heads
        layer=layer,
        heads=[kept.index(head) for head in heads],
        include_layers=layers,
        prettify_tokens=False,
        html_action="return",
    )
    note = f"Heads, from the left: {', '.join(map(str, kept))}." if include_heads is not None else ""
    return Bertviz(drawing, "head", 345, weights, labels, layer, heads[0], note)


def model_view(
    attention, query_tokens=None, key_tokens=None, *, include_layers=None, include_heads=None, display_mode="light"
) -> Bertviz:
    """All layers and heads at a glance; a click enlarges one. Arguments and errors are those of `head_view`."""
    weights, labels, layers, heads = prepared(attention, query_tokens, key_tokens, include_layers, include_heads)
    drawing = bertviz.model_view(
        **arguments(weights, labels),
        include_layers=layers,
        include_heads=heads,
        prettify_tokens=False,
        display_mode=checked_mode(display_mode),
        html_action="return",
    )
    return Bertviz(drawing, "model", 970, weights, labels, layers[0], heads[0])


def neuron_view(model, tokenizer, text, layer=None, head=None, display_mode="light") -> Bertviz:
    """How each weight is computed: query, key, their products and the sum. Point at a token and click its plus.

    Takes a GPT, a BERT, or a Transformer, whose encoder is shown; layer and head are shown initially. Biases on the
    scores (ALiBi) are included in the weights, but not in the products. Raises ValueError as `head_view` does.
    """
    model = our_model(model)
    ids, config = source_ids(model, tokenizer, text), model.config
    n_layers, n_heads, T = config.n_layers, config.n_heads, ids.shape[1]
    n_shapes = 7 * T**2 + 3 * T * config.head_width
    check_size(8 * n_layers * n_heads * T * (T + 2 * config.head_width), n_shapes, "give a shorter text")
    layer, head = chosen("layer", layer, range(n_layers))[0], chosen("head", head, range(n_heads))[0]
    (record,) = read(model, tokenizer, ids)[0].values()
    as_weights(record.weights)  # first, for a clear error if weights are NaN
    if record.queries is None:
        raise ValueError(
            "The weights of this attention are not the softmax of its queries and keys (a part is switched off, or "
            "replaced): there are no products to show."
        )
    weights, queries, keys = (numbers.astype(np.float64) for numbers in (record.weights, record.queries, record.keys))
    sees_later_keys = not isinstance(model, GPT) or bool(np.triu(weights, k=1).any())
    labels = [label(token) for token in labels_of(tokenizer, ids[0])]
    data = {"left_text": labels, "right_text": labels, "attn": np.round(weights, 3).tolist()}
    data |= {"queries": four_digits(queries), "keys": four_digits(keys)}
    # bertviz would run a model of its own collection, whose class it knows; its drawing takes any model's numbers.
    with patched([(bertviz.neuron_view, "get_attention", lambda *args, **kwargs: {"all": data})]):
        kind = "bert" if sees_later_keys else "gpt2"
        mode = checked_mode(display_mode)
        drawing = bertviz.neuron_view.show(
            None, kind, None, text, display_mode=mode, layer=layer, head=head, html_action="return"
        )
    return Bertviz(drawing, "neuron", 1030, weights, (labels, labels), layer, head)


def prepared(attention, query_tokens, key_tokens, include_layers, include_heads, one_layer=False):
    """Return validated weights (L, H, T, S), labels of queries and keys, and the layers and heads to draw.

    one_layer: one layer is drawn at a time, each weight as a line and two boxes; else all layers, each weight a line.
    """
    shape = shape_of(attention)
    if len(shape) != 4:  # validated_attention says why
        shape = validated_attention(attention, query_tokens, key_tokens)[0].shape
    layers = chosen("include_layers", include_layers, range(shape[0]))
    heads = chosen("include_heads", include_heads, range(shape[1]))
    n_weights = len(heads) * shape[2] * shape[3]
    check_size(6 * len(layers) * n_weights, n_weights * (3 if one_layer else len(layers)), CHOOSE)
    weights, *tokens = validated_attention(attention, query_tokens, key_tokens)
    return weights, tuple([label(token) for token in side] for side in tokens), layers, heads


def arguments(weights, labels) -> dict:
    """Return bertviz' arguments for self-attention or, if keys and queries are different tokens, cross-attention."""
    queries, keys = labels
    rounded = torch.from_numpy(np.round(weights.astype(np.float64), 3))[:, None]  # (L, 1, H, T, S)
    if queries == keys:
        return {"attention": rounded, "tokens": queries}
    return {"cross_attention": rounded, "decoder_tokens": queries, "encoder_tokens": keys}


def label(token: str) -> str:
    """The token as visible text, cut if it is long."""
    text = visible(token)
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def chosen(name: str, wanted, available) -> list[int]:
    """Return the wanted indices, all if None; ValueError for one that is not available, or occurs twice."""
    wanted = list(available) if wanted is None else np.atleast_1d(wanted).tolist()
    if not wanted or len(set(wanted)) < len(wanted) or any(type(i) is not int or i not in available for i in wanted):
        raise ValueError(f"{name} must be chosen from {list(available)}, each at most once; got {wanted}.")
    return wanted


def checked_mode(display_mode: str) -> str:
    if display_mode not in ("light", "dark"):
        raise ValueError(f'display_mode must be "light" or "dark"; got {display_mode!r}.')
    return display_mode


def check_size(n_bytes: int, n_shapes: int, advice: str) -> None:
    """Raise ValueError if this is more than an output should hold, or a browser can draw."""
    if n_bytes > MOST_MEGABYTES * 1e6 or n_shapes > MOST_SHAPES:
        raise ValueError(
            f"The view would take {n_bytes / 1e6:.1f} MB and draw {n_shapes:,} shapes at once, where "
            f"{MOST_MEGABYTES} MB and {MOST_SHAPES:,} are the most: {advice}."
        )


def four_digits(numbers: np.ndarray) -> list:
    """Round the numbers to four significant digits, as nested lists."""
    return np.char.mod("%.4g", numbers).astype(np.float64).tolist()
