"""Lesson 16: the checks of a linear layer that serves many LoRAs at once."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, copies, difference, expect_tensor, keeps_every_dtype, leaves_alone, settled
from .served_faults import FAULTS

# n_texts, T, d_in, d_out, n_loras, r: wide and tall and, because a transpose hides there, square; one text, one token.
SIZES = (4, 5, 7, 11, 3, 2), (3, 6, 11, 7, 5, 4), (5, 3, 9, 9, 4, 6), (2, 1, 8, 13, 3, 5), (1, 7, 12, 5, 2, 3)
LOOK = "Wanted: x times the transpose of weight, plus bias, plus alpha / r times what A and then B make of x."


class served:
    answers = ("served(x, weight, bias, A, B, alpha, which)",)

    @check("one LoRA for all texts", 2)
    def one(served):
        all_alike(served)

    @check("each text goes through its own", 1.75)
    def own(served):
        settled(lambda: all_alike(served), "With one LoRA for all texts it is")
        each_its_own(served)

    @check("texts without a LoRA", 1.75)
    def without(served):
        settled(lambda: each_its_own(served), "With a LoRA for each text it is")
        judge(served, [Case(sizes, some_without(sizes)) for sizes in SIZES])
        judge(served, [Case(sizes, [-1] * sizes[0]) for sizes in SIZES[1:3]])

    @check("the dtype; the inputs stay as they are", 0.5)
    def careful(served):
        settled(lambda: each_its_own(served), "With a LoRA for each text it is")
        case = Case(SIZES[0], some_without(SIZES[0]))
        x, weight, bias, A, B, alpha, which = case.given()
        leaves_alone(
            lambda x, weight, bias, A, B, which: served(x, weight, bias, A, B, alpha, which),
            x=x, weight=weight, bias=bias, A=A, B=B, which=which,
        )  # fmt: skip
        for texts in (some_without(SIZES[0]), [-1] * SIZES[0][0]):
            keeps_every_dtype(lambda dtype, texts=texts: served(*Case(SIZES[0], texts, dtype).given()), "the result")


class Case:
    """A batch, a layer, LoRAs that differ, and which text goes through which."""

    def __init__(self, sizes: tuple[int, ...], which: list[int], dtype=torch.float64):
        n_texts, self.T, d_in, d_out, self.n_loras, self.r = sizes
        self.x = draw.normal(n_texts, self.T, d_in, dtype=dtype)
        self.weight, self.bias = draw.normal(d_out, d_in, dtype=dtype), draw.normal(d_out, dtype=dtype)
        self.A = draw.normal(self.n_loras, self.r, d_in, dtype=dtype)
        self.B = draw.normal(self.n_loras, d_out, self.r, dtype=dtype)
        self.alpha, self.which = draw.one_of(12, 20, 7.5), torch.tensor(which)

    def given(self) -> tuple:
        x, weight, bias, A, B, which = copies(self.x, self.weight, self.bias, self.A, self.B, self.which)
        return x, weight, bias, A, B, self.alpha, which

    def old(self) -> Tensor:
        return self.x @ self.weight.mT + self.bias

    def wanted(self) -> Tensor:
        """The specification."""
        found = self.old()
        for text, lora in enumerate(self.which.tolist()):
            if lora >= 0:
                found[text] += self.alpha / self.r * self.x[text] @ self.A[lora].mT @ self.B[lora].mT
        return found


def of_each(sizes: tuple[int, ...]) -> list[int]:
    """A LoRA for each text, the last one among them; not in their order, and one of them twice where that can be."""
    n_texts, n_loras = sizes[0], sizes[4]
    if n_texts == 1:
        return [n_loras - 1]
    return [n_loras - 1, 0, *draw.integers(n_loras, n_texts - 2).tolist()]


def some_without(sizes: tuple[int, ...]) -> list[int]:
    which = of_each(sizes)
    which[1 if len(which) > 1 else 0] = -1
    if len(which) > 3:
        which[-1] = -1
    return which


def all_alike(served) -> None:
    judge(served, [Case(sizes, [sizes[4] - 2] * sizes[0]) for sizes in SIZES])


def each_its_own(served) -> None:
    judge(served, [Case(sizes, of_each(sizes)) for sizes in SIZES])


def judge(served, cases: list[Case]) -> None:
    given = []
    for case in cases:
        got = served(*case.given())
        given.append(expect_tensor(got, "served(...)", (*case.x.shape[:2], len(case.bias))))
    for case, got in zip(cases, given, strict=True):
        wanted = case.wanted()
        if close(got, wanted):
            continue
        for formula, words in FAULTS:
            if all(close(one, formula(other)) for one, other in zip(given, cases, strict=True)):
                raise Wrong(words)
        raise Wrong(f"With which = {case.which.tolist()}: {difference(got, wanted, 'the result')} {LOOK}")
