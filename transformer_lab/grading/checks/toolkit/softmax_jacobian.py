"""Lesson 01: the checks of softmax's Jacobian."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import compare, copies, expect_tensor, keeps_dtype, leaves_alone, number


class softmax_jacobian:
    answers = ("softmax_jacobian(p)",)

    @check("a table (..., n, n) of the same dtype", 0.5)
    def shape(softmax_jacobian):
        for dtype in (torch.float32, torch.float64):
            for shape in ((draw.one_of(4, 5),), (3, draw.one_of(5, 6)), (2, 3, draw.one_of(4, 7))):
                keeps_dtype(table(softmax_jacobian, probabilities(*shape, dtype=dtype)), dtype, "the Jacobian")

    @check("one row of probabilities", 1)
    def one(softmax_jacobian):
        for n in (2, draw.one_of(5, 6, 7)):
            expect_jacobian(softmax_jacobian, probabilities(n))
        p = torch.tensor([0.0, 1.0, 0.0])
        look = "A probability may be exactly 0: take no logarithm of p, and divide by none."
        compare(table(softmax_jacobian, p), torch.zeros(3, 3), jacobians(p), "the Jacobian at p = (0, 1, 0)", look=look)

    @check("any leading axes", 1)
    def batch(softmax_jacobian):
        expect_jacobian(softmax_jacobian, probabilities(draw.one_of(4, 5, 7)))  # an error in one row is told as that
        n = draw.one_of(4, 5, 7)
        for shape in ((3, n + 1), (4, 4), (1, n), (2, 3, n), (3, 3, 3), (2, 1, 3, n)):
            expect_jacobian(softmax_jacobian, probabilities(*shape))

    @check("the input stays as it was", 0.5)
    def unchanged(softmax_jacobian):
        leaves_alone(softmax_jacobian, p=probabilities(3, draw.one_of(4, 5, 7)))
        expect_jacobian(softmax_jacobian, probabilities(draw.one_of(4, 5, 7)))


def expect_jacobian(softmax_jacobian, p: Tensor) -> None:
    got, look = (
        table(softmax_jacobian, p),
        "Row i, column j is the derivative of p_i with respect to score j, made of p_i and p_j.",
    )
    sums = got.detach().sum(-1)
    if sums.abs().max() > 1e-4:
        look = (
            "Each row must sum to 0, because adding one number to all scores changes no probability; "
            f"yours sum to {number(sums.min())} ... {number(sums.max())}."
        )
    compare(got, jacobian_by_loops(p), jacobians(p), f"the Jacobian for p {tuple(p.shape)}", look=look)


def probabilities(*shape: int, dtype=torch.float32) -> Tensor:
    return draw.normal(*shape, dtype=dtype).softmax(-1)


def table(answer, p: Tensor) -> Tensor:
    got = answer(*copies(p))
    if isinstance(got, Tensor) and got.shape == p.shape:
        raise Wrong(
            f"This is one number for each probability, {tuple(p.shape)}: the diagonal alone. Every p_i depends on "
            f"every score j, so wanted a table, {(*p.shape, p.shape[-1])}."
        )
    return expect_tensor(got, "the Jacobian", (*p.shape, p.shape[-1]))


def jacobian_by_loops(p: Tensor) -> Tensor:
    """The specification: p_i (1 - p_i) on the diagonal, -p_i p_j off it, element by element."""
    n, found = p.shape[-1], []
    for row in p.double().reshape(-1, n).tolist():
        found.append([[row[i] * ((i == j) - row[j]) for j in range(n)] for i in range(n)])
    return torch.tensor(found, dtype=torch.float64).view(*p.shape, n)


def jacobians(p: Tensor):
    p = p.double()
    n = p.shape[-1]
    outer, diagonal = p.unsqueeze(-1) * p.unsqueeze(-2), torch.diag_embed(p)
    right, identity = diagonal - outer, torch.eye(n, dtype=torch.float64)
    yield (
        torch.diag_embed(p * (1 - p)),
        "This is the diagonal alone: a score also takes from the other probabilities, -p_i p_j off the diagonal.",
        None,
    )
    yield -right, "The sign is flipped: raising a score raises its own probability.", None
    yield diagonal + outer, "The sign of p_i p_j is wrong: what one gains the others lose.", None
    yield outer, "This is p_i p_j alone: diag(p) minus that.", None
    yield -outer, "p_i on the diagonal is missing: diag(p) minus the outer product.", None
    yield diagonal, "This is diag(p): the outer product is to be subtracted.", None
    yield identity - outer, "The identity is used where diag(p) should be: 1 in place of p_i on the diagonal.", None
    yield p.unsqueeze(-1) - outer, "p itself is used in place of diag(p): it stands in every column.", None
    yield p.unsqueeze(-2) - outer, "p itself is used in place of diag(p): it stands in every row.", None
    yield p.unsqueeze(-1) * (1 - p.unsqueeze(-2)), "p_i (1 - p_j) everywhere: the 1 belongs on the diagonal only.", None
    yield (1 - p).unsqueeze(-1) * p.unsqueeze(-2), "p_j (1 - p_i) everywhere: the 1 belongs on the diagonal only.", None
    yield identity * right + (1 - identity) * outer, "Off the diagonal the sign is wrong: -p_i p_j.", None
    yield (
        identity * diagonal - (1 - identity) * outer,
        "Off the diagonal it is right; on it, p_i (1 - p_i), not p_i.",
        None,
    )
    yield torch.diag_embed(1 - p) - outer, "1 - p stands on the diagonal before p_i p_j is subtracted: diag(p).", None
    yield (
        diagonal - p.unsqueeze(-1) * (1 - p).unsqueeze(-2),
        "p_i (1 - p_j) is subtracted from diag(p); wanted p_i p_j.",
        None,
    )
    yield right * n, "There is a factor n too many.", None
    yield right - diagonal * p.unsqueeze(-1), "On the diagonal p_i squared is subtracted twice: p_i (1 - p_i).", None
    yield right * (1 - identity), "The diagonal is missing: p_i (1 - p_i).", None
    yield diagonal - outer.sqrt(), "The root of p_i p_j is subtracted; wanted p_i p_j itself.", None
    yield (
        diagonal**2 - outer,
        "p_i squared stands on the diagonal before p_i p_j is subtracted: diag(p), not its square.",
        None,
    )
    again = p.softmax(-1)
    yield (
        torch.diag_embed(again) - again.unsqueeze(-1) * again.unsqueeze(-2),
        "Softmax is applied again: p holds probabilities already.",
        None,
    )
    yield identity - p.unsqueeze(-2), "A factor p_i is missing: this is the Jacobian of log p.", None
    yield identity - p.unsqueeze(-1), "A factor p_j is missing.", None
    yield diagonal - p.unsqueeze(-1) * p.unsqueeze(-1), "p_i p_i is used where p_i p_j should be.", None
    if p.ndim >= 2:
        summed = p.transpose(-2, -1) @ p
        mixed = "Rows of the batch are mixed. Each has an outer product of its own: p[..., :, None] * p[..., None, :]."
        yield diagonal - summed.unsqueeze(-3), mixed, None
        yield diagonal - summed.unsqueeze(-3) / p.shape[-2], mixed, None
        if p.shape[-2] == n:
            products = p @ p.transpose(-2, -1)
            yield diagonal - products.unsqueeze(-3), mixed, None
        mean = p.mean(-2, keepdim=True)
        yield (diagonal - outer).mean(-3, keepdim=True).expand_as(right), mixed, None
        yield (torch.diag_embed(mean) - mean.unsqueeze(-1) * mean.unsqueeze(-2)).expand_as(right), mixed, None
        flat = p.reshape(-1, n)
        if p.ndim == 2 and len(flat) == n:
            yield diagonal - torch.einsum("bi,ji->bij", p, p), mixed, None
            yield diagonal - torch.einsum("bi,jb->bij", p, p), mixed, None
