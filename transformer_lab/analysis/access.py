"""Find the parts of a model, and replace them temporarily.

A model is changed inside a `with` block only, so unused instrumentation costs nothing.
"""

import sys
from contextlib import ExitStack, contextmanager, nullcontext

import torch

from ..attention import MultiHeadAttention, explicit_attention
from ..models import BERT, GPT, Transformer, unwrapped
from ..sentences import kind_of, short_repr

KINDS = ("encoder", "decoder", "cross")


def our_model(model, *kinds: type):
    """Return the unwrapped GPT, BERT or Transformer; ValueError for any other model, or another kind."""
    inside, kinds = unwrapped(model), kinds or (GPT, BERT, Transformer)
    if isinstance(inside, kinds):
        return inside
    *others, last = (kind.__name__ for kind in kinds)
    wanted = f"{', '.join(others)} or {last}" if others else last
    advice = " Give from_hf(model)." if hasattr(inside, "save_pretrained") else ""
    raise ValueError(f"model must be a {wanted} of transformer_lab; got {kind_of(inside)}.{advice}")


def stacks(model) -> dict:
    """Return the model's stacks of blocks by name, "encoder", "decoder" or both; ValueError if it has none."""
    inside = unwrapped(model)
    found = {kind: unwrapped(getattr(inside, kind, None)) for kind in ("encoder", "decoder")}
    return {kind: stack for kind, stack in found.items() if hasattr(stack, "blocks")} or stacks(our_model(model))


def attention_modules(model) -> dict[str, list[MultiHeadAttention]]:
    """Return the model's attention modules by kind ("encoder", "decoder", "cross"), one for each layer."""
    blocks = {kind: [unwrapped(block) for block in stack.blocks] for kind, stack in stacks(model).items()}
    modules = {kind: [unwrapped(block.attention) for block in layers] for kind, layers in blocks.items()}
    if "encoder" in blocks and "decoder" in blocks:
        modules["cross"] = [unwrapped(block.cross_attention) for block in blocks["decoder"]]
    return modules


def uncompiled():
    """Run compiled models eagerly within the block: compiled code would not see replaced parts."""
    loaded = "torch._dynamo" in sys.modules  # else nothing is compiled, and set_stance would take seconds to load it
    return torch.compiler.set_stance("force_eager") if loaded else nullcontext()


@contextmanager
def patched(changes):
    """Apply each (module, attribute, replacement) within the block, and restore the originals afterwards."""
    with ExitStack() as stack:
        stack.enter_context(uncompiled())
        for module, attribute, replacement in changes:
            if attribute in vars(module):
                stack.callback(setattr, module, attribute, vars(module)[attribute])
            else:  # an attribute of its class, such as a method
                stack.callback(delattr, module, attribute)
            setattr(module, attribute, replacement)
        yield


@contextmanager
def replace_attention(model, attend, kinds=KINDS):
    """Make attention of these kinds compute attend(q, k, v, mask) -> (output, weights or None) within the block.

    Raises ValueError for an unknown kind.
    """
    modules, kinds = attention_modules(model), (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"kinds must be among {', '.join(KINDS)}; got {short_repr(unknown.pop())}.")
    with patched((m, "attend", explicit_attention(attend)) for kind in kinds for m in modules.get(kind, [])):
        yield model
