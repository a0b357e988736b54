"""Lesson 06: answers to its exercises, wrong with the words their author must be told, and right.

WRONG[id]: (name, answer, part of the message[, misconception]). An answer of several parts is a tuple.
"""

import copy
import itertools
import math
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from careless import squeezed, switching, widened
from diagnoses import Diagnosed

POINTS = {
    "06_residual.pre_norm": 6,
    "06_residual.variance": 4,
    "06_residual.diagnose": 3,
    "06_residual.jacobian": 4,
    "06_residual.find_broken": 3,
    "06_residual.scale_branches": 3,
    "06_residual.skip_gain": 3,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M14", "M15", "M17", "M18")

# pre_norm -----------------------------------------------------------------------------------------------------


def wrapper(combine, drop=lambda self, written: self.drop(written)):
    """A class PreNorm whose forward is combine(self, x, f, norm, drop)."""

    class PreNorm(nn.Module):
        def __init__(self, norm, sublayer, dropout=0.0):
            super().__init__()
            self.norm, self.sublayer, self.drop, self.p = norm, sublayer, nn.Dropout(dropout), dropout

        def forward(self, x):
            return combine(self, x, self.sublayer, self.norm, lambda written: drop(self, written))

    return PreNorm


right_module = wrapper(lambda self, x, f, norm, drop: x + drop(f(norm(x))))
functional_dropout = wrapper(
    lambda self, x, f, norm, drop: torch.add(F.dropout(f(norm(x)), self.p, training=self.training), x)
)


class RightByHand(nn.Module):
    """Registered by add_module, dropout by hand."""

    def __init__(self, norm, sublayer, dropout):
        super().__init__()
        self.parts, self.dropout = nn.ModuleList([norm, sublayer]), dropout

    def forward(self, x):
        y = x
        for part in self.parts:
            y = part(y)
        if self.training and self.dropout:
            kept = (torch.rand_like(y) >= self.dropout).to(y.dtype)
            y = y * kept / (1 - self.dropout)
        return y + x


class RightSequential(nn.Module):
    def __init__(self, norm, sublayer, dropout=0.1):
        super().__init__()
        self.branch = nn.Sequential(norm, sublayer, nn.Dropout(dropout))

    def forward(self, hidden_states):
        out = hidden_states.clone()
        out += self.branch(hidden_states)
        return out


class InALists(nn.Module):
    def __init__(self, norm, sublayer, dropout):
        super().__init__()
        self.parts, self.drop = [norm, sublayer], nn.Dropout(dropout)

    def forward(self, x):
        return x + self.drop(self.parts[1](self.parts[0](x)))


class OwnNorm(nn.Module):
    def __init__(self, norm, sublayer, dropout):
        super().__init__()
        width = norm.normalized_shape
        self.norm, self.sublayer, self.drop = nn.LayerNorm(width), sublayer, nn.Dropout(dropout)

    def forward(self, x):
        return x + self.drop(self.sublayer(self.norm(x)))


class LearntSkip(nn.Module):
    def __init__(self, norm, sublayer, dropout):
        super().__init__()
        D = norm.normalized_shape[0]
        self.norm, self.sublayer, self.drop = norm, sublayer, nn.Dropout(dropout)
        self.project = nn.Linear(D, D, bias=False)
        nn.init.eye_(self.project.weight)

    def forward(self, x):
        return self.project(x) + self.drop(self.sublayer(self.norm(x)))


class LearntGain(right_module):
    def __init__(self, norm, sublayer, dropout):
        super().__init__(norm, sublayer, dropout)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x + self.gain * self.drop(self.sublayer(self.norm(x)))


class CopiedParts(right_module):
    def __init__(self, norm, sublayer, dropout):
        super().__init__(copy.deepcopy(norm), copy.deepcopy(sublayer), dropout)


class NoSuper(nn.Module):
    def __init__(self, norm, sublayer, dropout):
        self.norm, self.sublayer, self.drop = norm, sublayer, nn.Dropout(dropout)

    def forward(self, x):
        return x + self.drop(self.sublayer(self.norm(x)))


class NoReturn(right_module):
    def forward(self, x):
        x + self.drop(self.sublayer(self.norm(x)))


class NoForward(nn.Module):
    def __init__(self, norm, sublayer, dropout):
        super().__init__()


class FixedDropout(nn.Module):
    def __init__(self, norm, sublayer, dropout):
        super().__init__()
        self.norm, self.sublayer, self.drop = norm, sublayer, nn.Dropout(0.1)

    def forward(self, x):
        return x + self.drop(self.sublayer(self.norm(x)))


def closure(norm, sublayer, dropout):
    return lambda x: x + sublayer(norm(x))


def detached(f):
    return lambda x: f(x).detach()


def in_place(self, x, f, norm, drop):
    x += drop(f(norm(x)))
    return x


class ParametersElsewhere(nn.Module):
    """Other names, registered by add_module, called with further arguments."""

    def __init__(self, first, second, p=0.0):
        super().__init__()
        for name, part in (("one", first), ("two", second)):
            self.add_module(name, part)
        self.p = p

    def forward(self, h, *more):
        return h + F.dropout(self.two(self.one(h), *more), p=self.p, training=self.training)


def applied_twice(self, x, f, norm, drop):
    for _ in range(2):
        x = x + drop(f(norm(x)))
    return x


def last_written(self, x, f, norm, drop):
    return torch.cat((x[:, :-1], (x + drop(f(norm(x))))[:, -1:]), dim=1)


def skip_in_eval(self, x, f, norm, drop):
    return (0 if self.training else x) + drop(f(norm(x)))


def normed_in_training(self, x, f, norm, drop):
    return (norm(x) if self.training else x) + drop(f(norm(x)))


def by_attributes(self, x, f, norm, drop):
    return x + drop(f(F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)))


def features_dropped(self, x, f, norm, drop):
    kept = F.dropout(torch.ones(x.shape[-1], dtype=x.dtype), self.p, self.training)
    return x + f(norm(x)) * kept


def one_mask(self, x, f, norm, drop):
    torch.manual_seed(0)
    return x + F.dropout(f(norm(x)), self.p, self.training)


def noise(self, x, f, norm, drop):
    written = f(norm(x))
    return x + written * (1 + torch.randn_like(x) * self.p if self.training else 1)


def scaled_in_eval(self, x, f, norm, drop):
    written = f(norm(x))
    return x + (written * (torch.rand_like(x) >= self.p) if self.training else written * (1 - self.p))


class Frozen(right_module):
    def __init__(self, norm, sublayer, dropout):
        super().__init__(norm.requires_grad_(False), sublayer.requires_grad_(False), dropout)


def whole_branch_dropped(self, x, f, norm, drop):
    silent = self.training and random.random() < self.p
    return x + (0 if silent else 1) * f(norm(x))


# variance -----------------------------------------------------------------------------------------------------


def geometric(ratio, terms):
    """1 + ratio + ratio^2 + ..."""
    return terms if ratio == 1 else (1 - ratio**terms) / (1 - ratio)


def by_formula(way, L, branch):
    return {
        "parallel": 1 + 2 * L * branch**2,
        "sandwich": 1 + L,
        "halved": ((1 + branch**2) / 2) ** L,
        "normed-skip": geometric(branch**2, L + 1),
    }[way]


def by_steps(way, L, branch):
    v = torch.tensor(1.0)
    for _ in range(L):
        if way == "parallel":
            v = v + branch**2 + branch**2
        elif way == "sandwich":
            v = v + 1
        elif way == "halved":
            v = 0.5 * v + 0.5 * branch**2 * v
        else:
            v = torch.ones(()) + branch**2 * v
    return v


def by_numpy(way, L, branch):
    if way == "halved":
        return np.prod([(1 + branch**2) / 2] * L)
    added = {"parallel": [2 * branch**2] * L, "sandwich": [1.0] * L}
    return np.sum([1.0, *added.get(way, [branch ** (2 * i) for i in range(1, L + 1)])])


def by_recursion(way, L, branch):
    if L == 0:
        return 1
    before = by_recursion(way, L - 1, branch)
    match way:
        case "parallel":
            return 2 * branch**2 + before
        case "sandwich":
            return np.float64(1 + before)
        case "halved":
            return (1 + branch**2) * before / 2
    return 1 + branch**2 * before


def only(way, formula):
    """Right but for one way."""
    return lambda w, L, b: formula(L, b) if w == way else by_formula(w, L, b)


WAYS = "parallel", "sandwich", "halved", "normed-skip"


def underscores(way, L, branch):
    return {way.replace("-", "_"): by_formula(way, L, branch) for way in WAYS}[way]


def capitals(way, L, branch):
    if way != way.upper():
        raise ValueError(f"There is no way {way}.")
    return by_formula(way.lower(), L, branch)


def one_underscore(way, L, branch):
    return by_formula({"normed_skip": "normed-skip", "normed-skip": "sandwich"}.get(way, way), L, branch)


def by_experiment(way, L, branch):
    def norm(x):
        return F.layer_norm(x, (64,))

    def wrote(x):
        return branch * x @ torch.randn(64, 64) / 8

    x = torch.randn(64, 64)
    for _ in range(L):
        x = {
            "parallel": x + wrote(norm(x)) + wrote(norm(x)),
            "sandwich": x + norm(wrote(norm(x))),
            "halved": (x + wrote(x)) / 2**0.5,
            "normed-skip": norm(x) + wrote(x),
        }[way]
    return x.var().item()


def formula_of_the_lesson(way, L, branch):
    """What lesson 06 derives, for stacks that are not asked for here."""
    return 1 + L * branch**2 if way in ("parallel", "sandwich") else (1 + branch**2) ** L


# diagnose -----------------------------------------------------------------------------------------------------


def attention_right(x, w_q, attend):
    return x + attend(x @ w_q, x)


def attention_as_it_was(x, w_q, attend):
    query = x @ w_q
    return query + attend(query, x)


def attention_einsum(x, w_q, attend):
    query = torch.einsum("btd,de->bte", x, w_q)
    return torch.add(attend(query, x), x)


def attention_on_a_clone(x, w_q, attend):
    out = x.clone()
    out += attend(torch.matmul(x, w_q), x)
    return out


ANSWERS = Diagnosed(
    {
        "a": ("skip without a gradient", "the output is right, the gradient at x is not"),
        "b": ("always the first x", "with the second of two sub-layers silent, another first one changes nothing"),
        "c": ("added to the query", "a silent sub-layer does not hand x on"),
    },
    attention_right,
)
mended, fault, shown = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


# jacobian -----------------------------------------------------------------------------------------------------


def jacobian_right(x, w_1, w_2):
    on = (x @ w_1 > 0).to(x.dtype)
    return torch.eye(len(x), dtype=x.dtype) + (w_1 @ torch.diag(on) @ w_2).T


def jacobian_autograd(x, w_1, w_2):
    return torch.autograd.functional.jacobian(lambda x: x + torch.relu(x @ w_1) @ w_2, x)


def jacobian_einsum(x, w_1, w_2):
    on = torch.heaviside(x @ w_1, torch.zeros((), dtype=x.dtype))
    J = torch.einsum("jc,c,ci->ij", w_1, on, w_2)
    J.diagonal().add_(1)
    return J


def jacobian_loops(x, w_1, w_2):
    (D, d_ff), h = w_1.shape, x @ w_1
    found = torch.zeros(D, D, dtype=x.dtype)
    for i in range(D):
        for j in range(D):
            found[i, j] = (i == j) + sum(w_2[c, i] * w_1[j, c] for c in range(d_ff) if h[c] > 0)
    return found


def jacobian_of_those_on(x, w_1, w_2):
    on = x @ w_1 > 0
    return torch.eye(len(x)).to(x) + w_2[on].T @ w_1[:, on].T


def jacobian_reverse(x, w_1, w_2):
    return torch.func.jacrev(lambda x: x + torch.relu(x @ w_1) @ w_2)(x)


def jacobian_in_w_1(x, w_1, w_2):
    w_1 *= x @ w_1 > 0
    return eye(x) + (w_1 @ w_2).T


def jacobian_differences(x, w_1, w_2):
    """Central differences, in double precision."""
    x, w_1, w_2 = (t.double() for t in (x, w_1, w_2))
    step = 1e-6 * torch.eye(len(x), dtype=torch.float64)

    def f(x):
        return x + (x @ w_1).relu() @ w_2

    return ((f(x + step) - f(x - step)) / 2e-6).T


def jacobian_coarse(x, w_1, w_2):
    step = 0.1 * torch.eye(len(x), dtype=x.dtype)

    def f(x):
        return x + (x @ w_1).relu() @ w_2

    return ((f(x + step) - f(x)) / 0.1).T


def jacobian_rounded_back(x, w_1, w_2):
    return jacobian_differences(x, w_1, w_2).to(x.dtype)


def J_of(x, w_1, w_2):
    return jacobian_right(x, w_1, w_2) - torch.eye(len(x), dtype=x.dtype)


def eye(x):
    return torch.eye(len(x), dtype=x.dtype)


# find_broken --------------------------------------------------------------------------------------------------


def find_by_ratio(gradients):
    factors = [before / after for before, after in zip(gradients[:-1], gradients[1:], strict=True)]
    return factors.index(min(factors)) + 1


def find_by_torch(gradients):
    logs = torch.tensor(gradients).log()
    return logs.diff().argmax() + 1


def find_by_numpy(gradients):
    g = np.array(gradients)
    return int(np.argmax(g[1:] / g[:-1])) + 1


def find_by_loop(gradients):
    worst, found = math.inf, None
    for layer in range(1, len(gradients)):
        factor = gradients[layer - 1] / gradients[layer]
        if factor < worst:
            worst, found = factor, layer
    return found


def find_by_outlier(gradients):
    logs = np.diff(np.log(gradients))
    return np.argmax(np.abs(logs - np.median(logs))) + 1


def find_as_a_float(gradients):
    return float(find_by_ratio(gradients))


def find_below(bound):
    return lambda g: next((i + 1 for i in range(len(g) - 1) if g[i] / g[i + 1] < bound), 1)


def find_far_from_one(gradients):
    return max(range(1, len(gradients)), key=lambda i: abs(math.log(gradients[i - 1] / gradients[i])))


def find_below_half_the_mean(gradients):
    factors = [before / after for before, after in zip(gradients[:-1], gradients[1:], strict=True)]
    return find_below(0.5 * sum(factors) / len(factors))(gradients)


def find_and_reverse(gradients):
    found = find_by_ratio(gradients)
    gradients.reverse()
    return found


def find_by_difference(gradients):
    drops = [after - before for before, after in zip(gradients[:-1], gradients[1:], strict=True)]
    return drops.index(max(drops)) + 1


def find_wrong_way_round(gradients):
    factors = [after / before for before, after in zip(gradients[:-1], gradients[1:], strict=True)]
    return factors.index(min(factors)) + 1


def find_first_fall(gradients):
    for layer in range(len(gradients) - 1, 0, -1):
        if gradients[layer - 1] < gradients[layer]:
            return layer
    return 1


# scale_branches -----------------------------------------------------------------------------------------------


def last_ones(block):
    return block.attention.w_o.weight, block.feed_forward.w_2.weight


def scaling(factor, chosen=last_ones):
    """An answer that multiplies chosen(block) by factor(L, index of the block)."""

    def scale_branches(blocks):
        with torch.no_grad():
            for i, block in enumerate(blocks):
                for weight in chosen(block):
                    weight.mul_(factor(len(blocks), i))
        return blocks

    return scale_branches


def right_factor(L, i):
    return 1 / math.sqrt(2 * L)


def scale_by_data(blocks):
    for block in blocks:
        block.attention.w_o.weight.data /= (2 * len(blocks)) ** 0.5
        block.feed_forward.w_2.weight.data /= (2 * len(blocks)) ** 0.5
    return blocks


def scale_by_name(blocks):
    for block in blocks:
        for name, parameter in block.named_parameters():
            if name.endswith(("w_o.weight", "w_2.weight")):
                parameter.data = parameter.data * (2 * len(blocks)) ** -0.5
    return blocks


def scale_new_parameters(blocks):
    for block in blocks:
        for layer in (block.attention.w_o, block.feed_forward.w_2):
            layer.weight = nn.Parameter(layer.weight.detach() / math.sqrt(2 * len(blocks)))
    return blocks


def scale_by_state(blocks):
    for block in blocks:
        state = block.state_dict()
        for name in ("attention.w_o.weight", "feed_forward.w_2.weight"):
            state[name] = state[name] * torch.rsqrt(torch.tensor(2.0 * len(blocks)))
        block.load_state_dict(state)
    return blocks


def scale_copies(blocks):
    return scale_by_data(copy.deepcopy(blocks))


def scale_nothing(blocks):
    for block in blocks:
        for weight in last_ones(block):
            weight = weight * right_factor(len(blocks), 0)
    return blocks


def scale_with_gradients(blocks):
    for block in blocks:
        block.attention.w_o.weight *= right_factor(len(blocks), 0)
    return blocks


def scale_mul_with_gradients(blocks):
    for block in blocks:
        for weight in last_ones(block):
            weight.mul_(right_factor(len(blocks), 0))
    return blocks


def scale_assigned(blocks):
    for block in blocks:
        block.attention.w_o.weight = block.attention.w_o.weight * right_factor(len(blocks), 0)
    return blocks


def scale_parameter_more(blocks):
    for block in scale_by_data(blocks):
        block.factor = nn.Parameter(torch.tensor(0.5))
    return blocks


def scale_in_eval(blocks):
    return [block.eval() for block in scale_by_data(blocks)]


def scale_double(blocks):
    return scale_by_data([block.double() for block in blocks])


def scale_frozen(blocks):
    scale_by_data(blocks)
    for block in blocks:
        for weight in last_ones(block):
            weight.requires_grad_(False)
    return blocks


def scale_drawn_anew(blocks):
    for block in blocks:
        for weight in last_ones(block):
            nn.init.normal_(weight, std=0.02 / math.sqrt(2 * len(blocks)))
    return blocks


def scale_no_return(blocks):
    scale_by_data(blocks)


def matrices(block):
    return [p for p in block.parameters() if p.ndim == 2]


def scale_first_block(blocks):
    scale_by_data_of = scaling(lambda L, i: right_factor(len(blocks), 0))
    scale_by_data_of(blocks[:1])
    return blocks


# skip_gain ----------------------------------------------------------------------------------------------------


def gain_right(L, branch, share):
    return math.sqrt(max(0.0, share ** (2 / L) - branch**2))


def gain_by_logarithm(L, branch, share):
    square = math.exp(2 * math.log(share) / L) - branch * branch
    return square**0.5 if square > 0 else 0.0


def gain_by_halving(L, branch, share):
    low, high = 0.0, 10.0
    if branch**L >= share:
        return 0
    for _ in range(80):
        middle = (low + high) / 2
        enough = (middle**2 + branch**2) ** (L / 2) >= share
        low, high = (low, middle) if enough else (middle, high)
    return high


def gain_tensor(L, branch, share):
    return torch.tensor(share ** (2 / L) - branch**2, dtype=torch.float64).clamp_min(0).sqrt()


def gain_by_powers(L, branch, share):
    return np.sqrt(np.maximum(np.power(share, 2 / L) - np.square(branch), 0))


def gain_nan(L, branch, share):
    with np.errstate(invalid="ignore"):
        return float(np.sqrt(share ** (2 / L) - branch**2))


def gain_at_most_one(L, branch, share):
    assert 0 < share <= 1
    return min(1.0, gain_right(L, branch, share))


def find_least(factor):
    """The layer of the least factor(before, after)."""

    def find_broken(g):
        factors = [factor(before, after) for before, after in itertools.pairwise(g)]
        return factors.index(min(factors)) + 1

    return find_broken


def scaled_in_float32(blocks):
    for block in blocks:
        for last in (block.attention.w_o.weight, block.feed_forward.w_2.weight):
            last.data = (last.data / math.sqrt(2 * len(blocks))).float()
    return blocks


RIGHT = {
    "06_residual.pre_norm": [
        ("module", right_module),
        ("functional dropout", functional_dropout),
        ("by hand", RightByHand),
        ("sequential", RightSequential),
        ("registered otherwise", ParametersElsewhere),
    ],
    "06_residual.variance": [
        ("formula", by_formula),
        ("steps", by_steps),
        ("numpy", by_numpy),
        ("recursion", by_recursion),
    ],
    "06_residual.diagnose": [
        ("as meant", mended(attention_right)),
        ("einsum", mended(attention_einsum)),
        ("on a clone", mended(attention_on_a_clone)),
        ("in capitals", ANSWERS.in_capitals()),
    ],
    "06_residual.jacobian": [
        ("formula", (jacobian_right, "w_2")),
        ("autograd", (jacobian_autograd, " W_2 ")),
        ("einsum", (jacobian_einsum, "w_2")),
        ("loops", (jacobian_loops, "w_2")),
        ("units that are on", (jacobian_of_those_on, "w_2")),
        ("reverse mode", (jacobian_reverse, "w_2")),
    ],
    "06_residual.find_broken": [
        ("ratio", find_by_ratio),
        ("torch", find_by_torch),
        ("numpy", find_by_numpy),
        ("loop", find_by_loop),
        ("outlier", find_by_outlier),
        ("a float", find_as_a_float),
    ],
    "06_residual.scale_branches": [
        ("no_grad", scaling(right_factor)),
        ("data", scale_by_data),
        ("by name", scale_by_name),
        ("state", scale_by_state),
    ],
    "06_residual.skip_gain": [
        ("formula", (gain_right, 0.71)),
        ("logarithm", (gain_by_logarithm, 0.7071)),
        ("three decimals", (gain_by_logarithm, 0.707)),
        ("five decimals", (gain_by_logarithm, 0.70706)),
        ("halving", (gain_by_halving, np.float64(0.71))),
        ("tensor", (gain_tensor, torch.tensor(0.71))),
        ("powers", (gain_by_powers, 0.71)),
        ("at most one", (gain_at_most_one, 0.71)),
    ],
}

WRONG = {
    "06_residual.pre_norm": [
        ("16 bits widened", wrapper(widened(lambda s, x, f, n, d: x + d(f(n(x))))), "came back as torch.float32"),
        ("post-norm", wrapper(lambda s, x, f, n, d: n(x + d(f(x)))), "This is post-norm"),
        ("norm after adding", wrapper(lambda s, x, f, n, d: n(x + d(f(n(x))))), "A norm follows the addition", "M18"),
        ("norm on the skip", wrapper(lambda s, x, f, n, d: n(x) + d(f(n(x)))), "The skip carries norm(x)", "M18"),
        ("no skip", wrapper(lambda s, x, f, n, d: d(f(n(x)))), "There is no skip"),
        ("no norm", wrapper(lambda s, x, f, n, d: x + d(f(x))), "The sub-layer sees x as it is"),
        (
            "norm after the sub-layer",
            wrapper(lambda s, x, f, n, d: x + d(n(f(x)))),
            "The norm stands after the sub-layer",
        ),
        ("two norms", wrapper(lambda s, x, f, n, d: x + d(n(f(n(x))))), "normalised once more"),
        ("x twice", wrapper(lambda s, x, f, n, d: x + x), "x is added to itself", "M14"),
        (
            "output twice",
            wrapper(lambda s, x, f, n, d: d(f(n(x))) + d(f(n(x)))),
            "is added to itself: there is no",
            "M15",
        ),
        ("paths exchanged", wrapper(lambda s, x, f, n, d: n(x) + d(f(x))), "The two paths are swapped", "M18"),
        ("norm added", wrapper(lambda s, x, f, n, d: x + d(n(x))), "the sub-layer is missing"),
        ("multiplied", wrapper(lambda s, x, f, n, d: x * d(f(n(x)))), "multiplied; wanted their sum"),
        ("subtracted", wrapper(lambda s, x, f, n, d: x - d(f(n(x)))), "subtracted from x"),
        ("halved", wrapper(lambda s, x, f, n, d: (x + d(f(n(x)))) / 2), "The sum is halved"),
        ("activation after", wrapper(lambda s, x, f, n, d: F.relu(x + d(f(n(x))))), "An activation follows", "M18"),
        ("root two", wrapper(lambda s, x, f, n, d: (x + d(f(n(x)))) * 0.5**0.5), "divided by sqrt(2)"),
        ("concatenated", wrapper(lambda s, x, f, n, d: torch.cat((x, f(n(x))), dim=-1)), "wanted (3, 4, 10)"),
        ("skip detached", wrapper(lambda s, x, f, n, d: x.detach() + d(f(n(x)))), "The skip passes on no gradient"),
        (
            "branch detached",
            wrapper(lambda s, x, f, n, d: x + d(f(n(x))).detach()),
            "No gradient reaches the sub-layer",
        ),
        (
            "its input detached",
            wrapper(lambda s, x, f, n, d: x + d(f(n(x.detach())))),
            "The branch passes no gradient on",
        ),
        ("in place", wrapper(in_place), "changed its input x in place"),
        ("dropout on the sum", wrapper(lambda s, x, f, n, d: d(x + f(n(x)))), "Dropout falls on the sum"),
        ("dropout on the skip", wrapper(lambda s, x, f, n, d: d(x) + f(n(x))), "Dropout falls on the skip"),
        ("dropout on x and branch", wrapper(lambda s, x, f, n, d: d(x) + d(f(n(x)))), "Dropout falls on the"),
        ("no dropout", wrapper(lambda s, x, f, n, d: x + f(n(x))), "nothing is dropped"),
        ("dropout before", wrapper(lambda s, x, f, n, d: x + f(d(n(x)))), "does dropout stand before the sub-layer"),
        (
            "dropout always",
            wrapper(lambda s, x, f, n, d: x + F.dropout(f(n(x)), s.p)),
            "In eval mode two calls give different results",
        ),
        (
            "keep for drop",
            wrapper(lambda s, x, f, n, d: x + F.dropout(f(n(x)), (1 - s.p) * (s.p > 0), training=s.training)),
            "the share to drop",
        ),
        (
            "unscaled dropout",
            wrapper(lambda s, x, f, n, d: x + f(n(x)) * ((torch.rand_like(x) >= s.p) if s.training else 1)),
            "What is kept is not divided",
        ),
        ("dropout fixed", FixedDropout, "a fixed number"),
        ("in a list", InALists, "not among PreNorm(...).parameters()"),
        ("own norm", OwnNorm, "The norm is one of your own"),
        ("learnt skip", LearntSkip, "A learnt matrix has no place here", "M18"),
        ("learnt gain", LearntGain, "Nothing here needs its own"),
        ("copied parts", CopiedParts, "not among PreNorm(...).parameters()"),
        (
            "arguments exchanged",
            lambda norm, sublayer, dropout: right_module(sublayer, norm, dropout),
            "The norm stands after the sub-layer",
        ),
        ("super forgotten", NoSuper, "raised AttributeError"),
        ("no return", NoReturn, "forward() returned None"),
        ("no forward", NoForward, "write the body of forward()"),
        ("closure", closure, "wanted a module: class PreNorm(nn.Module)"),
        ("single precision", wrapper(lambda s, x, f, n, d: (x + d(f(n(x)))).float()), "came back as torch.float32"),
        (
            "positions dropped",
            wrapper(lambda s, x, f, n, d: x + F.dropout1d(f(n(x)), s.p, s.training)),
            "Whole positions",
        ),
        ("branch dropped", wrapper(whole_branch_dropped), "The whole branch is dropped at once"),
        ("two dropouts", wrapper(lambda s, x, f, n, d: x + d(f(d(n(x))))), "is there a second dropout?"),
        (
            "each normalised",
            wrapper(lambda s, x, f, n, d: n(x) + d(n(f(x)))),
            "Each part is normalised by itself",
            "M18",
        ),
        ("no known fault", wrapper(lambda s, x, f, n, d: x + d(f(n(x))) ** 3), "Draw the two paths"),
        (
            "own layer norm",
            wrapper(lambda s, x, f, n, d: x + d(f(F.layer_norm(x, x.shape[-1:])))),
            "call the norm given",
        ),
    ],
    "06_residual.variance": [
        ("measured once", lambda way, L, b: by_formula(way, L, b) * 1.03, "Is it measured"),
        ("constant everywhere", lambda way, L, b: 1.0, "their variances add at every layer", "M17"),
        ("parallel keeps", only("parallel", lambda L, b: 1.0), "their variances add at every layer", "M17"),
        ("sandwich keeps", only("sandwich", lambda L, b: 1.0), "their variances add at every layer", "M17"),
        ("the lesson's", formula_of_the_lesson, "This is pre-norm's. The outer norm"),
        ("the lesson's, parallel", formula_of_the_lesson, "Here two branches write in each layer"),
        ("the lesson's, halved", formula_of_the_lesson, "The division by sqrt(2) is missing"),
        ("the lesson's, normed-skip", formula_of_the_lesson, "The skip carries norm(x), of variance 1"),
        ("parallel 1 + 2L", only("parallel", lambda L, b: 1 + 2 * L), "true for branch = 1"),
        ("parallel 1 + L", only("parallel", lambda L, b: 1 + L), "And each adds branch^2, not 1"),
        ("parallel no square", only("parallel", lambda L, b: 1 + 2 * L * b), "each branch adds branch^2"),
        ("parallel one, no square", only("parallel", lambda L, b: 1 + L * b), "And branch is a factor on sizes"),
        ("parallel compounds", only("parallel", lambda L, b: (1 + 2 * b**2) ** L), "Growth does not compound"),
        ("parallel as 2L layers", only("parallel", lambda L, b: (1 + b**2) ** (2 * L)), "Growth does not compound"),
        ("parallel start lost", only("parallel", lambda L, b: 2 * L * b**2), "that is missing"),
        ("parallel sizes added", only("parallel", lambda L, b: 1 + 4 * L * b**2), "not (2 branch)^2"),
        ("parallel in a row", only("parallel", lambda L, b: 1 + L * b**4), "F and G stand side by side"),
        ("parallel one layer", only("parallel", lambda L, b: 1 + 2 * b**2), "This is one layer"),
        ("parallel size", only("parallel", lambda L, b: (1 + 2 * L * b**2) ** 0.5), "This is the size"),
        ("parallel L squared", only("parallel", lambda L, b: 1 + (2 * L * b) ** 2), "L is squared too"),
        ("parallel L times", only("parallel", lambda L, b: L * (1 + 2 * b * b)), "x is counted L times"),
        ("sandwich no square", only("sandwich", lambda L, b: 1 + L * b), "brings what F writes to variance 1"),
        ("sandwich compounds", only("sandwich", lambda L, b: 2**L), "1 is added at each layer"),
        ("sandwich start lost", only("sandwich", lambda L, b: L), "that is missing"),
        ("sandwich one layer", only("sandwich", lambda L, b: 2), "L of them add 1 each"),
        ("sandwich two branches", only("sandwich", lambda L, b: 1 + 2 * L), "one branch a layer here"),
        ("sandwich sizes", only("sandwich", lambda L, b: (1 + L) ** 2), "Sizes are added"),
        ("halved constant", only("halved", lambda L, b: 1), "It does for branch = 1 only"),
        ("halved at the end", only("halved", lambda L, b: (1 + b**2) ** L / 2), "It is halved once"),
        ("halved by the root", only("halved", lambda L, b: ((1 + b**2) / 2**0.5) ** L), "is 1/2 on its variance"),
        ("halved twice", only("halved", lambda L, b: ((1 + b**2) / 4) ** L), "It is halved twice"),
        ("halved no square", only("halved", lambda L, b: ((1 + b) / 2) ** L), "branch is a factor on sizes"),
        ("halved sizes", only("halved", lambda L, b: ((1 + b) ** 2 / 2) ** L), "Sizes are added"),
        ("halved F only", only("halved", lambda L, b: (1 + b**2 / 2) ** L), "Both parts are divided"),
        ("halved, F lost", only("halved", lambda L, b: 0.5**L), "F's part is lost"),
        ("halved one layer", only("halved", lambda L, b: (1 + b * b) / 2), "This is one layer"),
        ("normed-skip constant", only("normed-skip", lambda L, b: 1), "F(x) is added to it"),
        ("normed-skip pre-norm", only("normed-skip", lambda L, b: 1 + L * b * b), "Here F sees x itself"),
        ("normed-skip one layer", only("normed-skip", lambda L, b: 1 + b * b), "This is one layer"),
        ("normed-skip the last term", only("normed-skip", lambda L, b: b ** (2 * L)), "norm(x) is missing"),
        ("normed-skip the ends", only("normed-skip", lambda L, b: 1 + b ** (2 * L)), "The layers between are missing"),
        ("normed-skip no square", only("normed-skip", lambda L, b: sum(b**i for i in range(L + 1))), "factor on sizes"),
        ("normed-skip 1 + L", only("normed-skip", lambda L, b: 1 + L), "true for branch = 1"),
        (
            "normed-skip closed",
            only("normed-skip", lambda L, b: (1 - b ** (2 * L + 2)) / (1 - b * b)),
            "where r is 1 all terms are 1",
        ),
        ("one layer more", lambda way, L, b: by_formula(way, L + 1, b), "right for L +1 layers"),
        ("one layer less", lambda way, L, b: by_formula(way, L - 1, b), "right for L -1 layers"),
        ("measured", by_experiment, "Two calls give two numbers"),
        ("a list", lambda way, L, b: [by_formula(way, n, b) for n in range(L + 1)], "wanted a single one"),
        ("a text", lambda way, L, b: "1 + L", "wanted a number"),
        ("all two branches", lambda way, L, b: by_formula(way, 2 * L, b), "There is one branch a layer here"),
        ("whole numbers", lambda way, L, b: int(by_formula(way, L, b)), "It is rounded to a whole number"),
        ("odd", only("parallel", lambda L, b: 3.7 * L), "do one layer at a time"),
        ("random", lambda way, L, b: random.random(), "Two calls give two numbers"),
        ("underscores", underscores, "yours is right for 'normed_skip'"),
        ("an underscore, else another", one_underscore, "with a hyphen; yours is right for 'normed_skip'"),
        ("capitals", capitals, "way comes as 'parallel'; yours is right for 'PARALLEL'"),
        ("two digits", lambda way, L, b: round(by_formula(way, L, b), 2), "It is rounded to 2 digits"),
    ],
    "06_residual.diagnose": [
        ("axes of size 1 dropped", mended(squeezed(attention_right)), "squeezed?"),
        ("16 bits widened", mended(widened(attention_right)), "came back as torch.float32"),
        ("asks for gradients", mended(switching(attention_right)), "require a gradient, and it still does"),
        ("as it was", mended(attention_as_it_was), "is added to the query", "M15"),
        ("detached", mended(lambda x, w, a: x.detach() + a(x @ w, x)), "Look for .detach()"),
        ("in place", mended(lambda x, w, a: x.add_(a(x @ w, x))), "changed its input x in place"),
        ("a query of its own", mended(lambda x, w: x + w), "repaired(x, w_q, attend)"),
        ("a + a", mended(lambda x, w, a: a(x @ w, x) + a(x @ w, x)), "is added to itself", "M15"),
        ("no skip", mended(lambda x, w, a: a(x @ w, x)), "There is no skip"),
        ("unprojected", mended(lambda x, w, a: x + a(x, x)), "queries must still be x W_Q"),
        ("all three", mended(lambda x, w, a: x + x @ w + a(x @ w, x)), "Three things", "M15"),
        ("exchanged", mended(lambda x, w, a: x + a(x, x @ w)), "arguments of attend are swapped"),
        ("x + x", mended(lambda x, w, a: x + x), "x is added to itself", "M14"),
        ("matrix after", mended(lambda x, w, a: (x + a(x @ w, x)) @ w), "matrix follows", "M18"),
        ("projected", mended(lambda x, w, a: x + a(x @ w, x) @ w), "W_Q stands after attention once more"),
        ("transposed", mended(lambda x, w, a: x + a(x @ w.T, x)), "W_Q is transposed"),
        ("odd", mended(lambda x, w, a: x + 0.3 * a(x @ w, x)), "It is one addition"),
        ("added twice", mended(lambda x, w, a: x + 2 * a(x @ w, x)), "Attention's output is added twice"),
        ("multiplied", mended(lambda x, w, a: x * a(x @ w, x)), "are multiplied; wanted their sum"),
        ("normed", mended(lambda x, w, a: F.layer_norm(x, x.shape[-1:]) + a(x @ w, x)), "on the skip"),
        ("inverse", mended(lambda x, w, a: x + a(x @ w, x) @ torch.linalg.inv(w)), "The inverse of W_Q"),
        ("tuple", mended(lambda x, w, a: (x + a(x @ w, x), w)), "returned several things"),
        ("a: in place", fault("a", "changed in place"), "The fault of a is not 'changed in place'"),
        ("a: norm on the skip", fault("a", "norm on the skip"), "gives norm(x) where its branch is silent"),
        ("a: shown by numbers", shown("a", "x holds other numbers after the call"), "all three leave x as it is"),
        ("b: side by side", fault("b", "side by side"), "each sub-layer reads the x that the stack was given"),
        ("b: shown by silence", shown("b", "a silent sub-layer does not hand x on"), "x itself does not go around"),
        ("c: input twice", fault("c", "input added to itself"), "the same whatever its sub-layer says"),
        ("c: shown by ten", shown("c", "ten times x comes out ten times as large"), "does not grow tenfold"),
        (
            "c: shown by loudness",
            shown("c", "silent and loud sub-layers give the same output"),
            "what the sub-layers say",
        ),
        ("a and b exchanged", ANSWERS.but(a=ANSWERS.named["b"], b=ANSWERS.named["a"]), "The fault of a is not"),
        ("no such fault", fault("b", "dropout on the sum"), "dropout on the sum"),
        ("the wrong way round", ANSWERS.but(c=ANSWERS.named["c"][::-1]), "the fault comes first"),
    ],
    "06_residual.jacobian": [
        ("16 bits widened", (widened(jacobian_right), "w_2"), "came back as torch.float32"),
        ("asks its inputs for gradients", (switching(jacobian_right), "w_2"), "require a gradient, and it still does"),
        ("no skip", (J_of, "w_2"), "that is J alone"),
        ("transposed", (lambda x, a, b: jacobian_right(x, a, b).T, "w_2"), "It is transposed"),
        ("identity only", (lambda x, a, b: eye(x), "w_2"), "This is I: the branch is missing"),
        ("zero", (lambda x, a, b: 0 * eye(x), "w_2"), "With W_2 = 0 yours is 0"),
        ("ReLU forgotten", (lambda x, a, b: eye(x) + (a @ b).T, "w_2"), "The ReLU is forgotten"),
        (
            "ReLU for slope",
            (lambda x, a, b: eye(x) + (b.T * (x @ a).relu()) @ a.T, "w_2"),
            "is used where its slope should be",
        ),
        ("slope turned", (lambda x, a, b: eye(x) + (b.T * (x @ a <= 0)) @ a.T, "w_2"), "slope is inverted"),
        ("slope by sign", (lambda x, a, b: eye(x) + (b.T * (x @ a).sign()) @ a.T, "w_2"), "count with slope -1"),
        ("slope at x", (lambda x, a, b: eye(x) + (a @ b).T * (x > 0), "w_2"), "slope is taken at x"),
        (
            "diagonal only",
            (lambda x, a, b: jacobian_right(x, a, b).diag().diag(), "w_2"),
            "Only the diagonal is filled",
        ),
        ("odd", (lambda x, a, b: eye(x) + 0.3 * J_of(x, a, b), "w_2"), "Input j reaches output i"),
        ("in place", (jacobian_in_w_1, "w_2"), "changed its input w_1 in place"),
        ("one everywhere", (lambda x, a, b: 1 + J_of(x, a, b), "w_2"), "wanted 1 on the diagonal only"),
        ("product", (lambda x, a, b: eye(x) @ J_of(x, a, b), "w_2"), "that is J alone"),
        ("subtracted", (lambda x, a, b: eye(x) - J_of(x, a, b), "w_2"), "J is subtracted"),
        ("x on the diagonal", (lambda x, a, b: torch.diag(x) + J_of(x, a, b), "w_2"), "the Jacobian when W_2 = 0"),
        ("double precision", (jacobian_differences, "w_2"), "came back as torch.float64"),
        ("default dtype", (lambda x, a, b: jacobian_right(x, a, b).float(), "w_2"), "came back as torch.float32"),
        ("row sums", (lambda x, a, b: jacobian_right(x, a, b).sum(0), "w_2"), "one number for each of the D"),
        ("hidden width", (lambda x, a, b: eye(a[0]), "w_2"), "wanted (6, 6)"),
        ("sigmoid", (lambda x, a, b: eye(x) + (b.T * (x @ a).sigmoid()) @ a.T, "w_2"), "The slope is a sigmoid"),
        ("leaky", (lambda x, a, b: eye(x) + (b.T * ((x @ a > 0) + 0.1 * (x @ a <= 0))) @ a.T, "w_2"), "leaky ReLU"),
        ("on from 0.5", (lambda x, a, b: eye(x) + (b.T * (x @ a > 0.5)) @ a.T, "w_2"), "A unit counts as on from 0.5"),
        ("no signs", (lambda x, a, b: eye(x) + J_of(x, a, b).abs(), "w_2"), "The signs are lost"),
        ("1 at each unit", (lambda x, a, b: (b.T * (1.0 + (x @ a > 0))) @ a.T, "w_2"), "that is J alone"),
        ("w_1 both ways", (lambda x, a, b: eye(x) + (a * (x @ a > 0)) @ a.T, "w_2"), "w_1 is used in both directions"),
        ("I taken off", (lambda x, a, b: J_of(x, a, b) - eye(x), "w_2"), "I is subtracted"),
        ("coarse differences", (jacobian_coarse, "w_2"), "cross a kink"),
        ("W_1 first", (jacobian_right, "w_1"), "W_2 is 0: nothing arrives"),
        ("both learn", (jacobian_right, "both"), "W_2 is 0: nothing arrives"),
        ("none learns", (jacobian_right, "neither"), "The hidden layer relu(x W_1) is not 0"),
        ("not an option", (jacobian_right, "W2"), "choose one of"),
    ],
    "06_residual.find_broken": [
        ("rounded", find_least(lambda a, b: round(a / b, 1)), "You round the factors to 1 digit:"),
        ("kept from 0", find_least(lambda a, b: max(a, 1e-6) / max(b, 1e-6)), "Small gradients are drowned"),
        ("last layer", lambda g: len(g) - 1, "You blame the last layer"),
        ("first layer", lambda g: 1, "You blame the first layer"),
        ("smallest gradient", lambda g: g.index(min(g)) + 1, "the smallest gradient"),
        ("smallest gradient's state", lambda g: g.index(min(g)), "the smallest gradient"),
        ("largest gradient", lambda g: g.index(max(g)), "the largest gradient"),
        ("off by one", lambda g: find_by_ratio(g) - 1, "Off by one"),
        ("off by one up", lambda g: find_by_ratio(g) + 1, "Off by one"),
        ("difference", find_by_difference, "largest *difference*"),
        ("wrong way round", find_wrong_way_round, "multiplies the gradient by most"),
        ("first fall", find_first_fall, "You take the first fall from the top"),
        ("from the top", lambda g: len(g) - find_by_ratio(g), "Counted from the top"),
        ("a list", lambda g: [find_by_ratio(g)], "wanted one number"),
        ("a factor", lambda g: min(a / b for a, b in zip(g[:-1], g[1:], strict=True)), "wanted the number of a layer"),
        ("beyond", lambda g: 99, "there are layers 1 ..."),
        ("below a half", find_below(0.5), "less than some bound, such as 0.5"),
        ("first left out", lambda g: find_by_ratio(g[1:]) + 1 if len(g) > 2 else 1, "You never blame the first layer"),
        ("last left out", lambda g: find_by_ratio(g[:-1]) if len(g) > 2 else 1, "You never blame the last layer"),
        ("far from one", find_far_from_one, "furthest from 1"),
        ("below half the mean", find_below_half_the_mean, " stacks are right. One that is not"),
        ("reversed in place", find_and_reverse, "find_broken changed the list"),
        ("middle", lambda g: len(g) // 2, "stacks are right"),
        ("text", lambda g: str(find_by_ratio(g)), "wanted the number of a layer"),
    ],
    "06_residual.scale_branches": [
        ("float32 after all", scaled_in_float32, "is torch.float32 now, it was torch.float64"),
        ("1/2L", scaling(lambda L, i: 1 / (2 * L)), "The factor is 1/2L"),
        ("1/sqrt(L)", scaling(lambda L, i: L**-0.5), "a block has two branches"),
        ("1/L", scaling(lambda L, i: 1 / L), "The factor is 1/L:"),
        ("multiplied", scaling(lambda L, i: (2 * L) ** 0.5), "divide by it"),
        ("1/sqrt(2)", scaling(lambda L, i: 0.5**0.5), "L is missing"),
        ("2 outside", scaling(lambda L, i: 0.5 * L**-0.5), "the 2 belongs under the root"),
        ("three branches", scaling(lambda L, i: (3 * L) ** -0.5), "two branches each"),
        ("L fixed", scaling(lambda L, i: 24**-0.5), "take L from len(blocks)"),
        ("by depth", scaling(lambda L, i: (2 * (i + 1)) ** -0.5), "The factors differ"),
        ("every matrix", scaling(right_factor, matrices), "More is changed than the last matrix"),
        ("every parameter", scaling(right_factor, lambda block: block.parameters()), "More is changed"),
        ("every matrix 1/2L", scaling(lambda L, i: 1 / (2 * L), matrices), "And every other matrix is scaled too"),
        (
            "W_1",
            scaling(right_factor, lambda b: (b.attention.w_o.weight, b.feed_forward.w_1.weight)),
            "W_2 is as it was",
        ),
        (
            "W_V",
            scaling(right_factor, lambda b: (b.attention.w_v.weight, b.feed_forward.w_2.weight)),
            "W_O is as it was",
        ),
        ("first matrices", scaling(right_factor, lambda b: (b.attention.w_q.weight,)), "others were scaled"),
        ("attention only", scaling(right_factor, lambda b: last_ones(b)[:1]), "Only one branch of each block"),
        ("feed-forward only", scaling(right_factor, lambda b: last_ones(b)[1:]), "Only one branch of each block"),
        ("first block only", scale_first_block, "Only some of the blocks"),
        (
            "norms too",
            scaling(right_factor, lambda b: (*last_ones(b), b.attention_residual.norm.gamma)),
            "More is changed",
        ),
        ("twice", scaling(right_factor, lambda b: (*last_ones(b), *last_ones(b))), "The factor is 1/2L"),
        ("new parameters", scale_new_parameters, "Replaced by a new parameter"),
        ("L above the line", scaling(lambda L, i: 1 / math.sqrt(2) * L), "L belongs under the root"),
        ("silenced", scaling(lambda L, i: 0.0), "The factor is 0"),
        ("copies", scale_copies, "change them in place"),
        ("nothing", scale_nothing, "Nothing has changed"),
        ("no no_grad", scale_with_gradients, "Do it under torch.no_grad()"),
        ("mul_ without no_grad", scale_mul_with_gradients, "Do it under torch.no_grad()"),
        ("assigned", scale_assigned, "A tensor is put in the place of a parameter"),
        ("by place", scaling(lambda L, i: (2 * i + 1) ** -0.5), "The factors differ"),
        ("fourth root", scaling(lambda L, i: (2 * L) ** -0.25), "the fourth root"),
        ("a new parameter", scale_parameter_more, "There is a new parameter"),
        ("eval mode", scale_in_eval, "in eval mode"),
        ("double precision", scale_double, "is torch.float64 now"),
        ("frozen", scale_frozen, "No longer a parameter that learns"),
        ("drawn anew", scale_drawn_anew, "do not draw it again"),
        ("no return", scale_no_return, "returned None"),
    ],
    "06_residual.skip_gain": [
        ("2 // L", (lambda L, b, s: max(0.0, s ** (2 // L) - b * b) ** 0.5, 0.71), "write 2 / L"),
        (
            "no branch, no root",
            (lambda L, b, s: gain_right(L, b, s) if b else s, 0.71),
            "skip_gain(8, 0.0, 0.3) is 0.3",
        ),
        ("0.70", (gain_right, 0.7), "One step more"),
        ("0.706", (gain_right, 0.706), "with more decimals it is 0.7070"),
        ("0.714", (gain_right, 0.714), "0.714 is near: at 0.714 the share is"),
        ("s ** 2 / L", (lambda L, b, s: math.sqrt(max(0, s**2 / L - b * b)), 0.71), "write s ** (2 / L)"),
        ("percent", (lambda L, b, s: gain_right(L, b, s / 100), 0.71), "not a percentage"),
        ("in steps", (lambda L, b, s: math.ceil(100 * gain_right(L, b, s)) / 100, 0.71), "in steps of 1/100"),
        ("None", (lambda L, b, s: gain_right(L, b, s) or None, 0.71), "carry enough it is 0"),
        ("NaN", (gain_nan, 0.71), "is NaN, the root of a negative number"),
        (
            "no logarithm undone",
            (lambda L, b, s: math.sqrt(max(0, 2 / L * math.log(s) - b * b)), 0.71),
            "power is undone",
        ),
        ("without branches", (gain_right, 0.87), "Here they have gain 0.5"),
        ("the variance's", (gain_right, 0.79), "look at the right panel"),
        ("too large", (gain_right, 0.95), "more than needed"),
        ("too small", (gain_right, 0.5), "less than one per cent"),
        ("no gain", (gain_right, 71), "not a skip gain of the explorer"),
        ("text", (gain_right, "0.71"), "wanted a number"),
        ("branches forgotten", (lambda L, b, s: s ** (1 / L), 0.71), "The branches are forgotten"),
        ("size for square", (lambda L, b, s: math.sqrt(max(0, s ** (1 / L) - b * b)), 0.71), "the square of that"),
        ("branch not squared", (lambda L, b, s: math.sqrt(max(0, s ** (2 / L) - b)), 0.71), "with its square"),
        ("gains added", (lambda L, b, s: max(0, s ** (1 / L) - b), 0.71), "Gains do not add"),
        ("no root", (lambda L, b, s: max(0, s ** (2 / L) - b * b), 0.71), "take the root"),
        ("plus", (lambda L, b, s: math.sqrt(s ** (2 / L) + b * b), 0.71), "it must be subtracted"),
        ("one layer less", (lambda L, b, s: gain_right(L - 1, b, s), 0.71), "off by one"),
        ("one layer more", (lambda L, b, s: gain_right(L + 1, b, s), 0.71), "off by one"),
        ("negative root", (lambda L, b, s: math.sqrt(s ** (2 / L) - b * b), 0.71), "the root of a negative number"),
        ("complex", (lambda L, b, s: (s ** (2 / L) - b * b) ** 0.5, 0.71), "is complex"),
        ("absolute", (lambda L, b, s: math.sqrt(abs(s ** (2 / L) - b * b)), 0.71), "the branches alone carry enough"),
        ("as read", (lambda L, b, s: 0.71, 0.71), "It is the number read off the explorer"),
        ("share fixed", (lambda L, b, s: gain_right(L, b, 0.01), 0.71), "the same whatever share is"),
        ("L fixed", (lambda L, b, s: gain_right(32, b, s), 0.71), "the same whatever L is"),
        ("rounded", (lambda L, b, s: round(gain_right(L, b, s), 2), 0.71), "It is rounded to 2 digits"),
        ("1 - branch", (lambda L, b, s: 1 - b, 0.71), "does not depend on L or share"),
        ("odd", (lambda L, b, s: 1 - b * s, 0.71), "Solve (skip^2 + branch^2)^(L/2) = share"),
    ],
}
