"""Lesson 11, alignment accuracy: the specification, and the wrong shares that people compute.

Each fault takes weights, one (H, T + 1, S) a text, and the texts' alignments.
"""

from statistics import fmean

import torch
from torch import Tensor

Alignment = list[int | None]


def aligned(alignment: Alignment) -> list[tuple[int, int]]:
    """(target token, its source token) of the target tokens that have one."""
    return [(t, source) for t, source in enumerate(alignment) if source is not None]


def hits(weights: Tensor, alignment: Alignment) -> list[bool]:
    """The specification: for each aligned token, is the largest weight of its row, heads averaged, where it belongs?"""
    mean = [
        [sum(head[t][s] for head in weights.tolist()) for s in range(weights.shape[2])] for t in range(len(alignment))
    ]
    return [mean[t].index(max(mean[t])) == source for t, source in aligned(alignment)]


def share(weights: list[Tensor], alignments: list[Alignment]) -> float:
    found = [hit for one in zip(weights, alignments, strict=True) for hit in hits(*one)]
    return sum(found) / len(found)


def over(is_hit):
    """The share of all aligned tokens for which is_hit(mean weights (T + 1, S), t, source) is true."""

    def fault(weights, alignments):
        found = [
            float(is_hit(one.mean(0), t, source))
            for one, alignment in zip(weights, alignments, strict=True)
            for t, source in aligned(alignment)
        ]
        return fmean(found)

    return fault


def of_heads(choose):
    """The share when choose(weights (H, T + 1, S)) -> (T + 1, S) stands in the place of the mean."""
    return lambda weights, alignments: share([choose(one)[None] for one in weights], alignments)


def counted(of):
    """of(hits, aligned tokens, tokens, texts), all but the last summed over the texts."""

    def fault(weights, alignments):
        found = [hits(*one) for one in zip(weights, alignments, strict=True)]
        return of(sum(map(sum, found)), sum(map(len, found)), sum(map(len, alignments)), len(weights))

    return fault


def without_zero(weights, alignments):
    """Source token 0 is taken for no token."""
    return share(weights, [[source or None for source in one] for one in alignments])


def zero_missed(weights, alignments):
    """Source token 0 is counted, and never hit."""
    sources = [source for one in alignments for source in one if source is not None]
    return without_zero(weights, alignments) * sum(map(bool, sources)) / len(sources)


def each_head(weights, alignments):
    heads = range(len(weights[0]))
    return fmean(share([one[h : h + 1] for one in weights], alignments) for h in heads)


def best_head(weights, alignments):
    heads = range(len(weights[0]))
    return max(share([one[h : h + 1] for one in weights], alignments) for h in heads)


def any_head(weights, alignments):
    found = [
        any(int(head[t].argmax()) == source for head in one)
        for one, alignment in zip(weights, alignments, strict=True)
        for t, source in aligned(alignment)
    ]
    return fmean(found)


READ = (
    "This reads row t + 1, in which the decoder has token t before it and predicts the one after. Its source token is "
    "looked for while the token is *predicted*: which row is that, if row 0 has read [BOS] alone?"
)
QUERIES = (
    "The largest weight of each *column* is looked for (argmax over the rows): that asks which target token looks most "
    "at a source token. Here each target token looks for a source token: take the largest of its row."
)
# (fault, what to tell, what a case needs to show it: several texts, several heads, tokens without a source token)
FAULTS = (
    (over(lambda w, t, s: w[t + 1].argmax() == s), READ, ""),
    (over(lambda w, t, s: w[:, s].argmax() == t), QUERIES, ""),
    (
        over(lambda w, t, s: w[:-1, s].argmax() == t),
        QUERIES,
        "",
    ),
    (
        over(lambda w, t, s: w[1:, s].argmax() == t),
        READ + " And the largest weight is looked for in the columns; look in the row.",
        "",
    ),
    (
        over(lambda w, t, s: w[t - 1].argmax() == s),
        "This reads row t - 1, one too early (and for token 0 the last row). Row 0 has read [BOS] alone: which token "
        "does it predict?",
        "",
    ),
    (
        over(lambda w, t, s: w[max(t - 1, 0)].argmax() == s),
        "This reads row t - 1, one too early (and row 0 twice). Row 0 has read [BOS] alone: which token does it "
        "predict?",
        "",
    ),
    (
        over(lambda w, t, s: w.flip(0)[t].argmax() == s),
        "The rows are read from the last to the first.",
        "",
    ),
    (
        over(lambda w, t, s: w[t, s]),
        "This is the mean weight on the right source token. Wanted is a share of tokens: 1 where the largest weight is "
        "there, else 0.",
        "",
    ),
    (
        over(lambda w, t, s: w[t, s] > 0.5),
        "A token counts here where its source token gets more than half of the weight. It counts where it gets the "
        "*largest* weight, which may be less.",
        "",
    ),
    (
        over(lambda w, t, s: s in w[t].topk(2).indices),
        "A token counts here where its source token is among the two largest weights; only the largest counts.",
        "",
    ),
    (counted(lambda hit, n, *_: 1 - hit / n), "This is the share of misses; wanted the share of hits.", ""),
    (counted(lambda hit, n, *_: 100 * hit / n), "This is in per cent; wanted a share between 0 and 1.", ""),
    (counted(lambda hit, *_: hit), "This is the number of hits; wanted their share of the aligned tokens.", ""),
    (
        counted(lambda hit, n, tokens, texts: hit / (tokens + texts)),
        "The hits are divided by the number of rows. The last row predicts [EOS], which has no source token; divide by "
        "the number of tokens that have one.",
        "",
    ),
    (
        counted(lambda hit, n, tokens, texts: hit / tokens),
        "Tokens without a source token (None) are counted as misses: they can be neither hit nor missed. Leave them "
        "out of both counts.",
        "bare",
    ),
    (
        counted(lambda hit, n, tokens, texts: (hit + tokens - n) / tokens),
        "Tokens without a source token (None) are counted as hits: leave them out of both counts.",
        "bare",
    ),
    (
        without_zero,
        "Tokens of source token 0 are left out. In Python 0 counts as false: ask `source is not None`.",
        "bare",
    ),
    (
        zero_missed,
        "Tokens of source token 0 are never counted as hits. In Python 0 counts as false: ask `source is not None`.",
        "bare",
    ),
    (
        lambda weights, alignments: fmean(share([w], [a]) for w, a in zip(weights, alignments, strict=True)),
        "This is the mean of the texts' shares, in which a token of a short text counts more than one of a long text. "
        "Add up the hits and the tokens of all texts, then divide once.",
        "texts",
    ),
    (
        counted(lambda hit, n, tokens, texts: hit / texts),
        "The hits are divided by the number of texts: divide by the number of aligned tokens.",
        "texts",
    ),
    (lambda w, a: share(w[:1], a[:1]), "Only the first text is counted: is a `return` inside the loop?", "texts"),
    (lambda w, a: share(w[-1:], a[-1:]), "Only the last text is counted.", "texts"),
    (of_heads(lambda w: w[0]), "Only the first head is looked at; average all heads first.", "heads"),
    (of_heads(lambda w: w[-1]), "Only the last head is looked at; average all heads first.", "heads"),
    (
        of_heads(lambda w: w.amax(0)),
        "The largest weight of any head is taken, not the mean of the heads: one sure head then outvotes the others.",
        "heads",
    ),
    (
        each_head,
        "Each head's own largest weight is looked at, and the heads' shares are averaged. Average the *weights* of the "
        "heads first, and look for the largest of the mean.",
        "heads",
    ),
    (best_head, "This is the share of the best head alone; average the weights of all heads first.", "heads"),
    (any_head, "A token counts here as soon as one head hits; average the weights of all heads first.", "heads"),
    (
        of_heads(lambda w: torch.eye(w.shape[2])[w.argmax(-1)].sum(0) + 1e-6 * torch.arange(w.shape[2]).flip(0)),
        "The heads vote, each for its own largest weight. Average their weights first, and look for the largest.",
        "heads",
    ),
)
