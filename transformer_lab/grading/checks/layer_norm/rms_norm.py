"""Lesson 07: the checks of RMSNorm."""

import torch
from torch import Tensor

from ...checking import check
from ...draw import draw
from ..common import (
    keeps_every_dtype,
    leaves_alone,
    reordered,
    settled,
)
from . import layer_norm_faults as faults
from .norms import CLOSE, NEAR, SHAPES, SMALL, compare_gradients, compare_norm, given, result


class rms_norm:
    answers = ("rms_norm(x, gamma, eps=1e-5)",)

    @check("a tensor of the shape of x, whatever axes come first", 0.5)
    def shape(rms_norm):
        for shape in draw.one_of(*SHAPES):
            result(rms_norm, "rms_norm(x, gamma)", *given(*shape)[:2])
        result(rms_norm, "rms_norm(x, gamma)", *map(reordered, given(*draw.one_of(*SHAPES)[0])[:2]))

    @check("the right numbers, also where mean(x^2) is near eps", 2)
    def values(rms_norm):
        several = draw.one_of(*SHAPES)
        for shape in several:
            compare_rms_norm(rms_norm, *given(*shape)[:2])
        compare_rms_norm(rms_norm, *given(*several[0], size=SMALL)[:2], note=NEAR.replace("variance", "mean square"))
        compare_rms_norm(rms_norm, *given(*several[0], size=1.0)[:2], 0.5, note=" (The check gave eps = 0.5.)")

    @check("dtype is kept, gradients flow, the inputs stay as they were", 0.5)
    def dtype(rms_norm):
        several = draw.one_of(*SHAPES)
        keeps_every_dtype(
            lambda dtype: result(rms_norm, "the result", *given(*several[0], dtype=dtype)[:2]), "the result"
        )
        for shape in several[:2]:
            x, gamma, _ = given(*shape)
            leaves_alone(rms_norm, x=x, gamma=gamma)
        compare_gradients(rms_norm, faults.rms_norm, given(*several[0], dtype=torch.float64)[:2], root_cut)
        settled(
            lambda: compare_rms_norm(rms_norm, *given(*several[0], size=SMALL)[:2]),
            CLOSE.replace("variance", "mean square"),
        )
        x, gamma, _ = given(*several[0], dtype=torch.float64)
        compare_gradients(rms_norm, faults.rms_norm, (0 * x, gamma), at="where all features are 0")


def root_cut(x, gamma, upstream):
    """The gradient of an answer that cuts the root mean square from the graph."""
    words = "The root mean square is cut from the graph (.detach(), no_grad): x changes it too."
    yield upstream * gamma / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt(), words, None


def compare_rms_norm(answer, x, gamma, eps: float = 1e-5, note: str = "") -> None:
    rest = (gamma,) if eps == 1e-5 else (gamma, eps)
    faulty = faults.rms_norms(x, gamma, eps)
    compare_norm(answer, "the result", x, rest, lambda: rms_by_rows(x, gamma, eps), faulty, note)


def rms_by_rows(x: Tensor, gamma: Tensor, eps: float) -> Tensor:
    """The specification of RMSNorm: each position is divided by the root of its own mean square."""
    rows = x.double().reshape(-1, x.shape[-1])
    roots = [(sum(value**2 for value in row) / len(row) + eps) ** 0.5 for row in rows.tolist()]
    return (gamma.double() * rows / torch.tensor(roots, dtype=torch.float64)[:, None]).view(x.shape)
