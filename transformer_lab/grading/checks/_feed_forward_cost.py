"""Lesson 05: the checks of what a block costs, and of the width of a gated layer."""

import itertools
import math

from ..score import NotDone, Wrong, check

CROSSING = 1.5 * 1024 * 8 / 3  # tokens: 4 T^2 D = 6 T D d_ff at d_ff = 8/3 D, D = 1024


class cost:
    answers = (
        "count_parameters(d_model, d_ff, gated)",
        "count_flops(T, d_model, d_ff, gated)",
        ("the number of tokens you read off",),
    )

    @check("the weights of the matrices of one block", 1.5)
    def parameters(count_parameters, count_flops, crossing):
        for d_model, d_ff, gated in itertools.product((64, 96), (300, 100), (False, True)):
            matrices = 3 if gated else 2
            right = (4 * d_model**2, matrices * d_model * d_ff)
            got = tuple_of(count_parameters(d_model, d_ff, gated), ("attention", "feed_forward"), "count_parameters")
            case = f"d_model = {d_model}, d_ff = {d_ff}, gated = {gated}"
            tell(
                got,
                right,
                case,
                (
                    (3 * d_model**2, None, "W_O is forgotten: attention has four matrices, Q, K, V and O."),
                    (d_model**2, None, "Attention has four matrices of (d_model, d_model): Q, K, V and O."),
                    (4 * d_model**2 + 4 * d_model, None, "Biases are counted; wanted the matrices only."),
                    (None, 2 * d_model * d_ff, "A gated layer has a third matrix, W_gate."),
                    (None, 3 * d_model * d_ff, "Only a gated layer has a third matrix; this one has two."),
                    (None, d_model * d_ff, "The feed-forward layer has two matrices, up and down (gated: three)."),
                    (None, 8 * d_model**2, "d_ff is taken as 4 d_model: use the d_ff that is given."),
                    (None, 4 * d_model**2, "d_ff is not used."),
                    (None, 2 * d_model * d_ff + d_model + d_ff, "Biases are counted; wanted the matrices only."),
                    (None, matrices * d_ff**2, "The feed-forward matrices are (d_ff, d_model), not square."),
                ),
                ("attention", "feed_forward"),
            )

    @check("the FLOPs of one block over T tokens", 2)
    def flops(count_parameters, count_flops, crossing):
        names = ("projections", "scores_and_mix", "feed_forward")
        for T, (d_model, d_ff), gated in itertools.product((10, 70), ((64, 300), (96, 100)), (False, True)):
            matrices, square = 3 if gated else 2, T * T * d_model
            right = (8 * T * d_model**2, 4 * square, 2 * matrices * T * d_model * d_ff)
            got = tuple_of(count_flops(T, d_model, d_ff, gated), names, "count_flops")
            half = "Every multiplication comes with an addition: 2 FLOPs. Yours count one."
            tell(
                got,
                right,
                f"T = {T}, d_model = {d_model}, d_ff = {d_ff}, gated = {gated}",
                (
                    (right[0] // 2, None, None, half),
                    (
                        None,
                        square * 2,
                        None,
                        "That is half: two products, q k^T and weights times values, 2 FLOPs each, no mask.",
                    ),
                    (
                        None,
                        2 * T * (T + 1) * d_model,
                        None,
                        "That is with a causal mask; here every query meets every key.",
                    ),
                    (None, square, None, "Two products, q k^T and weights times values, and 2 FLOPs a multiplication."),
                    (None, None, right[2] // 2, half),
                    (8 * d_model**2, None, None, "T is missing: the projections work at every token."),
                    (None, None, right[2] // T, "T is missing: the layer works at every token."),
                    (6 * T * d_model**2, None, None, "W_O is forgotten: Q, K, V and O project."),
                    (2 * T * d_model**2, None, None, "That is one projection: there are four, Q, K, V and O."),
                    (right[0] * T, None, None, "The projections work once a token, not once a pair of tokens."),
                    (None, None, right[2] * T, "The layer works once a token, not once a pair of tokens."),
                    (
                        None,
                        4 * T * T,
                        None,
                        "d_model is missing: each pair costs a product of vectors (all heads together d_model wide).",
                    ),
                    (None, 4 * T * d_model, None, "Every query meets every key: T^2 pairs, not T."),
                    (None, 4 * T * d_model**2, None, "Every query meets every key: T^2 pairs, and d_model once."),
                    (None, None, 4 * T * d_model * d_ff, "A gated layer has a third matrix, W_gate."),
                    (None, None, 6 * T * d_model * d_ff, "Only a gated layer has a third matrix."),
                    (None, None, 2 * T * d_model * d_ff, "The layer has two matrices, up and down (gated: three)."),
                ),
                names,
            )

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
                2731,
                "That is d_ff. Is `gated` ticked? A gated layer has a third matrix, so it costs half as much again.",
            ),
            (6144, "That is with d_ff / d_model at 4: set it to 8/3."),
            (
                2048,
                "There scores and mix cost as much as the *projections*; the question is of the feed-forward layer.",
            ),
            (3072, "Is d_model at 1024? This is the answer for 768."),
            (1024, "That is d_model: look for the T at which the line below the picture says 1.00."),
            (8192, "That is twice too far: there the line below the picture says 2."),
        ):
            if abs(crossing / wrong - 1) < 0.03:
                raise Wrong(f"{crossing:g} tokens: {why}")
        way = "less" if crossing < CROSSING else "more"
        raise Wrong(
            f"At T = {crossing:g} scores and mix cost {way} than the feed-forward layer, about "
            f"{crossing / CROSSING:.2g} times as much. Move T until the line below the picture says 1.00."
        )


def tuple_of(got, names: tuple[str, ...], function: str) -> tuple:
    """The numbers that came back, if there are as many as names."""
    if isinstance(got, dict):
        got = tuple(got.values())
    if hasattr(got, "tolist"):  # a tensor or an array
        numbers = got.tolist()
        got = tuple(numbers) if isinstance(numbers, list) else numbers
    if not isinstance(got, (tuple, list)) or len(got) != len(names):
        what = f"{len(got)} numbers" if isinstance(got, (tuple, list)) else repr(got)
        raise Wrong(f"{function} returned {what}; wanted {len(names)}: return {', '.join(names)}.")
    if not all(isinstance(size, (int, float)) or hasattr(size, "item") for size in got):
        raise Wrong(f"{function} returned {got!r}; wanted {len(names)} numbers.")
    return tuple(float(size) for size in got)


def tell(got: tuple, right: tuple, case: str, faults, names: tuple[str, ...]) -> None:
    """Raise Wrong unless the numbers are right: in the words of the first fault that fits the first wrong one."""
    if all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(got, right, strict=True)):
        return
    if sorted(got) == sorted(map(float, right)):
        raise Wrong(f"The numbers are right, their order is not: return {', '.join(names)}.")
    for place, (mine, wanted) in enumerate(zip(got, right, strict=True)):
        if math.isclose(mine, wanted, rel_tol=1e-9):
            continue
        for *numbers, message in faults:
            if numbers[place] is not None and math.isclose(mine, numbers[place], rel_tol=1e-9):
                raise Wrong(f"{names[place]}, for {case}: yours is {mine:,.9g}, wanted {wanted:,}. {message}")
        ratio = mine / wanted
        raise Wrong(
            f"{names[place]}, for {case}: yours is {mine:,.9g}, wanted {wanted:,} (yours is {ratio:.4g} times that). "
            "Write down the shape of each matrix, and how often it works."
        )


class gated_width:
    answers = ("gated_width(d_ff, multiple)",)

    @check("a whole number, a multiple of what is asked", 1)
    def whole(gated_width):
        for d_ff, multiple in CASES:
            width(gated_width, d_ff, multiple)

    @check("as many weights as the plain layer, or a few more", 2)
    def values(gated_width):
        for (d_ff, multiple), wanted in CASES.items():
            got = width(gated_width, d_ff, multiple, whole=False)
            if got == wanted:
                continue
            third = 2 * d_ff / 3
            case = f"For d_ff = {d_ff:,} and multiple = {multiple} yours is {got:,}, wanted {wanted:,}. "
            for wrong, why in (
                (up(2 * d_ff // 3, multiple), f"int(...) or // has cut {third:.2f} down before the rounding up."),
                (
                    multiple * (third // multiple),
                    "That is rounded down, and has fewer weights than the plain layer: round up.",
                ),
                (multiple * round(third / multiple), "That is rounded to the nearest: round up."),
                (multiple * (third // multiple + 1), "2/3 of d_ff is a multiple already: nothing is to be added."),
                *(
                    (multiple * math.ceil(share * d_ff / multiple), f"{share} is not 2/3: write 2 * d_ff / 3.")
                    for share in (0.66, 0.67, 0.666, 0.667, 0.6666, 0.6667)
                    if d_ff > 10_000
                ),
                (up(8 * d_ff / 3, multiple), "8/3 is the factor on d_model = d_ff / 4, not on d_ff."),
                (up(3 * d_ff / 2, multiple), "Three matrices of that width hold more, not fewer, weights: it is 2/3."),
                (up(d_ff, multiple), "A third matrix of the same width makes the layer half as large again."),
                (up(d_ff / 2, multiple), "Three matrices replace two, not two one: w such that 3 w = 2 d_ff."),
                (up(d_ff / 3, multiple), "That is a third: 3 w = 2 d_ff."),
                (up(4 * d_ff / 3, multiple), "3 w = 2 d_ff, so w = 2/3 d_ff, not 4/3."),
            ):
                if got == wrong:
                    raise Wrong(case + why)
            raise Wrong(f"{case}The smallest multiple of {multiple} that is not below 2/3 of d_ff ({third:,.1f}).")


def up(size: float | int, multiple: int) -> int:
    return multiple * math.ceil(round(size / multiple, 9))


# (d_ff, multiple) -> the width. The first is Llama's: d_model 4096, and the 11,008 that stands in its config.
CASES = {
    (16_384, 256): 11_008,
    (300_000, 8): 200_000,
    (3_072, 64): 2_048,
    (4_096, 64): 2_752,
    (100, 8): 72,
    (512, 32): 352,
    (2_048, 128): 1_408,
    (100, 3): 69,
    (100, 2): 68,
}


def width(answer, d_ff: int, multiple: int, whole: bool = True) -> int | float:
    """The answer's width; if it is to be whole, an int and a multiple."""
    got, call = answer(d_ff, multiple), f"gated_width({d_ff}, {multiple})"
    if hasattr(got, "item"):
        got = got.item()
    if isinstance(got, bool) or not isinstance(got, (int, float)):
        raise Wrong(f"{call} is {got!r}, of type {type(got).__name__}; wanted a whole number, an int.")
    if not math.isfinite(got) or got != int(got):
        raise Wrong(f"{call} is {got:g}; a width is a whole number, an int: round up to a multiple.")
    if whole and isinstance(got, float):
        raise Wrong(f"{call} is {got!r}, a float; wanted a whole number, an int, as nn.Linear takes it: int(...).")
    if whole and got % multiple:
        raise Wrong(f"{call} is {got:,}, which is no multiple of {multiple}: round up to one.")
    return got
