"""Lesson 04: the checks of what each head adds to the layer's output, and what share of it is its doing."""

import torch
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone

# B, H, T, d_head, D: all heads together are wider than D, as wide, narrower; a single head.
SIZES = (
    ((2, 4, 5, 3, 7), (3, 2, 4, 5, 10), (2, 3, 6, 4, 17), (2, 1, 3, 5, 4)),
    ((3, 4, 6, 5, 9), (2, 3, 5, 4, 12), (2, 5, 3, 2, 13), (3, 1, 4, 6, 5)),
    ((2, 5, 4, 6, 11), (3, 4, 2, 3, 12), (3, 2, 5, 4, 11), (2, 1, 6, 3, 8)),
)
NAMES = ("parts", "shares")
ADJACENT = "head h has d_head rows of its own, which stand together."
DOT = "part · output / (output · output)."


class contributions:
    answers = ("contributions(heads, w_o)",)

    @check("what each head adds to the output", 1.5)
    def parts(contributions):
        for heads, w_o in inputs():
            got, _ = both(contributions, heads, w_o)
            compare(got, by_heads(heads, w_o)[0], part_faults(heads, w_o), "parts")

    @check("each head's share of the output", 1)
    def shares(contributions):
        for heads, w_o in inputs():
            parts, got = both(contributions, heads, w_o)
            wanted, look = by_heads(heads, w_o), f"Wanted: {DOT}"
            compare(got, wanted[1], share_faults(*wanted), "shares", tolerance=1e-4, look=look)

    @check("gradients reach both; dtype is kept; inputs stay as they were", 0.5)
    def manners(contributions):
        heads, w_o = next(inputs())
        leaves_alone(contributions, heads=heads, w_o=w_o)
        for name, tensor in zip(NAMES, both(contributions, heads.double(), w_o.double()), strict=True):
            keeps_dtype(tensor, torch.float64, name)
        for given in ((heads.clone().requires_grad_(), w_o), (heads, w_o.clone().requires_grad_())):
            for name, tensor in zip(NAMES, both(contributions, *given), strict=True):
                has_gradient(tensor, name)


def inputs():
    """heads (B, H, T, d_head), w_o (H d_head, D)"""
    for B, H, T, d_head, D in draw.one_of(*SIZES):
        yield draw.normal(B, H, T, d_head), draw.normal(H * d_head, D)


def both(answer, heads: Tensor, w_o: Tensor) -> tuple[Tensor, Tensor]:
    """What the answer gives for these, if it has the shapes asked for."""
    (B, H, T, d_head), D = heads.shape, w_o.shape[1]
    try:
        got = answer(*copies(heads, w_o))
    except (RuntimeError, IndexError) as error:
        if isinstance(error, NotDone) or H * d_head == D:
            raise
        raise Wrong(
            f"Here {H} heads of width {d_head} meet a w_o of shape {tuple(w_o.shape)}. The rows of w_o belong to the "
            "heads, its columns to the output: which axis do you cut?"
        ) from error
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Wrong("contributions returns two tensors: `return parts, shares`.")
    parts, shares = got
    if getattr(parts, "shape", None) == (B, H, T) and getattr(shares, "shape", None) == (B, H, T, D):
        raise Wrong("The two are the other way round: `return parts, shares`.")
    if getattr(parts, "shape", None) == (B, T, D):
        raise Wrong("parts: that is the whole output. Wanted one tensor for each head, (B, H, T, D), not their sum.")
    if getattr(shares, "shape", None) == (B, H, T, D) != (B, H, T):
        raise Wrong("shares has an axis for the D numbers of the output. A share is one number: a sum over that axis.")
    return expect_tensor(parts, "parts", (B, H, T, D)), expect_tensor(shares, "shares", (B, H, T))


def by_heads(heads: Tensor, w_o: Tensor) -> tuple[Tensor, Tensor]:
    """The specification: head after head, with its own rows of w_o."""
    heads, w_o, d_head = heads.detach().double(), w_o.detach().double(), heads.shape[-1]
    own = [w_o[h * d_head : (h + 1) * d_head] for h in range(heads.shape[1])]
    parts = torch.stack([heads[:, h] @ rows for h, rows in enumerate(own)], dim=1)
    output = sum(parts.unbind(dim=1))
    return parts, torch.stack([(part * output).sum(-1) for part in parts.unbind(1)], 1) / (output**2).sum(-1)[:, None]


def part_faults(heads: Tensor, w_o: Tensor):
    heads, w_o = heads.double(), w_o.double()
    _, H, _, d_head = heads.shape
    rows = w_o.unflatten(0, (H, d_head))
    in_turn = w_o.unflatten(0, (d_head, H)).transpose(0, 1)
    yield heads @ in_turn, f"The rows of w_o are dealt out in turn: {ADJACENT}", None
    yield heads @ rows.flip(0), "The heads meet the rows of w_o in reverse order.", None
    yield heads @ rows[:1], f"Every head meets the first head's rows of w_o: {ADJACENT}", None
    yield heads @ rows / H, "The parts are divided by the number of heads. W_O sums heads, it does not average.", None
    yield heads @ rows.mean(0), f"Every head meets the average of all rows: {ADJACENT}", None


def share_faults(parts: Tensor, shares: Tensor):
    output = parts.sum(1, keepdim=True)
    dot, length, whole = (parts * output).sum(-1), parts.norm(dim=-1), output.norm(dim=-1)
    yield dot / (length * whole), "That is the cosine of part and output: where it points, not how much it is.", None
    lengths = "A length does not tell for or against: a part that points away from the output counts as much."
    yield length / length.sum(1, keepdim=True), f"Those are lengths, as shares of the sum of lengths. {lengths}", None
    yield length / whole, f"That is the length of the part divided by the output's. {lengths}", None
    yield length**2 / whole**2, f"That is part · part / (output · output). {lengths}", None
    squares = length**2 / (length**2).sum(1, keepdim=True)
    yield squares, f"Those are squared lengths, as shares of their sum. {lengths}", None
    yield dot, "part · output is right, and not divided by output · output yet.", None
    yield dot / whole, "That is the length of the part's shadow on the output. Divide it by the output's length.", None
    yield parts.sum(-1) / output.sum(-1), f"The numbers of part and output are added up. Multiply first: {DOT}", None
    yield (parts / output).mean(-1), f"That is the mean of the D quotients; wanted a quotient of two sums: {DOT}", None
    signs = "The sign is lost: a head that works against the others has a negative share."
    yield shares.abs(), signs, None
    yield shares.abs() / shares.abs().sum(1, keepdim=True), f"{signs} With it they sum to 1 by themselves.", None
    each = "The sign of every product is lost. Sum part · output as it is: what points away counts against."
    products = (parts * output).abs().sum(-1)
    yield products / whole**2, each, None
    yield products / products.sum(1, keepdim=True), each, None
    yield shares.clamp(min=0), "Negative shares are cut off: a head may work against the others.", None
    kept = shares.clamp(min=0)
    yield kept / kept.sum(1, keepdim=True), "Negative shares are cut off: a head may work against the others.", None
    yield dot / length**2, "That is divided by part · part; wanted is a share of the output: output · output.", None
    for axis, what in ((2, "positions"), (0, "texts of the batch")):
        summed = parts.sum(axis, keepdim=True)
        text = f"The output is summed over the {what}. It is the sum over the heads, axis 1."
        for wrong in (summed, summed.sum(1, keepdim=True)):
            yield (parts * wrong).sum(-1) / wrong.square().sum(-1), text, None
    yield dot.softmax(1), f"A softmax over the heads has no place here: {DOT}", None
