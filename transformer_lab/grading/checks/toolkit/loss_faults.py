"""Lesson 01: the wrong cross-entropies people write, as numbers to compare with and words to tell their authors."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..common import number

TWICE = (
    "Softmax is applied twice: F.cross_entropy (and log_softmax) want scores, and probabilities went in. "
    "They lie between 0 and 1, so they lead by at most 1, and the loss cannot come near 0."
)
SUM = "The losses of the targets are summed; wanted their mean."


def losses(scores: Tensor, targets: Tensor):
    """Faults of the mean of -log p, all targets counting."""
    s = scores.double()
    (N, V), rows = s.shape, torch.arange(len(s))
    logp, p = s.log_softmax(-1), s.softmax(-1)
    each = -logp[rows, targets]
    right, y = each.mean(), F.one_hot(targets, V).double()
    yield -right, "The sign is flipped: -log p is positive, and yours falls as the model gets worse.", None
    yield each.sum(), SUM, None
    yield -each.sum(), SUM + " And the sign is flipped.", None
    yield right / torch.log(torch.tensor(2.0)), "This is the loss in bits, log base 2; wanted nats, torch.log.", None
    yield right / torch.log(torch.tensor(10.0)), "This is a logarithm to base 10; wanted nats, torch.log.", None
    yield each.sum() / (N * V), "The mean runs over all N x V numbers, most of them 0; divide by the N targets.", None
    yield -each.sum() / (N * V), "The mean runs over all N x V numbers; and the sign is flipped.", None
    yield each.sum() / V, "The sum is divided by V; divide by N, the number of targets.", None
    yield p[rows, targets].mean(), "This is the mean probability of the targets: take -log of each.", None
    yield -p[rows, targets].mean(), "The logarithm is missing: this is minus the mean probability.", None
    yield 1 - p[rows, targets].mean(), "This is 1 - p on average: the loss is -log p.", None
    yield -p[rows, targets].mean().log(), "The mean is taken before the logarithm: -log of each p, then the mean.", None
    yield -(s[rows, targets]).mean(), "Only the target's score is used: log of the sum of exp is missing.", None
    yield s.logsumexp(-1).mean(), "The target's score is not subtracted: the targets play no part.", None
    yield right.exp(), "This is the perplexity, e to the loss.", None
    yield F.cross_entropy(p, targets), TWICE, "M38"
    yield F.cross_entropy(logp.exp().log_softmax(-1), targets), TWICE, "M38"
    wrong_axis = (
        "Softmax runs along axis 0, over the positions; it should run over the V scores of one position, dim=-1."
    )
    down = s.log_softmax(0)
    yield -down[rows, targets].mean(), wrong_axis, None
    yield (s.logsumexp(0)[targets] - s[rows, targets]).mean(), wrong_axis, None
    yield -logp.flatten().softmax(0).log()[rows * V + targets].mean(), "Softmax runs over the whole tensor.", None
    yield (s.flatten().logsumexp(0) - s[rows, targets]).mean(), "The sum of exp runs over all N x V: dim=-1.", None
    if N == V:
        yield (
            -logp[targets, rows].mean(),
            "Rows and targets are swapped, and N equals V, so no error warns you: scores[n, targets[n]].",
            None,
        )
    yield (
        -logp[:, targets].mean(),
        "scores[:, targets] picks every target in every row, N x N numbers. Pair them: scores[arange(N), targets].",
        None,
    )
    yield -logp.mean(), "This is the mean over all classes, as if each were the target.", None
    yield (s.exp().sum(-1) - s[rows, targets]).mean(), "The logarithm of the sum of exp is missing.", None
    yield (
        -(y * logp + (1 - y) * (1 - p).log()).sum(-1).mean(),
        "This is a binary cross-entropy for each class: with a softmax, -log p of the target is all.",
        None,
    )
    yield (
        -(y * logp + (1 - y) * (1 - p).log()).mean(),
        "This is a binary cross-entropy for each class, averaged; wanted -log p of the target.",
        None,
    )
    yield ((p - y) ** 2).sum(-1).mean(), "This is a squared error; wanted -log p of the target.", None
    yield ((p - y) ** 2).mean(), "This is a squared error; wanted -log p of the target.", None
    yield -(p * logp).sum(-1).mean(), "This is the entropy of the probabilities: the targets play no part.", None
    yield -s[rows, targets].sigmoid().log().mean(), "A sigmoid of the target's score alone: the others count too.", None
    yield right / N, "The mean is divided by N once more.", None
    yield right * V, "There is a factor V too many.", None
    yield (
        F.cross_entropy(s / V**0.5, targets),
        "The scores are divided by sqrt(V): nothing asks for a scale here.",
        None,
    )
    yield F.cross_entropy(-s, targets), "The scores' sign is flipped before the softmax.", None
    yield (s.logsumexp(-1) - s.amax(-1)).mean(), "The largest score is used where the target's should be.", None
    yield (
        (s.argmax(-1) != targets).double().mean(),
        "This is the share of wrong choices; wanted -log p of the target.",
        None,
    )
    yield F.multi_margin_loss(s, targets), "This is a margin loss; wanted -log p of the target.", None
    bce = F.binary_cross_entropy_with_logits
    words = "This is a binary cross-entropy for each class, by sigmoids; wanted -log p of the target."
    yield bce(s, y), words, None
    yield bce(s, y, reduction="sum") / N, words, None
    lowered = s - s.amax(0)
    yield (
        (lowered.logsumexp(-1) - lowered[rows, targets]).mean(),
        ("The maximum is taken along axis 0, so the scores of a row lose different numbers: dim=-1, keepdim=True."),
        None,
    )
    yield (
        (s.logsumexp(-1) / math.log(2) - s[rows, targets]).mean(),
        "Half of it is in bits: use torch.log throughout.",
        None,
    )
    if (targets > 0).any():
        yield each[targets > 0].mean(), "Targets of 0 are left out: 0 is a class like any other.", None
    few = s[:, : int(targets.max()) + 1]
    words = "Only the classes up to the largest target are in the softmax; all V scores of a row belong in it."
    yield F.cross_entropy(few, targets), words, None
    for sign in (-1, 1):
        once = each + sign * s.amax(-1)
        yield once.mean(), "The largest score is subtracted in one place only: it must cancel.", None
    for size in (s.norm(dim=-1, keepdim=True), s.abs().amax(-1, keepdim=True), s.std(-1, keepdim=True)):
        yield (
            F.cross_entropy(s / size, targets),
            "The scores are divided by their size first: take them as given.",
            None,
        )
    yield (
        each.exp().log1p().mean(),
        "There is a 1 too many inside the logarithm: the target's own share is in the sum.",
        None,
    )
    yield 1 + right, "There is a 1 too many: the loss is -log p.", None
    yield each[-1], "This is the loss of the last target alone.", None
    yield each[0], "This is the loss of the first target alone.", None
    yield each.max(), "This is the largest loss; wanted the mean.", None
    yield each.median(), "This is the median; wanted the mean.", None
    yield (
        (s.amax(-1) - s[rows, targets]).mean(),
        "The largest score is used where log of the sum of exp should be.",
        None,
    )
    yield F.cross_entropy(s, targets, label_smoothing=0.1), "Labels are smoothed; nothing asks for it here.", None
    yield F.nll_loss(s, targets), "The scores went in as they are: log_softmax is missing.", None


def ignoring(scores: Tensor, targets: Tensor, index: int):
    """Faults of the mean over the targets that are not index."""
    s, counts = scores.double(), targets != index
    (N, V), rows = s.shape, torch.arange(len(s))
    logp = s.log_softmax(-1)
    picked = -logp[rows, targets.clamp(-V, V - 1).remainder(V)]
    kept = picked[counts]
    if index != -100:  # an answer that gets here is right for -100, then for -1, then for 2
        told = {
            -1: "ignore_index=-1 was asked for, and has no effect: is -100 hard-coded in the function?",
            2: "Negative targets are left out; ignore_index=2 was asked for, and 2 still counts.",
            0: "ignore_index=0 has no effect: `if ignore_index` and `ignore_index or` treat 0 as not given.",
        }[index]
        yield picked.mean(), told, None
        yield -logp[rows, targets.clamp(0)].mean(), told, None
    over = f"The sum runs over the targets that count, but it is divided by all {N}: divide by how many count."
    yield kept.sum() / N, over, "M42"
    everything = "Positions that do not count are in the mean: a loss over padding rewards predicting padding."
    yield picked.mean(), everything, "M42"
    yield -logp[rows, targets.clamp(0)].mean(), everything, "M42"
    yield -logp[rows, targets.clamp(0)].sum() / counts.sum(), "The targets to ignore are still in the sum.", "M42"
    yield picked.sum() / counts.sum(), "The targets to ignore are still in the sum.", "M42"
    for column in (0, V - 1):
        wrong = -logp[rows, torch.where(counts, targets, column).clamp(0)]
        words = f"A target of {index} is looked up like any other, and reads column {column}: leave its row out first."
        yield wrong.mean(), words, "M42"
        yield wrong.sum() / counts.sum(), words, "M42"
        yield wrong.sum(), words + " And the losses are summed; wanted their mean.", "M42"
    yield kept.sum(), "The losses that count are summed; wanted their mean.", None
    yield -kept.mean(), "The sign is flipped: -log p is positive.", None
    yield picked[~counts].mean(), "The mean runs over exactly the targets to ignore: the mask is inverted.", "M42"
    masked = s.masked_fill(~counts.unsqueeze(-1), 0.0).log_softmax(-1)
    yield (
        -masked[rows, targets.clamp(0)].mean(),
        "The scores of ignored positions became 0, but they still count, with ln V each: leave the rows out.",
        "M42",
    )
    if index == -100:
        yield from losses(s[counts], targets[counts])
    real = (targets != index) & (targets > 0)
    if real.any() and not real.equal(counts):
        yield picked[real].mean(), "Targets of 0 are left out too: 0 is a class like any other.", None


def large_scores():
    """(scores, targets, message about what came back)."""
    yield torch.tensor([[1e4, 1e4 - 1, 1e4 - 3], [1e4, 1e4, 1e4 - 2]]), torch.tensor([1, 2]), overflow
    yield torch.tensor([[-1e4, -1e4 + 1, -1e4 + 3], [-1e4, -1e4 - 2, -1e4]]), torch.tensor([0, 1]), underflow
    yield torch.tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 1e4 - 1]]), torch.tensor([1, 2]), apart
    yield torch.tensor([[1e4, 1e4 - 1, 1e4 - 3], [-1e4, -1e4 + 2, -1e4 + 1]]), torch.tensor([1, 2]), rows_apart


def overflow(got, wanted):
    if not got.isfinite():
        return (
            "Scores near 10000 give NaN or inf: exp(10000) is inf. Subtract each row's largest score before exp, or "
            "use torch.logsumexp or log_softmax, which do."
        )
    return f"Scores near 10000 give a loss of {number(got)}; wanted {number(wanted)}. Is something clamped?"


def underflow(got, wanted):
    if not got.isfinite():
        return (
            "Scores near -10000 give NaN or inf: every exp underflows to 0, and the logarithm of 0 is -inf. Subtract "
            "the largest score itself, not its size."
        )
    return f"Scores near -10000 give a loss of {number(got)}; wanted {number(wanted)}. Is something added, or clamped?"


def apart(got, wanted):
    if not got.isfinite():
        return (
            f"A target that lies 20000 below the largest score gives {number(got)}: its p is 0, and log 0 is -inf. Do "
            "not take log of a softmax: score - log(sum(exp)) needs no p (torch's log_softmax)."
        )
    return (
        f"A target that lies 20000 below the largest score gives a loss of {number(got)}; wanted {number(wanted)}: "
        "a clamp, or a small number added inside the logarithm, hides how wrong the model is."
    )


def rows_apart(got, wanted):
    return (
        f"One row near 10000 and one near -10000 give {number(got)}; wanted {number(wanted)}: the largest score is "
        "taken over the whole tensor. Take it row by row, dim=-1, keepdim=True."
    )


def gradients(scores: Tensor, targets: Tensor):
    """Faults of (p - y) / N."""
    s = scores.double()
    N, V = s.shape
    p, y = s.softmax(-1), F.one_hot(targets, V).double()
    right = (p - y) / N
    down = s.softmax(0)
    axis = "Softmax runs along axis 0, over the positions; it should run over the V scores of one position, dim=-1."
    yield -right, "The sign is flipped: this is y - p, the direction of the step; the gradient is p - y.", None
    yield p - y, "This is p - y of each row: the loss is a mean over N rows, so divide by N.", None
    yield y - p, "This is y - p: the sign is flipped, and the division by N is missing.", None
    yield (p - y) / V, "This is divided by V; the mean runs over the N rows.", None
    yield (p - y) / (N * V), "This is divided by N x V; the mean runs over the N rows only.", None
    yield p / N, "y is missing: 1 is subtracted at the target.", None
    yield p, "These are the probabilities: subtract the one-hot targets, and divide by N.", None
    yield -y / N, "Only the target's score is differentiated: log of the sum of exp has a gradient too, p.", None
    yield -y / p / N, "This is the derivative with respect to p; softmax's Jacobian must follow: p - y.", None
    yield (
        -y / p,
        "This is the derivative with respect to p, undivided; with respect to the scores it is (p - y) / N.",
        None,
    )
    yield p * (p - y) / N, "There is a factor p too many: softmax's Jacobian is already in p - y.", None
    yield p * (1 - p) * (p - y) / N, "There is a factor p (1 - p) too many: that belongs to a squared error.", None
    yield y * (p - y) / N, "Only the target's own entry is filled: the others are p / N, not 0.", None
    yield y * (p - y), "Only the target's own entry is filled, and N is missing.", None
    yield (p - 1) / N, "1 is subtracted everywhere; it should be subtracted only at the target.", None
    yield p - 1, "1 is subtracted everywhere; it should be subtracted only at the target.", None
    yield (s - y) / N, "The scores themselves are used where their softmax should be.", None
    yield s - y, "The scores themselves are used where their softmax should be.", None
    yield (p.log() - y) / N, "log p is used where p should be.", None
    yield (down - y) / N, axis, None
    yield down - y, axis, None
    yield (p + y) / N, "1 is added at the target; it should be subtracted.", None
    twice = p.softmax(-1)
    yield (twice - y) / N, TWICE, "M38"
    inner = twice - y
    yield p * (inner - (p * inner).sum(-1, keepdim=True)) / N, TWICE, "M38"
    yield (s.sigmoid() - y) / N, "A sigmoid of each score is used where the softmax should be.", None
    yield (s.exp() - y) / N, "exp is not divided by its sum.", None
    yield 2 * (p - y) / N, "There is a factor 2 too many: this is not a squared error.", None
    yield p * (1 - p) / N, "p (1 - p) is the diagonal of softmax's own Jacobian: the targets play no part.", None
    yield (p - y) ** 2 / N, "p - y is squared: that is a squared error, not the gradient of cross-entropy.", None
    yield (
        (1 - p) * y / N,
        "1 - p at the target: the sign is flipped, and the other classes have a gradient too, p.",
        None,
    )
    for divisor in (N - 1, N + 1):
        if divisor:
            yield (p - y) / divisor, f"This is divided by {divisor}; there are N = {N} rows.", None
    ids = targets.unsqueeze(-1).double()
    for wrong in ((p - ids) / N, p - ids):
        yield wrong, "The target's number itself is subtracted: it names a column, whose entry loses 1 (one-hot).", None
    wrong = torch.zeros_like(p)
    if N >= V or int(targets.max()) < N:
        for n, target in enumerate(targets.tolist()):
            if n < V and target < N:
                wrong[target, n] = 1.0
        turned = "The one-hot table is transposed: row n has its 1 in column targets[n]. N and V are equal here."
        yield (p - wrong) / N, turned, None
        yield p - wrong, turned, None
    picked = p.clone()
    picked[:, targets] -= 1
    several = "p[:, targets] -= 1 subtracts 1 in every row. Pair them: p[torch.arange(N), targets]."
    yield picked / N, several, None
    yield picked, several, None
    top = F.one_hot(s.argmax(-1), V).double()
    for divisor in (N, 1):
        words = "The 1 is subtracted at the largest score; it should be subtracted at the target."
        yield (p - top) / divisor, words, None
        yield y * p.log() / divisor, "This is log p at the target, the loss itself; wanted its gradient.", None
        yield -y * p.log() / divisor, "This is -log p at the target, the loss itself; wanted its gradient.", None
        yield (p - y).abs() / divisor, "The signs are lost: at the target the gradient is negative.", None
        yield (p.log() - y) / divisor, "log p is used where p should be.", None
        zeroed = p.masked_fill(y.bool(), 0.0)
        yield zeroed / divisor, "At the target p becomes 0; subtract 1 instead.", None
        lost = p.clone()
        lost[:, targets] = 0
        yield lost / divisor, "At the targets p becomes 0, in every row; subtract 1 at each row's own target.", None
        for share in (0.1, 0.05, 0.2):
            smooth = (1 - share) * y + share / V
            yield (p - smooth) / divisor, "The labels are smoothed; nothing asks for it here.", None
    yield right - right.mean(0), "The mean over the rows is subtracted.", None
    yield right.mean(0).expand(N, V), "All rows are alike: keep one gradient per row.", None
