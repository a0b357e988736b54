"""The scores behind attention weights, where there are any: what the softmax was given."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..attention import split_mask


class Softmaxes(TorchFunctionMode):
    """Within the block, on this thread, keeps what each softmax was given: only there are scores to be seen."""

    def __init__(self):
        super().__init__()
        self.given = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(function, "__name__", "").endswith("softmax"):
            self.given.append(args[0] if args else kwargs["input"])
        return function(*args, **kwargs)

    def scores_of(self, weights: Float[Tensor, "H T S"]) -> Float[Tensor, "H T S"] | None:
        """The scores, of the batch's first text, whose softmax these weights are; None if there are none."""
        fitting = (scores[0].detach() for scores in reversed(self.given) if scores.shape[1:] == weights.shape)
        # Over an empty set of keys softmax is 0/0, and the weights are 0.
        return next((one for one in fitting if same(one.softmax(dim=-1).nan_to_num(0.0), weights)), None)


def are_products(scores, weights, q, k, mask) -> bool:
    """Are the scores, wherever there is a weight, q k^T / sqrt(d_head), and the bias that the model adds?"""
    if scores is None:
        return False
    wanted, seen = q @ k.mT / math.sqrt(q.shape[-1]), weights > 0
    _, bias = (None, None) if mask is None else split_mask(mask)
    if bias is not None:
        wanted = wanted + (bias[0] if bias.ndim == 4 else bias)
    return same(scores.where(seen, 0.0), wanted.where(seen, 0.0))


def same(found: Tensor, wanted: Tensor) -> bool:
    """Are the two equal, but for rounding?"""
    tolerance = max(1e-4, 4 * torch.finfo(found.dtype).eps)
    return bool((found.float() - wanted.float()).abs().max() <= tolerance * wanted.abs().max())
