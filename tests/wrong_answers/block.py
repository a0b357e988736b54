"""Lesson 09: answers to its exercises, wrong with the words their author must be told, and right."""

import copy
import math
import re
from dataclasses import replace
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from careless import copying, squeezed, switching, widened
from diagnoses import Diagnosed
from transformer_lab.layers import LayerNorm

POINTS = {
    "09_block.Block": 5,
    "09_block.Stack": 4,
    "09_block.count_parameters": 6,
    "09_block.cache_bytes": 3,
    "09_block.forward_flops": 4,
    "09_block.identify": 4,
    "09_block.repair": 3,
    "09_block.LanguageModel": 5,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M14", "M15", "M18", "M19", "M23", "M29", "M34")


# Block --------------------------------------------------------------------------------------------------------


def block(forward, norms=2, before=None):
    """A Block with this forward(self, x); n_1 and n_2 are its norms, a and f its parts."""

    class Block(nn.Module):
        def __init__(self, d_model, attention, feed_forward):
            super().__init__()
            self.a, self.f = attention, feed_forward
            self.n_1 = nn.LayerNorm(d_model)
            self.n_2 = nn.LayerNorm(d_model) if norms > 1 else self.n_1
            self.n_3 = nn.LayerNorm(d_model) if norms > 2 else None
            if before:
                before(self)

        def forward(self, x):
            return forward(self, x)

    return Block


def with_a_matrix(s):
    s.w = nn.Linear(*2 * s.n_1.normalized_shape)


def pre(s, x):
    x = x + s.a(s.n_1(x))
    return x + s.f(s.n_2(x))


def pre_one_line(s, x):
    return (y := x + s.a(s.n_1(x))) + s.f(s.n_2(y))


def pre_in_place(s, x):
    y = x.clone()
    y += s.a(s.n_1(y))
    return y + s.f(s.n_2(y))


class HandMadeNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        return self.gamma * centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() + self.beta


class BlockOfWrappers(nn.Module):
    """Each half a wrapper: the second norm is made first."""

    class Half(nn.Module):
        def __init__(self, part, norm):
            super().__init__()
            self.part, self.norm = part, norm

        def forward(self, x):
            return x + self.part(self.norm(x))

    def __init__(self, d_model, attention, feed_forward):
        super().__init__()
        self.second = self.Half(feed_forward, HandMadeNorm(d_model))
        self.first = self.Half(attention, HandMadeNorm(d_model))

    def forward(self, x):
        return self.second(self.first(x))


def block_function(d_model, attention, feed_forward):
    return BlockOfWrappers(d_model, attention, feed_forward)


def post(s, x):
    x = s.n_1(x + s.a(x))
    return s.n_2(x + s.f(x))


def ln_then_add_then_ln(s, x):
    x = s.n_1(x + s.a(s.n_1(x)))
    return s.n_2(x + s.f(s.n_2(x)))


def last_norm(s, x):
    x = x + s.a(s.n_1(x))
    return s.n_2(x + s.f(s.n_2(x)))


def behind_the_part(s, x):
    x = x + s.n_1(s.a(x))
    return x + s.n_2(s.f(x))


def overwritten(s, x):
    x = s.n_1(x)
    x = x + s.a(x)
    x = s.n_2(x)
    return x + s.f(x)


def overwritten_second(s, x):
    x = x + s.a(s.n_1(x))
    x = s.n_2(x)
    return x + s.f(x)


def overwritten_first(s, x):
    x = s.n_1(x)
    x = x + s.a(x)
    return x + s.f(s.n_2(x))


def from_the_start(s, x):
    return x + s.f(s.n_2(x + s.a(s.n_1(x))))


def parallel(s, x):
    return x + s.a(s.n_1(x)) + s.f(s.n_2(x))


def no_first_skip(s, x):
    x = s.a(s.n_1(x))
    return x + s.f(s.n_2(x))


def no_second_skip(s, x):
    x = x + s.a(s.n_1(x))
    return s.f(s.n_2(x))


def no_skip(s, x):
    return s.f(s.n_2(s.a(s.n_1(x))))


def no_norms(s, x):
    x = x + s.a(x)
    return x + s.f(x)


def no_second_norm(s, x):
    x = x + s.a(s.n_1(x))
    return x + s.f(x)


def no_first_norm(s, x):
    x = x + s.a(x)
    return x + s.f(s.n_2(x))


def doubled(s, x):
    y = s.a(s.n_1(x))  # noqa: F841
    x = x + x
    return x + s.f(s.n_2(x))


def doubled_second(s, x):
    x = x + s.a(s.n_1(x))
    return x + x


def part_twice(s, x):
    y = s.a(s.n_1(x))
    x = y + y
    return x + s.f(s.n_2(x))


def feed_forward_first(s, x):
    x = x + s.f(s.n_2(x))
    return x + s.a(s.n_1(x))


def attention_only(s, x):
    return x + s.a(s.n_1(x))


def feed_forward_only(s, x):
    return x + s.f(s.n_2(x))


def one_norm_twice(s, x):
    x = x + s.a(s.n_1(x))
    return x + s.f(s.n_1(x))


def norm_reused(s, x):
    h = s.n_1(x)
    return x + s.a(h) + s.f(h)


def input_twice(s, x):
    y = x + s.a(s.n_1(x))
    return x + y + s.f(s.n_2(y))


def mixed_styles(s, x):
    x = x + s.a(s.n_1(x))
    return s.n_2(x + s.f(x))


def scaled_parts(s, x):
    x = x + 0.5 * s.a(s.n_1(x))
    return x + 0.5 * s.f(s.n_2(x))


def relu_behind(s, x):
    x = x + s.a(s.n_1(x)).relu()
    return x + s.f(s.n_2(x))


def sum_of_parts(s, x):
    y = s.a(s.n_1(x))
    return y + s.f(s.n_2(x + y))


def attention_again(s, x):
    x = x + s.a(s.n_1(x))
    return x + s.a(s.n_2(x))


def norm_of_norm(s, x):
    x = x + s.a(s.n_1(x))
    return x + s.f(s.n_2(s.n_2(x)))


def bare_second(s, x):
    x = x + s.a(s.n_1(x))
    return x + s.f(F.layer_norm(x, x.shape[-1:]))


def half_scales(s):
    nn.init.constant_(s.n_1.weight, 0.5)


def no_shift(s):
    s.n_1, s.n_2 = (nn.LayerNorm(n.normalized_shape, bias=False) for n in (s.n_1, s.n_2))


def wide_norms(s):
    s.n_1, s.n_2 = (nn.LayerNorm((5, *n.normalized_shape)) for n in (s.n_1, s.n_2))


class NormsInAList(nn.Module):
    def __init__(self, d_model, attention, feed_forward):
        super().__init__()
        self.a, self.f, self.norms = attention, feed_forward, [nn.LayerNorm(d_model), nn.LayerNorm(d_model)]

    def forward(self, x):
        x = x + self.a(self.norms[0](x))
        return x + self.f(self.norms[1](x))


class BatchNormBlock(nn.Module):
    def __init__(self, d_model, attention, feed_forward):
        super().__init__()
        self.a, self.f = attention, feed_forward
        self.n_1, self.n_2 = nn.BatchNorm1d(d_model), nn.BatchNorm1d(d_model)

    def forward(self, x):
        x = x + self.a(self.n_1(x.transpose(1, 2)).transpose(1, 2))
        return x + self.f(self.n_2(x.transpose(1, 2)).transpose(1, 2))


class BlockOfTables(nn.Module):
    """Both norms' scales in one tensor, both shifts in another."""

    def __init__(self, d_model, attention, feed_forward):
        super().__init__()
        self.parts = nn.ModuleList([attention, feed_forward])
        self.scales, self.shifts = nn.Parameter(torch.ones(2, d_model)), nn.Parameter(torch.zeros(2, d_model))

    def forward(self, x):
        for part, scale, shift in zip(self.parts, self.scales, self.shifts, strict=True):
            x = x + part(F.layer_norm(x, x.shape[-1:], scale, shift))
        return x


def into_its_input(s, x):
    x += s.a(s.n_1(x))
    x += s.f(s.n_2(x))
    return x


def detached(s, x):
    x = x + s.a(s.n_1(x)).detach()
    return x + s.f(s.n_2(x))


def thrown_away(s, x):
    pre(s, x)
    return x


def with_dropout(s, x):
    return F.dropout(pre(s, x), 0.1, training=True)


def subtracted(s, x):
    x = x - s.a(s.n_1(x))
    return x + s.f(s.n_2(x))


def activated(s, x):
    return pre(s, x).relu()


def skip_detached(s, x):
    x = x.detach() + s.a(s.n_1(x))
    return x + s.f(s.n_2(x))


def over_the_batch(s, x):
    def norm(x):
        return (x - x.mean((0, 1))) / (x.var((0, 1), unbiased=False) + 1e-5).sqrt()

    x = x + s.a(norm(x))
    return x + s.f(norm(x))


def set_width(s):
    s.n_1, s.n_2 = nn.LayerNorm(5), nn.LayerNorm(5)


def norms_in_a_list(s):
    s.norms = [s.n_1, s.n_2]
    del s.n_1, s.n_2
    s.n_1, s.n_2 = s.norms[0].forward, s.norms[1].forward


def tuple_returned(s, x):
    return pre(s, x), x


class NormsInForward(nn.Module):
    def __init__(self, d_model, attention, feed_forward):
        super().__init__()
        self.a, self.f, self.d = attention, feed_forward, d_model

    def forward(self, x):
        self.n_1, self.n_2 = nn.LayerNorm(self.d), nn.LayerNorm(self.d)
        return pre(self, x.float())


def hide_parts(s):
    s.hidden = [s.a, s.f]
    del s.a, s.f


def copy_attention(s):
    s.a = copy.deepcopy(s.a)


def from_hidden(s, x):
    x = x + s.hidden[0](s.n_1(x))
    return x + s.hidden[1](s.n_2(x))


class NoModule:
    def __init__(self, d_model, attention, feed_forward):
        self.inner = block(pre)(d_model, attention, feed_forward)

    def __call__(self, x):
        return self.inner(x)


class SuperForgotten(nn.Module):
    def __init__(self, d_model, attention, feed_forward):
        self.attention = attention


class RMSBlock(nn.Module):
    def __init__(self, d_model, attention, feed_forward):
        super().__init__()
        self.a, self.f, self.n_1, self.n_2 = attention, feed_forward, nn.RMSNorm(d_model), nn.RMSNorm(d_model)

    forward = pre


# Stack --------------------------------------------------------------------------------------------------------


def stack(forward, make=lambda n, make_block: nn.ModuleList(make_block() for _ in range(n)), norms=1):
    class Stack(nn.Module):
        def __init__(self, n_layers, d_model, make_block):
            super().__init__()
            self.blocks = make(n_layers, make_block)
            if norms:
                self.norm = nn.LayerNorm(d_model)
            if norms > 1:
                self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(norms - 1))

        def forward(self, x):
            return forward(self, x)

    return Stack


def through(s, x):
    for one in s.blocks:
        x = one(x)
    return s.norm(x)


def sequential_stack(n_layers, d_model, make_block):
    return nn.Sequential(*[make_block() for _ in range(n_layers)], nn.LayerNorm(d_model))


class StackByNames(nn.Module):
    def __init__(self, n_layers, d_model, make_block):
        super().__init__()
        self.n_layers, self.last = n_layers, nn.LayerNorm(d_model)
        for i in range(n_layers):
            setattr(self, f"block_{i}", make_block())

    def forward(self, x):
        for i in range(self.n_layers):
            x = getattr(self, f"block_{i}")(x)
        return self.last(x)


def every_norm(s, x):
    for one in s.blocks:
        x = s.norm(one(x))
    return x


def no_final_norm(s, x):
    for one in s.blocks:
        x = one(x)
    return x


def lost(s, x):
    for one in s.blocks:
        one(x)
    return s.norm(x)


def last_only(s, x):
    for one in s.blocks:
        y = one(x)
    return s.norm(y)


def side_by_side(s, x):
    return s.norm(sum(one(x) for one in s.blocks))


def added_each(s, x):
    for one in s.blocks:
        x = x + one(x)
    return s.norm(x)


def add_and_norm(s, x):
    for one in s.blocks:
        x = s.norm(x + one(x))
    return x


def added_at_the_end(s, x):
    return x + through(s, x)


def reversed_order(s, x):
    for one in reversed(s.blocks):
        x = one(x)
    return s.norm(x)


def returned_inside(s, x):
    for one in s.blocks:  # noqa: B007
        return s.norm(one(x))
    return x


def norm_first(s, x):
    x = s.norm(x)
    for one in s.blocks:
        x = one(x)
    return x


class StackOfSix(nn.Module):
    def __init__(self, n_layers, d_model, make_block):
        super().__init__()
        self.blocks, self.norm = nn.ModuleList(make_block() for _ in range(n_layers)), nn.LayerNorm(6)

    def forward(self, x):
        return through(self, x)


def norm_before_each(s, x):
    for one in s.blocks:
        x = one(s.norm(x))
    return x


def norm_of_everything(s, x):
    for one in s.blocks:
        x = one(x)
    return F.layer_norm(x, x.shape)


def no_grad_stack(s, x):
    with torch.no_grad():
        return through(s, x)


def repeated(n, make_block):
    return nn.ModuleList([make_block()] * n)


def plain_list(n, make_block):
    return [make_block() for _ in range(n)]


def cloned(n, make_block):
    one = make_block()
    return nn.ModuleList(copy.deepcopy(one) for _ in range(n))


def returned_after_one(s, x):
    for one in s.blocks:
        x = one(x)
        return s.norm(x)
    return x


def one_for_all(s, x, place):
    for _ in s.blocks:
        x = s.blocks[place](x)
    return x


def some_blocks(s, x, which):
    for one in s.blocks[which]:
        x = one(x)
    return x


def exchanged(s, x):
    for one in (*s.blocks[1::-1], *s.blocks[2:]) if len(s.blocks) > 1 else s.blocks:
        x = one(x)
    return s.norm(x)


def folded(s, x):
    def on(x, blocks):
        return on(blocks[0](x), blocks[1:]) if blocks else s.norm(x)

    return on(x, list(s.blocks))


class OtherBlocks(nn.Module):
    def __init__(self, n_layers, d_model, make_block):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(d_model, d_model) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x):
        return through(self, x)


class StackWithoutSuper(nn.Module):
    def __init__(self, n_layers, d_model, make_block):
        self.blocks = nn.ModuleList(make_block() for _ in range(n_layers))


class BlocksInForward(nn.Module):
    def __init__(self, n_layers, d_model, make_block):
        super().__init__()
        self.n, self.make, self.norm = n_layers, make_block, nn.LayerNorm(d_model)

    def forward(self, x):
        for _ in range(self.n):
            x = self.make()(x)
        return self.norm(x)


# count_parameters ---------------------------------------------------------------------------------------------


def counted(config, family, **wrong):
    """The right formula, with one part of it changed by name."""
    c, get = config, wrong.get
    D, V, L, F_ = c.d_model, c.vocab_size, c.n_layers, get("d_ff", lambda c: c.d_ff)(c)
    d_head = get("d_head", lambda c: c.head_width)(c)
    kv = get("kv", lambda c: c.n_kv_heads or c.n_heads)(c)
    b = get("bias", lambda c: int(c.bias))(c)
    norm = get("norm", lambda c: D if c.norm == "rms" else 2 * D)(c)
    q, k = c.n_heads * d_head, kv * d_head
    attention = D * q + 2 * D * k + q * D * get("w_o", 1) + b * get("attention_bias", q + 2 * k + D)
    attention *= get("heads", lambda c: 1)(c)
    gates = get("gates", lambda c: 2 if c.activation == "swiglu" else 1)(c)
    ff = gates * (D * F_ + b * F_) + F_ * D + b * D
    final = get("final", lambda c: norm if c.norm_position == "pre" else 0)(c)
    block = attention + ff + get("norms", 2) * norm
    embedding = V * D
    if get("positions", lambda c: c.positions == "learned")(c):
        embedding += c.max_len * D
    if family == "Transformer":
        layers = L * block + L * (block + get("cross", 1) * (attention + get("third", 1) * norm)) + 2 * final
        layers -= get("m29", 0) * L * (ff + attention)
    else:
        layers = get("layers", L) * block + final
    total = embedding + layers
    if family == "BERT":
        total += get("segments", c.n_segments) * D + get("embedding_norm", 1) * c.norm_embeddings * norm
        total += get("pooler", 1) * c.pooler * (D * D + get("pooler_bias", 1) * D)
        total += c.masked_lm_head * (D * D + D + norm + get("lm_bias", 1) * V + get("lm_decoder", 0) * V * D)
    elif get("output", lambda c: not c.tie_embeddings)(c):
        total += V * D
    return total


def wrong_count(**wrong):
    return lambda config, family: counted(config, family, **wrong)


def by_building(config, family):
    from transformer_lab import BERT, GPT, Transformer

    with torch.device("meta"):
        return sum(
            p.numel() for p in {"GPT": GPT, "BERT": BERT, "Transformer": Transformer}[family](config).parameters()
        )


def second_table(config, family):
    return counted(config, family) + (family == "Transformer") * (config.positions == "learned") * (
        config.max_len * config.d_model
    )


def untied_bert(config, family):
    return counted(config, family) + (family == "BERT") * (not config.tie_embeddings) * (
        config.vocab_size * config.d_model
    )


def counted_by_hand(config, family):
    """Every tensor's shape in a list, as state_dict() would show it."""
    D, heads = config.d_model, config.n_kv_heads if config.n_kv_heads is not None else config.n_heads
    q, k = config.n_heads * config.head_width, heads * config.head_width

    def linear(n_in, n_out, bias=config.bias):
        return [n_in * n_out] + [n_out] * bias

    norm = [D] * (1 if config.norm == "rms" else 2)
    attention = linear(D, q) + 2 * linear(D, k) + linear(q, D) + norm
    feed_forward = linear(D, config.d_ff) * (1 + (config.activation == "swiglu")) + linear(config.d_ff, D) + norm
    end = norm * (config.norm_position == "pre")
    found = [config.vocab_size * D, config.max_len * D * (config.positions == "learned")]
    found += config.n_layers * (attention + feed_forward) + end
    if family == "Transformer":
        found += config.n_layers * (2 * attention + feed_forward) + end
    if family != "BERT":
        return sum(found) + (0 if config.tie_embeddings else config.vocab_size * D)
    dense = linear(D, D, True)
    found += [config.n_segments * D] + norm * config.norm_embeddings + dense * config.pooler
    return sum(found + (dense + norm + [config.vocab_size]) * config.masked_lm_head)


# costs --------------------------------------------------------------------------------------------------------


def cache_right(config, B, S, bytes_per_number):
    return 2 * config.n_layers * B * S * (config.n_kv_heads or config.n_heads) * config.head_width * bytes_per_number


def cache_in_steps(config, B, S, bytes_per_number):
    heads = config.n_heads if config.n_kv_heads is None else config.n_kv_heads
    d_head = config.d_head if config.d_head is not None else config.d_model // config.n_heads
    return (
        sum(torch.zeros(B, heads, S, d_head).numel() for _ in "kv" for _ in range(config.n_layers)) * bytes_per_number
    )


def cache(change):
    return lambda c, B, S, n: change(cache_right(c, B, S, n), c, B, S, n)


def cache_width(width):
    return lambda c, B, S, n: 2 * c.n_layers * B * S * width(c) * n


def flops_right(config, T, core=4, logits=True, gate=True, keys=None, triangle=False, w_o=1, two=2):
    c = config
    D, q, k = c.d_model, c.n_heads * c.head_width, (keys or c.n_kv_heads or c.n_heads) * c.head_width
    matrices = 3 if gate and c.activation == "swiglu" else 2
    layer = two * T * (D * q + w_o * q * D + 2 * D * k + matrices * D * c.d_ff)
    pairs = T * (T + 1) // 2 if triangle else T * T
    layer += core * pairs * q
    return c.n_layers * layer + (two * T * D * c.vocab_size if logits else 0)


def flops_by_products(config, T):
    def product(n, k, m):
        return 2 * n * k * m

    width, kv = config.head_width, config.n_kv_heads or config.n_heads
    total = product(T, config.d_model, config.vocab_size)
    for _ in range(config.n_layers):
        for heads in (config.n_heads, kv, kv):
            total += product(T, config.d_model, heads * width)
        total += config.n_heads * (product(T, width, T) + product(T, T, width))
        total += product(T, config.n_heads * width, config.d_model) + product(T, config.d_ff, config.d_model)
        total += (1 + (config.activation == "swiglu")) * product(T, config.d_model, config.d_ff)
    return total


def biases(config):
    """Of one token, in all layers."""
    width, kv = config.head_width, config.n_kv_heads or config.n_heads
    gates = 1 + (config.activation == "swiglu")
    return (
        config.bias * config.n_layers * ((config.n_heads + 2 * kv) * width + 2 * config.d_model + gates * config.d_ff)
    )


def weights(config):
    """Of the matrices of one layer."""
    heads = config.n_heads + (config.n_kv_heads or config.n_heads)
    matrices = 2 + (config.activation == "swiglu")
    return 2 * config.d_model * heads * config.head_width + matrices * config.d_model * config.d_ff


def flops_core(core):
    return lambda c, T: flops_right(c, T, core=0) + c.n_layers * 4 * core(c, T)


def two_n_t(config, T):
    return 2 * T * by_building(config, "GPT")


# identify -----------------------------------------------------------------------------------------------------


def identify_right(shapes):
    names = " ".join(shapes)
    if "cross_attention" in names:
        family = "encoder-decoder"
    elif "encoder." in names:
        family = "BERT"
    else:
        family = "Llama" if "w_gate" in names else "GPT-2"
    stack = "encoder" if "encoder." in names else "decoder"
    block = f"{stack}.blocks.0"
    vocab_size, d_model = shapes["embedding.tokens.weight"]
    layers = {int(n) for n in re.findall(rf"{stack}\.blocks\.(\d+)\.", names)}
    return {
        "family": family,
        "n_layers": len(layers),
        "d_model": d_model,
        "d_ff": shapes[f"{block}.feed_forward.w_1.weight"][0],
        "vocab_size": vocab_size,
        "group": shapes[f"{block}.attention.w_q.weight"][0] // shapes[f"{block}.attention.w_k.weight"][0],
    }


def identify_by_ends(shapes):
    def rows_and_columns(end):
        return next(tuple(shape) for name, shape in shapes.items() if name.endswith(end))

    kinds = {name.split(".")[0] for name in shapes}
    family = {(True, True): "encoder-decoder", (True, False): "BERT"}.get(("encoder" in kinds, "decoder" in kinds))
    if family is None:
        family = "GPT-2" if any("beta" in name for name in shapes) else "Llama"
    (d_ff, d_model), (vocab_size, _) = rows_and_columns("w_1.weight"), rows_and_columns("tokens.weight")
    n_layers = 1 + max(int(name.split(".")[2]) for name in shapes if ".blocks." in name)
    group = rows_and_columns("attention.w_q.weight")[0] / rows_and_columns("attention.w_k.weight")[0]
    return dict(family=family, n_layers=n_layers, d_model=d_model, d_ff=d_ff, vocab_size=vocab_size, group=group)


def identified(**change):
    def answer(shapes):
        found = identify_right(shapes)
        return {**found, **{name: value(shapes, found) for name, value in change.items()}}

    return answer, "yes"


def find(shapes, end):
    return next(shape for name, shape in shapes.items() if name.endswith(end))


def text_maximum(shapes, found):
    return 1 + int(max(name.split(".")[2] for name in shapes if ".blocks." in name))


def by_the_first(shapes):
    vocab_size, d_model = next(iter(shapes.values()))
    return {**identify_right(shapes), "vocab_size": vocab_size, "d_model": d_model}


def second_of_any(shapes):
    return {**identify_right(shapes), "d_model": min(shape[1] for shape in shapes.values())}


def emptied(shapes):
    found = identify_right(shapes)
    shapes.clear()
    return found


def without_group(shapes):
    found = identify_right(shapes)
    del found["group"]
    return found


# repair -------------------------------------------------------------------------------------------------------


def path_right(ids, tokens, positions, blocks, norm):
    x = tokens(ids) + positions[: ids.shape[1]]
    for block in blocks:
        x = block(x)
    return norm(x) @ tokens.weight.T


def path_linear(ids, tokens, positions, blocks, norm):
    x = F.embedding(ids, tokens.weight) + positions[torch.arange(ids.size(1))][None]
    return F.linear(norm(nn.Sequential(*blocks)(x)), tokens.weight)


ANSWERS = Diagnosed(
    {
        "a": ("side by side", "another attention, and the feed-forward layer is given the same"),
        "b": ("level by level", "with the last decoder block silent, the last encoder block changes nothing"),
        "c": ("positions by sequence", "one text twice in a batch gives two different outputs"),
    },
    path_right,
)
mended, fault, shown = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


def path_as_it_was(ids, tokens, positions, blocks, norm):
    x = tokens(ids) + positions[: ids.shape[0], None]
    for block in blocks:
        x = block(x)
    return norm(x) @ tokens.weight.T


def path(embed=None, norm=True, out=True, blocks=slice(None), after=lambda x: x):
    def answer(ids, tokens, positions, all_blocks, last):
        x = embed(ids, tokens, positions) if embed else tokens(ids) + positions[: ids.shape[1]]
        for one in all_blocks[blocks]:
            x = one(x)
        x = last(x) if norm else x
        return after(x @ tokens.weight.T) if out else x

    return mended(answer)


def logits_divided(ids, tokens, *rest):
    return path_right(ids, tokens, *rest) / tokens.embedding_dim**0.5


def path_in_loops(ids, tokens, positions, blocks, norm):
    x = torch.stack([tokens(row) + positions[: len(row)] for row in ids])
    for block in blocks:
        x = block(x)
    return torch.einsum("btd,vd->btv", norm(x), tokens.weight)


def positions_each(ids, tokens, positions, blocks, norm):
    x = tokens(ids)
    for block in blocks:
        x = block(x + positions[: ids.shape[1]])
    return norm(x) @ tokens.weight.T


def positions_last(ids, tokens, positions, blocks, norm):
    x = tokens(ids)
    for block in blocks:
        x = block(x)
    return norm(x + positions[: ids.shape[1]]) @ tokens.weight.T


def norm_first_3(ids, tokens, positions, blocks, norm):
    x = norm(tokens(ids) + positions[: ids.shape[1]])
    for block in blocks:
        x = block(x)
    return x @ tokens.weight.T


def norm_each_3(ids, tokens, positions, blocks, norm):
    x = tokens(ids) + positions[: ids.shape[1]]
    for block in blocks:
        x = norm(block(x))
    return x @ tokens.weight.T


def norm_twice(ids, tokens, positions, blocks, norm):
    x = tokens(ids) + positions[: ids.shape[1]]
    for block in blocks:
        x = block(x)
    return norm(norm(x)) @ tokens.weight.T


def blocks_used_up(ids, tokens, positions, blocks, norm):
    x = tokens(ids) + positions[: ids.shape[1]]
    while blocks:
        x = blocks.pop(0)(x)
    return F.linear(norm(x), tokens.weight)


def table_detached(ids, tokens, positions, blocks, norm):
    return path_right(ids, tokens, positions.detach(), blocks, norm)


def output_detached(ids, tokens, positions, blocks, norm):
    x = tokens(ids) + positions[: ids.shape[1]]
    for block in blocks:
        x = block(x)
    return norm(x) @ tokens.weight.data.T


def shared_values_alone(config, B, S, bytes_per_number):
    kv = config.n_kv_heads or config.n_heads
    return config.n_layers * B * S * (config.n_heads + kv) * config.head_width * bytes_per_number


def third_with(rows):
    """The repair with other rows of the table of positions."""

    def repair_3(ids, tokens, positions, blocks, norm):
        x = tokens(ids) + rows(ids, positions)
        for one in blocks:
            x = one(x)
        return norm(x) @ tokens.weight.T

    return mended(repair_3)


def running_on(ids, max_len):
    return torch.arange(ids.numel()).view(ids.shape) % max_len


def with_gate(config):
    return replace(config, activation="swiglu") if "gelu" in config.activation else config


def scores_too(config, B, S, n_bytes):
    return cache_right(config, B, S, n_bytes) + config.n_layers * B * config.n_heads * S * S * n_bytes


def identify_seven(shapes):
    return {**identify_right(shapes), "group": 7}


def second_norm_over(s, x, axes):
    x = x + s.a(s.n_1(x))
    return x + s.f(F.layer_norm(x, [x.shape[axis] for axis in axes]))


def first_norm_over(s, x, axes):
    x = x + s.a(F.layer_norm(x, [x.shape[axis] for axis in axes]))
    return x + s.f(s.n_2(x))


def not_centred(s, x):
    x = x + s.a(F.rms_norm(x, x.shape[-1:], eps=1e-5))
    return x + s.f(F.rms_norm(x, x.shape[-1:], eps=1e-5))


def sums_scaled(s, x):
    x = (x + s.a(s.n_1(x))) / 2**0.5
    return (x + s.f(s.n_2(x))) / 2**0.5


def parts_in_evaluation(d_model, attention, feed_forward):
    return block_function(d_model, attention.eval(), feed_forward)


def named_blocks(n, make_block):
    return nn.ModuleDict({str(i): make_block() for i in range(n)})


def by_sorted_names(s, x):
    for name in sorted(s.blocks):
        x = s.blocks[name](x)
    return s.norm(x)


def stack_in_evaluation(n_layers, d_model, make_block):
    return sequential_stack(n_layers, d_model, make_block).eval()


def w_q_as_wide_as_the_model(config, T):
    c, k = config, (config.n_kv_heads or config.n_heads) * config.head_width
    matrices = 2 * c.d_model**2 + 2 * c.d_model * k + (2 + (c.activation == "swiglu")) * c.d_model * c.d_ff
    return c.n_layers * (2 * T * matrices + 4 * T * T * c.d_model) + 2 * T * c.d_model * c.vocab_size


def wide_output_bias(config, family):
    attentions = config.n_layers * (3 if family == "Transformer" else 1)
    return counted(config, family) + config.bias * attentions * (config.n_heads * config.head_width - config.d_model)


# a whole language model ---------------------------------------------------------------------------------------


class Whole(nn.Module):
    """Right; each step can be replaced by another."""

    def __init__(self, config, make_block):
        super().__init__()
        V, D = config.vocab_size, config.d_model
        self.scale = D**0.5 if config.scale_embeddings else 1
        self.tokens, self.positions = nn.Embedding(V, D), nn.Embedding(config.max_len, D)
        self.blocks = nn.ModuleList(make_block() for _ in range(config.n_layers))
        self.norm, self.output = nn.LayerNorm(D), None if config.tie_embeddings else nn.Linear(D, V, bias=False)

    def forward(self, ids):
        x = self.embed(ids) + self.places(ids)
        return self.finish(self.through(x, self.mask(ids.shape[1])))

    def embed(self, ids):
        return self.tokens(ids) * self.scale

    def places(self, ids):
        return self.positions(torch.arange(ids.shape[1]))

    def mask(self, T):
        return torch.ones(T, T, dtype=torch.bool).tril()

    def through(self, x, mask):
        for one in self.blocks:
            x = one(x, mask)
        return x

    def finish(self, x):
        return self.norm(x) @ self.rows().T

    def rows(self):
        return (self.output or self.tokens).weight


def whole(**steps):
    """A model of which these steps are others."""
    return type("LanguageModel", (Whole,), steps)


def made_with(change):
    """A model in which something is changed after it was made: change(model, config, make_block)"""

    class LanguageModel(Whole):
        def __init__(self, config, make_block):
            super().__init__(config, make_block)
            change(self, config, make_block)

    return LanguageModel


class WholeFlat(nn.Module):
    """All in one go, the table a parameter, causality by the flag, the output layer tied by its parameter."""

    def __init__(self, config, make_block):
        super().__init__()
        self.c = config
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.positions = nn.Parameter(torch.randn(config.max_len, config.d_model))
        self.blocks = nn.ModuleList([make_block() for _ in range(config.n_layers)])
        self.norm = LayerNorm(config.d_model)
        self.output = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.output.weight = self.tokens.weight

    def forward(self, ids):
        x = F.embedding(ids, self.tokens.weight)
        if self.c.scale_embeddings:
            x = x * math.sqrt(self.c.d_model)
        x = x + self.positions[: ids.size(1)]
        for one in self.blocks:
            x = one(x, causal=True)
        return self.output(self.norm(x))


def float_mask(self, T):
    return torch.full((T, T), -torch.inf, dtype=self.tokens.weight.dtype).triu(1)


def with_a_buffer(model, config, make_block):
    model.register_buffer("seen", torch.ones(config.max_len, config.max_len).tril().bool())


class WholeWithBuffer(made_with(with_a_buffer)):
    def mask(self, T):
        return self.seen[:T, :T]


def shared_block(model, config, make_block):
    model.blocks = nn.ModuleList([model.blocks[0]] * config.n_layers)


def blocks_in_a_list(model, config, make_block):
    model.blocks, hidden = None, list(model.blocks)
    model.hidden = (hidden,)


def output_copied(model, config, make_block):
    model.output = nn.Linear(config.d_model, config.vocab_size, bias=False)
    model.output.weight.data.copy_(model.tokens.weight.data)


def output_tied_always(model, config, make_block):
    if model.output:
        model.output.weight = model.tokens.weight


def attribute(name, make):
    return made_with(lambda model, config, make_block: setattr(model, name, make(config)))


def sinusoids(model, config, make_block):
    del model.positions
    model.positions = torch.randn(config.max_len, config.d_model)


def by_batch_places(self, ids):
    return self.positions(torch.arange(ids.shape[0]))[:, None]


def norm_before_the_blocks(self, ids):
    x = self.norm(self.embed(ids) + self.places(ids))
    return self.through(x, self.mask(ids.shape[1])) @ self.rows().T


def in_sequence(self, x, mask):
    return reduce(lambda x, one: one(x, mask), self.blocks, x)


def norm_each_block(self, x, mask):
    for one in self.blocks:
        x = self.norm(one(x, mask))
    return x


def only_first_masked(self, x, mask):
    for number, one in enumerate(self.blocks):
        x = one(x, None if number else mask)
    return x


def first_block_repeated(self, x, mask):
    for _ in self.blocks:
        x = self.blocks[0](x, mask)
    return x


def skip_around(self, x, mask):
    for one in self.blocks:
        x = x + one(x, mask)
    return x


def blocks_lost(self, x, mask):
    for one in self.blocks:
        one(x, mask)
    return x


def last_block_alone(self, x, mask):
    for one in self.blocks:
        y = one(x, mask)
    return y


def blocks_backwards(self, x, mask):
    for one in reversed(self.blocks):
        x = one(x, mask)
    return x


def whole_in_place(self, ids):
    x = self.embed(ids) + self.places(ids)
    ids.zero_()
    return self.finish(self.through(x, self.mask(ids.shape[1])))


def packaged(config, make_block):
    from transformer_lab import GPT

    return GPT(config)


RIGHT = {
    "09_block.Block": [
        ("two lines", block(pre)),
        ("one line", block(pre_one_line)),
        ("wrappers, norms by hand, second made first", BlockOfWrappers),
        ("a function that builds it", block_function),
        ("scales and shifts in tables", BlockOfTables),
        ("norm 2 before norm 1", block(lambda s, x: (y := x + s.a(s.n_2(x))) + s.f(s.n_1(y)))),
    ],
    "09_block.Stack": [
        ("ModuleList", stack(through)),
        ("Sequential", sequential_stack),
        ("attributes by name", StackByNames),
        ("recursive", stack(folded)),
        ("Sequential inside", stack(lambda s, x: s.norm(s.blocks(x)),
                                    lambda n, make: nn.Sequential(*(make() for _ in range(n))))),
    ],
    "09_block.count_parameters": [
        ("formula", counted),
        ("shape by shape", counted_by_hand),
        ("as a float", lambda c, f: float(counted(c, f))),
        ("as a numpy number", lambda c, f: np.int64(counted(c, f))),
        ("as a tensor", lambda c, f: torch.tensor(counted(c, f))),
    ],
    "09_block.cache_bytes": [
        ("formula", cache_right),
        ("tensors", cache_in_steps),
        ("as a float", lambda c, B, S, n: float(cache_right(c, B, S, n))),
        ("as a tensor", lambda c, B, S, n: torch.tensor(cache_right(c, B, S, n))),
    ],
    "09_block.forward_flops": [
        ("formula", flops_right),
        ("product by product", flops_by_products),
        ("as a float", lambda c, T: float(flops_right(c, T))),
        ("as a numpy number", lambda c, T: np.float64(flops_right(c, T))),
    ],
    "09_block.identify": [
        ("by names", (identify_right, "yes")),
        ("by ends of names", (identify_by_ends, "Yes")),
        ("tensors for numbers", (lambda s: {k: v if k == "family" else torch.tensor(v)
                                            for k, v in identify_right(s).items()}, "yes")),
    ],
    "09_block.repair": [
        ("as asked", mended(path_right)),
        ("written otherwise", mended(path_linear)),
        ("in loops", mended(path_in_loops)),
        ("in capitals", ANSWERS.in_capitals()),
    ],
    "09_block.LanguageModel": [
        ("step by step", Whole),
        ("all in one go", WholeFlat),
        ("a mask of floats", whole(mask=float_mask)),
        ("a mask kept", WholeWithBuffer),
        ("the logits by einsum", whole(finish=lambda self, x: torch.einsum("btd,vd->btv", self.norm(x), self.rows()))),
        ("a sequence of blocks", whole(through=in_sequence)),
    ],
}  # fmt: skip

WRONG = {
    "09_block.Block": [
        ("norm 2 over the positions too", block(lambda s, x: second_norm_over(s, x, (1, 2))),
         "Before the feed-forward layer: "),
        ("norm 1 over everything", block(lambda s, x: first_norm_over(s, x, (0, 1, 2))),
         "Before attention: The norm takes"),
        ("RMSNorm in place of a norm", block(not_centred), "The mean is not subtracted in a norm"),
        ("sums halved", block(sums_scaled), "is multiplied by 0.707; wanted the sum itself"),
        ("parts in evaluation", parts_in_evaluation, "is in evaluation mode now"),
        ("16 bits widened", block(widened(pre)), "came back as torch.float32"),
        ("asks its input for gradients", block(switching(pre)), "require a gradient, and it still does"),
        ("post-norm", block(post), "This is a post-norm block", "M23"),
        ("norm before and after", block(ln_then_add_then_ln), "after an addition", "M18"),
        ("a norm at the end", block(last_norm), "after an addition", "M18"),
        ("pre, then post", block(mixed_styles), "it reads x without a norm, a norm follows"),
        ("norm after the part", block(behind_the_part), "after the part", "M23"),
        ("x overwritten by its norm", block(overwritten), "The skip carries norm(x)", "M15"),
        ("second x overwritten", block(overwritten_second), "The skip carries norm(x)", "M15"),
        ("first x overwritten", block(overwritten_first), "The skip carries norm(x)", "M15"),
        ("second skip from the start", block(from_the_start), "carries the block's input", "M15"),
        ("side by side", block(parallel), "in parallel with attention"),
        ("no first skip", block(no_first_skip), "no skip around attention", "M15"),
        ("no second skip", block(no_second_skip), "no skip around the feed-forward layer", "M15"),
        ("no skip", block(no_skip), "no skip around either", "M15"),
        ("no norms", block(no_norms), "No norm is used"),
        ("no norm before feed-forward", block(no_second_norm), "no norm before the feed-forward layer"),
        ("no norm before attention", block(no_first_norm), "no norm before attention"),
        ("x + x", block(doubled), "x is added to x", "M14"),
        ("x + x at the end", block(doubled_second), "x is added to x", "M14"),
        ("part + part", block(part_twice), "added to itself", "M15"),
        ("feed-forward first", block(feed_forward_first), "before attention"),
        ("attention only", block(attention_only), "Every block has both", "M29"),
        ("feed-forward only", block(feed_forward_only), "attention is missing", "M29"),
        ("one norm for both", block(pre, norms=1), "wanted two norms"),
        ("three norms", block(pre, norms=3), "three norms"),
        ("norm 1 used twice", block(one_norm_twice), "One norm is used twice"),
        ("norm taken once", block(norm_reused), "in parallel with attention"),
        ("input twice", block(input_twice), "added twice"),
        ("into its input", block(into_its_input), "changed its input x in place"),
        ("half of each part", block(scaled_parts), "A part's output is multiplied by 0.5"),
        ("ReLU behind attention", block(relu_behind), "A ReLU follows attention"),
        ("x itself lost", block(sum_of_parts), "x itself is lost", "M15"),
        ("attention twice", block(attention_again), "attention stands in both places"),
        ("norm of a norm", block(norm_of_norm), "reads a norm of a norm"),
        ("norms without what they learn", block(bare_second),
         "one without scale and shift, or one made in forward(): use the module's own"),
        ("scales of a half", block(pre, before=half_scales), "do not start as nn.LayerNorm does"),
        ("no shift", block(pre, before=no_shift), "have a scale and no shift"),
        ("frozen", block(pre, before=lambda s: s.n_1.requires_grad_(False)), "No gradient reaches n_1.weight"),
        ("norms in a list, called there", NormsInAList, "one in a plain list is not found"),
        ("batch norm", BatchNormBlock, "over batch and positions"),
        ("over positions too", block(pre, before=wide_norms), "parameters; two norms hold four"),
        ("a matrix of its own", block(pre, before=with_a_matrix), "two norms hold four"),
        ("16 bits", block(lambda s, x: pre(s, x).half().to(x.dtype)), "of low precision"),
        ("a function", lambda d_model, attention, feed_forward: lambda x: x, "which is not an nn.Module"),
        ("adds into a copy", block(pre_in_place), "Do not write into a tensor that a gradient needs"),
        ("attention detached", block(detached), "No gradient reaches a.linear"),
        ("thrown away", block(thrown_away), "thrown away"),
        ("dropout", block(with_dropout), "Two calls with the same input give different results"),
        ("subtracted", block(subtracted), "subtracted"),
        ("skip detached", block(skip_detached), "a part of the gradient to the input is lost"),
        ("double precision", block(lambda s, x: pre(s, x.float()).double()), "came back as torch.float64"),
        ("statistics over the batch", block(over_the_batch), "over batch and positions"),
        ("a width written in", block(pre, before=set_width), "with the argument, not a number"),
        ("norms in a list", block(pre, before=norms_in_a_list), "one in a plain list is not found"),
        ("activation at the end", block(activated), "activation", "M18"),
        ("a tuple", block(tuple_returned), "of type tuple"),
        ("norms made in forward", NormsInForward, "no parameters but those of its parts"),
        ("RMSNorm", RMSBlock, "RMSNorm"),
        ("parts in a list", block(from_hidden, before=hide_parts), "keep the module you are given"),
        ("attention copied", block(pre, before=copy_attention), "parameters of attention are not among"),
        ("not an nn.Module", NoModule, "not an nn.Module"),
        ("super().__init__ forgotten", SuperForgotten, "AttributeError"),
        ("no return", block(lambda s, x: None), "forget `return`"),
    ],
    "09_block.Stack": [
        ("by sorted names", stack(by_sorted_names, named_blocks), "in the order of their numbers as text, 0, 1, 10, 2"),
        ("in evaluation", stack_in_evaluation, "is in evaluation mode now"),
        ("axes of size 1 dropped", stack(squeezed(through)), "squeezed?"),
        ("16 bits widened", stack(widened(through)), "came back as torch.float32"),
        ("[block] * L", stack(through, repeated), "repeats a reference"),
        ("a plain list", stack(through, plain_list), "a plain Python list"),
        ("copies of one", stack(through, cloned), "the others are copies"),
        ("made in forward", BlocksInForward, "make_block() was not called"),
        ("one too few", stack(through, lambda n, make: nn.ModuleList(make() for _ in range(n - 1))), "exactly 3"),
        ("one too many", stack(through, lambda n, make: nn.ModuleList(make() for _ in range(n + 1))), "exactly 3"),
        ("no norm", stack(no_final_norm, norms=0), "no norm of its own"),
        ("a norm for each layer", stack(through, norms=3), "The norms inside a block"),
        ("norm made, not used", stack(no_final_norm), "made but not used"),
        ("norm after every block", stack(every_norm), "follows every block"),
        ("norm first", stack(norm_first), "before the first block"),
        ("results lost", stack(lost), "thrown away"),
        ("only the last", stack(last_only), "Only one block counts"),
        ("returned inside the loop", stack(returned_inside), "is `return` inside the loop?"),
        ("side by side", stack(side_by_side), "one wide layer", "M19"),
        ("x added after each", stack(added_each), "x is added after each block", "M19"),
        ("Add & Norm around each", stack(add_and_norm), "inside it already", "M19"),
        ("x added at the end", stack(added_at_the_end), "added to its output", "M19"),
        ("reversed", stack(reversed_order), "from the last to the first"),
        ("no_grad", stack(no_grad_stack), "No gradient flows"),
        ("double precision", stack(lambda s, x: through(s, x).double()), "came back as torch.float64"),
        ("norm over everything", stack(norm_of_everything), "over everything"),
        ("norm before every block", stack(norm_before_each), "stands before every block"),
        ("a width written in", StackOfSix, "with the argument, not a number"),
        ("detached", stack(lambda s, x: through(s, x.detach())), "No gradient reaches the input"),
        ("returned inside, x kept", stack(returned_after_one), "Only the first block is applied"),
        ("returned inside, no norm", stack(lambda s, x: s.blocks[0](x)), "And the norm is not used"),
        ("the first again and again", stack(lambda s, x: s.norm(one_for_all(s, x, 0))), "in the order 0, 0, 0"),
        ("the last again and again", stack(lambda s, x: s.norm(one_for_all(s, x, -1))), "in the order 2, 2, 2"),
        ("two exchanged", stack(exchanged), "in the order 1, 0, 2"),
        ("every other", stack(lambda s, x: s.norm(some_blocks(s, x, slice(None, None, 2)))), "only 0, 2"),
        ("all but the first", stack(lambda s, x: s.norm(some_blocks(s, x, slice(1, None)))),
         "The first block is left out"),
        ("norm twice", stack(lambda s, x: s.norm(through(s, x))), "The norm is applied twice"),
        ("make_block itself", stack(through, lambda n, make: nn.ModuleList(make for _ in range(n))),
         "call it, make_block(), once for each layer"),
        ("make_block itself, no path of ours", stack(through, lambda n, make: nn.ModuleList(make for _ in range(n))),
         "TypeError: make_block is not a Module subclass"),
        ("other blocks", OtherBlocks, "Call it there, once for each layer"),
        ("super forgotten", StackWithoutSuper, "before Module.__init__() call"),
        ("a dictionary", stack(lambda s, x: through(s, x), lambda n, make: {i: make() for i in range(n)}),
         "no block is among the stack's modules"),
        ("three always", stack(through, lambda n, make: nn.ModuleList(make() for _ in range(3))), "For n_layers = 1"),
        ("one element of the batch", stack(lambda s, x: through(s, x)[0]), "An axis is missing"),
        ("a tuple", stack(lambda s, x: (through(s, x),)), "is of type tuple"),
        ("dropout", stack(lambda s, x: F.dropout(through(s, x), 0.1)), "Two calls with the same input give different"),
    ],
    "09_block.count_parameters": [
        ("one segment", lambda c, f: counted(c, f) - c.d_model * (f == "BERT" and c.n_segments > 1),
         "exactly one of the segments"),
        ("tied always", lambda c, f: counted(replace(c, tie_embeddings=True), f),
         "or the output layer: an untied model"),
        ("table of a BERT twice", lambda c, f: counted(c, f) + (f == "BERT") * c.vocab_size * c.d_model,
         "a BERT's output layer is the same"),
        ("a block more in each stack", lambda c, f: counted(replace(c, n_layers=c.n_layers + 1), f),
         "one block of each stack"),
        ("W_O's bias as wide as the heads", wide_output_bias, "what the biases of W_O would hold"),
        ("copied from the check", copying(lambda c, f: counted(c, f) + 1), "1 are too many"),
        ("every gelu is gated", lambda c, f: counted(with_gate(c), f), "swiglu has three matrices"),
        ("final norm forgotten", wrong_count(final=lambda c: 0), "the norm at the end of one stack"),
        ("final norm also post", wrong_count(final=lambda c: c.d_model * (2 if c.norm == "layer" else 1)),
         "too much is exactly the norm at the end"),
        ("output counted though tied", wrong_count(output=lambda c: True), "too much is exactly the token emb"),
        ("output never", wrong_count(output=lambda c: False), "missing is exactly the token embedding"),
        ("positions never", wrong_count(positions=lambda c: False), "missing is exactly the table of positions"),
        ("positions always", wrong_count(positions=lambda c: True), "too much is exactly the table of positions"),
        ("sinusoidal counted", wrong_count(positions=lambda c: c.positions != "rotary"), "the table of positions"),
        ("no biases", wrong_count(bias=lambda c: 0), "the biases of all linear layers"),
        ("biases always", wrong_count(bias=lambda c: 1), "too much is exactly the biases of all linear layers"),
        ("attention without biases", wrong_count(attention_bias=0), "the biases of all attentions"),
        ("no W_O", wrong_count(w_o=0), "the matrices W_O"),
        ("one norm a block", wrong_count(norms=1), "one of the two norms of each block"),
        ("no norms", wrong_count(norms=0), "the norms of all blocks"),
        ("norm of d_model", wrong_count(norm=lambda c: c.d_model), "all norms (a LayerNorm has gamma and beta"),
        ("RMSNorm with beta", wrong_count(norm=lambda c: 2 * c.d_model), "an RMSNorm gamma alone"),
        ("kv heads ignored", wrong_count(kv=lambda c: c.n_heads), "n_kv_heads is smaller"),
        ("no gate", wrong_count(gates=lambda c: 1), "the gates of all feed-forward layers"),
        ("d_ff = 4 d_model", wrong_count(d_ff=lambda c: 4 * c.d_model), "take config.d_ff"),
        ("d_head = d_model / H", wrong_count(d_head=lambda c: c.d_model // c.n_heads), "d_head"),
        ("H times attention", wrong_count(heads=lambda c: c.n_heads), "heads share the width"),
        ("one layer", wrong_count(layers=1), "all blocks but one"),
        ("no segments", wrong_count(segments=0), "the segments"),
        ("no norm on the embeddings", wrong_count(embedding_norm=0), "the norm on the embeddings"),
        ("no pooler", wrong_count(pooler=0), "the pooler"),
        ("pooler without bias", wrong_count(pooler_bias=0), "the pooler's bias"),
        ("masked-LM bias", wrong_count(lm_bias=0), "the masked-LM head's bias"),
        ("masked-LM output counted", wrong_count(lm_decoder=1), "too much is exactly the token emb"),
        ("no cross-attention", wrong_count(cross=0), "the cross-attentions of the decoder, each with its norm"),
        ("no third norm", wrong_count(third=0), "the third norm"),
        ("encoder attention, decoder feed-forward", wrong_count(m29=1),
         "the encoder's feed-forward layers and the decoder's", "M29"),
        ("one stack", lambda c, f: counted(c, "GPT" if f == "Transformer" else f), "one stack (an encoder"),
        ("a dictionary", lambda c, f: {"total": counted(c, f)}, "wanted one whole number"),
        ("millions", lambda c, f: counted(c, f) / 1e6, "is whole"),
        ("built and counted", by_building, "read off a model that your function builds"),
        ("untied BERT", untied_bert, "too much is exactly the token emb"),
        ("two tables of positions", second_table, "a second table of positions"),
        ("two segments always", wrong_count(segments=2), "two segments (config.n_segments"),
        ("GPT-2 small always", lambda c, f: 124_439_808, "whatever the config"),
        ("None taken for a number", lambda c, f: counted(c, f) + 0 * c.n_kv_heads, "config.n_kv_heads is None where"),
        ("two mistakes", wrong_count(final=lambda c: 0, w_o=0), "It would fit a model"),
        ("no keys", wrong_count(kv=lambda c: c.n_kv_heads or 0), "W_K and W_V with their biases"),
        ("bytes", lambda c, f: 4 * counted(c, f), "the number of bytes in float32"),
        ("negative", lambda c, f: -counted(c, f), "The sign is wrong"),
        ("rule of thumb", lambda c, f: 12 * c.n_layers * c.d_model**2, "a rule of thumb"),
        ("rule of thumb with embedding", lambda c, f: 12 * c.n_layers * c.d_model**2 + c.vocab_size * c.d_model,
         "a rule of thumb"),
        ("embedding twice", lambda c, f: counted(c, f) + c.vocab_size * c.d_model,
         "too much is exactly the token emb"),
        ("one layer more", lambda c, f: counted(c, f, layers=c.n_layers + 1), "one whole block"),
        ("a bias on the output", lambda c, f: counted(c, f) + c.vocab_size, "is there a bias on the output layer?"),
        ("pooler always", lambda c, f: counted(c, f) + (f == "BERT" and not c.pooler) * (c.d_model**2 + c.d_model),
         "too much is exactly the pooler"),
        ("one embedding for each stack", lambda c, f: counted(c, f) + (f == "Transformer") * c.vocab_size * c.d_model,
         "too much is exactly the token emb"),
        ("no dense layer", lambda c, f: counted(c, f) - c.masked_lm_head * (c.d_model**2 + c.d_model), "dense layer"),
        ("one norm for two stacks", lambda c, f: counted(c, f) - (f == "Transformer" and c.norm_position == "pre")
         * c.d_model * (2 - (c.norm == "rms")), "the norm at the end of one stack"),
        ("a text", lambda c, f: str(counted(c, f)), "A str came back"),
        ("half of them", lambda c, f: counted(c, f) / 2, "is whole"),
    ],
    "09_block.cache_bytes": [
        ("copied from the check", copying(lambda c, B, S, n: cache_right(c, B, S + 1, n)), "one token too many"),
        ("shared values alone", shared_values_alone, "one is counted for every query head"),
        ("scores too", scores_too, "The scores, (B, n_heads, S, S) in each layer, are counted as well"),
        ("kv heads ignored", cache_width(lambda c: c.n_heads * c.head_width), "n_kv_heads is ignored"),
        ("d_model", cache_width(lambda c: c.d_model), "n_kv_heads is ignored"),
        ("d_model / H", cache_width(lambda c: (c.n_kv_heads or c.n_heads) * (c.d_model // c.n_heads)), "head_width"),
        ("keys only", cache(lambda right, c, B, S, n: right // 2), "Keys and values are both kept"),
        ("one layer", cache(lambda right, c, B, S, n: right // c.n_layers), "times n_layers"),
        ("one sequence", cache(lambda right, c, B, S, n: right // B), "times B"),
        ("S squared", cache(lambda right, c, B, S, n: right * S), "S is counted twice"),
        ("S missing", cache(lambda right, c, B, S, n: right // S), "times S"),
        ("numbers", cache(lambda right, c, B, S, n: right // n), "wanted bytes"),
        ("bits", cache(lambda right, c, B, S, n: right * 8), "These are bits"),
        ("queries too", cache(lambda right, c, B, S, n: right * 3 // 2), "Queries are counted"),
        ("max_len", cache(lambda right, c, B, S, n: right // S * c.max_len), "max_len tokens"),
        ("None taken for a number", lambda c, B, S, n: 2 * c.n_layers * B * S * c.n_kv_heads * c.head_width * n,
         "TypeError"),
        ("d_head is None", lambda c, B, S, n: 2 * c.n_layers * B * S * n * c.n_heads * c.d_head,
         "config.head_width is always a number"),
        ("scores", lambda c, B, S, n: c.n_layers * B * c.n_heads * S * S * n, "These are the scores"),
        ("four bytes always", lambda c, B, S, n: cache_right(c, B, S, 4), "bytes_per_number is ignored"),
        ("one token fewer", lambda c, B, S, n: cache_right(c, B, S - 1, n), "One token is missing"),
        ("group for heads", cache_width(lambda c: c.n_heads // (c.n_kv_heads or c.n_heads) * c.head_width),
         "how many queries share a key"),
        ("megabytes", lambda c, B, S, n: cache_right(c, B, S, n) / 1e6, "a number of bytes is whole"),
        ("two bytes always", lambda c, B, S, n: cache_right(c, B, S, 2), "not every number takes 2 bytes"),
        ("divided by 8", cache(lambda right, c, B, S, n: right // 8), "divided by 8, as if bits"),
        ("no width", cache(lambda right, c, B, S, n: right // c.head_width), "The width of a head is missing"),
        ("no heads", lambda c, B, S, n: 2 * c.n_layers * B * S * c.head_width * n,
         "The number of key heads is missing"),
        ("d_ff", cache_width(lambda c: c.d_ff), "d_ff is the width taken"),
        ("d_model for each head", cache_width(lambda c: c.d_model * (c.n_kv_heads or c.n_heads)),
         "the width of one head"),
        ("one sequence more", lambda c, B, S, n: cache_right(c, B + 1, S, n), "There is one sequence too many"),
        ("one layer fewer", cache(lambda right, c, B, S, n: right // c.n_layers * (c.n_layers - 1)),
         "One layer is missing"),
        ("kilobytes", cache(lambda right, c, B, S, n: right // 1024), "These are kilobytes"),
        ("all steps", cache(lambda right, c, B, S, n: right * (S + 1) // 2), "The tokens of all steps are added up"),
        ("four tensors", cache(lambda right, c, B, S, n: 2 * right), "two tensors per layer, not four"),
        ("inputs too", lambda c, B, S, n: cache_right(c, B, S, n) + c.n_layers * B * S * c.d_model * n,
         "or the layers' inputs"),
        ("one token more", lambda c, B, S, n: cache_right(c, B, S + 1, n), "There is one token too many"),
        ("a text", lambda c, B, S, n: f"{cache_right(c, B, S, n)} bytes", "A str came back"),
        ("a quarter of a byte", cache(lambda right, c, B, S, n: right + 0.25), "is whole"),
    ],
    "09_block.forward_flops": [
        ("W_Q as wide as the model", w_q_as_wide_as_the_model, "In W_Q, W_O and the core d_model is taken"),
        ("d_head ignored", lambda c, T: flops_right(replace(c, d_head=None), T),
         "d_model is taken for n_heads x d_head everywhere"),
        ("core of max_len", flops_core(lambda c, T: c.max_len**2 * c.n_heads * c.head_width),
         "In the core max_len tokens meet"),
        ("copied from the check", copying(lambda c, T: 3 * flops_right(c, T)), "forward and backward"),
        ("every gelu is gated", lambda c, T: flops_right(with_gate(c), T), "which only swiglu has"),
        ("multiply-adds", lambda c, T: flops_right(c, T) // 2, "two operations"),
        ("one token", lambda c, T: flops_right(c, T) // T, "for one token"),
        ("no core", lambda c, T: flops_right(c, T, core=0), "the two products of the attention core"),
        ("half the core", lambda c, T: flops_right(c, T, core=2), "one of the two products"),
        ("triangle", lambda c, T: flops_right(c, T, triangle=True), "lower triangle"),
        ("no logits", lambda c, T: flops_right(c, T, logits=False), "the logits"),
        ("no gate", lambda c, T: flops_right(c, T, gate=False), "the gate of swiglu"),
        ("kv heads ignored", lambda c, T: flops_right(c, T, keys=c.n_heads), "n_kv_heads is smaller"),
        ("no W_O", lambda c, T: flops_right(c, T, w_o=0), "one of the four projections"),
        ("2 N T", two_n_t, "2 x parameters x T"),
        ("forward and backward", lambda c, T: 3 * flops_right(c, T), "forward and backward"),
        ("None", lambda c, T: None, "forget `return`"),
        ("core of one head", flops_core(lambda c, T: T * T * c.head_width), "counted for one head"),
        ("core of d_model", flops_core(lambda c, T: T * T * c.d_model), "d_model is taken for n_heads x d_head"),
        ("core H times d_model", flops_core(lambda c, T: T * T * c.n_heads * c.d_model), "each head counts d_model"),
        ("core without a square", flops_core(lambda c, T: T * c.n_heads * c.head_width), "T queries meets T keys"),
        ("core of shared heads", flops_core(lambda c, T: T * T * (c.n_kv_heads or c.n_heads) * c.head_width),
         "every query head scores"),
        ("logits of the last token", lambda c, T: flops_right(c, T) - 2 * (T - 1) * c.d_model * c.vocab_size,
         "the logits at all positions but one"),
        ("logits in each layer", lambda c, T: flops_right(c, T) + 2 * (c.n_layers - 1) * T * c.d_model * c.vocab_size,
         "computed once"),
        ("max_len tokens", lambda c, T: flops_right(c, c.max_len), "config.max_len tokens"),
        ("softmax counted", lambda c, T: flops_right(c, T) + 3 * c.n_layers * c.n_heads * T * T, "softmax"),
        ("billions", lambda c, T: flops_right(c, T) / 1e9, "a number of FLOPs is whole"),
        ("biases", lambda c, T: flops_right(c, T) + biases(c) * T, "is exactly the biases (they"),
        ("biases, two operations", lambda c, T: flops_right(c, T) + 2 * biases(c) * T,
         "the biases, two operations each"),
        ("embedding a product", lambda c, T: flops_right(c, T) + 2 * T * c.vocab_size * c.d_model,
         "if looking up were a p"),
        ("embedding and positions", lambda c, T: flops_right(c, T) + 2 * T * (c.vocab_size + c.max_len) * c.d_model,
         "embedding and position table"),
        ("half of the weights", lambda c, T: flops_right(c, T) - c.n_layers * T * weights(c),
         "half of all products with"),
        ("half of the logits", lambda c, T: flops_right(c, T) - T * c.d_model * c.vocab_size, "half of the logits"),
        ("no W_V", lambda c, T: flops_right(c, T) - 2 * c.n_layers * T * c.d_model * (c.n_kv_heads or c.n_heads)
         * c.head_width, "one of the four projections"),
        ("one matrix of two", lambda c, T: flops_right(c, T) - 2 * c.n_layers * T * c.d_model * c.d_ff,
         "one of the two feed-forward matrices"),
        ("always a gate", lambda c, T: flops_right(c, T) + (c.activation != "swiglu") * 2 * c.n_layers * T * c.d_model
         * c.d_ff, "a third feed-forward matrix"),
        ("d_ff = 4 d_model", lambda c, T: flops_right(c, T) + (2 + (c.activation == "swiglu")) * 2 * c.n_layers * T
         * c.d_model * (4 * c.d_model - c.d_ff), "with d_ff = 4 d_model"),
        ("norms counted", lambda c, T: flops_right(c, T) + 10 * c.n_layers * T * c.d_model, "are the norms or the"),
        ("activation counted", lambda c, T: flops_right(c, T) + c.n_layers * T * c.d_ff, "is the activation counted?"),
        ("6 N T", lambda c, T: 3 * two_n_t(c, T), "rule of thumb for training"),
        ("2 N", lambda c, T: two_n_t(c, T) // T, "is for one token"),
        ("2 N T, no embedding", lambda c, T: two_n_t(c, T) - 2 * T * c.vocab_size * c.d_model, "without the embedding"),
        ("twice", lambda c, T: 2 * flops_right(c, T), "twice what is wanted"),
        ("layers twice", lambda c, T: c.n_layers * flops_right(c, T), "by n_layers once more"),
        ("all of one layer", lambda c, T: flops_right(c, T, logits=False) // c.n_layers
         + 2 * T * c.d_model * c.vocab_size,
         "all layers but one"),
        ("core over max_len", flops_core(lambda c, T: T * c.max_len * c.n_heads * c.head_width), "not max_len"),
        ("d_model for the queries", lambda c, T: flops_right(c, T) - 4 * c.n_layers * T * c.d_model
         * (c.n_heads * c.head_width - c.d_model), "have beyond d_model x d_model"),
    ],
    "09_block.identify": [
        ("copied from the check", (copying(identify_seven), "yes"), "the rows of w_q divided by"),
        ("first block is 0", identified(n_layers=lambda s, f: f["n_layers"] - 1), "has the number 0"),
        ("largest text", identified(n_layers=text_maximum), "As text"),
        ("both stacks", identified(n_layers=lambda s, f: f["n_layers"] * (1 + (f["family"] == "encoder-decoder"))),
         "blocks of one stack"),
        ("d_model from W_Q's rows", identified(d_model=lambda s, f: find(s, "attention.w_q.weight")[0]), "its second"),
        ("d_ff from the columns", identified(d_ff=lambda s, f: find(s, "w_1.weight")[1]), "That is d_model"),
        ("vocabulary from the columns", identified(vocab_size=lambda s, f: f["d_model"]), "That is d_model"),
        ("group upside down", identified(group=lambda s, f: 1 / f["group"]), "upside down"),
        ("group always 1", identified(group=lambda s, f: 1), "Compare the rows of w_q"),
        ("encoder-decoder taken for BERT",
         identified(family=lambda s, f: "BERT" if "encoder" in str(s) else f["family"]), "cross_attention"),
        ("Llama taken for GPT-2", identified(family=lambda s, f: f["family"].replace("Llama", "GPT-2")), "a gate in"),
        ("another name", identified(family=lambda s, f: "GPT"), "The families are"),
        ("a tuple", (lambda s: tuple(identify_right(s).values()), "yes"), "wanted a dictionary"),
        ("no group", (without_group, "yes"), "has no key 'group'"),
        ("Llama only if keys are shared",
         identified(family=lambda s, f: "GPT-2" if f["family"] == "Llama" and f["group"] == 1 else f["family"]),
         "a gate in"),
        ("d_ff = 4 d_model", identified(d_ff=lambda s, f: 4 * f["d_model"]), "not 4 d_model in every"),
        ("d_ff with the gate", identified(d_ff=lambda s, f: f["d_ff"] * (1 + ("w_gate" in str(s)))), "w_1 alone"),
        ("SmolLM2's group", identified(group=lambda s, f: 3 if f["family"] == "Llama" else 1), "rows of w_q divided"),
        ("texts", identified(n_layers=lambda s, f: str(f["n_layers"])), "A string came back"),
        ("the list emptied", (emptied, "yes"), "changed the dictionary"),
        ("the first shape", (by_the_first, "yes"), "look each shape up by its name"),
        ("the second number of any", (second_of_any, "yes"), "look each shape up by its name"),
        ("the largest", identified(vocab_size=lambda s, f: max(shape[0] for shape in s.values())), "That is max_len"),
        ("a BERT by its pooler", identified(family=lambda s, f: "BERT" if "pooler" in str(s) else
                                            f["family"].replace("BERT", "GPT-2")), "no decoder; it may or may not"),
        ("a Llama by its output", identified(family=lambda s, f: f["family"] if "output" in str(s) else
                                             f["family"].replace("Llama", "GPT-2")), "may or may not have an output"),
        ("attentions counted", identified(n_layers=lambda s, f: sum(n.endswith("w_q.weight") for n in s)),
         "count blocks, not their parts"),
        ("half of w_1", identified(d_ff=lambda s, f: f["d_ff"] // (1 + ("w_gate" in str(s)))), "nothing to halve"),
        ("from w_2", identified(d_ff=lambda s, f: find(s, "w_2.weight")[0]), "That is d_model"),
        ("64 a head", identified(group=lambda s, f: find(s, "attention.w_q.weight")[0] // 64), "rows of w_q divided"),
        ("columns", identified(group=lambda s, f: find(s, "attention.w_q.weight")[1] // f["d_model"]),
         "Compare the rows"),
        ("one digit", identified(n_layers=lambda s, f: min(f["n_layers"], 10)), "one character cannot hold"),
        ("a tuple for d_model", identified(d_model=lambda s, f: (f["d_model"],)), "this is of type tuple"),
        ("None", identified(d_ff=lambda s, f: None), "this is of type NoneType"),
        ("small letters", identified(family=lambda s, f: f["family"].lower()), "The families are"),
        ("pairs", (lambda s: list(identify_right(s).items()), "yes"), "wanted a dictionary"),
        ("heads: maybe", (identify_right, "maybe"), "choose one of 'yes', 'no'"),
        ("heads: False", (identify_right, False), "with its quotation marks"),
        ("heads unknown", (identify_right, "no"), "how often do they fit into the rows"),
    ],
    "09_block.repair": [
        ("axes of size 1 dropped", mended(squeezed(path_right)), "squeezed?"),
        ("widened", mended(widened(path_right)), "came back as torch.float32"),
        ("positions by token", third_with(lambda ids, table: table[ids]), "looked up by token"),
        ("positions along the batch", third_with(lambda ids, table: table[: ids.shape[1], None]),
         "The positions lie along the sequences"),
        ("positions run on", third_with(lambda ids, table: table[running_on(ids, len(table))]),
         "Positions run on from one sequence", "M34"),
        ("as it was", mended(path_as_it_was), "by the number of the *sequence*", "M34"),
        ("without positions", path(lambda ids, tokens, table: tokens(ids)), "Positions are not added", "M34"),
        ("without norm", path(norm=False), "norm after the last block", "M34"),
        ("hidden states", path(out=False), "These are hidden states", "M34"),
        ("without blocks", path(blocks=slice(0)), "No block is applied", "M34"),
        ("with softmax", path(after=lambda x: x.softmax(-1)), "probabilities"),
        ("scaled", path(lambda i, t, p: t(i) * t.embedding_dim**0.5 + p[: i.shape[1]]),
         "scaled by sqrt(d_model)"),
        ("positions in every block", mended(positions_each), "added in every block"),
        ("positions last", mended(positions_last), "after the blocks"),
        ("norm first", mended(norm_first_3), "stands before the blocks"),
        ("norm in every block", mended(norm_each_3), "follows every block"),
        ("by token", path(lambda i, t, p: t(i) + p[i % len(p)]), "looked up by token"),
        ("first block only", path(blocks=slice(1)), "Only the first block"),
        ("table detached", mended(table_detached), "the table of positions, which could not learn"),
        ("output detached", mended(output_detached), "only a part of the gradient reaches the embedding"),
        ("ids changed", mended(lambda ids, *rest: (path_right(ids, *rest), ids.zero_())[0]),
         "ids were changed in place"),
        ("last block only", path(blocks=slice(2, None)), "Only the last block counts"),
        ("the whole table", path(lambda i, t, p: t(i) + p), "Take the first T rows, positions"),
        ("position 0", path(lambda i, t, p: t(i) + p[0]), "given to all tokens", "M34"),
        ("the last rows", path(lambda i, t, p: t(i) + p[-i.shape[1]:]), "The last T positions are taken"),
        ("multiplied", path(lambda i, t, p: t(i) * p[: i.shape[1]]), "Positions are multiplied"),
        ("twice", path(lambda i, t, p: t(i) + 2 * p[: i.shape[1]]), "Positions are added twice"),
        ("from 1", path(lambda i, t, p: t(i) + p[1 : i.shape[1] + 1]), "Positions count from 0"),
        ("norm twice", mended(norm_twice), "The norm is applied twice"),
        ("logits divided", mended(logits_divided), "divided by sqrt(d_model)"),
        ("turned", mended(lambda ids, *rest: path_right(ids.T, *rest).transpose(0, 1)), "are swapped",
         "M34"),
        ("blocks used up", mended(blocks_used_up), "changed the list of blocks"),
        ("last token alone", mended(lambda *parts: path_right(*parts)[:, -1:]), "the logits has shape"),
        ("a: skip from the start", fault("a", "skip from the start"), "the sum after it only through there"),
        ("a: post-norm", fault("a", "norm after the addition"), "output is a norm's"),
        ("a: shown by silence", shown("a", "with the feed-forward layer silent, attention changes nothing"),
         "what attention writes arrives"),
        ("b: its own text", fault("b", "reads its own text"), "the same whatever the source is"),
        ("b: the last block", fault("b", "only the last block counts"), "whatever its first block does"),
        ("b: shown by another source", shown("b", "another source changes nothing"), "what is read arrives"),
        ("b: shown by a first block", shown("b", "another first block changes nothing"), "is read by the next"),
        ("c: in every block", fault("c", "positions in every block"), "adds the table after the first block"),
        ("c: shown by one token", shown("c", "one token, alone in its batch, comes out right"),
         "true of a right one, too"),
        ("c: shown by attention", shown("c", "another attention, and the feed-forward layer is given the same"),
         "does not come to the feed-forward layer"),
        ("a and b exchanged", ANSWERS.but(a=ANSWERS.named["b"], b=ANSWERS.named["a"]), "The fault of a is not"),
        ("b: side by side", fault("b", "side by side"), "neither part reads what the other"),
        ("a: level by level", fault("a", "level by level"), "looks at what one block has read"),
        ("a: shown by the decoder", shown("a", "with the last decoder block silent, the last encoder block changes "
         "nothing"), "something else than the end of the encoder"),
        ("a: shown by a batch", shown("a", "one text twice in a batch gives two different outputs"),
         "told its place in the batch"),
        ("b: by sequence", fault("b", "positions by sequence"), "not the tokens of one"),
        ("no such fault", fault("c", "no positions"), "no positions"),
        ("the wrong way round", ANSWERS.but(b=ANSWERS.named["b"][::-1]), "the fault comes first"),
    ],
    "09_block.LanguageModel": [
        ("no mask", whole(mask=lambda self, T: None), "A token sees those after it"),
        ("mask turned round", whole(mask=lambda self, T: torch.ones(T, T).triu().bool()), "The mask is turned round"),
        ("mask inverted", whole(mask=lambda self, T: torch.ones(T, T).triu(1).bool()), "The mask is inverted"),
        ("mask without the diagonal", whole(mask=lambda self, T: torch.ones(T, T).tril(-1).bool()),
         "No token sees itself"),
        ("diagonal mask", whole(mask=lambda self, T: torch.eye(T).bool()), "sees nothing but itself"),
        ("first block masked", whole(through=only_first_masked), "Only the first block gets the mask"),
        ("no norm", whole(finish=lambda self, x: x @ self.rows().T), "norm after the last block is left out", "M34"),
        ("norm first", whole(forward=norm_before_the_blocks), "The norm stands before the blocks"),
        ("norm after every block", whole(through=norm_each_block, finish=lambda self, x: x @ self.rows().T),
         "The norm follows every block"),
        ("a fresh norm", whole(finish=lambda self, x: F.layer_norm(x, x.shape[-1:]) @ self.rows().T),
         "one without scale and shift"),
        ("never scaled", whole(embed=lambda self, ids: self.tokens(ids)),
         "The token vectors are not scaled. config.scale_embeddings is True"),
        ("always scaled", whole(embed=lambda self, ids: self.tokens(ids) * self.tokens.embedding_dim**0.5),
         "The token vectors are scaled. config.scale_embeddings is False"),
        ("positions scaled, too", whole(places=lambda self, ids: Whole.places(self, ids) * self.scale),
         "Token vectors and positions are scaled"),
        ("scaled by d_model", whole(embed=lambda self, ids: self.tokens(ids) * self.scale**2), "the root is missing"),
        ("divided", whole(embed=lambda self, ids: self.tokens(ids) / self.scale), "are divided by sqrt(d_model)"),
        ("logits scaled", whole(finish=lambda self, x: Whole.finish(self, x) * self.scale),
         "The logits are multiplied by sqrt(d_model)"),
        ("no positions", whole(places=lambda self, ids: 0), "Positions are not added", "M34"),
        ("positions by sequence", whole(places=by_batch_places), "by the number of the *sequence*", "M34"),
        ("positions from 1", whole(places=lambda self, ids: self.positions((torch.arange(ids.shape[1]) + 1).clamp(
            max=self.positions.num_embeddings - 1))), "Positions count from 0"),
        ("positions by token", whole(places=lambda self, ids: self.positions(ids % self.positions.num_embeddings)),
         "looked up by token"),
        ("all positions", whole(places=lambda self, ids: self.positions.weight), "positions and mask are cut"),
        ("the whole mask", whole(mask=lambda self, T: Whole.mask(self, self.positions.num_embeddings)),
         "positions and mask are cut to the text"),
        ("without positions or mask", whole(places=lambda self, ids: 0, mask=lambda self, T: None),
         "And: Positions are not added", "M34"),
        ("scaled, without mask", whole(embed=lambda self, ids: self.tokens(ids), mask=lambda self, T: None),
         "And: The token vectors are not scaled"),
        ("one block for all", made_with(shared_block), "Call make_block() once for each layer"),
        ("first block repeated", whole(through=first_block_repeated), "Block 0 (counted from 0) is used 3 times"),
        ("a skip around blocks", whole(through=skip_around), "the skips are inside the blocks", "M19"),
        ("blocks lost", whole(through=blocks_lost), "No block is applied", "M34"),
        ("last block alone", whole(through=last_block_alone), "Only the last block counts"),
        ("blocks backwards", whole(through=blocks_backwards), "The blocks run from the last to the first"),
        ("blocks in a list", made_with(blocks_in_a_list), "a plain Python list hides them"),
        ("one block too many", made_with(lambda model, config, make_block: make_block()), "once each is enough"),
        ("a block too many", made_with(lambda model, config, make_block: model.blocks.append(make_block())),
         "wanted exactly 3"),
        ("output copied", made_with(output_copied), "a second matrix"),
        ("output tied, always", made_with(output_tied_always), "then it is tied"),
        ("tied, always", attribute("output", lambda config: None), "wanted an output layer of its own"),
        ("the embedding used all the same", whole(rows=lambda self: self.tokens.weight),
         "The logits are made with `tokens`"),
        ("output with a bias", attribute("output", lambda config: None if config.tie_embeddings else nn.Linear(
            config.d_model, config.vocab_size)), "has a bias"),
        ("a layer more", attribute("more", lambda config: nn.Linear(3, 3)), "There is more than was asked for: more."),
        ("RMSNorm", attribute("norm", lambda config: nn.RMSNorm(config.d_model)), "self.norm, an nn.LayerNorm"),
        ("no norm at all", attribute("norm", lambda config: None), "self.norm, an nn.LayerNorm"),
        ("positions turned", attribute("positions", lambda config: nn.Embedding(config.d_model, config.max_len)),
         "self.positions is of shape (12, 9)"),
        ("positions are no parameter", made_with(sinusoids), "A plain tensor is no parameter"),
        ("a linear embedding", attribute("tokens", lambda config: nn.Linear(config.vocab_size, config.d_model)),
         "self.tokens is of type Linear"),
        ("other names", attribute("tokens", lambda config: None), "The model has no self.tokens"),
        ("hidden states", whole(finish=lambda self, x: self.norm(x)), "These are hidden states", "M34"),
        ("the last token", whole(finish=lambda self, x: Whole.finish(self, x[:, -1:])), "those of one token"),
        ("probabilities", whole(finish=lambda self, x: Whole.finish(self, x).softmax(-1)), "These are probabilities"),
        ("logits and hidden states", whole(finish=lambda self, x: (Whole.finish(self, x), x)), "is of type tuple"),
        ("dropout", whole(embed=lambda self, ids: F.dropout(Whole.embed(self, ids), 0.3)), "is there dropout"),
        ("output detached", whole(finish=lambda self, x: self.norm(x) @ self.rows().detach().T),
         "not the whole gradient reaches tokens"),
        ("positions detached", whole(places=lambda self, ids: Whole.places(self, ids).detach()),
         "no gradient reaches positions"),
        ("float32", whole(finish=lambda self, x: Whole.finish(self, x).float()), "came back as torch.float32"),
        ("ids in place", whole(forward=whole_in_place), "ids were changed in place"),
        ("in evaluation mode", made_with(lambda model, *_: model.eval()), "in evaluation mode now"),
        ("the package's", packaged, "A model of the package is in it"),
        ("no module", lambda config, make_block: lambda ids: ids, "not an nn.Module"),
    ],
}  # fmt: skip
