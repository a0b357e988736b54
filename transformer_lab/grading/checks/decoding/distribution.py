"""Lesson 12: the checks of the probabilities that temperature, top-k and top-p leave."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, leaves_alone
from .filters import INF, consistent, right

ALL, ROWS = 7, ((38, 25, 15, 10, 6, 4, 2), (30, 27, 17, 12, 8, 4.5, 1.5), (84, 6, 4, 3, 1.6, 1, 0.4))
TIES = (30, 20, 20, 14, 10, 4, 2), (40, 16, 12, 12, 10, 6, 4)
BY_ROUNDING = (
    "Every token stays here, and one of yours is gone: the sum of all of them comes out a little above 1. Ask each "
    "token for the sum of those *before* it."
)
Case = tuple[Tensor, float, int, float]  # scores (B, V), temperature, k, p


class distribution:
    answers = ("distribution(scores, temperature, k, p)",)

    @check("the temperature", 1)
    def temperature(distribution):
        judge(distribution, [(scores(), t, ALL, 1.0) for t in (2.0, 0.5, 1.0)])

    @check("top-k", 1.5)
    def k(distribution):
        judge(distribution, [(scores(), 1.0, k, 1.0) for k in (3, 5, 1)])
        judge(distribution, [(scores(TIES), 1.0, k, 1.0) for k in (2, 3)])
        judge(distribution, [(scores(), 1.0, ALL + 4, 1.0)])

    @check("top-p", 1.5)
    def p(distribution):
        judge(distribution, [(scores(), 1.0, ALL, p) for p in (0.7, 0.92, 0.1)])
        judge(distribution, [(scores(TIES), 1.0, ALL, p) for p in (0.45, 0.63)])

    @check("all three, in the order that the text gives", 1.5)
    def together(distribution):
        judge(distribution, [(scores(), t, k, p) for t, k, p in ((2.0, 4, 0.7), (0.5, 4, 0.9), (1.5, 3, 0.8))])

    @check("impossible tokens, and the scores stay as they were", 0.5)
    def impossible(distribution):
        blocked = scores()
        blocked[0, draw.permutation(ALL)[:2]] = -INF
        blocked[2, draw.permutation(ALL)[:6]] = -INF
        low = blocked - 300  # the same probabilities
        judge(distribution, [(blocked, 2.0, 6, 0.97), (blocked, 0.5, 3, 1.0), (low, 2.0, 6, 0.97)])
        leaves_alone(lambda scores: distribution(scores, 2.0, 4, 0.7), scores=scores())


def scores(rows=ROWS) -> Tensor:
    """The logarithms of these weights, each row's in an order of its own and with a constant added."""
    made = [torch.tensor(row)[draw.permutation(ALL)].log() + draw.normal(1) for row in draw.shuffled(rows)]
    return torch.stack(made)


def called(case: Case) -> str:
    _, t, k, p = case
    return f"with temperature {t:g}, k = {k} and p = {p:g}"


def judge(answer, cases: list[Case]) -> None:
    answers = [expect_tensor(answer(case[0].clone(), *case[1:]), "the result", case[0].shape) for case in cases]
    for case, got in zip(cases, answers, strict=True):
        wanted = right(*case)
        if close(got, wanted):
            continue
        if words := next(consistent(answers, cases), ""):
            raise Wrong(f"{called(case).capitalize()}: {words}")
        if case[3] == 1 and case[2] >= ALL and got.gt(0).sum() < wanted.gt(0).sum() and close(got, wanted, 0.1):
            raise Wrong(f"{called(case).capitalize()}: {BY_ROUNDING}")
        compare(got, wanted, name=f"The result {called(case)}", look=seen(got, wanted))


def seen(got: Tensor, wanted: Tensor) -> str:
    """Where tokens are left that ought to be gone, or the other way round."""
    if got.isnan().any():
        return ""
    kept, right_ones = (got > 1e-6).sum(-1).tolist(), (wanted > 1e-6).sum(-1).tolist()
    return "" if kept == right_ones else f"Your rows keep {kept} tokens; wanted {right_ones}."
