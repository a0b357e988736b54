"""Looking inside a model that is already there: its attention, its residual stream, what its heads do.

Nothing here costs anything while it is not used: a model is changed inside a `with` block only.
"""

from contextlib import ExitStack, contextmanager
from unittest import mock

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .attention import MultiHeadAttention, fused_attention, written_out
from .generation import translate_ids


def stacks(model) -> dict:
    """The model's stacks of blocks by name: "encoder", "decoder" or both."""
    return {kind: getattr(model, kind) for kind in ("encoder", "decoder") if hasattr(model, kind)}


def attention_modules(model) -> dict[str, list[MultiHeadAttention]]:
    """The model's attentions by kind ("encoder", "decoder", "cross"), one for each layer."""
    modules = {kind: [block.attention for block in stack.blocks] for kind, stack in stacks(model).items()}
    if "encoder" in modules and "decoder" in modules:
        modules["cross"] = [block.cross_attention for block in model.decoder.blocks]
    return modules


@contextmanager
def patched(changes):
    """Within the block, each (module, attribute, replacement) holds; afterwards all is as it was."""
    with ExitStack() as stack:
        for module, attribute, replacement in changes:
            stack.enter_context(mock.patch.object(module, attribute, replacement))
        yield


@contextmanager
def replace_attention(model, attend, kinds=("encoder", "decoder", "cross")):
    """Within the block, attentions of these kinds compute attend(q, k, v, mask) -> (output, weights or None)."""
    modules = attention_modules(model)
    with patched((m, "attend", written_out(attend)) for kind in kinds for m in modules.get(kind, [])):
        yield model


@contextmanager
def record_attention(model):
    """Within the block, maps["encoder" | "decoder" | "cross"][layer] is (B, H, T, S) of the last forward pass.

    A model has the kinds that it has: GPT "decoder", BERT "encoder", Transformer all three.
    """
    modules = attention_modules(model)
    maps = {kind: [None] * len(layers) for kind, layers in modules.items()}

    def recorder(attend, kind, layer):
        # The fused kernel never forms the weights, so recording computes the same attention step by step.
        attend = written_out() if attend is fused_attention else attend

        def recording(q, k, v, mask=None, causal=False):
            output, weights = attend(q, k, v, mask, causal)
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
        for kind, stack in stacks(model).items():
            handles = [stack.blocks[0].register_forward_pre_hook(keep(kind, 0))]
            handles += [block.register_forward_hook(keep(kind, i + 1)) for i, block in enumerate(stack.blocks)]
            for handle in handles:
                hooks.callback(handle.remove)
        yield stream


def repeated_tokens(vocab_size: int, period: int, n_rows: int = 8, seed: int = 0) -> Int[Tensor, "B T"]:
    """Rows of `period` random tokens said twice: a text that only looking back can predict."""
    once = torch.randint(vocab_size, (n_rows, period), generator=torch.Generator().manual_seed(seed))
    return torch.cat((once, once), dim=1)


def head_scores(
    attention: list[Float[Tensor, "B H T T"]], period: int | None = None
) -> dict[str, Float[Tensor, "L H"]]:
    """How much of its weight each head gives to a certain key, on average over queries and batch: 0 to 1.

    "previous token": the key just before the query. "first token": the first key, where heads with nothing to do look.
    "induction", for `repeated_tokens` of that period: the key that followed this query's token the time before
    (Olsson et al. 2022, arXiv:2209.11895).
    """
    weights = torch.stack([layer.mean(dim=0) for layer in attention])  # (L, H, T, T)
    scores = {
        "previous token": weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1),
        "first token": weights[..., 1:, 0].mean(dim=-1),  # the first query has nowhere else to look
    }
    if period is not None:
        scores["induction"] = weights.diagonal(offset=1 - period, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)
    return scores


def text_attention(model, tokenizer, ids: list[int]):
    """What each token of a text attends to in a GPT or a BERT: (attention (L, H, T, T), tokens, tokens)."""
    device = next(model.parameters()).device
    with record_attention(model) as maps, torch.no_grad():
        model(torch.tensor([ids], device=device))
    (attention,), tokens = maps.values(), tokenizer.tokens(ids)
    return torch.cat(attention).cpu(), tokens, tokens


def translation_attention(model, tokenizer, text: str, kind: str = "cross", max_new_tokens=32, target=None):
    """What the model attends to while it translates text: (attention (L, H, T, S), query tokens, key tokens).

    With a target it reads that, whatever it would have written itself. Decoder rows are named by the token they write
    (the row that reads [BOS] writes the first token).
    """
    if target is None:
        ids = translate_ids(model, tokenizer, [text], max_new_tokens)
    else:
        ids = tokenizer.batch([target], bos=True, eos=True)[0].to(next(model.parameters()).device)
    source = tokenizer.batch([text])[0].to(ids.device)
    with record_attention(model) as maps, torch.no_grad():
        model(source, ids[:, :-1])
    source_tokens, target_tokens = tokenizer.tokens(source[0]), tokenizer.tokens(ids[0])
    query_tokens = source_tokens if kind == "encoder" else target_tokens[1:]
    key_tokens = target_tokens[:-1] if kind == "decoder" else source_tokens
    return torch.cat(maps[kind]).cpu(), query_tokens, key_tokens
