"""Lesson 10, the two controls: what is right, and what people count in place of it."""

from collections import Counter


def by_always(said: str, right: str) -> float:
    """The specification: the largest share of one letter among those that are right."""
    return max(map(right.count, right)) / len(right)


def by_dealt(said: str, right: str) -> float:
    """The specification: of all pairs of an answer and a word, the share that fit."""
    return sum(a == b for a in said for b in right) / (len(said) * len(right))


def hits(said: str, right: str) -> float:
    return sum(a == b for a, b in zip(said, right, strict=True)) / len(right)


def favourite(said: str, right: str) -> float:
    """The letter that the model says most often, said every time."""
    return right.count(Counter(said).most_common(1)[0][0]) / len(right)


def of_others(said: str, right: str) -> float:
    """No answer may stay with its own word."""
    n = len(said)
    return (by_dealt(said, right) * n * n - hits(said, right) * n) / (n * (n - 1)) if n > 1 else 0.0


OWN = "This is the share that is right as it stands; nothing is dealt out."
ALWAYS = (
    (
        lambda s, r: max(map(s.count, s)) / len(s),
        "This is how often the model says its favourite letter. Count in `right`.",
    ),
    (
        favourite,
        "This is the model's favourite letter, said every time. Wanted is the letter that is *right* most often, said "
        "every time.",
    ),
    (lambda s, r: max(map(r.count, r)), "This is a number of words; wanted its share: divide by all of them."),
    (hits, "This is the share of the model's answers that are right."),
    (lambda s, r: 1 / len(set(r)), "One of the letters that occur is not the best of them: which is right most often?"),
    (lambda s, r: 1 / 26, "This is one letter of 26, as if all were equally frequent."),
    (by_dealt, "This is the other number: `return always, dealt`, in this order."),
    (lambda s, r: max(s.count(x) * r.count(x) for x in s) / len(s) ** 2, "The letter is said for *every* word."),
    (lambda s, r: 100 * by_always(s, r), "This is in percent; wanted is a share from 0 to 1."),
    (lambda s, r: round(by_always(s, r), 2), "The number is rounded: leave it as it is."),
)
DEALT = (
    (hits, OWN),
    (
        of_others,
        "Here no answer may stay with its own word. In all orders together each answer goes to each word equally "
        "often, its own too.",
    ),
    (lambda s, r: by_dealt(s, r) * len(s), "Divide by n once more: n * n pairs of an answer and a word."),
    (
        lambda s, r: by_dealt(s, r) * len(s) ** 2,
        "This is the number of pairs that fit; there are n * n of them in all.",
    ),
    (
        lambda s, r: sum(min(s.count(x), r.count(x)) for x in set(s)) / len(s),
        "This is the *best* order, in which as many answers as possible fit; wanted is the mean over all of them.",
    ),
    (by_always, "This is the other number: `return always, dealt`, in this order."),
    (lambda s, r: by_dealt(r, r), "The right answers themselves are dealt out; wanted are those of the model."),
    (lambda s, r: by_dealt(s, s), "The model's answers are compared with each other; wanted with the right ones."),
    (favourite, "This is the model's favourite letter, said every time; it says others, too."),
    (
        lambda s, r: sum(s.count(x) * r.count(x) for x in s) / len(s) ** 2,
        "A letter that is said more than once is counted more than once: go through each letter *once*.",
    ),
    (
        lambda s, r: len(set(s) & set(r)) / len(set(s)),
        "How often a letter is said, and how often it is right, does not enter.",
    ),
    (lambda s, r: 1 / len(set(r)), "How often a letter is said, and how often it is right, does not enter."),
    (
        lambda s, r: sum(s.count(x) / len(s) * r.count(x) / len(r) for x in set(s)) / len(set(s)),
        "This is a mean over the letters; the shares of all letters have to be added up.",
    ),
    (lambda s, r: hits(s, r) - by_dealt(s, r), "`dealt` is taken from what is right; wanted is `dealt` itself."),
    (lambda s, r: hits(s[::-1], r), "The answers are turned round: that is one order of many."),
    (lambda s, r: hits(s[1:] + s[:1], r), "The answers are moved on by one: that is one order of many."),
    (lambda s, r: hits(s[-1:] + s[:-1], r), "The answers are moved on by one: that is one order of many."),
    (lambda s, r: hits("".join(sorted(s)), "".join(sorted(r))), "Both texts are sorted: that is one order of many."),
    (lambda s, r: hits("".join(sorted(s)), r), "The answers are sorted: that is one order of many."),
    (lambda s, r: 100 * by_dealt(s, r), "This is in percent; wanted is a share from 0 to 1."),
    (lambda s, r: round(by_dealt(s, r), 2), "The number is rounded: leave it as it is."),
    (lambda s, r: round(by_dealt(s, r), 3), "The number is rounded: leave it as it is."),
)
