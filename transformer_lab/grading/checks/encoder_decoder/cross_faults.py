"""Lesson 11, cross-attention: the wrong outputs and weights people compute, and words to tell their authors."""

import math

import torch
from torch import Tensor

INF = math.inf
POLARITY = (
    "The mask is upside down: the padding is attended to and the real tokens are not. `is_real` is True at tokens."
)
CAUSAL = (
    "A causal mask is applied. It belongs to the decoder's attention to *itself*; the source is known from beginning "
    "to end, and every row may read all of it."
)


def faults(x, memory, is_real, w_q, w_k, w_v):
    """(output, weights, words, misconception), wherever the sizes allow them."""
    x, memory, w_q, w_k, w_v = (one.double() for one in (x, memory, w_q, w_k, w_v))
    q, k, v = x @ w_q.mT, memory @ w_k.mT, memory @ w_v.mT
    scores, real = q @ k.mT / math.sqrt(len(w_q)), is_real[..., None, :]
    hidden = scores.masked_fill(~real, -INF)
    right = hidden.softmax(-1)
    plain = scores.softmax(-1)
    T, S = scores.shape[-2:]

    def of(weights, words, misconception=None, values=v):
        return weights @ values, weights, words, misconception

    yield of(plain, "The padding of the memory is attended to: `is_real` has no effect.", "M36")
    yield of(scores.masked_fill(real, -INF).softmax(-1), POLARITY, "M36")
    yield of(
        plain * real,
        "The weights of the padding are set to 0 after the softmax, and the others no longer sum to 1: hide the scores "
        "before it.",
        "M36",
    )
    kept = plain * real
    yield of(
        kept / kept.sum(-1, keepdim=True),
        "The padding's weights are taken away after the softmax; where its scores are high, nothing is left of the "
        "others. Hide the scores before the softmax.",
        "M36",
    )
    zero = "The scores of the padding become 0 (or its rows of the memory do), and e^0 is 1, not 0: -inf hides a key."
    yield of(scores.masked_fill(~real, 0.0).softmax(-1), zero, "M36")
    cleared = memory * is_real[..., None]
    weights = (q @ (cleared @ w_k.mT).mT / math.sqrt(len(w_q))).softmax(-1)
    yield of(weights, zero, "M36", cleared @ w_v.mT)
    yield of(
        plain, "Only the values of the padding are hidden; its scores still take weight away.", "M36", cleared @ w_v.mT
    )
    yield of(hidden.softmax(-2).nan_to_num(0.0), OVER_QUERIES)
    yield of(hidden.softmax(-2), OVER_QUERIES)  # NaN where a column is hidden
    yield of(scores.softmax(-2), OVER_QUERIES + " And the padding is attended to.")
    by_length = torch.arange(S) < is_real.sum(-1)[..., None, None]
    yield of(
        scores.masked_fill(~by_length, -INF).softmax(-1),
        "The padding is taken to stand at the end, after as many tokens as there are: use `is_real` itself.",
        "M36",
    )
    if is_real.ndim > 1:
        first = is_real.flatten(0, -2)[0].expand_as(is_real)[..., None, :]
        yield of(
            scores.masked_fill(~first, -INF).softmax(-1), "All texts of the batch get the padding of the first.", "M36"
        )
    for diagonal in (0, S - T):
        future = ~torch.ones(T, S, dtype=torch.bool).tril(diagonal)
        both = hidden.masked_fill(future, -INF).softmax(-1)
        yield of(both, CAUSAL, "M36")
        yield of(both.nan_to_num(0.0), CAUSAL, "M36")
        yield of(scores.masked_fill(future, -INF).softmax(-1), CAUSAL + " And the padding is attended to.", "M36")
    sizes = {"D, the width of x": x.shape[-1], "M, the width of the memory": memory.shape[-1], "S": S, "e": len(w_v)}
    unscaled = scores * math.sqrt(len(w_q))
    yield of(over(unscaled, real), "The scores are not divided by sqrt(d), d the width of a query (a row of w_q @ x).")
    yield of(over(unscaled / len(w_q), real), "The scores are divided by d; wanted its square root.")
    for name, size in sizes.items():
        yield of(
            over(unscaled / math.sqrt(size), real), f"The scores are divided by the root of {name}; wanted sqrt(d)."
        )
    yield of(right, "The values are the memory's keys.", None, k)
    yield of(right, "The values are the memory itself; they are made of it, with w_v.", None, memory)
    if v.shape[:-2] and len(v.flatten(0, -3)) > 1:
        yield of(right, "The values of the first text are used for all of them.", None, v.flatten(0, -3)[0])
    yield (
        v.mean(-2, keepdim=True).expand(*right.shape[:-1], -1),
        right,
        "The output is the plain mean of the values.",
        None,
    )
    if v.shape == (output := right @ v).shape:
        yield output + v, right, "The values are added to the output.", None
    if x.shape == output.shape:
        yield output + x, right, "x is added to the output: the residual connection is not part of attention.", None
    yield output / math.sqrt(len(w_q)), right, "The output is divided by sqrt(d) once more.", None
    yield plain @ v, right, "The weights hide the padding; the output is made with others, which do not.", "M36"


OVER_QUERIES = "The softmax runs over the decoder's rows (dim=-2): each of them must share out its own weights, dim=-1."


def over(scores: Tensor, real: Tensor) -> Tensor:
    return scores.masked_fill(~real, -INF).softmax(-1)


def of_squares(x, memory, is_real, w_q, w_k, w_v):
    """More of them, which exist only where all sizes are equal."""
    x, memory, w_q, w_k, w_v = (one.double() for one in (x, memory, w_q, w_k, w_v))
    root, real = math.sqrt(len(w_q)), is_real[..., None, :]
    none = torch.ones_like(real)

    def of(queries, keys, values, words, misconception="M33"):
        for allowed in (real, none, is_real[..., :, None]):
            weights = over(queries @ keys.mT / root, allowed)
            yield weights @ values, weights, words, misconception

    q, k, v = x @ w_q.mT, memory @ w_k.mT, memory @ w_v.mT
    swapped = "x and memory have changed places: the decoder's rows ask, so the queries are made of x; keys and values "
    yield from of(memory @ w_q.mT, x @ w_k.mT, x @ w_v.mT, swapped + "are made of the memory.")
    yield from of(
        q, x @ w_k.mT, x @ w_v.mT, "Keys and values are made of x: that is the decoder's attention to itself."
    )
    yield from of(q, x @ w_k.mT, v, "The keys are made of x; they are made of the memory, as the values are.")
    yield from of(q, k, x @ w_v.mT, "The values are made of x; they are made of the memory, as the keys are.")
    yield from of(memory @ w_q.mT, k, v, "The queries are made of the memory: the encoder asks itself. Make them of x.")
    yield from of(memory @ w_q.mT, k, x @ w_v.mT, "Queries and values have changed places: x asks, the memory answers.")
    for names, (a, b, c) in {
        "x @ w_q, memory @ w_k and memory @ w_v": (x @ w_q, memory @ w_k, memory @ w_v),
        "x @ w_q": (x @ w_q, k, v),
        "memory @ w_k": (q, memory @ w_k, v),
        "memory @ w_v": (q, k, memory @ w_v),
    }.items():
        words = f"The matrices come as nn.Linear stores them, a row for each output: {names} should be @ w.T."
        yield from of(a, b, c, words, None)
    words = "w_k and w_v have changed places."
    yield from of(q, memory @ w_v.mT, memory @ w_k.mT, words, None)
    yield from of(
        x, memory, memory, "Nothing is projected: queries, keys and values are made with w_q, w_k and w_v.", None
    )
    yield from of(x, memory, v, "Queries and keys are not projected: they are made with w_q and w_k.", None)
    yield from of(x, k, v, "The queries are x itself; they are made of it, with w_q.", None)
    yield from of(q, memory, v, "The keys are the memory itself; they are made of it, with w_k.", None)
    scores = q @ k.mT / root
    weights = over(scores, is_real[..., :, None])
    slot = "The mask lies on the rows of x. It must close *columns*: no row may look at padding, is_real[..., None, :]."
    for wrong in (weights, weights.nan_to_num(0.0), weights.nan_to_num(1 / len(w_q))):
        yield wrong @ v, wrong, slot, "M36"
    for rows in (True, False):
        weights = over(k @ q.mT / root, real if rows else none)
        yield weights @ v, weights, "Keys ask and queries answer: the scores are q @ k^T, a row for each query.", "M33"
