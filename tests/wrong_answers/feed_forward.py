"""Lesson 05: answers to its exercises, wrong with the words their author must be told, and right.

WRONG[id]: (name, answer, part of the message[, misconception]). An answer of several parts is a tuple.
"""

import math
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from diagnoses import Diagnosed

POINTS = {
    "05_feed_forward.feed_forward": 5,
    "05_feed_forward.gelu": 4,
    "05_feed_forward.diagnose": 3,
    "05_feed_forward.mixes_positions": 4,
    "05_feed_forward.cost": 5,
    "05_feed_forward.swiglu": 3,
    "05_feed_forward.gated_width": 3,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M28", "M30")


# feed_forward -------------------------------------------------------------------------------------------------


def ff_right(x, w_1, b_1, w_2, b_2, activation):
    return activation(x @ w_1.T + b_1) @ w_2.T + b_2


def ff_linear(x, w_1, b_1, w_2, b_2, activation):
    return F.linear(activation(F.linear(x, w_1, b_1)), w_2, b_2)


def ff_einsum(x, w_1, b_1, w_2, b_2, activation):
    hidden = activation(torch.einsum("...d,fd->...f", x, w_1) + b_1)
    return torch.einsum("...f,df->...d", hidden, w_2) + b_2


def ff_convolution(x, w_1, b_1, w_2, b_2, activation):
    rows = x.reshape(-1, x.shape[-1], 1)
    hidden = activation(F.conv1d(rows, w_1[..., None], b_1))
    return F.conv1d(hidden, w_2[..., None], b_2).reshape(x.shape)


def ff_unit_by_unit(x, w_1, b_1, w_2, b_2, activation):
    output = b_2.expand(x.shape)
    for unit in range(len(w_1)):
        output = output + activation((x * w_1[unit]).sum(-1, keepdim=True) + b_1[unit]) * w_2[:, unit]
    return output


def ff_modules(x, w_1, b_1, w_2, b_2, activation):
    up, down = nn.Linear(*w_1.T.shape, dtype=x.dtype), nn.Linear(*w_2.T.shape, dtype=x.dtype)
    weights = {"weight": w_1, "bias": b_1}, {"weight": w_2, "bias": b_2}
    hidden = activation(torch.func.functional_call(up, weights[0], x))
    return torch.func.functional_call(down, weights[1], hidden)


def ff_double(x, w_1, b_1, w_2, b_2, activation):
    return ff_right(*(t.double() for t in (x, w_1, b_1, w_2, b_2)), activation).to(x.dtype)


def changed(first=None, last=None, before=None, after=None, act=None):
    """The right layer with one part different."""

    def layer(x, w_1, b_1, w_2, b_2, activation):
        a = act or activation
        hidden = first(x, w_1, b_1, a) if first else a((before(x, a) if before else x) @ w_1.T + b_1)
        output = last(hidden, w_2, b_2, a) if last else hidden @ w_2.T + b_2
        return after(output, x, a) if after else output

    return layer


ff_no_second = changed(last=lambda h, w, b, a: h)
ff_active_end = changed(after=lambda o, x, a: a(o))
ff_active_only_end = changed(first=lambda x, w, b, a: x @ w.T + b, after=lambda o, x, a: a(o))
ff_no_activation = changed(first=lambda x, w, b, a: x @ w.T + b)
ff_no_b_1 = changed(first=lambda x, w, b, a: a(x @ w.T))
ff_no_b_2 = changed(last=lambda h, w, b, a: h @ w.T)
ff_late_b_1 = changed(first=lambda x, w, b, a: a(x @ w.T) + b)
ff_twice = changed(first=lambda x, w, b, a: a(a(x @ w.T + b)))
ff_x_activated = changed(before=lambda x, a: a(x))
ff_relu = changed(act=torch.relu)
ff_gelu = changed(act=F.gelu)
ff_residual = changed(after=lambda o, x, a: o + x)
ff_normed = changed(before=lambda x, a: F.layer_norm(x, x.shape[-1:]))
ff_dropout = changed(after=lambda o, x, a: F.dropout(o, 0.1))
ff_first_turned = changed(first=lambda x, w, b, a: a(x @ w + b))
ff_first_reshaped = changed(first=lambda x, w, b, a: a(x @ w.reshape(w.shape[1], -1) + b))
ff_detached = changed(first=lambda x, w, b, a: a(x @ w.T + b).detach())
ff_float = changed(after=lambda o, x, a: o.float())
ff_mean = changed(after=lambda o, x, a: o.mean(-1))
ff_w_1_frozen = changed(first=lambda x, w, b, a: a(x @ w.detach().T + b))


def ff_in_32_bits(x, w_1, b_1, w_2, b_2, activation):
    return activation(x.float() @ w_1.T.float() + b_1.float()) @ w_2.T + b_2


def ff_of_columns(x, w_1, b_1, w_2, b_2, activation):
    return activation((w_1 @ x.T).T + b_1) @ w_2.T + b_2


def ff_biases_exchanged(x, w_1, b_1, w_2, b_2, activation):
    return ff_right(x, w_1, b_2, w_2, b_1, activation)


def ff_exchanged(x, w_1, b_1, w_2, b_2, activation):
    return ff_right(x, w_2, b_1, w_1, b_2, activation)


def ff_transposed_exchange(x, w_1, b_1, w_2, b_2, activation):
    return activation(x @ w_2 + b_1) @ w_1 + b_2


def ff_one_matrix_only(x, w_1, b_1, w_2, b_2, activation):
    return torch.addmm(b_2, activation(torch.addmm(b_1, x, w_1.T)), w_2.T)


def ff_one_vector(x, w_1, b_1, w_2, b_2, activation):
    return w_2 @ activation(w_1 @ x + b_1) + b_2


def ff_positions_averaged(x, w_1, b_1, w_2, b_2, activation):
    mean = x.mean(-2, keepdim=True).expand_as(x) if x.ndim > 1 else x
    return ff_right(mean, w_1, b_1, w_2, b_2, activation)


def ff_in_place(x, w_1, b_1, w_2, b_2, activation):
    x += 1
    return ff_right(x - 1, w_1, b_1, w_2, b_2, activation)


def ff_tuple(x, w_1, b_1, w_2, b_2, activation):
    return activation(x @ w_1.T + b_1), ff_right(x, w_1, b_1, w_2, b_2, activation)


# gelu ---------------------------------------------------------------------------------------------------------

ROOT = math.sqrt(2 / math.pi)


def exact(x):
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def exact_erfc(x):
    return 0.5 * x * torch.erfc(-x * 2**-0.5)


def exact_normal(x):
    return x * torch.distributions.Normal(0.0, 1.0).cdf(x)


def approximate(x):
    return 0.5 * x * (1 + torch.tanh(ROOT * (x + 0.044715 * x**3)))


def approximate_sigmoid(x):
    return x * torch.sigmoid(2 * ROOT * (x + 0.044715 * x.pow(3)))


def approximate_factored(x):
    return x / 2 * (1 + (ROOT * x * (1 + 0.044715 * x * x)).tanh())


def tanh_by_exp(x):
    z = ROOT * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + (z.exp() - (-z).exp()) / (z.exp() + (-z).exp()))


def with_inner(inner):
    return lambda x: 0.5 * x * (1 + torch.tanh(inner(x)))


def gelu_by_exp(x):
    return x - x / (1 + torch.exp(2 * ROOT * (x + 0.044715 * x**3)))


def gelu_where(x):
    return torch.where(x > 5, x, torch.where(x < -5, 0 * x, tanh_by_exp(x)))


def gelu_by_root(x):
    size = (x * x).sqrt()
    return (x + size * torch.erf(size / math.sqrt(2))) / 2


def halved_in_place(x):
    x *= 0.5
    return x * (1 + torch.erf(x * math.sqrt(2)))


def numpy_erf(x):
    return torch.from_numpy(np.array([n * (1 + math.erf(n / math.sqrt(2))) / 2 for n in x.flatten().tolist()])).view(
        x.shape
    )


# repair -------------------------------------------------------------------------------------------------------


def block(d_model):
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.ReLU(), nn.Linear(4 * d_model, d_model))


def block_without_biases(d_model):
    return nn.Sequential(nn.Linear(d_model, 4 * d_model, False), nn.ReLU(), nn.Linear(4 * d_model, d_model, False))


class Layer(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.down = nn.Linear(4 * d_model, d_model)
        self.up = nn.Linear(d_model, 4 * d_model)

    def forward(self, x):
        return self.down(F.relu(self.up(x)))


class Turned(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.w_1, self.b_1 = nn.Parameter(torch.randn(d_model, 4 * d_model)), nn.Parameter(torch.zeros(4 * d_model))
        self.w_2, self.b_2 = nn.Parameter(torch.randn(4 * d_model, d_model)), nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        return (x @ self.w_1 + self.b_1).clamp_min(0) @ self.w_2 + self.b_2


class Convolutions(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.up, self.down = nn.Conv1d(d_model, 4 * d_model, 1), nn.Conv1d(4 * d_model, d_model, 1)

    def forward(self, x):
        return self.down(self.up(x.mT).relu()).mT


def with_dropout(d_model):
    return nn.Sequential(*block(d_model), nn.Dropout(0.1))


def one_projection(d_model):
    return nn.Sequential(nn.Linear(d_model, d_model), nn.ReLU())


def narrow(d_model):
    return nn.Sequential(nn.Linear(d_model, d_model), nn.ReLU(), nn.Linear(d_model, d_model))


def active_end(d_model):
    return nn.Sequential(*block(d_model), nn.ReLU())


def gelu_end(d_model):
    return nn.Sequential(*block(d_model), nn.GELU())


def norm_end(d_model):
    return nn.Sequential(*block(d_model), nn.LayerNorm(d_model))


def no_activation(d_model):
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model))


def active_only_at_the_end(d_model):
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model), nn.ReLU())


def twice_as_wide(d_model):
    return nn.Sequential(nn.Linear(d_model, 2 * d_model), nn.ReLU(), nn.Linear(2 * d_model, d_model))


def with_gelu(d_model):
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.GELU(), nn.Linear(4 * d_model, d_model))


def stays_wide(d_model):
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.ReLU())


def three_layers(d_model):
    return nn.Sequential(*block(d_model), nn.Linear(d_model, d_model))


def not_a_module(d_model):
    return lambda x: x


class WithResidual(Layer):
    def forward(self, x):
        return x + super().forward(x)


class MadeInForward(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.d_model = d_model

    def forward(self, x):
        return block(self.d_model)(x)


def lazy(d_model):
    return nn.Sequential(nn.LazyLinear(4 * d_model), nn.ReLU(), nn.LazyLinear(d_model))


def in_place(d_model):
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.ReLU(inplace=True), nn.Linear(4 * d_model, d_model))


def leaky(d_model):
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.LeakyReLU(), nn.Linear(4 * d_model, d_model))


def active_first(d_model):
    return nn.Sequential(nn.ReLU(), nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model))


class Borrowing(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.up = nn.Linear(d_model, 4 * d_model)

    def forward(self, x):
        return self.up(x).relu() @ self.up.weight


class CutOff(Layer):
    def forward(self, x):
        return super().forward(x).detach()


class Centred(Layer):
    axis = 1

    def forward(self, x):
        hidden = F.relu(self.up(x))
        return self.down(hidden - hidden.mean(dim=self.axis, keepdim=True))


class CentredOverBatch(Centred):
    axis = 0


class CentredOverUnits(Centred):
    axis = 2


ANSWERS = Diagnosed(
    {
        "a": ("one matrix for both", "the matrices hold half as many numbers"),
        "b": ("positions mixed", "an output moves where no input has changed"),
        "c": ("no activation", "f(x) + f(-x) is 2 f(0)"),
    },
    block,
)
mended, fault, shown = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


# mixes_positions ----------------------------------------------------------------------------------------------


def mixing(change, positions=lambda x: range(x.shape[1]), beyond=1e-6, at=lambda t, T: range(T)):
    """Change each position in turn in a copy; True if an output at another one moves by more than `beyond`."""

    def mixes(layer, x):
        before = layer(x)
        for t in positions(x):
            changed = x.clone()
            change(changed[:, t])
            moved = (layer(changed) - before).abs().amax(dim=(0, 2)) > beyond
            moved[t] = False
            if moved[list(at(t, x.shape[1]))].any():
                return True
        return False

    return mixes


def redraw(numbers):
    numbers.copy_(torch.randn_like(numbers))


mixing_right = mixing(redraw)


def mixing_by_jacobian(layer, x):
    jacobian = torch.autograd.functional.jacobian(lambda row: layer(row[None])[0], x[0])  # (T, D, T, D)
    strength = jacobian.abs().sum(dim=(1, 3))
    return bool((strength - strength.diagonal().diag()).max() > 1e-6)


def mixing_others_replaced(layer, x):
    before = layer(x)
    return any(
        not torch.allclose(
            layer(torch.where(torch.arange(x.shape[1])[:, None] == t, x, torch.randn_like(x)))[:, t], before[:, t]
        )
        for t in range(x.shape[1])
    )


def mixing_as_tensor(layer, x):
    return torch.tensor(mixing_right(layer, x))


def mixing_by_gradients(layer, x):
    x = x.clone().requires_grad_()
    output = layer(x)
    for t in range(x.shape[1]):
        mixed = (output[:, t] * torch.randn(x.shape[2])).sum()  # in their plain sum something may cancel
        (gradient,) = torch.autograd.grad(mixed, x, retain_graph=True)
        gradient[:, t] = 0
        if gradient.any():
            return True
    return False


def mixing_in_one_batch(layer, x):
    changed, each = x[:1].repeat(x.shape[1], 1, 1), torch.arange(x.shape[1])
    changed[each, each] = torch.randn(x.shape[1], x.shape[2])  # row t is x with position t changed
    moved = (layer(changed) - layer(x[:1])).abs().amax(-1) > 1e-6
    return moved.fill_diagonal_(False).any()


def mixing_in_one_copy(layer, x):
    before, changed = layer(x), x.clone()
    for t in range(x.shape[1]):
        redraw(changed[:, t])
        moved = (layer(changed) - before).abs().amax(dim=(0, 2)) > 1e-6
        moved[t] = False
        if moved.any():
            return True
    return False


def mixing_batch_counted(layer, x):
    before = layer(x)
    for t in range(x.shape[1]):
        changed = x.clone()
        redraw(changed[0, t])
        moved = (layer(changed) - before).abs().amax(dim=-1) > 1e-6
        moved[0, t] = False
        if moved.any():
            return True
    return False


def mixing_last_gradient(layer, x):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
    return bool(gradient[:, :-1].abs().max() > 1e-6)


def mixing_never_asked(layer, x):
    return not isinstance(layer, nn.Linear)


def mixing_by_zeros(layer, x):
    before, T = layer(x), x.shape[1]
    keep = 1 - torch.eye(T)
    return any(((layer(x * keep[t, :, None]) - before).abs() * keep[t, :, None]).max() > 1e-6 for t in range(T))


def mixing_by_numpy(layer, x):
    before = layer(x).numpy()
    for t in range(x.shape[1]):
        changed = x.numpy().copy()
        changed[:, t] = np.random.default_rng(t).normal(size=changed[:, t].shape)
        after = layer(torch.from_numpy(changed)).numpy()
        if np.abs(np.delete(after - before, t, axis=1)).max() > 1e-6:
            return np.bool_(True)
    return np.bool_(False)


def mixing_by_jacrev(layer, x):
    table = torch.func.jacrev(lambda x: layer(x).sum(dim=0))(x)  # (T, D, B, T, D)
    strength = table.abs().sum(dim=(1, 2, 4))
    return (strength - strength.diagonal().diag()).max().item() > 1e-6


def mixing_along_batch(layer, x):
    before = layer(x)
    for t in range(x.shape[1]):
        changed = x.clone()
        changed[t] += 1
        if (layer(changed) != before)[torch.arange(len(x)) != t].any():
            return True
    return False


def mixing_by_shuffle(layer, x):
    order = torch.randperm(x.shape[1])
    return not torch.allclose(layer(x[:, order]), layer(x)[:, order], atol=1e-5)


def perturbing(which, others=True, every=False):
    def mixes(layer, x):
        other = x.clone()
        other[:, which] += 1
        moved = (layer(other) - layer(x)).abs().amax(dim=(0, 2)) > 1e-6
        if others:
            moved[which] = False
        return (moved.all() if every else moved.any()).item()

    return mixes


def mixing_between_halves(layer, x):
    before, half = layer(x), x.shape[1] // 2
    first, last = x.clone(), x.clone()
    first[:, :half] += 1
    last[:, half:] += 1
    return bool((layer(first) - before)[:, half:].any() or (layer(last) - before)[:, :half].any())


def mixing_by_nan(layer, x):
    dyed = x.clone()
    dyed[:, 0] = torch.nan
    return layer(dyed)[:, 1:].isnan().any().item()


def mixing_in_place(layer, x):
    before = layer(x)
    x[:, 0] += 1
    return bool((layer(x) - before)[:, 1:].abs().max() > 1e-6)


def mixing_alone(layer, x):
    return not all(torch.allclose(layer(x[:, t : t + 1])[:, 0], layer(x)[:, t], atol=1e-5) for t in range(x.shape[1]))


def mixing_all_moved(layer, x):
    return (layer(x + 1) - layer(x)).abs().amax(-1) > 1e-6


# cost ---------------------------------------------------------------------------------------------------------


def parameters(d_model, d_ff, gated):
    return 4 * d_model**2, (3 if gated else 2) * d_model * d_ff


def parameters_counted(d_model, d_ff, gated):
    shapes = [(d_ff, d_model)] * (1 + gated) + [(d_model, d_ff)]
    return [sum(a * b for a, b in [(d_model, d_model)] * 4), sum(a * b for a, b in shapes)]


def flops(T, d_model, d_ff, gated):
    attention, layer = parameters(d_model, d_ff, gated)
    return 2 * T * attention, 4 * T**2 * d_model, 2 * T * layer


def flops_of_products(T, d_model, d_ff, gated):
    product = lambda a, b, c: 2 * a * b * c  # noqa: E731
    up = product(T, d_model, d_ff)
    mixing = product(T, d_model, T) + product(T, T, d_model)
    return 4 * product(T, d_model, d_model), mixing, up * (3 if gated else 2)


def parameters_with(attention=None, layer=None):
    def count(d_model, d_ff, gated):
        right = parameters(d_model, d_ff, gated)
        return attention(d_model) if attention else right[0], layer(d_model, d_ff, gated) if layer else right[1]

    return count


def flops_with(place, change):
    def count(T, d_model, d_ff, gated):
        right = list(flops(T, d_model, d_ff, gated))
        right[place] = change(T, d_model, d_ff, gated)
        return tuple(right)

    return count


def cost_wrong(name, words, count_parameters=parameters, count_flops=flops, crossing=12_288):
    return (name, (count_parameters, count_flops, crossing), words)


# swiglu -------------------------------------------------------------------------------------------------------


def swiglu_right(x, w_gate, w_1, w_2):
    return (F.silu(x @ w_gate.T) * (x @ w_1.T)) @ w_2.T


def swiglu_by_hand(x, w_gate, w_1, w_2):
    gate = F.linear(x, w_gate)
    return F.linear(gate * gate.sigmoid() * F.linear(x, w_1), w_2)


def swiglu_one_product(x, w_gate, w_1, w_2):
    gate, value = (x @ torch.cat((w_gate, w_1)).T).chunk(2, dim=-1)
    return torch.einsum("...f,df->...d", F.silu(gate) * value, w_2)


def gated_with(combine, end=lambda o, x: o):
    return lambda x, w_gate, w_1, w_2: end(combine(x @ w_gate.T, x @ w_1.T) @ w_2.T, x)


def swiglu_no_third(x, w_gate, w_1, w_2):
    return F.silu(x @ w_gate.T) * (x @ w_1.T)


def swiglu_unturned(x, w_gate, w_1, w_2):
    return (F.silu(x @ w_gate) * (x @ w_1)) @ w_2


def swiglu_gate_of_all(x, w_gate, w_1, w_2):
    gate = x @ w_gate.T
    gate = gate.mean(-2, keepdim=True) if x.ndim > 1 else gate
    return (F.silu(gate) * (x @ w_1.T)) @ w_2.T


def swiglu_late(x, w_gate, w_1, w_2):
    return (F.silu(x @ w_gate.T) @ w_2.T) * (x @ w_1.T @ w_2.T)


# gated_width --------------------------------------------------------------------------------------------------


def width_right(d_ff, multiple):
    return multiple * math.ceil(2 * d_ff / 3 / multiple)


def width_cut_first(d_ff, multiple):
    hidden = int(2 * d_ff / 3)
    return multiple * ((hidden + multiple - 1) // multiple)


def width_whole_numbers(d_ff, multiple):
    return -(-2 * d_ff // (3 * multiple)) * multiple


def width_by_search(d_ff, multiple):
    width = multiple
    while 3 * width < 2 * d_ff:
        width += multiple
    return width


def width_numpy(d_ff, multiple):
    return np.int64(np.ceil(2 * d_ff / 3 / multiple)) * multiple


def factor(share):
    return lambda d_ff, multiple: multiple * math.ceil(share * d_ff / multiple - 1e-9)


FF, GELU, DIAGNOSE = "05_feed_forward.feed_forward", "05_feed_forward.gelu", "05_feed_forward.diagnose"
MIXES, COST = "05_feed_forward.mixes_positions", "05_feed_forward.cost"
SWIGLU, WIDTH = "05_feed_forward.swiglu", "05_feed_forward.gated_width"

RIGHT = {
    FF: [
        ("by hand", ff_right),
        ("F.linear", ff_linear),
        ("einsum", ff_einsum),
        ("a convolution of width 1", ff_convolution),
        ("unit by unit", ff_unit_by_unit),
        ("modules", ff_modules),
        ("in float64", ff_double),
    ],
    GELU: [
        ("by hand", (exact, approximate)),
        ("torch", (F.gelu, lambda x: F.gelu(x, approximate="tanh"))),
        ("erfc and sigmoid", (exact_erfc, approximate_sigmoid)),
        ("normal and factored", (exact_normal, approximate_factored)),
        ("modules", (nn.GELU(), nn.GELU(approximate="tanh"))),
    ],
    DIAGNOSE: [
        ("sequential", mended(block)),
        ("a class", mended(Layer)),
        ("stored the other way", mended(Turned)),
        ("convolutions", mended(Convolutions)),
        ("no biases", mended(block_without_biases)),
        ("dropout at the end", mended(with_dropout)),
        ("lazy", mended(lazy)),
        ("in place", mended(in_place)),
        ("capitals and spaces", ANSWERS.in_capitals()),
    ],
    MIXES: [
        ("each position changed", mixing_right),
        ("jacobian", mixing_by_jacobian),
        ("all others replaced", mixing_others_replaced),
        ("a tensor of one", mixing_as_tensor),
        ("gradients", mixing_by_gradients),
        ("zeros", mixing_by_zeros),
        ("numpy", mixing_by_numpy),
        ("torch.func", mixing_by_jacrev),
        ("a coarser bound", mixing(redraw, beyond=1e-4)),
    ],
    COST: [
        ("by formula", (parameters, flops, 12_288)),
        ("counted", (parameters_counted, flops_of_products, 12_288.5)),
        ("a tensor", (parameters, flops, torch.tensor(12_000))),
        ("a numpy number", (parameters, flops, np.int64(12_288))),
        ("arrays", (lambda *sizes: np.array(parameters(*sizes)), lambda *sizes: np.array(flops(*sizes)), 12_288.0)),
        ("tensors", (lambda *sizes: torch.tensor(parameters(*sizes)), lambda *sizes: list(flops(*sizes)), 1.23e4)),
    ],
    SWIGLU: [
        ("silu", swiglu_right),
        ("by hand", swiglu_by_hand),
        ("one product", swiglu_one_product),
    ],
    WIDTH: [
        ("ceil", width_right),
        ("float inside", lambda d_ff, m: int(np.ceil(2 * d_ff / (3 * m)) * m)),
        ("a tensor of one", lambda d_ff, m: torch.tensor(width_whole_numbers(d_ff, m))),
        ("whole numbers", width_whole_numbers),
        ("search", width_by_search),
        ("numpy", width_numpy),
    ],
}


def turn(numbers):
    numbers.neg_()


def exchange(numbers):
    numbers.copy_(numbers.flip(-1))


def from_another_sequence(numbers):
    numbers.copy_(numbers.roll(1, 0))


def mixing_by_gradient_of_the_sum(layer, x):
    for t in range(x.shape[1]):
        source = x.clone().requires_grad_()
        (reaches,) = torch.autograd.grad(layer(source)[:, t].sum(), source)
        reaches[:, t] = 0
        if reaches.abs().max() > 1e-6:
            return True
    return False


WRONG = {
    FF: [
        ("second projection forgotten", ff_no_second, "the second projection, w_2, is missing", "M28"),
        ("activation at the end too", ff_active_end, "activation after the last projection", "M28"),
        ("activation at the end only", ff_active_only_end, "after the last projection, not between", "M28"),
        ("no activation", ff_no_activation, "two linear maps in a row are one linear map"),
        ("no b_1", ff_no_b_1, "b_1 is missing"),
        ("no b_2", ff_no_b_2, "b_2 is missing"),
        ("b_1 late", ff_late_b_1, "b_1 comes after the activation"),
        ("activated twice", ff_twice, "applied twice"),
        ("x activated", ff_x_activated, "applied to x as well"),
        ("always relu", ff_relu, "The activation is always relu"),
        ("always gelu", ff_gelu, "The activation is always gelu"),
        ("residual", ff_residual, "x is added to the output"),
        ("norm", ff_normed, "x is normalised first"),
        ("dropout", ff_dropout, "Two calls with the same inputs give different results"),
        ("w_1 not turned", ff_first_turned, "is transposed"),
        ("w_1 reshaped", ff_first_reshaped, "is transposed, or reshaped"),
        ("biases exchanged", ff_biases_exchanged, "b_1 and b_2 are swapped"),
        ("w_1 and w_2 exchanged", ff_exchanged, "w_1 and w_2 are swapped"),
        ("w_1 and w_2 exchanged and turned", ff_transposed_exchange, "w_1 and w_2 are swapped"),
        ("one matrix only", ff_one_matrix_only, "any number of leading axes"),
        ("hidden detached", ff_detached, "No gradient"),
        ("w_1 frozen", ff_w_1_frozen, "No gradient reaches w_1"),
        ("single precision", ff_float, "came back as torch.float32"),
        ("no activation, no biases", lambda x, a, b, c, d, f: x @ a.T @ c.T, "both biases are missing"),
        ("one position only", ff_one_vector, "It works on one position"),
        ("positions averaged", ff_positions_averaged, "depends on the others"),
        ("activation on w_1", lambda x, a, b, c, d, f: (x @ f(a).T + b) @ c.T + d, "applied to the matrix w_1"),
        ("squeezed", changed(after=lambda o, x, a: o.squeeze()), "was it summed away or squeezed"),
        ("b_1 subtracted", lambda x, a, b, c, d, f: f(x @ a.T - b) @ c.T + d, "b_1 is subtracted"),
        ("b_1 multiplied", lambda x, a, b, c, d, f: f(x @ a.T * b) @ c.T + d, "b_1 multiplies"),
        ("mean of b_1", lambda x, a, b, c, d, f: f(x @ a.T + b.mean()) @ c.T + d, "With b_1 = 0 yours is right"),
        ("mean of b_2", lambda x, a, b, c, d, f: f(x @ a.T + b) @ c.T + d.mean(), "With b_2 = 0 yours is right"),
        ("w_1 both ways", lambda x, a, b, c, d, f: f(x @ a.T + b) @ a + d, "w_1 is used in both directions"),
        ("w_2 both ways", lambda x, a, b, c, d, f: f(x @ c + b) @ c.T + d, "w_2 is used in both directions"),
        ("always silu", changed(act=F.silu), "The activation is always silu"),
        ("relu as well", changed(first=lambda x, w, b, a: a((x @ w.T + b).relu())), "A ReLU of your own"),
        ("hidden normalised", changed(last=lambda h, w, b, a: F.layer_norm(h, h.shape[-1:]) @ w.T + b), "comes a norm"),
        ("softmax of the hidden", changed(last=lambda h, w, b, a: h.softmax(-1) @ w.T + b), "comes a softmax"),
        (
            "divided by sqrt(D)",
            changed(first=lambda x, w, b, a: a(x @ w.T / len(w.T) ** 0.5 + b)),
            "divided by sqrt(D)",
        ),
        ("units averaged", changed(last=lambda h, w, b, a: h @ w.T / h.shape[-1] + b), "contributions are averaged"),
        ("b_1 activated", changed(first=lambda x, w, b, a: a(x @ w.T) + a(b)), "applied to the bias alone"),
        ("x cut off", changed(before=lambda x, a: x.clamp(-20, 20)), "is something clamped?"),
        ("x itself", lambda x, a, b, c, d, f: x * 1, "This is x itself"),
        ("zeros", lambda x, a, b, c, d, f: x * 0, "Every number is 0"),
        ("halved inside", changed(last=lambda h, w, b, a: (h / 2).relu() @ w.T + b), "Follow one hidden unit"),
        ("averaged", ff_mean, "wanted (6,)"),
        ("writes into x", ff_in_place, "changed its input x in place"),
        ("two things", ff_tuple, "is of type tuple"),
    ],
    GELU: [
        (
            "batch of one squeezed",
            (lambda x: F.gelu(x).squeeze(0) if x.ndim > 1 else F.gelu(x), approximate),
            "summed away or squeezed",
        ),
        ("exchanged", (approximate, exact), "This is the tanh approximation"),
        ("approximation twice", (approximate, approximate), "This is the tanh approximation; wanted the exact one"),
        ("exact twice", (exact, exact), "This is the exact GELU; wanted the tanh approximation"),
        ("tanh", (exact, torch.tanh), "This is tanh(x)", "M30"),
        ("tanh of the bracket", (exact, lambda x: torch.tanh(ROOT * (x + 0.044715 * x**3))), "the tanh alone", "M30"),
        ("sigmoid", (torch.sigmoid, approximate), "This is a sigmoid", "M30"),
        ("relu", (torch.relu, approximate), "This is ReLU"),
        ("silu", (F.silu, approximate), "This is silu"),
        ("1.702", (exact, lambda x: x * torch.sigmoid(1.702 * x)), "1.702"),
        ("share alone", (torch.special.ndtr, approximate), "This is the share alone"),
        ("no half", (lambda x: 2 * exact(x), approximate), "the factor 1/2 is missing"),
        ("no half in the approximation", (exact, lambda x: 2 * approximate(x)), "the factor 1/2 is missing"),
        ("erf of x", (lambda x: x * (1 + torch.erf(x)) / 2, approximate), "erf takes x / sqrt(2)"),
        ("no 1 +", (lambda x: x * torch.erf(x / math.sqrt(2)) / 2, approximate), "1 + is missing"),
        ("x^2", (exact, with_inner(lambda x: ROOT * (x + 0.044715 * x**2))), "The power in the bracket is 2"),
        ("no cubic term", (exact, with_inner(lambda x: ROOT * x)), "0.044715 x^3 is missing"),
        ("no factor", (exact, with_inner(lambda x: ROOT * (x + x**3))), "The factor 0.044715"),
        ("no root", (exact, with_inner(lambda x: x + 0.044715 * x**3)), "sqrt(2 / pi) is missing"),
        ("2 / pi", (exact, with_inner(lambda x: 2 / math.pi * (x + 0.044715 * x**3))), "without its square root"),
        ("bracket", (exact, with_inner(lambda x: ROOT * x + 0.044715 * x**3)), "multiplies the whole bracket"),
        ("a digit lost", (exact, with_inner(lambda x: ROOT * (x + 0.0044715 * x**3))), "The factor of x^3"),
        ("softplus", (exact, F.softplus), "This is softplus"),
        ("mish", (F.mish, approximate), "This is Mish"),
        ("sqrt(2 pi)", (exact, with_inner(lambda x: math.sqrt(2 * math.pi) * (x + 0.044715 * x**3))), "not sqrt(2 pi)"),
        (
            "digits exchanged",
            (exact, with_inner(lambda x: ROOT * (x + 0.047415 * x**3))),
            "your tanh takes 0.7979 x + 0.0",
        ),
        ("x cubed with its factor", (exact, with_inner(lambda x: ROOT * (x + (0.044715 * x) ** 3))), "cubed too"),
        ("erf of 0.6 x", (lambda x: x / 2 * (1 + torch.erf(0.6 * x)), approximate), "erf takes 0.6 times x"),
        ("1 + inside the half", (lambda x: x * (1 + torch.erf(x / 2**0.5) / 2), approximate), "The brackets are wrong"),
        ("erfc", (lambda x: x / 2 * torch.erfc(x / 2**0.5), approximate), "not 1 - erf(...)"),
        ("below zero cut off", (lambda x: exact(x).relu(), approximate), "Values below zero are cut off"),
        ("gradient overflows", (exact, gelu_by_exp), "and its gradient is nan"),
        ("gradient overflows where it is not used", (exact, gelu_where), "and its gradient is nan"),
        ("a root at 0", (gelu_by_root, approximate), "At x = 0 the value of gelu(x) is right"),
        ("exp overflows", (exact, tanh_by_exp), "An exp overflows"),
        ("writes into x", (halved_in_place, approximate), "changed its input x in place"),
        ("erf of x / 2", (lambda x: x * (1 + torch.erf(x / 2)) / 2, approximate), "this erf takes x / 2"),
        ("x itself", (lambda x: x * 1, approximate), "This is x itself"),
        ("clamped", (lambda x: exact(x.clamp(-10, 10)), approximate), "There x is 30"),
        ("through numpy", (numpy_erf, approximate), "came back as torch.float64"),
        ("detached", (lambda x: exact(x.detach()), approximate), "No gradient flows"),
    ],
    DIAGNOSE: [
        ("second projection forgotten", mended(one_projection), "the second projection is missing", "M28"),
        ("still narrow", mended(narrow), "The inner width is d_model", "M28"),
        ("activation at the end", mended(active_end), "only push one way", "M28"),
        ("activation at the end only", mended(active_only_at_the_end), "only push one way", "M28"),
        ("no activation", mended(no_activation), "two linear maps are one linear map"),
        ("gelu at the end", mended(gelu_end), "after the last projection", "M28"),
        ("norm inside", mended(norm_end), "a norm inside?"),
        ("twice as wide", mended(twice_as_wide), "9 to 36 and back"),
        ("another activation", mended(with_gelu), "The activation is GELU"),
        ("stays wide", mended(stays_wide), "the second projection is missing", "M28"),
        ("a third projection", mended(three_layers), "There are 3 matrices"),
        ("no module", mended(not_a_module), "return an nn.Module"),
        ("residual", mended(WithResidual), "x is added"),
        ("a layer already", mended(block(6)), "is a layer already"),
        ("a class itself", mended(lambda d_model: nn.Sequential), "gave the class Sequential itself"),
        ("one matrix for both", mended(Borrowing), "or borrows the first one's", "M28"),
        ("cut off from learning", mended(CutOff), "no gradient reaches"),
        ("leaky", mended(leaky), "The activation is a leaky ReLU"),
        ("activation first", mended(active_first), "before the first projection"),
        ("made in forward", mended(MadeInForward), "make its Linear layers in __init__"),
        ("as it was", mended(Centred), "still depends on the others"),
        ("centred over the batch", mended(CentredOverBatch), "The sequences of a batch influence one another"),
        ("centred over the units", mended(CentredOverUnits), "what else is in it?"),
        ("a: too narrow", fault("a", "too narrow"), "matrices of d_model by d_model"),
        ("a: missing", fault("a", "second projection missing"), "its output is the hidden layer"),
        ("b: at the end", fault("b", "activation at the end"), "Such a layer never writes below zero"),
        ("c: positions", fault("c", "positions mixed"), "The fault of c is not 'positions mixed'"),
        ("a number", fault("b", 7), "with its quotation marks"),
        ("in other words", fault("c", "linear"), "choose one of"),
        ("a shown by width", shown("a", "the output is wider than x"), "all three are as wide as x"),
        ("b shown by sign", shown("b", "no output is below zero"), "write below zero, as a right layer does"),
        ("c shown by half", shown("c", "the matrices hold half as many numbers"), "missing, or serves twice"),
    ],
    MIXES: [
        ("signs turned", mixing(turn), "You changed the signs or the places"),
        ("numbers exchanged", mixing(exchange), "You changed the signs or the places"),
        ("rounding counts", mixing(redraw, beyond=0.0), "count only what is above that"),
        ("numbers of another sequence", mixing(from_another_sequence), "and a single sequence you said False"),
        ("gradient of the sum", mixing_by_gradient_of_the_sum, "a wire may cancel in their sum"),
        ("by shuffling", mixing_by_shuffle, "Shuffling the positions first or last"),
        ("only the last changed", perturbing(-1), "changing the *last* one shows nothing"),
        ("only the first changed", perturbing(0), "changing the *first* one shows nothing"),
        ("itself counted", perturbing(0, others=False), "For a feed-forward layer you said True"),
        ("all must move", perturbing(0, every=True), "For attention without a mask you said False"),
        ("halves changed", mixing_between_halves, "Change each position alone"),
        ("NaN as a dye", mixing_by_nan, "For attention of each position to itself you said True"),
        ("the next one only", mixing(redraw, at=lambda t, T: range(t + 1, min(t + 2, T))), "the future you said False"),
        ("neighbours only", mixing(redraw, at=lambda t, T: {max(t - 1, 0), min(t + 1, T - 1)}), "all other positions"),
        ("one added", mixing(lambda numbers: numbers.add_(1)), "You added the same to all numbers of a position"),
        ("doubled", mixing(lambda numbers: numbers.mul_(2)), "You multiplied all numbers of a position by one factor"),
        ("a coarse bound", mixing(redraw, beyond=0.02), "For a faint wire you said False"),
        (
            "a tiny change",
            mixing(lambda numbers: numbers.add_(1e-6 * torch.randn(numbers.shape[-1]))),
            "too little to show",
        ),
        ("the last left out", mixing(redraw, lambda x: range(x.shape[1] - 1)), "You never changed position 7"),
        ("the first left out", mixing(redraw, lambda x: range(1, x.shape[1])), "You never changed position 0"),
        ("as many as features", mixing(redraw, lambda x: range(x.shape[2])), "You never changed positions 6 and 7"),
        (
            "one copy for all",
            mixing_in_one_copy,
            "positions 0 and 1 at once. Begin each time with a new copy",
        ),
        ("the batch counted", mixing_batch_counted, "For a norm over the batch you said True"),
        ("all changes in one batch", mixing_in_one_batch, "Several probes in one batch disturb one another"),
        ("gradient of the last", mixing_last_gradient, "With gradients: take each number of each output"),
        ("infinite", mixing(lambda numbers: numbers.fill_(math.inf)), "inf and NaN are bad probes"),
        ("never asked", mixing_never_asked, "For a feed-forward layer you said True"),
        ("always True", lambda layer, x: True, "For a feed-forward layer you said True"),
        ("always False", lambda layer, x: False, "For attention without a mask you said False"),
        ("one position at a time, alone", mixing_alone, "Keep the shape"),
        ("a tensor of many", mixing_all_moved, "wanted one True or False"),
        ("writes into x", mixing_in_place, "changed its input x in place"),
        ("text", lambda layer, x: "yes", "wanted one True or False"),
        (
            "first number changed",
            mixing(lambda numbers: numbers[:, 0].add_(1)),
            "number 0 of a position only",
        ),
        (
            "last number changed",
            mixing(lambda numbers: numbers[:, -1].add_(1)),
            "number 5 of a position only",
        ),
        ("batch changed", mixing_along_batch, "the positions are axis 1"),
    ],
    COST: [
        cost_wrong("W_O forgotten", "W_O is forgotten", parameters_with(attention=lambda D: 3 * D * D)),
        cost_wrong("one projection", "four matrices", parameters_with(attention=lambda D: D * D)),
        cost_wrong("third matrix forgotten", "has a third matrix", parameters_with(layer=lambda D, f, g: 2 * D * f)),
        cost_wrong("always three", "a plain one has two", parameters_with(layer=lambda D, f, g: 3 * D * f)),
        cost_wrong("4 d_model taken", "d_ff is taken as 4 d_model", parameters_with(layer=lambda D, f, g: 8 * D * D)),
        cost_wrong("second forgotten", "two matrices, up and down", parameters_with(layer=lambda D, f, g: D * f)),
        cost_wrong("biases", "Biases are counted", parameters_with(attention=lambda D: 4 * D * D + 4 * D)),
        cost_wrong("exchanged", "their order is not", lambda *sizes: parameters(*sizes)[::-1]),
        cost_wrong("one number", "wanted 2 numbers, in this order: attention", lambda *sizes: sum(parameters(*sizes))),
        cost_wrong(
            "no factor 2", "comes with an addition", parameters, flops_with(0, lambda T, D, f, g: 4 * T * D * D)
        ),
        cost_wrong("T^2 forgotten", "T^2 pairs, not T", parameters, flops_with(1, lambda T, D, f, g: 4 * T * D)),
        cost_wrong("mix forgotten", "That is half", parameters, flops_with(1, lambda T, D, f, g: 2 * T * T * D)),
        cost_wrong("width forgotten", "d_model is missing", parameters, flops_with(1, lambda T, D, f, g: 4 * T * T)),
        cost_wrong(
            "layer squared", "not once per pair", parameters, flops_with(2, lambda T, D, f, g: 4 * T * T * D * f)
        ),
        cost_wrong("gate ignored", "W_gate", parameters, flops_with(2, lambda T, D, f, g: 4 * T * D * f)),
        cost_wrong("T forgotten", "T is missing", parameters, flops_with(0, lambda T, D, f, g: 8 * D * D)),
        cost_wrong("not gated", "tick `gated`", crossing=8192),
        cost_wrong("neither gated nor 4", "without a gate, and with d_ff / d_model at 8/3", crossing=5461),
        cost_wrong("projections", "cost as much as the *projections*", crossing=4096),
        cost_wrong("as it starts", "This is the answer for 768", crossing=4608),
        cost_wrong("another width", "This is the answer for 1024", crossing=6144),
        cost_wrong("the width", "That is d_model", crossing=2048),
        cost_wrong("twice too far", "there the line below the picture says 2", crossing=24_576),
        cost_wrong("far off", "Move T until", crossing=300),
        cost_wrong("text", "is of type str", crossing="12288"),
        cost_wrong("no number", "crossing_T is nan", crossing=math.nan),
        cost_wrong("below zero", "crossing_T is -4096", crossing=-4096),
        cost_wrong("causal", "with a causal mask", parameters, flops_with(1, lambda T, D, f, g: 2 * T * (T + 1) * D)),
        cost_wrong("four when gated", "not four", lambda D, f, g: (4 * D * D, (4 if g else 2) * D * f)),
        cost_wrong(
            "two thirds of d_ff", "it is given", lambda D, f, g: (4 * D * D, 3 * D * (2 * f // 3) if g else 2 * D * f)
        ),
        cost_wrong(
            "softmax", "The softmax is counted", parameters, flops_with(1, lambda T, D, f, g: 4 * T * T * D + 3 * T * T)
        ),
        cost_wrong(
            "activation",
            "The activation is counted",
            parameters,
            flops_with(2, lambda T, D, f, g: 2 * T * parameters(D, f, g)[1] + T * f),
        ),
        cost_wrong("backward pass", "the backward pass", parameters, lambda *sizes: [3 * n for n in flops(*sizes)]),
        cost_wrong(
            "odd when gated", "For a plain layer it is right", lambda D, f, g: (4 * D * D, (7 if g else 2) * D * f)
        ),
        cost_wrong("in millions", "yours is 0.0196", lambda *sizes: [n / 1e6 for n in parameters(*sizes)]),
    ],
    SWIGLU: [
        ("clamped", gated_with(lambda g, v: F.silu(g.clamp(-50, 50)) * v), "is something clamped"),
        ("wrong branch", gated_with(lambda g, v: g * F.silu(v)), "on the wrong branch"),
        ("sigmoid", gated_with(lambda g, v: g.sigmoid() * v), "The gate is sigmoid"),
        ("relu", gated_with(lambda g, v: g.relu() * v), "The gate is relu"),
        ("gelu", gated_with(lambda g, v: F.gelu(g) * v), "The gate is gelu"),
        ("both activated", gated_with(lambda g, v: F.silu(g) * F.silu(v)), "Both branches are activated"),
        ("none activated", gated_with(lambda g, v: g * v), "There is no activation"),
        ("only at the end", gated_with(lambda g, v: g * v, lambda o, x: F.silu(o)), "not on the gate", "M28"),
        ("after the product", gated_with(lambda g, v: F.silu(g * v)), "after the product"),
        ("added", gated_with(lambda g, v: F.silu(g) + v), "The branches are added"),
        ("w_1 not used", gated_with(lambda g, v: F.silu(g)), "w_1 is not used"),
        ("w_gate not used", gated_with(lambda g, v: F.silu(v)), "w_gate is not used"),
        ("active end", gated_with(lambda g, v: F.silu(g) * v, lambda o, x: F.silu(o)), "last projection", "M28"),
        ("residual", gated_with(lambda g, v: F.silu(g) * v, lambda o, x: o + x), "x is added"),
        ("last forgotten", swiglu_no_third, "w_2, is missing", "M28"),
        ("not turned", swiglu_unturned, "The matrices are not transposed"),
        ("exp overflows", gated_with(lambda g, v: g * g.exp() / (1 + g.exp()) * v), "an exp(z) overflows"),
        ("gate frozen", gated_with(lambda g, v: F.silu(g).detach() * v), "No gradient reaches w_gate"),
        ("gated twice", gated_with(lambda g, v: F.silu(g) * g * v), "z is a factor once too often"),
        ("gradient overflows", gated_with(lambda g, v: g / (1 + (-g).exp()) * v), "its gradient is NaN or inf"),
        ("odd", gated_with(lambda g, v: F.silu(g) * v**3), "Follow one hidden unit"),
        ("silu on x", lambda x, w_gate, w_1, w_2: ((F.silu(x) @ w_gate.T) * (x @ w_1.T)) @ w_2.T, "before w_gate"),
        ("sigmoid of both", gated_with(lambda g, v: F.silu(g) * v.sigmoid()), "passes through sigmoid too"),
        ("silu of the sum", gated_with(lambda g, v: F.silu(g + v)), "silu taken of the sum"),
        ("1.702", gated_with(lambda g, v: g * (1.702 * g).sigmoid() * v), "The gate is z sigmoid(1.702 z)"),
        ("sigmoid(-z)", gated_with(lambda g, v: g * (-g).sigmoid() * v), "not z sigmoid(-z)"),
        ("one gate for all", gated_with(lambda g, v: F.silu(g).sum(-1, keepdim=True) * v), "The gates are summed"),
        ("one gate for all positions", swiglu_gate_of_all, "averaged over the positions"),
        (
            "w_1 both ways",
            lambda x, w_gate, w_1, w_2: (F.silu(x @ w_gate.T) * (x @ w_1.T)) @ w_1,
            "w_1 is used on the way",
        ),
        ("multiplied late", swiglu_late, "multiplies after w_2"),
    ],
    WIDTH: [
        ("rounded down", lambda d_ff, m: 2 * d_ff // (3 * m) * m, "rounded down"),
        ("nearest", lambda d_ff, m: m * round(2 * d_ff / 3 / m), "rounded"),
        ("not rounded", lambda d_ff, m: 2 * d_ff / 3, "round up to a multiple"),
        ("whole, no multiple", lambda d_ff, m: math.ceil(2 * d_ff / 3), "not a multiple of"),
        ("8/3", factor(8 / 3), "8/3 is the factor on d_model"),
        ("3/2", factor(3 / 2), "it is 2/3"),
        ("unchanged", factor(1), "half as large again"),
        ("half", factor(1 / 2), "3 w = 2 d_ff"),
        ("always one more", lambda d_ff, m: m * (2 * d_ff // (3 * m) + 1), "a multiple already"),
        ("a float", lambda d_ff, m: float(width_right(d_ff, m)), "wanted a whole number, an int"),
        ("a fraction", lambda d_ff, m: Fraction(width_right(d_ff, m)), "of type Fraction; wanted a whole number"),
        ("infinite", lambda d_ff, m: math.inf, "a width is a whole number"),
        ("cut before rounding up", width_cut_first, "before it is rounded up"),
        ("0.66", lambda d_ff, m: m * math.ceil(0.66 * d_ff / m), "0.66 is not 2/3"),
        ("0.6667", lambda d_ff, m: m * math.ceil(0.6667 * d_ff / m), "0.6667 is not 2/3"),
        ("the shown example", lambda d_ff, m: 11_008, "yours is 11,008"),
        ("d_ff // 4", lambda d_ff, m: m * math.ceil(8 * (d_ff // 4) / 3 / m), "need not be a multiple of 4"),
        ("d_ff // multiple", lambda d_ff, m: m * math.ceil(2 * (d_ff // m) / 3), "drops a part of d_ff first"),
        ("rounded first", lambda d_ff, m: m * math.ceil(round(2 * d_ff / 3) / m), "is rounded before it is rounded up"),
        ("a power of two", lambda d_ff, m: m * 2 ** math.ceil(math.log2(2 * d_ff / 3 / m)), "the next power of two"),
        ("256 always", lambda d_ff, m: 256 * math.ceil(2 * d_ff / 768), "whatever `multiple` is"),
        ("a third too little", lambda d_ff, m: m * max(1, d_ff // (4 * m)), "has fewer weights than the plain one"),
    ],
}
