"""Lesson 11, rows of the memory exchanged: what is right, and how people exchange, write and compare otherwise."""

from torch import Tensor

from .holder import PAD, Holder

Case = tuple[Holder, list[int], int]  # a translator of two sources, places, max_new


def memory_of(translator: Holder) -> Tensor:
    return translator.encode(translator.sources, translator.is_real)


def swapped(memory: Tensor, places: list[int]) -> Tensor:
    mixed = memory.clone()
    mixed[:, places] = memory.flip(0)[:, places]
    return mixed


def word(new, own, others) -> str:
    if own == others:
        return "no test"
    return "follows" if new == others else "stays" if new == own else "neither"


def compared(translator: Holder, mixed: Tensor, max_new: int, word=word, cut=None) -> list[str]:
    """The two words, if the texts are written from this memory."""
    cut = cut or translator.cut
    old, new = ([cut(text) for text in translator.written(one, max_new)] for one in (memory_of(translator), mixed))
    return [word(new[b], old[b], old[1 - b]) for b in (0, 1)]


def right(translator: Holder, places: list[int], max_new: int) -> list[str]:
    """The specification."""
    return compared(translator, swapped(memory_of(translator), places), max_new)


def otherwise(exchange):
    """Another memory in place of the exchanged one: exchange(memory, places)."""
    return lambda t, places, max_new: compared(t, exchange(memory_of(t), places), max_new)


def judged(judge):
    """Another word for the same texts: judge(new, own, others)."""
    return lambda t, places, max_new: compared(t, swapped(memory_of(t), places), max_new, judge)


def renamed(**names: str):
    return judged(lambda *texts: names.get((said := word(*texts)).replace(" ", "_"), said))


def for_one(b: int):
    """Only text b gets rows of the other one."""

    def exchange(memory, places):
        mixed = memory.clone()
        mixed[b, places] = memory[1 - b, places]
        return mixed

    return otherwise(exchange)


def of_the_sources(t: Holder, places: list[int], max_new: int) -> list[str]:
    return compared(t, t.encode(swapped(t.sources, places), t.is_real), max_new)


def but_for(memory: Tensor, places: list[int]) -> Tensor:
    return swapped(memory, [place for place in range(memory.shape[1]) if place not in places])


def beside(step: int):
    return otherwise(lambda memory, places: swapped(memory, [(p + step) % memory.shape[1] for p in places]))


def forced(t: Holder, places: list[int], max_new: int) -> list[str]:
    """Each step reads what the text was before."""
    memory = memory_of(t)
    mixed, old = swapped(memory, places), t.written(memory, max_new)
    new = [
        [t.following(rows, [t.bos, *text[:n]]) for n in range(max_new)]
        for rows, text in zip(t.rows(mixed), old, strict=True)
    ]
    old, new = ([t.cut(text) for text in texts] for texts in (old, new))
    return [word(new[b], old[b], old[1 - b]) for b in (0, 1)]


def uncut(t: Holder, places: list[int], max_new: int) -> list[str]:
    return compared(t, swapped(memory_of(t), places), max_new, cut=lambda text: text)


def padded(t: Holder, places: list[int], max_new: int) -> list[str]:
    """The rows of two batches are compared with their padding, and the batches may differ in width."""
    memory = memory_of(t)
    old, new = ([t.cut(text) for text in t.written(one, max_new)] for one in (memory, swapped(memory, places)))
    old, new = ([text + [PAD] * (max(map(len, texts)) - len(text)) for text in texts] for texts in (old, new))
    return [word(new[b], old[b], old[1 - b]) for b in (0, 1)]


def after_the_exchange(t: Holder, places: list[int], max_new: int) -> list[str]:
    """No test where the *new* texts are equal."""
    memory = memory_of(t)
    old, new = ([t.cut(text) for text in t.written(one, max_new)] for one in (memory, swapped(memory, places)))
    if new[0] == new[1]:
        return ["no test"] * 2
    return ["follows" if new[b] == old[1 - b] else "stays" if new[b] == old[b] else "neither" for b in (0, 1)]


def beside_the_first(t: Holder, places: list[int], max_new: int) -> list[str]:
    memory = memory_of(t)
    old, new = ([t.cut(text) for text in t.written(one, max_new)] for one in (memory, swapped(memory, places)))
    return [word(new[b], old[0], old[1]) for b in (0, 1)]


def without_end(text_end):
    return lambda t, places, max_new: right(t, places, text_end(max_new))


NO_TEST = "Where the two sources give the same text from the start, nothing can follow anything: that is 'no test'."
NEITHER = "A text that is neither its own nor the other's has a word of its own: 'neither'."
ONE_WAY = (
    "The exchange goes one way: text {} gets rows of the other one, which keeps its own. (After `a[i] = b[i]` the old "
    "a[i] is gone: swap from a copy.)"
)
FAULTS = (  # (what is done in place of it, what to tell those who do it)
    (
        of_the_sources,
        "The *tokens* are exchanged, and encoded anew. Exchange rows of the memory: a row need not hold the word that "
        "stands at its place.",
    ),
    (for_one(0), ONE_WAY.format(0)),
    (for_one(1), ONE_WAY.format(1)),
    (otherwise(but_for), "All rows are exchanged *but* those at `places`."),
    (
        otherwise(lambda memory, places: memory.flip(0)),
        "The whole memory is exchanged; wanted: the rows at `places`.",
    ),
    (otherwise(lambda memory, places: memory), "Nothing is exchanged: each text is written from its own memory."),
    (otherwise(lambda memory, places: swapped(memory, places[:1])), "Of several places only the first is exchanged."),
    (otherwise(lambda memory, places: swapped(memory, places[-1:])), "Of several places only the last is exchanged."),
    (
        otherwise(lambda memory, places: swapped(memory, [*range(min(places), max(places) + 1)])),
        "All rows from the first place to the last are exchanged; `places` is a list, and those between are not in it.",
    ),
    (
        otherwise(lambda memory, places: swapped(memory, [*range(min(places), memory.shape[1])])),
        "All rows from the place on are exchanged; wanted are those at `places` alone.",
    ),
    (
        otherwise(lambda memory, places: swapped(memory, [*range(max(places) + 1)])),
        "All rows up to the place are exchanged; wanted are those at `places` alone.",
    ),
    (beside(-1), "The row before is exchanged: places are counted from 0."),
    (beside(1), "The row after is exchanged: places are counted from 0."),
    (forced, "Each step reads what was written before the exchange. Let it go on from what it now writes itself."),
    (uncut, "What is written behind eos is compared too: a text ends with its first eos."),
    (
        padded,
        "The texts are compared with the padding behind them. A batch is as wide as its longest text, and two batches "
        "need not be equally wide: compare up to eos.",
    ),
    (
        lambda t, places, n: right(t, places, 1),
        "Only the first token is compared; wanted is the whole text.",
    ),
    (without_end(lambda n: 12), "max_new does not stop the writing: compare at most so many tokens."),
    (without_end(lambda n: n - 1), "One token less than max_new is written: bos is not one of the new ones."),
    (without_end(lambda n: n + 1), "One token more than max_new is written: bos does not count, each step adds one."),
    (renamed(follows="stays", stays="follows"), "'follows' and 'stays' are exchanged: it follows the *other* source."),
    (lambda *case: right(*case)[::-1], "The two words stand in the wrong order: the first is that of sources[0]."),
    (beside_the_first, "Both texts are compared with the text of sources[0] as their own; the second has one, too."),
    (renamed(no_test="stays"), f"You say 'stays'. {NO_TEST}"),
    (renamed(no_test="follows"), f"You say 'follows'. {NO_TEST}"),
    (renamed(no_test="neither"), f"You say 'neither'. {NO_TEST}"),
    (
        judged(lambda new, own, others: "follows" if new == others else "stays" if new == own else "neither"),
        f"You ask first whether it is the other's text. {NO_TEST}",
    ),
    (
        judged(lambda new, own, others: "stays" if new == own else "follows" if new == others else "neither"),
        f"You ask first whether it is its own text. {NO_TEST}",
    ),
    (after_the_exchange, f"You ask whether the texts are equal *after* the exchange. {NO_TEST}"),
    (renamed(neither="follows"), f"Whatever is no longer its own text is said to follow. {NEITHER}"),
    (renamed(neither="stays"), f"Whatever is not the other's text is said to stay. {NEITHER}"),
    (
        judged(lambda new, own, others: "stays" if new == own else "follows"),
        f"Whatever is no longer its own text is said to follow. {NEITHER}",
    ),
    (
        judged(lambda new, own, others: "follows" if new == others else "stays"),
        f"Whatever is not the other's text is said to stay. {NEITHER}",
    ),
)
