"""What a caller may give, said once: whole numbers, numbers in a range, texts. Each raises ValueError in a sentence."""

import math
import random
from collections.abc import Iterable
from numbers import Integral, Real

from .sentences import short_repr

LARGEST_SEED = 2**32 - 1  # NumPy takes no larger one


def is_whole(value) -> bool:
    """True and False are no numbers here, and 2.0 is no whole one."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_at_least(name: str, value, least: int) -> None:
    """Raise ValueError unless value is a whole number, at least `least`."""
    if not is_whole(value) or value < least:
        raise ValueError(f"{name} must be a whole number, at least {least}; got {short_repr(value)}.")


def check_seed(value) -> None:
    """Raise ValueError unless every generator of random numbers can start from this seed."""
    if not is_whole(value) or not 0 <= value <= LARGEST_SEED:
        raise ValueError(
            f"seed must be a whole number, at least 0 and at most {LARGEST_SEED}; got {short_repr(value)}."
        )


def random_from(seed) -> random.Random:
    """Random numbers of Python's that start from this seed; ValueError for what is none."""
    check_seed(seed)
    return random.Random(int(seed))


def generator_from(seed, device="cpu"):
    """torch's random numbers that start from this seed, on this device; ValueError for what is no seed."""
    import torch  # here, for what only reads files does without

    check_seed(seed)
    return torch.Generator(device).manual_seed(int(seed))


def is_number(value) -> bool:
    """NaN and the infinite are none here."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number larger than any float
        return False


def check_between(name: str, value, least, most=math.inf) -> None:
    """Raise ValueError unless value is a finite number from least to most."""
    if not is_number(value) or not least <= value <= most:
        limits = f", at least {least}" if most == math.inf else f" from {least} to {most}"
        raise ValueError(f"{name} must be a number{limits}; got {short_repr(value)}.")


def check_texts(name: str, texts) -> None:
    """Raise ValueError for one text, whose letters could pass for texts, where several are wanted."""
    if isinstance(texts, str | bytes):
        raise ValueError(f"{name} must be a list of texts; got one text: {short_repr(texts)}.")
    if not isinstance(texts, Iterable):
        raise ValueError(f"{name} must be a list of texts; got {type(texts).__name__}.")


def check_text(text) -> None:
    """Raise ValueError unless this is a text that can be written down: no bytes, no half of a character."""
    if not isinstance(text, str):
        raise ValueError(f"A text must be a str; got {type(text).__name__}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        # A surrogate without its other half, or what a terminal makes of a byte that is not UTF-8.
        found = text[error.start]
        raise ValueError(f"A text holds {found!r}, which is no character: {short_repr(text)}.") from None
