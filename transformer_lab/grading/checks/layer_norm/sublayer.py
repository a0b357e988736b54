"""Lesson 07: the checks of where the norm and the dropout stand in a sub-layer."""

from itertools import product

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, has_gradient, keeps_dtype, keeps_every_dtype, leaves_alone

SIZES = ((2, 3, 5), (3, 4, 7), (2, 5, 6))  # B, T, D
KEEP = 0.75


def parts(B: int, T: int, D: int) -> tuple:
    """x (B, T, D), and f, norm, dropout: fixed functions of which no two may change places unnoticed."""
    mix, turn, gamma, beta = draw.normal(T, T), draw.normal(D, D), 0.5 + draw.uniform(D), draw.normal(D)
    mask = (draw.uniform(B, T, D) < KEEP) / KEEP
    mask[0, 0, 0], mask[1, 2, 3] = 0.0, 1 / KEEP

    def f(x):
        return torch.tanh(mix @ x @ turn / 3) + 0.2 * x.square()

    def norm(x):
        return gamma * torch.nn.functional.layer_norm(x, (D,)) + beta

    def dropout(x):
        return x * mask

    return 1.5 * draw.normal(B, T, D), f, norm, dropout


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
            x, f, norm, _ = parts(*draw.one_of(*SIZES))
            x.requires_grad_()
            got = has_gradient(step(sublayer, x, f, norm, lambda z: z, place), "the result")
            right = wanted(x, f, norm, lambda z: z)
            leaves_alone(lambda x, f=f, norm=norm, place=place: sublayer(x, f, norm, lambda z: z, place), x=x.detach())
            if not close(got, right):
                raise Wrong(f'The numbers for "{place}" are not right yet, so neither are the gradients. Fix those.')
            upstream = draw.normal(*x.shape)
            found, told = (torch.autograd.grad((y * upstream).sum(), x)[0] for y in (got, right))
            compare(found, told, cut(place, x, f, norm, upstream), f'the gradient of x for "{place}"', 1e-4)
            keeps_every_dtype(lambda dtype, place=place: one_position(sublayer, place, dtype), "the result")


def one_position(answer, place: str, dtype) -> Tensor:
    """A step of one position alone, with parts that take any dtype."""
    *_, D = draw.one_of(*SIZES)
    parts = torch.tanh, lambda z: torch.nn.functional.layer_norm(z, (D,)), lambda z: z
    return expect_tensor(answer(draw.normal(1, 1, D, dtype=dtype), *parts, place), "the result", (1, 1, D))


def cut(place, x, f, norm, upstream):
    """The gradients of answers that cut one of the two ways from the graph."""
    skip, branch = (x.detach(), f(norm(x))), (x, f(norm(x)).detach())
    if place == "post":
        skip, branch = (x.detach(), f(x)), (x, f(x).detach())
    for terms, which in ((skip, "skip"), (branch, "branch")):
        total = sum(terms) if place == "pre" else norm(sum(terms))
        (found,) = torch.autograd.grad((total * upstream).sum(), x)
        words = f'For "{place}" the {which} is cut from the graph (.detach(), .data, no_grad): x acts on both ways.'
        yield found, words, None


def step(answer, x, f, norm, dropout, place) -> Tensor:
    got = expect_tensor(answer(x.clone(), f, norm, dropout, place), "the result", tuple(x.shape))
    keeps_dtype(got, x.dtype, "the result")
    return got


def compare_place(answer, place: str) -> None:
    for _ in range(3):
        x, f, norm, dropout = parts(*draw.one_of(*SIZES))
        got = step(answer, x, f, norm, dropout, place)
        again = step(answer, x, f, norm, dropout, place)
        if not close(got, again):
            words = (
                "Two calls give different results: a dropout of its own is at work, which evaluation "
                "cannot switch off. "
            )
            raise Wrong(f"{words}Call the one that is given.", "M24")
        wanted = (pre if place == "pre" else post)(x, f, norm, dropout)
        calls_each_once(answer, place, x, f, norm, dropout, wanted)
        try:
            compare(got, wanted, places(place, x, f, norm, dropout), f'the result for "{place}"')
        except Wrong as wrong:
            words = str(wrong)
            if words.startswith("the result"):
                silent = "x itself" if place == "pre" else "norm(x)"
                words += f" Try an f that gives only zeros: {place}-norm must then return {silent}."
            raise Wrong(words, wrong.misconception) from None


def calls_each_once(answer, place, x, f, norm, dropout, wanted) -> None:
    """An answer whose numbers are right calls each of the three once: a second attention doubles what a step costs."""
    calls = dict.fromkeys(("f", "norm", "dropout"), 0)

    def counted(name, function):
        def call(z):
            calls[name] += 1
            return function(z)

        return call

    got = step(answer, x, *(counted(*pair) for pair in zip(calls, (f, norm, dropout), strict=True)), place)
    if close(got, wanted):
        for name, n in calls.items():
            if n != 1:
                raise Wrong(f'For "{place}" the numbers are right, but {name} is called {n} times; wanted once.')


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
        return torch.nn.functional.layer_norm(z, x.shape[-1:])

    words = "A layer norm without scale and shift is at work; call the norm that is given, with those it has learnt."
    yield here(x, f, bare, d), words, None
    for told, wrong in (
        ("dropout is called twice on the branch.", x + d(d(f(n)))),
        ("dropout is called twice on the branch.", norm(x + d(d(f(x))))),
        (after, d(norm(x + f(x)))),
        (after, d(n + f(n))),
        (inside, x + f(d(n))),
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
    yield x * d(f(n)), "x and the branch are multiplied; they should be added.", None
    yield norm(x * d(f(x))), "x and the branch are multiplied; they should be added.", None
    yield from sums(place, x, f, norm, d)


def sums(place, x, f, norm, d):
    """Every sum of a skip and a branch made of f, norm and dropout, with or without something after it."""
    wanted = "x + dropout(f(norm(x)))" if place == "pre" else "norm(x + dropout(f(x)))"
    calls = {"f": f, "norm": norm, "dropout": d}

    def applied(names, value, words):
        for name in reversed(names):
            value, words = calls[name](value), f"{name}({words})"
        return value, words

    orders = [names for length in range(5) for names in product(calls, repeat=length)]
    branches = [applied(names, x, "x") for names in orders if not any(names.count(name) > 2 for name in calls)]
    skips = [(x, "x + "), (norm(x), "norm(x) + "), (d(x), "dropout(x) + "), (2 * x, "x + x + "), (0.0, "")]
    ends = [names for names in orders if len(names) < 3 and "f" not in names]
    for (skip, first), (branch, second), end in product(skips, branches, ends):
        value, words = applied(end, skip + branch, first + second)
        yield value, f'For "{place}" this is {words}; wanted {wanted}.', None
    for factor in (2, 0.5):
        branch, words = factor * d(f(norm(x) if place == "pre" else x)), f"The branch is multiplied by {factor:g}."
        yield x + branch if place == "pre" else norm(x + branch), words, None
