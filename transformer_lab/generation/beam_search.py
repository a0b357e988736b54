"""Beam search: several partial texts are kept at each step, and the best finished text is returned.

Sutskever et al. 2014 (arXiv:1409.3215), section 3.2; the length penalty is a plain power, as in transformers.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..arguments import check_at_least, check_between

# A length raised to a larger power could overflow.
LARGEST_PENALTY = 20


def check_beams(beams: int, length_penalty: float) -> None:
    """Raise ValueError for values that make no sense."""
    check_at_least("beams", beams, 1)
    check_between("length_penalty", length_penalty, -LARGEST_PENALTY, LARGEST_PENALTY)


class Pool:
    """The best finished texts of one row of the batch, at most `size`, as (score, new ids), best first."""

    def __init__(self, size: int):
        self.size = size
        self.texts: list[tuple[float, Tensor]] = []

    def add(self, score: float, new_ids: Int[Tensor, "n"]) -> None:
        """Keep the text if it is among the best."""
        self.texts.append((score, new_ids))
        self.texts = sorted(self.texts, key=lambda text: text[0], reverse=True)[: self.size]

    def beats(self, score: float) -> bool:
        """Is the pool full of texts at least as good as this score?"""
        return len(self.texts) == self.size and self.texts[-1][0] >= score


def continuations(sums: Float[Tensor, "B beams"], logits: Float[Tensor, "B_beams V"], n: int):
    """The n best continuations of each row, best first: their sums of log-probabilities, beams and tokens, (B, n)."""
    log_probs = logits.float().log_softmax(dim=-1)
    V, (B, beams) = log_probs.shape[1], sums.shape
    every_sum = (sums.view(-1, 1) + log_probs).view(B, beams * V)
    best_sums, index = every_sum.topk(min(n, beams * V))
    return best_sums, index // V, index % V


def beam_search(
    reader,
    ids: Int[Tensor, "B T"],
    max_new_tokens: int,
    beams: int,
    length_penalty: float,
    stop: list[int],
    pad_id: int,
    watch: Callable | None = None,
) -> Int[Tensor, "B new"]:
    """The new ids of each row's best text: the highest sum of log-probabilities / length ** length_penalty.

    length counts the new tokens, including the stop. Shorter texts are padded with pad_id on the right. watch, if
    given, is called after each step with the beams' ids (B * beams, T), their sums (B, beams) and the rows' pools.
    """
    B, T = ids.shape
    n_candidates = max(2, 1 + len(stop)) * beams  # of these, at least `beams` do not stop
    stops = torch.tensor(stop, dtype=torch.long, device=ids.device)
    first_beam = beams * torch.arange(B, device=ids.device)[:, None]
    pools, open_rows = [Pool(beams) for _ in range(B)], set(range(B))

    reader.repeat(beams)
    ids = ids.repeat_interleave(beams, dim=0)  # (B * beams, T): the beams of a row are adjacent
    sums = torch.full((B, beams), -math.inf, device=ids.device)
    sums[:, 0] = 0.0  # at first all beams of a row are the same, and only one may continue

    for length in range(1, max_new_tokens + 1):
        candidates, parents, tokens = continuations(sums, reader.next_logits(ids), n_candidates)
        parents = first_beam + parents  # as rows of ids
        stopped = torch.isin(tokens, stops)

        # A text that stops is finished if it is among the best `beams` candidates ...
        for row, rank in stopped[:, :beams].nonzero().tolist():
            if row in open_rows:
                text = torch.cat((ids[parents[row, rank], T:], tokens[row, rank, None]))
                pools[row].add(candidates[row, rank].item() / length**length_penalty, text)

        # ... and the best `beams` of those that do not stop are the next beams.
        sums, chosen = candidates.masked_fill(stopped, -math.inf).topk(beams)
        parents, tokens = parents.gather(1, chosen).flatten(), tokens.gather(1, chosen).view(-1, 1)
        reader.select(parents)
        ids = torch.cat((ids[parents], tokens), dim=1)

        if watch is not None:
            watch(ids, sums, pools)
        best = sums[:, 0].tolist()
        open_rows = {row for row in open_rows if not pools[row].beats(best[row] / length**length_penalty)}
        if not open_rows:
            break

    for row in open_rows:  # here the unfinished beams compete as they are
        for total, text in zip(sums[row].tolist(), ids[row * beams : (row + 1) * beams, T:], strict=True):
            pools[row].add(total / length**length_penalty, text)
    return pad_sequence([pool.texts[0][1] for pool in pools], batch_first=True, padding_value=pad_id)
