"""Lesson 03: what its checks share: booleans, the specification of the causal mask, and saying which cells differ."""

import torch
from torch import Tensor

from ...checking import Wrong
from ..common import expect_tensor

INF = float("inf")
POLARITY = (
    "It is upside down: True stands where looking is forbidden. Here, as in F.scaled_dot_product_attention, True "
    "means allowed (nn.MultiheadAttention's booleans mean the opposite)."
)
TOP_LEFT = (
    "the first query meets the first key (torch's is_causal does that), so the newest query does not see the newest "
    "keys. The *last* query meets the last key: query i stands at position S - T + i."
)


def causal_by_loops(T: int, S: int) -> Tensor:
    """The specification: query i stands at position S - T + i, and may look at key j if j is not behind that."""
    allowed = torch.zeros(T, S, dtype=torch.bool)
    for i in range(T):
        for j in range(S):
            allowed[i, j] = j <= S - T + i
    return allowed


def table(rows: str) -> Tensor:
    """The booleans that "110 111" stands for, a word a row."""
    return torch.tensor([[cell == "1" for cell in row] for row in rows.split()])


def expect_mask(value, name: str, shape: tuple[int, ...]) -> Tensor:
    """The value as booleans, whatever its dtype, if it is a tensor of that shape."""
    value = expect_tensor(value, name, shape)
    if value.dtype == torch.bool:
        return value
    additive = value.is_floating_point() and (value.isneginf().any() or not value.any())  # 0 adds nothing: allowed
    return value > -INF if additive else value.bool()


def expect_bool(value: Tensor, name: str) -> None:
    if value.dtype == torch.bool:
        return
    if value.is_floating_point() and (value.isinf().any() or value.isnan().any()):
        raise Wrong(f"{name} holds {value.dtype} with inf or NaN: that is an additive mask. Wanted True and False.")
    raise Wrong(
        f"{name} is {value.dtype}; wanted torch.bool: torch reads a mask of numbers as something to *add* to the "
        "scores. Compare, as in `j <= i`, or end with .bool()."
    )


def compare_masks(got: Tensor, wanted: Tensor, faults, name: str, where: str) -> None:
    """Raise Wrong unless the booleans agree: with the first fault that gives them, else the first row that differs."""
    if torch.equal(got, wanted):
        return
    for wrong, message, misconception in faults:
        if wrong.shape == wanted.shape and torch.equal(got, wrong) and not torch.equal(wrong, wanted):
            raise Wrong(f"{where}: {message}", misconception)
    row = (got != wanted).any(dim=-1).nonzero()[0].tolist()
    yours, right = (keys_of(mask[tuple(row)]) for mask in (got, wanted))
    place = f"row {row[0] if len(row) == 1 else row}" if row else "the only row"
    raise Wrong(f"{where}: in {name}, {place} allows {yours}; wanted {right}.")


def keys_of(row: Tensor) -> str:
    found = row.nonzero().flatten().tolist()
    return f"the keys {found}" if found else "no key"
