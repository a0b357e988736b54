"""Lesson 12: temperature, top-k and top-p as the checks know them, and the wrong ways to apply them."""

import torch
from torch import Tensor

from ..common import close

INF = float("inf")


def top_k(scores: Tensor, k: int) -> Tensor:
    """The k largest of each row, and what equals the last of them; the others become -inf."""
    return scores.masked_fill(scores < scores.topk(min(k, scores.shape[-1])).values[:, -1:], -INF)


def top_p(scores: Tensor, p: float, more: int = 0) -> Tensor:
    """The fewest that reach p, and what equals the last of them; `more` keeps more of them, or fewer."""
    ordered = scores.sort(dim=-1, descending=True).values
    chances = ordered.softmax(dim=-1)
    n = (chances.cumsum(dim=-1) - chances < p).sum(dim=-1, keepdim=True) + more
    last = ordered.gather(-1, (n - 1).clamp(0, scores.shape[-1] - 1))
    return scores.masked_fill((scores < last) | (n < 1), -INF)


def right(scores: Tensor, t: float, k: int, p: float) -> Tensor:
    """The specification of distribution."""
    return top_p(top_k(scores / t, k), p).softmax(dim=-1)


def by_rank(scores: Tensor, n: Tensor, turned: bool = False) -> Tensor:
    """Exactly n of each row, those with the smaller ids first of equal ones, or turned, those with the larger."""
    flipped = scores.flip(-1) if turned else scores
    ranks = flipped.sort(dim=-1, descending=True, stable=True).indices.argsort(dim=-1)
    return scores.masked_fill((ranks.flip(-1) if turned else ranks) >= n, -INF)


def nucleus(scores: Tensor, p: float) -> Tensor:
    chances = scores.softmax(dim=-1).sort(dim=-1, descending=True).values
    return (chances.cumsum(dim=-1) - chances < p).sum(dim=-1, keepdim=True)


def rising(scores: Tensor, p: float) -> Tensor:
    """The least probable ones that reach p."""
    chances, order = scores.softmax(dim=-1).sort(dim=-1)
    kept = (chances.cumsum(dim=-1) - chances < p) & (chances > 0)
    return scores.masked_fill(~kept.gather(-1, order.argsort(dim=-1)), -INF)


def unsorted(scores: Tensor, p: float) -> Tensor:
    chances = scores.softmax(dim=-1)
    return scores.masked_fill(chances.cumsum(dim=-1) - chances >= p, -INF)


def least_dropped(scores: Tensor, k: int, p: float) -> Tensor:
    """Where nothing is to go, without the least probable one; else without anything."""
    nothing_goes = p == 1 and k >= scores.shape[-1]
    return top_p(scores, p, -1) if nothing_goes else torch.full_like(scores, -INF)


def bare(scores: Tensor) -> Tensor:
    """A softmax that does not subtract the largest."""
    return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)


def to_100(scores: Tensor, k: int, p: float) -> Tensor:
    """Both filters, which set what they remove to -100."""
    kept = scores.masked_fill(scores < scores.topk(min(k, scores.shape[-1])).values[:, -1:], -100.0)
    removed = top_p(kept, p)
    return removed.masked_fill(removed.isinf(), -100.0)


def to_zero(before: Tensor, after: Tensor) -> Tensor:
    """The scores that a filter removed, set to 0 in place of -inf."""
    return after.masked_fill(after.isinf() & ~before.isinf(), 0.0)


def whole(scores: Tensor, t: float, k: int, p: float) -> Tensor:
    """The probabilities before any filter, where the filters keep them."""
    return (scores / t).softmax(dim=-1).masked_fill(right(scores, t, k, p) == 0, 0.0)


CROSSING = (
    "The token with which the sum reaches p is dropped. It belongs to the nucleus: without it the sum is below p."
)
TIED = "A token exactly as probable as the last one kept is kept too; here one of two equal ones goes."
FAULTS = (  # (what is computed, words)
    (
        lambda s, t, k, p: least_dropped(s / t, k, p).softmax(-1),
        "Every token stays here, and the last one of yours is gone: both the k-th token and the one with which the sum "
        "reaches p stay.",
    ),
    (
        lambda s, t, k, p: top_p(top_k(s * t, k), p).softmax(-1),
        "The scores are multiplied by the temperature: divide by it. A high one makes the distribution flatter.",
    ),
    (lambda s, t, k, p: top_p(top_k(s, k), p).softmax(-1), "The temperature has no effect: divide the scores by it."),
    (
        lambda s, t, k, p: (s.softmax(-1) / t).softmax(-1),
        "Probabilities are divided by the temperature, and go through a softmax again: divide the *scores*.",
    ),
    (
        lambda s, t, k, p: top_p(top_k(s / t, k), p, -1).softmax(-1),
        CROSSING + " Where the first token crosses p nothing is left, and the softmax gives NaN.",
    ),
    (
        lambda s, t, k, p: by_rank(top_k(s / t, k), (nucleus(top_k(s / t, k), p) - 1).clamp(min=1)).softmax(-1),
        CROSSING,
    ),
    (
        lambda s, t, k, p: top_p(top_k(s / t, k), p, 1).softmax(-1),
        "One token too many is kept: when the sum has reached p, the nucleus is complete.",
    ),
    (
        lambda s, t, k, p: (top_p(top_k(s, k), p) / t).softmax(-1),
        "The temperature comes last here, and top-p measured the probabilities without it. Divide first.",
    ),
    (
        lambda s, t, k, p: top_k(top_p(s / t, p), k).softmax(-1),
        "Top-p measured the probabilities of *all* tokens. It comes after top-k: what top-k leaves adds up to 1 there, "
        "and p is a share of that.",
    ),
    (
        lambda s, t, k, p: top_p(s / t, p).softmax(-1),
        "Top-k has no effect: at most the k most probable tokens of a row are left, but for equal ones.",
    ),
    (lambda s, t, k, p: top_k(s / t, k).softmax(-1), "Top-p has no effect: p is not used, or keeps everything."),
    (lambda s, t, k, p: (s / t).softmax(-1), "Nothing is filtered: both k and p remove tokens."),
    (whole, "What is left does not add up to 1: divide it by its sum, or put the softmax last."),
    (
        lambda s, t, k, p: to_zero(s / t, top_p(top_k(s / t, k), p)).softmax(-1),
        "A removed score is set to 0: exp(0) is 1, and the token may be drawn after all. Set it to -inf.",
    ),
    (
        lambda s, t, k, p: top_p(by_rank(s / t, torch.tensor(k)), p).softmax(-1),
        TIED + " Compare each score with the k-th.",
    ),
    (
        lambda s, t, k, p: top_p(by_rank(s / t, torch.tensor(k), True), p).softmax(-1),
        TIED + " Compare each score with the k-th.",
    ),
    (
        lambda s, t, k, p: by_rank(top_k(s / t, k), nucleus(top_k(s / t, k), p)).softmax(-1),
        TIED + " Compare each probability with that of the token that crosses p.",
    ),
    (
        lambda s, t, k, p: by_rank(top_k(s / t, k), nucleus(top_k(s / t, k), p), True).softmax(-1),
        TIED + " Compare each probability with that of the token that crosses p.",
    ),
    (
        lambda s, t, k, p: top_p((s / t).masked_fill(s <= s.topk(min(k, s.shape[-1])).values[:, -1:], -INF), p).softmax(
            -1
        ),
        "The k-th token itself is dropped: keep scores that are *at least* the k-th.",
    ),
    (
        lambda s, t, k, p: top_p(top_k(s / t, k + 1), p).softmax(-1),
        "Top-k keeps one token too many: the k-th has index k - 1.",
    ),
    (
        lambda s, t, k, p: rising(top_k(s / t, k), p).softmax(-1),
        "The nucleus is taken from the *least* probable end: sort with descending=True.",
    ),
    (
        lambda s, t, k, p: unsorted(top_k(s / t, k), p).softmax(-1),
        "The probabilities are added up in the order of the ids: sort each row first, the most probable first.",
    ),
    (
        lambda s, t, k, p: right(s, t, k, p).sort(-1, descending=True).values,
        "The right numbers, sorted. Each belongs to its id: bring the mask back to the order of the ids.",
    ),
    (
        lambda s, t, k, p: top_p(top_k(s / t, k), p).softmax(0),
        "The softmax ran over the batch: the probabilities of a *row* add up to 1, dim=-1.",
    ),
    (
        lambda s, t, k, p: top_p(
            (s / t).masked_fill(s < s.flatten().topk(min(k, s.numel())).values[-1], -INF), p
        ).softmax(-1),
        "Top-k looked for the k best of the whole batch: each row has k of its own.",
    ),
    (
        lambda s, t, k, p: top_p(
            (s / t).masked_fill(s < s[:1].topk(min(k, s.shape[-1])).values[:, -1:], -INF), p
        ).softmax(-1),
        "Every row was compared with the k-th score of the first: each row has one of its own.",
    ),
    (
        lambda s, t, k, p: top_p(
            (s / t).masked_fill(s < s.topk(min(k, s.shape[-1])).values[:, -1].min(), -INF), p
        ).softmax(-1),
        "One score is the limit of top-k for all rows: each row has one of its own.",
    ),
    (
        lambda s, t, k, p: bare(top_p(top_k(s / t, k), p)),
        "Right for scores near 0. The exponentials of low ones are all 0, those of high ones infinite: subtract the "
        "largest of the row first, or let a softmax do it.",
    ),
    (
        lambda s, t, k, p: to_100(s / t, k, p).softmax(-1),
        "A removed score is set to -100, and all scores of a row may be lower than that: set it to -inf.",
    ),
    (lambda s, t, k, p: right(s, t, k, p).log(), "These are log-probabilities; wanted probabilities."),
    (lambda s, t, k, p: top_p(top_k(s / t, k), p), "These are scores; wanted probabilities, after a last softmax."),
    (
        lambda s, t, k, p: top_k(s / t, k).masked_fill(top_k(s / t, k).softmax(-1) < 1 - p, -INF).softmax(-1),
        "Each probability was compared with 1 - p. Top-p adds them up, the most probable first.",
    ),
    (
        lambda s, t, k, p: top_k(s / t, k).masked_fill(top_k(s / t, k).softmax(-1) < p, -INF).softmax(-1),
        "Each probability was compared with p. Top-p adds them up, the most probable first, until p is reached.",
    ),
)


def consistent(answers: list[Tensor], cases: list[tuple]):
    """The words for each wrong way that gives these numbers in every case."""
    for way, words in FAULTS:
        if all(close(got, way(*case)) for got, case in zip(answers, cases, strict=True)):
            yield words
