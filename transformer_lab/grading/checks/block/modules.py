"""Lesson 09: what the checks of a block and of a stack share: sub-layers to hand in, and looking at modules."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...answer import Answer
from ...checking import Wrong
from ...draw import draw
from ..common import (
    close,
    expect_tensor,
    has_gradient,
    keeps_dtype,
    leaves_alone,
)

SIZES = (3, 5, 6), (2, 7, 8), (4, 6, 10)  # B, T, d_model


class Mixer(nn.Module):
    """Stands for attention: each position gets something of itself and of those before it."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = draw.made(nn.Linear, width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.cumsum(dim=-2)).tanh()


class Bender(nn.Module):
    """Stands for the feed-forward layer: the same function at every position."""

    def __init__(self, width: int):
        super().__init__()
        self.w_1, self.w_2 = draw.made(nn.Linear, width, 3 * width), draw.made(nn.Linear, 3 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_2(F.gelu(self.w_1(x)))


def expect_module(made, name: str) -> nn.Module:
    if isinstance(made, Tensor):
        raise Wrong(f"{name}(...) gave a tensor; wanted a module, whose forward(x) gives the tensor.")
    if not isinstance(made, nn.Module):
        raise Wrong(
            f"{name}(...) gave {type(made).__name__}, which is not an nn.Module: write `class {name}(nn.Module)`. "
            "Only then are its parameters found, trained, moved and saved."
        )
    return made


def run_module(module: nn.Module, x: Tensor, name: str) -> Tensor:
    """module(x), as a learner's function is called: an empty forward is not done yet, a raised error shows its line."""
    got = Answer(module, f"{name}.forward(x)")(x.clone())
    got = expect_tensor(got, "the output", tuple(x.shape))
    keeps_dtype(got, x.dtype, "the output")
    again = module(x.clone())
    if not close(again, got):
        raise Wrong(
            "Two calls with the same input give different results: is a new layer made in forward(), or is "
            "there dropout?"
        )
    return got


def stays_in_training(*parts: nn.Module) -> None:
    """Whoever puts a module together leaves the mode of its parts to whoever trains or evaluates it."""
    if not all(module.training for part in parts for module in part.modules()):
        raise Wrong(
            "A part is in evaluation mode now: leave .eval() to whoever evaluates the model, or it never trains."
        )


WRITTEN_IN = "The size of a norm does not follow d_model: write nn.LayerNorm(d_model), with the argument, not a number."


def layer_norm(x: Tensor, gamma: Tensor | float = 1.0, beta: Tensor | float = 0.0) -> Tensor:
    """One position at a time: mean 0 and variance 1 over its features, then scale and shift."""
    rows = [(row - row.mean()) / (((row - row.mean()) ** 2).mean() + 1e-5).sqrt() for row in x.reshape(-1, x.shape[-1])]
    return torch.stack(rows).view(x.shape) * gamma + beta


def gradients_arrive(module: nn.Module, name: str, spec, *shape: int) -> None:
    """Every parameter gets a gradient, and the input its full gradient, the same as through spec(x)."""
    leaves_alone(lambda x: module(x), x=draw.normal(*shape))
    x = draw.normal(*shape).requires_grad_()
    got = Answer(module, f"{name}.forward(x)")(x * 1.0)
    upstream = draw.standard(*shape)
    wanted = spec(x)
    (through,) = torch.autograd.grad((wanted * upstream).sum(), x)
    (has_gradient(expect_tensor(got, "the output", shape), "the output") * upstream).sum().backward()
    for what, parameter in module.named_parameters():
        if parameter.grad is None or not parameter.grad.any():
            raise Wrong(f"No gradient reaches {what}, so it would never learn: is it used in forward()?")
    if x.grad is None or not x.grad.any():
        raise Wrong("No gradient reaches the input, so nothing before this module could learn. Look for .detach().")
    if close(got, wanted, 1e-4) and not close(x.grad, through, 1e-3):
        raise Wrong(PARTLY)


PARTLY = (
    "The output is right, but a part of the gradient to the input is lost on the way, by the skip or by a branch. "
    "Look for .detach(), .data or torch.no_grad()."
)
