"""Lesson 11: the checks of a model run in two ways: reading the right text, and reading its own."""

import math

from ....sentences import kind_of
from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import number

# Places, counted from 0, at which a model that reads the right text goes wrong; n tokens and the end make n + 1 places.
ERRORS = ((1,), (0, 3), (2,), (4,)), ((2,), (0, 2), (1,), (4,)), ((1, 2), (0,), (3,), (4,))
N = 6
BOS, EOS = 1, 2
PATIENCE = 100  # no text is nearly as long


class forced_and_free:
    answers = ("forced_and_free(next_token, target, bos, eos)", "contrary(target, bos, eos)")

    @check("teacher forcing", 1)
    def forced(forced_and_free, contrary):
        compare(forced_and_free, 0)

    @check("free running", 1)
    def free(forced_and_free, contrary):
        compare(forced_and_free, 1)

    @check("a model that is better when it runs freely", 1)
    def contrary(forced_and_free, contrary):
        for length in draw.one_of((3, 6), (4, 7), (3, 5)):
            target = (5 + draw.permutation(10)[:length]).tolist()
            judge_contrary(contrary, target)
        judge_contrary(contrary, [8, 6, 5, 7], bos=3, eos=0)
        judge_contrary(contrary, [8, 6, 5, 7], bos=3, eos=9)


class Speaker:
    """next_token of a made-up model: wrong at some places of the right text; off it, right, lost or at its end."""

    def __init__(self, target: list[int], wrong: tuple[int, ...], off: str):
        self.target, self.wrong, self.off = target, wrong, off
        self.whole = [*target, EOS]

    def __call__(self, prefix) -> int:
        try:
            read = [int(token) for token in prefix]
        except (TypeError, ValueError):
            raise Wrong(f"next_token was given {kind_of(prefix)}; wanted the list of ids read so far.") from None
        if not read or read[0] != BOS:
            raise Wrong(f"next_token was given {read}; what has been read begins with bos, {BOS}.")
        if EOS in read:
            return self.whole[min(len(read) - 1, len(self.target))]  # nobody should ask
        place = len(read) - 1
        if place > PATIENCE:
            raise Wrong(
                f"next_token was asked for more than {PATIENCE} ids of a text of {len(self.whole)} places: a model may "
                "never write eos of its own. Running freely it stops after n + 1 ids."
            )
        on_track = read[1:] == self.target[:place]
        if place > len(self.target):
            return 17
        if on_track:
            return self.mistake(place) if place in self.wrong else self.whole[place]
        return {"right": self.whole[place], "lost": 16, "ends": EOS}[self.off]

    def mistake(self, place: int) -> int:
        return EOS if self.off == "ends" and place < len(self.target) else 15


def models() -> list[Speaker]:
    errors = draw.one_of(*ERRORS)
    targets = [(5 + draw.permutation(10)[: N - 1 + k % 3]).tolist() for k in range(4)]
    made = [
        Speaker(target, wrong, off)
        for target, wrong, off in zip(targets, errors, ("lost", "right", "ends", "lost"), strict=True)
    ]
    return [*made, Speaker(targets[0], (), "lost")]


def run(next_token, target: list[int], bos: int = BOS, eos: int = EOS) -> tuple[list[int], list[int]]:
    """The specification: what is written under teacher forcing, and freely, up to eos or as many places."""
    forced = [next_token([bos, *target[:place]]) for place in range(len(target) + 1)]
    free: list[int] = []
    while len(free) <= len(target) and eos not in free:
        free.append(next_token([bos, *free]))
    return forced, free


def shares(next_token, target: list[int], bos: int = BOS, eos: int = EOS) -> tuple[float, float]:
    whole = [*target, eos]
    forced, free = (
        sum(a == b for a, b in zip(whole, said, strict=False)) for said in run(next_token, target, bos, eos)
    )
    return forced / len(whole), free / len(whole)


def asked(answer, model: Speaker) -> tuple[float, float]:
    target = list(model.target)
    pair = answer(model, target, BOS, EOS)
    if target != model.target:
        raise Wrong("The function changed its input target in place: take a copy, list(target).")
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise Wrong(f"The function returned {kind_of(pair)}; wanted two shares: `return forced, free`.")
    try:
        return float(pair[0]), float(pair[1])
    except (TypeError, ValueError):
        raise Wrong("The two shares are no numbers; wanted two numbers between 0 and 1.") from None


def compare(answer, which: int) -> None:
    """Raise Wrong unless the share of teacher forcing (0) or of free running (1) is right for every model."""
    made = models()
    got = [asked(answer, model)[which] for model in made]
    right = [shares(model, model.target)[which] for model in made]
    if alike(got, right):
        return
    told = zip(*(faults(model)[which] for model in made), strict=True)  # one fault after the other, in all models
    for values in told:
        if alike(got, [value for value, _ in values]):
            raise Wrong(values[0][1])
    yours, wanted, model = next(one for one in zip(got, right, made, strict=True) if not alike(one[:1], one[1:2]))
    name = ("with teacher forcing", "running freely")[which]
    raise Wrong(
        f"The target is {model.target} and then eos, {EOS}. The model writes {run(model, model.target)[which]} {name}: "
        f"that is a share of {number(wanted)}, and yours is {number(yours)}."
    )


def alike(some, others) -> bool:
    return all(math.isclose(one, other, abs_tol=1e-6) for one, other in zip(some, others, strict=True))


def faults(model: Speaker) -> tuple[list, list]:
    """Wrong shares and their words, of teacher forcing and of free running."""
    target, whole = model.target, [*model.target, EOS]
    n = len(whole)
    forced, free = run(model, target)
    right_forced, right_free = shares(model, target)
    hits = [sum(a == b for a, b in zip(whole, said, strict=False)) for said in (forced, free)]
    before_end = [sum(a == b for a, b in zip(target, said, strict=False)) for said in (forced, free)]
    moved = [sum(a == b for a, b in zip([BOS, *target], said, strict=False)) for said in (forced, free)]
    whole_text = [float(said == whole) for said in (forced, free)]
    on = [*free]
    while len(on) < n:
        on.append(model([BOS, *on]))
    past_the_end = sum(a == b for a, b in zip(whole, on, strict=True)) / n
    common = [
        [
            (whole_text[k], "This is 1 or 0: whether the whole text is right. Wanted is the share of its places."),
            (hits[k], "This is the number of right places; divide by all of them."),
            (1 - hits[k] / n, "This is the share of wrong places."),
            (before_end[k] / (n - 1), "The end is left out: eos has to be written too, so a text has one place more."),
            (before_end[k] / n, "The end is never counted as right: after the last token the model has to write eos."),
            (hits[k] / (n - 1), "The hits are divided by the number of tokens; eos is a place too."),
            (moved[k] / n, "Each prediction is compared with the token that it *read* last, not with the one to come."),
        ]
        for k in (0, 1)
    ]
    swapped = "With teacher forcing the model reads the right tokens, whatever it has written; running freely, its own."
    common[0].insert(0, (right_free, f"This is the share of free running. {swapped}"))
    common[1][:0] = [
        (right_forced, f"This is the share of teacher forcing. {swapped}"),
        (past_the_end, "Running freely the model is asked on after it has written eos: there its text ends."),
        (hits[1] / len(free), "The share is of the places that the model wrote; wanted of those the target has."),
    ]
    return common[0], common[1]


def judge_contrary(contrary, target: list[int], bos: int = BOS, eos: int = EOS) -> None:
    given = list(target)
    next_token = contrary(given, bos, eos)
    if not callable(next_token):
        raise Wrong(f"contrary() returned {kind_of(next_token)}; wanted a function: next_token(prefix) -> id.")

    def said(prefix):
        value = next_token(list(prefix))
        if value is None:
            raise NotDone("next_token returns None: let it return an id for every list of ids that begins with bos.")
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise Wrong(f"next_token returned {kind_of(value)}; wanted an id, a whole number.")
        return int(value)

    forced, free = shares(said, target, bos, eos)
    if free > forced:
        return
    texts = run(said, target, bos, eos)
    more = (
        "It has to get something right where the right text would have led it astray"
        if free == forced
        else "Reading the right text it does better"
    )
    raise Wrong(
        f"For the target {target} and eos {eos} your model writes {texts[0]} with teacher forcing and {texts[1]} "
        f"running freely: {number(forced)} and {number(free)} are right. {more}: what must it do after its "
        "first mistake?"
    )
