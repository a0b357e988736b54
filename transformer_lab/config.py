"""The configuration of a model: all that distinguishes the four families."""

from dataclasses import dataclass

from .arguments import check_at_least, is_number
from .sentences import short_repr

CHOICES = {
    "norm": ("layer", "rms"),
    "norm_position": ("pre", "post"),
    "activation": ("relu", "gelu", "gelu_tanh", "swiglu"),
    "positions": ("none", "sinusoidal", "learned", "rotary", "alibi"),
}

SWITCHES = ("bias", "tie_embeddings", "scale_embeddings", "norm_embeddings", "pooler", "masked_lm_head")


@dataclass(frozen=True)
class TransformerConfig:
    """The sizes and options of a Transformer; raises ValueError for a combination that makes no sense.

    vocab_size     tokens the model knows               n_layers       blocks in the encoder, and in the decoder
    d_model        width of every hidden state          d_ff           inner width of the feed-forward layer
    n_heads        heads of each attention              n_kv_heads     keys and values, if heads share them
    d_head         width of a head: d_model / n_heads   max_len        longest sequence
    norm           "layer" or "rms"                     norm_position  "pre" or "post"
    norm_eps       added to the variance                activation     "relu", "gelu", "gelu_tanh" or "swiglu"
    positions      "none", "sinusoidal", "learned", "rotary" or "alibi"; rope_theta: rotary's base
    bias           linear layers have one               dropout        on embeddings and sub-layers' outputs
    tie_embeddings   the output layer is the embedding  scale_embeddings   token vectors times sqrt(d_model)
    norm_embeddings  a norm right after the embedding   n_segments     kinds of segment (BERT's sentences A and B)
    pooler, masked_lm_head   BERT's two heads
    """

    vocab_size: int
    d_model: int = 64
    n_heads: int = 4
    n_layers: int = 2
    d_ff: int = 256
    max_len: int = 64
    n_kv_heads: int | None = None
    d_head: int | None = None
    norm: str = "layer"
    norm_position: str = "pre"
    norm_eps: float = 1e-5
    activation: str = "relu"
    positions: str = "sinusoidal"
    rope_theta: float = 10_000.0
    bias: bool = True
    dropout: float = 0.0
    tie_embeddings: bool = True
    scale_embeddings: bool = True
    norm_embeddings: bool = False
    n_segments: int = 0
    pooler: bool = False
    masked_lm_head: bool = False

    def __post_init__(self):
        for name in ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "max_len"):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("n_segments", self.n_segments, 0)
        for name in ("n_kv_heads", "d_head"):
            if getattr(self, name) is not None:
                check_at_least(name, getattr(self, name), 1)
        for name in ("norm_eps", "rope_theta"):
            if not is_number(getattr(self, name)) or getattr(self, name) <= 0:
                raise ValueError(f"{name} must be a number, more than 0; got {short_repr(getattr(self, name))}.")
        if not is_number(self.dropout) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be a number, at least 0 and less than 1; got {short_repr(self.dropout)}.")
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False; got {short_repr(getattr(self, name))}.")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                listed = ", ".join(f'"{choice}"' for choice in choices)
                raise ValueError(f"{name} must be one of {listed}; got {short_repr(getattr(self, name))}.")
        if self.d_head is None and self.d_model % self.n_heads:
            raise ValueError(
                f"d_model must be a multiple of n_heads; got d_model={self.d_model}, n_heads={self.n_heads}."
            )
        if self.n_kv_heads is not None and self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_heads must be a multiple of n_kv_heads; got n_heads={self.n_heads}, n_kv_heads={self.n_kv_heads}."
            )
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(f"d_head must be even for rotary positions; got {self.head_width}.")
        if self.positions == "sinusoidal" and self.d_model % 2:
            raise ValueError(f"d_model must be even for sinusoidal positions; got {self.d_model}.")

    @property
    def head_width(self) -> int:
        """The width of a head: d_head if given, else d_model / n_heads."""
        return self.d_head or self.d_model // self.n_heads

    @classmethod
    def preset(cls, name: str, **changes) -> "TransformerConfig":
        """Return a preset (a key of PRESETS), with any fields changed; raises ValueError for an unknown name.

        The teaching sizes "nano" and "small" have no vocabulary of their own: give vocab_size.
        """
        if name not in PRESETS:
            raise ValueError(f"No preset called {name!r}: give one of {', '.join(PRESETS)}.")
        fields = {**PRESETS[name], **changes}
        if "vocab_size" not in fields:
            raise ValueError(f'The preset "{name}" needs a vocab_size.')
        return cls(**fields)


GPT2 = dict(
    vocab_size=50_257,
    max_len=1024,
    activation="gelu_tanh",
    positions="learned",
    scale_embeddings=False,
)
BERT_STYLE = dict(
    vocab_size=30_522,
    max_len=512,
    norm_position="post",
    norm_eps=1e-12,
    activation="gelu",
    positions="learned",
    scale_embeddings=False,
    norm_embeddings=True,
    n_segments=2,
    pooler=True,
)
PRESETS = {
    # Vaswani et al. 2017, table 3, "base"; they round its parameters to 65 million.
    "vaswani2017": dict(
        vocab_size=37_000, d_model=512, n_heads=8, n_layers=6, d_ff=2048, max_len=512, norm_position="post", dropout=0.1
    ),
    # Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
    "gpt2": dict(GPT2, d_model=768, n_heads=12, n_layers=12, d_ff=3072),
    "gpt2-medium": dict(GPT2, d_model=1024, n_heads=16, n_layers=24, d_ff=4096),
    "gpt2-large": dict(GPT2, d_model=1280, n_heads=20, n_layers=36, d_ff=5120),
    "gpt2-xl": dict(GPT2, d_model=1600, n_heads=25, n_layers=48, d_ff=6400),
    # Devlin et al. 2018 (arXiv:1810.04805); all-MiniLM-L6-v2 is its small descendant (arXiv:2002.10957).
    "bert-base": dict(BERT_STYLE, d_model=768, n_heads=12, n_layers=12, d_ff=3072),
    "minilm": dict(BERT_STYLE, d_model=384, n_heads=12, n_layers=6, d_ff=1536),
    # Ben Allal et al. 2025 (arXiv:2502.02737), in the style of Llama (arXiv:2302.13971).
    "smollm2-135m": dict(
        vocab_size=49_152,
        d_model=576,
        n_heads=9,
        n_kv_heads=3,
        n_layers=30,
        d_ff=1536,
        max_len=8192,
        norm="rms",
        activation="swiglu",
        positions="rotary",
        rope_theta=100_000.0,
        bias=False,
        scale_embeddings=False,
    ),
    # Teaching sizes: "nano" trains in a minute or so on a laptop; "small" needs a GPU.
    "nano": dict(d_model=64, n_heads=4, n_layers=2, d_ff=256, max_len=64, activation="gelu"),
    "small": dict(d_model=384, n_heads=6, n_layers=6, d_ff=1536, max_len=256, activation="gelu"),
}
