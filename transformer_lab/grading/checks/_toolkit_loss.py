"""Lesson 01: the checks of cross-entropy and of its gradient."""

import functools
import math

import torch
from torch import Tensor

from ..score import NotDone, Wrong, check
from . import _toolkit_loss_faults as faults
from .common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone, normal, number

SIZES = ((3, 5), (7, 4), (5, 5), (1, 6))  # N, V; equal too, where a wrong axis raises no error


class cross_entropy:
    answers = ("cross_entropy(scores, targets, ignore_index=-100)",)

    @check("one number of the same dtype", 0.5)
    def shape(cross_entropy):
        for dtype in (torch.float32, torch.float64):
            scores, targets = case(3, 5, dtype)
            keeps_dtype(loss_of(cross_entropy, scores, targets), dtype, "the loss")

    @check("the right number", 2)
    def values(cross_entropy):
        for N, V in SIZES:
            ordinary(cross_entropy, N, V)
        for V in (2, 14):  # all scores equal
            got = loss_of(cross_entropy, torch.full((3, V), 0.7), torch.tensor([0, 1, 1]))
            told = faults.losses(torch.full((3, V), 0.7), torch.tensor([0, 1, 1]))
            compare(got, torch.tensor(math.log(V)), told, f"the loss of {V} equal scores, ln {V},")

    @check("targets that do not count", 1.5)
    def ignored(cross_entropy):
        ordinary(cross_entropy)
        for index in (-100, -1, 2, 0):
            scores, targets = case(6, 4)
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
            others[targets == index] += 5 * torch.rand(4)
            if not close(loss_of(cross_entropy, others, targets, **how), got):
                raise Wrong("The scores of a position that does not count change the loss: leave its row out.", "M42")
        certain(cross_entropy)

    @check("scores of 10000 and of -10000", 1)
    def large(cross_entropy):
        ordinary(cross_entropy)
        for scores, targets, tell in faults.large_scores():
            got = loss_of(cross_entropy, scores, targets)
            wanted = loss_by_loops(scores, targets)
            if not close(got, wanted, 1e-3):
                raise Wrong(tell(got, wanted))

    @check("gradients flow, and the inputs stay as they were", 1)
    def gradient(cross_entropy):
        scores, targets = case(6, 4)
        targets[2] = targets[5] = -100
        leaves_alone(cross_entropy, scores=scores, targets=targets)
        others = torch.where(targets == -100, 2, targets.clamp(max=1))
        leaves_alone(
            lambda scores, targets: cross_entropy(scores, targets, ignore_index=2), scores=scores, targets=others
        )
        ordinary(cross_entropy)
        compare_gradient(cross_entropy, scores, targets)
        for scores, targets, _ in faults.large_scores():
            compare_gradient(cross_entropy, scores, targets)


def ordinary(cross_entropy, N: int = 3, V: int = 5) -> None:
    """The loss of ordinary scores, all targets counting: an answer that errs here is told so, and nothing else."""
    scores, targets = case(N, V)
    got = loss_of(cross_entropy, scores, targets)
    compare(got, loss_by_loops(scores, targets), faults.losses(scores, targets), name(N, V), look=LOOK)


def certain(cross_entropy) -> None:
    """A target that is right beyond doubt has a loss of 0 and counts, as a target to be ignored does not."""
    scores, targets = torch.tensor([[300.0, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 300.0, 0.0]]), torch.tensor([0, 2, -100])
    wanted = loss_by_loops(scores, targets)
    zero = "A row whose target is right beyond doubt has a loss of 0, and counts all the same: ask the targets which "
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
            raise Wrong("Where some targets do not count the loss is wrong (see there), and so is its gradient.")
        return
    counts = targets != -100
    hits = one_hot(targets[counts], scores.shape[1]).float() / counts.sum()
    half, wanted = torch.zeros_like(scores), torch.zeros_like(scores)
    half[counts] = -hits
    wanted[counts] = scores[counts].softmax(-1) / counts.sum() - hits
    if got.isnan().any() and scores.abs().max() > 1000:
        raise Wrong(
            f"For scores of {number(scores.abs().max())} the loss is right and its gradient is NaN. torch.where hands "
            "a gradient of 0 to the branch not taken, and 0 times inf is NaN: let no exp overflow in either."
        )
    told = [(half, "The logarithm of the sum is cut from the gradient: .detach() or no_grad around it.", None)]
    compare(got, wanted, told, "the gradient of the loss", 2e-3, "Is a part of the loss detached?")


LOOK = "The loss of a row is log of the sum of exp of its scores, less the target's score; then the mean over the rows."
LEAVE_OUT = "Leave its row out before you look anything up: counts = targets != ignore_index, then scores[counts]."


def case(N: int, V: int, dtype=torch.float32) -> tuple[Tensor, Tensor]:
    """Scores (N, V) and targets (N,), not all the same."""
    targets = torch.randint(V, (N,))
    if N > 1:
        targets[0], targets[1] = 1, V - 2
    return 1.5 * normal(N, V, dtype=dtype), targets


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


class cross_entropy_gradient:
    answers = ("cross_entropy_gradient(scores, targets)",)

    @check("a tensor (N, V) of the same dtype", 1)
    def shape(cross_entropy_gradient):
        for dtype in (torch.float32, torch.float64):
            for N, V in SIZES:
                scores, targets = case(N, V, dtype)
                keeps_dtype(gradient_of(cross_entropy_gradient, scores, targets), dtype, "the gradient")
        scores, targets = case(4, 7)
        targets.clamp_(max=3)  # the last ids do not occur
        try:
            gradient_of(cross_entropy_gradient, scores, targets)
        except Wrong as wrong:
            raise Wrong(f"{wrong} The last ids do not occur among these targets: take V from the scores.") from None

    @check("the right numbers", 2)
    def values(cross_entropy_gradient):
        for N, V in SIZES:
            ordinary_gradient(cross_entropy_gradient, N, V)

    @check("scores of 10000, and inputs left alone", 1)
    def large(cross_entropy_gradient):
        scores, targets = case(3, 5)
        once = functools.partial(with_autograd, cross_entropy_gradient)
        leaves_alone(once, scores=scores, targets=targets)
        ordinary_gradient(cross_entropy_gradient)
        targets = torch.tensor([0, 1])
        for scale in (1e4, -1e4):
            scores = torch.tensor([[1.0, 0.5, -1.0], [-1.0, 0.9999, 1.0]]) * scale
            got = gradient_of(cross_entropy_gradient, scores, targets)
            if not got.isfinite().all():
                raise Wrong(
                    "Scores near 10000 give NaN or inf: exp(10000) is inf. Use torch's softmax, or subtract each row's "
                    "largest score before exp."
                )
            clamped = "Are the scores clamped? Scores that differ may not become alike."
            compare(got, gradient_by_loops(scores, targets), (), "the gradient for scores near 10000", 1e-3, clamped)
        scores = torch.tensor([[1e4, 1e4 - 1, 1e4 - 3], [-1e4, -1e4 + 2, -1e4 + 1]])
        got, wanted = gradient_of(cross_entropy_gradient, scores, targets), gradient_by_loops(scores, targets)
        if not close(got, wanted, 1e-3):
            raise Wrong(
                "With one row near 10000 and one near -10000 the gradient is wrong: the largest score is taken over "
                "the whole tensor. Take it row by row, dim=-1, keepdim=True."
            )


def ordinary_gradient(cross_entropy_gradient, N: int = 3, V: int = 5) -> None:
    scores, targets = case(N, V)
    got, wanted = gradient_of(cross_entropy_gradient, scores, targets), gradient_by_loops(scores, targets)
    sums = got.detach().sum(-1)
    look = "Each row is its softmax, less 1 at the target, over N."
    if sums.abs().max() > 1e-4:
        look = "Each row must sum to 0, for p and y both sum to 1; "
        look += f"yours sum to {number(sums.min())} ... {number(sums.max())}."
    compare(got, wanted, faults.gradients(scores, targets), f"the gradient for scores {(N, V)}", look=look)


def gradient_of(cross_entropy_gradient, scores: Tensor, targets: Tensor) -> Tensor:
    got = with_autograd(cross_entropy_gradient, *copies(scores, targets))
    return expect_tensor(got, "the gradient", scores.shape)


LEAF = (
    "By autograd: the inputs come without requires_grad. Take a copy, x.clone().requires_grad_(), compute the loss "
    "from that copy, call backward, and read the .grad of the copy itself."
)


def with_autograd(answer, *inputs):
    """answer(*inputs); a word on autograd where it went wrong: no gradient asked for, or read off another tensor."""
    try:
        got = answer(*inputs)
    except RuntimeError as error:
        if "require" in str(error) and "grad" in str(error):
            raise Wrong(LEAF) from error
        raise
    except Wrong as wrong:
        if "returned None" in str(wrong):
            raise Wrong(f"{wrong} Or is it a .grad that nothing has filled? {LEAF}") from None
        raise
    parts = got if isinstance(got, (tuple, list)) else [got]
    if any(part is None for part in parts):
        raise Wrong(f"None came back: a .grad that nothing has filled? {LEAF}")
    return got


def gradient_by_loops(scores: Tensor, targets: Tensor) -> Tensor:
    """The specification: the probability, less 1 at the target, over N, number by number."""
    (N, V), found = scores.shape, torch.zeros(scores.shape, dtype=torch.float64)
    for n in range(N):
        row = scores[n].double().tolist()
        powers = [math.exp(score - max(row)) for score in row]
        for j in range(V):
            found[n, j] = (powers[j] / sum(powers) - (1 if j == int(targets[n]) else 0)) / N
    return found
