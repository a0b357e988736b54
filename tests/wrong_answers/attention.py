"""Lesson 02: answers to its exercises, wrong with the words their author must be told, and right.

WRONG[id]: (name, answer, part of the message[, misconception]). An answer of several parts is a tuple.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

import transformer_lab as package
from diagnoses import Diagnosed

INF = float("inf")
POINTS = {
    "02_attention.softmax": 4,
    "02_attention.scaled_dot_product_attention": 6,
    "02_attention.entropy": 3,
    "02_attention.mix": 3,
    "02_attention.shift": 2,
    "02_attention.duplicate": 3,
    "02_attention.missed": 3,
    "02_attention.diagnose": 5,
}
ONE_WAY = ()  # questions with only one right answer
MISCONCEPTIONS = ("M01", "M02", "M03", "M04", "M05", "M06")  # that some wrong answer below shows


# softmax ------------------------------------------------------------------------------------------------------


def softmax_in_one_line(x, dim=-1):
    return torch.nan_to_num(torch.softmax(x, dim), 0.0)


def softmax_by_hand(x, dim=-1):
    largest = x.max(dim=dim, keepdim=True).values
    largest = torch.where(largest == -INF, torch.zeros_like(largest), largest)
    powers = torch.exp(x - largest)
    total = powers.sum(dim=dim, keepdim=True)
    return powers / torch.where(total == 0, torch.ones_like(total), total)


def softmax_by_logsumexp(x, dim=-1):
    empty = (x == -INF).all(dim=dim, keepdim=True)
    x = x.masked_fill(empty, 0.0)
    return torch.exp(x - torch.logsumexp(x, dim=dim, keepdim=True)).masked_fill(empty, 0.0)


def softmax_row_by_row(x, dim=-1):
    rows = x.movedim(dim, -1)
    flat = [F.softmax(row, 0) if row.max() > -INF else row * 0 for row in rows.reshape(-1, rows.shape[-1])]
    flat = [torch.zeros_like(row) if row.isnan().all() else row for row in flat]
    return torch.stack(flat).reshape(rows.shape).movedim(-1, dim)


def softmax_detached_maximum(x, dim=-1):
    powers = (x - x.amax(dim, keepdim=True).detach().clamp_min(-1e30)).exp()
    return powers / powers.sum(dim, keepdim=True).clamp_min(1e-30)


def naive(x, dim=-1):
    return x.exp() / x.exp().sum(dim, keepdim=True)


def last_axis_only(x, dim=-1):
    return torch.softmax(x, -1).nan_to_num(0.0)


def first_axis_only(x, dim=-1):
    return torch.softmax(x, 0).nan_to_num(0.0)


def over_everything(x, dim=-1):
    powers = (x - x.max()).exp()
    return powers / powers.sum()


def maximum_of_everything(x, dim=-1):
    powers = (x - x.max()).exp()
    return powers / powers.sum(dim, keepdim=True)


def mean_subtracted(x, dim=-1):
    powers = (x - x.mean(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


def keepdim_forgotten(x, dim=-1):
    powers = x.exp()
    return powers / powers.sum(dim)


def clamped(x, dim=-1):
    return torch.softmax(x.clamp(-80, 80), dim)


def epsilon_below(x, dim=-1):
    powers = (x - x.amax(dim, keepdim=True)).exp()
    return powers / (powers.sum(dim, keepdim=True) + 1e-3)


def base_two(x, dim=-1):
    return torch.softmax(x * math.log(2), dim)


def log_of_it(x, dim=-1):
    return torch.log_softmax(x, dim)


def into_the_input(x, dim=-1):
    x -= x.amax(dim, keepdim=True)
    return torch.nan_to_num(torch.softmax(x, dim), 0.0)


def through_numpy(x, dim=-1):
    powers = np.exp(x.detach().numpy() - x.detach().numpy().max(axis=dim, keepdims=True))
    return torch.from_numpy(powers / powers.sum(axis=dim, keepdims=True)).nan_to_num(0.0)


def numpy_array(x, dim=-1):
    return torch.softmax(x, dim).detach().numpy()


def always_single_precision(x, dim=-1):
    return torch.softmax(x.float(), dim).nan_to_num(0.0)


def sum_detached(x, dim=-1):
    powers = (x - x.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True).detach()


def empty_rows_uniform(x, dim=-1):
    return torch.softmax(x.clamp_min(-1e30), dim)


def empty_rows_nan(x, dim=-1):
    return torch.softmax(x, dim)


def largest_size(x, dim=-1):
    powers = (x - x.abs().amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


def emptied(x, dim=-1):
    return torch.zeros_like(x) if x.isinf().any() else torch.softmax(x, dim)


def no_return(x, dim=-1):
    torch.softmax(x, dim)


def exits(x, dim=-1):
    raise SystemExit("enough")


def sum_along_another_axis(x, dim=-1):
    powers = (x - x.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(0, keepdim=True)


def maximum_of_another_axis(x, dim=-1):
    powers = (x - x.amax(0, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


def exp_forgotten(x, dim=-1):
    lowered = x - x.amax(dim, keepdim=True)
    return lowered / lowered.sum(dim, keepdim=True)


def minus_ten_thousand(x, dim=-1):
    empty = (x == -INF).all(dim, keepdim=True)
    return x.masked_fill(x == -INF, -1e4).softmax(dim).masked_fill(empty, 0.0)


def weaker_beside_inf(x, dim=-1):
    """A row that holds -inf is made flatter."""
    finite = x.masked_fill(x == -INF, 0.0)
    return softmax_in_one_line(torch.where((x == -INF).any(dim, keepdim=True) & (x > -INF), finite * 0.9, x), dim)


def nan_gradient_when_large(x, dim=-1):
    plain = x.exp() / x.exp().sum(dim, keepdim=True)
    return torch.where((x.abs() > 50) | x.isinf().any(dim, keepdim=True), softmax_in_one_line(x, dim), plain)


def misspelt(x, dim=-1):
    return torch.softmaks(x, dim)


def stretched(x, dim=-1):
    low, high = x.amin(dim, keepdim=True), x.amax(dim, keepdim=True)
    return (x - low) / (high - low)


def softmax_in_float64(x, dim=-1):
    empty = x.double().isneginf().all(dim, keepdim=True)
    return torch.where(empty, 0.0, x.double().where(~empty, 0.0).softmax(dim)).to(x.dtype)


# attention ----------------------------------------------------------------------------------------------------


def attention_right(q, k, v):
    weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1)
    return weights @ v, weights


def attention_einsum(q, k, v):
    scores = torch.einsum("...td,...sd->...ts", q, k) * k.size(-1) ** -0.5
    weights = F.softmax(scores, dim=-1)
    return torch.einsum("...ts,...se->...te", weights, v), weights


def attention_fused_output(q, k, v):
    return F.scaled_dot_product_attention(q, k, v), softmax_by_hand(q @ k.mT / q.shape[-1] ** 0.5)


def attention_through_identity(q, k, v):
    identity = torch.eye(k.shape[-2], dtype=k.dtype).expand(*k.shape[:-1], k.shape[-2])
    weights = F.scaled_dot_product_attention(q, k, identity)
    return weights @ v, weights


def attention_list(q, k, v):
    weights = ((q / q.shape[-1] ** 0.5).unsqueeze(-2) * k.unsqueeze(-3)).sum(-1).softmax(-1)
    return [(weights.unsqueeze(-1) * v.unsqueeze(-3)).sum(-2), weights]


def root_as_tensor(q, k, v):
    weights = torch.softmax(q @ k.mT / torch.sqrt(torch.tensor(q.shape[-1])), dim=-1)
    return weights @ v, weights


def root_as_float32(q, k, v):
    d_k = torch.tensor(q.size(-1), dtype=torch.float32)
    weights = F.softmax(torch.matmul(q, k.transpose(-2, -1)) / torch.sqrt(d_k), dim=-1)
    return torch.matmul(weights, v), weights


def isqrt(q, k, v):
    return 1 / int(math.sqrt(q.shape[-1]))


def first_five(q, k, v):
    return attention_right(q, k[..., :5, :], v[..., :5, :])


def columns_when(found):
    """Over the queries when found(T, S), else right."""

    def attention(q, k, v):
        return variant(dim=-2 if found(q.shape[-2], k.shape[-2]) else -1)(q, k, v)

    return attention


def causal_when_square(q, k, v):
    return (causal if q.shape[-2] == k.shape[-2] else attention_right)(q, k, v)


def turned_unless_square(q, k, v):
    weights = (q @ (k if k.shape[-1] == k.shape[-2] else k.mT) / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ v, weights


def residual(q, k, v):
    output, weights = attention_right(q, k, v)
    return output + v if output.shape == v.shape else output, weights


def squeezed(q, k, v):
    output, weights = attention_right(q, k, v)
    return output.squeeze(), weights.squeeze()


def viewed(q, k, v):
    one = [x.view(-1, *x.shape[-2:]) for x in (q, k, v)]
    output, weights = attention_right(*one)
    return output.view(*q.shape[:-1], v.shape[-1]), weights.view(*q.shape[:-1], k.shape[-2])


def re_read(q, k, v):
    weights = (q @ k.reshape(*k.shape[:-2], *k.shape[:-3:-1]) / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ v, weights


def first_keys_for_all(q, k, v):
    return attention_right(q, k[:1] if k.ndim > 2 else k, v)


def heads_times_d(q, k, v):
    return variant(scale=lambda q, k, v: ((q.shape[1] if q.ndim == 4 else 1) * q.shape[-1]) ** -0.5)(q, k, v)


ANSWERS = Diagnosed(
    {
        "a": ("keys re-read", "an equal key gets no more than the others"),
        "b": ("softmax twice", "queries 100 times as long leave the weights flat"),
        "c": ("sum over the queries", "the weights are right, the output is not"),
        "d": ("divisor too large", "right again when all queries are multiplied by one number"),
    },
    attention_right,
)
mended, fault, shown = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


def sum_over_queries(q, k, v):
    weights = attention_right(q, k, v)[1]
    return torch.einsum("...ij,...ie->...je", weights, v), weights


def rows_after_columns(s):
    columns = s.softmax(-2)
    return columns / columns.sum(-1, keepdim=True)


def weights_double(q, k, v):
    weights = attention_right(q.double(), k.double(), v.double())[1]
    return weights.to(v.dtype) @ v, weights


def half_gradient(q, k, v):
    output, weights = attention_right(q, k, v)
    return output.detach() + 0.5 * (output - output.detach()), weights


def nan_gradient(q, k, v):
    output, weights = attention_right(q, k, v)
    return output + 0 * (output - output.detach()).abs().sqrt(), weights


def attention_naive(q, k, v):
    powers = (q @ k.mT / math.sqrt(q.shape[-1])).exp()
    weights = powers / powers.sum(-1, keepdim=True)
    return weights @ v, weights


def variant(scale=None, dim=-1, normalise=None, act=None, on="", after=None):
    """An attention with one part different from the right one."""

    def attention(q, k, v):
        factor = scale(q, k, v) if scale else q.shape[-1] ** -0.5
        q, k, v = (act(x) if name in on else x for name, x in (("q", q), ("k", k), ("v", v)))
        scores = q @ k.transpose(-2, -1) * factor
        weights = normalise(scores) if normalise else scores.softmax(dim)
        output = weights @ v
        return after(output, weights, q, k, v) if after else (output, weights)

    return attention


unscaled = variant(scale=lambda q, k, v: 1.0)
model_width = variant(scale=lambda q, k, v: (8 * q.shape[-1]) ** -0.5)
by_width = variant(scale=lambda q, k, v: 1 / q.shape[-1])
by_keys = variant(scale=lambda q, k, v: k.shape[-2] ** -0.5)
multiplied = variant(scale=lambda q, k, v: q.shape[-1] ** 0.5)
odd_scale = variant(scale=lambda q, k, v: 0.2)
minus = variant(scale=lambda q, k, v: -(q.shape[-1] ** -0.5))
over_queries = variant(dim=-2)
over_axis_one = variant(dim=1)
over_all = variant(normalise=lambda s: s.flatten().softmax(0).view_as(s))
no_softmax = variant(normalise=lambda s: s)
only_exp = variant(normalise=torch.exp)
sigmoids = variant(normalise=torch.sigmoid)
twice = variant(normalise=lambda s: s.softmax(-1).softmax(-1))
causal = variant(normalise=lambda s: s.masked_fill(~torch.ones(s.shape[-2:]).tril().bool(), -INF).softmax(-1))
hard = variant(normalise=lambda s: F.one_hot(s.argmax(-1), s.shape[-1]).to(s.dtype))
rounded = variant(normalise=lambda s: s.softmax(-1).round(decimals=2))
with_dropout = variant(normalise=lambda s: F.dropout(s.softmax(-1), 0.1, training=True))
relu_q = variant(act=torch.relu, on="q")
tanh_both = variant(act=torch.tanh, on="qk")
relu_v = variant(act=torch.relu, on="v")
cut = variant(normalise=lambda s: F.threshold(s.softmax(-1), 0.1, 0.0))
low_precision = variant(normalise=lambda s: s.softmax(-1).bfloat16().to(s.dtype))
cosine = variant(scale=lambda q, k, v: 1.0, act=lambda x: F.normalize(x, dim=-1), on="qk")
shares_of_scores = variant(normalise=lambda s: s.abs() / s.abs().sum(-1, keepdim=True))
scores_returned = variant(after=lambda o, w, q, k, v: (o, q @ k.transpose(-2, -1)))
outside = variant(scale=lambda q, k, v: 1.0, after=lambda o, w, q, k, v: (o / q.shape[-1] ** 0.5, w))
outside_in_weights = variant(
    scale=lambda q, k, v: 1.0, after=lambda o, w, q, k, v: (w / q.shape[-1] ** 0.5 @ v, w / q.shape[-1] ** 0.5)
)
turned = variant(after=lambda o, w, q, k, v: (w.transpose(-2, -1) @ v, w))
summed_over_queries = variant(after=lambda o, w, q, k, v: (torch.einsum("...ts,...se->...se", w, v), w))
value_of_its_own = variant(
    after=lambda o, w, q, k, v: (torch.einsum("...ts,...te->...te", w, v[..., : w.shape[-2], :]), w)
)
mean_of_values = variant(after=lambda o, w, q, k, v: (v.mean(-2, keepdim=True).expand_as(o), w))
swapped = variant(after=lambda o, w, q, k, v: (w, o))
output_only = variant(after=lambda o, w, q, k, v: o)
three_things = variant(after=lambda o, w, q, k, v: (o, w, v))
weights_turned = variant(after=lambda o, w, q, k, v: (o, w.transpose(-2, -1)))
weights_detached = variant(after=lambda o, w, q, k, v: (w.detach() @ v, w.detach()))
single_precision = variant(after=lambda o, w, q, k, v: (o.float(), w.float()))
secretly_single = variant(normalise=lambda s: s.float().softmax(-1).to(s.dtype))
keys_averaged = variant(after=lambda o, w, q, k, v: (w @ k, w))


def one_matrix_only(q, k, v):
    weights = torch.softmax(torch.mm(q, k.t()) / math.sqrt(q.shape[-1]), dim=-1)
    return weights @ v, weights


def batch_unpacked(q, k, v):
    n_queries, d = q.shape
    return attention_right(q, k, v)


def keys_not_turned(q, k, v):
    weights = (q @ k / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ v, weights


def q_and_k_swapped(q, k, v):
    weights = (k @ q.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ v, weights


def values_as_keys(q, k, v):
    weights = (q @ v.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ v, weights


def distances(q, k, v):
    weights = (-torch.cdist(q, k)).softmax(-1)
    return weights @ v, weights


def large_scores_damped(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = torch.where(scores > 3, 3 + 0.1 * (scores - 3), scores).softmax(-1)
    return weights @ v, weights


def no_gradient(q, k, v):
    with torch.no_grad():
        return attention_right(q, k, v)


def overflowing_branch(s):
    """Right weights; beyond 20 the naive ones overflow in the branch that where does not take."""
    naive_ones = (5 * s).exp() / (5 * s).exp().sum(-1, keepdim=True)
    return torch.where(torch.tensor(True), s.softmax(-1), naive_ones)


def top_three(s):
    kept = s.topk(min(3, s.shape[-1]), dim=-1).values[..., -1:]
    return s.masked_fill(s < kept, -INF).softmax(-1)


def scaled_in_place(q, k, v):
    q /= math.sqrt(q.shape[-1])
    weights = torch.softmax(q @ k.transpose(-2, -1), dim=-1)
    return weights @ v, weights


# entropy ------------------------------------------------------------------------------------------------------


def entropy_right(weights):
    return torch.special.entr(weights).sum(dim=-1)


def entropy_xlogy(weights):
    return -torch.xlogy(weights, weights).sum(-1)


def entropy_clamped(weights):
    return -(weights * weights.clamp_min(1e-12).log()).sum(-1)


def entropy_tiny_constant(weights):
    return -(weights * torch.log(weights + 1e-12)).sum(-1)


def entropy_nansum(weights):
    return -(weights * weights.log()).nansum(-1)


def entropy_from_relative(weights):
    """log S less the relative entropy to equal weights: its gradient has a number more for a whole row."""
    S = weights.shape[-1]
    return math.log(S) - torch.xlogy(weights, S * weights).sum(-1)


def entropy_row_by_row(weights):
    rows = [-sum(w * w.log() for w in row if w > 0) for row in weights.reshape(-1, weights.shape[-1])]
    return torch.stack(rows).reshape(weights.shape[:-1])


def two_axes(weights):
    T, S = weights.shape[-2:]
    return entropy_right(weights)


def entropy_categorical(weights):
    return torch.distributions.Categorical(probs=weights, validate_args=False).entropy()


def entropy_where(weights):
    logs = torch.where(weights > 0, weights, torch.ones_like(weights)).log()
    return -torch.einsum("...s,...s->...", weights, logs)


# mix ----------------------------------------------------------------------------------------------------------


def scores_wanted(keys, low=-20.0):
    return torch.tensor([0.0, 0.0, low, low]) * math.sqrt(keys.shape[-1])


def mix_pinv(keys, values):
    return torch.linalg.pinv(keys) @ scores_wanted(keys)


def as_if_orthogonal(keys, values):
    return 20 * math.sqrt(keys.shape[-1]) * sum(key / key.dot(key) for key in keys[:2])


def mix_lstsq(keys, values):
    return torch.linalg.lstsq(keys, scores_wanted(keys, -12.0)[:, None]).solution.squeeze(-1)


def mix_solve(keys, values):
    scores = torch.tensor([30.0, 30.0, 0.0, 0.0]) * math.sqrt(keys.shape[-1])
    return keys.T @ torch.linalg.solve(keys @ keys.T, scores)


def mix_descent(keys, values):
    keys, wanted = keys.double(), torch.tensor([10.0, 10.0, -10.0, -10.0])
    query = torch.zeros(keys.shape[-1], dtype=keys.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS([query], max_iter=500, line_search_fn="strong_wolfe", tolerance_change=1e-14)

    def loss():
        optimiser.zero_grad()
        loss = F.mse_loss(keys @ query / math.sqrt(len(query)), wanted.double())
        loss.backward()
        return loss

    optimiser.step(loss)
    return query


# shift, duplicate ---------------------------------------------------------------------------------------------


def shift_right(scores, c):
    return torch.softmax(scores + c, dim=-1)


def another_c(scores, c):
    return (scores + c * torch.arange(scores.shape[-1])).softmax(-1)


def shift_by_the_largest_of_all(scores, c):
    powers = (scores + c - (scores + c).max()).exp()
    return powers / powers.sum(-1, keepdim=True)


def shift_ignored(scores, c):
    return softmax_by_hand(scores)


def shift_row_by_row(scores, c):
    rows = [F.softmax(row + c, dim=0) for row in scores.reshape(-1, scores.shape[-1])]
    return torch.stack(rows).view_as(scores)


def duplicate_right(weights, j):
    return torch.cat([weights, weights[j : j + 1]]) / (1 + weights[j])


def duplicate_through_scores(weights, j):
    scores = weights.log()
    return torch.softmax(torch.cat([scores, scores[j].reshape(1)]), dim=0)


def duplicate_sum(weights, j):
    row = torch.stack([*weights, weights[j]])
    return row / row.sum()


def copy_detached(weights, j):
    return F.normalize(torch.cat([weights, weights[j : j + 1].detach()]), p=1, dim=0)


def in_the_middle(weights, j):
    row = torch.cat([weights[: j + 1], weights[j:]])
    return row / row.sum()


def doubled_where_it_is(weights, j):
    row = weights.clone()
    row[j] *= 2
    return row / row.sum()


def halves(weights, j):
    row = torch.cat([weights, weights[j : j + 1] / 2])
    row[j] = weights[j] / 2
    return row


def written_into(weights, j):
    weights /= 1 + weights[j].item()
    return torch.cat([weights, weights[j : j + 1]])


ATTENTION = "02_attention.scaled_dot_product_attention"

# missed -------------------------------------------------------------------------------------------------------


def needless_right(weights):
    values = torch.zeros(len(weights), 1)
    values[weights.argmin()] = 5 / weights.min()
    values[weights.argmax()] = 5 / (1 - weights.max())
    return values


def needless_random(weights):
    """Values of two numbers drawn at random, and the heaviest one's their mean."""
    others = torch.arange(len(weights)) != weights.argmax()
    values = torch.randn(len(weights), 2)
    values[weights.argmin()] = torch.tensor([400.0, -300.0])
    rest = weights[others] / weights[others].sum()
    values[~others] = rest @ values[others]
    return values


def needless_around_zero(weights):
    """Two keys that cancel each other, and the others silent: neither silence moves anything."""
    order, values = weights.argsort(), torch.zeros(len(weights), 3, dtype=torch.float64)
    values[order[0], 1] = 9 / weights[order[0]]
    values[order[1], 1] = -9 / weights[order[1]]
    return values


def missed_right(weights, v, shared):
    """Key after key."""
    columns = []
    for j in range(weights.shape[-1]):
        rest = torch.cat((weights[..., :j], torch.zeros_like(weights[..., :1]), weights[..., j + 1 :]), dim=-1)
        rest = rest / rest.sum(-1, keepdim=True) if shared else rest
        columns.append((rest @ v - weights @ v).square().sum(-1).sqrt())
    return torch.stack(columns, dim=-1)


def missed_by_formula(weights, v, shared):
    if not shared:
        return weights * v.norm(dim=-1)[..., None, :]
    away = v[..., None, :, :] - (weights @ v)[..., None, :]
    return weights / (1 - weights) * away.norm(dim=-1)


def missed_without_the_column(weights, v, shared):
    """The key is cut out of weights and values."""
    columns = []
    for j in range(v.shape[-2]):
        kept = [k for k in range(v.shape[-2]) if k != j]
        rest = weights[..., kept]
        rest = rest / rest.sum(-1, keepdim=True) if shared else rest
        columns.append(torch.linalg.vector_norm(rest @ v[..., kept, :] - weights @ v, dim=-1))
    return torch.stack(columns, -1)


def missed_through_scores(weights, v, shared):
    """As a mask does it: the logarithms of the weights are scores."""
    if not shared:
        return missed_by_formula(weights, v, shared)
    hidden = torch.eye(weights.shape[-1], dtype=torch.bool)
    rest = weights.log()[..., None, :].expand(*weights.shape, weights.shape[-1]).masked_fill(hidden, -INF).softmax(-1)
    return (rest @ v[..., None, :, :] - (weights @ v)[..., None, :]).norm(dim=-1)


def missed_measured(measure):
    """The right outputs, compared in another way: measure(output without the key, output)."""

    def missed(weights, v, shared):
        columns = []
        for j in range(weights.shape[-1]):
            rest = weights.index_fill(-1, torch.tensor([j]), 0.0)
            rest = rest / rest.sum(-1, keepdim=True) if shared else rest
            columns.append(measure(rest @ v, weights @ v))
        return torch.stack(columns, -1)

    return missed


def missed_left(others):
    """others(weights, j): the weights that are left without key j, shared or not."""

    def missed(weights, v, shared):
        rest = [others(weights, j) for j in range(weights.shape[-1])]
        return torch.stack([(one @ v - weights @ v).norm(dim=-1) for one in rest], -1)

    return lambda weights, v, shared: (missed if shared else missed_right)(weights, v, shared)


def without(weights, j):
    return weights.index_fill(-1, torch.tensor([j]), 0.0)


def equal_parts(weights, j):
    rest = weights + weights[..., j : j + 1] / (weights.shape[-1] - 1)
    return without(rest, j)


def writing_into_the_weights(weights, v, shared):
    result = missed_right(weights, v, shared)
    weights[..., 0] = 0
    return result


def all_queries_lose_the_mean(weights, v, shared):
    """The key's value becomes the mean of all values."""
    columns = []
    for j in range(v.shape[-2]):
        other = v.clone()
        other[..., j, :] = v.mean(-2)
        columns.append((weights @ other - weights @ v).norm(dim=-1))
    return torch.stack(columns, -1)


def needless_by(make):
    """values whose lightest key is loud, and whose heaviest one is make(weights, values, others)."""

    def needless(weights):
        values = torch.zeros(len(weights), 2)
        values[weights.argmin()] = torch.tensor([300.0, 100.0])
        others = torch.arange(len(weights)) != weights.argmax()
        values[weights.argmax()] = make(weights, values, others)
        return values

    return needless


def needless_exchanged(weights):
    others = torch.arange(len(weights)) != weights.argmin()
    values = torch.zeros(len(weights), 1)
    values[weights.argmax()] = 40.0
    values[weights.argmin()] = weights[others] @ values[others] / weights[others].sum()
    return values


def needless_for_three(weights):
    """The heaviest is taken to stand first."""
    values = torch.zeros(len(weights), 1)
    values[-1] = 5 / weights[-1]
    values[0] = 5 / (1 - weights[0])
    return values


RIGHT = {
    "02_attention.softmax": [
        ("one line", softmax_in_one_line),
        ("by hand", softmax_by_hand),
        ("logsumexp", softmax_by_logsumexp),
        ("row by row", softmax_row_by_row),
        ("maximum detached, clamped at -1e30", softmax_detached_maximum),
        ("in float64, cast back", softmax_in_float64),
        ("nan to zeros by where", lambda x, dim=-1: (lambda w: w.where(~w.isnan(), 0.0))(F.softmax(x, dim))),
    ],
    ATTENTION: [
        ("textbook", attention_right),
        ("einsum", attention_einsum),
        ("the package's", package.scaled_dot_product_attention),
        (
            "baddbmm and a power",
            lambda q, k, v: (lambda w: (w.matmul(v), w))(F.softmax(q.mul(q.size(-1) ** -0.5) @ k.mT, -1)),
        ),
        ("fused output", attention_fused_output),
        ("weights through an identity", attention_through_identity),
        ("by broadcasting, as a list", attention_list),
        ("float32 inside", secretly_single),
        ("torch.sqrt(torch.tensor(d))", root_as_tensor),
        ("d_k as a float32 tensor", root_as_float32),
        ("exp and sum, without the maximum", attention_naive),
    ],
    "02_attention.entropy": [
        ("entr", entropy_right),
        ("xlogy", entropy_xlogy),
        ("clamped at 1e-12", entropy_clamped),
        ("1e-12 inside log", entropy_tiny_constant),
        ("where", entropy_where),
        ("a distribution", entropy_categorical),
        ("nansum", entropy_nansum),
        ("through the relative entropy", entropy_from_relative),
        ("row by row", entropy_row_by_row),
    ],
    "02_attention.mix": [
        ("pinv", mix_pinv),
        ("lstsq", mix_lstsq),
        ("solve", mix_solve),
        ("gradient descent", mix_descent),
        ("in float64", lambda keys, values: mix_pinv(keys, values).double()),
    ],
    "02_attention.shift": [
        ("as asked", (shift_right, "b_K")),
        ("small and space", (shift_right, "b_k ")),
        ("c cancelled by hand", (shift_ignored, "b_K")),
        ("row by row", (shift_row_by_row, "b_K")),
        ("through log_softmax", (lambda s, c: (s + c).log_softmax(-1).exp(), "b_K")),
    ],
    "02_attention.duplicate": [
        ("formula", duplicate_right),
        ("through scores", duplicate_through_scores),
        ("divided by its sum", duplicate_sum),
    ],
    "02_attention.missed": [
        ("key after key", (missed_right, needless_right)),
        ("by a formula", (missed_by_formula, needless_random)),
        ("the key cut out", (missed_without_the_column, needless_around_zero)),
        ("through scores", (missed_through_scores, lambda weights: needless_right(weights).double())),
    ],
    "02_attention.diagnose": [
        ("textbook", mended(attention_right)),
        ("einsum", mended(attention_einsum)),
        ("a list", mended(attention_list)),
        ("fused", mended(attention_fused_output)),
        ("capitals and spaces", ANSWERS.in_capitals()),
    ],
}


def entropy_of_large_weights(weights):
    return -torch.where(weights > 1e-4, weights * weights.clamp(min=1e-4).log(), 0.0).sum(-1)


def nan_for_a_weight_of_0(weights, j):
    return duplicate_right(weights, j) + 0 * weights.log().sum()


WRONG = {
    "02_attention.softmax": [
        ("batch axes taken for keys in 4-D", lambda x, dim=-1: x.softmax(1 if x.ndim == 4 else dim), "dim is ignored"),
        ("a row alone squeezed", lambda x, dim=-1: softmax_by_hand(x, dim).squeeze(0), "summed away or squeezed"),
        ("no maximum", naive, "Subtract each row's largest score"),
        ("dim ignored", last_axis_only, "dim=2; dim=0 was asked for"),
        ("dim=0", first_axis_only, "softmax along dim=0; dim=-1 was asked for"),
        ("over everything", over_everything, "The whole tensor sums to 1"),
        ("maximum of the whole tensor", maximum_of_everything, "taken over the whole tensor"),
        ("mean subtracted", mean_subtracted, "its mean?"),
        ("keepdim forgotten", keepdim_forgotten, "keepdim=True"),
        ("clamped", clamped, "clamped"),
        ("epsilon below", epsilon_below, "not to 1"),
        ("base 2", base_two, "base 2"),
        ("log_softmax", log_of_it, "logarithm of softmax"),
        ("exp only", lambda x, dim=-1: x.exp(), "not divided by anything", "M03"),
        ("sigmoid", lambda x, dim=-1: x.sigmoid(), "sigmoid", "M03"),
        ("argmax", lambda x, dim=-1: torch.zeros_like(x).scatter(dim, x.argmax(dim, True), 1.0), "hard maximum"),
        ("x / sum", lambda x, dim=-1: x / x.sum(dim, keepdim=True), "without exp", "M03"),
        ("twice", lambda x, dim=-1: x.softmax(dim).softmax(dim), "applied twice"),
        ("in place", into_the_input, "changed its input x in place"),
        ("numpy inside", through_numpy, "No gradient flows"),
        ("numpy returned", numpy_array, "numpy.ndarray"),
        ("list returned", lambda x, dim=-1: x.softmax(dim).tolist(), "of type list"),
        ("float32 inside", always_single_precision, "came back as torch.float32"),
        ("sum detached", sum_detached, "The sum in the denominator is cut"),
        ("-inf row uniform", empty_rows_uniform, "equal weights"),
        ("-inf row NaN", empty_rows_nan, "-inf minus -inf"),
        ("no return", no_return, "did you forget `return`?"),
        ("SystemExit", exits, "SystemExit: enough"),
        ("size, not value, of the largest", largest_size, "not its size"),
        ("max with its indices", lambda x, dim=-1: (x - x.max(dim, keepdim=True)).exp(), "values and indices"),
        ("-inf anywhere empties all", emptied, "lost all its weights"),
        ("float16 inside", lambda x, dim=-1: x.softmax(dim).half().to(x.dtype), "nearly right"),
        ("misspelt", misspelt, "in your misspelt(), line "),
        ("dim or -1", lambda x, dim=-1: softmax_in_one_line(x, dim or -1), "treats 0 as not given"),
        ("sum along another axis", sum_along_another_axis, "The sum in the denominator runs"),
        ("maximum along another axis", maximum_of_another_axis, "The maximum is taken along dim=0"),
        ("exp forgotten", exp_forgotten, "exp is missing", "M03"),
        ("four axes", lambda x, dim=-1: softmax_in_one_line(x, -1 if x.ndim == 4 else dim), "softmax along dim=3"),
        (
            "one axis",
            lambda x, dim=-1: softmax_in_one_line(x, dim) / (2 if x.ndim == 1 else 1),
            "0.5 ... 0.5, not to 1",
        ),
        ("-inf for -1e4", minus_ten_thousand, "a weight that is not 0"),
        ("stretched to 0 ... 1", stretched, "stretched to 0 ... 1", "M03"),
        ("zeros", lambda x, dim=-1: torch.zeros_like(x), "yours sum to 0 ... 0"),
        ("sigmoids over their sum", lambda x, dim=-1: F.normalize(x.sigmoid(), p=1, dim=dim), "exp(difference of"),
        ("weaker beside -inf", weaker_beside_inf, "share the weight as if they were alone"),
        ("no dim", lambda x: x.softmax(-1), "The expected signature is softmax(x, dim=-1)."),
        ("gradient NaN at 1e4", nan_gradient_when_large, "their gradient is NaN"),
        (
            "standardised",
            lambda x, dim=-1: ((x - x.mean(dim, True)) / x.std(dim, keepdim=True)).softmax(dim),
            "divided by their standard deviation",
        ),
        ("over the length", lambda x, dim=-1: F.normalize(x, dim=dim).softmax(dim), "divided by their size first"),
        ("of sizes", lambda x, dim=-1: x.abs().softmax(dim), "softmax of their sizes"),
        ("of tanh", lambda x, dim=-1: x.tanh().softmax(dim), "softmax of a tanh"),
        ("minus", lambda x, dim=-1: (-x).softmax(dim), "the scores times -1"),
        ("nan_to_num first", lambda x, dim=-1: x.nan_to_num().softmax(dim), "equal weights"),
        ("lower end clamped", lambda x, dim=-1: x.clamp_min(-100).softmax(dim), "Softmax of -10000"),
        ("gumbel", lambda x, dim=-1: F.gumbel_softmax(x, dim=dim), "exp(difference of"),
        (
            "sum along the last",
            lambda x, dim=-1: F.softmax(x, dim) / F.softmax(x, dim).sum(-1, keepdim=True),
            "must sum to 1; yours sum to",
        ),
        ("mean for sum", lambda x, dim=-1: x.softmax(dim) / x.shape[dim], "not to 1"),
        ("float64", lambda x, dim=-1: softmax_in_one_line(x.double(), dim), "came back as torch.float64"),
    ],
    ATTENTION: [
        ("scores damped above 3", large_scores_damped, "its logarithms do not follow q.k"),
        ("unscaled", unscaled, "not scaled at all", "M01"),
        ("sqrt(d_model)", model_width, "a d_model of 8 heads", "M01"),
        ("1/d", by_width, "1/d: the root is missing"),
        ("sqrt(S)", by_keys, "the number of keys"),
        ("times sqrt(d)", multiplied, "multiplied where it should be divided"),
        ("another scale", odd_scale, "q.k times 0.2; wanted 1/sqrt(d) = 0.3015"),
        ("minus", minus, "the sign is wrong"),
        ("over the queries", over_queries, "runs over the queries", "M04"),
        ("dim=1", over_axis_one, "count axes from the end"),
        ("over everything", over_all, "over all queries and keys at once"),
        ("no softmax", no_softmax, "before the softmax: signed", "M03"),
        ("exp only", only_exp, "not divided by its sum", "M03"),
        ("sigmoid", sigmoids, "sigmoid", "M03"),
        ("softmax twice", twice, "applied twice"),
        ("causal", causal, "causal mask"),
        ("argmax", hard, "best key alone"),
        ("rounded", rounded, "rounded to 2 decimals"),
        ("dropout on", with_dropout, "dropout"),
        ("relu of q", relu_q, "relu is applied to q", "M06"),
        ("tanh of q and k", tanh_both, "tanh is applied to q and k", "M06"),
        ("relu of v", relu_v, "relu is applied to the values", "M06"),
        ("a constant for sqrt(d)", variant(scale=lambda q, k, v: 1 / 8), "a fixed number is used (8"),
        (
            "layer norm of v",
            variant(act=lambda x: F.layer_norm(x, x.shape[-1:]), on="v"),
            "the output is not weights @ v",
        ),
        ("float16 inside", variant(normalise=lambda s: s.half().softmax(-1).to(s.dtype)), "of low precision"),
        ("cosine", cosine, "Division by its length is applied to q and k"),
        ("distances", distances, "look at how the scores are made"),
        ("small weights cut", cut, "Some weights are set to 0 after the softmax"),
        ("bfloat16 inside", low_precision, "of low precision"),
        ("no weights", variant(after=lambda o, w, q, k, v: (o, None)), "None came back"),
        ("scores returned", scores_returned, "The output is right, but not made with these weights"),
        ("scale outside", outside, "comes after the softmax", "M02"),
        ("scale outside, in the weights", outside_in_weights, "each row sums to 1/sqrt(d)", "M02"),
        ("weights transposed in the sum", turned, "sum runs over the queries", "M05"),
        ("summed over queries", summed_over_queries, "sum runs over the queries", "M05"),
        ("index both free and summed", value_of_its_own, "Output i is value i", "M05"),
        ("mean of the values", mean_of_values, "plain mean of the values"),
        ("swapped", swapped, "Weights and output are swapped"),
        ("output only", output_only, "Only the output came back"),
        ("three things", three_things, "returned 3 things"),
        ("weights transposed", weights_turned, "queries in rows, keys in columns"),
        ("weights detached", weights_detached, "No gradient flows through the weights"),
        ("no_grad", no_gradient, "No gradient flows through the output"),
        ("float32", single_precision, "came back as torch.float32"),
        ("keys averaged", keys_averaged, "as wide as q and k"),
        ("one matrix only", one_matrix_only, "It works on one matrix"),
        ("shape unpacked", batch_unpacked, "do not unpack a fixed number"),
        ("k not transposed", keys_not_turned, "k is not transposed"),
        ("q and k swapped", q_and_k_swapped, "q and k are swapped", "M04"),
        ("v as keys", values_as_keys, "values are used where the keys should be"),
        ("in place", scaled_in_place, "changed its input q in place"),
        ("sqrt of a number", variant(scale=lambda q, k, v: 11**-0.5), "It is right on other sizes"),
        ("five keys", first_five, "wanted (6, 7)"),
        ("over the queries when T >= S", columns_when(lambda T, S: T >= S), "Here T = 7, S = 3", "M04"),
        ("over the queries when T == S", columns_when(lambda T, S: T == S), "Here T = 5, S = 5", "M04"),
        ("causal when T == S", causal_when_square, "causal mask"),
        ("not transposed when square", turned_unless_square, "k is not transposed"),
        ("residual when shapes allow", residual, "The values are added to the output"),
        ("squeezed", squeezed, "summed away or squeezed"),
        ("viewed", viewed, "It works on contiguous inputs"),
        ("reshape for transpose", re_read, "they do not transpose"),
        ("keys of the first batch element", first_keys_for_all, "keys of the first batch element"),
        ("root cut", variant(scale=isqrt), "the root is truncated to a whole number"),
        ("d + 1", variant(scale=lambda q, k, v: (q.shape[-1] + 1) ** -0.5), "1/sqrt(d + 1)"),
        ("8 sqrt(d)", variant(scale=lambda q, k, v: q.shape[-1] ** -0.5 / 8), "8 still multiplies the root", "M01"),
        ("sqrt(512)", variant(scale=lambda q, k, v: 512**-0.5), "a fixed number is used", "M01"),
        ("sqrt(H d)", heads_times_d, "a d_model of 3 heads", "M01"),
        ("divided by 0", variant(scale=lambda q, k, v: INF), "is a divisor 0"),
        ("columns, then rows", variant(normalise=rows_after_columns), "divided by its sum afterwards", "M04"),
        ("two faults", variant(scale=lambda q, k, v: (8 * q.shape[-1]) ** -0.5, dim=-2), "Two faults", "M04"),
        ("no exp", variant(normalise=lambda s: s.abs() / s.abs().sum(-1, keepdim=True)), "exp is missing", "M03"),
        (
            "reversed mask",
            variant(normalise=lambda s: s.masked_fill(torch.ones_like(s).tril(-1).bool(), -INF).softmax(-1)),
            "A mask hides some keys",
        ),
        ("clamped", variant(normalise=lambda s: s.clamp(-5, 5).softmax(-1)), "clamped to 5"),
        ("relu of scores", variant(normalise=lambda s: s.relu().softmax(-1)), "relu is applied to the scores"),
        ("floor", variant(normalise=lambda s: s.floor().softmax(-1)), "truncated to whole numbers"),
        ("mean over keys", variant(after=lambda o, w, q, k, v: (o / k.shape[-2], w)), "the mean over the keys"),
        (
            "unscaled weights beside",
            lambda q, k, v: (attention_right(q, k, v)[0], unscaled(q, k, v)[1]),
            "not made with",
        ),
        ("float64 returned", lambda q, k, v: attention_right(q.double(), k.double(), v.double()), "as torch.float64"),
        ("float64 weights", weights_double, "the weights came back as torch.float64"),
        ("half the gradient", half_gradient, "Yours is 0.5 times what is wanted"),
        ("NaN gradient", nan_gradient, "holds NaN"),
        ("zeros", variant(normalise=torch.zeros_like), "All weights are 0"),
        (
            "weights turned in the sum where T is S",
            lambda q, k, v: (turned if q.shape[-2] == k.shape[-2] else attention_right)(q, k, v),
            "transposed before they meet the values",
            "M05",
        ),
        (
            "queries added",
            lambda q, k, v: (lambda o, w: (o + q if o.shape == q.shape else o, w))(*attention_right(q, k, v)),
            "The queries are added",
        ),
        ("values scaled", variant(act=lambda x: x / x.shape[-1] ** 0.5, on="v"), "divided by sqrt(e)"),
        ("values normalised", variant(act=lambda x: F.normalize(x, dim=-1), on="v"), "divided by their length"),
        ("values centred", variant(act=lambda x: x - x.mean(-2, True), on="v"), "their mean subtracted"),
        ("values shifted", variant(act=lambda x: x.roll(1, -2), on="v"), "shifted by one key"),
        ("values reversed", variant(act=lambda x: x.flip(-2), on="v"), "in the opposite order"),
        (
            "values averaged over the batch",
            variant(act=lambda x: x.mean(0, True).expand_as(x) if x.ndim > 2 else x, on="v"),
            "averaged over the batch",
        ),
        ("gradient NaN at large scores", variant(normalise=overflowing_branch), "holds NaN"),
        ("d of the values", variant(scale=lambda q, k, v: v.shape[-1] ** -0.5), "1/sqrt(e)"),
        ("both scaled", variant(scale=lambda q, k, v: q.shape[-1] ** -1.5), "applied twice"),
        ("top three", variant(normalise=top_three), "A mask hides some keys"),
        ("squares", variant(normalise=lambda s: s.softmax(-1) ** 2), "must sum to 1"),
        (
            "sigmoids over their sum",
            variant(normalise=lambda s: F.normalize(s.sigmoid(), p=1, dim=-1)),
            "do not follow",
        ),
        ("output logs", variant(after=lambda o, w, q, k, v: (o, w.log())), "the logarithm of the weights"),
        (
            "output softmaxed",
            variant(after=lambda o, w, q, k, v: (o.softmax(-1), w)),
            "softmax is applied to the output",
        ),
        ("pooled", variant(after=lambda o, w, q, k, v: (o.mean(-2), w)), "An axis is missing"),
        ("dictionary", variant(after=lambda o, w, q, k, v: {"output": o}), "A dictionary came back"),
        ("bmm", lambda q, k, v: (torch.bmm(q, k.mT), q), "torch.bmm takes exactly three axes"),
        ("permute", lambda q, k, v: (q @ k.permute(0, 2, 1), q), "permute names every axis"),
        ("dot", lambda q, k, v: (torch.dot(q, k), q), "torch.dot is for two vectors"),
    ],
    "02_attention.entropy": [
        ("small weights dropped", entropy_of_large_weights, "Only a weight of exactly 0 adds nothing"),
        ("batch of one squeezed", lambda w: entropy_right(w).squeeze(0), "summed away or squeezed"),
        ("bits", lambda w: -torch.xlogy(w, w).sum(-1) / math.log(2), "bits (log2)"),
        ("over the largest", lambda w: entropy_right(w / w.amax(-1, True)), "divided by the largest of their row"),
        ("binary", lambda w: (torch.special.entr(w) + torch.special.entr(1 - w)).sum(-1), "Terms of 1 - w"),
        ("log squared", lambda w: (w * w.clamp_min(1e-12).log() ** 2).sum(-1), "The logarithm is squared"),
        ("largest term", lambda w: torch.special.entr(w).amax(-1), "the largest term of each row"),
        ("log_softmax", lambda w: -(w * w.log_softmax(-1)).sum(-1), "w are weights already"),
        ("log S less it", lambda w: math.log(w.shape[-1]) - entropy_right(w), "log S minus the entropy"),
        ("clamped at 0.01", lambda w: -(w * w.clamp_min(0.01).log()).sum(-1), "Some rows are right"),
        ("all selected", lambda w: -(w[w > 0] * w[w > 0].log()).sum(), "one number for everything"),
        ("sign", lambda w: torch.xlogy(w, w).sum(-1), "sign is missing"),
        ("log10", lambda w: -(w * w.clamp_min(1e-20).log10()).sum(-1), "log10"),
        ("0 log 0", lambda w: -(w * w.log()).sum(-1), "A weight of 0 gives NaN"),
        ("1e-3 inside log", lambda w: -(w * (w + 1e-3).log()).sum(-1), "A constant of 0.001 inside log"),
        ("1e-4 added", lambda w: -((w + 1e-4) * (w + 1e-4).log()).sum(-1), "A constant of 0.0001 inside log"),
        ("log alone", lambda w: -w.log().sum(-1), "nothing multiplies it by 0"),
        ("log alone, zeros left out", lambda w: -w.masked_fill(w == 0, 1.0).log().sum(-1), "log is not weighted"),
        ("log S", lambda w: -(w * math.log(1 / w.shape[-1])).sum(-1), "the weights do not enter"),
        ("the largest", lambda w: w.amax(-1), "the largest weight of each row"),
        ("variance", lambda w: w.var(-1), "Add up -w_j ln w_j"),
        ("zeros", lambda w: 0 * w.sum(-1), "nothing is added up"),
        ("summed over all", lambda w: torch.special.entr(w).sum(), "one number for everything"),
        ("log1p", lambda w: -(w * w.log1p()).sum(-1), "log(1 + w)"),
        ("log of the largest", lambda w: -w.amax(-1).log(), "-log of the largest weight"),
        ("mean over rows", lambda w: entropy_right(w).mean(), "one number for everything"),
        ("wrong axis", lambda w: torch.special.entr(w).sum(-2), "The sum runs over the queries", "M04"),
        ("softmax again", lambda w: entropy_right(w.softmax(-1)), "Softmax is taken of the weights once more"),
        ("perplexity", lambda w: entropy_right(w).exp(), "perplexity"),
        ("divided by log S", lambda w: entropy_right(w) / math.log(w.shape[-1]), "divided by log S"),
        ("mean over keys", lambda w: torch.special.entr(w).mean(-1), "mean over the keys"),
        ("keepdim", lambda w: torch.special.entr(w).sum(-1, keepdim=True), "keepdim=True"),
        ("not summed", lambda w: torch.special.entr(w), "sum the terms of each row"),
        ("batch axis", lambda w: torch.special.entr(w).sum(1 if w.ndim == 4 else -1), "over a batch axis (axis 1)"),
        ("squeezed", lambda w: entropy_right(w).squeeze(), "summed away or squeezed"),
        ("two axes at least", two_axes, "not enough values to unpack"),
        ("NaN of the sum replaced", lambda w: (-(w * w.log()).sum(-1)).nan_to_num(0.0), "was replaced whole"),
        ("result clamped", lambda w: entropy_right(w).clamp_min(0.05), "Some rows are right"),
        ("constant added", lambda w: entropy_right(w) + 0.05, "what is wanted plus 0.05"),
        ("float64", lambda w: entropy_right(w.double()), "came back as torch.float64"),
        ("log detached", lambda w: -(w * w.clamp_min(1e-30).log().detach()).sum(-1), "log is cut from the gradient"),
        ("half the gradient", lambda w: (entropy_right(w) + entropy_right(w.detach())) / 2, "0.5 times"),
        ("float", lambda w: float(entropy_right(w).sum()), "of type float"),
        ("float32", lambda w: entropy_right(w.float()), "came back as torch.float32"),
        ("detached", lambda w: entropy_right(w.detach()), "No gradient flows"),
        ("in place", lambda w: -(w * w.clamp_min_(1e-12).log()).sum(-1), "in place"),
    ],
    "02_attention.mix": [
        (
            "sqrt(d) forgotten, long query",
            lambda keys, values: torch.linalg.pinv(keys) @ torch.tensor([100.0, 100.0, 0.0, 0.0]),
            "must lie further below",
        ),
        (
            "three keys",
            lambda keys, values: torch.linalg.pinv(keys) @ torch.tensor([900.0, 900.0, 900.0, 0.0]),
            "only keys[0] and keys[1] may",
        ),
        ("k1 + k2", lambda k, v: k[0] + k[1], "multiple of k1 + k2"),
        ("20 (k1 + k2)", lambda k, v: 20 * (k[0] + k[1]), "multiple of k1 + k2"),
        ("as if orthogonal", as_if_orthogonal, "wanted 0.5, 0.5, 0, 0"),
        ("mean of the keys", lambda k, v: k.mean(0), "multiple of the sum of all keys"),
        ("too short", lambda k, v: mix_pinv(k, v) / 10, "the other two keys still hold"),
        ("not equal", lambda k, v: mix_pinv(k, v) + 0.6 * torch.linalg.pinv(k)[:, 0], "must be equal"),
        ("keys 3 and 4", lambda k, v: mix_pinv(k[[2, 3, 0, 1]], v), "The wrong two keys"),
        ("minus", lambda k, v: -mix_pinv(k, v), "The wrong two keys"),
        ("zero", lambda k, v: torch.zeros(k.shape[-1]), "is the query zero"),
        ("a value", lambda k, v: (v[0] + v[1]) / 2, "as wide as a value"),
        ("weights", lambda k, v: torch.tensor([0.5, 0.5, 0.0, 0.0]), "one number for each key"),
        ("a batch of one", lambda k, v: mix_pinv(k, v)[None], "one axis of size 1 too many"),
        ("much too long", lambda k, v: 1e30 * mix_pinv(k, v), "rounding alone"),
        ("infinite", lambda k, v: mix_pinv(k, v) * INF, "NaN or inf"),
        ("hard-coded", lambda k, v: torch.ones(k.shape[-1]), "wanted 0.5, 0.5, 0, 0"),
        ("d = 6", lambda k, v: mix_pinv(k, v)[:6], "take d from keys"),
        ("keys 1 and 3", lambda k, v: mix_pinv(k[[0, 2, 1, 3]], v), "keys[0] and keys[2] share the weight"),
        ("into the keys", lambda k, v: mix_pinv(k, v) + k.mul_(2).sum() * 0, "changed its input keys in place"),
        ("into the values", lambda k, v: mix_pinv(k, v) + v.zero_().sum(), "changed its input values in place"),
        ("a list", lambda k, v: mix_pinv(k, v).tolist(), "of type list"),
    ],
    "02_attention.shift": [
        ("batch of one squeezed", (lambda s, c: shift_right(s, c).squeeze(0), "b_K"), "summed away or squeezed"),
        ("multiplied", (lambda s, c: (c * s).softmax(-1), "b_K"), "multiplied by c"),
        ("largest of all", (shift_by_the_largest_of_all, "b_K"), "the largest score of the whole tensor"),
        ("added afterwards", (lambda s, c: s.softmax(-1) + c, "b_K"), "c is added to the weights, after"),
        (
            "added afterwards, normalised",
            (lambda s, c: (s.softmax(-1) + c) / (s.softmax(-1) + c).sum(-1, keepdim=True), "b_K"),
            "normalised again",
        ),
        (
            "one key only",
            (lambda s, c: (s + c * F.one_hot(torch.tensor(0), s.shape[-1])).softmax(-1), "b_K"),
            "the first score of a row only",
        ),
        ("overflow", (lambda s, c: naive(s + c), "b_K"), "exp overflows"),
        ("underflow", (lambda s, c: naive(s + min(c, 50.0)), "b_K"), "exp underflows"),
        ("clamped", (lambda s, c: (s + c).clamp(-50, 50).softmax(-1), "b_K"), "are the scores clamped?"),
        ("float16", (lambda s, c: (s.half() + c).softmax(-1).to(s.dtype), "b_K"), "nearly right"),
        ("divided", (lambda s, c: (s / c).softmax(-1), "b_K"), "A factor is a temperature"),
        ("a yes", (shift_right, True), "the choice is of type bool"),
        ("over the queries", (lambda s, c: (s + c).softmax(-2), "b_K"), "dim=-2", "M04"),
        ("exp only", (lambda s, c: (s + c).exp(), "b_K"), "exp(scores + c) is not divided", "M03"),
        ("scores", (lambda s, c: s + c, "b_K"), "the softmax is missing", "M03"),
        ("in place", (lambda s, c: s.add_(c).softmax(-1), "b_K"), "changed its input scores in place"),
        ("another c for each key", (another_c, "b_K"), "the same number for every score of a row"),
        ("axis 1", (lambda s, c: (s + c).softmax(1), "b_K"), "over axis 1, a batch axis"),
        ("uniform", (lambda s, c: (s * 0 + c).softmax(-1), "b_K"), "All weights are equal"),
        ("softmax twice", (lambda s, c: (s.softmax(-1) + c).softmax(-1), "b_K"), "applied twice"),
        ("float64", (lambda s, c: (s.double() + c).softmax(-1), "b_K"), "came back as torch.float64"),
        ("float32", (lambda s, c: (s.float() + c).softmax(-1), "b_K"), "came back as torch.float32"),
        ("log_softmax", (lambda s, c: (s + c).log_softmax(-1), "b_K"), "the logarithm of the weights"),
        ("as they were", (lambda s, c: s, "b_K"), "came back as they were", "M03"),
        ("c taken off the weights", (lambda s, c: s.softmax(-1) - c, "b_K"), "the softmax comes last"),
        ("detached", (lambda s, c: (s.detach() + c).softmax(-1), "b_K"), "No gradient flows"),
        (
            "half the gradient",
            (lambda s, c: (s.softmax(-1) + s.detach().softmax(-1)) / 2, "b_K"),
            "0.5 times what is wanted",
        ),
        ("a list as choice", (shift_right, ["b_K"]), "the choice is of type list"),
        ("the queries'", (shift_right, "b_Q"), "another number for each key of a row"),
        ("the values'", (shift_right, "b_V"), "every output moves by b_V"),
        ("none of them", (shift_right, "none"), "the same number to all scores of a row"),
        ("no option", (shift_right, "unchanged"), "choose one of 'b_Q', 'b_K', 'b_V', 'none'"),
    ],
    "02_attention.missed": [
        ("always zeros", (lambda w, v, shared: missed_right(w, v, False), needless_right), "what shared=False asks"),
        ("always shared", (lambda w, v, shared: missed_right(w, v, True), needless_right), "what shared=True asks for"),
        ("distance alone", (lambda w, v, shared: torch.cdist(w @ v, v), needless_right), "Its weight does not enter"),
        ("not divided", (lambda w, v, shared: w * torch.cdist(w @ v, v), needless_right), "not divided by their sum"),
        ("equal parts", (missed_left(equal_parts), needless_right), "in proportion to their own"),
        (
            "softmax of what is left",
            (missed_left(lambda w, j: without(w, j).softmax(-1)), needless_right),
            "They are no scores",
        ),
        (
            "softmax, key hidden",
            (missed_left(lambda w, j: w.index_fill(-1, torch.tensor([j]), -INF).softmax(-1)), needless_right),
            "They are no scores",
        ),
        (
            "divided, not hidden",
            (missed_left(lambda w, j: w / (1 - w[..., j : j + 1])), needless_right),
            "still has its own: set it to 0 first",
        ),
        (
            "value for distance",
            (lambda w, v, shared: (w / (1 - w) if shared else w) * v.norm(dim=-1)[..., None, :], needless_right),
            "Its distance from the *output*",
        ),
        (
            "zeros: the value alone",
            (
                lambda w, v, shared: missed_right(w, v, True) if shared else 0 * w + v.norm(dim=-1)[..., None, :],
                needless_right,
            ),
            "without its weight",
        ),
        (
            "zeros: distance from the output",
            (lambda w, v, shared: missed_right(w, v, True) if shared else w * torch.cdist(w @ v, v), needless_right),
            "w times the value itself",
        ),
        (
            "the new output's length",
            (missed_measured(lambda new, old: new.norm(dim=-1)), needless_right),
            "the length of the output without the key",
        ),
        (
            "lengths compared",
            (missed_measured(lambda new, old: (new.norm(dim=-1) - old.norm(dim=-1)).abs()), needless_right),
            "may turn and keep its length",
        ),
        (
            "squares",
            (missed_measured(lambda new, old: (new - old).square().sum(-1)), needless_right),
            "The root is missing",
        ),
        (
            "mean of squares",
            (missed_measured(lambda new, old: (new - old).square().mean(-1)), needless_right),
            "the mean of the squares",
        ),
        (
            "root of the mean",
            (missed_measured(lambda new, old: (new - old).square().mean(-1).sqrt()), needless_right),
            "root of the *mean*",
        ),
        (
            "absolute numbers",
            (missed_measured(lambda new, old: (new - old).abs().sum(-1)), needless_right),
            "sums of absolute numbers",
        ),
        (
            "largest",
            (missed_measured(lambda new, old: (new - old).abs().amax(-1)), needless_right),
            "the largest change among",
        ),
        ("signed", (missed_measured(lambda new, old: (new - old).sum(-1)), needless_right), "so some cancel"),
        (
            "relative",
            (missed_measured(lambda new, old: (new - old).norm(dim=-1) / old.norm(dim=-1)), needless_right),
            "divided by the length of the output",
        ),
        (
            "difference itself",
            (lambda w, v, shared: w[..., None] * v[..., None, :, :], needless_right),
            "that is the difference itself",
        ),
        ("weights", (lambda w, v, shared: w, needless_right), "These are the weights themselves"),
        ("turned", (lambda w, v, shared: missed_right(w, v, shared).mT, needless_right), "a row for each query"),
        ("one number a key", (lambda w, v, shared: missed_right(w, v, shared).mean(-2), needless_right), "has shape"),
        ("mean for the value", (all_queries_lose_the_mean, needless_right), "missed(weights"),
        ("rounded", (lambda *given: missed_right(*given).round(decimals=2), needless_right), "nearly right"),
        ("in float32", (lambda *given: missed_right(*given).float(), needless_right), "came back as torch.float32"),
        ("weights written into", (writing_into_the_weights, needless_right), "changed its input weights in place"),
        ("plain mean", (missed_right, needless_by(lambda w, v, others: v[others].mean(0))), "the plain mean"),
        ("weighted sum", (missed_right, needless_by(lambda w, v, others: w[others] @ v[others])), "weighted *sum*"),
        ("heaviest 0", (missed_right, needless_by(lambda w, v, others: 0 * v[0])), "its value has to be what they say"),
        ("anything", (missed_right, needless_by(lambda w, v, others: v[0] + 7)), "Nothing moves if"),
        ("all equal", (missed_right, lambda w: torch.ones(len(w), 2)), "All values are equal"),
        ("too soft", (missed_right, lambda w: needless_right(w) / 100), "further from the others"),
        ("exchanged", (missed_right, needless_exchanged), "Here it is the lightest that is not missed"),
        ("by place", (missed_right, needless_for_three), "the heaviest, and by"),
        ("one axis", (missed_right, lambda w: needless_right(w)[:, 0]), "wanted (3, e), a vector for each key"),
        ("whole numbers", (missed_right, lambda w: torch.arange(len(w))[:, None]), "the heaviest, and by"),
        ("infinite", (missed_right, lambda w: needless_right(w) * INF), "hold NaN or inf"),
        ("a list", (missed_right, lambda w: needless_right(w).tolist()), "of type list"),
    ],
    "02_attention.duplicate": [
        ("NaN for a weight of 0", nan_for_a_weight_of_0, "Where a weight is 0 the new row holds NaN"),
        ("not divided", lambda w, j: torch.cat([w, w[j : j + 1]]), "the row sums to 1 + w_j"),
        ("copy gets 0", lambda w, j: torch.cat([w, torch.zeros(1)]), "The copy got weight 0"),
        ("halves", halves, "shared between the two copies"),
        ("logarithms", lambda w, j: torch.cat([w, w[j : j + 1]]).log(), "These are logarithms"),
        ("unit length", lambda w, j: F.normalize(torch.cat([w, w[j : j + 1]]), dim=0), "divided by its length"),
        ("rounded", lambda w, j: duplicate_right(w, j).round(decimals=3), "nearly right"),
        ("a list", lambda w, j: [*w, w[j]], "of type list"),
        (
            "next key",
            lambda w, j: torch.cat([w, w[[(j + 1) % len(w)]]]) / (1 + w[(j + 1) % len(w)]),
            "The copy is one of",
        ),
        ("mean key", lambda w, j: torch.cat([w, w.mean()[None]]) / (1 + w.mean()), "so they must be equal"),
        ("no axis", lambda w, j: torch.cat([w, w[j]]), "has no axis left"),
        ("in the middle", in_the_middle, "right after key j"),
        ("first", lambda w, j: torch.cat([w[j : j + 1], w]) / (1 + w[j]), "The copy stands first"),
        ("doubled where it is", doubled_where_it_is, "There are still 4 weights"),
        ("unchanged", lambda w, j: w, "There are still 4 weights"),
        ("softmax of weights", lambda w, j: torch.cat([w, w[j : j + 1]]).softmax(0), "they are not scores"),
        ("equal", lambda w, j: torch.full((len(w) + 1,), 1 / (len(w) + 1)), "All weights are equal"),
        ("divided by 2", lambda w, j: torch.cat([w, w[j : j + 1]]) / 2, "must sum to 1"),
        ("copy keeps w_j", lambda w, j: torch.cat([w * (1 - w[j]), w[j : j + 1]]), "must shrink with them"),
        ("copy of another", lambda w, j: torch.cat([w, w[-1:]]) / (1 + w[-1]), "one of the last key"),
        ("first key for j", lambda w, j: torch.cat([w, w[:1]]) / (1 + w[0]), "one of the first key"),
        ("float32", lambda w, j: duplicate_right(w, j).float(), "came back as torch.float32"),
        ("float64", lambda w, j: duplicate_right(w, j).double(), "came back as torch.float64"),
        ("sum as a number", lambda w, j: torch.cat([w, w[j : j + 1]]) / (1 + w[j].item()), "Look for .item()"),
        (
            "copy detached",
            lambda w, j: F.normalize(torch.cat([w, w[j : j + 1].detach()]), p=1, dim=0),
            "the gradient of the scores",
        ),
        ("in place", written_into, "changed its input weights in place"),
        ("detached", lambda w, j: duplicate_right(w.detach(), j), "No gradient flows"),
    ],
    "02_attention.diagnose": [
        ("as broken_1", mended(re_read), "they do not transpose"),
        ("as broken_2", mended(twice), "applied twice"),
        ("as broken_3", mended(outside), "comes after the softmax", "M02"),
        ("as broken_4", mended(sum_over_queries), "the sum runs over the queries", "M05"),
        ("as broken_5", mended(model_width), "a d_model of 8 heads", "M01"),
        ("not turned at all", mended(keys_not_turned), "k is not transposed"),
        ("unscaled", mended(unscaled), "not scaled at all", "M01"),
        ("over the queries", mended(over_queries), "over the queries", "M04"),
        ("no softmax", mended(no_softmax), "before the softmax: signed", "M03"),
        ("without exp", mended(shares_of_scores), "exp is missing", "M03"),
        ("one index on both", mended(value_of_its_own), "Output i is value i", "M05"),
        ("one matrix", mended(one_matrix_only), "It works on one matrix"),
        ("over axis 1", mended(over_axis_one), "count axes from the end"),
        ("in place", mended(scaled_in_place), "changed its input q in place"),
        ("without gradient", mended(no_gradient), "No gradient flows"),
        ("in float32", mended(single_precision), "came back as torch.float32"),
        ("a for a divisor", fault("a", "divisor too large"), "larger scores sharpen them again"),
        ("a for no scale", fault("a", "no scale"), "which key does a query find"),
        ("b for the divisor", fault("b", "divisor too large"), "whose score is 8"),
        ("b and d exchanged", ANSWERS.but(b=ANSWERS.named["d"], d=ANSWERS.named["b"]), "less so where a query meets"),
        ("c over the queries", fault("c", "over the queries"), "the columns of the weights sum to 1"),
        ("d for outside", fault("d", "Scale outside"), "come out as 1 / sqrt(d)"),
        ("d for no scale", fault("d", "no scale"), "less so where a query meets"),
        ("a shown by sums", shown("a", "the rows of the weights do not sum to 1"), "they do, in all four"),
        ("d shown by order", shown("d", "keys and values in another order change nothing"), "does not change either"),
        ("c shown by an equal key", shown("c", ANSWERS.named["a"][1]), "not between queries and keys"),
        ("no option", fault("a", "reshape"), "choose one of 'scale outside'"),
        ("no such observation", shown("a", "it looks odd"), "choose one of 'the rows of"),
        ("the other way round", ANSWERS.but(a=ANSWERS.named["a"][::-1]), "the fault comes first"),
        ("no pair", ANSWERS.but(a="keys re-read"), "wanted a pair"),
        ("a list", (list(ANSWERS.named.values()), attention_right), "are of type list; wanted a dictionary"),
    ],
}
