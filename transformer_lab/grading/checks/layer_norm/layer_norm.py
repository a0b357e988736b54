"""Lesson 07: the checks of the layer norm, forwards."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import (
    close,
    compare,
    keeps_every_dtype,
    leaves_alone,
    reordered,
    settled,
)
from . import layer_norm_faults as faults
from .norms import CLOSE, NEAR, SHAPES, SMALL, compare_gradients, compare_norm, given, result

FLAT = 0.75  # a sum of these has no rounding: the deviation is exactly 0, and so is the variance
FAR = "Where the variance is far above eps, the numbers are"
# A mean, with deviations near 3: the squares are near 1e8, where float32 knows nothing smaller than 8.
LARGE_MEANS = 9_000.0, 10_000.0, 11_000.0


def by_loops(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    """The specification: for each position its own mean and mean squared deviation, one number after another."""
    rows = x.double().reshape(-1, x.shape[-1])
    output, D = torch.zeros_like(rows), x.shape[-1]
    for row, place in zip(rows.tolist(), output, strict=True):
        mean = sum(row) / D
        variance = sum((value - mean) ** 2 for value in row) / D
        for i, value in enumerate(row):
            place[i] = float(gamma[i]) * (value - mean) / (variance + eps) ** 0.5 + float(beta[i])
    return output.view(x.shape)


class layer_norm:
    answers = ("layer_norm(x, gamma, beta, eps=1e-5)",)

    @check("a tensor of the shape of x, whatever axes come first", 0.5)
    def shape(layer_norm):
        for shape in draw.one_of(*SHAPES):
            result(layer_norm, "layer_norm(x, gamma, beta)", *given(*shape))
        result(layer_norm, "layer_norm(x, gamma, beta)", *map(reordered, given(*draw.one_of(*SHAPES)[0])))

    @check("the right numbers", 1.5)
    def values(layer_norm):
        for shape in draw.one_of(*SHAPES):
            compare_layer_norm(layer_norm, *given(*shape))

    @check("a variance near eps, and an eps of another size", 1)
    def near_eps(layer_norm):
        several = draw.one_of(*SHAPES)
        settled(lambda: compare_layer_norm(layer_norm, *given(*several[0], size=30.0)), FAR)
        compare_layer_norm(layer_norm, *given(*several[0], size=1.0), 0.5, note=" (The check gave eps = 0.5.)")
        for shape in several[:3]:
            compare_layer_norm(layer_norm, *given(*shape, size=SMALL), note=NEAR)
        x, (_, gamma, beta) = torch.full(several[0], FLAT), given(*several[0])
        got = result(layer_norm, "layer_norm(x, gamma, beta)", x, gamma, beta)
        if not got.isfinite().all():
            raise Wrong("A position whose features are all equal gives NaN: its variance is 0, and eps must save it.")
        compare(got, beta.expand(several[0]), (), "a position whose features are all equal, so that beta is left", 1e-3)

    @check("a mean far larger than the deviation", 0.5)
    def large_mean(layer_norm):
        several = draw.one_of(*SHAPES)
        settled(lambda: compare_layer_norm(layer_norm, *given(*several[0], size=30.0)), FAR)
        for shape in several[:3]:
            keeps_its_digits(layer_norm, shape, draw.one_of(*LARGE_MEANS))

    @check("dtype is kept, the inputs stay as they were", 0.5)
    def dtype(layer_norm):
        several = draw.one_of(*SHAPES)
        keeps_every_dtype(
            lambda dtype: result(layer_norm, "the result", *given(*several[0], dtype=dtype)), "the result"
        )
        for shape in several[:2]:
            x, gamma, beta = given(*shape)
            leaves_alone(layer_norm, x=x, gamma=gamma, beta=beta)

    @check("the gradient flows through mean and variance too", 1)
    def gradient(layer_norm):
        shape = draw.one_of(*SHAPES)[0]
        compare_gradients(layer_norm, faults.layer_norm, given(*shape, dtype=torch.float64), constants)
        settled(lambda: compare_layer_norm(layer_norm, *given(*shape, size=SMALL)), CLOSE)
        x, gamma, beta = given(*shape, dtype=torch.float64)
        flat = torch.full_like(x, FLAT)
        compare_gradients(layer_norm, faults.layer_norm, (flat, gamma, beta), at="where all features are equal")


def compare_layer_norm(answer, x, gamma, beta, eps: float = 1e-5, note: str = "") -> None:
    rest = (gamma, beta) if eps == 1e-5 else (gamma, beta, eps)
    faulty = faults.layer_norms(x, gamma, beta, eps)
    compare_norm(answer, "the result", x, rest, lambda: by_loops(x, gamma, beta, eps), faulty, note)


def keeps_its_digits(answer, shape: tuple[int, ...], mean: float) -> None:
    """The numbers are right where a large mean hides small deviations: to two digits, for float32 has seven in all."""
    x, gamma, beta = given(*shape)
    x = x - x.mean(-1, keepdim=True) + mean
    got = result(answer, "the result", x, gamma, beta)
    wanted = by_loops(x, gamma, beta, 1e-5)
    if close(got, wanted, 1e-2):
        return
    about = f"With a mean of {mean:,.0f} and deviations near {float(x.std(-1).mean()):.0f} the result is wrong"
    if got.isnan().any():
        about += ", and in part NaN"
    wide = result(answer, "the result", x.double(), gamma.double(), beta.double())
    if close(wide, wanted, 1e-2):
        raise Wrong(
            f"{about}; of the same numbers in float64 it is right. So digits cancel. Is the variance the mean of the "
            f"squares less the square of the mean? Both are near {mean**2:,.0f} here, and float32 holds about seven "
            "digits: what is left of their difference is rounding. Subtract the mean first, then square."
        )
    compare(got, wanted, (), f"{about}. The result", 1e-2)


def constants(x, gamma, upstream):
    """Gradients of answers that cut the mean, the deviation or both from the graph."""
    for mean_cut, spread_cut, what in (
        (1, 1, "mean and deviation are"),
        (1, 0, "the mean is"),
        (0, 1, "the deviation is"),
    ):
        y = x.clone().requires_grad_()
        mean, spread = y.mean(-1, keepdim=True), (y.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
        z = (y - (mean.detach() if mean_cut else mean)) / (spread.detach() if spread_cut else spread)
        (found,) = torch.autograd.grad((gamma * z * upstream).sum(), y)
        words = f"{what.capitalize()} cut from the graph (.detach(), .item(), no_grad): x changes them too."
        yield found, words, None
