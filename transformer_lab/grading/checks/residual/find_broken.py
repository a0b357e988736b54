"""Lesson 06: the checks of finding the layer without a skip."""

import itertools
import math

import torch

from ...checking import Wrong, check
from ...draw import draw

# Skip gain, branch gain, norm on the branch. No two questions about one list have one answer in all.
# No gain is a round number: the broken layer's factor is the branch gain itself, and must not meet somebody's bound.
GAINS = (
    (1.0, 0.27, False), (1.0, 0.33, True), (0.73, 0.22, False), (1.0, 0.23, False), (1.0, 0.33, True),
    (1.15, 0.43, False), (0.61, 0.16, False), (0.92, 0.23, False), (0.36, 0.12, False), (1.0, 0.77, False),
    (2.0, 0.93, False), (0.031, 0.013, False),
)  # fmt: skip
# L, broken layer, for each of these gains: once the last one, and twice the first.
LAYERS = (
    ((24, 9), (16, 16), (30, 4), (20, 1), (12, 7), (8, 3), (25, 6), (2, 1), (10, 8), (18, 12), (14, 5), (8, 2)),
    ((22, 7), (14, 14), (28, 5), (18, 1), (13, 8), (9, 4), (24, 8), (2, 1), (11, 9), (17, 11), (15, 6), (9, 3)),
    ((26, 11), (18, 18), (27, 6), (21, 1), (11, 5), (7, 3), (23, 5), (2, 1), (12, 9), (20, 13), (13, 4), (8, 3)),
)
FURTHEST = (
    "You take the factor furthest from 1. Whole layers may be far from 1 too, where the skip is strong: "
    "the broken layer's is the smallest."
)


class find_broken:
    answers = ("find_broken(gradients)",)

    @check("the number of a layer", 0.5)
    def shape(find_broken):
        for stack in stacks()[:3]:
            layer_for(find_broken, sizes(*stack))

    @check("the broken one, wherever it is", 2.5)
    def values(find_broken):
        asked = stacks()
        lists = [sizes(*stack) for stack in asked]
        got = [layer_for(find_broken, gradients) for gradients in lists]
        wanted = [stack[1] for stack in asked]
        if got == wanted:
            return
        for told, message in misled(lists, wanted):
            if got == told:
                raise Wrong(message)
        at = next(i for i in range(len(got)) if got[i] != wanted[i])
        L, broken, skip, branch, norm = asked[at]
        right = sum(a == b for a, b in zip(got, wanted, strict=True))
        raise Wrong(
            f"{right} of {len(got)} stacks are right. One that is not: L = {L}, skip gain {skip:g}, branch gain "
            f"{branch:g}{', pre-norm' if norm else ''}: yours is layer {got[at]}, it was layer {broken}. Look at what "
            "each layer does to the gradient, gradients[l - 1] / gradients[l], and find the one unlike the others."
        )


def stacks() -> list[tuple]:
    """L, broken layer, skip gain, branch gain, norm."""
    return [(*layers, *gains) for layers, gains in zip(draw.one_of(*LAYERS), GAINS, strict=True)]


def sizes(L: int, broken: int, skip: float, branch: float, norm: bool) -> list[float]:
    """The gradient's size at x_0 ... x_L of random layers, of which one has lost its skip."""
    rows, D = draw.one_of((16, 48), (20, 40), (14, 56))
    states = [draw.standard(rows, D, dtype=torch.float64).requires_grad_()]
    for layer in range(1, L + 1):
        x = states[-1]
        w = torch.linalg.qr(draw.standard(D, D, dtype=torch.float64)).Q
        seen = torch.nn.functional.layer_norm(x, (D,)) if norm else x
        states.append((0.0 if layer == broken else skip) * x + branch * (seen @ w))
    upstream = draw.standard(rows, D, dtype=torch.float64)
    return [g.norm().item() for g in torch.autograd.grad((states[-1] * upstream).sum(), states)]


def misled(lists: list[list[float]], wanted: list[int]):
    """What somebody answers who looks elsewhere, for all lists."""

    def each(rule):
        return [rule(gradients) for gradients in lists]

    def factors(g):
        return [before / after for before, after in zip(g[:-1], g[1:], strict=True)]

    def drops(g):
        return [after - before for before, after in zip(g[:-1], g[1:], strict=True)]

    def steepest(factors):
        return factors.index(min(factors)) + 1 if factors else 1

    def furthest(distances):
        return distances.index(max(distances)) + 1

    small = (
        "You blame the layer at the smallest gradient. All below the broken layer inherit its loss: compare neighbours."
    )
    yield [n - 1 for n in wanted], "Off by one: layers are counted from 1, and layer l turns x_(l-1) into x_l."
    yield [n + 1 for n in wanted], "Off by one: layer l stands between gradients[l - 1] and gradients[l]."
    yield (
        [len(g) - n for g, n in zip(lists, wanted, strict=True)],
        "Counted from the top: layer 1 is the first, at x_0.",
    )
    yield [len(g) - 1 - n for g, n in zip(lists, wanted, strict=True)], "Counted from the top: layer 1 is at x_0."
    yield each(lambda g: len(g) - 1), "You blame the last layer, always. The gradient enters there, whole or not."
    yield each(lambda g: 1), "You blame the first layer, always. It only receives what the others left."
    for add in (0, 1):
        yield each(lambda g, add=add: g.index(min(g)) + add), small
        yield (
            each(lambda g, add=add: g.index(max(g)) + add),
            "You blame the layer at the largest gradient. Compare each gradient with its neighbour instead.",
        )
        yield (
            each(lambda g, add=add: drops(g).index(max(drops(g))) + add),
            "You take the largest *difference*. Where the gradient is large, so is every difference: take the ratio.",
        )
        yield (
            each(lambda g, add=add: factors(g).index(max(factors(g))) + add),
            "You found the layer that multiplies the gradient by most. Going back through layer l it is multiplied by "
            "gradients[l - 1] / gradients[l]: the broken layer's is the smallest.",
        )
    yield (
        each(lambda g: factors(g).index(min(factors(g)))),
        "Off by one: factors[0] belongs to layer 1.",
    )
    for digits in (1, 2):
        yield (
            each(lambda g, digits=digits: steepest([round(factor, digits) for factor in factors(g)])),
            f"You round the factors to {digits} digit{'s' * (digits > 1)}: where all gains are small, they come out "
            "alike. Compare them as they are.",
        )
    for small in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10):
        for how in (lambda size, small=small: size + small, lambda size, small=small: max(size, small)):
            yield (
                each(lambda g, how=how: steepest(factors([how(size) for size in g]))),
                "Small gradients are drowned, by a number added to them or a smallest size: where all gains are small, "
                "gradients become as small as 1e-10. Divide them as they are.",
            )
    yield each(lambda g: furthest([abs(math.log(factor)) for factor in factors(g)])), FURTHEST
    yield each(lambda g: furthest([abs(factor - 1) for factor in factors(g)])), FURTHEST
    for tenths, down, none in itertools.product(range(2, 10), (False, True), (0, 1, -1)):
        bound, way = tenths / 10, reversed if down else iter
        yield (
            each(lambda g, bound=bound, way=way, none=none: next(
                (i + 1 for i, f in way(list(enumerate(factors(g)))) if f < bound), none % len(g))),
            f"You take the first layer that multiplies the gradient by less than some bound, such as {bound}. The "
            "gains are not known, so no fixed bound will do: take the smallest factor.",
        )  # fmt: skip
    yield (
        each(lambda g: steepest(factors(g)[1:]) + 1),
        "You never blame the first layer; here it was the broken one once.",
    )
    yield each(lambda g: steepest(factors(g)[:-1])), "You never blame the last layer; here it was the broken one once."
    below = each(lambda g: next((i + 1 for i in reversed(range(len(g) - 1)) if g[i] < g[i + 1]), 1))
    yield below, "You take the first fall from the top. With a weakened skip every layer falls: find the steepest."
    below = each(lambda g: next((i + 1 for i in range(len(g) - 1) if g[i] < g[i + 1]), 1))
    yield below, "You take the first fall from the bottom. With a weakened skip every layer falls: find the steepest."


def layer_for(answer, gradients: list[float]) -> int:
    given, L = list(gradients), len(gradients) - 1
    got = answer(given)
    if given != gradients:
        raise Wrong("find_broken changed the list that it was given: make a new one (reversed(...), sorted(...)).")
    if isinstance(got, (list, tuple)) or getattr(got, "ndim", 0):
        raise Wrong(f"find_broken gave {len(got)} things; wanted one number, that of the broken layer.")
    try:
        layer = int(got)
        whole = not isinstance(got, (bool, str)) and float(got) == layer
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise Wrong(f"find_broken gave {got!r}; wanted the number of a layer, 1 ... {L}.")
    if not 0 <= layer <= L + 1:
        raise Wrong(f"find_broken gave {layer}; there are layers 1 ... {L}.")
    return layer
