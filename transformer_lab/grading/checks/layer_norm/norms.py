"""Lesson 07: what the checks of the two norms share, layer norm and RMSNorm."""

import torch
from torch import Tensor

from ...checking import Wrong
from ...draw import draw
from ..common import (
    close,
    compare,
    copies,
    expect_tensor,
    has_gradient,
    number,
)

SHAPES = (  # first, three places or more on each axis: of two that nearly agree, a norm shows what rounding left
    ((4, 3, 5), (4, 7), (5,), (2, 3, 4, 6), (3, 3, 3), (1, 1, 4)),
    ((3, 4, 6), (5, 8), (6,), (3, 2, 5, 7), (4, 4, 4), (1, 1, 5)),
    ((3, 5, 7), (3, 6), (7,), (2, 4, 3, 5), (3, 3, 3), (1, 1, 6)),
)
SMALL = 3e-3  # numbers of this size have a variance near the default eps
NEAR = " (Where the variance is far above eps it is right; here the two are alike.)"
CLOSE = "Where the variance is near eps, the numbers are"
NO_SLOPE = "A root's slope is infinite at 0: add eps before you take it, sqrt(... + eps), and take it once."
ANY_AXES = "Any number of axes may come before the features: count from the end, dim=-1."


def given(*shape: int, dtype=torch.float32, size: float = 3.0) -> tuple[Tensor, Tensor, Tensor]:
    """x of this shape and size, gamma and beta: nothing is 0 or 1, nothing symmetric, both signs occur."""
    sign = 1 - 2 * (torch.arange(shape[-1]) % 2).to(dtype)
    gamma, beta = (0.5 + draw.uniform(shape[-1], dtype=dtype) for _ in range(2))
    return size * draw.normal(*shape, dtype=dtype), gamma * sign, -beta * sign


def result(answer, name: str, x: Tensor, *rest) -> Tensor:
    """The answer's tensor, if it has the shape of x."""
    got = answer(*copies(x), *(value.clone() if isinstance(value, Tensor) else value for value in rest))
    if isinstance(got, (tuple, list)):
        raise Wrong(f"{name}: {len(got)} things came back; wanted one tensor of the shape of x, {tuple(x.shape)}.")
    return expect_tensor(got, name, tuple(x.shape))


def where_only(x: Tensor) -> str:
    if x.ndim == 3:
        return ""
    first = next(shapes[0] for shapes in SHAPES if tuple(x.shape) in shapes)
    return f" (On x of shape {first} it is right, on {tuple(x.shape)} not. {ANY_AXES})"


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
        raise Wrong("With eps given, 1e-5, it is right. So the default in the `def` is a different one.")


def clue(got: Tensor, rest, wanted: Tensor) -> str:
    """What mean and mean square say of a norm that is wrong in no known way."""
    gamma, *beta = (value.double() for value in rest if isinstance(value, Tensor))
    before = [((value.detach().double() - sum(beta)) / gamma).reshape(-1, len(gamma))[0] for value in (got, wanted)]
    means, squares = [z.mean() for z in before], [z.square().mean() for z in before]
    about = f"mean {number(means[0])}, wanted 0, and " if beta else ""
    undone = "Subtract beta and divide by gamma" if beta else "Divide by gamma"
    about += f"mean square {number(squares[0])}, wanted {number(squares[1])}"
    return f" {undone}: the numbers of the first position then have {about}."


def compare_gradients(answer, right, tensors, told=None, at: str = "") -> None:
    """The gradients of the answer's norm are those of right(*tensors, eps); the first of the tensors is x."""
    tensors = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    x, gamma, *_ = (tensor.detach() for tensor in tensors)
    upstream = draw.normal(*x.shape, dtype=x.dtype)
    got, wanted = has_gradient(result(answer, "the result", *tensors), "the result"), right(*tensors, 1e-5)
    if not close(got, wanted, 1e-4):
        raise Wrong("The numbers are not right yet, so neither are the gradients. Fix those first.")
    found = torch.autograd.grad((got * upstream).sum(), tensors, allow_unused=True)
    wanted = torch.autograd.grad((wanted * upstream).sum(), tensors)
    for mine, true, name in zip(found, wanted, ("x", "gamma", "beta"), strict=False):
        if mine is None:
            raise Wrong(f"No gradient reaches {name}. Look for .detach(), .data, .item() or torch.no_grad().")
        if at and not mine.isfinite().all():
            raise Wrong(f"The gradient with respect to {name} is not finite {at}. {NO_SLOPE}")
        cut = list(told(x, gamma, upstream)) if told and name == "x" else []
        compare(mine, true, cut, f"the gradient with respect to {name}{at and ', ' + at}", 1e-4)
