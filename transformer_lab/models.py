"""Assemblies of the parts. Today: the encoder-decoder of Vaswani et al. 2017 (arXiv:1706.03762, figure 1)."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .attention import MultiHeadAttention, causal_mask
from .config import TransformerConfig
from .layers import FeedForward, LayerNorm, Residual
from .positions import SinusoidalPositions


class EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward layer, each on a residual path."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.attention = MultiHeadAttention(config.d_model, config.n_heads)
        self.feed_forward = FeedForward(config.d_model, config.d_ff)
        self.residuals = nn.ModuleList(Residual(config.d_model, config.norm_position) for _ in range(2))

    def forward(self, x: Float[Tensor, "B S D"], mask: Bool[Tensor, "B 1 1 S"]) -> Float[Tensor, "B S D"]:
        x = self.residuals[0](x, lambda x: self.attention(x, mask=mask))
        return self.residuals[1](x, self.feed_forward)


class DecoderBlock(nn.Module):
    """Causal self-attention, cross-attention to the encoder's output, then the feed-forward layer."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.attention = MultiHeadAttention(config.d_model, config.n_heads)
        self.cross_attention = MultiHeadAttention(config.d_model, config.n_heads)
        self.feed_forward = FeedForward(config.d_model, config.d_ff)
        self.residuals = nn.ModuleList(Residual(config.d_model, config.norm_position) for _ in range(3))

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        memory: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "B 1 T T"],
        memory_mask: Bool[Tensor, "B 1 1 S"],
    ) -> Float[Tensor, "B T D"]:
        x = self.residuals[0](x, lambda x: self.attention(x, mask=mask))
        x = self.residuals[1](x, lambda x: self.cross_attention(x, memory, memory_mask))
        return self.residuals[2](x, self.feed_forward)


class Transformer(nn.Module):
    """Encoder-decoder: ids (B, S) and (B, T) -> logits (B, T, vocab_size); one embedding serves both ends."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)
        self.positions = SinusoidalPositions(config.max_len, config.d_model)
        self.encoder = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        # Pre-norm blocks leave their sum unnormalised, so each stack ends with one more norm.
        pre = config.norm_position == "pre"
        self.encoder_norm = LayerNorm(config.d_model) if pre else nn.Identity()
        self.decoder_norm = LayerNorm(config.d_model) if pre else nn.Identity()

    def forward(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_mask: Bool[Tensor, "B S"] | None = None,
        target_mask: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T vocab_size"]:
        """Row t predicts token t + 1 of the target; masks are True at real tokens."""
        return self.decode(target, self.encode(source, source_mask), source_mask, target_mask)

    def encode(self, source, source_mask=None) -> Float[Tensor, "B S D"]:
        """One vector for each source token."""
        mask = token_mask(source, source_mask)
        x = self.embed(source)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, target, memory, source_mask=None, target_mask=None) -> Float[Tensor, "B T vocab_size"]:
        """Logits for the token after each target position, given the encoder's output."""
        T = target.shape[1]
        mask = token_mask(target, target_mask) & causal_mask(T, device=target.device)
        memory_mask = token_mask(memory[..., 0], source_mask)
        x = self.embed(target)
        for block in self.decoder:
            x = block(x, memory, mask, memory_mask)
        return self.decoder_norm(x) @ self.embedding.weight.T

    def embed(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """Token vectors scaled to unit variance, plus positions (2017, sections 3.4 and 3.5)."""
        return self.positions(self.embedding(ids) * math.sqrt(self.config.d_model))


def token_mask(like: Tensor, mask: Bool[Tensor, "B T"] | None) -> Bool[Tensor, "B 1 1 T"]:
    """A token mask (all True where none is given) in the shape that attention broadcasts."""
    if mask is None:
        mask = torch.ones(like.shape, dtype=torch.bool, device=like.device)
    return mask[:, None, None, :]
