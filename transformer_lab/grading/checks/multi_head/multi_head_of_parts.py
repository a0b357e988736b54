"""Lesson 04: multi-head attention put together from parts, any of which may be done differently."""

import math

import torch
import torch.nn.functional as F


def cut(x, H):
    B, T, D = x.shape
    return x.view(B, T, H, D // H).transpose(1, 2)


def view_alone(x, H):
    B, T, D = x.shape
    return x.reshape(B, H, T, D // H)


def cards(x, H):
    B, T, D = x.shape
    return x.view(B, T, D // H, H).permute(0, 3, 1, 2)


def re_read(x, H):
    B, T, D = x.shape
    return x.transpose(1, 2).reshape(B, H, T, D // H)


def join(o):
    return o.transpose(1, 2).flatten(2)


def join_alone(o):
    B, H, T, d_head = o.shape
    return o.reshape(B, T, H * d_head)


def join_cards(o):
    return o.permute(0, 2, 3, 1).flatten(2)


def join_swapped(o):
    B, H, T, d_head = o.shape
    return o.transpose(2, 3).reshape(B, T, H * d_head)


def compute(module, x, memory, H, split=cut, split_v=None, merge=join, scale=None, attend=None, inputs="xmm",
            maps="qkvo", act=None, on="", unbiased="", turned="",
            key_turned=True, skip="", heads=None, out=None, residual=False, sources=None, act_in_heads=None,
            key_shift=0):  # fmt: skip
    """Multi-head attention in float64, with one part or another done differently."""
    memory = x if memory is None else sources(x, memory) if sources else memory
    source, H = {"x": x.double(), "m": memory.double()}, heads or H

    def linear(letter, inputs):
        if letter in skip:
            return inputs
        layer = getattr(module, f"w_{letter}")
        weight = layer.weight.detach().double()
        result = inputs @ (weight if letter in turned else weight.T)
        return result if letter in unbiased else result + layer.bias.detach().double()

    q, k, v = (linear(name, source[where]) for name, where in zip(maps[:3], inputs, strict=True))
    q, k, v = (act(z) if act and name in on else z for name, z in zip("qkv", (q, k, v), strict=True))
    q, k, v = split(q, H), split(k, H), (split_v or split)(v, H)
    if act_in_heads:
        q, k, v = (act_in_heads(z) if name in on else z for name, z in zip("qkv", (q, k, v), strict=True))
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    k = k.roll(key_shift, 1) if key_shift else k
    scores = q @ (k.transpose(-2, -1) if key_turned else k) * factor
    output = attend(scores, v) if attend else scores.softmax(-1) @ v
    output = merge(output)
    if out:
        return out(output, lambda z: linear("o", z))
    return linear(maps[3], output) + (source["x"] if residual else 0)


def unit(z):
    return F.normalize(z, dim=-1)


def normed(z):
    return F.layer_norm(z, z.shape[-1:])


def softmax(dim):
    return lambda s, v: s.softmax(dim) @ v


def alone(s, v):
    itself = torch.eye(*s.shape[-2:], dtype=torch.bool)
    return s.masked_fill(itself, -torch.inf).softmax(-1) @ v


def causal(s, v):
    return s.masked_fill(~torch.ones(s.shape[-2:]).tril().bool(), -torch.inf).softmax(-1) @ v


def whole_width(s):
    """What scores of full width, divided by the root of that, are, for every head the same."""
    return s.sum(1, True).expand(s.shape) / math.sqrt(s.shape[1])


def mean_of_heads(o):
    return join(o.mean(1, keepdim=True).expand(o.shape))


def not_swapped(x, H):
    B, T, D = x.shape
    return x.view(B, T, H, D // H)
