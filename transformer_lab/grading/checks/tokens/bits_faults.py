"""Lesson 10: the ways in which people take a table of pairs and the bits of a text wrongly, and what to tell them."""

import math
from collections.abc import Callable
from itertools import pairwise


def after(training: str, a: str) -> list[str]:
    """The characters that follow a, in each place."""
    return [right for left, right in pairwise(training) if left == a]


def probability(training: str, alphabet: str, a: str, b: str) -> float:
    """The specification: the share of b among the characters after a, with one more of each character."""
    following = after(training, a) + list(alphabet)
    return following.count(b) / len(following)


def bits_per_character(text: str, p: Callable[[str, str], float], alphabet: str) -> float:
    """The specification: the surprise of each character, the first among all of the alphabet, over their number."""
    bits = [math.log2(len(alphabet)), *(-math.log2(p(a, b)) for a, b in pairwise(text))]
    return sum(bits) / len(text)


def share(count: int | float, of: int) -> float:
    return count / of if of else math.nan


def n(training: str, a: str, b: str) -> int:
    return after(training, a).count(b)


ROWS = "The probabilities of the characters after one character must sum to 1."
# (formula, what to tell those who use it), of training (t), alphabet (v), a and b
PROBABILITIES = (
    (lambda t, v, a, b: share(n(t, a, b), len(after(t, a))), "The counts are not one larger: this is the bare share."),
    (
        lambda t, v, a, b: share(n(t, a, b) + 1, len(after(t, a))),
        f"One is added above the fraction line only. {ROWS} Below it, one is added for each character of the alphabet.",
    ),
    (
        lambda t, v, a, b: share(n(t, a, b) + 1, len(after(t, a)) + 1),
        f"Below the fraction line one is added once; it is added for each character of the alphabet. {ROWS}",
    ),
    (
        lambda t, v, a, b: share(n(t, a, b) or 1, len(after(t, a)) + len(v)),
        "One is added only where the count is 0: add it to every count.",
    ),
    (
        lambda t, v, a, b: (n(t, a, b) + 1) / (t.count(a) + len(v)),
        "What is counted below is how often a occurs. Where a ends the training text, nothing follows it: count the "
        f"places where something does. {ROWS}",
    ),
    (
        lambda t, v, a, b: (t.count(a + b) + 1) / (len(after(t, a)) + len(v)),
        "`count` skips what overlaps: 'aaa'.count('aa') is 1, and the pair a, a stands there twice.",
    ),
    (
        lambda t, v, a, b: (t.count(a + b) + 1) / (t.count(a) + len(v)),
        "`count` skips what overlaps: 'aaa'.count('aa') is 1, and the pair a, a stands there twice. And where a ends "
        "the training text, nothing follows it.",
    ),
    (
        lambda t, v, a, b: (n(t, a, b) + 1) / (len(after(t, a)) + len(set(t))),
        "Only the characters of the training text are counted; the alphabet has others, and each may come next.",
    ),
    (
        lambda t, v, a, b: share(n(t, a, b) + 1, len(after(t, a)) + len(set(after(t, a)))),
        "Only the characters that were seen after a get their one more; each of the alphabet may come next.",
    ),
    (
        lambda t, v, a, b: probability(t[:-1], v, a, b),
        "The last character of the training text is left out: the pair before the end counts too.",
    ),
    (
        lambda t, v, a, b: probability(t[1:], v, a, b),
        "The first character of the training text is left out: it stands before the second.",
    ),
    (
        lambda t, v, a, b: (
            (sum(n(word, a, b) for word in t.split()) + 1) / (sum(len(after(word, a)) for word in t.split()) + len(v))
        ),
        "The training text was cut into words; a space is a character like any other, before and after its neighbours.",
    ),
    (lambda t, v, a, b: probability(t, v, b, a), "This is how often a follows b; wanted b after a."),
    (
        lambda t, v, a, b: probability(t[::-1], v, b, a),
        "This is the share of a among the characters *before* b; wanted the share of b among those after a.",
    ),
    (
        lambda t, v, a, b: (n(t, a, b) + 1) / (len(t) - 1 + len(v) ** 2),
        "This is the share of the pair among all pairs; wanted the share of b among the characters after a.",
    ),
    (
        lambda t, v, a, b: (n(t, a, b) + 1) / (len(t) - 1 + len(v)),
        "The count is divided by the number of all pairs; wanted the share among those that begin with a.",
    ),
    (
        lambda t, v, a, b: share(n(t, a, b), len(t) - 1),
        "This is the share of the pair among all pairs; wanted the share of b among the characters after a.",
    ),
    (
        lambda t, v, a, b: (t.count(b) + 1) / (len(t) + len(v)),
        "This is how frequent b is, whatever stands before it.",
    ),
    (lambda t, v, a, b: n(t, a, b) + 1, "This is a count; wanted its share, a number from 0 to 1."),
    (lambda t, v, a, b: n(t, a, b), "This is a count; wanted a share, a number from 0 to 1."),
    (lambda t, v, a, b: -math.log2(probability(t, v, a, b)), "These are bits; wanted the probability itself."),
    (lambda t, v, a, b: math.log2(probability(t, v, a, b)), "This is a logarithm; wanted the probability itself."),
)


def bits_of(text: str, p) -> float:
    return math.fsum(-math.log2(p(a, b)) for a, b in pairwise(text))


def per(bits: float, number: int) -> float:
    return bits / number if number else math.nan


FIRST = "The first character has none before it, and it is not free: one of len(alphabet) equally likely characters."
# (formula, what to tell those who use it), of text (t), p and alphabet (v)
BITS = (
    (lambda t, p, v: per(bits_of(t, p), len(t)), FIRST),
    (
        lambda t, p, v: per(bits_of(t, p), len(t) - 1),
        f"The mean is over the pairs, without the first character. {FIRST} The bits are shared by all characters.",
    ),
    (
        lambda t, p, v: per(math.log2(len(v)) + bits_of(t, p), len(t) - 1),
        "The bits of all characters are divided by one character too few: divide by len(text).",
    ),
    (
        lambda t, p, v: math.log2(len(v)) + per(bits_of(t, p), len(t)),
        "The bits of the first character are added to the mean; they are one of the numbers that the mean is over.",
    ),
    (
        lambda t, p, v: math.log2(len(v)) + per(bits_of(t, p), len(t) - 1),
        "The bits of the first character are added to the mean; they are one of the numbers that the mean is over.",
    ),
    (
        lambda t, p, v: (bits_of(t, p) - math.log2(p(t[-1], t[0]))) / len(t),
        "The first character is taken after the *last*: text[i - 1] is text[-1] where i is 0.",
    ),
    (
        lambda t, p, v: (bits_of(t, p) - math.log2(p(t[0], t[0]))) / len(t),
        f"The first character is taken after itself. {FIRST}",
    ),
    (
        lambda t, p, v: bits_per_character(t, p, v) if len(t) > 1 else 0.0,
        f"A text of one character costs nothing here. {FIRST}",
    ),
    (
        lambda t, p, v: (math.log2(len(set(t))) + bits_of(t, p)) / len(t),
        "The first character is one of the characters of the *text*; wanted one of the alphabet, which may have more.",
    ),
    (
        lambda t, p, v: (math.log2(len(v)) + bits_of(t[:-1], p)) / len(t),
        "The last character is missing: it too is to be predicted.",
    ),
    (
        lambda t, p, v: bits_per_character(t, p, v) * math.log(2),
        "This is in nats; a bit is the logarithm to base 2: math.log2.",
    ),
    (lambda t, p, v: bits_per_character(t, p, v) * len(t), "These are the bits of the whole text: share them out."),
    (lambda t, p, v: -bits_per_character(t, p, v), "The sign is wrong: the logarithm of a probability is negative."),
    (lambda t, p, v: 2 ** bits_per_character(t, p, v), "This is 2 to the power of the bits (the perplexity)."),
    (
        lambda t, p, v: bits_per_character(t, lambda a, b: p(b, a), v),
        "p(a, b) is the probability of b after a: the character before comes first.",
    ),
    (
        lambda t, p, v: -math.log2((1 / len(v) + sum(p(a, b) for a, b in pairwise(t))) / len(t)),
        "The probabilities were averaged before the logarithm was taken: average the surprise.",
    ),
    (
        lambda t, p, v: -math.log2(share(sum(p(a, b) for a, b in pairwise(t)), len(t) - 1)) if len(t) > 1 else math.nan,
        "The probabilities were averaged before the logarithm was taken: average the surprise.",
    ),
    (
        lambda t, p, v: (len(v) + bits_of(t, p)) / len(t),
        "The first character costs the logarithm of len(alphabet), not len(alphabet) bits.",
    ),
    (
        lambda t, p, v: (1 / len(v) + bits_of(t, p)) / len(t),
        "1 / len(alphabet) is the first character's probability; its bits are the logarithm.",
    ),
    (
        lambda t, p, v: (1 + bits_of(t, p)) / len(t),
        f"The first character is counted as one bit. {FIRST}",
    ),
    (
        lambda t, p, v: (math.log2(len(v)) - bits_of(t, p)) / len(t),
        "The bits of the pairs come with the wrong sign: the logarithm of a probability is negative.",
    ),
    (
        lambda t, p, v: (math.log(len(v)) + bits_of(t, p)) / len(t),
        "The first character is in nats, the others are in bits: math.log2 for all of them.",
    ),
    (
        lambda t, p, v: math.log2(len(v)) / len(t) + per(bits_of(t, p), len(t) - 1 or 1),
        "The first character is shared by all, the pairs by one character too few: add all bits, then divide once.",
    ),
    (
        lambda t, p, v: bits_per_character(t, lambda a, b: probability(t, v, a, b), v),
        "The probabilities come from a table of the text itself: ask the function p that is given.",
    ),
    *(
        (lambda t, p, v, digits=digits: round(bits_per_character(t, p, v), digits), "The number is rounded: leave it.")
        for digits in (1, 2, 3)
    ),
    (
        lambda t, p, v: (math.log2(len(v)) + bits_of(t, p)) / len(t.encode()),
        "The bits are divided by the number of *bytes*: some characters take several. Wanted: per character.",
    ),
)


def told(answers: list, cases: list[tuple], faults) -> str:
    """The words of the first fault that gives these answers in all cases, or nothing."""
    for formula, words in faults:
        if all(math.isclose(got, formula(*case), rel_tol=1e-5) for got, case in zip(answers, cases, strict=True)):
            return words
    return ""
