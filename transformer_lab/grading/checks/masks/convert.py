"""Lesson 03: the checks of turning one convention of masks into another."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, expect_tensor, leaves_alone
from .common import INF, causal_by_loops, compare_masks, expect_bool, table

# A bias this low makes a key unlikely; it is no block.
LOW = (-50.0, -5e3, -2e9, -1e30, torch.finfo(torch.float32).min)


PADDINGS = ("1110 0111", "11100 01011 11111", "110 011")
ROWS = "1011", "11011", "011101"


class convert:
    answers = ("to_blocked(allowed)", "to_additive(allowed)", "to_allowed(additive)")

    @check("True = allowed into True = blocked", 1)
    def blocked(to_blocked, to_additive, to_allowed):
        for allowed in masks():
            got = expect_tensor(to_blocked(allowed.clone()), "to_blocked(allowed)", allowed.shape)
            expect_bool(got, "to_blocked(allowed)")
            same = (
                "nothing was inverted: nn.MultiheadAttention would block what it should see and see what it should not."
            )
            compare_masks(got, ~allowed, [(allowed, same, "M36")], "to_blocked(allowed)", str(tuple(allowed.shape)))
        leaves_alone(to_blocked, allowed=allowed)

    @check("booleans into numbers to add: 0 and -inf", 1)
    def additive(to_blocked, to_additive, to_allowed):
        for allowed in masks():
            got = expect_tensor(to_additive(allowed.clone()), "to_additive(allowed)", allowed.shape)
            compare_additive(got, allowed)
        leaves_alone(to_additive, allowed=allowed)

    @check("numbers to add into booleans, also where the numbers are a bias", 1)
    def allowed(to_blocked, to_additive, to_allowed):
        for allowed in masks():
            bias = bias_of(allowed)
            every_other = torch.arange(allowed.numel()).view(allowed.shape) % 2 == 0
            lower = [torch.zeros(allowed.shape).masked_fill(every_other, low) for low in LOW]
            lower.append(lower[0].double().masked_fill(every_other, torch.finfo(torch.float64).min))
            for additive in (bias, torch.zeros(allowed.shape), *lower):
                additive = additive.masked_fill(~allowed, -INF)
                got = expect_tensor(to_allowed(additive.clone()), "to_allowed(additive)", allowed.shape)
                expect_bool(got, "to_allowed(additive)")
                compare_masks(got, allowed, allowed_faults(additive), "to_allowed(additive)", str(tuple(allowed.shape)))
        leaves_alone(to_allowed, additive=additive)


def masks() -> list[Tensor]:
    """Causal, padding for two texts, everything allowed, both at once, and a single row with and without an axis."""
    T, S = draw.one_of((3, 5), (2, 6), (4, 7))
    padding = table(draw.one_of(*PADDINGS))[:, None, None, :]
    n = padding.shape[-1]
    everything, row = torch.ones(T - 1, S - 2, dtype=torch.bool), table(draw.one_of(*ROWS))
    return [causal_by_loops(T, S), padding, everything, padding & causal_by_loops(n, n), row[0], row]


def bias_of(allowed: Tensor) -> Tensor:
    """A bias for each key: many 0, and of the allowed ones at least one below -1, one above 1 and one 0."""
    bias = draw.standard(*allowed.shape) * (draw.uniform(*allowed.shape) < 0.5)
    low, high, zero, *_ = draw.shuffled(allowed.flatten().nonzero().flatten().tolist())
    bias.view(-1)[[low, high, zero]] = torch.tensor([-1.2, 1.2, 0.0])
    return bias


def compare_additive(got: Tensor, allowed: Tensor) -> None:
    wanted = torch.zeros(allowed.shape).masked_fill(~allowed, -INF)
    if not got.is_floating_point():
        raise Wrong(f"to_additive(allowed) is {got.dtype}: what is added to scores must be float, and hold 0 and -inf.")
    if got.isnan().any():
        raise Wrong(
            "to_additive(allowed) holds NaN: 0 * inf is NaN. Do not multiply by inf: fill it in, or torch.where."
        )
    if close(got, wanted, 0.0):
        return
    wide = got.double()
    if (wide == INF).any():
        raise Wrong("to_additive(allowed) holds +inf: what is to be blocked needs -inf.")
    if torch.equal(wide, torch.zeros_like(wide).masked_fill(allowed, -INF)):
        raise Wrong("-inf stands on the *allowed* keys: they would be blocked. True means allowed.", "M36")
    if ((wide == 0) | (wide == 1)).all():
        raise Wrong(
            "These are 0 and 1: added to the scores they block nothing. Allowed is 0 (adds nothing), blocked is -inf.",
            "M08",
        )
    if (wide[allowed] == 0).all() and (wide[~allowed] < 0).all() and wide[~allowed].max() > -1e3:
        raise Wrong(
            f"Blocked keys get {wide[~allowed].max():g}, a finite number: that lowers their scores, and e to the power "
            "of it is still a weight. Wanted -inf.",
            "M08",
        )
    if (wide[allowed] == 0).all() and (wide[~allowed] < 0).all():
        raise Wrong(
            f"Blocked keys get {wide[~allowed].max():g}, a finite number: low enough for most scores, but a fully "
            "masked row becomes an average over everything it must not see. Wanted -inf.",
            "M08",
        )
    if (wide == -INF).equal(~allowed):
        raise Wrong(
            "Blocked keys are right; but allowed keys must get 0, which adds nothing. Yours get another number."
        )
    raise Wrong("Allowed keys get 0, blocked keys -inf, and each stands where it stood in `allowed`; yours differs.")


def allowed_faults(additive: Tensor):
    lowest = additive == -INF
    finite = additive.masked_fill(lowest, 0.0)
    low = f"{finite.min():g} is taken for a block. So low a number makes a key unlikely, but it is still a bias: where "
    low += "all keys have it, softmax changes nothing. Compare with -inf itself."
    if finite.min() < -40:
        yield (finite > -40) & ~lowest, low, None
    yield lowest, "-inf means blocked, so True = allowed stands where it is *not* -inf.", "M36"
    yield (
        additive == 0,
        (
            "a number other than 0 is not a block: it is a bias that makes a key more or less likely (ALiBi, "
            "lesson 08). "
            "Only -inf blocks."
        ),
        None,
    )
    yield additive > -1.0, "a negative number is a bias, not a block: only -inf blocks.", None
    yield additive >= 0, "a negative number is a bias, not a block: only -inf blocks.", None
    yield additive > 0, "0 adds nothing and blocks nothing: only -inf blocks.", None
    yield additive != 0, "0 adds nothing, so it is allowed; only -inf blocks. This marks every number but 0.", None
    yield additive.bool(), "0 adds nothing, so it is allowed; .bool() makes it False.", None
    yield ~additive.bool(), "only -inf blocks; other numbers are a bias.", None
    yield torch.ones_like(lowest), "nothing is blocked: look for -inf.", "M36"
