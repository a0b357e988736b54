"""Lesson 05: the checks of a diagnosis: does this layer mix positions?"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import copies, leaves_alone
from .layers_tried import ROUNDING, Watched, false_alarm, missed, seen_elsewhere

# B, T, D. An even D: turned round, no number keeps its place. Two positions more than numbers of each.
SIZES = ((2, 6, 4), (3, 8, 6), (3, 6, 4), (2, 8, 6))
LONELY = "No output depends on another position: only the position that you changed changes."


class mixes_positions:
    answers = ("mixes_positions(layer, x)",)

    @check("True or False comes back, and x stays as it was", 0.5)
    def kind(mixes_positions):
        B, T, D = draw.one_of(*SIZES)
        verdict(mixes_positions, Watched(network(D), T, D), draw.normal(B, T, D))
        leaves_alone(lambda x: mixes_positions(network(D), x), x=draw.normal(B, T, D))

    @check("attention mixes, the feed-forward layer does not", 1)
    def two(mixes_positions):
        size = _, _, D = draw.one_of(*SIZES)
        expect(mixes_positions, size, network(D), "a feed-forward layer", LONELY)
        words = (
            "Each output reads every position. (Shuffling the positions first or last makes no difference to unmasked "
            "attention either: it treats all positions alike, and still mixes them. Change one position, and look at "
            "the *others*.)"
        )
        expect(mixes_positions, size, attention(D), "attention without a mask", words)

    @check("layers that mix in one direction, or only between far positions", 1)
    def directions(mixes_positions):
        size = _, T, D = draw.one_of(*SIZES)
        lower = torch.ones(T, T).tril().bool()
        earlier = "Position t reads the positions before it: changing the *last* one shows nothing."
        expect(mixes_positions, size, attention(D, lower), "attention with a causal mask", earlier)
        later = "Position t reads the positions after it: changing the *first* one shows nothing."
        expect(mixes_positions, size, attention(D, lower.T), "attention that sees only the future", later)
        for source, target in ((3, 1), (2, 0), (0, T - 1), (T - 1, 0), (T - 1, T - 2), (0, 1)):
            name = f"a wire from position {source} to position {target}"
            words = f"Position {target} reads position {source}, and no other position reads another."
            expect(mixes_positions, size, wire(source, target), name, words)
        for target, source in ((-2, -1), (1, 0)):
            words = f"Number {source % D} of position 4 is added to number {target % D} of position 2."
            wired = wire_between_numbers(source, target)
            expect(mixes_positions, size, wired, "a wire between two numbers", words)
        words = "What position 1 gets from position 4 is added to one of its numbers and subtracted from another."
        expect(mixes_positions, size, wire_that_cancels(), "a wire that cancels in a sum", words)
        words = (
            "Position 1 gets the length of position 4: changing only the signs or the order of its "
            "numbers shows nothing."
        )
        expect(mixes_positions, size, wire_of_lengths(), "a wire that carries a length", words)
        expect(
            mixes_positions, size, convolution(D, 3), "a convolution of width 3", "Each output reads its neighbours."
        )
        words = "Each output is another position's input."
        expect(mixes_positions, size, lambda x: x.roll(1, dims=1), "a shift by one position", words)
        words = "It subtracts the mean over the positions, so each output depends on all of them."
        expect(mixes_positions, size, lambda x: x - x.mean(1, keepdim=True), "a norm over the positions", words)

    @check("attention behind a norm, and a faint wire", 0.5)
    def hidden(mixes_positions):
        size = _, _, D = draw.one_of(*SIZES)
        words = "The norm takes away what is added to all numbers of a position; then each output reads every position."
        behind = behind_a_norm(D, lambda x: F.layer_norm(x, (D,)))
        expect(mixes_positions, size, behind, "attention behind a layer norm", words)
        words = "The norm takes away a factor on all numbers of a position; then each output reads every position."
        behind = behind_a_norm(D, lambda x: F.normalize(x, dim=-1))
        expect(mixes_positions, size, behind, "attention behind a division by the length", words)
        words = "A number of position 4, times 0.002, is added to one of position 1: faint, but far above rounding."
        faint = wire_between_numbers(2, 0, 1, 0.002)
        expect(mixes_positions, size, faint, "a faint wire", words, far=True)

    @check("layers that only look as if they mixed", 1)
    def lookalikes(mixes_positions):
        size = _, T, D = draw.one_of(*SIZES)
        words = "A convolution of width 1 is one matrix at every position. " + LONELY
        expect(mixes_positions, size, convolution(D, 1), "a convolution of width 1", words)
        table = draw.normal(T, D)
        words = (
            "It adds another vector at each position, so shuffling does not commute with it; but no position reads "
            "another one. Change one position, and look at the *others*."
        )
        expect(mixes_positions, size, lambda x: x + table, "a position table", words)
        words = "Its mean and variance are over the features of one position. " + LONELY
        expect(mixes_positions, size, lambda x: F.layer_norm(x, (D,)), "a norm over the features", words)
        words = "Every position may look at itself alone. " + LONELY
        expect(mixes_positions, size, attention(D, torch.eye(T).bool()), "attention of each position to itself", words)
        words = "Every output is 1, whatever comes in: nothing reads anything."
        expect(mixes_positions, size, lambda x: 0 * x + 1, "a constant", words)
        words = (
            f"It adds something of all positions and subtracts it again: what is left is rounding, below {ROUNDING:g}."
        )
        expect(mixes_positions, size, rounds, "a layer that changes nothing but the rounding", words)
        words = (
            "It subtracts the mean over the batch, position by position: the sequences of a batch influence one "
            "another, the positions do not. (Several probes in one batch disturb one another here.)"
        )
        expect(mixes_positions, size, lambda x: x - x.mean(0, keepdim=True), "a norm over the batch", words)


def attention(D: int, allowed: Tensor | None = None):
    """Self-attention with random projections, among the allowed pairs of positions."""
    w_q, w_k, w_v = draw.normal(D, D), draw.normal(D, D), draw.normal(D, D)

    def attend(x):
        scores = (x @ w_q) @ (x @ w_k).mT / D
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        return scores.softmax(-1) @ x @ w_v

    return attend


def behind_a_norm(D: int, norm):
    """x and a tenth of attention of the normalised x: so little that what norm's rounding does to it stays rounding."""
    attend = attention(D)
    return lambda x: x + 0.1 * attend(norm(x))


def network(D: int):
    w_1, w_2 = draw.normal(2 * D - 1, D), draw.normal(D, 2 * D - 1)
    return lambda x: (x @ w_1.T).relu() @ w_2.T


def convolution(D: int, width: int):
    weight = draw.normal(D, D, width)
    return lambda x: F.conv1d(x.mT, weight, padding=width // 2).mT


def wire(source: int, target: int):
    """x with half of position source added to position target."""
    return lambda x: x + 0.5 * torch.eye(x.shape[1])[target, :, None] * x[:, source : source + 1]


def wire_between_numbers(source: int, target: int, to: int = 2, factor: float = 0.5):
    """x with a part of one number of position 4 added to another number of position `to`."""

    def wired(x):
        place = torch.zeros(x.shape[1:])
        place[to, target] = factor
        return x + place * x[:, 4, source, None, None]

    return wired


def wire_that_cancels():
    """x with a number of position 4 added to one number of position 1, and subtracted from another one."""

    def wired(x):
        place = torch.zeros(x.shape[1:])
        place[1, 0], place[1, 3] = 0.5, -0.5
        return x + place * x[:, 4, 1, None, None]

    return wired


def wire_of_lengths():
    """x with the squared length of position 4 added to a number of position 1."""

    def wired(x):
        place = torch.zeros(x.shape[1:])
        place[1, 2] = 0.5
        return x + place * x[:, 4, None].square().sum(-1, keepdim=True)

    return wired


def rounds(x):
    """x, to within rounding: something of all positions is added and subtracted again."""
    common = x.mean(1, keepdim=True).tanh()
    return x + common - common


def verdict(answer, layer: Watched, x: Tensor) -> bool:
    """The answer's True or False about a layer."""
    try:
        got = answer(layer, *copies(x))
    except IndexError as error:
        raise Wrong(f"x is (B, T, D), here {tuple(x.shape)}: the positions are axis 1, x[:, t].") from error
    if isinstance(got, Tensor) and got.numel() == 1:
        got = got.item()
    if type(got).__name__ in ("bool_", "bool") or (type(got) is int and got in (0, 1)):
        return bool(got)
    what = f"a tensor of shape {tuple(got.shape)}" if isinstance(got, Tensor) else repr(got)
    raise Wrong(f"{what} came back; wanted one True or False: (...).any() and .item() make one of many.")


def expect(answer, size: tuple[int, int, int], layer, name: str, why: str, far: bool = False) -> None:
    """The answer is right about this layer, for a batch and for one sequence."""
    B, T, D = size
    for sequences in (B, 1):
        watched, x = Watched(layer, T, D), draw.normal(sequences, T, D)
        if far:  # no random number comes near what the wire carries, else its change might not show
            x[:, 4, 2] = 4 + draw.uniform(sequences)
        said = verdict(answer, watched, x)
        if said != mixes(layer, size):
            tried = false_alarm(watched, x) if said else missed(watched, x)
            given = " and a single sequence" if sequences == 1 else ""
            raise Wrong(" ".join(filter(None, (f"For {name}{given} you said {said}.", why, tried))))


def mixes(layer, size: tuple[int, int, int]) -> bool:
    """The specification: other numbers at one position move an output at another one, by more than rounding."""
    (B, T, D), x = size, draw.normal(*size)
    changed = [x.index_copy(1, torch.tensor([t]), 2 * draw.normal(B, 1, D)) for t in range(T)]
    return any(seen_elsewhere(layer, *pair) > ROUNDING for other in changed for pair in zip(other, x, strict=True))
