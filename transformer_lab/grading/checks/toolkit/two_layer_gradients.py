"""Lesson 01: the checks of the chain rule through two layers."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import compare, copies, expect_tensor, keeps_dtype, leaves_alone
from .cross_entropy_gradient import with_autograd
from .loss_faults import TWICE


class two_layer_gradients:
    answers = ("two_layer_gradients(x, w1, w2, targets)",)

    @check("two tensors of the matrices' shapes", 0.5)
    def shape(two_layer_gradients):
        for dtype in (torch.float32, torch.float64):
            inputs = network(*draw.one_of(*NETWORKS)[0], dtype)
            for name, one in zip(("dw1", "dw2"), both(two_layer_gradients, *inputs), strict=True):
                keeps_dtype(one, dtype, name)

    @check("dw2", 1)
    def outer(two_layer_gradients):
        for sizes in draw.one_of(*NETWORKS):
            expect_outer(two_layer_gradients, *network(*sizes))

    @check("dw1", 2)
    def inner(two_layer_gradients):
        for sizes in draw.one_of(*NETWORKS):
            inputs = network(*sizes)
            wanted = gradients_by_loops(*inputs)[0]
            look = "From the loss to W_1: p - y over N, through W_2, through tanh, and x on the left."
            told = [*of_w1(*inputs), *((dw1, words, code) for dw1, _, words, code in others(*inputs))]
            compare(both(two_layer_gradients, *inputs)[0], wanted, told, "dw1", look=look)

    @check("inputs left alone", 0.5)
    def unchanged(two_layer_gradients):
        x, w1, w2, targets = inputs = network(*draw.one_of(*NETWORKS)[0])
        expect_outer(two_layer_gradients, *inputs)
        once = functools.partial(with_autograd, two_layer_gradients)
        leaves_alone(once, x=x, w1=w1, w2=w2, targets=targets)


def expect_outer(two_layer_gradients, *inputs) -> None:
    wanted = gradients_by_loops(*inputs)[1]
    look = "From the loss to W_2: p - y over N, and the hidden layer, tanh(x W_1), on the left."
    told = [*of_w2(*inputs), *((dw2, words, code) for _, dw2, words, code in others(*inputs))]
    compare(both(two_layer_gradients, *inputs)[1], wanted, told, "dw2", look=look)


# N, D, d_ff, V
NETWORKS = (
    ((5, 3, 4, 6), (4, 4, 4, 4), (1, 2, 5, 3), (7, 5, 5, 3)),
    ((6, 4, 3, 5), (5, 5, 5, 5), (1, 3, 2, 6), (8, 4, 4, 3)),
    ((5, 2, 6, 4), (3, 3, 3, 3), (1, 2, 4, 5), (7, 6, 6, 4)),
)


def network(N: int, D: int, d_ff: int, V: int, dtype=torch.float32):
    """x, the two matrices and targets; tanh neither linear nor flat."""
    x, w1, w2 = draw.normal(N, D, dtype=dtype), draw.normal(D, d_ff, dtype=dtype), draw.normal(d_ff, V, dtype=dtype)
    return x, (w1 - 0.2) / math.sqrt(D), w2 / math.sqrt(d_ff), draw.integers(V, N)


def both(answer, x, w1, w2, targets):
    got = with_autograd(answer, *copies(x, w1, w2, targets))
    if isinstance(got, Tensor) or not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Wrong("Wanted two tensors: return dw1, dw2.")
    shapes = [tuple(value.shape) for value in got if isinstance(value, Tensor)]
    if shapes == [tuple(w2.shape), tuple(w1.shape)] != [tuple(w1.shape), tuple(w2.shape)]:
        raise Wrong("The two come in the wrong order: return dw1, dw2.")
    for name, value, w in zip(("dw1", "dw2"), got, (w1, w2), strict=True):
        expect_tensor(value, name, w.shape)
    return got


def gradients_by_loops(x: Tensor, w1: Tensor, w2: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The specification: the chain rule, weight by weight and row by row."""
    (D, d_ff), V, N = w1.shape, w2.shape[1], len(x)
    dw1, dw2 = [[0.0] * d_ff for _ in range(D)], [[0.0] * V for _ in range(d_ff)]
    a, b = w1.double().tolist(), w2.double().tolist()
    for row, target in zip(x.double().tolist(), targets.tolist(), strict=True):
        h = [math.tanh(sum(row[i] * a[i][c] for i in range(D))) for c in range(d_ff)]
        powers = [math.exp(sum(h[c] * b[c][v] for c in range(d_ff))) for v in range(V)]
        dscores = [powers[v] / sum(powers) - (v == target) for v in range(V)]
        for c in range(d_ff):
            slope = 1 - h[c] ** 2
            dh = sum(dscores[v] * b[c][v] for v in range(V))
            for v in range(V):
                dw2[c][v] += h[c] * dscores[v] / N
            for i in range(D):
                dw1[i][c] += row[i] * slope * dh / N
    return torch.tensor(dw1, dtype=torch.float64), torch.tensor(dw2, dtype=torch.float64)


def others(x, w1, w2, targets):
    """(dw1, dw2, message, misconception) of other networks and losses, by autograd."""
    acts = {"relu": torch.relu, "sigmoid": torch.sigmoid, "gelu": F.gelu, "silu": F.silu, "no activation": lambda z: z}
    acts |= {"leaky relu": F.leaky_relu, "softplus": F.softplus, "tanh twice": lambda z: z.tanh().tanh()}
    losses = [("", lambda s: F.cross_entropy(s, targets), None)]
    losses += [(TWICE, lambda s: F.cross_entropy(s.softmax(-1), targets), "M38")]
    losses += [
        ("The losses are summed; wanted their mean.", lambda s: F.cross_entropy(s, targets, reduction="sum"), None)
    ]
    for about_loss, loss, misconception in losses:
        for name, act in {"tanh": torch.tanh, **acts}.items():
            about = "" if name == "tanh" else f"The hidden layer has {name} here; wanted tanh."
            a, b = (w.double().clone().requires_grad_() for w in (w1, w2))
            loss(act(x.double() @ a) @ b).backward()
            if about or about_loss:
                yield a.grad, b.grad, " ".join(filter(None, (about, about_loss))), misconception
    dw1, dw2 = gradients_by_loops(x, w1, w2, targets)
    for sign in (-1, 1):
        words = "These are the matrices after a step; wanted the gradients themselves."
        yield w1.double() + sign * dw1, w2.double() + sign * dw2, words, None
    yield dw1 / len(x), dw2 / len(x), "It is divided by N twice: cross-entropy's mean divides by N already.", None


def forward(x, w1, w2, targets):
    x, w1, w2 = x.double(), w1.double(), w2.double()
    z = x @ w1
    h = z.tanh()
    scores = h @ w2
    y = F.one_hot(targets, w2.shape[1]).double()
    return x, w2, z, h, scores, scores.softmax(-1), y


MEAN = "The mean over the batch is missing: divide by N = {}."
OVER_CLASSES = "It is divided by V, the number of classes: cross-entropy's mean runs over the N rows."
SIGN = "The sign is flipped: the gradient of the loss with respect to the scores is p - y."
SOFTMAX_AXIS = "Softmax runs along axis 0, over the batch: dim=-1."
OTHERS = (  # activation, its slope, message
    (torch.relu, lambda z: (z > 0).to(z), "The activation is ReLU here; wanted tanh."),
    (torch.sigmoid, lambda z: z.sigmoid() * (1 - z.sigmoid()), "The activation is a sigmoid here; wanted tanh."),
    (lambda z: z, torch.ones_like, "There is no activation here; wanted tanh."),
)


def other_errors(scores, p, y):
    """(the gradient at the scores, message) of other losses."""
    for divisor in (len(y), 1, y.numel()):
        yield (
            -y / p / divisor,
            "This starts with the derivative with respect to p; with respect to the scores it is p - y.",
        )
        for factor in (1, 2):
            yield (
                factor * (scores - y) / divisor,
                "Softmax is missing: the gradient with respect to the scores is softmax - y.",
            )
            if factor == 2:
                yield 2 * (p - y) / divisor, "There is a factor 2 too many: this is not a squared error."


def of_w2(x, w1, w2, targets):
    N = len(x)
    x, w2, z, h, scores, p, y = forward(x, w1, w2, targets)
    e = (p - y) / N
    right = h.T @ e
    yield right * N, MEAN.format(N), None
    yield -right, SIGN, None
    yield -right * N, SIGN + " " + MEAN.format(N), None
    yield (
        right / w2.shape[1],
        "There is a division by V too many: cross-entropy's mean runs over the N rows only.",
        None,
    )
    yield right * N / w2.shape[1], OVER_CLASSES, None
    yield (
        z.T @ e,
        "x W_1 is used where tanh(x W_1) should be: w2 is fed by the hidden layer after its activation.",
        None,
    )
    yield z.T @ (p - y), "x W_1 is used where tanh(x W_1) should be; and " + MEAN.format(N), None
    for act, _, message in OTHERS:
        yield act(z).T @ ((act(z) @ w2).softmax(-1) - y) / N, message, None
    for wrong, message in other_errors(scores, p, y):
        yield h.T @ wrong, message, None
    ids = y.argmax(-1, keepdim=True)
    yield h.T @ (p - ids) / N, "The target's number is subtracted: it names a column, whose entry loses 1.", None
    yield h.T @ p / N, "y is missing: the gradient with respect to the scores is p - y.", None
    yield h.T @ p, "y is missing: the gradient with respect to the scores is p - y.", None
    yield (
        h.T @ (scores - y) / N,
        "Softmax is missing: the gradient with respect to the scores is softmax(scores) - y.",
        None,
    )
    yield h.T @ (scores.softmax(0) - y) / N, SOFTMAX_AXIS, None
    yield (
        h.T @ (p * (1 - p) * (p - y)) / N,
        "There is a factor p (1 - p) too many: softmax and loss together give p - y.",
        None,
    )
    yield (1 - h**2).T @ e, "tanh's slope is used where tanh should be: w2 multiplies the hidden layer itself.", None
    yield (h * (1 - h**2)).T @ e, "tanh's slope has no place in dw2: w2 stands after the activation.", None
    turned = "dw2 is transposed: there are as many hidden units as classes here. It is (d_ff, V)."
    if right.shape[0] == right.shape[1]:
        yield right.T, turned, None
        yield right.T * N, turned, None
    if x.shape[0] == h.shape[1]:
        yield h @ e, "The hidden layer is not transposed: N and d_ff are equal here, so no error warns you.", None
    if x.shape[1] == h.shape[1]:
        yield x.T @ e, "x is used where the hidden layer should be.", None
        slope = (1 - h**2) * (e @ w2.T)
        if w2.shape[0] == w2.shape[1]:
            yield x.T @ slope, "The two gradients are swapped: return dw1, dw2.", None
    yield (h.mean(0).unsqueeze(-1) * e.sum(0)), "The means are multiplied; wanted the mean of the products.", None


def of_w1(x, w1, w2, targets):
    N = len(x)
    x, w2, z, h, scores, p, y = forward(x, w1, w2, targets)
    e = (p - y) / N
    slope, dh = 1 - h**2, e @ w2.T
    right = x.T @ (dh * slope)
    yield right * N, MEAN.format(N), None
    yield -right, SIGN, None
    yield -right * N, SIGN + " " + MEAN.format(N), None
    yield x.T @ dh, "tanh's slope is forgotten: multiply what arrives at the hidden layer by 1 - h^2.", None
    yield x.T @ dh * N, "tanh's slope is forgotten; and " + MEAN.format(N), None
    yield (
        right / w2.shape[1],
        "There is a division by V too many: cross-entropy's mean runs over the N rows only.",
        None,
    )
    yield right * N / w2.shape[1], OVER_CLASSES, None
    off = "The slope of tanh is 1 - h^2 with h = tanh(x W_1); this is something else."
    wrongs = (1 - h, 1 - z**2, h * (1 - h), h**2, h, 1 - slope.tanh() ** 2, 1 - z.tanh(), -slope, z, 1 - h**2 * h)
    for wrong in (*wrongs, 1 + h**2, slope.sqrt(), slope**2, 1 / z.cosh(), (1 - h) ** 2, 1 - h.abs()):
        yield x.T @ (dh * wrong), off, None
    yield x.T @ (dh * (1 - h.tanh() ** 2)), off + " tanh was applied twice: h is tanh(x W_1) already.", None
    yield x.T @ (dh * (z > 0)), "This is ReLU's slope; the activation is tanh: 1 - h^2.", None
    yield x.T @ (dh * z.cosh() ** 2), "cosh^2 is one over the slope: 1 - h^2 = 1 / cosh^2.", None
    for wrong, message in other_errors(scores, p, y):
        yield x.T @ ((wrong @ w2.T) * slope), message, None
    s = z.sigmoid()
    yield x.T @ (dh * s * (1 - s)), "This is a sigmoid's slope; the activation is tanh: 1 - h^2.", None
    for act, its_slope, message in OTHERS:
        error = ((act(z) @ w2).softmax(-1) - y) / N
        yield x.T @ ((error @ w2.T) * its_slope(z)), message, None
    yield x.T @ ((p @ w2.T) * slope) / N, "y is missing: the gradient with respect to the scores is p - y.", None
    yield (
        x.T @ (((scores - y) / N @ w2.T) * slope),
        "Softmax is missing: the gradient with respect to the scores is p - y.",
        None,
    )
    yield x.T @ (((scores.softmax(0) - y) / N @ w2.T) * slope), SOFTMAX_AXIS, None
    if w2.shape[0] == w2.shape[1]:
        message = "w2 is not transposed on the way back: d_ff and V are equal here, so no error warns you."
        yield x.T @ ((e @ w2) * slope), message, None
        yield x.T @ (e @ w2), message + " And tanh's slope is forgotten.", None
        yield x.T @ (e * slope), "w2 is left out: the way back to the hidden layer goes through it.", None
    if right.shape[0] == right.shape[1]:
        turned = "dw1 is transposed: D and d_ff are equal here. It is (D, d_ff)."
        yield right.T, turned, None
        yield right.T * N, turned, None
    if x.shape[0] == x.shape[1]:
        yield x @ (dh * slope), "x is not transposed: N and D are equal here, so no error warns you.", None
    yield x.T @ dh * slope.mean(0), "The slope is averaged over the batch: each row has its own, before x^T @.", None
    yield right * 2, "There is a factor 2 too many: this is not a squared error.", None
    yield right / N, "It is divided by N twice: cross-entropy's mean divides by N already.", None
    yield (
        x.T @ (((p * (1 - p) * (p - y)) / N @ w2.T) * slope),
        "There is a factor p (1 - p) too many: softmax and loss together give p - y.",
        None,
    )
