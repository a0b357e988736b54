"""Lesson 13: the checks of AdamW's steps."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, settled
from .adamw_faults import RIGHT, described, moved, ways

MATRICES = (3, 5), (4, 7), (2, 6)
NAN = "Is t still 0 in the first step? Then 1 - beta to the power of t is 0."


class adamw:
    answers = ("adamw(weight, gradients, rates, decay, beta1, beta2, eps)",)

    @check("the first step", 1)
    def first(adamw):
        judge(adamw, case(n_steps=1, decay=0.0))

    @check("many steps, each with its rate", 1.5)
    def many(adamw):
        settled(lambda: judge(adamw, case(n_steps=1, decay=0.0)), "The first step is")
        judge(adamw, case(n_steps=7, decay=0.0))

    @check("weight decay", 1.5)
    def decay(adamw):
        settled(lambda: judge(adamw, case(n_steps=7, decay=0.0)), "The steps without decay are")
        judge(adamw, case(n_steps=7))

    @check("biases and scales are not decayed", 0.5)
    def vectors(adamw):
        settled(lambda: judge(adamw, case(n_steps=7)), "The steps of a matrix are")
        judge(adamw, case(draw.one_of((5,), (7,)), n_steps=6))
        judge(adamw, case((), n_steps=6))
        judge(adamw, case((1, 5), n_steps=6))  # a matrix all the same

    @check("steps without a gradient", 1)
    def missing(adamw):
        settled(lambda: judge(adamw, case(n_steps=7)), "The steps of a matrix are")
        judge(adamw, without(case(n_steps=8), 3, 4))
        judge(adamw, without(case(n_steps=6), 0, 5))
        judge(adamw, without(case(n_steps=2), 0, 1))
        judge(adamw, with_zeros(without(case(n_steps=6), 2), 4))

    @check("the inputs are left as they are", 0.5)
    def inputs(adamw):
        weight, gradients, rates, *settings = without(case(n_steps=4), 1)
        given, lent, own = weight.clone(), copied(gradients), list(rates)
        adamw(given, lent, own, *settings)
        if not close(given, weight, 0.0):
            raise Wrong("The weight that was passed in has changed; whoever calls adamw loses it. Take weight.clone().")
        if len(lent) != len(gradients) or own != rates:
            raise Wrong("The list of gradients, or of rates, is not as it was; whoever calls adamw loses what is gone.")
        for now, then in zip(lent, gradients, strict=True):
            if (now is None) != (then is None) or (now is not None and not close(now, then, 0.0)):
                raise Wrong("A gradient has changed in place. Look for `+=` or `*=`, or for a name that ends in `_`.")


def case(shape=None, n_steps: int = 1, decay: float | None = None) -> tuple:
    """weight, gradients, rates, decay, beta1, beta2, eps: an eps that shows, and gradients of many sizes."""
    shape = draw.one_of(*MATRICES) if shape is None else shape
    sizes = 10 ** (2 * drawn(draw.uniform, shape) - 1.7)
    gradients = [sizes * drawn(draw.normal, shape) for _ in range(n_steps)]
    rates = [round(0.05 + 0.2 * (i + u / 2) / n_steps, 3) for i, u in enumerate(draw.uniform(n_steps).tolist())]
    rates = draw.shuffled(rates)  # no two of them are near each other
    decay = draw.one_of(0.3, 0.4, 0.7) if decay is None else decay
    betas = draw.one_of((0.8, 0.95), (0.7, 0.9), (0.85, 0.97))
    return 1 + drawn(draw.normal, shape), gradients, rates, decay, *betas, draw.one_of(0.03, 0.05, 0.08)


def drawn(numbers, shape: tuple) -> Tensor:
    """Numbers in float64, of any shape: draw itself makes no single number."""
    return numbers(1, *shape, dtype=torch.float64)[0]


def without(case: tuple, *steps: int) -> tuple:
    """The case with no gradient in these steps."""
    weight, gradients, *rest = case
    return weight, [None if step in steps else gradient for step, gradient in enumerate(gradients)], *rest


def with_zeros(case: tuple, step: int) -> tuple:
    """The case with a gradient of 0 in this step, which is a gradient all the same."""
    weight, gradients, *rest = case
    return weight, [torch.zeros_like(weight) if n == step else one for n, one in enumerate(gradients)], *rest


def copied(gradients: list) -> list:
    return [None if gradient is None else gradient.clone() for gradient in gradients]


def judge(adamw, case: tuple) -> None:
    weight, gradients, rates, *settings = case
    got = expect_tensor(adamw(weight.clone(), copied(gradients), list(rates), *settings), "adamw(...)", weight.shape)
    if got.isnan().any():
        raise Wrong(f"{given(case)} the result is NaN. {NAN}")
    faults = ((moved(way, *case), f"{given(case)} {described(way)}", None) for way in ways())
    compare(got, moved(RIGHT, *case), faults, f"{given(case)} the weight")


def given(case: tuple) -> str:
    """The case, in words."""
    weight, gradients, _, decay, *_ = case
    matrix = "matrix of a single row" if len(weight.shape) == 2 and len(weight) == 1 else "matrix"
    kind = ("single number", "vector", matrix)[weight.ndim]
    missing = sum(gradient is None for gradient in gradients)
    steps = "one step" if len(gradients) == 1 else f"{len(gradients)} steps"
    return f"A {kind}, {steps}{f', {missing} of them without a gradient' if missing else ''}, decay {decay}:"
