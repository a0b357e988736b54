"""Lesson 06: the checks of the pre-norm wrapper."""

import torch
from torch import Tensor, nn

from ....sentences import kind_of
from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import (
    close,
    compare,
    copies,
    expect_tensor,
    has_gradient,
    keeps_dtype,
    keeps_every_dtype,
    leaves_alone,
    settled,
)
from . import residual_faults as faults

SHAPES = (
    ((2, 5, 12), (3, 1, 7), (1, 4, 9)),
    ((3, 4, 10), (2, 1, 9), (1, 5, 7)),
    ((2, 6, 9), (4, 1, 8), (1, 3, 10)),
)
DROPPED = 0.25
LOOK = "Draw the two paths: on the branch norm, then the sub-layer; on the skip nothing; then one addition."


class Branch(nn.Module):
    """A sub-layer that keeps the shape, with parameters of its own."""

    def __init__(self, D: int):
        super().__init__()
        self.linear = draw.made(nn.Linear, D, D)
        nn.init.normal_(self.linear.bias, generator=draw.generator)

    def forward(self, x):
        return torch.tanh(self.linear(x))


class RootMeanSquare(nn.Module):
    """A norm without parameters, and without the attributes of nn.LayerNorm."""

    def forward(self, x):
        return x / x.square().mean(-1, keepdim=True).sqrt()


class pre_norm:
    answers = ("PreNorm(norm, sublayer, dropout)",)

    @check("a module that keeps shape and dtype", 1)
    def shape(PreNorm):
        shapes = draw.one_of(*SHAPES)
        for shape in shapes:
            keeps_every_dtype(
                lambda dtype, shape=shape: run(built(PreNorm, shape[-1], dtype=dtype)[0], inputs(shape, dtype)),
                "the output",
            )
        module, x = PreNorm(RootMeanSquare(), Branch(shapes[0][-1]), 0.0), inputs(shapes[0])
        if isinstance(module, nn.Module):
            run(module.eval(), x)  # any module may come as norm: call it, and ask nothing else of it

    @check("the right numbers without dropout", 2)
    def values(PreNorm):
        right_without_dropout(PreNorm)

    @check("gradients: around the branch and through it", 1)
    def gradient(PreNorm):
        shape, *_ = draw.one_of(*SHAPES)
        module, norm, f = built(PreNorm, shape[-1])
        x, upstream = inputs(shape).requires_grad_(), draw.normal(*shape)
        out = has_gradient(run(module, x), "the output")
        (got,) = torch.autograd.grad((out * upstream).sum(), x, retain_graph=True, allow_unused=True)
        own = f.linear.weight, norm.weight
        for part, weight in zip(("the sub-layer", "the norm"), own, strict=True):
            if not weight.requires_grad:
                raise Wrong(f"The parameters of {part} are frozen (requires_grad is False): they are to be trained.")
        learnt = torch.autograd.grad((out * upstream).sum(), own, allow_unused=True)
        for part, found in zip(("the sub-layer", "the norm"), learnt, strict=True):
            if found is None or not found.any():
                right_numbers = close(out, x + f(norm(x)))
                look = "Look for .detach(), torch.no_grad(), or a copy of it that is used instead."
                raise Wrong(
                    f"No gradient reaches {part}, so it cannot learn. "
                    + (look if right_numbers else "The numbers above are not right either: is it used at all?")
                )
        got = torch.zeros_like(x) if got is None else got
        (through,) = torch.autograd.grad((f(norm(x)) * upstream).sum(), x)
        told = [
            (
                through,
                "The skip passes on no gradient: x is detached there. That leaves J where I + J is wanted.",
                None,
            ),
            (upstream, "The branch passes no gradient on to x: its input is detached. That leaves I alone.", None),
            (0 * upstream, "No gradient reaches x at all. Look for .detach(), .data or torch.no_grad().", None),
        ]
        if close(out, x + f(norm(x))):
            compare(got, upstream + through, told, "the gradient at x", 1e-4)

    @check("the parameters of norm and sub-layer, and no others", 1)
    def parameters(PreNorm):
        shape, *_ = draw.one_of(*SHAPES)
        module, norm, f = built(PreNorm, shape[-1])
        run(module, inputs(shape))  # some make their layers at the first call
        own = {id(p) for p in module.parameters()}
        for part, name in ((f, "sublayer"), (norm, "norm")):
            if not {id(p) for p in part.parameters()} <= own:
                raise Wrong(
                    f"The parameters of {name} are not among PreNorm(...).parameters(): an optimiser would never train "
                    f"them. Store the module itself as an attribute (self.{name} = {name}): a copy is another module, "
                    "and in a plain list, a dict or a lambda torch does not see it."
                )
        extra = own - {id(p) for part in (f, norm) for p in part.parameters()}
        more = [tuple(p.shape) for p in module.parameters() if id(p) in extra]
        if more:
            square = any(len(shape) == 2 for shape in more)
            told = (
                "A learnt matrix has no place here: the skip is x as it is."
                if square
                else "Nothing here needs its own."
            )
            raise Wrong(
                f"There are parameters that belong to neither norm nor sublayer, of shapes {more}. {told}",
                "M18" if square else None,
            )

    @check("dropout on what is written, while training", 1)
    def dropout(PreNorm):
        settled(lambda: right_without_dropout(PreNorm), "The numbers without dropout are")
        module, norm, f = built(PreNorm, 24, DROPPED, torch.float64)
        x = inputs((8, 16, 24), torch.float64)
        with torch.no_grad():
            written = f(norm(x))
            got = run(module, x)
            if not close(run(module, x), got):
                raise Wrong(
                    "In eval mode two calls give different results: dropout is still at work. nn.Dropout as "
                    "an attribute knows the "
                    "mode; F.dropout has to be told: training=self.training."
                )
            keeps_dtype(got, x.dtype, "the output")
            if told := faults.branch_factor(got, x, written):
                raise Wrong(f"In eval mode, with dropout={DROPPED}: {told}")
            name = f"PreNorm(norm, sublayer, {DROPPED}) in eval mode"
            faults.judge(got, x + written, faults.wrapped(x, f, norm), name, LOOK)
            module.train()
            trained = [run(module, x) for _ in range(20)]
            told = faults.dropped(trained, x, written, norm(x), DROPPED)
            if told:
                raise Wrong(told)


def right_without_dropout(PreNorm) -> None:
    for shape in draw.one_of(*SHAPES):
        module, norm, f = built(PreNorm, shape[-1])
        x = inputs(shape)
        with torch.no_grad():
            got = run(module, x)
            if not close(run(module, x), got):
                raise Wrong(
                    "Two calls with the same x give different results, with dropout=0: is there noise of another kind?"
                )
            look = faults.branch_factor(got, x, f(norm(x))) or LOOK
            faults.judge(got, x + f(norm(x)), faults.wrapped(x, f, norm), "PreNorm(...)(x)", look)
            leaves_alone(module, x=x)


def built(PreNorm, D: int, dropout: float = 0.0, dtype=torch.float32):
    """(the answer's module in eval mode, its norm, its sub-layer)"""
    norm, f = nn.LayerNorm(D), Branch(D)
    (
        nn.init.normal_(norm.weight, 1.0, 0.5, generator=draw.generator),
        nn.init.normal_(norm.bias, generator=draw.generator),
    )
    norm, f = norm.to(dtype), f.to(dtype)
    module = PreNorm(norm, f, dropout)
    if isinstance(module, Tensor):
        raise Wrong("PreNorm(norm, sublayer, dropout) gave a tensor; wanted a module, which takes x in forward.")
    if not isinstance(module, nn.Module):
        raise Wrong(f"PreNorm(...) gave {kind_of(module)}; wanted a module: class PreNorm(nn.Module).")
    return module.to(dtype).eval(), norm, f


def inputs(shape, dtype=torch.float32) -> Tensor:
    """Hidden states far from normalised: norm(x) is another thing."""
    return 2 * draw.normal(*shape, dtype=dtype) + 0.5


def run(module, x: Tensor) -> Tensor:
    try:
        out = module(x) if x.requires_grad else module(*copies(x))
    except NotImplementedError:
        raise NotDone("write the body of forward(), run its cell, then run this one again.") from None
    if out is None:
        raise Wrong("forward() returned None: did you forget `return`?")
    return expect_tensor(out, "the output", x.shape)
