"""Lesson 14: the text of question 1, longer than the model can read at once, and what each of its ids costs."""

import math

from ...checking import Wrong
from ...draw import draw
from ..common import one_number


class Text:
    """A text of T ids, no two alike, and what each costs after so many ids of the same piece."""

    def __init__(self, T: int, window: int, stride: int):
        self.T, self.window, self.stride = T, window, stride
        self.ids = (10 + draw.permutation(T + 20)[:T]).tolist()
        self.own = (0.5 + draw.uniform(T)).tolist()
        self.read: list[tuple[int, int]] = []

    def cost(self, t: int, start: int) -> float:
        """The nats of id t of the text, in a piece that begins at start: the less stands before it, the more."""
        return self.own[t] + 2.5 / (t - start)

    def nats_of(self, piece) -> list[float]:
        piece = [int(i) for i in piece]
        if not piece or piece[0] not in self.ids:
            raise Wrong(f"nats_of was asked about {piece!r:.60}, which does not stand in the text.")
        start = self.ids.index(piece[0])
        if piece != self.ids[start : start + len(piece)]:
            raise Wrong(f"nats_of was asked about {piece!r:.60}, which does not stand in the text.")
        if len(piece) > self.window:
            raise Wrong(f"nats_of was given {len(piece)} ids, but the model reads {self.window} at most.")
        if len(self.read) > 20 * self.T:
            raise Wrong(
                f"nats_of was called more than {20 * self.T} times for a text of {self.T} ids: when does it end?"
            )
        self.read.append((start, start + len(piece)))
        return self.costs(start, start + len(piece))

    def costs(self, start: int, end: int) -> list[float]:
        return [self.cost(t, start) for t in range(start + 1, end)]

    def pieces(self) -> list[tuple[int, int]]:
        """The pieces that are to be read, as places in the text: from, and up to but without."""
        found = [(0, min(self.window, self.T))]
        while found[-1][1] < self.T:
            start = found[-1][0] + self.stride
            found.append((start, min(start + self.window, self.T)))
        return found

    def fresh(self, pieces=None) -> list[list[float]]:
        """Of each piece, the costs of the ids that no earlier piece has judged."""
        first, found = 1, []
        for start, end in self.pieces() if pieces is None else pieces:
            found.append([self.cost(t, start) for t in range(max(first, start + 1), end)])
            first = max(first, end)
        return found

    def wanted(self) -> float:
        return exp_mean(sum(self.fresh(), []))

    def asked(self, perplexity) -> float:
        self.read, given = [], list(self.ids)
        got = one_number(perplexity(self.nats_of, given, self.window, self.stride), "perplexity(...)")
        if given != self.ids:
            raise Wrong("perplexity() changed the list of ids it was given: whoever calls it loses them.")
        if not self.read:
            raise Wrong("nats_of was never called: it is what says how much each id costs.")
        return got


def filling(T: int, window: int, stride: int) -> Text:
    """A text of about T ids that its last piece fills: its end is no matter here."""
    return Text(window + stride * ((T - window) // stride), window, stride)


def exp_mean(costs) -> float:
    return math.exp(min(700.0, sum(costs) / max(1, len(costs))))
