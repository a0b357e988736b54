"""Lesson 02: the checks of scaled dot-product attention."""

import math

import torch
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import TOLERANCE, close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone
from . import attention_faults as faults
from .attention_raised import is_right, why_it_raised
from .softmax import softmax_by_loops

SIGNATURE = "(q, k, v)"
BATCHES = ((), (2,), (2, 3))
# T, S, d, e: T < S, and no two scales made of them are alike; d is no width that an answer may have fixed.
SIZES = ((6, 7, 11, 13), (5, 7, 11, 14), (5, 6, 11, 14), (7, 10, 11, 5), (4, 6, 11, 13))
MORE_QUERIES = (7, 3, 6, 2), (8, 3, 6, 5), (9, 4, 7, 2)
ALL_EQUAL = (5, 5, 5, 5), (6, 6, 6, 6), (7, 7, 7, 7)
ONE_QUERY = (1, 4, 6, 3), (1, 5, 7, 3), (1, 6, 5, 3)
LARGE = 30.0


class scaled_dot_product_attention:
    answers = (f"scaled_dot_product_attention{SIGNATURE}",)

    @check("output and weights, in this order, with any number of batch axes", 1)
    def shape(attention):
        for inputs in cases():
            attend(attention, *inputs)

    @check("the weights", 2)
    def weights(attention):
        for inputs in cases():
            compare_weights(attention, *inputs)

    @check("the output", 1.5)
    def output(attention):
        for inputs in cases():
            compare_output(attention, *inputs)

    @check("dtype is kept", 0.5)
    def dtype(attention):
        for dtype in (torch.float64, torch.float32):
            q, k, v = qkv(2, dtype=dtype)
            for got, name in zip(attend(attention, q, k, v), ("the output", "the weights"), strict=True):
                keeps_dtype(got, dtype, name)

    @check("gradients reach q, k and v", 0.5)
    def gradient(attention):
        for inputs in (qkv(2), large_scores()):
            expect_gradients(attention, *inputs)

    @check("q, k and v stay as they were", 0.5)
    def inputs(attention):
        q, k, v = qkv(2)
        attend(attention, q, k, v)
        leaves_alone(attention, q=q, k=k, v=v)


def cases():
    """Inputs (q, k, v): batches; more queries than keys; all sizes equal; one query; transposed views; large scores."""
    usual = draw.one_of(*SIZES)
    for batch in BATCHES:
        yield qkv(*batch, sizes=usual)
    for sizes in (MORE_QUERIES, ALL_EQUAL, ONE_QUERY):
        yield qkv(sizes=draw.one_of(*sizes))
    T, S, d, e = draw.one_of((4, 5, 6, 7), (4, 6, 5, 8), (5, 7, 6, 4))
    yield tuple(draw.normal(2, length, 3, width).transpose(1, 2) for length, width in ((T, d), (S, d), (S, e)))
    yield large_scores()


def large_scores() -> tuple[Tensor, Tensor, Tensor]:
    """(q, k, v) whose largest score in size is LARGE, and positive: of a negative one no exp overflows."""
    q, k, v = qkv()
    scores = q @ k.transpose(-2, -1)
    sign = 1 if scores.max() > -scores.min() else -1
    return sign * q * LARGE / largest_score(q, k), k, v


def qkv(*batch: int, sizes=None, dtype=torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """T queries, S keys and values; widths d of queries and keys, e of values."""
    T, S, d, e = sizes or draw.one_of(*SIZES)
    return (
        draw.normal(*batch, T, d, dtype=dtype),
        draw.normal(*batch, S, d, dtype=dtype),
        draw.normal(*batch, S, e, dtype=dtype),
    )


def largest_score(q: Tensor, k: Tensor) -> float:
    return float((q @ k.transpose(-2, -1)).abs().max() / math.sqrt(q.shape[-1]))


def attention_by_loops(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The specification: for each query the scores of all keys, their softmax, the weighted sum of the values."""
    batch, (T, d), (S, e) = q.shape[:-2], q.shape[-2:], v.shape[-2:]
    output, weights = torch.zeros(math.prod(batch), T, e).double(), torch.zeros(math.prod(batch), T, S).double()
    q, k, v = q.double().reshape(-1, T, d), k.double().reshape(-1, S, d), v.double().reshape(-1, S, e)
    for b in range(len(q)):
        for i in range(T):
            scores = (q[b, i] * k[b]).sum(-1) / math.sqrt(d)
            weights[b, i] = softmax_by_loops(scores, -1)
            output[b, i] = (weights[b, i, :, None] * v[b]).sum(0)
    return output.view(*batch, T, e), weights.view(*batch, T, S)


def attend(answer, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """(output, weights) of an answer, if they are two tensors of the right shapes."""
    try:
        pair = answer(*copies(q, k, v))
    except (Wrong, NotDone):
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        if told := why_it_raised(answer, q, k, v):
            raise Wrong(*told) from error
        raise
    return expect_pair(pair, q, k, v)


def expect_pair(pair, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """(output, weights), if the answer gave two tensors of the right shapes."""
    batch, (T, d), (S, e) = q.shape[:-2], q.shape[-2:], v.shape[-2:]
    shapes = {"the output": (*batch, T, e), "the weights": (*batch, T, S)}
    if isinstance(pair, dict):
        raise Wrong("A dictionary came back; wanted two tensors: `return output, weights`.")
    if isinstance(pair, Tensor):
        only = next((name for name, shape in shapes.items() if tuple(pair.shape) == shape), "one tensor")
        raise Wrong(f"Only {only} came back; wanted two tensors: `return output, weights`.")
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        what = f"{len(pair)} things" if isinstance(pair, (tuple, list)) else type(pair).__name__
        raise Wrong(f"The function returned {what}; wanted two tensors: `return output, weights`.")
    first, second = (tuple(getattr(value, "shape", ())) for value in pair)
    if (first, second) == tuple(shapes.values()):
        return tuple(expect_tensor(value, name, shapes[name]) for value, name in zip(pair, shapes, strict=True))
    if first == shapes["the weights"] and second == shapes["the output"]:
        raise Wrong("Weights and output are swapped: `return output, weights`.")
    if first == (*batch, S, e):
        raise Wrong(
            f"The output has a row for each key (S = {S}), not for each query (T = {T}): "
            "the sum runs over the queries. output_i = sum over j of weights_ij values_j.",
            "M05",
        )
    if first == (*batch, T, d):
        raise Wrong(f"The output is as wide as q and k ({d}), not as v ({e}): average the values.")
    if first == shapes["the weights"]:
        raise Wrong("The output has the shape of the weights: they are not yet multiplied by v.")
    if second == (*batch, S, T):
        raise Wrong("The weights have keys in rows; wanted queries in rows, keys in columns: q @ k^T, not k @ q^T.")
    return tuple(expect_tensor(value, name, shapes[name]) for value, name in zip(pair, shapes, strict=True))


def compare_weights(answer, q: Tensor, k: Tensor, v: Tensor) -> None:
    output, weights = attend(answer, q, k, v)
    again = attend(answer, q, k, v)
    if not (close(again[0], output) and close(again[1], weights)):
        raise Wrong(
            "Two calls with the same inputs give different results: is there dropout, other noise, or a "
            "new layer in each call?"
        )
    wanted_output, wanted = attention_by_loops(q, k, v)
    try:
        compare(weights, wanted, faults.weights(weights, output, q, k, v), "the weights", tolerance(q, k))
    except Wrong as wrong:
        message, misconception = str(wrong) + where_only(answer, q, k, v), wrong.misconception
        if close(output, wanted_output):
            message += " The output is right, but not made with these weights: return those it was made with."
            misconception = None
        if q.ndim > 2 and misconception == "M04":  # an axis counted from the front: one matrix was right
            misconception = None
        raise Wrong(message, misconception) from None


def compare_output(answer, q: Tensor, k: Tensor, v: Tensor) -> None:
    output, _ = attend(answer, q, k, v)
    wanted, _ = attention_by_loops(q, k, v)
    if close(output, wanted, tolerance(q, k)):
        return
    compare_weights(answer, q, k, v)  # wrong weights explain it
    try:
        compare(output, wanted, faults.output(output, q, k, v), "the output", tolerance(q, k))
    except Wrong as wrong:
        raise Wrong(str(wrong) + where_only(answer, q, k, v), wrong.misconception) from None


def tolerance(q: Tensor, k: Tensor) -> float:
    """What rounding does to weights grows with the scores."""
    return TOLERANCE * max(1.0, largest_score(q, k) / 8)


def where_only(answer, q: Tensor, k: Tensor, v: Tensor) -> str:
    """What distinguishes these inputs from others on which the answer is right."""
    sizes = (*q.shape[-2:-1], *k.shape[-2:], v.shape[-1])
    if not q.is_contiguous() and is_right(answer, *(tensor.contiguous() for tensor in (q, k, v))):
        return " (It is right on contiguous inputs, but not on transposed views: use reshape, not view.)"
    matrices = zip(*(tensor.flatten(0, -3) for tensor in (q, k, v)), strict=True) if q.ndim > 2 else ()
    if q.ndim > 2 and all(is_right(answer, *one) for one in matrices):
        return f" (It is right on one matrix, but not on q of shape {tuple(q.shape)}: count axes from the end.)"
    if sizes in (*MORE_QUERIES, *ALL_EQUAL, *ONE_QUERY):
        told = ", ".join(f"{name} = {size}" for name, size in zip("TSde", sizes, strict=True))
        return f" (It is right on other sizes. Here {told}: is a number fixed, or chosen by which sizes are equal?)"
    if largest_score(q, k) > 0.9 * LARGE:
        return f" (It is right on smaller scores; here they reach {LARGE:g}.)"
    return ""


def expect_gradients(attention, q: Tensor, k: Tensor, v: Tensor) -> None:
    """Gradients reach q, k and v; where output or weights are right, their gradients are the right ones."""
    q, k, v = (tensor.clone().requires_grad_() for tensor in (q, k, v))
    output, weights = attend(attention, q, k, v)
    has_gradient(output, "the output"), has_gradient(weights, "the weights")
    right = faults.attention(q, k, v)
    for value, wanted, name, sources in (
        (output, right[0], "the output", {"q": q, "k": k, "v": v}),
        (weights, right[1], "the weights", {"q": q, "k": k}),
    ):
        upstream = draw.normal(*value.shape)
        told = gradients(wanted, sources, upstream) if close(value, wanted, tolerance(q, k)) else {}
        compare_gradients(gradients(value, sources, upstream), told, name)


def gradients(value: Tensor, sources: dict[str, Tensor], upstream: Tensor) -> dict[str, Tensor | None]:
    """The gradient of (value * upstream).sum() with respect to each source."""
    found = torch.autograd.grad((value * upstream).sum(), [*sources.values()], retain_graph=True, allow_unused=True)
    return dict(zip(sources, found, strict=True))


def compare_gradients(got: dict, wanted: dict, name: str) -> None:
    """A gradient must reach each source, and be the one wanted where there is one."""
    for source, gradient in got.items():
        if gradient is None or not gradient.any():
            raise Wrong(
                f"No gradient flows from {name} to {source}, so what makes {source} could not learn. "
                "Look for .detach(), .data, torch.no_grad() or a trip through numpy on the way."
            )
        what = f"the gradient of {name} with respect to {source}"
        try:
            compare(gradient, wanted.get(source, gradient.nan_to_num()), name=what, tolerance=1e-4)
        except Wrong as wrong:
            look = "" if gradient.isnan().any() else " Look for .detach() or torch.no_grad() around a part of it."
            raise Wrong(f"{wrong}{look}") from None
