"""Lesson 16: what wrong ways to serve many LoRAs give, and what to tell their authors."""

import torch
from torch import Tensor


def change(case, A=None, B=None, scale=None, which=None) -> Tensor:
    """What the LoRAs add, (n_texts, T, d_out); which: of each text the weights of all LoRAs, (n_texts, n_loras)."""
    A, B = case.A if A is None else A, case.B if B is None else B
    scale = case.alpha / case.r if scale is None else scale
    each = torch.einsum("nti,kri,kor->knto", case.x, A, B)
    return scale * torch.einsum("nk,knto->nto", chosen(case) if which is None else which.to(each.dtype), each)


def chosen(case, which=None) -> Tensor:
    """Of each text a row with a 1 at its LoRA, or nothing but zeros."""
    which = case.which if which is None else which
    return (which[:, None] == torch.arange(case.n_loras)).to(case.x.dtype)


def scaled(scale):
    return lambda case: case.old() + change(case, scale=scale(case))


def choosing(which):
    """Another LoRA for each text: which(case) -> (n_texts,)."""
    return lambda case: case.old() + change(case, which=chosen(case, which(case)))


def weighing(which):
    return lambda case: case.old() + change(case, which=which(case))


def last(case) -> Tensor:
    """As Python counts: -1 is the last one."""
    return case.which % case.n_loras


def summed_up(case) -> Tensor:
    """Each text goes through its own LoRA and those of all texts before it."""
    return chosen(case).cumsum(0)


def none_is(formula):
    """formula(case) for the texts without a LoRA, and what is right for the others."""
    return lambda case: torch.where((case.which < 0)[:, None, None], formula(case), case.wanted())


def by_last_text(case) -> Tensor:
    return case.which[-1:].expand(len(case.which))


def relu_between(case) -> Tensor:
    A, B = case.A[case.which], case.B[case.which]
    has_one = (case.which >= 0)[:, None, None]
    return case.old() + case.alpha / case.r * (case.x @ A.mT).relu() @ B.mT * has_one


def only_some(rows):
    """The LoRA works on some of the tokens: rows(T) -> a mask."""
    return lambda case: case.old() + change(case) * rows(case.T)[:, None]


def sorted_by_lora(case) -> Tensor:
    """The right rows, in another order."""
    return case.wanted()[case.which.argsort(stable=True)]


def bias_in_the_lora(case) -> Tensor:
    return case.wanted() + case.alpha / case.r * case.bias * (case.which >= 0)[:, None, None]


DIVIDE = "The LoRA changes the weight by alpha / r times B A"
# (formula of a case, words): the first that gives the answer in every case
FAULTS = (
    (lambda c: c.old(), "The LoRA does nothing here: this is what the old layer gives alone."),
    (lambda c: change(c), "This is only what the LoRA adds. The old layer's output, with its bias, comes to it."),
    (lambda c: change(c) + c.bias, "The old weight is missing: the LoRA adds to it."),
    (lambda c: c.old() - c.bias + change(c), "The bias of the old layer is missing."),
    (lambda c: c.old() + c.bias + change(c), "The bias is added twice: the LoRA has none."),
    (bias_in_the_lora, "The bias is in what alpha / r multiplies as well; it belongs to the old layer alone."),
    (lambda c: c.old() - change(c), "The LoRA is subtracted; wanted: added."),
    (scaled(lambda c: c.alpha), f"alpha is not divided by r. {DIVIDE}."),
    (scaled(lambda c: 1.0), f"alpha / r is missing. {DIVIDE}."),
    (scaled(lambda c: 1 / c.r), f"alpha is missing. {DIVIDE}."),
    (scaled(lambda c: c.alpha * c.r), f"alpha is multiplied by r. {DIVIDE}."),
    (scaled(lambda c: c.r / c.alpha), f"r is divided by alpha. {DIVIDE}."),
    (scaled(lambda c: c.alpha / c.r**0.5), f"alpha is divided by the *root* of r. {DIVIDE}."),
    (scaled(lambda c: (c.alpha / c.r) ** 2), f"alpha / r comes in twice. {DIVIDE}."),
    (
        scaled(lambda c: c.alpha / c.n_loras),
        f"alpha is divided by the number of LoRAs; r is A's second size. {DIVIDE}.",
    ),
    (scaled(lambda c: c.alpha / c.weight.shape[1]), f"alpha is divided by d_in; r is A's second size. {DIVIDE}."),
    (scaled(lambda c: c.alpha / c.weight.shape[0]), f"alpha is divided by d_out; r is A's second size. {DIVIDE}."),
    (scaled(lambda c: c.alpha / len(c.x)), f"alpha is divided by the number of texts; r is A's second size. {DIVIDE}."),
    (scaled(lambda c: c.alpha / c.T), f"alpha is divided by T; r is A's second size. {DIVIDE}."),
    (scaled(lambda c: c.alpha // c.r), f"alpha / r is rounded down: write /, not //. {DIVIDE}."),
    (
        lambda c: c.alpha / c.r * c.old() + change(c),
        "alpha / r multiplies the old layer as well; it belongs to the LoRA alone.",
    ),
    (
        lambda c: c.alpha / c.r * (c.old() - c.bias) + c.bias + change(c),
        "alpha / r multiplies the old layer as well; it belongs to the LoRA alone.",
    ),
    (
        lambda c: c.old() + change(c) + (c.alpha / c.r - 1) * c.bias,
        "alpha / r multiplies the bias as well; it belongs to the LoRA alone.",
    ),
    (relu_between, "A ReLU stands between A and B. In a LoRA nothing does: that is why it can be merged."),
    (none_is(lambda c: 0 * c.old()), "A text without a LoRA comes out as 0; it gets what the old layer gives."),
    (
        none_is(lambda c: c.old() - c.bias),
        "A text without a LoRA gets no bias; it gets all that the old layer gives.",
    ),
    (
        none_is(lambda c: c.bias.expand(c.old().shape)),
        "A text without a LoRA gets the bias alone: the old weight is missing.",
    ),
    (
        choosing(last),
        "Where which is -1 the text goes through the *last* LoRA: that is what A[-1] means. It is to go through none.",
    ),
    (
        choosing(lambda c: c.which.clamp(min=0)),
        "Where which is -1 the text goes through LoRA 0. It is to go through none.",
    ),
    (
        choosing(lambda c: c.which.abs()),
        "Where which is -1 the text goes through LoRA 1. It is to go through none.",
    ),
    (choosing(lambda c: torch.zeros_like(c.which)), "All texts go through LoRA 0: each has its own, which[text]."),
    (choosing(lambda c: c.which[:1].expand(len(c.which))), "All texts go through the LoRA of the first text."),
    (choosing(by_last_text), "All texts go through the LoRA of the last text."),
    (
        choosing(lambda c: torch.arange(len(c.which)) % c.n_loras),
        "Text 0 goes through LoRA 0, text 1 through LoRA 1, ...: look it up in which.",
    ),
    (choosing(lambda c: torch.arange(len(c.which))), "Text 0 goes through LoRA 0, ...: look it up in which."),
    (
        choosing(lambda c: (c.which - 1) % c.n_loras),
        "Each text goes through the LoRA before its own: which counts from 0.",
    ),
    (choosing(lambda c: c.which - 1), "Each text goes through the LoRA before its own: which counts from 0."),
    (
        choosing(lambda c: (c.which + 1) % c.n_loras),
        "Each text goes through the LoRA behind its own: which counts from 0.",
    ),
    (
        choosing(lambda c: torch.where(c.which == 0, -1, c.which)),
        "LoRA 0 is never used: `which > 0`, or a bare `if`, takes 0 for none. Only -1 stands for none.",
    ),
    (
        choosing(lambda c: torch.where(c.which == 0, -1, last(c))),
        "0 counts as none, and -1 as the last LoRA. That is what a bare `if` does: -1 is true, and 0 is not.",
    ),
    (
        choosing(lambda c: torch.where(c.which == c.n_loras - 1, -1, c.which)),
        "The last LoRA does nothing. Is A or B set to 0 at place -1, for the texts without one?",
    ),
    (
        sorted_by_lora,
        "The results stand in the order of the LoRAs; wanted: that of the texts. Put each back into its own row.",
    ),
    (
        choosing(lambda c: c.which.flip(0)),
        "The texts are taken in reverse: the first goes through the LoRA of the last.",
    ),
    (weighing(lambda c: torch.ones(len(c.which), c.n_loras)), "Every text goes through all the LoRAs, added up."),
    (
        weighing(lambda c: torch.ones(len(c.which), c.n_loras) / c.n_loras),
        "Every text goes through the mean of all the LoRAs.",
    ),
    (
        weighing(summed_up),
        "Each text also goes through the LoRAs of the texts before it. Was one added to the next, or to weight?",
    ),
    (
        weighing(lambda c: chosen(c, last(c)).cumsum(0)),
        "Each text also goes through the LoRAs of the texts before it. Was one added to the next, or to weight?",
    ),
    (
        weighing(lambda c: chosen(c).sum(0).expand(len(c.which), -1)),
        "Each text goes through the LoRAs of all texts of the batch, added up.",
    ),
    (
        lambda c: torch.cat((c.wanted()[:1], c.old()[1:])),
        "Only the first text goes through its LoRA. Is a return inside the loop?",
    ),
    (
        lambda c: torch.cat((c.old()[:-1], c.wanted()[-1:])),
        "Only the last text goes through its LoRA.",
    ),
    (only_some(lambda T: torch.arange(T) == 0), "Only the first token of each text goes through the LoRA."),
    (only_some(lambda T: torch.arange(T) == T - 1), "Only the last token of each text goes through the LoRA."),
)
