"""Lesson 14: the checks of what the examples on a page give: four pages, and which of them work."""

import copy

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import settled

KINDS = "nothing", "the pairs", "the answers", "the form"
N_ASKED = 24
STARTS = ("ba", "fe", "gi", "ko", "lu", "ma", "ne", "pi", "ro", "su")
ENDS = ("dem", "fin", "lor", "tas", "zul")  # of words that nobody knows
# (examples, how often each answer is among them, how many of 24 are right after the four pages: the examples, none, the
# answers shuffled, foreign answers)
CLEAR = (
    (8, 1, (11, 10, 3, 2)),
    (9, 1, (14, 9, 12, 1)),
    (9, 1, (21, 0, 4, 3)),
    (8, 1, (20, 1, 3, 12)),
    (8, 2, (19, 0, 13, 2)),
    (9, 3, (16, 1, 10, 9)),
)
NARROW = ((8, 2, (12, 6, 0, 0)), (9, 1, (9, 2, 4, 9)), (8, 1, (11, 5, 6, 5)), (9, 3, (10, 4, 5, 5)))


class what_counts:
    answers = ("what_counts(answer, shown, asked, foreign)",)

    @check("a model of each kind", 1.5)
    def clear(what_counts):
        judge(what_counts, CLEAR)

    @check("half as many right are enough, one fewer are not", 1)
    def narrow(what_counts):
        settled(lambda: judge(what_counts, CLEAR), "Clear cases are")
        judge(what_counts, NARROW)

    @check("the pages are as they should be, and the lists are left alone", 0.5)
    def pages(what_counts):
        settled(lambda: judge(what_counts, CLEAR), "Clear cases are")
        for case in CLEAR + NARROW:
            model = Model(*case)
            lists = model.shown, model.asked, model.foreign
            before = copy.deepcopy(lists)
            what_counts(model, *lists)
            for name, now, then in zip(("shown", "asked", "foreign"), lists, before, strict=True):
                if now != then:
                    raise Wrong(f"what_counts changed its input {name}: shuffle a copy.")
            if model.odd:
                raise Wrong(model.odd)


class Model:
    """Answers as many of the questions right as is said for the page it is given; one true pair is enough for it.

    odd: what was wrong with the first page that is none of the four, in words.
    """

    def __init__(self, n_shown: int, repeats: int, counts: tuple[int, int, int, int]):
        words = draw.shuffled(start + end for start in STARTS for end in ENDS)
        more = [word.title() for word in draw.shuffled(words)]
        answers = draw.shuffled(words[: n_shown // repeats] * repeats)
        self.shown = list(zip(more[:n_shown], answers, strict=True))
        self.asked = list(zip(more[n_shown : n_shown + N_ASKED], words[-N_ASKED:], strict=True))
        self.foreign = words[n_shown : 2 * n_shown]
        self.counts, self.odd, self.tried = counts, "", set()
        self.rank = dict(zip((question for question, _ in self.asked), draw.shuffled(range(N_ASKED)), strict=True))

    def __call__(self, page, question) -> str:
        page = read_page(page)
        self.odd = self.odd or self.oddity(page, question)
        self.tried.add(question)
        if self.rank.get(question, N_ASKED) < self.counts[self.kind(page)]:
            return dict(self.asked)[question]
        return f"{question}?"

    def kind(self, page: list[tuple]) -> int:
        if not page:
            return 1
        if set(page) & set(self.shown):
            return 0
        return 2 if {answer for _, answer in page} <= {answer for _, answer in self.shown} else 3

    def oddity(self, page: list[tuple], question) -> str:
        questions, answers = ([pair[i] for pair in page] for i in (0, 1))
        own = [answer for _, answer in self.shown]
        if question not in self.rank:
            return f"The model was asked for {question!r}, which is none of the questions in asked."
        if set(questions) & set(self.rank):
            return "On a page stand words that are asked for: then the model could copy the answer."
        if not page or page == self.shown:
            return ""
        if questions != [question for question, _ in self.shown]:
            return "On a page the questions of the examples are others, or in another order: change the answers only."
        if set(page) & set(self.shown):
            return "On a page with other answers an example still has its own. Then a right pair is left to learn from."
        if sorted(answers) != sorted(own) and answers != self.foreign:
            return "The answers on a page are neither those of the examples, all of them, nor foreign in its order."
        return ""


def read_page(page) -> list[tuple]:
    """The page as pairs of texts."""
    pairs = [tuple(pair) for pair in page] if isinstance(page, (list, tuple)) else None
    if pairs is None or not all(len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in pairs):
        page = f"{kind_of(page)}" if " at 0x" in repr(page) else f"{page!r:.60}"
        raise Wrong(f"answer was given the page {page}; wanted a list of pairs, each a question and its answer.")
    return pairs


def verdict(counts: tuple, works=lambda n, best: 2 * n >= best, steps=(1, 2, 3)) -> str:
    """The specification: what a model with these counts takes from a page."""
    best, *_ = counts
    for step in steps:
        if works(counts[step], best) == (step == 1):
            return KINDS[step - 1]
    return KINDS[3]


def upside_down(counts: tuple, works: str, fails: str) -> str:
    """The pairs are said to count where the page with shuffled answers works; then the page with foreign ones."""
    best, empty, mixed, foreign = counts
    if 2 * empty >= best:
        return KINDS[0]
    return KINDS[1] if 2 * mixed >= best else works if 2 * foreign >= best else fails


NOT_WORK = (
    "The pairs count if the page with shuffled answers does *not* work; the answers, if that with foreign ones does "
    "not."
)
# (verdict of the counts, words)
FAULTS = (
    (lambda c: verdict(c, lambda n, best: 2 * n > best), "Exactly half as many are enough for a page to work."),
    (lambda c: verdict(c, lambda n, best: n >= best // 2), "Half of an odd number is rounded down here."),
    (lambda c: verdict(c, lambda n, best: n >= best), "It is enough if half as many are right as after `shown`."),
    (lambda c: verdict(c, lambda n, best: 2 * n >= N_ASKED), "Half of those right after `shown`, not of all asked."),
    (lambda c: verdict(c, lambda n, best: n > 0), "A page does not work yet with one right answer."),
    (
        lambda c: verdict(c, steps=(2, 1, 3)),
        "Try the empty page first: who needs no examples learns nothing from them.",
    ),
    (lambda c: verdict(c, steps=(2, 3)), "The empty page was not tried: perhaps the model needs no examples."),
    (lambda c: verdict(c, steps=(1, 3, 2)), "Try the shuffled answers before the foreign ones."),
    (lambda c: verdict((c[0], c[1], c[3], c[2])), "The pages with shuffled and with foreign answers are mixed up."),
    (
        lambda c: {KINDS[1]: KINDS[2], KINDS[2]: KINDS[1]}.get(verdict(c), verdict(c)),
        'The words are swapped: it is "the pairs" that count if shuffled answers do not work, and "the answers" if '
        "foreign ones do not.",
    ),
    (lambda c: upside_down(c, KINDS[3], KINDS[2]), NOT_WORK),
    (lambda c: upside_down(c, KINDS[2], KINDS[3]), NOT_WORK),
    (
        lambda c: verdict((c[0], c[1], c[0], c[3])),
        "The page with shuffled answers still has a right pair: none may be.",
    ),
)


def said(what_counts, model: Model) -> str:
    got = what_counts(model, list(model.shown), list(model.asked), list(model.foreign))
    if got is None:
        raise Wrong("what_counts gives None: did you forget `return`?")
    if got not in KINDS:
        raise Wrong(f"what_counts gives {got!r:.60}; wanted one of {', '.join(map(repr, KINDS))}.")
    return got


def untried(model: Model) -> str:
    n = len(model.tried)
    return f"Of the {N_ASKED} questions in asked only {n} were tried: count over all of them." if n < N_ASKED else ""


def judge(what_counts, cases: tuple) -> None:
    models = [Model(*case) for case in cases]
    found = [said(what_counts, model) for model in models]
    for model, got in zip(models, found, strict=True):
        wanted = verdict(model.counts)
        if got == wanted:
            continue
        fits = (words for rule, words in FAULTS if [rule(one.counts) for one in models] == found)
        words = model.odd or next(fits, "") or untried(model)
        best, empty, mixed, foreign = model.counts
        raise Wrong(
            f"A model has {best} of {N_ASKED} right after the examples, {empty} after an empty page, {mixed} after "
            f"shuffled answers and {foreign} after foreign ones: that is {wanted!r}, and {got!r} came back. {words}"
        )
    for model in models:  # right by luck
        if words := untried(model):
            raise Wrong(words)
