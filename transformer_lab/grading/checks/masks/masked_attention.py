"""Lesson 03: the checks of attention with a mask."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..attention.attention_raised import why_it_raised
from ..attention.scaled_dot_product_attention import expect_pair, gradients
from ..common import TOLERANCE, close, compare, copies, has_gradient, keeps_dtype, leaves_alone, number
from .common import INF
from .masked_attention_faults import masked_outputs, masked_weights, open_share
from .masked_inputs import AHEAD, LOW, cases, empty_cases, far_cases, qkv

SIGNATURE = "(q, k, v, mask)"
NAN = (
    "The weights hold NaN although every row has a key. Is -inf multiplied by the mask (0 * inf is NaN), or a row "
    "divided by a sum of 0? Fill -inf in, with masked_fill or torch.where."
)
SWALLOWED = (
    f"Where a blocked score lies {AHEAD:g} above the allowed ones, these underflow to 0 and nothing is left of them: "
    "the softmax, or the largest score that it subtracts, still depends on the blocked keys. Write -inf into "
    "the scores, "
    "before the softmax and before any maximum."
)
OVERFLOW = (
    f"Where all scores lie near {-LOW:g}, exp of each is inf. Subtract the largest score of the row before exp, which "
    "changes no weight; torch's softmax does so."
)
UNDERFLOW = (
    f"Where all scores lie near {LOW:g}, exp of each is 0, and nothing is left to divide. Subtract the largest score "
    "of the row before exp, which changes no weight; torch's softmax does so."
)


class masked_attention:
    answers = (f"masked_attention{SIGNATURE}",)

    @check("output and weights, in this order, with any number of batch axes", 0.5)
    def shape(attention):
        for inputs in cases():
            attend(attention, *inputs)

    @check("the weights: a blocked key gets none, the others share 1", 1.5)
    def weights(attention):
        for inputs in cases():
            compare_weights(attention, *inputs)

    @check("the output", 1)
    def output(attention):
        for inputs in cases():
            compare_output(attention, *inputs)

    @check("a row in which no key is allowed gives zeros", 1)
    def empty(attention):
        for inputs in empty_cases():
            compare_empty(attention, *inputs)

    @check("gradients: right, and free of NaN where a row is empty", 1.5)
    def gradient(attention):
        for inputs in (next(cases()), next(empty_cases()), *far_cases()):
            compare_gradients(attention, *inputs)

    @check("dtype is kept, and the inputs stay as they were", 0.5)
    def inputs(attention):
        for dtype in (torch.float64, torch.float32):
            q, k, v, mask = qkv(2, dtype=dtype)
            for got, name in zip(attend(attention, q, k, v, mask), ("the output", "the weights"), strict=True):
                keeps_dtype(got, dtype, name)
        leaves_alone(attention, q=q, k=k, v=v, mask=mask)


def masked_attention_by_loops(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The specification: for each query, softmax over the list of its allowed keys alone; no key, no output."""
    batch, (T, d), (S, e) = q.shape[:-2], q.shape[-2:], v.shape[-2:]
    mask = mask.expand(*batch, T, S).reshape(-1, T, S)
    q, k, v = (x.double().reshape(-1, *x.shape[-2:]) for x in (q, k, v))
    output, weights = q.new_zeros(len(q), T, e), q.new_zeros(len(q), T, S)
    for b in range(len(q)):
        for i in range(T):
            keys = [j for j in range(S) if mask[b, i, j]]
            scores = [float(q[b, i] @ k[b, j]) / math.sqrt(d) for j in keys]
            powers = [math.exp(score - max(scores)) for score in scores]
            for j, power in zip(keys, powers, strict=True):
                weights[b, i, j] = power / sum(powers)
                output[b, i] += weights[b, i, j] * v[b, j]
    return output.view(*batch, T, e), weights.view(*batch, T, S)


def attend(answer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(output, weights) of an answer, if they are two tensors of the right shapes."""
    try:
        pair = answer(*copies(q, k, v, mask))
    except RuntimeError as error:
        if "mask" in str(error) and "bool" in str(error):
            raise Wrong("masked_fill wants a boolean mask: `~mask` keeps it one, `1 - mask` does not.") from error
        if told := why_it_raised(lambda q, k, v: answer(q, k, v, mask), q, k, v):
            raise Wrong(told[0]) from error
        raise
    try:
        return expect_pair(pair, q, k, v)
    except Wrong as wrong:
        raise Wrong(str(wrong)) from None  # without the number of a misconception of lesson 02


def compare_weights(answer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, tolerance: float | None = None) -> None:
    output, weights = attend(answer, q, k, v, mask)
    wanted = masked_attention_by_loops(q, k, v, mask)[1]
    tolerance = tolerance or tolerance_of(q, k)
    blocked = weights.detach().double().masked_fill(mask, 0.0)
    if far := where_far(q, k, mask):
        expect_far(weights, blocked, wanted, far)
    told = also_without_empty_rows(masked_weights(q, k, v, mask, weights), mask)
    try:
        compare(weights, wanted, told, "the weights", tolerance, "Look at how the scores are made.")
    except Wrong as wrong:
        message, misconception = str(wrong), wrong.misconception
        if "holds NaN, first" in message:  # no fault with words of its own
            message, misconception = why_nan(answer)
        if misconception is None and not weights.isnan().any() and blocked.abs().max() > tolerance:
            message += open_share(blocked)
        if misconception is None and "yours is" in message:
            message += odd_sums(weights, wanted, tolerance)
        if misconception is None and close(output, masked_attention_by_loops(q, k, v, mask)[0], tolerance):
            message += " The output is right, but not made with these weights: return those it was made with."
        raise Wrong(message + where_only(q, k, mask), misconception) from None


def why_nan(answer) -> tuple[str, str | None]:
    """What NaN weights come from: only +inf leaves a row without blocked keys as it is."""
    q, k, v, mask = qkv()
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if close(attend(answer, q, k, v, mask)[1], scores.masked_fill(~mask, INF).softmax(-1)):
        return "+inf stands where -inf belongs.", None
    return NAN, "M08"


def expect_far(weights: Tensor, blocked: Tensor, wanted: Tensor, far: str) -> None:
    """What only far scores show of weights, in words of its own."""
    lost = not weights.isfinite().all() or (weights.detach().sum(-1) - wanted.sum(-1)).abs().max() > 0.5
    if (blocked.sum(dim=-1) > 0.5).any():
        where = f"Where all scores lie near {LOW if far == 'low' else -LOW:g}, "
        raise Wrong(
            ("Where a blocked score lies far above the allowed ones, " if far == "ahead" else where)
            + "the blocked keys take most of the weight: a finite number that is not far below all scores stands for "
            "-inf. Write -inf before the softmax.",
            "M08",
        )
    if lost and far == "ahead":
        raise Wrong(SWALLOWED, "M08")
    if lost:
        raise Wrong(UNDERFLOW if far == "low" else OVERFLOW)


def where_far(q: Tensor, k: Tensor, mask: Tensor) -> str:
    """Which far scores these are: "low", "high", "ahead", or none."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if scores.max() < LOW / 2:
        return "low"
    if scores.min() > -LOW / 2:
        return "high"
    return "ahead" if scores.max() > AHEAD / 2 and mask.any() else ""


def compare_output(answer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> None:
    output, weights = attend(answer, q, k, v, mask)
    wanted, tolerance = masked_attention_by_loops(q, k, v, mask)[0], tolerance_of(q, k)
    if close(output, wanted, tolerance):
        return
    compare_weights(answer, q, k, v, mask)  # wrong weights explain it
    if close(output, weights.double() @ v.double(), tolerance):  # weights that are nearly right do too
        compare_weights(answer, q, k, v, mask, tolerance / 20)
    if where_far(q, k, mask) == "ahead":
        raise Wrong(f"The weights returned are right, but the output is made with others. {SWALLOWED}", "M08")
    try:
        compare(output, wanted, masked_outputs(q, k, v, mask), "the output", tolerance)
    except Wrong as wrong:
        told = str(wrong)
        if "yours is" in told:
            told += " The weights are right, so this output is not weights @ v."
        raise Wrong(told + where_only(q, k, mask), wrong.misconception) from None


def also_without_empty_rows(faults, mask: Tensor):
    """Each fault as it is, and with zeros in the rows without a key: that rule may be right where the rest is wrong."""
    empty = ~mask.any(dim=-1, keepdim=True)
    for wrong, message, misconception in faults:
        if wrong.isnan().all():  # NaN everywhere tells nothing of where it comes from
            continue
        yield wrong, message, misconception
        if empty.any():
            yield wrong.masked_fill(empty, 0.0), message, misconception


def odd_sums(weights: Tensor, wanted: Tensor, tolerance: float) -> str:
    """What the rows that have a key sum to, where that is not 1."""
    sums = weights.detach().sum(dim=-1)[wanted.any(dim=-1)]
    if close(sums, torch.ones_like(sums), 10 * tolerance):
        return ""
    return f" Rows must sum to 1; yours sum to {number(sums.min())} ... {number(sums.max())}."


def tolerance_of(q: Tensor, k: Tensor) -> float:
    """What rounding does to weights grows with the scores."""
    largest = float((q @ k.transpose(-2, -1)).abs().max() / math.sqrt(q.shape[-1]))
    return min(TOLERANCE * max(1.0, largest / 2), 0.02)


def where_only(q: Tensor, k: Tensor, mask: Tensor) -> str:
    """What these inputs have that the first case has not."""
    if far := where_far(q, k, mask):
        if far == "ahead":
            return " (Here blocked scores lie far above the allowed ones; on others it is right.)"
        return f" (Here all scores lie near {LOW if far == 'low' else -LOW:g}; on others it is right.)"
    if q.ndim > 2:
        return f" (Here q has shape {tuple(q.shape)} and the mask {tuple(mask.shape)}: masks broadcast to (..., T, S).)"
    return ""


def compare_empty(answer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> None:
    first = next(cases())
    weights = attend(answer, *first)[1]
    if weights.isnan().any() or not weights.any():
        compare_weights(answer, *first)  # NaN, or nothing, where every row has a key
    output, weights = attend(answer, q, k, v, mask)
    wanted_output, wanted = masked_attention_by_loops(q, k, v, mask)
    empty = ~mask.expand(weights.shape).any(dim=-1)
    row = f"a row in which all {k.shape[-2]} keys are blocked"
    for value, name in ((weights, "weights"), (output, "outputs")):
        rows = value.detach()[empty]
        if rows.isnan().any():
            raise Wrong(
                f"The {name} of {row} are NaN: softmax over -inf alone is 0 / 0, and so is a division by what is left "
                "of such a row. Find such rows with mask.any(dim=-1), and set theirs to 0.",
                "M08",
            )
        if name == "weights" and close(rows, torch.full_like(rows, 1 / rows.shape[-1]), 1e-4):
            raise Wrong(
                f"The weights of {row} are all 1 / {rows.shape[-1]}: it averages over exactly what it must not see. "
                "A large finite number in place of -inf does that, and so does opening the row again. Wanted: zeros.",
                "M08",
            )
        if name == "weights" and rows.any() and close(rows.sum(-1), torch.ones(len(rows))):
            raise Wrong(f"The weights of {row} still sum to 1, on keys that are blocked. Wanted: zeros.", "M08")
        if rows.any():
            raise Wrong(f"The {name} of {row} are not 0: the first such row is {rounded(rows[0])}.")
    others = ~empty
    if not others.any():
        return
    for value, right, name in ((weights, wanted, "weights"), (output, wanted_output, "outputs")):
        if not close(value[others], right[others], tolerance_of(q, k)):
            if not value[others].any():
                raise Wrong(f"One row without a key made the {name} of all rows 0: change only the rows that need it.")
            for inputs in (first, (q, k, v, mask)):
                compare_weights(answer, *inputs)
                compare_output(answer, *inputs)
            look = "A row without a key may change no other."
            compare(value[others], right[others], name=f"the {name} of the rows that do have a key", look=look)


def rounded(row: Tensor) -> list[float]:
    return [round(x, 3) for x in row.tolist()]


def attention_in_double(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The right answer in a form that gradients pass through; an empty row's scores are all 0 and its weights too."""
    scores = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).double()
    mask = mask.expand(scores.shape)
    scores = scores.masked_fill(~mask & mask.any(-1, keepdim=True), -INF)
    weights = scores.softmax(-1) * mask
    return weights @ v.double(), weights


def compare_gradients(answer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> None:
    q, k, v = (x.clone().requires_grad_() for x in (q, k, v))
    output, weights = attend(answer, q, k, v, mask)
    has_gradient(output, "the output")
    if output.isnan().any():
        if mask.any(-1).all():
            compare_weights(answer, q, k, v, mask)
        raise Wrong("The output holds NaN already; its gradient can be no better.", "M08")
    sources, upstream = {"q": q, "k": k, "v": v}, draw.normal(*output.shape)
    got = gradients(output, sources, upstream)
    right = attention_in_double(q, k, v, mask)[0]
    wanted = gradients(right, sources, upstream.double())
    for source, gradient in got.items():
        if gradient is None:
            raise Wrong(f"No gradient flows from the output to {source}. Look for .detach(), .data or torch.no_grad().")
        if gradient.isnan().any() and mask.any(-1).all():
            raise Wrong(
                f"The output is clean, but the gradient to {source} is NaN, though each row has a key. torch.where and "
                "nan_to_num hand a gradient of 0 to what they leave out, and 0 times inf or NaN is NaN: let neither "
                "arise, not even in a branch that is not taken." + where_only(q, k, mask),
                "M08",
            )
        if gradient.isnan().any():
            raise Wrong(
                f"The output is clean, but the gradient to {source} is NaN. Softmax of a fully masked row made NaN; "
                "hiding it afterwards (nan_to_num, where) repairs the forward pass only: going back, 0 times "
                "NaN is NaN. "
                "Keep NaN from arising (give such a row finite scores, and zero its weights after the softmax), or "
                "block with masked_fill, which passes no gradient where it wrote.",
                "M08",
            )
    if close(output, right) and not where_far(q, k, mask):  # there float32 keeps no digit of what cancels
        for source, gradient in got.items():
            name = f"the gradient of the output with respect to {source}"
            compare(gradient, wanted[source], (), name, 1e-4, "Is a part of it detached?")
