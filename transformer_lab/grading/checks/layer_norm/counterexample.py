"""Lesson 07: the check of five claims about the layer norm, each to be upheld or refuted by numbers."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ..common import number

CLAIMS = {
    "shift": ("LN(x + 3) = LN(x)", True),
    "scale": ("LN(3 x) = LN(x)", True),
    "negate": ("LN(-x) = LN(x)", False),
    "shift per feature": ("LN(x + v) = LN(x)", False),
    "permute": ("LN(reversed x) = reversed LN(x)", False),
}
APART = 0.1  # the two sides of a refuted claim differ by at least this
AGREE = 1e-4  # and those of every other claim by no more than this
ROUNDING = 1e-6


class counterexample:
    answers = ("counterexample(claim)",)

    @check('"shift" and "scale"', 1)
    def always(counterexample):
        for claim in ("shift", "scale"):
            judge(counterexample, claim)

    @check('"negate"', 1)
    def negate(counterexample):
        judge(counterexample, "negate")

    @check('"shift per feature"', 1)
    def per_feature(counterexample):
        judge(counterexample, "shift per feature")

    @check('"permute"', 1)
    def permute(counterexample):
        judge(counterexample, "permute")


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    deviation = x - x.mean()
    return gamma * deviation / deviation.square().mean().sqrt() + beta


def sides(claim: str, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """The left and the right side of a claim."""
    plain = layer_norm(x, gamma, beta)
    changed = {
        "shift": x + 3,
        "scale": 3 * x,
        "negate": -x,
        "shift per feature": x + torch.arange(len(x), dtype=x.dtype),
        "permute": x.flip(0),
    }
    return layer_norm(changed[claim], gamma, beta), plain.flip(0) if claim == "permute" else plain


def judge(counterexample, claim: str) -> None:
    formula, holds = CLAIMS[claim]
    answer = counterexample(claim)
    if isinstance(answer, str):
        if answer.strip().lower() != "holds":
            raise Wrong(f'{claim!r}: got {answer!r}; wanted "holds", or a counterexample (x, gamma, beta).')
        if not holds:
            raise Wrong(f"{claim!r}: you say that {formula} holds for every x, gamma and beta. {WHY[claim]}")
        return
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        came = f"{len(answer)} things" if isinstance(answer, (tuple, list)) else type(answer).__name__
        raise Wrong(f'{claim!r}: got {came}; wanted "holds", or three tensors (x, gamma, beta) of one shape (D,).')
    if holds:
        raise Wrong(f"{claim!r}: you want to refute {formula}, and it holds, whatever x, gamma and beta: {WHY[claim]}")
    x, gamma, beta = numbers(claim, answer)
    apart = distance(claim, x, gamma, beta)
    if apart >= APART:
        against_no_other(claim, x, gamma, beta)
    elif apart > ROUNDING * float(1 + beta.abs().max()):
        raise Wrong(
            f"{claim!r}: your numbers do refute {formula}, but the sides differ by {number(apart)} only; wanted "
            f"{APART} or more. " + FARTHER.get(claim, LARGER)
        )
    else:
        words = CLOSER[claim](x, gamma, beta)
        raise Wrong(f"{claim!r}: with your numbers both sides of {formula} are the same. {words}")


def distance(claim: str, x: Tensor, gamma: Tensor, beta: Tensor) -> float:
    """How far the two sides of a claim are apart."""
    left, right = sides(claim, x, gamma, beta)
    return float((left - right).abs().max())


def against_no_other(claim: str, x: Tensor, gamma: Tensor, beta: Tensor) -> None:
    """With these numbers the sides of every other claim agree."""
    for other, (formula, _) in CLAIMS.items():
        if other != claim and (apart := distance(other, x, gamma, beta)) > AGREE:
            raise Wrong(
                f"{claim!r}: your numbers refute it, and {other!r} as well: there the sides of {formula} differ by "
                f"{number(apart)}. Wanted are numbers against {claim!r} alone. {ALONE.get(other, ROUNDED)}"
            )


def numbers(claim: str, answer) -> list[Tensor]:
    """x, gamma and beta as float64 vectors of one length, if they are that."""
    try:
        found = [torch.as_tensor(value).detach().double() for value in answer]
    except (TypeError, ValueError, RuntimeError) as error:
        raise Wrong(f"{claim!r}: x, gamma and beta must be tensors of shape (D,).") from error
    shapes = [tuple(value.shape) for value in found]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0][0] < 2:
        raise Wrong(f"{claim!r}: x, gamma and beta have shapes {shapes}; wanted one shape (D,), with D at least 2.")
    if not all(value.isfinite().all() for value in found):
        raise Wrong(f"{claim!r}: the numbers must be finite.")
    x = found[0]
    if x.std(correction=0) <= ROUNDING * x.abs().max():
        raise Wrong(f"{claim!r}: all features of x are equal (up to rounding), and such an x is excluded.")
    shifted = x + torch.arange(len(x), dtype=x.dtype)
    if shifted.std(correction=0) <= ROUNDING * shifted.abs().max():
        raise Wrong(f"{claim!r}: all features of x + v are equal (v: 0 to D - 1), and LN has no answer there.")
    return found


WHY = {
    "shift": "the mean rises by the same number, and the deviations stay.",
    "scale": "deviations and their root mean square grow alike.",
    "negate": "Only a positive factor cancels: what happens to the sign of the deviations?",
    "shift per feature": "The mean removes only what all features share; v adds another number to each feature. "
    "(Batch norm, whose mean is taken feature by feature, would not notice v.)",
    "permute": "Mean and deviation do not care about the order. But gamma and beta stay where they are: feature 0 "
    "gets gamma[0], whichever number stands there.",
}


ALONE = {
    "negate": "LN(-x) = LN(x) where every feature has a gamma of 0 or no deviation from the mean of x.",
    "shift per feature": "LN(x + v) = LN(x) where v does no more to x than a shift and a factor, and where gamma is 0.",
    "permute": "It holds where gamma and beta read the same from both ends.",
}
ROUNDED = "Next to 3 your x is so small that rounding is all there is to see: take larger numbers."
LARGER = "A larger gamma makes them differ more."
FARTHER = {
    "shift per feature": "A larger gamma makes them differ more, and so does an x next to which v, 0 to D - 1, counts.",
    "permute": "Let gamma or beta differ more from one feature to the next.",
}


def about_negate(x, gamma, beta):
    if not gamma.any():
        return "gamma is 0, so the output is beta whatever x is."
    return "Where gamma is not 0, your x has no deviation from its mean: take another x or gamma."


def about_shift(x, gamma, beta):
    if not gamma.any():
        return "gamma is 0, so the output is beta whatever x is."
    if x.abs().max() > 1e4 * len(x):
        return "Next to so large an x, v hardly counts: take numbers of the size of v, 0 to D - 1."
    if len(x) == 2:
        return "Two features normalise to -1 and 1, in one order or the other, whatever they are: take three."
    return "Is x + v a multiple of x, plus a constant? Then it is a shift or a scale, which cancel. Take another x."


def about_permute(x, gamma, beta):
    same = gamma.std(correction=0) < 1e-6 and beta.std(correction=0) < 1e-6
    if same:
        return "gamma and beta are the same for each feature: without them the claim does hold. Let one differ."
    return "Does gamma or beta read the same from both ends? Take others."


CLOSER = {"negate": about_negate, "shift per feature": about_shift, "permute": about_permute}
