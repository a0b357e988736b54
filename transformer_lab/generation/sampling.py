"""Choosing the next token: the most probable one, or one drawn at random from those that the filters leave."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..arguments import check_at_least, check_between, check_seed, is_number
from ..sentences import short_repr

# Smaller temperatures are not normal numbers of float32, and dividing by them could overflow.
SMALLEST = torch.finfo(torch.float32).tiny


def keep_top_k(logits: Float[Tensor, "B V"], k: int) -> Float[Tensor, "B V"]:
    """Keep the k most probable tokens; the others' logits become -inf (Fan et al. 2018, arXiv:1805.04833)."""
    k = min(k, logits.shape[-1])
    weakest = logits.topk(k).values[:, -1:]
    return logits.masked_fill(logits < weakest, -torch.inf)


def keep_top_p(logits: Float[Tensor, "B V"], p: float) -> Float[Tensor, "B V"]:
    """Keep the nucleus: the fewest tokens with total probability p (Holtzman et al. 2019, arXiv:1904.09751)."""
    ascending, order = logits.sort(dim=-1)
    # Drop the least probable tokens, as many as have at most 1 - p together; the most probable one always stays.
    dropped = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - p
    dropped[:, -1] = False
    return logits.masked_fill(dropped.scatter(-1, order, dropped), -torch.inf)


def keep_min_p(logits: Float[Tensor, "B V"], min_p: float) -> Float[Tensor, "B V"]:
    """Keep tokens at least min_p times as probable as the most probable one (Nguyen et al. 2024, arXiv:2407.01082)."""
    probabilities = logits.softmax(dim=-1)
    weakest = min_p * probabilities.amax(dim=-1, keepdim=True)
    return logits.masked_fill(probabilities < weakest, -torch.inf)


def check_sampling(temperature: float, top_k=None, top_p=None, min_p=None, seed=None) -> None:
    """Raise ValueError for values that make no sense, and for a filter without a temperature."""
    check_between("temperature", temperature, 0)
    if top_k is not None:
        check_at_least("top_k", top_k, 1)
    if top_p is not None and not (is_number(top_p) and 0 < top_p <= 1):
        raise ValueError(f"top_p must be a number, more than 0 and at most 1; got {short_repr(top_p)}.")
    if min_p is not None:
        check_between("min_p", min_p, 0, 1)
    if seed is not None:
        check_seed(seed)
    for name, value in {"top_k": top_k, "top_p": top_p, "min_p": min_p}.items():
        if value is not None and temperature == 0:
            raise ValueError(f"{name}={value} acts on sampling: give a temperature above 0 too.")


class Sampler:
    """Chooses from logits: at temperature 0 the most probable token, else a draw from softmax(logits / temperature).

    The filters act on the draw, in the order top_k, top_p, min_p. With a seed the draws are the same in each run;
    without one they come from torch's global generator. Raises ValueError for values that make no sense.
    """

    def __init__(self, temperature=0.0, top_k=None, top_p=None, min_p=None, seed=None, device=None):
        check_sampling(temperature, top_k, top_p, min_p, seed)
        self.temperature, self.top_k, self.top_p, self.min_p = temperature, top_k, top_p, min_p
        self.generator = None if seed is None else torch.Generator(device).manual_seed(int(seed))

    def __call__(self, logits: Float[Tensor, "B V"]) -> Int[Tensor, "B"]:
        if self.temperature == 0:
            return logits.argmax(dim=-1)
        # The largest logit is then 0 and no other overflows, however small the temperature; the softmax is the same.
        logits = logits.float() - logits.amax(dim=-1, keepdim=True).float()
        logits = logits / max(self.temperature, SMALLEST)
        if self.top_k is not None:
            logits = keep_top_k(logits, self.top_k)
        if self.top_p is not None:
            logits = keep_top_p(logits, self.top_p)
        if self.min_p is not None:
            logits = keep_min_p(logits, self.min_p)
        return torch.multinomial(logits.softmax(dim=-1), 1, generator=self.generator)[:, 0]
