"""LoRA: the change that a task needs is learnt beside a frozen matrix, as a product of two thin ones.

    y = W x + b + alpha / r * B A x        W: (d_out, d_in), frozen;  A: (r, d_in);  B: (d_out, r)

W has d_in * d_out numbers, the change only r * (d_in + d_out). B begins at zero: the model begins as the old one.
Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv:2106.09685).
"""

import math
from collections.abc import Collection
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import check_at_least, is_number
from .layers import replace_linear
from .sentences import short_repr


class LoRALinear(nn.Module):
    """A frozen linear layer, and a change of rank r that is learnt; ValueError unless r >= 1 and alpha > 0."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float):
        super().__init__()
        check_at_least("rank", rank, 1)
        if rank > min(linear.weight.shape):
            raise ValueError(f"rank must be at most that of the matrix, {min(linear.weight.shape)}; got {rank}.")
        if not is_number(alpha) or alpha <= 0:
            raise ValueError(f"alpha must be a number, more than 0; got {short_repr(alpha)}.")
        self.linear, self.scale = linear.requires_grad_(False), alpha / rank
        self.A = nn.Parameter(linear.weight.new_empty(rank, linear.in_features))
        self.B = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))
        # Only one of the two may begin at zero: each one's gradient is a product with the other.
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))  # as nn.Linear begins

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        return self.linear(x) + self.scale * (x @ self.A.T @ self.B.T)

    def change(self) -> Float[Tensor, "d_out d_in"]:
        """Return what is added to the frozen matrix."""
        return self.scale * (self.B @ self.A)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return a plain linear layer with the change in its matrix: it computes the same, and costs nothing more."""
        merged = deepcopy(self.linear)
        merged.weight += self.change()
        return merged


def add_lora(model: nn.Module, rank: int = 8, alpha: float = 16.0, targets: Collection[str] = ("w_q", "w_v")) -> None:
    """Freeze the model, and put a LoRALinear in the place of its layers of these names: w_q, w_k, w_v, w_o, w_1 ...

    Raises ValueError if no linear layer has one of these names.
    """
    replace_linear(model, targets, lambda linear: LoRALinear(linear, rank, alpha))


def merge_lora(model: nn.Module) -> None:
    """Put plain linear layers, with the changes in their matrices, in the places of the LoRALinears."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, LoRALinear):
                setattr(parent, name, child.merged())
    vars(model).pop("adaptation", None)  # it is a whole model again, and is saved whole


def lora_state(model: nn.Module) -> dict[str, Tensor]:
    """Return all A and B by name, which is all that was learnt; model.load_state_dict(state, strict=False) takes it."""
    return {
        f"{name}.{matrix}": getattr(layer, matrix).detach().clone()
        for name, layer in model.named_modules()
        if isinstance(layer, LoRALinear)
        for matrix in ("A", "B")
    }
