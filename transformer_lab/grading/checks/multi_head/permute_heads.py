"""Lesson 04: the checks of the order of heads, which does not matter."""

import torch
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone

NAMES = ("w_q", "w_k", "w_v", "w_o")
# D, H, d_head, order: square; then narrower than all heads together, no multiple of H; then orders that undo
# themselves.
CASES = (
    (
        (12, 4, 3, [2, 0, 3, 1]),
        (10, 3, 4, [1, 2, 0]),
        (9, 5, 2, [3, 4, 0, 2, 1]),
        (7, 2, 5, [1, 0]),
        (6, 3, 2, [0, 1, 2]),
    ),
    ((20, 4, 5, [1, 3, 0, 2]), (7, 3, 4, [2, 0, 1]), (13, 5, 3, [2, 4, 1, 0, 3]), (5, 2, 4, [1, 0]), (8, 2, 4, [0, 1])),
    (
        (28, 4, 7, [1, 2, 3, 0]),
        (11, 3, 5, [1, 2, 0]),
        (8, 6, 2, [4, 0, 5, 1, 3, 2]),
        (9, 2, 6, [1, 0]),
        (15, 3, 5, [0, 1, 2]),
    ),
)


class permute_heads:
    answers = ("permute_heads(w_q, w_k, w_v, w_o, order)",)

    @check("four matrices of the same shapes", 0.5)
    def shapes(permute):
        for inputs in head_cases():
            permuted(permute, *inputs)

    @check("w_q, w_k and w_v: each new head is the old one asked for", 1)
    def columns(permute):
        for *matrices, order in head_cases():
            got = permuted(permute, *matrices, order)
            for name, old, new in zip(NAMES[:3], matrices, got, strict=False):
                for other, matrix in zip(NAMES[:3], matrices, strict=False):
                    if other != name and close(new, by_columns(matrix, order)):
                        raise Wrong(f"{name}: these are the columns of {other}. Give the four back in the order given.")
                compare_columns(name, old, new, order)

    @check("the output of the whole layer stays what it was", 1)
    def output(permute):
        for *matrices, order in head_cases():
            x, H = draw.normal(*draw.one_of((2, 5), (3, 4)), matrices[0].shape[0]), len(order)
            got = permuted(permute, *matrices, order)
            for name, new in zip(NAMES, got, strict=True):
                keeps_dtype(new, torch.float32, name)
            wanted = layer(x, *matrices, H)
            if not close(layer(x, *got, H), wanted, 1e-4):
                raise Wrong(why_output_changed(matrices, got, order))
            compare(got[3], by_rows(matrices[3], order), row_faults(matrices[3], got[3], order), "w_o")

    @check("the matrices given stay as they were; dtype is kept; gradients pass", 0.5)
    def manners(permute):
        *matrices, order = next(head_cases())
        given = dict(zip(NAMES, matrices, strict=True))
        leaves_alone(lambda *given: permute(*given, list(order)), **given)
        handed = list(order)
        permute(*copies(*matrices), handed)
        if handed != order:
            raise Wrong("The list `order` was changed: whoever calls the function loses it. Make a new one.")
        for name, new in zip(NAMES, permuted(permute, *(w.double() for w in matrices), order), strict=True):
            keeps_dtype(new, torch.float64, name)
        for name, new in zip(NAMES, permuted(permute, *(w.requires_grad_() for w in matrices), order), strict=True):
            has_gradient(new, name)


def head_cases():
    """w_q, w_k, w_v (D, H d_head), w_o (H d_head, D), order."""
    for D, H, d_head, order in draw.one_of(*CASES):
        yield *(draw.normal(D, H * d_head) for _ in range(3)), draw.normal(H * d_head, D), order


def permuted(permute, *inputs) -> list[Tensor]:
    *matrices, order = inputs
    try:
        got = permute(*copies(*matrices), list(order))
    except (RuntimeError, IndexError) as error:
        if isinstance(error, NotDone) or matrices[0].shape[0] == matrices[0].shape[1]:
            raise
        raise Wrong(
            f"Here w_q is {tuple(matrices[0].shape)} and w_o {tuple(matrices[3].shape)}, with {len(order)} heads: the "
            "heads are the columns of w_q, w_k and w_v, and the rows of w_o. Which axis do you cut?"
        ) from error
    if not isinstance(got, (tuple, list)) or len(got) != 4:
        raise Wrong("permute_heads returns four matrices: `return w_q, w_k, w_v, w_o`.")
    for name, new, old in zip(NAMES, got, matrices, strict=True):
        if isinstance(new, Tensor) and new.shape != old.shape:
            why_the_shape(name, new, old, len(order))
        expect_tensor(new, name, tuple(old.shape))
    return list(got)


def why_the_shape(name: str, new: Tensor, old: Tensor, H: int) -> None:
    """Raise Wrong for the shapes that a usual mistake gives."""
    axis, D = (0, old.shape[1]) if name == "w_o" else (1, old.shape[0])
    what, (rows, d_head) = f"{name} has shape {tuple(new.shape)}", (("rows", "columns")[axis], old.shape[axis] // H)
    if new.ndim == 3:
        raise Wrong(f"{what}: the heads still have an axis of their own. Flatten it, back to {tuple(old.shape)}.")
    if new.ndim == 2 and new.shape[axis] == H:
        raise Wrong(f"{what}: `order` picks {H} single {rows}. Each head has {d_head} {rows}, which move together.")
    if new.ndim == 2 and new.shape[axis] == D // H * H:
        raise Wrong(f"{what}: is d_head taken as D // H? H * d_head need not be D: here d_head is {d_head}.")


def by_columns(matrix: Tensor, order) -> Tensor:
    """The specification: the block of columns of each head, one after another in the new order."""
    return torch.cat([matrix.chunk(len(order), dim=1)[head] for head in order], dim=1)


def by_rows(matrix: Tensor, order) -> Tensor:
    return torch.cat([matrix.chunk(len(order), dim=0)[head] for head in order], dim=0)


def inverse(order) -> list[int]:
    return [order.index(head) for head in range(len(order))]


def other_order(name: str, old: Tensor, new: Tensor, order):
    """The fault, if the new matrix holds whole heads (blocks of rows) of the old one, in whatever order."""
    H = len(order)
    found = [[i for i, block in enumerate(old.chunk(H)) if close(block, came)] for came in new.chunk(H)]
    if all(found):
        heads = [which[0] for which in found]
        yield new.T, f"{name} holds the old heads {heads}, in this order; wanted {list(order)}.", None


def row_faults(old: Tensor, new: Tensor, order):
    words = "w_o: the order is read backwards, as in the other three. New head i is old head order[i]."
    yield by_rows(old, inverse(order)), words, None
    for wrong, *words in other_order("w_o", old, new, order):
        yield wrong.T, *words


def column_faults(name: str, old: Tensor, new: Tensor, order):
    H = len(order)
    yield old, f"{name} came back as it was: its columns belong to the heads, d_head to each.", None
    words = f"{name}: the order is read backwards. New head i is old head order[i]: new head 0 is old head {order[0]}."
    yield by_columns(old, inverse(order)), words, None
    if old.shape[0] % H == 0:
        words = (
            f"{name}: its rows are reordered. Rows are the features of x, which every head reads; columns are heads."
        )
        yield by_rows(old, order), words, None
    d_head = old.shape[1] // H
    overlap = torch.cat([old[:, head : head + d_head] for head in order], dim=1)
    words = f"{name}: the columns of head h begin at h * d_head ({d_head} here), not at h."
    yield overlap, words, None
    yield old.flip(1), f"{name}: all columns are reversed, not whole heads put in the order asked for.", None
    for factor in (2, 0.5, H**0.5, H**-0.5):
        yield by_columns(old, order) * factor, f"{name}: the order is right, but the numbers are changed.", None
    dealt = old.unflatten(1, (d_head, H))[:, :, order].flatten(1)
    yield dealt, f"{name}: columns are taken as if heads alternated; the d_head columns of a head are adjacent.", None
    yield from other_order(name, old.T, new.T, order)
    rest = list(range(H, old.shape[1]))
    yield (
        old[:, list(order) + rest],
        f"{name}: single columns are reordered, not whole heads of {d_head} columns.",
        None,
    )


def compare_columns(name: str, old: Tensor, new: Tensor, order) -> None:
    compare(new, by_columns(old, order), column_faults(name, old, new, order), name)


def why_output_changed(matrices, got, order) -> str:
    w_o, new = matrices[3], got[3]
    H = len(order)
    told = "The output changed. "
    if any(not close(new, by_columns(old, order)) for new, old in zip(got[:3], matrices, strict=False)):
        return told + "w_q, w_k and w_v are not reordered correctly yet: see the check above."
    if close(new, w_o):
        return told + "w_o came back as it was: it still reads the heads in the old order. Which of its axes are heads?"
    if w_o.shape[1] % H == 0 and close(new, by_columns(w_o, order)):
        return told + "w_o's columns are reordered. They are the output's features; its rows belong to the heads."
    if close(new, by_rows(w_o, inverse(order))):
        return told + "w_o's rows are put in the inverse order; its rows go exactly where the heads went."
    rest = list(range(H, w_o.shape[0]))
    if close(new, w_o[list(order) + rest]):
        return told + f"Single rows of w_o are reordered, not whole heads of {w_o.shape[0] // H} rows."
    ratio = (new * by_rows(w_o, order)).sum() / (w_o * w_o).sum()
    if close(new, ratio * by_rows(w_o, order)):
        return told + f"w_o's rows are in the right order, but multiplied by {ratio:.4g}."
    return told + "The rows of w_o belong to the heads: the same order, along the other axis."


def layer(x, w_q, w_k, w_v, w_o, H: int) -> Tensor:
    q, k, v = ((x @ w).double().unflatten(-1, (H, -1)).transpose(1, 2) for w in (w_q, w_k, w_v))
    weights = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 / 8).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o.double()
