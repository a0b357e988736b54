"""Lesson 07: the checks of the layer norm's backward pass, written by hand."""

from itertools import product

import torch
from torch import Tensor
from torch.autograd.forward_ad import dual_level
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, copies, expect_tensor, keeps_every_dtype, leaves_alone, reordered, settled
from . import layer_norm_faults as faults
from .norms import another_default

SHAPES = (
    ((2, 3, 5), (4, 7), (5,), (2, 3, 4, 6), (1, 1, 4)),
    ((3, 2, 6), (5, 8), (6,), (3, 2, 5, 7), (1, 1, 5)),
    ((2, 4, 7), (3, 6), (7,), (2, 4, 3, 5), (1, 1, 6)),
)
NAMES = ("grad_x", "grad_gamma", "grad_beta")
EPS = 1e-5
LARGE = 30.0  # beside such numbers eps does not count


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
    far = 1e12  # no smaller numbers: beside them eps would count, and that is another check's
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


def over_positions(values: Tensor) -> Tensor:
    return values.reshape(-1, values.shape[-1]).sum(dim=0)


def spread(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """(normalised x, sqrt(variance + eps))"""
    deviation = x - x.mean(-1, keepdim=True)
    sigma = (deviation.square().mean(-1, keepdim=True) + eps).sqrt()
    return deviation / sigma, sigma


def of_beta(grad, x, gamma, eps, wanted):
    n, normalised = max(1, grad.numel() // grad.shape[-1]), spread(x, eps)[0]
    yield over_positions(grad) / n, "grad_beta is averaged over the positions; wanted the sum.", None
    yield over_positions(grad * normalised), "grad_gamma and grad_beta have changed places.", None
    yield (
        over_positions(grad * gamma),
        "grad_beta holds gamma; beta is added last, so its gradient is the sum of grad.",
        None,
    )
    yield grad.sum() + 0 * gamma, "grad_beta is summed over the features too; wanted one number per feature.", None
    yield (
        grad.reshape(-1, grad.shape[-1])[0],
        "grad_beta is the first position's gradient; wanted the sum of all.",
        None,
    )
    yield (
        grad.reshape(-1, grad.shape[-1])[-1],
        "grad_beta is the last position's gradient; wanted the sum of all.",
        None,
    )
    yield -over_positions(grad), "The sign of grad_beta is wrong: beta is added.", None
    yield wanted[0].reshape(-1, grad.shape[-1]).sum(0), "grad_beta is the sum of grad_x; wanted the sum of grad.", None


def of_gamma(grad, x, gamma, eps, wanted):
    n, (normalised, sigma) = max(1, grad.numel() // grad.shape[-1]), spread(x, eps)
    yield over_positions(grad), "grad_gamma is the sum of grad: that is grad_beta. What does gamma multiply?", None
    words = "grad_gamma is averaged over the positions; wanted the sum: every position's loss counts."
    yield over_positions(grad * normalised) / n, words, None
    words = "grad_gamma is made with x; gamma multiplies the normalised x, (x - mean) / sqrt(variance + eps)."
    yield over_positions(grad * x), words, None
    yield over_positions(grad * normalised * sigma), f"{words[:-1]}, divided too.", None
    yield over_positions(grad * x / sigma), "grad_gamma is made with x / sigma: the mean is not subtracted.", None
    yield (
        over_positions(grad * normalised * gamma),
        "grad_gamma holds gamma once more; it is the sum of grad * normalised.",
        None,
    )
    yield (
        (grad * normalised).sum() + 0 * gamma,
        "grad_gamma is summed over the features too; wanted one per feature.",
        None,
    )
    yield -over_positions(grad * normalised), "The sign of grad_gamma is wrong.", None
    one_place = (grad * normalised).reshape(-1, grad.shape[-1])
    for row, which in ((one_place[0], "first"), (one_place[-1], "last")):
        yield row, f"grad_gamma is the {which} position's gradient; wanted the sum of all.", None
    yield from unbiased(lambda z, s: over_positions(grad * z), x, eps)
    for name, z in spreads(x, eps):
        yield over_positions(grad * z[0]), name, "M21"


def spreads(x, eps):
    deviation = x - x.mean(-1, keepdim=True)
    variance = deviation.square().mean(-1, keepdim=True)
    for what, sigma in (
        ("eps stands outside the root; wanted sqrt(variance + eps).", variance.sqrt() + eps),
        (f"eps is fixed at {EPS:g}; it is an argument.", (variance + EPS).sqrt()),  # missing was told before
        ("eps is missing, or fixed at a small number: sigma is sqrt(variance + eps).", variance.sqrt()),
        ("The division is by the variance; wanted by its root.", variance + eps),
    ):
        yield what, (deviation / sigma, sigma)


def unbiased(make, x, eps):
    D, deviation = x.shape[-1], x - x.mean(-1, keepdim=True)
    if D > 1:
        sigma = (deviation.square().sum(-1, keepdim=True) / (D - 1) + eps).sqrt()
        words = "sigma is made with the unbiased variance, divided by D - 1; the layer norm divides by D."
        yield make(deviation / sigma, sigma), words, "M21"


def of_x(grad, x, gamma, eps, wanted):
    (z, sigma), h = spread(x, eps), grad * gamma

    def term(a):
        return a.mean(-1, keepdim=True)

    def full(h, z, sigma):
        return (h - term(h) - z * term(h * z)) / sigma

    constant = "mu and sigma are treated as constants, but x moves both: two terms are missing."
    no_sigma = "sigma is treated as a constant, but x moves it: the term with mean(h * normalised) is missing "
    no_sigma += "(or it is a product of means: mean(h) * mean(normalised) is 0)."
    no_mu = "mu is treated as a constant, but x moves it: the term mean(h) is missing."
    bodies = {
        constant: h,
        no_sigma: h - term(h),
        no_mu: h - z * term(h * z),
        "": h - term(h) - z * term(h * z),
        "The term through mu has the wrong sign.": h + term(h) - z * term(h * z),
        "The term through sigma has the wrong sign.": h - term(h) + z * term(h * z),
        "Both terms have the wrong sign.": h + term(h) + z * term(h * z),
        "Sums are used where means should be: divide both by D.": h - h.sum(-1, True) - z * (h * z).sum(-1, True),
        "A sum stands for the mean in the term through mu.": h - h.sum(-1, True) - z * term(h * z),
        "A sum stands for the mean in the term through sigma.": h - term(h) - z * (h * z).sum(-1, True),
        "The normalised x is missing before mean(h * normalised).": h - term(h) - term(h * z),
        "The means are divided by D once more.": h - term(h) / h.shape[-1] - z * term(h * z) / h.shape[-1],
        "x is used where the normalised x should be.": h - term(h) - x * term(h * x),
        "x - mean is used where the normalised x should be.": h - term(h) - z * sigma * term(h * z * sigma),
        "x - mean is used where the second normalised x should be.": h - term(h) - z * term(h * z * sigma),
        "x - mean is used where the first normalised x should be.": h - term(h) - z * sigma * term(h * z),
        "The means run over other axes than the features.": h
        - h.mean(0, keepdim=True)
        - z * (h * z).mean(0, keepdim=True),
    }
    below = {
        "": sigma,
        "The division by sigma at the end is missing.": torch.ones_like(sigma),
        "The division is by the variance; wanted by sigma, once.": sigma**2,
        "It is multiplied by sigma; wanted divided.": 1 / sigma,
    }
    yield h, "grad_x is grad * gamma: the normalisation is ignored.", None
    yield grad, "grad_x is grad itself.", None
    yield 0 * grad, "grad_x is 0 everywhere: no gradient would pass the norm.", None
    for (told, body), (more, under) in product(bodies.items(), below.items()):
        if told or more:
            yield body / under, f"{told} {more}".strip(), None
    for told, g in (("gamma is forgotten: h = grad * gamma.", grad), ("grad is divided by gamma.", grad / gamma)):
        yield full(g, z, sigma), told, None
        yield g / sigma, f"{told} And {constant}", None
        yield (g - term(g)) / sigma, f"{told} And {no_sigma}", None
    words = "gamma multiplies the result; it belongs inside the means, h = grad * gamma, because it differs by feature."
    yield gamma * full(grad, z, sigma), words, None
    yield -full(h, z, sigma), "The sign is wrong.", None
    yield from unbiased(lambda z, s: full(h, z, s), x, eps)
    D = x.shape[-1]
    if D > 1:
        words = "Both means are divided by D - 1; the layer norm's are divided by D."
        yield (h - h.sum(-1, True) / (D - 1) - z * (h * z).sum(-1, True) / (D - 1)) / sigma, words, "M21"
        words = "The term through sigma is divided by D - 1; the layer norm's variance is divided by D."
        yield (h - term(h) - z * (h * z).sum(-1, True) / (D - 1)) / sigma, words, "M21"
    for name, (other, s) in spreads(x, eps):
        yield full(h, other, s), name, "M21"
        yield full(h, other, sigma), name, "M21"
        yield full(h, z, s), name, "M21"
    words = "The output of the norm stands where the normalised x, before gamma, should."
    yield (h - term(h) - gamma * z * term(h * gamma * z)) / sigma, words, None
