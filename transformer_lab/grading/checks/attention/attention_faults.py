"""Lesson 02, attention: the wrong answers people give, as numbers to compare with and words to tell their authors."""

import math

import torch
import torch.nn.functional as F

from ..common import NEARLY, close, number
from .scale_faults import scale
from .softmax_faults import temperature

ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "silu": F.silu,
    "softmax": lambda x: x.softmax(-1),
}


UNIT = "Division by its length"


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
    if not got.any():
        yield got, "All weights are 0, whatever q and k are: is a tensor made with zeros and never filled?", None
    if got.isnan().any():
        yield got, "The weights are NaN: is a divisor 0, or a score infinite?", None
    slope = temperature(got, scores)
    if slope and abs(slope * root - 1) > 1e-3:
        yield got.double(), *scale(slope, q, k, v)
    slope = temperature(got, scores, -2)
    if slope and abs(slope * root - 1) > 1e-3 and abs(slope - 1) > 1e-3:
        words = "Two faults. The softmax runs over the queries (dim=-2). And the scale: with dim=-1, "
        yield (
            got.double(),
            words + scale(slope, q, k, v)[0].lower().replace("your weights are", "yours would be"),
            "M04",
        )
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
    turned = k.reshape(*k.shape[:-2], d, k.shape[-2])
    words = "reshape and view re-read the numbers in their order; they do not transpose: use k.transpose(-2, -1)."
    for divisor in (root, 1.0):
        if turned.shape == k.shape:
            yield (q @ k / divisor).softmax(-1), "k is not transposed: q @ k pairs features with keys.", None
        yield (q @ turned / divisor).softmax(-1), words, None
        first = k.flatten(0, -3)[0] if k.ndim > 2 else k
        wrong = (q @ first.transpose(-2, -1) / divisor).softmax(-1)
        yield wrong, "The keys of the first batch element are used for all of them.", None
    for decimals in (1, 2, 3, 4):
        rounded = attention(q, k, v)[1].round(decimals=decimals)
        yield rounded, f"The weights are rounded to {decimals} decimals: rounding has no gradient.", None
    got = got.detach().double()
    right = attention(q, k, v)[1]
    hidden = right * (got != 0)
    if (got == 0).any() and close(got, hidden / hidden.sum(-1, True)):
        yield got, "A mask hides some keys; nothing here asks for one: every query sees every key.", None
    if close(got, hidden):
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
    """Faults of the scores, scaled or not."""
    right = s.softmax(-1)
    yield s, "These are the scores, before the softmax: signed, and a row does not sum to 1.", "M03"
    yield (
        s.softmax(-2),
        "The softmax runs over the queries (dim=-2): each column sums to 1. "
        "Each query shares out its weights among the keys: dim=-1.",
        "M04",
    )
    columns = s.softmax(-2)
    words = "The softmax runs over the queries (dim=-2), and each row is divided by its sum afterwards: use dim=-1."
    yield columns / columns.sum(-1, True), words, "M04"
    if s.shape[-2] == s.shape[-1]:
        yield columns.mT, "The softmax runs over the queries (dim=-2), and the map is transposed: use dim=-1.", "M04"
    for axis in range(s.ndim - 2):
        yield s.softmax(axis), f"The softmax runs over axis {axis}, a batch axis: use dim=-1, the keys.", None
    yield (
        s.flatten(-2).softmax(-1).view_as(s),
        "The softmax runs over all queries and keys at once: the whole map sums to 1, not each row.",
        None,
    )
    yield s.flatten().softmax(0).view_as(s), "The softmax runs over the whole tensor, batch and all.", None
    yield s.exp(), "exp(scores) is not divided by its sum over the keys.", "M03"
    yield s.sigmoid(), "A sigmoid is taken of each score by itself: the weights of a query do not sum to 1.", "M03"
    yield s / s.sum(-1, True), "The scores are divided by their sum, without exp: weights come out signed.", "M03"
    for size in (s - s.amax(-1, True), s - s.amin(-1, True), s.abs(), s * s):
        yield (
            size / size.sum(-1, True),
            "Something other than exp(scores) is divided by its sum: exp is missing.",
            "M03",
        )
    yield s.relu() / s.relu().sum(-1, True), "Negative scores are clipped to 0 and there is no exp.", "M03"
    yield s.log_softmax(-1), "This is the logarithm of the weights (log_softmax).", None
    yield right.softmax(-1), "Softmax is applied twice: the weights are much too flat.", None
    yield torch.zeros_like(s).scatter(-1, s.argmax(-1, True), 1.0), "Each query takes its best key alone.", None
    yield torch.full_like(s, 1 / s.shape[-1]), "All weights are equal: this is the plain average.", None
    for name, act in ACTIVATIONS.items():
        yield act(s).softmax(-1), f"{name} is applied to the scores: the softmax takes them as they are.", None
    for limit in (1, 2, 3, 5, 10, 20):
        yield s.clamp(-limit, limit).softmax(-1), f"The scores are clamped to {limit}: larger ones become equal.", None
    for whole in (s.round(), s.floor(), s.trunc()):
        yield whole.softmax(-1), "The scores are truncated to whole numbers (//, round or int).", None
    T, S = s.shape[-2:]
    for shift in (0, S - T):
        allowed = torch.ones(T, S, dtype=torch.bool).tril(shift)
        words = "A causal mask is applied; nothing here asks for one: every query sees every key."
        yield s.masked_fill(~allowed, -torch.inf).softmax(-1), words, None
        yield s.masked_fill(~allowed, 0.0).softmax(-1), words, None
        yield right * allowed, words, None


def output(got, q, k, v):
    """Faults of the output when the weights are right."""
    right, w = attention(q, k, v)
    q, k, v = q.double(), k.double(), v.double()
    root, like = math.sqrt(q.shape[-1]), torch.zeros_like(right)
    yield right / root, "The output is divided by sqrt(d) once more, after the softmax.", "M02"
    yield right * root, "The output is multiplied by sqrt(d) after the softmax: leave it as it is.", None
    words = "The output is the mean over the keys; wanted the sum: the weights divide already."
    yield right / k.shape[-2], words, None
    if right.shape == v.shape:
        yield right + v, "The values are added to the output: attention has no residual connection inside.", None
    if v.ndim > 2:
        words = "The values of the first batch element are used for all of them."
        yield w @ v.flatten(0, -3)[0], words, None
    if q.shape[-2] == k.shape[-2]:
        yield w.mT @ v, "The weights are transposed before they meet the values: the sum runs over the queries.", "M05"
    if right.shape == q.shape:
        yield right + q, "The queries are added to the output: attention has no residual connection inside.", None
    for width, name in ((v.shape[-1], "e"), (k.shape[-2], "S")):
        yield right / math.sqrt(width), f"The output is divided by sqrt({name}): the scale belongs to the scores.", None
    changed = {
        "divided by their length": F.normalize(v, dim=-1),
        "centred, their mean subtracted": v - v.mean(-2, True),
        "shifted by one key": v.roll(1, -2),
        "in the opposite order": v.flip(-2),
        "averaged over the batch": v.mean(0, True).expand_as(v) if v.ndim > 2 else v,
    }
    for how, other in changed.items():
        yield w @ other + like, f"The values are {how}: they are averaged as they are.", None
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
