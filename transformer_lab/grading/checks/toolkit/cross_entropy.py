"""Lesson 01: the checks of cross-entropy."""

import math

import torch
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone, number
from . import loss_faults as faults

# N, V; equal too, where a wrong axis raises no error.
SIZES = (
    ((3, 5), (7, 4), (5, 5), (1, 6)),
    ((4, 6), (8, 5), (6, 6), (1, 7)),
    ((3, 7), (6, 5), (4, 4), (1, 5)),
)
LARGER = ((6, 4), (7, 5), (8, 6))  # some of these targets do not count


class cross_entropy:
    answers = ("cross_entropy(scores, targets, ignore_index=-100)",)

    @check("one number of the same dtype", 0.5)
    def shape(cross_entropy):
        for dtype in (torch.float32, torch.float64):
            scores, targets = case(*draw.one_of(*SIZES)[0], dtype)
            keeps_dtype(loss_of(cross_entropy, scores, targets), dtype, "the loss")

    @check("the right number", 2)
    def values(cross_entropy):
        for N, V in draw.one_of(*SIZES):
            ordinary(cross_entropy, N, V)
        for V in (2, draw.one_of(9, 14, 20)):  # all scores equal
            got = loss_of(cross_entropy, torch.full((3, V), 0.7), torch.tensor([0, 1, 1]))
            told = faults.losses(torch.full((3, V), 0.7), torch.tensor([0, 1, 1]))
            compare(got, torch.tensor(math.log(V)), told, f"the loss of {V} equal scores, ln {V},")

    @check("targets that do not count", 1.5)
    def ignored(cross_entropy):
        ordinary(cross_entropy, *draw.one_of(*SIZES)[0])
        N, V = draw.one_of(*LARGER)
        for index in (-100, -1, 2, 0):
            scores, targets = case(N, V)
            targets[targets == index] = 1
            targets[1] = targets[4] = targets[5] = index
            how = {} if index == -100 else {"ignore_index": index}
            try:
                got = loss_of(cross_entropy, scores, targets, **how)
            except (NotDone, Wrong):
                raise
            except (IndexError, RuntimeError, KeyError) as error:
                raise Wrong(f"A target of {index} that is to be ignored raises an error. {LEAVE_OUT}", "M42") from error
            wanted = loss_by_loops(scores, targets, index)
            told = faults.ignoring(scores, targets, index)
            compare(got, wanted, told, f"the loss with ignore_index={index}", look=LEAVE_OUT)
            others = scores.clone()
            others[targets == index] += 5 * draw.uniform(V)
            if not close(loss_of(cross_entropy, others, targets, **how), got):
                raise Wrong("The scores of a position that does not count change the loss: leave its row out.", "M42")
        certain(cross_entropy)

    @check("scores of 10000 and of -10000", 1)
    def large(cross_entropy):
        ordinary(cross_entropy, *draw.one_of(*SIZES)[0])
        for scores, targets, tell in faults.large_scores():
            got = loss_of(cross_entropy, scores, targets)
            wanted = loss_by_loops(scores, targets)
            if not close(got, wanted, 1e-3):
                raise Wrong(tell(got, wanted))

    @check("gradients flow, and the inputs stay as they were", 1)
    def gradient(cross_entropy):
        scores, targets = case(*draw.one_of(*LARGER))
        targets[2] = targets[5] = -100
        leaves_alone(cross_entropy, scores=scores, targets=targets)
        others = torch.where(targets == -100, 2, targets.clamp(max=1))
        leaves_alone(
            lambda scores, targets: cross_entropy(scores, targets, ignore_index=2), scores=scores, targets=others
        )
        ordinary(cross_entropy, *draw.one_of(*SIZES)[0])
        compare_gradient(cross_entropy, scores, targets)
        for scores, targets, _ in faults.large_scores():
            compare_gradient(cross_entropy, scores, targets)


def ordinary(cross_entropy, N: int, V: int) -> None:
    """The loss of ordinary scores, all targets counting: an answer that errs here is told so, and nothing else."""
    for last in (V - 2, V - 1):  # the last class does not occur; then it may
        scores, targets = case(N, V)
        targets = targets.clamp(max=last)
        got = loss_of(cross_entropy, scores, targets)
        compare(got, loss_by_loops(scores, targets), faults.losses(scores, targets), name(N, V), look=LOOK)


def certain(cross_entropy) -> None:
    """A target predicted with p = 1 has a loss of 0 and counts, unlike a target to be ignored."""
    scores, targets = torch.tensor([[300.0, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 300.0, 0.0]]), torch.tensor([0, 2, -100])
    wanted = loss_by_loops(scores, targets)
    zero = "A row whose target is predicted with p = 1 has a loss of 0, and counts all the same: ask the targets which "
    zero += "rows count, not the losses."
    got = loss_of(cross_entropy, scores, targets)
    compare(got, wanted, [(2 * wanted, zero, None)], "the loss where one target has p = 1", look=LEAVE_OUT)


def compare_gradient(cross_entropy, scores: Tensor, targets: Tensor) -> None:
    """The gradient of the loss, where the loss is right (that has a check of its own)."""
    source = scores.clone().requires_grad_()
    loss = has_gradient(loss_of(cross_entropy, source, targets), "the loss")
    (got,) = torch.autograd.grad(loss, source)
    if not close(loss, loss_by_loops(scores, targets, -100), 1e-3):
        if scores.abs().max() < 1000:
            raise Wrong("Where some targets do not count, the loss is wrong (see that check), and so is its gradient.")
        return
    counts = targets != -100
    hits = one_hot(targets[counts], scores.shape[1]).float() / counts.sum()
    half, wanted = torch.zeros_like(scores), torch.zeros_like(scores)
    half[counts] = -hits
    wanted[counts] = scores[counts].softmax(-1) / counts.sum() - hits
    if got.isnan().any() and scores.abs().max() > 1000:
        raise Wrong(
            f"For scores of {number(scores.abs().max())} the loss is right and its gradient is NaN. torch.where hands "
            "a gradient of 0 to the branch not taken, and 0 times inf is NaN: no exp may overflow in either branch."
        )
    told = [(half, "The logarithm of the sum is cut from the gradient: .detach() or no_grad around it.", None)]
    compare(got, wanted, told, "the gradient of the loss", 2e-3, "Is a part of the loss detached?")


LOOK = "The loss of a row is log(sum(exp(scores))) minus the target's score; the result is the mean over the rows."
LEAVE_OUT = "Leave its row out before you look anything up: counts = targets != ignore_index, then scores[counts]."


def case(N: int, V: int, dtype=torch.float32) -> tuple[Tensor, Tensor]:
    """Scores (N, V) and targets (N,), not all the same."""
    targets = draw.integers(V, N)
    if N > 1:
        targets[0], targets[1] = 1, V - 2
    return 1.5 * draw.normal(N, V, dtype=dtype), targets


def name(N: int, V: int) -> str:
    return f"the loss of scores {(N, V)}"


def one_hot(targets: Tensor, V: int) -> Tensor:
    return torch.nn.functional.one_hot(targets, V)


def loss_of(cross_entropy, scores: Tensor, targets: Tensor, **how) -> Tensor:
    got = cross_entropy(*copies(scores, targets), **how)
    if isinstance(got, Tensor) and got.ndim and got.shape[0] == len(targets):
        raise Wrong(f"One loss for each of the {len(targets)} targets came back; wanted their mean, a single number.")
    if isinstance(got, (float, int)):
        raise Wrong(
            f"The loss is a plain number, {number(got)}: no gradient can flow back from it. Return a tensor of "
            "shape (): look for .item() or float(...)."
        )
    return expect_tensor(got, "the loss", ())


def loss_by_loops(scores: Tensor, targets: Tensor, ignore_index: int = -100) -> Tensor:
    """The specification: log of the sum of exp, minus the target's score, row by row; then the mean."""
    losses = []
    for row, target in zip(scores.double().tolist(), targets.tolist(), strict=True):
        if target != ignore_index:
            largest = max(row)
            losses.append(math.log(sum(math.exp(score - largest) for score in row)) + largest - row[target])
    return torch.tensor(sum(losses) / len(losses), dtype=torch.float64)
