"""Lesson 04: the checks of grouped-query attention: several query heads share one head of keys and values."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..attention.softmax import softmax_by_loops
from ..common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone
from .multi_head_attention import counts_in_full, holds_for_large

# B, H, G, T, S, d_head, d_value: no two alike but B and G; groups of two; one key head, all other sizes alike.
GROUPED = (
    ((2, 6, 2, 5, 7, 4, 3), (1, 6, 3, 4, 5, 4, 6), (3, 4, 1, 4, 4, 4, 4), (2, 8, 4, 2, 3, 5, 5)),
    ((2, 6, 2, 7, 5, 3, 4), (1, 8, 4, 3, 5, 6, 2), (2, 3, 1, 3, 3, 3, 3), (2, 6, 3, 2, 4, 5, 5)),
    ((2, 6, 2, 8, 5, 4, 7), (1, 4, 2, 5, 3, 6, 7), (3, 5, 1, 5, 5, 5, 5), (2, 8, 4, 3, 2, 3, 3)),
)
ORDINARY = (  # as many key heads as query heads
    ((2, 4, 4, 5, 7, 6, 3), (1, 2, 2, 3, 3, 4, 4)),
    ((3, 2, 2, 7, 4, 5, 6), (1, 3, 3, 4, 4, 2, 2)),
    ((2, 5, 5, 3, 8, 4, 6), (1, 4, 4, 2, 2, 3, 3)),
)


class grouped_query_attention:
    answers = ("grouped_query_attention(q, k, v)",)

    @check("the output has a head for each query head", 0.5)
    def shape(attention):
        for sizes in draw.one_of(*GROUPED):
            grouped(attention, *inputs(*sizes))

    @check("as many key heads as query heads: ordinary attention", 1)
    def ordinary(attention):
        for sizes in draw.one_of(*ORDINARY):
            expect_grouped(attention, *inputs(*sizes))

    @check("one key head for a group of query heads", 2)
    def groups(attention):
        for sizes in draw.one_of(*GROUPED):
            expect_grouped(attention, *inputs(*sizes))

    @check("gradients reach q, k and v; dtype is kept; inputs stay as they were", 0.5)
    def manners(attention):
        sizes = draw.one_of(*GROUPED)[0]
        sources = [tensor.requires_grad_() for tensor in inputs(*sizes)]
        output = has_gradient(grouped(attention, *sources), "the output")
        found = torch.autograd.grad((output * draw.normal(*output.shape)).sum(), sources, allow_unused=True)
        for name, gradient in zip("qkv", found, strict=True):
            if gradient is None or not gradient.any():
                raise Wrong(f"No gradient reaches {name}. Look for .detach(), .data, torch.no_grad() or numpy.")
        q, k, v = inputs(*sizes)
        if close(output, grouped_by_loops(*sources), 1e-4):
            output = holds_for_large(lambda q: attention(q, k, v), 300 * q)
            counts_in_full(output, grouped_by_loops(300 * q, k, v))
        leaves_alone(attention, q=q, k=k, v=v)
        keeps_dtype(grouped(attention, q.double(), k.double(), v.double()), torch.float64, "the output")


def inputs(B, H, G, T, S, d_head, d_value):
    return draw.normal(B, H, T, d_head), draw.normal(B, G, S, d_head), draw.normal(B, G, S, d_value)


def grouped(attention, q, k, v) -> Tensor:
    shape, groups = (*q.shape[:3], v.shape[-1]), q.shape[1] // k.shape[1]
    try:
        got = attention(*copies(q, k, v))
    except RuntimeError as error:
        if groups == 1 or isinstance(error, NotDone):
            raise
        words = f"q has {q.shape[1]} heads, k and v have {k.shape[1]}: each of those serves {groups} query heads"
        raise Wrong(
            f"{words}, so it must meet {groups} of them. Repeat each head of k and v q.shape[1] // k.shape[1] times "
            f"({groups} here), or give q an axis for groups."
        ) from error
    if isinstance(got, (tuple, list)):
        raise Wrong("Several things came back; wanted the output alone.")
    came = tuple(getattr(got, "shape", ()))
    B, H, T, _ = q.shape
    G = k.shape[1]
    if came == (B, G, T, v.shape[-1]) != shape:
        words = f"The output has {G} heads, one for each key head; wanted {H}: every query head keeps its own output."
        raise Wrong(words)
    if came == (B, 1, T, v.shape[-1]) != shape:
        raise Wrong(f"The output has shape {came}: the heads are averaged, summed or dropped; wanted all {H}.")
    if came == (B, T, H * v.shape[-1]) and H > 1:
        raise Wrong(f"The output has shape {came}: the heads are merged. Give them back as (B, H, T, e).")
    if came == (B, H, T, q.shape[-1]) != shape:
        raise Wrong(f"The output is as wide as the queries ({q.shape[-1]}), not as the values ({v.shape[-1]}).")
    if came in ((B, G, H // G, T, v.shape[-1]), (B, H // G, G, T, v.shape[-1])) and G > 1:
        raise Wrong(f"The output has shape {came}: groups and the heads in them are still two axes. Flatten them.")
    if len(came) == 4 and came[1] == H * (H // G) and H != G:
        raise Wrong("The queries are repeated as well: repeat the keys and the values only.")
    return expect_tensor(got, "the output", shape)


def grouped_by_loops(q, k, v, key_head=lambda h, H, G: h // (H // G)) -> Tensor:
    """The specification: query head h attends with key head h // (H / G), one after the other."""
    B, H, T, d_head = q.shape
    output = torch.zeros(B, H, T, v.shape[-1], dtype=torch.float64)
    q, k, v = (tensor.detach().double() for tensor in (q, k, v))
    for b in range(B):
        for h in range(H):
            g = key_head(h, H, k.shape[1])
            for t in range(T):
                weights = softmax_by_loops(torch.stack([q[b, h, t] @ key for key in k[b, g]]) / d_head**0.5, -1)
                output[b, h, t] = sum(weight * value for weight, value in zip(weights, v[b, g], strict=True))
    return output


def grouped_faults(q, k, v):
    q, k, v = q.double(), k.double(), v.double()
    (_, H, T, d_head), G = q.shape, k.shape[1]
    wide = [x.repeat_interleave(H // G, dim=1) for x in (k, v)]
    tiled = [x.repeat(1, H // G, 1, 1) for x in (k, v)]

    def attend(q, k, v, scale=d_head**-0.5, dim=-1):
        return (q @ k.transpose(-2, -1) * scale).softmax(dim) @ v

    words = (
        f"The key heads are tiled, 0 1 ... 0 1 ... (repeat), so that neighbours in a group of {H // G} get "
        "different keys. Each key head serves heads that stand together, 0 0 ... 1 1 ...: repeat_interleave."
    )
    yield attend(q, *tiled), words, None
    yield attend(q, wide[0], tiled[1]), "The keys are repeated correctly, the values are tiled (repeat).", None
    yield attend(q, tiled[0], wide[1]), "The values are repeated correctly, the keys are tiled (repeat).", None
    whole = [x.mean(1, keepdim=True).expand(-1, H, -1, -1) for x in (k, v)]
    yield attend(q, *whole), "All key heads are averaged into one for all; each group has its own.", None
    summed = [x.sum(1, keepdim=True).expand(-1, H, -1, -1) for x in (k, v)]
    yield attend(q, *summed), "All key heads are summed into one for all; each group has its own.", None
    last = [x[:, -1:].expand(-1, H, -1, -1) for x in (k, v)]
    yield attend(q, *last), "Every head uses the last key head; each group has its own.", None
    first = [x[:, :1].expand(-1, H, -1, -1) for x in (k, v)]
    yield (
        attend(q, wide[0], first[1]),
        "The keys are right; the values are those of the first head for all groups.",
        None,
    )
    yield (
        attend(q, first[0], wide[1]),
        "The values are right; the keys are those of the first head for all groups.",
        None,
    )
    yield attend(q, wide[0], wide[1].flip(1)), "The value heads are taken in reverse order.", None
    yield (
        attend(q, wide[0].flip(1), wide[1]),
        "The key heads are taken in reverse order, the value heads are not.",
        None,
    )
    yield attend(q, *first), "Every head uses the first key head; each group has its own.", None
    words = "The group of a head is h // n_kv_heads; wanted h // (H / n_kv_heads)."
    index = [min(h // G, G - 1) for h in range(H)]
    yield attend(q, k[:, index], v[:, index]), words, None
    mean = q.unflatten(1, (G, H // G)).mean(2).repeat_interleave(H // G, dim=1)
    words = "The queries of a group are averaged: only keys and values are shared, every query head asks for itself."
    yield attend(mean, *wide), words, None
    words = "The outputs of a group are averaged: only keys and values are shared."
    yield attend(q, *wide).unflatten(1, (G, H // G)).mean(2).repeat_interleave(H // G, dim=1), words, None
    words = "The outputs of a group are summed: only keys and values are shared."
    yield attend(q, *wide).unflatten(1, (G, H // G)).sum(2).repeat_interleave(H // G, dim=1), words, None
    yield attend(q, *wide, dim=1), "The softmax runs over the heads (dim=1); it should run over the keys, dim=-1.", None
    yield attend(q, *wide, dim=0), "The softmax runs over the batch (dim=0); it should run over the keys, dim=-1.", None
    scores = q @ wide[0].transpose(-2, -1) / d_head**0.5
    yield scores.softmax(-1).softmax(-1) @ wide[1], "The softmax is taken twice.", None
    words = "Sigmoid is used where softmax should be: the weights of a query must add up to 1."
    yield scores.sigmoid() @ wide[1], words, None
    words = "One softmax runs over all queries and keys: the weights of each query must add up to 1."
    yield scores.flatten(-2).softmax(-1).view_as(scores) @ wide[1], words, None
    yield attend(q, *wide, scale=1 / d_head), "The scores are divided by d_head: the root is missing.", None
    yield attend(q, *wide, scale=d_head**0.5), "The scores are multiplied by sqrt(d_head), not divided.", None
    for scale in (1.0, d_head**-0.5):
        words = "Queries or keys are divided by their length: nothing asks for that."
        unit_q, unit_k = F.normalize(q, dim=-1), F.normalize(wide[0], dim=-1)
        yield attend(unit_q, *wide, scale=scale), words, None
        yield attend(q, unit_k, wide[1], scale=scale), words, None
        yield attend(unit_q, unit_k, wide[1], scale=scale), words, None
    yield attend(q, *wide, scale=1.0), "The scores are not divided by sqrt(d_head).", "M01"
    yield attend(q, *wide, scale=(H * d_head) ** -0.5), "The scores are divided by sqrt(d_model).", "M01"
    yield attend(q, *wide, dim=-2), "The softmax runs over the queries (dim=-2); it should run over the keys.", "M04"
    words = f"The scores are divided by sqrt({v.shape[-1]}), the width of v; wanted that of q and k, sqrt(d_head)."
    yield attend(q, *wide, scale=v.shape[-1] ** -0.5), words, None
    for n in range(2, 65):
        axis = {T: " (T, the number of queries)", k.shape[2]: " (S, the number of keys)", H: " (the number of heads)"}
        words = f"The scores are divided by sqrt({n}){axis.get(n, '')}; wanted sqrt(d_head) = sqrt({d_head})."
        yield attend(q, *wide, scale=n**-0.5), words, None
    yield attend(q, *(x.flip(1) for x in wide)), "The key heads are taken in reverse order.", None
    S = k.shape[2]
    turned = wide[0].reshape(*wide[0].shape[:2], d_head, S)
    words = "k is re-read by view or reshape, which does not transpose: k.transpose(-2, -1)."
    yield (q @ turned / d_head**0.5).softmax(-1) @ wide[1], words, "M10"
    words = "There is no softmax: the scores themselves weigh the values."
    for scale in (d_head**-0.5, 1.0):
        yield q @ wide[0].transpose(-2, -1) * scale @ wide[1], words, None
    words = "The keys and values are repeated along the positions (dim=2); repeat the heads, dim=1."
    stretched = [x.repeat_interleave(H // G, dim=2).reshape(len(x), H, S, -1) for x in (k, v)]
    yield attend(q, *stretched), words, None
    words = "A causal mask is applied; nothing here asks for one."
    allowed = torch.ones(T, k.shape[2]).tril().bool()
    scores = q @ wide[0].transpose(-2, -1) / d_head**0.5
    yield scores.masked_fill(~allowed, -torch.inf).softmax(-1) @ wide[1], words, None


def expect_grouped(attention, q, k, v) -> None:
    got = grouped(attention, q, k, v)
    if not close(got, grouped(attention, q, k, v)):
        raise Wrong("Two calls with the same input give different results: is there dropout?")
    try:
        compare(got, grouped_by_loops(q, k, v), grouped_faults(q, k, v), "the output")
    except Wrong as wrong:
        look = ""
        if str(wrong).startswith("the output: at"):
            group = q.shape[1] // k.shape[1]
            look = f" Query head h meets key head and value head h{f' // {group}' * (group > 1)} here."
        where = f"{look} (q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)})"
        raise Wrong(str(wrong) + where, wrong.misconception) from None
