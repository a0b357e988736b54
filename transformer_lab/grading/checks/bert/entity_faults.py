"""The entities of a row of tags, what is right about a prediction, and what mistakes make of a report."""

from collections.abc import Callable

Entity = tuple[int, str, int, int]  # sentence, type, first token, first token behind it


def entities(tags, after_nothing="begins", after_another="begins", after_its_own="begins", last=True) -> list[tuple]:
    """(type, start, end) of each entity.

    What an I- does after no entity and after one of another type, what a B- does after one of its own type, and whether
    an entity that ends with the sentence is kept.
    """
    found, now = [], None
    for t, tag in enumerate([*tags, "O"] if last else tags):
        kind, _, type_ = tag.partition("-")
        its_own = now is not None and now[0] == type_
        if now and kind == "I" and (its_own or after_another == "goes on"):
            continue
        if now and kind == "B" and its_own and after_its_own == "goes on":
            continue
        begins = kind == "B" or (kind == "I" and (after_another if now else after_nothing) == "begins")
        if now:
            found.append((*now, t))
        now = (type_, t) if begins else None
    return found


def across_o(tags) -> list[tuple]:
    """Entities that go on behind an O, where the type before it is remembered."""
    found: list[tuple] = []
    before = ""
    for t, tag in enumerate(tags):
        kind, _, type_ = tag.partition("-")
        if kind == "I" and type_ == before:
            found[-1] = (*found[-1][:2], t + 1)
        elif kind != "O":
            found.append((type_, t, t + 1))
        before = type_ or before
    return found


def tokens(tags) -> list[tuple]:
    return [(tag[2:], t, t + 1) for t, tag in enumerate(tags) if tag != "O"]


def tagged(tags) -> list[tuple]:
    """Each token with its whole tag."""
    return [(tag, t, t + 1) for t, tag in enumerate(tags) if tag != "O"]


def tokens_and_o(tags) -> list[tuple]:
    return [(tag[2:] or "O", t, t + 1) for t, tag in enumerate(tags)]


def of_all(rows, find) -> list[Entity]:
    return [(n, *entity) for n, tags in enumerate(rows) for entity in find(tags)]


def ratio(a, b) -> float:
    return a / b if b else 0.0


def f1_of(precision: float, recall: float) -> float:
    return ratio(2 * precision * recall, precision + recall)


def same(one: Entity, others: list[Entity]) -> bool:
    return one in others


Counts = dict[str, tuple[int, int, int]]  # of each type: right, predicted, there


def counted(gold, predicted, find=entities, hit: Callable = same, listed: Callable | None = None) -> Counts:
    """hit(a predicted entity, those of gold): is it right?; listed: what a list of entities becomes before."""
    there, guessed = of_all(gold, find), of_all(predicted, find)
    if listed:
        there, guessed = listed(there), listed(guessed)
    return {
        type_: (
            sum(hit(one, there) for one in guessed if one[1] == type_),
            sum(one[1] == type_ for one in guessed),
            sum(one[1] == type_ for one in there),
        )
        for type_ in {one[1] for one in there + guessed}
    }


def total(counts: Counts) -> tuple:
    return tuple(sum(column) for column in zip(*counts.values(), strict=True)) or (0, 0, 0)


def triple(right, n_predicted, n_gold, f=f1_of) -> tuple:
    precision, recall = ratio(right, n_predicted), ratio(right, n_gold)
    return precision, recall, f(precision, recall)


def report(gold, predicted, made=triple, **changes) -> dict:
    """The specification; or with other entities, other hits, other numbers."""
    counts = counted(gold, predicted, **changes)
    return {type_: made(*of_type) for type_, of_type in counts.items()} | {"all": made(*total(counts))}


def with_all(whole, **changes):
    """A report whose "all" is whole(the report without it)."""

    def formula(gold, predicted) -> dict:
        found = report(gold, predicted, **changes)
        del found["all"]
        return found | {"all": whole(found)}

    return formula


def column_means(found: dict) -> tuple:
    return tuple(ratio(sum(column), len(found)) for column in zip(*found.values(), strict=True)) or (0.0, 0.0, 0.0)


def means_and_their_f1(found: dict) -> tuple:
    precision, recall, _ = column_means(found)
    return precision, recall, f1_of(precision, recall)


def joined(gold, predicted) -> dict:
    return report([sum(gold, [])], [sum(predicted, [])])


def mean_over_sentences(gold, predicted, everywhere=True) -> dict:
    """The means of the sentences' numbers: over all sentences, or over those in which the type stands."""
    reports = [report([one], [other]) for one, other in zip(gold, predicted, strict=True)]
    keys = {key for one in reports for key in one}
    found = {}
    for key in keys:
        rows = [one.get(key, (0.0, 0.0, 0.0)) for one in reports if everywhere or key in one]
        found[key] = tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
    return found


def last_sentence(gold, predicted) -> dict:
    return report(gold[-1:], predicted[-1:])


def first_sentence(gold, predicted) -> dict:
    return report(gold[:1], predicted[:1])


def without_sentence(found: list[Entity]) -> list[Entity]:
    return sorted({(0, *entity[1:]) for entity in found})


def accuracy_for_all(gold, predicted) -> dict:
    pairs = [pair for one, other in zip(gold, predicted, strict=True) for pair in zip(one, other, strict=True)]
    share = sum(one == other for one, other in pairs) / len(pairs)
    return report(gold, predicted) | {"all": (share, share, share)}


def swapped(right, n_predicted, n_gold) -> tuple:
    precision, recall, f1 = triple(right, n_predicted, n_gold)
    return recall, precision, f1


def with_f1(f):
    return lambda *counts: triple(*counts, f=f)


def percent(*counts) -> tuple:
    return tuple(100 * one for one in triple(*counts))


def rounded(digits):
    return lambda *counts: tuple(round(one, digits) for one in triple(*counts))


def jaccard(right, n_predicted, n_gold) -> tuple:
    precision, recall, _ = triple(right, n_predicted, n_gold)
    return precision, recall, ratio(right, n_predicted + n_gold - right)


def same_place(one, others):
    return any(one[0] == other[0] and one[2:] == other[2:] for other in others)


def same_start(one, others):
    return any(one[:3] == other[:3] for other in others)


def same_end(one, others):
    return any(one[:2] == other[:2] and one[3] == other[3] for other in others)


def overlapping(one, others):
    return any(one[:2] == other[:2] and one[2] < other[3] and other[2] < one[3] for other in others)


def inside(one, others):
    return any(one[:2] == other[:2] and other[2] <= one[2] and one[3] <= other[3] for other in others)


def anywhere(one, others):
    return any(one[:2] == other[:2] for other in others)


def of(**changes):
    return lambda gold, predicted: report(gold, predicted, **changes)


def found_by(**changes):
    return of(find=lambda tags: entities(tags, **changes))


TOKENS = "Single tokens are counted. An entity of three tokens counts once, and is right only if all three are."
BOTH = "An I- that continues nothing begins an entity, after O and after another type alike."
# (the check that shows it, formula of gold and predicted, words, misconception)
FAULTS = (
    (1, of(find=tokens), TOKENS, "M54"),
    (
        1,
        of(find=tokens_and_o),
        "Single tokens are counted, and O as if it were a type. Most tokens are O, and most are easy.",
        "M54",
    ),
    (
        1,
        of(find=tagged),
        "Single tokens are counted, under their whole tags. An entity counts once, under its type.",
        "M54",
    ),
    (
        1,
        accuracy_for_all,
        'Under "all" stands the share of tokens that are right, O counted in. It counts entities.',
        "M54",
    ),
    (1, of(made=swapped), "Precision and recall are swapped: precision divides by the number of predicted entities."),
    (
        1,
        of(made=with_f1(lambda p, r: (p + r) / 2)),
        "F1 is not the mean of precision and recall, but their harmonic mean.",
    ),
    (1, of(made=with_f1(lambda p, r: ratio(p * r, p + r))), "F1 is twice that: 2 P R / (P + R)."),
    (
        1,
        of(made=with_f1(lambda p, r: (p * r) ** 0.5)),
        "This F1 is the root of P R; wanted: the harmonic mean, 2 P R / (P + R).",
    ),
    (1, of(made=with_f1(lambda p, r: 2 * p * r)), "The division by P + R is missing in F1."),
    (1, of(made=with_f1(lambda p, r: p * r)), "This F1 is P R; wanted: the harmonic mean, 2 P R / (P + R)."),
    (
        1,
        of(made=with_f1(min)),
        "This F1 is the smaller of precision and recall; wanted: the harmonic mean, 2 P R / (P + R).",
    ),
    (1, of(made=jaccard), "This F1 is right / (predicted + there - right); wanted: 2 right / (predicted + there)."),
    (1, of(made=percent), "These are percentages; wanted: numbers from 0 to 1."),
    (1, of(made=rounded(2)), "The numbers are rounded: leave them as they are."),
    (1, of(made=rounded(4)), "The numbers are rounded: leave them as they are."),
    (
        1,
        with_all(column_means),
        'Under "all" stand the means of the types\' numbers. Wanted: the numbers of all entities, counted together.',
    ),
    (
        1,
        with_all(means_and_their_f1),
        'Under "all" stand the means of the types\' precisions and recalls, and their F1. Wanted: all entities, '
        "counted together.",
    ),
    (1, of(hit=same_place), "The type does not matter here: an entity is right only if its type is right too."),
    (
        1,
        lambda gold, predicted: report(gold, predicted) | {"all": report(gold, predicted, hit=same_place)["all"]},
        'Under "all" the type does not matter here: an entity is right only if its type is right too.',
    ),
    (
        1,
        of(hit=anywhere),
        "It does not matter here where an entity stands: it is right only at exactly the right tokens.",
    ),
    (
        2,
        found_by(after_its_own="goes on"),
        "Two entities of one type that touch are taken for one. A B- always begins an entity.",
    ),
    (2, found_by(last=False), "An entity that ends with the sentence is lost: nothing comes after it that closes it."),
    (2, of(hit=same_start), "An entity counts as right when it begins right; it has to end right too."),
    (2, of(hit=same_end), "An entity counts as right when it ends right; it has to begin right too."),
    (
        2,
        of(hit=overlapping),
        "An entity counts as right when it overlaps with one of gold; all its tokens have to be the same.",
    ),
    (
        2,
        of(hit=inside),
        "An entity counts as right when it lies inside one of gold; all its tokens have to be the same.",
    ),
    (
        3,
        found_by(after_nothing="nothing", after_another="nothing"),
        "An I- that continues nothing is passed over. " + BOTH,
    ),
    (3, found_by(after_nothing="nothing"), "An I- after O is passed over. " + BOTH),
    (3, found_by(after_another="nothing"), "An I- after another type is passed over. " + BOTH),
    (
        3,
        found_by(after_another="goes on"),
        "An I- of another type is taken for part of the entity before it. It begins one of its own.",
    ),
    (
        3,
        of(find=across_o),
        "An O does not end an entity here: an I- after it, of the type before it, is taken for its next token. " + BOTH,
    ),
    (
        3,
        found_by(after_nothing="nothing", after_another="goes on"),
        "An I- after O is passed over, and after another type it is taken for part of that entity. " + BOTH,
    ),
    (4, joined, "An entity runs on from one sentence into the next: each ends with its sentence."),
    (
        4,
        of(listed=without_sentence),
        "Entities at the same place of different sentences are taken for one and the same. Remember the sentence too.",
    ),
    (
        4,
        mean_over_sentences,
        "These are means of the sentences' numbers. Count the entities of all sentences first, and divide once.",
    ),
    (
        4,
        lambda gold, predicted: mean_over_sentences(gold, predicted, False),
        "These are means over the sentences in which a type stands. Count the entities of all sentences first, and "
        "divide once.",
    ),
    (
        4,
        lambda gold, predicted: report(gold, predicted) | {"all": mean_over_sentences(gold, predicted)["all"]},
        'Under "all" stand means of the sentences\' numbers. Count all sentences first, and divide once.',
    ),
    (4, last_sentence, "Only the last sentence counts. Is something set anew in the loop?"),
    (4, first_sentence, "Only the first sentence counts. Is a return inside the loop?"),
)
