"""Lesson 02, questions about weights: the wrong answers people give to entropy, mix, shift and duplicate."""

import math

import torch
import torch.nn.functional as F

from ..common import close, number
from .softmax_faults import temperature


def entropy(w, got):
    """Faults of the entropy of each row of w."""
    w = w.double()
    S = w.shape[-1]
    terms = torch.special.entr(w)
    right, logs = terms.sum(-1), torch.where(w > 0, w, 1.0).log()
    yield right / math.log(2), "This is in bits (log2); wanted nats: the natural logarithm.", None
    yield right / math.log(10), "This is with log10; wanted nats: the natural logarithm.", None
    yield -right, "The sign is missing: log of a weight is negative, entropy is not.", None
    yield right.sum() + 0 * right, "This is the entropy summed over all rows; each row has its own.", None
    yield right.mean() + 0 * right, "This is the mean over all rows; each row has its own.", None
    if w.shape[-2] == S:
        yield terms.sum(-2), "The sum runs down the columns (over the queries): each row is a distribution.", "M04"
    yield torch.special.entr(w.softmax(-1)).sum(-1), "Softmax is taken of the weights once more.", None
    yield right.exp(), "This is exp(entropy), the perplexity: the number of keys in effect.", None
    yield right / math.log(S), "This is divided by log S, the largest entropy there can be.", None
    yield math.log(S) - right, "This is log S minus the entropy.", None
    yield right / S, "This is the mean over the keys; wanted the sum.", None
    yield -logs.sum(-1), "log is not weighted: each -log w_j counts w_j times.", None
    yield -logs.mean(-1), "log is not weighted: each -log w_j counts w_j times.", None
    yield logs.sum(-1), "log is not weighted by w_j, and the sign is missing.", None
    yield -(w * w.log1p()).sum(-1), "This has log(1 + w) (log1p); wanted log w, with its sign flipped.", None
    yield -(w * w).sum(-1).log(), "This is -log of the sum of squares; wanted the average of -log w_j.", None
    yield -w.amax(-1).log(), "This is -log of the largest weight; wanted the average of -log w_j.", None
    yield torch.zeros_like(right), "All rows came out as 0: nothing is added up.", None
    squares, largest = (w * w).sum(-1), w.amax(-1)
    words = "the sum of squares or the largest weight" if close(squares, largest) else "the sum of squares"
    yield squares, f"This is {words} of each row, not the entropy.", None
    yield largest, "This is the largest weight of each row, not the entropy.", None
    yield 1 - (w * w).sum(-1), "This is 1 minus the sum of squares (Gini's impurity), not the entropy.", None
    for eps in (0.1, 1e-2, 1e-3, 1e-4, 1e-5):
        for biased in (-(w * (w + eps).log()).sum(-1), -((w + eps) * (w + eps).log()).sum(-1)):
            words = f"A constant of {eps:g} inside log shifts every value; handle the zeros alone (torch.xlogy)."
            yield biased, words, None
    zeros = (w == 0).any(-1)
    if close(got, right.masked_fill(zeros, 0.0)):
        words = (
            "A row with a weight of 0 came out as 0: its sum was NaN and was replaced whole. Replace the term alone."
        )
        yield got, words, None
    yield (
        torch.special.entr(w / w.amax(-1, True)).sum(-1),
        "The weights are divided by the largest of their row first.",
        None,
    )
    yield (terms + torch.special.entr(1 - w)).sum(-1), "Terms of 1 - w are added: only -w_j ln w_j counts.", None
    yield (w * logs**2).sum(-1), "The logarithm is squared.", None
    yield terms.amax(-1), "This is the largest term of each row; add up all of them.", None
    yield -(w * w.log_softmax(-1)).sum(-1), "log_softmax takes softmax once more: w are weights already, log(w).", None
    off = (got.detach().double() - right).abs()
    if close(got, right, 0.1) and (off < 1e-6).any():
        yield got, "Some rows are right, others a little off: are small weights, or the result, clamped?", None
    elif close(got, right, 0.1) and off.max() - off.min() > 1e-4:
        words = "It is off by a little: a constant inside log shifts every value; handle the zeros alone (torch.xlogy)."
        yield got, words, None
    yield torch.full_like(right, math.log(S)), "This is log S for every row: the weights do not enter.", None
    if abs(off.mean() - off).max() < 1e-6 or close(
        got, (got.double() * right).sum() / (right * right).sum() * right, 1e-3
    ):
        return  # a constant more, or a multiple: compare() says so
    row = off.argmax()
    told = ", ".join(number(x) for x in w.flatten(0, -2)[row])
    words = f"Weights of {told} have entropy {number(right.flatten()[row])}; yours is {number(got.flatten()[row])}. "
    yield got, words + "Add up -w_j ln w_j over the keys, each row by itself.", None


def shifted(scores, c, got):
    """Faults of the weights after c is added to each score."""
    scores = scores.double()
    right, powers = scores.softmax(-1), scores.exp()
    yield right + c, "c is added to the weights, after the softmax: add it to the scores.", None
    wrong = (right + c) / (right + c).sum(-1, True)
    yield wrong, "c is added to the weights, and they are normalised again: add it to the scores.", None
    for key, which in ((0, "first"), (-1, "last")):
        one = scores.clone()
        one[..., key] += c
        yield one.softmax(-1), f"c is added to the {which} score of a row only; every score gets it.", None
    diagonal = scores.clone()
    diagonal.diagonal(dim1=-2, dim2=-1).add_(c)
    yield diagonal.softmax(-1), "c is added on the diagonal only; every score gets it.", None
    over_queries = "The softmax runs over the queries (dim=-2); it should run over the keys, the last axis."
    yield scores.softmax(-2), over_queries, "M04"
    for axis in range(scores.ndim - 2):
        yield (
            scores.softmax(axis),
            f"The softmax runs over axis {axis}, a batch axis; it should run over the keys, dim=-1.",
            None,
        )
    yield torch.full_like(scores, 1 / scores.shape[-1]), "All weights are equal: the scores are lost.", None
    yield right.softmax(-1), "Softmax is applied twice.", None
    yield scores.flatten().softmax(0).view_as(scores), "The softmax runs over the whole tensor, not each row.", None
    yield scores.log_softmax(-1), "This is the logarithm of the weights (log_softmax): take exp of it.", None
    yield scores + c, "These are the scores with c added; the softmax is missing.", "M03"
    yield powers, "exp(scores) is not divided by its sum.", "M03"
    yield powers * math.exp(min(c, 700)), "exp(scores + c) is not divided by its sum.", "M03"
    yield powers * math.exp(min(c, 700)) / powers.sum(-1, True), "c is in the numerator only; the sum needs it.", None
    yield powers / (powers * math.exp(min(c, 700))).sum(-1, True), "c is in the denominator only; both need it.", None
    yield (scores + c) / (scores + c).sum(-1, True), "The shifted scores are divided by their sum, without exp.", "M03"
    if close(got, right, 0.01):
        return  # nearly right: compare() says so
    slope = temperature(got, scores)
    if slope:
        how = "multiplied by c" if math.isclose(slope, c, rel_tol=1e-3) else f"multiplied by {number(slope)}"
        yield got, f"The scores are {how}; c is added. (A factor is a temperature: it does change the weights.)", None
    yield scores, "The scores came back as they were; wanted the weights.", "M03"
    total = got.detach().double().sum(-1)
    if not close(total, torch.ones_like(total)):
        words = f"The weights of a row must sum to 1; yours sum to {number(total.min())} ... {number(total.max())}: "
        yield got, words + "c goes to the scores, and the softmax comes last.", None
    else:
        yield got, "The weights changed: what is added must be the same number for every score of a row.", None


def duplicated(w, j, got):
    """Faults of the row of weights after key j is listed once more."""
    w = w.double()
    long = torch.cat([w, w[j : j + 1]])
    yield long, f"The copy is there, but the row sums to 1 + w_j = {number(1 + w[j])}: divide by that.", None
    wrong = torch.cat([w, torch.zeros(1)])
    yield wrong, "The copy got weight 0. It has the same score as the original, so the same weight.", None
    for other in range(len(w)):
        wrong = torch.cat([w, w[other : other + 1]]) / (1 + w[other])
        if other != j:
            name = {0: "the first key", len(w) - 1: "the last key"}.get(other, f"key {other}")
            yield wrong, f"The copy is one of {name}, not of key j = {j}.", None
    halved = long.clone()
    halved[[j, -1]] /= 2
    words = "w_j is shared between the two copies. Each has the score key j had: together they weigh more than before."
    yield halved, words, None
    order = [*range(j + 1), *range(j, len(w))]
    yield w[order] / (1 + w[j]), "The copy stands right after key j; wanted at the end.", None
    yield torch.cat([w[j : j + 1], w]) / (1 + w[j]), "The copy stands first; wanted at the end.", None
    yield long.softmax(0), "Softmax is taken of weights: they are not scores. Divide by their new sum.", None
    yield torch.full_like(long, 1 / len(long)), "All weights are equal; the old ones must count.", None
    doubled = torch.cat([w, 2 * w[j : j + 1]])
    yield doubled / doubled.sum(), "The copy counts twice by itself; it weighs the same as the original.", None
    doubled = long.clone()
    doubled[j] *= 2
    yield doubled / doubled.sum(), "The original is doubled and then copied too.", None
    room = torch.cat([w * (1 - w[j]), w[j : j + 1]])
    yield room, "The copy keeps w_j and the others make room for it; the copy must shrink with them.", None
    yield long.log(), "These are logarithms: take exp of them and divide by their sum.", None
    yield F.normalize(long, dim=0), "The row is divided by its length: divide by its sum.", None
    if close(got, long / long.sum(), 0.01):
        return  # nearly right: compare() says so
    if not close(got.sum(), torch.ones(())):
        words = f"The new row must sum to 1; yours sums to {number(got.sum())}. (Old weights and copy: 1 + w_j.)"
        yield got, words, None
    ratio = got.detach().double()[:-1] / w
    if close(ratio, ratio[0].expand_as(ratio), 1e-4):
        words = f"The copy weighs {number(got[-1])} and key j {number(got[j])}: same score, so they must be equal."
        yield got, words, None
    elif close(got[j], got[-1]):
        yield got, "The ratios among the old keys changed; their scores did not, so their ratios must stay.", None


def mixed(query, keys, values):
    """Why the attention of this query is not midway between the first two values."""
    d = keys.shape[-1]
    scores = keys @ query / math.sqrt(d)
    w = scores.softmax(0)
    told = ", ".join(number(x) for x in w)
    lead = f"With this query the weights are {told}; wanted 0.5, 0.5, 0, 0. "
    along = {"k1 + k2": keys[0] + keys[1], "the sum of all keys": keys.sum(0), "k1 - k2": keys[0] - keys[1]}
    for name, direction in along.items():
        if abs(torch.cosine_similarity(query, direction, dim=0)) > 0.9999:
            return lead + (
                f"The query is a multiple of {name}. The keys are neither orthogonal nor of equal length, so its "
                "products with them are not what you want: solve keys @ query = scores for the query."
            )
    if scores.abs().max() > 1e5:
        return lead + "The query is so long that rounding alone makes its scores unequal: scores 20 apart are enough."
    holders = (w > 0.2).nonzero().flatten().tolist()
    if len(holders) == 3:
        names = " and ".join(f"keys[{i}]" for i in holders)
        return lead + f"{names} share the weight; only keys[0] and keys[1] may: the others' scores lie far below."
    first, second = sorted(w.topk(2).indices.tolist())
    if (first, second) != (0, 1) and min(w[first], w[second]) > 0.3:
        return lead + (
            f"The wrong two keys are chosen: keys[{first}] and keys[{second}] share the weight; "
            "the first two are keys[0] and keys[1]."
        )
    if w[0] + w[1] > 0.97 and abs(w[0] - w[1]) > 0.005:
        return lead + (
            "The first two hold everything, but not in equal parts: their scores, "
            f"{number(scores[0])} and {number(scores[1])}, must be equal."
        )
    if abs(w[0] - w[1]) < 0.02 and w[0] > w[2:].max():
        return lead + (
            f"The first two are equal, but the other two keys still hold {float(w[2:].sum()):.2g} of the weight: "
            "their scores must lie further below (a longer query)."
        )
    if abs(w - 0.25).max() < 0.02:
        return lead + "All keys are equal: is the query zero, or are all four scores the same?"
    if abs(w[0] - w[1]) < 0.02 and w[0] < w[2:].max():
        return lead + "The first two are equal but the others win: is the sign of the query wrong?"
    return lead + "The scores keys @ query must be equal for the first two and well below that for the others."
