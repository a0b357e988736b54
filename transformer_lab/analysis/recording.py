"""Recording what a model computes while it reads: its attention's weights, its residual stream, and each head's work.

Models run a fused attention, which holds no weights; they are made inside these `with` blocks only.
"""

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..attention import with_weights
from ..models import unwrapped
from .access import attention_modules, patched, stacks, uncompiled
from .scores import Softmaxes, are_products, same
from .sizes import check_size


@contextmanager
def record_attention(model):
    """Within the block, maps["encoder" | "decoder" | "cross"][layer] is (B, H, T, S) of the last forward pass.

    A model has the kinds that it has: GPT "decoder", BERT "encoder", Transformer all three.
    """
    modules = attention_modules(model)
    maps = {kind: [None] * len(layers) for kind, layers in modules.items()}

    def recorder(attend, kind, layer):
        attend = with_weights(attend)

        def recording(q, k, v, mask=None, is_causal=False):
            output, weights = attend(q, k, v, mask, is_causal)
            maps[kind][layer] = None if weights is None else weights.detach()
            return output, weights

        return recording

    with patched(
        (module, "attend", recorder(module.attend, kind, layer))
        for kind, layers in modules.items()
        for layer, module in enumerate(layers)
    ):
        yield maps


@contextmanager
def record_residual_stream(model):
    """Within the block, stream["encoder" | "decoder"] is a list of n_layers + 1 tensors (B, T, D), last forward pass.

    The first is what enters the first block, the others what leaves each block (before the stack's final norm).
    """
    stream = {kind: [None] * (len(stack.blocks) + 1) for kind, stack in stacks(model).items()}

    def keep(kind, depth):
        def hook(module, inputs, output=None):
            stream[kind][depth] = (inputs[0] if output is None else output).detach()

        return hook

    with ExitStack() as hooks:
        hooks.enter_context(uncompiled())
        for kind, stack in stacks(model).items():
            handles = [stack.blocks[0].register_forward_pre_hook(keep(kind, 0))]
            handles += [block.register_forward_hook(keep(kind, i + 1)) for i, block in enumerate(stack.blocks)]
            for handle in handles:
                hooks.callback(handle.remove)
        yield stream


class LayerRecord(NamedTuple):
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

    Of the batch's first text. With keep, each layer goes to keep(kind, layer, LayerRecord) instead, as it comes. Raises
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
        self.seen = LayerRecord(q, keys, shown, scores, None, k.shape[1])
        return output, weights

    def pass_on(self, w_o, inputs, output):
        written = self.written(inputs[0][0].detach(), unwrapped(w_o), output[0].detach())
        self.keep(self.seen._replace(written=written))
        del self.seen, self.values

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
