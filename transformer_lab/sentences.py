"""Text for messages: a value as its author would write it, and a list of words joined with commas."""

from collections.abc import Iterable


def short_repr(value, longest: int = 60) -> str:
    """Return a short repr in plain Python values: 0.5 and [1, 2], not np.float64(0.5) or tensor([1, 2])."""
    text = repr(to_builtin(value))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def kind_of(value) -> str:
    """The type of a value with its article: "a list", "an AttentionView"."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def listed(words: Iterable[str], conjunction: str) -> str:
    """Join words as in a sentence: "dates, numbers and docs" with the conjunction "and"."""
    *before, word = words
    return f"{', '.join(before)} {conjunction} {word}" if before else word


def to_builtin(value):
    """Convert arrays, tensors and numpy scalars, nested ones too, to Python's own numbers and lists."""
    if isinstance(value, dict):
        return {to_builtin(key): to_builtin(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return (
            type(value)(map(to_builtin, value)) if type(value) in (list, tuple) else [to_builtin(one) for one in value]
        )
    return value.tolist() if hasattr(value, "tolist") else value
