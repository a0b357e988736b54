"""Lesson 09: the checks of three repairs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..score import Wrong, check
from . import _block_faults as faults
from ._block_assembly import Bender, Mixer, block_spec, layer_norm
from .common import compare, expect_tensor, leaves_alone, normal


class repair:
    answers = (
        "repair_1(x, attention, feed_forward, norm_1, norm_2)",
        "repair_2(x, attention, feed_forward, norm_1, norm_2)",
        "repair_3(ids, tokens, positions, blocks, norm)",
    )

    @check("repair 1: a pre-norm block", 1)
    def first(repair_1, repair_2, repair_3):
        for shape in ((3, 5, 6), (2, 4, 8)):
            x, a, f, n_1, n_2, (one, two) = parts(shape)
            got = expect_tensor(repair_1(x.clone(), a, f, n_1, n_2), "the output", shape)
            compare(got, block_spec(x, a, f, one, two), pre_faults(x, a, f, n_1, n_2), "the output", 1e-4)
        leaves_alone(lambda x: repair_1(x, a, f, n_1, n_2), x=x)

    @check("repair 2: a post-norm block", 1)
    def second(repair_1, repair_2, repair_3):
        for shape in ((3, 5, 6), (2, 4, 8)):
            x, a, f, n_1, n_2, (one, two) = parts(shape)
            got = expect_tensor(repair_2(x.clone(), a, f, n_1, n_2), "the output", shape)
            middle = layer_norm(x + a(x), *one)
            wanted = layer_norm(middle + f(middle), *two)
            compare(got, wanted, post_faults(x, a, f, n_1, n_2), "the output", 1e-4)
        leaves_alone(lambda x: repair_2(x, a, f, n_1, n_2), x=x)

    @check("repair 3: from ids to logits", 1)
    def third(repair_1, repair_2, repair_3):
        for B, T in ((4, 7), (1, 5), (6, 2), (5, 5)):
            ids, *model = path(B, T)
            tokens = model[0]
            got = repair_3(ids.clone(), *model)
            if isinstance(got, Tensor) and tuple(got.shape) == (B, T, tokens.embedding_dim):
                raise Wrong(HIDDEN, "M34")
            got = expect_tensor(got, "the logits", (B, T, tokens.num_embeddings))
            compare(got, logits_by_loops(ids, *model), path_faults(ids, *model), "the logits", 1e-4)


HIDDEN = (
    "These are hidden states (B, T, d_model): the output layer is missing. Tied, a token's logit is the dot product "
    "of the hidden state with that token's embedding."
)


def parts(shape: tuple):
    """x, two parts, two norms with scales and shifts of their own, and these as (gamma, beta)."""
    width = shape[-1]
    a, f, norms = Mixer(width), Bender(width), [nn.LayerNorm(width), nn.LayerNorm(width)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.add_(0.5 * torch.randn(width)), norm.bias.add_(0.5 * torch.randn(width))
    return 3 * normal(*shape), a, f, *norms, [(norm.weight, norm.bias) for norm in norms]


def pre_faults(x, a, f, n_1, n_2):
    h = n_1(x)
    h = h + a(h)
    middle = x + a(n_1(x))
    h2 = n_2(h)
    for said in (h2 + f(h2), h + f(n_2(h)), n_2(middle) + f(n_2(middle))):
        yield said, faults.SKIP_NORMED, "M15"
    p = n_1(x + a(x))
    yield n_2(p + f(p)), faults.POST, "M23"
    for said in (n_2(middle + f(n_2(middle))), n_2(middle + f(middle))):
        yield said, faults.AFTER, "M18"
    yield x + f(n_2(middle)), faults.FROM_THE_START, "M15"
    yield middle + f(n_1(middle)), "Norm 1 stands before both parts: the second has norm 2.", None
    yield f(n_2(middle)), faults.no_skip(faults.SECOND), "M15"
    yield middle, f"{faults.SECOND} is missing: every block has both.", "M29"
    yield middle + f(n_2(x)), faults.PARALLEL, None
    yield middle + f(middle), faults.no_norm(faults.SECOND), None


def post_faults(x, a, f, n_1, n_2):
    middle = n_1(x + a(x))
    yield n_2(middle + middle), LOST, "M14"
    yield n_2(middle), LOST, "M14"
    doubled = n_1(x + x)
    yield n_2(doubled + f(doubled)), "Attention's output is lost: x + x in place of x + attention(x).", "M14"
    for said in (n_2(f(middle) + f(middle)), n_2(f(middle))):
        yield said, "The skip around the feed-forward layer carries f(x), or nothing; wanted x + f(x).", "M15"
    pre = x + a(n_1(x))
    yield (
        pre + f(n_2(pre)),
        "This is a pre-norm block; here the norms stay after the additions: norm(x + part(x)).",
        "M23",
    )
    yield n_2(x + f(middle)), "The second skip carries the block's input; wanted what norm 1 gave.", "M15"
    yield n_1(middle + f(middle)), "Norm 1 is used twice: after the feed-forward layer stands norm 2.", None
    yield middle + f(middle), "The second norm is missing: norm(x + feed_forward(x)).", None
    yield middle + n_2(f(middle)), "Norm 2 stands on the branch; wanted after the addition: norm(x + part(x)).", "M23"


LOST = (
    "The feed-forward layer does not reach the output: norm_2(x + x) = norm_2(2 x), and a norm takes the factor 2 out "
    "again. A silent no-op; wanted norm_2(x + feed_forward(x))."
)


def path(B: int, T: int, D: int = 6, V: int = 11):
    """ids and the parts between them and the logits; positions is a table (max_len, D)."""
    norm = nn.LayerNorm(D)
    with torch.no_grad():
        norm.weight.add_(0.5 * torch.randn(D))
    return torch.randint(V, (B, T)), nn.Embedding(V, D), normal(9, D), [Mixer(D), Bender(D), Mixer(D)], norm


def logits_by_loops(ids, tokens, positions, blocks, norm) -> Tensor:
    B, T = ids.shape
    x = torch.stack([torch.stack([tokens.weight[ids[b, t]] + positions[t] for t in range(T)]) for b in range(B)])
    for block in blocks:
        x = block(x)
    x = norm(x)
    rows = [[torch.stack([vector @ x[b, t] for vector in tokens.weight]) for t in range(T)] for b in range(B)]
    return torch.stack([torch.stack(row) for row in rows])


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
    yield finish(x + positions[1 : T + 1]), "Positions count from 0.", None
    yield finish(x + positions[:T], blocks[-1:]), "Only the last block counts: write x = block(x).", None
    yield finish(x + positions[:T], blocks[::-1]), "The blocks run from the last to the first.", None
    yield finish(x + positions[:T], norm=lambda x: x), "The norm after the last block is left out.", "M34"
    yield finish(x + positions[:T], []), "No block is applied: write x = block(x).", "M34"
    yield right.softmax(-1), "These are probabilities; wanted logits: the softmax belongs to the loss.", None
    yield right.log_softmax(-1), "These are log-probabilities; wanted logits: the softmax belongs to the loss.", None


BY_BATCH = (
    "The position table is read by the number of the *sequence* (ids.shape[0]), not of the token: all tokens of a "
    "sequence get the same position. ids is (B, T), so T is ids.shape[1]."
)
