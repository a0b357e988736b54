"""Prefix and prompt tuning: a frozen model is steered by a few vectors in front of the text, which are learnt.

Prefix tuning: keys and values in front of those of the text, in each block's self-attention (Li and Liang 2021,
"Prefix-Tuning", arXiv:2101.00190; without the network through which they are trained there).
Prompt tuning: vectors in front of the text's own, below the first block only (Lester et al. 2021, arXiv:2104.08691).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import check_at_least
from .attention import MultiHeadAttention, causal_mask, explicit_attention
from .blocks import Block
from .models import BERT, evaluating, unwrapped
from .sentences import kind_of

STD = 0.02  # of the vectors that training begins with


class Prefix(nn.Module):
    """n keys and values for each head, which every query may attend to; ValueError unless n is at least 1."""

    def __init__(self, attention: MultiHeadAttention, n: int):
        super().__init__()
        check_at_least("n", n, 1)
        shape, like = (attention.n_kv_heads, n, attention.d_head), attention.w_k.weight
        self.keys, self.values = (nn.Parameter(STD * torch.randn(shape).to(like)) for _ in range(2))

    def attend(self, q, k, v, mask=None, is_causal=False):
        """Attend as explicit attention does, to the prefix as well; the weights returned are those of the text."""
        n, B = self.keys.shape[1], len(q)
        k, v = (torch.cat((ours.expand(B, -1, -1, -1), x), dim=2) for ours, x in ((self.keys, k), (self.values, v)))
        mask = causal_mask(q.shape[2], device=q.device) if is_causal else mask
        if mask is not None:  # the prefix is allowed, and nothing is added to its scores
            mask = F.pad(mask, (n, 0), value=mask.dtype == torch.bool)
        output, weights = explicit_attention()(q, k, v, mask)
        return output, weights[..., n:]


def add_prefix(model: nn.Module, n: int = 16) -> None:
    """Freeze the model, and put n learnt keys and values in front of the text in each block's self-attention.

    Raises ValueError if it has a prefix already.
    """
    attentions = [block.attention for block in model.modules() if isinstance(block, Block)]
    if any(hasattr(attention, "prefix") for attention in attentions):
        raise ValueError("The model has a prefix already: load it again without it.")
    model.requires_grad_(False)
    for attention in attentions:
        attention.prefix = Prefix(attention, n)
        attention.attend = attention.prefix.attend


class Prompt(nn.Module):
    """Vectors in front of those of a text; what comes out of the blocks at their places is dropped."""

    def __init__(self, vectors: Float[Tensor, "n D"]):
        super().__init__()
        self.vectors = nn.Parameter(vectors)

    def put_in_front(self, stack, inputs):
        """Change what the blocks are about to read: vectors, positions and mask."""
        x, positions, mask = inputs
        n, B = len(self.vectors), len(x)
        x = torch.cat((self.vectors.expand(B, -1, -1), x), dim=1)
        own = torch.arange(n, device=x.device).expand(len(positions), -1)
        return x, torch.cat((own, positions + n), dim=1), None if mask is None else F.pad(mask, (n, 0), value=True)

    def take_away(self, stack, inputs, output):
        return output[:, len(self.vectors) :]


@torch.no_grad()
def add_prompt(model: nn.Module, n: int = 16) -> None:
    """Freeze a BERT, and put n learnt vectors in front of each text; they begin as those of tokens drawn at random.

    Raises ValueError for any other model, because a decoder that writes would have to keep them in its cache; and for
    one that has a prompt already.
    """
    check_at_least("n", n, 1)
    model = unwrapped(model)
    if not isinstance(model, BERT):
        raise ValueError(f"Prompt tuning is for a BERT, which reads a text at once; got {kind_of(model)}.")
    if hasattr(model.encoder, "prompt"):
        raise ValueError("The model has a prompt already: load it again without it.")
    model.requires_grad_(False)
    tokens = torch.randint(model.config.vocab_size, (n, 1)).to(model.embedding.tokens.weight.device)
    with evaluating(model):
        vectors, _ = model.embedding(tokens)
    model.encoder.prompt = Prompt(vectors[:, 0])
    model.encoder.register_forward_pre_hook(model.encoder.prompt.put_in_front)
    model.encoder.register_forward_hook(model.encoder.prompt.take_away)
