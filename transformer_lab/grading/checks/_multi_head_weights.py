"""Lesson 04: the checks of two questions about heads: what they cost, and their order."""

from numbers import Real

import torch
from torch import Tensor

from ..score import NotDone, Wrong, check
from .common import close, compare, copies, expect_tensor, fitting, has_gradient, keeps_dtype, leaves_alone, normal

NAMES = ("w_q", "w_k", "w_v", "w_o")
SIZES = ((512, 8, 128), (512, 1, 128), (12, 3, 5), (60, 15, 7), (22, 2, 21), (35, 5, 40))


class cost:
    answers = ("cost(d_model, n_heads, T)",)

    @check("parameters", 1)
    def parameters(cost):
        expect_numbers(cost, 0, wrong_parameters())

    @check("multiply-adds of the matrix products", 1.5)
    def products(cost):
        expect_numbers(cost, 1, wrong_products())

    @check("numbers in the maps of weights", 0.5)
    def maps(cost):
        expect_numbers(cost, 2, wrong_maps())


def count_by_heads(d: int, H: int, T: int) -> tuple[int, int, int]:
    """The specification: one head after the other, each d / H wide."""
    d_head, parameters, products, maps = d // H, 0, 0, 0
    for _ in range(H):
        for _ in ("w_q", "w_k", "w_v"):
            parameters += d * d_head
            products += T * d * d_head
        products += T * d_head * T + T * T * d_head  # the scores, and the weighted sum of the values
        maps += T * T
        parameters += d_head * d  # its rows of w_o
        products += T * d_head * d
    return parameters, products, maps


FULL = "each head has full width. Heads share the width: the parameters do not depend on n_heads"
SHARE = "That is one head's share. Add up all heads."
BIASES = "The biases are counted; the question leaves them out."
AS_WIDE = "The maps are counted as if each head were d_model wide."
SOFTMAX = "The softmax is counted; the question asks for matrix products."
SHARED_OUT = "That is one map shared out, as if the heads cut the sequence: every head sees all of it, T by T."
MASKED = "That is half of each map, as under a causal mask; nothing here is masked."
PAIRS = "A map has a row for each query and a column for each key: T by T."
NO_WIDTH = "A map of weights is T by T: its size does not depend on d_model."


def wrong_parameters() -> tuple:
    """(formula of a wrong count, message, misconception or None)"""
    return (
        (lambda d, H, T: 4 * d * d * H, f"Here {FULL}.", "M13"),
        (lambda d, H, T: 3 * d * d * H + d * d, f"In w_q, w_k and w_v {FULL}.", "M13"),
        (lambda d, H, T: 3 * d * d, "w_o is left out: there are four maps.", None),
        (lambda d, H, T: 3 * d * d * H, f"w_o is left out, and {FULL}.", "M13"),
        (lambda d, H, T: d * d, "That is one map; there are four.", None),
        (lambda d, H, T: 2 * d * d, "Those are two maps; there are four.", None),
        (lambda d, H, T: 8 * d * d, "Those are eight maps; there are four.", None),
        (lambda d, H, T: 4 * d, "A map from d_model to d_model numbers has d_model^2 weights.", None),
        (lambda d, H, T: 4 * d * d + 4 * d, BIASES, None),
        (lambda d, H, T: 4 * d * (d // H), SHARE, None),
        (lambda d, H, T: 3 * d * (d // H) + d * d, "w_q, w_k and w_v are those of one head only.", None),
        (lambda d, H, T: 3 * d * d + d * (d // H), "w_o is that of one head only: its rows serve all heads.", None),
        (lambda d, H, T: 4 * T * d * d, "Parameters do not depend on T: the same maps work at every position.", None),
    )  # fmt: skip


def wrong_products() -> tuple:
    def all_but(projections=4, core=2):
        return lambda d, H, T: projections * T * d * d + core * T * T * d

    def core(formula):
        return lambda d, H, T: 4 * T * d * d + formula(d, H, T)

    left_out = "The scores and the weighted sum of the values are left out: T * T * d_head each, for each head."
    every = "Every query meets every key: T * T, not T."
    width = "Each pair of positions costs a product of vectors, d_head wide for each head."
    return (
        (lambda d, H, T: H * (4 * T * d * d + 2 * T * T * d), "n_heads times too much: each head is counted at full "
         "width.", "M13"),
        (core(lambda d, H, T: 2 * H * T * T * d), "Scores and weighted sums are counted as if each head were d_model "
         "wide.", "M13"),
        (lambda d, H, T: 4 * T * d * d * H + 2 * T * T * d, AS_WIDE, "M13"),
        (lambda d, H, T: 3 * T * d * d * H + T * d * d + 2 * H * T * T * d, AS_WIDE, "M13"),
        (lambda d, H, T: 3 * T * d * d * H + T * d * d + 2 * T * T * d, AS_WIDE, "M13"),
        (all_but(8, 4), "Twice too much: a multiplication and its addition count once here.", None),
        (all_but(core=0), left_out, None),
        (all_but(0), "The four maps are left out: T * d_model * d_model each.", None),
        (all_but(core=1), "One of the two products, scores or weighted sum of the values, is left out.", None),
        (all_but(3), "The product with w_o is left out.", None),
        (all_but(1), "That is one map of the four.", None),
        (core(lambda d, H, T: 2 * T * T * (d // H)), "Scores and weighted sums are those of one head only. Add up all "
         "heads.", None),
        (lambda d, H, T: 4 * T * d * (d // H) + 2 * T * T * (d // H), SHARE, None),
        (lambda d, H, T: 4 * d * d + 2 * T * T * d, "The maps are applied at each of the T positions.", None),
        (core(lambda d, H, T: 2 * T * d), every, None),
        (core(lambda d, H, T: 2 * T * T), width, None),
        (core(lambda d, H, T: 2 * H * T * T), width, None),
        (core(lambda d, H, T: 2 * T * T * d * d), "Each pair costs a product of vectors: d_model once, all heads "
         "together.", None),
        (core(lambda d, H, T: T * (T + 1) * d), MASKED, None),
        (core(lambda d, H, T: 2 * T * T * d + 4 * T * d), BIASES, None),
        *((core(lambda d, H, T, n=n: 2 * T * T * d + n * H * T * T), SOFTMAX, None) for n in (1, 2, 3, 4, 5)),
    )  # fmt: skip


def wrong_maps() -> tuple:
    one_number = "A weight is one number, not a vector: the map has no axis d_head."
    holds = "That is what the keys hold. A map has a number for each pair of positions: T by T, and H maps."
    return (
        (lambda d, H, T: T * T, "That is one map. Every head has one of its own: this grows with n_heads.", "M13"),
        (lambda d, H, T: T * T / H, SHARED_OUT, "M12"),
        (lambda d, H, T: T * T // H, SHARED_OUT, "M12"),
        (lambda d, H, T: H * (T // H) ** 2, SHARED_OUT, "M12"),
        (lambda d, H, T: H * T, PAIRS, None),
        (lambda d, H, T: T * T * d, one_number, None),
        (lambda d, H, T: T * T * d // H, one_number, None),
        (lambda d, H, T: T * d, holds, None),
        (lambda d, H, T: H * T * d, holds, None),
        (lambda d, H, T: H * T * (T + 1) // 2, MASKED, None),
        (lambda d, H, T: 4 * H * T * T, "Those are the bytes of 32-bit numbers; wanted how many numbers.", None),
        (lambda d, H, T: 32 * H * T * T, "Those are the bits of 32-bit numbers; wanted how many numbers.", None),
        (lambda d, H, T: 2 * H * T * T, "Twice too much: there is one weight for each head, query and key.", None),
        (lambda d, H, T: 3 * H * T * T, "Each head has one map of weights, not one for q, k and v each.", None),
        (lambda d, H, T: H * d * d, NO_WIDTH, None),
        (lambda d, H, T: d * d, NO_WIDTH, None),
    )  # fmt: skip


def expect_numbers(cost, which: int, faults: tuple) -> None:
    """One of the three numbers is right for all sizes: else the words of a fault that fits all of them."""
    names = ("parameters", "multiply-adds", "numbers in the maps")
    got, right = [three_numbers(cost(*size)) for size in SIZES], [count_by_heads(*size) for size in SIZES]
    mine, theirs = [numbers[which] for numbers in got], [numbers[which] for numbers in right]
    for value in mine:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise Wrong(f"{names[which]}: {value!r} is no number.")
    if mine == theirs:
        return
    if all(set(numbers) == set(wanted) for numbers, wanted in zip(got, right, strict=True)):
        raise Wrong("The three numbers are right, their order is not: `return parameters, multiply_adds, map_numbers`.")
    at = next(i for i in range(len(SIZES)) if mine[i] != theirs[i])
    d, H, T = SIZES[at]
    look = "Count one head first, d_head = d_model / n_heads wide, then all of them."
    message, misconception = fitting(mine, SIZES, faults) or (
        f"{PAIRS} Every head has one." if which == 2 else look,
        None,
    )
    told = f"cost(d_model={d}, n_heads={H}, T={T}): {mine[at]:,} {names[which]}; wanted {theirs[at]:,}."
    raise Wrong(f"{told} {message}", misconception)


def three_numbers(got) -> list:
    """What cost returned, as plain numbers: a tuple, a list, a tensor or an array of three."""
    if getattr(got, "shape", None) == (3,):
        return got.tolist()
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        what = f"{len(got)} values" if isinstance(got, (tuple, list)) else f"one {type(got).__name__}"
        told = f"cost returned {what}; cost returns three numbers"
        raise Wrong(f"{told}: `return parameters, multiply_adds, map_numbers`.")
    return [value.item() if getattr(value, "ndim", None) == 0 else value for value in got]


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
            x, H = normal(2, 5, matrices[0].shape[0]), len(order)
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
    """w_q, w_k, w_v (D, H d_head), w_o (H d_head, D), order: square and not; orders that are not their own inverse."""
    for D, H, d_head, order in (
        (12, 4, 3, [2, 0, 3, 1]),
        (10, 3, 4, [1, 2, 0]),
        (7, 2, 5, [1, 0]),
        (6, 3, 2, [0, 1, 2]),
        (9, 5, 2, [3, 4, 0, 2, 1]),
    ):
        yield *(normal(D, H * d_head) for _ in range(3)), normal(H * d_head, D), order


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
    yield dealt, f"{name}: columns are taken as if heads alternated; the d_head columns of a head stand together.", None
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
        return told + "w_q, w_k and w_v are not reordered rightly yet: see the check above."
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
