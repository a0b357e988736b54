"""Lesson 02, attention: why an answer raised, from trying it on friendlier inputs."""

import math

from ...checking import NotDone, Wrong
from ...draw import draw
from ..common import close, copies
from .attention_faults import attention


def why_it_raised(answer, q, k, v):
    """(message, misconception) about an answer that raised, from trying it on friendlier inputs; or None."""
    if not q.is_contiguous():
        if is_right(answer, *(tensor.contiguous() for tensor in (q, k, v))):
            return "It works on contiguous inputs, not on transposed views: reshape() takes any, view() does not.", None
        return None
    if q.ndim > 2:
        one = [tensor.flatten(0, -3)[0] for tensor in (q, k, v)]
        if is_right(answer, *one):
            return (
                f"It works on one matrix of queries, but not on q of shape {tuple(q.shape)}: any number of batch axes "
                "may come first. `k.T` reverses every axis; `k.transpose(-2, -1)` swaps the last two. Count axes "
                "from the end, and do not unpack a fixed number of them.",
                None,
            )
    n = 6
    square = [draw.normal(n, n) for _ in range(3)]
    pair = quietly(answer, *square)
    if pair is None:
        return None
    for wrong_output, wrong_weights, message, misconception in square_faults(*square):
        if close(pair[0], wrong_output, 1e-4) and close(pair[1], wrong_weights, 1e-4):
            return f"{message} (It raised because T, S, d and e differ here; with all equal it runs.)", misconception
    return None


def square_faults(q, k, v):
    """(output, weights, message, misconception) that exist only when every size is the same."""
    q, k, v = q.double(), k.double(), v.double()
    for divisor in (math.sqrt(q.shape[-1]), 1.0):
        for dim in (-1, -2):
            right = (q @ k.T / divisor).softmax(dim)
            swapped = (k @ q.T / divisor).softmax(dim)
            words = "The weights are transposed before they meet the values, so the sum runs over the queries."
            yield right.T @ v, right, words, "M05"
            if dim == -1:
                yield right.T @ v, right.T, words, "M05"
            words = "q and k are swapped (k @ q^T): keys in rows, and each shared out among the queries, not the keys."
            if dim == -1:
                words = words[:-1] + " (or softmax(dim=-2), then transposed): use dim=-1 of q @ k^T."
            yield swapped @ v, swapped, words, "M04" if dim == -1 else None
            plain = (q @ k / divisor).softmax(dim)
            yield plain @ v, plain, "k is not transposed: q @ k pairs features with keys. Use q @ k^T.", None
            crossed = (q @ v.T / divisor).softmax(dim)
            yield crossed @ v, crossed, "The values are used where the keys should be: the scores are q @ k^T.", None
            yield crossed @ k, crossed, "k and v are swapped.", None
            turned = (q.T @ k / divisor).softmax(dim)
            yield turned @ v, turned, "q is transposed, not k: the scores are q @ k^T.", None
            yield v @ right, right, "The output is v @ weights; wanted weights @ v: row i mixes the values.", None
            yield v.T @ right, right, "The output is v^T @ weights; wanted weights @ v.", None


def quietly(answer, *inputs):
    """The pair an answer gives, or None."""
    try:
        output, weights = answer(*copies(*inputs))
        return (output.detach(), weights.detach())
    except (NotDone, Wrong, Exception):
        return None


def is_right(answer, *inputs) -> bool:
    pair = quietly(answer, *inputs)
    return pair is not None and all(close(got, wanted) for got, wanted in zip(pair, attention(*inputs), strict=True))
