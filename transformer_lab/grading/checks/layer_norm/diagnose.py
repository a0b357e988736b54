"""Lesson 07: the checks of question 6, four broken pieces: what is wrong with each, and one of them mended."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import compare, expect_tensor, has_gradient, keeps_every_dtype, leaves_alone
from ..diagnosis import Diagnosis, snippets
from .sublayer import SIZES, parts

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "statistics over the batch": "With such a norm a position depends on the same position of other samples.",
        "digits cancel": "Such a norm is right for numbers about 0, and fails where the mean is far above the spread.",
        "skip normalised": "In such a stack silent sub-layers do not leave x as it was, and the numbers stay small.",
        "divided by the variance": "Such a norm makes long vectors short, and short ones long.",
        "final norm missing": "Such a stack passes on a sum that nobody has normalised: it grows.",
        "unbiased variance": "With such a norm the deviation comes out a little below 1, for any x.",
        "eps outside the root": "Such a norm differs only where the variance is as small as eps.",
        "statistics over time": "With such a norm a position depends on other positions of its own sequence.",
    },
    observations={
        "another sample of the batch moves the output": "no other sample moves anything in all four.",
        "right for ordinary numbers, wrong when 10,000 is added to each": "two large numbers are subtracted there.",
        "silent sub-layers do not leave x as it was": "that is so of a stack whose skip carries something else than x.",
        "gamma has no effect": "in all three norms gamma multiplies what comes out.",
        "another position of the same text moves the output": "that is so where a mean is taken over positions.",
        "ten times x comes out ten times smaller": "that is so where the divisor grows with the square of x.",
    },
    snippets={
        "a": (
            "divided by the variance",
            "ten times x comes out ten times smaller",
            "It keeps its positions apart; compare the deviation of LN(x) with that of LN(10 x).",
        ),
        "b": (
            "statistics over time",
            "another position of the same text moves the output",
            "Its first position moves when another position of its sequence changes, but not when a sample does.",
        ),
        "c": (
            "digits cancel",
            "right for ordinary numbers, wrong when 10,000 is added to each",
            "Every number that is printed for it is right: in which order does it subtract and average?",
        ),
        "d": (
            "skip normalised",
            "silent sub-layers do not leave x as it was",
            "It does normalise what leaves the stack; and with silent sub-layers?",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 2)):
    answers = (DIAGNOSIS, "repaired(x, sublayers, norms, final_norm)")

    @check("d, mended", 1)
    def mended(diagnoses, repaired):
        whole_stack(repaired)


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
