"""Lesson 03: the checks of question 3: four wrong maskings named, one exposed by an input, and mended."""

import math

import torch
from torch import Tensor

from ...checking import Wrong, check
from ..common import diagnosed, leaves_alone, number
from .masked_attention import SIGNATURE, compare_output, compare_weights, masked_attention_by_loops
from .masked_inputs import cases, qkv

# What the learner chooses from -> what such a masking would show. The notebook explains each in a table.
FAULTS = {
    "upside down": "Then query 0 reads keys 1 to 5, and the last query has no key left: NaN.",
    "masked after, divided again": "Then rows sum to 1 and blocked keys get nothing, for ordinary and for low scores.",
    "0 before the softmax": "Then a blocked key gets weight for ordinary scores too: e^0 is 1.",
    "a finite number for -inf": "Then blocked keys get next to nothing until all scores are low, and then they win.",
    "transposed": "Then query 0 reads all keys, and the last query its own alone.",
    "masked after, not divided": "Then blocked keys get nothing, and rows sum to less than 1.",
    "added as 0 and 1": "Then every query reads every key, an allowed one e times as much as without.",
    "mask without effect": "Then every query reads every key, and all rows sum to 1.",
}


class repair:
    answers = (f"repair{SIGNATURE}", "exposes()", *(tuple(FAULTS),) * 4)

    @check("broken_1: the fault", 0.5)
    def first(repair, exposes, fault_1, fault_2, fault_3, fault_4):
        seen = "broken_1 goes wrong for low scores only."
        diagnosed(fault_1, "a finite number for -inf", FAULTS, "fault_1", seen)

    @check("broken_2: the fault", 0.5)
    def second(repair, exposes, fault_1, fault_2, fault_3, fault_4):
        seen = "broken_2's query 0 reads all six keys, and so does its last; the scores play no part in that."
        diagnosed(fault_2, "mask without effect", FAULTS, "fault_2", seen)

    @check("broken_3: the fault", 0.5)
    def third(repair, exposes, fault_1, fault_2, fault_3, fault_4):
        seen = "broken_3 looks right in the whole table: over which keys does its softmax run?"
        diagnosed(fault_3, "masked after, divided again", FAULTS, "fault_3", seen)

    @check("broken_4: the fault", 0.5)
    def fourth(repair, exposes, fault_1, fault_2, fault_3, fault_4):
        seen = "broken_4's query 0 reads six keys and its last query one: exactly the other way round."
        diagnosed(fault_4, "transposed", FAULTS, "fault_4", seen)

    @check("an input that exposes broken_3", 1)
    def input(repair, exposes, fault_1, fault_2, fault_3, fault_4):
        q, k, mask = inputs_of(exposes)
        expose(q, k, mask)

    @check("broken_3, mended", 1)
    def mended(repair, exposes, fault_1, fault_2, fault_3, fault_4):
        repaired(repair)


def repaired(answer) -> None:
    """All of masking in one check, but for rows without a key: a repair counts only as a whole."""
    for inputs in cases():
        compare_weights(answer, *inputs)
        compare_output(answer, *inputs)
    q, k, v, mask = qkv()
    leaves_alone(answer, q=q, k=k, v=v, mask=mask)


def inputs_of(exposes) -> tuple[Tensor, Tensor, Tensor]:
    """The learner's (q, k, mask), if they fit together, are finite, and leave each query a key."""
    value = exposes()
    parts = value if isinstance(value, (tuple, list)) else [value]
    if len(parts) != 3 or not all(isinstance(one, Tensor) for one in parts):
        kinds = ", ".join(type(one).__name__ for one in parts)
        raise Wrong(f"exposes() gives {len(parts)} ({kinds}); wanted three tensors: `return q, k, mask`.")
    q, k, mask = parts
    if mask.dtype != torch.bool:
        raise Wrong(f"The mask is {mask.dtype}; wanted booleans, True where looking is allowed.")
    if not (q.is_floating_point() and k.is_floating_point()):
        raise Wrong(f"q is {q.dtype} and k is {k.dtype}; wanted floating point: write 1.0, not 1.")
    if q.ndim < 2 or k.ndim < 2 or q.shape[-1] != k.shape[-1]:
        raise Wrong(f"q has shape {tuple(q.shape)} and k {tuple(k.shape)}; wanted (T, d) and (S, d).")
    try:
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        mask = mask.expand(scores.shape)
    except RuntimeError as error:
        raise Wrong(f"A mask {tuple(mask.shape)} does not broadcast to (T, S) = {tuple(scores.shape)[-2:]}.") from error
    if not scores.isfinite().all():
        raise Wrong("The scores hold inf or NaN: that would break any attention. Finite scores are enough.")
    if not mask.any(dim=-1).all():
        raise Wrong("A query has no allowed key: 0 / 0 is nobody's fault. Leave each query at least one.")
    return q, k, mask


def expose(q: Tensor, k: Tensor, mask: Tensor) -> None:
    """Raise Wrong unless broken_3's weights are wrong by more than 0.1 on this input, or NaN."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    kept = scores.softmax(dim=-1) * mask
    weights = kept / kept.sum(dim=-1, keepdim=True)
    right = masked_attention_by_loops(q, k, k[..., :1], mask)[1]
    gap = (scores.masked_fill(mask, -math.inf).amax(-1) - scores.masked_fill(~mask, -math.inf).amax(-1)).max()
    if weights.isnan().any() or (weights - right).abs().max() > 0.1:
        return
    if not (~mask).any():
        raise Wrong("Your mask blocks no key, and then broken_3 has nothing to get wrong.")
    how = f"{number(abs(gap))} {'above' if gap >= 0 else 'below'}"
    raise Wrong(
        f"On your input the weights of broken_3 are right to {number((weights - right).abs().max())}. The highest "
        f"blocked score lies {how} the highest allowed one of its query. The softmax runs over both: by how much must "
        "a blocked score lead for nothing to be left of the allowed ones?"
    )
