"""Lesson 09, a whole language model: the wrong ones people write, as logits, with words to tell their authors."""

import itertools

import torch
import torch.nn.functional as F

from .repair_faults import path_faults

HIDDEN = (
    "These are hidden states (B, T, d_model): the output layer is missing. A token's logit is the dot product of the "
    "hidden state with that token's row, of `tokens` or of `output`."
)
FUTURE = (
    "A token sees those after it, and so the very token that it is asked to predict. Hand each block a mask (T, T) "
    "that is True on and below the diagonal (lesson 03)."
)
TURNED = (
    "The mask is turned round: each token sees itself and those *after* it. Row t is True at the columns 0 to t, "
    "which is .tril()."
)
INVERTED = (
    "The mask is inverted: it is True where a token must not look. Here True means that it may (torch's own "
    "nn.MultiheadAttention wants the opposite)."
)
ALONE = "A token sees nothing but itself: the mask is True on all of the lower triangle, not on the diagonal alone."
NOT_ITSELF = "No token sees itself: the diagonal of the mask is True, too."


class Rows:
    """The embedding as the path reads it: rows times a factor; and the matrix that makes logits."""

    def __init__(self, rows, factor, head):
        self.rows, self.factor, self.weight, self.embedding_dim = rows, factor, head, rows.shape[-1]

    def __call__(self, ids):
        return self.factor * self.rows[ids]


@torch.no_grad()
def models(ids, gpt):
    """(logits, message, misconception) of wrong models with the parameters of this GPT."""
    yield from with_other_masks(ids, gpt)
    yield from variations(ids, gpt, below)
    for mask, about in ((nothing, FUTURE), (above, TURNED)):  # and something else beside the mask
        for wrong, words, misconception in variations(ids, gpt, mask):
            yield wrong, f"{about} And: {words}", misconception


def variations(ids, gpt, mask):
    """Other models with this mask, a function of the number of tokens."""
    blocks = blocks_of(gpt, mask)
    yield from with_other_factors(ids, gpt, blocks)
    yield from with_other_heads(ids, gpt, blocks)
    yield from path_faults(ids, tokens_of(gpt), gpt.embedding.positions.table, blocks, gpt.decoder.norm)
    yield from with_other_blocks(ids, gpt, blocks)


def below(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


def above(T):
    return torch.ones(T, T, dtype=torch.bool).triu()


def nothing(T):
    return None


def factor_of(gpt):
    return gpt.config.d_model**0.5 if gpt.config.scale_embeddings else 1.0


def tokens_of(gpt, factor=None, head=None):
    rows = gpt.embedding.tokens.weight
    own = (gpt.output or gpt.embedding.tokens).weight
    return Rows(rows, factor_of(gpt) if factor is None else factor, own if head is None else head)


def blocks_of(gpt, mask):
    """The blocks as functions of x alone."""
    return [lambda x, block=block: block(x, mask(x.shape[1])) for block in gpt.decoder.blocks]


def read(ids, gpt, blocks, tokens=None, places=None, norm=None):
    """The way from ids to logits, with one part or another done differently."""
    tokens = tokens or tokens_of(gpt)
    x = tokens(ids) + (gpt.embedding.positions.table[: ids.shape[1]] if places is None else places)
    for block in blocks:
        x = block(x)
    return F.linear((norm or gpt.decoder.norm)(x), tokens.weight)


def with_other_masks(ids, gpt):
    for mask, words in (
        (nothing, FUTURE),
        (above, TURNED),
        (lambda T: ~below(T), INVERTED),
        (lambda T: below(T).tril(-1), NOT_ITSELF),
        (lambda T: below(T).triu(), ALONE),
    ):
        yield read(ids, gpt, blocks_of(gpt, mask)), words, None
    seeing, open_ones = blocks_of(gpt, below), blocks_of(gpt, nothing)
    words = "Only the {} block gets the mask; the others let a token see those after it. Each block needs it."
    yield read(ids, gpt, [seeing[0], *open_ones[1:]]), words.format("first"), None
    yield read(ids, gpt, [*open_ones[:-1], seeing[-1]]), words.format("last"), None


def with_other_factors(ids, gpt, blocks):
    D, right, rows = gpt.config.d_model, factor_of(gpt), gpt.embedding.positions.table[: ids.shape[1]]
    wanted = "config.scale_embeddings is True: the token vectors, and they alone, are multiplied by sqrt(d_model)."
    if right == 1:
        wanted = "config.scale_embeddings is False: nothing is multiplied by sqrt(d_model)."
    for factor, words in (
        (1.0, "The token vectors are not scaled."),
        (D**0.5, "The token vectors are scaled."),
        (D, "The token vectors are multiplied by d_model, and the root is missing."),
        (D**-0.5, "The token vectors are divided by sqrt(d_model)."),
    ):
        yield read(ids, gpt, blocks, tokens_of(gpt, factor)), f"{words} {wanted}", None
    root = D**0.5
    both = tokens_of(gpt, root)
    yield read(ids, gpt, blocks, both, places=root * rows), f"Token vectors and positions are scaled. {wanted}", None
    yield read(ids, gpt, blocks, places=root * rows), f"The positions are scaled. {wanted}", None
    yield (
        read(ids, gpt, blocks, tokens_of(gpt, 1.0), places=root * rows),
        f"The positions are scaled alone. {wanted}",
        None,
    )
    logits = read(ids, gpt, blocks)
    yield logits * root, f"The logits are multiplied by sqrt(d_model). {wanted}", None
    yield logits / root, f"The logits are divided by sqrt(d_model). {wanted}", None
    yield (
        read(ids, gpt, blocks, tokens_of(gpt, 1.0)) * root,
        f"The logits are scaled, and not the token vectors. {wanted}",
        None,
    )


def with_other_heads(ids, gpt, blocks):
    if gpt.output is not None:
        words = "The logits are made with `tokens`; config.tie_embeddings is False, so `output` makes them."
        yield read(ids, gpt, blocks, tokens_of(gpt, head=gpt.embedding.tokens.weight)), words, None
        words = "`output` is used as the embedding; it makes the logits alone, and `tokens` is the embedding."
        yield read(ids, gpt, blocks, Rows(gpt.output.weight, factor_of(gpt), gpt.output.weight)), words, None
    words = "The last norm is one without scale and shift, or one made in forward(): use self.norm."
    yield read(ids, gpt, blocks, norm=lambda x: F.layer_norm(x, x.shape[-1:])), words, None


def with_other_blocks(ids, gpt, blocks):
    for number, one in enumerate(blocks):
        words = (
            f"Block {number} (counted from 0) is used {len(blocks)} times, the others never: go through all of them."
        )
        yield read(ids, gpt, [one] * len(blocks)), words, None
    added = [lambda x, block=block: x + block(x) for block in blocks]
    words = "x is added again after each block; the skips are inside the blocks. Stacking is x = block(x, mask)."
    yield read(ids, gpt, added), words, "M19"
    beside = [lambda x: sum(block(x) for block in blocks)]
    words = "All blocks read the same x, and their outputs are added up; each reads what the one before it gave."
    yield read(ids, gpt, beside), words, "M19"
    for order in itertools.permutations(range(len(blocks))):
        words = f"The blocks are applied in the order {', '.join(map(str, order))} (counted from 0); wanted 0, 1, 2 ..."
        yield read(ids, gpt, [blocks[i] for i in order]), words, None
    for left_out in range(len(blocks)):
        words = f"Block {left_out} (counted from 0) is left out."
        yield read(ids, gpt, [b for i, b in enumerate(blocks) if i != left_out]), words, None
