"""Record what a model computes: its attention weights, its residual stream, and the details of each head.

Models run fused attention, which does not keep weights; only inside these `with` blocks are they computed explicitly.
record_attention keeps the weights of a whole batch; record_heads keeps all that the views show, of its first text.
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
    """Yield maps; maps["encoder" | "decoder" | "cross"][layer] is (B, H, T, S), from the block's last forward pass.

    A GPT has "decoder", a BERT "encoder", a Transformer all three.
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
    """Yield stream; stream["encoder" | "decoder"] holds n_layers + 1 tensors (B, T, D) of the last forward pass.

    The first is the input of the first block, the others are the outputs of each block (before the final norm).
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
    """One attention layer for one text of the batch. Every head has a key and a value, even if heads share them.

    scores are the inputs of the softmax, -inf where masked; None if no softmax produced the weights. queries and keys
    are those that enter the scores, after rotation if positions are rotary; None if the scores are not their products,
    as when a part is switched off. value_norms is |v W_O|, the norm of what each key's value adds to the residual
    stream at weight 1 (Kobayashi et al. 2020, arXiv:2004.10102): 0 for a head that is switched off, None if the
    layer's output is not weights times values times W_O.
    """

    queries: Float[Tensor, "H T d_head"] | None
    keys: Float[Tensor, "H S d_head"] | None
    weights: Float[Tensor, "H T S"]
    scores: Float[Tensor, "H T S"] | None
    value_norms: Float[Tensor, "H S"] | None
    n_kv_heads: int


@contextmanager
def record_heads(model, keep=None):
    """Yield heads; heads["encoder" | "decoder" | "cross"][layer] is the last forward pass's LayerRecord.

    Only the batch's first text is recorded. If keep is given, keep(kind, layer, LayerRecord) is called instead, as each
    layer finishes. The forward pass raises ValueError if an attention module returns no weights, or too many to show.
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
    """Records an attention module in two places: in `attend`, and at the input of W_O, which hooks may change."""

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
        norms = self.value_norms(inputs[0][0].detach(), unwrapped(w_o), output[0].detach())
        self.keep(self.seen._replace(value_norms=norms))
        del self.seen, self.values

    def value_norms(self, mixed: Float[Tensor, "T H_d_head"], w_o, output: Float[Tensor, "T D"]):
        """Return |v W_O| for each head and key, or None if the output is not weights times values times W_O."""
        weight, values = getattr(w_o, "weight", None), self.values
        if weight is None or not same(output, F.linear(mixed, weight, w_o.bias)):
            return None
        heads = mixed.unflatten(-1, (len(values), -1)).transpose(0, 1)  # (H, T, d_head)
        silent = (heads == 0).all(dim=-1).all(dim=-1)  # (H,)
        by_weights = (self.seen.weights.type_as(values) @ values).masked_fill(silent[:, None, None], 0.0)
        if not same(heads, by_weights):
            return None
        # W_O has d_head columns for each head, in order.
        columns = weight.detach().unflatten(1, (len(values), -1)).transpose(0, 1)  # (H, D, d_head)
        return (values @ columns.mT).norm(dim=-1).masked_fill(silent[:, None], 0.0)
