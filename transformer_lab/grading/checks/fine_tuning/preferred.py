"""Lesson 16: the checks of a loss that learns from which of two answers people prefer."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, close, copies, expect_tensor, has_gradient, leaves_alone, settled
from .preferred_faults import FAULTS, answers

IGNORED = -100
SIZES = (4, 7, 11), (3, 8, 5), (5, 6, 9)  # pairs, places, tokens of the vocabulary


MASKED = (
    "0 times -inf is NaN, so a place that does not count must hold a finite number when it is multiplied by 0, or be "
    "replaced: masked_fill(..., 0.0)."
)


class preferred:
    answers = ("preferred(new, old, labels, beta)",)

    @check("answers alone: every place has a label", 1.5)
    def whole(preferred):
        judge(preferred, [Case(*sizes, masked=False) for sizes in SIZES])

    @check("questions and padding do not count", 1.5)
    def masked(preferred):
        settled(lambda: judge(preferred, [Case(*sizes, masked=False) for sizes in SIZES]), "The loss is")
        judge(preferred, [Case(*sizes) for sizes in SIZES])
        judge(preferred, [Case(1, *sizes[1:]) for sizes in SIZES])

    @check("large logits, gradients, and that the inputs stay as they are", 1)
    def careful(preferred):
        settled(lambda: judge(preferred, [Case(*sizes) for sizes in SIZES]), "The loss is")
        for case in (Case(*SIZES[0]), Case(*SIZES[1], loud=600.0)):
            gradients(preferred, case)
        case = Case(*SIZES[0])
        leaves_alone(
            lambda new, old, labels: preferred(new, old, labels, case.beta),
            new=case.new, old=case.old, labels=case.labels,
        )  # fmt: skip


class Case:
    """Logits of two models for pairs of texts, and the labels of their places."""

    def __init__(self, n: int, T: int, n_tokens: int, masked: bool = True, loud: int | float = 1):
        sizes = 2, n, T, n_tokens
        self.new, self.old = (loud * draw.normal(*sizes, dtype=torch.float64) for _ in range(2))
        self.labels = 1 + draw.integers(n_tokens - 1, 2, n, T)
        self.labels[:, :, T // 2] = 0  # a token like any other
        if masked:
            place = torch.arange(T)
            first, last = 1 + draw.integers(2, 2, n, 1), T - 1 - draw.integers(2, 2, n, 1)
            self.labels[(place < first) | (place >= last)] = IGNORED
        self.beta = draw.one_of(0.2, 0.3, 0.4)
        if loud > 1:  # in the first pair the other answer has gained so much more that the sigmoid is 0
            while self.beta * abs(self.gap()[0]) < 1000:
                self.new, self.old = (loud * draw.normal(*sizes, dtype=torch.float64) for _ in range(2))
            if self.gap()[0] > 0:
                self.new, self.old, self.labels = (one.flip(0) for one in (self.new, self.old, self.labels))

    def given(self) -> tuple:
        return *copies(self.new, self.old, self.labels), self.beta

    def gap(self, new: Tensor | None = None) -> Tensor:
        """Of each pair, how much more the preferred answer has gained than the other."""
        new = self.new if new is None else new
        gains = (answers(new, self.labels) - answers(self.old, self.labels)).sum(-1)
        return gains[0] - gains[1]

    def wanted(self, new: Tensor | None = None) -> Tensor:
        """The specification."""
        return torch.nn.functional.softplus(-self.beta * self.gap(new)).mean()


def asked(preferred, case: Case) -> Tensor:
    got = preferred(*case.given())
    if isinstance(got, (int, float)) and not isinstance(got, bool):
        raise Wrong("The loss is a plain number; wanted a tensor, from which gradients flow back to the new model.")
    return expect_tensor(got, "the loss", ())


def judge(preferred, cases: list[Case]) -> None:
    given = [asked(preferred, case) for case in cases]
    for case, got in zip(cases, given, strict=True):
        wanted = case.wanted()
        if close(got, wanted):
            continue
        n, T = case.labels.shape[1:]
        called = f"{n} pair{'s' * (n > 1)}, {T} places, beta = {case.beta:g}"
        yours, right = apart(got, wanted)
        if not got.isfinite():
            raise Wrong(f"{called}: the loss is {yours}; wanted {right}. {MASKED}")
        raise Wrong(f"{called}: the loss is {yours}; wanted {right}. {told(given, cases) or where(preferred, case)}")


def told(given: list[Tensor], cases: list[Case]) -> str:
    """The words of the first fault that gives these losses in all cases."""
    for formula, words in FAULTS:
        if all(close(got, torch.as_tensor(formula(case))) for got, case in zip(given, cases, strict=True)):
            return words
    return ""


def where(preferred, case: Case) -> str:
    """For a fault that nobody has listed: is it in one pair, or in how pairs are put together?"""
    alone = Case(1, *case.new.shape[2:], masked=bool((case.labels == IGNORED).any()))
    if case.labels.shape[1] > 1 and close(asked(preferred, alone), alone.wanted()):
        return "For one pair alone it is right: look at how the losses of several are put together. Wanted: their mean."
    return (
        "Work out one pair by hand: of each answer, the sum of its tokens' log-probabilities under either model; by "
        "how much the preferred one has gained more than the other; and -ln sigmoid of beta times that."
    )


def gradients(preferred, case: Case) -> None:
    new, old, labels, beta = case.given()
    new.requires_grad_(), old.requires_grad_()
    loss = has_gradient(preferred(new, old, labels, beta), "the loss")
    loud = float(case.new.abs().max()) > 100
    if loud and not math.isfinite(float(loss)):
        raise Wrong(
            f"With logits of some thousands the loss is {float(loss)}. A probability of 0 has the logarithm -inf: take "
            "log_softmax and F.logsigmoid, each at once."
        )
    if loud and not close(loss, case.wanted()):
        raise Wrong(
            f"With logits of some thousands the loss is {float(loss):.6g}; wanted {float(case.wanted()):.6g}. Is "
            "something clamped, or a small number added? log_softmax and F.logsigmoid need neither."
        )
    loss.backward()
    if old.grad is not None and old.grad.any():
        raise Wrong("A gradient reaches the old model's logits. It is to stay as it is: take old.detach().")
    if new.grad is None:
        raise Wrong("No gradient reaches the new model's logits: nothing would be learnt.")
    if new.grad.isnan().any():
        raise Wrong("The gradient is NaN" + " with logits of some thousands" * loud + ". Take F.logsigmoid.")
    by_the_formula = case.new.clone().requires_grad_()
    case.wanted(by_the_formula).backward()
    if not close(new.grad, by_the_formula.grad):
        lost = [name for name, row in zip(("preferred", "other"), new.grad, strict=True) if not row.any()]
        if lost:
            raise Wrong(
                f"The loss is right, but no gradient reaches the logits of the {lost[0]} answers. Is it detached?"
            )
        raise Wrong("The loss is right, its gradient is not: is a part of it detached, or clamped?")
