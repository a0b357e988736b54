"""Masked language modelling: hide some tokens of a text, and ask for them (Devlin et al. 2018, arXiv:1810.04805)."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from ..arguments import check_between
from ..tasks.task import IGNORED


def mask_tokens(
    ids: Int[Tensor, "*B T"],
    mask_id: int,
    vocab_size: int,
    special_ids: Sequence[int] = (),
    rate: float = 0.15,
    random: float = 0.1,
    keep: float = 0.1,
    generator: torch.Generator | None = None,
) -> tuple[Int[Tensor, "*B T"], Int[Tensor, "*B T"]]:
    """(inputs, labels): the model reads inputs; labels are the ids that are asked for, IGNORED elsewhere.

    A token is asked for with probability `rate`, special tokens never. Of those asked for, the share `random` becomes
    some token that is not special, the share `keep` stays as it is, and the others become mask_id. ValueError for
    shares that are not between 0 and 1, or where random + keep is more than 1.
    """
    for name, share in (("rate", rate), ("random", random), ("keep", keep), ("random + keep", random + keep)):
        check_between(name, share, 0, 1)
    special = torch.tensor([*special_ids, mask_id], device=ids.device)
    draws = torch.rand(2, *ids.shape, generator=generator, device=ids.device)
    asked = (draws[0] < rate) & ~torch.isin(ids, special)
    others = torch.arange(vocab_size, device=ids.device)
    others = others[~torch.isin(others, special)]
    places = torch.randint(len(others), ids.shape, generator=generator, device=ids.device)
    inputs = torch.where(asked & (draws[1] < 1 - keep), torch.full_like(ids, mask_id), ids)
    inputs = torch.where(asked & (draws[1] < random), others[places].to(ids.dtype), inputs)
    return inputs, ids.masked_fill(~asked, IGNORED)
