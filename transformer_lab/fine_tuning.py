"""Fine-tuning: what of an old model is changed, or added to it, so that it does something new.

Each method freezes the model and then decides what is learnt; a new head is always learnt with it.
"""

from collections.abc import Callable

from torch import nn

from .adapters import add_adapters
from .arguments import check_choice
from .blocks import Stack
from .lora import add_lora
from .prompts import add_prefix, add_prompt


def train_everything(model: nn.Module) -> None:
    """Learn all parameters."""
    model.requires_grad_(True)


def train_last_block(model: nn.Module) -> None:
    """Learn the last block of each stack, and the norm after it, if there is one."""
    for stack in [module for module in model.modules() if isinstance(module, Stack)]:
        stack.blocks[-1].requires_grad_(True)
        stack.norm.requires_grad_(True)


def train_head(model: nn.Module) -> None:
    """Learn nothing but the new head: a linear probe, if it is a linear layer."""


def train_biases(model: nn.Module) -> None:
    """Learn the biases, those of the norms too: BitFit (Ben Zaken et al. 2021, arXiv:2106.10199)."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.endswith((".bias", ".beta")))


METHODS: dict[str, Callable[..., None]] = {
    "everything": train_everything,
    "last block": train_last_block,
    "head": train_head,
    "biases": train_biases,
    "lora": add_lora,
    "adapters": add_adapters,
    "prefix": add_prefix,
    "prompt": add_prompt,
}


def prepare(model: nn.Module, method: str, **options) -> dict[str, nn.Parameter]:
    """Make the model ready to be trained with one of METHODS; returns the parameters that will be learnt, by name.

    Raises ValueError for an unknown method, and if it leaves nothing to learn.
    """
    check_choice("method", method, METHODS)
    model.requires_grad_(False)
    METHODS[method](model, **options)
    if isinstance(head := getattr(model, "head", None), nn.Module):
        head.requires_grad_(True)
    return learnt(model)


def learnt(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are learnt, by name; ValueError if there are none."""
    found = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not found:
        raise ValueError(f"There is nothing to learn in this {type(model).__name__}: all its parameters are frozen.")
    return found
