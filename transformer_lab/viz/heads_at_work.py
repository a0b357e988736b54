"""What each head of a model computed while it read a text: queries, keys, values, scores, weights."""

import math
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..analysis import attention_modules, patched
from ..attention import split_mask, with_weights
from ..models import unwrapped
from .inputs import check_size


class HeadsAtWork(NamedTuple):
    """One attention layer at one text of the batch, with a key and a value for every head even where heads share one.

    scores are what the softmax that made the weights was given, -inf where masked; None if no softmax made them.
    queries and keys are as these scores use them: turned by their positions if the model is rotary; None if the scores
    are not their products, as with a part switched off. written is the norm of what each key's value adds to the
    residual stream if it gets all the weight, |v W_O| (Kobayashi et al. 2020, arXiv:2004.10102), so 0 for a head that
    is switched off; None if what is passed on is not weights times values.
    """

    queries: Float[Tensor, "H T d_head"] | None
    keys: Float[Tensor, "H S d_head"] | None
    weights: Float[Tensor, "H T S"]
    scores: Float[Tensor, "H T S"] | None
    written: Float[Tensor, "H S"] | None
    n_kv_heads: int


@contextmanager
def record_heads(model, keep=None):
    """Within the block, heads["encoder" | "decoder" | "cross"][layer] is what the last forward pass computed.

    Of the batch's first text. With keep, each layer goes to keep(kind, layer, HeadsAtWork) instead, as it comes. Raises
    ValueError, in that pass, if an attention of the model gives no weights, or more than can be shown.
    """
    modules = attention_modules(model)
    heads = {kind: [None] * len(layers) for kind, layers in modules.items()}

    def store(kind, layer, work):
        heads[kind][layer] = work

    recorders = [
        Recorder(module, len(layers), partial(keep or store, kind, layer))
        for kind, layers in modules.items()
        for layer, module in enumerate(layers)
    ]
    with patched((one.module, "attend", one.attend) for one in recorders), ExitStack() as hooks:
        for one in recorders:
            hooks.callback(one.module.w_o.register_forward_hook(one.pass_on).remove)
        yield heads


class Recorder:
    """Looks at an attention twice: at its `attend`, and at what goes into its matrix W_O, which a hook may change."""

    def __init__(self, module, n_layers: int, keep):
        self.module, self.n_layers, self.keep = module, n_layers, keep
        self.inner = with_weights(module.attend)

    def attend(self, q, k, v, mask=None, is_causal=False):
        check_size(self.n_layers, q.shape[1], q.shape[2], k.shape[2])
        with Softmaxes() as softmaxes:
            output, weights = self.inner(q, k, v, mask, is_causal)
        if weights is None:
            raise ValueError("This model's attention gives no weights: there is nothing to show.")
        group = q.shape[1] // k.shape[1]
        q, (keys, self.values) = q[0].detach(), (x[0].detach().repeat_interleave(group, dim=0) for x in (k, v))
        shown = weights[0].detach()
        scores = softmaxes.scores_of(shown)
        if not are_products(scores, shown, q, keys, mask):
            q = keys = None
        self.seen = HeadsAtWork(q, keys, shown, scores, None, k.shape[1])
        return output, weights

    def pass_on(self, w_o, inputs, output):
        written = self.written(inputs[0][0].detach(), unwrapped(w_o), output[0].detach())
        self.keep(self.seen._replace(written=written))
        self.seen = self.values = None

    def written(self, mixed: Float[Tensor, "T H_d_head"], w_o, output: Float[Tensor, "T D"]):
        """|v W_O| for each head and key, or None where output is not the values, weighted, times one matrix."""
        weight, values = getattr(w_o, "weight", None), self.values
        if weight is None or not same(output, F.linear(mixed, weight, w_o.bias)):
            return None
        heads = mixed.unflatten(-1, (len(values), -1)).transpose(0, 1)  # (H, T, d_head)
        silent = (heads == 0).all(dim=-1).all(dim=-1)  # (H,)
        by_weights = (self.seen.weights.type_as(values) @ values).masked_fill(silent[:, None, None], 0.0)
        if not same(heads, by_weights):
            return None
        # W_O's columns belong to the heads in turn: head h reads d_head of them.
        columns = weight.detach().unflatten(1, (len(values), -1)).transpose(0, 1)  # (H, D, d_head)
        return (values @ columns.mT).norm(dim=-1).masked_fill(silent[:, None], 0.0)


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
