"""Lesson 08: the checks of rotary positions: turning, one step with a cache, and what the dials show."""

import itertools
import math

import torch
from torch import Tensor

from ..score import NotDone, Wrong, check
from ._positions_order import plain
from .common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone, normal

CASES = (((5, 8), 10_000.0), ((3, 7, 6), 10_000.0), ((2, 3, 5, 12), 300.0), ((4, 1, 2), 500.0), ((3, 3, 4), 90.0))
COUNTED = (3, 4, 9, 17, 30, 31, 40)  # positions with gaps: they are given, not counted
FAR = 5000
NOT_ONE = "positions come with the call and need not be 0, 1, 2, ...: with a cache a token may stand at 57. Use them."


class rotate:
    answers = ("rotate(x, positions, theta=10_000.0)",)

    @check("the shape stays, with any leading axes; position 0 changes nothing", 1)
    def shape(rotate):
        for shape, theta in CASES:
            x = normal(*shape)
            turned(rotate, x, torch.arange(shape[-2]), theta)
            got = turned(rotate, x, torch.zeros(shape[-2], dtype=torch.long), theta)
            compare(got, x, zero_faults(x), "x at position 0 (an angle of 0 turns nothing)")

    @check("each pair turned by position * theta^(-2i/d_head)", 2)
    def values(rotate):
        for shape, theta in CASES:
            x, positions = normal(*shape), torch.tensor(COUNTED[: shape[-2]])
            wanted = rotate_by_loops(x, positions, theta)
            got = turned(rotate, x, positions, theta)
            if not close(got, wanted, 1e-4):
                faults = rotate_faults(x, positions, theta)
                if not close(got, wanted, 0.02):  # nearer than that it is a matter of precision
                    faults = itertools.chain(faults, by_pairs(got, x, positions, theta))
                compare(got, wanted, faults, "the result", 1e-4)
        x = normal(2, 4, 10)
        positions = torch.arange(4)
        got = expect_tensor(rotate(x.clone(), positions), "rotate(x, positions)", tuple(x.shape))
        if not close(got, rotate_by_loops(x, positions), 1e-4):
            raise Wrong("rotate(x, positions), theta not given: it is not 10000 then. Its default stands in the `def`.")

    @check("far positions: lengths stay, and scores depend on the offset only", 1)
    def offset(rotate):
        q, k = normal(1, 16), normal(1, 16)
        scores = []
        for shift in (0, 100, FAR):
            at = [turned(rotate, x, torch.tensor([shift + p]), 10_000.0) for x, p in ((q, 9), (k, 2))]
            for got, x, p in zip(at, (q, k), (9, 2), strict=True):
                if abs(got.norm() - x.norm()) > 1e-2:
                    raise Wrong(f"At position {shift + p} a vector's length changed; a rotation keeps it.")
            scores.append(float((at[0].double() * at[1].double()).sum()))
        if max(scores) - min(scores) > 1e-2:
            told = ", ".join(f"{score:.3f}" for score in scores)
            raise Wrong(
                f"The score q.k at offset 7 is {told} when both stand 0, 100, {FAR} further on; wanted equal. "
                "(If only the last differs: angles of thousands of radians need float32 at least.)"
            )

    @check("dtype is kept, gradients flow, x stays as it was", 1)
    def gradient(rotate):
        positions = torch.tensor([1, 5, 6])
        for dtype in (torch.float64, torch.float32):
            keeps_dtype(turned(rotate, normal(2, 3, 8, dtype=dtype), positions, 10_000.0), dtype, "the result")
        sixteen_bits(rotate)
        leaves_alone(lambda x: rotate(x, positions, 10_000.0), x=normal(2, 3, 8))
        x, upstream = normal(2, 3, 8).requires_grad_(), normal(2, 3, 8)
        got = has_gradient(turned(rotate, x * 1.0, positions, 10_000.0), "the result")
        (found,) = torch.autograd.grad((got * upstream).sum(), x)
        wanted = rotate_by_loops(upstream, positions, sign=-1)  # a rotation's transpose turns back
        if close(got, rotate_by_loops(x.detach(), positions), 1e-4) and not close(found, wanted, 1e-4):
            raise Wrong("A part of x is cut from the gradient: look for .detach() or torch.no_grad().")


def sixteen_bits(answer) -> None:
    """bfloat16 comes back as bfloat16, turned as float32 is: 301 is no number of that type, 300 and 302 are."""
    x, positions = normal(2, 8).bfloat16(), torch.tensor([3, 301])
    try:
        got = turned(answer, x, positions, 10_000.0)
    except RuntimeError as error:
        if isinstance(error, NotDone) or "16" not in str(error):
            raise
        return  # an operation that torch has not for 16 bits, complex numbers for instance: it says so itself
    if got.dtype != x.dtype:
        raise Wrong(
            f"The input is {x.dtype}, the result came back as {got.dtype}: cos and sin are of float32, and the wider "
            "type wins in a product. End with .type_as(x)."
        )
    if not close(got, turned(answer, x.float(), positions, 10_000.0), 0.1):
        raise Wrong(
            f"With x of {x.dtype} the angles are wrong: 16 bits do not hold a position such as 301. Make position, "
            "frequency and angle in float32, and go back to x's dtype at the end."
        )


def turned(answer, x: Tensor, positions: Tensor, theta: float) -> Tensor:
    return expect_tensor(answer(*copies(x, positions), theta), "the result", tuple(x.shape))


def rotate_by_loops(x: Tensor, positions: Tensor, theta: float = 10_000.0, sign: int = 1) -> Tensor:
    """The specification: feature i and feature i + half, turned by one angle, in each row."""
    T, d = x.shape[-2:]
    rows = x.detach().double().reshape(math.prod(x.shape[:-2]), T, d)
    out, half = torch.zeros_like(rows), d // 2
    for t in range(T):
        for i in range(half):
            angle = sign * float(positions[t]) * theta ** (-2 * i / d)
            a, b = rows[:, t, i], rows[:, t, i + half]
            out[:, t, i] = a * math.cos(angle) - b * math.sin(angle)
            out[:, t, i + half] = b * math.cos(angle) + a * math.sin(angle)
    return out.view(x.shape)


def neighbours(x: Tensor) -> Tensor:
    """Features 0, 2, 4, ..., then 1, 3, 5, ...: what makes pairs of neighbours pairs of halves."""
    return torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)


def interleaved(x: Tensor) -> Tensor:
    """The inverse of `neighbours`."""
    return torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)


def rotate_neighbours(x, positions, theta=10_000.0):
    return interleaved(rotate_by_loops(neighbours(x), positions, theta))


def with_angles(x, angle, other=None):
    """x turned by these angles (T, half); other: the angles of the second feature of each pair."""
    other = angle if other is None else other
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * angle.cos() - b * angle.sin(), b * other.cos() + a * other.sin()), dim=-1)


def zero_faults(x):
    x = x.double()
    a, b = x.chunk(2, dim=-1)
    words = "At position 0 the features come back in another order: halves stay halves (cat), pairs are i and i + half."
    yield interleaved(x), words, None
    yield neighbours(x), words, None
    yield torch.cat((b, a), -1), "At position 0 the halves come back swapped: (a cos - b sin, b cos + a sin).", None
    swapped = "At position 0 the pair is already turned by a right angle: sine and cosine are swapped."
    yield torch.cat((-b, a), -1), swapped, None
    yield torch.cat((b, -a), -1), swapped, None
    words = "At position 0 both halves hold the first one: the second is b cos + a sin, so cos belongs to b."
    yield torch.cat((a, a), -1), words, None
    yield torch.zeros_like(x), "At position 0 nothing is left: where are the terms with cos?", None
    words = "At position 0 the second half is negated: look at the signs, (a cos - b sin, b cos + a sin)."
    yield torch.cat((a, -b), -1), words, None
    words = "x at position 0 is turned as if it stood at its row's number, 0, 1, 2, ...: " + NOT_ONE
    yield rotate_by_loops(x, torch.arange(x.shape[-2])), words, None
    yield rotate_by_loops(x, torch.ones(x.shape[-2])), "Position 0 is treated as position 1.", None
    words = "Sines and cosines are added, as with the sinusoidal table; rotary multiplies: it turns the vector."
    yield x + torch.cat((torch.zeros_like(a), torch.ones_like(b)), -1), words, None
    yield x + interleaved(torch.cat((torch.zeros_like(a), torch.ones_like(b)), -1)), words, None


def frequency_faults(d, theta):
    """(frequencies (half,), words)"""
    i = torch.arange(d // 2, dtype=torch.float64)
    words = "The exponent is i/d_head; wanted 2i/d_head, which is i/half."
    yield theta ** (-i / d), words
    words = "The exponent is 4i/d_head, doubled twice: torch.arange(0, d_head, 2) is 2i already."
    yield theta ** (-4 * i / d), words
    yield theta ** (2 * i / d), "The sign of the exponent is wrong: later pairs turn slower, theta^(-2i/d_head)."
    yield theta ** (-2 * (i + 1) / d), "Pairs are counted from 1; the first frequency is 1."
    yield theta ** (-2 * i / max(d - 2, 1)), "The exponent is 2i/(d_head - 2); wanted 2i/d_head."
    yield theta ** (-2 * i), "The exponent is not divided by d_head."
    yield torch.ones_like(i), "All pairs turn at one speed: theta^(-2i/d_head) makes later pairs slower."
    if theta != 10_000:
        yield 10_000.0 ** (-2 * i / d), f"theta is fixed at 10000; the call said theta = {theta:g}."
    yield (theta ** (-2 * i / d)).flip(0), "The frequencies stand in reverse order: pair 0 turns fastest."


def rotate_faults(x, positions, theta):
    x, T, d = x.double(), x.shape[-2], x.shape[-1]
    half = d // 2
    position = positions.double()[:, None]
    frequency = theta ** (-2 * torch.arange(half, dtype=torch.float64) / d)
    angle = position * frequency
    words = (
        "Neighbours are paired, 2i with 2i + 1. Just as good a scheme, but not the one asked for: here "
        "feature i is paired with feature i + d_head/2, and weights trained with one pairing fail with the other."
    )
    yield rotate_neighbours(x, positions, theta), words, "M27"
    words = "The pairs turn backwards. Wanted (a cos - b sin, b cos + a sin): the minus is in the first half."
    yield rotate_by_loops(x, positions, theta, sign=-1), words, None
    yield rotate_by_loops(neighbours(x), positions, theta), "The features are put into another order on the way.", "M27"
    words = (
        "Halves go in, but the result is interleaved (stack and flatten): put the two halves side by side, torch.cat."
    )
    yield interleaved(rotate_by_loops(x, positions, theta)), words, "M27"
    a, b = x.chunk(2, dim=-1)
    cos, sin = angle.cos(), angle.sin()
    mixed = [interleaved(torch.cat((v, v), -1)) for v in (cos, sin)]
    words = (
        "cos and sin are repeated for neighbours (0, 0, 1, 1, ...) but meet features paired as halves: repeat them as "
        "0, 1, ..., 0, 1, ... (torch.cat((angle, angle), -1))."
    )
    yield x * mixed[0] + torch.cat((-b, a), -1) * mixed[1], words, "M27"
    signs = "Look at the signs: (a cos - b sin, b cos + a sin)."
    yield torch.cat((a * cos - b * sin, b * cos - a * sin), -1), f"This is no rotation. {signs}", None
    yield torch.cat((a * cos + b * sin, b * cos + a * sin), -1), f"This is no rotation. {signs}", None
    words = "Cosine and sine are swapped between the features: (a cos - b sin, b cos + a sin)."
    yield torch.cat((a * cos - b * sin, a * cos + b * sin), -1), words, None
    words = "The second half is computed from the first half already turned: keep a as it was."
    new = a * cos - b * sin
    yield torch.cat((new, b * cos + new * sin), -1), words, None
    yield torch.cat((new, b), -1), "Only the first feature of each pair is turned.", None
    yield x * torch.cat((cos, cos), -1), "x is only multiplied by cos: the terms with sin are missing.", None
    words = "Sines and cosines are added, as with the sinusoidal table; rotary multiplies: it turns the vector."
    yield x + torch.cat((sin, cos), -1), words, None
    yield x + interleaved(torch.cat((sin, cos), -1)), words, None
    yield x, "x comes back as it was.", None
    counted = torch.arange(T, dtype=torch.float64)
    for sign, start in itertools.product((1, -1), (0, 1)):
        also = "" if sign == 1 else " (And the pairs turn backwards.)"
        yield rotate_by_loops(x, counted + start, theta, sign), f"The rows are counted instead: {NOT_ONE}{also}", None
    yield rotate_by_loops(x, positions + 1, theta), "Every position is one too high: positions count from 0.", None
    words = "Only the first position is used, and counted on from there: positions may have gaps. Use them all."
    yield rotate_by_loops(x, positions[0] + counted, theta), words, None
    if x.ndim > 2:
        lead = torch.arange(x.shape[-3], dtype=torch.float64)[:, None, None] * frequency
        words = "The angle grows along the axis before the positions (heads): the positions are axis -2."
        yield with_angles(x, lead), words, None
    for other, words in frequency_faults(d, theta):
        yield with_angles(x, position * other), words, None
        yield interleaved(with_angles(neighbours(x), position * other)), f"{words} And neighbours are paired.", "M27"
        yield with_angles(x, -position * other), f"{words} And the pairs turn backwards.", None
    words = "The two features of a pair are turned by different angles."
    features = theta ** (-torch.arange(d, dtype=torch.float64) / d)
    yield with_angles(x, position * features[0::2], position * features[1::2]), words, None
    yield with_angles(x, position * features[:half], position * features[half:]), words, None
    yield with_angles(x, angle * math.pi / 180), "The angles are taken for degrees.", None
    yield with_angles(x, angle * 2 * math.pi), "The angle is multiplied by 2 pi; it is position * frequency.", None
    yield rotate_by_loops(rotate_by_loops(x, positions, theta), positions, theta), "x is turned twice.", "M27"


def by_pairs(got, x, positions, theta):
    """What an answer that no fault explains did to the pairs, from the lengths it kept."""
    got, x, half = got.detach().double(), x.double(), x.shape[-1] // 2
    z, w = torch.complex(*x.chunk(2, dim=-1)), torch.complex(*got.chunk(2, dim=-1))
    if half > 1 and close(lengths(neighbours(got)), lengths(neighbours(x)), 1e-4):
        words = (
            "Neighbours are turned together (2i with 2i + 1), and not by the right angles. Here feature i is paired "
        )
        yield got, words + "with feature i + d_head/2.", "M27"
    if close(w.abs(), z.abs(), 1e-4):
        wanted = torch.complex(*rotate_by_loops(x, positions, theta).chunk(2, dim=-1))
        worst = [int(n) for n in torch.unravel_index((w - wanted).abs().argmax(), w.shape)]
        t, i = worst[-2:]
        yours = float((w / z)[tuple(worst)].angle())
        right = float(positions[t]) * theta ** (-i / half)
        yield (
            got,
            (
                f"Each pair keeps its length, but the angles are others: pair {i} at position {int(positions[t])} is "
                f"turned by {yours:.3f} radians (up to whole turns); wanted {math.remainder(right, 2 * math.pi):.3f}: "
                "position * theta^(-2i/d_head)."
            ),
            None,
        )
    elif close(got.norm(dim=-1), x.norm(dim=-1), 1e-4):
        words = "Vectors keep their length, pairs (i, i + d_head/2) do not: other features are turned together."
        yield got, words, "M27"
    elif half > 1:
        words = (
            "This is no rotation: lengths change. With `x * cos + y * sin`, y must be the halves swapped and the first "
            "negated, torch.cat((-b, a), -1), and cos, sin repeated as halves, torch.cat((angle, angle), -1)."
        )
        yield got, words, None


def lengths(x):
    """The length of each pair of halves."""
    return torch.complex(*x.chunk(2, dim=-1)).abs()


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
            faults = itertools.chain(output_faults(*case), with_the_kept(case[0], keys, values))
            compare(output, wanted, faults, "the output", 1e-4)
        case = next(step_cases())
        names = ("q", "k", "v", "keys", "values")
        leaves_alone(cached_step, **dict(zip(names, case, strict=True)))


def step_cases():
    """q, k, v of one new token, and the keys (already turned) and values of S tokens before it."""
    for shape, S, d in (((3,), 5, 8), ((2, 3), 4, 6), ((), 7, 4), ((2,), 0, 4), ((1, 4), 1, 10)):
        q, k, v = (normal(*shape, 1, d) for _ in range(3))
        yield q, k, v, rotate_by_loops(normal(*shape, S, d), torch.arange(S)).float(), normal(*shape, S, d)


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
    ]
    words = "The new key stands at the size of another axis of keys: S is its number of rows, keys.shape[-2]."
    faults += [(torch.cat((old, at(k, n)), -2), words, None) for n in (*old.shape[:-2], old.shape[-1])]
    compare(keys, torch.cat((old, right_k), -2), faults, "the keys", 1e-4)
    old_values = old_values.double()
    turned_words = "The values are turned: rotary turns queries and keys only."
    all_values = torch.cat((old_values, right_v), -2)
    faults = [
        (torch.cat((old_values, at(v, S)), -2), turned_words, "M27"),
        (rotate_by_loops(all_values, torch.arange(S + 1)), turned_words, "M27"),
        (torch.cat((right_v, old_values), -2), "The new value stands in front; it comes last.", None),
        (torch.cat((old_values, right_k), -2), "The key is kept among the values.", None),
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
    words = (
        "Only the first token is attended to: a causal mask of one row (is_causal=True?) hides all keys but the first. "
        "The new token is the last and sees all: no mask is needed."
    )
    yield values[..., :1, :], words, None
    words = "The output is 0: attention over one token, itself, gives back that token's value."
    yield torch.zeros_like(q), words, None


def with_the_kept(q, keys, values):
    """An output that follows from keys or values that are wrong themselves."""
    S, keys, values = keys.shape[-2] - 1, keys.detach().double(), values.detach().double()
    also = "The output follows from the keys and values you return, and those are wrong: mend them first."
    yield attended(at(q, S), keys, values), also, None
    for off in (0, 1, S - 1, S + 1):
        yield attended(at(q, off), keys, values), f"{also} And the query stands at {off}, not at S = {S}.", None
    for turn in (rotate_neighbours, lambda x, positions: rotate_by_loops(x, positions, sign=-1)):
        yield attended(at(q, S, turn), keys, values), f"{also} The query is turned as they are.", None


class dials:
    answers = (("a position of q, 0 to 127",), ("an offset, 1 to 127",))

    @check("where pair 2 first adds less than nothing", 1)
    def first(turns_negative, lowest_offset):
        got = whole(turns_negative, "turns_negative")
        wanted = next(t for t in range(128) if math.cos(t * 10_000 ** (-2 * 2 / 16)) < 0)
        others = {i: next(t for t in range(10**6) if math.cos(t * 10_000 ** (-2 * i / 16)) < 0) for i in (0, 1, 3, 4)}
        if got == wanted:
            return
        for pair, position in others.items():
            if got == position:
                raise Wrong(f"At {got} it is pair {pair} that first does so; pairs are counted from 0.")
        if not 0 <= got <= 127:
            raise Wrong(f"{got} is no position of q: they go from 0 to 127.")
        if got == wanted - 1:
            raise Wrong(f"At {got} pair 2 still adds a little more than 0: one step further.")
        if math.cos(got * 10_000 ** (-0.25)) < 0:
            raise Wrong(f"At {got} pair 2 does add less than 0, but not for the first time: go back, k at 0.")
        raise Wrong(f"At {got}, with k at 0, pair 2 adds {math.cos(got * 10_000**-0.25) / 4:.2f}: more than 0.")

    @check("the offset with the lowest score", 1)
    def second(turns_negative, lowest_offset):
        got = whole(lowest_offset, "lowest_offset")
        if -got in range(1, 128):
            raise Wrong(f"Between 1 and 127 is asked for; at {-got} the score is the same, for q and k hold the same.")
        scores = [sum(math.cos(o * 10_000 ** (-2 * i / 16)) for i in range(8)) / 4 for o in range(128)]
        wanted = min(range(1, 128), key=scores.__getitem__)
        if got == wanted:
            return
        if not 1 <= got <= 127:
            raise Wrong(f"{got} is no offset between 1 and 127.")
        raise Wrong(
            f"At offset {got} the score is {scores[got]:.3f}; there is an offset where it is lower still. Look at the "
            "whole curve for its lowest point, then move there with the arrow keys."
        )


def whole(value, name: str) -> int:
    if value is None:
        raise NotDone(f"read the number off the explorer, put it in {name} in place of None, then run this cell again.")
    number = plain(value)
    if isinstance(number, str):
        raise Wrong(f"{name} is {value!r}, a text; wanted a whole number, without quotation marks.")
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not float(number).is_integer():
        raise Wrong(f"{name} is {value!r}; wanted a whole number.")
    return int(number)
