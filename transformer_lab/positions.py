"""Five position schemes: none, sinusoidal, learned, rotary and ALiBi.

Without positions, attention sees a bag of words. Each scheme acts in one of three places: on the embeddings
(sinusoidal, learned), on queries and keys (rotary), or on the scores (ALiBi).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .config import TransformerConfig


def count_positions(n_tokens: int, mask: Bool[Tensor, "B S"] | None = None, device=None) -> Int[Tensor, "#B S"]:
    """Count 0, 1, 2, ... from each row's first real token, so that left padding does not shift positions."""
    positions = torch.arange(n_tokens, device=device)[None]
    if mask is None:
        return positions
    first_real = mask.int().argmax(dim=1, keepdim=True)
    return (positions - first_real).clamp(min=0)


class NoPositions(nn.Module):
    """No positions at all; also the base class of the other schemes, each of which overrides one method."""

    def forward(self, x: Float[Tensor, "B T D"], positions: Int[Tensor, "#B S"]) -> Float[Tensor, "B T D"]:
        """Return the embeddings x with positions added; x has the last T of the S positions."""
        return x

    def rotation(self, positions: Int[Tensor, "#B T"], dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        """Return the rotation of queries and keys as cos and sin, each (B, 1, T, d_head / 2), or None."""
        return None

    def bias(self, queries: Int[Tensor, "#B T"], keys: Int[Tensor, "#B S"]) -> Float[Tensor, "#B H T S"] | None:
        """Return the bias to add to the scores, given the positions of queries and keys, or None."""
        return None


def sinusoidal_table(max_len: int, d_model: int) -> Float[Tensor, "max_len D"]:
    """Return sin and cos of position / 10000^(2i / d_model), interleaved: one frequency for each pair of features."""
    position = torch.arange(max_len)[:, None]
    frequency = 10_000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angle = position * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(start_dim=1)


class TablePositions(NoPositions):
    """Adds a row of a table to each position; raises ValueError for sequences longer than the table, max_len."""

    table: Tensor

    def forward(self, x, positions):
        T, S, max_len = x.shape[1], positions.shape[1], len(self.table)
        if max_len < S:
            raise ValueError(f"The sequence has {S} positions; this model's max_len is {max_len}.")
        return x + self.table[positions[:, -T:]]


class SinusoidalPositions(TablePositions):
    """A fixed table of sines and cosines (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, max_len: int, d_model: int):
        super().__init__()
        self.register_buffer("table", sinusoidal_table(max_len, d_model), persistent=False)


class LearnedPositions(TablePositions):
    """A table that is trained (Gehring et al. 2017, arXiv:1705.03122; GPT-2 and BERT)."""

    def __init__(self, max_len: int, d_model: int):
        super().__init__()
        self.table = nn.Parameter(torch.randn(max_len, d_model))


class RotaryPositions(NoPositions):
    """Rotates pairs of features of q and k by angles proportional to the position (Su et al. 2021, arXiv:2104.09864).

    q.k then depends on the offset only. Feature i is paired with feature i + d_head / 2, as in Hugging Face's Llama.
    """

    def __init__(self, d_head: int, theta: float):
        super().__init__()
        self.d_head, self.theta = d_head, theta

    def rotation(self, positions, dtype):
        # An angle such as 8191 radians needs more precision than 16 bits give.
        dtype = torch.promote_types(dtype, torch.float32)
        pair = torch.arange(0, self.d_head, 2, device=positions.device, dtype=dtype)
        frequency = self.theta ** (-pair / self.d_head)
        angle = positions[:, None, :, None] * frequency
        return angle.cos(), angle.sin()


def rotate(
    x: Float[Tensor, "B H T d_head"], cos: Float[Tensor, "#B 1 T half"], sin: Float[Tensor, "#B 1 T half"]
) -> Float[Tensor, "B H T d_head"]:
    """Rotate each pair (a, b) of features by its angle: (a cos - b sin, b cos + a sin)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).type_as(x)


def alibi_slopes(n_heads: int) -> Float[Tensor, "H"]:
    """Return the slopes 2^(-8/H), 2^(-16/H), ... of H heads.

    If H is not a power of two: the slopes for the power of two below H, then every other slope for the one above.
    """
    below = 2 ** (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * (i + 1) / below) for i in range(below)]
    between = [2 ** (-4 * (i + 1) / below) for i in range(0, 2 * below, 2)]
    return torch.tensor((slopes + between)[:n_heads])


class AlibiPositions(NoPositions):
    """Lowers each score by the head's slope times the distance (Press et al. 2021, arXiv:2108.12409)."""

    slopes: Tensor

    def __init__(self, n_heads: int):
        super().__init__()
        self.register_buffer("slopes", alibi_slopes(n_heads), persistent=False)

    def bias(self, queries, keys):
        distance = (queries[:, None, :, None] - keys[:, None, None, :]).abs()
        return -self.slopes[:, None, None] * distance


def absolute_positions(config: TransformerConfig) -> NoPositions:
    """Make the config's scheme if it acts on the embeddings."""
    if config.positions == "sinusoidal":
        return SinusoidalPositions(config.max_len, config.d_model)
    if config.positions == "learned":
        return LearnedPositions(config.max_len, config.d_model)
    return NoPositions()


def relative_positions(config: TransformerConfig) -> NoPositions:
    """Make the config's scheme if it acts inside attention."""
    if config.positions == "rotary":
        return RotaryPositions(config.head_width, config.rope_theta)
    if config.positions == "alibi":
        return AlibiPositions(config.n_heads)
    return NoPositions()
