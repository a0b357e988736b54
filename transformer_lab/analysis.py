"""Looking inside a model that is already there: its attention, its residual stream, what its heads do.

Nothing here costs anything while it is not used: a model is changed inside a `with` block only.
"""

import sys
from contextlib import ExitStack, contextmanager, nullcontext
from unittest import mock

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .arguments import check_at_least, generator_from, is_whole
from .attention import MultiHeadAttention, explicit_attention, with_weights
from .generation import translate_ids
from .models import BERT, GPT, Transformer, evaluating, unwrapped
from .sentences import said

KINDS = ("encoder", "decoder", "cross")


def our_model(model, *kinds: type):
    """The GPT, BERT or Transformer that this is, unwrapped; ValueError if it is none, or none of these kinds."""
    inside, kinds = unwrapped(model), kinds or (GPT, BERT, Transformer)
    if isinstance(inside, kinds):
        return inside
    *others, last = (kind.__name__ for kind in kinds)
    wanted = f"{', '.join(others)} or {last}" if others else last
    advice = " Give from_hf(model)." if hasattr(inside, "save_pretrained") else ""
    raise ValueError(f"model must be a {wanted} of transformer_lab; got a {type(inside).__name__}.{advice}")


def stacks(model) -> dict:
    """The model's stacks of blocks by name: "encoder", "decoder" or both; ValueError for a model without."""
    inside = unwrapped(model)
    found = {kind: unwrapped(getattr(inside, kind, None)) for kind in ("encoder", "decoder")}
    return {kind: stack for kind, stack in found.items() if hasattr(stack, "blocks")} or stacks(our_model(model))


def attention_modules(model) -> dict[str, list[MultiHeadAttention]]:
    """The model's attentions by kind ("encoder", "decoder", "cross"), one for each layer."""
    blocks = {kind: [unwrapped(block) for block in stack.blocks] for kind, stack in stacks(model).items()}
    modules = {kind: [unwrapped(block.attention) for block in layers] for kind, layers in blocks.items()}
    if "encoder" in blocks and "decoder" in blocks:
        modules["cross"] = [unwrapped(block.cross_attention) for block in blocks["decoder"]]
    return modules


def uncompiled():
    """Within the block, compiled models run as they are written: compiled code would miss what is changed."""
    loaded = "torch._dynamo" in sys.modules  # else nothing is compiled, and asking would load it, which takes seconds
    return torch.compiler.set_stance("force_eager") if loaded else nullcontext()


@contextmanager
def patched(changes):
    """Within the block, each (module, attribute, replacement) holds; afterwards all is as it was."""
    with ExitStack() as stack:
        stack.enter_context(uncompiled())
        for module, attribute, replacement in changes:
            stack.enter_context(mock.patch.object(module, attribute, replacement))
        yield


@contextmanager
def replace_attention(model, attend, kinds=KINDS):
    """Within the block, attentions of these kinds compute attend(q, k, v, mask) -> (output, weights or None)."""
    modules, kinds = attention_modules(model), (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"kinds must be among {', '.join(KINDS)}; got {said(unknown.pop())}.")
    with patched((m, "attend", explicit_attention(attend)) for kind in kinds for m in modules.get(kind, [])):
        yield model


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


def repeated_tokens(vocab_size: int, period: int, n_rows: int = 8, seed: int = 0) -> Int[Tensor, "B T"]:
    """Rows of `period` random tokens said twice: a text that only looking back can predict."""
    for name, value, least in (("vocab_size", vocab_size, 1), ("period", period, 1), ("n_rows", n_rows, 0)):
        check_at_least(name, value, least)
    once = torch.randint(vocab_size, (n_rows, period), generator=generator_from(seed), device="cpu")
    return torch.cat((once, once), dim=1)


def head_scores(
    attention: list[Float[Tensor, "B H T T"]], period: int | None = None
) -> dict[str, Float[Tensor, "L H"]]:
    """How much of its weight each head gives to a certain key, on average over queries and batch: 0 to 1.

    "previous token": the key just before the query. "first token": the first key, where heads with nothing to do look.
    "induction", for `repeated_tokens` of that period: the key that followed this query's token the time before
    (Olsson et al. 2022, arXiv:2209.11895). Raises ValueError for what is no list of such weights, T at least 2.
    """
    shapes = [tuple(getattr(layer, "shape", ())) for layer in attention]
    if not shapes or any(len(shape) != 4 or 0 in shape or shape[2] != shape[3] or shape[2] < 2 for shape in shapes):
        raise ValueError(
            f"attention must be a list of weights (B, H, T, T), T at least 2; got the shapes {said(shapes)}."
        )
    T = shapes[0][-1]
    if period is not None and not (is_whole(period) and 1 <= period < T):
        raise ValueError(f"period must be at least 1 and less than the {T} tokens; got {said(period)}.")
    weights = torch.stack([layer.mean(dim=0) for layer in attention])  # (L, H, T, T)
    scores = {
        "previous token": weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1),
        "first token": weights[..., 1:, 0].mean(dim=-1),  # the first query has nowhere else to look
    }
    if period is not None:
        scores["induction"] = weights.diagonal(offset=1 - period, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)
    return scores


def text_attention(model, tokenizer, ids: list[int]):
    """What each token of a text attends to in a GPT or a BERT: (attention (L, H, T, T), tokens, tokens); ValueError."""
    model = our_model(model, GPT, BERT)
    if not len(ids):
        raise ValueError("There is nothing to attend to: the text is empty.")
    device = next(model.parameters()).device
    with evaluating(model), record_attention(model) as maps, torch.no_grad():
        model(torch.tensor([ids], device=device))
    (attention,), tokens = maps.values(), tokenizer.tokens(ids)
    return torch.cat(attention).cpu(), tokens, tokens


def translation_attention(model, tokenizer, text: str, kind: str = "cross", max_new_tokens=None, target=None):
    """What the model attends to while it translates text: (attention (L, H, T, S), query tokens, key tokens).

    With a target it reads that, whatever it would have written itself. Decoder rows are named by the token they write
    (the row that reads [BOS] writes the first token). Raises ValueError for another kind, and for an empty text.
    """
    model = our_model(model, Transformer)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {said(kind)}.")
    if not isinstance(text, str):
        raise ValueError(f"text must be a string; got {said(text)}.")
    if target is None:
        ids = translate_ids(model, tokenizer, [text], max_new_tokens)
    else:
        ids = tokenizer.batch([target], bos=True, eos=True)[0].to(next(model.parameters()).device)
    source = tokenizer.batch([text])[0].to(ids.device)
    with evaluating(model), record_attention(model) as maps, torch.no_grad():
        model(source, ids[:, :-1])
    source_tokens, target_tokens = tokenizer.tokens(source[0]), tokenizer.tokens(ids[0])
    query_tokens = source_tokens if kind == "encoder" else target_tokens[1:]
    key_tokens = target_tokens[:-1] if kind == "decoder" else source_tokens
    return torch.cat(maps[kind]).cpu(), query_tokens, key_tokens
