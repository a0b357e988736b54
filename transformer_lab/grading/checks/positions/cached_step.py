"""Lesson 08: the checks of one step with a cache of keys that are turned already."""

import itertools
import math

import torch
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import close, compare, copies, expect_tensor, leaves_alone, reordered, settled
from .rotate_faults import rotate_by_loops, rotate_neighbours

# Leading axes, S, d_head; the last is long.
CASES = (
    (((3,), 5, 8), ((2, 3), 6, 10), ((), 7, 4), ((2,), 0, 4), ((1, 4), 1, 10), ((), 70, 4)),
    (((2,), 6, 10), ((3, 2), 5, 8), ((), 8, 6), ((3,), 0, 6), ((1, 5), 1, 8), ((), 68, 6)),
    (((4,), 7, 10), ((2, 4), 6, 10), ((), 5, 12), ((4,), 0, 8), ((1, 3), 1, 6), ((), 75, 4)),
)


class cached_step:
    answers = ("cached_step(q, k, v, keys, values)",)

    @check("output, keys and values, in this order, with any leading axes", 1)
    def shape(cached_step):
        for case in step_cases():
            step(cached_step, *case)

    @check("the keys and values that are kept", 1.5)
    def kept(cached_step):
        for case in step_cases():
            _, keys, values = step(cached_step, *case)
            compare_kept(keys, values, *case)

    @check("the output", 1.5)
    def output(cached_step):
        for case in step_cases():
            output, keys, values = step(cached_step, *case)
            wanted = step_by_loops(*case)[0]
            faults = itertools.chain(output_faults(*case), with_the_kept(keys, values, *case))
            try:
                compare(output, wanted, faults, "the output", 1e-4)
            except Wrong as wrong:
                if str(wrong).startswith("the output: at"):
                    settled(lambda case=case, kept=(keys, values): compare_kept(*kept, *case), "What is kept is")
                raise
        case = next(step_cases())
        names = ("q", "k", "v", "keys", "values")
        leaves_alone(cached_step, **dict(zip(names, case, strict=True)))


def step_cases():
    """q, k, v of one new token, and the keys (already turned) and values of S tokens before it."""
    for shape, S, d in draw.one_of(*CASES):
        q, k, v, values = (
            draw.normal(*shape, 1, d),
            draw.normal(*shape, 1, d),
            draw.normal(*shape, 1, d),
            draw.normal(*shape, S, d),
        )
        keys = rotate_by_loops(draw.normal(*shape, S, d), torch.arange(S)).float()
        case = q, k, v, keys, values
        yield tuple(map(reordered, case)) if len(shape) == 2 else case


def step(answer, q, k, v, keys, values):
    """The three tensors an answer gave, if they have the right shapes."""
    try:
        got = answer(*copies(q, k, v, keys, values))
    except (Wrong, NotDone):
        raise
    except (RuntimeError, IndexError, ValueError) as error:
        if not keys.shape[-2]:
            error.add_note("This is the first token: nothing is cached yet, keys has S = 0 rows.")
        raise
    if isinstance(got, Tensor):
        raise Wrong("One tensor came back; wanted three: `return output, keys, values`.")
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        what = f"{len(got)} things" if isinstance(got, (tuple, list)) else type(got).__name__
        raise Wrong(f"The function returned {what}; wanted three: `return output, keys, values`.")
    longer = (*keys.shape[:-2], keys.shape[-2] + 1, keys.shape[-1])
    for value, name in zip(got[1:], ("keys", "values"), strict=True):
        if isinstance(value, Tensor) and value.shape == keys.shape != longer:
            raise Wrong(f"{name} came back with S = {keys.shape[-2]} rows; the new token's makes S + 1.")
        if isinstance(value, Tensor) and value.shape == k.shape != longer:
            raise Wrong(f"{name} came back with the new row alone; wanted the S = {keys.shape[-2]} old ones before it.")
    shapes = {"the output": tuple(q.shape), "keys": longer, "values": longer}
    return tuple(expect_tensor(value, name, shapes[name]) for value, name in zip(got, shapes, strict=True))


def attended(q, keys, values, scale=True):
    scores = q.double() @ keys.double().transpose(-2, -1)
    return (scores / math.sqrt(q.shape[-1]) if scale else scores).softmax(-1) @ values.double()


def at(x, position, turn=rotate_by_loops):
    """x (..., n, d) with every row at one position."""
    return turn(x, torch.full((x.shape[-2],), position))


def step_by_loops(q, k, v, keys, values):
    """The specification: q and k turned once, at position S."""
    S = keys.shape[-2]
    keys = torch.cat((keys.double(), at(k, S)), -2)
    values = torch.cat((values.double(), v.double()), -2)
    return attended(at(q, S), keys, values), keys, values


def compare_kept(keys, values, q, k, v, old, old_values):
    S = old.shape[-2]
    if close(values, torch.cat((old.double(), at(k, S)), -2), 1e-4):
        raise Wrong("Keys and values are swapped: `return output, keys, values`.")
    old, counted = old.double(), torch.arange(S)
    twice = rotate_by_loops(old, counted)
    right_k, right_v = at(k, S), v.double()
    together = torch.cat((old, k.double()), -2)
    again = "The cached keys are turned again: each key is turned once, when it is new. Then key n stands at 2n."
    restart = (
        "The new key is turned as if it stood at position 0 (or not at all): S tokens came before, it stands at S."
    )
    faults = [
        (torch.cat((twice, right_k), -2), again, "M27"),
        (rotate_by_loops(together, torch.arange(S + 1)), again, "M27"),
        (at(together, S), again, "M27"),
        (torch.cat((twice, k.double()), -2), f"{again} And the new one is not turned.", "M27"),
        (together, restart, None),
        (torch.cat((old, at(k, S + 1)), -2), "The new key is one place too far: counted from 0, it stands at S.", None),
        (
            torch.cat((old, at(k, S - 1)), -2),
            "The new key is one place too near: S tokens came before, so it is at S.",
            None,
        ),
        (torch.cat((old, at(k, 1)), -2), "The new key is turned as if it stood at position 1; it stands at S.", None),
        (torch.cat((old, at(right_k, S)), -2), "The new key is turned twice.", "M27"),
        (torch.cat((right_k, old), -2), "The new key stands in front; it comes last.", None),
        (torch.cat((old, at(q, S)), -2), "The query is kept in place of the key.", None),
        (
            torch.cat((old, at(k, S, rotate_neighbours)), -2),
            "Neighbours are paired; the cache was made with halves.",
            "M27",
        ),
        (torch.cat((old, rotate_by_loops(k, torch.full((1,), S), sign=-1)), -2), "The new key turns backwards.", None),
        (torch.cat((old, right_v), -2), "The value is kept among the keys.", None),
        (torch.cat((old, at(v, S)), -2), "The value is kept among the keys.", None),
    ]
    words = "The new key stands at the size of another axis of keys: S is its number of rows, keys.shape[-2]."
    faults += [(torch.cat((old, at(k, n)), -2), words, None) for n in (*old.shape[:-2], old.shape[-1])]
    new = keys[..., -1:, :].detach().double()
    if close(keys[..., :-1, :], old, 1e-4) and close(pair_lengths(new), pair_lengths(k.double()), 1e-4):
        words = (
            "The old keys are right and the new one keeps its length, but it is turned by other angles than those of "
        )
        faults.append((keys, f"{words}position S = {S}, with theta = 10000.", None))
    words = "The cached keys come back as others than they were: they are turned already, and are kept as they are."
    if not close(keys[..., :-1, :], old, 0.02):
        faults.append((keys, words, "M27"))
    compare(keys, torch.cat((old, right_k), -2), faults, "the keys", 1e-4)
    old_values = old_values.double()
    turned_words = "The values are turned: rotary turns queries and keys only."
    all_values = torch.cat((old_values, right_v), -2)
    faults = [
        (torch.cat((old_values, at(v, S)), -2), turned_words, "M27"),
        (rotate_by_loops(all_values, torch.arange(S + 1)), turned_words, "M27"),
        (torch.cat((right_v, old_values), -2), "The new value stands in front; it comes last.", None),
        (torch.cat((old_values, right_k), -2), "The key is kept among the values.", None),
        (torch.cat((old_values, k.double()), -2), "The key is kept among the values.", None),
    ]
    compare(values, all_values, faults, "the values", 1e-4)


def output_faults(q, k, v, keys, values):
    S = keys.shape[-2]
    _, new_keys, new_values = step_by_loops(q, k, v, keys, values)
    counted = torch.arange(S + 1)
    yield (
        attended(q, new_keys, new_values),
        ("The query is not turned (or stands at position 0): it stands where its key does, at S."),
        None,
    )
    for off, words in ((S + 1, "one place too far"), (S - 1, "one place too near"), (1, "at position 1")):
        yield attended(at(q, off), new_keys, new_values), f"The query is turned {words}; it stands at S.", None
    yield attended(at(at(q, S), S), new_keys, new_values), "The query is turned twice.", "M27"
    yield (
        attended(rotate_by_loops(q, torch.tensor([S]), sign=-1), new_keys, new_values),
        "The query turns backwards.",
        None,
    )
    words = "The keys are mixed; the weights come from the keys, but what they mix is the values."
    yield attended(at(q, S), new_keys, new_keys), words, None
    words = "The query is compared with the values; the scores are its products with the keys"
    yield attended(at(q, S), new_values, new_values), f"{words}.", None
    yield attended(at(q, S), new_values, new_keys), f"{words}, and what is mixed are the values.", None
    words = "The new key stands in the query's place: the scores are the products of q with the keys."
    yield attended(at(k, S), new_keys, new_values), words, None
    words = "The keys are turned once more before the scores are made: what the cache holds is turned already."
    yield attended(at(q, S), rotate_by_loops(new_keys, counted), new_values), words, "M27"
    words = "The values are turned before they are mixed: rotary turns queries and keys only."
    yield attended(at(q, S), new_keys, rotate_by_loops(new_values, counted)), words, "M27"
    yield at(attended(at(q, S), new_keys, new_values), S), "The output is turned: only queries and keys are.", "M27"
    words = "The scores are not divided by sqrt(d_head)."
    yield attended(at(q, S), new_keys, new_values, scale=False), words, None
    if S:
        words = "The new token does not see itself: its own key and value belong to the S + 1."
        yield attended(at(q, S), keys, values), words, None
        yield (
            attended(at(q, S), new_keys[..., -1:, :], new_values[..., -1:, :]),
            "Only the new key is attended to.",
            None,
        )
    yield (
        attended(at(q, S), new_keys, new_values) * 0 + new_values.mean(-2, keepdim=True),
        "All weights are equal.",
        None,
    )
    words = "q is added to the output: the residual is not a part of attention."
    yield attended(at(q, S), new_keys, new_values) + q, words, None
    words = "Neighbours are paired for the query, halves for the keys."
    yield attended(at(q, S, rotate_neighbours), new_keys, new_values), words, "M27"
    yield from attention_faults(at(q, S), new_keys, new_values)


def attention_faults(q, keys, values):
    """q and keys are turned as they should be; the rest is not what it should be."""
    scores, d = q @ keys.transpose(-2, -1), q.shape[-1]
    words = "The scores are divided by the root of the number of tokens; wanted sqrt(d_head)."
    yield (scores / math.sqrt(keys.shape[-2])).softmax(-1) @ values, words, None
    yield (scores * math.sqrt(d)).softmax(-1) @ values, "The scores are multiplied by sqrt(d_head); divide.", None
    yield (scores / d).softmax(-1) @ values, "The scores are divided by d_head; wanted its square root.", None
    words = "The weights do not sum to 1: softmax goes over the keys, dim=-1 of the scores (..., 1, S + 1)."
    yield values.sum(-2, keepdim=True), words, None
    yield (scores / math.sqrt(d)).softmax(-1).softmax(-1) @ values, "Softmax is taken twice.", None
    right = (scores / math.sqrt(d)).softmax(-1) @ values
    for words, other in (
        ("There is no softmax: scores are not yet weights.", scores / math.sqrt(d)),
        ("A sigmoid stands in for the softmax: the weights do not sum to 1.", (scores / math.sqrt(d)).sigmoid()),
        (
            "The sign of the scores is wrong: a large product means a large weight.",
            (-scores / math.sqrt(d)).softmax(-1),
        ),
        ("Only the key of the largest score counts; softmax gives each its share.", (scores * 1e6).softmax(-1)),
    ):
        yield other @ values, words, None
    yield right + q, "The turned query is added to the output: the residual is not a part of attention.", None
    words = (
        "Only the first token is attended to: a causal mask of one row (is_causal=True?) hides all keys but the first. "
        "The new token is the last and sees all: no mask is needed."
    )
    yield values[..., :1, :], words, None
    words = "The output is 0: attention over one token, itself, gives back that token's value."
    yield torch.zeros_like(q), words, None


def pair_lengths(x: Tensor) -> Tensor:
    return torch.complex(*x.chunk(2, dim=-1)).abs()


def with_the_kept(keys, values, q, *rest):
    """An output that follows from keys or values that are wrong themselves."""
    S, keys, values = keys.shape[-2] - 1, keys.detach().double(), values.detach().double()
    if all(close(kept, wanted, 1e-4) for kept, wanted in zip((keys, values), step_by_loops(q, *rest)[1:], strict=True)):
        return
    also = "The output follows from the keys and values you return, and those are wrong: fix them first."
    yield attended(at(q, S), keys, values), also, None
    for off in (0, 1, S - 1, S + 1):
        yield attended(at(q, off), keys, values), f"{also} And the query stands at {off}, not at S = {S}.", None
    for turn in (rotate_neighbours, lambda x, positions: rotate_by_loops(x, positions, sign=-1)):
        yield attended(at(q, S, turn), keys, values), f"{also} The query is turned as they are.", None
