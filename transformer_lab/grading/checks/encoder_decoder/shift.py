"""Lesson 11: the checks of what a decoder reads, what it must predict, and which predictions count."""

import torch
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import copies, expect_tensor, leaves_alone
from . import shift_faults as faults

# Lengths of a batch's targets, and the width they are padded to: one is empty; a batch of one; room to spare.
BATCHES = (
    (((5, 3, 0, 2), 5), ((4,), 4), ((2, 3, 1), 6)),
    (((2, 6, 0, 4), 6), ((5,), 5), ((3, 1, 2), 7)),
    (((0, 4, 3, 1, 2), 4), ((3,), 3), ((1, 4, 2), 6)),
)


class shift:
    answers = ("shift(targets, is_real, bos, eos, pad)",)

    @check("three tensors, one column wider than the targets", 0.5)
    def shape(shift):
        for case in cases():
            shifted(shift, *case)
        targets, is_real, *special = cases()[0]
        expect_kinds(*shift(targets.clone(), is_real.clone(), *special))
        leaves_alone(lambda targets, is_real: shift(targets, is_real, *special), targets=targets, is_real=is_real)

    @check("inputs: what the decoder reads", 1)
    def inputs(shift):
        for case in cases():
            compare(shifted(shift, *case)[0], case, 0, faults.inputs(*case))

    @check("labels: what each row must predict", 1.5)
    def labels(shift):
        for case in cases():
            compare(shifted(shift, *case)[1], case, 1, faults.labels(*case))

    @check("counts: which predictions the loss is made of", 1)
    def counts(shift):
        for case in cases():
            compare(shifted(shift, *case)[2], case, 2, faults.counts(*case))


def cases() -> list[tuple]:
    """(targets, is_real, bos, eos, pad): four ids of their own; pad and eos the same; a token with the id of pad."""
    mixed, one, roomy = draw.one_of(*BATCHES)
    bos, eos, pad = draw.one_of((1, 2, 0), (2, 3, 0), (1, 3, 0))
    return [
        (*batch(*mixed, pad), bos, eos, pad),
        (*batch(*one, pad), bos, eos, pad),
        (*batch(*roomy, eos), bos, eos, eos),
        with_a_token_like_pad(*mixed, bos, eos),
    ]


def batch(lengths: tuple[int, ...], width: int, pad: int) -> tuple[Tensor, Tensor]:
    """Targets (B, width) of ids from 5 to 14, padded on the right, and which of them are real."""
    is_real = torch.arange(width) < torch.tensor(lengths)[:, None]
    ids = 5 + torch.stack([draw.permutation(10)[:width] for _ in lengths])  # no token twice: an offset shows
    return torch.where(is_real, ids, pad), is_real


def with_a_token_like_pad(lengths, width: int, bos: int, eos: int) -> tuple:
    targets, is_real = batch(lengths, width, 0)
    pad = int(targets[1, 1])
    return torch.where(is_real, targets, pad), is_real, bos, eos, pad


def shifted(answer, targets: Tensor, is_real: Tensor, bos: int, eos: int, pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """(inputs, labels, counts) of an answer, if they are three tensors of the right shape and kind."""
    value, (B, T) = answer(*copies(targets, is_real), bos, eos, pad), targets.shape
    if not isinstance(value, (tuple, list)) or len(value) != 3:
        what = f"{len(value)} things" if isinstance(value, (tuple, list)) else f"{kind_of(value)}"
        raise Wrong(f"The function returned {what}; wanted three tensors: `return inputs, labels, counts`.")
    for one, name in zip(value, ("inputs", "labels", "counts"), strict=True):
        shape = tuple(getattr(one, "shape", ()))
        if shape == (B, T):
            raise Wrong(
                f"The {name} have {T} columns, as many as the targets; wanted {T + 1}. Of n tokens a decoder makes "
                "n + 1 predictions: the tokens, and the end."
            )
        if shape == (B, T + 2):
            raise Wrong(f"The {name} have {T + 2} columns; wanted {T + 1}: neither reads both [BOS] and [EOS].")
        expect_tensor(one, name, (B, T + 1))
    inputs, labels, counts = value
    return inputs.long(), labels.long(), counts.bool()


def expect_kinds(inputs: Tensor, labels: Tensor, counts: Tensor) -> None:
    for one, name in ((inputs, "inputs"), (labels, "labels")):
        if one.dtype != torch.int64:
            raise Wrong(f"The {name} are {one.dtype}; ids are int64, as the targets are.")
    if counts.dtype != torch.bool:
        raise Wrong(f"The counts are {counts.dtype}; wanted booleans, True where a prediction counts.")


def compare(got: Tensor, case: tuple, which: int, wrong) -> None:
    """Raise Wrong unless got is inputs, labels or counts (0, 1, 2); of ids, only where a prediction counts."""
    right = by_loops(*case)
    matters = right[2] if which < 2 else torch.ones_like(right[2])
    if torch.equal(got[matters], right[which][matters]):
        if which == 0 and not faults.are_ids(got, *case):
            raise Wrong(faults.NO_ID)
        return
    for fault, words, misconception in wrong:
        if torch.equal(got[matters], fault[matters]):
            raise Wrong(words, misconception)
    raise Wrong(difference(got, right[which], matters, ("inputs", "labels", "counts")[which], *case))


def difference(got: Tensor, right: Tensor, matters: Tensor, name: str, targets, is_real, bos, eos, pad) -> str:
    """The first row in which they differ."""
    row = int((((got != right) & matters).any(dim=1)).nonzero()[0])
    n = int(is_real[row].sum())
    yours, wanted = ([x.item() if m else "any" for x, m in zip(*pair, strict=True)]
                     for pair in ((got[row], matters[row]), (right[row], matters[row])))  # fmt: skip
    return (
        f"For the target {targets[row, :n].tolist()} (bos {bos}, eos {eos}, pad {pad}, padded to {targets.shape[1]}) "
        f"your {name} are {yours}; wanted {wanted}.".replace("'any'", "any")
    )


def by_loops(targets, is_real, bos, eos, pad) -> tuple[Tensor, Tensor, Tensor]:
    """The specification, row by row: read [BOS] and the tokens, predict the tokens and [EOS]."""
    B, T = targets.shape
    inputs, labels = (torch.full((B, T + 1), pad) for _ in "12")
    counts = torch.zeros(B, T + 1, dtype=torch.bool)
    for b in range(B):
        tokens = targets[b, is_real[b]].tolist()
        n = len(tokens) + 1
        inputs[b, :n] = torch.tensor([bos, *tokens])
        labels[b, :n] = torch.tensor([*tokens, eos])
        counts[b, :n] = True
    return inputs, labels, counts
