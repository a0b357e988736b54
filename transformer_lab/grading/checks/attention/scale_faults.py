"""Lesson 02, attention: where a wrong factor on the scores comes from."""

import math

from ..common import number

HEADS = (8, 2, 3, 12, 16)
MODEL_WIDTHS = (512, 768, 256, 1024)


def scale(slope, q, k, v):
    """(message, misconception) for weights that are softmax(slope * q.k)."""
    d = q.shape[-1]
    told, misconception = next(
        (rest for value, *rest in known(q, k, v) if math.isclose(slope, value, rel_tol=2e-3)), (None, None)
    )
    words = f"{number(slope)}; wanted 1/sqrt(d) = {number(d**-0.5)}, where d = {d} is the width of one query"
    if told:
        words += f". Look at the scale: {told}"
    else:
        words += f": yours is {number(slope * math.sqrt(d))} times that. Take d from q.shape[-1]"
    return f"Your weights are the softmax of q.k times {words}.", misconception


def known(q, k, v):
    """(factor, words, misconception) of the scales people take; the first that fits is told."""
    d, T, S = q.shape[-1], q.shape[-2], k.shape[-2]
    root = math.sqrt(d)
    yield 1.0, "they are not scaled at all, so the softmax saturates as d grows", "M01"
    yield 1 / d, "that is 1/d: the root is missing", None
    yield root, "that is sqrt(d): multiplied where it should be divided", None
    yield -1 / root, "the sign is wrong: the least similar key gets the most weight", None
    yield d**-0.25, "that is d**-0.25: the root is taken twice, or d**-0.25 is applied to q and not to k", None
    yield d**-1.5, "that is d**-1.5: the scale is applied twice or more", None
    for heads in HEADS:
        words = f"that is 1/sqrt({heads} d), a d_model of {heads} heads: too large a divisor makes the weights too flat"
        yield 1 / math.sqrt(heads * d), words, "M01"
        yield 1 / (heads * root), f"that is 1/({heads} sqrt(d)): {heads} still multiplies the root", "M01"
    for width in MODEL_WIDTHS:
        words = f"that is 1/sqrt({width}): a fixed number is used, the d_model of some model. Take q.shape[-1]"
        yield 1 / math.sqrt(width), words, "M01"
    yield 1 / math.sqrt(S), "that is 1/sqrt(S), from the number of keys", None
    yield 1 / math.sqrt(T), "that is 1/sqrt(T), from the number of queries", None
    yield 1 / math.sqrt(v.shape[-1]), "that is 1/sqrt(e), from the width of the values", None
    yield 1 / math.sqrt(T * d), "that is 1/sqrt(T d), from the number of elements of q", None
    yield 1 / math.sqrt(d + 1), "that is 1/sqrt(d + 1)", None
    yield 1 / math.isqrt(d), "that is 1/int(sqrt(d)): the root is truncated to a whole number", None
    for size in q.shape[:-2]:
        yield 1 / math.sqrt(size), f"that is 1/sqrt({size}), from a batch axis", None
    yield 1 / 8, "a fixed number is used (8, for d = 64?). Take d from q.shape[-1]", None
