"""Lesson 09, the three repairs: the wrong ones people give, as numbers, with words to tell their authors."""

from itertools import product

import torch
import torch.nn.functional as F

from . import block_faults as faults


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
    yield f(n_2(a(n_1(x)))), "There is no skip around either part: x is lost. Wanted x + part(norm(x)), twice.", "M15"
    q = x + n_1(a(x))
    yield q + n_2(f(q)), faults.NORM_ON_BRANCH, "M23"
    q = x + a(n_2(x))
    yield q + f(n_1(q)), "The norms are swapped: norm 1 stands before attention, norm 2 before feed-forward.", None
    q = x + f(n_1(x))
    yield q + a(n_2(q)), "The feed-forward layer comes before attention: attention is first.", None
    yield x + a(x) + f(x + a(x)), "No norm is used: each part must read the normalised x.", None
    yield (
        middle + f(n_1(x)),
        "The feed-forward layer reads norm 1 of the block's input; wanted norm 2 of the sum.",
        None,
    )
    yield middle + f(x), "The feed-forward layer reads the block's input; wanted norm 2 of what attention left.", None
    first = "x + attention(norm_1(x))", lambda x: x + a(n_1(x))
    second = "h + feed_forward(norm_2(h))", lambda h: h + f(n_2(h))
    yield from halves(x, a, f, n_1, n_2, first, second)


def halves(x, a, f, n_1, n_2, first: tuple, second: tuple):
    """Every block of which one half is another sum of parts and norms; first, second: (words, function) if right."""
    calls = {"attention": a, "feed_forward": f, "norm_1": n_1, "norm_2": n_2}
    norms = [(), ("norm_1",), ("norm_2",), *product(("norm_1", "norm_2"), repeat=2)]
    parts = [
        (*after, part, *before) for part in ("attention", "feed_forward") for after in norms[:3] for before in norms
    ]

    def applied(names, words, value):
        for name in reversed(names):
            words, value = f"{name}({words})", calls[name](value)
        return words, value

    def all_sums(name, value):
        branches = [applied(names, name, value) for names in (*parts, *norms)]
        skips = [applied(names, name, value) for names in norms[:3]]
        skips += [(f"{name} + {name}", 2 * value), ("", 0.0)]
        for (skip, s), (branch, b), (sign, factor) in product(skips, branches, (("+", 1), ("-", -1))):
            for end in norms:
                words = f"{skip} {sign} {branch}" if skip else branch
                yield applied(end, words, s + factor * b)

    with torch.no_grad():
        for words, h in all_sums("x", x):
            yield second[1](h), f"This is {second[0]} with h = {words}; wanted h = {first[0]}.", None
        for words, value in all_sums("h", first[1](x)):
            yield value, f"This is {words}, where h = {first[0]} is right; wanted {second[0]}.", None


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
    yield n_2(middle) + f(middle), "Norm 2 is taken before the addition; wanted after it: norm(x + part(x)).", "M23"
    yield n_2(middle + middle + f(middle)), "x is added twice; wanted norm_2(x + feed_forward(x)).", None
    for q in (n_1(x) + a(x), n_1(x) + a(n_1(x))):
        yield (
            n_2(q + f(q)),
            "Norm 1 is taken of x before the addition; wanted after it: norm_1(x + attention(x)).",
            "M23",
        )
    yield n_2(x + middle + f(middle)), "The block's input is added again at the end; wanted norm_2(x + f(x)).", None
    q = n_2(x + a(x))
    yield n_1(q + f(q)), "The norms are swapped: norm 1 follows attention, norm 2 the feed-forward layer.", None
    q = n_1(x + f(x))
    yield n_2(q + a(q)), "The feed-forward layer comes before attention: attention is first.", None
    q = x + n_1(a(x))
    words = "Both norms stand on the branches, x + norm(part(x)); wanted after the additions: norm(x + part(x))."
    yield q + n_2(f(q)), words, "M23"
    yield middle + n_2(f(middle)), "Norm 2 stands on the branch; wanted after the addition: norm(x + part(x)).", "M23"
    yield n_2(middle + f(x)), "The feed-forward layer reads the block's input; wanted what norm 1 gave.", None
    first = "norm_1(x + attention(x))", lambda x: n_1(x + a(x))
    second = "norm_2(h + feed_forward(h))", lambda h: n_2(h + f(h))
    yield from halves(x, a, f, n_1, n_2, first, second)


LOST = (
    "The feed-forward layer does not reach the output: norm_2(x + x) = norm_2(2 x), and a norm takes the factor 2 out "
    "again. A silent no-op; wanted norm_2(x + feed_forward(x))."
)


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
    yield finish(scale * x + positions[:T]), "The embedding is scaled by sqrt(d_model); broken_3 has no scale.", None
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
    yield right / scale, "The logits are divided by sqrt(d_model); broken_3 divides nothing.", None
    yield finish(x + positions[:T], [*blocks, *blocks]), "Every block is applied twice.", None
    yield right.softmax(-1), "These are probabilities; wanted logits: the softmax belongs to the loss.", None
    yield right.log_softmax(-1), "These are log-probabilities; wanted logits: the softmax belongs to the loss.", None


IN_EVERY = "The table of positions is added in every block; wanted once, to the embeddings."
BY_BATCH = (
    "The position table is read by the number of the *sequence* (ids.shape[0]), not of the token: all tokens of a "
    "sequence get the same position. ids is (B, T), so T is ids.shape[1]."
)
