"""Lesson 14: the mistakes that the checks of question 1 know: what each makes of a text, and its words."""

import math

from .long_text import Text, exp_mean


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
        "The pieces *share* `stride` ids here. Wanted: that is how far the next piece begins after the one before it.",
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
