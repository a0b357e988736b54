"""Lesson 06: the checks of question 3, three broken residuals: what is wrong with each, and one mended."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import compare, expect_tensor, keeps_dtype, keeps_every_dtype, leaves_alone
from ..diagnosis import Diagnosis, snippets
from . import residual_faults as faults

LOOK = "It is one addition: x as it is, plus attention's output."
SHAPES = (
    ((2, 5, 12), (3, 4, 7), (1, 1, 4)),
    ((3, 4, 10), (2, 5, 8), (1, 1, 5)),
    ((2, 6, 9), (4, 3, 7), (1, 1, 6)),
)

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "input added to itself": "Such a residual gives the same whatever its sub-layer says.",
        "added to the query": "Such a residual adds attention's output to what attention was asked with.",
        "always the first x": "Such a stack adds what each sub-layer says to the x that the stack was given.",
        "norm on the skip": "Such a residual carries norm(x) around, and gives norm(x) where its branch is silent.",
        "skip without a gradient": "Such a residual gives the right numbers; a gradient comes back by the branch only.",
        "changed in place": "Such a residual changes the x of whoever calls it.",
        "side by side": "In such a stack each sub-layer reads the x that the stack was given.",
    },
    observations={
        "a silent sub-layer does not hand x on": "that is so where x itself does not go around.",
        "silent and loud sub-layers give the same output": "that is so where what the sub-layers say is lost.",
        "with the second of two sub-layers silent, another first one changes nothing": "that is so where what was "
        "written first is not carried on.",
        "ten times x comes out ten times as large": "in all three a part does not grow tenfold with x.",
        "the output is right, the gradient at x is not": "that is so where a path carries numbers and no gradient.",
        "x holds other numbers after the call": "all three leave x as it is.",
    },
    snippets={
        "a": (
            "skip without a gradient",
            "the output is right, the gradient at x is not",
            "Look at what stands on each of its two paths, on the way up and on the way back.",
        ),
        "b": (
            "always the first x",
            "with the second of two sub-layers silent, another first one changes nothing",
            "Write down what it computes for two sub-layers, line by line.",
        ),
        "c": (
            "added to the query",
            "a silent sub-layer does not hand x on",
            "Write down what it computes, as a formula of x.",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 2.25)):
    answers = (DIAGNOSIS, "repaired(x, w_q, attend)")

    @check("c, mended", 0.75)
    def mended(diagnoses, repaired):
        for shape in draw.one_of(*SHAPES):
            D = shape[-1]
            x = 2 * draw.normal(*shape, dtype=torch.float64) + 0.5
            w, w_v = (draw.standard(D, D, dtype=torch.float64) / math.sqrt(D) for _ in range(2))

            def attend(query, x, w_v=w_v):
                return (query @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])).softmax(dim=-1) @ x @ w_v

            judge(lambda x, w=w, attend=attend: repaired(x, w, attend), x,
                  lambda x, w=w, attend=attend: x + attend(x @ w, x),
                  lambda x, w=w, attend=attend: attended(x, w, attend))  # fmt: skip
        keeps_every_dtype(
            lambda dtype: repaired(draw.normal(2, 3, 4, dtype=dtype), draw.normal(4, 4, dtype=dtype), torch.add),
            "the repair",
        )


def judge(answer, x: Tensor, right, mistaken) -> None:
    """A repair counts only as a whole: numbers, dtype, gradient, and inputs left alone."""
    got = answer(x.clone())
    if isinstance(got, tuple):
        raise Wrong("The repair returned several things; wanted one tensor, what goes on to the next layer.")
    got = expect_tensor(got, "the repair", x.shape)
    keeps_dtype(got, x.dtype, "the repair")
    faults.judge(got, right(x), mistaken(x), "the repair", LOOK)
    leaves_alone(answer, x=x)
    source, upstream = x.clone().requires_grad_(), draw.normal(*x.shape, dtype=x.dtype)
    out = answer(source)
    if not out.requires_grad:
        raise Wrong("No gradient flows back to x. Look for .detach(), .data or torch.no_grad().")
    ours, theirs = (torch.autograd.grad((value * upstream).sum(), source)[0] for value in (right(source), out))
    try:
        compare(theirs, ours, name="The gradient at x", tolerance=1e-4)
    except Wrong as wrong:
        raise Wrong(f"The output is right. {wrong} Look for .detach() on one of the two paths.") from None


def attended(x, w, attend):
    query = x @ w
    a = attend(query, x)
    yield (
        query + a,
        "The output is added to the query, x W_Q: so the path around is a matrix, not the identity. Add it to x.",
        "M15",
    )
    yield a + a, faults.TWICE_F, "M15"
    yield a, faults.NO_SKIP, None
    yield x + x, faults.TWICE_X, "M14"
    yield x + attend(x, x), "Attention's queries must still be x W_Q: only what its output is added to was wrong.", None
    yield x + query + a, "Three things are added; the query belongs inside attention only.", "M15"
    yield x + query, "The query is added to x; attention's output is missing.", "M15"
    yield x + attend(query, query), "Attention must look at x: attend(query, x).", None
    yield x + attend(x, query), "The arguments of attend are swapped: attend(query, x).", None
    yield query + attend(x, x), "The output is added to the query: add it to x.", "M15"
    yield (x + a) @ w, "A matrix follows the addition: the identity path is broken.", "M18"
    yield x + a @ w, "W_Q stands after attention once more; it makes the queries, and nothing else.", None
    yield x + attend(x @ w.T, x), "W_Q is transposed: the query is x @ w_q, as it was.", None
    yield x @ w + attend(query @ w, x), "The output is added to the query: add it to x.", "M15"
    yield (x + a) / 2, "The sum is halved: the skip must carry x with factor 1.", None
    norm = F.layer_norm
    yield x + 2 * a, "Attention's output is added twice.", None
    yield x - a, "Attention's output is subtracted from x; wanted it added.", None
    yield x * a, "x and attention's output are multiplied; wanted their sum.", None
    yield 2 * x + a, "x is added twice.", None
    yield x + attend(query @ w, x), "W_Q is applied twice to make the queries.", None
    yield norm(x, x.shape[-1:]) + a, "A norm has been added, on the skip; this one is without.", None
    yield x + norm(a, x.shape[-1:]), "A norm has been added, after attention; this one is without.", None
    if torch.linalg.matrix_rank(w) == len(w):
        yield (
            x + a @ torch.linalg.inv(w),
            "The inverse of W_Q is applied to attention's output; it is added as it is.",
            None,
        )
    yield norm(x + a, x.shape[-1:]), "A norm has been added; this one is without.", None
    yield x + attend(norm(x, x.shape[-1:]) @ w, x), "A norm has been added; this one is without.", None
