"""Adapters: a narrow layer after each sub-layer of a frozen model, which learns how to correct what it says.

    h + W_up gelu(W_down h)        W_down: (width, D);  W_up: (D, width)

W_up begins at zero: the model begins as the old one. Unlike LoRA's change, an adapter cannot be merged.
Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP" (arXiv:1902.00751).
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import check_at_least
from .layers import replace_linear


class Adapter(nn.Module):
    """Down to a few numbers, an activation, up again, and added to what came in; ValueError for a width below 1."""

    def __init__(self, d_model: int, width: int):
        super().__init__()
        check_at_least("width", width, 1)
        self.down, self.up = nn.Linear(d_model, width), nn.Linear(width, d_model)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, h: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        return h + self.up(F.gelu(self.down(h)))


def add_adapters(model: nn.Module, width: int = 16) -> None:
    """Freeze the model, and put an adapter behind the last layer of each sub-layer: w_o of attention, w_2 after it."""
    replace_linear(
        model, ("w_o", "w_2"), lambda last: nn.Sequential(last, Adapter(last.out_features, width).to(last.weight))
    )
