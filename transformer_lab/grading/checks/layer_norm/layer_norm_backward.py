"""Lesson 07: the checks of the layer norm's backward pass, written by hand."""

import torch
from torch import Tensor
from torch.autograd.forward_ad import dual_level
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, copies, expect_tensor, keeps_every_dtype, leaves_alone, reordered, settled
from . import layer_norm_faults as faults
from .backward_faults import EPS, of_beta, of_gamma, of_x, spread
from .norms import another_default

SHAPES = (
    ((2, 3, 5), (4, 7), (5,), (2, 3, 4, 6), (1, 1, 4)),
    ((3, 2, 6), (5, 8), (6,), (3, 2, 5, 7), (1, 1, 5)),
    ((2, 4, 7), (3, 6), (7,), (2, 4, 3, 5), (1, 1, 6)),
)
NAMES = ("grad_x", "grad_gamma", "grad_beta")
LARGE = 30.0  # next to such numbers eps does not count


class layer_norm_backward:
    answers = ("layer_norm_backward(grad, x, gamma, eps=1e-5)",)

    @check("three tensors: one of the shape of x, two of the shape of gamma", 0.5)
    def shape(layer_norm_backward):
        for shape in draw.one_of(*SHAPES):
            grads(layer_norm_backward, *given(*shape))
        grads(layer_norm_backward, *map(reordered, given(*draw.one_of(*SHAPES)[0])))

    @check("grad_beta", 0.5)
    def beta(layer_norm_backward):
        for shape in draw.one_of(*SHAPES):
            compare_one(layer_norm_backward, 2, shape)

    @check("grad_gamma", 1)
    def gamma(layer_norm_backward):
        for shape in draw.one_of(*SHAPES):
            compare_one(layer_norm_backward, 1, shape)

    @check("grad_x", 1.5)
    def x(layer_norm_backward):
        for shape in draw.one_of(*SHAPES):
            compare_one(layer_norm_backward, 0, shape)

    @check("by formula, without autograd", 1.5)
    def formula(layer_norm_backward):
        without_autograd(layer_norm_backward)
        without_differences(layer_norm_backward)

    @check("a variance near eps; dtype kept; the inputs stay as they were", 1)
    def care(layer_norm_backward):
        note = " (Where the variance is far above eps it is right; here the two are alike.)"
        shape = draw.one_of(*SHAPES)[0]
        for place in (2, 1, 0):
            settled(lambda place=place: compare_one(layer_norm_backward, place, shape, LARGE), f"{NAMES[place]} is")
        for place in (2, 1, 0):
            compare_one(layer_norm_backward, place, shape, size=3e-3, note=note)
            compare_one(layer_norm_backward, place, shape, eps=0.5, note=" (The check gave eps = 0.5.)")
        for place, name in enumerate(NAMES):
            keeps_every_dtype(lambda dtype, n=place: grads(layer_norm_backward, *given(*shape, dtype=dtype))[n], name)
        grad, x, gamma = given(*shape)
        leaves_alone(layer_norm_backward, grad=grad, x=x, gamma=gamma)


def given(*shape: int, dtype=torch.float64, size: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """The gradient from above, x and gamma, in which both signs occur."""
    gamma = (0.5 + draw.uniform(shape[-1], dtype=dtype)) * (1 - 2 * (torch.arange(shape[-1]) % 2).to(dtype))
    return draw.normal(*shape, dtype=dtype), size * draw.normal(*shape, dtype=dtype), gamma


def right(grad: Tensor, x: Tensor, gamma: Tensor, eps: float) -> tuple[Tensor, ...]:
    """The specification: autograd through the formula."""
    x, gamma = x.detach().double().requires_grad_(), gamma.detach().double().requires_grad_()
    beta = torch.zeros_like(gamma, requires_grad=True)
    return torch.autograd.grad((faults.layer_norm(x, gamma, beta, eps) * grad.double()).sum(), (x, gamma, beta))


def grads(answer, grad: Tensor, x: Tensor, gamma: Tensor, *eps) -> list[Tensor]:
    """The answer's three gradients, if their shapes are right."""
    got = answer(*copies(grad, x, gamma), *eps)
    if isinstance(got, Tensor):
        raise Wrong("One tensor came back; wanted three: `return grad_x, grad_gamma, grad_beta`.")
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        what = f"{len(got)} things" if isinstance(got, (tuple, list, dict)) else type(got).__name__
        raise Wrong(f"The function returned {what}; wanted three tensors: `return grad_x, grad_gamma, grad_beta`.")
    wanted = (tuple(x.shape), tuple(gamma.shape), tuple(gamma.shape))
    for value, name, shape in zip(got, NAMES, wanted, strict=True):
        came = tuple(getattr(value, "shape", ()))
        if name != "grad_x" and isinstance(value, Tensor) and came != shape:
            if came == tuple(x.shape):
                raise Wrong(
                    f"{name} has the shape of x, {came}; wanted {shape}. One {name[5:]} serves every position, "
                    "so the gradients of all positions are summed, over all axes but the last."
                )
            if came == ():
                raise Wrong(
                    f"{name} is one number for x of shape {tuple(x.shape)}; wanted {shape}: count axes from the end, "
                    "and sum over all but the last."
                )
            if came == tuple(x.shape[:-1]):
                raise Wrong(
                    f"{name} has one number per position, {came}: the sum runs over the features. There is one "
                    f"{name[5:]} a feature, {shape}: sum over all axes but the last."
                )
            if came == tuple(x.shape[1:]):
                raise Wrong(f"{name} has shape {came}: only the first axis is summed. Sum over all axes but the last.")
        if name == "grad_x" and came == tuple(gamma.shape) and x.numel() > gamma.numel():
            raise Wrong(f"grad_x has shape {came}, as gamma has: the order is grad_x, grad_gamma, grad_beta.")
        expect_tensor(value, name, shape)
    return list(got)


class BackwardKernels(TorchDispatchMode):
    """Notes which backward passes of torch's own are called."""

    def __init__(self):
        super().__init__()
        self.called = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.name().removeprefix("aten::")
        if name.endswith("_backward"):
            self.called.append(name)
        return operation(*args, **(kwargs or {}))


WANTED = "Wanted are the three formulas, from grad, x, gamma and eps."
OUTSIDE = "To compare with autograd, call it outside the function."


def without_autograd(answer) -> None:
    """Run the answer where autograd cannot help: a formula gives the same numbers there."""
    inputs = given(*draw.one_of(*SHAPES)[0])
    alone, kernels = grads(answer, *inputs), BackwardKernels()
    told = f"These gradients come from autograd: where it records nothing, {{}}. {WANTED} {OUTSIDE}"
    try:
        # Inference mode records no graph; torch.func refuses hooks; forward mode refuses to be nested.
        with torch.inference_mode(), saved_tensors_hooks(lambda t: t, lambda t: t), dual_level(), kernels:
            helpless = grads(answer, *inputs)
    except Exception as error:
        raise Wrong(told.format(f"the function raises {type(error).__name__}")) from None
    if kernels.called:
        raise Wrong(f"The function calls torch's own backward pass, {kernels.called[0]}. {WANTED} {OUTSIDE}")
    if not all(close(one, other) for one, other in zip(alone, helpless, strict=True)):
        raise Wrong(told.format("they come out different"))


def without_differences(answer) -> None:
    """A difference quotient has a step; where x is so large that the step is lost in rounding, it fails."""
    shape = draw.one_of(*SHAPES)[0]
    settled(lambda: compare_one(answer, 0, shape, LARGE), "grad_x is")
    grad, x, gamma = given(*shape)
    far = 1e12  # no smaller numbers: next to them eps would count, which is another check's matter
    if not close(far * grads(answer, grad, far * x, gamma)[0], far * right(grad, far * x, gamma, EPS)[0]):
        words = "grad_x is right where x is about 1, and wrong where x is about 1e12."
        raise Wrong(f"{words} Is it a difference, such as (f(x + h) - f(x)) / h, with a fixed step h? {WANTED}")


def compare_one(answer, place: int, shape, size: float = 1.0, eps: float = EPS, note: str = "") -> None:
    grad, x, gamma = given(*shape, size=size)
    got = grads(answer, grad, x, gamma, *([] if eps == EPS else [eps]))
    wanted = right(grad, x, gamma, eps)
    told = (of_x, of_gamma, of_beta)[place](grad, x, gamma, eps, wanted)
    if not note and len(shape) != 3:
        first = next(shapes[0] for shapes in SHAPES if shape in shapes)
        note = f" (On x of shape {first} it is right, on {tuple(shape)} not: count axes from the end.)"
    try:
        compare(got[place], wanted[place], told, NAMES[place])
    except Wrong as wrong:
        if eps == EPS:
            another_default(lambda: grads(answer, grad, x, gamma, eps)[place], wanted[place])
        if place == 0 and str(wrong).startswith("grad_x: at") and got[0].any():
            note = clue(got[0], x, eps) + note
        if place and str(wrong).startswith(f"{NAMES[place]}: at"):
            note = (
                f" It is the sum of {('grad * normalised x', 'grad')[place - 1]} over every axis but the last." + note
            )
        raise Wrong(f"{wrong}{note}", wrong.misconception) from None


def clue(grad_x: Tensor, x: Tensor, eps: float) -> str:
    """Two sums that a right grad_x makes (nearly) 0, and what it means if it does not."""
    z, _ = spread(x, eps)
    grad_x = grad_x.detach().double()
    if not close(grad_x.sum(-1), torch.zeros(x.shape[:-1]), 1e-4):
        return " It must sum to 0 over the features, and does not: look at the term through mu, mean(h)."
    if not close((grad_x * z).sum(-1), torch.zeros(x.shape[:-1]), 1e-3):
        words = "It sums to 0 over the features, so mu is taken care of; but its product with the normalised x must sum"
        return f" {words} to 0 too, and does not: look at the term through sigma."
    return " It is orthogonal to (1, ..., 1) and to the normalised x, as it should be: look at h and at the division."
