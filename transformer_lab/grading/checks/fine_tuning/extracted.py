"""Lesson 16: the checks of a LoRA that is taken out of a matrix that was fine-tuned whole."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close_by_size, copies, keeps_dtype, leaves_alone, settled
from .extracted_faults import APART, PRODUCTS, RANKS, best_of, size

# d_out and d_in: both ways, and no rank below is a size.
SIZES = (17, 23), (23, 17), (19, 26)


class extracted:
    answers = ("extracted(before, after, share)",)

    @check("the rank", 2.5)
    def rank(extracted):
        ranks(extracted)

    @check("what B @ A is", 2)
    def product(extracted):
        settled(lambda: ranks(extracted), "The rank is")
        products(extracted)

    @check("where nothing has changed", 1)
    def nothing(extracted):
        settled(lambda: ranks(extracted), "The rank is")
        for (d_out, d_in), dtype in zip(SIZES[:2], (torch.float64, torch.float32), strict=True):
            before = draw.normal(d_out, d_in, dtype=dtype)
            A, B = pair(extracted(*copies(before, before), 0.9), d_out, d_in)
            if len(A):
                raise Wrong(
                    f"before and after are the same, and r is {len(A)}; wanted 0: A of shape (0, {d_in}) and B of "
                    f"shape ({d_out}, 0). All sums are 0 there, and a share of them NaN: ask first whether anything "
                    "has changed."
                )
            usual, _ = pair(extracted(before.clone(), 2 * before, 0.9), d_out, d_in)
            for name, matrix in (("A", A), ("B", B)):
                if usual.dtype == dtype:  # otherwise the next check tells it
                    keeps_dtype(matrix, dtype, f"where nothing has changed {name}")

    @check("the dtype; the matrices stay as they are", 0.5)
    def careful(extracted):
        settled(lambda: ranks(extracted), "The rank is")
        case = Case(*SIZES[0])
        leaves_alone(lambda before, after: extracted(before, after, case.share), before=case.before, after=case.after)
        for dtype in (torch.float32, torch.float64):
            before, after = case.before.to(dtype), case.after.to(dtype)
            for name, matrix in zip("AB", pair(extracted(before, after, case.share), *before.shape), strict=True):
                keeps_dtype(matrix, dtype, name)


class Case:
    """A matrix before and after, and a share that no number of singular values keeps nearly exactly."""

    def __init__(self, d_out: int, d_in: int, share: float = 0.9, decay: float = 0.8, scale: float = 1.0):
        self.before = 3 * draw.normal(d_out, d_in, dtype=torch.float64)
        U, S, Vh = torch.linalg.svd(draw.standard(d_out, d_in, dtype=torch.float64), full_matrices=False)
        values = scale * decay ** torch.arange(len(S)) * (0.9 + 0.2 * draw.uniform(len(S)))
        self.after = self.before + (U * values.double()) @ Vh
        self.change = (
            self.after - self.before
        )  # as a learner finds it, to the last digit: SVDs then have the same signs
        kept = energies(self.change).cumsum(0) / energies(self.change).sum()
        while (kept - share).abs().min() < 0.002:
            share -= 0.005
        self.share = round(share, 4)

    @property
    def r(self) -> int:
        """The specification."""
        kept = energies(self.change).cumsum(0)
        return int((kept < self.share * kept[-1]).sum()) + 1

    def best(self, r: int) -> Tensor:
        U, S, Vh = torch.linalg.svd(self.change, full_matrices=False)
        return (U[:, :r] * S[:r]) @ Vh[:r]


def energies(matrix: Tensor) -> Tensor:
    return torch.linalg.svdvals(matrix) ** 2


def asked(extracted, case: Case) -> tuple[Tensor, Tensor]:
    return pair(extracted(*copies(case.before, case.after), case.share), *case.before.shape)


def pair(got, d_out: int, d_in: int) -> tuple[Tensor, Tensor]:
    """The answer's A and B, if they are matrices that fit."""
    if not isinstance(got, (tuple, list)) or len(got) != 2 or not all(isinstance(one, Tensor) for one in got):
        kind = "one thing, of type " + type(got).__name__
        if isinstance(got, (tuple, list)):
            kind = f"{len(got)} things (" + ", ".join(type(one).__name__ for one in got) + ")"
        raise Wrong(f"extracted() gives {kind}; wanted the pair (A, B), two tensors.")
    A, B = got
    shapes = f"A has shape {tuple(A.shape)}, B {tuple(B.shape)}"
    wanted = f"wanted (r, {d_in}) and ({d_out}, r), so that B @ A is as large as the matrix."
    if A.ndim == B.ndim == 2 and A.shape[1] == d_in and B.shape[0] == d_out:
        if len(A) != B.shape[1]:
            raise Wrong(f"{shapes}: these are two different ranks; {wanted}")
        return A, B
    if A.ndim == B.ndim == 2 and A.shape[0] == d_out and B.shape[1] == d_in:
        raise Wrong(f"{shapes}; {wanted} They have changed places: A comes first.")
    if A.ndim == B.ndim == 2 and A.shape[0] == d_in and B.shape[1] == d_out:
        raise Wrong(f"{shapes}; {wanted} Both are transposed.")
    if A.ndim == B.ndim == 2 and (A.shape[0] == d_in or B.shape[1] == d_out):
        raise Wrong(f"{shapes}; {wanted} One of them is transposed.")
    raise Wrong(f"{shapes}; {wanted}")


def ranks(extracted) -> None:
    """Changes that fade fast and slowly, are large and small: few mistakes give the same ranks in all of them."""
    (wide, tall, other), steep, flat = SIZES, draw.one_of(0.7, 0.75), draw.one_of(0.92, 0.94)
    cases = [Case(*wide, draw.one_of(0.9, 0.95), 0.82, 0.5), Case(*tall, draw.one_of(0.8, 0.9), steep)]
    cases += [
        Case(*other, draw.one_of(0.4, 0.35), flat, 1.4),
        Case(*tall, 0.99, 0.85, 0.2),
        Case(*wide, 0.7, flat, 0.4),
    ]
    answers = [asked(extracted, case) for case in cases]
    given = [len(A) for A, _ in answers]
    for case, got in zip(cases, given, strict=True):
        if got == case.r:
            continue
        words = next((words for formula, words in RANKS if given == [formula(one) for one in cases]), "")
        for matrix, told in APART:
            if all(given) and all(
                close_by_size(B @ A, best_of(matrix(one), len(A))) for (A, B), one in zip(answers, cases, strict=True)
            ):
                words = told
        raise Wrong(f"{what(case, got)}; wanted {case.r}. {words or kept(case, got)}")


def what(case: Case, got: int) -> str:
    d_out, d_in = case.before.shape
    return f"A matrix ({d_out}, {d_in}), share {case.share:g}: r is {got}"


def kept(case: Case, got: int) -> str:
    """What the answer's rank keeps, and the one below it."""
    shares = [0.0, *(energies(case.change).cumsum(0) / energies(case.change).sum()).tolist()]
    if got < case.r:
        return f"With {got} the best LoRA keeps only {shares[got]:.4f} of the energy."
    if got >= len(shares):
        return f"No matrix of that size has so many singular values; with {case.r} it is {shares[case.r]:.4f} already."
    return f"With {case.r} the best LoRA keeps {shares[case.r]:.4f} of the energy already."


def products(extracted) -> None:
    cases = [Case(*sizes) for sizes in SIZES] + [Case(21, 21), Case(18, 18)]
    given = []
    for case in cases:
        A, B = asked(extracted, case)
        given.append((B @ A).detach())
    for case, got in zip(cases, given, strict=True):
        wanted = case.best(case.r)
        if close_by_size(got, wanted, 1e-4):
            continue
        for formula, words in PRODUCTS:
            if all(close_by_size(one, formula(other), 1e-4) for one, other in zip(given, cases, strict=True)):
                raise Wrong(words)
        ratio = float((got * wanted).sum()) / size(wanted)
        if close_by_size(got, ratio * wanted, 1e-4):
            raise Wrong(f"Your B @ A is {ratio:.4g} times the best one: before + B @ A stands for after.")
        left = 1 - size(case.change - got) / size(case.change)
        seen = f"keeps {left:.4f} of the energy of the change" if left > 0 else "is further from the change than 0 is"
        best = size(wanted) / size(case.change)
        raise Wrong(
            f"With r = {case.r} your B @ A {seen}; the best one keeps {best:.4f} of its energy. "
            "The best one is made of the r largest singular values, each with its own column of U and row of Vh."
        )
