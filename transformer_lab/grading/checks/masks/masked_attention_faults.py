"""Lesson 03, attention with a mask: the wrong answers people give, as numbers, and words to tell their authors."""

import math

import torch
from torch import Tensor

from ..attention.scale_faults import scale
from ..common import close, number

INF = float("inf")
SMALL = (-5.0, -10.0, -20.0)  # beyond that e to the power of it is 0 here; low scores find those


def masked_weights(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, got: Tensor | None = None):
    """Faults of the weights (..., T, S); got are the learner's, if the scale is to be read off them."""
    d, scores = q.shape[-1], (q @ k.transpose(-2, -1)).double() / math.sqrt(q.shape[-1])
    mask = mask.expand(scores.shape)
    blocked = scores.masked_fill(~mask, -INF)
    plain = scores.softmax(-1)
    yield plain, "The mask changes nothing: these are the weights without it. (masked_fill without an underscore " \
        "returns a new tensor; is its result used?)", "M36"  # fmt: skip
    yield scores.masked_fill(mask, -INF).softmax(-1), INVERTED, "M36"
    yield scores.masked_fill(mask, -INF).softmax(-1).nan_to_num(0.0), INVERTED, "M36"
    zero = "0 (or a number near it, such as finfo.tiny) stands in place of the blocked scores, *before* the softmax: "
    zero += "e^0 = 1 is a weight like any other, larger than every negative score's. Write -inf there."
    yield (scores * mask).softmax(-1), zero, "M08"
    yield (scores * mask / 1.0).masked_fill(~mask, 1e-9).softmax(-1), zero, "M08"
    yield plain * mask, AFTER, "M08"
    powers = (scores - scores.amax(-1, keepdim=True)).exp()
    yield powers * mask, "exp is not divided by the sum over the allowed keys.", None
    for constant in SMALL:
        words = (
            f"{number(constant)} stands for -inf: e^({number(constant)}) is a weight too, and not a small one where "
        )
        words += "the allowed scores are as low. Write -inf before the softmax."
        yield scores.masked_fill(~mask, constant).softmax(-1), words, "M08"
        yield (scores + constant * ~mask).softmax(-1), words, "M08"
        yield (scores * math.sqrt(d)).masked_fill(~mask, constant).div(math.sqrt(d)).softmax(-1), words, "M08"
    yield (
        scores.masked_fill(~mask, 1e9).softmax(-1),
        "+1e9 stands where -inf belongs: the blocked keys take all the weight.",
        None,
    )
    added = "The boolean mask is *added* to the scores as 0 and 1, so an allowed key merely gets a little more. "
    added += "Booleans are for masked_fill; what is added must be 0 and -inf."
    yield (scores + mask).softmax(-1), added, "M36"
    yield (scores + ~mask).softmax(-1), added, "M36"
    yield plain.masked_fill(~mask, -INF), "-inf is written into the weights, after the softmax; it belongs in the " \
        "scores, before.", "M08"  # fmt: skip
    yield (plain * mask).softmax(-1), "Softmax is applied twice, once before the mask and once after it.", None
    yield plain.masked_fill(~mask, -INF).softmax(-1), "Softmax is applied twice: before the mask and after it.", None
    zeros = "All weights are 0, also where a row has a key: is NaN made, and turned into 0 afterwards?"
    yield torch.zeros_like(plain), zeros, None
    equal = mask / mask.sum(-1, keepdim=True).clamp_min(1)
    yield equal.double(), "All allowed keys get the same weight, whatever their scores.", None
    T, S = scores.shape[-2:]
    queries = "Softmax runs over the queries (dim=-2): the rows must sum to 1, over the keys."
    yield blocked.softmax(-2), queries, None
    yield blocked.softmax(-2).nan_to_num(0.0), queries, None
    for factor, name in ((1.0, "are not divided by sqrt(d)"), (1 / d, "are divided by d, not by its root")):
        bare = (scores * math.sqrt(d) * factor).masked_fill(~mask, -INF)
        yield bare.softmax(-1), f"The masking is right, but the scores {name}.", None
    yield (
        (blocked / math.sqrt(d)).softmax(-1),
        "The masking is right, but the scores are divided by sqrt(d) twice.",
        None,
    )
    widths = ((S, "S, the number of keys"), (T, "T, the number of queries"), (v.shape[-1], "e, the width of v"))
    for width, name in widths:
        bare = (scores * math.sqrt(d / width)).masked_fill(~mask, -INF)
        words = f"The masking is right, but the scores are divided by the root of {name}; wanted sqrt(d)."
        yield bare.softmax(-1), words, None
    unscaled = (scores * math.sqrt(d)).softmax(-1) * mask
    yield unscaled, f"The scores are not divided by sqrt(d). {AFTER}", "M08"
    slope = temperature_of(got, scores * math.sqrt(d), mask)
    if slope and abs(slope * math.sqrt(d) - 1) > 1e-3:
        yield got, "The masking is right, but the scale of the scores is not. " + scale(slope, q, k, v)[0], None
    if T == S:
        turned = mask.transpose(-2, -1)
        yield scores.masked_fill(~turned, -INF).softmax(-1), "The mask is transposed: its columns are the keys.", "M36"
    causal = torch.ones(T, S).tril().bool()
    ours = torch.ones(T, S).tril(S - T).bool()
    for one, name in ((causal, "a causal mask of the function's own"), (ours, "a causal mask of the function's own")):
        yield (scores * one).softmax(-1), f"{zero} And the mask given is ignored.", "M08"
        yield scores.masked_fill(~one, -INF).softmax(-1), f"The mask given is ignored for {name}.", "M36"
        yield (
            scores.masked_fill(~(one & mask), -INF).softmax(-1).nan_to_num(0.0),
            (f"Besides the mask that was given there is {name}: close only what the mask closes."),
            None,
        )
    if mask.ndim > 2:
        first = mask[(0,) * (mask.ndim - 2)].expand(mask.shape)
        yield scores.masked_fill(~first, -INF).softmax(-1), "The first mask of the batch is used for all.", "M36"
    row = mask[..., :1, :].expand(mask.shape)
    yield scores.masked_fill(~row, -INF).softmax(-1), "The first row of the mask is used for every query.", "M36"
    column = mask.any(-2, keepdim=True).expand(mask.shape)
    yield scores.masked_fill(~column, -INF).softmax(-1), "Every query may see whatever some query may see.", "M36"


INVERTED = (
    "The mask is upside down: the keys it allows get no weight, the blocked ones share it. Here True means allowed "
    "(F.scaled_dot_product_attention's convention; nn.MultiheadAttention's booleans mean the opposite)."
)
AFTER = (
    "The weights are multiplied by the mask *after* the softmax, and not divided by what is left: the rows sum to less "
    "than 1, and the sum in the denominator still ran over blocked keys, so a leak stays. Mask the scores, before."
)


def temperature_of(got: Tensor | None, scores: Tensor, mask: Tensor) -> float | None:
    """c if the weights are the softmax of c times the allowed scores, else None."""
    if got is None or not torch.equal(got.detach() > 0, mask.expand(scores.shape)):
        return None
    counts = mask.sum(-1, keepdim=True)

    def centred(x: Tensor) -> Tensor:
        x = x.masked_fill(~mask, 0.0)
        return (x - x.sum(-1, keepdim=True) / counts).masked_fill(~mask, 0.0)

    x, y = centred(scores), centred(got.detach().double().log())
    slope = float((x * y).sum() / (x * x).sum().clamp_min(1e-12))
    again = (slope * scores).masked_fill(~mask, -INF).softmax(-1)
    return slope if abs(slope) > 1e-3 and close(got, again, 1e-4) else None


def masked_outputs(q: Tensor, k: Tensor, v: Tensor, mask: Tensor):
    """Faults of the output (..., T, e) when the weights are right."""
    right = scores_softmax(q, k, mask)
    if right.shape[-2] == right.shape[-1]:
        yield right.mT @ v.double(), "The weights are transposed before they meet the values.", None
    yield right @ (v - v.mean(-2, keepdim=True)).double(), "The values are centred first: take them as given.", None
    yield right @ v.double() / math.sqrt(v.shape[-1]), "The output is divided by sqrt(e): leave it as it is.", None
    yield right @ v.double() / math.sqrt(q.shape[-1]), "The output is divided by sqrt(d): leave it as it is.", None
    for weights, message, misconception in masked_weights(q, k, v, mask):
        yield (
            weights @ v.double(),
            f"The weights returned are right, but the output is made with others. {message}",
            (misconception),
        )


def scores_softmax(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """The right weights, in float64; a row without a key gives zeros."""
    scores = (q @ k.transpose(-2, -1)).double() / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -INF).softmax(-1).nan_to_num(0.0)


def open_share(blocked: Tensor) -> str:
    return f" A blocked key still gets a weight of {number(blocked.abs().max())}; wanted 0."
