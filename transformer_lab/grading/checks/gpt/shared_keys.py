"""Lesson 14: the checks of keys that are made to serve a group of heads."""

import torch
from torch import Tensor

from ...checking import check
from ...draw import draw
from ..common import compare, expect_tensor, keeps_every_dtype, leaves_alone, settled

# heads, heads of keys, d_head, d_model: no two alike, and d_head no multiple of a group
SIZES = (6, 2, 5, 11), (6, 3, 7, 13), (12, 3, 5, 17), (8, 2, 7, 15)


class shared_keys:
    answers = ("shared_keys(weight, n_heads, n_kv_heads)",)

    @check("one head of keys for each group", 2)
    def groups(shared_keys):
        grouped(shared_keys)

    @check("all heads share one, or each keeps its own", 0.5)
    def ends(shared_keys):
        settled(lambda: grouped(shared_keys), "Groups of several heads are")
        judge(shared_keys, (6, 1, 5, 13), (4, 4, 5, 13))

    @check("the dtype is kept, the weight is left alone", 0.5)
    def kept(shared_keys):
        settled(lambda: grouped(shared_keys), "Groups of several heads are")
        keeps_every_dtype(lambda dtype: shared_keys(draw.normal(30, 11).to(dtype), 6, 2), "the result")
        leaves_alone(lambda weight: shared_keys(weight, 6, 2), weight=draw.normal(30, 11))


def grouped(shared_keys) -> None:
    judge(shared_keys, draw.one_of(*SIZES[:2]), draw.one_of(*SIZES[2:]))


def judge(shared_keys, *sizes: tuple) -> None:
    for H, G, d_head, D in sizes:
        weight = draw.normal(H * d_head, D, dtype=torch.float64)
        got = expect_tensor(shared_keys(weight.clone(), H, G), "the result", (G * d_head, D))
        wanted = weight.view(G, H // G, d_head, D).mean(1).flatten(0, 1)
        look = (
            f"Row {d_head} of the result is the mean of row 0 of heads {H // G} to {2 * H // G - 1}." if G > 1 else ""
        )
        compare(got, wanted, faults(weight, H, G, d_head, D), "the new weight", look=look)


def faults(weight: Tensor, H: int, G: int, d_head: int, D: int) -> list[tuple]:
    group = H // G
    heads = weight.view(G, group, d_head, D)
    strided = weight.view(group, G, d_head, D)
    interleaved = weight.view(d_head, G, group, D)
    rows = weight.view(G, d_head, group, D)
    apart = "Heads that stand side by side form a group: query heads 0 to n_heads / n_kv_heads - 1 read the first keys."
    of_a_head = "A head's rows stand together: rows 0 to d_head - 1 belong to head 0."
    return [
        (strided.mean(0).flatten(0, 1), apart, None),
        (strided[0].flatten(0, 1), "These are the first heads, as they were. " + apart, None),
        (
            heads[:, 0].flatten(0, 1),
            "The first head of each group is taken, and the others are dropped; wanted: their mean.",
            None,
        ),
        (heads[:, -1].flatten(0, 1), "The last head of each group is taken; wanted: the mean of all.", None),
        (heads.sum(1).flatten(0, 1), "The heads of a group are added up; wanted: their mean.", None),
        (heads.mean(1).flatten(0, 1) / group, "It is divided by the size of a group twice.", None),
        (
            heads.mean(1).flatten(0, 1) * group / H,
            "The sum is divided by n_heads; wanted: by the heads of a group.",
            None,
        ),
        (heads.sum(1).flatten(0, 1) / G, "The sum is divided by n_kv_heads; wanted: by the heads of a group.", None),
        (rows.mean(2).flatten(0, 1), f"Neighbouring *rows* were averaged. {of_a_head}", None),
        (weight.view(G * d_head, group, D).mean(1), f"Neighbouring *rows* were averaged. {of_a_head}", None),
        (interleaved.mean(2).flatten(0, 1), of_a_head, None),
        (interleaved.mean(2).transpose(0, 1).flatten(0, 1), of_a_head, None),
        (
            heads.mean(1).transpose(0, 1).flatten(0, 1),
            f"The rows of the new heads are shuffled: head, then row within it, is the order. {of_a_head}",
            None,
        ),
        (heads.mean((0, 1)).repeat(G, 1), "All new heads are alike: the mean of all; wanted: each of its group.", None),
        (heads.median(1).values.flatten(0, 1), "This is the median; wanted: the mean.", None),
    ]
