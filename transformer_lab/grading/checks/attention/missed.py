"""Lesson 02: the checks of how far an output moves without a key, and of a heaviest key that nobody misses."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import close, compare, copies, expect_tensor, keeps_every_dtype, leaves_alone, number
from .missed_faults import moved, wrong_moves

SIZES = ((4, 6, 3), (3, 5, 2), (6, 4, 3), (5, 7, 2))  # T, S, e
# The heaviest weight may be more than half of a row, and much less.
ROWS = (0.55, 0.30, 0.15), (0.29, 0.26, 0.24, 0.21), (0.40, 0.24, 0.18, 0.11, 0.07), (0.84, 0.07, 0.04, 0.03, 0.02)
TOO_FAR, ENOUGH = 0.001, 1


class missed:
    answers = ("missed(weights, v, shared)", "needless(weights)")

    @check("its weight goes to the others", 1)
    def shared(missed, needless):
        judge(missed, True)

    @check("zeros in its place", 0.5)
    def zeros(missed, needless):
        judge(missed, False)
        T, S, e = draw.one_of(*SIZES)
        for shared in (True, False):
            leaves_alone(lambda w, v, way=shared: missed(w, v, way), weights=rows(T, S), v=draw.normal(S, e))

    @check("values with which the heaviest key is not missed, and the lightest is", 1.5)
    def needless(missed, needless):
        for row in ROWS:
            weights = torch.tensor(draw.shuffled(row))
            expect_needless(needless, weights)
        for first in (row[::step] for row in ROWS[1:3] for step in (1, -1)):  # it stands first, and last
            expect_needless(needless, torch.tensor(first))


def rows(*shape: int, dtype=torch.float32) -> Tensor:
    """Weights, some of them 0: keys that a mask has hidden already."""
    scores = draw.standard(*shape, dtype=dtype)
    scores[..., -1, 1] = -float("inf")
    return scores.softmax(-1)


def values_for(*shape: int, dtype=torch.float32) -> Tensor:
    """Values whose mean is not 0: with zeros in its place it matters how far a value is from 0."""
    return 2 * draw.standard(*shape, dtype=dtype) + 1.5


def judge(missed, shared: bool) -> None:
    T, S, e = draw.one_of(*SIZES)
    for leading in ((), (2,), (2, 3)):
        weights, v = rows(*leading, T, S), values_for(*leading, S, e)
        got = moves(missed, weights, v, shared)
        name = f"missed(weights {tuple(weights.shape)}, v {tuple(v.shape)}, {shared})"
        compare(got, moved(weights, v, shared), wrong_moves(weights, v, shared), name, 1e-4)
    keeps_every_dtype(lambda dtype: missed(rows(T, S, dtype=dtype), values_for(S, e, dtype=dtype), shared), "missed()")


def moves(missed, weights: Tensor, v: Tensor, shared: bool) -> Tensor:
    """The answer's numbers, if there is one for each query and key."""
    got = missed(*copies(weights, v), shared)
    wanted, e = tuple(weights.shape), v.shape[-1]
    if isinstance(got, Tensor) and got.shape == (*wanted, e):
        raise Wrong(
            f"missed() has shape {tuple(got.shape)}: that is the difference itself, {e} numbers. Wanted is its length."
        )
    if isinstance(got, Tensor) and got.shape == (*wanted[:-2], wanted[-1], wanted[-2]):
        raise Wrong(f"missed() has shape {tuple(got.shape)}: a row for each query, a column for each key, {wanted}.")
    return expect_tensor(got, "missed()", wanted)


def expect_needless(needless, weights: Tensor) -> None:
    S = len(weights)
    values = needless(weights.clone())
    if isinstance(values, Tensor) and values.shape == (S,):
        raise Wrong(f"The values have shape ({S},); wanted ({S}, e), a vector for each key; ({S}, 1) will do.")
    if not isinstance(values, Tensor) or values.ndim != 2 or len(values) != S or not values.shape[1]:
        values = expect_tensor(values, "The values", (S, 1))
    values = values.detach().double()
    if not values.isfinite().all():
        raise Wrong("The values hold NaN or inf: large, but finite, numbers are enough.")
    weights = weights.double()
    h, low = int(weights.argmax()), int(weights.argmin())
    heaviest, lightest = (moved(weights[None], values, True)[0, key].item() for key in (h, low))
    if heaviest < TOO_FAR and lightest > ENOUGH:
        return
    row = ", ".join(number(w) for w in weights)
    seen = (
        f"For the weights {row} the output moves by {number(heaviest)} without key {h}, the heaviest, and by "
        f"{number(lightest)} without key {low}, the lightest"
    )
    raise Wrong(f"{seen}; wanted less than {TOO_FAR} and more than {ENOUGH}. {why(weights, values, h, low)}")


def why(weights: Tensor, values: Tensor, h: int, low: int) -> str:
    """What is wrong with the values, in words."""
    others = torch.arange(len(weights)) != h
    heaviest, lightest = (moved(weights[None], values, True)[0, key].item() for key in (h, low))
    if close(values, values[:1].expand_as(values)):
        return "All values are equal: then no key at all is missed. The lightest has to say something of its own."
    if heaviest < TOO_FAR:
        return "The heaviest is well. Move the value of the lightest further from the others, and the heaviest's along."
    if lightest < TOO_FAR:
        return "Here it is the lightest that is not missed: weights.argmax() and weights.argmin() say which is which."
    if close(values[h], values[others].mean(dim=0), 1e-3):
        return (
            "The heaviest key's value is the plain mean of the others' values. What they say together is their mean by "
            "weight: each counts with its own."
        )
    if close(values[h], weights[others] @ values[others], 1e-3):
        return (
            "The heaviest key's value is the others' weighted *sum*. Without the heaviest, the weights are divided by "
            "what is left, 1 - w: so must this sum be."
        )
    if not values[h].any():
        return (
            "The heaviest key's value is 0. With zeros in its place it would not be missed; but when the others share "
            "its weight, its value has to be what they say together."
        )
    return "Nothing moves if the heaviest key's value is the output that the others have without it."
