"""What a view is given: weights and tokens, checked, and made ready to be sent to the browser."""

import numpy as np
from anyascii import anyascii

# The smallest positive number that 16 bits can hold: a weight that is not zero must never look masked.
SMALLEST = np.finfo(np.float16).smallest_subnormal
MOST_WEIGHTS = 16_000_000  # 32 MB to send: more would stall a browser
# Signs for characters that have none; other control characters get their Unicode picture.
SIGNS = {"\n": "↵", "\t": "⇥", "\x7f": "␡", "\xa0": "␣", "\u3000": "␣", "\u200b": "␣", "\u2028": "↵", "\u2029": "¶"}


def as_picture(attention, query_tokens, key_tokens=None, lowest=0) -> tuple[np.ndarray, list[str], list[str]]:
    """Weights (L, H, T, S) with the tokens of their rows and columns; ValueError where they do not fit together.

    lowest: the smallest number that may be among them, -1 for differences of weights.
    """
    weights = as_weights(attention, lowest)
    n_queries, n_keys = weights.shape[2:]
    lengths = [len(t) if hasattr(t, "__len__") else None for t in (query_tokens, key_tokens)]
    if n_queries != n_keys and lengths == [n_keys, n_queries]:
        raise ValueError(
            f"query_tokens and key_tokens are exchanged: attention has {n_queries} queries, {n_keys} keys."
        )
    query_tokens = as_tokens("query_tokens", query_tokens, n_queries, "queries (axis 2 of attention)")
    if key_tokens is None and n_queries != n_keys:
        raise ValueError(
            f"key_tokens must be given when attention is not square; got None with {n_queries} queries "
            f"and {n_keys} keys."
        )
    key_tokens = query_tokens if key_tokens is None else key_tokens
    return weights, query_tokens, as_tokens("key_tokens", key_tokens, n_keys, "keys (axis 3 of attention)")


def as_weights(attention, lowest=0) -> np.ndarray:
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
    if array[0].size > MOST_WEIGHTS:
        raise ValueError(
            f"A layer of attention must hold at most {MOST_WEIGHTS:,} weights to be drawn; got {array[0].size:,}: "
            f"leave out heads or tokens."
        )
    if not np.isfinite(array).all():
        raise ValueError("attention must be numbers from 0 to 1; got NaN or infinity.")
    if array.min() < 1.001 * lowest or array.max() > 1.001:
        raise ValueError(
            f"attention must be numbers from 0 to 1, after the softmax and without dropout; "
            f"got {array.min():.3g} to {array.max():.3g}."
        )
    return array


def as_numbers(name: str, numbers, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor or array of this shape as numpy float32; ValueError, naming the argument, where it has another."""
    numbers = numbers.detach().cpu().float().numpy() if hasattr(numbers, "detach") else np.asarray(numbers, np.float32)
    if numbers.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}; got {numbers.shape}.")
    return numbers


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
