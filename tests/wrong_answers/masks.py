"""Lesson 03: answers to its exercises, wrong with the words their author must be told, and right."""

import math

import numpy as np
import torch
import torch.nn.functional as F

import transformer_lab as package
from diagnoses import Diagnosed

INF = float("inf")
CAUSAL, ATTENTION, DIAGNOSE, LEAKS, COMBINE, CONVERT, COUNT = (
    f"03_masks.{name}"
    for name in ("causal_mask", "masked_attention", "diagnose", "leaks", "combine", "convert", "count")
)
POINTS = {CAUSAL: 3, ATTENTION: 6, DIAGNOSE: 4, LEAKS: 4, COMBINE: 3, CONVERT: 3, COUNT: 3}
ONE_WAY = ()
MISCONCEPTIONS = ("M08", "M36")


# causal_mask --------------------------------------------------------------------------------------------------


def mask_tril(T, S):
    return torch.ones(T, S, dtype=torch.bool).tril(diagonal=S - T)


def mask_compared(T, S):
    return torch.arange(S)[None, :] <= torch.arange(S - T, S)[:, None]


def mask_triu(T, S):
    return ~torch.triu(torch.ones(T, S), diagonal=S - T + 1).bool()


def mask_cut(T, S):
    n = max(T, S)
    return torch.tril(torch.ones(n, n)).bool()[-T:, :S] if S >= T else mask_tril(T, S)


def mask_by_loops(T, S):
    return torch.tensor([[j <= i + S - T for j in range(S)] for i in range(T)])


def mask_from_inf(T, S):
    return torch.full((T, S), -INF).triu(S - T + 1) == 0


def tril(shift=0, top=False, invert=False):
    """A triangle that is shifted, starts top left, or is upside down."""

    def causal_mask(T, S):
        mask = torch.ones(T, S, dtype=torch.bool).tril((0 if top else S - T) + shift)
        return ~mask if invert else mask

    return causal_mask


def top_when_longer(T, S):
    return torch.ones(T, S, dtype=torch.bool).tril(max(S - T, 0))


def cached_keys_blocked(T, S):
    return mask_tril(T, S) & (torch.arange(S) >= S - T)


def first_key_for_empty_rows(T, S):
    mask = mask_tril(T, S)
    mask[~mask.any(-1), 0] = True
    return mask


def empty_rows_open(T, S):
    mask = mask_tril(T, S)
    return mask | ~mask.any(-1, keepdim=True)


def additive(T, S):
    return torch.zeros(T, S).masked_fill(~mask_tril(T, S), -INF)


# attention ----------------------------------------------------------------------------------------------------


def scores_of(q, k):
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


def attention_right(q, k, v, mask):
    weights = scores_of(q, k).masked_fill(~mask, -INF).softmax(-1)
    weights = weights.masked_fill(~mask.any(-1, keepdim=True), 0.0)
    return weights @ v, weights


def attention_where(q, k, v, mask):
    empty = ~mask.any(-1, keepdim=True)
    scores = torch.where(mask, scores_of(q, k), torch.tensor(-INF, dtype=q.dtype))
    weights = torch.where(empty, 0.0, torch.softmax(torch.where(empty, 0.0, scores), dim=-1))
    return weights @ v, weights


def attention_nan_to_num(q, k, v, mask):
    weights = scores_of(q, k).masked_fill(mask.logical_not(), -INF).softmax(-1).nan_to_num(0.0)
    return weights @ v, weights


def attention_finite(q, k, v, mask):
    weights = scores_of(q, k).masked_fill(~mask, torch.finfo(q.dtype).min).softmax(-1) * mask
    return weights @ v, weights


def attention_minus_1e9(q, k, v, mask):
    weights = F.softmax(scores_of(q, k).masked_fill(mask == 0, -1e9), -1).masked_fill(mask == 0, 0)
    return torch.matmul(weights, v), weights


def attention_by_hand(q, k, v, mask):
    scores = scores_of(q, k)
    scores = scores - scores.masked_fill(~mask, -INF).amax(-1, keepdim=True).clamp_min(-1e30).detach()
    powers = scores.masked_fill(~mask, -INF).exp()
    weights = powers / powers.sum(-1, keepdim=True).clamp_min(1e-30)
    return weights @ v, weights


def attention_renormalised(q, k, v, mask):
    weights = scores_of(q, k).softmax(-1) * mask
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-30)
    return weights @ v, weights


def attention_logsumexp(q, k, v, mask):
    scores = scores_of(q, k).masked_fill(~mask, -INF)
    total = scores.logsumexp(-1, keepdim=True)
    weights = (scores - total.masked_fill(total == -INF, 0.0)).exp()
    return weights @ v, weights


def attention_opened(q, k, v, mask):
    """A row without a key is opened, and its weights are taken away again."""
    empty = ~mask.any(-1, keepdim=True)
    weights = scores_of(q, k).masked_fill(~(mask | empty), -INF).softmax(-1) * ~empty
    return weights @ v, weights


def attention_einsum(q, k, v, mask):
    scores = torch.einsum("...td,...sd->...ts", q, k) * q.size(-1) ** -0.5
    alone = mask.any(-1, keepdim=True)
    weights = scores.masked_fill(alone & ~mask, -INF).softmax(-1).masked_fill(~alone, 0.0)
    return torch.einsum("...ts,...se->...te", weights, v), weights


def attention_fused(q, k, v, mask):
    identity = torch.eye(k.shape[-2], dtype=k.dtype).expand(*k.shape[:-1], k.shape[-2])
    weights = F.scaled_dot_product_attention(q, k, identity, attn_mask=mask)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask), weights


def attention_list(q, k, v, mask):
    T = q.shape[-2]
    mask = mask.expand(*q.shape[:-2], T, k.shape[-2])
    rows = [attention_right(q[..., i : i + 1, :], k, v, mask[..., i : i + 1, :]) for i in range(T)]
    return [torch.cat([row[n] for row in rows], dim=-2) for n in (0, 1)]


def list_of_a_column(q, k, v, mask):
    """A query at a time, over the list of its keys, which is read from the wrong axis."""
    weights = torch.zeros(len(q), len(k))
    for i in range(len(q)):
        keys = mask[:, i].nonzero().flatten()
        weights[i, keys] = (k[keys] @ q[i] / math.sqrt(len(q[i]))).softmax(dim=0)
    return weights @ v, weights


def list_of_a_row(q, k, v, mask):
    """The same with the right list, which knows no batch."""
    weights = torch.zeros(len(q), len(k))
    for i in range(len(q)):
        keys = mask[i].nonzero().flatten()
        weights[i, keys] = (k[keys] @ q[i] / math.sqrt(len(q[i]))).softmax(dim=0)
    return weights @ v, weights


def attention_indexed(q, k, v, mask):
    scores = scores_of(q, k)
    mask, weights = mask.expand(scores.shape), torch.zeros_like(scores)
    for row in np.ndindex(*scores.shape[:-1]):
        keys = mask[row].nonzero().flatten()
        if len(keys):
            weights[row][keys] = scores[row][keys].softmax(0)
    return weights @ v, weights


def attention_in_place(q, k, v, mask):
    scores = scores_of(q, k)
    scores.masked_fill_(~mask, -INF)
    weights = torch.softmax(scores, -1).masked_fill(~mask, 0.0)
    return weights @ v, weights


def attention_no_rule(q, k, v, mask):
    weights = scores_of(q, k).masked_fill(~mask, -INF).softmax(-1)
    return weights @ v, weights


def variant(normalise):
    """An attention whose weights are normalise(scores, mask)."""

    def attention(q, k, v, mask):
        weights = normalise(scores_of(q, k), mask)
        return weights @ v, weights

    return attention


def cured(normalise):
    """The same with zeros for blocked rows, so that the fault alone shows."""
    return variant(lambda s, m: normalise(s, m).masked_fill(~m.any(-1, keepdim=True), 0.0))


zero_before = variant(lambda s, m: (s * m).softmax(-1))
zero_filled = variant(lambda s, m: s.masked_fill(~m, 0.0).softmax(-1))
zero_before_cured = cured(lambda s, m: (s * m).softmax(-1))
after = variant(lambda s, m: s.softmax(-1) * m)
minus_ten = variant(lambda s, m: s.masked_fill(~m, -10.0).softmax(-1))
minus_thirty = variant(lambda s, m: torch.where(m, s, -30.0).softmax(-1))
minus_ten_added = variant(lambda s, m: (s - 10.0 * ~m).softmax(-1))
minus_hundred = variant(lambda s, m: s.masked_fill(~m, -100.0).softmax(-1))
inverted = cured(lambda s, m: s.masked_fill(m, -INF).softmax(-1).nan_to_num(0.0))
inverted_plain = variant(lambda s, m: s.masked_fill(m, -INF).softmax(-1))
ignored = variant(lambda s, m: s.softmax(-1))
added = variant(lambda s, m: (s + m).softmax(-1))
added_opposite = variant(lambda s, m: (s + ~m).softmax(-1))
softmax_twice = variant(lambda s, m: (s.softmax(-1) * m).softmax(-1))
inf_after = variant(lambda s, m: s.softmax(-1).masked_fill(~m, -INF))
tiny = variant(lambda s, m: s.masked_fill(~m, torch.finfo(s.dtype).tiny).softmax(-1))
plus_inf = variant(lambda s, m: s.masked_fill(~m, 1e9).softmax(-1))
over_queries = variant(lambda s, m: s.masked_fill(~m, -INF).softmax(-2))
equal_weights = variant(lambda s, m: (m / m.sum(-1, keepdim=True).clamp_min(1)).expand(s.shape).to(s.dtype) + 0 * s)
first_row = cured(lambda s, m: s.masked_fill(~m[..., :1, :] if m.ndim > 1 else ~m, -INF).softmax(-1))
own_causal = variant(
    lambda s, m: s.masked_fill(~torch.ones(s.shape[-2:]).tril(s.shape[-1] - s.shape[-2]).bool(), -INF).softmax(-1)
)
minus_1e4 = variant(lambda s, m: s.masked_fill(~m, -1e4).softmax(-1) * m.any(-1, keepdim=True))
exp_of_raw_scores = variant(lambda s, m: (s.exp() * m) / (s.exp() * m).sum(-1, keepdim=True).clamp_min(1e-30))
thinned = cured(lambda s, m: s.masked_fill(~m, -INF).softmax(-1) * (torch.arange(s.shape[-1]) != 1))
minus_1e9 = variant(lambda s, m: s.masked_fill(~m, -1e9).softmax(-1))
minus_1e9_added = variant(lambda s, m: (s + (1 - m.to(s.dtype)) * -1e9).softmax(-1))
minus_1e4_added = variant(lambda s, m: (s + (1 - m.to(s.dtype)) * -1e4).softmax(-1))
additive_nan = variant(lambda s, m: (s + torch.zeros(m.shape).masked_fill(~m, -INF)).softmax(-1))
additive_where = variant(
    lambda s, m: (s + torch.zeros(m.shape, dtype=s.dtype).masked_fill(~m, -INF)).softmax(-1).nan_to_num(0.0)
)
times_infinity = variant(lambda s, m: (s + (~m) * -INF).softmax(-1))
tril_of_scores = variant(lambda s, m: torch.tril(s).softmax(-1))
not_in_place = variant(lambda s, m: (s.masked_fill(~m, -INF), s)[1].softmax(-1))
one_minus = variant(lambda s, m: s.masked_fill(1 - m, -INF).softmax(-1))
minus_hundred_added = cured(lambda s, m: (s - 100.0 * ~m).softmax(-1))
minus_1e4_ahead = cured(lambda s, m: (s - 1e4 * ~m).softmax(-1))
plus_infinity = variant(lambda s, m: s.masked_fill(~m, INF).softmax(-1))
infinity_hidden = variant(lambda s, m: (s + (~m) * -INF).softmax(-1).nan_to_num(0.0))
mask_transposed = cured(lambda s, m: s.masked_fill(~(m.mT if m.shape[-2] == m.shape[-1] else m), -INF).softmax(-1))
columns_only = cured(lambda s, m: s.masked_fill(~m.any(-2, keepdim=True), -INF).softmax(-1))
maximum_of_all = variant(
    lambda s, m: (lambda e: e / e.sum(-1, keepdim=True).clamp_min(1e-30))((s - s.amax(-1, keepdim=True)).exp() * m)
)
overflowing_branch = cured(
    lambda s, m: torch.where(m, s, -INF).softmax(-1) + 0 * torch.where(s < 50, s.exp(), 0.0).sum() * 0
)
in_half = cured(lambda s, m: s.masked_fill(~m, -INF).half().softmax(-1).to(s.dtype))
zeroed_everything = variant(
    lambda s, m: s.masked_fill(~m, -INF).softmax(-1).masked_fill(~m.expand(s.shape).any(-1).all(), 0.0)
)


def root_of(width):
    """The right masking with the root of another width under the scores."""

    def attention(q, k, v, mask):
        return attention_right(q * math.sqrt(q.shape[-1] / width(q, k, v)), k, v, mask)

    return attention


root_of_values = root_of(lambda q, k, v: v.shape[-1])
root_of_queries = root_of(lambda q, k, v: q.shape[-2])
root_of_keys = root_of(lambda q, k, v: k.shape[-2])
fixed_root = root_of(lambda q, k, v: 64)
unscaled = root_of(lambda q, k, v: 1)


def unscaled_after(q, k, v, mask):
    return after(q * math.sqrt(q.shape[-1]), k, v, mask)


def output_renormalised(q, k, v, mask):
    return attention_renormalised(q, k, v, mask)[0], attention_right(q, k, v, mask)[1]


def output_over_root(q, k, v, mask):
    output, weights = attention_right(q, k, v, mask)
    return output / math.sqrt(q.shape[-1]), weights


def output_nan_to_num(q, k, v, mask):
    output, weights = attention_no_rule(q, k, v, mask)
    return output.nan_to_num(0.0), weights


def output_of_plain_weights(q, k, v, mask):
    return scores_of(q, k).softmax(-1) @ v, attention_right(q, k, v, mask)[1]


def output_softmax_twice(q, k, v, mask):
    _, weights = attention_right(q, k, v, mask)
    return weights.softmax(-1) @ v, weights


def scores_into_q(q, k, v, mask):
    q /= math.sqrt(q.shape[-1])
    weights = (q @ k.transpose(-2, -1)).masked_fill(~mask, -INF).softmax(-1)
    return weights @ v, weights


def scores_masked_values_zeroed(q, k, v, mask):
    weights = scores_of(q, k).softmax(-1)
    return (weights * mask) @ v, attention_right(q, k, v, mask)[1]


def blocked_values_only(q, k, v, mask):
    weights = scores_of(q, k).softmax(-1)
    return weights.masked_fill(~mask, 0.0) @ v, weights


def where_on_the_output(q, k, v, mask):
    output, weights = attention_no_rule(q, k, v, mask)
    empty = ~mask.any(-1, keepdim=True)
    return torch.where(empty, 0.0, output), torch.where(empty, 0.0, weights)


def output_only(q, k, v, mask):
    return attention_right(q, k, v, mask)[0]


def swapped(q, k, v, mask):
    return attention_right(q, k, v, mask)[::-1]


def writes_into_mask(q, k, v, mask):
    mask.logical_not_()
    weights = scores_of(q, k).masked_fill(mask, -INF).softmax(-1).nan_to_num(0.0)
    return weights @ v, weights


def detached(q, k, v, mask):
    with torch.no_grad():
        return attention_right(q, k, v, mask)


def single_precision(q, k, v, mask):
    output, weights = attention_right(q, k, v, mask)
    return output.float(), weights.float()


def keys_removed(q, k, v, mask):
    keep = mask[..., -1, :, None]
    return attention_right(q, k * keep, v * keep, torch.ones_like(mask))


ANSWERS = Diagnosed(
    {
        "a": ("a finite number for -inf", "right for ordinary scores, wrong when all scores are 1000 lower"),
        "b": ("mask without effect", "any other mask gives the same output"),
        "c": ("masked after, divided again", "NaN where a blocked score is 300 above the allowed ones"),
    },
    attention_right,
)
mended, fault, shown = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


# combine ------------------------------------------------------------------------------------------------------


def combine_right(padding, T):
    return padding[:, None, None, :] & mask_tril(T, padding.shape[1])


def combine_unsqueezed(padding, T):
    return torch.logical_and(padding.unsqueeze(1).unsqueeze(2), mask_triu(T, padding.size(-1))[None, None])


def combine_by_loops(padding, T):
    S = padding.shape[1]
    rows = [[[[bool(text[j]) and j <= S - T + i for j in range(S)] for i in range(T)]] for text in padding]
    return torch.tensor(rows)


def combine_product(padding, T):
    B, S = padding.shape
    return (padding.view(B, 1, 1, S) * mask_tril(T, S).view(1, 1, T, S)).bool()


def combined_by(rule):
    """rule(keys (B, 1, 1, S), causal (T, S), padding, T)"""
    return lambda padding, T: rule(padding[:, None, None, :], mask_tril(T, padding.shape[1]), padding, T)


def combine_in_place(padding, T):
    mask = combine_right(padding, T)
    padding &= False
    return mask


# leaks --------------------------------------------------------------------------------------------------------


def leaks_right(model, x):
    before = model(x)[0]
    found = []
    for j in range(len(x)):
        changed = x.clone()
        changed[j] = torch.randn(x.shape[1])
        if not torch.equal(model(changed)[0][:j], before[:j]):
            found.append(j)
    return found


def leaks_random(model, x):
    output, _ = model(x)
    found = set()
    for j in range(1, len(x)):
        noise = torch.zeros_like(x)
        noise[j] = torch.randn(x.shape[1])
        if (model(x + noise)[0] - output)[:j].abs().max() > 1e-6:
            found.add(j)
    return found


def leaks_jvp(model, x):
    found = set()
    for j in range(1, len(x)):
        push = torch.zeros_like(x).index_fill(0, torch.tensor(j), 1.0) * torch.randn(x.shape[1])
        moved = torch.func.jvp(lambda x: model(x)[0], (x,), (push,))[1]
        found |= {j} if moved[:j].any() else set()
    return found


def leaks_jacobian(model, x):
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x)[0], x)  # (T, E, T, D)
    reach = jacobian.abs().sum(dim=(1, 3))
    return [j for j in range(len(x)) if (reach[:j, j] > 0).any()]


def leaks_backward(model, x):
    x = x.clone().requires_grad_()
    weights = torch.randn(x.shape[1])  # in the plain sum of an output something may cancel
    reach = torch.stack([torch.autograd.grad(model(x)[0][i] @ weights, x)[0].abs().sum(-1) for i in range(len(x))])
    return torch.tensor([j for j in range(len(x)) if reach[:j, j].any()])


def leaks_zeroed(model, x):
    keep = 1 - torch.eye(len(x))
    return [
        j for j in range(len(x)) if not torch.allclose(model(x * keep[j][:, None])[0][:j], model(x)[0][:j], atol=1e-7)
    ]


def before_j(moved, j):
    return moved[:j].any()


def looking(where, change=None, tolerance=0.0, positions=None):
    """Perturb each position (all features, unless change says otherwise); where(moved (T,), j) decides."""

    def leaks(model, x):
        before, found = model(x)[0], []
        for j in positions(len(x)) if positions else range(len(x)):
            other = x.clone()
            other[j] = change(x[j]) if change else x[j] + 1.0
            moved = ((model(other)[0] - before).abs() > tolerance).any(dim=-1)
            if where(moved, j):
                found.append(j)
        return found

    return leaks


def first_feature(row):
    return row + F.one_hot(torch.tensor(0), len(row))


def cut_at(model, x):
    whole = model(x)[0]
    return [j for j in range(1, len(x)) if not torch.allclose(model(x[:j])[0], whole[:j], atol=1e-6)]


def leaks_jacrev(model, x):
    reach = torch.func.jacrev(lambda x: model(x)[0])(x).abs().sum((1, 3))
    return np.array([j for j in range(len(x)) if reach[:j, j].sum() > 0])


def receivers(model, x):
    before, found = model(x)[0], set()
    for j in range(len(x)):
        other = x.clone()
        other[j] += 1.0
        found |= set((model(other)[0] - before).abs().sum(-1)[:j].nonzero().flatten().tolist())
    return sorted(found)


def zeros_of_the_map(model, x):
    weights = model(x)[1]
    return [j for j in range(len(x)) if weights[:j, j].any()]


def weights_compared(model, x):
    weights, found = model(x)[1], []
    for j in range(len(x)):
        other = x.clone()
        other[j] += torch.arange(1.0, 1 + x.shape[1])
        if not torch.equal(model(other)[1][:j], weights[:j]):
            found.append(j)
    return found


def pair_cut(model, x):
    return [j for j in range(len(x)) if not torch.equal(model(x)[:j], model(x + 1)[:j])]


def not_restored(model, x):
    before, found = model(x)[0], []
    for j in range(len(x)):
        x[j] += 1.0
        if not torch.equal(model(x)[0][:j], before[:j]):
            found.append(j)
    return found


def not_restored_copy(model, x):
    return not_restored(model, x.clone())


# convert, count -----------------------------------------------------------------------------------------------


def to_blocked(allowed):
    return ~allowed


def to_additive(allowed):
    return torch.zeros(allowed.shape).masked_fill(~allowed, -INF)


def to_allowed(additive):
    return additive > -INF


def cells(T, S):
    return T * S - T * (T - 1) // 2 if T <= S else S * (S + 1) // 2


def cells_short(T, S):
    n = min(T, S)
    return n * S - n * (n - 1) / 2


def cells_sum(T, S):
    return sum(max(0, S - T + i + 1) for i in range(T))


RIGHT = {
    CAUSAL: [
        ("tril", mask_tril),
        ("positions compared", mask_compared),
        ("triu, turned", mask_triu),
        ("cut from a square", mask_cut),
        ("loops", mask_by_loops),
        ("through -inf", mask_from_inf),
        ("letters by name", lambda T, S=None: mask_tril(T, T if S is None else S)),
    ],
    ATTENTION: [
        ("masked_fill twice", attention_right),
        ("where", attention_where),
        ("nan_to_num behind masked_fill", attention_nan_to_num),
        ("finfo.min, then times the mask", attention_finite),
        ("-1e9, then filled", attention_minus_1e9),
        ("exp by hand", attention_by_hand),
        ("the package's", package.scaled_dot_product_attention),
        ("only the empty rows opened", attention_opened),
        ("exp of what is less logsumexp", attention_logsumexp),
        ("einsum, empty rows left alone", attention_einsum),
        ("fused", attention_fused),
        ("only its own keys, row by row", attention_indexed),
        ("row by row, a list", attention_list),
        ("in place on its own scores", attention_in_place),
    ],
    DIAGNOSE: [
        ("textbook", mended(attention_right)),
        ("without a rule for empty rows", mended(attention_no_rule)),
        ("fused", mended(attention_fused)),
        ("-1e9", mended(minus_1e9)),
        ("by hand", mended(attention_by_hand)),
        ("where", mended(attention_where)),
        ("a list", mended(attention_list)),
        ("additive", mended(additive_nan)),
        ("einsum", mended(attention_einsum)),
        ("capitals and spaces", ANSWERS.in_capitals()),
    ],
    LEAKS: [
        ("random, a set", leaks_random),
        ("jacobian", leaks_jacobian),
        ("jvp", leaks_jvp),
        ("one new row for all", looking(before_j, lambda row: torch.linspace(-2.0, 3.0, len(row)), 1e-6)),
        ("backward, a tensor", leaks_backward),
        ("set to zero", leaks_zeroed),
        ("jacrev, a numpy array", leaks_jacrev),
        ("a tuple", lambda model, x: tuple(leaks_right(model, x))),
        ("last first", lambda model, x: leaks_right(model, x)[::-1]),
    ],
    COMBINE: [
        ("and", combine_right),
        ("logical_and", combine_unsqueezed),
        ("loops", combine_by_loops),
        ("product", combine_product),
    ],
    CONVERT: [
        ("masked_fill", (to_blocked, to_additive, to_allowed)),
        (
            "others",
            (
                torch.logical_not,
                lambda a: torch.where(a, 0.0, -INF),
                lambda a: ~torch.isneginf(a),
            ),
        ),
        ("log", (lambda a: a == False, lambda a: a.double().log(), lambda a: a != -INF)),  # noqa: E712
    ],
    COUNT: [
        ("formula", (cells, "T >= S")),
        ("with the smaller", (cells_short, "t >= s")),
        ("sum", (cells_sum, "T >= S")),
        ("numpy, turned", (lambda T, S: np.array(cells(T, S)), "S <= T")),
        ("comb", (lambda T, S: math.comb(S + 1, 2) - math.comb(max(S - T, 0) + 1, 2), "'T≥S'")),
        ("mask counted, a tensor", (lambda T, S: mask_tril(T, S).sum(), "T >= S")),
    ],
}


def leaks_by_gradient_of_the_sum(model, x):
    found = []
    for j in range(1, len(x)):
        source = x.clone().requires_grad_()
        (reaches,) = torch.autograd.grad(model(source)[0][:j].sum(), source)
        if reaches[j].abs().max() > 1e-6:
            found.append(j)
    return found


WRONG = {
    CAUSAL: [
        ("a wide window", lambda T, S: mask_tril(T, S).triu(S - T - 15), "allows the keys"),
        ("top left", tril(top=True), "the first query meets the first key"),
        ("own position blocked", tril(-1), "own position is blocked"),
        ("one too many, top left", tril(1, top=True), "one key too many, its own future, and the first", "M36"),
        ("a window", lambda T, S: mask_tril(T, S).triu(S - T - 2), "allows the keys"),
        ("upside down by rows", lambda T, S: mask_tril(T, S).flip(0), "allows the keys"),
        ("offset without its sign", lambda T, S: torch.ones(T, S).bool().tril(abs(S - T)), "shifted to the wrong side"),
        ("own position blocked, top left", tril(-1, top=True), "own position is blocked"),
        ("one too many", tril(1), "the diagonal is one too high", "M36"),
        ("upside down", tril(invert=True), "It is upside down", "M36"),
        ("upside down, top left", tril(top=True, invert=True), "True stands where looking is forbidden", "M36"),
        ("all allowed", lambda T, S: torch.ones(T, S).bool(), "everything is allowed", "M36"),
        ("none allowed", lambda T, S: torch.zeros(T, S).bool(), "nothing is allowed"),
        ("triu", lambda T, S: torch.ones(T, S).triu(S - T).bool(), "keys and queries are swapped"),
        ("triu, top left", lambda T, S: torch.ones(T, S).triu().bool(), "triu for tril"),
        ("itself only", lambda T, S: torch.eye(S).bool()[-T:] if T <= S else mask_tril(T, S), "own position only"),
        ("wrong side", lambda T, S: torch.ones(T, S).bool().tril(T - S), "offset is S - T, not T - S"),
        ("floats", lambda T, S: torch.ones(T, S).tril(S - T), "wanted torch.bool"),
        ("ints", lambda T, S: torch.ones(T, S).tril(S - T).int(), "wanted torch.bool"),
        ("additive", additive, "additive mask"),
        ("transposed", lambda T, S: mask_tril(T, S).T, "keys in rows"),
        (
            "square",
            lambda T, S: mask_tril(T, T),
            "Take rows from T",
        ),
        ("a batch axis", lambda T, S: mask_tril(T, S)[None], "one axis of size 1 too many"),
        ("clamped offset", top_when_longer, "stand before all keys and see none of them"),
        ("cached keys blocked", cached_keys_blocked, "those from the cache, are blocked"),
        ("first key for empty rows", first_key_for_empty_rows, "their rows are entirely False"),
        ("empty rows open", empty_rows_open, "their rows are entirely False"),
        ("list", lambda T, S: mask_tril(T, S).tolist(), "of type list"),
        ("numpy", lambda T, S: np.tril(np.ones((T, S), bool), S - T), "numpy.ndarray"),
        ("no return", lambda T, S: None, "did you forget `return`?"),
    ],
    ATTENTION: [
        (
            "batch of one squeezed",
            lambda q, k, v, m: tuple(t.squeeze(0) for t in attention_right(q, k, v, m)),
            "summed away or squeezed",
        ),
        ("0 before", zero_before, "e^0 = 1", "M08"),
        ("renormalised", attention_renormalised, "nothing is left of them", "M08"),
        ("-100 added, empty rows cured", minus_hundred_added, "far above the allowed ones", "M08"),
        ("-1e4 added, empty rows cured", minus_1e4_ahead, "far above the allowed ones", "M08"),
        ("maximum of all keys", maximum_of_all, "nothing is left of them", "M08"),
        ("+inf", plus_infinity, "+inf stands where -inf belongs"),
        ("times infinity, NaN hidden", infinity_hidden, "All weights are 0, also where a row has a key"),
        ("transposed where square", mask_transposed, "The mask is transposed", "M36"),
        ("columns alone", columns_only, "Every query may see whatever some query may see", "M36"),
        ("gradient NaN at large scores", overflowing_branch, "hand a gradient of 0 to what they leave out", "M08"),
        ("root of v's width", root_of_values, "the root of e, the width of v"),
        ("root of the queries", root_of_queries, "the root of T"),
        ("8 for the root", fixed_root, "the scale of the scores is not"),
        ("float16 inside", in_half, "nearly right"),
        ("output renormalised", output_renormalised, "the output is made with others", "M08"),
        ("output over the root", output_over_root, "The output is divided by sqrt(d)"),
        ("0 filled", zero_filled, "e^0 = 1", "M08"),
        ("0 before, empty rows cured", zero_before_cured, "e^0 = 1", "M08"),
        ("multiplied after", after, "multiplied by the mask *after* the softmax", "M08"),
        ("-10", minus_ten, "-10 stands for -inf", "M08"),
        ("-10 added", minus_ten_added, "-10 stands for -inf", "M08"),
        ("-1e4", minus_1e4, "the blocked keys take most of the weight", "M08"),
        ("exp of what is very low", exp_of_raw_scores, "Subtract the largest score"),
        ("divided by the root of S", root_of_keys, "divided by the root of S"),
        ("unscaled, and masked after", unscaled_after, "The scores are not divided by sqrt(d). The weights", "M08"),
        ("dropout on the weights", thinned, "Rows must sum to 1; yours sum to"),
        ("output of softmax of the weights", output_softmax_twice, "this output is not weights @ v"),
        ("-100", minus_hundred, "a finite number that is not", "M08"),
        ("finfo.tiny", tiny, "such as finfo.tiny", "M08"),
        ("upside down", inverted, "The mask is upside down", "M36"),
        ("upside down, as it is", inverted_plain, "The mask is upside down", "M36"),
        ("ignored", ignored, "The mask changes nothing", "M36"),
        ("masked_fill, result dropped", not_in_place, "The mask changes nothing", "M36"),
        ("added as 0 and 1", added, "is *added* to the scores", "M36"),
        ("its opposite added", added_opposite, "is *added* to the scores", "M36"),
        ("times infinity", times_infinity, "0 * inf is NaN", "M08"),
        ("tril of the scores", tril_of_scores, "And the mask given is ignored", "M08"),
        ("blocked values only", blocked_values_only, "The mask changes nothing", "M36"),
        ("additive, where on the output too", where_on_the_output, "The output is clean, but the gradient", "M08"),
        ("softmax twice", softmax_twice, "Softmax is applied twice"),
        ("-inf after", inf_after, "written into the weights", "M08"),
        ("+1e9", plus_inf, "+1e9"),
        ("over the queries", over_queries, "over the queries"),
        ("equal weights", equal_weights, "All allowed keys get the same weight"),
        ("unscaled", unscaled, "not divided by sqrt(d)"),
        ("first row for all", first_row, "first row of the mask", "M36"),
        ("own causal mask", own_causal, "a causal mask of the function's own", "M36"),
        ("no rule for empty rows", attention_no_rule, "softmax over -inf alone is 0 / 0", "M08"),
        ("-1e9", minus_1e9, "averages over exactly what it must not see", "M08"),
        ("-1e9 added", minus_1e9_added, "averages over", "M08"),
        ("-1e4 added", minus_1e4_added, "still sum to 1", "M08"),
        ("additive, nan_to_num", additive_where, "The output is clean, but the gradient", "M08"),
        ("output mended, weights NaN", output_nan_to_num, "The weights of a row", "M08"),
        ("~ on numbers", one_minus, "Your code raised"),
        ("all zero where one row is", zeroed_everything, "of all rows 0"),
        ("output of plain weights", output_of_plain_weights, "the output is made with others", "M36"),
        ("values zeroed", scores_masked_values_zeroed, "the output is made with others", "M08"),
        ("output only", output_only, "Only the output came back"),
        ("swapped", swapped, "Weights and output are swapped"),
        ("writes into the mask", writes_into_mask, "changed its input mask in place"),
        ("no_grad", detached, "No gradient flows"),
        ("float32", single_precision, "came back as torch.float32"),
        ("keys set to zero", keys_removed, "A blocked key still gets a weight"),
    ],
    DIAGNOSE: [
        ("as a", mended(minus_thirty), "a finite number that is not", "M08"),
        ("-10", mended(minus_ten), "-10 stands for -inf", "M08"),
        ("as b", mended(not_in_place), "The mask changes nothing", "M36"),
        ("as c", mended(attention_renormalised), "nothing is left of them", "M08"),
        ("a list of the wrong axis", mended(list_of_a_column), "Rows must sum to 1"),
        ("transposed", mended(mask_transposed), "The mask is transposed", "M36"),
        ("for one text only", mended(list_of_a_row), "out of bounds"),
        ("0 before", mended(zero_before), "e^0 = 1", "M08"),
        ("after", mended(after), "*after* the softmax", "M08"),
        ("-100", mended(minus_hundred), "a finite number that is not", "M08"),
        ("-100 added", mended(minus_hundred_added), "far above the allowed ones, the blocked keys", "M08"),
        ("-1e4", mended(minus_1e4), "a finite number that is not", "M08"),
        ("q scaled in place", mended(scores_into_q), "changed its input q in place"),
        ("exp of raw scores", mended(exp_of_raw_scores), "Subtract the"),
        ("upside down", mended(inverted_plain), "The mask is upside down", "M36"),
        ("-inf after", mended(inf_after), "belongs in the scores", "M08"),
        ("+inf", mended(plus_infinity), "+inf stands where -inf belongs"),
        ("maximum of all keys", mended(maximum_of_all), "nothing is left of them", "M08"),
        ("a for transposed", fault("a", "transposed"), "goes wrong for low scores only"),
        ("b for upside down", fault("b", "upside down"), "the last query has no key left"),
        ("b for transposed", fault("b", "transposed"), "so does its last"),
        (
            "b and c exchanged",
            ANSWERS.but(b=ANSWERS.named["c"], c=ANSWERS.named["b"]),
            "blocked keys get nothing, for low scores too",
        ),
        ("c not divided", fault("c", "masked after, not divided"), "over which keys does its softmax run"),
        ("c for none", fault("c", "mask without effect"), "every query reads every key"),
        ("no option", fault("a", "-10"), "choose one of 'upside down'"),
        ("c shown by low scores", shown("c", ANSWERS.named["a"][1]), "a number that others can fall below"),
        ("a shown by NaN", shown("a", ANSWERS.named["c"][1]), "take their share before they lose it"),
        ("b shown by sums", shown("b", "the rows of the weights sum to less than 1"), "they do, in all three"),
        ("b shown by the first key", shown("b", "no query reads the first key"), "some query reads it"),
        ("three in a diagnosis", ANSWERS.but(c=("transposed", "transposed", "transposed")), "wanted a pair"),
    ],
    LEAKS: [
        ("one added, in a norm that is exact", looking(before_j, lambda row: row + 1), "The same number is added"),
        ("signs turned", looking(before_j, lambda row: -row), "only their sizes reach"),
        ("numbers exchanged", looking(before_j, lambda row: row.flip(-1)), "only their sizes reach"),
        ("gradient of the sum", leaks_by_gradient_of_the_sum, "a leak may cancel in it"),
        ("plus one, to 1e-5", looking(before_j, tolerance=1e-5), "added to every feature of x[j]"),
        ("plus a hundred", looking(before_j, lambda row: row + 100.0, 1e-4), "added to every feature of x[j]"),
        ("doubled", looking(before_j, lambda row: 2 * row, 1e-5), "x[j] is multiplied by a number"),
        ("doubled, exactly", looking(before_j, lambda row: 2 * row), "x[j] is multiplied by a number"),
        ("nudged", looking(before_j, lambda row: row + 1e-3 * torch.randn(len(row)), 1e-5), "the change is small"),
        ("perturbs the past", looking(lambda moved, j: moved[j + 1 :].any()), "you perturb the past"),
        ("own output counted", looking(lambda moved, j: moved[: j + 1].any()), "without j"),
        ("any output", looking(lambda moved, j: moved.any()), "All outputs, or output j"),
        ("own and later outputs", looking(lambda moved, j: moved[j:].any()), "All outputs, or output j"),
        ("map only", zeros_of_the_map, "upper triangle of the map"),
        ("text cut at j", cut_at, "Change position j alone"),
        ("receivers", receivers, "that *receive* something"),
        ("last only", looking(lambda m, j: m[:j].any(), positions=lambda T: [T - 1]), "Only the last position"),
        ("first output only", looking(lambda m, j: j > 0 and bool(m[0])), "Only the first output"),
        ("neighbour only", looking(lambda m, j: j > 0 and bool(m[j - 1])), "Only the output just before"),
        ("opposite", looking(lambda m, j: not m[:j].any()), "This is the opposite"),
        ("none", lambda model, x: [], "No leak was found, and there is one"),
        ("stops at the first", lambda model, x: leaks_right(model, x)[:1], "stops at the first leak"),
        ("numbered from 1", lambda model, x: [j + 1 for j in leaks_right(model, x) if j < len(x) - 1], "For a"),
        ("one too low", lambda model, x: [j - 1 for j in leaks_right(model, x)], "Each is one too low"),
        ("first feature", looking(lambda m, j: m[:j].any(), change=first_feature), "change *all* features"),
        ("tolerance 0.01", looking(lambda m, j: m[:j].any(), tolerance=1e-2), "the change is small"),
        ("weights compared", weights_compared, "The *weights* were compared"),
        ("all but the last", looking(lambda m, j: m[:j].any(), positions=lambda T: range(T - 1)), "range(T - 1)"),
        ("one output short", looking(lambda m, j: m[: max(j - 1, 0)].any()), "just before j was left out"),
        ("the pair is cut, not the output", pair_cut, "output, weights = model(x)"),
        ("a yes or no each", lambda model, x: [j in leaks_right(model, x) for j in range(len(x))], "booleans; wanted"),
        ("not restored", not_restored, "changed its input x in place"),
        ("not restored, on a copy", not_restored_copy, "For a"),
        ("booleans", lambda model, x: torch.zeros(len(x)).bool(), "wanted the positions themselves"),
        ("yes or no", lambda model, x: bool(leaks_right(model, x)), "wanted a list of the positions"),
        ("with repeats", lambda model, x: leaks_right(model, x) * 2, "each position once"),
        ("pairs", lambda model, x: [(0, j) for j in leaks_right(model, x)], "list of positions such as"),
        ("negative", lambda model, x: [j - len(x) for j in leaks_right(model, x)], "positions run from 0"),
    ],
    COMBINE: [
        ("batch of one squeezed", lambda p, T: combine_right(p, T).squeeze(0), "The axis of the heads is missing"),
        (
            "texts as queries where equal",
            lambda p, T: (p[None, None] & mask_tril(T, p.shape[1])) if len(p) == T else combine_right(p, T),
            "Every text of the batch gets the same mask",
        ),
        ("or", combined_by(lambda keys, causal, p, T: keys | causal), "`or` opens a key", "M36"),
        (
            "padding only",
            combined_by(lambda keys, causal, p, T: keys & torch.ones_like(causal)),
            "the padding alone",
            "M36",
        ),
        ("padding as it is", combined_by(lambda keys, causal, p, T: keys), "This is the padding alone"),
        (
            "causal only",
            combined_by(lambda keys, causal, p, T: causal.expand(len(p), 1, *causal.shape)),
            "this is the causal mask alone",
            "M36",
        ),
        ("one for all", combined_by(lambda keys, causal, p, T: causal[None, None]), "the same mask"),
        ("upside down", combined_by(lambda keys, causal, p, T: ~(keys & causal)), "It is upside down", "M36"),
        ("padding upside down", combined_by(lambda k, causal, p, T: ~k & causal), "padding is upside down", "M36"),
        ("causal upside down", combined_by(lambda k, causal, p, T: k & ~causal), "causal part is upside down", "M36"),
        ("both upside down", combined_by(lambda k, causal, p, T: ~k & ~causal), "both parts are upside down", "M36"),
        ("queries' axis", lambda p, T: p[:, None, -T:, None] & mask_tril(T, p.shape[1]), "queries' axis", "M36"),
        (
            "rows and columns",
            lambda p, T: p[:, None, -T:, None] & combine_right(p, T),
            "the rows of padded queries are closed as well",
        ),
        (
            "top left",
            lambda p, T: p[:, None, None, :] & torch.ones(T, p.shape[1]).tril().bool(),
            "the first query meets the first key",
        ),
        (
            "own blocked",
            lambda p, T: p[:, None, None, :] & tril(-1)(T, p.shape[1]),
            "own position is blocked",
        ),
        ("one too many", lambda p, T: p[:, None, None, :] & tril(1)(T, p.shape[1]), "one key too many", "M36"),
        ("no axis for heads", lambda p, T: p[:, None, :] & mask_tril(T, p.shape[1]), "The axis of the heads"),
        ("no new axes", lambda p, T: (p & mask_tril(len(p), p.shape[1]))[:, None, None], "This is the padding alone"),
        ("squeezed", lambda p, T: combine_right(p, T)[0, 0], "one mask for all texts"),
        (
            "padding as lengths",
            combined_by(lambda keys, c, p, T: c & (torch.arange(p.shape[1]) < p.sum(1)[:, None, None, None])),
            "the padding is taken as a length",
            "M36",
        ),
        ("two heads", lambda p, T: combine_right(p, T).expand(-1, 2, -1, -1), "The axis of the heads has size 1"),
        ("xor", combined_by(lambda keys, causal, p, T: keys ^ causal), "allows the keys"),
        (
            "first rows of a square",
            lambda p, T: combine_right(p, p.shape[1])[:, :, :T],
            "the first query meets the first",
        ),
        ("heads last", lambda p, T: combine_right(p, T).permute(0, 2, 3, 1), "The axis of the heads is the second"),
        ("heads first", lambda p, T: combine_right(p, T).transpose(0, 1), "The batch comes first"),
        ("T columns", lambda p, T: combine_right(p, T)[..., -T:], "those from the cache too"),
        ("S rows", lambda p, T: combine_right(p, p.shape[1]), "There are T queries"),
        ("floats", lambda p, T: combine_right(p, T).float(), "wanted torch.bool"),
        (
            "additive",
            lambda p, T: torch.zeros(len(p), 1, T, p.shape[1]).masked_fill(~combine_right(p, T), -INF),
            "that is an additive mask",
        ),
        (
            "empty rows opened",
            lambda p, T: combine_right(p, T) | ~combine_right(p, T).any(-1, keepdim=True),
            "were opened again",
        ),
        (
            "own always open",
            lambda p, T: combine_right(p, T) | torch.eye(p.shape[1]).bool()[-T:],
            "always open, even where it is padding",
        ),
        ("first text for all", lambda p, T: combine_right(p[:1].expand(p.shape), T), "padding of the first"),
        ("writes into padding", combine_in_place, "changed its input padding in place"),
    ],
    CONVERT: [
        ("into float32 first", (to_blocked, to_additive, lambda x: x.float() != -INF), "is taken for a block"),
        (
            "single rows lost",
            (to_blocked, to_additive, lambda x: x > -INF if x.ndim > 1 else torch.ones_like(x).bool()),
            "nothing is blocked",
            "M36",
        ),
        ("not turned", (lambda a: a, to_additive, to_allowed), "nothing was inverted", "M36"),
        ("blocked as numbers", (lambda a: 1 - a.int(), to_additive, to_allowed), "wanted torch.bool"),
        ("turned in place", (lambda a: a.logical_not_(), to_additive, to_allowed), "changed its input allowed"),
        ("0 and 1", (to_blocked, lambda a: a.float(), to_allowed), "These are 0 and 1", "M08"),
        ("1 and 0", (to_blocked, lambda a: (~a).float(), to_allowed), "These are 0 and 1", "M08"),
        ("times -inf", (to_blocked, lambda a: (1 - a.float()) * -INF, to_allowed), "0 * inf is NaN"),
        ("log of the opposite", (to_blocked, lambda a: (~a).float().log(), to_allowed), "the *allowed* keys", "M36"),
        ("-1e9", (to_blocked, lambda a: (~a) * -1e9, to_allowed), "a finite number", "M08"),
        ("-10", (to_blocked, lambda a: (~a) * -10.0, to_allowed), "a finite number", "M08"),
        ("+inf", (to_blocked, lambda a: -to_additive(a), to_allowed), "+inf"),
        ("1 and -inf", (to_blocked, lambda a: to_additive(a) + 1, to_allowed), "allowed keys must get 0"),
        ("booleans", (to_blocked, lambda a: a, to_allowed), "must be float"),
        ("> -100", (to_blocked, to_additive, lambda a: a > -100), "-5000 is taken for a block"),
        ("> -1e30", (to_blocked, to_additive, lambda a: a >= -1e29), "-1e+30 is taken for a block"),
        ("> finfo.min", (to_blocked, to_additive, lambda a: a > torch.finfo(a.dtype).min), "is taken for a block"),
        (
            "finfo.min",
            (to_blocked, lambda a: (~a) * torch.finfo(torch.float32).min, to_allowed),
            "a finite number",
            "M08",
        ),
        ("turned twice", (to_blocked, lambda a: torch.where(a, -INF, 0.0), to_allowed), "*allowed* keys", "M36"),
        ("1 - allowed", (lambda a: 1 - a, to_additive, to_allowed), "use the `~`"),
        ("> -1e9", (to_blocked, to_additive, lambda a: a > -1e9), "-2e+09 is taken for a block"),
        ("exp", (to_blocked, to_additive, lambda a: a.exp() > 0), "-5000 is taken for a block"),
        ("> -1", (to_blocked, to_additive, lambda a: a > -1), "a negative number is a bias"),
        ("minus 1", (to_blocked, lambda a: a.float() - 1, to_allowed), "is still a weight", "M08"),
        ("== 0", (to_blocked, to_additive, lambda a: a == 0), "it is a bias"),
        (">= 0", (to_blocked, to_additive, lambda a: a >= 0), "a negative number is a bias"),
        ("> 0", (to_blocked, to_additive, lambda a: a > 0), "0 adds nothing and blocks nothing"),
        (".bool()", (to_blocked, to_additive, lambda a: a.bool()), "0 adds nothing, so it is allowed"),
        ("blocked for allowed", (to_blocked, to_additive, lambda a: a == -INF), "-inf means blocked", "M36"),
        ("all allowed", (to_blocked, to_additive, lambda a: a == a), "nothing is blocked", "M36"),
    ],
    COUNT: [
        ("all", (lambda T, S: T * S, "T >= S"), "This counts all cells"),
        ("half", (lambda T, S: T * S / 2, "T >= S"), "half of all cells"),
        ("one too many", (lambda T, S: int(tril(1)(T, S).sum()), "T >= S"), "one key too many"),
        ("half a square of S", (lambda T, S: S * (S - 1) // 2, "T >= S"), "half a square of side S"),
        ("queries and keys exchanged", (lambda T, S: cells(S, T), "T >= S"), "whose *first* query meets"),
        ("smaller square", (lambda T, S: min(T, S) * (min(T, S) + 1) // 2, "T >= S"), "whose *first* query meets"),
        ("larger square", (lambda T, S: max(T, S) * (max(T, S) + 1) // 2, "T >= S"), "a square of side"),
        ("less the difference", (lambda T, S: T * S - abs(S - T), "T >= S"), "Count the cells of a small mask"),
        ("a yes", (cells, True), "agree is of type bool"),
        ("own missing", (lambda T, S: int(tril(-1)(T, S).sum()), "T >= S"), "own position is missing"),
        ("top left", (lambda T, S: int(tril(top=True)(T, S).sum()), "T >= S"), "whose *first* query meets"),
        ("square of S", (lambda T, S: S * (S + 1) // 2, "T >= S"), "a square of side S"),
        ("square of T", (lambda T, S: T * (T + 1) // 2, "T >= S"), "whose *first* query meets"),
        ("T <= S only", (lambda T, S: T * S - T * (T - 1) // 2, "T >= S"), "goes wrong here"),
        ("forbidden", (lambda T, S: T * S - cells(T, S), "T >= S"), "the forbidden cells"),
        ("share", (lambda T, S: cells(T, S) / (T * S), "T >= S"), "the *share* of the allowed cells"),
        ("nothing if T > S", (lambda T, S: cells(T, S) * (T <= S), "T >= S"), "the last S of them do see keys"),
        ("a mask", (mask_tril, "T >= S"), "wanted one number"),
        ("a string", (lambda T, S: str(cells(T, S)), "T >= S"), "of type str"),
        ("always", (cells, "always"), "at T = 2, S = 5 the last query sees 5 keys under one rule and 2"),
        ("never", (cells, "never"), "at T = 4, S = 4 the last query sees the same keys"),
        ("T < S", (cells, "T < S"), "5 keys under one rule"),
        ("T <= S", (cells, "S ≥ T"), "5 keys under one rule"),
        ("where the masks are equal", (cells, "T = S"), "at T = 5, S = 3 the last query sees the same keys"),
        ("T > S", (cells, "T > S"), "at T = 4, S = 4 the last query sees the same keys"),
        ("no option", (cells, "when square"), "choose one of"),
    ],
}
