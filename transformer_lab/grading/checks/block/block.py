"""Lesson 09: the checks of a block put together from parts."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checking import Wrong, check
from ...draw import draw
from ..common import (
    close,
    compare,
    keeps_every_dtype,
    settled,
)
from . import block_faults as faults
from .modules import (
    SIZES,
    WRITTEN_IN,
    Bender,
    Mixer,
    expect_module,
    gradients_arrive,
    layer_norm,
    run_module,
    stays_in_training,
)

# B, T, d_model: two widths, and a text of one token.
SHAPES = (
    ((3, 5, 6), (1, 1, 6), (2, 4, 6), (2, 7, 10)),
    ((2, 6, 8), (1, 1, 8), (3, 5, 8), (3, 4, 12)),
    ((4, 6, 10), (1, 1, 10), (2, 3, 10), (2, 5, 6)),
)


class Block:
    answers = ("Block(d_model, attention, feed_forward)",)

    @check("a module that holds the two parts and two norms of its own", 1.5)
    def holds(Block):
        block, attention, feed_forward = build(Block, draw.one_of(*SIZES)[-1])
        parameters_of_a_block(block, attention, feed_forward)
        stays_in_training(block)

    @check("the output of a fresh block", 2)
    def output(Block):
        for shape in draw.one_of(*SHAPES):
            compare_block(Block, shape)

    @check("each norm has a scale and a shift of its own, and uses them", 1)
    def own_norms(Block):
        shape = draw.one_of(*SIZES)
        block, attention, feed_forward = build(Block, shape[-1])
        own = parameters_of_a_block(block, attention, feed_forward)
        x = 3 * draw.normal(*shape)
        with torch.no_grad():
            for parameter in own:
                parameter.add_(0.5 * draw.standard(*parameter.shape))
        got = run_module(block, x, "Block")
        ways = ways_to_pair(own)
        wanted = [block_spec(x, attention, feed_forward, *norms, norm=fast_norm) for norms in ways]
        if any(close(got, right, 1e-4) for right in wanted):
            return
        settled(lambda: compare_block(Block, shape), "The output of a fresh block is")
        told = next(
            (words for wrong, words in misused(x, attention, feed_forward, ways) if close(got, wrong, 1e-4)), ""
        )
        raise Wrong(
            "With fresh norms the output is right; with their scales and shifts changed, as training would, it is "
            f"not. {told or MISUSED}"
        )

    @check("gradients reach every parameter; dtype and input stay as they were", 0.5)
    def gradient(Block):
        shape = draw.one_of(*SIZES)
        block, attention, feed_forward = build(Block, shape[-1])
        gradients_arrive(block, "Block", lambda x: block_spec(x, attention, feed_forward, norm=fast_norm), *shape)
        try:
            keeps_every_dtype(
                lambda dtype: run_module(block.to(dtype), draw.normal(*shape, dtype=dtype), "Block"), "the output"
            )
        except RuntimeError:  # a norm that is not among the block's parameters stays in float32
            settled(lambda: parameters_of_a_block(block, attention, feed_forward), "What the block holds is")
            raise


def build(Block, width: int) -> tuple[nn.Module, Mixer, Bender]:
    attention, feed_forward = Mixer(width), Bender(width)
    return expect_module(Block(width, attention, feed_forward), "Block"), attention, feed_forward


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
    d_model = next(iter(attention.parameters())).shape[-1]
    if any(p.numel() % d_model for p in own):
        raise Wrong(WRITTEN_IN)
    width = sum(p.numel() for p in own) // d_model
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
    raise Wrong(told.get(width, f"Besides its parts the block holds {width} d_model parameters; two norms hold four."))


def ways_to_pair(own: list[Tensor]) -> list[tuple]:
    """((gamma, beta) of norm 1, of norm 2), for each way to tell which is which: names are the learner's own."""
    width = sum(p.numel() for p in own) // 4
    vectors = [v for p in own for v in p.reshape(-1, width)]
    return [((a, b), (c, d)) for a, b, c, d in itertools.permutations(vectors)]


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
        yield (
            y + f(bare),
            "The feed-forward layer's norm is one without scale and shift, or one made in forward(): use the module's "
            "own.",
        )
        z = x + a(fast_norm(x))
        yield (
            z + f(fast_norm(z, *second)),
            "Attention's norm is one without scale and shift, or one made in forward(): use the module's own.",
        )


def compare_block(Block, shape: tuple) -> None:
    block, attention, feed_forward = build(Block, shape[-1])
    x = 3 * draw.normal(*shape)
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
