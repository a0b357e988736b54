"""Lesson 02: the checks of scaled dot-product attention, and of three repairs of it."""

import math

import torch
from torch import Tensor

from ..score import NotDone, Wrong, check
from . import _attention_faults as faults
from ._softmax import softmax_by_loops
from .common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone, normal

SIGNATURE = "(q, k, v)"
BATCHES = ((), (2,), (2, 3))


class scaled_dot_product_attention:
    answers = (f"scaled_dot_product_attention{SIGNATURE}",)

    @check("output and weights, in this order, with any number of batch axes", 1)
    def shape(attention):
        for batch in BATCHES:
            attend(attention, *qkv(*batch))

    @check("the weights", 2)
    def weights(attention):
        for batch in BATCHES:
            compare_weights(attention, *qkv(*batch))

    @check("the output", 1.5)
    def output(attention):
        for batch in BATCHES:
            compare_output(attention, *qkv(*batch))

    @check("dtype is kept", 0.5)
    def dtype(attention):
        q, k, v = qkv(2, dtype=torch.float64)
        for got, wanted, name in zip(
            attend(attention, q, k, v), attention_by_loops(q, k, v), ("the output", "the weights"), strict=True
        ):
            keeps_dtype(got, torch.float64, name)
            if close(got, wanted) and not close(got, wanted, 1e-9):
                raise Wrong(f"{name} is float64 but only exact to float32: something inside goes through .float().")

    @check("gradients reach q, k and v", 0.5)
    def gradient(attention):
        q, k, v = (tensor.requires_grad_() for tensor in qkv(2))
        output, weights = attend(attention, q, k, v)
        has_gradient(output, "the output"), has_gradient(weights, "the weights")
        for value, name, sources in ((output, "the output", "qkv"), (weights, "the weights", "qk")):
            loss = (value * normal(*value.shape)).sum()
            inputs = [{"q": q, "k": k, "v": v}[source] for source in sources]
            gradients = torch.autograd.grad(loss, inputs, retain_graph=True, allow_unused=True)
            for source, gradient in zip(sources, gradients, strict=True):
                if gradient is None or not gradient.any():
                    raise Wrong(
                        f"No gradient flows from {name} to {source}, so what makes {source} could not learn. "
                        "Look for .detach(), .data, torch.no_grad() or a trip through numpy on the way."
                    )

    @check("q, k and v stay as they were", 0.5)
    def inputs(attention):
        q, k, v = qkv(2)
        attend(attention, q, k, v)
        leaves_alone(attention, q=q, k=k, v=v)


class repair:
    answers = tuple(f"repair_{n}{SIGNATURE}" for n in (1, 2, 3))

    @check("repair 1", 1)
    def first(repair_1, repair_2, repair_3):
        repaired(repair_1)

    @check("repair 2", 1)
    def second(repair_1, repair_2, repair_3):
        repaired(repair_2)

    @check("repair 3", 1)
    def third(repair_1, repair_2, repair_3):
        repaired(repair_3)


def repaired(answer) -> None:
    """All of attention in one check: a repair is whole or it is none."""
    for batch in BATCHES:
        q, k, v = qkv(*batch)
        compare_weights(answer, q, k, v)
        compare_output(answer, q, k, v)


def qkv(*batch: int, dtype=torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs whose sizes all differ: T = 4 queries, S = 5 keys, widths d = 6 and e = 7."""
    return normal(*batch, 4, 6, dtype=dtype), normal(*batch, 5, 6, dtype=dtype), normal(*batch, 5, 7, dtype=dtype)


def attention_by_loops(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The specification: for each query the scores of all keys, their softmax, the weighted sum of the values."""
    batch, (T, d), (S, e) = q.shape[:-2], q.shape[-2:], v.shape[-2:]
    output, weights = torch.zeros(math.prod(batch), T, e).double(), torch.zeros(math.prod(batch), T, S).double()
    q, k, v = q.double().reshape(-1, T, d), k.double().reshape(-1, S, d), v.double().reshape(-1, S, e)
    for b in range(len(q)):
        for i in range(T):
            scores = torch.stack([(q[b, i] * k[b, j]).sum() / math.sqrt(d) for j in range(S)])
            weights[b, i] = softmax_by_loops(scores, -1)
            for j in range(S):
                output[b, i] += weights[b, i, j] * v[b, j]
    return output.view(*batch, T, e), weights.view(*batch, T, S)


def attend(answer, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """(output, weights) of an answer, if they are two tensors of the right shapes."""
    try:
        pair = answer(*copies(q, k, v))
    except (Wrong, NotDone):
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        if told := faults.why_it_raised(answer, q, k, v):
            raise Wrong(*told) from error
        raise
    return expect_pair(pair, q, k, v)


def expect_pair(pair, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """(output, weights), if the answer gave two tensors of the right shapes."""
    batch, (T, d), (S, e) = q.shape[:-2], q.shape[-2:], v.shape[-2:]
    shapes = {"the output": (*batch, T, e), "the weights": (*batch, T, S)}
    if isinstance(pair, Tensor):
        only = next((name for name, shape in shapes.items() if tuple(pair.shape) == shape), "one tensor")
        raise Wrong(f"Only {only} came back; wanted two tensors: `return output, weights`.")
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        what = f"{len(pair)} things" if isinstance(pair, (tuple, list)) else type(pair).__name__
        raise Wrong(f"The function returned {what}; wanted two tensors: `return output, weights`.")
    first, second = (tuple(getattr(value, "shape", ())) for value in pair)
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
        raise Wrong("The output has the shape of the weights: they are not yet multiplied with v.")
    if second == (*batch, S, T):
        raise Wrong("The weights have keys in rows; wanted queries in rows, keys in columns: q @ k^T, not k @ q^T.")
    return tuple(expect_tensor(value, name, shapes[name]) for value, name in zip(pair, shapes, strict=True))


def compare_weights(answer, q: Tensor, k: Tensor, v: Tensor) -> None:
    output, weights = attend(answer, q, k, v)
    again = attend(answer, q, k, v)
    if not (close(again[0], output) and close(again[1], weights)):
        raise Wrong(
            "Two calls with the same inputs differ: is there dropout, other noise, or a layer made anew at each call?"
        )
    wanted_output, wanted = attention_by_loops(q, k, v)
    try:
        compare(weights, wanted, faults.weights(weights, output, q, k, v), "the weights")
    except Wrong as wrong:
        message, misconception = str(wrong), wrong.misconception
        if close(output, wanted_output):
            message += " The output is right, so the right weights exist in your code: return those."
            misconception = None
        if q.ndim > 2:  # one matrix alone is checked before
            message += f" (On one matrix it is right, on q of shape {tuple(q.shape)} not: count axes from the end.)"
            misconception = None
        raise Wrong(message, misconception) from None


def compare_output(answer, q: Tensor, k: Tensor, v: Tensor) -> None:
    output, _ = attend(answer, q, k, v)
    wanted, _ = attention_by_loops(q, k, v)
    if not close(output, wanted):
        compare_weights(answer, q, k, v)  # wrong weights explain it
        compare(output, wanted, faults.output(output, q, k, v), "the output")
