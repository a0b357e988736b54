"""Lesson 01: answers to its exercises, wrong with the words their author must be told, and right.

WRONG[id]: (name, answer, part of the message[, misconception]). An answer of several parts is a tuple.
"""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from diagnoses import Diagnosed

POINTS = {
    "01_toolkit.scores": 4,
    "01_toolkit.cross_entropy": 6,
    "01_toolkit.diagnose": 3,
    "01_toolkit.cross_entropy_gradient": 4,
    "01_toolkit.softmax_jacobian": 3,
    "01_toolkit.two_layer_gradients": 4,
    "01_toolkit.lead": 3,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M38", "M42", "M43")

# scores -------------------------------------------------------------------------------------------------------


def scores_einsum(x, w_q, k):
    return torch.einsum("...tj,jc,...sc->...ts", x, w_q, k)


def scores_matmul(x, w_q, k):
    return (x @ w_q) @ k.transpose(-2, -1)


def scores_other_order(x, w_q, k):
    return torch.matmul(x, torch.matmul(w_q, k.mT))


def scores_by_broadcasting(x, w_q, k):
    q = (x.unsqueeze(-1) * w_q).sum(-2)
    return (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1)


def scores_linear(x, w_q, k):
    q = F.linear(x, w_q.T)
    return torch.tensordot(q, k, dims=([-1], [-1])) if q.ndim == 2 else q.matmul(k.swapaxes(-1, -2))


def scores_by_loops(x, w_q, k):
    q = x @ w_q
    return torch.stack([(q * k[..., s : s + 1, :]).sum(-1) for s in range(k.shape[-2])], dim=-1)


def turned_if(is_turned, turned):
    return lambda x, w_q, k: turned(x, w_q, k) if is_turned(x, w_q, k) else scores_matmul(x, w_q, k)


def square_w(x, w_q, k):
    return w_q.shape[0] == w_q.shape[1]


def square_k(x, w_q, k):
    return k.shape[-2] == k.shape[-1]


def square_batch(x, w_q, k):
    return k.ndim == 3 and k.shape[0] == k.shape[1] == k.shape[2]


def in_place_scores(x, w_q, k):
    out = scores_matmul(x, w_q, k)
    x *= 0
    return out


# cross_entropy ------------------------------------------------------------------------------------------------


def kept(scores, targets, ignore_index):
    counts = targets != ignore_index
    return scores[counts], targets[counts]


def loss_by_logsumexp(scores, targets, ignore_index=-100):
    s, t = kept(scores, targets, ignore_index)
    return (s.logsumexp(-1) - s[torch.arange(len(t)), t]).mean()


def loss_by_torch(scores, targets, ignore_index=-100):
    return F.cross_entropy(scores, targets, ignore_index=ignore_index)


def loss_by_one_hot(scores, targets, ignore_index=-100):
    counts = (targets != ignore_index).to(scores.dtype)
    y = F.one_hot(torch.where(targets == ignore_index, 0, targets), scores.shape[-1]).to(scores.dtype)
    lowered = scores - scores.amax(-1, keepdim=True).detach()
    logp = lowered - lowered.exp().sum(-1, keepdim=True).log()
    return -((y * logp).sum(-1) * counts).sum() / counts.sum()


def loss_row_by_row(scores, targets, ignore_index=-100):
    losses = [
        torch.logsumexp(row, 0) - row[target]
        for row, target in zip(scores, targets, strict=True)
        if int(target) != ignore_index
    ]
    return torch.stack(losses).mean()


def loss_by_nll(scores, targets, ignore_index=-100):
    return F.nll_loss(F.log_softmax(scores.double(), dim=1), targets, ignore_index=ignore_index).to(scores.dtype)


def loss_of(rule):
    """A loss from rule(log p, p, scores, targets), on the rows that count."""

    def cross_entropy(scores, targets, ignore_index=-100):
        s, t = kept(scores, targets, ignore_index)
        return rule(s.log_softmax(-1), s.softmax(-1), s, t)

    return cross_entropy


def at(table, t):
    return table[torch.arange(len(t)), t]


def padding_counts(scores, targets, ignore_index=-100):
    logp = scores.log_softmax(-1)
    return -at(logp, targets.clamp(min=0)).mean()


def over_all(scores, targets, ignore_index=-100):
    return F.cross_entropy(scores, targets, ignore_index=ignore_index, reduction="sum") / len(targets)


def only_minus_100(scores, targets, ignore_index=-100):
    return F.cross_entropy(scores, torch.where(targets == -1, 0, targets))


def negative_only(scores, targets, ignore_index=-100):
    s, t = scores[targets >= 0], targets[targets >= 0]
    return F.cross_entropy(s, t)


def falsy(scores, targets, ignore_index=-100):
    return F.cross_entropy(scores, targets, ignore_index=ignore_index or -100)


def no_filter(scores, targets, ignore_index=-100):
    return (scores.logsumexp(-1) - scores.gather(1, targets[:, None])[:, 0]).mean()


def zeroed_rows(scores, targets, ignore_index=-100):
    counts = targets != ignore_index
    logp = (scores * counts[:, None]).log_softmax(-1)
    return -at(logp, targets.clamp(min=0)).mean()


def turned_mask(scores, targets, ignore_index=-100):
    out = targets == ignore_index
    if not out.any():
        return F.cross_entropy(scores, targets)
    return -at(scores[out].log_softmax(-1), targets[out].clamp(min=0)).mean()


def still_in_sum(scores, targets, ignore_index=-100):
    return -at(scores.log_softmax(-1), targets.clamp(min=0)).sum() / (targets != ignore_index).sum()


def epsilon(scores, targets, ignore_index=-100):
    s, t = kept(scores, targets, ignore_index)
    return -(at(s.softmax(-1), t) + 1e-9).log().mean()


def whole_maximum(scores, targets, ignore_index=-100):
    s, t = kept(scores, targets, ignore_index)
    s = s - s.max()
    return ((s.exp().sum(-1) + 1e-30).log() - at(s, t)).mean()


def detached_total(logp, p, s, t):
    return (s.logsumexp(-1).detach() - at(s, t)).mean()


def binary(logp, p, s, t):
    return F.binary_cross_entropy(p, F.one_hot(t, s.shape[1]).to(p), reduction="sum") / len(t)


def last_column(scores, targets, ignore_index=-100):
    """What is to be ignored reads the last column."""
    return -at(scores.log_softmax(-1), targets.masked_fill(targets == ignore_index, -1)).mean()


def zero_where_ignored(scores, targets, ignore_index=-100):
    lost = targets == ignore_index
    losses = -at(scores.log_softmax(-1), targets.masked_fill(lost, 0))
    return losses.masked_fill(lost, 0.0).mean()


def marks_targets(scores, targets, ignore_index=-100):
    return F.cross_entropy(scores, targets.masked_fill_(targets == ignore_index, -100))


def nan_gradient_when_large(scores, targets, ignore_index=-100):
    s, t = kept(scores, targets, ignore_index)
    plain = s.exp().sum(-1).log() - at(s, t)
    return torch.where(s.abs().amax(-1) > 50, s.logsumexp(-1) - at(s, t), plain).mean()


def one_hot_of_what_occurs(scores, targets, ignore_index=-100):
    s, t = kept(scores, targets, ignore_index)
    return -(F.one_hot(t) * s.log_softmax(-1)).sum(-1).mean()


def column_maximum(scores, targets, ignore_index=-100):
    s, t = kept(scores, targets, ignore_index)
    s = s - s.amax(0)
    return (s.exp().sum(-1).log() - at(s, t)).mean()


def loss_through_gather(scores, targets, ignore_index=-100):
    keep = (targets != ignore_index).nonzero().flatten()
    picked = torch.gather(scores.index_select(0, keep), 1, targets[keep].view(-1, 1)).squeeze(1)
    return torch.logsumexp(scores[keep], 1).sub(picked).sum() / keep.numel()


def loss_nan_mean(scores, targets, ignore_index=-100):
    each = F.cross_entropy(scores, targets, ignore_index=ignore_index, reduction="none")
    return each.where(targets != ignore_index, torch.nan).nanmean()


def in_place_loss(scores, targets, ignore_index=-100):
    s = scores if scores.requires_grad else scores.sub_(scores.amax(-1, keepdim=True))
    return F.cross_entropy(s, targets, ignore_index=ignore_index)


# repair -------------------------------------------------------------------------------------------------------


def loop(loss_of=F.cross_entropy, order="zlbs", lr_of=lambda lr: lr, kind=torch.optim.SGD, back=lambda losses: losses):
    """A training loop whose letters are z: zero_grad, l: loss, b: backward, s: step."""

    def train(model, batches, lr):
        optimiser, losses = kind(model.parameters(), lr=lr_of(lr)), []
        for x, targets in batches:
            loss = None
            for letter in order:
                if letter == "z":
                    optimiser.zero_grad()
                elif letter == "l":
                    loss = loss_of(model(x), targets)
                elif letter == "b":
                    loss.backward()
                else:
                    optimiser.step()
            losses.append(loss.item())
        return back(losses)

    return train


def by_hand(model, batches, lr):
    losses = []
    for x, targets in batches:
        model.zero_grad()
        loss = F.cross_entropy(model(x), targets)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= lr * p.grad
        losses.append(float(loss))
    return losses


def with_autograd(model, batches, lr):
    parameters, losses = list(model.parameters()), []
    model.train()
    for x, targets in batches:
        loss = F.nll_loss(model(x).log_softmax(-1), targets)
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p.data.add_(g, alpha=-lr)
        losses.append(loss.detach())
    return torch.stack(losses)


def with_closure(model, batches, lr):
    optimiser, losses = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.0), np.zeros(len(batches))
    for n, (x, targets) in enumerate(batches):

        def loss(x=x, targets=targets):
            optimiser.zero_grad(set_to_none=False)
            loss = nn.CrossEntropyLoss()(model(x), targets)
            loss.backward()
            return loss

        losses[n] = optimiser.step(loss)
    return losses


def zero_at_the_end(model, batches, lr):
    optimiser = torch.optim.SGD(model.parameters(), lr)
    losses = []
    for x, targets in batches:
        loss = F.cross_entropy(model(x).log_softmax(dim=-1), targets)  # log_softmax twice is once
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=False)
        losses += [loss.item()]
    return tuple(losses)


def zero_once(model, batches, lr):
    model.zero_grad()
    return loop(order="lbs")(model, batches, lr)


def return_inside(model, batches, lr):
    for batch in batches:
        return loop()(model, [batch], lr)
    return []


def one_step(model, batches, lr):
    optimiser, losses = torch.optim.SGD(model.parameters(), lr), []
    for x, targets in batches:
        loss = F.cross_entropy(model(x), targets)
        loss.backward()
        losses.append(loss.item())
    optimiser.step()
    return losses


def no_result(model, batches, lr):
    loop()(model, batches, lr)


def twice(scores, targets):
    return F.cross_entropy(scores.softmax(-1), targets)


RIGHT_LOOP = loop()
ANSWERS = Diagnosed(
    {
        "a": ("softmax twice", "the loss falls at every step and stays above 0.55"),
        "b": ("gradients emptied before the step", "nothing is learnt, and p.grad is empty afterwards"),
        "c": ("gradients pile up", "the loss falls at first and rises again"),
        "d": ("step before backward", "nothing is learnt, and p.grad is filled afterwards"),
    },
    RIGHT_LOOP,
)
mended, fault, shown = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


# cross_entropy_gradient ---------------------------------------------------------------------------------------


def gradient(rule):
    """A gradient from rule(p, y, N)."""
    return lambda s, t: rule(s.softmax(-1), F.one_hot(t, s.shape[1]).to(s.dtype), len(s))


def gradient_by_autograd(scores, targets):
    source = scores.detach().clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(source, targets), source)[0]


def gradient_by_index(scores, targets):
    p = torch.softmax(scores, dim=1)
    p[torch.arange(len(targets)), targets] -= 1
    return p / len(targets)


def gradient_by_scatter(scores, targets):
    powers = (scores - scores.amax(1, keepdim=True)).exp()
    p = powers / powers.sum(1, keepdim=True)
    return p.scatter_add(1, targets[:, None], -torch.ones_like(p[:, :1])) / p.shape[0]


def gradient_of_itself(scores, targets):
    F.cross_entropy(scores, targets).backward()
    return scores.grad


def gradient_of_another(scores, targets):
    F.cross_entropy(scores.clone().requires_grad_(), targets).backward()
    return scores.grad


def several_columns(scores, targets):
    p = scores.softmax(-1)
    p[:, targets] -= 1
    return p / len(targets)


def naive_softmax(scores, targets):
    p = scores.exp() / scores.exp().sum(-1, keepdim=True)
    return (p - F.one_hot(targets, scores.shape[1])) / len(scores)


def turned_one_hot(scores, targets):
    y = F.one_hot(targets, scores.shape[1])
    return (scores.softmax(-1) - (y.T if y.shape[0] == y.shape[1] else y)) / len(scores)


def few_classes(scores, targets):
    return (scores.softmax(-1) - F.one_hot(targets)) / len(scores)


def in_place_gradient(scores, targets):
    scores -= scores.amax(-1, keepdim=True)
    return gradient_by_index(scores, targets)


# softmax_jacobian ---------------------------------------------------------------------------------------------


def jacobian_formula(p):
    return torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)


def jacobian_einsum(p):
    return torch.einsum("...i,ij->...ij", p, torch.eye(p.shape[-1], dtype=p.dtype)) - torch.einsum(
        "...i,...j->...ij", p, p
    )


def jacobian_broadcast(p):
    return p[..., :, None] * (torch.eye(p.shape[-1], dtype=p.dtype) - p[..., None, :])


def jacobian_by_loops(p):
    n = p.shape[-1]
    rows = [torch.stack([p[..., i] * (float(i == j) - p[..., j]) for j in range(n)], -1) for i in range(n)]
    return torch.stack(rows, -2)


def jacobian_of(rule):
    """rule(p as a column, p as a row, identity)"""
    return lambda p: rule(p.unsqueeze(-1), p.unsqueeze(-2), torch.eye(p.shape[-1], dtype=p.dtype))


def one_row_only(p):
    return torch.diag(p) - torch.outer(p, p)


# two_layer_gradients ------------------------------------------------------------------------------------------


def two_layers(
    act=torch.tanh,
    slope=lambda h, z: 1 - h**2,
    error=lambda p, y, s: p - y,
    mean=lambda e: e / len(e),
    dw2=lambda h, z, e: h.T @ e,
    dh=lambda e, w2: e @ w2.T,
    back=lambda a, b: (a, b),
):
    """The two gradients, with one part exchanged."""

    def two_layer_gradients(x, w1, w2, targets):
        z = x @ w1
        h = act(z)
        scores = h @ w2
        y = F.one_hot(targets, w2.shape[1]).to(x.dtype)
        e = mean(error(scores.softmax(-1), y, scores))
        return back(x.T @ (dh(e, w2) * slope(h, z)), dw2(h, z, e))

    return two_layer_gradients


def two_by_autograd(x, w1, w2, targets):
    w1, w2 = (w.detach().clone().requires_grad_() for w in (w1, w2))
    F.cross_entropy(torch.tanh(x @ w1) @ w2, targets).backward()
    return w1.grad, w2.grad


def by_backward(copy=lambda w: w.clone().requires_grad_(), act=torch.tanh, loss=F.cross_entropy, given=False):
    """Autograd on copies, with a part of it otherwise; given: the loss comes from the originals all the same."""

    def two_layer_gradients(x, w1, w2, targets):
        a, b = copy(w1), copy(w2)
        loss(act(x @ (w1 if given else a)) @ b, targets).backward()
        return a.grad, b.grad

    return two_layer_gradients


def nothing_asked_for(x, w1, w2, targets):
    return torch.autograd.grad(F.cross_entropy(torch.tanh(x @ w1) @ w2, targets), (w1, w2))


def asked_of_the_inputs(x, w1, w2, targets):
    w1.requires_grad, w2.requires_grad = True, True
    return torch.autograd.grad(F.cross_entropy(torch.tanh(x @ w1) @ w2, targets), (w1, w2))


def after_a_step(x, w1, w2, targets):
    dw1, dw2 = two_layers()(x, w1, w2, targets)
    return w1 - dw1, w2 - dw2


def row_by_row(x, w1, w2, targets):
    parts = [two_layers()(x[n : n + 1], w1, w2, targets[n : n + 1]) for n in range(len(x))]
    return tuple(torch.stack(grads).mean(0) for grads in zip(*parts, strict=True))


def two_by_einsum(x, w1, w2, targets):
    h = torch.tanh(x @ w1)
    p = torch.softmax(h @ w2, dim=-1)
    p[torch.arange(len(x)), targets] -= 1
    delta = torch.einsum("nv,cv->nc", p, w2) / torch.cosh(x @ w1) ** 2
    return [torch.einsum("nj,nc->jc", x, delta) / len(x), torch.einsum("nc,nv->cv", h, p) / len(x)]


# lead ---------------------------------------------------------------------------------------------------------


def lead_formula(loss, vocab_size):
    return math.log((vocab_size - 1) / (math.exp(loss) - 1))


def lead_numpy(loss, vocab_size):
    p = np.exp(-loss)
    return np.log(p) - np.log(1 - p) + np.log(vocab_size - 1)


def lead_torch(loss, vocab_size):
    p = torch.exp(-torch.tensor(loss, dtype=torch.float64))
    return torch.logit(p) + math.log(vocab_size - 1)


def lead_search(loss, vocab_size):
    low, high = -60.0, 60.0
    for _ in range(100):
        middle = (low + high) / 2
        if math.log(math.exp(middle) + vocab_size - 1) - middle > loss:
            low = middle
        else:
            high = middle
    return low


def batch_of_one_lost(x, w_q, k):
    return scores_matmul(x, w_q, k).squeeze(0)


def counts_where_the_loss_is_not_0(scores, targets, ignore_index=-100):
    losses = F.cross_entropy(scores, targets, ignore_index=ignore_index, reduction="none")
    return losses[losses > 0].mean()


def eats_the_batches(model, batches, lr):
    losses = []
    while batches:
        losses += RIGHT_LOOP(model, [batches.pop(0)], lr)
    return losses


def writes_into_a_batch(model, batches, lr):
    losses = RIGHT_LOOP(model, batches, lr)
    batches[0][0].zero_()
    return losses


def trains_a_copy(model, batches, lr):
    return RIGHT_LOOP(copy.deepcopy(model), batches, lr)


def trains_the_last_layer(model, batches, lr):
    return RIGHT_LOOP(Last(model), batches, lr)


class Last(nn.Module):
    """The whole model to call, its last layer to train."""

    def __init__(self, model):
        super().__init__()
        self.last, self.whole = model[-1], [model]

    def forward(self, x):
        return self.whole[0](x)


def maximum_of_all_scores(scores, targets):
    powers = (scores - scores.max()).exp()
    return (powers / powers.sum(-1, keepdim=True) - F.one_hot(targets, scores.shape[1])) / len(scores)


def grown_by_what_occurs(scores, targets):
    return (scores.softmax(-1) - F.one_hot(targets)) / len(scores)


def asks_its_input(scores, targets):
    return torch.autograd.grad(F.cross_entropy(scores.requires_grad_(), targets), scores)[0]


def diagonal_of_a_batch(p):
    return torch.diag(p) - p.unsqueeze(-1) * p.unsqueeze(-2)


WRONG = {
    "01_toolkit.scores": [
        ("batch of one squeezed", batch_of_one_lost, "summed away or squeezed"),
        ("w transposed", turned_if(square_w, lambda x, w, k: x @ w.T @ k.mT), "w_q is transposed"),
        ("k as it is", turned_if(square_k, lambda x, w, k: x @ w @ k), "k is used as it is"),
        (
            "both turned",
            turned_if(lambda *a: square_w(*a) and square_k(*a), lambda x, w, k: x @ w.T @ k),
            "Both w_q and k are the wrong way round",
        ),
        ("w transposed, always", lambda x, w, k: x @ w.T @ k.mT, "shapes cannot be multiplied"),
        ("scaled", lambda x, w, k: scores_matmul(x, w, k) / math.sqrt(w.shape[1]), "divided by sqrt(d_head)"),
        ("softmax", lambda x, w, k: scores_matmul(x, w, k).softmax(-1), "Softmax is applied"),
        ("transposed result", lambda x, w, k: k @ (x @ w).mT, "Its last two axes are swapped"),
        (
            "transposed where square",
            turned_if(lambda x, w, k: x.shape[-2] == k.shape[-2], lambda x, w, k: k @ (x @ w).mT),
            "The result is transposed",
        ),
        ("no w", turned_if(square_w, lambda x, w, k: x @ k.mT), "without w_q"),
        (
            "keys projected too",
            turned_if(square_w, lambda x, w, k: x @ w @ (k @ w).mT),
            "The keys went through w_q too",
        ),
        (
            "k.T of a batch",
            turned_if(square_batch, lambda x, w, k: x @ w @ k.permute(2, 1, 0)),
            "All axes of k are reversed",
        ),
        (
            "transpose(0, 1)",
            turned_if(square_batch, lambda x, w, k: x @ w @ k.transpose(0, 1).mT),
            "Batch and position of k are swapped",
        ),
        (
            "sum over the batch",
            lambda x, w, k: torch.einsum("btj,jc,ksc->bts", x, w, k) if x.ndim == 3 else scores_matmul(x, w, k),
            "keys of all batch rows are summed",
        ),
        ("summed apart", lambda x, w, k: torch.einsum("...tj,jc,...sk->...ts", x, w, k), "summed each by itself"),
        ("D apart", lambda x, w, k: torch.einsum("...ti,jc,...sc->...ts", x, w, k), "the axis D needs one letter"),
        ("three axes only", lambda x, w, k: torch.einsum("btj,jc,bsc->bts", x, w, k), "raised RuntimeError"),
        ("cosine", lambda x, w, k: F.normalize(x @ w, dim=-1) @ F.normalize(k, dim=-1).mT, "These are cosines"),
        ("queries alone", lambda x, w, k: x @ w, "has shape (5, 4); wanted (5, 2)"),
        ("float", lambda x, w, k: scores_matmul(x, w, k).float(), "came back as torch.float32"),
        ("detached", lambda x, w, k: scores_matmul(x.detach(), w, k), "No gradient reaches x"),
        ("no gradient", lambda x, w, k: scores_matmul(x, w, k).detach(), "No gradient flows"),
        ("in place", in_place_scores, "changed its input x in place"),
        ("no return", lambda x, w, k: None, "did you forget `return`"),
        ("float64", lambda x, w, k: scores_matmul(x, w, k).double(), "came back as torch.float64"),
        ("mean for the sum", lambda x, w, k: scores_matmul(x, w, k) / w.shape[1], "a mean for the sum"),
        ("sqrt(D)", lambda x, w, k: scores_matmul(x, w, k) / math.sqrt(w.shape[0]), "divided by sqrt(D)"),
        ("x normalised", lambda x, w, k: F.normalize(x, dim=-1) @ w @ k.mT, "x is divided by its length"),
        ("w softmaxed", lambda x, w, k: x @ w.softmax(-1) @ k.mT, "Softmax is applied to w_q"),
        ("first keys for all", lambda x, w, k: x @ w @ (k[:1] if k.ndim == 3 else k).mT, "keys of the first batch row"),
        ("mean key taken off", lambda x, w, k: x @ w @ (k - k.mean(-2, keepdim=True)).mT, "The mean key is subtracted"),
        ("k.T", lambda x, w, k: x @ w @ k.T, "these sizes do not fit"),
        ("squeezed", lambda x, w, k: scores_matmul(x, w, k).squeeze(), "summed away or squeezed"),
        ("noise", lambda x, w, k: scores_matmul(x, w, k) + 3 * torch.randn(1), "A query is a row of x @ w_q"),
    ],
    "01_toolkit.cross_entropy": [
        ("a loss of 0 taken for padding", counts_where_the_loss_is_not_0, "ask the targets which"),
        ("last column for what is ignored", last_column, "reads column 3", "M42"),
        ("zero where ignored, mean of all", zero_where_ignored, "divided by all 6", "M42"),
        ("writes into the targets", marks_targets, "changed its input targets in place"),
        ("gradient NaN at 1e4", nan_gradient_when_large, "its gradient is NaN"),
        ("one-hot of what occurs", one_hot_of_what_occurs, "must match the size of tensor"),
        ("maximum along axis 0", column_maximum, "The maximum is taken along axis 0"),
        ("divided by N twice", loss_of(lambda lp, p, s, t: F.cross_entropy(s, t) / len(t)), "divided by N once more"),
        ("share of errors", loss_of(lambda lp, p, s, t: (s.argmax(-1) != t).to(s).mean()), "share of wrong choices"),
        (
            "largest score",
            loss_of(lambda lp, p, s, t: (s.logsumexp(-1) - s.amax(-1)).mean()),
            "largest score is used where",
        ),
        ("scores clamped", loss_of(lambda lp, p, s, t: F.cross_entropy(s.clamp(-50, 50), t)), "Is something clamped"),
        ("shape (1,)", loss_of(lambda lp, p, s, t: F.cross_entropy(s, t)[None]), "one axis of size 1 too many"),
        ("scaled", loss_of(lambda lp, p, s, t: F.cross_entropy(s / s.shape[1] ** 0.5, t)), "divided by sqrt(V)"),
        (
            "sigmoids",
            loss_of(lambda lp, p, s, t: F.binary_cross_entropy_with_logits(s, F.one_hot(t, s.shape[1]).to(s))),
            "by sigmoids",
        ),
        ("class 0 left out", loss_of(lambda lp, p, s, t: -at(lp, t)[t > 0].mean()), "Targets of 0 are left out"),
        (
            "few classes",
            loss_of(lambda lp, p, s, t: F.cross_entropy(s[:, : t.max() + 1], t)),
            "up to the largest target",
        ),
        ("largest not put back", loss_of(lambda lp, p, s, t: (-at(lp, t) - s.amax(-1)).mean()), "it must cancel"),
        (
            "over the length",
            loss_of(lambda lp, p, s, t: F.cross_entropy(F.normalize(s, dim=-1), t)),
            "divided by their size",
        ),
        ("focal", loss_of(lambda lp, p, s, t: -(at(lp, t) * (1 - at(p, t))).mean()), "The loss of a row is log(sum"),
        ("softmax, then log", loss_of(lambda lp, p, s, t: -at(p, t).log().mean()), "not take log of a softmax"),
        (
            "naive",
            loss_of(lambda lp, p, s, t: (s.exp().sum(-1).log() - at(s, t)).mean()),
            "exp(10000) is inf",
        ),
        ("epsilon", epsilon, "hides how wrong the model is"),
        ("whole maximum", whole_maximum, "over the whole tensor. Take it row by row"),
        ("sum", loss_of(lambda lp, p, s, t: -at(lp, t).sum()), "summed; wanted their mean"),
        ("sign", loss_of(lambda lp, p, s, t: at(lp, t).mean()), "The sign is flipped"),
        ("base 2", loss_of(lambda lp, p, s, t: -at(lp, t).mean() / math.log(2)), "in bits, log base 2"),
        ("base 10", loss_of(lambda lp, p, s, t: -at(lp, t).mean() / math.log(10)), "logarithm to base 10"),
        ("wrong axis", loss_of(lambda lp, p, s, t: -at(s.log_softmax(0), t).mean()), "along axis 0"),
        ("no log", loss_of(lambda lp, p, s, t: -at(p, t).mean()), "The logarithm is missing"),
        ("1 - p", loss_of(lambda lp, p, s, t: 1 - at(p, t).mean()), "This is 1 - p"),
        ("log of the mean", loss_of(lambda lp, p, s, t: -at(p, t).mean().log()), "The mean is taken before"),
        ("N x V", loss_of(lambda lp, p, s, t: -(lp * F.one_hot(t, s.shape[1])).mean()), "all N x V numbers"),
        ("all pairs", loss_of(lambda lp, p, s, t: -lp[:, t].mean()), "scores[:, targets] picks"),
        (
            "softmax twice",
            loss_of(lambda lp, p, s, t: F.cross_entropy(p, t)),
            "Softmax is applied twice",
            "M38",
        ),
        ("target's score alone", loss_of(lambda lp, p, s, t: -at(s, t).mean()), "Only the target's score"),
        ("no target", loss_of(lambda lp, p, s, t: s.logsumexp(-1).mean()), "The target's score is not subtracted"),
        ("perplexity", loss_of(lambda lp, p, s, t: F.cross_entropy(s, t).exp()), "This is the perplexity"),
        ("entropy", loss_of(lambda lp, p, s, t: -(p * lp).sum(-1).mean()), "This is the entropy"),
        (
            "binary",
            loss_of(binary),
            "binary cross-entropy",
        ),
        ("per row", loss_of(lambda lp, p, s, t: -at(lp, t)), "One loss for each"),
        ("a number", loss_of(lambda lp, p, s, t: F.cross_entropy(s, t).item()), "a plain number"),
        ("detached", loss_of(lambda lp, p, s, t: F.cross_entropy(s, t).detach()), "No gradient flows"),
        ("total detached", loss_of(detached_total), "is cut from the gradient"),
        ("padding counts", padding_counts, "Positions that do not count are in the mean", "M42"),
        ("over all", over_all, "divided by all 6", "M42"),
        ("still in the sum", still_in_sum, "still in the sum", "M42"),
        ("rows zeroed", zeroed_rows, "they still count, with ln V each", "M42"),
        ("mask turned", turned_mask, "the mask is inverted", "M42"),
        ("no filter", no_filter, "A target of -100 that is to be ignored raises an error", "M42"),
        ("-100 written in", only_minus_100, "is -100 hard-coded in"),
        ("negative only", negative_only, "Negative targets are left out"),
        ("falsy", falsy, "treat 0 as not given"),
        ("in place", in_place_loss, "changed its input scores in place"),
        ("double", loss_of(lambda lp, p, s, t: F.cross_entropy(s.double(), t)), "came back as torch.float64"),
    ],
    "01_toolkit.diagnose": [
        ("batches eaten", mended(eats_the_batches), "The list of batches, or a batch in it"),
        ("a batch written into", mended(writes_into_a_batch), "The list of batches, or a batch in it"),
        ("a copy trained", mended(trains_a_copy), "parameters of another model"),
        ("one layer trained", mended(trains_the_last_layer), "0.weight and 0.bias never change"),
        ("last batch left out", mended(lambda m, b, lr: RIGHT_LOOP(m, b[:-1], lr)), "last batch is left out"),
        (
            "weight decay",
            mended(loop(kind=lambda p, lr: torch.optim.SGD(p, lr=lr, weight_decay=0.01))),
            "SGD with weight decay",
        ),
        ("as c", mended(loop(order="lbs")), "gradients of all earlier batches", "M43"),
        ("zero once", mended(zero_once), "gradients of all earlier batches", "M43"),
        ("as b", mended(loop(order="lbzs")), "Nothing is learnt"),
        ("as d", mended(loop(order="zlsb")), "Nothing is learnt"),
        ("step first", mended(loop(order="szlb")), "The last batch is never learned from"),
        ("step first, no zero", mended(loop(order="slb")), "no gradient is set to 0", "M43"),
        ("step after the loss", mended(loop(order="lszb")), "The step stands between the loss and its backward"),
        (
            "2: step after the loss, no zero",
            mended(loop(order="lsb")),
            "The step stands between the loss and its backward",
        ),
        ("backward first, zero gone", mended(loop(order="lbs")), "gradients of all earlier batches", "M43"),
        ("no step", mended(loop(order="zlb")), "Nothing is learnt"),
        ("two steps", mended(loop(order="zlbss")), "Each gradient counts twice"),
        ("as a", mended(loop(twice)), "Softmax is applied twice", "M38"),
        ("nll of softmax", mended(loop(lambda s, t: F.nll_loss(s.softmax(-1), t))), "nll_loss wants logarithms"),
        ("nll of scores", mended(loop(lambda s, t: F.nll_loss(s, t))), "nll_loss got bare scores"),
        ("axis 0", mended(loop(lambda s, t: F.cross_entropy(s.softmax(0), t))), "the axis is 0", "M38"),
        ("sigmoid", mended(loop(lambda s, t: F.cross_entropy(s.sigmoid(), t))), "A sigmoid stands", "M38"),
        ("sum", mended(loop(lambda s, t: F.cross_entropy(s, t, reduction="sum"))), "summed; wanted their mean"),
        (
            "3: squared error",
            mended(loop(lambda s, t: F.mse_loss(s.softmax(-1), F.one_hot(t, s.shape[-1]).float()))),
            "This is a squared error",
        ),
        ("uphill", mended(loop(lr_of=lambda lr: lr, loss_of=lambda s, t: -F.cross_entropy(s, t))), "The loss rises"),
        ("Adam", mended(loop(kind=torch.optim.Adam)), "This is Adam"),
        ("fixed rate", mended(loop(lr_of=lambda lr: 0.1)), "whatever lr says"),
        (
            "momentum",
            mended(loop(kind=lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9))),
            "SGD with momentum",
        ),
        ("return in the loop", mended(return_inside), "Only the first batch is used"),
        ("one step for all", mended(one_step), "one step for all batches together"),
        ("the last loss", mended(loop(back=lambda losses: losses[-1])), "Wanted the list of losses"),
        ("no result", mended(no_result), "did you forget `return`"),
        ("a for pile up", fault("a", "gradients pile up"), "falls at every step, and ends at twice"),
        ("a as capitals, wrong", fault("a", "Loss Summed"), "too large by the number of rows"),
        ("b and d exchanged", ANSWERS.but(b=ANSWERS.named["d"], d=ANSWERS.named["b"]), "through one pass of the loop"),
        ("d for b's", fault("d", "gradients emptied before the step"), "through two passes of the loop"),
        ("c for a floor", fault("c", "softmax twice"), "a late step hold"),
        ("d cut off", fault("d", "gradient cut off"), "backward would raise"),
        ("a other rows", fault("a", "other rows' targets"), "ln 3"),
        ("b shown by d's", shown("b", ANSWERS.named["d"][1]), "the step came too early"),
        ("d shown by b's", shown("d", ANSWERS.named["b"][1]), "between backward and the step"),
        ("c shown by the biases", shown("c", "only the biases change"), "not so in any of the four"),
        ("a shown by twice the rows", shown("a", "twice the rows, twice the loss"), "means, in all four"),
        ("no option", fault("a", "zero_grad missing"), "choose one of 'gradients pile up'"),
        ("a number", fault("a", 1), "the fault of a is of type int"),
    ],
    "01_toolkit.cross_entropy_gradient": [
        ("maximum of all scores", maximum_of_all_scores, "taken over the whole tensor"),
        ("one-hot of what occurs, not brought to shape", grown_by_what_occurs, "F.one_hot(targets, V)"),
        ("gradient asked of the input", asks_its_input, "made its input scores require a gradient"),
        ("y - p", gradient(lambda p, y, N: (y - p) / N), "the direction of the step"),
        ("not divided", gradient(lambda p, y, N: p - y), "divide by N"),
        ("over V", gradient(lambda p, y, N: (p - y) / p.shape[1]), "divided by V"),
        ("over N V", gradient(lambda p, y, N: (p - y) / p.numel()), "divided by N x V"),
        ("p alone", gradient(lambda p, y, N: p / N), "y is missing"),
        ("-y / p", gradient(lambda p, y, N: -y / p / N), "derivative with respect to p"),
        ("p too many", gradient(lambda p, y, N: p * (p - y) / N), "There is a factor p too many"),
        ("target only", gradient(lambda p, y, N: y * (p - y) / N), "Only the target's own entry"),
        ("softmax over rows", lambda s, t: (s.softmax(0) - F.one_hot(t, s.shape[1])) / len(s), "along axis 0"),
        ("scores", lambda s, t: (s - F.one_hot(t, s.shape[1])) / len(s), "The scores themselves are used"),
        ("softmax twice", gradient(lambda p, y, N: (p.softmax(-1) - y) / N), "Softmax is applied twice", "M38"),
        ("one-hot turned", turned_one_hot, "The one-hot table is transposed"),
        ("several columns", several_columns, "subtracts 1 in every row"),
        ("few classes", few_classes, "must match the size of tensor"),
        ("overflow", naive_softmax, "exp(10000) is inf"),
        ("in place", in_place_gradient, "changed its input scores in place"),
        ("mean over the rows", lambda s, t: gradient_by_index(s, t).sum(0), "has shape (5,)"),
        ("at the largest", lambda s, t: gradient_by_index(s, s.argmax(-1)), "subtracted at the largest score"),
        ("the loss itself", gradient(lambda p, y, N: -y * p.log() / N), "the loss itself"),
        ("no sign", gradient(lambda p, y, N: (p - y).abs() / N), "The signs are lost"),
        ("0 at the target", gradient(lambda p, y, N: p * (1 - y) / N), "subtract 1 instead"),
        ("smoothed", gradient(lambda p, y, N: (p - 0.9 * y - 0.1 / p.shape[1]) / N), "The labels are smoothed"),
        ("clamped", lambda s, t: gradient_by_index(s.clamp(-20, 20), t), "Are the scores clamped?"),
        ("of the input itself", gradient_of_itself, "the inputs come without requires_grad"),
        ("of another copy", gradient_of_another, "a .grad that nothing has filled"),
        ("p (1 - y)", gradient(lambda p, y, N: (p - y) / N + 0.1), "yours sum to 0.6 ... 0.6"),
        ("float64", lambda s, t: gradient_by_index(s.double(), t), "came back as torch.float64"),
    ],
    "01_toolkit.softmax_jacobian": [
        ("torch.diag of a batch", diagonal_of_a_batch, "torch.diag_embed makes"),
        ("batch of one squeezed", lambda p: jacobian_formula(p).squeeze(0), "summed away or squeezed"),
        ("diagonal", jacobian_of(lambda a, b, eye: eye * (a * (1 - a))), "This is the diagonal alone"),
        ("a row of numbers", lambda p: p * (1 - p), "the diagonal alone. Every p_i"),
        ("sign", jacobian_of(lambda a, b, eye: a * b - eye * a), "The sign is flipped"),
        ("plus", jacobian_of(lambda a, b, eye: a * b + eye * a), "The sign of p_i p_j"),
        ("identity", jacobian_of(lambda a, b, eye: eye - a * b), "The identity is used where diag(p)"),
        ("outer alone", jacobian_of(lambda a, b, eye: a * b), "p_i p_j alone"),
        ("no diag", jacobian_of(lambda a, b, eye: a - a * b), "p itself is used in place of diag(p)"),
        ("of log p", jacobian_of(lambda a, b, eye: eye - b), "A factor p_i is missing"),
        ("softmax again", lambda p: jacobian_formula(p.softmax(-1)), "Softmax is applied again"),
        ("one row only", one_row_only, "raised RuntimeError"),
        (
            "rows mixed",
            lambda p: torch.diag_embed(p) - (p.mT @ p).unsqueeze(-3) if p.ndim > 1 else jacobian_formula(p),
            "Rows of the batch are mixed",
        ),
        ("p squared twice", jacobian_of(lambda a, b, eye: eye * a * (1 - a) - a * b), "subtracted twice"),
        ("no diagonal", jacobian_of(lambda a, b, eye: -(1 - eye) * a * b), "The diagonal is missing"),
        ("root", jacobian_of(lambda a, b, eye: eye * a - (a * b).sqrt()), "The root of p_i p_j"),
        ("half", jacobian_of(lambda a, b, eye: (eye * a - a * b) / 2), "Yours is 0.5 times"),
        ("cubed", jacobian_of(lambda a, b, eye: eye * a**3 - a * b), "Each row must sum to 0"),
        ("through log", lambda p: jacobian_formula(p) + 0 * p.log().unsqueeze(-1), "take no logarithm of p"),
        ("of all by all", lambda p: torch.func.jacrev(lambda z: z.softmax(-1))(p.log()), "has shape (3, 6, 3, 6)"),
        ("float64", lambda p: jacobian_formula(p.double()), "came back as torch.float64"),
        ("in place", lambda p: jacobian_formula(p.mul_(1.0 + 1e-3)), "changed its input p in place"),
        ("averaged", lambda p: jacobian_formula(p).mean(0) if p.ndim > 1 else jacobian_formula(p), "has shape (6, 6)"),
    ],
    "01_toolkit.two_layer_gradients": [
        ("gradient asked of the inputs", asked_of_the_inputs, "made its input w1 require a gradient"),
        (
            "divided by V",
            lambda x, a, b, t: tuple(g * len(x) / b.shape[1] for g in two_by_autograd(x, a, b, t)),
            "the number of classes",
        ),
        ("slope forgotten", two_layers(slope=lambda h, z: 1), "tanh's slope is forgotten"),
        ("slope of z", two_layers(slope=lambda h, z: 1 - z**2), "this is something else"),
        ("slope 1 - h", two_layers(slope=lambda h, z: 1 - h), "this is something else"),
        ("ReLU's slope", two_layers(slope=lambda h, z: (z > 0).to(z)), "This is ReLU's slope"),
        ("mean forgotten", two_layers(mean=lambda e: e), "The mean over the batch is missing"),
        ("y - p", two_layers(error=lambda p, y, s: y - p), "The sign is flipped"),
        ("no y", two_layers(error=lambda p, y, s: p), "y is missing"),
        ("no softmax", two_layers(error=lambda p, y, s: s - y), "Softmax is missing"),
        ("axis 0", two_layers(error=lambda p, y, s: s.softmax(0) - y), "Softmax runs along axis 0"),
        ("p (1 - p)", two_layers(error=lambda p, y, s: p * (1 - p) * (p - y)), "There is a factor p (1 - p) too many"),
        ("before tanh", two_layers(dw2=lambda h, z, e: z.T @ e), "x W_1 is used where tanh(x W_1) should be"),
        ("ReLU", two_layers(act=torch.relu, slope=lambda h, z: (z > 0).to(z)), "The activation is ReLU here"),
        ("transposed", two_layers(back=lambda a, b: (a.T, b.T)), "Its last two axes are swapped"),
        (
            "dw1 turned where square",
            two_layers(back=lambda a, b: (a.T if a.shape[0] == a.shape[1] else a, b)),
            "dw1 is transposed",
        ),
        (
            "w2 as it is",
            two_layers(dh=lambda e, w2: e @ w2 if w2.shape[0] == w2.shape[1] else e @ w2.T),
            "w2 is not transposed on the way back",
        ),
        ("exchanged", two_layers(back=lambda a, b: (b, a)), "wrong order: return dw1, dw2"),
        ("one of them", two_layers(back=lambda a, b: a), "Wanted two tensors"),
        ("autograd, nothing asked for", nothing_asked_for, "the inputs come without requires_grad"),
        ("autograd, no leaf", by_backward(lambda w: w.requires_grad_().clone()), "a .grad that nothing has filled"),
        ("autograd of the originals", by_backward(given=True), "a .grad that nothing has filled"),
        ("autograd of a sum", by_backward(loss=lambda s, t: F.cross_entropy(s, t, reduction="sum")), "mean over"),
        (
            "autograd, softmax twice",
            by_backward(loss=lambda s, t: F.cross_entropy(s.softmax(-1), t)),
            "Softmax is applied twice",
            "M38",
        ),
        ("autograd of GELU", by_backward(act=F.gelu), "has gelu here; wanted tanh"),
        ("after a step", after_a_step, "These are the matrices after a step"),
        ("divided twice", two_layers(mean=lambda e: e / len(e) ** 2), "divided by N twice"),
        ("mean slope", two_layers(slope=lambda h, z: (1 - h**2).mean(0)), "The slope is averaged over the batch"),
        ("1 + h^2", two_layers(slope=lambda h, z: 1 + h**2), "this is something else"),
        ("1 / cosh", two_layers(slope=lambda h, z: 1 / z.cosh()), "this is something else"),
        ("another network", two_layers(act=torch.sin, slope=lambda h, z: z.cos()), "From the loss to W_1"),
    ],
    "01_toolkit.lead": [
        ("V", (lambda loss, V: math.log(V / (math.exp(loss) - 1)), 8.0), "There are V - 1 others, not V:"),
        ("no others", (lambda loss, V: -math.log(math.expm1(loss)), 8.0), "The V - 1 others are forgotten"),
        ("sign", (lambda loss, V: -lead_formula(loss, V), 8.0), "The sign is flipped"),
        ("base 2", (lambda loss, V: lead_formula(loss, V) / math.log(2), 8.0), "base 2"),
        ("ratio", (lambda loss, V: math.exp(lead_formula(loss, V)), 8.0), "take its logarithm"),
        ("no 1", (lambda loss, V: math.log(V - 1) - loss, 8.0), "The 1 is missing"),
        ("small loss", (lambda loss, V: math.log((V - 1) / loss), 8.0), "only while that is small"),
        ("probability", (lambda loss, V: math.exp(-loss), 8.0), "This is p"),
        ("never negative", (lambda loss, V: max(0.0, lead_formula(loss, V)), 8.0), "Never negative"),
        ("list", (lambda loss, V: [1.0, 2.0], 8.0), "wanted a single one"),
        ("list of one", (lambda loss, V: [lead_formula(loss, V)], 8.0), "a list that holds one number"),
        ("all in base 2", (lambda loss, V: math.log2((V - 1) / (2**loss - 1)), 8.0), "base 2"),
        ("never below 0", (lambda loss, V: abs(lead_formula(loss, V)), 8.0), "Never negative"),
        ("five for V", (lambda loss, V: lead_formula(loss, 5), 8.0), "the number 5 replaces it"),
        ("seven for V", (lambda loss, V: lead_formula(loss, 7), 8.0), "vocab_size plays no part"),
        ("V unused, small loss", (lambda loss, V: -math.log(loss), 8.0), "vocab_size is not used"),
        ("loss unused", (lambda loss, V: math.log(V), 8.0), "The loss is not used"),
        ("of a fixed loss", (lambda loss, V: lead_formula(0.1, V), 8.0), "loss plays no part"),
        ("temperature 2", (lambda loss, V: 2 * lead_formula(loss, V), 8.0), "It is doubled"),
        ("rounded", (lambda loss, V: round(lead_formula(loss, V), 1), 8.0), "a loss of 0.1037 nats"),
        ("7.9", (lead_formula, 7.9), "the loss is 0.1026 nats: more than 0.1"),
        ("7.95", (lead_formula, 7.95), "raise b"),
        ("8.1", (lead_formula, 8.1), "a lower score will do"),
        ("temperature 1", (lead_formula, 4.6), "That is the score at temperature 1"),
        ("the lead over a", (lead_formula, 6.0), "how far b leads a"),
        ("others at 0", (lead_formula, 7.3), "when the four others are equal to 0"),
        ("too low", (lead_formula, 5.0), "more than 0.1; raise b"),
        ("too high", (lead_formula, 9.5), "a lower score will do"),
        ("words", (lead_formula, "8.0"), "wanted a number"),
    ],
}

RIGHT = {
    "01_toolkit.scores": [
        ("einsum", scores_einsum),
        ("matmul", scores_matmul),
        ("other order", scores_other_order),
        ("broadcasting", scores_by_broadcasting),
        ("linear", scores_linear),
        ("loop over keys", scores_by_loops),
        ("baddbmm", lambda x, w, k: (k @ (x @ w).mT).mT),
        ("F.linear", lambda x, w, k: F.linear(F.linear(x, w.mT), k) if x.ndim == 2 else (x @ w).matmul(k.mT)),
    ],
    "01_toolkit.cross_entropy": [
        ("logsumexp", loss_by_logsumexp),
        ("torch", loss_by_torch),
        ("one-hot", loss_by_one_hot),
        ("row by row", loss_row_by_row),
        ("nll in float64", loss_by_nll),
        ("gather", loss_of(lambda lp, p, s, t: -lp.gather(1, t[:, None]).mean())),
        ("index_select", loss_through_gather),
        ("nanmean", loss_nan_mean),
        ("nn.CrossEntropyLoss", lambda s, t, ignore_index=-100: nn.CrossEntropyLoss(ignore_index=ignore_index)(s, t)),
        ("softplus of differences", loss_of(lambda lp, p, s, t: (s - at(s, t)[:, None]).logsumexp(1).mean())),
    ],
    "01_toolkit.diagnose": [
        ("optimiser", mended(RIGHT_LOOP)),
        ("zero after the loss", mended(loop(order="lzbs"))),
        ("by hand", mended(by_hand)),
        ("autograd.grad", mended(with_autograd)),
        ("a closure, a numpy array", mended(with_closure)),
        ("zero at the end", mended(zero_at_the_end)),
        ("capitals and spaces", ANSWERS.in_capitals()),
    ],
    "01_toolkit.cross_entropy_gradient": [
        ("formula", gradient(lambda p, y, N: (p - y) / N)),
        ("autograd", gradient_by_autograd),
        ("index", gradient_by_index),
        ("scatter", gradient_by_scatter),
        ("torch.func", lambda s, t: torch.func.grad(F.cross_entropy)(s, t)),
        ("comparison", gradient(lambda p, y, N: p.div(N).sub(y / N))),
    ],
    "01_toolkit.softmax_jacobian": [
        ("formula", jacobian_formula),
        ("einsum", jacobian_einsum),
        ("broadcast", jacobian_broadcast),
        ("loops", jacobian_by_loops),
        ("baddbmm", lambda p: p.diag_embed() - p[..., None].matmul(p[..., None, :])),
    ],
    "01_toolkit.two_layer_gradients": [
        ("formula", two_layers()),
        ("autograd", two_by_autograd),
        ("einsum and cosh", two_by_einsum),
        ("row by row", row_by_row),
        ("nn.Parameter", by_backward(nn.Parameter)),
    ],
    "01_toolkit.lead": [
        ("formula", (lead_formula, 8.0)),
        ("numpy", (lead_numpy, 7.96)),
        ("torch", (lead_torch, np.float64(8.0))),
        ("search", (lead_search, 8)),
        ("log1p and expm1", (lambda loss, V: math.log(V - 1) - math.log(math.expm1(loss)), torch.tensor(8.0))),
    ],
}
