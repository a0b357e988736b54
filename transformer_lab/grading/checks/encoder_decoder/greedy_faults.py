"""Lesson 11, greedy translation: what wrong loops write, and words to tell their authors."""

import torch
from torch import Tensor

from .scripted import Scripted


def grown(translator: Scripted, n: int, choose=None, stop=lambda ended: False, ends=()) -> Tensor:
    """The ids after n steps at most, each the choice of the script; choose(ids, best) may put another in its place.

    ends: ids that end a text besides eos.
    """
    B = len(translator.scripts)
    ids = torch.full((B, 1), translator.bos)
    for _ in range(n):
        best = torch.tensor([translator.following(b, row) for b, row in enumerate(ids.tolist())])
        best = best if choose is None else choose(ids, best)
        ids = torch.cat((ids, best[:, None]), dim=1)
        if stop(torch.isin(ids, torch.tensor([translator.eos, *ends])).any(dim=1)):
            break
    return ids


def faults(translator: Scripted, n: int):
    """(what is written, words)"""
    eos, pad = translator.eos, translator.pad

    def padded(ids, best, filler=pad):
        return torch.where((ids == eos).any(dim=1), filler, best)

    right = grown(translator, n, padded, torch.all)
    too_long = "The loop goes on when every text has written its eos; it should stop there."
    yield grown(translator, n, padded), too_long
    on = "A text that has written its eos goes on writing while the others are not done: from there on it gets pad."
    yield grown(translator, n, None, torch.all), on
    yield grown(translator, n), f"{on} And the loop does not stop when all have ended."
    yield grown(translator, n, padded, torch.any), "The loop stops as soon as the *first* text has ended; wait for all."
    yield grown(translator, n, None, torch.any), "The loop stops as soon as the *first* text has ended; wait for all."
    begun_again = grown(translator, n, lambda ids, best: torch.where(ids[:, -1] == eos, pad, best), torch.all)
    yield begun_again, "A text that has ended gets pad once, and then goes on: it has to stay ended."
    yield (
        grown(translator, n, lambda ids, best: torch.where(ids[:, -1] == eos, pad, best)),
        "A text that has ended gets pad once, and then goes on: it has to stay ended.",
    )
    if pad != translator.bos:
        both = torch.tensor([eos, pad])
        yield (
            grown(translator, n, lambda ids, best: padded(torch.isin(ids, both) * eos, best), torch.all, ends=(pad,)),
            "A text ends here where the id of pad is written. `pad` may be any id, also one that a text is made of: "
            "only eos ends it.",
        )
    ended = grown(translator, n, lambda ids, best: padded(ids, best, eos), torch.all)
    yield ended, "After its end a text is filled up with eos; wanted pad."
    yield grown(translator, n, lambda ids, best: padded(ids, best, eos)), f"{too_long} And wanted is pad, not eos."
    yield right.masked_fill(right == eos, pad), "The eos at the end of each text is missing: it is a token it wrote."
    yield right[:, 1:], "bos is missing: each row begins with it."
    more = "One token more than max_new is written: bos does not count, each step adds one."
    yield grown(translator, n + 1, padded, torch.all), more
    yield grown(translator, n - 1, padded, torch.all), "One token less than max_new: bos is not one of the new ones."
    yield right[:, :-1], "The last token is missing: is the loop left before the token is appended?"
    first = torch.tensor([translator.following(b, [translator.bos]) for b in range(len(translator.scripts))])
    same = (
        "Every step writes the same token: the logits of the *first* row are read, (B, T, V) at t = 0. What comes next "
    )
    same += "is in the last row."
    for choose in (lambda ids, best: first, lambda ids, best: padded(ids, first)):
        for stop in (torch.all, lambda ended: False):
            yield grown(translator, n, choose, stop), same
    one = "All texts get the choice of the first: each row of the batch has an argmax of its own, dim=-1."
    for stop in (torch.all, lambda ended: False):
        yield grown(translator, n, lambda ids, best: best[:1].expand_as(best), stop), one
