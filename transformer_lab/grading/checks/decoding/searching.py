"""Lesson 12: a plain beam search over texts, the wrong ones, and tables of probabilities to search in.

follow(text) says what may come after a text, as {token: probability}. Tokens are single characters; "." ends a text.
"""

import math
from collections.abc import Callable

from ...draw import draw

Follow = Callable[[str], dict[str, float]]
LETTERS = "abcde"


def grown(texts: dict[str, float], follow: Follow) -> dict[str, float]:
    """Every text with every token behind it, and the sums of log-probabilities."""
    return {
        text + token: total + math.log(p) for text, total in texts.items() for token, p in follow(text).items() if p > 0
    }


def best_of(texts: dict[str, float], n: int) -> dict[str, float]:
    return {text: texts[text] for text in sorted(texts, key=texts.get, reverse=True)[:n]}


def compete(texts: dict[str, float], follow: Follow, beams: int) -> dict[str, float]:
    """The best continuations of all texts together."""
    return best_of(grown(texts, follow), beams)


def alone(texts: dict[str, float], follow: Follow, beams: int) -> dict[str, float]:
    """Each text's own best continuation; of the empty text, the best few."""
    kept: dict[str, float] = {}
    for text, total in texts.items():
        kept |= best_of(grown({text: total}, follow), 1 if text else beams)
    return kept


def each_some(texts: dict[str, float], follow: Follow, beams: int) -> dict[str, float]:
    """The best few of each text, and so more and more texts."""
    kept: dict[str, float] = {}
    for text, total in texts.items():
        kept |= best_of(grown({text: total}, follow), beams)
    return kept


def any_text(ended: dict[str, float], texts: dict[str, float]) -> dict[str, float]:
    return ended | texts


def score(total: float, length: int, penalty: float) -> float:
    return total / length**penalty


def search(
    follow: Follow, beams: int, penalty: float, n: int, keep=compete, refill=False, choose=any_text, scored=score
) -> str:
    """The specification of repaired: the best text by its score. refill: ended ones take no place."""
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        best = keep(texts, follow, beams * (len(LETTERS) + 1) if refill else beams)
        n_texts = len(best) if keep is each_some else beams
        ended |= {text: total for text, total in best_of(best, n_texts).items() if text.endswith(".")}
        texts = best_of({text: total for text, total in best.items() if not text.endswith(".")}, n_texts)
    every = choose(ended, texts)
    return max(every, key=lambda text: scored(every[text], len(text), penalty))


def losing_beams(follow: Follow, beams: int, penalty: float, n: int) -> str:
    """Right, but that each ended text leaves one beam fewer for good."""
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        best = compete(texts, follow, max(beams - len(ended), 0))
        ended |= {text: total for text, total in best.items() if text.endswith(".")}
        texts = {text: total for text, total in best.items() if not text.endswith(".")}
    every = ended | texts
    return max(every, key=lambda text: score(every[text], len(text), penalty))


def every_end(follow: Follow, beams: int, penalty: float, n: int) -> str:
    """Right, but that a text which ends is remembered although better ones have taken its place."""
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        new = grown(texts, follow)
        ended |= {text: total for text, total in new.items() if text.endswith(".")}
        texts = {text: total for text, total in best_of(new, beams).items() if not text.endswith(".")}
    every = ended | texts
    return max(every, key=lambda text: score(every[text], len(text), penalty))


def drawn(depth: int, stop: float = 0.25) -> Follow:
    """A table for all texts of up to so many letters; longer ones end."""
    table: dict[str, dict[str, float]] = {}

    def fill(text: str) -> None:
        weights = (2 * draw.standard(len(LETTERS)) - 1).softmax(dim=0)
        share = stop * float(draw.uniform(1)) * 2
        table[text] = {letter: float(w) * (1 - share) for letter, w in zip(LETTERS, weights, strict=True)} | {
            ".": share
        }
        for letter in LETTERS if len(text) + 1 < depth else ():
            fill(text + letter)

    fill("")
    return lambda text: dict(table.get(text, {".": 1.0}))
