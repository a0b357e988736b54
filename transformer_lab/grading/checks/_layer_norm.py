"""Lesson 07: the checks of the two norms: layer norm, forwards, and RMSNorm."""

import torch
from torch import Tensor

from ..score import Wrong, check
from . import _layer_norm_faults as faults
from .common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone, normal, number

SHAPES = ((2, 3, 5), (4, 7), (5,), (2, 3, 4, 6), (3, 3, 3))
SMALL = 3e-3  # numbers of this size have a variance near the default eps
ANY_AXES = "Any number of axes may come before the features: count from the end, dim=-1."


def given(*shape: int, dtype=torch.float32, size: float = 3.0) -> tuple[Tensor, Tensor, Tensor]:
    """x of this shape and size, gamma and beta: nothing is 0 or 1, nothing symmetric."""
    gamma = 0.5 + torch.rand(shape[-1], dtype=dtype)
    return size * normal(*shape, dtype=dtype), gamma, normal(shape[-1], dtype=dtype)


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
    """Raise Wrong unless the answer's norm of x is the one wanted; rest: gamma, beta if there is one, eps if given."""
    got = result(answer, name, x, *rest)
    try:
        compare(got, wanted, told(), name)
    except Wrong as wrong:
        where, words = note or where_only(x), str(wrong)
        if words.startswith(f"{name}: at"):
            words += clue(got, rest, wanted)
        raise Wrong(words + where, wrong.misconception if not where or note else None) from None


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

    @check("the right numbers", 2)
    def values(layer_norm):
        for shape in SHAPES:
            compare_layer_norm(layer_norm, *given(*shape))

    @check("a variance near eps, and an eps of another size", 1)
    def near_eps(layer_norm):
        note = " (Where the variance is far above eps it is right; here the two are alike.)"
        compare_layer_norm(layer_norm, *given(2, 3, 5))
        compare_layer_norm(layer_norm, *given(2, 3, 5, size=1.0), 0.5, note=" (The check gave eps = 0.5.)")
        for shape in SHAPES[:3]:
            compare_layer_norm(layer_norm, *given(*shape, size=SMALL), note=note)
        x = torch.full((2, 3, 5), 0.7)
        got = result(layer_norm, "layer_norm(x, gamma, beta)", x, torch.ones(5), torch.full((5,), 2.0))
        if not got.isfinite().all():
            raise Wrong("A position whose features are all equal gives NaN: its variance is 0, and eps must save it.")

    @check("dtype is kept, the inputs stay as they were", 0.5)
    def dtype(layer_norm):
        for dtype in (torch.float64, torch.float32):
            keeps_dtype(result(layer_norm, "the result", *given(2, 3, 5, dtype=dtype)), dtype, "the result")
        x, gamma, beta = given(2, 3, 5)
        leaves_alone(layer_norm, x=x, gamma=gamma, beta=beta)

    @check("the gradient flows through mean and variance too", 1)
    def gradient(layer_norm):
        x, gamma, beta = (tensor.requires_grad_() for tensor in given(2, 3, 5, dtype=torch.float64))
        upstream = normal(2, 3, 5, dtype=torch.float64)
        got = has_gradient(result(layer_norm, "the result", x, gamma, beta), "the result")
        if not close(got, faults.layer_norm(x, gamma, beta, 1e-5)):
            raise Wrong("The numbers are not right yet, so neither are the gradients. Mend those first.")
        found = torch.autograd.grad((got * upstream).sum(), (x, gamma, beta), allow_unused=True)
        right = torch.autograd.grad((faults.layer_norm(x, gamma, beta, 1e-5) * upstream).sum(), (x, gamma, beta))
        for gradient, wanted, name in zip(found, right, ("x", "gamma", "beta"), strict=True):
            if gradient is None:
                raise Wrong(f"No gradient reaches {name}. Look for .detach(), .data, .item() or torch.no_grad().")
            told = list(constants(x.detach(), gamma.detach(), upstream)) if name == "x" else []
            compare(gradient, wanted, told, f"the gradient with respect to {name}", 1e-4)


def compare_layer_norm(answer, x, gamma, beta, eps: float = 1e-5, note: str = "") -> None:
    rest = (gamma, beta) if eps == 1e-5 else (gamma, beta, eps)
    wanted = by_loops(x, gamma, beta, eps)
    compare_norm(answer, "the result", x, rest, wanted, lambda: faults.layer_norms(x, gamma, beta, eps), note)


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

    @check("the right numbers, also where mean(x^2) is near eps", 2)
    def values(rms_norm):
        for shape in SHAPES:
            compare_rms_norm(rms_norm, *given(*shape)[:2])
        note = " (Where the mean square is far above eps it is right; here the two are alike.)"
        compare_rms_norm(rms_norm, *given(2, 3, 5, size=SMALL)[:2], note=note)
        compare_rms_norm(rms_norm, *given(2, 3, 5, size=1.0)[:2], 0.5, note=" (The check gave eps = 0.5.)")

    @check("dtype is kept, gradients flow, the inputs stay as they were", 0.5)
    def dtype(rms_norm):
        for dtype in (torch.float64, torch.float32):
            x, gamma, _ = given(2, 3, 5, dtype=dtype)
            keeps_dtype(result(rms_norm, "the result", x, gamma), dtype, "the result")
        leaves_alone(rms_norm, x=x, gamma=gamma)
        x, gamma = x.double().requires_grad_(), gamma.double().requires_grad_()
        upstream = normal(2, 3, 5, dtype=torch.float64)
        got = has_gradient(result(rms_norm, "the result", x, gamma), "the result")
        if not close(got, faults.rms_norm(x, gamma, 1e-5)):
            raise Wrong("The numbers are not right yet, so neither are the gradients. Mend those first.")
        for source, name in ((x, "x"), (gamma, "gamma")):
            (found,) = torch.autograd.grad((got * upstream).sum(), source, retain_graph=True, allow_unused=True)
            (right,) = torch.autograd.grad((faults.rms_norm(x, gamma, 1e-5) * upstream).sum(), source)
            if found is None:
                raise Wrong(f"No gradient reaches {name}. Look for .detach(), .data, .item() or torch.no_grad().")
            words = "The root mean square is cut from the graph (.detach(), no_grad): x changes it too."
            cut = upstream * gamma.detach() / (x.detach().square().mean(-1, keepdim=True) + 1e-5).sqrt()
            told = [(cut, words, None)] if name == "x" else []
            compare(found, right, told, f"the gradient with respect to {name}", 1e-4)


def compare_rms_norm(answer, x, gamma, eps: float = 1e-5, note: str = "") -> None:
    rest = (gamma,) if eps == 1e-5 else (gamma, eps)
    rows = x.double().reshape(-1, x.shape[-1])
    roots = [(sum(value**2 for value in row) / len(row) + eps) ** 0.5 for row in rows.tolist()]
    wanted = (gamma.double() * rows / torch.tensor(roots, dtype=torch.float64)[:, None]).view(x.shape)
    compare_norm(answer, "the result", x, rest, wanted, lambda: faults.rms_norms(x, gamma, eps), note)
