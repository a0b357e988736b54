"""Lesson 06: the checks of three repairs of broken residuals."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import compare, expect_tensor, keeps_dtype, keeps_every_dtype, leaves_alone
from . import residual_faults as faults

LOOK = "It is one addition: x as it is, plus the sub-layer's output."
SHAPES = (
    ((2, 5, 12), (3, 4, 7), (1, 1, 4)),
    ((3, 4, 10), (2, 5, 8), (1, 1, 5)),
    ((2, 6, 9), (4, 3, 7), (1, 1, 6)),
)


class repair:
    answers = ("repair_1(x, f, norm)", "repair_2(x, w_q, attend)", "repair_3(x, f, norm, w)")

    @check("repair 1: post-norm", 1)
    def first(repair_1, repair_2, repair_3):
        for shape in draw.one_of(*SHAPES):
            x, f, norm, _ = parts(shape)
            judge(lambda x, f=f, norm=norm: repair_1(x, f, norm), x, lambda x, f=f, norm=norm: norm(x + f(x)),
                  lambda x, f=f, norm=norm: post_norm(x, f, norm))  # fmt: skip
        keeps_every_dtype(
            lambda dtype: repair_1(draw.normal(2, 3, 4, dtype=dtype), torch.tanh, plain_norm), "the repair"
        )

    @check("repair 2: attention, no norm", 1)
    def second(repair_1, repair_2, repair_3):
        for shape in draw.one_of(*SHAPES):
            x, _, _, w = parts(shape)
            w_v = draw.standard(shape[-1], shape[-1], dtype=x.dtype) / math.sqrt(shape[-1])

            def attend(query, x, w_v=w_v):
                return (query @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])).softmax(dim=-1) @ x @ w_v

            judge(lambda x, w=w, attend=attend: repair_2(x, w, attend), x,
                  lambda x, w=w, attend=attend: x + attend(x @ w, x),
                  lambda x, w=w, attend=attend: attended(x, w, attend))  # fmt: skip
        keeps_every_dtype(
            lambda dtype: repair_2(draw.normal(2, 3, 4, dtype=dtype), draw.normal(4, 4, dtype=dtype), torch.add),
            "the repair",
        )

    @check("repair 3: pre-norm", 1)
    def third(repair_1, repair_2, repair_3):
        for shape in draw.one_of(*SHAPES):
            x, f, norm, w = parts(shape)
            judge(lambda x, f=f, norm=norm, w=w: repair_3(x, f, norm, w), x, lambda x, f=f, norm=norm: x + f(norm(x)),
                  lambda x, f=f, norm=norm, w=w: projected(x, f, norm, w))  # fmt: skip
        keeps_every_dtype(
            lambda dtype: repair_3(
                draw.normal(2, 3, 4, dtype=dtype), torch.tanh, plain_norm, draw.normal(4, 4, dtype=dtype)
            ),
            "the repair",
        )


def parts(shape):
    """x, a sub-layer, a norm with learnt gain and shift, and a matrix; all in float64."""
    D = shape[-1]
    gamma, beta, inside = (draw.standard(*size, dtype=torch.float64) for size in ((D,), (D,), (D, D)))
    w = draw.standard(D, D, dtype=torch.float64) / math.sqrt(D)

    def f(x):
        return torch.tanh(x @ inside / math.sqrt(D)) + 0.2

    def norm(x):
        # So large an eps tells norm(2x) from norm(x), which are alike otherwise.
        return F.layer_norm(x, (D,), 1 + 0.3 * gamma, beta, eps=1.0)

    return 2 * draw.normal(*shape, dtype=torch.float64) + 0.5, f, norm, w


def plain_norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


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


def post_norm(x, f, norm):
    right = norm(x + f(x))
    yield (
        norm(x + x),
        faults.TWICE_X + " The norm even undoes the doubling, norm(2x) = norm(x): nothing happens at all.",
        "M14",
    )
    yield norm(x), "This is norm(x): the sub-layer is missing.", "M14"
    yield norm(f(x) + f(x)), faults.TWICE_F, "M15"
    yield norm(f(x)), faults.NO_SKIP, None
    yield f(x), faults.NO_SKIP + " The norm is missing too.", None
    yield (
        x + f(x),
        "The addition is right; the norm around it is gone. It is meant to be post-norm: norm(...) of the sum.",
        None,
    )
    yield (
        x + f(norm(x)),
        "This is pre-norm, a right residual, but another model: here the norm stands around the sum.",
        None,
    )
    yield x + norm(f(x)), "The norm stands around the sub-layer alone; wanted around the sum.", None
    yield norm(x) + f(x), "The norm stands on the skip alone; wanted around the sum.", None
    yield norm(x) + norm(f(x)), "Each part is normalised by itself; wanted the norm of the sum.", None
    yield norm(x + f(norm(x))), "There are two norms; post-norm has one, around the sum, and F sees x.", None
    yield norm(x + f(f(x))), "The sub-layer is applied twice.", None
    yield norm(x + 2 * f(x)), "The sub-layer's output is added twice.", None
    yield norm(2 * x + f(x)), "x is added twice.", None
    yield 2 * x, faults.TWICE_X + " And the norm is gone.", "M14"
    yield x + right, "x is added once more, after the norm.", None
    yield norm(x - f(x)), "The sub-layer's output is subtracted from x; wanted it added.", None
    yield norm(x * f(x)), "x and the sub-layer's output are multiplied; wanted their sum.", None
    yield norm((x + f(x)) / 2), "The sum is halved: the skip must carry x with factor 1.", None
    own = "The norm is one of your own, without what the given one has learnt: call the norm given."
    yield F.layer_norm(x + f(x), x.shape[-1:]), own, None
    words = "norm(x) goes around and through F; here one norm stands around the sum, and F sees x."
    yield norm(x) + f(norm(x)), words, None
    yield norm(norm(x) + f(norm(x))), words, None
    yield norm(norm(x + f(x))), "There are two norms; post-norm has one, around the sum.", None


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


def projected(x, f, norm, w):
    n = norm(x)
    yield x @ w + f(n), "A learnt matrix is still on the skip: what passes 64 layers is a product of matrices.", "M18"
    yield (x + f(n)) @ w, "A learnt matrix follows the addition: it stands on the skip too.", "M18"
    yield x + f(n) @ w, "The matrix is now on the branch; nothing asks for it: F writes as it is.", None
    yield x + x @ w, "The sub-layer is lost: x + F(norm(x)).", None
    yield x + x @ w + f(n), "The product with the matrix is still added; only x itself goes around.", "M18"
    yield x @ w + f(x), "A learnt matrix is still on the skip, and the norm is gone.", "M18"
    yield x + f(norm(x @ w)), "The matrix now stands before the norm, on the branch; nothing asks for it there.", None
    yield x + f(n @ w), "The matrix now stands between norm and F, on the branch; nothing asks for it there.", None
    yield (
        x @ torch.linalg.qr(w).Q + f(n),
        "A rotation is on the skip: x must arrive as it is.",
        "M18",
    )
    yield n @ w + f(n), "Norm and matrix stand on the skip: x goes around as it is.", "M18"
    yield (
        norm(x + f(x)),
        "This is post-norm, a right residual, but another model: here the norm stands on the branch.",
        None,
    )
    yield from faults.wrapped(x, f, norm)
