"""Lesson 04: answers to its exercises, wrong with the words their author must be told, and right.

WRONG[id]: (name, answer, part of the message[, misconception]). An answer of several parts is a tuple.
"""

import math
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from diagnoses import Diagnosed

SPLIT, MODULE, DIAGNOSE, PARTS, PERMUTE, GROUPED, AGREE = (
    f"04_multi_head.{name}"
    for name in (
        "split_and_merge",
        "multi_head_attention",
        "diagnose",
        "contributions",
        "permute_heads",
        "grouped_query_attention",
        "pieces_that_agree",
    )
)
POINTS = {SPLIT: 5, MODULE: 6, DIAGNOSE: 3, PARTS: 3, PERMUTE: 3, GROUPED: 4, AGREE: 3}
ONE_WAY = ()
MISCONCEPTIONS = ("M01", "M04", "M06", "M10", "M11", "M12", "M13")  # that some wrong answer below shows


# split and merge ----------------------------------------------------------------------------------------------


def split(x, n_heads):
    B, T, D = x.shape
    return x.view(B, T, n_heads, D // n_heads).transpose(1, 2)


def merge(heads):
    B, H, T, d_head = heads.shape
    return heads.transpose(1, 2).contiguous().view(B, T, H * d_head)


def split_permute(x, n_heads):
    return x.unflatten(-1, (n_heads, -1)).permute(0, 2, 1, 3).contiguous()


def merge_flatten(heads):
    return heads.transpose(1, 2).flatten(start_dim=2)


def split_chunks(x, n_heads):
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)


def merge_cat(heads):
    return torch.cat(list(heads.unbind(dim=1)), dim=-1)


def split_loops(x, n_heads):
    d_head = x.shape[-1] // n_heads
    return torch.stack([x[:, :, h * d_head : (h + 1) * d_head] for h in range(n_heads)], 1)


def merge_movedim(heads):
    return heads.movedim(1, 2).reshape(heads.shape[0], heads.shape[2], -1)


def merge_einsum(heads):
    return torch.einsum("bhtd->bthd", heads).reshape(heads.shape[0], heads.shape[2], -1)


def split_filled(x, n_heads):
    B, T, D = x.shape
    d_head = D // n_heads
    heads = x.new_zeros(B, n_heads, T, d_head)
    for h in range(n_heads):
        heads[:, h] = x[..., h * d_head : (h + 1) * d_head]
    return heads


def view_alone(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, n_heads, T, D // n_heads)


def split_strided(x, n_heads):
    B, T, D = x.shape
    d_head = D // n_heads
    return x.as_strided((B, n_heads, T, d_head), (T * D, d_head, D, 1))


def cut_only(x, n_heads):
    return x.unflatten(-1, (n_heads, -1))


def axes_swapped(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, T, D // n_heads, n_heads).transpose(1, 2)


def dealt(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, T, D // n_heads, n_heads).permute(0, 3, 1, 2)


def turned_and_read(x, n_heads):
    B, T, D = x.shape
    return x.transpose(1, 2).reshape(B, n_heads, T, D // n_heads)


def keys_turned(x, n_heads):
    return split(x, n_heads).transpose(-2, -1)


def turned_heads(x, n_heads):
    B, T, D = x.shape
    return x.transpose(1, 2).reshape(B, n_heads, D // n_heads, T)


def sequence_cut(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, n_heads, T // n_heads, D)


def sequence_chunks(x, n_heads):
    return torch.stack(x.chunk(n_heads, dim=1), dim=1)


def full_width(x, n_heads):
    return x.unsqueeze(1).expand(-1, n_heads, -1, -1)


def heads_first(x, n_heads):
    return split(x, n_heads).transpose(0, 1)


def batch_and_heads_mixed(x, n_heads):
    B, T, D = x.shape
    return x.reshape(T, B, n_heads, D // n_heads).permute(1, 2, 0, 3)


def reversed_heads(x, n_heads):
    return split(x, n_heads).flip(1)


def merge_alone(heads):
    B, H, T, d_head = heads.shape
    return heads.reshape(B, T, H * d_head)


def merge_swapped(heads):
    B, H, T, d_head = heads.shape
    return heads.transpose(2, 3).reshape(B, T, H * d_head)


def merge_dealt(heads):
    return heads.permute(0, 2, 3, 1).flatten(2)


def merge_turned(heads):
    B, H, T, d_head = heads.shape
    return heads.transpose(1, 3).reshape(B, T, H * d_head)


def merge_viewed(heads):
    B, H, T, d_head = heads.shape
    return heads.transpose(1, 2).view(B, T, H * d_head)


def merge_reversed(heads):
    return merge(heads.flip(1))


# the module ---------------------------------------------------------------------------------------------------


class Rows:
    """Some rows of a layer, called like a layer."""

    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def __call__(self, x):
        return F.linear(x, self.weight, self.bias)


def apart(module):
    """The module with w_q, w_k and w_v: the rows of its w_qkv, head by head."""
    rows = (p.unflatten(0, (module.n_heads, 3, -1)).unbind(1) for p in module.w_qkv.parameters())
    w_q, w_k, w_v = (Rows(weight.flatten(0, 1), bias.flatten()) for weight, bias in zip(*rows, strict=True))
    return SimpleNamespace(w_q=w_q, w_k=w_k, w_v=w_v, w_qkv=module.w_qkv, w_o=module.w_o, n_heads=module.n_heads)


def three_times(D, H):
    return nn.Linear(D, 3 * D)


def module(forward, qkv=three_times, linear=lambda D, H: nn.Linear(D, D), extra=None):
    """A class with the two layers and this forward(self, x, memory), which finds w_q, w_k and w_v there, too."""

    class MultiHeadAttention(nn.Module):
        def __init__(self, d_model, n_heads):
            super().__init__()
            self.n_heads = n_heads
            self.w_qkv, self.w_o = qkv(d_model, n_heads), linear(d_model, n_heads)
            if extra:
                extra(self, d_model, n_heads)

        def forward(self, x, memory=None):
            return forward(apart(self), x, x if memory is None else memory)

    return MultiHeadAttention


def reading(read, attend=None, merge=None):
    """A module that reads q, k, v (B, H, T, d_head) off what w_qkv makes: read(numbers (B, T, 3 D), H)"""

    def forward(self, x, memory):
        q, k, v = (read(self.w_qkv(source), self.n_heads)[n] for n, source in enumerate((x, memory, memory)))
        return self.w_o((merge or globals()["merge"])((attend or globals()["attend"])(q, k, v)))

    return module(forward)


def share_by_share(numbers, H):
    return split(numbers, H).chunk(3, dim=-1)


def as_bloom(numbers, H):
    parts = numbers.view(*numbers.shape[:2], H, 3, -1)
    return [parts[..., n, :].transpose(1, 2) for n in range(3)]


def as_neox(numbers, H):
    return numbers.unflatten(-1, (H, -1)).transpose(1, 2).chunk(3, dim=-1)


def by_einops(numbers, H):
    return numbers.unflatten(-1, (H, 3, -1)).permute(3, 0, 2, 1, 4)


def as_gpt2(numbers, H):
    return [split(part, H) for part in numbers.chunk(3, dim=-1)]


def read_as(*order):
    """What w_qkv makes, cut in this order of h (heads), p (the three parts) and d (d_head)"""

    def read(numbers, H):
        length = {"h": H, "p": 3, "d": numbers.shape[-1] // 3 // H}
        parts = numbers.reshape(*numbers.shape[:2], *(length[name] for name in order))
        return parts.permute(2 + order.index("p"), 0, 2 + order.index("h"), 1, 2 + order.index("d"))

    return read


def thirds(q, k, v):
    def read(numbers, H):
        parts = share_by_share(numbers, H)
        return parts[q], parts[k], parts[v]

    return read


def viewed_whole(numbers, H):
    B, T, wide = numbers.shape
    return numbers.reshape(B, H, T, wide // H).chunk(3, dim=-1)


def viewed_in_parts(numbers, H):
    return [view_alone(part, H) for part in numbers.chunk(3, dim=-1)]


class Lessons(nn.Module):
    """As the lesson has it."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None):
        return einsum_forward(self, x, x if memory is None else memory)


def scaled_by_the_share(q, k, v):
    return attend(q, k, v, (3 * q.shape[-1]) ** -0.5)


def keys_detached(q, k, v):
    return attend(q, k.detach(), v)


def no_bias_of_qkv(self, x, memory):
    rows = SimpleNamespace(**vars(self) | {w: Rows(getattr(self, w).weight, None) for w in ("w_q", "w_k", "w_v")})
    return einsum_forward(rows, x, memory)


def o_not_turned(self, x, memory):
    return unprojected(self, x, memory) @ self.w_o.weight + self.w_o.bias


def attend(q, k, v, scale=None, dim=-1):
    scores = q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5 if scale is None else scale)
    return scores.softmax(dim) @ v


def made(split=split, merge=merge, attend=attend, q_from="x", k_from="m", v_from="m", act=None, on="", **kwargs):
    """A module that is right but for what is given."""

    def forward(self, x, memory):
        sources = {"x": x, "m": memory}
        q, k, v = self.w_q(sources[q_from]), self.w_k(sources[k_from]), self.w_v(sources[v_from])
        q, k, v = (act(z) if name in on else z for name, z in zip("qkv", (q, k, v), strict=True))
        q, k, v = (split(z, self.n_heads) for z in (q, k, v))
        return self.w_o(merge(attend(q, k, v)))

    return module(forward, **kwargs)


def einsum_forward(self, x, memory):
    H = self.n_heads
    q, k, v = (w(z).unflatten(-1, (H, -1)) for w, z in ((self.w_q, x), (self.w_k, memory), (self.w_v, memory)))
    weights = torch.einsum("bthd,bshd->bhts", q, k).div(math.sqrt(q.shape[-1])).softmax(-1)
    return self.w_o(torch.einsum("bhts,bshd->bthd", weights, v).flatten(2))


def fused_forward(self, x, memory):
    q, k, v = (split_permute(w(z), self.n_heads) for w, z in ((self.w_q, x), (self.w_k, memory), (self.w_v, memory)))
    return self.w_o(merge_cat(F.scaled_dot_product_attention(q, k, v)))


def torch_forward(self, x, memory):
    """torch's own function for all of it."""
    maps = self.w_q, self.w_k, self.w_v
    output, _ = F.multi_head_attention_forward(
        x.transpose(0, 1), memory.transpose(0, 1), memory.transpose(0, 1), x.shape[-1], self.n_heads, None,
        torch.cat([w.bias for w in maps]), None, None, False, 0.0, self.w_o.weight, self.w_o.bias,
        need_weights=False, use_separate_proj_weight=True, q_proj_weight=maps[0].weight,
        k_proj_weight=maps[1].weight, v_proj_weight=maps[2].weight,
    )  # fmt: skip
    return output.transpose(0, 1)


def loop_forward(self, x, memory):
    q, k, v = self.w_q(x), self.w_k(memory), self.w_v(memory)
    outputs = []
    for part in torch.arange(x.shape[-1]).chunk(self.n_heads):
        scores = q[..., part] @ k[..., part].mT / len(part) ** 0.5
        outputs.append(F.softmax(scores, dim=-1) @ v[..., part])
    return self.w_o(torch.cat(outputs, dim=-1))


def bmm_of_batch_and_heads(self, x, memory):
    q, k, v = (split(w(z), self.n_heads).flatten(0, 1) for w, z in
               ((self.w_q, x), (self.w_k, memory), (self.w_v, memory)))  # fmt: skip
    weights = (torch.bmm(q, k.transpose(1, 2)) / q.shape[-1] ** 0.5).softmax(-1)
    return self.w_o(merge(torch.bmm(weights, v).unflatten(0, (x.shape[0], self.n_heads))))


class Keyword(nn.Module):
    """Written out, with names of its own, bias given, and scaled queries."""

    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.h, self.dk = n_heads, d_model // n_heads
        self.w_qkv, self.w_o = nn.Linear(d_model, d_model * 3, bias=True), nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(0.0)

    def forward(self, x, memory=None):
        y = x if memory is None else memory
        n = x.size(0)
        a = self.w_qkv(x).view(n, -1, self.h, 3 * self.dk)
        b = self.w_qkv(y).view(n, -1, self.h, 3 * self.dk)
        q = a[..., : self.dk].transpose(1, 2) / math.sqrt(self.dk)
        k = b[..., self.dk : 2 * self.dk].permute(0, 2, 3, 1)
        v = b[..., 2 * self.dk :].transpose(1, 2)
        z = torch.matmul(self.drop(torch.softmax(torch.matmul(q, k), -1)), v)
        return self.w_o(z.transpose(1, 2).reshape(n, -1, self.h * self.dk))


def k_not_turned(q, k, v):
    return (q @ k / q.shape[-1] ** 0.5).softmax(-1) @ v


def with_bmm(q, k, v):
    return torch.bmm(torch.bmm(q, k.transpose(-2, -1)).softmax(-1), v)


def between_heads(x, n_heads):
    return x.unflatten(-1, (n_heads, -1))


def causal(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def unprojected(self, x, memory):
    q, k, v = (split(w(z), self.n_heads) for w, z in ((self.w_q, x), (self.w_k, memory), (self.w_v, memory)))
    return merge(attend(q, k, v))


def unmerged(self, x, memory):
    q, k, v = (split(w(z), self.n_heads) for w, z in ((self.w_q, x), (self.w_k, memory), (self.w_v, memory)))
    return attend(q, k, v)


def with_weights_too(self, x, memory):
    return einsum_forward(self, x, memory), None


def residual(self, x, memory):
    before = unprojected(self, x, memory)
    return before + self.w_o(before)


def model_scale(self, x, memory):
    q, k, v = (split(w(z), self.n_heads) for w, z in ((self.w_q, x), (self.w_k, memory), (self.w_v, memory)))
    return self.w_o(merge(attend(q, k, v, scale=x.shape[-1] ** -0.5)))


def detached(self, x, memory):
    return einsum_forward(self, x.detach(), memory.detach())


def into_x(self, x, memory):
    output = einsum_forward(self, x, memory)
    x.mul_(0.5)
    return output


def functions_only(d_model, n_heads):
    return lambda x, memory=None: x


def first_head(q, k, v):
    output = attend(q, k, v)
    return torch.cat((output[:, :1], 0 * output[:, 1:]), dim=1)


def mean_of_heads(q, k, v):
    output = attend(q, k, v)
    return output.mean(1, keepdim=True).expand_as(output)


def shared_map(q, k, v):
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).mean(1, keepdim=True) @ v


def with_dropout(q, k, v):
    return F.dropout((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1), 0.2) @ v


def head_0_for_all(q, k, v):
    return (q @ k.mT / q.shape[-1] ** 0.5)[:, :1].softmax(-1) @ v


def unmapped(self, x, memory):
    q, k, v = (split(z, self.n_heads) for z in (x, memory, memory))
    return self.w_o(merge(attend(q, k, v)))


def plus_x(self, x, memory):
    return x + einsum_forward(self, x, memory)


def positions_first(self, x, memory):
    return einsum_forward(self, x.transpose(0, 1), memory.transpose(0, 1))


def as_long_as_x(self, x, memory):
    (B, T, D), H = x.shape, self.n_heads
    q, k, v = (w(z).view(B, T, H, D // H).transpose(1, 2) for w, z in ((self.w_q, x), (self.w_k, memory),
                                                                      (self.w_v, memory)))  # fmt: skip
    return self.w_o(merge(attend(q, k, v)))


class TruthOfMemory(made()):
    def forward(self, x, memory=None):
        return super().forward(x, memory or x)


def two_heads_always(d_model, n_heads):
    return made()(d_model, 2 if d_model % 2 == 0 else n_heads)


def heads_and_width_swapped(d_model, n_heads):
    return made()(d_model, d_model // n_heads)


def sigmoid_weights(q, k, v):
    return (q @ k.mT / q.shape[-1] ** 0.5).sigmoid() @ v


def by_exp(q, k, v):
    weights = (q @ k.mT / q.shape[-1] ** 0.5).exp()
    return weights / weights.sum(-1, keepdim=True) @ v


def not_itself(q, k, v):
    itself = torch.eye(q.shape[2], k.shape[2], dtype=torch.bool) if q.shape[2] > 1 else torch.zeros(1, 1).bool()
    return (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(itself, -torch.inf).softmax(-1) @ v


def last_silent(q, k, v):
    output = attend(q, k, v)
    return torch.cat((output[:, :-1], 0 * output[:, -1:]), dim=1) if output.shape[1] > 1 else output


def batch_mixed(self, x, memory):
    return einsum_forward(self, x.flatten(0, 1)[None], memory.flatten(0, 1)[None]).view(x.shape)


def memory_cut(self, x, memory):
    return einsum_forward(self, x, memory[:, : x.shape[1]])


def memory_and_x(self, x, memory):
    return einsum_forward(self, x, x if memory is x else torch.cat((x, memory), dim=1))


def bias_for_each(self, x, memory):
    return einsum_forward(self, x, memory) + (self.n_heads - 1) * self.w_o.bias


def fixed_scale(q, k, v):
    return attend(q, k, v, scale=64**-0.5)


# repair -------------------------------------------------------------------------------------------------------


def repairing(split=split, merge=merge, attend=attend):
    """A repair that is right but for what is given."""

    def repair(layer, x):
        q, k, v = (split(w(x), layer.n_heads) for w in (layer.w_q, layer.w_k, layer.w_v))
        return layer.w_o(merge(attend(q, k, v)))

    return repair


repair = repairing()


def repair_fused(layer, x):
    q, k, v = (split_permute(w(x), layer.n_heads) for w in (layer.w_q, layer.w_k, layer.w_v))
    return layer.w_o(merge_cat(F.scaled_dot_product_attention(q, k, v)))


def repair_einsum(layer, x):
    return einsum_forward(layer, x, x)


def broken_1(layer, x):
    q, k, v = (w(x).unflatten(-1, (layer.n_heads, -1)) for w in (layer.w_q, layer.w_k, layer.w_v))
    return layer.w_o(attend(q, k, v).flatten(2))


def whole(layer, x):
    return layer(x)


ANSWERS = Diagnosed(
    {
        "a": ("heads attend to one another", "wrong for a text of a single position"),
        "b": ("one map for all heads", "for longer texts, right only where all heads have the same queries and keys"),
        "c": ("merge without transpose", "with w_o the identity, the right numbers in wrong places"),
    },
    repair,
)
mended, fault, shown = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


# contributions, permute, share, agree ---------------------------------------------------------------------------


def contributions(heads, w_o, cut=lambda w, H: w.unflatten(0, (H, -1))):
    parts = heads @ cut(w_o, heads.shape[1])
    output = parts.sum(1, keepdim=True)
    return parts, (parts * output).sum(-1) / output.square().sum(-1)


def contributions_einsum(heads, w_o):
    H = heads.shape[1]
    parts = torch.einsum("bhtd,hde->bhte", heads, w_o.view(H, -1, w_o.shape[1]))
    output = merge(heads) @ w_o
    return [parts, torch.einsum("bhte,bte->bht", parts, output / output.norm(dim=-1, keepdim=True) ** 2)]


def contributions_silenced(heads, w_o):
    """What goes when all other heads say zeros."""
    alone = [heads * F.one_hot(torch.tensor(h), heads.shape[1])[:, None, None] for h in range(heads.shape[1])]
    parts = torch.stack([merge(one) @ w_o for one in alone], dim=1)
    output = (merge(heads) @ w_o)[:, None]
    return parts, (parts @ output.transpose(-2, -1)).diagonal(dim1=-2, dim2=-1) / output.square().sum(-1)


def cut_otherwise(cut):
    return lambda heads, w_o: contributions(heads, w_o, cut)


def shared(share):
    """Right parts, and shares that are computed from parts, output (B, 1, T, D) and the right shares."""

    def answer(heads, w_o):
        parts, right = contributions(heads, w_o)
        return parts, share(parts, parts.sum(1, keepdim=True), right)

    return answer


def lengths(tensor):
    return tensor.norm(dim=-1)


def dots(parts, output):
    return (parts * output).sum(-1)


def summed_over(*axes):
    """Shares of an "output" that is the sum of the parts over these axes."""

    def share(parts, output, shares):
        wrong = parts.sum(axes, keepdim=True)
        return dots(parts, wrong) / dots(wrong, wrong)

    return share


def permute(w_q, w_k, w_v, w_o, order):
    H = len(order)
    wide = [torch.cat([w.chunk(H, dim=1)[head] for head in order], dim=1) for w in (w_q, w_k, w_v)]
    return *wide, torch.cat([w_o.chunk(H, dim=0)[head] for head in order], dim=0)


def permute_unflatten(w_q, w_k, w_v, w_o, order):
    H = len(order)
    wide = [w.unflatten(1, (H, -1))[:, order].flatten(1) for w in (w_q, w_k, w_v)]
    return [*wide, w_o.unflatten(0, (H, -1))[order].flatten(0, 1)]


def permute_index(w_q, w_k, w_v, w_o, order):
    d_head = w_q.shape[1] // len(order)
    index = torch.cat([torch.arange(head * d_head, (head + 1) * d_head) for head in order])
    return w_q[:, index], w_k[:, index], w_v[:, index], w_o.index_select(0, index)


def permute_matrix(w_q, w_k, w_v, w_o, order):
    eye, size = torch.eye(len(order), dtype=w_q.dtype), w_q.shape[1] // len(order)
    swap = torch.kron(eye[order], torch.eye(size, dtype=w_q.dtype))
    return w_q @ swap.T, w_k @ swap.T, w_v @ swap.T, swap @ w_o


def permuting(**changes):
    def answer(w_q, w_k, w_v, w_o, order):
        given = {"w_q": w_q, "w_k": w_k, "w_v": w_v, "w_o": w_o}
        right = dict(zip(given, permute(w_q, w_k, w_v, w_o, order), strict=True))
        return tuple(changes[name](given[name], order) if name in changes else right[name] for name in given)

    return answer


def blocks(matrix, order, dim):
    return torch.cat([matrix.chunk(len(order), dim)[head] for head in order], dim)


def backwards(order):
    return [order.index(head) for head in range(len(order))]


def all_backwards(w_q, w_k, w_v, w_o, order):
    return permute(w_q, w_k, w_v, w_o, backwards(order))


def single_columns(matrix, order):
    return matrix[:, list(order) + list(range(len(order), matrix.shape[1]))]


def single_rows(matrix, order):
    return matrix[list(order) + list(range(len(order), len(matrix)))]


def permute_in_place(w_q, w_k, w_v, w_o, order):
    new = permute(w_q, w_k, w_v, w_o, order)
    for old, now in zip((w_q, w_k, w_v, w_o), new, strict=True):
        old.copy_(now)
    return new


def permute_sorting(w_q, w_k, w_v, w_o, order):
    new = permute(w_q, w_k, w_v, w_o, order)
    order.sort()
    return new


def permute_overlapping(w_q, w_k, w_v, w_o, order):
    size = w_q.shape[1] // len(order)
    wide = [torch.cat([w[:, head : head + size] for head in order], dim=1) for w in (w_q, w_k, w_v)]
    return *wide, blocks(w_o, order, 0)


def width_of_the_model(w_q, w_k, w_v, w_o, order):
    d_head = len(w_q) // len(order)
    index = torch.cat([torch.arange(head * d_head, (head + 1) * d_head) for head in order])
    return w_q[:, index], w_k[:, index], w_v[:, index], w_o[index]


def rows_by_reshape(w_q, w_k, w_v, w_o, order):
    return [w.unflatten(0, (len(order), -1))[order].flatten(0, 1) for w in (w_q, w_k, w_v, w_o)]


def grouped(q, k, v):
    size = q.shape[1] // k.shape[1]
    return attend(q, k.repeat_interleave(size, dim=1), v.repeat_interleave(size, dim=1))


def grouped_fused(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)


def grouped_fifth_axis(q, k, v):
    B, H, T, d_head = q.shape
    q = q.view(B, k.shape[1], -1, T, d_head)
    return attend(q, k.unsqueeze(2), v.unsqueeze(2)).flatten(1, 2)


def grouped_expand(q, k, v):
    (B, H), (_, G, S, _) = q.shape[:2], k.shape
    k, v = (x[:, :, None].expand(B, G, H // G, S, x.shape[-1]).reshape(B, H, S, -1) for x in (k, v))
    return attend(q, k, v)


def grouped_loop(q, k, v):
    size = q.shape[1] // k.shape[1]
    return torch.stack([attend(q[:, h], k[:, h // size], v[:, h // size]) for h in range(q.shape[1])], dim=1)


def tiled(x, q):
    return x.repeat(1, q.shape[1] // x.shape[1], 1, 1)


def spread(x, q):
    return x.repeat_interleave(q.shape[1] // x.shape[1], dim=1)


def queries_repeated(q, k, v):
    size = q.shape[1] // k.shape[1]
    return attend(q.repeat_interleave(size, 1), spread(k, q).repeat_interleave(size, 1),
                  spread(v, q).repeat_interleave(size, 1))  # fmt: skip


def stretched(x, q):
    return x.repeat_interleave(q.shape[1] // x.shape[1], dim=2).reshape(len(x), q.shape[1], -1, x.shape[-1])


def key_re_read(q, k, v):
    k, v = spread(k, q), spread(v, q)
    scores = q @ k.reshape(*k.shape[:2], k.shape[3], k.shape[2]) / q.shape[-1] ** 0.5
    return scores.softmax(-1) @ v


def twice_soft(q, k):
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).softmax(-1)


def group_of_two(q, k, v):
    return attend(q, k.repeat_interleave(2, dim=1), v.repeat_interleave(2, dim=1))


def grouped_einsum(q, k, v):
    q = q.unflatten(1, (k.shape[1], -1)) * q.shape[-1] ** -0.5
    weights = torch.einsum("bngtd,bnsd->bngts", q, k).softmax(dim=-1)
    return torch.einsum("bngts,bnse->bngte", weights, v).flatten(1, 2)


def grouped_stacked_queries(q, k, v):
    B, H, T, d_head = q.shape
    return attend(q.reshape(B, k.shape[1], -1, d_head), k, v).reshape(B, H, T, -1)


def queries_averaged(q, k, v):
    size = q.shape[1] // k.shape[1]
    return attend(spread(q.unflatten(1, (-1, size)).mean(2), q), spread(k, q), spread(v, q))


def first_queries(q, k, v):
    return attend(q[:, :: q.shape[1] // k.shape[1]], k, v)


def agree(T, H):
    return math.gcd(T - 1, H - 1) + 1


def agree_counted(T, H):
    numbers = torch.arange(T * H)
    return int((numbers.view(H, T) == numbers.view(T, H).T).sum())


def agree_loop(T, H):
    return sum(1 for h in range(H) for t in range(T) if h * T + t == t * H + h)


def agree_exchanged(T, H):
    return sum(t * T + h == h * H + t for t in range(T) for h in range(H))


def agree_tensor(T, H):
    numbers = torch.arange(T * H * 3)
    same = numbers.view(1, T, H, 3).transpose(1, 2) == numbers.view(1, H, T, 3)
    return same.all(dim=-1).sum()


RIGHT = {
    SPLIT: [
        ("view and transpose", (split, merge)),
        ("permute, flatten", (split_permute, merge_flatten)),
        ("chunk, cat", (split_chunks, merge_cat)),
        ("loops, movedim", (split_loops, merge_movedim)),
        ("filled, einsum", (split_filled, merge_einsum)),
    ],
    MODULE: [
        ("share by share", reading(share_by_share)),
        ("as GPT-NeoX does", reading(as_neox)),
        ("as BLOOM does", reading(as_bloom)),
        ("all at once", reading(by_einops)),
        ("its rows as three matrices", made()),
        ("einsum", module(einsum_forward)),
        ("fused", module(fused_forward)),
        ("a loop over heads", module(loop_forward)),
        ("torch's function", module(torch_forward)),
        ("bmm over batch and heads in one", module(bmm_of_batch_and_heads)),
        ("written out", Keyword),
    ],
    DIAGNOSE: [
        ("textbook", mended(repair)),
        ("fused", mended(repair_fused)),
        ("einsum", mended(repair_einsum)),
        ("a loop over heads", mended(lambda layer, x: loop_forward(layer, x, x))),
        ("capitals and spaces", ANSWERS.in_capitals()),
    ],
    PARTS: [
        ("unflatten", contributions),
        ("einsum, a list", contributions_einsum),
        ("one head at a time", contributions_silenced),
    ],
    PERMUTE: [
        ("chunks", permute),
        ("unflatten", permute_unflatten),
        ("index", permute_index),
        ("permutation matrix", permute_matrix),
    ],
    GROUPED: [
        ("repeat_interleave", grouped),
        ("torch's own", grouped_fused),
        ("a fifth axis", grouped_fifth_axis),
        ("expand", grouped_expand),
        ("a loop over heads", grouped_loop),
        ("einsum", grouped_einsum),
        ("a group's queries below each other", grouped_stacked_queries),
    ],
    AGREE: [
        ("gcd", agree),
        ("counted with tensors", agree_counted),
        ("loop", agree_loop),
        ("counted with d_head", agree_tensor),
        ("counted with numpy", lambda T, H: (np.arange(T * H).reshape(T, H).T.ravel() == np.arange(T * H)).sum()),
    ],
}


def clamped(q, k, v):
    scores = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).clamp(-50, 50)
    return scores.softmax(-1) @ v


def mean_of_scores(layer, x):
    """As broken_b in the notebook: one map, of all heads' scores together."""
    q, k, v = layer.w_q(x), layer.w_k(x), layer.w_v(x)
    scores = torch.einsum("btf,bsf->bts", q, k) / layer.n_heads
    weights = (scores / math.sqrt(q.shape[-1] // layer.n_heads)).softmax(dim=-1)
    return layer.w_o(torch.einsum("bts,bsf->btf", weights, v))


def stacked_heads(layer, x):
    """As broken_c in the notebook: head by head, then stacked in front of the positions and re-read."""
    outputs, d_head = [], x.shape[-1] // layer.n_heads
    for q, k, v in zip(*(w(x).split(d_head, dim=-1) for w in (layer.w_q, layer.w_k, layer.w_v)), strict=True):
        scores = torch.einsum("btd,bsd->bts", q, k) / math.sqrt(d_head)
        outputs.append(torch.einsum("bts,bsd->btd", scores.softmax(dim=-1), v))
    return layer.w_o(torch.stack(outputs, dim=1).reshape(x.shape))


WRONG = {
    SPLIT: [
        ("view alone", (view_alone, merge), "this is a view straight to (B, H, T, d_head)", "M11"),
        ("no transpose", (cut_only, merge), "One transpose is missing"),
        ("H and d_head swapped", (axes_swapped, merge), "n_heads and d_head are swapped"),
        ("dealt like cards", (dealt, merge), "dealt out like cards"),
        ("transposed, then re-read", (turned_and_read, merge), "Cut the last axis before you swap axes"),
        ("last axes swapped", (keys_turned, merge), "the last two axes are swapped"),
        ("transposed first", (turned_heads, merge), "the last two axes are swapped"),
        ("sequence cut", (sequence_cut, merge), "The heads cut the sequence", "M12"),
        ("sequence in chunks", (sequence_chunks, merge), "The heads cut the sequence", "M12"),
        ("full width", (full_width, merge), "every head gets all features", "M13"),
        ("heads first", (heads_first, merge), "the batch comes first"),
        ("batch and heads exchanged", (lambda x, H: split(x, H).permute(1, 2, 0, 3), merge), "the batch and the heads"),
        ("one example", (lambda x, H: split(x, H)[:1], merge), "only one example of the batch"),
        ("merge in place", (split, lambda heads: merge(heads.mul_(1.5)).div(1.5)), "changed its input heads in place"),
        ("batch for positions", (batch_and_heads_mixed, merge), "x is read as (T, B, H, d_head)"),
        ("reversed", (reversed_heads, merge), "reverse order"),
        ("scaled", (lambda x, H: split(x, H) * 0.5, merge), "numbers only change their place"),
        ("one added", (lambda x, H: split(x, H) + 1, merge), "not in the input"),
        ("heads rolled", (lambda x, H: split(x, H).roll(1, dims=1), merge), "it holds the input's number at"),
        ("positions reversed", (lambda x, H: split(x, H).flip(2), merge), "the positions come in reverse order"),
        ("features reversed", (lambda x, H: split(x, H).flip(3), merge), "the features of each head come in reverse"),
        ("strides of a contiguous x", (split_strided, merge), "x of shape (2, 12, 20): "),
        ("float64", (lambda x, H: split(x.double(), H), merge), "came back as torch.float64"),
        ("detached", (lambda x, H: split(x.detach(), H), merge), "No gradient flows through split"),
        ("numpy", (lambda x, H: split(x, H).detach().numpy(), merge), "of type numpy.ndarray"),
        ("merge without transpose", (split, merge_alone), "this is a reshape straight to (B, T, D)", "M11"),
        ("merge with T and d_head swapped", (split, merge_swapped), "in the order (B, H, d_head, T)"),
        ("merge with features alternating", (split, merge_dealt), "features alternate"),
        ("merge with H and d_head swapped", (split, merge_turned), "in the order (B, d_head, T, H)"),
        ("merge by view", (split, merge_viewed), "view() needs contiguous inputs"),
        ("merge sums", (split, lambda heads: heads.sum(1)), "summed, averaged or dropped"),
        (
            "merge along the sequence",
            (split, lambda heads: heads.flatten(1, 2)),
            "as if they were more positions",
            "M12",
        ),
        ("merge half done", (split, lambda heads: heads.transpose(1, 2)), "flatten the last two axes into one"),
        ("merge flattens positions", (split, lambda heads: heads.flatten(2)), "positions were flattened"),
        ("merge reversed", (split, merge_reversed), "the heads come in reverse order"),
        (
            "merge with heads rolled",
            (split, lambda heads: merge(heads.roll(1, dims=1))),
            "wanted the input's number at",
        ),
        ("merge detached", (split, lambda heads: merge(heads.detach())), "No gradient flows through merge"),
        ("no return", (lambda x, H: None, merge), "did you forget `return`?"),
    ],
    MODULE: [
        ("as GPT-2 keeps them", reading(as_gpt2), "all queries, then all keys, then all values, as GPT-2 keeps them"),
        ("as GPT-2, by view alone", reading(viewed_in_parts), "And the split is a view straight", "M11"),
        ("a view of the whole", reading(viewed_whole), "The heads themselves are merged correctly", "M11"),
        ("a view there and back", reading(viewed_whole, merge=merge_alone), "and the merge has none either", "M11"),
        ("dealt to query, key, value", reading(read_as("h", "d", "p")), "dealt out in turn to its query, its key"),
        ("dealt to the heads", reading(read_as("p", "d", "h")), "is read as (3, d_head, n_heads)"),
        ("dealt to all", reading(read_as("d", "h", "p")), "is read as (d_head, n_heads, 3)"),
        ("key first", reading(thirds(1, 0, 2)), "the second third is taken for its query, the first for its key"),
        ("value first", reading(thirds(1, 2, 0)), "the second third is taken for its query, the third for its key"),
        ("k for v", reading(thirds(0, 1, 1)), "and the second for its value"),
        ("q for k", reading(thirds(0, 0, 2)), "the first third is taken for its query, the first for its key"),
        ("scaled by the share", reading(share_by_share, attend=scaled_by_the_share), "divided by sqrt(3 d_head)"),
        ("keys detached", reading(share_by_share, attend=keys_detached), "rows of w_qkv that make the keys"),
        ("three matrices", Lessons, "It has w_q, w_k and w_v, as in the lesson"),
        ("queries alone", made(qkv=lambda D, H: nn.Linear(D, D)), "wide enough for the queries alone"),
        ("scores clamped", made(attend=clamped), "are the scores clamped"),
        ("split by view alone", made(split=view_alone), "The heads themselves are merged correctly", "M11"),
        ("view alone twice", made(split=view_alone, merge=merge_alone), "and the merge has none either", "M11"),
        ("merge alone", made(merge=merge_alone), "The merge is a reshape without swapping", "M11"),
        ("dealt", made(split=dealt), "dealt out like cards"),
        ("dealt and gathered", made(split=dealt, merge=merge_dealt), "In split and merge the features are dealt"),
        ("transposed and re-read", made(split=turned_and_read), "x is transposed and then re-read"),
        ("merge swapped", made(merge=merge_swapped), "positions and features change places"),
        ("sqrt(d_model)", module(model_scale), "wanted sqrt(d_head)", "M01"),
        ("unscaled", made(attend=lambda q, k, v: attend(q, k, v, 1.0)), "not divided by sqrt(d_head)", "M01"),
        ("sqrt(64)", made(attend=fixed_scale), "divided by sqrt(64), a fixed number"),
        ("sqrt(512)", made(attend=lambda q, k, v: attend(q, k, v, 512**-0.5)), "divided by sqrt(512), a fixed", "M01"),
        ("values cubed", made(attend=lambda q, k, v: attend(q, k, v**3)), "With one head the output is"),
        (
            "cubed when there are several",
            made(split=lambda x, H: split(x, H) if H == 1 else split(x, H) ** 3),
            "on n_heads",
        ),
        ("over the queries", made(attend=lambda q, k, v: attend(q, k, v, dim=-2)), "over the queries", "M04"),
        ("sqrt(T)", made(attend=lambda q, k, v: attend(q, k, v, q.shape[2] ** -0.5)), "divided by sqrt(5)"),
        ("divided by d_head", made(attend=lambda q, k, v: attend(q, k, v, 1 / q.shape[-1])), "the root is missing"),
        ("sigmoid", made(attend=sigmoid_weights), "Sigmoid is used where softmax should be"),
        ("not itself", made(attend=not_itself), "A position does not see itself"),
        ("values of another head", made(attend=lambda q, k, v: attend(q, k, v.roll(1, 1))), "values of another head"),
        ("keys of another head", made(attend=lambda q, k, v: attend(q, k.roll(1, 1), v)), "The keys of another head"),
        ("cosines", made(attend=lambda q, k, v: attend(F.normalize(q, dim=-1), k, v)), "is divided by its length"),
        ("last head silent", made(attend=last_silent), "The last head is silent"),
        ("batch mixed", module(batch_mixed), "The examples of the batch influence one another"),
        ("memory cut", module(memory_cut), "Only the first T positions of the memory"),
        ("x in the memory", module(memory_and_x), "Keys and values come from x and the memory together"),
        ("bias of w_o for each head", module(bias_for_each), "added once for every head"),
        ("bias of w_qkv", module(no_bias_of_qkv), "The bias of w_qkv is left out"),
        ("exp overflows", made(attend=by_exp), "exp of such a score overflows"),
        ("over the heads", made(attend=lambda q, k, v: attend(q, k, v, dim=1)), "runs over the heads"),
        ("no w_o", module(unprojected), "w_o is not used"),
        ("not merged", module(unmerged), "the heads are not merged"),
        ("heads attend to heads", made(split=between_heads, merge=lambda o: o.flatten(2)), "attend to each other"),
        ("k not transposed", made(attend=k_not_turned), "k is not transposed", "M10"),
        ("bmm", made(attend=with_bmm), "torch.bmm takes exactly three axes", "M10"),
        ("merge by view", made(merge=merge_viewed), "contiguous() before view()"),
        ("memory ignored", made(k_from="x", v_from="x"), "The memory is not used"),
        ("queries from the memory", made(q_from="m"), "that of the memory"),
        ("x and memory exchanged", made(q_from="m", k_from="x", v_from="x"), "that of the memory"),
        ("relu of q", made(act=torch.relu, on="q"), "relu is applied to q", "M06"),
        ("relu of v", made(act=torch.relu, on="v"), "relu is applied to v", "M06"),
        ("w_o not transposed", module(o_not_turned), "x @ weight.T + bias"),
        ("residual inside", module(residual), "The residual comes in lesson 06"),
        ("causal", made(attend=causal), "A causal mask is applied"),
        ("first head only", made(attend=first_head), "Only the first head contributes"),
        ("heads averaged", made(attend=mean_of_heads), "The heads are averaged"),
        ("one map for all", made(attend=shared_map), "All heads share one map"),
        ("dropout", made(attend=with_dropout), "Two calls with the same input give different results"),
        ("output and weights", module(with_weights_too), "wanted the output alone"),
        ("full width a head", made(qkv=lambda D, H: nn.Linear(D, 3 * H * D)), "the 5 heads has the full", "M13"),
        ("full width into w_o", made(linear=lambda D, H: nn.Linear(H * D, D)), "the 5 heads has the full", "M13"),
        ("one head's width", made(qkv=lambda D, H: nn.Linear(D, 3 * D // H)), "wide enough for one head"),
        (
            "a list of layers",
            made(qkv=lambda D, H: nn.ModuleList(nn.Linear(D, 3 * D // H) for _ in range(H))),
            "is a list of 5 layers",
        ),
        ("no bias", made(qkv=lambda D, H: nn.Linear(D, 3 * D, bias=False)), "has no bias"),
        ("one layer more", made(extra=lambda self, D, H: setattr(self, "w", nn.Linear(D, D))), "more parameters"),
        ("detached", module(detached), "No gradient reaches x"),
        ("keys from x", made(k_from="x"), "The keys come from x"),
        ("values from x", made(v_from="x"), "The values come from x"),
        ("S taken for T", module(as_long_as_x), "when x and memory are equally long"),
        ("`memory or x`", TruthOfMemory, "write `memory is None`"),
        ("maps not used", module(unmapped), "w_qkv is left out"),
        ("x added", module(plus_x), "x is added to the output"),
        ("head 0's map for all", made(attend=head_0_for_all), "that of the first"),
        ("positions before the batch", module(positions_first), "the batch comes first"),
        ("two heads always", two_heads_always, "is the number of heads fixed?"),
        ("heads and width swapped", heads_and_width_swapped, "n_heads and d_head are swapped"),
        ("already built", made()(12, 3), "Pass the class itself"),
        ("in place", module(into_x), "in place"),
        ("a function", functions_only, "wanted an nn.Module"),
        ("other names", lambda D, H: nn.MultiheadAttention(D, H), "The module has no w_qkv"),
    ],
    DIAGNOSE: [
        ("scores clamped", mended(repairing(attend=clamped)), "are the scores clamped"),
        ("as it was", mended(broken_1), "The heads of one position attend to each other"),
        ("merge alone", mended(repairing(merge=merge_alone)), "The merge is a reshape without swapping", "M11"),
        ("split alone", mended(repairing(split=view_alone)), "The heads themselves are merged correctly", "M11"),
        ("half swapped", mended(repairing(merge=lambda o: o.flatten(2))), "cannot be multiplied"),
        ("scale lost", mended(repairing(attend=lambda q, k, v: attend(q, k, v, 1.0))), "not divided by sqrt", "M01"),
        ("bmm", mended(repairing(attend=with_bmm)), "torch.bmm takes exactly three axes", "M10"),
        ("w_o left out", mended(lambda layer, x: unprojected(layer, x, x)), "w_o is not used"),
        ("one map", mended(repairing(attend=shared_map)), "All heads share one map"),
        ("as b", mended(mean_of_scores), "of the scores of all heads together"),
        ("as c", mended(stacked_heads), "The merge is a reshape without swapping", "M11"),
        ("x detached", mended(lambda layer, x: repair(layer, x.detach())), "No gradient reaches x"),
        ("x overwritten", mended(lambda layer, x: into_x(layer, x, x)), "in place"),
        ("float32", mended(lambda layer, x: repair(layer, x).float()), "came back as torch.float32"),
        ("dropout", mended(repairing(attend=with_dropout)), "Two calls with the same input give different results"),
        ("the layer whole", mended(whole), "The layer was called whole"),
        ("a: the split", fault("a", "split without transpose"), "Between which two axes"),
        ("a: the softmax", fault("a", "softmax over the queries"), "not 'softmax over the queries'"),
        ("b: averaged", fault("b", "heads averaged"), "how many maps are there"),
        ("c: split", fault("c", "split without transpose"), "in which order do the numbers lie in memory"),
        ("c: by number", fault("c", 3), "with its quotation marks"),
        ("in other words", fault("b", "shared map"), "choose one of"),
        ("a shown by one head", shown("a", "right with a single head"), "so of two of the three"),
        ("c shown by one head", shown("c", "right with a single head"), "so of two of the three"),
        ("b shown by the shape", shown("b", "the output has another shape than x"), "all three give the shape"),
        ("b shown by places", shown("b", ANSWERS.named["c"][1]), "every head is right there"),
        ("c shown by one position", shown("c", ANSWERS.named["a"][1]), "no part in the scores"),
    ],
    PARTS: [
        ("rows in turn", cut_otherwise(lambda w, H: w.unflatten(0, (-1, H)).transpose(0, 1)), "dealt out in turn"),
        ("rows reversed", cut_otherwise(lambda w, H: w.unflatten(0, (H, -1)).flip(0)), "in reverse order"),
        ("the first rows", cut_otherwise(lambda w, H: w.unflatten(0, (H, -1))[:1]), "the first head's rows"),
        ("mean rows", cut_otherwise(lambda w, H: w.unflatten(0, (H, -1)).mean(0)), "the average of all rows"),
        ("averaged", cut_otherwise(lambda w, H: w.unflatten(0, (H, -1)) / H), "it does not average"),
        ("columns", cut_otherwise(lambda w, H: w.unflatten(1, (H, -1)).transpose(0, 1)), "which axis do you cut?"),
        ("summed", lambda h, w: (merge(h) @ w, contributions(h, w)[1]), "that is the whole output"),
        ("parts alone", lambda h, w: contributions(h, w)[0], "returns two tensors"),
        ("shares first", lambda h, w: contributions(h, w)[::-1], "the other way round"),
        ("cosine", shared(lambda p, o, s: F.cosine_similarity(p, o, dim=-1)), "That is the cosine"),
        ("lengths", shared(lambda p, o, s: lengths(p) / lengths(p).sum(1, keepdim=True)), "shares of the sum"),
        ("length by length", shared(lambda p, o, s: lengths(p) / lengths(o)), "divided by the output's"),
        ("squares", shared(lambda p, o, s: (lengths(p) / lengths(o)) ** 2), "part · part"),
        (
            "squares of all",
            shared(lambda p, o, s: lengths(p) ** 2 / (lengths(p) ** 2).sum(1, keepdim=True)),
            "squared lengths, as shares",
        ),
        ("not divided", shared(lambda p, o, s: dots(p, o)), "not divided by output · output yet"),
        ("divided once", shared(lambda p, o, s: dots(p, o) / lengths(o)), "the part's shadow on the output"),
        ("sums", shared(lambda p, o, s: p.sum(-1) / o.sum(-1)), "Multiply first"),
        ("mean of quotients", shared(lambda p, o, s: (p / o).mean(-1)), "a quotient of two sums"),
        ("without sign", shared(lambda p, o, s: s.abs()), "The sign is lost"),
        (
            "without sign, made to sum to 1",
            shared(lambda p, o, s: s.abs() / s.abs().sum(1, keepdim=True)),
            "sum to 1 by themselves",
        ),
        ("products without sign", shared(lambda p, o, s: dots(p.abs(), o.abs()) / dots(o, o)), "sign of every product"),
        (
            "products without sign, made to sum to 1",
            shared(lambda p, o, s: dots(p.abs(), o.abs()) / dots(p.abs(), o.abs()).sum(1, keepdim=True)),
            "sign of every product",
        ),
        ("cut off", shared(lambda p, o, s: s.relu()), "Negative shares are cut off"),
        (
            "cut off, made to sum to 1",
            shared(lambda p, o, s: s.relu() / s.relu().sum(1, keepdim=True)),
            "Negative shares are cut off",
        ),
        ("a share of the part", shared(lambda p, o, s: dots(p, o) / dots(p, p)), "divided by part · part"),
        ("output summed over positions", shared(summed_over(2)), "summed over the positions"),
        ("and over heads", shared(summed_over(1, 2)), "summed over the positions"),
        ("output summed over the batch", shared(summed_over(0)), "summed over the texts"),
        ("an unknown number", shared(lambda p, o, s: s**3), "Wanted: part"),
        ("softmax", shared(lambda p, o, s: dots(p, o).softmax(1)), "A softmax over the heads"),
        ("quotients", shared(lambda p, o, s: p / o), "A share is one number"),
        ("detached", lambda h, w: contributions(h.detach(), w), "No gradient flows"),
        ("w_o detached", lambda h, w: contributions(h, w.detach()), "No gradient flows"),
        ("float32", lambda h, w: [x.float() for x in contributions(h, w)], "came back as torch.float32"),
        ("in place", lambda h, w: contributions(h.mul_(2), w), "changed its input heads in place"),
    ],
    PERMUTE: [
        ("w_o untouched", permuting(w_o=lambda w, order: w), "w_o came back as it was"),
        ("w_o's columns", permuting(w_o=lambda w, order: blocks(w, order, 1)), "w_o's columns are reordered"),
        ("w_o's rows inverse", permuting(w_o=lambda w, order: blocks(w, backwards(order), 0)), "inverse order"),
        ("w_o's single rows", permuting(w_o=single_rows), "Single rows of w_o"),
        ("w_v untouched", permuting(w_v=lambda w, order: w), "w_v came back as it was"),
        ("rows of w_q", permuting(w_q=lambda w, order: blocks(w, order, 0)), "its rows are reordered"),
        ("single columns", permuting(w_k=single_columns), "single columns are reordered"),
        ("all backwards", all_backwards, "the order is read backwards"),
        ("nothing", lambda *given: given[:4], "w_q came back as it was"),
        (
            "reversed",
            lambda *given: permute(*given[:4], sorted(given[4])[::-1]),
            "w_o holds the old heads [3, 2, 1, 0]",
        ),
        ("one column a head", lambda q, k, v, o, order: (q[:, order], k[:, order], v[:, order], o[order]), "4 single"),
        (
            "not flattened",
            lambda *given: [w.unflatten(1, (len(given[4]), -1)) if w is not given[3] else w for w in permute(*given)],
            "an axis of their own",
        ),
        ("d_head = D // H", width_of_the_model, "is d_head taken as D // H?"),
        ("w_q and w_k exchanged", lambda q, k, *rest: permute(k, q, *rest), "these are the columns of w_k"),
        ("detached", lambda *given: [w.detach() for w in permute(*given)], "No gradient flows through w_q"),
        ("float32", lambda *given: [w.float() for w in permute(*given)], "came back as torch.float32"),
        ("rows, by reshape", rows_by_reshape, "Which axis do you cut?"),
        ("in place", permute_in_place, "in place"),
        ("whole numbers", lambda *given: [w.int() for w in permute(*given)], "came back as torch.int32"),
        (
            "columns reversed",
            lambda q, k, v, o, order: (q.flip(1), k.flip(1), v.flip(1), o.flip(0)),
            "columns are reversed",
        ),
        ("sorts the list", permute_sorting, "The list `order` was changed"),
        ("one column apart", permute_overlapping, "begin at h * d_head"),
        ("w_o doubled", permuting(w_o=lambda w, order: 2 * blocks(w, order, 0)), "multiplied by 2"),
        ("three matrices", lambda *given: permute(*given)[:3], "returns four matrices"),
        (
            "transposed",
            lambda *given: [w.T for w in permute(*given)],
            "Its last two axes are swapped",
        ),
    ],
    GROUPED: [
        ("scores clamped", lambda q, k, v: clamped(q, spread(k, q), spread(v, q)), "are the scores clamped"),
        ("tiled", lambda q, k, v: attend(q, tiled(k, q), tiled(v, q)), "repeat_interleave"),
        ("values tiled", lambda q, k, v: attend(q, spread(k, q), tiled(v, q)), "the values are tiled"),
        ("keys tiled", lambda q, k, v: attend(q, tiled(k, q), spread(v, q)), "the keys are tiled"),
        ("queries repeated", queries_repeated, "The queries are repeated as well"),
        ("queries averaged", queries_averaged, "The queries of a group are averaged"),
        ("queries dropped", first_queries, "every query head keeps its own output"),
        ("one key head for all", lambda q, k, v: attend(q, k[:, :1], v[:, :1]), "Every head uses the first key head"),
        (
            "key heads averaged",
            lambda q, k, v: attend(q, k.mean(1, keepdim=True), v.mean(1, keepdim=True)),
            "averaged into one for all",
        ),
        ("groups kept apart", lambda q, k, v: grouped_fused(q, k, v).unflatten(1, (k.shape[1], -1)), "still two axes"),
        ("merged", lambda q, k, v: merge(grouped(q, k, v)), "the heads are merged"),
        ("groups of two", group_of_two, "q.shape[1] // k.shape[1] times"),
        (
            "repeated along S",
            lambda q, k, v: attend(q, stretched(k, q), stretched(v, q)),
            "along the positions (dim=2)",
        ),
        ("key re-read", key_re_read, "re-read by view or reshape", "M10"),
        ("no softmax", lambda q, k, v: q @ spread(k, q).mT @ spread(v, q), "There is no softmax"),
        ("key heads reversed", lambda q, k, v: grouped(q, k.flip(1), v.flip(1)), "in reverse order"),
        ("sqrt(e)", lambda q, k, v: attend(q, spread(k, q), spread(v, q), v.shape[-1] ** -0.5), "the width of v"),
        ("not repeated", attend, "each of those serves 3 query heads"),
        ("unscaled", lambda q, k, v: attend(q, spread(k, q), spread(v, q), 1.0), "not divided", "M01"),
        (
            "sqrt(d_model)",
            lambda q, k, v: attend(q, spread(k, q), spread(v, q), (q.shape[1] * q.shape[3]) ** -0.5),
            "divided by sqrt(d_model)",
            "M01",
        ),
        ("over the queries", lambda q, k, v: attend(q, spread(k, q), spread(v, q), dim=-2), "over the queries", "M04"),
        ("causal", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True), "causal"),
        ("last key head", lambda q, k, v: attend(q, k[:, -1:], v[:, -1:]), "the last key head; each group has its own"),
        ("key heads summed", lambda q, k, v: attend(q, k.sum(1, True), v.sum(1, True)), "are summed into one for all"),
        (
            "values of head 0",
            lambda q, k, v: attend(q, spread(k, q), v[:, :1]),
            "the values are those of the first head",
        ),
        ("sqrt(S)", lambda q, k, v: attend(q, spread(k, q), spread(v, q), k.shape[2] ** -0.5), "the number of keys"),
        ("softmax twice", lambda q, k, v: twice_soft(q, spread(k, q)) @ spread(v, q), "The softmax is taken twice"),
        ("over the heads", lambda q, k, v: attend(q, spread(k, q), spread(v, q), dim=1), "runs over the heads"),
        ("value heads reversed", lambda q, k, v: grouped(q, k, v.flip(1)), "The value heads are taken in reverse"),
        ("cosines", lambda q, k, v: grouped(F.normalize(q, dim=-1), k, v), "divided by their length"),
        (
            "dropout",
            lambda q, k, v: with_dropout(q, spread(k, q), spread(v, q)),
            "Two calls with the same input give different results",
        ),
        ("heads averaged", lambda q, k, v: grouped(q, k, v).mean(1, keepdim=True), "averaged, summed or dropped"),
        ("exp overflows", lambda q, k, v: by_exp(q, spread(k, q), spread(v, q)), "exp of such a score overflows"),
        ("output and weights", lambda q, k, v: (grouped(q, k, v), None), "wanted the output alone"),
        ("detached", lambda q, k, v: grouped(q.detach(), k, v), "No gradient reaches q"),
    ],
    AGREE: [
        ("everywhere", lambda T, H: T * H, "That is all of them"),
        ("the two ends", lambda T, H: 2 if min(T, H) > 1 else T * H, "not always the only ones"),
        (
            "gcd of T and H",
            lambda T, H: math.gcd(T, H),
            "This is gcd(T, H). The greatest common divisor is that of T - 1",
        ),
        ("gcd of T and H, plus 1", lambda T, H: math.gcd(T, H) + 1, "This is gcd(T, H) + 1"),
        ("gcd of T - 1 and H", lambda T, H: math.gcd(T - 1, H) + 1, "This is gcd(T - 1, H) + 1"),
        ("both ends left out", lambda T, H: math.gcd(T - 1, H - 1) - 1, "Are both ends left out?"),
        ("the larger", lambda T, H: max(T, H), "That is the larger of T and H"),
        ("T and H exchanged", agree_exchanged, "T and H change places"),
        ("right for small ones", lambda T, H: agree(T, H) if T * H < 100 else 2, "not always the only ones"),
        ("1 where nothing moves", lambda T, H: agree(T, H) if min(T, H) > 1 else 1, "nothing to swap"),
        ("gcd without the end", lambda T, H: math.gcd(T - 1, H - 1), "Is one end left out?"),
        ("the smaller", lambda T, H: min(T, H), "Not every head"),
        ("numbers counted", lambda T, H: 2 * agree(T, H), "Do you count numbers?"),
        ("those that disagree", lambda T, H: T * H - agree(T, H), "how many disagree"),
        ("a list of them", lambda T, H: list(range(agree(T, H))), "gave a list; wanted how many"),
        ("a share", lambda T, H: agree(T, H) / (T * H), "wanted a whole number"),
        ("always two", lambda T, H: 2, "at T = 5, H = 3 there are others"),
    ],
}
