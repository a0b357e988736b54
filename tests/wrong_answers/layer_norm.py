"""Lesson 07: answers to its exercises, wrong with the words their author must be told, and right.

WRONG[id]: (name, answer, part of the message[, misconception]). An answer of several parts is a tuple.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from careless import copying, squeezed, switching, viewing, widened
from diagnoses import Diagnosed

POINTS = {
    "07_layer_norm.layer_norm": 5,
    "07_layer_norm.layer_norm_backward": 6,
    "07_layer_norm.which_axis": 4,
    "07_layer_norm.sublayer": 4,
    "07_layer_norm.rms_norm": 3,
    "07_layer_norm.diagnose": 3,
    "07_layer_norm.counterexample": 4,
}
ONE_WAY = ()  # questions with only one right answer
MISCONCEPTIONS = ("M20", "M21", "M22", "M23", "M24")  # that some wrong answer below shows


# layer_norm ---------------------------------------------------------------------------------------------------


def norm_right(x, gamma, beta, eps=1e-5):
    mean = x.mean(dim=-1, keepdim=True)
    variance = x.var(dim=-1, keepdim=True, unbiased=False)
    return gamma * (x - mean) / torch.sqrt(variance + eps) + beta


def norm_fused(x, gamma, beta, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], gamma, beta, eps)


def norm_by_means(x, gamma, beta, eps=1e-5):
    centred = x - x.mean(-1, True)
    return centred * torch.rsqrt((centred**2).mean(-1, True) + eps) * gamma + beta


def norm_of_squares(x, gamma, beta, eps=1e-5):
    mean = x.sum(-1, keepdim=True) / x.shape[-1]
    variance = (x * x).sum(-1, keepdim=True) / x.shape[-1] - mean**2
    return (x - mean) / (variance + eps).sqrt() * gamma + beta


def norm_of_squares_clamped(x, gamma, beta, eps=1e-5):
    variance = (x.square().mean(-1, keepdim=True) - m(x).square()).clamp(min=0)
    return gamma * (x - m(x)) * (variance + eps).rsqrt() + beta


def norm_of_lengths(x, gamma, beta, eps=1e-5):
    """What the squared length has left when that of the mean is taken off."""
    D = x.shape[-1]
    left = x.norm(dim=-1, keepdim=True) ** 2 - D * m(x) ** 2
    return gamma * (x - m(x)) / (left.abs() / D + eps).sqrt() + beta


def norm_of_differences(x, gamma, beta, eps=1e-5):
    """The variance from the squared distances of all pairs, by their dot products."""
    dots = x[..., :, None] * x[..., None, :]
    squares = x.square()[..., :, None] - 2 * dots + x.square()[..., None, :]
    return gamma * (x - m(x)) / (squares.mean((-2, -1)).unsqueeze(-1) / 2 + eps).sqrt() + beta


def norm_in_one_product(x, gamma, beta, eps=1e-5):
    scale = gamma / (v(x) + eps).sqrt()
    return scale * x + (beta - scale * m(x))


def norm_through_double(x, gamma, beta, eps=1e-5):
    return norm_right(x.double(), gamma.double(), beta.double(), eps).to(x.dtype)


def norm_row_by_row(x, gamma, beta, eps=1e-5):
    rows = [(row - row.mean()) / (row.var(correction=0) + eps) ** 0.5 for row in x.reshape(-1, x.shape[-1])]
    return torch.stack(rows).reshape(x.shape) * gamma + beta


def norm_module(x, gamma, beta, eps=1e-5):
    module = nn.LayerNorm(x.shape[-1], eps=eps, elementwise_affine=False, dtype=x.dtype)
    return torch.addcmul(beta, module(x), gamma)


def norm_projected(x, gamma, beta, eps=1e-5):
    D = x.shape[-1]
    centre = torch.eye(D, dtype=x.dtype) - torch.full((D, D), 1 / D, dtype=x.dtype)
    centred = torch.einsum("...d,de->...e", x, centre)
    return gamma * centred / (centred.pow(2).sum(-1, keepdim=True) / D + eps).sqrt() + beta


def variant(axes=(-1,), correction=0, below=None, centre=True, affine=None):
    """A layer norm with one part different from the right one."""

    def norm(x, gamma, beta, eps=1e-5):
        mean = x.mean(axes, keepdim=True)
        variance = x.var(axes, keepdim=True, correction=correction)
        spread = below(x, variance, eps) if below else torch.sqrt(variance + eps)
        normalised = (x - mean if centre else x) / spread
        return affine(normalised, gamma, beta) if affine else gamma * normalised + beta

    return norm


over_time = variant(axes=(1,))
over_batch = variant(axes=(0,))
as_batch_norm = variant(axes=(0, 1))
time_and_features = variant(axes=(-2, -1))
unbiased = variant(correction=1)
outside = variant(below=lambda x, v, eps: v.sqrt() + eps)
by_variance = variant(below=lambda x, v, eps: v + eps)
by_variance_squared = variant(below=lambda x, v, eps: (v + eps) ** 2)
no_root_no_eps = variant(below=lambda x, v, eps: v)
no_eps = variant(below=lambda x, v, eps: v.sqrt())
std_plus_eps = variant(below=lambda x, v, eps: x.std(-1, keepdim=True) + eps)
eps_fixed = variant(below=lambda x, v, eps: torch.sqrt(v + 1e-5))
eps_tiny = variant(below=lambda x, v, eps: torch.sqrt(v + 1e-12))
eps_squared = variant(below=lambda x, v, eps: torch.sqrt(v + eps**2))
by_length = variant(below=lambda x, v, eps: (x - x.mean(-1, keepdim=True)).norm(dim=-1, keepdim=True))
by_absolute = variant(below=lambda x, v, eps: (x - x.mean(-1, keepdim=True)).abs().mean(-1, keepdim=True) + eps)
mean_only = variant(below=lambda x, v, eps: 1.0)
mean_stays = variant(centre=False)


def deviation_squared(x, gamma, beta, eps=1e-5):
    deviation = x - x.mean(-1, keepdim=True)
    root = deviation.square().mean(-1, keepdim=True).sqrt()
    return gamma * deviation / (root.square() + eps).sqrt() + beta


root_mean_square = variant(centre=False, below=lambda x, v, eps: ((x * x).mean(-1, keepdim=True) + eps).sqrt())
no_beta = variant(affine=lambda n, gamma, beta: gamma * n)
no_gamma = variant(affine=lambda n, gamma, beta: n + beta)
no_affine = variant(affine=lambda n, gamma, beta: n)
beta_first = variant(affine=lambda n, gamma, beta: gamma * (n + beta))
exchanged = variant(affine=lambda n, gamma, beta: beta * n + gamma)
one_plus = variant(affine=lambda n, gamma, beta: (1 + gamma) * n + beta)
inverted = variant(affine=lambda n, gamma, beta: (n - beta) / gamma)


def mixed_axes(x, gamma, beta, eps=1e-5):
    time = -2 if x.ndim > 1 else -1
    return gamma * (x - x.mean(-1, keepdim=True)) / (x.var(time, keepdim=True, correction=0) + eps).sqrt() + beta


def least_to_most(x, gamma, beta, eps=1e-5):
    least, most = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    return gamma * (x - least) / (most - least + eps) + beta


def learnt_statistics(x, gamma, beta, eps=1e-5):
    return (x - beta) / gamma


def keepdim_forgotten(x, gamma, beta, eps=1e-5):
    return gamma * (x - x.mean(-1)) / (x.var(-1, correction=0) + eps).sqrt() + beta


def default_gamma(x, gamma, beta, eps=1e-5):
    return nn.LayerNorm(x.shape[-1], eps=eps, dtype=x.dtype)(x)


def axis_two(x, gamma, beta, eps=1e-5):
    return variant(axes=(2,))(x, gamma, beta, eps) if x.ndim > 2 else norm_right(x, gamma, beta, eps)


def through_double(x, gamma, beta, eps=1e-5):
    return norm_right(x.double(), gamma.double(), beta.double(), eps)


def in_place(x, gamma, beta, eps=1e-5):
    x -= x.mean(-1, keepdim=True)
    return norm_right(x, gamma, beta, eps)


def statistics_detached(x, gamma, beta, eps=1e-5):
    mean, variance = x.mean(-1, keepdim=True).detach(), x.var(-1, keepdim=True, correction=0).detach()
    return gamma * (x - mean) / (variance + eps).sqrt() + beta


def spread_detached(x, gamma, beta, eps=1e-5):
    variance = x.var(-1, keepdim=True, correction=0).detach()
    return gamma * (x - x.mean(-1, keepdim=True)) / (variance + eps).sqrt() + beta


def whole_no_grad(x, gamma, beta, eps=1e-5):
    with torch.no_grad():
        return norm_right(x, gamma, beta, eps)


def gamma_data(x, gamma, beta, eps=1e-5):
    return norm_right(x, gamma.data, beta, eps)


def mean_of_all(x, gamma, beta, eps=1e-5):
    return gamma * (x - x.mean()) / (x.var(correction=0) + eps).sqrt() + beta


def twice(x, gamma, beta, eps=1e-5):
    return norm_right(norm_right(x, gamma, beta, eps), gamma, beta, eps)


def gamma_first(x, gamma, beta, eps=1e-5):
    return norm_right(gamma * x, torch.ones_like(gamma), beta, eps)


def with_statistics(x, gamma, beta, eps=1e-5):
    return norm_right(x, gamma, beta, eps), x.mean(-1), x.var(-1, correction=0)


def v(a):
    return a.var(-1, keepdim=True, correction=0)


def zero_where_equal(x, gamma, beta, eps=1e-5):
    return torch.where(v(x) > 1e-9, norm_right(x, gamma, beta, eps), 0 * x)


def beta_in_place(x, gamma, beta, eps=1e-5):
    beta += norm_right(x, gamma, 0 * beta, eps).mean() * 0 + 1
    return norm_right(x, gamma, beta - 1, eps)


def by_batch_norm(x, gamma, beta, eps=1e-5):
    rows = x.reshape(-1, x.shape[-1])
    return F.batch_norm(rows, None, None, gamma, beta, True, 0.1, eps).reshape(x.shape)


def through_numpy(x, gamma, beta, eps=1e-5):
    x, gamma, beta = (tensor.detach().numpy() for tensor in (x, gamma, beta))
    return torch.from_numpy(gamma * (x - x.mean(-1, keepdims=True)) / (x.var(-1, keepdims=True) + eps) ** 0.5 + beta)


def norm_var_mean(x, gamma, beta, eps=1e-5):
    variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + eps) * gamma + beta


def norm_axis_moved(x, gamma, beta, eps=1e-5):
    first = x.movedim(-1, 0)
    return ((first - first.mean(0)) / (first.var(0, correction=0) + eps).sqrt()).movedim(0, -1) * gamma + beta


def norm_vmap(x, gamma, beta, eps=1e-5):
    def one(row):
        return (row - row.mean()) / (((row - row.mean()) ** 2).mean() + eps) ** 0.5 * gamma + beta

    return torch.func.vmap(one)(x.reshape(-1, x.shape[-1])).reshape(x.shape)


# layer_norm_backward ------------------------------------------------------------------------------------------


def back_right(grad, x, gamma, eps=1e-5):
    deviation = x - x.mean(-1, keepdim=True)
    sigma = (deviation.square().mean(-1, keepdim=True) + eps).sqrt()
    z, h = deviation / sigma, grad * gamma
    grad_x = (h - h.mean(-1, keepdim=True) - z * (h * z).mean(-1, keepdim=True)) / sigma
    leading = tuple(range(x.ndim - 1))
    flat = (grad * z).sum(leading) if leading else grad * z
    return grad_x, flat, grad.sum(leading) if leading else grad.clone()


def back_by_steps(grad, x, gamma, eps=1e-5):
    """Through each intermediate number, as a computation graph has it."""
    D = x.shape[-1]
    mu = x.sum(-1, keepdim=True) / D
    centred = x - mu
    var = (centred**2).sum(-1, keepdim=True) / D
    inverse = (var + eps) ** -0.5
    d_hat = grad * gamma
    d_var = (d_hat * centred).sum(-1, keepdim=True) * -0.5 * (var + eps) ** -1.5
    d_mu = (-d_hat * inverse).sum(-1, keepdim=True) + d_var * (-2 * centred).sum(-1, keepdim=True) / D
    d_x = d_hat * inverse + d_var * 2 * centred / D + d_mu / D
    width = grad.reshape(-1, D)
    return d_x, (width * (centred * inverse).reshape(-1, D)).sum(0), width.sum(0)


def back_jacobian(grad, x, gamma, eps=1e-5):
    """With the Jacobian of each position written out."""
    rows, D = x.reshape(-1, x.shape[-1]), x.shape[-1]
    sigma = (rows.var(-1, keepdim=True, correction=0) + eps).sqrt()
    z = (rows - rows.mean(-1, keepdim=True)) / sigma
    jacobian = (torch.eye(D, dtype=x.dtype) - 1 / D - z[:, :, None] * z[:, None, :] / D) / sigma[:, :, None]
    upstream = grad.reshape(-1, D)
    grad_x = torch.einsum("ni,nij->nj", upstream * gamma, jacobian).reshape(x.shape)
    return grad_x, torch.einsum("nd,nd->d", upstream, z), torch.einsum("nd->d", upstream)


def back_by_numbers(grad, x, gamma, eps=1e-5):
    """In Python's own numbers."""
    D, scales = x.shape[-1], gamma.tolist()
    of_x, of_gamma, of_beta = [], [0.0] * D, [0.0] * D
    for row, upstream in zip(x.reshape(-1, D).tolist(), grad.reshape(-1, D).tolist(), strict=True):
        mean = sum(row) / D
        sigma = (sum((value - mean) ** 2 for value in row) / D + eps) ** 0.5
        z, h = [(value - mean) / sigma for value in row], [g * scale for g, scale in zip(upstream, scales, strict=True)]
        mean_h, mean_hz = sum(h) / D, sum(a * b for a, b in zip(h, z, strict=True)) / D
        of_x.append([(h[i] - mean_h - z[i] * mean_hz) / sigma for i in range(D)])
        of_gamma = [total + g * value for total, g, value in zip(of_gamma, upstream, z, strict=True)]
        of_beta = [total + g for total, g in zip(of_beta, upstream, strict=True)]
    of_x, of_gamma, of_beta = (torch.tensor(value, dtype=x.dtype) for value in (of_x, of_gamma, of_beta))
    return of_x.reshape(x.shape), of_gamma, of_beta


def back_with_a_module(grad, x, gamma, eps=1e-5):
    """The normalised x from a module, whose parameters want gradients; nobody asks autograd for them."""
    D = x.shape[-1]
    z = nn.LayerNorm(D, eps=eps, dtype=x.dtype)(x)
    sigma, h = (x.var(-1, keepdim=True, correction=0) + eps).sqrt(), grad * gamma
    grad_x = (h - m(h) - z * m(h * z)) / sigma
    return grad_x.detach(), s(grad * z).detach(), s(grad)


def back_vmap(grad, x, gamma, eps=1e-5):
    """A formula for one position, for all of them at once."""

    def one(grad, x):
        deviation = x - x.mean()
        sigma = (deviation.square().mean() + eps).sqrt()
        z, h = deviation / sigma, grad * gamma
        return (h - h.mean() - z * (h * z).mean()) / sigma, grad * z

    of_x, of_gamma = torch.func.vmap(one)(grad.reshape(-1, x.shape[-1]), x.reshape(-1, x.shape[-1]))
    return of_x.reshape(x.shape), of_gamma.sum(0), s(grad)


def back_written_into(grad, x, gamma, eps=1e-5):
    """With each step written into a tensor of its own."""
    z, h = x.clone(), grad.clone()
    z -= m(x)
    sigma = z.square().mean(-1, keepdim=True).add_(eps).sqrt_()
    z /= sigma
    h *= gamma
    out = h.clone()
    out.sub_(m(h)).sub_(z * m(h * z)).div_(sigma)
    return out, s(grad * z), s(grad)


def back_autograd(grad, x, gamma, eps=1e-5):
    x, gamma = x.detach().requires_grad_(), gamma.detach().requires_grad_()
    beta = torch.zeros_like(gamma).requires_grad_()
    return torch.autograd.grad(F.layer_norm(x, gamma.shape, gamma, beta, eps), (x, gamma, beta), grad)


@torch.enable_grad()
def back_backward(grad, x, gamma, eps=1e-5):
    x, gamma = x.clone().requires_grad_(), gamma.clone().requires_grad_()
    beta = torch.zeros_like(gamma, requires_grad=True)
    (norm_by_means(x, gamma, beta, eps) * grad).sum().backward()
    return x.grad, gamma.grad, beta.grad


def back_vjp(grad, x, gamma, eps=1e-5):
    _, pull = torch.func.vjp(lambda *given: norm_right(*given, eps), x, gamma, torch.zeros_like(gamma))
    return pull(grad)


def back_with(jacobian):
    """grad_x from somebody's Jacobian, the rest by formula."""

    def backward(grad, x, gamma, eps=1e-5):
        found = jacobian(lambda x: norm_fused(x, gamma, torch.zeros_like(gamma), eps), x)
        return torch.tensordot(grad, found, x.ndim), *back_right(grad, x, gamma, eps)[1:]

    return backward


def back_kernel(grad, x, gamma, eps=1e-5):
    shape, beta = x.shape[-1:], torch.zeros_like(gamma)
    _, mean, inverse = torch.native_layer_norm(x, shape, gamma, beta, eps)
    return torch.ops.aten.native_layer_norm_backward(grad, x, shape, mean, inverse, gamma, beta, [True] * 3)


def back_differences(grad, x, gamma, eps=1e-5, h=1e-5):
    def loss(x):
        return (norm_right(x, gamma, torch.zeros_like(gamma), eps) * grad).sum()

    steps = h * torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
    grad_x = torch.stack([(loss(x + step) - loss(x - step)) / (2 * h) for step in steps])
    return grad_x.reshape(x.shape), *back_right(grad, x, gamma, eps)[1:]


def back(body=None, of_gamma=None, of_beta=None, spread=None, order=(0, 1, 2)):
    """A backward pass with one part different from the right one."""

    def backward(grad, x, gamma, eps=1e-5):
        deviation = x - x.mean(-1, keepdim=True)
        variance = deviation.square().mean(-1, keepdim=True)
        sigma = spread(x, variance, eps) if spread else (variance + eps).sqrt()
        z, h = deviation / sigma, grad * gamma
        right = h - h.mean(-1, keepdim=True) - z * (h * z).mean(-1, keepdim=True)
        grad_x = body(grad, h, z, sigma, gamma, x) if body else right / sigma
        flat = grad.reshape(-1, grad.shape[-1])
        found = (
            grad_x,
            of_gamma(grad, z, gamma, x) if of_gamma else (flat * z.reshape(flat.shape)).sum(0),
            of_beta(grad, gamma) if of_beta else flat.sum(0),
        )
        return tuple(found[i] for i in order)

    return backward


def m(a):
    return a.mean(-1, keepdim=True)


def s(a):
    return a.reshape(-1, a.shape[-1]).sum(0)


def back_in_place(grad, x, gamma, eps=1e-5):
    grad *= gamma
    return back_right(grad / gamma, x, gamma, eps)


def back_over_batch(grad, x, gamma, eps=1e-5):
    grad_x, _, _ = back_right(grad, x, gamma, eps)
    z = (x - m(x)) / (x.var(-1, keepdim=True, correction=0) + eps).sqrt()
    return (grad_x, (grad * z).sum(0), grad.sum(0)) if x.ndim > 1 else back_right(grad, x, gamma, eps)


def back_two_axes(grad, x, gamma, eps=1e-5):
    z = (x - m(x)) / (x.var(-1, keepdim=True, correction=0) + eps).sqrt()
    return back_right(grad, x, gamma, eps)[0], (grad * z).sum((0, 1)), grad.sum((0, 1))


# which_axis ---------------------------------------------------------------------------------------------------

KINDS = {(2,): "features", (1,): "time", (0,): "batch", (0, 1): "batch and time", (1, 2): "time and features"}


def axis_perturb(layer, D):
    x = torch.randn(4, 5, D)
    changed = x.clone()
    changed[1, 2, 0] += 1.0
    moved = (layer(x) - layer(changed)).abs() > 1e-6
    spans = tuple(axis for axis in range(3) if len(set(moved.nonzero()[:, axis].tolist())) > 1)
    return KINDS[spans]


def axis_three_places(layer, D):
    x = torch.rand(3, 3, D)
    y = x.clone()
    y[0, 0, 0] = 2.0
    d = (layer(y) - layer(x)).abs()
    if d[1:].max() > 1e-5:
        return "batch and time" if d[0, 1:].max() > 1e-5 else "batch"
    if d[0, 1:].max() > 1e-5:
        return "time and features" if d[0, 0, 1:].max() > 1e-5 else "time"
    return "features"


def axis_by_gradient(layer, D):
    x = torch.randn(3, 4, D, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0, 0, 0], x)
    reached = gradient.abs() > 1e-12
    spans = tuple(a for a in range(3) if reached.any(dim=tuple(b for b in range(3) if b != a)).sum() > 1)
    return KINDS[spans]


def axis_of(shape=(4, 5), step=1.0, moved=1e-6, copy=torch.clone, place=(0, 0, 0), start=torch.randn):
    """The usual way, with one thing about it another."""

    def which_axis(layer, D):
        x = start(*shape, D)
        other = copy(x)
        other[place] += step
        changed = (layer(other) - layer(x)).abs() > moved
        return KINDS.get(tuple(a for a in range(3) if len(set(changed.nonzero()[:, a].tolist())) > 1), "features")

    return which_axis


def axis_all_features_alike(layer, D):
    x = torch.randn(4, 5, D)
    y = x.clone()
    y[0, 0] += 5.0
    moved = (layer(x) - layer(y)).abs() > 1e-4
    if moved[1:].any():
        return "batch and time" if moved[1:, 1:].any() else "batch"
    return "time" if moved.any() else "time and features"


def axis_whole_position(layer, D):
    x = torch.randn(4, 5, D)
    y = x.clone()
    y[0] += 1.0
    moved = (layer(x) - layer(y)).abs() > 1e-6
    return "features" if not moved[0, 1:].any() and not moved[1:].any() else "batch" if moved[1:].any() else "features"


def axis_by_variance(layer, D):
    spread = {name: (layer(3 * torch.randn(6, 7, D)).var(axes).mean() - 1).abs() for axes, name in KINDS.items()}
    return min(spread, key=spread.get)


def axis_by_nan(layer, D):
    x = torch.randn(4, 5, D)
    x[0, 0, 0] = float("nan")
    gone = layer(x).isnan()
    return KINDS[tuple(a for a in range(3) if len(set(gone.nonzero()[:, a].tolist())) > 1)]


def axis_batch_of_one(layer, D):
    x = torch.randn(1, 5, D)
    y = x.clone()
    y[0, 0, 0] += 1
    moved = (layer(x) - layer(y)).abs() > 1e-6
    if not moved[0, 1:].any():
        return "features"
    return "time and features" if moved[0, 1:, 1:].any() else "time"


def axis_one_position(layer, D):
    x = torch.randn(5, 1, D)
    y = x.clone()
    y[0, 0, 0] += 1
    return "batch" if ((layer(x) - layer(y)).abs() > 1e-6)[1:].any() else "features"


def axis_two_of_each(layer, D):
    x = torch.randn(2, 2, D)
    y = x.clone()
    y[0, 0, 0] += 0.01
    moved = (layer(x) - layer(y)).abs() > 1e-4
    return KINDS.get(tuple(a for a in range(3) if len(set(moved.nonzero()[:, a].tolist())) > 1), "features")


def axis_by_means(layer, D):
    out = layer(torch.randn(4, 5, D))
    means = {name: out.mean(axes).abs().max().item() for axes, name in KINDS.items()}
    return min(means, key=means.get)


def axis_other_position_only(layer, D):
    x = torch.randn(4, 5, D)
    y = x.clone()
    y[0, 1] += torch.randn(D)
    moved = (layer(x) - layer(y)).abs() > 1e-6
    return "time" if moved[0, 0].any() else "batch" if moved[1:].any() else "features"


def axis_other_sample_only(layer, D):
    x = torch.randn(4, 5, D)
    y = x.clone()
    y[0] += torch.randn(5, D)
    return "batch" if ((layer(x) - layer(y)).abs() > 1e-6)[1:].any() else "features"


def axis_no_features(layer, D):
    word = axis_perturb(layer, D)
    return "time" if word == "time and features" else word


# sublayer -----------------------------------------------------------------------------------------------------


def place(pre, post):
    """A sub-layer from its two formulas, functions of x, f, norm and dropout."""
    return lambda x, f, norm, dropout, norm_position: (pre if norm_position == "pre" else post)(x, f, norm, dropout)


def pre_right(x, f, n, d):
    return x + d(f(n(x)))


def post_right(x, f, n, d):
    return n(x + d(f(x)))


def f_called_twice(x, f, n, d):
    return x + d(f(n(x))) + 0 * f(n(x))


def norm_called_twice(x, f, n, d):
    y = x + d(f(x))
    if not n(y).isfinite().all():  # a look at the result before it is returned
        raise ValueError("not finite")
    return n(y)


def sub_if(x, f, norm, dropout, norm_position):
    if norm_position == "pre":
        return x + dropout(f(norm(x)))
    return norm(x + dropout(f(x)))


def sub_module(x, f, norm, dropout, norm_position):
    class Sub(nn.Module):
        def forward(self, x):
            branch = norm(x) if norm_position == "pre" else x
            total = torch.add(dropout(f(branch)), x)
            return total if norm_position == "pre" else norm(total)

    return Sub()(x)


def sub_in_place(x, f, norm, dropout, norm_position):
    if norm_position == "pre":
        x += dropout(f(norm(x)))
        return x
    return norm(x + dropout(f(x)))


def sub_not_post(x, f, norm, dropout, norm_position):
    skip = x
    if norm_position != "post":
        x = norm(x)
    x = skip + dropout(f(x))
    return norm(x) if norm_position == "post" else x


# repair -------------------------------------------------------------------------------------------------------


def stack_right(x, sublayers, norms, final_norm):
    for f, norm in zip(sublayers, norms, strict=True):
        x = x + f(norm(x))
    return final_norm(x)


def stack_indexed(x, sublayers, norms, final_norm):
    for i in range(len(norms)):
        branch = sublayers[i](norms[i](x))
        x = torch.add(x, branch)
    return final_norm(x)


def stack_variant(rule, end=True):
    def stack(x, sublayers, norms, final_norm):
        for f, norm in zip(sublayers, norms, strict=True):
            x = rule(x, f, norm, final_norm)
        return final_norm(x) if end else x

    return stack


broken_stack = stack_variant(lambda x, f, n, last: n(x) + f(n(x)), end=False)
no_final = stack_variant(lambda x, f, n, last: x + f(n(x)), end=False)
skip_normalised = stack_variant(lambda x, f, n, last: n(x) + f(n(x)))
post_stack = stack_variant(lambda x, f, n, last: n(x + f(x)), end=False)
post_and_final = stack_variant(lambda x, f, n, last: n(x + f(x)))
final_inside = stack_variant(lambda x, f, n, last: last(x + f(n(x))), end=False)
no_norms = stack_variant(lambda x, f, n, last: x + f(x))


def final_first(x, sublayers, norms, final_norm):
    return no_final(final_norm(x), sublayers, norms, final_norm)


def last_for_final(x, sublayers, norms, final_norm):
    return norms[-1](no_final(x, sublayers, norms, final_norm))


def stack_in_place(x, sublayers, norms, final_norm):
    for f, norm in zip(sublayers, norms, strict=True):
        x += f(norm(x))
    return final_norm(x)


def stack_of_one(x, sublayers, norms, final_norm):
    return stack_right(x, sublayers[:1], norms[:1], final_norm)


def skips_from_the_start(x, sublayers, norms, final_norm):
    y = x
    for f, norm in zip(sublayers, norms, strict=True):
        y = x + f(norm(y))
    return final_norm(y)


def final_for_all(x, sublayers, norms, final_norm):
    return stack_right(x, sublayers, [final_norm] * len(norms), final_norm)


def stack_folded(x, sublayers, norms, final_norm):
    return final_norm(
        functools.reduce(lambda x, layer: layer[0](layer[1](x)).add(x), zip(sublayers, norms, strict=True), x)
    )


def stack_popped(x, sublayers, norms, final_norm):
    while sublayers:
        x = x + sublayers.pop(0)(norms.pop(0)(x))
    return final_norm(x)


def stack_reversed(x, sublayers, norms, final_norm):
    sublayers.reverse(), norms.reverse()
    for i in reversed(range(len(norms))):
        x = x + sublayers[i](norms[i](x))
    return final_norm(x)


def stack_detached(x, sublayers, norms, final_norm):
    for f, norm in zip(sublayers, norms, strict=True):
        x = x.detach() + f(norm(x))
    return final_norm(x)


ORDINARY = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
ANSWERS = Diagnosed(
    {
        "a": ("divided by the variance", "ten times x comes out ten times smaller"),
        "b": ("statistics over time", "another position of the same text moves the output"),
        "c": ("digits cancel", "right for ordinary numbers, wrong when 10,000 is added to each"),
        "d": ("skip normalised", "silent sub-layers do not leave x as it was"),
    },
    stack_right,
)
mended, fault, shown = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


# rms_norm -----------------------------------------------------------------------------------------------------


def rms_right(x, gamma, eps=1e-5):
    return gamma * x / torch.sqrt(x.square().mean(dim=-1, keepdim=True) + eps)


def rms_fused(x, gamma, eps=1e-5):
    return F.rms_norm(x, gamma.shape, gamma, eps)


def rms_rsqrt(x, gamma, eps=1e-5):
    return x * torch.rsqrt(torch.einsum("...d,...d->...", x, x)[..., None] / x.size(-1) + eps) * gamma


def rms(below, centre=False):
    return lambda x, gamma, eps=1e-5: gamma * (x - m(x) if centre else x) / below(x, eps)


def rms_in_place(x, gamma, eps=1e-5):
    x *= torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return gamma * x


# counterexample -----------------------------------------------------------------------------------------------


FOUR, ONES, NOUGHTS = torch.tensor([1.0, 5.0, 2.0, -3.0]), torch.ones(4), torch.zeros(4)
UP, PEAKED, MIDDLE = torch.arange(4.0), torch.tensor([1.0, 0.0, 0.0, -1.0]), torch.tensor([0.0, 1.0, 1.0, 0.0])
ONE_EACH = {"negate": (UP, ONES, NOUGHTS), "shift per feature": (PEAKED, MIDDLE, NOUGHTS), "permute": (UP, NOUGHTS, UP)}


def claims(negate=None, per_feature=None, permute=None, shift="holds", scale="holds"):
    """A counterexample function from what it answers to each claim; None: a right answer."""
    given = {"shift": shift, "scale": scale, "negate": negate, "shift per feature": per_feature, "permute": permute}
    return lambda claim: ONE_EACH[claim] if given[claim] is None else given[claim]


def claims_random(claim):
    if claim in ("shift", "scale"):
        return "Holds"
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(7, generator=generator, dtype=torch.float64) for _ in range(3)]


def claims_of_lists(claim):
    return {
        "negate": ([5, 7, 9], [2, 3, 2], [1, 0, 1]),
        "shift per feature": ([2, 0, 0, 0, -2], [0, 1, 5, 1, 0], [4, 0, 0, 0, 4]),
        "permute": ([1, 3, 2], [0, 0, 0], [0, 0, 7]),
    }.get(claim, "holds")


def claims_as(kind):
    return lambda claim: [kind(part) for part in ONE_EACH[claim]] if claim in ONE_EACH else "HOLDS"


HAND = torch.tensor([1.0, 5.0, 2.0]), torch.tensor([1.0, 1.0, 2.0]), torch.zeros(3)


def axis_of_a_whole_position(layer, D):
    x = torch.randn(4, 5, D)
    other = x.clone()
    other[0, 0] += torch.randn(D)
    moved = (layer(other) - layer(x)).abs() > 1e-5
    moves = moved[0, 0].all().item(), moved[0, 1:].any().item(), moved[1:].any().item()
    names = {(1, 0, 0): "features", (1, 1, 0): "time and features", (1, 0, 1): "batch", (1, 1, 1): "batch and time"}
    return names[tuple(map(int, moves))]


RIGHT = {
    "07_layer_norm.layer_norm": [
        ("from the definition", norm_right),
        ("F.layer_norm", norm_fused),
        ("means and rsqrt", norm_by_means),
        ("scale and shift of x in one", norm_in_one_product),
        ("in float64, and back", norm_through_double),
        ("row by row", norm_row_by_row),
        ("nn.LayerNorm", norm_module),
        ("a projection", norm_projected),
        ("var_mean", norm_var_mean),
        ("the axis moved", norm_axis_moved),
        ("vmap", norm_vmap),
        ("RMSNorm of what is centred", lambda x, g, b, eps=1e-5: F.rms_norm(x - m(x), g.shape, g, eps) + b),
    ],
    "07_layer_norm.layer_norm_backward": [
        ("from the formula", back_right),
        ("step by step", back_by_steps),
        ("the Jacobian", back_jacobian),
        ("in Python's own numbers", back_by_numbers),
        ("with a module", back_with_a_module),
        ("vmap", back_vmap),
        ("written into", back_written_into),
        ("no_grad", torch.no_grad()(back_right)),
        ("a list", lambda *a, **k: list(back_right(*a, **k))),
    ],
    "07_layer_norm.which_axis": [
        ("one number changed", axis_perturb),
        ("three places", axis_three_places),
        ("gradients", axis_by_gradient),
        ("NaN spreads", axis_by_nan),
        ("the last place, a large step", axis_of(place=(3, 4, 2), step=50.0, moved=1e-3)),
        ("three of each, in capitals", lambda layer, D: axis_of(shape=(3, 3))(layer, D).upper()),
        ("from zeros", axis_of(start=torch.zeros)),
    ],
    "07_layer_norm.sublayer": [
        ("if", sub_if),
        ("a module", sub_module),
        ("not post", sub_not_post),
        (
            "by name",
            lambda x, f, norm, dropout, norm_position: {"pre": pre_right, "post": post_right}[norm_position](
                x, f, norm, dropout
            ),
        ),
    ],
    "07_layer_norm.rms_norm": [
        ("from the definition", rms_right),
        ("F.rms_norm", rms_fused),
        ("rsqrt", rms_rsqrt),
        ("the vector's length", rms(lambda x, e: (x.norm(dim=-1, keepdim=True) ** 2 / x.shape[-1] + e).sqrt())),
    ],
    "07_layer_norm.diagnose": [
        ("least changes", mended(stack_right)),
        ("written otherwise", mended(stack_indexed)),
        ("folded", mended(stack_folded)),
        ("capitals and spaces", ANSWERS.in_capitals()),
    ],
    "07_layer_norm.counterexample": [
        ("by hand", claims()),
        ("lists", claims_of_lists),
        ("numpy", claims_as(np.array)),
        ("parameters", claims_as(nn.Parameter)),
        ("small numbers", claims(negate=(UP / 1000 + 1, ONES, NOUGHTS))),
        ("two features", claims(negate=(UP[:2], ONES[:2], NOUGHTS[:2]))),
        ("gamma where x has no deviation", claims(per_feature=(PEAKED, UP * MIDDLE, NOUGHTS))),
    ],
}

WRONG = {
    "07_layer_norm.layer_norm": [
        ("axes of size 1 dropped", squeezed(norm_right), "squeezed?"),
        ("16 bits widened", widened(norm_right), "came back as torch.float32"),
        ("by view", viewing(norm_right), "view() needs contiguous inputs"),
        ("asks its inputs for gradients", switching(norm_right), "require a gradient, and it still does"),
        ("copied from the check", copying(over_time), "the numbers are not right yet"),
        ("over time", over_time, "taken over time (the positions)", "M20"),
        ("over the batch", over_batch, "taken over the batch;", "M20"),
        ("batch norm", as_batch_norm, "as batch norm does", "M20"),
        ("time and features", time_and_features, "over time and features together", "M20"),
        ("the whole tensor", mean_of_all, "over the whole tensor", "M20"),
        ("mean over features, variance over time", mixed_axes, "The variance is taken over time", "M20"),
        ("mean of the squares less the square of the mean", norm_of_squares, "So digits cancel"),
        ("the same, never below 0", norm_of_squares_clamped, "the mean of the squares less the square of the mean?"),
        ("from lengths", norm_of_lengths, "So digits cancel"),
        ("from all pairs", norm_of_differences, "So digits cancel"),
        (
            "large numbers clamped",
            lambda x, g, b, eps=1e-5: norm_right(x.clamp(-1000, 1000), g, b, eps),
            "With a mean of 10,000 and deviations near",
        ),
        ("between 0 and 1", least_to_most, "Subtract beta and divide by gamma"),
        ("unbiased", unbiased, "The variance is the unbiased one", "M21"),
        ("torch.std plus eps", std_plus_eps, "The variance is the unbiased one", "M21"),
        ("eps outside", outside, "eps stands outside the root", "M21"),
        ("no slope at 0", deviation_squared, "A root's slope is infinite at 0"),
        ("divided by the variance", by_variance, "The division is by the variance", "M21"),
        ("variance without eps", no_root_no_eps, "The division is by the variance", "M21"),
        ("no eps", no_eps, "eps is missing", "M21"),
        ("eps fixed", eps_fixed, "eps is missing, fixed", "M21"),
        ("eps tiny", eps_tiny, "eps is missing, fixed", "M21"),
        ("eps squared", eps_squared, "eps is squared", "M21"),
        ("over time, unbiased", variant(axes=(1,), correction=1), "taken over time", "M20"),
        ("unbiased, no beta", variant(correction=1, affine=lambda n, g, b: g * n), "beta is not added", "M21"),
        ("by the length", by_length, "by the length of the vector", "M21"),
        ("mean absolute deviation", by_absolute, "mean absolute deviation"),
        ("mean only", mean_only, "Nothing is divided"),
        ("mean not subtracted", mean_stays, "The mean is not subtracted"),
        ("RMSNorm", root_mean_square, "The mean is not subtracted"),
        ("no beta", no_beta, "beta is not added", "M22"),
        ("no gamma", no_gamma, "gamma does not multiply", "M22"),
        ("no affine", no_affine, "gamma and beta are not used", "M22"),
        ("a fresh nn.LayerNorm", default_gamma, "gamma and beta are not used", "M22"),
        ("beta first", beta_first, "beta is added before gamma", "M22"),
        ("exchanged", exchanged, "have changed places", "M22"),
        ("1 + gamma", one_plus, "The scale is 1 + gamma", "M22"),
        ("gamma first", gamma_first, "gamma multiplies x before the norm", "M22"),
        ("x", lambda x, gamma, beta, eps=1e-5: x, "x comes back as it was"),
        ("inverted", inverted, "gamma and beta normalise here", "M22"),
        ("learnt statistics", learnt_statistics, "are used as mean and deviation", "M22"),
        ("keepdim", keepdim_forgotten, "keepdim=True keeps it"),
        ("dim=2", axis_two, "count from the end"),
        ("three axes only", variant(axes=(2,)), "count from the end"),
        ("float64", through_double, "came back as torch.float64"),
        ("in place", in_place, "changed its input x in place"),
        ("statistics detached", statistics_detached, "Mean and deviation are cut from the graph"),
        ("deviation detached", spread_detached, "The deviation is cut from the graph"),
        ("no_grad", whole_no_grad, "No gradient flows"),
        ("gamma.data", gamma_data, "No gradient reaches gamma"),
        ("twice", twice, "applied twice"),
        ("three things", with_statistics, "3 things came back"),
        (
            "last sample left out",
            lambda x, g, b, eps=1e-5: (
                torch.cat((norm_right(x[:-1], g, b, eps), x[-1:])) if x.ndim > 1 else norm_right(x, g, b, eps)
            ),
            "Along axis 0 it is wrong only at 2",
        ),
        ("x added", lambda x, g, b, eps=1e-5: x + norm_right(x, g, b, eps), "the residual is not a part"),
        ("the mean", lambda x, g, b, eps=1e-5: x.mean(-1), "An axis is missing"),
        ("eps above the line", lambda x, g, b, eps=1e-5: g * (x - m(x) + eps) / v(x).sqrt() + b, "above the fr", "M21"),
        ("times beta", lambda x, g, b, eps=1e-5: norm_right(x, g, 0 * b, eps) * b, "beta multiplies", "M22"),
        ("gamma's size", lambda x, g, b, eps=1e-5: norm_right(x, g.abs(), b, eps), "gamma has lost its sign", "M22"),
        ("gamma's mean", lambda x, g, b, eps=1e-5: norm_right(x, g.mean(), b, eps), "One number stands for all", "M22"),
        (
            "default 1e-3",
            lambda x, g, b, eps=1e-3: norm_right(x, g, b, eps),
            "the default in the `def` is a different one",
        ),
        (
            "default 1e-6",
            lambda x, g, b, eps=1e-6: norm_right(x, g, b, eps),
            "the default in the `def` is a different one",
        ),
        ("no eps, over time", lambda x, g, b: over_time(x, g, b), "taken over time", "M20"),
        ("0 where all is equal", zero_where_equal, "so that beta is left"),
        ("no slope", variant(below=lambda x, v, eps: (v.sqrt() ** 2 + eps).sqrt()), "A root's slope is infinite at 0"),
        ("beta in place", beta_in_place, "changed its input beta in place"),
        (
            "variance of everything",
            lambda x, g, b, eps=1e-5: g * (x - m(x)) / (x.var(correction=0) + eps).sqrt() + b,
            "The variance is taken over the whole tensor",
            "M20",
        ),
        ("median", lambda x, g, b, eps=1e-5: g * (x - x.median(-1, True).values) / (v(x) + eps).sqrt() + b, "wanted 0"),
        ("batch norm's function", by_batch_norm, "as batch norm does", "M20"),
        ("through numpy", through_numpy, "a trip through numpy"),
        (
            "through 16 bits",
            lambda x, g, b, eps=1e-5: norm_right(x.half(), g.half(), b.half(), eps).to(x.dtype),
            "of low precision",
        ),
    ],
    "07_layer_norm.layer_norm_backward": [
        ("axes of size 1 dropped", squeezed(back_right), "squeezed?"),
        ("16 bits widened", widened(back_right), "came back as torch.float32"),
        ("by view", viewing(back_right), "view() needs contiguous inputs"),
        ("asks its inputs for gradients", switching(back_right), "require a gradient, and it still does"),
        ("both constant", back(lambda g, h, z, s, ga, x: h / s), "mu and sigma are treated as constants"),
        ("sigma constant", back(lambda g, h, z, s, ga, x: (h - m(h)) / s), "sigma is treated as a constant"),
        ("mu constant", back(lambda g, h, z, s, ga, x: (h - z * m(h * z)) / s), "mu is treated as a constant"),
        (
            "no division",
            back(lambda g, h, z, s, ga, x: h - m(h) - z * m(h * z)),
            "division by sigma at the end is missing",
        ),
        (
            "divided by the variance",
            back(lambda g, h, z, s, ga, x: (h - m(h) - z * m(h * z)) / s**2),
            "The division is by the variance",
        ),
        (
            "sums for means",
            back(lambda g, h, z, s, ga, x: (h - h.sum(-1, True) - z * (h * z).sum(-1, True)) / s),
            "Sums are used where means should be",
        ),
        ("plus", back(lambda g, h, z, s, ga, x: (h + m(h) + z * m(h * z)) / s), "Both terms have the wrong sign"),
        ("one plus", back(lambda g, h, z, s, ga, x: (h - m(h) + z * m(h * z)) / s), "through sigma has the wrong sign"),
        ("no gamma", back(lambda g, h, z, s, ga, x: (g - m(g) - z * m(g * z)) / s), "gamma is forgotten"),
        (
            "gamma afterwards",
            back(lambda g, h, z, s, ga, x: ga * (g - m(g) - z * m(g * z)) / s),
            "gamma multiplies the result",
        ),
        (
            "product of means",
            back(lambda g, h, z, s, ga, x: (h - m(h) - z * m(h) * m(z)) / s),
            "sigma is treated as a constant",
        ),
        ("no z outside", back(lambda g, h, z, s, ga, x: (h - m(h) - m(h * z)) / s), "before mean(h * normalised)"),
        ("x for z", back(lambda g, h, z, s, ga, x: (h - m(h) - x * m(h * x)) / s), "x is used where the normalised"),
        (
            "x - mean for the second z",
            back(lambda g, h, z, s, ga, x: (h - m(h) - z * m(h * z * s)) / s),
            "where the second normalised x should",
        ),
        (
            "half the last term",
            back(lambda g, h, z, s, ga, x: (h - m(h) - 0.5 * z * m(h * z)) / s),
            "look at the term through sigma",
        ),
        (
            "twice the mean",
            back(lambda g, h, z, s, ga, x: (h - 2 * m(h) - z * m(h * z)) / s),
            "look at the term through mu",
        ),
        (
            "half of it",
            back(lambda g, h, z, s, ga, x: (h - m(h) - z * m(h * z)) / s / 2),
            "look at h and at the division",
        ),
        (
            "means over axis 0",
            back(lambda g, h, z, s, ga, x: (h - h.mean(0, True) - z * (h * z).mean(0, True)) / s),
            "over other axes than the features",
        ),
        ("grad * gamma", back(lambda g, h, z, s, ga, x: h), "the normalisation is ignored"),
        ("sign", back(lambda g, h, z, s, ga, x: -(h - m(h) - z * m(h * z)) / s), "The sign is wrong"),
        ("gamma not summed", back(of_gamma=lambda g, z, ga, x: g * z), "summed, over all axes but the last"),
        ("beta not summed", back(of_beta=lambda g, ga: g), "grad_beta has the shape of x"),
        ("summed over features", back(of_gamma=lambda g, z, ga, x: (g * z).sum(-1)), "one number per position"),
        ("summed over the batch only", back_over_batch, "only the first axis is summed"),
        ("always two axes", back_two_axes, "count axes from the end"),
        ("gamma averaged", back(of_gamma=lambda g, z, ga, x: (g * z).reshape(-1, len(ga)).mean(0)), "is averaged over"),
        ("beta averaged", back(of_beta=lambda g, ga: g.reshape(-1, len(ga)).mean(0)), "grad_beta is averaged"),
        ("gamma from x", back(of_gamma=lambda g, z, ga, x: s(g * x)), "grad_gamma is made with x"),
        ("gamma with gamma", back(of_gamma=lambda g, z, ga, x: s(g * z * ga)), "holds gamma once more"),
        ("gamma as beta", back(of_gamma=lambda g, z, ga, x: s(g)), "that is grad_beta"),
        ("beta with gamma", back(of_beta=lambda g, ga: s(g * ga)), "grad_beta holds gamma"),
        ("exchanged", back(order=(0, 2, 1)), "have changed places"),
        ("another order", back(order=(1, 2, 0)), "the order is grad_x, grad_gamma, grad_beta"),
        ("grad_x only", lambda *a: back_right(*a)[0], "One tensor came back"),
        ("two", lambda *a: back_right(*a)[:2], "returned 2 things"),
        (
            "unbiased",
            back(spread=lambda x, v, eps: (x.var(-1, keepdim=True) + eps).sqrt()),
            "made with the unbiased variance",
            "M21",
        ),
        ("eps outside", back(spread=lambda x, v, eps: v.sqrt() + eps), "eps stands outside the root", "M21"),
        ("eps missing", back(spread=lambda x, v, eps: v.sqrt()), "eps is missing", "M21"),
        ("eps fixed", back(spread=lambda x, v, eps: (v + 1e-5).sqrt()), "eps is fixed", "M21"),
        ("autograd", back_autograd, "come from autograd"),
        ("backward()", back_backward, "come from autograd"),
        ("vjp", back_vjp, "come from autograd"),
        ("jacobian", back_with(torch.autograd.functional.jacobian), "come from autograd"),
        ("jacfwd", back_with(lambda f, x: torch.func.jacfwd(f)(x)), "come from autograd"),
        ("torch's kernel", back_kernel, "torch's own backward pass, native_layer_norm_backward"),
        ("differences", back_differences, "with a fixed step h?"),
        ("float32", lambda *a: tuple(g.float() for g in back_right(*a)), "came back as torch.float32"),
        ("in place", back_in_place, "changed its input grad in place"),
        ("eps fixed in all", lambda g, x, ga, eps=1e-5: back_right(g, x, ga, 1e-5), "eps is fixed", "M21"),
        ("eps 1e-8", lambda g, x, ga, eps=1e-5: back_right(g, x, ga, 1e-8), "fixed at a small number", "M21"),
        (
            "default 1e-6",
            lambda g, x, ga, eps=1e-6: back_right(g, x, ga, eps),
            "the default in the `def` is a different one",
        ),
        ("no eps", lambda g, x, ga: back_right(g, x, ga), "The expected signature is layer_norm_backward"),
        ("nothing", lambda g, x, ga, eps=1e-5: (0 * x, *back_right(g, x, ga, eps)[1:]), "grad_x is 0 everywhere"),
        (
            "gamma at the last place",
            back(of_gamma=lambda g, z, ga, x: (g * z).reshape(-1, len(ga))[-1]),
            "the last pos",
        ),
        ("gamma's sign", back(of_gamma=lambda g, z, ga, x: -s(g * z)), "The sign of grad_gamma"),
        ("beta at the last place", back(of_beta=lambda g, ga: g.reshape(-1, len(ga))[-1]), "the last position's"),
        ("beta with an axis", back(of_beta=lambda g, ga: s(g)[None]), "one axis of size 1 too many"),
        ("gamma twice", back(lambda g, h, z, s, ga, x: (h * ga - m(h * ga) - z * m(h * ga * z)) / s), "look at h"),
        ("sigma cubed", back(lambda g, h, z, s, ga, x: (h - m(h) - z * m(h * z) / s) / s), "the term through sigma"),
        (
            "D - 1",
            back(lambda g, h, z, s, ga, x: (h - m(h) - z * (h * z).sum(-1, True) / (x.shape[-1] - 1)) / s),
            "The term through sigma is divided by D - 1",
            "M21",
        ),
        ("a dictionary", lambda *a: dict(zip("xgb", back_right(*a), strict=True)), "returned 3 things"),
        ("grad_x summed", lambda *a: (s(back_right(*a)[0]), *back_right(*a)[1:]), "grad_x has shape (5,)"),
    ],
    "07_layer_norm.which_axis": [
        ("a whole position, one answer too many", axis_of_a_whole_position, "differ at once: change one alone", "M20"),
        ("a batch of one", axis_batch_of_one, "a batch of one", "M20"),
        ("one position", axis_one_position, "Every x had one position", "M20"),
        ("two of each", axis_two_of_each, "Two numbers normalise to -1 and 1"),
        ("means of the output", axis_by_means, "scale and a shift"),
        ("always features", lambda layer, D: "features", "It never calls the layer"),
        ("always time", lambda layer, D: "time" if layer(torch.randn(3, 3, D)) is not None else "", "for every layer"),
        ("another position only", axis_other_position_only, "Other samples move too", "M20"),
        ("another sample only", axis_other_sample_only, "Change one number of x and look at three places", "M20"),
        ("features left out", axis_no_features, "Other features move too", "M20"),
        ("read off", lambda layer, D: layer.kind, "has no attribute 'kind'"),
        ("no option", lambda layer, D: "layer norm", "choose one of 'features', 'time'"),
        ("axes", lambda layer, D: (0, 1), "is of type tuple"),
        ("two axes of x", lambda layer, D: layer(torch.randn(3, D)), "The layer takes a float tensor"),
        ("no copy", axis_of(copy=lambda x: x), "one and the same tensor"),
        ("lost in rounding", axis_of(step=1e-9), "to the last digit"),
        ("a small step", axis_of(step=5e-6, moved=1e-3), "rounding hides so small a step"),
        ("a large threshold", axis_of(moved=10.0), "too large"),
        ("a step below the threshold", axis_of(step=1e-3, moved=1e-2), "when the inputs moved by 0.001"),
        ("two samples", axis_of(shape=(2, 5), step=0.01, moved=1e-4), "Two numbers normalise to -1 and 1"),
        ("the same to each feature", axis_all_features_alike, "the same for every feature"),
        ("a whole position", axis_whole_position, "Change one number of x", "M20"),
        ("variance of the output", axis_by_variance, "For another such layer it says something else"),
        ("at random", lambda layer, D: list(KINDS.values())[torch.randint(5, ()).item()], "It never calls the layer"),
        ("capital letters and more", lambda layer, D: "Features!", "choose one of"),
        ("inside the layer", lambda layer, D: layer._ask.kind, "has no attribute '_ask'"),
    ],
    "07_layer_norm.sublayer": [
        ("axes of size 1 dropped", squeezed(sub_if), "squeezed?"),
        ("16 bits widened", widened(sub_if), "came back as torch.float32"),
        ("asks its inputs for gradients", switching(sub_if), "require a gradient, and it still does"),
        ("f called twice", place(f_called_twice, post_right), "f is called 2 times"),
        ("norm called twice", place(pre_right, norm_called_twice), "norm is called 2 times"),
        ("exchanged", place(post_right, pre_right), "This is pre-norm", "M23"),
        ("always post", place(post_right, post_right), "This is post-norm", "M23"),
        ("always pre", place(pre_right, pre_right), "This is pre-norm", "M23"),
        ("skip normalised", place(lambda x, f, n, d: n(x) + d(f(n(x))), post_right), "The skip carries norm(x)", "M23"),
        ("norm on the skip", place(lambda x, f, n, d: n(x) + d(f(x)), post_right), "stands on the skip", "M23"),
        ("norm after f", place(lambda x, f, n, d: x + d(n(f(x))), post_right), "The norm stands on the branch", "M23"),
        ("branch normalised", place(pre_right, lambda x, f, n, d: x + n(d(f(x)))), "neither pre- nor post", "M23"),
        ("normalised apart", place(pre_right, lambda x, f, n, d: n(x) + n(d(f(x)))), "normalised apart, then", "M23"),
        ("subtracted", place(lambda x, f, n, d: x - d(f(n(x))), post_right), "The branch is subtracted"),
        ("both", place(pre_right, lambda x, f, n, d: n(x + d(f(n(x))))), "Both at once", "M23"),
        ("no norm", place(lambda x, f, n, d: x + d(f(x)), post_right), "The norm is not called", "M23"),
        ("dropout last", place(pre_right, lambda x, f, n, d: d(n(x + f(x)))), "dropout stands after the norm", "M24"),
        ("dropout after the norm", place(lambda x, f, n, d: x + f(d(n(x))), post_right), "what goes into f", "M24"),
        ("dropout on the sum", place(pre_right, lambda x, f, n, d: n(d(x + f(x)))), "dropout stands on the sum", "M24"),
        ("dropout on the sum, pre", place(lambda x, f, n, d: d(x + f(n(x))), post_right), "on the sum", "M24"),
        ("dropout before f", place(pre_right, lambda x, f, n, d: n(x + f(d(x)))), "what goes into f", "M24"),
        ("no dropout", place(lambda x, f, n, d: x + f(n(x)), lambda x, f, n, d: n(x + f(x))), "is not called", "M24"),
        ("dropout twice", place(pre_right, lambda x, f, n, d: d(n(x + d(f(x))))), "called twice", "M24"),
        (
            "a dropout of its own",
            place(lambda x, f, n, d: x + F.dropout(f(n(x)), 0.1, training=True), post_right),
            "Two calls give different results",
            "M24",
        ),
        ("no skip", place(lambda x, f, n, d: d(f(n(x))), post_right), "the skip is missing"),
        (
            "dropout twice on the branch",
            place(lambda x, f, n, d: x + d(d(f(n(x)))), post_right),
            "on the branch.",
            "M24",
        ),
        ("a norm of its own", place(pre_right, lambda x, f, n, d: F.layer_norm(x + d(f(x)), x.shape[-1:])), "is given"),
        ("f twice", place(pre_right, lambda x, f, n, d: f(x) + d(f(x))), "f(x) is added to itself"),
        ("detached", place(lambda x, f, n, d: x.detach() + d(f(n(x))), post_right), "the skip is cut from the graph"),
        ("branch detached", place(pre_right, lambda x, f, n, d: n(x + d(f(x)).detach())), "the branch is cut from"),
        (
            "dropout on the normalised x, both",
            place(lambda x, f, n, d: n(x) + f(d(n(x))), post_right),
            "this is norm(x) + f(dropout(norm(x)))",
        ),
        ("dropout for the norm", place(lambda x, f, n, d: x + f(d(x)), post_right), "this is x + f(dropout(x))"),
        ("no f", place(lambda x, f, n, d: x + d(n(x)), post_right), "this is x + dropout(norm(x))"),
        ("nothing but dropout", place(lambda x, f, n, d: x + d(x), post_right), "this is x + dropout(x)"),
        ("x twice", place(lambda x, f, n, d: x + x + d(f(n(x))), post_right), "this is x + x + dropout(f(norm(x)))"),
        ("f of f", place(lambda x, f, n, d: x + d(f(f(n(x)))), post_right), "this is x + dropout(f(f(norm(x))))"),
        ("norm of norm", place(lambda x, f, n, d: x + d(f(n(n(x)))), post_right), "dropout(f(norm(norm(x))))"),
        ("halved", place(lambda x, f, n, d: (x + d(f(n(x)))) / 2, post_right), "0.5 times what is wanted"),
        ("branch doubled", place(lambda x, f, n, d: x + 2 * d(f(n(x))), post_right), "The branch is multiplied by 2"),
        ("times", place(lambda x, f, n, d: x * d(f(n(x))), post_right), "are multiplied; they should be added"),
        ("post, three norms", place(pre_right, lambda x, f, n, d: n(n(x) + d(f(n(x))))), "Both at once", "M23"),
        (
            "any word is true",
            lambda x, f, norm, dropout, norm_position: (
                pre_right(x, f, norm, dropout) if norm_position else post_right(x, f, norm, dropout)
            ),
            "This is pre-norm",
            "M23",
        ),
        (
            "only pre returns",
            lambda x, f, norm, dropout, norm_position: (
                pre_right(x, f, norm, dropout) if norm_position == "pre" else None
            ),
            "did you forget `return`?",
        ),
        ("in place", sub_in_place, "changed its input x in place"),
        ("something else", place(lambda x, f, n, d: torch.tanh(x), post_right), "an f that gives only zeros"),
        ("f returned", lambda x, f, norm, dropout, norm_position: f, "is of type function"),
    ],
    "07_layer_norm.rms_norm": [
        ("axes of size 1 dropped", squeezed(rms_right), "squeezed?"),
        ("16 bits widened", widened(rms_right), "came back as torch.float32"),
        ("by view", viewing(rms_right), "view() needs contiguous inputs"),
        ("asks its inputs for gradients", switching(rms_right), "require a gradient, and it still does"),
        ("copied from the check", copying(lambda x, gamma, eps=1e-5: x), "The numbers are not right yet"),
        ("mean subtracted", rms(lambda x, e: (x.var(-1, keepdim=True, correction=0) + e).sqrt(), True), "a layer norm"),
        ("std below", rms(lambda x, e: (x.var(-1, keepdim=True, correction=0) + e).sqrt()), "standard deviation"),
        ("no root", rms(lambda x, e: m(x * x) + e), "The division is by the mean square", "M21"),
        ("eps outside", rms(lambda x, e: m(x * x).sqrt() + e), "eps stands outside the root", "M21"),
        ("no eps", rms(lambda x, e: m(x * x).sqrt()), "eps is missing", "M21"),
        ("eps fixed", rms(lambda x, e: (m(x * x) + 1e-6).sqrt()), "eps is missing, fixed", "M21"),
        ("length", rms(lambda x, e: x.norm(dim=-1, keepdim=True)), "length of the vector", "M21"),
        ("summed", rms(lambda x, e: ((x * x).sum(-1, True) + e).sqrt()), "the squares are summed", "M21"),
        ("over time", rms(lambda x, e: ((x * x).mean(-2 if x.ndim > 1 else -1, True) + e).sqrt()), "over time", "M20"),
        ("whole tensor", rms(lambda x, e: ((x * x).mean() + e).sqrt()), "over the whole tensor", "M20"),
        (
            "eps of its own",
            lambda x, gamma, eps=1e-5: F.rms_norm(x, gamma.shape, gamma),
            "eps is missing, fixed",
            "M21",
        ),
        ("square of the mean", rms(lambda x, e: (m(x) ** 2 + e).sqrt()), "The square of the mean"),
        (
            "gamma first",
            lambda x, gamma, eps=1e-5: rms_right(gamma * x, torch.ones_like(gamma), eps),
            "before the norm",
        ),
        ("no gamma", lambda x, gamma, eps=1e-5: rms_right(x, torch.ones_like(gamma), eps), "gamma is not used"),
        ("1 + gamma", lambda x, gamma, eps=1e-5: rms_right(x, 1 + gamma, eps), "The scale is 1 + gamma"),
        ("in place", rms_in_place, "changed its input x in place"),
        ("float64", lambda x, g, eps=1e-5: rms_right(x.double(), g.double(), eps), "came back as torch.float64"),
        ("root detached", rms(lambda x, e: (m(x * x) + e).sqrt().detach()), "cut from the graph"),
        ("largest size", rms(lambda x, e: x.abs().amax(-1, True) + e), "The largest size is taken"),
        ("unbiased deviation", rms(lambda x, e: (x.var(-1, keepdim=True) + e).sqrt()), "which leaves the mean out"),
        ("mean", rms(lambda x, e: m(x) + e), "by the mean of x"),
        ("mean absolute", rms(lambda x, e: m(x.abs()) + e), "by the mean absolute value", "M21"),
        ("divided by gamma", lambda x, g, eps=1e-5: rms_right(x, 1 / g, eps), "The division is by gamma"),
        ("gamma squared", lambda x, g, eps=1e-5: rms_right(x, g * g, eps), "gamma is squared"),
        ("gamma added", lambda x, g, eps=1e-5: rms_right(x, 1 + 0 * g, eps) + g, "gamma is added"),
        ("sizes of x", lambda x, g, eps=1e-5: rms_right(x.abs(), g, eps), "The signs are gone"),
        ("centred afterwards", lambda x, g, eps=1e-5: rms_right(x, g, eps) - m(rms_right(x, g, eps)), "afterwards"),
        ("clamped", rms(lambda x, e: m(x * x).clamp(min=e).sqrt()), "clamped at eps", "M21"),
        ("times sqrt(D)", lambda x, g, eps=1e-5: g * F.normalize(x, dim=-1) * x.shape[-1] ** 0.5, "eps is mi", "M21"),
        ("default 1e-6", lambda x, g, eps=1e-6: rms_right(x, g, eps), "the default in the `def` is a different one"),
        ("no slope at 0", rms(lambda x, e: (m(x * x).sqrt() ** 2 + e).sqrt()), "A root's slope is infinite at 0"),
        ("gamma detached", lambda x, g, eps=1e-5: rms_right(x, g.detach(), eps), "No gradient reaches gamma"),
    ],
    "07_layer_norm.diagnose": [
        ("axes of size 1 dropped", mended(squeezed(stack_right)), "squeezed?"),
        ("16 bits widened", mended(widened(stack_right)), "came back as torch.float32"),
        (
            "asks its inputs for gradients",
            mended(switching(stack_right)),
            "require a gradient, and it still does",
        ),
        ("a: eps", fault("a", "eps outside the root"), "the deviation of LN(x) with that of LN(10 x)"),
        ("a: over time", fault("a", "statistics over time"), "It keeps its positions apart"),
        ("a: unbiased", fault("a", "unbiased variance"), "a little below 1, for any x"),
        ("b: over the batch", fault("b", "Statistics over the batch"), "but not when a sample does"),
        ("b: unbiased", fault("b", "unbiased variance"), "when another position of its sequence changes"),
        ("c: eps", fault("c", "eps outside the root"), "in which order does it subtract and average?"),
        ("c: unbiased", fault("c", "unbiased variance"), "Every number that is printed for it is right"),
        ("d: no final norm", fault("d", "final norm missing"), "and with silent sub-layers?"),
        ("d: nothing", fault("d", "post-norm"), "choose one of"),
        ("d: a number", fault("d", 4), "is of type int"),
        ("a shown by a sample", shown("a", "another sample of the batch moves the output"), "no other sample moves"),
        ("b shown by gamma", shown("b", "gamma has no effect"), "gamma multiplies what comes out"),
        ("c shown by ten times x", shown("c", ANSWERS.named["a"][1]), "the square of x"),
        ("d shown by 10,000", shown("d", ANSWERS.named["c"][1]), "two large numbers are subtracted there"),
        ("as it was", mended(skip_normalised), "The skip still carries norm(x)", "M23"),
        ("final norm dropped", mended(no_final), "The final norm is missing", "M23"),
        ("neither", mended(broken_stack), "The skip still carries norm(x)", "M23"),
        ("post", mended(post_stack), "These are post-norm layers", "M23"),
        ("post with a final norm", mended(post_and_final), "post-norm layers", "M23"),
        ("final norm inside", mended(final_inside), "inside the loop", "M23"),
        ("final norm first", mended(final_first), "before the first layer", "M23"),
        ("last norm again", mended(last_for_final), "stands in for the final norm", "M23"),
        ("stack in place", mended(stack_in_place), "changed its input x in place"),
        ("return inside", mended(stack_of_one), "Only the first layer runs"),
        ("first skip", mended(skips_from_the_start), "Each skip carries the input of the stack"),
        ("final norm for all", mended(final_for_all), "stands before each layer"),
        ("without norms", mended(no_norms), "norms are not used", "M23"),
        ("lists used up", mended(stack_popped), "changed the list of sub-layers"),
        ("lists turned round", mended(stack_reversed), "changed the list of sub-layers"),
        ("skip detached", mended(stack_detached), "the gradient of x (look for .detach()"),
    ],
    "07_layer_norm.counterexample": [
        ("all hold", lambda claim: "holds", "you say that LN(-x) = LN(x) holds"),
        ("a shift per feature holds", claims(per_feature="holds"), "only what all features share"),
        ("permutation in spite of gamma", claims(permute="holds"), "gamma and beta stay where they are"),
        ("permutation without gamma", claims(permute=(FOUR, ONES, NOUGHTS)), "gamma and beta are the same"),
        (
            "the same from both ends",
            claims(permute=(FOUR, torch.tensor([2.0, 1.0, 1.0, 2.0]), NOUGHTS)),
            "read the same from both ends",
        ),
        ("x + v is 2 x", claims(per_feature=(torch.arange(4.0), ONES, NOUGHTS)), "plus a constant?"),
        (
            "two features",
            claims(per_feature=([3.0, 0.0], [1.0, 2.0], [0.0, 5.0])),
            "Two features normalise to -1 and 1",
        ),
        ("gamma 0", claims(negate=(FOUR, NOUGHTS, ONES)), "gamma is 0"),
        ("equal features", claims(negate=(ONES, ONES, NOUGHTS)), "and such an x is excluded"),
        ("a shift refuted", claims(shift=(FOUR, ONES, NOUGHTS)), "and it holds, whatever x"),
        ("a scale refuted", claims(scale=(FOUR, ONES, NOUGHTS)), "grow alike"),
        ("negate holds", claims(negate="holds"), "Only a positive factor"),
        ("x only", claims(negate=(FOUR,)), "got 1 things"),
        ("two shapes", claims(permute=(FOUR, torch.ones(3), NOUGHTS)), "wanted one shape (D,)"),
        ("True", lambda claim: True, "got bool"),
        ("another word", claims(shift="fails"), "got 'fails'"),
        ("not finite", claims(negate=(FOUR / 0, ONES, NOUGHTS)), "must be finite"),
        ("a little", claims(negate=(FOUR, 0.01 * ONES, NOUGHTS)), "do refute LN(-x) = LN(x), but the sides differ by"),
        ("just below", claims(negate=(FOUR, 0.03 * ONES, NOUGHTS)), "A larger gamma makes them differ more"),
        ("gamma hardly differs", claims(permute=(FOUR, ONES + FOUR / 200, NOUGHTS)), "Let gamma or beta differ more"),
        ("gamma small", claims(per_feature=(FOUR, 0.01 * ONES, NOUGHTS)), "an x next to which v"),
        ("x huge", claims(per_feature=(1e9 * FOUR, ONES, NOUGHTS)), "Next to so large an x"),
        ("scale of small numbers", claims(scale=(FOUR / 1000, ONES, NOUGHTS)), "deviations and their root mean square"),
        ("shift of equal features", claims(shift=(ONES, ONES, NOUGHTS)), "the mean rises by the same number"),
        (
            "gamma off where x deviates",
            claims(negate=(torch.tensor([0.0, 1.0, 5.0, -6.0]), torch.eye(4)[0], NOUGHTS)),
            "no deviation from its mean",
        ),
        ("numbers for gamma", claims(negate=(FOUR, 1.0, 0.0)), "have shapes"),
        ("a dictionary", claims(negate={"x": FOUR, "gamma": ONES, "beta": NOUGHTS}), "got dict"),
        ("one random set for all", claims_random, "Wanted are numbers against 'negate' alone"),
        ("one set by hand for all", lambda claim: claims(HAND, HAND, HAND)(claim), "against 'permute' alone"),
        ("negate, any x", claims(negate=(FOUR, ONES, NOUGHTS)), "v does no more to x than a shift"),
        ("negate, any gamma", claims(negate=(UP, 1 + UP, NOUGHTS)), "It holds where gamma and beta read the same"),
        ("negate, any beta", claims(negate=(UP, ONES, UP)), "and 'permute' as well"),
        ("per feature, gamma 1", claims(per_feature=(FOUR, ONES, NOUGHTS)), "and 'negate' as well"),
        (
            "per feature, any beta",
            claims(per_feature=(PEAKED, MIDDLE, UP)),
            "and 'permute' as well",
        ),
        ("permute by gamma", claims(permute=(UP, 1 + UP, NOUGHTS)), "a gamma of 0 or no deviation"),
        ("x + v all equal", claims(per_feature=(-UP, MIDDLE, NOUGHTS)), "all features of x + v are equal"),
        ("x tiny", claims(negate=(1e-13 * UP, ONES, NOUGHTS)), "rounding is all there is to see"),
        ("the wrong way round", lambda claim: "holds" if claim in ("negate", "permute") else HAND, "and it holds"),
    ],
}
