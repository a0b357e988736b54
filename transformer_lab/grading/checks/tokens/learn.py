"""Lesson 10: the checks of merges learnt from counted words."""

from ....sentences import kind_of
from ...checking import Wrong, check
from .learn_faults import consistent
from .merging import counted, drawn_letters, drawn_words, greatest, is_tied, learnt

Case = tuple[dict[str, int], int]  # how often each word occurs, and a number of merges


class learn:
    answers = ("learn(words, n_merges)",)

    @check("the most frequent pair of letters", 1.5)
    def first(learn):
        judge(learn, [*miscounted(), *untied(1)])

    @check("after a merge, everything is counted again", 2)
    def several(learn):
        judge(learn, [*parts_of_tokens(), *untied(5)])

    @check("of equally frequent pairs, the greatest", 1)
    def ties(learn):
        judge(learn, tied())

    @check("pairs that overlap", 1)
    def overlaps(learn):
        judge(learn, overlapping_pairs())

    @check("no pair left, and the words stay as they were", 0.5)
    def left(learn):
        a, b, c = sorted(drawn_letters(3))
        judge(
            learn,
            [
                ({}, 3),
                ({a: 4}, 2),
                ({a + b: 3, c: 9}, 0),
                ({a + b: 2, b + c: 1}, 7),
                ({a + b + c: 1, a + b: 1}, 5),
                ({a + b: 2, b + c: 2}, 7),
            ],
        )
        words = drawn_words([a, b, c], 4)
        given = dict(words)
        learn(given, 3)
        if given != words:
            raise Wrong("learn() changed the dictionary it was given: whoever calls it needs the counts again.")


def miscounted() -> list[Case]:
    """The first pair is another one for whoever counts words once, pairs once a word, or pairs between words."""
    a, b, c, d, x, y = sorted(drawn_letters(6))
    return [
        ({a + b: 7, x + c + d: 2, c + d: 2, c + d + y: 2}, 1),
        ({a + b + x + a + b: 4, c + d: 7}, 1),
        ({b + c + a: 4, b + d + a: 4, c + x: 5}, 1),
    ]


def untied(n_merges: int) -> list[Case]:
    """Words whose first merges have no rival."""
    cases: list[Case] = []
    while len(cases) < 3:
        letters = drawn_letters(4)
        words = drawn_words(letters, 7)
        if not is_tied(words, n_merges):
            cases.append((words, n_merges))
    return cases


def parts_of_tokens() -> list[Case]:
    """Words in which the end of one token and a letter look like a merge."""
    x, a, b, c = drawn_letters(4)
    return [
        ({x + a: 9, a + b: 5, x + a + b: 3, c + b: 1}, 4),
        ({a + b + x + a + b: 5, c + a + b: 2, x + a: 3, x + a + b: 1}, 4),
    ]


def tied() -> list[Case]:
    """Words with several most frequent pairs, of letters and of longer tokens, in an order that gives nothing away."""
    a, b, c, d, e, f = sorted(drawn_letters(6))
    return [
        ({a + b: 4, e + c: 4, c + d: 4, d + b: 1}, 3),
        ({c + f: 3, a + b: 3, e + a: 3, e + b: 3, d + f: 3}, 4),
        ({a + a + c: 3, a + b: 3, f + e: 1}, 5),
        ({a + b + f + c: 4, a + e: 4, d + f: 2, b + d: 2}, 6),
        ({c + a + a + b: 3, c + b: 3, c + a + c: 3}, 3),
        ({d + e + d: 2, c + d: 2, a + b + a: 1, a + c + b: 1}, 8),
    ]


def overlapping_pairs() -> list[Case]:
    a, b, c = drawn_letters(3)
    return [
        ({3 * a: 2, b + c: 3}, 2),
        ({4 * a: 2, b + c: 5}, 3),
        ({5 * a + b: 2, c + b: 7}, 2),
        ({3 * a: 2, b + c: 5}, 3),
    ]


def judge(learn, cases: list[Case]) -> None:
    """Raise Wrong unless the merges are right in each case, in the words of a fault that explains all of them."""
    answers = [merges_of(learn, *case) for case in cases]
    right = [learnt(*case) for case in cases]
    if answers == right:
        return
    wrong = [row for row in zip(cases, answers, right, strict=True) if row[1] != row[2]]
    (words, n), got, wanted = min(wrong, key=lambda row: len("".join(row[0][0])))  # the shortest
    told = next(consistent(answers, cases), "") or place(words, got, wanted)
    raise Wrong(f"{called(words, n)} gives {shown(got)}; wanted {shown(wanted)}. {told}")


def place(words: dict[str, int], got: list, wanted: list) -> str:
    """Where the merges part, and how often the two pairs occur there."""
    n = next((n for n in range(min(len(got), len(wanted))) if got[n] != wanted[n]), None)
    if n is None:
        return f"Wanted {len(wanted)} merges, as many as are asked for or as there are pairs to join."
    if got[n] in got[:n]:
        return (
            f"The pair {shown([got[n]])} is learnt a second time: the words are counted as they were spelt before. "
            "After a merge they hold the joined token in its place."
        )
    counts = counted(words, wanted[:n])
    if strange := [token for token in got[n] if not any(token in word for word in words)]:
        return f"No word holds {strange[0]!r}: the tokens of a word are its own letters, without a mark at its end."
    if counts[got[n]] == counts[wanted[n]]:
        return f"At merge {n + 1} both pairs occur {counts[got[n]]} times: wanted the greater pair."
    best = greatest(counts)
    return (
        f"At merge {n + 1} the pair {shown([got[n]])} occurs {counts[got[n]]} times, {shown([best])} "
        f"{counts[best]} times."
    )


def shown(merges: list) -> str:
    return ", ".join(f"{left} + {right}" for left, right in merges) or "no merges"


def called(words: dict[str, int], n_merges: int) -> str:
    return f"learn({words}, {n_merges})"


def merges_of(learn, words: dict[str, int], n_merges: int) -> list[tuple[str, str]]:
    """The answer's merges, if it is a list of pairs of texts."""
    got, call = learn(dict(words), n_merges), called(words, n_merges)
    if isinstance(got, dict):
        raise Wrong(f"{call} gives {kind_of(got)}; wanted a list of pairs, in the order in which they were learnt.")
    if not isinstance(got, (list, tuple)):
        raise Wrong(f"{call} gives {kind_of(got)}; wanted a list of pairs, such as [('a', 'b')].")
    for pair in got:
        if isinstance(pair, str):
            raise Wrong(f"{call} gives the token {pair!r}; wanted pairs, the two tokens that are joined: ('a', 'b').")
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise Wrong(f"{call} holds {pair!r:.60}; wanted pairs of two tokens, such as ('a', 'b').")
    return [tuple(pair) for pair in got]
