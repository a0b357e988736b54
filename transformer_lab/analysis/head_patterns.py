"""What each head does with a text, measured from its weights, and which head is the most telling.

A pattern says which key each query reads. Its score is the share of a head's weight that goes there, 0 to 1, averaged
over the queries that have a choice of keys. A head is called by a pattern's name only where that can hardly be chance.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

LEAST = 0.5  # the share of the weight from which on a head is called by a pattern's name
DEVIATIONS = 3  # and so far above what a head would reach that picks one key at random for each query
EVEN = 0.9  # the share that a head's reading and even reading must have in common for "uniform"
FEWEST = 5  # queries with a choice: in fewer, chance makes any pattern

PATTERNS = (
    "previous token",  # the key one place before the query's own
    "diagonal",  # the key in the query's own place
    "next token",  # the key one place after it
    "induction",  # the key after the last occurrence of the query's token
    "first token",  # the first key, whatever the query: a sink
    "one token",  # another key, the same whatever the query: a sink too
    "uniform",  # all keys alike
)
NOT_TELLING = PATTERNS[-3:]


class HeadPattern(NamedTuple):
    """A head, the name of its pattern (one of PATTERNS), and the share of its weight that fits the pattern."""

    layer: int
    head: int
    name: str
    score: float


class Choice(NamedTuple):
    """The queries that may read more than one key, and the weights of a head that reads all these keys alike."""

    queries: Int[np.ndarray, "Q"]
    even: Float[np.ndarray, "T S"]


def choice_of(weights: Float[np.ndarray, "L H T S"]) -> Choice:
    """A key may be read if some head gives it some weight; what none reads is masked."""
    may_read = weights.max(axis=(0, 1)) > 0
    n_keys = may_read.sum(axis=-1)
    return Choice(np.flatnonzero(n_keys > 1), may_read / np.maximum(n_keys, 1)[:, None])


def head_patterns(
    weights: Float[np.ndarray, "L H T S"], query_tokens: Sequence[str], key_tokens: Sequence[str]
) -> list[HeadPattern]:
    """Return the heads that follow a pattern, each with the one that it follows most; others are left out."""
    choice = choice_of(weights)
    if len(choice.queries) < FEWEST:
        return []
    followed = followed_keys(query_tokens, key_tokens)
    best = (
        (layer, head, best_pattern(weights[layer, head], followed, choice))
        for layer, head in np.ndindex(*weights.shape[:2])
    )
    return [HeadPattern(layer, head, *pattern) for layer, head, pattern in best if pattern]


def followed_keys(query_tokens: Sequence[str], key_tokens: Sequence[str]) -> dict[str, Int[np.ndarray, "T"]]:
    """Return, for each pattern that these tokens allow, the key that each query reads; -1 where it has none."""
    own = np.arange(len(query_tokens))
    if len(query_tokens) != len(key_tokens):
        return {}
    queries, keys = list(query_tokens), list(key_tokens)
    if queries != keys and queries[:-1] != keys[1:]:  # a decoder's rows bear the tokens that they predict
        return {"diagonal": own}
    after = np.append(own[1:], -1)
    return {"previous token": own - 1, "diagonal": own, "next token": after, "induction": after_last_occurrence(keys)}


def after_last_occurrence(tokens: list[str]) -> Int[np.ndarray, "T"]:
    """Return, for each token, the place after its last occurrence before; -1 if there is none, or it is its own."""
    last: dict[str, int] = {}
    places = []
    for i, token in enumerate(tokens):
        after = last.get(token, -2) + 1
        places.append(after if after < i else -1)
        last[token] = i
    return np.array(places)


def best_pattern(weights: Float[np.ndarray, "T S"], followed: dict, choice: Choice) -> tuple[str, float] | None:
    """Return the name and score of the pattern that a head follows most, or None if it follows none."""
    sink = int(weights[choice.queries].mean(axis=0).argmax())
    followed = {**followed, "one token" if sink else "first token": np.full(len(weights), sink)}
    scores = {name: score(weights, keys, choice) for name, keys in followed.items()}
    common = np.minimum(weights, choice.even)[choice.queries].sum(axis=-1).mean()
    scores["uniform"] = common if common >= EVEN else 0.0
    best = max(scores, key=scores.__getitem__)
    return (best, float(scores[best])) if scores[best] else None


def score(weights: Float[np.ndarray, "T S"], keys: Int[np.ndarray, "T"], choice: Choice) -> float:
    """Return the mean weight that each query with a choice gives to its key; 0 if that may be chance."""
    queries = choice.queries[keys[choice.queries] >= 0]
    if len(queries) < FEWEST:
        return 0.0
    reached, chance = (one[queries, keys[queries]] for one in (weights, choice.even))
    spread = np.sqrt((chance * (1 - chance)).sum()) / len(queries)
    least = max(LEAST, chance.mean() + DEVIATIONS * spread)
    return float(reached.mean()) if reached.mean() >= least else 0.0


def most_telling(weights: Float[np.ndarray, "L H T S"], patterns: Sequence[HeadPattern]) -> tuple[int, int]:
    """Return the layer and head least like the average over all heads; those that read one key, or all alike, are out.

    How far two readings are apart is the share of a query's weight that lies elsewhere (the total variation distance).
    If all heads are out, it is head 0 of the last layer.
    """
    average = weights.mean(axis=(0, 1))
    apart = np.array([[np.abs(head - average).sum() for head in layer] for layer in weights])
    apart[weights.sum(axis=-1).mean(axis=-1) < LEAST] = 0  # a head that reads nothing: switched off, or not there
    for one in patterns:
        apart[one.layer, one.head] *= one.name not in NOT_TELLING
    if not apart.any():
        return len(weights) - 1, 0
    layer, head = np.unravel_index(apart.argmax(), apart.shape)
    return int(layer), int(head)
