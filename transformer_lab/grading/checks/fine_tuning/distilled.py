"""Lesson 16: the checks of a loss for a student that learns from a teacher, and from a few labels."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, close, copies, expect_tensor, has_gradient, leaves_alone, settled
from .distilled_faults import ALONE, FAULTS, UNLABELLED

IGNORED = -100
SIZES = (7, 5), (6, 9), (5, 4)  # rows, classes


class distilled:
    answers = ("distilled(student, teacher, targets, T, share)",)

    @check("share = 1: the teacher's part", 1.25)
    def soft(distilled):
        from_teacher(distilled)

    @check("share = 0: the labels' part", 0.75)
    def hard(distilled):
        from_labels(distilled)

    @check("both, and rows without a label", 1)
    def both(distilled):
        settled(lambda: (from_teacher(distilled), from_labels(distilled)), "One of the two parts is")
        judge(distilled, [Case(*sizes, draw.one_of(0.3, 0.6)) for sizes in SIZES])
        for share in (0.7, 0.0):
            judge(distilled, [Case(*sizes, share, n_labelled=0) for sizes in SIZES])
        judge(distilled, [Case(*sizes, 0.4, n_labelled=sizes[0]) for sizes in SIZES])

    @check("large logits, gradients, and that the inputs stay as they are", 1)
    def careful(distilled):
        settled(lambda: (from_teacher(distilled), from_labels(distilled)), "One of the two parts is")
        for case in (Case(*SIZES[0], 0.5), Case(*SIZES[1], 0.6, loud=1500.0), Case(*SIZES[2], 0.7, n_labelled=0)):
            gradients(distilled, case)
        case = Case(*SIZES[0], 0.5)
        leaves_alone(
            lambda student, teacher, targets: distilled(student, teacher, targets, case.T, case.share),
            student=case.student, teacher=case.teacher, targets=case.targets,
        )  # fmt: skip


class Case:
    """Logits of a student and a teacher, and the labels of some rows."""

    def __init__(self, n: int, n_classes: int, share: float, n_labelled: int | None = None, loud: float = 1.0):
        self.student = loud * draw.normal(n, n_classes, dtype=torch.float64)
        self.teacher = 1.5 * loud * draw.normal(n, n_classes, dtype=torch.float64)
        self.targets = torch.full((n,), IGNORED)
        chosen = draw.permutation(n)[: n // 2 if n_labelled is None else n_labelled]
        self.targets[chosen] = 1 + draw.integers(n_classes - 1, len(chosen))
        self.targets[chosen[:1]] = 0  # one, and never all of them
        self.T, self.share = draw.one_of(2.0, 2.5, 3.0), share

    def given(self) -> tuple:
        return *copies(self.student, self.teacher, self.targets), self.T, self.share

    @property
    def has_label(self) -> Tensor:
        return self.targets != IGNORED

    def divergences(self) -> Tensor:
        """Of each row, from the teacher to the student."""
        log_p, log_q = ((one / self.T).log_softmax(-1) for one in (self.teacher, self.student))
        return (log_p.exp() * (log_p - log_q)).sum(-1)

    def costs(self) -> Tensor:
        """Of each labelled row, the cross-entropy."""
        rows = self.student.log_softmax(-1)[self.has_label]
        return -rows[torch.arange(len(rows)), self.targets[self.has_label]]

    def wanted(self) -> Tensor:
        """The specification."""
        labels = self.costs().mean() if self.has_label.any() else torch.zeros(())
        return self.share * self.T**2 * self.divergences().mean() + (1 - self.share) * labels


def from_teacher(distilled) -> None:
    judge(distilled, [Case(*sizes, 1.0) for sizes in SIZES])


def from_labels(distilled) -> None:
    judge(distilled, [Case(*sizes, 0.0) for sizes in SIZES])


def asked(distilled, case: Case) -> Tensor:
    got = distilled(*case.given())
    if isinstance(got, (int, float)) and not isinstance(got, bool):
        raise Wrong("The loss is a plain number; wanted a tensor, from which gradients flow back to the student.")
    return expect_tensor(got, "the loss", ())


def judge(distilled, cases: list[Case]) -> None:
    given = [asked(distilled, case) for case in cases]
    for case, got in zip(cases, given, strict=True):
        wanted = case.wanted()
        if close(got, wanted):
            continue
        n, labelled = len(case.targets), int(case.has_label.sum())
        called = f"{n} rows, {labelled} of them labelled, T = {case.T:g}, share = {case.share:g}"
        if not labelled and got.isnan().any():
            raise Wrong(
                f"{called}: the loss is NaN. No row has a label, and the mean over no rows is 0 / 0, also in "
                "F.cross_entropy; even 0 times NaN is NaN. Wanted: 0 for this part."
            )
        if got.isnan().any():
            raise Wrong(
                f"{called}: the loss is NaN. Is a logarithm taken of something that is 0 or negative? F.kl_div wants "
                "the student's logarithms and the teacher's probabilities, in this order."
            )
        yours, right = apart(got, wanted)
        raise Wrong(f"{called}: {yours}; wanted {right}. {told(given, cases)}".strip())


def told(given: list[Tensor], cases: list[Case]) -> str:
    """The words of the first fault that gives these losses in all cases."""
    shares = {case.share for case in cases}
    first = ALONE[shares.pop()] if shares <= {0.0} or shares <= {1.0} else ()
    if not any(case.has_label.any() for case in cases):
        first = UNLABELLED
    for formula, words in first + FAULTS:
        if all(close(got, torch.as_tensor(formula(case))) for got, case in zip(given, cases, strict=True)):
            return words
    return ""


def gradients(distilled, case: Case) -> None:
    """The gradient by its formula: of a row's divergence (q - p) / T, of its cross-entropy softmax - 1 at the label."""
    student, teacher, targets, T, share = case.given()
    student.requires_grad_(), teacher.requires_grad_()
    loss = has_gradient(distilled(student, teacher, targets, T, share), "the loss")
    loud = float(case.student.abs().max()) > 100
    if loud and not math.isfinite(float(loss)):
        raise Wrong(
            f"With logits of some thousands the loss is {float(loss)}. Probabilities of 0 have logarithms of -inf: "
            "take log_softmax at once, of both."
        )
    if loud and not close(loss, case.wanted()):
        raise Wrong(
            f"With logits of some thousands the loss is {float(loss):.6g}; wanted {float(case.wanted()):.6g}. "
            "Is something clamped, or a small number added? log_softmax needs neither."
        )
    loss.backward()
    if teacher.grad is not None and teacher.grad.any():
        raise Wrong("A gradient reaches the teacher's logits: it would learn from its student. Take teacher.detach().")
    q, p = ((one / T).softmax(-1) for one in (case.student, case.teacher))
    wanted = share * T * (q - p) / len(targets)
    has_label, n = case.has_label, int(case.has_label.sum())
    one_hot = torch.nn.functional.one_hot(targets.clamp(min=0), q.shape[1])
    wanted += (1 - share) * (case.student.softmax(-1) - one_hot) / max(n, 1) * has_label[:, None]
    if student.grad is None:
        raise Wrong("No gradient reaches the student's logits: nothing would be learnt.")
    if student.grad.isnan().any() and not n:
        raise Wrong(
            "Where no row has a label the loss is right, but its gradient is NaN: the mean over no rows is still "
            "behind it. Leave the labels' part out there."
        )
    if student.grad.isnan().any():
        raise Wrong("The gradient is NaN" + " with logits of some thousands" * loud + ". Take log_softmax, for both.")
    if not close(student.grad, wanted) and not close(loss, case.wanted()):
        raise Wrong("The loss is not right yet: the check above says why. Fix that first.")
    if not close(student.grad, wanted):
        raise Wrong("The loss is right, its gradient is not: is a part of the student detached, or clamped?")
