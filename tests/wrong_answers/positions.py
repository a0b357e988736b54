"""Lesson 08: answers to its exercises, wrong with the words their author must be told, and right.

WRONG[id]: (name, answer, part of the message[, misconception]). An answer of several parts is a tuple.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from careless import copying, squeezed, switching, viewing
from transformer_lab.positions import RotaryPositions
from transformer_lab.positions import rotate as package_rotate

POINTS = {
    "08_positions.sinusoidal_table": 4,
    "08_positions.rotate": 5,
    "08_positions.repair": 3,
    "08_positions.dials": 2,
    "08_positions.is_equivariant": 3,
    "08_positions.alibi_bias": 3,
    "08_positions.swap_effect": 3,
    "08_positions.cached_step": 4,
}
ONE_WAY = ()
DIAGNOSES = ("08_positions.repair",)
MISCONCEPTIONS = ("M25", "M26", "M27")


# the other clock --------------------------------------------------------------------------------------------


def clock_right(max_len, d_model):
    """As Tensor2Tensor has it."""
    hands = d_model // 2
    increment = math.log(1e4) / (hands - 1)
    speed = torch.exp(torch.arange(hands).float() * -increment)
    angle = torch.arange(max_len).float().unsqueeze(1) * speed.unsqueeze(0)
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=1)


def clock_loops(max_len, d_model):
    speeds = [0.0001 ** (i / (d_model // 2 - 1)) for i in range(d_model // 2)]
    return torch.tensor([[f(t * speed) for f in (math.sin, math.cos) for speed in speeds] for t in range(max_len)])


def clock_spaced(max_len, d_model):
    angle = torch.outer(torch.arange(max_len).double(), torch.logspace(0, -4, d_model // 2, dtype=torch.float64))
    turned = torch.polar(torch.ones_like(angle), angle)
    return torch.cat((turned.imag, turned.real), dim=-1)


def clock_divided(max_len, d_model):
    """From each hand to the next, divided by the same number."""
    hands = d_model // 2
    ratio = 10_000 ** (1 / (hands - 1))
    speeds = [1.0]
    while len(speeds) < hands:
        speeds.append(speeds[-1] / ratio)
    table = torch.zeros(max_len, d_model)
    table[:, :hands] = (torch.arange(max_len)[:, None] * torch.tensor(speeds)).sin()
    table[:, hands:] = (torch.arange(max_len)[:, None] * torch.tensor(speeds)).cos()
    return table


def clock_of_phases(max_len, d_model):
    i = torch.arange(d_model // 2).double().repeat(2)
    phase = torch.tensor([0.0, math.pi / 2]).double().repeat_interleave(d_model // 2)
    return (torch.arange(max_len)[:, None] * 10_000 ** (-i / i.max()) + phase).sin().float()


def asked(i, D):
    return 2 * i / (D - 2)


def clock_with(exponent=asked, base=10000.0, start=0, unit=1.0, cosine=None, layout="halves", swap=False, speed=None):
    """A clock whose exponent of hand i, i counted from 0, is exponent(i, d_model); or with such speeds."""

    def sinusoidal_table(max_len, d_model):
        i = torch.arange(d_model // 2)
        t = (start + torch.arange(max_len))[:, None] * unit
        speeds = [base ** -one(i, d_model) for one in (exponent, cosine or exponent)]
        up, right = (t * (speed(i, d_model) if speed else one) for one in speeds)
        columns = (right.cos(), up.sin()) if swap else (up.sin(), right.cos())
        return torch.stack(columns, dim=-1).flatten(1) if layout == "in turn" else torch.cat(columns, dim=-1)

    return sinusoidal_table


def pasted_from_the_lesson(max_len, d_model):
    def clock(t, D):
        features = []
        for i in range(D // 2):
            angle = t / 10_000 ** (2 * i / D)
            features += [math.sin(angle), math.cos(angle)]
        return features

    return torch.tensor([clock(t, d_model) for t in range(max_len)])


def features_counted(max_len, d_model):
    """Every feature has a speed of its own, the last one's is 1/10000."""
    angle = torch.arange(max_len)[:, None] * 10_000 ** (-torch.arange(d_model) / (d_model - 1))
    return torch.cat((angle[:, : d_model // 2].sin(), angle[:, d_model // 2 :].cos()), dim=-1)


def hand_sines_only(max_len, d_model):
    sines = clock_right(max_len, d_model)[:, : d_model // 2]
    return torch.cat((sines, sines), dim=-1)


def row_of_zeros(max_len, d_model):
    return clock_right(max_len, d_model) * (torch.arange(max_len) > 0)[:, None]


# the paper's clock, for question 3 ----------------------------------------------------------------------------


def table_right(max_len, d_model):
    table = torch.zeros(max_len, d_model)
    position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
    table[:, 0::2] = torch.sin(position * div_term)
    table[:, 1::2] = torch.cos(position * div_term)
    return table


def table_loops(max_len, d_model):
    rows = [[f(t / 10000 ** (2 * (j // 2) / d_model)) for j, f in enumerate([math.sin, math.cos] * (d_model // 2))]
            for t in range(max_len)]  # fmt: skip
    return torch.tensor(rows)


def table_complex(max_len, d_model):
    angle = torch.outer(torch.arange(max_len).double(), 10000.0 ** (-torch.arange(d_model // 2).double() * 2 / d_model))
    turned = torch.polar(torch.ones_like(angle), angle)
    return torch.stack((turned.imag, turned.real), dim=-1).reshape(max_len, d_model)


def table_where(max_len, d_model):
    j = torch.arange(d_model)
    angle = torch.arange(max_len)[:, None] / torch.pow(torch.tensor(10000.0), (j - j % 2) / d_model)
    return torch.where(j % 2 == 0, angle.sin(), angle.cos())


def table_with(exponent, base=10000.0, start=0, unit=1.0, cosine=None, layout="interleaved", swap=False, sign=-1):
    """A table whose exponent of pair i, i counted from 0, is exponent(i, d_model)."""

    def sinusoidal_table(max_len, d_model):
        i = torch.arange(d_model // 2)
        t = (start + torch.arange(max_len))[:, None] * unit
        sine = (t * base ** (sign * exponent(i, d_model))).sin()
        cos = (t * base ** (sign * (cosine or exponent)(i, d_model))).cos()
        if swap:
            sine, cos = cos, sine
        if layout == "halves":
            return torch.cat((sine, cos), dim=-1)
        return torch.stack((sine, cos), dim=-1).flatten(1)

    return sinusoidal_table


def paper(i, D):
    return 2 * i / D


def sines_only(max_len, d_model):
    angle = torch.arange(max_len)[:, None] * 10000 ** (-torch.arange(0, d_model, 2) / d_model)
    return angle.sin().repeat_interleave(2, dim=-1)


# rotary -------------------------------------------------------------------------------------------------------


def rotate_right(x, positions, theta=10_000.0):
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = positions[:, None] * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


def rotate_half_style(x, positions, theta=10_000.0):
    inverse = 1.0 / theta ** (torch.arange(0, x.shape[-1], 2).float() / x.shape[-1])
    angle = torch.outer(positions.float(), inverse)
    angle = torch.cat((angle, angle), dim=-1)
    a, b = x.chunk(2, dim=-1)
    return (x * angle.cos() + torch.cat((-b, a), dim=-1) * angle.sin()).to(x.dtype)


def rotate_complex(x, positions, theta=10_000.0):
    a, b = x.double().chunk(2, dim=-1)
    angle = positions.double()[:, None] * theta ** (-torch.arange(a.shape[-1]).double() / a.shape[-1])
    turned = torch.complex(a, b) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat((turned.real, turned.imag), dim=-1).to(x.dtype)


def rotate_complex_as_it_comes(x, positions, theta=10_000.0):
    """torch has no complex numbers of bfloat16: this one raises there, and is right everywhere else."""
    a, b = x.chunk(2, dim=-1)
    angle = positions[:, None] * theta ** (-torch.arange(0, x.shape[-1], 2, dtype=x.dtype) / x.shape[-1])
    turned = torch.complex(a, b) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat((turned.real, turned.imag), dim=-1)


def rotate_by_exponential(x, positions, theta=10_000.0):
    half = x.shape[-1] // 2
    rate = torch.diag(theta ** (-torch.arange(half).double() / half))
    zero = torch.zeros_like(rate)
    generator = torch.cat((torch.cat((zero, -rate), dim=1), torch.cat((rate, zero), dim=1)))
    turns = torch.linalg.matrix_exp(positions.double()[:, None, None] * generator)
    return (turns @ x.double()[..., None])[..., 0].to(x.dtype)


def rotate_widened(x, positions, theta=10_000.0):
    angle = positions[:, None] * theta ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()), dim=-1)


def rotate_in_sixteen_bits(x, positions, theta=10_000.0):
    angle = positions.to(x.dtype)[:, None] * theta ** (-torch.arange(0, x.shape[-1], 2).to(x.dtype) / x.shape[-1])
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()), dim=-1)


def counted_from_the_first(x, positions, theta=10_000.0):
    return rotate_right(x, positions[0] + torch.arange(len(positions)), theta)


def rotate_by_package(x, positions, theta=10_000.0):
    flat = x.reshape(1, -1, *x.shape[-2:])
    return package_rotate(flat, *RotaryPositions(x.shape[-1], theta).rotation(positions[None], x.dtype)).view(x.shape)


def rotate_matrices(x, positions, theta=10_000.0):
    d = x.shape[-1]
    half, matrices = d // 2, torch.zeros(len(positions), d, d, dtype=x.dtype)
    for t, position in enumerate(positions.tolist()):
        for i in range(half):
            angle = position * theta ** (-2 * i / d)
            matrices[t, i, i] = matrices[t, i + half, i + half] = math.cos(angle)
            matrices[t, i, i + half], matrices[t, i + half, i] = -math.sin(angle), math.sin(angle)
    return torch.einsum("tij,...tj->...ti", matrices, x)


def rotate_with(frequency=None, sign=1, mix=None, position=None):
    """A rotate with other frequencies(d, theta), direction, mixing(a, b, cos, sin), or positions(x, positions)."""

    def rotate(x, positions, theta=10_000.0):
        d = x.shape[-1]
        given = theta ** (-torch.arange(0, d, 2).double() / d) if frequency is None else frequency(d, theta)
        at = positions if position is None else position(x, positions)
        angle = sign * at[..., None].double() * given
        a, b = x.chunk(2, dim=-1)
        cos, sin = angle.cos(), angle.sin()
        mixed = (a * cos - b * sin, b * cos + a * sin) if mix is None else mix(a, b, cos, sin)
        return (torch.cat(mixed, dim=-1) if isinstance(mixed, tuple) else mixed).to(x.dtype)

    return rotate


def rotate_interleaved(x, positions, theta=10_000.0):
    angle = positions[:, None] * theta ** (-torch.arange(0, x.shape[-1], 2).double() / x.shape[-1])
    a, b = x[..., 0::2], x[..., 1::2]
    out = torch.stack((a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()), dim=-1)
    return out.flatten(-2).to(x.dtype)


def repeated_for_neighbours(x, positions, theta=10_000.0):
    angle = positions[:, None] * theta ** (-torch.arange(0, x.shape[-1], 2).double() / x.shape[-1])
    angle = angle.repeat_interleave(2, dim=-1)
    a, b = x.chunk(2, dim=-1)
    return (x * angle.cos() + torch.cat((-b, a), dim=-1) * angle.sin()).to(x.dtype)


def neighbours_backwards(x, positions, theta=10_000.0):
    angle = -positions[:, None] * theta ** (-torch.arange(0, x.shape[-1], 2).double() / x.shape[-1])
    a, b = x[..., 0::2], x[..., 1::2]
    out = torch.stack((a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()), dim=-1)
    return out.flatten(-2).to(x.dtype)


def mixed_halves(x, positions, theta=10_000.0):
    angle = positions[:, None] * theta ** (-torch.arange(0, x.shape[-1], 2).double() / x.shape[-1])
    angle = torch.cat((angle, angle), dim=-1)
    half_turned = torch.stack((-x[..., 1::2], x[..., 0::2]), dim=-1).flatten(-2)
    return (x * angle.cos() + half_turned * angle.sin()).to(x.dtype)


def first_with_last(x, positions, theta=10_000.0):
    half = x.shape[-1] // 2
    mirrored = torch.cat((x[..., :half], x[..., half:].flip(-1)), dim=-1)
    turned = rotate_right(mirrored, positions, theta)
    return torch.cat((turned[..., :half], turned[..., half:].flip(-1)), dim=-1)


def sequential(a, b, cos, sin):
    a = a * cos - b * sin
    return a, b * cos + a * sin


def rotate_in_place(x, positions, theta=10_000.0):
    turned = rotate_right(x, positions, theta)
    with torch.no_grad():
        x.copy_(turned)
    return turned


def rotate_half_of_them(x, positions, theta=10_000.0):
    if x.shape[-1] % 4:
        return rotate_right(x, positions, theta)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((rotate_right(first, positions, theta), second), dim=-1)


def positions_in_place(x, positions, theta=10_000.0):
    turned = rotate_right(x, positions, theta)
    positions += 1
    return turned


def positions_of_heads(x, positions):
    if x.ndim < 3:
        return positions
    return torch.arange(x.shape[-3])[:, None].expand(x.shape[-3], x.shape[-2])


# repair -------------------------------------------------------------------------------------------------------


def adder(table):
    return lambda x: x + table(x.shape[1], x.shape[2]).to(x.dtype)


added = adder(table_right)
doubled = adder(table_with(lambda i, D: 4 * i / D))
two_frequencies = adder(table_with(paper, cosine=lambda i, D: (2 * i + 1) / D))


def by_batch(x):
    return x + table_right(512, x.shape[2])[: x.shape[0]].unsqueeze(1)


def by_batch_plain(x):
    return x + table_right(512, x.shape[2])[: x.shape[0]]


def by_batch_and_place(x):
    B, T, D = x.shape
    return x + table_right(B * T, D).view(B, T, D)


def cosines_only(max_len, d_model):
    angle = torch.arange(max_len)[:, None] * 10000 ** (-torch.arange(0, d_model, 2) / d_model)
    return angle.cos().repeat_interleave(2, dim=-1)


def diagnosis(
    repair=added,
    fault_1="exponent doubled",
    fault_2="two frequencies in a pair",
    fault_3="rows by sequence",
    fault_4="positions run on",
    apart="rows of one sequence",
):
    """Question 3, of which one part is another."""
    return repair, fault_1, fault_2, fault_3, fault_4, apart


# equivariance -------------------------------------------------------------------------------------------------


def equivariant_right(f, x):
    return all(torch.allclose(f(x[o]), f(x)[o], atol=1e-3) for o in (torch.randperm(len(x)) for _ in range(5)))


def equivariant_matrix(f, x):
    output = f(x)
    for _ in range(8):
        P = torch.eye(len(x))[torch.randperm(len(x))]
        if (f(P @ x) - P @ output).abs().max() > 2e-3:
            return False
    return True


def one_order(order, compare=None, shuffle_output=True):
    def is_equivariant(f, x):
        chosen = order(len(x))
        wanted = f(x)[chosen] if shuffle_output else f(x)
        return (compare or (lambda a, b: torch.allclose(a, b, atol=1e-3)))(f(x[chosen]), wanted)

    return is_equivariant


def close(a, b):
    return torch.allclose(a, b, atol=1e-3)


def all_orders(orders, compare=close, back=False):
    """A test with these orders of n rows, and this comparison."""

    def is_equivariant(f, x):
        output = f(x)
        made = [torch.as_tensor(order) for order in orders(len(x))]
        return all(bool(compare(f(x[o]), output[o.argsort() if back else o])) for o in made)

    return is_equivariant


def randomly(n):
    return [torch.randperm(n) for _ in range(5)]


def turns_and_mirrors(n):
    return [way.roll(k) for k in range(n) for way in (torch.arange(n), torch.arange(n).flip(0))]


def neighbours_but_the_last(n):
    return [[*range(i), i + 1, i, *range(i + 2, n)] for i in range(n - 2)]


def all_transpositions(n):
    return [[j if k == i else i if k == j else k for k in range(n)] for i in range(n) for j in range(i)]


def shuffled_in_place(f, x):
    before, output = x.clone(), f(x)
    return all(close(f(x.copy_(before[o])), output[o]) for o in randomly(len(x)))


def first_two_swapped(n):
    return torch.tensor([1, 0, *range(2, n)])


def last_two_swapped(n):
    return torch.tensor([*range(n - 2), n - 1, n - 2])


def equivariant_in_one_feature(f, x):
    orders = [torch.randperm(len(x)) for _ in range(5)]
    return all(torch.allclose(f(x[o])[:, 0], f(x)[o, 0], atol=1e-3) for o in orders)


def equivariant_neighbours(f, x):
    """Swaps of neighbours generate all shuffles."""
    for i in range(len(x) - 1):
        order = [*range(i), i + 1, i, *range(i + 2, len(x))]
        if not np.allclose(f(x[order]).detach().numpy(), f(x).detach().numpy()[order], atol=1e-3):
            return np.False_
    return np.True_


# ALiBi --------------------------------------------------------------------------------------------------------


def alibi_right(n_heads, T, S):
    slopes = torch.tensor([2 ** (-8 / n_heads * (h + 1)) for h in range(n_heads)])
    distance = (torch.arange(S)[None, :] - torch.arange(T)[:, None] - (S - T)).abs()
    return torch.einsum("h,ts->hts", -slopes, distance.float())


def alibi_geometric(n_heads, T, S):
    first = 2 ** (-8 / n_heads)
    slopes = torch.tensor([first * first**h for h in range(n_heads)]).view(-1, 1, 1)
    return -slopes * (torch.arange(S - T, S).view(1, -1, 1) - torch.arange(S).view(1, 1, -1)).abs()


def alibi_loops(n_heads, T, S):
    return torch.tensor([[[-(2.0 ** (-8 * h / n_heads)) * abs(S - T + i - j) for j in range(S)] for i in range(T)]
                         for h in range(1, n_heads + 1)])  # fmt: skip


def alibi_with(slopes=None, distance=None, sign=-1):
    def alibi_bias(n_heads, T, S):
        h = torch.arange(1, n_heads + 1).double()
        slope = 2 ** (-8 * h / n_heads) if slopes is None else slopes(h, n_heads)
        behind = (S - T + torch.arange(T))[:, None] - torch.arange(S)
        far = behind.abs() if distance is None else distance(behind, T, S)
        return sign * slope[:, None, None] * far

    return alibi_bias


# a causal model -----------------------------------------------------------------------------------------------


def swapped(ids, a, b):
    other = ids.clone()
    other[:, a], other[:, b] = ids[:, b], ids[:, a]
    return other


def effect_right(model, ids, a, b):
    return (model(swapped(ids, a, b)) - model(ids))[0, -1].abs().max().item()


def effect_in_evaluation(model, ids, a, b):
    model.eval()
    both = model(torch.cat((ids, swapped(ids, a, b))))[:, -1]
    return float((both[1] - both[0]).abs().max())


def effect_by_order(model, ids, a, b):
    order = list(range(ids.shape[1]))
    order[a], order[b] = order[b], order[a]
    return torch.linalg.vector_norm(model(ids[:, order])[:, -1] - model(ids)[:, -1], ord=float("inf"))


def effect_in_numpy(model, ids, a, b):
    moved = model(torch.from_numpy(swapped(ids, a, b).numpy())) - model(ids)
    return np.abs(moved.detach().numpy()[0, -1]).max()


def relative_effect(model, ids, a, b):
    before, after = model(ids)[0, -1], model(swapped(ids, a, b))[0, -1]
    return ((after - before) / before).abs().max().item()


def probabilities(model, ids, a, b):
    return (model(swapped(ids, a, b)).softmax(-1) - model(ids).softmax(-1))[0, -1].abs().max().item()


def effect_with(reduce):
    return lambda model, ids, a, b: reduce(model(swapped(ids, a, b)) - model(ids)).item()


def overwritten(model, ids, a, b):
    other = ids.clone()
    other[:, a] = other[:, b]
    other[:, b] = other[:, a]
    return (model(other) - model(ids))[0, -1].abs().max().item()


def in_place(model, ids, a, b):
    before = model(ids)
    ids[:, [a, b]] = ids[:, [b, a]]
    return (model(ids) - before)[0, -1].abs().max().item()


def same_ids(model, ids, a, b):
    other = ids
    other[:, [a, b]] = ids[:, [b, a]]
    return (model(other) - model(ids))[0, -1].abs().max().item()


# a step with a cache ------------------------------------------------------------------------------------------


def step_right(q, k, v, keys, values):
    here = torch.tensor([keys.shape[-2]])
    keys, values = torch.cat((keys, rotate_right(k, here)), dim=-2), torch.cat((values, v), dim=-2)
    weights = (rotate_right(q, here) @ keys.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return weights @ values, keys, values


def step_fused(q, k, v, keys, values):
    here = torch.tensor([keys.size(-2)])
    q, k = rotate_by_package(q, here), rotate_by_package(k, here)
    keys, values = torch.cat([keys, k], -2), torch.cat([values, v], -2)
    return [F.scaled_dot_product_attention(q, keys, values), keys, values]


def step_with(query=None, key=None, old=None, value=None, turn=rotate_right, scale=True, front=False, use=None):
    """A step in which one thing is turned at another position, or that should not be turned is."""

    def cached_step(q, k, v, keys, values):
        S = keys.shape[-2]
        at = lambda x, p: x if p is None else turn(x, torch.tensor([p]))  # noqa: E731
        new = at(k, S if key is None else key(S))
        keys = keys if old is None else old(keys)
        v = v if value is None else value(v, S)
        both = [(keys, new), (values, v)]
        keys, values = (torch.cat(pair[::-1] if front else pair, dim=-2) for pair in both)
        q = at(q, S if query is None else query(S))
        used, mixed = (keys, values) if use is None else use(keys, values)
        scores = q @ used.transpose(-2, -1)
        weights = (scores / math.sqrt(q.shape[-1]) if scale else scores).softmax(dim=-1)
        return weights @ mixed, keys, values

    return cached_step


def step_at_the_first_axis(*given):
    return step_with(*[lambda S: len(given[3])] * 2)(*given)


def step_attending(weights):
    """A step whose weights are weights(scores, d_head)."""

    def cached_step(q, k, v, keys, values):
        here = torch.tensor([keys.shape[-2]])
        _, keys, values = step_right(q, k, v, keys, values)
        return weights(rotate_right(q, here) @ keys.mT, q.shape[-1]) @ values, keys, values

    return cached_step


def by_tokens(scores, d):
    return (scores / math.sqrt(scores.shape[-1])).softmax(-1)


def hidden(scores):
    """A causal mask of one row: all keys but the first are hidden."""
    return torch.full(scores.shape[-2:], -math.inf).triu(1)


def new_row_alone(q, k, v, keys, values):
    output, all_keys, _ = step_right(q, k, v, keys, values)
    return output, all_keys[..., -1:, :], v


def keys_in_place(q, k, v, keys, values):
    found = step_right(q, k, v, keys, values)
    keys *= 2
    return found


def nothing_at_first(q, k, v, keys, values):
    output, *kept = step_right(q, k, v, keys, values)
    return (output if keys.shape[-2] else output * 0, *kept)


def step_by_turning_back(q, k, v, keys, values):
    """Only the offset counts: the keys are turned back by S instead of the query on by S."""
    S = keys.shape[-2]
    keys, values = torch.cat((keys, rotate_right(k, torch.tensor([S]))), -2), torch.cat((values, v), -2)
    scores = torch.einsum("...td,...sd->...ts", q, rotate_right(keys, torch.full((S + 1,), -S)))
    weights = (scores * q.shape[-1] ** -0.5).exp()
    return torch.einsum("...ts,...sd->...td", weights / weights.sum(-1, keepdim=True), values), keys, values


def counted(x):
    return rotate_right(x, torch.arange(x.shape[-2]))


def output_turned(q, k, v, keys, values):
    output, kept, values = step_right(q, k, v, keys, values)
    return rotate_right(output, torch.tensor([keys.shape[-2]])), kept, values


def all_turned_together(q, k, v, keys, values):
    S = keys.shape[-2]
    keys, values = counted(torch.cat((keys, k), dim=-2)), torch.cat((values, v), dim=-2)
    weights = (rotate_right(q, torch.tensor([S])) @ keys.mT / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ values, keys, values


def largest_changes(model, ids, a, b):
    before, after = model(ids)[0, -1], model(swapped(ids, a, b))[0, -1]
    return float(before.argmax() != after.argmax())


def step_of_64(q, k, v, keys, values):
    at = torch.tensor([min(keys.shape[-2], 64)])
    keys = torch.cat((keys, rotate_right(k, at)), -2)
    values = torch.cat((values, v), -2)
    scores = rotate_right(q, at) @ keys.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.softmax(-1) @ values, keys, values


RIGHT = {
    "08_positions.sinusoidal_table": [
        ("exp of a logarithm", clock_right),
        ("loops", clock_loops),
        ("logspace, complex, float64", clock_spaced),
        ("divided again and again", clock_divided),
        ("a cosine is a sine a quarter of a turn on", clock_of_phases),
        ("a parameter", lambda n, D: torch.nn.Parameter(clock_right(n, D))),
    ],
    "08_positions.rotate": [
        ("halves", rotate_right),
        ("rotate_half", rotate_half_style),
        ("complex", rotate_complex),
        ("the package's", rotate_by_package),
        ("matrices", rotate_matrices),
        ("complex, as it comes", rotate_complex_as_it_comes),
        ("matrix exponential", rotate_by_exponential),
    ],
    "08_positions.repair": [
        ("as asked", diagnosis()),
        ("element by element", diagnosis(adder(table_loops), fault_1="Exponent doubled.")),
        ("as broken_2 does", diagnosis(adder(table_where), apart=" Rows of one sequence")),
        ("complex", diagnosis(adder(table_complex))),
        ("a float32 table, whatever x is", diagnosis(lambda x: x + table_right(x.shape[1], x.shape[2]).float())),
        ("with a batch axis", diagnosis(lambda x: x + table_right(512, x.shape[2]).to(x.dtype)[None, : x.shape[1]])),
    ],
    "08_positions.dials": [
        ("read off", (16, 91)),
        ("floats", (16.0, 91.0)),
        ("numpy and a tensor", (np.int64(16), torch.tensor(91))),
        ("one element", (torch.tensor([16.0]), np.array(91))),
    ],
    "08_positions.is_equivariant": [
        ("several orders", equivariant_right),
        ("matrices", equivariant_matrix),
        ("a tensor of bool", lambda f, x: torch.tensor(equivariant_right(f, x))),
        ("swaps of neighbours, numpy's bool", equivariant_neighbours),
        ("every swap", all_orders(all_transpositions)),
        ("a swap and a roll", all_orders(lambda n: (first_two_swapped(n), torch.arange(n).roll(1)))),
        ("shuffled back", lambda f, x: all(close(f(x[o])[o.argsort()], f(x)) for o in randomly(len(x)))),
        ("atol 5e-3", all_orders(randomly, lambda a, b: (a - b).abs().amax() < 5e-3)),
    ],
    "08_positions.alibi_bias": [
        ("einsum", alibi_right),
        ("geometric", alibi_geometric),
        ("loops", alibi_loops),
        ("rows of the square one, float64", lambda H, T, S: alibi_right(H, S, S).double()[:, S - T :]),
    ],
    "08_positions.swap_effect": [
        ("as asked", (effect_right, "unchanged", "changes")),
        ("in evaluation, without gradients", (torch.no_grad()(effect_in_evaluation), "unchanged", "changes")),
        ("through an order, a tensor", (effect_by_order, "Unchanged", "changes ")),
        ("numpy's float32", (effect_in_numpy, "unchanged", "changes")),
    ],
    "08_positions.cached_step": [
        ("cat", step_right),
        ("fused, as a list", step_fused),
        ("keys turned back", step_by_turning_back),
    ],
}

TABLE, ROTATE, STEP = "08_positions.sinusoidal_table", "08_positions.rotate", "08_positions.cached_step"
EQUIVARIANT, ALIBI = "08_positions.is_equivariant", "08_positions.alibi_bias"
SWAP, REPAIR = "08_positions.swap_effect", "08_positions.repair"


def choices(function):
    return function, "unchanged", "changes"


WRONG = {
    TABLE: [
        ("axes of size 1 dropped", squeezed(clock_right), "squeezed?"),
        ("512 rows at most", lambda n, D: clock_right(512, D)[torch.arange(n).clamp(max=511)], "row 512 is not"),
        ("the lesson's: speeds", pasted_from_the_lesson, "These are the speeds that the paper prints"),
        ("the lesson's: columns", pasted_from_the_lesson, "sine and cosine stand in turn, as in the lesson"),
        ("the lesson's, as halves", clock_with(paper), "How many *steps* are there from the first of 5 hands"),
        ("in turn", clock_with(layout="in turn"), "The speeds are right, but sine and cosine stand in turn."),
        ("halved", clock_with(lambda i, D: i / (D - 2)), "the exponent is half of what it should be"),
        ("i/d", clock_with(lambda i, D: i / D), "is the exponent halved? Count hands"),
        ("i/(d - 1)", clock_with(lambda i, D: i / (D - 1)), "divided by a number of features, and counts hands"),
        ("doubled", clock_with(lambda i, D: 4 * i / (D - 2)), "is 2i already"),
        ("4i/d", clock_with(lambda i, D: 4 * i / D), "the exponent is doubled"),
        ("hands from 1", clock_with(lambda i, D: 2 * (i + 1) / (D - 2)), "Hands are counted from 1"),
        (
            "hands from 1, the last right",
            clock_with(lambda i, D: 2 * (i + 1) / D),
            "The last hand is right, and the first",
        ),
        ("neither end", clock_with(lambda i, D: 2 * (i + 1) / (D + 2)), "both ends are given"),
        ("a step too many", clock_with(lambda i, D: 2 * i / (D + 2)), "greater than that of the steps"),
        ("features counted", features_counted, "Do the exponents count features?"),
        (
            "features counted in turn",
            clock_with(lambda i, D: 2 * i / (D - 1), cosine=lambda i, D: (2 * i + 1) / (D - 1)),
            "Do the exponents count features?",
        ),
        (
            "cosine one hand on",
            clock_with(cosine=lambda i, D: 2 * (i + 1) / (D - 2)),
            "of a hand are of different angles",
        ),
        ("//", clock_with(lambda i, D: 2 * i // (D - 2)), "All hands but the last turn at the same speed"),
        ("one speed", clock_with(lambda i, D: 0.0 * i), "Every hand turns at the same speed"),
        ("sign", clock_with(lambda i, D: -asked(i, D)), "later hands turn *slower*"),
        ("sign, in turn", clock_with(lambda i, D: -asked(i, D), layout="in turn"), "later hands turn *slower*"),
        ("not divided", clock_with(lambda i, D: 1.0 * i), "Each hand is 10000 times slower"),
        (
            "equal steps",
            clock_with(speed=lambda i, D: torch.linspace(1, 1e-4, D // 2)),
            "The speeds fall in equal steps",
        ),
        (
            "turns in equal steps",
            clock_with(speed=lambda i, D: 1 / torch.linspace(1, 10_000, D // 2)),
            "The time of a turn grows in equal steps",
        ),
        ("backwards", clock_with(lambda i, D: 1 - asked(i, D)), "The hands stand in reverse order"),
        ("base 1000", clock_with(base=1000.0), "The last hand turns by 1/1000 a position"),
        ("log10", clock_with(base=math.e**4), "log10 in place"),
        ("from 1", clock_with(start=1), "count positions from 0"),
        ("from 1: the table", clock_with(start=1), "The speeds are right, but positions are counted from 1."),
        ("from 1, the paper's", clock_with(paper, start=1), "count positions from 0. And: These are the speeds that"),
        (
            "from 1, in turn",
            clock_with(start=1, layout="in turn"),
            "positions are counted from 1, and sine and cosine stand in turn.",
        ),
        ("2 pi", clock_with(unit=2 * math.pi), "multiplied by 2 pi"),
        ("degrees", clock_with(unit=math.pi / 180), "taken for degrees"),
        ("linspace", lambda n, D: clock_with(unit=1 / (n - 1))(n, D), "run from 0 to 1"),
        ("over max_len", lambda n, D: clock_with(lambda i, D: 2 * i / n)(n, D), "divided by max_len"),
        ("cosine first", clock_with(swap=True), "the cosines stand first"),
        ("cosine first, in turn", clock_with(swap=True, layout="in turn"), "Row 0 reads 1, 0, 1, 0"),
        ("sines only", hand_sines_only, "All columns are sines"),
        ("one column a hand", lambda n, D: clock_right(n, D)[:, : D // 2], "one for each hand"),
        ("transposed", lambda n, D: clock_right(n, D).T, "last two axes are swapped"),
        ("a batch axis", lambda n, D: clock_right(n, D)[None], "no batch axis"),
        ("times sqrt(d)", lambda n, D: clock_right(n, D) * math.sqrt(D), "multiplied by sqrt(d_model)"),
        ("list", lambda n, D: clock_right(n, D).tolist(), "of type list"),
        ("512 rows", lambda n, D: clock_right(512, D), "has 512 rows"),
        ("16 bits", lambda n, D: clock_right(n, D).half(), "of low precision"),
        ("whole numbers", lambda n, D: clock_right(n, D).long(), "wanted floating point"),
        ("zeros in row 0", row_of_zeros, "as if for padding"),
        ("signs turned round", lambda n, D: -clock_right(n, D), "cos 0 is +1"),
        ("features backwards", lambda n, D: clock_right(n, D).flip(1), "The features run backwards"),
        ("the position", lambda n, D: torch.arange(n)[:, None].expand(n, D) * 1.0, "the position itself"),
        ("between 0 and 1", lambda n, D: (torch.arange(n) / n)[:, None].expand(n, D), "divided by the length"),
        ("255 and on", lambda n, D: clock_right(256, D)[torch.arange(n) % 256], "Rows 0 to 255 are right, row 256 is"),
        ("another wavelength", clock_with(base=10000 / (2 * math.pi)), "radians from row 0 to row 1"),
        (
            "no circle",
            lambda n, D: clock_right(n, D).where(torch.arange(D) != 1, 0.5),
            "of hand 1 (counted from 0) is not 1",
        ),
        ("speeds in 16 bits", clock_with(lambda i, D: asked(i, D).half().float()), "low precision"),
        ("one column short", lambda n, D: clock_right(n, D)[:, :-1], "wanted (7, 10)"),
        ("one row short", lambda n, D: clock_right(n - 1, D), "has 6 rows"),
        ("numpy", lambda n, D: clock_right(n, D).numpy(), "of type numpy.ndarray"),
        ("two columns more, cut off", lambda n, D: clock_right(n, D + 2)[:, :D], "at ["),
    ],
    ROTATE: [
        ("by view", viewing(rotate_right), "view() needs contiguous inputs"),
        ("asks its inputs for gradients", switching(rotate_right), "require a gradient, and it still does"),
        ("positions sorted", lambda x, p, theta=1e4: rotate_right(x, p.sort().values, theta), "the angles are others"),
        ("reversed", lambda x, p, theta=1e4: rotate_right(x, p, theta).flip(-1), "come back in reverse order"),
        ("copied from the check", copying(lambda x, p, theta=1e4: x), "x comes back as it was"),
        ("neighbours", rotate_interleaved, "Neighbours are paired, 2i with 2i + 1", "M27"),
        ("cos repeated for neighbours", repeated_for_neighbours, "repeat them as", "M27"),
        ("backwards", rotate_with(sign=-1), "turn backwards"),
        ("i/d", rotate_with(lambda d, theta: theta ** (-torch.arange(d // 2) / d)), "The exponent is i/d_head"),
        ("4i/d", rotate_with(lambda d, theta: theta ** (-4 * torch.arange(d // 2) / d)), "The exponent is 4i/d_head"),
        (
            "slower, not faster",
            rotate_with(lambda d, theta: theta ** (2 * torch.arange(d // 2) / d)),
            "later pairs turn",
        ),
        ("one speed", rotate_with(lambda d, theta: torch.ones(d // 2)), "All pairs turn at one speed"),
        (
            "theta fixed",
            rotate_with(lambda d, theta: 10_000.0 ** (-torch.arange(0, d, 2) / d)),
            "theta is fixed at 10000",
        ),
        (
            "rows counted",
            rotate_with(position=lambda x, p: torch.arange(x.shape[-2])),
            "turned as if it stood at its row",
        ),
        ("one too high", rotate_with(position=lambda x, p: p + 1), "Position 0 is treated as position 1"),
        ("along the heads", rotate_with(position=positions_of_heads), "at ["),
        ("cos and sin swapped", rotate_with(mix=lambda a, b, c, s: (a * s - b * c, b * s + a * c)), "by a right angle"),
        (
            "not a rotation",
            rotate_with(mix=lambda a, b, c, s: (a * c - b * s, b * c - a * s)),
            "This is not a rotation",
        ),
        (
            "plus for minus",
            rotate_with(mix=lambda a, b, c, s: (a * c + b * s, b * c + a * s)),
            "This is not a rotation",
        ),
        ("second half by cos", rotate_with(mix=lambda a, b, c, s: (a * c - b * s, a * c + b * s)), "cos belongs to b"),
        ("a already turned", rotate_with(mix=sequential), "computed from the first half already turned"),
        ("first half only", rotate_with(mix=lambda a, b, c, s: (a * c - b * s, b)), "Only the first feature"),
        ("times cos only", rotate_with(mix=lambda a, b, c, s: (a * c, b * c)), "terms with sin are missing"),
        (
            "halves swapped",
            rotate_with(mix=lambda a, b, c, s: (b * c + a * s, a * c - b * s)),
            "halves come back swapped",
        ),
        (
            "stacked",
            rotate_with(mix=lambda a, b, c, s: torch.stack((a * c - b * s, b * c + a * s), -1).flatten(-2)),
            "come back in another order",
        ),
        ("added", rotate_with(mix=lambda a, b, c, s: (a + s, b + c)), "rotary multiplies"),
        ("x as it was", lambda x, positions, theta=1e4: x * 1.0, "x comes back as it was"),
        (
            "turned twice",
            lambda x, p, theta=1e4: rotate_right(rotate_right(x, p, theta), p, theta),
            "turned twice",
            "M27",
        ),
        ("neighbours, backwards", neighbours_backwards, "Neighbours are turned together", "M27"),
        ("neighbours' rotate_half, halves' angles", mixed_halves, "This is not a rotation: lengths change"),
        ("first with last", first_with_last, "other features are turned together", "M27"),
        ("positions reversed", rotate_with(position=lambda x, p: p.flip(0)), "the angles are others: pair"),
        ("theta doubled", lambda x, p, theta=1e4: rotate_right(x, p, 2 * theta), "the angles are others: pair"),
        ("16 bits", rotate_with(position=lambda x, p: p.half().double()), "which do not hold them?"),
        (
            "no default",
            lambda x, positions, theta: rotate_right(x, positions, theta),
            "The expected signature is rotate(",
        ),
        ("default 1e5", lambda x, positions, theta=1e5: rotate_right(x, positions, theta), "without theta"),
        ("float64", lambda x, p, theta=1e4: rotate_right(x.double(), p, theta), "came back as torch.float64"),
        ("float32", lambda x, p, theta=1e4: rotate_right(x, p, theta).float(), "came back as torch.float32"),
        ("detached", lambda x, p, theta=1e4: rotate_right(x.detach(), p, theta), "No gradient flows"),
        ("bfloat16 widened", rotate_widened, "End with .type_as(x)"),
        ("through 16 bits", lambda x, p, theta=1e4: rotate_right(x.half(), p, theta).type_as(x), "of low precision"),
        ("angles in x's dtype", rotate_in_sixteen_bits, "bfloat16 does not hold a position"),
        ("counted on from the first", counted_from_the_first, "positions come with the call"),
        ("in place", rotate_in_place, "changed its input x in place"),
        ("starts again at 4096", rotate_with(position=lambda x, p: p % 4096), "at 4100 to 4107 it is not"),
        ("stops at 2047", rotate_with(position=lambda x, p: p.clamp(max=2047)), "at 2050 to 2057 it is not"),
        ("positions in 8 bits", rotate_with(position=lambda x, p: p.to(torch.int8)), "at 130 to 137 it is not"),
        ("positions in bfloat16", rotate_with(position=lambda x, p: p.bfloat16()), "at 260 to 267 it is not"),
        ("counted from the first", rotate_with(position=lambda x, p: p - p[0]), "counted from the first one"),
        ("by the length", rotate_with(position=lambda x, p: p / x.shape[-2]), "divided by the number of rows"),
        ("half of the features", rotate_half_of_them, "come back as they were"),
        (
            "length 1",
            lambda x, p, theta=1e4: F.normalize(rotate_right(x, p, theta), dim=-1),
            "every vector has length 1",
        ),
        ("without its mean", lambda x, p, theta=1e4: rotate_right(x - x.mean(-1, True), p, theta), "the mean of the"),
        ("scaled", lambda x, p, theta=1e4: rotate_right(x, p, theta) / 2, "0.5 times what is wanted"),
        ("mirrored", rotate_with(mix=lambda a, b, c, s: (a * c + b * s, a * s - b * c)), "the second half is negated"),
        ("one half twice", rotate_with(mix=lambda a, b, c, s: (a * c - b * s,) * 2), "both halves hold the first"),
        ("a half detached", rotate_with(mix=lambda a, b, c, s: (a * c - b.detach() * s, b * c + a * s)), "A part of x"),
        ("positions in place", positions_in_place, "changed its input positions in place"),
        ("cos and sin", lambda x, p, theta=1e4: (x.cos(), x.sin()), "is of type tuple"),
        ("numpy", lambda x, p, theta=1e4: rotate_right(x.detach(), p, theta).numpy(), "of type numpy.ndarray"),
        (
            "log10",
            rotate_with(lambda d, theta: (-math.log10(theta) * torch.arange(0, d, 2) / d).exp()),
            "the angles are",
        ),
        ("three axes", lambda x, p, theta=1e4: rotate_right(x.permute(0, 1, 2), p, theta), "permute names every axis"),
        ("no return", lambda x, p, theta=1e4: None, "did you forget `return`?"),
    ],
    REPAIR: [
        ("asks its input for gradients", diagnosis(switching(added)), "require a gradient, and it still does"),
        ("first: halved", diagnosis(fault_1="exponent halved"), "how long does its last pair take for a turn?"),
        ("first: one speed", diagnosis(fault_1="one speed for all pairs"), "as fast as the first"),
        ("second: doubled", diagnosis(fault_2="exponent doubled"), "not all of broken_2's pairs have length 1"),
        ("second: from 1", diagnosis(fault_2="Positions from 1"), "only row 0 is not what it should be"),
        ("third: run on", diagnosis(fault_3="positions run on"), "which axis is read?"),
        ("third: from 1", diagnosis(fault_3="positions from 1"), "two tokens of one sequence the same"),
        ("fourth: by sequence", diagnosis(fault_4="rows by sequence"), "what counts on?"),
        ("fourth: nothing", diagnosis(fault_4="none"), "choose one of"),
        ("fourth: 4", diagnosis(fault_4=4), "is of type int"),
        ("told apart by the batch", diagnosis(apart="sequences of the batch"), "They differ with both"),
        ("told apart by lengths", diagnosis(apart="lengths of the pairs"), "They are 1 with both"),
        ("told apart by the turn", diagnosis(apart="the last pair's turn"), "It is 6,283 positions with both"),
        ("told apart by the number of columns", diagnosis(apart="rows of one sequence and the turn"), "choose one of"),
        ("told apart by a list", diagnosis(apart=["rows of one sequence"]), "is of type list"),
        ("as it was", diagnosis(two_frequencies), "have different frequencies", "M26"),
        ("doubled", diagnosis(doubled), "doubled twice", "M26"),
        ("by the batch", diagnosis(by_batch), "indexed by the batch", "M26"),
        ("by the batch, unsqueeze lost", diagnosis(by_batch_plain), "It cannot be added to x"),
        ("halved", diagnosis(adder(table_with(lambda i, D: i / D))), "half of what it should be", "M26"),
        ("a quarter", diagnosis(adder(table_with(lambda i, D: i / D / 2))), "pair 1 (counted from 0) turns by"),
        ("no cosines", diagnosis(adder(sines_only)), "the cosines are missing"),
        ("no sines", diagnosis(adder(cosines_only)), "the sines are missing"),
        (
            "one feature on",
            diagnosis(adder(table_with(paper, cosine=lambda i, D: 2 * (i + 1) / D))),
            "different fr",
            "M26",
        ),
        ("halves", diagnosis(adder(table_with(paper, layout="halves"))), "a trained model expects"),
        ("x lost", diagnosis(lambda x: table_right(x.shape[1], x.shape[2]).expand(x.shape)), "x is lost"),
        ("nothing added", diagnosis(lambda x: x * 1.0), "not added"),
        ("subtracted", diagnosis(lambda x: 2 * x - added(x)), "subtracted"),
        ("added twice", diagnosis(lambda x: added(added(x))), "The table is added twice"),
        ("half of it added", diagnosis(lambda x: (x + added(x)) / 2), "Half of the table"),
        ("beside x", diagnosis(lambda x: torch.cat((x, added(x) - x), dim=-1)), "is concatenated to x"),
        ("over the whole batch", diagnosis(by_batch_and_place), "each sequence starts at 0"),
        (
            "along the batch too",
            diagnosis(lambda x: added(x) + torch.arange(x.shape[0])[:, None, None] % 2),
            "The sequences of the batch get different vectors",
        ),
        (
            "first sequence only",
            diagnosis(lambda x: torch.cat((added(x[:1]), x[1:]))),
            "The sequences of the batch get",
        ),
        (
            "one vector for all",
            diagnosis(lambda x: x + torch.ones(x.shape[2])),
            "Every token of a sequence gets",
            "M26",
        ),
        (
            "backwards",
            diagnosis(lambda x: x + table_right(x.shape[1], x.shape[2]).flip(0)),
            "The positions run backwards",
        ),
        ("cosine first", diagnosis(adder(table_with(paper, swap=True))), "swapped"),
        ("from 1", diagnosis(adder(table_with(paper, start=1))), "start at 1"),
        ("float64", diagnosis(lambda x: x + table_complex(x.shape[1], x.shape[2])), "came back as torch.float64"),
        ("into x", diagnosis(lambda x: x.add_(table_right(x.shape[1], x.shape[2]))), "changed its input x in place"),
        ("detached", diagnosis(lambda x: added(x.detach())), "No gradient flows"),
    ],
    "08_positions.dials": [
        ("pair 1", (5, 91), "it is pair 1 that first does so"),
        ("pair 3", (50, 91), "it is pair 3"),
        ("one early", (15, 91), "one step further"),
        ("not the first", (40, 91), "not for the first time"),
        ("not negative", (8, 91), "more than 0"),
        ("a near valley", (16, 28), "lower still"),
        ("0", (16, 0), "not an offset between 1 and 127"),
        ("text", ("16", 91), "wanted a whole number"),
        ("half", (16, 90.5), "wanted a whole number"),
        ("NaN", (math.nan, 91), "wanted a whole number"),
        ("two numbers", (16, torch.tensor([91, 91])), "wanted a whole number"),
        ("the other side", (16, -91), "at 91 the score is the same"),
        ("exchanged", (91, 16), "lower still"),
        ("one late", (17, 91), "not for the first time"),
        ("counted from 1", (5, 91), "pairs are counted from 0"),
        ("next to it", (16, 90), "lower still"),
        ("the score", (16, -0.5), "wanted a whole number"),
        ("a list", ([16], 91), "wanted a whole number"),
        ("True", (True, 91), "wanted a whole number"),
        ("infinite", (math.inf, 91), "wanted a whole number"),
        ("beyond", (16, 128), "not an offset between 1 and 127"),
        ("negative position", (-16, 91), "not a position of q"),
    ],
    EQUIVARIANT: [
        ("the first columns only", lambda f, x: equivariant_right(lambda y: f(y)[:, :4], x), "compare them all"),
        ("invariance", one_order(torch.randperm, shuffle_output=False), "It says False for the identity"),
        ("exact", one_order(torch.randperm, compare=torch.equal), "not with =="),
        ("text", lambda f, x: str(equivariant_right(f, x)), "without quotation marks"),
        ("last two", one_order(last_two_swapped), "a swap of two rows misses much"),
        ("first feature", equivariant_in_one_feature, "Only some features tell the position"),
        ("flip", one_order(lambda n: torch.arange(n).flip(0)), "It survives reversing the rows"),
        ("roll", one_order(lambda n: torch.arange(n).roll(1)), "It survives torch.roll"),
        ("first two", one_order(first_two_swapped), "It says True for"),
        ("no shuffle", one_order(torch.arange), "It says True for adding sinusoidal positions"),
        ("always True", lambda f, x: True, "It says True for"),
        ("always False", lambda f, x: False, "It says False for"),
        ("loose", all_orders(randomly, lambda a, b: torch.allclose(a, b, atol=0.1)), "positions added have size 0.01"),
        (
            "sums",
            one_order(torch.randperm, compare=lambda a, b: bool((a.sum() - b.sum()).abs() < 1e-2)),
            "It says True for",
        ),
        (
            "features shuffled",
            lambda f, x: torch.allclose(f(x[:, torch.tensor([1, 3, 0, 2])]), f(x), atol=1e-3),
            "It says False for",
        ),
        ("a number", lambda f, x: (f(x.flip(0)) - f(x).flip(0)).abs().max(), "wanted True or False"),
        ("element by element", lambda f, x: f(x.flip(0)) == f(x).flip(0), "wanted one True or False"),
        (
            "flip and roll",
            all_orders(lambda n: (torch.arange(n).flip(0), torch.arange(n).roll(1))),
            "a ring looks the same",
        ),
        ("every turn and mirror image", all_orders(turns_and_mirrors), "a ring looks the same"),
        ("first with last", one_order(lambda n: torch.tensor([n - 1, *range(1, n - 1), 0])), "It says True for"),
        ("all but the last row", all_orders(neighbours_but_the_last), "handing the last row to every position"),
        (
            "all but the first row",
            all_orders(lambda n: [[0, *(1 + torch.randperm(n - 1)).tolist()] for _ in range(6)]),
            "handing the first row",
        ),
        (
            "the last half",
            all_orders(lambda n: [torch.cat((torch.arange(4), 4 + torch.randperm(n - 4)))]),
            "the first row",
        ),
        ("first row only", all_orders(randomly, lambda a, b: close(a[0], b[0])), "Only one row is special"),
        ("last feature only", all_orders(randomly, lambda a, b: close(a[:, -1], b[:, -1])), "Only some features"),
        ("a mean of differences", all_orders(randomly, lambda a, b: (a - b).abs().mean() < 1e-3), "hides one"),
        ("relative", all_orders(randomly, lambda a, b: torch.allclose(a, b, rtol=0.1, atol=0)), "have size 0.01"),
        ("as allclose comes", all_orders(randomly, torch.allclose), "compare with a tolerance"),
        ("atol 1e-6", all_orders(randomly, lambda a, b: torch.allclose(a, b, atol=1e-6)), "nor with atol=1e-6"),
        ("atol 0.01", all_orders(randomly, lambda a, b: torch.allclose(a, b, atol=0.0101)), "have size 0.01"),
        (
            "one order is enough",
            lambda f, x: any(close(f(x[o]), f(x)[o]) for o in randomly(len(x))),
            "It says True for",
        ),
        ("back instead of on", all_orders(lambda n: randomly(n), back=True), "in the same way"),
        ("sorted", all_orders(randomly, lambda a, b: close(a.sort(0).values, b.sort(0).values)), "compare row by row"),
        ("an x of its own", lambda f, x: equivariant_right(f, torch.ones_like(x)), "It says True for"),
        ("twenty rows", lambda f, x: close(f(x[torch.arange(20)]), f(x)), "out of bounds"),
        ("into x", shuffled_in_place, "changed its input x in place"),
        ("are flipped", lambda f, x: not equivariant_right(f, x), "It says False for the identity"),
        ("1.0", lambda f, x: 1.0 * equivariant_right(f, x), "A number came back"),
        (
            "output shuffled twice",
            lambda f, x: torch.allclose(f(x.roll(1, 0)).roll(1, 0), f(x), atol=1e-3),
            "It says False for",
        ),
    ],
    ALIBI: [
        ("sign", alibi_with(sign=1), "a far key *loses*"),
        ("one slope", alibi_with(slopes=lambda h, H: torch.full((H,), 2 ** (-8 / H))), "the first head's slope"),
        ("one slope, two axes", lambda H, T, S: alibi_right(H, T, S)[0], "one slope for all heads"),
        ("slope 1", alibi_with(slopes=lambda h, H: torch.ones(H)), "Every head has slope 1;"),
        ("heads from 0", alibi_with(slopes=lambda h, H: 2 ** (-8 * (h - 1) / H)), "Heads are counted from 0"),
        ("2^-h", alibi_with(slopes=lambda h, H: 2**-h), "the 8/H is missing"),
        ("reversed", alibi_with(slopes=lambda h, H: 2 ** (-8 * h.flip(0) / H)), "reverse order"),
        ("multiples", alibi_with(slopes=lambda h, H: 2 ** (-8 / H) * h), "not powers"),
        ("grows", alibi_with(slopes=lambda h, H: 2 ** (8 * h / H)), "wrong sign"),
        ("base e", alibi_with(slopes=lambda h, H: (-8 * h / H).exp()), "The base is e"),
        ("8 missing", alibi_with(slopes=lambda h, H: 2 ** (-h / H)), "the 8 is missing"),
        (
            "first with first",
            alibi_with(distance=lambda behind, T, S: (behind - (S - T)).abs()),
            "The first query is put at the first key",
        ),
        ("signed", alibi_with(distance=lambda behind, T, S: behind), "Keys after the query are *favoured*"),
        ("signed, other way", alibi_with(distance=lambda behind, T, S: -behind), "wrong for keys before the query"),
        ("past only", alibi_with(distance=lambda behind, T, S: behind.clamp(min=0)), "Keys after the query get 0"),
        (
            "by key position",
            alibi_with(distance=lambda behind, T, S: -torch.arange(S).expand(T, S)),
            "each row is off by a constant",
        ),
        (
            "halved from head to head",
            alibi_with(slopes=lambda h, H: 2 ** (-8 / H) * 0.5 ** (h - 1)),
            "the slopes are not",
        ),
        ("distance from 1", alibi_with(distance=lambda behind, T, S: behind.abs() + 1), "counted from 1"),
        ("zeros", lambda H, T, S: torch.zeros(H, T, S), "0 everywhere"),
        (
            "sign, one slope",
            alibi_with(sign=1, slopes=lambda h, H: torch.full((H,), 2 ** (-8 / H))),
            "And the sign",
        ),
        ("squared", alibi_with(distance=lambda behind, T, S: behind**2), "squared"),
        (
            "the root",
            alibi_with(distance=lambda behind, T, S: behind.abs().double().sqrt()),
            "The root of the distance",
        ),
        (
            "future only",
            alibi_with(distance=lambda behind, T, S: (-behind).clamp(min=0)),
            "Keys before the query get 0",
        ),
        ("by the length", alibi_with(distance=lambda behind, T, S: behind.abs() / S), "divided by the number of keys"),
        ("S - T taken off", alibi_with(distance=lambda behind, T, S: (behind - 2 * (S - T)).abs()), "is subtracted"),
        ("S added", alibi_with(distance=lambda behind, T, S: (behind + T).abs()), "S places too far on"),
        (
            "from the last key",
            alibi_with(distance=lambda behind, T, S: (S - 1 - torch.arange(S)).expand(T, S)),
            "off by a constant: at the query's own place",
        ),
        ("2^(-8/h)", alibi_with(slopes=lambda h, H: 2 ** (-8 / h)), "the slopes are not"),
        ("H - 1", alibi_with(slopes=lambda h, H: 2 ** (-8 * h / max(1, H - 1))), "the slopes are not"),
        ("whole division", alibi_with(slopes=lambda h, H: 2.0 ** (-(8 // H) * h)), "Every head has slope 1"),
        ("the first rows", lambda H, T, S: alibi_right(H, S, S)[:, :T], "put at the first key"),
        ("a list", lambda H, T, S: alibi_right(H, T, S).tolist(), "of type list"),
        ("queries last", lambda H, T, S: alibi_right(H, T, S).mT, "last two axes are swapped"),
        ("exp", lambda H, T, S: alibi_right(H, T, S).exp(), "exp(bias)"),
        ("no slope", alibi_with(slopes=lambda h, H: torch.ones(H)), "slope 1"),
        ("T and S swapped", lambda H, T, S: alibi_right(H, S, S)[:, :, -T:], "wanted ("),
        ("a batch axis", lambda H, T, S: alibi_right(H, T, S)[None], "no batch axis"),
        ("heads last", lambda H, T, S: alibi_right(H, T, S).permute(1, 2, 0), "the heads last"),
        ("all positions", lambda H, T, S: alibi_right(H, S, S), "queries are the last of them"),
        ("queries only", lambda H, T, S: alibi_right(H, T, T), "a column for each query only"),
        ("whole numbers", lambda H, T, S: alibi_right(H, T, S).long(), "integers truncate"),
        ("16 bits", lambda H, T, S: alibi_right(H, T, S).half(), "of low precision"),
        ("one too far", alibi_with(distance=lambda behind, T, S: (behind + 1).abs()), "one place too far"),
        ("softmax", lambda H, T, S: alibi_right(H, T, S).softmax(-1), "softmax of the bias"),
        ("causal", lambda H, T, S: alibi_right(H, T, S) + torch.full((T, S), -math.inf).triu(S - T + 1), "causal mask"),
    ],
    SWAP: [
        ("is the largest logit another?", choices(largest_changes), "came back: "),
        ("all rows", choices(effect_with(lambda moved: moved.abs().max())), "*all* rows"),
        ("first row", choices(effect_with(lambda moved: moved[0, 0].abs().max())), "the first row"),
        ("row before", choices(effect_with(lambda moved: moved[0, -2].abs().max())), "the row before the last"),
        ("mean", choices(effect_with(lambda moved: moved[0, -1].abs().mean())), "the mean change"),
        ("sum", choices(effect_with(lambda moved: moved[0, -1].abs().sum())), "the sum of the changes"),
        ("range", choices(effect_with(lambda moved: moved[0, -1].max() - moved[0, -1].min())), "minus the smallest"),
        ("signed", choices(effect_with(lambda moved: moved[0, -1].max())), "The sign counts here"),
        (
            "size of the maximum",
            choices(effect_with(lambda moved: moved[0, -1].max().abs())),
            ".abs() before .max()",
        ),
        ("always 1 and 4", choices(lambda model, ids, a, b: effect_right(model, ids, 1, 4)), "Tokens 1 and 4 change"),
        ("the next one", choices(lambda model, ids, a, b: effect_right(model, ids, a, a + 1)), "change places here"),
        ("rounded", choices(lambda model, ids, a, b: round(effect_right(model, ids, a, b), 1)), "This is rounded"),
        ("relative", choices(relative_effect), "relative to the logit"),
        ("norm", choices(effect_with(lambda moved: moved[0, -1].norm())), "the length of the change"),
        ("row b", choices(lambda m, ids, a, b: (m(swapped(ids, a, b)) - m(ids))[0, b].abs().max().item()), "row b"),
        ("row a", choices(lambda m, ids, a, b: (m(swapped(ids, a, b)) - m(ids))[0, a].abs().max().item()), "row a"),
        ("last of the batch", choices(effect_with(lambda moved: moved[-1].abs().max())), "*all* rows"),
        ("to three places", choices(lambda m, ids, a, b: round(effect_right(m, ids, a, b), 3)), "This is rounded"),
        ("to whole numbers", choices(lambda m, ids, a, b: round(effect_right(m, ids, a, b))), "rounded"),
        ("one place on", choices(lambda m, ids, a, b: effect_right(m, ids, a, min(b + 1, 6))), "change places here"),
        (
            "yes or no",
            choices(lambda m, ids, a, b: float(effect_right(m, ids, a, b) > 1e-3)),
            "rounded to whole numbers, or a yes?",
        ),
        ("nothing", choices(lambda m, ids, a, b: 0.0), "both runs saw the same tokens"),
        ("a list", choices(lambda m, ids, a, b: [effect_right(m, ids, a, b)]), "of type list"),
        ("probabilities", choices(probabilities), "compares probabilities"),
        ("smallest", choices(effect_with(lambda moved: moved[0, -1].abs().min())), "the smallest change"),
        ("squares", choices(effect_with(lambda moved: (moved[0, -1] ** 2).max())), "The squares are compared"),
        ("exchanged choices", (effect_right, "changes", "unchanged"), "it is rounding"),
        ("true and false", (effect_right, False, True), "with its quotation marks"),
        ("overwritten", choices(overwritten), "swap both at once"),
        ("in place", choices(in_place), "changed its input ids in place"),
        ("same ids", choices(same_ids), "was `ids` itself changed?"),
        ("last column", choices(effect_with(lambda moved: moved[..., -1].abs().max())), "one logit (the last)"),
        (
            "not reduced",
            choices(lambda model, ids, a, b: (model(swapped(ids, a, b)) - model(ids))[0, -1].abs()),
            "wanted one number",
        ),
        ("a bool", choices(lambda model, ids, a, b: effect_right(model, ids, a, b) > 1e-3), "of type bool"),
        ("one layer changes", (effect_right, "changes", "changes"), "a bag"),
        ("order unknowable", (effect_right, "unchanged", "unchanged"), "Only without a mask", "M25"),
        ("no option", (effect_right, "equal", "changes"), "choose one of"),
    ],
    STEP: [
        ("by view", viewing(step_right), "view() needs contiguous inputs"),
        ("asks its inputs for gradients", switching(step_right), "require a gradient, and it still does"),
        ("64 positions", step_of_64, "other angles than those of position S"),
        ("restart at 0", step_with(query=lambda S: 0, key=lambda S: 0), "as if it stood at position 0"),
        ("key not turned", step_with(key=lambda S: None), "as if it stood at position 0"),
        ("turned again", all_turned_together, "The cached keys are turned again", "M27"),
        ("cache turned again", step_with(old=counted), "The cached keys are turned again", "M27"),
        ("one too far", step_with(query=lambda S: S + 1, key=lambda S: S + 1), "one place too far"),
        ("one too near", step_with(query=lambda S: S - 1, key=lambda S: S - 1), "one place too near"),
        ("query not turned", step_with(query=lambda S: None), "The query is not turned"),
        ("query too far", step_with(query=lambda S: S + 1), "The query is turned one place too far"),
        (
            "values turned",
            step_with(value=lambda v, S: rotate_right(v, torch.tensor([S]))),
            "The values are turned",
            "M27",
        ),
        ("mixed values turned", step_with(use=lambda k, v: (k, counted(v))), "before they are mixed", "M27"),
        ("turned on use", step_with(use=lambda k, v: (counted(k), v)), "turned once more", "M27"),
        ("output turned", output_turned, "The output is turned", "M27"),
        ("neighbours", step_with(turn=rotate_interleaved), "the cache was made with halves", "M27"),
        ("backwards", step_with(turn=rotate_with(sign=-1)), "turns backwards"),
        ("unscaled", step_with(scale=False), "not divided by sqrt(d_head)"),
        ("in front", step_with(front=True), "stands in front"),
        ("scaled by d_head", step_attending(lambda scores, d: (scores / d).softmax(-1)), "wanted its square root"),
        ("multiplied", step_attending(lambda scores, d: (scores * d**0.5).softmax(-1)), "multiplied by sqrt(d_head)"),
        ("scaled by tokens", step_attending(by_tokens), "root of the number of tokens"),
        ("over the queries", step_attending(lambda scores, d: scores.softmax(-2)), "do not sum to 1"),
        ("causal", step_attending(lambda scores, d: (scores + hidden(scores)).softmax(-1)), "is_causal=True"),
        ("first axis", step_at_the_first_axis, "size of another axis"),
        ("the new row alone", new_row_alone, "the new row alone"),
        ("backwards, output", step_with(turn=rotate_with(sign=-1)), "fix them first"),
        ("nothing at first", nothing_at_first, "The output is 0"),
        ("output only", lambda *given: step_right(*given)[0], "One tensor came back"),
        ("two things", lambda *given: step_right(*given)[:2], "returned 2 things"),
        (
            "old cache back",
            lambda q, k, v, keys, values: (step_right(q, k, v, keys, values)[0], keys, values),
            "makes S + 1",
        ),
        ("keys and values swapped", lambda *given: tuple(step_right(*given)[i] for i in (0, 2, 1)), "are swapped"),
        ("keys mixed", step_with(use=lambda k, v: (k, k)), "The keys are mixed"),
        ("compared with values", step_with(use=lambda k, v: (v, v)), "compared with the values"),
        ("keys and values exchanged", step_with(use=lambda k, v: (v, k)), "and what is mixed are the values"),
        ("key for query", lambda q, k, v, keys, values: step_right(k, k, v, keys, values), "in the query's place"),
        ("query kept", lambda q, k, v, keys, values: step_right(q, q, v, keys, values), "in place of the key"),
        ("value among keys", lambda q, k, v, keys, values: step_right(q, v, v, keys, values), "kept among the keys"),
        ("key among values", lambda q, k, v, keys, values: step_right(q, k, k, keys, values), "kept among the values"),
        ("query backwards", step_with(query=lambda S: -S), "The query turns backwards"),
        ("query at 1", step_with(query=lambda S: 1), "The query is turned at position 1"),
        ("key too far", step_with(key=lambda S: S + 1), "The new key is one place too far"),
        ("another theta", step_with(turn=lambda x, p: rotate_right(x, p, 1e5)), "turned by other angles than"),
        (
            "another theta, output",
            step_with(turn=lambda x, p: rotate_right(x, p, 1e5)),
            "What is kept is not right yet",
        ),
        ("no softmax", step_attending(lambda scores, d: scores / d**0.5), "There is no softmax"),
        ("sigmoid", step_attending(lambda scores, d: (scores / d**0.5).sigmoid()), "A sigmoid stands in"),
        ("negative", step_attending(lambda scores, d: (-scores / d**0.5).softmax(-1)), "The sign of the scores"),
        (
            "the best key",
            step_attending(lambda s, d: F.one_hot(s.argmax(-1), s.shape[-1]).float()),
            "softmax gives each",
        ),
        ("equal weights", step_attending(lambda s, d: torch.ones_like(s) / s.shape[-1]), "All weights are equal"),
        (
            "q added",
            lambda q, *rest: (step_right(q, *rest)[0] + q, *step_right(q, *rest)[1:]),
            "q is added to the output",
        ),
        ("cache changed", keys_in_place, "changed its input keys in place"),
        (
            "cached keys turned by 1",
            step_with(old=lambda k: rotate_right(k, torch.ones(k.shape[-2]))),
            "come back as others than they were",
            "M27",
        ),
        ("new value 0", step_with(value=lambda v, S: 0 * v), "the values: at"),
        (
            "a row for each token",
            lambda *given: (step_right(*given)[2], *step_right(*given)[1:]),
            "the output has shape",
        ),
        (
            "16 bits kept",
            lambda *given: (step_right(*given)[0], step_right(*given)[1].half().float(), step_right(*given)[2]),
            "of low precision",
        ),
        ("itself unseen", step_with(use=lambda k, v: (k[..., :-1, :], v[..., :-1, :])), "does not see itself"),
    ],
}
