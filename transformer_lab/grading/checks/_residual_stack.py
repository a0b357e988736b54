"""Lesson 06: the checks of two questions about whole stacks: the layer without a skip, and a good start."""

import itertools
import math

import torch
from torch import nn

from ...blocks import Block
from ...config import TransformerConfig
from ..score import Wrong, check
from .common import number

# L, broken layer, skip gain, branch gain, norm on the branch. No two questions about one list have one answer in all.
# No gain is a round number: the broken layer's factor is the branch gain itself, and must not meet somebody's bound.
STACKS = (
    (24, 9, 1.0, 0.27, False), (16, 16, 1.0, 0.33, True), (30, 4, 0.73, 0.22, False), (20, 1, 1.0, 0.23, False),
    (12, 7, 1.0, 0.33, True), (8, 3, 1.15, 0.43, False), (25, 6, 0.61, 0.16, False), (2, 1, 0.92, 0.23, False),
    (10, 8, 0.36, 0.12, False), (18, 12, 1.0, 0.77, False), (14, 5, 2.0, 0.93, False),
    (8, 2, 0.031, 0.013, False),
)  # fmt: skip
FURTHEST = (
    "You take the factor furthest from 1. Whole layers may be far from 1 too, where the skip is strong: "
    "the broken layer's is the smallest."
)
LAST = ("attention.w_o.weight", "feed_forward.w_2.weight")


class find_broken:
    answers = ("find_broken(gradients)",)

    @check("the number of a layer", 0.5)
    def shape(find_broken):
        for stack in STACKS[:3]:
            layer_for(find_broken, sizes(*stack))

    @check("the broken one, wherever it is", 2.5)
    def values(find_broken):
        lists = [sizes(*stack) for stack in STACKS]
        got = [layer_for(find_broken, gradients) for gradients in lists]
        wanted = [stack[1] for stack in STACKS]
        if got == wanted:
            return
        for told, message in misled(lists, wanted):
            if got == told:
                raise Wrong(message)
        at = next(i for i in range(len(got)) if got[i] != wanted[i])
        L, broken, skip, branch, norm = STACKS[at]
        right = sum(a == b for a, b in zip(got, wanted, strict=True))
        raise Wrong(
            f"{right} of {len(got)} stacks are right. One that is not: L = {L}, skip gain {skip:g}, branch gain "
            f"{branch:g}{', pre-norm' if norm else ''}: yours is layer {got[at]}, it was layer {broken}. Look at what "
            "each layer does to the gradient, gradients[l - 1] / gradients[l], and find the one unlike the others."
        )


def sizes(L: int, broken: int, skip: float, branch: float, norm: bool, D: int = 48) -> list[float]:
    """The gradient's size at x_0 ... x_L of random layers, of which one has lost its skip."""
    generator = torch.Generator().manual_seed(100 * L + broken)
    states = [torch.randn(16, D, generator=generator, dtype=torch.float64).requires_grad_()]
    for layer in range(1, L + 1):
        x = states[-1]
        w = torch.linalg.qr(torch.randn(D, D, generator=generator, dtype=torch.float64)).Q
        seen = torch.nn.functional.layer_norm(x, (D,)) if norm else x
        states.append((0.0 if layer == broken else skip) * x + branch * (seen @ w))
    upstream = torch.randn(16, D, generator=generator, dtype=torch.float64)
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


class scale_branches:
    answers = ("scale_branches(blocks)",)

    @check("the same blocks come back", 0.5)
    def shape(scale_branches):
        blocks = fresh(3)
        back = scaled(scale_branches, blocks)
        try:
            same = len(back) == 3 and all(a is b for a, b in zip(back, blocks, strict=True))
        except TypeError:
            same = False
        if not same:
            raise Wrong("What came back are not the blocks that went in: change them in place, and return blocks.")

    @check("the last matrix of each branch, by the right factor", 1.5)
    def values(scale_branches):
        for L, dtype in ((5, torch.float32), (7, torch.float64)):
            factors = changed(scale_branches, L, dtype)
            last = {name: factor for name, factor in factors.items() if name.endswith(LAST)}
            others = [name for name, factor in factors.items() if name not in last and factor != 1]
            raise_for(last, others, L, len(factors))

    @check("all else stays, and can still learn", 1)
    def others(scale_branches):
        blocks = fresh(4)
        before = {name: value.clone() for block in blocks for name, value in block.state_dict().items()}
        own = {name: p for i, block in enumerate(blocks) for name, p in named(i, block)}
        scaled(scale_branches, blocks)
        more = [name for i, block in enumerate(blocks) for name, _ in named(i, block) if name not in own]
        if more:
            raise Wrong(f"There is a parameter more than before, {', '.join(more[:2])}: change the numbers, add none.")
        new = [name for i, block in enumerate(blocks) for name, p in named(i, block) if p is not own.get(name)]
        if new:
            raise Wrong(
                f"Replaced by a new parameter: {', '.join(sorted(short(new)))}. An optimiser made before would go on "
                "with the old one. Change its numbers in place: weight.mul_(factor) under torch.no_grad()."
            )
        touched = [
            name for name, factor in changed(scale_branches, 4).items() if not name.endswith(LAST) and factor != 1
        ]
        if touched:
            raise Wrong(
                f"More is changed than the last matrix of each branch: {', '.join(sorted(short(touched)))}. What a "
                "branch writes is scaled once by its last matrix; scaling the others too makes it smaller still."
            )
        for block in blocks:
            found = {name for name, parameter in block.named_parameters() if parameter.requires_grad}
            if found != set(before):
                gone = ", ".join(sorted(set(before) - found)[:2])
                raise Wrong(f"No longer a parameter that learns: {gone}. Scale it under torch.no_grad(), in place.")
            if not block.training:
                raise Wrong("The blocks came back in eval mode; leave all else alone, the mode too.")


def scaled(answer, blocks):
    """What the answer returns; where it writes into a parameter that needs a gradient, how to do that."""
    try:
        return answer(list(blocks))
    except RuntimeError as error:
        if "leaf Variable" not in str(error) and "leaf variable" not in str(error):
            raise
        raise Wrong(
            "A parameter that needs a gradient is changed in place, and torch refuses. Do it under torch.no_grad(): "
            "`with torch.no_grad():` around the lines that change weights."
        ) from error
    except TypeError as error:
        if "cannot assign" not in str(error):
            raise
        raise Wrong(
            "A tensor is put in the place of a parameter, and torch refuses. Change the parameter's numbers instead: "
            "weight.mul_(factor) under torch.no_grad()."
        ) from error


def named(i: int, block: Block):
    """Pairs ("0.attention.w_o.weight", parameter) of block i."""
    return [(f"{i}.{name}", parameter) for name, parameter in block.named_parameters()]


def fresh(L: int, dtype=torch.float32) -> list[nn.Module]:
    config = TransformerConfig(vocab_size=5, d_model=12, n_heads=3, n_layers=L, d_ff=20, bias=False)
    return [Block(config).to(dtype) for _ in range(L)]


def changed(answer, L: int, dtype=torch.float32) -> dict[str, float | None]:
    """By what each parameter was multiplied, "0.attention.w_o.weight" and so on; None where it is not one factor."""
    blocks = fresh(L, dtype)
    before = {
        f"{i}.{name}": p.detach().clone() for i, block in enumerate(blocks) for name, p in block.named_parameters()
    }
    scaled(answer, blocks)
    after = {f"{i}.{name}": p.detach() for i, block in enumerate(blocks) for name, p in block.state_dict().items()}
    factors = {}
    for name, was in before.items():
        now = after.get(name)
        if now is None or now.shape != was.shape:
            raise Wrong(f"{name} is gone, or has another shape: multiply it in place.")
        if now.dtype != was.dtype:
            raise Wrong(f"{name} is {now.dtype} now, it was {was.dtype}: multiply it in place.")
        factor = 1.0 if torch.equal(now, was) else ((now * was).sum() / (was * was).sum()).item()
        factors[name] = factor if torch.allclose(now, factor * was, atol=1e-6) else None
    return factors


def raise_for(last: dict, others: list[str], L: int, n_parameters: int) -> None:
    """Raise Wrong unless all last matrices were multiplied by 1 / sqrt(2L)."""
    wanted, found = 1 / math.sqrt(2 * L), list(last.values())
    if None in found:
        raise Wrong("A last matrix is not a multiple of what it was: multiply it, do not draw it anew or add to it.")
    if all(factor == 1 for factor in found):
        if others:
            raise Wrong(
                f"The last matrices are as they were, others were scaled: {', '.join(sorted(short(others)))}. What a "
                "branch writes comes out of W_O (attention.w_o) and W_2 (feed_forward.w_2)."
            )
        raise Wrong(
            "Nothing has changed: `weight * factor` makes a new tensor; weight.mul_(factor) changes it in place."
        )
    for part, name in ((LAST[0], "attention's W_O"), (LAST[1], "the feed-forward layer's W_2")):
        if all(factor == 1 for key, factor in last.items() if key.endswith(part)):
            raise Wrong(f"Only one branch of each block is scaled; {name} is as it was. A block has two branches.")
    if all(abs(factor - wanted) < 1e-5 for factor in found):
        return
    changed_ones = [factor for factor in found if factor != 1]
    if max(changed_ones) - min(changed_ones) > 1e-5:
        raise Wrong(
            f"The factors differ, from {number(min(found))} to {number(max(found))}; wanted one for all, 1/sqrt(2L) = "
            f"{number(wanted)}: every branch writes into the same sum."
        )
    if len(changed_ones) < len(found):
        raise Wrong("Only some of the blocks are scaled; wanted all.")
    every = " (And every other matrix is scaled too.)" if len(others) > n_parameters / 3 else ""
    for factor, message in (
        (
            1 / (2 * L),
            "The factor is 1/2L. The *variances* of 2L branches add, each may have 1/2L: the factor is the root.",
        ),
        (1 / math.sqrt(L), "The factor is 1/sqrt(L): a block has two branches, so that L blocks write 2L times."),
        (1 / L, "The factor is 1/L: there are 2L branches, and it is variances that add: 1/sqrt(2L)."),
        (math.sqrt(2 * L), "The factor is sqrt(2L): divide by it."),
        (2.0 * L, "The factor is 2L: wanted 1/sqrt(2L)."),
        (1 / math.sqrt(2), "The factor is 1/sqrt(2): L is missing, the number of blocks."),
        (1 / (2 * math.sqrt(L)), "The factor is 1/(2 sqrt(L)): the 2 belongs under the root."),
        (math.sqrt(L / 2), "The factor is sqrt(L/2): L belongs under the fraction line, 1/sqrt(2L)."),
        (L / math.sqrt(2), "The factor is L/sqrt(2): L belongs under the root, below the line, 1/sqrt(2L)."),
        (1 / math.sqrt(2 * L + 1), "The factor is 1/sqrt(2L + 1): what enters the stream is no branch; there are 2L."),
        (0.0, "The factor is 0: that is the other start, of section 2; wanted 1/sqrt(2L)."),
        (2 / math.sqrt(L), "The factor is 2/sqrt(L): wanted 1/sqrt(2L)."),
        (1 / math.sqrt(3 * L), "The factor is 1/sqrt(3L): these blocks have two branches each, no cross-attention."),
        (wanted**2, "The factor is applied twice."),
        (wanted**0.5, "The factor is the fourth root of 1/2L: one root, of the variance, is wanted."),
        (
            1 / math.sqrt(4 * L),
            "The factor is 1/sqrt(4L): each block has two branches, so that L blocks write 2L times.",
        ),
        (1 / (2 * L) ** 2, "The factor is 1/(2L)^2: wanted the root of 1/2L."),
    ):
        if abs(found[0] - factor) < 1e-5:
            raise Wrong(f"With L = {L}: {message}{every}")
    fixed = 1 / (2 * found[0] ** 2) if found[0] else 0.0
    if fixed > 0.9 and abs(fixed - round(fixed)) < 1e-3:
        raise Wrong(f"With L = {L} the factor is that of L = {round(fixed)}: take L from len(blocks).{every}")
    raise Wrong(
        f"With L = {L} the last ones are multiplied by {number(found[0])}; wanted 1/sqrt(2L) = {number(wanted)}.{every}"
    )


def short(names: list[str]) -> set[str]:
    """ "0.attention.w_q.weight" -> "attention.w_q"."""
    return {name.partition(".")[2].removesuffix(".weight") for name in names}
