"""Lesson 01: the checks of a contraction with named shapes."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import check
from ...draw import draw
from ..common import compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone

# Leading axes, T, S, D, d_head. With equal sizes a transposed matrix raises no error: only its numbers are wrong.
UNEQUAL = (
    (((), 3, 5, 6, 2), ((2,), 3, 5, 4, 6), ((2, 3), 4, 1, 5, 2), ((1,), 2, 3, 4, 5)),
    (((), 4, 7, 5, 3), ((2,), 5, 3, 6, 4), ((2, 3), 5, 1, 4, 7), ((1,), 3, 2, 5, 4)),
    (((), 5, 2, 7, 4), ((3,), 4, 6, 5, 7), ((3, 2), 5, 1, 6, 4), ((1,), 2, 5, 3, 6)),
)
EQUAL = (((), 4, 4, 4, 4), ((2,), 3, 5, 4, 4), ((3,), 4, 5, 2, 5), ((4,), 4, 4, 4, 4), ((2, 3), 3, 3, 3, 3))


class scores:
    answers = ("scores(x, w_q, k)",)

    @check("a tensor (..., T, S) of the same dtype", 1)
    def shape(scores):
        several = draw.one_of(*UNEQUAL)
        for sizes in several:
            x, w_q, k = case(*sizes)
            expect_tensor(scores(*copies(x, w_q, k)), "scores(x, w_q, k)", (*sizes[0], sizes[1], sizes[2]))
        for dtype in (torch.float64, torch.float32):
            x, w_q, k = case(*several[1], dtype=dtype)
            keeps_dtype(scores(*copies(x, w_q, k)), dtype, "scores(x, w_q, k)")

    @check("the right numbers", 1)
    def values(scores):
        for sizes in draw.one_of(*UNEQUAL):
            judge(scores, *case(*sizes))

    @check("the right numbers where sizes are equal", 1.5)
    def equal_sizes(scores):
        judge(scores, *case(*draw.one_of(*UNEQUAL)[1]))  # what goes wrong with all sizes is told as that
        for sizes in EQUAL:
            judge(scores, *case(*sizes))

    @check("gradients flow, and the inputs stay as they were", 0.5)
    def gradient(scores):
        x, w_q, k = case(*draw.one_of(*UNEQUAL)[1])
        shape = (*x.shape[:-1], k.shape[-2])
        leaves_alone(scores, x=x, w_q=w_q, k=k)
        judge(scores, x, w_q, k)  # where the numbers are wrong, so is their gradient
        sources = [tensor.clone().requires_grad_() for tensor in (x, w_q, k)]
        has_gradient(expect_tensor(scores(*sources), "scores(x, w_q, k)", shape), "the scores")
        upstream = draw.normal(*shape)
        got = torch.autograd.grad((scores(*sources) * upstream).sum(), sources, allow_unused=True)
        wanted = (
            upstream @ k @ w_q.T,
            (x.transpose(-2, -1) @ upstream @ k).sum(0),
            upstream.transpose(-2, -1) @ (x @ w_q),
        )
        for name, one, right in zip(("x", "w_q", "k"), got, wanted, strict=True):
            one = torch.zeros_like(right) if one is None else one
            told = [
                (
                    torch.zeros_like(right),
                    f"No gradient reaches {name}: it could not learn. Look for .detach(), .data or torch.no_grad().",
                    None,
                )
            ]
            compare(one, right, told, f"the gradient at {name}", 1e-4, "Is a part of it detached, or rounded?")


LOOK = "A query is a row of x @ w_q; a score is the dot product of a query with a key, summed over d_head, and no more."


def case(leading, T, S, D, d_head, dtype=torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    return (
        draw.normal(*leading, T, D, dtype=dtype),
        draw.normal(D, d_head, dtype=dtype),
        draw.normal(*leading, S, d_head, dtype=dtype),
    )


def judge(scores, x: Tensor, w_q: Tensor, k: Tensor) -> None:
    shape = (*x.shape[:-1], k.shape[-2])
    got = expect_tensor(scores(*copies(x, w_q, k)), "scores(x, w_q, k)", shape)
    compare(got, scores_by_loops(x, w_q, k), mistaken(x, w_q, k), f"the scores {shape}", 1e-4, LOOK)


def scores_by_loops(x: Tensor, w_q: Tensor, k: Tensor) -> Tensor:
    """The specification: each query is x W_Q, element by element, and each score its dot product with a key."""
    (D, d_head), T, S = w_q.shape, x.shape[-2], k.shape[-2]
    w = w_q.double().tolist()
    batches = x.double().reshape(-1, T, D).tolist(), k.double().reshape(-1, S, d_head).tolist()
    result = []
    for rows, keys in zip(*batches, strict=True):
        for row in rows:
            query = [sum(row[j] * w[j][c] for j in range(D)) for c in range(d_head)]
            result.append([sum(query[c] * key[c] for c in range(d_head)) for key in keys])
    return torch.tensor(result, dtype=torch.float64).view(*x.shape[:-1], S)


def mistaken(x: Tensor, w_q: Tensor, k: Tensor):
    x, w, k = x.double(), w_q.double(), k.double()
    q, w_t, k_t = x @ w, w.T, k.transpose(-2, -1)
    right, d = q @ k_t, w.shape[-1]
    turned_w = (
        "w_q is transposed, or was applied to the keys: D and d_head are equal here, so no error "
        "warns you. Wanted x @ w_q."
    )
    turned_k = (
        "k is used as it is, not transposed: S and d_head are equal here, so no error warns you. "
        "The sum runs over the d_head numbers of a query and of a key."
    )
    swapped = "The result is transposed: row t, column s belongs to query t and key s. T and S are equal here."
    rows = (
        (lambda: x @ w_t @ k_t, turned_w),
        (lambda: q @ k, turned_k),
        (lambda: x @ w_t @ k, "Both w_q and k are the wrong way round; equal sizes hide it."),
        (lambda: right.transpose(-2, -1), swapped),
        (lambda: (x @ w_t @ k_t).transpose(-2, -1), swapped + " And w_q is transposed."),
        (lambda: right / math.sqrt(d), "The scores are divided by sqrt(d_head): that is lesson 02, here nothing is."),
        (lambda: right / d, "The scores are divided by d_head (a mean for the sum?): nothing asks for a scale here."),
        (lambda: right / math.sqrt(x.shape[-1]), "The scores are divided by sqrt(D): nothing asks for a scale here."),
        (lambda: right.softmax(-1), "Softmax is applied: the scores themselves are wanted."),
        (lambda: x @ k_t, "x itself meets the keys, without w_q: D and d_head are equal here, so no error warns you."),
        (lambda: q @ (k @ w).transpose(-2, -1), "The keys went through w_q too: k is given ready-made."),
        (lambda: k @ q.transpose(-2, -1), swapped),
        (lambda: q @ k.sum(0).transpose(-2, -1), "The keys of all batch rows are summed: keep the leading axes apart."),
        (
            lambda: torch.einsum("btc,ksc->bts", q, k),
            "The sum runs over the batch as well: give k's batch axis the letter of x's.",
        ),
        (
            lambda: torch.einsum("btc,kus->bts", q, k),
            "The letters of k do not repeat the ones of the query: a letter on one side only is summed by itself.",
        ),
        (
            lambda: torch.einsum("...tc,...sk->...ts", q, k),
            "Query and key are summed each by itself, since their last axes have different letters. Use the same one.",
        ),
        (
            lambda: torch.einsum("...tj,kc,...sc->...ts", x, w, k),
            "x and w_q are summed each by itself: the axis D needs one letter in both.",
        ),
        (lambda: torch.einsum("btc,sbc->bts", q, k), "Batch and position of k are swapped; equal sizes hide it."),
        (lambda: torch.einsum("btc,csb->bts", q, k), "The axes of k are permuted cyclically; equal sizes hide it."),
        (lambda: torch.einsum("btc,cbs->bts", q, k), "Batch and position of k are swapped; equal sizes hide it."),
        (lambda: torch.einsum("btc,scb->bts", q, k), "All axes of k are reversed (.T?): swap the last two only."),
        (lambda: q * k, "Query and key are multiplied element by element; wanted each query against each key, summed."),
        (lambda: q @ k.reshape(k_t.shape), "k is reshaped, which cuts keys apart: swap its last two axes, transpose."),
        (lambda: q.relu() @ k_t, "The queries go through a ReLU: they are x W_Q as it is."),
        (lambda: q.tanh() @ k_t, "The queries go through a tanh: they are x W_Q as it is."),
        (lambda: torch.cdist(q, k), "These are distances of queries and keys; wanted dot products."),
        (lambda: right * math.sqrt(d), "The scores are multiplied by sqrt(d_head): nothing asks for a scale here."),
        (lambda: right.softmax(-2), "Softmax is applied, over the queries: the scores themselves are wanted."),
        (lambda: (x @ w).softmax(-1) @ k_t, "Softmax is applied to the queries: they are x W_Q as it is."),
        (lambda: right.relu(), "Negative scores are clipped to 0."),
        (lambda: q @ k[:1].transpose(-2, -1), "The keys of the first batch row are used for all of them."),
        (lambda: q[:1] @ k_t, "The queries of the first batch row are used for all of them."),
        (lambda: F.normalize(x, dim=-1) @ w @ k_t, "x is divided by its length: the queries are x W_Q as it is."),
        (lambda: F.normalize(q, dim=-1) @ k_t, "The queries are divided by their length: they are x W_Q as it is."),
        (
            lambda: q @ F.normalize(k, dim=-1).transpose(-2, -1),
            "The keys are divided by their length: take them as given.",
        ),
        (
            lambda: q @ (k - k.mean(-2, keepdim=True)).transpose(-2, -1),
            "The mean key is subtracted: take keys as given.",
        ),
        (lambda: x @ w.softmax(-1) @ k_t, "Softmax is applied to w_q: the queries are x W_Q as it is."),
        (lambda: q @ (x @ w).transpose(-2, -1), "The queries meet each other; k is not used."),
        (lambda: right.abs(), "The signs of the scores are lost."),
        (
            lambda: right / (q.norm(dim=-1, keepdim=True) * k.norm(dim=-1).unsqueeze(-2)),
            "These are cosines: nothing divides by the lengths here.",
        ),
    )
    for make, message in rows:
        try:
            wrong = make()
        except (RuntimeError, IndexError):  # the sizes of this case do not let the mistake happen
            continue
        yield wrong, message, None
