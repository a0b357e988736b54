"""Lesson 03: the inputs on which attention with a mask is tried."""

import math

import torch

from ...draw import draw
from .common import causal_by_loops

# T, S, d, e; no two alike, nor is one the root of another.
SIZES = (4, 6, 5, 3), (3, 7, 6, 5), (5, 8, 7, 3), (4, 7, 3, 5)
SQUARE = (5, 5, 5, 5), (6, 6, 6, 6), (7, 7, 7, 7)
BATCH_OF_ONE = (3, 4, 5, 2), (4, 5, 3, 6), (3, 5, 6, 4)
ONE_QUERY = (1, 4, 6, 3), (1, 5, 7, 3), (1, 6, 5, 4)
MORE_QUERIES = (7, 3, 6, 2), (8, 4, 5, 3), (6, 3, 7, 4)
FAR = (3, 6, 4, 5), (2, 5, 4, 6), (5, 7, 4, 3)  # d is 4, whose root is exact
EMPTY = (5, 3, 6, 2), (6, 4, 5, 3), (7, 4, 3, 5)
EMPTY_SQUARE = (6, 6, 5, 3), (5, 5, 6, 3), (7, 7, 5, 4)
LOW = -20000.0  # scores this low, all of them: whatever finite number stands for "blocked" must still be far below
AHEAD = 300.0  # how far a blocked score lies above the allowed ones: next to it e to their power is 0


def qkv(*batch: int, sizes=None, dtype=torch.float32):
    """q, k, v and a causal mask (T, S), the last query at the last key."""
    T, S, d, e = sizes or draw.one_of(*SIZES)
    q, k, v = (draw.normal(*batch, n, width, dtype=dtype) for n, width in ((T, d), (S, d), (S, e)))
    return q, k, v, causal_by_loops(T, S)


def cases():
    """(q, k, v, mask) in which every query has a key: causal, padding, a mask a head, square, one query; far scores."""
    q, k, v, causal = qkv()
    yield q, k, v, causal & (torch.arange(len(k)) != 1)  # causal, and a key that nobody may see
    yield q, k, v, causal
    q, k, v, causal = qkv(2, 3)
    T, S = causal.shape
    padding = torch.ones(2, 1, 1, S, dtype=torch.bool)
    padding[0, ..., S - 2 :] = padding[1, ..., S - 1] = padding[1, ..., 1] = False
    yield q, k, v, padding
    yield q, k, v, padding & causal
    a_mask_each = draw.uniform(2, 3, T, S) < 0.5
    yield q, k, v, a_mask_each | (torch.arange(S) == 2)
    yield qkv(2, sizes=draw.one_of(*SQUARE))
    yield qkv(1, sizes=draw.one_of(*BATCH_OF_ONE))
    q, k, v, causal = qkv(2, sizes=draw.one_of(*ONE_QUERY))
    yield q, k, v, torch.arange(k.shape[-2])[None] % 2 == 0
    q, k, v, causal = qkv(sizes=draw.one_of(*MORE_QUERIES))
    yield q, k, v, torch.ones_like(causal)
    yield from far_cases()


def far_cases():
    """All scores low, all high, and the blocked ones far above the allowed."""
    yield from (far_scores(LOW), far_scores(-LOW), blocked_ahead(), blocked_ahead(LOW, -LOW))


def far_scores(size: float):
    """(q, k, v, mask) with all scores near size; made of eighths, so that float32 holds each score exactly."""
    q, k, v, causal = qkv(sizes=draw.one_of(*FAR))
    q, k = (q * 8).round() / 8, (k * 8).round() / 8
    q[:, 0], k[:, 0] = 1.0, size * math.sqrt(4)
    return q, k, v, causal


def blocked_ahead(allowed: float = 0.0, blocked_at: float = AHEAD):
    """(q, k, v, mask) with ordinary scores, but for those of two blocked keys, which lie AHEAD above them."""
    q, k, v, causal = qkv(sizes=draw.one_of(*FAR))
    q, k = (q * 8).round() / 8, (k * 8).round() / 8
    keys = torch.arange(len(k))
    blocked = (keys == 1) | (keys == len(k) - 2)
    q[:, 0], k[:, 0] = 1.0, torch.where(blocked, blocked_at * math.sqrt(4), allowed * math.sqrt(4))
    return q, k, v, ~blocked.expand(causal.shape)


def empty_cases():
    """(q, k, v, mask) in which some queries have no key, and all in one row of a batch."""
    yield qkv(sizes=draw.one_of(*EMPTY))
    q, k, v, causal = qkv(2, 3, sizes=draw.one_of(*EMPTY_SQUARE))
    left = torch.zeros(2, 1, 1, len(causal), dtype=torch.bool)
    left[0, ..., 2:] = True
    yield q, k, v, left & causal
