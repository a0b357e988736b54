"""Lesson 09, the path from ids to logits: the wrong ones people give, as numbers, with words to tell their authors."""

import torch
import torch.nn.functional as F


def path_faults(ids, tokens, positions, blocks, norm):
    B, T = ids.shape

    def finish(x, blocks=blocks, norm=norm):
        for block in blocks:
            x = block(x)
        return F.linear(norm(x), tokens.weight)

    x = tokens(ids)
    right = finish(x + positions[:T])
    if len(positions) >= B:
        yield finish(x + positions[:B, None]), BY_BATCH, "M34"
        if B in (1, T):
            yield finish(x + positions[:B]), BY_BATCH, "M34"
    yield finish(x), "Positions are not added: swapping two tokens would leave the model no trace of the order.", "M34"
    if len(positions) > T:
        yield finish(x + positions[1 : T + 1]), "Positions count from 0.", None
    yield finish(norm(x + positions[:T]), norm=lambda x: x), "The norm stands before the blocks; wanted after.", None
    every = [one for block in blocks for one in (block, norm)]
    yield (
        finish(x + positions[:T], every, lambda x: x),
        "The norm follows every block; wanted once, after the last.",
        None,
    )
    yield finish(x, [one for block in blocks for one in (lambda y: y + positions[:T], block)]), IN_EVERY, None
    yield (
        finish(x, [*blocks, lambda y: y + positions[:T]]),
        "Positions come after the blocks; wanted before them.",
        None,
    )
    yield finish(x + positions[T - 1]), "All tokens get the same position, the last one's.", "M34"
    counted = torch.arange(B * T).view(B, T) % len(positions)
    words = "Positions run on from one sequence of the batch to the next; each sequence starts at 0."
    yield finish(x + positions[counted]), words, "M34"
    yield (
        finish(x + positions[ids % len(positions)]),
        "Positions are looked up by token; wanted by place: 0 ... T - 1.",
        None,
    )
    yield finish(x + positions[:T].flip(0)), "The positions run backwards: the first token has position 0.", None
    scale = tokens.embedding_dim**0.5
    yield finish(scale * x + positions[:T]), "The embedding is scaled by sqrt(d_model); nothing asks for that.", None
    yield finish(x + positions[:T], blocks[:1]), "Only the first block is applied: is `return` inside the loop?", None
    yield finish(x + positions[:T], blocks[-1:]), "Only the last block counts: write x = block(x).", None
    yield finish(x + positions[:T], blocks[::-1]), "The blocks run from the last to the first.", None
    yield finish(x + positions[:T], norm=lambda x: x), "The norm after the last block is left out.", "M34"
    yield finish(x + positions[:T], []), "No block is applied: write x = block(x).", "M34"
    words = "The first token's position is given to all tokens."
    yield finish(x + positions[0]), words, "M34"
    yield finish(x + positions[-T:]), "The last T positions are taken; wanted the first, 0 ... T - 1.", None
    yield finish(x * positions[:T]), "Positions are multiplied; they should be added.", None
    yield finish(x - positions[:T]), "Positions are subtracted; they should be added.", None
    yield finish(x + 2 * positions[:T]), "Positions are added twice.", None
    yield finish(x + positions[:T].mean(0)), "All tokens get the mean of the positions: none is told its place.", "M34"
    if len(positions) >= B:
        words = "Sequences and tokens are swapped: ids is (B, T), and each sequence of it is read on its own."
        turned = tokens(ids.T) + positions[:B]
        yield finish(turned).transpose(0, 1), words, "M34"
    for one in (norm, lambda x: F.layer_norm(x, x.shape[-1:])):
        yield finish(x + positions[:T], norm=lambda x, one=one: one(norm(x))), "The norm is applied twice.", None
    yield right / scale, "The logits are divided by sqrt(d_model); nothing asks for that.", None
    yield finish(x + positions[:T], [*blocks, *blocks]), "Every block is applied twice.", None
    yield right.softmax(-1), "These are probabilities; wanted logits: the softmax belongs to the loss.", None
    yield right.log_softmax(-1), "These are log-probabilities; wanted logits: the softmax belongs to the loss.", None


IN_EVERY = "The table of positions is added in every block; wanted once, to the embeddings."
BY_BATCH = (
    "The position table is read by the number of the *sequence* (ids.shape[0]), not of the token: all tokens of a "
    "sequence get the same position. ids is (B, T), so T is ids.shape[1]."
)
