"""Lesson 10: the checks of a text that is shown while its bytes arrive, a token at a time."""

from collections.abc import Iterator
from itertools import pairwise

from ...checking import Wrong, check
from ...draw import draw

LETTERS = "aZ 7é§ßжא€十一月日中😀🦜"  # one, two, three and four bytes


class shown:
    answers = ("shown(tokens)",)

    @check("tokens that end where characters end", 0.5)
    def plain(shown):
        judge(shown, [[letter.encode() for letter in "aZé十😀 7"], [b"low", b" ", "十一月".encode()], [b""], []])
        judge(shown, [[b"ha", b"ha", b"", b"ha"], ["十".encode(), "十十".encode()]])

    @check("characters in several tokens", 1.5)
    def broken(shown):
        judge(shown, [[bytes([byte]) for byte in drawn_text(6).encode()], *map(cut, map(drawn_text, (9, 14, 20)))])

    @check("a token that ends one character and begins another", 0.5)
    def across(shown):
        judge(shown, [two_at_once(*draw.shuffled("é十😀中")[:3]) for _ in range(3)])

    @check("a text that stops within a character", 0.5)
    def stopped(shown):
        for _ in range(2):
            letter = draw.one_of("é", "十", "😀").encode()
            judge(shown, [[b"ab", "月".encode(), letter[:-1]], [letter[:1]], [b"7", letter, letter[:1], b""]])


def drawn_text(size: int) -> str:
    return "".join(draw.one_of(*LETTERS) for _ in range(size))


def cut(text: str) -> list[bytes]:
    """The bytes of a text in tokens of one to five bytes."""
    rest, tokens = text.encode(), []
    while rest:
        size = draw.one_of(1, 1, 2, 3, 4, 5)
        tokens.append(rest[:size])
        rest = rest[size:]
    return tokens


def two_at_once(*letters: str) -> list[bytes]:
    """Tokens of which each but the first begins with the last byte of a letter and ends within the next one."""
    parts = [letter.encode() for letter in letters]
    ends = [b"", *(part[-1:] for part in parts)]
    begins = [*(part[:-1] for part in parts), b"!"]
    return [end + begin for end, begin in zip(ends, begins, strict=True)]


def right(tokens: list[bytes]) -> list[str]:
    """The specification: after each token, the whole characters so far without those that stand there already."""
    texts = [whole(b"".join(tokens[: n + 1])) for n in range(len(tokens))]
    return [text[len(before) :] for before, text in zip(["", *texts], texts, strict=False)]


def whole(data: bytes) -> str:
    """The characters whose bytes are all there: none is longer than four bytes."""
    for n in range(min(4, len(data) + 1)):
        try:
            return data[: len(data) - n].decode()
        except UnicodeDecodeError:
            pass
    raise ValueError("no beginning of a text in UTF-8")


def is_whole(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


def judge(answer, cases: list[list[bytes]]) -> None:
    answers = [texts_of(answer, tokens) for tokens in cases]
    for tokens, got in zip(cases, answers, strict=True):
        wanted = right(tokens)
        if got != wanted:
            words = next((words for way, words in faults() if all(map(same(way), cases, answers))), "")
            raise Wrong(f"{called(tokens)} is {got}; wanted {wanted}. {words or seen(got, wanted)}")


def same(way):
    return lambda tokens, got: got == way(tokens)


def seen(got: list[str], wanted: list[str]) -> str:
    if "".join(got) == "".join(wanted):
        return "All characters are there, not each of them as soon as its last byte is."
    if "\ufffd" in "".join(got):
        return "What is unfinished is not shown, at the end of the text neither: no '\ufffd' in its place."
    return "A character is shown once, with the token that brings its last byte."


def faults() -> Iterator[tuple]:
    """(a wrong way, what to tell those who go it)"""
    yield (
        lambda tokens: [token.decode(errors="replace") for token in tokens],
        "Each token is decoded alone, and what is no whole character becomes '\ufffd': keep unfinished bytes.",
    )
    yield (
        lambda tokens: [token.decode(errors="ignore") for token in tokens],
        'Each token is decoded alone, and errors="ignore" throws away the bytes of a character in two tokens: keep '
        "unfinished bytes for later.",
    )
    yield (
        lambda tokens: [token.decode() if is_whole(token) else "" for token in tokens],
        "A token that is no text by itself is dropped, with the bytes in it: keep them for the next token.",
    )
    yield (
        lambda tokens: [token.decode("latin-1") for token in tokens],
        "Each byte became a character of its own (latin-1): a character of UTF-8 has one to four bytes.",
    )
    yield (
        lambda tokens: [whole(b"".join(tokens[: n + 1])) for n in range(len(tokens))],
        "All of the text is shown again with each token; wanted what is new.",
    )
    yield (
        lambda tokens: [
            b"".join(tokens[: n + 1]).decode(errors="replace")[len(b"".join(tokens[:n]).decode(errors="replace")) :]
            for n in range(len(tokens))
        ],
        "An unfinished character is shown as '\ufffd' and never made good: wait for its last byte.",
    )
    yield (
        cut_by_bytes,
        "How much was shown is counted in bytes, and the text is cut after as many characters: count characters.",
    )
    yield (
        lambda tokens: [text[-1:] for text in right(tokens)],
        "Of several characters that one token completes only the last is shown.",
    )
    yield (
        lambda tokens: [text[:1] for text in right(tokens)],
        "Of several characters that one token completes only the first is shown.",
    )
    yield (
        without_what_was_shown,
        "`replace` takes away what was shown wherever it stands, and a text may say the same again: cut off the "
        "beginning, as many characters as were shown.",
    )
    yield (
        all_or_nothing,
        "Nothing is shown until *all* bytes so far are whole characters: a finished one need not wait.",
    )
    yield (
        lambda tokens: [""] * (len(tokens) - 1) + [b"".join(tokens).decode(errors="ignore")] * bool(tokens),
        "Everything is shown at the end; wanted each character as soon as its last byte is there.",
    )


def cut_by_bytes(tokens: list[bytes]) -> list[str]:
    so_far = [b"".join(tokens[:n]) for n in range(len(tokens) + 1)]
    return [whole(now)[len(before) :] for before, now in pairwise(so_far)]


def without_what_was_shown(tokens: list[bytes]) -> list[str]:
    texts = [whole(b"".join(tokens[: n + 1])) for n in range(len(tokens))]
    return [text.replace(before, "") if before else text for before, text in zip(["", *texts], texts, strict=False)]


def all_or_nothing(tokens: list[bytes]) -> list[str]:
    texts, waiting = [], b""
    for token in tokens:
        waiting += token
        texts.append(waiting.decode() if is_whole(waiting) else "")
        waiting = b"" if is_whole(waiting) else waiting
    return texts


def called(tokens: list[bytes]) -> str:
    return f"shown({tokens})"


def texts_of(answer, tokens: list[bytes]) -> list[str]:
    """The answer's texts, if it is a list of one text for each token."""
    given = list(tokens)
    try:
        got = answer(given)
    except UnicodeDecodeError as error:
        raise Wrong(
            f"{called(tokens)}: bytes were decoded that end within a character. Keep those until the rest is there; "
            "what is unfinished at the end of the text is not shown."
        ) from error
    if given != tokens:
        raise Wrong(
            f"{called(tokens)} changed its list of tokens: it became {given}. Whoever calls it needs them again."
        )
    if isinstance(got, str):
        raise Wrong(f"{called(tokens)} is the text {got!r}; wanted a list, one text for each token.")
    if not isinstance(got, (list, tuple)) or not all(isinstance(text, str) for text in got):
        raise Wrong(f"{called(tokens)} is {got!r:.80}; wanted a list of texts (str), one for each token.")
    if len(got) != len(tokens):
        raise Wrong(
            f"{called(tokens)} holds {len(got)} texts for {len(tokens)} tokens: where a token finishes no character, "
            "its text is ''."
        )
    return list(got)
