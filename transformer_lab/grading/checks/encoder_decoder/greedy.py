"""Lesson 11: the checks of greedy translation of a batch, on a translator that writes by a script."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import expect_tensor, leaves_alone
from .greedy_faults import faults
from .scripted import Scripted

# What each text of a batch is translated into; the scripted translator ends each with eos.
ALONE = ([5, 7, 6],), ([6, 5, 8, 7],), ([7, 8],)
BATCHES = (
    ([5, 7], [6, 5, 8, 9, 7], [], [8, 6, 5]),
    ([7, 6, 5, 9], [8], [5, 9, 6, 8, 7, 10], []),
    ([6], [], [9, 7, 5, 6], [5, 8]),
)
# Cut after so many: no text ends one step earlier, where it would look like a loop that stops with the first of them.
CUT = ((([5, 7, 9, 6], [6, 5, 8, 9, 7], [8, 6, 5, 7]), 4), (([5, 7, 9, 6], [6, 5], [8, 6, 5, 7]), 3))
SPECIAL = (1, 2, 0), (0, 1, 3), (3, 0, 4)  # bos, eos, pad
WRITTEN = 1, 2, 7  # and 7 is also the id of a token that the texts hold
MUCH = 12  # more than any of them needs
SIGNATURE = "(encode, decode, source, is_real, bos, eos, pad, max_new)"


class greedy:
    answers = (f"greedy{SIGNATURE}",)

    @check("one text: bos, its tokens, eos", 1)
    def alone(greedy):
        judge(greedy, Scripted(draw.one_of(*ALONE), *draw.one_of(*SPECIAL)), MUCH)

    @check("a batch: each text ends in its own place", 1.5)
    def batch(greedy):
        for special in (*SPECIAL, WRITTEN):
            judge(greedy, Scripted(draw.one_of(*BATCHES), *special), MUCH)

    @check("at most max_new tokens", 0.5)
    def maximum(greedy):
        for scripts, max_new in CUT:
            judge(greedy, Scripted(draw.shuffled(scripts), *draw.one_of(*SPECIAL)), max_new)

    @check("the source is read once, and nothing is changed", 1)
    def once(greedy):
        translator = Scripted(draw.one_of(*BATCHES), *draw.one_of(*SPECIAL))
        written(greedy, translator, MUCH)
        if translator.n_encoded > 1:
            raise Wrong(
                f"encode was called {translator.n_encoded} times. The memory is the same at every step: make it once, "
                "before the loop.",
                "M37",
            )
        source, is_real = translator.source()
        leaves_alone(
            lambda source, is_real: translator.written_by(greedy, source, is_real, MUCH), source=source, is_real=is_real
        )


def judge(answer, translator: Scripted, max_new: int) -> None:
    got = written(answer, translator, max_new)
    wanted = by_script(translator, max_new)
    same = isinstance(got, Tensor) and tuple(got.shape) == tuple(wanted.shape)
    if same and torch.equal(got, wanted):
        return
    for fault, words in faults(translator, max_new):
        if isinstance(got, Tensor) and got.shape == fault.shape and torch.equal(got, fault):
            raise Wrong(words)
    if not (isinstance(got, Tensor) and got.ndim == 2 and len(got) == len(wanted)):
        expect_tensor(got, "the result", wanted.shape)
    pairs = zip(got.tolist(), wanted.tolist(), strict=True)
    row, yours, right = next((b, *pair) for b, pair in enumerate(pairs) if pair[0] != pair[1])
    raise Wrong(
        f"Text {row} came out as {yours}; wanted {right} (bos {translator.bos}, eos {translator.eos}, pad "
        f"{translator.pad}, max_new {max_new})."
    )


def written(answer, translator: Scripted, max_new: int):
    """What the answer writes; an error of its own is its own, but decode says what it was given."""
    got = translator.written_by(answer, *translator.source(), max_new)
    if isinstance(got, Tensor) and got.dtype != torch.int64:
        raise Wrong(f"The result is {got.dtype}; ids are int64.")
    if not translator.n_encoded:
        raise Wrong("encode was never called: the decoder needs the memory that it makes of the source.")
    return got


def by_script(translator: Scripted, max_new: int) -> Tensor:
    """The specification: bos, then each text's own tokens and eos, cut after max_new, filled up with pad."""
    rows = [[*script, translator.eos][:max_new] for script in translator.scripts]
    width = max(map(len, rows))
    return torch.tensor([[translator.bos, *row, *[translator.pad] * (width - len(row))] for row in rows])
