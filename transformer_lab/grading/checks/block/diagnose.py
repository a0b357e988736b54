"""Lesson 09: the checks of question 7, three broken assemblies: what is wrong with each, and one mended."""

import torch
from torch import Tensor, nn

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, has_gradient, keeps_dtype, keeps_every_dtype
from ..diagnosis import Diagnosis
from .modules import Bender, Mixer
from .repair_faults import path_faults

# max_len (larger than T + 1), d_model, vocab_size; B, T: fewer sequences than tokens, one, more, as many.
PATHS = (
    (9, 6, 11, ((4, 7), (1, 5), (6, 2), (5, 5))),
    (10, 8, 13, ((3, 7), (1, 6), (5, 2), (4, 4))),
    (12, 10, 13, ((5, 8), (1, 4), (7, 3), (6, 6))),
)


# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "side by side": "In such a block neither part reads what the other has written.",
        "norm after the addition": "Such a block's output is a norm's: mean 0 and size 1 at each token.",
        "skip from the start": "In such a block what attention has written reaches the feed-forward layer, and the sum "
        "after it only through there.",
        "level by level": "In such a pair of stacks the first block of the decoder looks at what one block has read.",
        "reads its own text": "Such a decoder gives the same whatever the source is.",
        "only the last block counts": "Such a stack gives the same whatever its first block does.",
        "positions by sequence": "Such a model tells the sequences of a batch apart, and not the tokens of one.",
        "positions in every block": "Such a model adds the table after the first block, too.",
    },
    observations={
        "another attention, and the feed-forward layer is given the same": "that is so where what attention has "
        "written does not come to the feed-forward layer.",
        "with the feed-forward layer silent, attention changes nothing": "in all three what attention writes arrives.",
        "with the last decoder block silent, the last encoder block changes nothing": "that is so where the blocks "
        "before the last look at something else than the end of the encoder.",
        "another source changes nothing": "in all three what is read arrives.",
        "another first block changes nothing": "in all three the first block of a stack is read by the next.",
        "one text twice in a batch gives two different outputs": "that is so where a sequence is told its place in "
        "the batch.",
        "one token, alone in its batch, comes out right": "that is true of a right one, too.",
    },
    snippets={
        "a": (
            "side by side",
            "another attention, and the feed-forward layer is given the same",
            "Write down what each of its two parts reads.",
        ),
        "b": (
            "level by level",
            "with the last decoder block silent, the last encoder block changes nothing",
            "Write down for two blocks each, line by line, what is in `memory` whenever `write` is called.",
        ),
        "c": (
            "positions by sequence",
            "one text twice in a batch gives two different outputs",
            "Write down the shape of what is added to the embeddings, and what its rows are.",
        ),
    },
)


class repair:
    answers = (DIAGNOSIS, "repaired(ids, tokens, positions, blocks, norm)")

    @check("a: its fault, and what shows it", 0.75)
    def a(diagnoses, repaired):
        DIAGNOSIS.judge(diagnoses, "a")

    @check("b: its fault, and what shows it", 0.75)
    def b(diagnoses, repaired):
        DIAGNOSIS.judge(diagnoses, "b")

    @check("c: its fault, and what shows it", 0.75)
    def c(diagnoses, repaired):
        DIAGNOSIS.judge(diagnoses, "c")

    @check("c, mended", 0.75)
    def mended(diagnoses, repaired):
        max_len, D, V, texts = draw.one_of(*PATHS)
        for B, T in texts:
            ids, *model = path(B, T, max_len, D, V)
            given = ids.clone()
            tokens, positions, blocks, norm = model
            handed = list(blocks)
            got = assembled(repaired, given, tokens, positions, handed, norm)
            if handed != blocks:
                raise Wrong(
                    "The function changed the list of blocks that it was given: a model that calls it twice has none "
                    "left. Look for pop(), del or reverse(), and go through it with `for`."
                )
            if not torch.equal(given, ids):
                raise Wrong("The ids were changed in place: whoever calls the function loses them.")
            if isinstance(got, Tensor) and tuple(got.shape) == (B, T, tokens.embedding_dim):
                raise Wrong(HIDDEN, "M34")
            got = expect_tensor(got, "the logits", (B, T, tokens.num_embeddings))
            wanted = logits_by_loops(ids, *model)
            compare(got, wanted, path_faults(ids, *model), "the logits", 1e-4)
            keeps_dtype(got, wanted.dtype, "the logits")
            same_gradients(got, wanted, tokens=tokens, positions=model[1], norm=model[-1])
        keeps_every_dtype(
            lambda dtype: repaired(ids, *in_dtype(dtype, tokens, positions), in_dtype(dtype, *blocks), norm.to(dtype)),
            "the logits",
        )


def in_dtype(dtype, *things) -> list:
    """Tensors and modules in this dtype, the modules themselves changed: their numbers are not asked for again."""
    return [thing.to(dtype) for thing in things]


def assembled(answer, ids, tokens, positions, blocks, norm):
    try:
        return answer(ids, tokens, positions, blocks, norm)
    except IndexError as error:
        if "out of bounds" in str(error) or "out of range in self" in str(error):
            raise Wrong(
                f"positions has max_len = {len(positions)} rows, and one beyond them is asked for. Are positions "
                "looked up by token, or counted on from one sequence to the next? Wanted by place: 0 ... T - 1 in each."
            ) from error
        raise
    except RuntimeError as error:
        B, T = ids.shape
        if f"({B})" in str(error) and f"({T})" in str(error):
            raise Wrong(
                f"The positions lie along the sequences, B = {B} of them, where the tokens should be, T = {T}: "
                "(T, d_model) is added to (B, T, d_model) as it is, the same to each sequence."
            ) from error
        if f"({len(positions)})" in str(error):
            raise Wrong(
                f"positions is a table of max_len = {len(positions)} rows; a sequence has T = {ids.shape[1]} tokens. "
                "Take the first T rows, positions[: ids.shape[1]]."
            ) from error
        raise


def same_gradients(got: Tensor, wanted: Tensor, **sources) -> None:
    """The gradients to every parameter (and the table of positions) are those of the right output."""
    named = {name: list(one.parameters()) if isinstance(one, nn.Module) else [one] for name, one in sources.items()}
    upstream = draw.standard(*wanted.shape)
    flat = [tensor for tensors in named.values() for tensor in tensors]
    loss = (has_gradient(got, "the result") * upstream).sum()
    mine = iter(torch.autograd.grad(loss, flat, allow_unused=True))
    right = iter(torch.autograd.grad((wanted * upstream).sum(), flat))
    for name, tensors in named.items():
        for _ in tensors:
            one, full = next(mine), next(right)
            if one is None or not close(one, full, 1e-3):
                raise Wrong(
                    f"The numbers are right, but {'no' if one is None else 'only a part of the'} gradient reaches "
                    f"{NAMES[name]}, which could not learn as it should. Look for .detach(), .data or torch.no_grad()."
                )


NAMES = {"tokens": "the embedding", "positions": "the table of positions", "norm": "the norm"}
HIDDEN = (
    "These are hidden states (B, T, d_model): the output layer is missing. Tied, a token's logit is the dot product "
    "of the hidden state with that token's embedding."
)


def path(B: int, T: int, max_len: int, D: int, V: int):
    """ids and the parts between them and the logits; positions is a table (max_len, D)."""
    norm = nn.LayerNorm(D)
    with torch.no_grad():
        norm.weight.add_(0.5 * draw.standard(D))
    positions = draw.normal(max_len, D).requires_grad_()
    return draw.integers(V, B, T), draw.made(nn.Embedding, V, D), positions, [Mixer(D), Bender(D), Mixer(D)], norm


def logits_by_loops(ids, tokens, positions, blocks, norm) -> Tensor:
    B, T = ids.shape
    x = torch.stack([torch.stack([tokens.weight[ids[b, t]] + positions[t] for t in range(T)]) for b in range(B)])
    for block in blocks:
        x = block(x)
    x = norm(x)
    rows = [[torch.stack([vector @ x[b, t] for vector in tokens.weight]) for t in range(T)] for b in range(B)]
    return torch.stack([torch.stack(row) for row in rows])
