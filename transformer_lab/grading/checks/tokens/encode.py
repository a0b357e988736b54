"""Lesson 10: the checks of the tokens of a word, given merges."""

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from .encode_faults import consistent
from .merging import by_rank, drawn_letters, drawn_words, learnt

Case = tuple[str, list]  # a word, and merges


class encode:
    answers = ("encode(word, merges)",)

    @check("the merge that was learnt first goes first", 1.5)
    def first(encode):
        judge(encode, by_hand())

    @check("a pair that stands twice, and one that overlaps itself", 1)
    def repeated(encode):
        judge(encode, repetitions())

    @check("many merges, many words", 2)
    def many(encode):
        judge(encode, many_words())

    @check("nothing to join, and the merges stay as they were", 0.5)
    def nothing(encode):
        a, b, c = drawn_letters(3)
        judge(encode, [("", [(a, b)]), (a, [(a, b), (a, a)]), (a + c + b, [(a, b)]), (a + b, [])])
        word, merges = by_hand()[0]
        given = list(merges)
        encode(word, given)
        if given != merges:
            raise Wrong(
                f"encode() changed its list of merges: {merges} became {given}. Whoever calls it needs them again."
            )


def by_hand() -> list[Case]:
    """Words that first pair, longest match and the other ways of encode_faults cut in ways of their own."""
    a, b, c, d, e = drawn_letters(5)
    return [
        (a + b + c + d, [(b, c), (a, b), (c, d)]),
        (a + b + c, [(b, c), (a, b), (a, b + c)]),
        (a + b + c + d + e, [(c, d), (d, e), (b, c + d), (a, b), (a, b + c + d)]),
        (a + b + c + d, [(a, b), (c, d), (b, c), (a + b, c + d)]),
        (a + b + c + a + b, [(a, b), (b, c), (c, a), (a + b, c)]),
        (a + b + c, [(a, b), (b, c), (a, b + c)]),
        (a + b + c + d + e, [(d, e), (b, c), (c, d + e)]),
        (a + b + c + b + c, [(a, b), (b, c)]),
    ]


def repetitions() -> list[Case]:
    a, b, x = drawn_letters(3)
    return [
        (a + b + x + a + b + a + b, [(a, b)]),
        (a + a + a, [(a, a)]),
        (5 * a + b, [(a, a), (a, b)]),
        (7 * a, [(a, a), (a + a, a + a)]),
        (x + a + b, [(x, a), (a, b)]),
        (x + a + b + a + b, [(a, b), (a + b, a + b)]),
        (a + a + b + a + a + b, [(a, a), (a, b), (a + a, b)]),
    ]


def many_words() -> list[Case]:
    cases = []
    for n_letters, n_merges in ((3, 12), (4, 20), (6, 15)):
        letters = drawn_letters(n_letters)
        merges = learnt(drawn_words(letters, 12), n_merges)
        cases += [(word, merges) for word in drawn_words(letters, 12, longest=14)]
    return draw.shuffled(cases)


def judge(encode, cases: list[Case]) -> None:
    """Raise Wrong unless the tokens of each word are right, in the words of a fault that explains all of them."""
    answers = [tokens_of(encode, word, merges) for word, merges in cases]
    right = [by_rank(word, merges) for word, merges in cases]
    if answers == right:
        return
    wrong = [row for row in zip(cases, answers, right, strict=True) if row[1] != row[2]]
    (word, merges), got, wanted = min(wrong, key=lambda row: len(row[0][0]) + len(row[0][1]))  # the shortest
    told = next(consistent(answers, cases), "")
    told = told or (unmade(got, merges) if word else "An empty word has no tokens, also no empty one.")
    raise Wrong(f"{called(word, merges)} gives {got}; wanted {wanted}. {told}")


def unmade(got: list[str], merges: list) -> str:
    """What is wrong with these tokens, whatever made them."""
    made = {left + right for left, right in merges}
    strange = [token for token in got if len(token) > 1 and token not in made]
    if strange:
        return f"No merge makes {strange[0]!r}."
    return "Go through `merges` with a finger: which pair of the word comes first in it? Join that, and look again."


def called(word: str, merges: list) -> str:
    pairs = ", ".join(f"{left} + {right}" for left, right in merges)
    return f"encode({word!r}, ...) with the merges {pairs or 'of an empty list'}"


def tokens_of(encode, word: str, merges: list) -> list[str]:
    """The answer's tokens, if they are texts that give the word."""
    got = encode(word, list(merges))
    if isinstance(got, str):
        raise Wrong(f"{called(word, merges)} gives the text {got!r}; wanted a list of tokens, such as ['a', 'bc'].")
    if not isinstance(got, (list, tuple)):
        raise Wrong(f"{called(word, merges)} gives {kind_of(got)}; wanted a list of tokens.")
    if not all(isinstance(token, str) for token in got):
        raise Wrong(f"{called(word, merges)} gives {list(got)!r:.80}; wanted the tokens themselves, as texts.")
    if "".join(got) != word:
        raise Wrong(
            f"{called(word, merges)} gives {list(got)}: put together that is {''.join(got)!r}, not the word. After two "
            "tokens are joined both are gone, and nothing else may be lost."
        )
    return list(got)
