"""Lesson 05: the checks of what a block costs."""

import itertools
import math

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import fitting

CROSSING = 1.5 * 4 * 2048  # tokens: 4 T^2 D = 6 T D d_ff at d_ff = 4 D, D = 2048
# d_model, d_ff: d_ff no multiple of d_model, nor always of 3.
WIDTHS = (
    ((70, 300), (96, 110), (70, 110), (96, 300)),
    ((60, 250), (88, 130), (60, 130), (88, 250)),
    ((80, 330), (54, 140), (80, 140), (54, 330)),
)
LENGTHS = ((10, 130), (12, 150), (14, 190))  # T below d_model and above
WEIGHTS = ("attention", "feed_forward")
WORK = ("projections", "scores_and_mix", "feed_forward")


class cost:
    answers = (
        "count_parameters(d_model, d_ff, gated)",
        "count_flops(T, d_model, d_ff, gated)",
        ("the number of tokens you read off",),
    )

    @check("the weights of the matrices of one block", 1.5)
    def parameters(count_parameters, count_flops, crossing):
        cases = [(*sizes, gated) for sizes in draw.one_of(*WIDTHS) for gated in (False, True)]
        got = [tuple_of(count_parameters(*case), WEIGHTS, count_parameters.name) for case in cases]
        expect(got, cases, ("d_model", "d_ff", "gated"), weights, WEIGHTS, miscounted_weights())

    @check("the FLOPs of one block over T tokens", 2)
    def flops(count_parameters, count_flops, crossing):
        products = itertools.product(draw.one_of(*LENGTHS), draw.one_of(*WIDTHS), (False, True))
        cases = [(T, *sizes, gated) for T, sizes, gated in products]
        got = [tuple_of(count_flops(*case), WORK, count_flops.name) for case in cases]
        expect(got, cases, ("T", "d_model", "d_ff", "gated"), work, WORK, miscounted_work())

    @check("the length read off the explorer", 1.5)
    def length(count_parameters, count_flops, crossing):
        if crossing is None:
            raise NotDone("put the number of tokens in place of None, then run this cell again.")
        if math.prod(getattr(crossing, "shape", (0,))) == 1:  # one number of torch or numpy
            crossing = crossing.item()
        if isinstance(crossing, bool) or not isinstance(crossing, (int, float)):
            raise Wrong(f"crossing_T is of type {type(crossing).__name__}; write the number of tokens, such as 512.")
        if not (math.isfinite(crossing) and crossing > 0):
            raise Wrong(f"crossing_T is {crossing:g}; write the number of tokens, such as 512.")
        if abs(crossing / CROSSING - 1) <= 0.1:
            return
        for wrong, why in (
            (
                8192,
                "That is d_ff, and right for a layer without a gate (or for a gated one with d_ff / d_model at 8/3). A "
                "gated layer has a third matrix, so it costs half as much again: tick `gated`, and leave the 4.",
            ),
            (5461, "That is without a gate, and with d_ff / d_model at 8/3: tick `gated`, and leave the 4."),
            (
                4096,
                "There scores and mix cost as much as the *projections*; the question is about the feed-forward layer.",
            ),
            (4608, "Is d_model at 2048? This is the answer for 768."),
            (6144, "Is d_model at 2048? This is the answer for 1024."),
            (2048, "That is d_model: look for the T at which the line below the picture says 1.00."),
            (24576, "That is twice too far: there the line below the picture says 2."),
        ):
            if abs(crossing / wrong - 1) < 0.03:
                raise Wrong(f"{crossing:g} tokens: {why}")
        way = "less" if crossing < CROSSING else "more"
        raise Wrong(
            f"At T = {crossing:g} scores and mix cost {way} than the feed-forward layer, about "
            f"{crossing / CROSSING:.2g} times as much. Move T until the line below the picture says 1.00."
        )


def weights(d_model: int, d_ff: int, gated: bool) -> tuple[int, ...]:
    """The specification, matrix by matrix: attention, feed-forward layer."""
    layer = [(d_ff, d_model), (d_model, d_ff)] + [(d_ff, d_model)] * gated
    return sum(d_model * d_model for _ in "qkvo"), sum(rows * columns for rows, columns in layer)


def work(T: int, d_model: int, d_ff: int, gated: bool) -> tuple[int, ...]:
    """The specification: projections, scores and mix, feed-forward layer."""
    attention, layer = weights(d_model, d_ff, gated)
    return 2 * T * attention, 2 * T * T * d_model + 2 * T * T * d_model, 2 * T * layer


BIASES = "Biases are counted; wanted the matrices only."
THREE = "A gated layer has three matrices, W_gate, W_1 and W_2, not four."
TWO = "The feed-forward layer has two matrices, up and down (gated: three)."
GATE = "A gated layer has a third matrix, W_gate."
ONLY = "Only a gated layer has a third matrix; a plain one has two."
GIVEN = "d_ff is taken as 4 d_model: use the d_ff that is given."
UNUSED = "d_ff is not used: the matrices are (d_ff, d_model)."
SQUARE = "The matrices are (d_ff, d_model), not (d_ff, d_ff)."
HALF = "Every multiplication comes with an addition: 2 FLOPs. Yours count one."
ONE_LESS = "A sum of n products is counted with n - 1 additions: here each product has its addition, 2 FLOPs."
BACKWARD = "This is three times too much: is the backward pass counted too?"
TWICE = "This is twice too much: the 2 of multiplication and addition counts once."
ONCE = "The layer works once per token, not once per pair of tokens."
PRODUCTS = "wanted the matrix products only."


def matrices(gated: bool) -> int:
    return 3 if gated else 2


def miscounted_weights() -> tuple:
    """For each number: (formula of a wrong count, message)."""
    return (
        (
            (lambda D, f, g: 3 * D * D, "W_O is forgotten: attention has four matrices, Q, K, V and O."),
            (lambda D, f, g: D * D, "Attention has four matrices of (d_model, d_model): Q, K, V and O."),
            (lambda D, f, g: 8 * D * D, "That is twice too much: attention has four matrices, Q, K, V and O."),
            (lambda D, f, g: 4 * D * D + 4 * D, BIASES),
            (lambda D, f, g: 4 * D, "A matrix of shape (d_model, d_model) has d_model^2 weights, not d_model."),
            (lambda D, f, g: 12 * D * D, "That is a whole block with d_ff = 4 d_model; wanted attention alone."),
            (lambda D, f, g: 4 * D * f, "Attention's matrices are (d_model, d_model): d_ff has no part in them."),
        ),
        (
            (lambda D, f, g: 2 * D * f, GATE),
            (lambda D, f, g: 3 * D * f, ONLY),
            (lambda D, f, g: D * f, TWO),
            (lambda D, f, g: (matrices(g) - 1) * D * f, "One matrix is missing: up and down, and a third when gated."),
            (lambda D, f, g: (4 if g else 2) * D * f, THREE),
            (lambda D, f, g: 4 * D * f, TWO),
            (
                lambda D, f, g: (2 if g else 3) * D * f,
                "It is the other way round: the gated layer is the one with three.",
            ),
            (lambda D, f, g: 4 * matrices(g) * D * D, GIVEN),
            (lambda D, f, g: 8 * D * D, f"{GIVEN} And W_gate is forgotten."),
            (lambda D, f, g: matrices(g) * D * D, UNUSED),
            (lambda D, f, g: matrices(g) * f * f, SQUARE),
            (lambda D, f, g: matrices(g) * (D + f), "A matrix (d_ff, d_model) has d_ff times d_model weights."),
            (lambda D, f, g: matrices(g) * D * f + D + f, BIASES),
            (lambda D, f, g: matrices(g) * D * f + D + (matrices(g) - 1) * f, BIASES),
            (lambda D, f, g: 3 * D * (2 * f // 3) if g else 2 * D * f, "When gated, d_ff is cut to 2/3: it is given."),
        ),
    )


def miscounted_work() -> tuple:
    return (
        (
            (lambda T, D, f, g: 4 * T * D * D, HALF),
            (lambda T, D, f, g: 8 * D * D, "T is missing: the projections work at every token."),
            (lambda T, D, f, g: 6 * T * D * D, "W_O is forgotten: Q, K, V and O project."),
            (lambda T, D, f, g: 2 * T * D * D, "That is one projection: there are four, Q, K, V and O."),
            (lambda T, D, f, g: 3 * T * D * D, f"W_O is forgotten. {HALF}"),
            (lambda T, D, f, g: 8 * T * T * D * D, "The projections work once per token, not once per pair of tokens."),
            (lambda T, D, f, g: 4 * T * D * (2 * D - 1), ONE_LESS),
            (lambda T, D, f, g: 24 * T * D * D, BACKWARD),
            (lambda T, D, f, g: 16 * T * D * D, TWICE),
            (lambda T, D, f, g: 8 * T * D, "d_model counts twice: each of d_model outputs sums d_model products."),
        ),
        (
            (lambda T, D, f, g: 2 * T * T * D, "That is half: two products, q k^T and weights times v, 2 FLOPs each."),
            (lambda T, D, f, g: 2 * T * (T + 1) * D, "That is with a causal mask; here every query meets every key."),
            (lambda T, D, f, g: T * T * D, "That is a quarter: two products, q k^T and weights times v, 2 FLOPs each."),
            (lambda T, D, f, g: 4 * T * T, "d_model is missing: each pair costs a product of vectors, d_model wide."),
            (lambda T, D, f, g: 4 * T * D, "Every query meets every key: T^2 pairs, not T."),
            (lambda T, D, f, g: 4 * T * D * D, "Every query meets every key: T^2 pairs, and d_model once."),
            (lambda T, D, f, g: 4 * T * T * D * D, "Each pair costs a product of vectors: d_model once, not squared."),
            (lambda T, D, f, g: 4 * T * T * f, "Scores and mix are d_model wide, all heads together; not d_ff wide."),
            (lambda T, D, f, g: 2 * T * T * (2 * D - 1), ONE_LESS),
            *((lambda T, D, f, g, n=n: 4 * T * T * D + n * T * T, f"The softmax is counted; {PRODUCTS}")
              for n in (1, 2, 3, 4, 5)),
            (lambda T, D, f, g: 12 * T * T * D, BACKWARD),
            (lambda T, D, f, g: 8 * T * T * D, TWICE),
        ),
        (
            (lambda T, D, f, g: matrices(g) * T * D * f, HALF),
            (lambda T, D, f, g: 4 * T * D * f, GATE),
            (lambda T, D, f, g: 6 * T * D * f, ONLY),
            (lambda T, D, f, g: 2 * T * D * f, TWO),
            (lambda T, D, f, g: (8 if g else 4) * T * D * f, THREE),
            (lambda T, D, f, g: 2 * matrices(g) * D * f, "T is missing: the layer works at every token."),
            (lambda T, D, f, g: 2 * matrices(g) * T * T * D * f, ONCE),
            (lambda T, D, f, g: 4 * T * T * D * f, f"{ONCE} And W_gate is forgotten."),
            (lambda T, D, f, g: 8 * matrices(g) * T * D * D, GIVEN),
            (lambda T, D, f, g: 16 * T * D * D, f"{GIVEN} And W_gate is forgotten."),
            (lambda T, D, f, g: 2 * matrices(g) * T * f * f, SQUARE),
            (lambda T, D, f, g: 2 * matrices(g) * T * D * D, UNUSED),
            (lambda T, D, f, g: 2 * matrices(g) * T * D * f + T * f, f"The activation is counted; {PRODUCTS}"),
            (lambda T, D, f, g: 2 * matrices(g) * T * D * f + g * T * f, f"Gate times values is counted; {PRODUCTS}"),
            (lambda T, D, f, g: 6 * matrices(g) * T * D * f, BACKWARD),
            (lambda T, D, f, g: 4 * matrices(g) * T * D * f, TWICE),
        ),
    )  # fmt: skip


def expect(got: list[tuple], cases: list[tuple], arguments: tuple, right, names: tuple, faults: tuple) -> None:
    """The answers are right in all cases: else the words of a fault that fits all of them, or what was seen."""
    wanted = [right(*case) for case in cases]
    if all(map(same, itertools.chain(*got), itertools.chain(*wanted))):
        return
    if all(sorted(mine) == sorted(map(float, theirs)) for mine, theirs in zip(got, wanted, strict=True)):
        raise Wrong(f"The numbers are right, their order is not: return {', '.join(names)}.")
    for place, name in enumerate(names):
        mine, theirs = [numbers[place] for numbers in got], [numbers[place] for numbers in wanted]
        off = [not same(a, b) for a, b in zip(mine, theirs, strict=True)]
        if not any(off):
            continue
        at = off.index(True)
        case = ", ".join(f"{argument} = {size}" for argument, size in zip(arguments, cases[at], strict=True))
        told = fitting(mine, cases, faults[place]) or (where_off(off, cases, mine[at] / theirs[at]),)
        raise Wrong(f"{name}, for {case}: yours is {mine[at]:,.9g}, wanted {theirs[at]:,}. {told[0]}")


def where_off(off: list[bool], cases: list[tuple], ratio: float) -> str:
    """What is known of a miscount that nobody foresaw."""
    words = f"(Yours is {ratio:.4g} times that.) Write down the shape of each matrix, and how often it works."
    for gated, right, wrong in ((True, "plain", "gated"), (False, "gated", "plain")):
        if off == [case[-1] is gated for case in cases]:
            return f"For a {right} layer it is right: look at what you count for a {wrong} one. {words}"
    return words


def same(a: int | float, b: int | float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9)


def tuple_of(got, names: tuple[str, ...], function: str) -> tuple:
    """The numbers that came back, if there are as many as names."""
    if isinstance(got, dict):
        got = tuple(got.values())
    if hasattr(got, "tolist"):  # a tensor or an array
        numbers = got.tolist()
        got = tuple(numbers) if isinstance(numbers, list) else numbers
    words = f"wanted {len(names)} numbers, in this order: {', '.join(names)}."
    if not isinstance(got, (tuple, list)):
        raise Wrong(f"{function} returned a single thing, {got!r}; {words}")
    if len(got) != len(names):
        raise Wrong(f"{function} returned {len(got)} numbers; {words}")
    if not all(isinstance(size, (int, float)) or hasattr(size, "item") for size in got):
        raise Wrong(f"{function} returned {got!r}; {words}")
    return tuple(float(size) for size in got)
