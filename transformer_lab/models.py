"""Four model families built from the same parts; the config holds what differs.

Transformer: encoder-decoder, Vaswani et al. 2017 (arXiv:1706.03762). GPT: decoder only, Radford et al. 2019; with
rotary positions, RMSNorm and swiglu it is Llama (arXiv:2302.13971). BERT: encoder only, Devlin et al. 2018
(arXiv:1810.04805). Token masks are (B, T), True at real tokens.
"""

from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .blocks import Embedding, Stack, initialise, make_norm, n_cached
from .config import TransformerConfig
from .layers import ACTIVATIONS


class Transformer(nn.Module):
    """Encoder-decoder (2017, figure 1); encoder and decoder share one embedding."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.encoder = Stack(config)
        self.decoder = Stack(config, causal=True, cross=True)
        self.output = None if config.tie_embeddings else nn.Linear(config.d_model, config.vocab_size, bias=False)
        initialise(self)

    def forward(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_mask: Bool[Tensor, "B S"] | None = None,
        target_mask: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T vocab_size"]:
        """Return the logits; row t predicts token t + 1 of the target."""
        memory = self.encode(source, source_mask)
        return self.logits(self.decode(target, target_mask, memory=memory, memory_mask=source_mask))

    def encode(self, source, source_mask=None) -> Float[Tensor, "B S D"]:
        """Return one vector for each source token: the memory that the decoder attends to."""
        x, positions = self.embedding(source, source_mask)
        return self.encoder(x, positions, source_mask)

    def decode(self, target, mask=None, *, memory, memory_mask=None, cache=None) -> Float[Tensor, "B T D"]:
        """Return one vector for each target token; with a cache, target holds only the tokens not read before."""
        x, positions = self.embedding(target, mask, n_cached=n_cached(cache))
        return self.decoder(x, positions, mask, memory, memory_mask, cache)

    def logits(self, hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B T vocab_size"]:
        """Each token's score: the dot product of its output vector with the hidden state."""
        return F.linear(hidden, (self.output or self.embedding.tokens).weight)


class GPT(nn.Module):
    """Decoder only: GPT-2 and, by config, Llama."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.decoder = Stack(config, causal=True)
        self.output = None if config.tie_embeddings else nn.Linear(config.d_model, config.vocab_size, bias=False)
        initialise(self)

    def forward(
        self, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B S"] | None = None, *, cache=None
    ) -> Float[Tensor, "B T vocab_size"]:
        """Return the logits; row t predicts token t + 1. With a cache, ids holds only the tokens not read before."""
        return self.logits(self.decode(ids, mask, cache=cache))

    def decode(self, ids, mask=None, *, cache=None) -> Float[Tensor, "B T D"]:
        """Return one vector for each token, computed from it and the tokens before it."""
        x, positions = self.embedding(ids, mask, n_cached=n_cached(cache))
        return self.decoder(x, positions, mask, cache=cache)

    def logits(self, hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B T vocab_size"]:
        """Each token's score: the dot product of its output vector with the hidden state."""
        return F.linear(hidden, (self.output or self.embedding.tokens).weight)


class BERT(nn.Module):
    """Encoder only: one vector for each token; every token attends to all others."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.encoder = Stack(config)
        self.pooler = nn.Linear(config.d_model, config.d_model) if config.pooler else None
        self.masked_lm_head = MaskedLMHead(config) if config.masked_lm_head else None
        initialise(self)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        mask: Bool[Tensor, "B T"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return the last hidden states; segments give each token's sentence, 0 or 1 (all 0 if not given)."""
        x, positions = self.embedding(ids, mask, segments)
        return self.encoder(x, positions, mask)

    def pool(self, hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        """Return one vector for each row: tanh(W h + b) of its first token, [CLS]. Needs pooler=True in the config."""
        if self.pooler is None:
            raise ValueError("This model has no pooler: its config says pooler=False.")
        return self.pooler(hidden[:, 0]).tanh()

    def masked_lm_logits(self, hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B T vocab_size"]:
        """Score, at each position, which token is (or was) there. Needs masked_lm_head=True in the config."""
        if self.masked_lm_head is None:
            raise ValueError("This model has no head for masked tokens: its config says masked_lm_head=False.")
        return self.masked_lm_head(hidden, self.embedding.tokens.weight)


class MaskedLMHead(nn.Module):
    """A dense layer, an activation and a norm, then a score for each token (Devlin et al. 2018, section 3.1)."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.dense, self.norm = nn.Linear(config.d_model, config.d_model), make_norm(config)
        self.activation = ACTIVATIONS[config.activation]
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: Float[Tensor, "B T D"], tokens: Float[Tensor, "V D"]) -> Float[Tensor, "B T V"]:
        return F.linear(self.norm(self.activation(self.dense(hidden))), tokens, self.bias)


Model = Transformer | GPT | BERT
WRAPPERS = {"_orig_mod", "module", "_fsdp_wrapped_module"}  # the attributes under which wrappers keep the model


def unwrapped(model):
    """Return the model itself, without the wrappers of torch.compile, DataParallel or a training library."""
    children = getattr(model, "_modules", {})
    if len(children) == 1 and (inside := WRAPPERS & children.keys()):
        return unwrapped(children[inside.pop()])
    return model


def not_nan(output: Tensor) -> Tensor:
    """Return what a model has computed; ValueError if it holds NaN, of which the largest or nearest is meaningless."""
    if output.isnan().any():
        raise ValueError("The model's output is NaN: it has diverged, or its weights are damaged.")
    return output


@contextmanager
def evaluating(model):
    """Put the model in eval mode (no dropout) within the block, and restore each module's mode afterwards."""
    training = [module for module in model.modules() if module.training]
    if training:
        model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
