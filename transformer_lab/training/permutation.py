"""A random order of so many numbers that it is not written down: each place in it is computed when it is asked for."""

import numpy as np
from jaxtyping import Int64, UInt64

ROUNDS = 6


def permuted(places: Int64[np.ndarray, "n"], n: int, seed: int) -> Int64[np.ndarray, "n"]:
    """Which of the numbers 0 ... n - 1 stand at these places of an order drawn with the seed; each stands at one.

    A Feistel network (Luby and Rackoff 1988) permutes the numbers of 2b bits, whatever its rounds compute: each round
    adds to one half what it makes of the other, which can be undone. What is not below n goes through it again, until
    it is (Black and Rogaway 2002, "cycle walking").
    """
    n_bits = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = np.random.Generator(np.random.PCG64(seed)).integers(2**64, size=ROUNDS, dtype=np.uint64)
    numbers = scrambled(places.astype(np.uint64), n_bits, keys)
    while len(outside := np.flatnonzero(numbers >= n)):
        numbers[outside] = scrambled(numbers[outside], n_bits, keys)
    return numbers.astype(np.int64)


def scrambled(numbers: UInt64[np.ndarray, "n"], n_bits: int, keys: UInt64[np.ndarray, "rounds"]):
    """Each number below 4 ** n_bits as another one, and no two as the same."""
    shift, low = np.uint64(n_bits), np.uint64(2**n_bits - 1)
    left, right = numbers >> shift, numbers & low
    for key in keys:
        left, right = right, left ^ (mixed(right ^ key) & low)
    return left << shift | right


def mixed(x: UInt64[np.ndarray, "n"]) -> UInt64[np.ndarray, "n"]:
    """64 bits that each depend on all of x: the end of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)
