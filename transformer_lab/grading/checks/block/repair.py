"""Lesson 09: the checks of three repairs."""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, has_gradient, keeps_dtype, keeps_every_dtype, leaves_alone
from . import block_faults as faults
from .block import block_spec
from .modules import Bender, Mixer, layer_norm

# B, T, d_model: two widths, and a text of one token.
SHAPES = (
    ((3, 5, 6), (2, 4, 8), (1, 1, 4)),
    ((2, 6, 8), (3, 5, 10), (1, 1, 6)),
    ((4, 6, 10), (2, 3, 6), (1, 1, 8)),
)
# max_len (larger than T + 1), d_model, vocab_size; B, T: fewer sequences than tokens, one, more, as many.
PATHS = (
    (9, 6, 11, ((4, 7), (1, 5), (6, 2), (5, 5))),
    (10, 8, 13, ((3, 7), (1, 6), (5, 2), (4, 4))),
    (12, 10, 13, ((5, 8), (1, 4), (7, 3), (6, 6))),
)


class repair:
    answers = (
        "repair_1(x, attention, feed_forward, norm_1, norm_2)",
        "repair_2(x, attention, feed_forward, norm_1, norm_2)",
        "repair_3(ids, tokens, positions, blocks, norm)",
    )

    @check("repair 1: a pre-norm block", 1)
    def first(repair_1, repair_2, repair_3):
        for shape in draw.one_of(*SHAPES):
            x, a, f, n_1, n_2, (one, two) = parts(shape)
            got = expect_tensor(repair_1(x.clone(), a, f, n_1, n_2), "the output", shape)
            wanted = block_spec(x, a, f, one, two)
            compare(got, wanted, pre_faults(x, a, f, n_1, n_2), "the output", 1e-4)
            keeps_dtype(got, x.dtype, "the output")
            same_gradients(got, wanted, a=a, f=f, n_1=n_1, n_2=n_2)
        leaves_alone(lambda x: repair_1(x, a, f, n_1, n_2), x=x)
        keeps_every_dtype(lambda dtype: repair_1(*in_dtype(dtype, x, a, f, n_1, n_2)), "the output")

    @check("repair 2: a post-norm block", 1)
    def second(repair_1, repair_2, repair_3):
        for shape in draw.one_of(*SHAPES):
            x, a, f, n_1, n_2, (one, two) = parts(shape)
            got = expect_tensor(repair_2(x.clone(), a, f, n_1, n_2), "the output", shape)
            middle = layer_norm(x + a(x), *one)
            wanted = layer_norm(middle + f(middle), *two)
            compare(got, wanted, post_faults(x, a, f, n_1, n_2), "the output", 1e-4)
            keeps_dtype(got, x.dtype, "the output")
            same_gradients(got, wanted, a=a, f=f, n_1=n_1, n_2=n_2)
        leaves_alone(lambda x: repair_2(x, a, f, n_1, n_2), x=x)
        keeps_every_dtype(lambda dtype: repair_2(*in_dtype(dtype, x, a, f, n_1, n_2)), "the output")

    @check("repair 3: from ids to logits", 1)
    def third(repair_1, repair_2, repair_3):
        max_len, D, V, texts = draw.one_of(*PATHS)
        for B, T in texts:
            ids, *model = path(B, T, max_len, D, V)
            given = ids.clone()
            tokens, positions, blocks, norm = model
            handed = list(blocks)
            got = assembled(repair_3, given, tokens, positions, handed, norm)
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
            lambda dtype: repair_3(ids, *in_dtype(dtype, tokens, positions), in_dtype(dtype, *blocks), norm.to(dtype)),
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


NAMES = {"a": "attention", "f": "feed_forward", "n_1": "norm_1", "n_2": "norm_2", "tokens": "the embedding",
         "positions": "the table of positions", "norm": "the norm"}  # fmt: skip
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
            norm.weight.add_(0.5 * draw.standard(width)), norm.bias.add_(0.5 * draw.standard(width))
    return 3 * draw.normal(*shape), a, f, *norms, [(norm.weight, norm.bias) for norm in norms]


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
