"""Lesson 07: the checks of the two norms: layer norm, forwards, and RMSNorm."""

import torch
from torch import Tensor

from ..score import Wrong, check
from . import _layer_norm_faults as faults
from .common import (
    close,
    compare,
    copies,
    expect_tensor,
    has_gradient,
    keeps_every_dtype,
    leaves_alone,
    normal,
    number,
    reordered,
    settled,
)

SHAPES = ((2, 3, 5), (4, 7), (5,), (2, 3, 4, 6), (3, 3, 3), (1, 1, 4))
SMALL = 3e-3  # numbers of this size have a variance near the default eps
NEAR = " (Where the variance is far above eps it is right; here the two are alike.)"
FAR = "Where the variance is far above eps, the numbers are"
CLOSE = "Where the variance is near eps, the numbers are"
NO_SLOPE = "A root has no slope at 0: add eps before you take it, sqrt(... + eps), and take it once."
ANY_AXES = "Any number of axes may come before the features: count from the end, dim=-1."


def given(*shape: int, dtype=torch.float32, size: float = 3.0) -> tuple[Tensor, Tensor, Tensor]:
    """x of this shape and size, gamma and beta: nothing is 0 or 1, nothing symmetric, both signs occur."""
    sign = 1 - 2 * (torch.arange(shape[-1]) % 2).to(dtype)
    gamma, beta = (0.5 + torch.rand(shape[-1], dtype=dtype) for _ in range(2))
    return size * normal(*shape, dtype=dtype), gamma * sign, -beta * sign


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


def result(answer, name: str, x: Tensor, *rest) -> Tensor:
    """The answer's tensor, if it has the shape of x."""
    got = answer(*copies(x), *(value.clone() if isinstance(value, Tensor) else value for value in rest))
    if isinstance(got, (tuple, list)):
        raise Wrong(f"{name}: {len(got)} things came back; wanted one tensor of the shape of x, {tuple(x.shape)}.")
    return expect_tensor(got, name, tuple(x.shape))


def where_only(x: Tensor) -> str:
    return "" if x.ndim == 3 else f" (On x of shape (2, 3, 5) it is right, on {tuple(x.shape)} not. {ANY_AXES})"


def compare_norm(answer, name, x, rest, wanted, told, note: str = "") -> None:
    """Raise Wrong unless the answer's norm of x is wanted(); rest: gamma, beta if there is one, eps if given."""
    got = result(answer, name, x, *rest)
    wanted = wanted()  # only now: what is in no frame, the answer cannot copy
    try:
        compare(got, wanted, told, name)
    except Wrong as wrong:
        if isinstance(rest[-1], Tensor):
            another_default(lambda: result(answer, name, x, *rest, 1e-5), wanted)
        plain = close(got, wanted, 1e-3)  # so small a difference, it is no matter of the shape
        where, words = note or ("" if plain else where_only(x)), str(wrong)
        if words.startswith(f"{name}: at"):
            words += clue(got, rest, wanted)
        raise Wrong(words + where, wrong.misconception if not where or note else None) from None


def another_default(with_eps, wanted: Tensor) -> None:
    """Raise Wrong if the answer is right as soon as eps is given."""
    try:
        right = close(with_eps(), wanted)
    except TypeError:  # it takes no eps at all: another check says so
        return
    if right:
        raise Wrong("With eps given, 1e-5, it is right. So its default, in the `def`, is another.")


def clue(got: Tensor, rest, wanted: Tensor) -> str:
    """What mean and mean square say of a norm that is wrong in no known way."""
    gamma, *beta = (value.double() for value in rest if isinstance(value, Tensor))
    before = [((value.detach().double() - sum(beta)) / gamma).reshape(-1, len(gamma))[0] for value in (got, wanted)]
    means, squares = [z.mean() for z in before], [z.square().mean() for z in before]
    about = f"mean {number(means[0])}, wanted 0, and " if beta else ""
    undone = "Take beta off and divide by gamma" if beta else "Divide by gamma"
    about += f"mean square {number(squares[0])}, wanted {number(squares[1])}"
    return f" {undone}: the numbers of the first position then have {about}."


class layer_norm:
    answers = ("layer_norm(x, gamma, beta, eps=1e-5)",)

    @check("a tensor of the shape of x, whatever axes come first", 0.5)
    def shape(layer_norm):
        for shape in SHAPES:
            result(layer_norm, "layer_norm(x, gamma, beta)", *given(*shape))
        result(layer_norm, "layer_norm(x, gamma, beta)", *map(reordered, given(2, 3, 5)))

    @check("the right numbers", 2)
    def values(layer_norm):
        for shape in SHAPES:
            compare_layer_norm(layer_norm, *given(*shape))

    @check("a variance near eps, and an eps of another size", 1)
    def near_eps(layer_norm):
        settled(lambda: compare_layer_norm(layer_norm, *given(2, 3, 5, size=30.0)), FAR)
        compare_layer_norm(layer_norm, *given(2, 3, 5, size=1.0), 0.5, note=" (The check gave eps = 0.5.)")
        for shape in SHAPES[:3]:
            compare_layer_norm(layer_norm, *given(*shape, size=SMALL), note=NEAR)
        x, (_, gamma, beta) = torch.full((2, 3, 5), 0.7), given(2, 3, 5)
        got = result(layer_norm, "layer_norm(x, gamma, beta)", x, gamma, beta)
        if not got.isfinite().all():
            raise Wrong("A position whose features are all equal gives NaN: its variance is 0, and eps must save it.")
        compare(got, beta.expand(2, 3, 5), (), "a position whose features are all equal, so that beta is left", 1e-3)

    @check("dtype is kept, the inputs stay as they were", 0.5)
    def dtype(layer_norm):
        keeps_every_dtype(lambda dtype: result(layer_norm, "the result", *given(2, 3, 5, dtype=dtype)), "the result")
        for shape in SHAPES[:2]:
            x, gamma, beta = given(*shape)
            leaves_alone(layer_norm, x=x, gamma=gamma, beta=beta)

    @check("the gradient flows through mean and variance too", 1)
    def gradient(layer_norm):
        compare_gradients(layer_norm, faults.layer_norm, given(2, 3, 5, dtype=torch.float64), constants)
        settled(lambda: compare_layer_norm(layer_norm, *given(2, 3, 5, size=SMALL)), CLOSE)
        x, gamma, beta = given(2, 3, 5, dtype=torch.float64)
        flat = torch.full_like(x, 0.7)
        compare_gradients(layer_norm, faults.layer_norm, (flat, gamma, beta), at="where all features are equal")


def compare_gradients(answer, right, tensors, told=None, at: str = "") -> None:
    """The gradients of the answer's norm are those of right(*tensors, eps); the first of the tensors is x."""
    tensors = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    x, gamma, *_ = (tensor.detach() for tensor in tensors)
    upstream = normal(*x.shape, dtype=x.dtype)
    got, wanted = has_gradient(result(answer, "the result", *tensors), "the result"), right(*tensors, 1e-5)
    if not close(got, wanted, 1e-4):
        raise Wrong("The numbers are not right yet, so neither are the gradients. Mend those first.")
    found = torch.autograd.grad((got * upstream).sum(), tensors, allow_unused=True)
    wanted = torch.autograd.grad((wanted * upstream).sum(), tensors)
    for mine, true, name in zip(found, wanted, ("x", "gamma", "beta"), strict=False):
        if mine is None:
            raise Wrong(f"No gradient reaches {name}. Look for .detach(), .data, .item() or torch.no_grad().")
        if at and not mine.isfinite().all():
            raise Wrong(f"The gradient with respect to {name} is not finite {at}. {NO_SLOPE}")
        cut = list(told(x, gamma, upstream)) if told and name == "x" else []
        compare(mine, true, cut, f"the gradient with respect to {name}{at and ', ' + at}", 1e-4)


def compare_layer_norm(answer, x, gamma, beta, eps: float = 1e-5, note: str = "") -> None:
    rest = (gamma, beta) if eps == 1e-5 else (gamma, beta, eps)
    faulty = faults.layer_norms(x, gamma, beta, eps)
    compare_norm(answer, "the result", x, rest, lambda: by_loops(x, gamma, beta, eps), faulty, note)


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


class rms_norm:
    answers = ("rms_norm(x, gamma, eps=1e-5)",)

    @check("a tensor of the shape of x, whatever axes come first", 0.5)
    def shape(rms_norm):
        for shape in SHAPES:
            result(rms_norm, "rms_norm(x, gamma)", *given(*shape)[:2])
        result(rms_norm, "rms_norm(x, gamma)", *map(reordered, given(2, 3, 5)[:2]))

    @check("the right numbers, also where mean(x^2) is near eps", 2)
    def values(rms_norm):
        for shape in SHAPES:
            compare_rms_norm(rms_norm, *given(*shape)[:2])
        compare_rms_norm(rms_norm, *given(2, 3, 5, size=SMALL)[:2], note=NEAR.replace("variance", "mean square"))
        compare_rms_norm(rms_norm, *given(2, 3, 5, size=1.0)[:2], 0.5, note=" (The check gave eps = 0.5.)")

    @check("dtype is kept, gradients flow, the inputs stay as they were", 0.5)
    def dtype(rms_norm):
        keeps_every_dtype(lambda dtype: result(rms_norm, "the result", *given(2, 3, 5, dtype=dtype)[:2]), "the result")
        for shape in SHAPES[:2]:
            x, gamma, _ = given(*shape)
            leaves_alone(rms_norm, x=x, gamma=gamma)
        compare_gradients(rms_norm, faults.rms_norm, given(2, 3, 5, dtype=torch.float64)[:2], root_cut)
        settled(
            lambda: compare_rms_norm(rms_norm, *given(2, 3, 5, size=SMALL)[:2]),
            CLOSE.replace("variance", "mean square"),
        )
        x, gamma, _ = given(2, 3, 5, dtype=torch.float64)
        compare_gradients(rms_norm, faults.rms_norm, (0 * x, gamma), at="where all features are 0")


def root_cut(x, gamma, upstream):
    """The gradient of an answer that cuts the root mean square from the graph."""
    words = "The root mean square is cut from the graph (.detach(), no_grad): x changes it too."
    yield upstream * gamma / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt(), words, None


def compare_rms_norm(answer, x, gamma, eps: float = 1e-5, note: str = "") -> None:
    rest = (gamma,) if eps == 1e-5 else (gamma, eps)
    faulty = faults.rms_norms(x, gamma, eps)
    compare_norm(answer, "the result", x, rest, lambda: rms_by_rows(x, gamma, eps), faulty, note)


def rms_by_rows(x: Tensor, gamma: Tensor, eps: float) -> Tensor:
    """The specification of RMSNorm: each position is divided by the root of its own mean square."""
    rows = x.double().reshape(-1, x.shape[-1])
    roots = [(sum(value**2 for value in row) / len(row) + eps) ** 0.5 for row in rows.tolist()]
    return (gamma.double() * rows / torch.tensor(roots, dtype=torch.float64)[:, None]).view(x.shape)
