"""Lesson 04: the checks of cutting features into heads, and of putting them together again."""

from itertools import permutations

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, expect_tensor, keeps_dtype, leaves_alone, number

# B, T, H, d_head: all different, with T a multiple of H, so that a cut through the sequence runs; then equal ones.
SIZES = (
    ((2, 6, 3, 4), (3, 5, 2, 4), (4, 4, 4, 4), (1, 3, 5, 2), (2, 1, 4, 3), (2, 5, 1, 3)),
    ((2, 12, 4, 5), (3, 7, 2, 4), (3, 3, 3, 3), (1, 4, 3, 5), (3, 1, 2, 4), (3, 4, 1, 2)),
    ((5, 12, 3, 2), (2, 7, 3, 5), (5, 5, 5, 5), (1, 5, 2, 3), (2, 1, 3, 5), (4, 3, 1, 2)),
)
NAMES = ("B", "T", "H", "d_head")
VIEW_ALONE = (
    "view re-reads the numbers in their order: position 0's numbers run on into what you call another position. "
    "Cut the features first, (B, T, H, d_head), then swap the axes of positions and heads."
)


class split_and_merge:
    answers = ("split(x, n_heads)", "merge(heads)")

    @check("split: one axis for the heads, in front of the positions", 0.5)
    def split_shape(split, merge):
        for B, T, H, d_head in draw.one_of(*SIZES):
            divided(split, numbered(B, T, H * d_head), H)

    @check("split: every number in its place", 2)
    def split_numbers(split, merge):
        for B, T, H, d_head in draw.one_of(*SIZES):
            x = numbered(B, T, H * d_head)
            compare_split(divided(split, x, H), x, H)
        B, T, H, d_head = draw.one_of(*SIZES)[0]
        x = draw.normal(B, H * d_head, T).transpose(1, 2)  # not contiguous
        compare_split(divided(split, x, H), x, H)

    @check("merge: the heads side by side", 0.5)
    def merge_shape(split, merge):
        for B, T, H, d_head in draw.one_of(*SIZES):
            joined(merge, numbered(B, H, T, d_head))

    @check("merge: every number in its place", 1.5)
    def merge_numbers(split, merge):
        for B, T, H, d_head in draw.one_of(*SIZES):
            heads = numbered(B, H, T, d_head)
            compare_merge(joined(merge, heads), heads)
        B, T, H, d_head = draw.one_of(*SIZES)[0]
        heads = draw.normal(B, T, H, d_head).transpose(1, 2)
        compare_merge(joined(merge, heads), heads)

    @check("both keep the dtype, let gradients through and leave their input alone", 0.5)
    def manners(split, merge):
        split_manners(split, "split"), merge_manners(merge, "merge")


def split_manners(split, name: str) -> None:
    B, T, H, d_head = draw.one_of(*SIZES)[0]
    divided(split, numbered(B, T, H * d_head), H)
    only_moves(lambda x: split(x, H), name, x=(B, T, H * d_head))


def merge_manners(merge, name: str) -> None:
    B, T, H, d_head = draw.one_of(*SIZES)[0]
    joined(merge, numbered(B, H, T, d_head))
    only_moves(merge, name, heads=(B, H, T, d_head))


def only_moves(call, name: str, **shapes) -> None:
    """A function that moves numbers keeps the dtype, leaves its input alone and passes each gradient on as it is."""
    ((argument, shape),) = shapes.items()
    for dtype in (torch.float64, torch.float32):
        keeps_dtype(call(draw.normal(*shape, dtype=dtype)), dtype, name)
    x = draw.normal(*shape)
    leaves_alone(call, **{argument: x})
    value, gradient = call(x.requires_grad_()), None
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), x, allow_unused=True)
    if gradient is None or not close(gradient, torch.ones_like(gradient)):
        raise Wrong(
            f"No gradient flows through {name}, or not all of it. "
            "Look for .detach(), torch.tensor(...), a loop that fills torch.zeros(...).data, or numpy."
        )


def numbered(*shape: int) -> Tensor:
    """Numbers of their own for all places, so that each tells where it came from; no two of them lie 1 apart."""
    return (torch.arange(torch.Size(shape).numel(), dtype=torch.float32) + 0.5).pow(1.5).view(shape)


def divided(split, x: Tensor, H: int) -> Tensor:
    """What split gave, if its shape is (B, H, T, d_head)."""
    got, (B, T, D) = split(x.clone(memory_format=torch.preserve_format), H), x.shape
    wanted, d_head = (B, H, T, D // H), D // H
    shape = tuple(got.shape) if isinstance(got, Tensor) else None
    told = {
        (B, T, H, d_head): "(B, T, H, d_head): the cut is made, but the heads still stand behind the positions. "
        "One transpose is missing.",
        (B, H, d_head, T): "(B, H, d_head, T): the last two axes are swapped. The scores need the keys so, "
        "but this is not yet the split.",
        (H, B, T, d_head): "(H, B, T, d_head): the batch comes first.",
        (B, d_head, T, H): "(B, d_head, T, H): n_heads and d_head are swapped. There are n_heads heads, each of "
        "width d_model / n_heads.",
        (H, T, B, d_head): "(H, T, B, d_head): the batch and the heads changed places. Swap axes 1 and 2.",
        (1, H, T, d_head): "(1, H, T, d_head): only one example of the batch is left. Take B from x.shape.",
    }
    whole = {(B, H, T, D): "(B, H, T, D): every head gets all features. The D features are shared out, D / H per head."}
    sequence = {
        (B, H, T // H, D): "(B, H, T / H, D)",
        (B, T // H, H, D): "(B, T / H, H, D)",
        (B, H, T // H, H, d_head): "with T cut into H pieces",
    }
    if shape is not None and shape != wanted:
        if shape in sequence and T % H == 0 and H > 1:
            words = f"split(x, {H}) has shape {shape}: {sequence[shape]}. The heads cut the sequence"
            raise Wrong(f"{words} here. They cut the features, the last axis: every head sees every position.", "M12")
        if shape in whole:
            raise Wrong(f"split(x, {H}) has shape {shape}: {whole[shape]}", "M13")
        if shape in told:
            raise Wrong(f"split(x, {H}) of x {tuple(x.shape)} has shape {shape}: {told[shape]}")
    return expect_tensor(got, f"split(x, {H})", wanted)


def joined(merge, heads: Tensor) -> Tensor:
    """What merge gave, if its shape is (B, T, D)."""
    got, (B, H, T, d_head) = merge(heads.clone(memory_format=torch.preserve_format)), heads.shape
    shape, what = tuple(got.shape) if isinstance(got, Tensor) else None, f"merge of heads {tuple(heads.shape)}"
    if shape != (B, T, H * d_head) and shape is not None:
        if shape == (B, H * T, d_head):
            words = "the heads stand one after the other, as if they were more positions"
            raise Wrong(f"{what} has shape {shape}: {words}. They belong side by side: (B, T, H d_head).", "M12")
        if shape in ((B, T, d_head), (B, 1, T, d_head)):
            raise Wrong(f"{what} has shape {shape}: the heads are summed, averaged or dropped. Keep all of them.")
        if shape == (B, T, H, d_head):
            raise Wrong(f"{what} has shape {shape}: the positions come first, now flatten the last two axes into one.")
        if shape == (B, H, T * d_head):
            raise Wrong(f"{what} has shape {shape}: positions were flattened into the features. Transpose first.")
    return expect_tensor(got, what, (B, T, H * d_head))


def split_by_loops(x: Tensor, H: int) -> Tensor:
    """The specification: feature f of head h is feature h * d_head + f of x, at the same position."""
    B, T, D = x.shape
    heads = torch.zeros(B, H, T, D // H, dtype=x.dtype)
    for h in range(H):
        for f in range(D // H):
            heads[:, h, :, f] = x[:, :, h * (D // H) + f]
    return heads


def merge_by_loops(heads: Tensor) -> Tensor:
    B, H, T, d_head = heads.shape
    x = torch.zeros(B, T, H * d_head, dtype=heads.dtype)
    for h in range(H):
        for f in range(d_head):
            x[:, :, h * d_head + f] = heads[:, h, :, f]
    return x


def compare_split(got: Tensor, x: Tensor, H: int) -> None:
    wanted, (B, T, D) = split_by_loops(x, H), x.shape
    if close(got, wanted, 0.0):
        return
    size = dict(zip(NAMES, (B, T, H, D // H), strict=True))
    words = f"split(x, {H}), x of shape {tuple(x.shape)}: "
    if close(got, x.reshape(B, H, T, D // H), 0.0):
        raise Wrong(f"{words}this is a view straight to (B, H, T, d_head). {VIEW_ALONE}", "M11")
    if close(got, x.reshape(B, T, D // H, H).permute(0, 3, 1, 2), 0.0):
        raise Wrong(
            f"{words}the features are dealt out like cards: the first head gets features 0, {H}, {2 * H} ... "
            "Each head gets d_head adjacent features: view as (B, T, H, d_head), not (B, T, d_head, H)."
        )
    if close(got, x.transpose(1, 2).reshape(B, H, T, D // H), 0.0):
        raise Wrong(f"{words}x is transposed to (B, D, T) and then re-read. Cut the last axis before you swap axes.")
    for axis, what in ((1, "heads"), (2, "positions"), (3, "features of each head"), (0, "examples of the batch")):
        if close(got, wanted.flip(axis), 0.0):
            raise Wrong(f"{words}the {what} come in reverse order.")
    for order in permutations(NAMES):
        if close(got, x.reshape([size[n] for n in order]).permute([order.index(n) for n in ("B", "H", "T", "d_head")])):
            told = f"x is read as ({', '.join(order)}), though its numbers lie in the order (B, T, H, d_head)."
            raise Wrong(f"{words}{told} Only that view cuts the last axis and nothing else.")
    raise Wrong(words + first_misplaced(got, wanted, x, ("batch", "head", "position", "feature")))


def compare_merge(got: Tensor, heads: Tensor) -> None:
    wanted, (B, H, T, d_head) = merge_by_loops(heads), heads.shape
    if close(got, wanted, 0.0):
        return
    words = f"merge of heads {tuple(heads.shape)}: "
    if close(got, heads.reshape(B, T, H * d_head), 0.0):
        raise Wrong(
            f"{words}this is a reshape straight to (B, T, D). The numbers lie in the order (B, H, T, d_head), so "
            "positions and heads get mixed. Swap the axes of heads and positions first, then flatten.",
            "M11",
        )
    for order in permutations(range(4)):
        if close(got, heads.permute(order).reshape(B, T, H * d_head), 0.0):
            axes = ", ".join(("B", "H", "T", "d_head")[axis] for axis in order)
            told = f"the axes are put in the order ({axes}) before they are flattened. Wanted (B, T, H, d_head)."
            if order == (0, 2, 3, 1):
                told += " Like this the heads' features alternate, and do not stand side by side."
            raise Wrong(words + told)
    for axis, what in ((1, "heads"), (2, "positions"), (3, "features of each head"), (0, "examples of the batch")):
        if close(got, merge_by_loops(heads.flip(axis)), 0.0):
            raise Wrong(f"{words}the {what} come in reverse order.")
    raise Wrong(words + first_misplaced(got, wanted, heads, ("batch", "position", "feature")))


def first_misplaced(got: Tensor, wanted: Tensor, source: Tensor, axes: tuple[str, ...]) -> str:
    """Where the first wrong number stands, and where it came from."""
    where = (got != wanted).nonzero()[0].tolist()
    place = ", ".join(f"{name} {index}" for name, index in zip(axes, where, strict=True))
    origin = (source == wanted[tuple(where)]).nonzero()[0].tolist()
    taken = (source == got[tuple(where)]).nonzero()
    told = (
        f"the input's number at {taken[0].tolist()}" if len(taken) else f"{number(got[tuple(where)])}, not in the input"
    )
    return (
        f"at {place} it holds {told}; wanted the input's number at {origin}. Nothing is computed here: numbers only "
        "change their place."
    )
