"""Lesson 02, the key that falls silent: how far its output moves, and what people compute in place of that."""

from collections.abc import Iterator

import torch
from torch import Tensor


def moved(weights: Tensor, v: Tensor, shared: bool) -> Tensor:
    """The specification: each output without one key beside the output as it is, and how far they are apart."""
    weights, v = weights.double(), v.double()
    return (silenced(weights, v, shared) - (weights @ v)[..., None, :]).norm(dim=-1)


def silenced(weights: Tensor, v: Tensor, shared: bool) -> Tensor:
    """(..., T, S, e): the output of each query without each key."""
    left = weights[..., None, :] * (1 - torch.eye(weights.shape[-1], dtype=weights.dtype))  # (..., T, S, S)
    if shared:
        left = left / left.sum(dim=-1, keepdim=True)
    return left @ v[..., None, :, :]


ZEROS = (
    "With shared=True the weights that are left have to sum to 1 again: divide them by their sum. This is what "
    "shared=False asks for."
)
SHARES = (
    "With shared=False the weights of the others stay as they are, and sum to less than 1. This is what shared=True "
    "asks for."
)


def wrong_moves(weights: Tensor, v: Tensor, shared: bool) -> Iterator[tuple]:
    """(what comes out, what to tell its author, None)"""
    w, v = weights.double(), v.double()
    S, output = w.shape[-1], (w @ v)[..., None, :]
    without = silenced(w, v, shared)
    off = without - output
    yield moved(w, v, not shared), ZEROS if shared else SHARES, None
    apart = (v[..., None, :, :] - output).norm(dim=-1)
    yield apart, "This is how far the key's value is from the output. Its weight does not enter.", None
    if shared:
        yield w * apart, "The weights that are left are not divided by their sum, 1 - w: the change is too small.", None
        left = w[..., None, :] * (1 - torch.eye(S, dtype=w.dtype))
        equal = left + (w / (S - 1))[..., None] * (1 - torch.eye(S, dtype=w.dtype))
        words = "Each of the others gets the same part of the weight; wanted in proportion to their own weights."
        yield (equal @ v[..., None, :, :] - output).norm(dim=-1), words, None
        words = "A softmax is taken of the weights that are left. They are no scores: divide them by their sum."
        yield (left.softmax(dim=-1) @ v[..., None, :, :] - output).norm(dim=-1), words, None
        hidden = torch.eye(S, dtype=torch.bool)
        again = w[..., None, :].expand(left.shape).masked_fill(hidden, -torch.inf).softmax(dim=-1)
        yield (again @ v[..., None, :, :] - output).norm(dim=-1), words, None
        kept = (w / (1 - w))[..., None] * v[..., None, :, :]
        words = "This is w / (1 - w) times the length of the value. Its distance from the *output* is what counts."
        yield kept.norm(dim=-1), words, None
    else:
        yield w * apart, "What is taken away is w times the value itself, not its distance from the output.", None
        yield v.norm(dim=-1)[..., None, :].expand(w.shape), "This is the length of the value, without its weight.", None
    yield (
        without.norm(dim=-1),
        "This is the length of the output without the key; wanted is how far it has moved.",
        None,
    )
    longer = without.norm(dim=-1) - output.norm(dim=-1)
    words = "Two lengths are compared. An output may turn and keep its length: take the length of the difference."
    yield longer, words, None
    yield longer.abs(), words, None
    yield off.square().sum(dim=-1), "The root is missing: this is the square of the distance.", None
    yield (
        off.abs().sum(dim=-1),
        "These are sums of absolute numbers; wanted is the length, root of a sum of squares.",
        None,
    )
    yield (
        off.square().mean(dim=-1).sqrt(),
        "This is the root of the *mean* of the squares; wanted is that of their sum.",
        None,
    )
    yield off.square().mean(dim=-1), "This is the mean of the squares; wanted is the root of their sum.", None
    yield (
        off.abs().amax(dim=-1),
        "This is the largest change among the numbers; wanted is the length of all of them.",
        None,
    )
    relative = off.norm(dim=-1) / output.norm(dim=-1)
    yield relative, "This is divided by the length of the output; wanted is how far it moves, by itself.", None
    yield off.sum(dim=-1), "The changes are added up with their signs, so some cancel; wanted is the length.", None
    yield w, "These are the weights themselves: they say where a query looks, not what the key's value does.", None
    if not shared:
        return
    others = w[..., None, :].expand(off.shape[:-1] + (S,)) / (1 - w)[..., None]  # key j kept, the rest divided
    yield (
        (others @ v[..., None, :, :] - output).norm(dim=-1),
        "The weights are divided by 1 - w, but key j still has its own: set it to 0 first.",
        None,
    )
