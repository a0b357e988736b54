"""Lesson 09: the checks of a stack of blocks."""

import torch
from torch import Tensor, nn

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import compare, keeps_every_dtype
from . import block_faults as faults
from .modules import (
    SIZES,
    WRITTEN_IN,
    Mixer,
    expect_module,
    gradients_arrive,
    layer_norm,
    run_module,
    stays_in_training,
)

# n_layers, d_model, leading axes: two widths, one block, a text of one token.
STACKS = (
    ((3, 6, (3, 5)), (1, 6, (3, 5)), (4, 10, (3, 5)), (2, 6, (1, 1))),
    ((4, 8, (2, 7)), (1, 8, (2, 7)), (3, 6, (2, 7)), (2, 8, (1, 1))),
    ((3, 10, (4, 6)), (1, 10, (4, 6)), (4, 8, (4, 6)), (2, 10, (1, 1))),
)
DEEP = (11, 6, (2, 3))  # a block 10: as text "10" comes before "2"
DEPTHS = (3, 1, 5), (4, 1, 6), (5, 1, 3)
FAINT = (2, 8, (3, 5))  # here the last block writes so little that eps tells a norm from two


class Stack:
    answers = ("Stack(n_layers, d_model, make_block)",)

    @check("n_layers blocks, each with weights of its own, and one norm", 1.5)
    def holds(Stack):
        width = draw.one_of(*SIZES)[-1]
        for n_layers in draw.one_of(*DEPTHS):
            stack, made = build_stack(Stack, n_layers, width)
            parameters_of_a_stack(stack, made, n_layers, width)
            stays_in_training(stack)

    @check("the output: each block reads what the one before it wrote", 2)
    def output(Stack):
        for n_layers, width, leading in (*draw.one_of(*STACKS), FAINT, DEEP):
            stack, made = build_stack(Stack, n_layers, width)
            made = parameters_of_a_stack(stack, made, n_layers, width)[0]
            if (n_layers, width, leading) == FAINT:
                with torch.no_grad():
                    for parameter in made[-1].parameters():
                        parameter.mul_(0.1)
            x = 2 * draw.normal(*leading, width)
            got = run_module(stack, x, "Stack")
            compare(got, stack_spec(x, made), faults.stacks(x, made), "the output", 1e-4)

    @check("gradients reach every block; the input stays as it was", 0.5)
    def gradient(Stack):
        n_layers, shape = draw.one_of(2, 3, 4), draw.one_of(*SIZES)
        stack, made = build_stack(Stack, n_layers, shape[-1])
        parameters_of_a_stack(stack, made, n_layers, shape[-1])
        gradients_arrive(stack, "Stack", lambda x: stack_spec(x, made), *shape)
        keeps_every_dtype(
            lambda dtype: run_module(stack.to(dtype), draw.normal(*shape, dtype=dtype), "Stack"), "the output"
        )


def build_stack(Stack, n_layers: int, width: int) -> tuple[nn.Module, list]:
    """The learner's stack, and the blocks it had made, in their order."""
    made = []

    def make_block() -> nn.Module:
        made.append(Mixer(width))
        return made[-1]

    make_block.__module__, make_block.__qualname__ = "builtins", "make_block"  # for torch's own error messages
    try:
        return expect_module(Stack(n_layers, width, make_block), "Stack"), made
    except TypeError as error:
        if not made and "make_block" in str(error):
            error.add_note("make_block is a function that makes a block: call it, make_block(), once for each layer.")
        raise


def blocks_held(stack, made: list, n_layers: int, kind: type, name: str) -> list:
    """Its blocks, if there are n_layers of them, and each is of a call of make_block() of its own."""
    blocks = [module for module in stack.modules() if isinstance(module, kind)]
    if not made:
        if "forward" not in vars(type(stack)) and not blocks:
            raise NotDone("write __init__ and forward, run the cell, then run this one again.")
        raise Wrong(
            "make_block() was not called in __init__. Call it there, once for each layer: blocks made in forward() "
            "would be new at every call."
        )
    if not blocks:
        raise Wrong(
            f"make_block() was called {len(made)} times, but no block is among {name}'s modules: a plain Python "
            "list hides them from parameters(), and an optimiser would train nothing. nn.ModuleList keeps them."
        )
    if len(blocks) == 1 and n_layers > 1:
        raise Wrong(
            f"There is one block, used {n_layers} times: [block] * n_layers repeats a reference, not a module. "
            f"Its weights are shared: 1/{n_layers} of the parameters wanted. Call make_block() once for each layer."
        )
    if len(made) < n_layers and len(blocks) == n_layers:
        raise Wrong(
            f"{n_layers} blocks, but make_block() was called {len(made)} time(s), the others are copies: all start "
            "from the same numbers. Call make_block() once for each layer, so that each draws its own."
        )
    if len(blocks) != n_layers:
        raise Wrong(f"For n_layers = {n_layers} {name} holds {len(blocks)} blocks: wanted exactly {n_layers}.")
    return blocks


def parameters_of_a_stack(stack, made: list, n_layers: int, width: int) -> tuple[list, list]:
    """(the blocks, the stack's own parameters), if there are n_layers blocks of their own and one norm."""
    mixers = blocks_held(stack, made, n_layers, Mixer, "the stack")
    inside = {id(p) for mixer in mixers for p in mixer.parameters()}
    own = [p for p in stack.parameters() if id(p) not in inside]
    if any(p.numel() % width for p in own):
        raise Wrong(WRITTEN_IN)
    size = sum(p.numel() for p in own) // width
    if size == 0:
        raise Wrong(
            "The stack has no norm of its own. Pre-norm blocks leave their sum unnormalised, so the stack ends with "
            "one nn.LayerNorm(d_model), made in __init__."
        )
    if size != 2:
        raise Wrong(
            f"Besides its blocks the stack holds {size} d_model parameters; one LayerNorm at the end has 2 d_model "
            "(gamma and beta; an RMSNorm has gamma alone). The norms inside a block are the block's own."
        )
    if len(made) > n_layers:
        raise Wrong(
            f"make_block() was called {len(made)} times for n_layers = {n_layers}: once for each layer is enough."
        )
    return made, own


def stack_spec(x: Tensor, blocks: list) -> Tensor:
    for block in blocks:
        x = block(x)
    return layer_norm(x)
