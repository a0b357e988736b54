"""Validate the inputs of views, weights and tokens, and prepare them for the browser."""

import base64
import io
import math
import re
import unicodedata
from collections.abc import Mapping
from functools import cache

import numpy as np
from anyascii import anyascii
from matplotlib.image import imsave

from ..analysis.sizes import check_layer
from ..data.token_labels import indices
from ..sentences import kind_of, short_repr

# The smallest positive number that 16 bits can hold: a weight that is not zero must never look masked.
SMALLEST = np.finfo(np.float16).smallest_subnormal
# Signs, which every font has, for characters that have none; of others, the code point is shown.
SIGNS = {"\n": "↵", "\t": "⇥", "\u2029": "¶"}
# Control and format characters, separators, unassigned code points, and those that everybody may draw differently.
UNSEEN = {"Cc", "Cf", "Zs", "Zl", "Zp", "Cn", "Co", "Cs"}
# Drawn as nothing, though they count as letters, marks or signs: fillers, variation selectors, the empty Braille cell,
# a note without a head, an object that is not there (Unicode's Default_Ignorable_Code_Point, and three more).
BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc"
                   "\U00016fe4\U0001d159\U000e0000-\U000e0fff]")  # fmt: skip


def validated_attention(attention, query_tokens, key_tokens=None, lowest=0) -> tuple[np.ndarray, list[str], list[str]]:
    """Return weights (L, H, T, S) and the tokens of their rows and columns; ValueError if they do not fit together.

    Without tokens of either, rows and columns are labelled with their indices.
    lowest is the smallest number allowed among the weights: -1 for differences.
    """
    weights = as_weights(attention, lowest)
    n_queries, n_keys = weights.shape[2:]
    lengths = [len(t) if hasattr(t, "__len__") else None for t in (query_tokens, key_tokens)]
    if query_tokens is None and key_tokens is None:
        return weights, indices(n_queries), indices(n_keys)
    if n_queries != n_keys and lengths == [n_keys, n_queries]:
        raise ValueError(f"query_tokens and key_tokens are swapped: attention has {n_queries} queries, {n_keys} keys.")
    query_tokens = as_tokens("query_tokens", query_tokens, n_queries, "queries (axis 2 of attention)")
    if key_tokens is None and n_queries != n_keys:
        raise ValueError(
            f"key_tokens must be given when attention is not square; got None with {n_queries} queries "
            f"and {n_keys} keys."
        )
    key_tokens = query_tokens if key_tokens is None else key_tokens
    return weights, query_tokens, as_tokens("key_tokens", key_tokens, n_keys, "keys (axis 3 of attention)")


def as_weights(attention, lowest=0) -> np.ndarray:
    """Convert weights to a numpy array (L, H, T, S) of float32 or float64; ValueError if that is impossible."""
    given, layered = attention, isinstance(attention, (list, tuple)) and any(hasattr(one, "shape") for one in attention)
    if isinstance(attention, tuple) and not attention:
        raise ValueError(
            'attention is empty: a Hugging Face model returns it only when loaded with attn_implementation="eager" '
            "and called with output_attentions=True."
        )
    if len(shape_of(attention)) > 3:
        check_layer(shape_of(attention)[-3:])
    if layered:
        attention = one_array(attention)
    try:
        if hasattr(attention, "detach"):
            attention = attention.detach().cpu()
            attention = (attention if attention.element_size() == 8 else attention.float()).numpy()
        array = np.asarray(attention)
        # Copy, because the caller's array may change later.
        array = array.astype(np.float64 if array.dtype == np.float64 else np.float32, copy=array.flags.writeable)
    except (TypeError, ValueError, RuntimeError):
        array = np.empty(0)
    if array.ndim != 4 or array.size == 0:
        came = f"shape {tuple(given.shape)}" if hasattr(given, "shape") else kind_of(given)
        advice = {3: " One layer? attention[None].", 5: " A batch axis? attention[:, 0]."}.get(array.ndim, "")
        if hasattr(given, "attentions"):
            advice = " Give its attentions: output.attentions."
        if hasattr(given, "query_tokens"):
            advice = " Give its attention: view.attention."
        raise ValueError(f"attention must be a tensor or array (layers, heads, queries, keys); got {came}.{advice}")
    check_layer(array.shape[1:])
    if not np.isfinite(array).all():
        raise ValueError("attention must be numbers from 0 to 1; got NaN or infinity.")
    if array.min() < 1.001 * lowest or array.max() > 1.001:
        raise ValueError(
            f"attention must be numbers from 0 to 1, after the softmax and without dropout; "
            f"got {array.min():.3g} to {array.max():.3g}."
        )
    return array


def shape_of(attention) -> tuple[int, ...]:
    """Return the weights' shape without copying them; for a list of layers, the shape when stacked; else ()."""
    if isinstance(attention, (list, tuple)) and attention and all(hasattr(layer, "shape") for layer in attention):
        return (len(attention), *attention[0].shape[-3:])
    return tuple(getattr(attention, "shape", ()))


def as_numbers(name: str, numbers, shape: tuple[int, ...]) -> np.ndarray:
    """Convert a tensor or array of this shape to numpy float32; ValueError, naming the argument, for another shape."""
    came = tuple(getattr(numbers, "shape", np.shape(numbers)))
    if came != shape:
        raise ValueError(f"{name} must have the shape {shape}; got {came}.")
    array = numbers.detach().cpu().float().numpy() if hasattr(numbers, "detach") else np.asarray(numbers)
    return array.astype(np.float32, copy=array.flags.writeable)  # a copy, because what is given may be changed later


def one_array(layers) -> np.ndarray:
    """Stack one tensor per layer, (1, H, T, S) as Hugging Face returns or (H, T, S), into an array (L, H, T, S)."""
    missing = [i for i, layer in enumerate(layers) if not hasattr(layer, "shape")]
    if missing:
        raise ValueError(
            f"attention, a list, must hold a tensor for each layer; got {short_repr(layers[missing[0]])} in it."
        )
    shapes = {tuple(layer.shape) for layer in layers}
    if len(shapes) > 1 or len(layers[0].shape) not in (3, 4):
        raise ValueError(f"attention, a list, must hold tensors (1, H, T, S), all of one shape; got {sorted(shapes)}.")
    batched = len(layers[0].shape) == 4
    if batched and len(layers[0]) != 1:
        raise ValueError(
            f"attention holds a batch of {len(layers[0])}: choose one, for instance [layer[:1] for layer in attention]."
        )
    layers = [layer[0] for layer in layers] if batched else layers
    return np.stack(
        [one.detach().cpu().float().numpy() if hasattr(one, "detach") else np.asarray(one) for one in layers]
    )


def patches(pixels, labels: list[str]) -> dict:
    """Return the image that square patches were cut from, as a data URL, and how they lie in it; {} if none were.

    pixels are pixel_values, or all inputs with these. They may be normalised: the lowest is drawn black, the highest
    white. "first" is the first patch's place among the tokens.
    """
    n, first = sum(label.startswith("patch ") for label in labels), int(labels[0] == "[CLS]")
    pixels = pixels.get("pixel_values") if isinstance(pixels, Mapping) else pixels
    if not n or not hasattr(pixels, "detach"):
        return {}
    image = pixels.detach().float().cpu().numpy().reshape(pixels.shape[-3:]).transpose(1, 2, 0)
    image = (image - image.min()) / (np.ptp(image) or 1)
    columns = round((n * image.shape[1] / image.shape[0]) ** 0.5)
    file = io.BytesIO()
    imsave(file, image if image.shape[2] == 3 else image[..., :1].repeat(3, axis=2), format="png")
    source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
    return {"src": source, "rows": n // columns, "columns": columns, "first": first}


def as_tokens(name: str, tokens, n_wanted: int, what: str) -> list[str]:
    """Return the tokens as a list of n_wanted strings; ValueError, naming the argument, if they are not."""
    tokens = list(tokens) if hasattr(tokens, "__iter__") and not isinstance(tokens, (str, bytes)) else tokens
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        wrong = (
            {type(one) for one in tokens if not isinstance(one, str)} if isinstance(tokens, list) else {type(tokens)}
        )
        advice = " Ids? Give the tokenizer's tokens." if wrong.isdisjoint({str, bytes}) else ""
        advice = ' Bytes? Give token.decode("utf-8", "replace").' if bytes in wrong else advice
        raise ValueError(f"{name} must be a list of strings; got {short_repr(tokens)}.{advice}")
    if len(tokens) != n_wanted:
        raise ValueError(f"{name} must name all {n_wanted} {what}; got {len(tokens)} tokens.")
    # Half a surrogate pair is a valid Python string, but cannot be encoded, sent or drawn.
    return [token.encode("utf-8", "backslashreplace").decode() for token in tokens]


def number(name: str, value) -> dict:
    """{name: the number}; or, as JSON knows no NaN and no infinity, {name: None, name_is: what it is, in words}."""
    value = float(value)
    if math.isfinite(value):
        return {name: value}
    return {name: None, f"{name}_is": "not a number" if math.isnan(value) else "infinite"}


def to_float16_bytes(weights: np.ndarray) -> bytes:
    """Convert weights to little-endian float16, rounding only zeros to zero."""
    halves = weights.astype("<f2")
    halves[(weights > 0) & (halves == 0)] = SMALLEST
    return halves.tobytes()


def visible(token: str) -> str:
    """Return the token with a sign in place of every invisible character: spaces at its ends, line breaks, joiners ...

    Without a sign, the code point is shown: <U+200D>. Accents without a letter get a dotted circle; "" becomes ∅.
    """
    inside = token.strip(" ")
    left = len(token) - len(token.lstrip(" ")) if inside else len(token)
    right = len(token) - len(token.rstrip(" ")) if inside else 0
    text, on_letter = "␣" * left, False
    for char in inside:
        sign = SIGNS.get(char) or (code_point(char) if is_unseen(char) else char)
        is_accent = sign == char and unicodedata.category(char).startswith("M")
        text += "◌" + char if is_accent and not on_letter else sign
        on_letter = sign == char and char != " "
    return (text + "␣" * right) or "∅"


@cache
def is_unseen(char: str) -> bool:
    """Return whether the character is invisible, by its Unicode category or Default_Ignorable_Code_Point."""
    return char != " " and (unicodedata.category(char) in UNSEEN or BLANK.match(char) is not None)


def code_point(char: str) -> str:
    return f"<U+{ord(char):04X}>"


def romanised(label: str) -> str:
    """Transliterate the label into Latin letters: 日 becomes ri, and 👨 :man:."""
    foreign = [ord(char) >= 0x1F000 or (char.isalpha() and ord(char) >= 0x370) for char in label]
    return "".join(
        anyascii(char).strip().lower() or "?" if is_foreign else char
        for char, is_foreign in zip(label, foreign, strict=True)
    )
