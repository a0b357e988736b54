"""Lesson 06: the wrong residuals people write, as numbers to compare with and words to tell their authors."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong
from ..common import TOLERANCE, close, compare, number

NO_SKIP = "There is no skip: x itself is not added. Where F gives 0, x would be lost."
TWICE_X = "x is added to itself: the sub-layer's output is lost, so nothing is learnt here. Wanted x + F(...)."
TWICE_F = (
    "The sub-layer's output is added to itself: there is no path around it, only a branch twice as loud. "
    "The other summand is the sub-layer's input x."
)


def judge(got: Tensor, wanted: Tensor, told, name: str, advice: str, tolerance: float = TOLERANCE) -> None:
    """compare(), and where no known fault gives these numbers, advice on where to look."""
    told = list(told)
    try:
        compare(got, wanted, told, name, tolerance)
    except Wrong as wrong:
        known = {message for _, message, _ in told}
        raise (wrong if str(wrong) in known else Wrong(f"{wrong} {advice}")) from None


def wrapped(x: Tensor, f, norm):
    """Faults of x + f(norm(x))."""
    n, right = norm(x), x + f(norm(x))
    yield f(n), NO_SKIP, None
    yield 2 * x, TWICE_X, "M14"
    yield 2 * f(n), TWICE_F, "M15"
    yield 2 * f(x), TWICE_F + " And the norm is missing.", "M15"
    yield (
        norm(x + f(x)),
        "This is post-norm, norm(x + F(x)): the norm stands on the skip too. Wanted it on the branch.",
        None,
    )
    yield norm(2 * x), TWICE_X, "M14"
    yield n + f(n), "The skip carries norm(x); wanted x as it is, so that the identity path is free.", "M18"
    yield (
        norm(right),
        "A norm follows the addition as well: after it no path is free. Only the branch is normalised.",
        "M18",
    )
    yield x + norm(f(x)), "The norm stands after the sub-layer; wanted before it: F(norm(x)).", None
    yield x + norm(f(n)), "The branch is normalised once more after the sub-layer; wanted F(norm(x)) as it is.", None
    yield x + f(x), "The sub-layer sees x as it is; wanted it to see norm(x).", None
    yield n + f(x), "The two paths are swapped: norm(x) goes around and x through; wanted x + F(norm(x)).", "M18"
    yield x + n, "norm(x) is added to x: the sub-layer is missing on the branch.", None
    yield n + norm(f(x)), "Each part is normalised by itself: the skip carries norm(x); wanted x as it is.", "M18"
    yield norm(f(n)), "There is no skip, and the sub-layer's output is normalised once more.", None
    yield x + f(n) + f(x), "The sub-layer is added twice, once without the norm.", None
    yield x + 2 * f(n), "The sub-layer's output is added twice.", None
    yield 2 * x + f(n), "x is added twice.", None
    yield x + n + f(n), "Three things are added: x, norm(x) and F(norm(x)). The middle one has no place here.", None
    words = "The branch is applied twice, one after the other: x + F(norm(x)), and the same once more on that."
    yield right + f(norm(right)), words, None
    for name, act in {"relu": torch.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}.items():
        yield x + act(f(n)), f"{name} is applied to the sub-layer's output: it is added as it is.", None
        yield x + f(act(n)), f"{name} stands between norm and sub-layer: nothing does.", None
        yield act(right), "An activation follows the addition: the identity path is broken.", "M18"
    if x.ndim == 3:
        yield x + f(n).mean(1, keepdim=True), "What is written is averaged over the positions: each has its own.", None
        yield x[:, :1] + f(n), "The skip carries the first position's x to all: each has its own.", None
        yield torch.cat((x[:, :-1], right[:, -1:]), 1), "Only the last position is written to.", None
        yield torch.cat((right[:, :1], x[:, 1:]), 1), "Only the first position is written to.", None
    yield x - f(n), "The sub-layer's output is subtracted from x; wanted it added.", None
    yield f(n) - x, "x is subtracted; wanted it added.", None
    yield x * f(n), "The two are multiplied; wanted their sum.", None
    yield right / 2, "The sum is halved: the skip must carry x with factor 1.", None
    yield right / 2**0.5, "The sum is divided by sqrt(2): the skip must carry x with factor 1.", None
    yield x + f(norm(n)), "norm is applied twice on the branch.", None
    yield x + f(f(n)), "The sub-layer is applied twice.", None
    yield f(norm(x + f(n))), "A second sub-layer follows the addition.", None
    plain = F.layer_norm(x, x.shape[-1:])
    yield x + f(plain), "The norm is one of your own, without what the given one has learnt: call the norm given.", None
    yield x, "This is x as it was: the branch is missing.", None
    yield n, "This is norm(x): sub-layer and skip are missing.", None


def branch_factor(got: Tensor, x: Tensor, written: Tensor) -> str:
    """By what the branch is multiplied, if the output is x plus a multiple of what is written; else nothing."""
    factor = ((got - x) * written).sum() / (written * written).sum()
    if abs(factor - 1) > 1e-3 and close(got, x + factor * written):
        return f"The sub-layer's output is multiplied by {number(factor)} before it is added: it is added as it is."
    return ""


def dropped(outs: list[Tensor], x: Tensor, written: Tensor, normed: Tensor, p: float) -> str:
    """What is wrong with training-mode outputs that should be x + dropout(written); nothing if they are right.

    written is the sub-layer's output for normed, the normalised x.
    """
    out, delta = outs[0], outs[0] - x
    if any(close(out, x) for out in outs):
        return "The whole branch is dropped at once, or none of it. Dropout drops single numbers of what is written."
    if close(delta, written):
        return "In training mode nothing is dropped: dropout must fall on what the sub-layer writes."
    zero = delta.abs() < 1e-9
    share = zero.double().mean().item()
    kept = delta[~zero] / written[~zero]
    if 0 < share < 1 and (zero == zero[..., :1]).all():
        return "Whole positions are dropped: all D numbers of a position or none. Dropout drops single numbers."
    if 0 < share < 1 and (zero == zero[:, :1]).all():
        return "The same numbers are dropped at every position: dropout draws again for each number of each position."
    if 0 < share < 1 and (zero == zero[:1]).all():
        return "The same numbers are dropped in every example of the batch: dropout draws again for each of them."
    if 0 < share < 1 and all(close(other, out) for other in outs):
        return "The same numbers are dropped at every call: dropout draws again each time."
    if abs(share - p) < 0.04 and len(kept) and close(kept, torch.full_like(kept, 1 / (1 - p)), 1e-4):
        return ""
    scaled = written / (1 - p)
    silent, alone = out.abs() < 1e-9, ((out - scaled).abs() < 1e-9) | ((out - written).abs() < 1e-9)
    around = out - normed
    if ((around.abs() < 1e-9) | ((around - scaled).abs() < 1e-9)).all():
        return "While training the skip carries norm(x): it must carry x in both modes."
    if (silent | alone).all():
        return "While training x is not added at all: the skip must be there in both modes."
    if silent.double().mean() > p / 2:
        return "Dropout falls on the sum: some positions lose x too. Drop what is written, then add x untouched."
    if ((out - scaled).abs() < 1e-9).double().mean() > p / 8:
        return "Dropout falls on the skip too: x must arrive whole. Drop what the sub-layer writes, and nothing else."
    if ((out - written).abs() < 1e-9).double().mean() > p / 2:
        return "Dropout falls on the skip: x must arrive whole. Drop what the sub-layer writes."
    if abs(share - (1 - p)) < 0.04:
        return f"With dropout={p} a share of {share:.2f} is dropped: p is the share to drop, not the share to keep."
    if abs(share - p) < 0.04 and not close(kept, torch.ones_like(kept)):
        return "The right share is dropped, but the rest is not F(norm(x)): is there a second dropout?"
    if abs(share - p) < 0.04:
        return "What is kept is not divided by 1 - p, so that the mean changes with the mode: use nn.Dropout."
    if share > 0.01:
        return f"With dropout={p} a share of {share:.2f} of the output is dropped: a fixed number, or twice?"
    return (
        "While training the output changes, but no number that the sub-layer writes becomes 0: does dropout stand "
        "before the sub-layer, or is it noise of another kind? It stands after the sub-layer, before the addition."
    )
