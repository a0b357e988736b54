"""Lesson 07: the checks of where the norm and the dropout stand: a sub-layer, and three repairs."""

import torch
from torch import Tensor

from ..score import Wrong, check
from ._layer_norm import compare_layer_norm, given
from .common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone, normal

B, T, D = 2, 3, 5
KEEP = 0.75


def parts() -> tuple:
    """x (B, T, D), and f, norm, dropout: fixed functions of which no two may change places unnoticed."""
    mix, turn, gamma, beta = normal(T, T), normal(D, D), 0.5 + torch.rand(D), normal(D)
    mask = (torch.rand(B, T, D) < KEEP) / KEEP
    mask[0, 0, 0], mask[1, 2, 3] = 0.0, 1 / KEEP

    def f(x):
        return torch.tanh(mix @ x @ turn / 3) + 0.2 * x.square()

    def norm(x):
        return gamma * torch.nn.functional.layer_norm(x, (D,)) + beta

    def dropout(x):
        return x * mask

    return 1.5 * normal(B, T, D), f, norm, dropout


def pre(x, f, norm, dropout):
    return x + dropout(f(norm(x)))


def post(x, f, norm, dropout):
    return norm(x + dropout(f(x)))


class sublayer:
    answers = ("sublayer(x, f, norm, dropout, norm_position)",)

    @check('norm_position="post"', 1.5)
    def post(sublayer):
        compare_place(sublayer, "post")

    @check('norm_position="pre"', 1.5)
    def pre(sublayer):
        compare_place(sublayer, "pre")

    @check("without dropout; gradients reach x on both ways; x stays as it was", 1)
    def gradient(sublayer):
        for place, wanted in (("pre", pre), ("post", post)):
            x, f, norm, _ = parts()
            x.requires_grad_()
            got = has_gradient(step(sublayer, x, f, norm, lambda z: z, place), "the result")
            right = wanted(x, f, norm, lambda z: z)
            leaves_alone(lambda x, f=f, norm=norm, place=place: sublayer(x, f, norm, lambda z: z, place), x=x.detach())
            compare(got, right, [(x, "Only x comes back.", None)], "without dropout, the result")
            upstream = normal(B, T, D)
            found, told = (torch.autograd.grad((y * upstream).sum(), x)[0] for y in (got, right))
            compare(found, told, name=f'the gradient of x for "{place}" (look for .detach())', tolerance=1e-4)


def step(answer, x, f, norm, dropout, place) -> Tensor:
    return expect_tensor(answer(x.clone(), f, norm, dropout, place), "the result", (B, T, D))


def compare_place(answer, place: str) -> None:
    for _ in range(3):
        x, f, norm, dropout = parts()
        got = step(answer, x, f, norm, dropout, place)
        again = step(answer, x, f, norm, dropout, place)
        if not close(got, again):
            words = "Two calls differ: a dropout of its own is at work, which evaluation cannot switch off. "
            raise Wrong(f"{words}Call the one that is given.", "M24")
        wanted = (pre if place == "pre" else post)(x, f, norm, dropout)
        try:
            compare(got, wanted, places(place, x, f, norm, dropout), f'the result for "{place}"')
        except Wrong as wrong:
            words = str(wrong)
            if words.startswith("the result"):
                silent = "x itself" if place == "pre" else "norm(x)"
                words += f" Try an f that gives only zeros: {place}-norm must then return {silent}."
            raise Wrong(words, wrong.misconception) from None


def places(place, x, f, norm, d):
    """Faults: everything of x, f, norm and dropout that people put together otherwise."""
    n, other = norm(x), "pre" if place == "post" else "post"
    here, there = (pre, post) if place == "pre" else (post, pre)
    words = f"This is {other}-norm. " + (
        "Pre-norm is x + dropout(f(norm(x)))." if place == "pre" else "Post-norm is norm(x + dropout(f(x)))."
    )
    yield there(x, f, norm, d), words, "M23"
    yield here(x, f, norm, lambda z: z), "dropout is not called.", "M24"
    after = "dropout stands after the norm, so it hits the skip too; wanted on the branch, before the addition."
    total = "dropout stands on the sum, so it hits the skip too; wanted on the branch, before the addition."
    inside = "dropout is applied to what goes into f; wanted on what comes out of it."
    carries = "The skip carries norm(x); it must carry x itself, or every layer normalises the stream again."
    branch = "The norm stands on the branch, after f: that is neither pre- nor post-norm."
    both = "Both at once: the norm stands before f and after the sum. Choose by norm_position."
    for drop, extra in ((d, ""), (lambda z: z, " And dropout is not called.")):
        yield n + drop(f(n)), carries + extra, "M23"
        yield n + drop(f(x)), "The norm stands on the skip, not on the branch." + extra, "M23"
        yield x + norm(drop(f(x))), branch + extra, "M23"
        yield x + drop(norm(f(x))), branch + extra, "M23"
        yield x + drop(norm(f(n))), "A norm before f and one after it; wanted one." + extra, "M23"
        yield x + norm(drop(f(n))), "A norm before f and one after it; wanted one." + extra, "M23"
        yield norm(x + drop(f(n))), both + extra, "M23"
        yield norm(n + drop(f(n))), both + extra, "M23"
        yield n + norm(drop(f(x))), "The skip and the branch are normalised apart, then added." + extra, "M23"
        yield n + drop(norm(f(x))), "The skip and the branch are normalised apart, then added." + extra, "M23"
        yield x - drop(f(n)), "The branch is subtracted; wanted added." + extra, None
        yield norm(x - drop(f(x))), "The branch is subtracted; wanted added." + extra, None
        yield x + drop(f(x)), "The norm is not called." + extra, "M23"
        yield drop(f(n)), "x is not added: the skip is missing." + extra, None
        yield norm(drop(f(x))), "x is not added: the skip is missing." + extra, None
        yield drop(f(x)), "x is not added, and the norm is not called." + extra, None
        yield there(x, f, norm, drop), words + extra, "M23"

    def bare(z):
        return torch.nn.functional.layer_norm(z, (D,))

    words = "A layer norm without scale and shift is at work; call the norm that is given, with those it has learnt."
    yield here(x, f, bare, d), words, None
    for told, wrong in (
        ("dropout is called twice on the branch.", x + d(d(f(n)))),
        ("dropout is called twice on the branch.", norm(x + d(d(f(x))))),
        (after, d(norm(x + f(x)))),
        (after, d(n + f(n))),
        (after, x + f(d(n))),
        (total, norm(d(x + f(x)))),
        (total, d(x + f(n))),
        (total, d(x + f(x))),
        (inside, norm(x + f(d(x)))),
        (inside, x + f(norm(d(x)))),
        ("dropout hits the skip, not the branch.", d(x) + f(n)),
        ("dropout hits the skip, not the branch.", norm(d(x) + f(x))),
        ("dropout is called on both, the skip and the branch.", d(x) + d(f(n))),
        ("dropout is called on both, the skip and the branch.", norm(d(x) + d(f(x)))),
        ("dropout is called twice: on the branch and after the sum.", d(norm(x + d(f(x))))),
        ("dropout is called twice: on the branch and after the sum.", d(x + d(f(n)))),
        ("dropout is called twice: before f and after it.", x + d(f(d(n)))),
        ("dropout is called twice: before f and after it.", norm(x + d(f(d(x))))),
    ):
        yield wrong, told, "M24"
    yield x, "x comes back as it was.", None
    h = f(x)
    yield h + d(h), "f(x) is added to itself: the skip carries x.", None
    yield x + x, "x is added to itself: the branch is missing.", None


class repair:
    answers = (
        "repair_1(x, gamma, beta, eps=1e-5)",
        "repair_2(x, gamma, beta, eps=1e-5)",
        "repair_3(x, sublayers, norms, final_norm)",
    )

    @check("repair 1", 1)
    def first(repair_1, repair_2, repair_3):
        whole_norm(repair_1)

    @check("repair 2", 1)
    def second(repair_1, repair_2, repair_3):
        whole_norm(repair_2)

    @check("repair 3", 1)
    def third(repair_1, repair_2, repair_3):
        whole_stack(repair_3)


def whole_norm(answer) -> None:
    """All of the layer norm in one check: a repair is whole or it is none."""
    compare_layer_norm(answer, *given(2, 3, 5))
    compare_layer_norm(answer, *given(4, 7))
    note = " (Where the variance is far above eps it is right; here the two are alike.)"
    compare_layer_norm(answer, *given(2, 3, 5, size=3e-3), note=note)
    compare_layer_norm(answer, *given(2, 3, 5, size=1.0), 0.5, note=" (The check gave eps = 0.5.)")
    x, gamma, beta = given(2, 3, 5, dtype=torch.float64)
    keeps_dtype(answer(*copies(x, gamma, beta)), torch.float64, "the result")
    leaves_alone(answer, x=x, gamma=gamma, beta=beta)


def whole_stack(answer) -> None:
    for n_layers in (3, 1, 5):
        x, *_ = parts()
        made = [parts() for _ in range(n_layers + 1)]
        sublayers, norms, final = [p[1] for p in made[:-1]], [p[2] for p in made[:-1]], made[-1][2]
        got = answer(x.clone(), list(sublayers), list(norms), final)
        got = expect_tensor(got, "the result", (B, T, D))
        layers = list(zip(sublayers, norms, strict=True))
        try:
            compare(got, stack(x, layers, final, "pre"), stacks(x, layers, final), "the result", 1e-4)
        except Wrong as wrong:
            words = str(wrong)
            if words.startswith("the result"):
                words += " With sub-layers that give only zeros, the stack must return final_norm(x)."
            raise Wrong(words, wrong.misconception) from None
        leaves_alone(lambda x: answer(x, sublayers, norms, final), x=x)  # noqa: B023 - called at once


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
    missing = "The final norm is missing: a pre-norm stack hands on a sum that nobody has normalised."
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
    words = "Each skip carries the input of the stack; it must carry what the layer before has handed on."
    yield final(y), words, None
    words = "The final norm stands before each layer; it comes once, at the end, and each layer has a norm of its own."
    yield stack(x, [(f, final) for f, _ in layers], final, "pre"), words, None
