"""Lesson 06: the checks of a good start for a whole stack."""

import math

import torch
from torch import nn

from ....blocks import Block
from ....config import TransformerConfig
from ...checking import Wrong, check
from ...draw import draw
from ..common import number

LAST = ("attention.w_o.weight", "feed_forward.w_2.weight")
# L at which no two wrong factors agree, as 1/L and 1/(2 sqrt(L)) do at 4, and the latter and that of 12 blocks at 6.
DEPTHS = ((5, 7), (7, 9), (10, 7))


class scale_branches:
    answers = ("scale_branches(blocks)",)

    @check("the same blocks come back", 0.5)
    def shape(scale_branches):
        L = draw.one_of(3, 4, 6)
        blocks = fresh(L)
        back = scaled(scale_branches, blocks)
        try:
            same = len(back) == L and all(a is b for a, b in zip(back, blocks, strict=True))
        except TypeError:
            same = False
        if not same:
            raise Wrong("What came back are not the blocks that went in: change them in place, and return blocks.")

    @check("the last matrix of each branch, by the right factor", 1.5)
    def values(scale_branches):
        for L, dtype in zip(draw.one_of(*DEPTHS), (torch.float32, torch.float64), strict=True):
            factors = changed(scale_branches, L, dtype)
            last = {name: factor for name, factor in factors.items() if name.endswith(LAST)}
            others = [name for name, factor in factors.items() if name not in last and factor != 1]
            raise_for(last, others, L, len(factors))

    @check("all else stays, and can still learn", 1)
    def others(scale_branches):
        L = draw.one_of(3, 4, 6)
        blocks = fresh(L)
        before = {name: value.clone() for block in blocks for name, value in block.state_dict().items()}
        own = {name: p for i, block in enumerate(blocks) for name, p in named(i, block)}
        scaled(scale_branches, blocks)
        more = [name for i, block in enumerate(blocks) for name, _ in named(i, block) if name not in own]
        if more:
            raise Wrong(f"There is a new parameter, {', '.join(more[:2])}: change the numbers, add none.")
        new = [name for i, block in enumerate(blocks) for name, p in named(i, block) if p is not own.get(name)]
        if new:
            raise Wrong(
                f"Replaced by a new parameter: {', '.join(sorted(short(new)))}. An optimiser made before would go on "
                "with the old one. Change its numbers in place: weight.mul_(factor) under torch.no_grad()."
            )
        touched = [
            name for name, factor in changed(scale_branches, L).items() if not name.endswith(LAST) and factor != 1
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
    d_model, H, d_ff = draw.one_of((12, 3, 20), (10, 2, 28), (20, 4, 36))
    config = TransformerConfig(vocab_size=5, d_model=d_model, n_heads=H, n_layers=L, d_ff=d_ff, bias=False)
    return [draw.made(Block, config).to(dtype) for _ in range(L)]


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
        raise Wrong("A last matrix is not a multiple of what it was: multiply it, do not draw it again or add to it.")
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
        (
            1 / math.sqrt(2 * L + 1),
            "The factor is 1/sqrt(2L + 1): what enters the stream is not a branch; there are 2L.",
        ),
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
