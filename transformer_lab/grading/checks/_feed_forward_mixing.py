"""Lesson 05: the checks of a diagnosis: does this layer mix positions?"""

import torch
from torch import Tensor

from ..score import Wrong, check
from .common import copies, leaves_alone, normal

B, T, D = 2, 6, 4


def attention(allowed: Tensor | None = None):
    """Self-attention with random projections, among the allowed pairs of positions."""
    w_q, w_k, w_v = normal(D, D), normal(D, D), normal(D, D)

    def attend(x):
        scores = (x @ w_q) @ (x @ w_k).mT / D
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        return scores.softmax(-1) @ x @ w_v

    return attend


def network():
    w_1, w_2 = normal(7, D), normal(D, 7)
    return lambda x: (x @ w_1.T).relu() @ w_2.T


def convolution(width: int):
    weight = normal(D, D, width)
    return lambda x: torch.nn.functional.conv1d(x.mT, weight, padding=width // 2).mT


def at(position: int, added) -> Tensor:
    """A mask (T, 1) that is 1 at this position: added there, and nowhere else."""
    here = torch.zeros(T, 1)
    here[position] = 1.0
    return here * added


def wire_between_numbers(x: Tensor) -> Tensor:
    """x with half of the last number of position 4 added to the last but one of position 2."""
    place = torch.zeros(D)
    place[-2] = 1.0
    return x + at(2, 0.5 * x[:, 4:5, -1:] * place)


class mixes_positions:
    answers = ("mixes_positions(layer, x)",)

    @check("True or False comes back, and x stays as it was", 0.5)
    def kind(mixes_positions):
        verdict(mixes_positions, network())
        leaves_alone(lambda x: mixes_positions(network(), x), x=normal(B, T, D))

    @check("attention mixes, the feed-forward layer does not", 1)
    def two(mixes_positions):
        expect(mixes_positions, network(), False, "a feed-forward layer", LONELY)
        words = (
            "Each output reads every position. (Shuffling the positions first or last makes no difference to unmasked "
            "attention either: it treats all positions alike, and still mixes them. Change one position, and look at "
            "the *others*.)"
        )
        expect(mixes_positions, attention(), True, "attention without a mask", words)

    @check("layers that mix in one direction, or only between far positions", 1.5)
    def directions(mixes_positions):
        lower = torch.ones(T, T).tril().bool()
        earlier = (
            "Position t reads the positions before it: changing the *last* one shows nothing. Change each in turn."
        )
        expect(mixes_positions, attention(lower), True, "attention with a causal mask", earlier)
        later = "Position t reads the positions after it: changing the *first* one shows nothing. Change each in turn."
        expect(mixes_positions, attention(lower.T), True, "attention that sees only the future", later)
        middle = "Only position 3 is read by another, position 1: change each position in turn, look at all others."
        expect(mixes_positions, lambda x: x + at(1, 0.5 * x[:, 3:4]), True, "a layer with one long wire", middle)
        near = "Only position 2 is read by another, position 0: change each position alone, not several together."
        expect(mixes_positions, lambda x: x + at(0, 0.5 * x[:, 2:3]), True, "a layer with one short wire", near)
        one = "It adds one number of position 4 to another number of position 2: change, and compare, all D numbers."
        expect(mixes_positions, wire_between_numbers, True, "a wire between two numbers", one)
        expect(mixes_positions, convolution(3), True, "a convolution of width 3", "Each output reads its neighbours.")
        words = "Each output is another position's input."
        expect(mixes_positions, lambda x: x.roll(1, dims=1), True, "a shift by one position", words)
        words = "It subtracts the mean over the positions, so each output depends on all of them."
        expect(mixes_positions, lambda x: x - x.mean(1, keepdim=True), True, "a norm over the positions", words)

    @check("layers that only look as if they mixed", 1)
    def lookalikes(mixes_positions):
        words = "A convolution of width 1 is one matrix at every position. " + LONELY
        expect(mixes_positions, convolution(1), False, "a convolution of width 1", words)
        table = normal(T, D)
        words = (
            "It adds another vector at each position, so shuffling does not commute with it; but no position reads "
            "another one. Change one position, and look at the *others*."
        )
        expect(mixes_positions, lambda x: x + table, False, "a position table", words)
        words = "Its mean and variance are over the features of one position. " + LONELY
        expect(
            mixes_positions, lambda x: torch.nn.functional.layer_norm(x, (D,)), False, "a norm over the features", words
        )
        words = "Every position may look at itself alone. " + LONELY
        expect(mixes_positions, attention(torch.eye(T).bool()), False, "attention of each position to itself", words)
        words = "Every output is 1, whatever comes in: nothing reads anything."
        expect(mixes_positions, lambda x: 0 * x + 1, False, "a constant", words)


LONELY = "No output depends on another position: only the position that you changed changes."


def verdict(answer, layer) -> bool:
    """The answer's True or False about a layer."""

    def handed_over(x):
        if x.ndim != 3 or x.shape[1:] != (T, D):
            raise ValueError(
                f"layer(x) takes x of shape (B, {T}, {D}) here; it was called with {tuple(x.shape)}. "
                "Keep the shape, and change the numbers at one position."
            )
        return layer(x)

    try:
        got = answer(handed_over, *copies(normal(B, T, D)))
    except IndexError as error:
        raise Wrong(f"x is (B, T, D), here {(B, T, D)}: the positions are axis 1, x[:, t].") from error
    if isinstance(got, Tensor) and got.numel() == 1:
        got = got.item()
    if type(got).__name__ in ("bool_", "bool") or (type(got) is int and got in (0, 1)):
        return bool(got)
    what = f"a tensor of shape {tuple(got.shape)}" if isinstance(got, Tensor) else repr(got)
    raise Wrong(f"{what} came back; wanted one True or False: (...).any() and .item() make one of many.")


def expect(answer, layer, wanted: bool, name: str, why: str) -> None:
    """The answer is right about this layer, for two inputs."""
    for _ in range(2):
        if verdict(answer, layer) != wanted:
            raise Wrong(f"For {name} you said {not wanted}. {why}")
