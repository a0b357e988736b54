"""Lesson 11: the checks of question 5, five broken translators: what is wrong with each, and one of them mended."""

import torch
from torch import Tensor

from ....config import TransformerConfig
from ....models import Transformer
from ...checking import check
from ...draw import draw
from ..common import close, compare, expect_tensor, leaves_alone
from ..diagnosis import Diagnosis, snippets

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "the target is not shifted": "Then each row reads the token that it must predict; rows before it do not.",
        "the encoder reads the target": "Then the source plays no part, and every row could see the whole target.",
        "another text's memory": "Then what a text becomes depends on the texts beside it, and on their lengths.",
        "no causal mask": "Then every row sees the tokens after it, the next but one too.",
        "the source's embeddings as memory": "Then the encoder's blocks play no part, and the padding still is hidden.",
        "a softmax before the loss": "Then the right tokens still have the largest numbers, none of them above 1.",
        "the padding of the source is read": "Then a text's rows depend on how wide its batch is padded.",
        "the padding mask is upside down": "Then the tokens of the source are hidden, and only its padding is read.",
    },
    observations={
        "another last token moves the row that predicts it": "that is so where the labels are read.",
        "another source moves nothing": "it moves rows in all five.",
        "more padding behind the sources moves the rows": "that is so where nothing hides it from the decoder.",
        "no row's loss is below 3": "that is so where the loss has a floor.",
        "the first row is the same for every target": "that is so in a right translator too: it has read [BOS] alone.",
        "another source beside it in the batch moves a text's rows": "that is so where the texts of a batch mix.",
        "another token moves rows before the one that predicts it": "that is so where rows look ahead.",
    },
    snippets={
        "a": (
            "no causal mask",
            "another token moves rows before the one that predicts it",
            "Its rows are wrong for a single text without padding too, although they read the right tokens.",
        ),
        "b": (
            "another text's memory",
            "another source beside it in the batch moves a text's rows",
            "It writes good dates; whose?",
        ),
        "c": (
            "a softmax before the loss",
            "no row's loss is below 3",
            "It writes what a right one writes, and its losses are nearly all alike, and far too high.",
        ),
        "d": (
            "the target is not shifted",
            "another last token moves the row that predicts it",
            "It writes nonsense, and its loss is the worst of all; which token does each row read, and which one is it "
            "judged by?",
        ),
        "e": (
            "the padding of the source is read",
            "more padding behind the sources moves the rows",
            "Its rows are right for the longest source of the batch, and a little off for the others.",
        ),
    },
)
SIGNATURE = "(model, source, is_real, target)"


class diagnose(snippets(DIAGNOSIS, 3)):
    answers = (DIAGNOSIS, f"repaired{SIGNATURE}")

    @check("b, mended", 1)
    def mended(diagnoses, repaired):
        for lengths in ((3, 6, 4), (5, 2, 6, 4), (4, 4)):
            judge(repaired, *case(lengths))


def case(lengths: tuple[int, ...]) -> tuple:
    """A small translator, sources of these lengths, which of their tokens are real, and targets from bos to eos."""
    config = TransformerConfig(vocab_size=19, d_model=12, n_heads=2, n_layers=2, d_ff=20, max_len=16, dropout=0.0)
    model = draw.made(Transformer, config).eval()
    source = 5 + draw.integers(14, len(lengths), max(lengths))
    is_real = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    target = 5 + draw.integers(14, len(lengths), draw.one_of(6, 7))
    target[:, 0], target[:, -1] = 1, 2
    return model, source.masked_fill(~is_real, 0), is_real, target


def judge(repaired, model, source: Tensor, is_real: Tensor, target: Tensor) -> None:
    got = repaired(model, source.clone(), is_real.clone(), target.clone())
    shape = (*target[:, 1:].shape, model.config.vocab_size)
    expect_tensor(got, "the logits", shape)
    right = model(source, target[:, :-1], is_real)
    if close(got, right, 1e-4):
        leaves_alone(lambda *inputs: repaired(model, *inputs), source=source, is_real=is_real, target=target)
        return
    compare(
        got, right, wrong(model, source, is_real, target), "the logits", 1e-4, "Which memory belongs to which text?"
    )


def read(model, ids: Tensor, memory: Tensor, real: Tensor | None = None, causal: bool = True) -> Tensor:
    """The decoder's logits, with or without its two masks."""
    x, _ = model.embedding(ids)
    mask = None if real is None else real[:, None, None, :]
    for block in model.decoder.blocks:
        x = block(x, causal=causal, memory=memory, memory_mask=mask)
    return model.logits(model.decoder.norm(x))


def wrong(model, source: Tensor, is_real: Tensor, target: Tensor):
    """(logits, words, misconception) of what people write for b, mended."""
    reads, memory = target[:, :-1], model.encode(source, is_real)
    order = is_real.sum(dim=1).argsort(descending=True)
    theirs = memory[order]
    others = "The memory is in the order of the lengths, the targets are not: each text reads the memory of another."
    yield read(model, reads, theirs, is_real[order]), others, None
    half = "The memory is in one order and `is_real`, with which it is read, in another."
    yield read(model, reads, theirs, is_real), half, None
    yield read(model, reads, memory, is_real[order]), half, None
    yield (
        read(model, reads, theirs[order], is_real[order][order]),
        "The order is applied a second time; that does not undo it. Its inverse is order.argsort().",
        None,
    )
    yield (
        read(model, reads[order], theirs, is_real[order]),
        "Memory and targets belong together now, but the rows came back in the order of the lengths; wanted the "
        "order in which the texts were given.",
        None,
    )
    yield (
        read(model, reads, memory, is_real, causal=False),
        "The causal mask is missing now: rows see the future.",
        "M36",
    )
    yield read(model, reads, memory), "The padding of the source is read now: give the decoder is_real.", "M36"
    whole = model.encode(source)
    yield read(model, reads, whole, is_real), "The encoder reads the padding now: give it is_real too.", "M36"
    yield read(model, reads, whole), "The padding is read now, by both: give encoder and decoder is_real.", "M36"
    yield read(model, target[:, 1:], memory, is_real), "The target is not shifted now: rows read their labels.", "M35"
    yield read(model, reads, memory, is_real).softmax(-1), "A softmax came in: wanted logits.", "M38"
    yield read(model, reads, memory, is_real).log_softmax(-1), "A log_softmax came in: wanted logits.", "M38"
