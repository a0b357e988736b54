"""Lesson 11, the shift: the wrong inputs, labels and counts that people make, and words to tell their authors."""

import torch
from torch import Tensor

NO_ID = (
    "Where nothing counts, your inputs hold a number that is no id of the batch (-100?). The decoder looks up every "
    "input in its table all the same; put `pad` there. (In the labels such a number may stand.)"
)


def are_ids(inputs: Tensor, targets, is_real, bos, eos, pad) -> bool:
    return set(inputs.flatten().tolist()) <= {*targets.flatten().tolist(), bos, eos, pad}


def beside(left, right) -> Tensor:
    """Two blocks side by side; a number stands for a column of it."""
    rows = len(left if isinstance(left, Tensor) else right)
    return torch.cat([x if isinstance(x, Tensor) else torch.full((rows, 1), x) for x in (left, right)], dim=1)


def ended(targets: Tensor, is_real: Tensor, eos: int, pad: int) -> Tensor:
    """The tokens with eos after the last of them."""
    return beside(targets, pad).scatter(1, is_real.sum(1, keepdim=True), eos)


def inputs(targets, is_real, bos, eos, pad):
    """(wrong inputs, words, misconception)"""
    labels = ended(targets, is_real, eos, pad)
    unshifted = "The inputs are the tokens as they stand: row t reads the very token that it must predict, and will "
    unshifted += "learn to copy it. Move them one place to the right, with [BOS] in the place that gets free."
    yield labels, unshifted, "M35"
    yield beside(targets, pad), unshifted, "M35"
    yield beside(targets, eos), unshifted, "M35"
    overwritten = beside(targets, pad)
    overwritten[:, 0] = bos
    yield overwritten, "[BOS] is written over the first token: move the tokens one place to the right first.", None
    overwritten = labels.clone()
    overwritten[:, 0] = bos
    yield overwritten, "[BOS] is written over the first token: move the tokens one place to the right first.", None
    yield beside(eos, targets), "The inputs begin with eos; they begin with bos.", None
    yield beside(pad, targets), "The inputs begin with pad; they begin with bos.", None
    yield beside(targets, bos), "[BOS] stands at the end; the decoder reads it first.", "M35"
    yield beside(targets[:, :1], targets), "The first token stands twice, in place of [BOS].", None
    yield (
        labels.roll(1, 1),
        "torch.roll brings what falls out at the end in again at the front: there belongs bos.",
        None,
    )
    yield labels.roll(-1, 1), "The tokens are moved to the left; the inputs lag behind the labels, to the right.", "M35"


def labels(targets, is_real, bos, eos, pad):
    """(wrong labels, words, misconception)"""
    inputs, right = beside(bos, targets), ended(targets, is_real, eos, pad)
    copied = "The labels are what the decoder reads in the same row: it would learn to copy. Row t must predict the "
    copied += "token that comes *after* what it has read."
    yield inputs, copied, "M35"
    yield inputs.roll(1, 1), "The labels are moved the wrong way: each row predicts a token it has already read.", "M35"
    far = beside(targets, eos)
    yield (
        far,
        "[EOS] stands in the last column of each row, behind the padding. It belongs right after the last real token, "
        "which is at another place in each text.",
        None,
    )
    by_ids = beside(targets, pad).scatter(1, (targets != pad).sum(1, keepdim=True), eos)
    counted = "The length of a text is counted by its ids, and here a real token has the id of pad: count `is_real`."
    yield by_ids, counted, None
    no_end = "After its last token a text must predict [EOS], and in your labels it does not: a model that never sees "
    no_end += "an end learns to write on for ever."
    yield inputs.roll(-1, 1), no_end + " (torch.roll brings the first column, bos, in again at the end.)", None
    for filler in (pad, -100, bos, 0):
        yield beside(targets, filler), no_end, None
        yield torch.where(beside(is_real, False).bool(), right, filler), no_end, None
    last = beside(targets, pad).scatter(1, (is_real.sum(1, keepdim=True) - 1).clamp(min=0), eos)
    yield last, "[EOS] is written over the last token; it comes after it.", None
    yield beside(bos, ended(targets, is_real, eos, pad)[:, :-1]), copied, "M35"
    yield (
        ended(targets, is_real, eos, pad).roll(-1, 1),
        "The labels are moved one place too far: row 0 must predict the first token.",
        None,
    )


def counts(targets, is_real, bos, eos, pad):
    """(wrong counts, words, misconception)"""
    right = beside(True, is_real).bool()
    rows, width = right.shape
    everything = "The rows behind the end count too: the model is rewarded for predicting padding after padding."
    yield torch.ones_like(right), everything, None
    yield (
        beside(is_real, True).bool(),
        "The last column counts in every row, the row that predicts [EOS] may not: "
        "that is right after the last real token.",
        None,
    )
    no_end = "The rows that predict [EOS] do not count, so the model never learns to stop."
    by_label = ended(targets, is_real, eos, pad) != pad
    if eos == pad:
        yield by_label, no_end + " Here pad and eos are the same id: ask `is_real`, not the ids.", None
    yield beside(is_real, False).bool(), no_end, None
    yield by_label, "The counts are taken from the ids, and here a real token has the id of pad: ask `is_real`.", None
    by_input = beside(bos, targets) != pad
    yield by_input, "The counts are taken from the ids, and here a real token has the id of pad: ask `is_real`.", None
    yield beside(targets, pad) != pad, no_end, None
    yield ~right, "The counts are upside down: True where a prediction counts.", None
    shifted = beside(False, is_real).bool()
    yield shifted, "The first row, which has read [BOS] alone, does not count: it predicts the first token.", None
    longer = beside(True, right[:, :-1]).bool()
    yield longer, "One row too many counts: after [EOS] there is nothing to predict.", None
    yield (torch.arange(width) == is_real.sum(1, keepdim=True)), "Only the rows that predict [EOS] count.", None
