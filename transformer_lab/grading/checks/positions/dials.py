"""Lesson 08: the checks of two numbers read off the explorer's dials."""

import math

from ...checking import NotDone, Wrong, check
from .is_equivariant import plain


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
            raise Wrong(f"{got} is not a position of q: they go from 0 to 127.")
        if got == wanted - 1:
            raise Wrong(f"At {got} pair 2 still adds a little more than 0: one step further.")
        if math.cos(got * 10_000 ** (-0.25)) < 0:
            raise Wrong(f"At {got} pair 2 does add less than 0, but not for the first time: go back, k at 0.")
        raise Wrong(f"At {got}, with k at 0, pair 2 adds {math.cos(got * 10_000**-0.25) / 4:.2f}: more than 0.")

    @check("the offset with the lowest score", 1)
    def second(turns_negative, lowest_offset):
        got = whole(lowest_offset, "lowest_offset")
        if -got in range(1, 128):
            raise Wrong(f"The offset must be from 1 to 127; at {-got} the score is the same, as q and k hold the same.")
        scores = [sum(math.cos(o * 10_000 ** (-2 * i / 16)) for i in range(8)) / 4 for o in range(128)]
        wanted = min(range(1, 128), key=scores.__getitem__)
        if got == wanted:
            return
        if not 1 <= got <= 127:
            raise Wrong(f"{got} is not an offset between 1 and 127.")
        raise Wrong(
            f"At offset {got} the score is {scores[got]:.3f}; there is an offset where it is lower still. Look at the "
            "whole curve for its lowest point, then move there with the arrow keys."
        )


def whole(value, name: str) -> int:
    if value is None:
        raise NotDone(f"read the number off the explorer, put it in {name} in place of None, then run this cell again.")
    number = plain(value)
    if isinstance(number, str):
        raise Wrong(f"{name} is {value!r}, a string; wanted a whole number, without quotation marks.")
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not float(number).is_integer():
        raise Wrong(f"{name} is {value!r}; wanted a whole number.")
    return int(number)
