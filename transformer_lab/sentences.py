"""What stands in a sentence about a mistake: the value that came, as its author would write it."""

from collections.abc import Iterable


def said(value, longest: int = 60) -> str:
    """The value as text, cut where it is long: 0.5 and [1, 2], not numpy's np.float64(0.5) or torch's tensor(...)."""
    text = repr(plain(value))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def listed(words: Iterable[str], last: str) -> str:
    """The words as a sentence has them: "dates, numbers and docs", where the last is joined by "and"."""
    *before, word = words
    return f"{', '.join(before)} {last} {word}" if before else word


def plain(value):
    """The same in Python's own numbers, lists and strings."""
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else [plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value
