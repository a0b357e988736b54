"""Lesson 02: the checks of a query that mixes two values."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import copies, expect_tensor, leaves_alone
from . import weights_faults as faults

SIZES = ((6, 5), (7, 5), (8, 3), (5, 7))  # d, e: neither is 4, the number of keys


class mix:
    answers = ("mix(keys, values)",)

    @check("one query, as wide as a key", 1)
    def shape(mix):
        keys, values = keys_and_values(*draw.one_of(*SIZES))
        query_for(mix, keys, values)
        leaves_alone(mix, keys=keys, values=values)

    @check("the output is midway between the first two values", 2)
    def values(mix):
        size = draw.one_of(*SIZES)
        # One size twice: the query must follow the keys. The last is so wide that a forgotten sqrt(d) tells.
        for d, e in (size, size, (4, 3), (draw.one_of(9, 10, 11), 2), (1024, 2)):
            keys, values = keys_and_values(d, e)
            query = query_for(mix, keys, values)
            keys, values = keys.double(), values.double()
            output = (keys @ query / math.sqrt(d)).softmax(0) @ values
            midway, apart = (values[0] + values[1]) / 2, (values[0] - values[1]).norm()
            if (output - midway).norm() > 0.01 * apart:
                raise Wrong(faults.mixed(query, keys, values))


def keys_and_values(d: int, e: int) -> tuple[Tensor, Tensor]:
    """Four independent keys, neither orthogonal nor of equal length, and four values."""
    directions = torch.linalg.qr(draw.standard(d, 4)).Q.T
    correlated = torch.eye(4) + 0.3 * draw.uniform(4, 4)
    lengths = torch.tensor([[1.0], [1.7], [2.2], [0.8]])
    values = draw.normal(4, e)
    values[1] = values[0] + 2 * F.normalize(draw.standard(e), dim=0)
    values[2:] += 3.0  # both on one side, so that what they still hold shows
    return lengths * (correlated @ directions), values


def query_for(mix, keys: Tensor, values: Tensor) -> Tensor:
    query = mix(*copies(keys, values))
    d, e = keys.shape[-1], values.shape[-1]
    if isinstance(query, Tensor) and query.shape == (4,) and d != 4:
        raise Wrong(f"This is one number for each key (weights or scores); wanted a query of width d = {d}.")
    if isinstance(query, Tensor) and query.shape == (e,) and d != e:
        raise Wrong(f"This is as wide as a value ({e}): the query lives in the space of the keys, of width d = {d}.")
    if isinstance(query, Tensor) and query.ndim == 1 and len(query) != d:
        raise Wrong(f"The query has width {len(query)}, these keys have width {d}: take d from keys.shape[-1].")
    query = expect_tensor(query, "the query", (d,)).detach().double()
    if not query.isfinite().all():
        raise Wrong("The query holds NaN or inf: large, but finite, scores are enough.")
    return query
