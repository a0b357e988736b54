"""Lesson 07: the checks of question 6: four broken pieces, their faults, an input that exposes one, and a repair."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import compare, diagnosed, expect_tensor, has_gradient, keeps_every_dtype, leaves_alone, number
from .sublayer import SIZES, parts

# What the learner chooses from -> what such a piece would show. The notebook explains each in a table.
FAULTS = {
    "statistics over the batch": "With such a norm a position depends on the same position of other samples.",
    "digits cancel": "Such a norm is right for numbers about 0, and fails where the mean is far above the spread.",
    "skip normalised": "In such a stack silent sub-layers do not leave x as it was, and the numbers stay small.",
    "divided by the variance": "Such a norm makes long vectors short, and short ones long.",
    "final norm missing": "Such a stack passes on a sum that nobody has normalised: it grows with what is added to it.",
    "unbiased variance": "With such a norm the deviation comes out a little below 1, for any x.",
    "eps outside the root": "Such a norm differs only where the variance is as small as eps.",
    "statistics over time": "With such a norm a position depends on other positions of its own sequence.",
}


class repair:
    answers = (
        "repair(x, sublayers, norms, final_norm)",
        *(tuple(FAULTS),) * 4,
        ("a tensor (B, T, 8) that exposes broken_3",),
    )

    @check("broken_1: the fault", 0.5)
    def first(repair, fault_1, fault_2, fault_3, fault_4, exposing):
        seen = "broken_1 keeps its positions apart; compare the deviation of LN(x) with that of LN(10 x)."
        diagnosed(fault_1, "divided by the variance", FAULTS, "fault_1", seen)

    @check("broken_2: the fault", 0.5)
    def second(repair, fault_1, fault_2, fault_3, fault_4, exposing):
        seen = (
            "broken_2's first position moves when another position of its sequence changes, but not when a sample does."
        )
        diagnosed(fault_2, "statistics over time", FAULTS, "fault_2", seen)

    @check("broken_3: the fault", 0.5)
    def third(repair, fault_1, fault_2, fault_3, fault_4, exposing):
        seen = "Every number that is printed for broken_3 is right: in which order does it subtract and average?"
        diagnosed(fault_3, "digits cancel", FAULTS, "fault_3", seen)

    @check("broken_4: the fault", 0.5)
    def fourth(repair, fault_1, fault_2, fault_3, fault_4, exposing):
        seen = "broken_4 does normalise what leaves the stack; and with silent sub-layers?"
        diagnosed(fault_4, "skip normalised", FAULTS, "fault_4", seen)

    @check("an input that exposes broken_3", 0.5)
    def exposed(repair, fault_1, fault_2, fault_3, fault_4, exposing):
        exposes(exposing)

    @check("broken_4, mended", 0.5)
    def mended(repair, fault_1, fault_2, fault_3, fault_4, exposing):
        whole_stack(repair)


WIDTH = 8
APART = 0.1  # broken_3 and the right layer norm differ by at least this on an input that exposes it


def broken_3(x: Tensor) -> Tensor:
    """The snippet, with gamma 1 and beta 0."""
    mean, mean_square = x.mean(dim=-1, keepdim=True), x.square().mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(mean_square - mean.square() + 1e-5)


def exposes(x) -> None:
    if x is None:
        raise NotDone("put a tensor (B, T, 8) in exposing, in place of None, then run this cell again.")
    if not isinstance(x, Tensor) or x.ndim != 3 or x.shape[-1] != WIDTH or not x.numel():
        came = f"a tensor of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise Wrong(f"exposing is {came}; wanted a tensor of shape (B, T, {WIDTH}), B and T as you like.")
    if x.dtype != torch.float32:
        raise Wrong(f"exposing is of {x.dtype}; wanted torch.float32, in which models compute.")
    x = x.detach().clone()
    spread = x.double().std(dim=-1, correction=0)
    if not x.isfinite().all() or (spread < APART).any():
        raise Wrong("Each position of exposing needs finite features with a deviation of 0.1 or more.")
    exact, careful, broken = F.layer_norm(x.double(), (WIDTH,)), F.layer_norm(x, (WIDTH,)), broken_3(x)
    if (careful - exact).abs().max() > APART:
        raise Wrong(
            "On your numbers even torch's layer norm fails: float32 cannot hold such a spread next to such a mean. "
            "Make the mean less large."
        )
    off = (broken - exact).abs().nan_to_num(nan=torch.inf).max()
    if off < APART:
        raise Wrong(
            f"On your numbers broken_3 is right to {number(off)}; wanted a difference of {APART} or more (or NaN). It "
            "subtracts one large number from another: for which x is the difference small compared with the two?"
        )


def whole_stack(answer) -> None:
    size = draw.one_of(*SIZES)
    for n_layers in draw.one_of((3, 1, 5), (4, 1, 6), (3, 1, 6)):
        x, *_ = parts(*size)
        made = [parts(*size) for _ in range(n_layers + 1)]
        sublayers, norms, final = [p[1] for p in made[:-1]], [p[2] for p in made[:-1]], made[-1][2]
        given = [list(sublayers), list(norms)]
        got = expect_tensor(answer(x.clone(), *given, final), "the result", size)
        layers = list(zip(sublayers, norms, strict=True))
        try:
            compare(got, stack(x, layers, final, "pre"), stacks(x, layers, final), "the result", 1e-4)
        except Wrong as wrong:
            words = str(wrong)
            if words.startswith("the result"):
                words += " With sub-layers that give only zeros, the stack must return final_norm(x)."
            raise Wrong(words, wrong.misconception) from None
        if given != [sublayers, norms]:
            raise Wrong(
                "The function changed the list of sub-layers or of norms that it was given: a model that calls it "
                "twice has no layers left. Look for pop(), del or reverse(), and go through them with `for`."
            )
        leaves_alone(lambda x: answer(x, list(sublayers), list(norms), final), x=x)  # noqa: B023 - called at once
    keeps_every_dtype(lambda dtype: one_position(answer, dtype), "the result")
    x.requires_grad_()
    upstream = draw.normal(*size)
    both = answer(x * 1.0, sublayers, norms, final), stack(x, layers, final, "pre")
    found, told = (torch.autograd.grad((has_gradient(y, "the result") * upstream).sum(), x)[0] for y in both)
    compare(found, told, name="the gradient of x (look for .detach() and no_grad)", tolerance=1e-3)


def one_position(answer, dtype) -> Tensor:
    """A stack over one position alone, of parts that take any dtype."""
    *_, D = draw.one_of(*SIZES)
    norm, x = (lambda z: F.layer_norm(z, (D,))), draw.normal(1, 1, D, dtype=dtype)
    return expect_tensor(answer(x, [torch.tanh] * 2, [norm] * 2, norm), "the result", (1, 1, D))


RULES = {
    "pre": lambda x, f, norm: x + f(norm(x)),
    "post": lambda x, f, norm: norm(x + f(x)),
    "skip": lambda x, f, norm: norm(x) + f(norm(x)),
    "none": lambda x, f, norm: x + f(x),
    "branch": lambda x, f, norm: x + norm(f(x)),
    "both": lambda x, f, norm: norm(x + f(norm(x))),
    "no skip": lambda x, f, norm: f(norm(x)),
}
ABOUT = {
    "pre": "",
    "post": "These are post-norm layers, norm(x + f(x)); wanted pre-norm, x + f(norm(x)).",
    "skip": "The skip still carries norm(x): each layer normalises the stream again. Wanted x + f(norm(x)).",
    "none": "The layers' norms are not used: x + f(norm(x)).",
    "branch": "The norm stands after f; wanted before it, x + f(norm(x)).",
    "both": "A norm stands before f and another after the sum; wanted x + f(norm(x)) alone.",
    "no skip": "The skip is missing: x + f(norm(x)).",
}


def stack(x, layers, final, rule):
    for f, norm in layers:
        x = RULES[rule](x, f, norm)
    return final(x)


def stacks(x, layers, final):
    """Faults of the whole stack."""
    missing = "The final norm is missing: a pre-norm stack passes on a sum that nobody has normalised."
    for rule, about in ABOUT.items():
        if about:
            yield stack(x, layers, final, rule), about, "M23"
        yield stack(x, layers, lambda z: z, rule), f"{about} {missing}".strip(), "M23"
        y = x
        for f, norm in layers:
            y = final(RULES[rule](y, f, norm))
        if len(layers) > 1:
            yield y, f"{about} The final norm stands inside the loop; it comes once, at the end.".strip(), "M23"
        words = "The final norm stands before the first layer; it comes after the last."
        yield stack(final(x), layers, lambda z: z, rule), f"{about} {words}".strip(), "M23"
        again = layers[-1][1]
        words = "The last layer's norm stands in for the final norm: that one has a scale and a shift of its own."
        yield stack(x, layers, again, rule), f"{about} {words}".strip(), "M23"
        yield stack(x, layers[-1:], final, rule), f"{about} Only the last layer runs.".strip(), None
        words = "Only the first layer runs: does `return` stand inside the loop?"
        yield stack(x, layers[:1], final, rule), f"{about} {words}".strip(), None
    y = x
    for f, norm in layers:
        y = x + f(norm(y))
    words = "Each skip carries the input of the stack; it must carry the output of the layer before."
    yield final(y), words, None
    words = "The final norm stands before each layer; it comes once, at the end, and each layer has a norm of its own."
    yield stack(x, [(f, final) for f, _ in layers], final, "pre"), words, None
