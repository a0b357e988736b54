"""Lesson 11: the checks of cross-attention: the decoder asks, the encoder's memory answers."""

import math

import torch
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..attention.scaled_dot_product_attention import compare_gradients, expect_pair, gradients
from ..common import close, compare, copies, has_gradient, keeps_dtype, leaves_alone, number
from .cross_faults import faults, of_squares

SIGNATURE = "(x, memory, is_real, w_q, w_k, w_v)"
NAMES = SIGNATURE.strip("()").split(", ")
# T, S, D (x), M (memory), d (queries and keys), e (values): no two alike, no root or product of others.
SIZES = (4, 6, 7, 5, 11, 3), (3, 7, 5, 6, 10, 4), (5, 7, 6, 8, 13, 3)
MORE_QUERIES = (7, 5, 4, 6, 11, 3), (8, 6, 7, 5, 10, 4), (9, 5, 7, 6, 13, 3)
ALL_EQUAL = (5,) * 6, (6,) * 6, (7,) * 6
JUNK = 300.0  # what stands in the rows of the memory that are padding


class cross_attention:
    answers = (f"cross_attention{SIGNATURE}",)

    @check("output and weights, in this order, with any number of batch axes", 1)
    def shape(cross_attention):
        for case in cases():
            attend(cross_attention, *case)

    @check("the weights: over the memory, and none on its padding", 2.5)
    def weights(cross_attention):
        for case in cases():
            compare_weights(cross_attention, *case)

    @check("the output", 1.5)
    def output(cross_attention):
        for case in cases():
            compare_output(cross_attention, *case)

    @check("gradients reach x, the memory and all three matrices; dtype and inputs are kept", 1)
    def gradient(cross_attention):
        compare_all_gradients(cross_attention, *made(2, sizes=draw.one_of(*SIZES)))
        for dtype in (torch.float64, torch.float32):
            case = made(2, sizes=draw.one_of(*SIZES), dtype=dtype)
            for got, name in zip(attend(cross_attention, *case), ("the output", "the weights"), strict=True):
                keeps_dtype(got, dtype, name)
        leaves_alone(cross_attention, **dict(zip(NAMES, case, strict=True)))


def cases():
    """(x, memory, is_real, w_q, w_k, w_v): batches, more queries than keys, equal sizes, one row, junk as padding."""
    usual = draw.one_of(*SIZES)
    for leading in ((), (2,), (2, 3)):
        yield made(*leading, sizes=usual)
    yield made(2, sizes=draw.one_of(*MORE_QUERIES))
    yield made(2, sizes=draw.one_of(*ALL_EQUAL))
    yield made(1, sizes=(1, *usual[1:]))
    yield made(2, sizes=usual, junk=JUNK)


def made(*leading: int, sizes, junk: float = 1.0, dtype=torch.float32) -> tuple[Tensor, ...]:
    """Inputs whose padding stands on the right in the first text, on the left and in the middle in the others."""
    T, S, D, M, d, e = sizes
    x, memory = draw.normal(*leading, T, D, dtype=dtype), draw.normal(*leading, S, M, dtype=dtype)
    is_real = torch.ones(*leading, S, dtype=torch.bool)
    texts = is_real.view(-1, S)
    texts[0, S - 2 :] = False
    texts[1:, 0] = texts[1:, S // 2] = texts[1:, S - 1] = False
    memory = torch.where(is_real[..., None], memory, junk * memory)
    w_q, w_k, w_v = (draw.standard(*shape, dtype=dtype) / math.sqrt(shape[1]) for shape in ((d, D), (d, M), (e, M)))
    return x, memory, is_real, 1.5 * w_q, 1.5 * w_k, w_v


def by_loops(x, memory, is_real, w_q, w_k, w_v) -> tuple[Tensor, Tensor]:
    """The specification: each row of x asks the real rows of its memory, one after the other."""
    leading, (T, S) = x.shape[:-2], (x.shape[-2], memory.shape[-2])
    x, memory = x.double().reshape(-1, T, x.shape[-1]), memory.double().reshape(-1, S, memory.shape[-1])
    w_q, w_k, w_v = w_q.double(), w_k.double(), w_v.double()
    output, weights = x.new_zeros(len(x), T, len(w_v)), x.new_zeros(len(x), T, S)
    for b, real in enumerate(is_real.reshape(-1, S)):
        rows = [s for s in range(S) if real[s]]
        for t in range(T):
            scores = [float((w_q @ x[b, t]) @ (w_k @ memory[b, s])) / math.sqrt(len(w_q)) for s in rows]
            powers = [math.exp(score - max(scores)) for score in scores]
            for s, power in zip(rows, powers, strict=True):
                weights[b, t, s] = power / sum(powers)
                output[b, t] += weights[b, t, s] * (w_v @ memory[b, s])
    return output.view(*leading, T, -1), weights.view(*leading, T, S)


def attend(answer, *case: Tensor) -> tuple[Tensor, Tensor]:
    """(output, weights) of an answer, if they are two tensors of the right shapes."""
    x, memory, is_real, w_q, w_k, w_v = case
    try:
        pair = answer(*copies(*case))
    except (NotDone, Wrong):
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        if told := why_it_raised(answer):
            raise Wrong(*told) from error
        raise
    expect_projected(pair, *case)
    try:  # the shapes are those of q, k and v
        return expect_pair(pair, x @ w_q.mT, memory @ w_k.mT, memory @ w_v.mT)
    except Wrong as wrong:
        raise Wrong(str(wrong)) from None  # without the number of a misconception of lesson 02


def expect_projected(pair, x, memory, is_real, w_q, w_k, w_v) -> None:
    """Raise Wrong if the output is as wide as something that is not the values, or a weight is missing."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        return
    shape, weights = (tuple(getattr(one, "shape", ())) for one in pair)
    if shape == (*x.shape[:-1], len(w_v)) and weights[:-1] == x.shape[:-1] and weights[-1] < memory.shape[-2]:
        raise Wrong(
            f"The weights have {weights[-1]} columns; wanted {memory.shape[-2]}, one for each row of the memory: a "
            "padded row has weight 0, it is not left out."
        )
    for other, name in ((memory, "the memory"), (x, "x")):
        if shape == (*x.shape[:-1], other.shape[-1]) and other.shape[-1] != len(w_v):
            raise Wrong(
                f"The output is as wide as {name}, {shape[-1]}; wanted {len(w_v)}: average the values, which are "
                "made of the memory with w_v."
            )


def why_it_raised(answer) -> tuple[str, str | None] | None:
    """What an answer that raised computes where all sizes are equal, if it is right or of a known fault there."""
    for leading, what in (((2,), "a batch of texts"), ((), "one text")):
        case = made(*leading, sizes=ALL_EQUAL[0])
        right = by_loops(*case)
        try:
            output, weights = answer(*copies(*case))
            is_right = close(weights, right[1], 1e-4) and close(output, right[0], 1e-4)
        except Exception:
            continue
        if is_right and not raises(answer, *leading):
            words = (
                f"It works on {what}, but any number of leading axes may come first, also none, in is_real (..., S) "
            )
            return words + "too: count axes from the end. (`.T` reverses all axes, `.mT` the last two.)", None
        for wrong_output, wrong_weights, words, misconception in (*faults(*case), *of_squares(*case)):
            if not is_right and close(weights, wrong_weights, 1e-4) and close(output, wrong_output, 1e-4):
                return f"{words} (It raises where T, S and the widths differ; with all equal it runs.)", misconception
    return None


def raises(answer, *leading: int) -> bool:
    """Does the answer raise for so many leading axes where the sizes differ?"""
    try:
        answer(*made(*leading, sizes=SIZES[0]))
    except Exception:
        return True
    return False


def compare_weights(answer, *case: Tensor) -> None:
    output, weights = attend(answer, *case)
    right_output, right = by_loops(*case)
    if close(weights, right, 1e-4):
        return
    for _, wrong, words, misconception in faults(*case):
        if close(weights, wrong, 1e-4) and not close(wrong, right, 1e-4):
            raise Wrong(words + where(*case), misconception)
    total = weights.detach().double().sum(-1)
    look = LOOK
    if close(output, right_output, 1e-4):
        look += " The output is right, but not made with these weights: return those it was made with."
    elif weights.isnan().any():
        look = (
            AHEAD if case[1].abs().max() > JUNK / 3 else "Is -inf multiplied by the mask? Write it in with masked_fill."
        )
    elif not close(total, torch.ones_like(total), 1e-3):
        look += f" A row must sum to 1; yours sum to {number(total.min())} ... {number(total.max())}."
    compare(weights, right, (), "the weights", 1e-4, look + where(*case))


def compare_output(answer, *case: Tensor) -> None:
    output, weights = attend(answer, *case)
    right, right_weights = by_loops(*case)
    if close(output, right, 1e-4):
        return
    compare_weights(answer, *case)  # wrong weights explain it
    for wrong, wrong_weights, words, misconception in faults(*case):
        if close(wrong_weights, right_weights, 1e-4) and close(output, wrong, 1e-4):
            raise Wrong(words + where(*case), misconception)
    look = "The weights are right; the output is weights @ values, and the values are made of the memory."
    compare(output, right, (), "the output", 1e-4, look + where(*case))


LOOK = "Queries are made of x, keys of the memory; the softmax runs over the rows of the memory that are real."

AHEAD = (
    "The scores of the padding lie far above the others, and nothing is left of these when the padding is taken away "
    "after the softmax: hide the scores before it."
)


def where(x, memory, *_) -> str:
    """What is special about these inputs."""
    if memory.abs().max() > JUNK / 3:
        return " (Here the padded rows of the memory hold large numbers: whatever stands there must not matter.)"
    if x.ndim > 2:
        return f" (Here x has shape {tuple(x.shape)} and the memory {tuple(memory.shape)}.)"
    return ""


def compare_all_gradients(answer, *case: Tensor) -> None:
    """Gradients reach everything but is_real, and are right where the output is."""
    case = tuple(one if one.dtype == torch.bool else one.clone().requires_grad_() for one in case)
    sources = {name: one for name, one in zip(NAMES, case, strict=True) if name != "is_real"}
    output, _ = attend(answer, *case)
    has_gradient(output, "the output")
    right = differentiable(*case)
    upstream = draw.normal(*output.shape)
    told = gradients(right, sources, upstream) if close(output, right, 1e-4) else {}
    compare_gradients(gradients(output, sources, upstream), told, "the output")


def differentiable(x, memory, is_real, w_q, w_k, w_v) -> Tensor:
    scores = (x @ w_q.mT) @ (memory @ w_k.mT).mT / math.sqrt(len(w_q))
    return scores.masked_fill(~is_real[..., None, :], -torch.inf).softmax(dim=-1) @ (memory @ w_v.mT)
