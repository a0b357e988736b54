"""The embedding, the Transformer block, the stack of n_layers blocks, and the weights that they begin with."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from .attention import KVCache, MultiHeadAttention, restrict, with_causality
from .config import TransformerConfig
from .layers import NORMS, FeedForward, Residual
from .positions import absolute_positions, count_positions, relative_positions


def make_norm(config: TransformerConfig) -> nn.Module:
    """Make the config's norm, LayerNorm or RMSNorm, over d_model features."""
    return NORMS[config.norm](config.d_model, config.norm_eps)


def make_residual(config: TransformerConfig) -> Residual:
    """Make the residual connection around one sub-layer, with its own norm."""
    return Residual(make_norm(config), config.norm_position, config.dropout)


class Embedding(nn.Module):
    """Token ids -> vectors: the token embedding plus, if the config has them, segment and position embeddings."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.scale = math.sqrt(config.d_model) if config.scale_embeddings else 1.0  # 2017, section 3.4
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.positions = absolute_positions(config)
        self.segments = nn.Embedding(config.n_segments, config.d_model) if config.n_segments else None
        self.norm = make_norm(config) if config.norm_embeddings else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        mask: Bool[Tensor, "B S"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
        n_cached: int = 0,
    ) -> tuple[Float[Tensor, "B T D"], Int[Tensor, "#B S"]]:
        """Return the vectors of ids, and the positions of all S tokens: the n_cached read before, then ids."""
        check_tokens(ids, mask, n_cached)
        positions = count_positions(n_cached + ids.shape[1], mask, ids.device)
        return self.at(positions, ids, segments), positions

    def at(
        self, positions: Int[Tensor, "#B S"], ids: Int[Tensor, "B T"], segments: Int[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T D"]:
        """Return the vectors of ids, which stand at the last T of these positions."""
        x = self.tokens(ids) * self.scale
        if self.segments is not None:
            x = x + self.segments(torch.zeros_like(ids) if segments is None else segments)
        return self.dropout(self.norm(self.positions(x, positions)))


def check_tokens(ids: Tensor, mask: Tensor | None, n_cached: int) -> None:
    """Raise ValueError unless ids are integers (B, T) and the mask, if any, is bool (B, n_cached + T)."""
    for name, given in (("Token ids", ids), ("The mask", mask)):
        if given is not None and not isinstance(given, Tensor):
            raise ValueError(f"{name} must be a tensor; got {type(given).__name__}: torch.tensor({name.split()[-1]}).")
    if ids.ndim != 2 or ids.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"Token ids must be int64 of shape (B, T); got {ids.dtype} of shape {tuple(ids.shape)}.")
    wanted = (ids.shape[0], n_cached + ids.shape[1])
    if mask is not None and (mask.dtype != torch.bool or mask.shape != wanted):
        raise ValueError(
            f"The mask must be bool of shape {wanted}, True at real tokens; "
            f"got {mask.dtype} of shape {tuple(mask.shape)}."
        )


class Block(nn.Module):
    """Self-attention, then cross-attention if `cross`, then the feed-forward layer."""

    def __init__(self, config: TransformerConfig, cross: bool = False):
        super().__init__()
        sizes = config.d_model, config.n_heads, config.n_kv_heads, config.head_width, config.bias
        self.attention = MultiHeadAttention(*sizes)
        self.cross_attention = MultiHeadAttention(*sizes) if cross else None
        self.feed_forward = FeedForward(config.d_model, config.d_ff, config.activation, config.bias)
        self.attention_residual = make_residual(config)
        self.cross_residual = make_residual(config) if cross else None
        self.feed_forward_residual = make_residual(config)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        mask: Shaped[Tensor, "*#batch #T S"] | None = None,
        causal: bool = False,
        rotation: tuple[Tensor, Tensor] | None = None,
        memory: Float[Tensor, "B M D"] | None = None,
        memory_mask: Bool[Tensor, "B 1 1 M"] | None = None,
        cache: tuple[KVCache | None, KVCache | None] = (None, None),
    ) -> Float[Tensor, "B T D"]:
        """Apply the block. mask, causal and rotation are for self-attention; cache is (self-attention's, memory's)."""
        self_cache, memory_cache = cache
        x = self.attention_residual(
            x, lambda x: self.attention(x, mask=mask, causal=causal, rotation=rotation, cache=self_cache)
        )
        if self.cross_attention is not None and self.cross_residual is not None:
            x = self.cross_residual(
                x, lambda x: self.cross_attention(x, memory=memory, mask=memory_mask, cache=memory_cache)
            )
        return self.feed_forward_residual(x, self.feed_forward)


class Stack(nn.Module):
    """n_layers blocks. Pre-norm blocks leave their sum unnormalised, so a pre-norm stack ends with one more norm."""

    def __init__(self, config: TransformerConfig, causal: bool = False, cross: bool = False):
        super().__init__()
        self.causal = causal
        self.positions = relative_positions(config)
        self.blocks = nn.ModuleList(Block(config, cross) for _ in range(config.n_layers))
        self.norm = make_norm(config) if config.norm_position == "pre" else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        positions: Int[Tensor, "#B S"],
        mask: Bool[Tensor, "B S"] | None = None,
        memory: Float[Tensor, "B M D"] | None = None,
        memory_mask: Bool[Tensor, "B M"] | None = None,
        cache: list[tuple[KVCache, KVCache]] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Apply all blocks to x, the last T of S tokens; the S - T before them, if any, are in the cache."""
        T, S = x.shape[1], positions.shape[1]
        rotation = self.positions.rotation(positions[:, -T:], x.dtype)
        bias = self.positions.bias(positions[:, -T:], positions)
        mask = restrict(bias, for_every_query(mask))
        mask, causal = with_causality(mask, self.causal, T, S, x.device)  # once, for all blocks
        memory_mask = for_every_query(memory_mask)
        nothing_cached: Sequence[tuple[None, None]] = [(None, None)] * len(self.blocks)
        for block, block_cache in zip(self.blocks, cache or nothing_cached, strict=True):
            x = block(x, mask, causal, rotation, memory, memory_mask, block_cache)
        return self.norm(x)

    def last_layers(self) -> list[nn.Linear]:
        """Return the last linear layer of each sub-layer; its output is what is added to the residual stream."""
        sublayers = [module for module in self.modules() if isinstance(module, MultiHeadAttention | FeedForward)]
        return [one.w_o if isinstance(one, MultiHeadAttention) else one.w_2 for one in sublayers]

    def new_cache(self) -> list[tuple[KVCache, KVCache]]:
        """Return an empty cache: for each block, one KVCache for self-attention and one for cross-attention."""
        return [(KVCache(), KVCache()) for _ in self.blocks]


def for_every_query(mask: Bool[Tensor, "B S"] | None) -> Bool[Tensor, "B 1 1 S"] | None:
    """Reshape a token mask so that it broadcasts over heads and queries, as attention expects."""
    return None if mask is None else mask[:, None, None, :]


def n_cached(cache: list | None) -> int:
    """Return how many tokens the cache holds."""
    return len(cache[0][0]) if cache else 0


def initialise(model) -> None:
    """Draw the weights with which a model's training begins; all biases are zero.

    With scale_embeddings, as in 2017: scaled token vectors, positions and segments have standard deviation 1, and the
    linear layers follow Xavier's rule, under which they neither enlarge nor shrink what passes through them (Glorot and
    Bengio 2010). Without, as in GPT-2 and BERT: everything is normal with standard deviation 0.02. A pre-norm stack
    then adds up the outputs of its n sub-layers, and so the last layer of each is divided by sqrt(n) (Radford et al.
    2019, section 2.3).
    """
    config, embedding = model.config, model.embedding
    std = 1.0 if config.scale_embeddings else 0.02
    nn.init.normal_(embedding.tokens.weight, std=std / embedding.scale)
    for table in (embedding.positions, embedding.segments):
        for weight in [] if table is None else table.parameters():
            nn.init.normal_(weight, std=std)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            if config.scale_embeddings:
                nn.init.xavier_uniform_(module.weight)
            else:
                nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if config.norm_position == "pre" and not config.scale_embeddings:
        for stack in [module for module in model.modules() if isinstance(module, Stack)]:
            last_layers = stack.last_layers()
            for layer in last_layers:
                nn.init.normal_(layer.weight, std=0.02 / math.sqrt(len(last_layers)))
