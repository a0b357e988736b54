"""Lesson 02: the checks of four questions about weights: entropy, mix, shift and duplicate."""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..score import Wrong, check
from . import _weights_faults as faults
from ._softmax import softmax_by_loops
from .common import chosen, close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone, normal

MANY = 20_000  # equal weights: each is small, and all together are everything
SHIFT_OPTIONS = ("unchanged", "sharper", "flatter")


class entropy:
    answers = ("entropy(weights)",)

    @check("one number for each row, of the same dtype", 0.5)
    def shape(entropy):
        for shape in ((4, 5), (2, 3, 4, 5), (1, 5), (5,)):
            for dtype in (torch.float32, torch.float64):
                keeps_dtype(entropies(entropy, normal(*shape, dtype=dtype).softmax(-1)), dtype, "entropy")

    @check("rows with a known entropy: equal weights, one key alone", 1)
    def known(entropy):
        # The last row is like no other: on those before it many a formula agrees with another.
        weights = torch.tensor([[0.25] * 4, [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.1, 0.2, 0.4, 0.3]])
        got = entropies(entropy, weights)
        if got[1:].isnan().any():
            raise Wrong("A weight of 0 gives NaN: log(0) is -inf and 0 * -inf is NaN. Its share is 0 (0 log 0 = 0).")
        if got[1:].isinf().any():
            raise Wrong(
                "A weight of 0 gives inf: log(0) is -inf, and no factor 0 stands before it. Each -log w_j counts w_j "
                "times, and a weight of 0 adds nothing (0 log 0 = 0)."
            )
        compare(got, entropy_by_loops(weights), faults.entropy(weights, got), "entropy")

    @check("the right numbers", 1)
    def values(entropy):
        for shape in ((4, 5), (6, 6), (1, 3, 5), (2, 3, 4, 5)):
            weights = (2 * normal(*shape)).softmax(-1)
            got = entropies(entropy, weights)
            compare(got, entropy_by_loops(weights), faults.entropy(weights, got), "entropy")
        weights = torch.full((1, MANY), 1 / MANY)
        got = entropies(entropy, weights)
        look = "Only a weight of exactly 0 adds nothing: are small ones left out, or is a number added to them?"
        compare(got, entropy_by_loops(weights), (), f"the entropy of {MANY:,} equal weights", 1e-3, look)

    @check("gradients flow, and the weights stay as they were", 0.5)
    def gradient(entropy):
        leaves_alone(entropy, weights=torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]))
        weights, upstream = normal(4, 5).softmax(-1).requires_grad_(), normal(4)
        got = has_gradient(entropies(entropy, weights * 1.0), "entropy")
        (gradient,) = torch.autograd.grad((got * upstream).sum(), weights)
        w = weights.detach()
        wanted = -(w.log() + 1) * upstream[:, None]
        log_cut = -w.log() * upstream[:, None]
        # One number more for a whole row is felt only where the row does not sum to 1: another formula, as right.
        more = (gradient - wanted).mean(-1, keepdim=True)
        same = close(gradient, wanted + more, 1e-4) and not close(gradient, log_cut, 1e-4)
        if close(got, entropy_by_loops(w)) and not same:
            told = [(log_cut, "log is cut from the gradient (.detach() or no_grad around it).", None)]
            compare(gradient, wanted, told, "the gradient of entropy", 1e-4)


def entropies(entropy, weights: Tensor) -> Tensor:
    """The answer's numbers, if there is one for each row."""
    got, shape = entropy(weights.clone()), tuple(weights.shape)
    if isinstance(got, Tensor) and tuple(got.shape) == shape:
        raise Wrong(f"entropy(weights) has the shape of the weights, {shape}: sum the terms of each row, dim=-1.")
    for axis in range(weights.ndim - 1):
        if isinstance(got, Tensor) and tuple(got.shape) == shape[:axis] + shape[axis + 1 :] != shape[:-1]:
            over = "the queries" if axis == weights.ndim - 2 else "a batch axis"
            raise Wrong(
                f"entropy(weights) has shape {tuple(got.shape)}; wanted {shape[:-1]}. The sum runs over {over} "
                f"(axis {axis}); each row is a distribution over the keys: dim=-1.",
                "M04" if over == "the queries" else None,
            )
    return expect_tensor(got, "entropy(weights)", shape[:-1])


def entropy_by_loops(weights: Tensor) -> Tensor:
    """The specification: minus the sum of w log w over the keys, where 0 log 0 is 0."""
    rows = weights.double().reshape(-1, weights.shape[-1])
    sums = [-sum(w * math.log(w) for w in row.tolist() if w > 0) for row in rows]
    return torch.tensor(sums, dtype=torch.float64).view(weights.shape[:-1])


class mix:
    answers = ("mix(keys, values)",)

    @check("one query, as wide as a key", 1)
    def shape(mix):
        keys, values = keys_and_values(6, 5)
        query_for(mix, keys, values)
        leaves_alone(mix, keys=keys, values=values)

    @check("the output is midway between the first two values", 2)
    def values(mix):
        for d, e in ((6, 5), (4, 3), (9, 2), (1024, 2)):  # so wide that a forgotten sqrt(d) tells
            keys, values = keys_and_values(d, e)
            query = query_for(mix, keys, values)
            keys, values = keys.double(), values.double()
            output = (keys @ query / math.sqrt(d)).softmax(0) @ values
            midway, apart = (values[0] + values[1]) / 2, (values[0] - values[1]).norm()
            if (output - midway).norm() > 0.01 * apart:
                raise Wrong(faults.mixed(query, keys, values))


def keys_and_values(d: int, e: int) -> tuple[Tensor, Tensor]:
    """Four independent keys, neither orthogonal nor of equal length, and four values."""
    directions = torch.linalg.qr(torch.randn(d, 4)).Q.T
    correlated = torch.eye(4) + 0.3 * torch.rand(4, 4)
    lengths = torch.tensor([[1.0], [1.7], [2.2], [0.8]])
    values = normal(4, e)
    values[1] = values[0] + 2 * F.normalize(torch.randn(e), dim=0)
    return lengths * (correlated @ directions), values


def query_for(mix, keys: Tensor, values: Tensor) -> Tensor:
    query = mix(*copies(keys, values))
    d, e = keys.shape[-1], values.shape[-1]
    if isinstance(query, Tensor) and query.shape == (4,) and d != 4:
        raise Wrong(f"This is one number for each key (weights or scores); wanted a query of width d = {d}.")
    if isinstance(query, Tensor) and query.shape == (e,) and d != e:
        raise Wrong(f"This is as wide as a value ({e}): the query lives among the keys, of width d = {d}.")
    if isinstance(query, Tensor) and query.ndim == 1 and len(query) != d:
        raise Wrong(f"The query has width {len(query)}, these keys have width {d}: take d from keys.shape[-1].")
    query = expect_tensor(query, "the query", (d,)).detach().double()
    if not query.isfinite().all():
        raise Wrong("The query holds NaN or inf: large, but finite, scores are enough.")
    return query


class shift:
    answers = ("shift(scores, c)", SHIFT_OPTIONS)

    @check("the weights after c is added to every score", 1)
    def values(shift, choice):
        cases = (((4, 5), 2.5), ((4, 5), -3.0), ((2, 3, 4, 5), 0.7), ((1, 3, 5), 1.5))
        for dtype, (shape, c) in itertools.product((torch.float32, torch.float64), cases):
            scores = normal(*shape, dtype=dtype)
            got = expect_tensor(shift(scores.clone(), c), "shift(scores, c)", shape)
            compare(got, softmax_by_loops(scores, -1), faults.shifted(scores, c, got), "shift(scores, c)")
            keeps_dtype(got, dtype, "shift(scores, c)")
        leaves_alone(lambda scores: shift(scores, 2.5), scores=normal(4, 5))
        for c in (1000.0, -1000.0):
            far_shift(shift, normal(4, 5), c)
        for c in (2.5, 1000.0, -1000.0):
            scores, upstream = normal(4, 5).requires_grad_(), normal(4, 5)
            found = []
            for weights in (has_gradient(shift(scores * 1.0, c), "the weights"), scores.softmax(-1)):
                found += torch.autograd.grad((weights * upstream).sum(), scores)
            look = "Look for .item() or .detach() around a part of it, or an exp that overflows in a branch not taken."
            compare(*found, name="the gradient of the scores through the weights", tolerance=2e-3, look=look)

    @check("what c does to the weights", 1)
    def choice(shift, choice):
        if chosen(choice, SHIFT_OPTIONS, "the choice") != "unchanged":
            raise Wrong(
                f"You chose {choice!r}. exp(score + c) = exp(c) exp(score): where does exp(c) stand in the fraction? "
                "(A factor on the scores, not a summand, makes weights sharper or flatter.)"
            )


def far_shift(shift, scores: Tensor, c: float) -> None:
    name = f"shift(scores, {c})"
    got = expect_tensor(shift(scores.clone(), c), name, scores.shape)
    if not got.isfinite().all():
        how = "overflows" if c > 0 else "underflows, and the sum is 0"
        raise Wrong(f"c = {c:g} gives NaN or inf: exp {how}. Use a softmax that subtracts the row's maximum.")
    look = "So large a c must change nothing either: are the scores clamped?"
    compare(got, softmax_by_loops(scores, -1), name=name, tolerance=1e-3, look=look)


class duplicate:
    answers = ("duplicate(weights, j)",)

    @check("one weight more than before", 0.5)
    def shape(duplicate):
        for S, j in ((4, 1), (6, 0)):
            for dtype in (torch.float32, torch.float64):
                keeps_dtype(row_for(duplicate, normal(S, dtype=dtype).softmax(0), j), dtype, "the new row")

    @check("the right weights", 2)
    def values(duplicate):
        for S, j in ((4, 1), (6, 0), (5, 4)):
            expect_row(duplicate, normal(S), j)
        for j in (0, 1):  # the first weight is 0: a key that nobody may see
            expect_row(duplicate, torch.tensor([0.0, 0.25, 0.75]).log(), j)

    @check("gradients flow, and the old row stays as it was", 0.5)
    def gradient(duplicate):
        leaves_alone(lambda weights: duplicate(weights, 2), weights=normal(5).softmax(0))
        scores, upstream = normal(5).requires_grad_(), normal(6)
        got = has_gradient(row_for(duplicate, scores.softmax(0), 2), "the new row")
        wanted = torch.cat([scores, scores[2:3]]).softmax(0)
        if close(got, wanted):
            gradient, right = (torch.autograd.grad((row * upstream).sum(), scores)[0] for row in (got, wanted))
            try:
                compare(gradient, right, name="the gradient of the scores through the new row", tolerance=1e-4)
            except Wrong as wrong:
                raise Wrong(f"{wrong} Look for .item(), float() or .detach() around a part of it.") from None


def expect_row(duplicate, scores: Tensor, j: int) -> None:
    """The specification: the softmax of the scores, with that of key j once more at the end."""
    weights = softmax_by_loops(scores, -1).float()
    got = row_for(duplicate, weights, j)
    if got.isnan().any() and not weights.all():
        raise Wrong("Where a weight is 0 the new row holds NaN: look for 0 / 0, log(0) or 0 * inf.")
    wanted = softmax_by_loops(torch.cat([scores, scores[j : j + 1]]), -1)
    compare(got, wanted, faults.duplicated(weights, j, got), "the new row")


def row_for(duplicate, weights: Tensor, j: int) -> Tensor:
    got, S = duplicate(weights.clone(), j), len(weights)
    if isinstance(got, Tensor) and got.shape == (S,):
        raise Wrong(f"There are still {S} weights: the copy is a key of its own, at the end, so there are {S + 1}.")
    return expect_tensor(got, "the new row", (S + 1,))
