"""Lesson 02, attention: the wrong answers people give, as numbers to compare with and words to tell their authors."""

import math

import torch
import torch.nn.functional as F

from ..score import NotDone, Wrong
from ._softmax_faults import temperature
from .common import NEARLY, close, copies, number

ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "softmax": lambda x: x.softmax(-1),
}


UNIT = "division by its length"


def attention(q, k, v):
    """The right (output, weights), in float64."""
    q, k, v = q.double(), k.double(), v.double()
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return weights @ v, weights


def weights(got, output, q, k, v):
    """Faults of the weights."""
    q, k, v = q.double(), k.double(), v.double()
    d, scores = q.shape[-1], q @ k.transpose(-2, -1)
    root, plain = math.sqrt(d), scores.softmax(-1)
    outside = "The division by sqrt(d) comes after the softmax: the weights saturate (the scores went in unscaled)"
    if close(got, plain, 1e-4) and close(output, plain @ v / root, 1e-4):
        yield got, f"{outside}, and the output shrinks by sqrt(d). Divide the scores, before the softmax.", "M02"
    yield plain / root, f"{outside}, and each row sums to 1/sqrt(d), not to 1. Divide the scores.", "M02"
    slope = temperature(got, scores)
    if slope and abs(slope * root - 1) > 1e-3:
        yield got.double(), *scale(slope, q, k, v)
    for s, which in ((scores / root, ""), (scores, " Nor are the scores divided by sqrt(d).")):
        for wrong, message, misconception in unscaled(s):
            yield wrong, message + which, misconception
    for name, act in (ACTIVATIONS | {UNIT: lambda x: F.normalize(x, dim=-1)}).items():
        for where, left, right in (("q", act(q), k), ("k", q, act(k)), ("q and k", act(q), act(k))):
            for divisor in (root, 1.0):
                wrong = (left @ right.transpose(-2, -1) / divisor).softmax(-1)
                what = f"{name} is applied to {where} before the product. "
                what += "The scores are products of q and k as they are, of either sign and any length."
                yield wrong, what, None if name == UNIT else "M06"
    for decimals in (1, 2, 3, 4):
        rounded = attention(q, k, v)[1].round(decimals=decimals)
        yield rounded, f"The weights are rounded to {decimals} decimals: rounding has no gradient.", None
    got = got.detach().double()
    right = attention(q, k, v)[1]
    if close(got, right * (got != 0)):
        yield got, "Some weights are set to 0 after the softmax, and the others no longer sum to 1.", None
    if close(got, right, 0.01):
        yield got, f"The weights differ from the right ones in the third digit. {NEARLY}", None
    total = got.sum(-1)
    if not close(total, torch.ones_like(total), 1e-4):
        words = f"The weights of a query must sum to 1; yours sum to {number(total.min())} ... {number(total.max())}."
        yield got, words, None
    elif (got > 0).all():
        words = (
            "Each row sums to 1, as it should, but its logarithms do not follow q.k: look at how the scores are made."
        )
        yield got, words, None


def unscaled(s):
    """Faults that can befall scores, scaled or not."""
    right = s.softmax(-1)
    yield s, "These are the scores, before the softmax: signed, and a row does not sum to 1.", "M03"
    yield (
        s.softmax(-2),
        "The softmax runs over the queries (dim=-2): each column sums to 1. "
        "Each query shares out its weights among the keys: dim=-1.",
        "M04",
    )
    for axis in range(s.ndim - 2):
        yield s.softmax(axis), f"The softmax runs over axis {axis}, a batch axis: use dim=-1, the keys.", None
    yield (
        s.flatten(-2).softmax(-1).view_as(s),
        "The softmax runs over all queries and keys at once: the whole map sums to 1, not each row.",
        None,
    )
    yield s.flatten().softmax(0).view_as(s), "The softmax runs over the whole tensor, batch and all.", None
    yield s.exp(), "exp(scores) is not divided by its sum over the keys.", "M03"
    yield s.sigmoid(), "A sigmoid is taken of each score alone: the weights of a query do not sum to 1.", "M03"
    yield s / s.sum(-1, True), "The scores are divided by their sum, without exp: weights come out signed.", "M03"
    yield s.relu() / s.relu().sum(-1, True), "Negative scores are cut to 0 and there is no exp.", "M03"
    yield s.log_softmax(-1), "This is the logarithm of the weights (log_softmax).", None
    yield right.softmax(-1), "Softmax is applied twice: the weights are much too flat.", None
    yield torch.zeros_like(s).scatter(-1, s.argmax(-1, True), 1.0), "Each query takes its best key alone.", None
    yield torch.full_like(s, 1 / s.shape[-1]), "All weights are equal: this is the plain average.", None
    T, S = s.shape[-2:]
    for shift in (0, S - T):
        allowed = torch.ones(T, S, dtype=torch.bool).tril(shift)
        words = "A causal mask is applied; nothing here asks for one: every query sees every key."
        yield s.masked_fill(~allowed, -torch.inf).softmax(-1), words, None
        yield s.masked_fill(~allowed, 0.0).softmax(-1), words, None
        yield right * allowed, words, None


def scale(slope, q, k, v):
    """(message, misconception) for weights that are softmax(slope * q.k)."""
    d, (T, S) = q.shape[-1], (q.shape[-2], k.shape[-2])
    known = {
        1.0: "they are not scaled at all, so the softmax saturates as d grows",
        1 / d: "that is 1/d: the root is missing",
        math.sqrt(d): "that is sqrt(d): multiplied where it should be divided",
        -1 / math.sqrt(d): "the sign is wrong: the least similar key gets most",
        d**-0.25: "that is d**-0.25: the root is taken twice, or d**-0.25 is given to q and not to k",
        d**-1.0 * d**-0.5: "that is d**-1.5: the scale is applied twice or more",
        1 / math.sqrt(S): "that is 1/sqrt(S), from the number of keys",
        1 / math.sqrt(T): "that is 1/sqrt(T), from the number of queries",
        1 / math.sqrt(v.shape[-1]): "that is 1/sqrt(e), from the width of the values",
    }
    known[1 / math.sqrt(T * d)] = "that is 1/sqrt(T d), from the number of elements of q"
    for heads in (8, 2, 3, 12, 16):
        known[1 / math.sqrt(heads * d)] = (
            f"that is 1/sqrt({heads} d), a d_model of {heads} heads: too large a divisor makes the weights too flat"
        )
    for size in q.shape[:-2]:
        known[1 / math.sqrt(size)] = f"that is 1/sqrt({size}), from a batch axis"
    found = next((value for value in known if math.isclose(slope, value, rel_tol=2e-3)), None)
    words = f"{number(slope)}; wanted 1/sqrt(d) = {number(d**-0.5)}, where d = {d} is the width of one query"
    if found:
        words += f". Look at the scale: {known[found]}"
    else:
        words += f": yours is {number(slope * math.sqrt(d))} times that. Take d from q.shape[-1]"
    model_width = found is not None and ("not scaled" in known[found] or "d_model" in known[found])
    return f"Your weights are the softmax of q.k times {words}.", "M01" if model_width else None


def output(got, q, k, v):
    """Faults of the output when the weights are right."""
    right, w = attention(q, k, v)
    q, k, v = q.double(), k.double(), v.double()
    root, like = math.sqrt(q.shape[-1]), torch.zeros_like(right)
    yield right / root, "The output is divided by sqrt(d) once more, after the softmax.", "M02"
    yield v.mean(-2, True) + like, "The output is the plain mean of the values: the weights are not used.", None
    yield v.sum(-2, True) + like, "The output is the plain sum of the values: the weights are not used.", None
    wrong = w.sum(-2, True) @ v + like
    yield wrong, "The weights are summed over the queries first: output_i = sum over j of weights_ij values_j.", "M05"
    yield w.mean(-2, True) @ v + like, "The weights are averaged over the queries: each has weights of its own.", "M05"
    if q.shape[-2] <= k.shape[-2]:
        own = v[..., : q.shape[-2], :]
        yield own, "Output i is value i alone: the sum runs over an index that does not reach the values.", "M05"
        yield w.sum(-1, True) * own, "Output i is value i times a sum of weights: j must index the values too.", "M05"
    yield v.gather(-2, w.argmax(-1)[..., None].expand(right.shape)), "Each output is its best key's value alone.", None
    for name, act in ACTIVATIONS.items():
        yield w @ act(v), f"{name} is applied to the values: they are averaged as they are.", "M06"
        yield act(right), f"{name} is applied to the output: it is the weighted average, and nothing more.", None
    scores = q @ k.transpose(-2, -1)
    for wrong, message, misconception in [
        (scores.softmax(-1), "scores not divided by sqrt(d).", "M01"),
        *unscaled(scores / root),
        *unscaled(scores),
    ]:
        yield wrong @ v, f"The weights returned are right, but the output is made with others: {message}", misconception
    yield (
        got,
        "The weights are right, but the output is not weights @ v: v is changed before, or the result after.",
        None,
    )


def why_it_raised(answer, q, k, v):
    """(message, misconception) about an answer that raised, from trying it on friendlier inputs; or None."""
    if q.ndim > 2:
        one = [tensor.flatten(0, -3)[0] for tensor in (q, k, v)]
        if is_right(answer, *one):
            return (
                f"It works on one matrix of queries, but not on q of shape {tuple(q.shape)}: any number of batch axes "
                "may come first. `k.T` reverses every axis; `k.transpose(-2, -1)` swaps the last two. Count axes "
                "from the end, and unpack no fixed number of them.",
                None,
            )
    n = 6
    square = [torch.randn(n, n) + 0.3 for _ in range(3)]
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
            words = "q and k are swapped: k @ q^T has keys in rows. The scores are q @ k^T, queries in rows."
            yield swapped @ v, swapped, words, None
            plain = (q @ k / divisor).softmax(dim)
            yield plain @ v, plain, "k is not transposed: q @ k pairs features with keys. Use q @ k^T.", None
            crossed = (q @ v.T / divisor).softmax(dim)
            yield crossed @ v, crossed, "The values stand where the keys should: the scores are q @ k^T.", None
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
