"""Lesson 14: the checks of the perplexity of a text that is longer than the model can read at once."""

import math

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, one_number, settled

# Text, window and stride. No stride is half its window: an overlap must not look like a stride.
INNER = (41, 12, 5), (52, 13, 4), (47, 11, 7)
COLD = (43, 9, 8), (50, 10, 9), (37, 8, 7)
ENDS = (30, 12, 7), (33, 13, 9), (28, 11, 4)


class perplexity:
    answers = ("perplexity(nats_of, ids, window, stride)",)

    @check("a text that is read at once", 1)
    def at_once(perplexity):
        once(perplexity)

    @check("windows that overlap", 2.5)
    def overlapping(perplexity):
        settled(lambda: once(perplexity), "A text that is read at once is")
        judge(perplexity, [filling(*draw.one_of(*INNER)) for _ in range(3)] + [filling(*draw.one_of(*COLD))])

    @check("where the text ends", 1.5)
    def ends(perplexity):
        settled(lambda: once(perplexity), "A text that is read at once is")
        T, window, stride = draw.one_of(*ENDS)
        for length in range(T, T + stride):
            judge(perplexity, [Text(length, window, stride)])

    @check("which pieces are read, and that ids stay as they are", 1)
    def pieces(perplexity):
        settled(lambda: once(perplexity), "A text that is read at once is")
        for T, window, stride in (draw.one_of(*INNER), draw.one_of(*COLD), draw.one_of(*ENDS), (12, 12, 5), (2, 9, 4)):
            read_right(perplexity, Text(T, window, stride))


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


def once(perplexity) -> None:
    judge(perplexity, [Text(T, window, 5) for T, window in ((9, 14), (12, 12), (2, 8))])


def exp_mean(costs) -> float:
    return math.exp(min(700.0, sum(costs) / max(1, len(costs))))


def every(text: Text) -> list[float]:
    return sum((text.costs(*piece) for piece in text.pieces()), [])


def latest(text: Text) -> list[float]:
    """The cost of each id in the last piece that judges it."""
    found: dict[int, float] = {}
    for start, end in text.pieces():
        found |= {t: text.cost(t, start) for t in range(start + 1, end)}
    return list(found.values())


def averaged(text: Text) -> list[float]:
    """The mean of what each id costs in all pieces that judge it."""
    found: dict[int, list[float]] = {}
    for start, end in text.pieces():
        for t in range(start + 1, end):
            found.setdefault(t, []).append(text.cost(t, start))
    return [sum(costs) / len(costs) for costs in found.values()]


def tails(text: Text, first_too: bool, width: int = 0) -> list[float]:
    """The last `stride` numbers of each piece, or of each but the first."""
    found = [text.costs(*piece) for piece in text.pieces()]
    return sum(
        (costs if not n and not first_too else costs[-text.stride - width :] for n, costs in enumerate(found)), []
    )


def skipping(text: Text, n: int) -> list[float]:
    """Of each piece but the first, what is left after so many numbers more than those that are known."""
    found = [text.costs(*piece) for piece in text.pieces()]
    known = text.window - text.stride - 1 + n
    return found[0] + sum((costs[max(known, 0) :] for costs in found[1:]), [])


def apart_pieces(text: Text) -> list[float]:
    """Pieces that do not overlap: of each the first id costs nothing."""
    starts = range(0, text.T, text.window)
    return sum((text.costs(start, min(start + text.window, text.T)) for start in starts), [])


def chained(text: Text) -> list[float]:
    """Pieces that share one id."""
    starts = range(0, text.T - 1, text.window - 1)
    return sum((text.costs(start, min(start + text.window, text.T)) for start in starts), [])


def whole_pieces(text: Text) -> list[float]:
    return sum(text.fresh([piece for piece in text.pieces() if piece[1] - piece[0] == text.window]), [])


def moved_back(text: Text) -> list[float]:
    return sum(text.fresh([(max(0, min(start, text.T - text.window)), end) for start, end in text.pieces()]), [])


def to_the_end(text: Text) -> list[float]:
    """All numbers of pieces that begin as long as there is text, also when it has been judged."""
    starts = range(0, text.T, text.stride)
    return sum((text.costs(start, min(start + text.window, text.T)) for start in starts), [])


def warmest(text: Text) -> list[float]:
    return [text.cost(t, max(0, t - text.window + 1)) for t in range(1, text.T)]


def exchanged(text: Text) -> list[float]:
    """What two pieces share taken for the stride."""
    other = Text.__new__(Text)
    other.__dict__ |= {**vars(text), "stride": text.window - text.stride}
    return sum(other.fresh(), [])


def first_too_heavy(text: Text) -> float:
    """Each piece's mean weighed by the ids that are new in it, of which the first piece has one that is not judged."""
    lists = text.fresh()
    return math.exp((sum(sum(lists, [])) + sum(lists[0]) / max(1, len(lists[0]))) / text.T)


def means(text: Text) -> list[float]:
    return [sum(costs) / len(costs) for costs in text.fresh() if costs]


TWICE = "Ids in the overlap are counted twice. Of each piece, take the ids that no earlier piece has judged."
ONE = "Divide once: all nats, by the number of all ids that were judged. "
# (formula of a text, words, misconception)
FAULTS = (
    (
        lambda x: sum(sum(x.fresh(), [])) / (x.T - 1),
        "This is the mean cost in nats; the perplexity is exp of it.",
        "M49",
    ),
    (
        lambda x: math.exp(sum(sum(x.fresh(), []))),
        "This is exp of the *sum* of all nats: it grows with the text.",
        "M49",
    ),
    (lambda x: sum(sum(x.fresh(), [])), "This is the sum of all nats; wanted: exp of their mean.", "M49"),
    (
        lambda x: 2 ** (sum(sum(x.fresh(), [])) / (x.T - 1)),
        "The costs are nats, not bits: e to the power of them, not 2.",
    ),
    (
        lambda x: math.exp(-sum(sum(x.fresh(), [])) / (x.T - 1)),
        "This is below 1: nats are *minus* the logarithm already.",
    ),
    (
        lambda x: math.exp(sum(sum(x.fresh(), [])) / x.T),
        "It is divided by T. The first id has nothing before it and is not judged: T - 1 are.",
    ),
    (
        first_too_heavy,
        "The first piece's mean is weighed by all of its ids, but its first id is not judged: it has one number fewer.",
        "M49",
    ),
    (
        lambda x: exp_mean(means(x)),
        "This is the mean of the pieces' means, though pieces judge unequally many. " + ONE,
        "M49",
    ),
    (
        lambda x: sum(math.exp(one) for one in means(x)) / len(means(x)),
        "This is the mean of the pieces' perplexities. " + ONE,
        "M49",
    ),
    (lambda x: exp_mean(every(x)), TWICE),
    (
        lambda x: sum(math.exp(sum(c) / len(c)) for p in x.pieces() if (c := x.costs(*p))) / max(1, len(x.pieces())),
        "This is the mean of the perplexities of whole pieces, overlaps included. " + TWICE,
        "M49",
    ),
    (
        lambda x: exp_mean([sum(c) / len(c) for p in x.pieces() if (c := x.costs(*p))]),
        "This is the mean of the means of whole pieces, overlaps included. " + TWICE,
        "M49",
    ),
    (lambda x: exp_mean(to_the_end(x)), TWICE + " And stop when the end is reached."),
    (
        lambda x: math.exp(min(700, sum(every(x)) / (x.T - 1))),
        "The overlaps are added up twice, and divided by T - 1. Of each piece, take what no earlier piece has judged.",
    ),
    (
        lambda x: exp_mean(latest(x)),
        "Each id counts in the *last* piece that judges it, with the least before it. Wanted: the first piece.",
    ),
    (
        lambda x: exp_mean(averaged(x)),
        "What an id costs is averaged over all pieces that judge it. Wanted: the first of them alone.",
    ),
    (
        lambda x: exp_mean(tails(x, True)),
        "Of each piece the last `stride` numbers are taken. The first piece has judged all of its ids for the first "
        "time, and a piece that the text's end cuts short has fewer new ones.",
    ),
    (
        lambda x: exp_mean(tails(x, False)),
        "Of each piece the last `stride` numbers are taken. Where the text's end cuts a piece short, fewer are new.",
    ),
    (
        lambda x: exp_mean(skipping(x, 1)),
        "At each seam an id is left out. A piece gives no number for its first id, so its list is one behind: `window "
        "- stride - 1` of its numbers are known.",
    ),
    (
        lambda x: exp_mean(skipping(x, -1)),
        "At each seam an id is counted twice: one number more of each piece is known.",
    ),
    (
        lambda x: exp_mean(apart_pieces(x)),
        "These are pieces side by side, and the first id of each is judged by none. The next one begins `stride` "
        "later.",
    ),
    (
        lambda x: exp_mean(chained(x)),
        "These are pieces that share one id only. The next one begins `stride` ids later.",
    ),
    (
        lambda x: exp_mean(exchanged(x)),
        "The pieces *share* `stride` ids here. Wanted: that is how far the next piece begins behind the one before it.",
    ),
    (lambda x: exp_mean(warmest(x)), "Each id got as much before it as fits, as with a stride of 1. Mind `stride`."),
    (lambda x: exp_mean(x.fresh()[0]), "Only the first piece is judged. Is a return inside the loop?"),
    (lambda x: exp_mean(x.fresh()[-1]), "Only the last piece is judged. Is something set anew in the loop?"),
    (lambda x: exp_mean(whole_pieces(x)), "The last piece is missing, which is shorter than the window."),
    (
        lambda x: exp_mean(moved_back(x)),
        "The last piece was moved back until it was full. It begins `stride` after the one before, and may be short.",
    ),
    (
        lambda x: exp_mean(sum(x.fresh(), [])[:-1]),
        "The text's last id is missing.",
    ),
    (
        lambda x: exp_mean(sum(x.fresh(), [])[1:]),
        "The text's second id is missing: the first piece judges all of its ids but the first.",
    ),
)
LOOK = "Add up the nats of all ids but the first, each in the first piece that judges it; divide by T - 1; then exp."


def judge(perplexity, texts: list[Text]) -> None:
    answers = [text.asked(perplexity) for text in texts]
    for text, got in zip(texts, answers, strict=True):
        wanted = text.wanted()
        if math.isclose(got, wanted, rel_tol=1e-5):
            continue
        told = [words for formula, *words in FAULTS if all(map(fits(formula), answers, texts))] or [[LOOK]]
        yours, right = apart(got, wanted)
        called = f"A text of {text.T} ids, window {text.window}, stride {text.stride}"
        raise Wrong(f"{called}: {yours}; wanted {right}. {told[0][0]}", *told[0][1:])


def fits(formula):
    return lambda got, text: math.isclose(got, formula(text), rel_tol=1e-6)


def read_right(perplexity, text: Text) -> None:
    text.asked(perplexity)
    wanted = text.pieces()
    if text.read == wanted:
        return
    called = f"A text of {text.T} ids, window {text.window}, stride {text.stride}:"
    shown = [f"{start} to {end - 1}" for start, end in text.read]
    if text.read[: len(wanted)] == wanted:
        raise Wrong(
            f"{called} ids {shown[len(wanted) - 1]} reach the end, and nats_of was asked again all the same, about "
            f"{shown[len(wanted)]}. That costs time, and adds nothing."
        )
    if sorted(set(text.read)) == wanted:
        raise Wrong(f"{called} nats_of was asked twice about the same piece. A model's time is dear: keep the list.")
    n = next((n for n, pair in enumerate(zip(text.read, wanted, strict=False)) if pair[0] != pair[1]), len(shown))
    piece = f"ids {wanted[n][0]} to {wanted[n][1] - 1}"
    if n == len(shown):
        raise Wrong(f"{called} after ids {shown[-1]} nats_of was asked no more; {piece} are still to be read.")
    raise Wrong(f"{called} piece {n + 1} holds ids {shown[n]}; wanted {piece}.")
