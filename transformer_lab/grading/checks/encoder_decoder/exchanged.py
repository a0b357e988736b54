"""Lesson 11: the checks of rows of the memory that two sources exchange, and of whether what is written follows."""

from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import chosen, leaves_alone
from .exchanged_faults import FAULTS, Case, right
from .holder import N_WORDS, Holder, Rows

OPTIONS = ("follows", "stays", "neither", "no test")
SPECIAL = (1, 2), (0, 3), (3, 1)  # bos, eos
MUCH = 9  # more tokens than any text has


class exchanged:
    answers = ("exchanged(encode, decode, sources, is_real, places, bos, eos, max_new)",)

    @check("sources that differ in one word: follows, or stays", 1.5)
    def one_word(exchanged):
        judge(exchanged, one_word_differs())

    @check("sources that differ in two words, or that give the same text", 1)
    def two_words(exchanged):
        judge(exchanged, [*two_words_differ(), *same_texts()])

    @check("it reads what it has written, and texts end where they end", 1)
    def texts(exchanged):
        judge(exchanged, [*by_echo(), *behind_the_end(), *cut_short(), *unlike_lengths()])

    @check("each of the two texts by itself", 0.5)
    def apart(exchanged):
        judge(exchanged, guarded())
        translator, places, max_new = one_word_differs()[0]
        leaves_alone(
            lambda sources, is_real: called(exchanged, translator, sources, is_real, places, max_new),
            sources=translator.sources,
            is_real=translator.is_real,
        )


def sources_of(S: int, *differ: int) -> Tensor:
    """Two sources (2, S) without a word twice, that differ at these places."""
    words = draw.permutation(N_WORDS)
    sources = words[:S].repeat(2, 1)
    sources[1, list(differ)] = words[S : S + len(differ)]
    return sources


def held_by(S: int, rows: dict[int, int]) -> list[int]:
    """Which word each row holds: row rows[n] holds word n, the others any of the rest."""
    held = [-1] * S
    for word, row in rows.items():
        held[row] = word
    rest = iter(draw.shuffled(set(range(S)) - set(held)))
    return [word if word >= 0 else next(rest) for word in held]


def reading(*rows: int):
    """A text of the words that these rows hold."""
    return lambda held: [held[row] for row in rows]


def one_word_differs() -> list[Case]:
    """The word that differs is held by another row than its own; one of the other rows is not read."""
    cases = []
    for S, word, row in ((5, 1, 3), (6, 4, 0), (5, 0, 4), (6, 2, 1)):
        held = held_by(S, {word: row})
        other = draw.one_of(*(set(range(S)) - {word, row}))
        read = draw.shuffled(set(range(S)) - {other})
        translator = Holder(sources_of(S, word), held, reading(*read), draw.one_of(*SPECIAL))
        cases += [(translator, [place], MUCH) for place in (row, word, other)]
    return cases


def two_words_differ() -> list[Case]:
    cases = []
    for words, rows in (((0, 3), (2, 5)), ((4, 1), (0, 3))):
        held = held_by(6, dict(zip(words, rows, strict=True)))
        translator = Holder(sources_of(6, *words), held, reading(*draw.shuffled(range(6))), draw.one_of(*SPECIAL))
        other = draw.one_of(*(set(range(6)) - set(words) - set(rows)))
        around = sorted(set(range(6)) - set(rows))
        several = [rows[0]], [rows[1]], list(rows), [words[0]], [rows[1], other], [other, rows[1], rows[0]], around
        cases += [(translator, places, MUCH) for places in several]
    return cases


def same_texts() -> list[Case]:
    """Nobody reads the word that differs; and two words whose sum is the same, until one of them is exchanged."""
    S, word, row = draw.one_of((5, 1, 3), (6, 4, 2))
    read = draw.shuffled(set(range(S)) - {row})
    unread = Holder(sources_of(S, word), held_by(S, {word: row}), reading(*read), draw.one_of(*SPECIAL))
    sources = sources_of(S)
    sources[1, [0, 2]] = sources[0, [2, 0]]
    sums = Holder(sources, held_by(S, {0: 1, 2: 4}), lambda rows: [rows[1] + rows[4], 5], draw.one_of(*SPECIAL))
    return [(unread, [row], MUCH), (unread, [word], MUCH), (sums, [1], MUCH), (sums, [1, 4], MUCH)]


def by_echo() -> list[Case]:
    """Each word also depends on the one written before it; the first word differs."""
    cases = []
    for S, word, row in ((5, 2, 0), (6, 3, 5)):
        read = [row, *draw.shuffled(set(range(S)) - {row})[:3]]
        held = held_by(S, {word: row})
        translator = Holder(sources_of(S, word), held, reading(*read), draw.one_of(*SPECIAL), echo=True)
        cases += [(translator, [row], MUCH), (translator, [word], MUCH)]
    return cases


def behind_the_end() -> list[Case]:
    """The last row is read only by what comes behind the end."""
    held = held_by(5, {1: 0, 3: 4})
    translator = Holder(sources_of(5, 1, 3), held, reading(0, 2), draw.one_of(*SPECIAL))
    return [(translator, [4], MUCH), (translator, [0], MUCH), (translator, [4, 0], MUCH)]


def cut_short() -> list[Case]:
    """Texts whose fourth word differs, written as far as the second, the third, the fourth, and to the end."""
    held = held_by(6, {2: 5})
    translator = Holder(sources_of(6, 2), held, reading(0, 1, 2, 5, 4), draw.one_of(*SPECIAL))
    return [(translator, [5], n) for n in (2, 3, 4, 5, MUCH)]


def guard(sources: Tensor, held: list[int], lengths: dict[int, int] | None = None) -> Holder:
    """Row 1 is read, unless row 3 holds the first source's word: then row 0. The word is written once or more often."""
    watched = int(sources[0, held[3]])

    def script(rows: Rows) -> list[int]:
        word = rows[0] if rows[3] == watched else rows[1]
        return [word] * (lengths or {}).get(word, 1)

    return Holder(sources, held, script, draw.one_of(*SPECIAL))


def guarded() -> list[Case]:
    sources, held = sources_of(5, 2, 4), held_by(5, {2: 1, 4: 3})
    return [(guard(sources, held), places, MUCH) for places in ([1], [3], [3, 1], [0], [2, 3])]


def unlike_lengths() -> list[Case]:
    """One of the new texts is longer than both old ones; the other follows, or stays."""
    sources, held = sources_of(5, 2, 4), held_by(5, {2: 1, 4: 3})
    one, other, third = int(sources[0, 2]), int(sources[1, 2]), int(sources[0, held[0]])
    longer = guard(sources, held, {one: 5, other: 2, third: 3})
    shorter = guard(sources, held, {one: 1, other: 4, third: 2})
    return [(translator, places, MUCH) for translator in (longer, shorter) for places in ([1], [3], [1, 3])]


def called(exchanged, translator: Holder, sources: Tensor, is_real: Tensor, places: list[int], max_new: int):
    given = list(places)
    got = exchanged(
        translator.encode, translator.decode, sources, is_real, given, translator.bos, translator.eos, max_new
    )
    if given != places:
        raise Wrong(f"The function changed its list of places: {places} became {given}.")
    return got


def asked(exchanged, case: Case) -> list[str]:
    """The answer's two words."""
    translator, places, max_new = case
    got = called(exchanged, translator, translator.sources.clone(), translator.is_real.clone(), places, max_new)
    if isinstance(got, str) or not isinstance(got, (list, tuple)) or len(got) != 2:
        raise Wrong(f"exchanged() gives {got!r:.60}; wanted a list of two words, one for each of the two texts.")
    return [chosen(word, OPTIONS, f"the word of text {b}") for b, word in enumerate(got)]


def judge(exchanged, cases: list[Case]) -> None:
    got = [asked(exchanged, case) for case in cases]
    for case, words in zip(cases, got, strict=True):
        if words != right(*case):
            told = next((said for fault, said in FAULTS if all(map(gives(fault), cases, got))), "")
            raise Wrong(f"{seen(case, words)} {told}".rstrip())


def gives(fault):
    return lambda case, words: fault(*case) == words


def seen(case: Case, words: list[str]) -> str:
    """What the texts are, and what the answer says of them."""
    translator, places, max_new = case
    memory = translator.encode(translator.sources, translator.is_real)
    mixed = memory.clone()
    mixed[:, places] = memory.flip(0)[:, places]
    old, new = ([translator.cut(text) for text in translator.written(one, max_new)] for one in (memory, mixed))
    return (
        f"The two texts are {old[0]} and {old[1]} (eos is {translator.eos}). With rows {places} exchanged, and at most "
        f"{max_new} tokens, they become {new[0]} and {new[1]}. So the words are {right(*case)}; yours are {words}."
    )
