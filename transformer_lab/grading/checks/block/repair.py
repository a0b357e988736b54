"""Lesson 09: the checks of three repairs."""

import torch
from torch import Tensor, nn

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, has_gradient, keeps_dtype, keeps_every_dtype, leaves_alone
from .block import block_spec
from .modules import Bender, Mixer, layer_norm
from .repair_faults import path_faults, post_faults, pre_faults

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
