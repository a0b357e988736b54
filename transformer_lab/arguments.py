"""Checks of arguments: whole numbers, numbers in a range, seeds, texts. Each raises ValueError with a sentence."""

import math
import random
from collections.abc import Iterable
from numbers import Integral, Rational, Real

from .sentences import short_repr

LARGEST_SEED = 2**32 - 1  # NumPy takes no larger one


def is_whole(value) -> bool:
    """Is value a whole number? True and False do not count as numbers here, and 2.0 not as a whole number."""
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
    """Python's random numbers from this seed; ValueError if it is not a seed."""
    check_seed(seed)
    return random.Random(int(seed))


def generator_from(seed, device="cpu"):
    """torch's random numbers from this seed, on this device; ValueError if it is not a seed."""
    import torch  # only here: much of what uses this module does not need torch

    check_seed(seed)
    return torch.Generator(device).manual_seed(int(seed))


def is_number(value) -> bool:
    """Is value a number that torch can calculate with? NaN, infinity and fractions do not count as numbers here."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    if isinstance(value, Rational) and not isinstance(value, Integral):
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


def check_choice(name: str, value, choices) -> None:
    """Raise ValueError unless value is one of the choices."""
    if value not in list(choices):  # a list, which unlike a dict can be asked for a value that has no hash
        raise ValueError(f"{name} is {short_repr(value)}; wanted one of {', '.join(choices)}.")


def check_texts(name: str, texts) -> None:
    """Raise ValueError unless texts can be several texts: a single text would pass for a list of its letters."""
    if isinstance(texts, str | bytes):
        raise ValueError(f"{name} must be a list of texts; got one text: {short_repr(texts)}.")
    if not isinstance(texts, Iterable):
        raise ValueError(f"{name} must be a list of texts; got {type(texts).__name__}.")


def check_text(text) -> None:
    """Raise ValueError unless this is a text that UTF-8 can encode: not bytes, and without halves of characters."""
    if not isinstance(text, str):
        raise ValueError(f"A text must be a str; got {type(text).__name__}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        # A surrogate without its other half, or what Python makes of a byte from the terminal that is not UTF-8.
        found = text[error.start]
        raise ValueError(f"A text holds {found!r}, which is not a character: {short_repr(text)}.") from None
