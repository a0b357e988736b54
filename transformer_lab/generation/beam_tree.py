"""What beam search kept on its way, as a tree: each partial text and its sum of log-probabilities."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from ..models import evaluating, unwrapped
from .beam_search import beam_search, check_beams
from .reader import Reader, check_request


class Beam(NamedTuple):
    """New tokens that beam search kept, their sum of log-probabilities, and whether a stop ends them."""

    ids: tuple[int, ...]
    total: float
    is_finished: bool

    def score(self, length_penalty: float) -> float:
        return self.total / len(self.ids) ** length_penalty


@torch.inference_mode()
def beam_tree(
    model,
    ids: Int[Tensor, "1 T"],
    max_new_tokens: int,
    beams: int,
    length_penalty: float = 1.0,
    *,
    source: Int[Tensor, "1 S"] | None = None,
    stop: list[int],
) -> tuple[list[Beam], tuple[int, ...]]:
    """Every beam that the search kept after one of its steps, in order, and the new ids that it returns.

    Greedy decoding is the search with a single beam that ends at the first stop. Raises ValueError as generate does.
    """
    model = unwrapped(model)
    check_beams(beams, length_penalty)
    check_request(model, ids, max_new_tokens, source=source)
    kept: dict[tuple[int, ...], Beam] = {}

    def watch(rows, sums, pools):
        for new, total in zip(rows[:, ids.shape[1] :].tolist(), sums[0].tolist(), strict=True):
            if math.isfinite(total):  # fewer tokens than beams: some beams are empty
                kept.setdefault(tuple(new), Beam(tuple(new), total, False))
        for score, new in pools[0].texts:
            text = tuple(new.tolist())
            kept.setdefault(text, Beam(text, score * len(text) ** length_penalty, True))

    with evaluating(model):
        reader = Reader(model, source=source)
        if beams == 1:
            return greedy(reader, ids, max_new_tokens, stop)
        best = beam_search(reader, ids, max_new_tokens, beams, length_penalty, stop, 0, watch)
    return list(kept.values()), tuple(best[0].tolist())


def greedy(reader, ids: Int[Tensor, "1 T"], max_new_tokens: int, stop: list[int]):
    """The beams of greedy decoding, one for each step, and the new ids."""
    beams: list[Beam] = []
    new: list[int] = []
    total = 0.0
    while len(new) < max_new_tokens and not (new and new[-1] in stop):
        log_probs = reader.next_logits(ids).float().log_softmax(dim=-1)
        best = log_probs.argmax(dim=-1, keepdim=True)
        total += log_probs.gather(1, best).item()
        ids, new = torch.cat((ids, best), dim=1), [*new, best.item()]
        beams.append(Beam(tuple(new), total, new[-1] in stop))
    return beams, tuple(new)
