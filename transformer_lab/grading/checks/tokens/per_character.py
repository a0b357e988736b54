"""Lesson 10: the checks of bits a character, from the losses of a model that reads tokens."""

import math
from collections.abc import Iterator

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, fitting, one_number

TEXTS = "十一月 naïve café ", "Straße 😀 über Ärger ", "€ 5 für zwölf Äpfel "


class per_character:
    answers = ("per_character(losses, sizes, text)",)

    @check("a single batch", 1)
    def one(per_character):
        judge(per_character, [case(1) for _ in range(3)])

    @check("batches of unequal sizes", 2)
    def several(per_character):
        judge(per_character, [case(n) for n in (2, 3, 5)])


def case(n_batches: int) -> tuple[list[float], list[int], str]:
    """Mean losses, numbers of tokens, and a text that has more bytes than characters."""
    losses = [round(1.5 + 3 * u, 3) for u in draw.uniform(n_batches).tolist()]
    sizes = [40 + int(draw.integers(60)) for _ in losses]
    sizes[-1] = 3 + int(draw.integers(5))  # the last batch, what is left of the text
    return losses, sizes, draw.one_of(*TEXTS) * (10 + int(draw.integers(9)))


def bits(losses: list[float], sizes: list[int], text: str) -> float:
    """The specification: the nats of all tokens, in bits, over the characters."""
    nats = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
    return nats / math.log(2) / len(text)


def judge(answer, cases: list[tuple]) -> None:
    answers = [asked(answer, *given) for given in cases]
    for given, got in zip(cases, answers, strict=True):
        wanted = bits(*given)
        if not math.isclose(got, wanted, rel_tol=1e-5):
            yours, right = apart(got, wanted)
            losses, sizes, text = given
            words, *misconception = fitting(answers, cases, faults()) or [
                "Nats of all tokens, turned into bits, over the number of characters."
            ]
            raise Wrong(
                f"For losses {losses}, sizes {sizes} and a text of {len(text)} characters yours is {yours}; wanted "
                f"{right}. {words}",
                *misconception,
            )


def asked(answer, losses: list[float], sizes: list[int], text: str) -> float:
    """The answer's number; it must leave both lists as they are."""
    given = list(losses), list(sizes)
    got = one_number(answer(*given, text), "per_character()")
    if given != (losses, sizes):
        raise Wrong("per_character() changed the lists that it was given: whoever calls it needs the numbers again.")
    return got


def mean(numbers: list) -> float:
    return sum(numbers) / len(numbers)


def faults() -> Iterator[tuple]:
    """(formula, what to tell those who use it, misconception)"""

    def nats(losses, sizes, text):
        return sum(loss * size for loss, size in zip(losses, sizes, strict=True))

    yield lambda x, n, t: nats(x, n, t) / len(t), "This is in nats; one bit is ln 2 nats."
    yield lambda x, n, t: nats(x, n, t) / len(t) * math.log(2), "Nats become bits by dividing by ln 2, not multiplying."
    yield lambda x, n, t: nats(x, n, t) / math.log(2) / sum(n), "This is per token; wanted per character of the text."
    yield lambda x, n, t: nats(x, n, t) / sum(n), "This is the mean loss of a token, in nats."
    yield (
        lambda x, n, t: nats(x, n, t) / math.log(2) / len(t.encode()),
        "This is per *byte*: some characters take several. Wanted: per character, len(text).",
    )
    yield lambda x, n, t: nats(x, n, t) / math.log(2) / len(t.split()), "This is per word; wanted per character."
    yield lambda x, n, t: nats(x, n, t) / math.log(2), "These are the bits of the whole text: share them out."
    yield lambda x, n, t: sum(x) / math.log(2) / len(t), "A batch's loss is the mean of its tokens: times its size."
    yield lambda x, n, t: sum(x) / math.log(2) / sum(n), "A batch's loss is the mean of its tokens: times its size."
    yield lambda x, n, t: math.exp(nats(x, n, t) / sum(n)), "This is the perplexity of a token; wanted bits.", "M49"
    yield lambda x, n, t: math.exp(nats(x, n, t) / len(t)), "This is a perplexity; wanted the bits themselves.", "M49"
    yield (
        lambda x, n, t: math.log2(nats(x, n, t)) / len(t),
        "The logarithm of the nats was taken. They are logarithms already: divide them by ln 2.",
    )
    yield (
        lambda x, n, t: nats(x, n, t) / math.log10(2) / len(t),
        "The nats are divided by the logarithm of 2 to base 10; one bit is ln 2 nats, math.log(2).",
    )
    yield (
        lambda x, n, t: nats(x[:-1], n[:-1], t) / math.log(2) / len(t),
        "The last batch is left out: it is a short one, and its tokens are part of the text.",
    )
    yield (
        lambda x, n, t: sum(x) * n[0] / math.log(2) / len(t),
        "Every batch is taken for as large as the first. Each has a size of its own.",
    )
    yield (
        lambda x, n, t: nats(x, n, t) / math.log(2) / len("".join(t.split())),
        "Spaces are left out of the number of characters: each is one, len(text).",
    )
    yield lambda x, n, t: math.log(2) * len(t) / nats(x, n, t), "This is upside down: bits over characters."
    for digits in (1, 2, 3):
        yield lambda x, n, t, digits=digits: round(bits(x, n, t), digits), "The number is rounded: leave it as it is."
    equal = "The mean over the batches counts each as much as any other: a batch of few tokens weighs less."
    yield lambda x, n, t: mean(x) * sum(n) / len(t) / math.log(2), equal, "M49"
    yield lambda x, n, t: mean(x) * sum(n) / len(t), equal + " And these are nats.", "M49"
    yield lambda x, n, t: mean(x) / math.log(2), equal + " And it is per token, not per character.", "M49"
    yield (
        lambda x, n, t: math.log2(math.exp(mean(x))) * len(t) / sum(n),
        "Characters and tokens changed places: the bits of all tokens, over the characters.",
    )
    yield (
        lambda x, n, t: nats(x, n, t) / math.log(2) / sum(n) * len(t) / sum(n),
        "Characters and tokens changed places: the bits of all tokens, over the characters.",
    )
