"""Time two implementations of the same work alternately in one process, so that a busy machine slows both alike."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Case:
    """One line of the table: make() returns (ours, theirs), two functions that do the same work."""

    work: str
    rival: str
    floor: float
    goal: float
    make: Callable
    repeats: int = 30


def seconds(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(case: Case, warm_up: int = 3) -> dict:
    """Median seconds of both, and the median of rival / ours over the repeats (above 1: ours is faster)."""
    ours, theirs = case.make()
    for _ in range(warm_up):
        ours(), theirs()
    gc.collect()
    gc.disable()  # neither pays for the other's garbage
    pairs = []
    for repeat in range(case.repeats):
        # Who goes first alternates as well: the second of two finds warmer caches.
        if repeat % 2:
            mine, other = seconds(ours), seconds(theirs)
        else:
            other, mine = seconds(theirs), seconds(ours)
        pairs.append((mine, other))
    gc.enable()
    ratios = sorted(other / mine for mine, other in pairs)
    return {
        "ours_s": statistics.median(mine for mine, _ in pairs),
        "rival_s": statistics.median(other for _, other in pairs),
        "ratio": statistics.median(ratios),
        "quartiles": statistics.quantiles(ratios, n=4)[::2],
        "repeats": case.repeats,
    }
