"""Lesson 09: the checks of a block put together from parts, and of a stack of blocks."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..answer import Answer
from ..score import NotDone, Wrong, check
from . import _block_faults as faults
from .common import (
    close,
    compare,
    expect_tensor,
    has_gradient,
    keeps_dtype,
    keeps_every_dtype,
    leaves_alone,
    normal,
    settled,
)

B, T, D = 3, 5, 6


class Mixer(nn.Module):
    """Stands for attention: each position gets something of itself and of those before it."""

    def __init__(self, width: int = D):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.cumsum(dim=-2)).tanh()


class Bender(nn.Module):
    """Stands for the feed-forward layer: the same function at every position."""

    def __init__(self, width: int = D):
        super().__init__()
        self.w_1, self.w_2 = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_2(F.gelu(self.w_1(x)))


class Block:
    answers = ("Block(d_model, attention, feed_forward)",)

    @check("a module that holds the two parts and two norms of its own", 1.5)
    def holds(Block):
        block, attention, feed_forward = build(Block)
        parameters_of_a_block(block, attention, feed_forward)

    @check("the output of a fresh block", 2)
    def output(Block):
        for shape in ((B, T, D), (1, 1, D), (2, 4, D), (2, 7, 10)):
            compare_block(Block, shape)

    @check("each norm has a scale and a shift of its own, and uses them", 1)
    def own_norms(Block):
        block, attention, feed_forward = build(Block)
        own = parameters_of_a_block(block, attention, feed_forward)
        x = 3 * normal(B, T, D)
        with torch.no_grad():
            for parameter in own:
                parameter.add_(0.5 * torch.randn_like(parameter))
        got = run_module(block, x, "Block")
        ways = ways_to_pair(own)
        wanted = [block_spec(x, attention, feed_forward, *norms, norm=fast_norm) for norms in ways]
        if any(close(got, right, 1e-4) for right in wanted):
            return
        settled(lambda: compare_block(Block, (B, T, D)), "The output of a fresh block is")
        told = next(
            (words for wrong, words in misused(x, attention, feed_forward, ways) if close(got, wrong, 1e-4)), ""
        )
        raise Wrong(
            "With fresh norms the output is right; with their scales and shifts changed, as training would, it is "
            f"not. {told or MISUSED}"
        )

    @check("gradients reach every parameter; dtype and input stay as they were", 0.5)
    def gradient(Block):
        block, attention, feed_forward = build(Block)
        gradients_arrive(block, "Block", lambda x: block_spec(x, attention, feed_forward, norm=fast_norm))
        try:
            keeps_every_dtype(
                lambda dtype: run_module(block.to(dtype), normal(B, T, D, dtype=dtype), "Block"), "the output"
            )
        except RuntimeError:  # a norm that is not among the block's parameters stays in float32
            settled(lambda: parameters_of_a_block(block, attention, feed_forward), "What the block holds is")
            raise


class Stack:
    answers = ("Stack(n_layers, d_model, make_block)",)

    @check("n_layers blocks, each with weights of its own, and one norm", 1.5)
    def holds(Stack):
        for n_layers in (3, 1, 5):
            stack, made = build_stack(Stack, n_layers)
            parameters_of_a_stack(stack, made, n_layers)

    @check("the output: each block reads what the one before it wrote", 2)
    def output(Stack):
        for n_layers, width, leading in ((3, D, (B, T)), (1, D, (B, T)), (4, 10, (B, T)), (2, D, (1, 1))):
            stack, made = build_stack(Stack, n_layers, width)
            made = parameters_of_a_stack(stack, made, n_layers, width)[0]
            x = 2 * normal(*leading, width)
            got = run_module(stack, x, "Stack")
            compare(got, stack_spec(x, made), faults.stacks(x, made), "the output", 1e-4)

    @check("gradients reach every block; the input stays as it was", 0.5)
    def gradient(Stack):
        stack, made = build_stack(Stack, 3)
        parameters_of_a_stack(stack, made, 3)
        gradients_arrive(stack, "Stack", lambda x: stack_spec(x, made))
        keeps_every_dtype(
            lambda dtype: run_module(stack.to(dtype), normal(B, T, D, dtype=dtype), "Stack"), "the output"
        )


def build(Block, width: int = D) -> tuple[nn.Module, Mixer, Bender]:
    attention, feed_forward = Mixer(width), Bender(width)
    return expect_module(Block(width, attention, feed_forward), "Block"), attention, feed_forward


def expect_module(made, name: str) -> nn.Module:
    if isinstance(made, Tensor):
        raise Wrong(f"{name}(...) gave a tensor; wanted a module, whose forward(x) gives the tensor.")
    if not isinstance(made, nn.Module):
        raise Wrong(
            f"{name}(...) gave {type(made).__name__}, which is no nn.Module: write `class {name}(nn.Module)`. "
            "Only then are its parameters found, trained, moved and saved."
        )
    return made


def run_module(module: nn.Module, x: Tensor, name: str) -> Tensor:
    """module(x), as a learner's function is called: an empty forward is not done yet, a raised error shows its line."""
    got = Answer(module, f"{name}.forward(x)")(x.clone())
    got = expect_tensor(got, "the output", tuple(x.shape))
    keeps_dtype(got, x.dtype, "the output")
    again = module(x.clone())
    if not close(again, got):
        raise Wrong("Two calls with the same input differ: is a layer made anew in forward(), or is there dropout?")
    return got


def parameters_of_a_block(block, attention, feed_forward) -> list[Tensor]:
    """The block's own parameters (those of its norms), if the two parts and two norms are in it."""
    inside = {id(p) for p in block.parameters()}
    for part, what in ((attention, "attention"), (feed_forward, "feed_forward")):
        if not all(id(p) in inside for p in part.parameters()):
            raise Wrong(
                f"The parameters of {what} are not among the block's: keep the module you are given, "
                f"self.{what} = {what}. (In a plain list or dict, or as a copy, an optimiser would not find it.)"
            )
    parts = {id(p) for part in (attention, feed_forward) for p in part.parameters()}
    own = [p for p in block.parameters() if id(p) not in parts]
    width = sum(p.numel() for p in own) / next(iter(attention.parameters())).shape[-1]
    if width == 4:
        return own
    if width == 2 and len(own) == 2 and all((p == 1).all() for p in own):
        raise Wrong(
            "The block's two norms have a scale and no shift (RMSNorm, or bias=False?): nn.LayerNorm(d_model) has both."
        )
    told = {
        0: "The block has no parameters but those of its parts: make two nn.LayerNorm(d_model) in __init__, as "
        "attributes. (One made in forward() is new at every call and never learns; one in a plain list is not found.)",
        1: "The block's own parameters are one vector of d_model numbers; two LayerNorms have four.",
        2: "The block has one norm's scale and shift; wanted two norms, one before each part: shared, they could not "
        "learn different scales (or is one of them an RMSNorm, or kept in a list?).",
        3: "The block's own parameters are three vectors of d_model numbers; two LayerNorms have four.",
        6: "The block has three norms; wanted two, one before each part. The norm at the end belongs to the stack.",
    }
    if width != int(width):
        raise Wrong(WRITTEN_IN)
    raise Wrong(told.get(width, f"Beside its parts the block holds {width:g} d_model parameters; two norms hold four."))


WRITTEN_IN = "The size of a norm does not go with d_model: nn.LayerNorm(d_model), with the argument and not a number."


def ways_to_pair(own: list[Tensor]) -> list[tuple]:
    """((gamma, beta) of norm 1, of norm 2), for each way to tell which is which: names are the learner's own."""
    width = sum(p.numel() for p in own) // 4
    vectors = [v for p in own for v in p.reshape(-1, width)]
    return [((a, b), (c, d)) for a, b, c, d in itertools.permutations(vectors)]


def layer_norm(x: Tensor, gamma: Tensor | float = 1.0, beta: Tensor | float = 0.0) -> Tensor:
    """One position at a time: mean 0 and variance 1 over its features, then scale and shift."""
    rows = [(row - row.mean()) / (((row - row.mean()) ** 2).mean() + 1e-5).sqrt() for row in x.reshape(-1, x.shape[-1])]
    return torch.stack(rows).view(x.shape) * gamma + beta


def fast_norm(x: Tensor, gamma: Tensor | float = 1.0, beta: Tensor | float = 0.0) -> Tensor:
    """The same in one step, for the many wrong blocks that an answer is compared with."""
    return F.layer_norm(x, x.shape[-1:]) * gamma + beta


def block_spec(x, attention, feed_forward, norm_1=(1.0, 0.0), norm_2=(1.0, 0.0), norm=layer_norm) -> Tensor:
    """x + attention(norm(x)), then the same with the feed-forward layer."""
    x = x + attention(norm(x, *norm_1))
    return x + feed_forward(norm(x, *norm_2))


MISUSED = (
    "Is each norm used once, and with its own scale and shift? Norm 1 belongs before attention, norm 2 before the "
    "feed-forward layer."
)


def misused(x: Tensor, a, f, ways: list):
    """Blocks that are right as long as both norms are fresh, with what to tell their authors."""
    for first, second in ways:
        y = x + a(fast_norm(x, *first))
        again = fast_norm(y, *first)
        yield y + f(again), "One norm is used twice and the other never."
        for one in (first, second):
            twice = fast_norm(fast_norm(y, *second), *one)
            yield y + f(twice), "The feed-forward layer reads a norm of a norm; wanted norm 2 alone, once."
            z = x + a(fast_norm(fast_norm(x, *first), *one))
            yield z + f(fast_norm(z, *second)), "Attention reads a norm of a norm; wanted norm 1 alone, once."
        bare = fast_norm(y)
        yield y + f(bare), "The feed-forward layer's norm is one without scale and shift: use the module's own."
        z = x + a(fast_norm(x))
        yield z + f(fast_norm(z, *second)), "Attention's norm is one without scale and shift: use the module's own."


def compare_block(Block, shape: tuple) -> None:
    block, attention, feed_forward = build(Block, shape[-1])
    x = 3 * normal(*shape)
    got = run_module(block, x, "Block")
    wanted = block_spec(x, attention, feed_forward)
    told = itertools.chain(
        faults.blocks(x, attention, feed_forward, fast_norm), other_start(x, block, attention, feed_forward)
    )
    compare(got, wanted, told, "the output", 1e-4)


def other_start(x: Tensor, block, attention, feed_forward):
    """The output with the norms' scales and shifts as they are, where a fresh LayerNorm has other ones."""
    parts = {id(p) for part in (attention, feed_forward) for p in part.parameters()}
    own = [p for p in block.parameters() if id(p) not in parts]
    if sum(p.numel() for p in own) == 4 * x.shape[-1]:
        words = "The norms do not start as nn.LayerNorm does, with all scales 1 and all shifts 0."
        for norms in ways_to_pair(own):
            yield block_spec(x, attention, feed_forward, *norms, norm=fast_norm), words, None


def gradients_arrive(module: nn.Module, name: str, spec) -> None:
    """Every parameter gets a gradient, and the input all of it: as much as through spec(x)."""
    leaves_alone(lambda x: module(x), x=normal(B, T, D))
    x = normal(B, T, D).requires_grad_()
    got = Answer(module, f"{name}.forward(x)")(x * 1.0)
    upstream = torch.randn(B, T, D)
    wanted = spec(x)
    (through,) = torch.autograd.grad((wanted * upstream).sum(), x)
    (has_gradient(expect_tensor(got, "the output", (B, T, D)), "the output") * upstream).sum().backward()
    for what, parameter in module.named_parameters():
        if parameter.grad is None or not parameter.grad.any():
            raise Wrong(f"No gradient reaches {what}, so it would never learn: is it used in forward()?")
    if x.grad is None or not x.grad.any():
        raise Wrong("No gradient reaches the input, so nothing before this module could learn. Look for .detach().")
    if close(got, wanted, 1e-4) and not close(x.grad, through, 1e-3):
        raise Wrong(PARTLY)


PARTLY = (
    "The output is right, but a part of the gradient to the input is lost on the way, by the skip or by a branch. "
    "Look for .detach(), .data or torch.no_grad()."
)


def build_stack(Stack, n_layers: int, width: int = D) -> tuple[nn.Module, list]:
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


def parameters_of_a_stack(stack, made: list, n_layers: int, width: int = D) -> tuple[list, list]:
    """(the blocks, the stack's own parameters), if there are n_layers blocks of their own and one norm."""
    mixers = [module for module in stack.modules() if isinstance(module, Mixer)]
    if not made:
        if "forward" not in vars(type(stack)) and not mixers:
            raise NotDone("write __init__ and forward, run the cell, then run this one again.")
        raise Wrong(
            "make_block() was not called in __init__. Call it there, once for each layer: blocks made in forward() "
            "would be new at every call."
        )
    if not mixers:
        raise Wrong(
            f"make_block() was called {len(made)} times, but no block is among the stack's modules: a plain Python "
            "list hides them from parameters(), and an optimiser would train nothing. nn.ModuleList keeps them."
        )
    if len(mixers) == 1 and n_layers > 1:
        raise Wrong(
            f"There is one block, used {n_layers} times: [block] * n_layers repeats a reference, not a module. "
            f"Its weights are shared: 1/{n_layers} of the parameters wanted. Call make_block() once for each layer."
        )
    if len(made) < n_layers and len(mixers) == n_layers:
        raise Wrong(
            f"{n_layers} blocks, but make_block() was called {len(made)} time(s), the others are copies: all start "
            "from the same numbers. Call make_block() once for each layer, so that each draws its own."
        )
    if len(mixers) != n_layers:
        raise Wrong(f"For n_layers = {n_layers} the stack holds {len(mixers)} blocks: wanted exactly {n_layers}.")
    inside = {id(p) for mixer in mixers for p in mixer.parameters()}
    own = [p for p in stack.parameters() if id(p) not in inside]
    size = sum(p.numel() for p in own) / width
    if size == 0:
        raise Wrong(
            "The stack has no norm of its own. Pre-norm blocks leave their sum unnormalised, so the stack ends with "
            "one nn.LayerNorm(d_model), made in __init__."
        )
    if size != int(size):
        raise Wrong(WRITTEN_IN)
    if size != 2:
        raise Wrong(
            f"Beside its blocks the stack holds {size:g} d_model parameters; one LayerNorm at the end has 2 d_model "
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
