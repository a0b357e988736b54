"""Where a token stands: the sinusoidal table of Vaswani et al. 2017, section 3.5."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def sinusoidal_table(max_len: int, d_model: int) -> Float[Tensor, "max_len D"]:
    """sin and cos of position / 10000^(2i / d_model), interleaved: one frequency to each pair of features."""
    position = torch.arange(max_len)[:, None]
    frequency = 10_000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angle = position * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(start_dim=1)


class SinusoidalPositions(nn.Module):
    """Adds its row of the table to each position; raises ValueError beyond max_len."""

    def __init__(self, max_len: int, d_model: int):
        super().__init__()
        self.register_buffer("table", sinusoidal_table(max_len, d_model), persistent=False)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        T, max_len = x.shape[1], len(self.table)
        if max_len < T:
            raise ValueError(f"The sequence has {T} positions; this model's max_len is {max_len}.")
        return x + self.table[:T]
