"""Lesson 05: the checks of GELU, exact and in its tanh approximation."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, has_gradient, keeps_dtype, leaves_alone, number

ROOT = math.sqrt(2 / math.pi)
FAR = torch.tensor([100.0, -100.0, 1e4, -1e4])
LENGTHS = (5, 7, 9)
SIZES = ((40, (2, 3, 4), 3), (48, (4, 2, 5), 6), (56, (3, 5, 2), 4))  # one axis, three axes, a batch of one
NEAR_RIGHT = "between 0.4 and 1.2 yours is right, so look at what is done to other numbers."


class gelu:
    answers = ("gelu(x)", "gelu_tanh(x)")

    @check("gelu(x): x times the share of a normal distribution that lies below x", 1.5)
    def exact(gelu, gelu_tanh):
        numbers(gelu, "gelu(x)", exact_by_loops)

    @check("gelu_tanh(x): the approximation", 1.5)
    def approximate(gelu, gelu_tanh):
        numbers(gelu_tanh, "gelu_tanh(x)", approximate_by_loops)

    @check("dtype and input are kept, gradients flow, also at large inputs", 1)
    def gradient(gelu, gelu_tanh):
        for answer, name, kind in ((gelu, "gelu(x)", "none"), (gelu_tanh, "gelu_tanh(x)", "tanh")):
            for dtype in (torch.float64, torch.float32):
                n = draw.one_of(*LENGTHS)
                keeps_dtype(expect_tensor(answer(draw.normal(n, dtype=dtype)), name, (n,)), dtype, name)
            leaves_alone(answer, x=draw.normal(draw.one_of(*LENGTHS)))
            points = draw.normal(9), 6 * draw.normal(draw.one_of(*LENGTHS)), FAR, torch.zeros(1)
            if all(close(answer(x.clone()), F.gelu(x, approximate=kind)) for x in points):
                for x in points:
                    slopes(answer, name, x.clone().requires_grad_(), kind)
            else:
                has_gradient(answer(draw.normal(9).requires_grad_() * 1.0), name)


def numbers(answer, name: str, specification) -> None:
    """Known values, then fresh ones, against the specification element by element."""
    # At 2 and -2 the exact function and its approximation differ by 3e-4.
    known = torch.tensor([0.0, 2.0, -2.0, 30.0, -30.0])
    many, three, one = draw.one_of(*SIZES)
    for x in (draw.normal(many) * 2, draw.normal(*three), draw.normal(1, one), known, torch.tensor(1.5), FAR):
        got = expect_tensor(answer(x.clone()), name, tuple(x.shape))
        if got.isnan().any():
            at = float(x.flatten()[got.flatten().isnan()][0])
            raise Wrong(
                f"{name} is NaN at x = {at:g}. An exp overflows, or 0 is divided by 0: use torch.tanh, torch.erf."
            )
        wanted = torch.tensor([specification(number) for number in x.flatten().tolist()], dtype=torch.float64)
        wanted = wanted.view(x.shape)
        try:
            compare(got, wanted, faults(x, specification), name)
        except Wrong as wrong:
            if not str(wrong).startswith(name):
                raise
            worst = float(x.flatten()[(got - wanted).nan_to_num().abs().argmax()])
            look = factors_inside(answer, specification) or "work that one number out by hand."
            raise Wrong(f"{wrong} There x is {worst:.4g}: {look}") from None


def factors_inside(answer, specification) -> str:
    """If it is x / 2 (1 + erf or tanh of something odd in x), what that something is; else nothing."""
    x = torch.tensor([0.4, 0.8, 1.2], dtype=torch.float64)
    share = (2 * answer(x.clone()).detach().double() / x - 1).clamp(-1, 1)
    if specification is exact_by_loops:
        linear = torch.erfinv(share) / x
        if close(linear, torch.full_like(linear, 0.5**0.5), 1e-6):
            return NEAR_RIGHT
        if close(linear, linear[0].expand(3), 1e-4):
            return f"erf takes {number(linear[0])} times x; wanted 1 / sqrt(2) = 0.7071 times x."
        return ""
    inner = torch.atanh(share)
    first, third = torch.linalg.lstsq(torch.stack((x[:2], x[:2] ** 3), 1), inner[:2, None])[0].flatten()
    if not inner.isfinite().all() or not close(first * x + third * x**3, inner, 1e-4):
        return ""
    if close(inner, ROOT * (x + 0.044715 * x**3), 1e-6):
        return NEAR_RIGHT
    return (
        f"your tanh takes {number(first)} x + {number(third)} x^3; wanted {number(ROOT)} x + {number(ROOT * 0.044715)} "
        "x^3, which is sqrt(2 / pi) (x + 0.044715 x^3)."
    )


def slopes(answer, name: str, x: Tensor, kind: str) -> None:
    """The gradients of an answer whose numbers are right; at 0 any finite one will do: abs and relu have a kink."""
    got, right = has_gradient(answer(x * 1.0), name), F.gelu(x, approximate=kind)
    (gradient,), (wanted,) = (torch.autograd.grad(value.sum(), x) for value in (got, right))
    if not gradient.isfinite().all():
        bad = ~gradient.isfinite()
        raise Wrong(
            f"At x = {x[bad][0]:.4g} the value of {name} is right and its gradient is {number(gradient[bad][0])}: a "
            "part of the formula overflows or divides by 0 on the way, and torch.where or nan_to_num does not save the "
            "gradient. torch.erf, torch.tanh and torch.sigmoid are safe for any x."
        )
    if not x.any():
        return
    try:
        compare(gradient, wanted, name=f"the gradient of {name}", tolerance=1e-4)
    except Wrong as wrong:
        raise Wrong(f"{wrong} Look for .detach() or torch.no_grad() around a part of it.") from None


def exact_by_loops(x: float) -> float:
    """x times the share of a standard normal distribution below x, from the error function of Python's math."""
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def approximate_by_loops(x: float) -> float:
    return x * (1 + math.tanh(ROOT * (x + 0.044715 * x**3))) / 2


def faults(x: Tensor, specification):
    """(numbers of a wrong answer, message, misconception or None)."""
    x = x.double()
    cube = x + 0.044715 * x**3
    if specification is exact_by_loops:
        yield F.gelu(x, approximate="tanh"), "This is the tanh approximation; wanted the exact one, with erf.", None
    else:
        yield F.gelu(x), "This is the exact GELU; wanted the tanh approximation. They differ by up to 5e-4.", None
    gelu = "GPT-2's activation is GELU, x times a number between 0 and 1"
    yield torch.tanh(x), f"This is tanh(x). {gelu}: tanh stands inside the formula only.", "M30"
    yield torch.tanh(ROOT * cube), f"This is the tanh alone. {gelu}.", "M30"
    yield torch.sigmoid(x), f"This is a sigmoid. {gelu}.", "M30"
    yield x.relu(), "This is ReLU: GELU is smooth, and below zero for small negative x.", None
    yield F.silu(x), "This is silu, x sigmoid(x): GELU weighs x with a normal distribution's share.", None
    words = "This is x sigmoid(1.702 x), a coarser approximation of GELU (off by up to 0.02)."
    yield x * torch.sigmoid(1.702 * x), words, None
    share = torch.special.ndtr(x)
    yield share, "This is the share alone, Phi(x): multiply it by x.", None
    yield x * share.mul(2), "It is twice what it should be: the factor 1/2 is missing.", None
    yield x * (1 + torch.tanh(ROOT * cube)), "It is twice what it should be: the factor 1/2 is missing.", None
    yield x * (1 + torch.erf(x)) / 2, "erf takes x / sqrt(2): this erf takes x.", None
    yield (
        x * torch.erf(x / math.sqrt(2)),
        "1 + and 1/2 are missing: erf runs from -1 to 1, the share from 0 to 1.",
        None,
    )
    yield x * torch.erf(x / math.sqrt(2)) / 2, "1 + is missing: erf runs from -1 to 1, the share from 0 to 1.", None
    yield x * torch.tanh(ROOT * cube) / 2, "1 + is missing: tanh runs from -1 to 1, the share from 0 to 1.", None
    yield (1 + torch.tanh(ROOT * cube)) / 2, "This is the share alone: multiply it by x.", None
    yield x * torch.exp(-x * x / 2) / math.sqrt(2 * math.pi), "This is x times the density: wanted the share.", None
    yield x * (1 + torch.erf(x / 2)) / 2, "erf takes x / sqrt(2): this erf takes x / 2.", None
    yield x * (1 + torch.erf(x * math.sqrt(2))) / 2, "erf takes x / sqrt(2): this erf takes x sqrt(2).", None
    yield x, "This is x itself: nothing has been done to it.", None
    yield F.mish(x), "This is Mish, x tanh(softplus(x)): GELU weighs x with a normal distribution's share.", None
    yield F.hardswish(x), "This is hard swish: GELU weighs x with a normal distribution's share.", None
    yield F.leaky_relu(x), "This is a leaky ReLU: GELU is smooth, and near 0 for large negative x.", None
    yield F.softsign(x), "This is softsign: GELU is x times a number between 0 and 1.", None
    yield F.selu(x), "This is SELU: GELU weighs x with a normal distribution's share.", None
    erf, tanh = torch.erf(x / math.sqrt(2)), torch.tanh(ROOT * cube)
    for inside, what in ((erf, "erf"), (tanh, "tanh")):
        words = f"The brackets are wrong: wanted x / 2 times the sum (1 + {what}(...)), all of it."
        yield x * (0.5 + inside), words, None
        yield x * (1 + inside / 2), words, None
        yield x / 2 + inside, words, None
        yield x / 2 * 1 + inside, words, None
        yield x / 2 + x * inside, words, None
        yield (1 + x) / 2 * (1 + inside), f"1 + stands at {what}, not at x: x / 2 times (1 + {what}(...)).", None
        yield x / 2 * (1 - inside), f"It is 1 + {what}(...), not 1 - {what}(...): large x are let through.", None
        yield x * inside, f"1 + and 1/2 are missing: {what} runs from -1 to 1, the share from 0 to 1.", None
        yield x / 4 * (1 + inside), "It is half of what it should be: 1/2 is there twice.", None
        yield (x / 2 * (1 + inside)).relu(), "Values below zero are cut off: GELU goes a little below zero.", None
    yield F.elu(x), "This is ELU: GELU weighs x with a normal distribution's share.", None
    yield F.softplus(x), "This is softplus: GELU is 0 at 0.", None
    for inner, what in (
        (x + 0.044715 * x**3, "sqrt(2 / pi) is missing in front of the bracket."),
        (ROOT * x, "The term 0.044715 x^3 is missing."),
        (ROOT * (x + x**3), "The factor 0.044715 in front of x^3 is missing."),
        (ROOT * (x + 0.044715 * x**2), "The power in the bracket is 2; wanted 3."),
        (ROOT * x + 0.044715 * x**3, "sqrt(2 / pi) multiplies the whole bracket, the cubic term too."),
        (2 / math.pi * cube, "2 / pi stands without its square root."),
        (math.sqrt(2) / math.pi * cube, "The root covers the 2 only: sqrt(2 / pi), not sqrt(2) / pi."),
        (math.sqrt(math.pi / 2) * cube, "It is sqrt(2 / pi), not sqrt(pi / 2)."),
        *((ROOT * (x + c * x**3), "The factor of x^3 is 0.044715.") for c in (0.0044715, 0.44715, 0.0447, 0.04475)),
        (ROOT * (x - 0.044715 * x**3), "The cubic term is added, not subtracted."),
        (ROOT * (x + 0.044715 * x**4), "The power in the bracket is 4; wanted 3."),
        (ROOT * (x + (0.044715 * x) ** 3), "0.044715 is cubed too: wanted 0.044715 x^3."),
        (ROOT * (x + 0.044715 * x.abs() ** 3), "The cubic term has lost its sign: x^3 is below zero where x is."),
        (math.sqrt(2 * math.pi) * cube, "It is sqrt(2 / pi), not sqrt(2 pi)."),
        (cube / math.sqrt(2 * math.pi), "It is sqrt(2 / pi), not 1 / sqrt(2 pi)."),
        (math.sqrt(2) * math.pi * cube, "It is sqrt(2 / pi), not sqrt(2) pi."),
        (2 * ROOT * cube, "The bracket is doubled: 2 belongs to a sigmoid, not to the tanh."),
    ):
        yield x * (1 + torch.tanh(inner)) / 2, what, None
    yield x * torch.special.ndtr(x).round(decimals=3), "The share is rounded: rounding has no gradient.", None
