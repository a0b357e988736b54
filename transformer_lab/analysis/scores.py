"""The scores behind attention weights: the inputs of the softmax, if there was one."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..attention import split_mask


class Softmaxes(TorchFunctionMode):
    """Within the block, keeps the input of every softmax on this thread; the scores are nowhere else."""

    def __init__(self):
        super().__init__()
        self.given = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(function, "__name__", "").endswith("softmax"):
            self.given.append(args[0] if args else kwargs["input"])
        return function(*args, **kwargs)

    def scores_of(self, weights: Float[Tensor, "H T S"]) -> Float[Tensor, "H T S"] | None:
        """Return the scores of the batch's first text whose softmax is these weights, or None."""
        candidates = (scores[0].detach() for scores in reversed(self.given) if scores.shape[1:] == weights.shape)
        # Over an empty set of keys softmax is 0/0, and the weights are 0.
        return next((one for one in candidates if same(one.softmax(dim=-1).nan_to_num(0.0), weights)), None)


def are_products(scores, weights, q, k, mask) -> bool:
    """Return whether the scores are q k^T / sqrt(d_head) plus the mask's bias, wherever weights are not 0."""
    if scores is None:
        return False
    wanted, seen = q @ k.mT / math.sqrt(q.shape[-1]), weights > 0
    _, bias = (None, None) if mask is None else split_mask(mask)
    if bias is not None:
        wanted = wanted + (bias[0] if bias.ndim == 4 else bias)
    return same(scores.where(seen, 0.0), wanted.where(seen, 0.0))


def same(actual: Tensor, expected: Tensor) -> bool:
    """Return whether the two are equal up to rounding."""
    tolerance = max(1e-4, 4 * torch.finfo(actual.dtype).eps)
    return bool((actual.float() - expected.float()).abs().max() <= tolerance * expected.abs().max())
