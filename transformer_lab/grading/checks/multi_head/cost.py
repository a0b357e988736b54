"""Lesson 04: the checks of what heads cost."""

from numbers import Real

from ...checking import Wrong, check
from ...draw import draw
from ..common import fitting

# d_model, n_heads, T: also one head; T a multiple of n_heads and not.
SIZES = (
    ((512, 8, 128), (512, 1, 128), (12, 3, 5), (60, 15, 7), (22, 2, 21), (35, 5, 40)),
    ((256, 4, 100), (384, 1, 96), (15, 5, 7), (48, 16, 11), (26, 2, 33), (21, 3, 45)),
    ((768, 12, 72), (640, 1, 80), (14, 2, 9), (65, 13, 6), (33, 3, 20), (55, 5, 70)),
)


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
SHARED_OUT = "That is one map divided among the heads, as if they cut the sequence: every head sees all of it, T by T."
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
        (all_but(8, 4), "This is twice too much: a multiplication and its addition count once here.", None),
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
        (lambda d, H, T: 2 * H * T * T, "This is twice too much: there is one weight per head, query and key.", None),
        (lambda d, H, T: 3 * H * T * T, "Each head has one map of weights, not one for q, k and v each.", None),
        (lambda d, H, T: H * d * d, NO_WIDTH, None),
        (lambda d, H, T: d * d, NO_WIDTH, None),
    )  # fmt: skip


def expect_numbers(cost, which: int, faults: tuple) -> None:
    """One of the three numbers is right for all sizes: else the words of a fault that fits all of them."""
    names, sizes = ("parameters", "multiply-adds", "numbers in the maps"), draw.one_of(*SIZES)
    got, right = [three_numbers(cost(*size)) for size in sizes], [count_by_heads(*size) for size in sizes]
    mine, theirs = [numbers[which] for numbers in got], [numbers[which] for numbers in right]
    for value in mine:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise Wrong(f"{names[which]}: {value!r} is not a number.")
    if mine == theirs:
        return
    if all(set(numbers) == set(wanted) for numbers, wanted in zip(got, right, strict=True)):
        raise Wrong("The three numbers are right, their order is not: `return parameters, multiply_adds, map_numbers`.")
    at = next(i for i in range(len(sizes)) if mine[i] != theirs[i])
    d, H, T = sizes[at]
    look = "Count one head first, d_head = d_model / n_heads wide, then all of them."
    message, misconception = fitting(mine, sizes, faults) or (
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
        told = f"cost returned {what}; wanted three numbers"
        raise Wrong(f"{told}: `return parameters, multiply_adds, map_numbers`.")
    return [value.item() if getattr(value, "ndim", None) == 0 else value for value in got]
