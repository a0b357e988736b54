"""One dataclass says what a model is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes and choices of a Transformer; raises ValueError for a combination that makes no sense.

    vocab_size   tokens the model knows              n_layers   blocks in the encoder, and in the decoder
    d_model      width of every hidden state         d_ff       inner width of the feed-forward layer
    n_heads      heads; each is d_model / n_heads    max_len    longest sequence
    norm_position  "pre" or "post"
    """

    vocab_size: int
    d_model: int = 64
    n_heads: int = 4
    n_layers: int = 2
    d_ff: int = 256
    max_len: int = 64
    norm_position: str = "pre"

    def __post_init__(self):
        for name in ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "max_len"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}.")
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model must be a multiple of n_heads; got d_model={self.d_model}, n_heads={self.n_heads}."
            )
        if self.d_model % 2:
            raise ValueError(f"d_model must be even for sinusoidal positions; got {self.d_model}.")
        if self.norm_position not in ("pre", "post"):
            raise ValueError(f'norm_position must be "pre" or "post"; got {self.norm_position!r}.')
