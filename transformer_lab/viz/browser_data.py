"""The data of a view, validated once: exact numbers for Python, and the form in which the browser gets them."""

from collections.abc import Sequence

import numpy as np

from ..analysis.attention_record import AttentionRecord
from ..analysis.head_patterns import HeadPattern, head_patterns, most_telling
from ..analysis.sizes import MOST_WEIGHTS
from ..sentences import short_repr
from .inputs import as_numbers, romanised, to_float16_bytes, validated_attention, visible

ROUNDED = 0.01  # how far 16 bits may move a weight


class BrowserData:
    """Every kind of attention, by name, at one moment or at each step of a training.

    parts: for the browser, each {"name", "shape", "start": its first weight among all, "queries", "keys",
    "value_norms": its first norm or None, "n_kv_heads", "unscored": layers whose scores are not known, "patterns": at
    each step the heads that follow one, see analysis.head_patterns}. Weights are stored part by part and, within a
    part, step by step. one_layer: there are too many weights for a browser, so it gets one layer of one part at a time.
    steps: each training step's {"step", "loss"}. signed: differences of weights, not weights. Raises ValueError for
    what cannot be shown.
    """

    def __init__(self, moments: list[dict[str, AttentionRecord]], steps: Sequence[dict] = (), signed: bool = False):
        self.steps, self.signed = list(steps), signed
        self.records, self.parts, weights, norms = {}, [], 0, 0
        for name in moments[0]:
            first = checked(moments[0][name], signed)
            if len(moments) > 1 and (total := weights + len(moments) * first.weights.size) > MOST_WEIGHTS:
                raise ValueError(f"Snapshots hold at most {MOST_WEIGHTS:,} weights; got {total:,}: leave out steps.")
            self.records[name] = [first, *(checked(moment[name], signed) for moment in moments[1:])]
            *_, last = self.records[name]
            if any(one.weights.shape != last.weights.shape or one[1:3] != last[1:3] for one in self.records[name]):
                raise ValueError("The snapshots must all have the same layers, heads and tokens.")
            self.parts.append(
                {
                    "name": name,
                    "shape": list(last.weights.shape),
                    "start": weights,
                    "queries": [visible(token) for token in last.query_tokens],
                    "keys": [visible(token) for token in last.key_tokens],
                    "value_norms": None if last.value_norms is None else norms,
                    "n_kv_heads": last.n_kv_heads,
                    "unscored": unscored(last.scores),
                    "patterns": [[] if signed else patterns_of(one) for one in self.records[name]],
                }
            )
            weights += len(moments) * last.weights.size
            norms += 0 if last.value_norms is None else len(moments) * last.value_norms.size
        self.one_layer = weights > MOST_WEIGHTS

    def opening(self, part: str, step: int) -> dict:
        """Return the head that a view shows first: of differences the one that differs most, else the most telling."""
        weights = self.records[part][step].weights
        if self.signed:
            layer, head = np.unravel_index(np.abs(weights).sum(axis=(-1, -2)).argmax(), weights.shape[:2])
        else:
            (patterns,) = (one["patterns"][step] for one in self.parts if one["name"] == part)
            layer, head = most_telling(weights, patterns)
        return {"layer": int(layer), "head": int(head)}

    def wire(self, part: str, layer: int) -> bytes:
        """Return the weights that the browser needs to show this part and layer."""
        if self.one_layer:
            return to_float16_bytes(self.records[part][0].weights[layer])
        return b"".join(to_float16_bytes(one.weights) for moments in self.records.values() for one in moments)

    def value_norms(self) -> bytes:
        """The norms of the values, 32 bits each."""
        known = [one.value_norms for moments in self.records.values() for one in moments if one.value_norms is not None]
        return b"".join(norms.astype("<f4").tobytes() for norms in known)

    def romanised(self) -> dict[str, str]:
        """Map each label that is not in Latin letters to its romanisation."""
        labels = {label for part in self.parts for label in part["queries"] + part["keys"]}
        return {text: romanised(text) for text in sorted(labels) if romanised(text) != text}


def checked(record: AttentionRecord, signed: bool) -> AttentionRecord:
    """Return the record with numpy arrays and complete tokens; ValueError if they do not fit together."""
    weights, query_tokens, key_tokens = validated_attention(*record[:3], lowest=-1 if signed else 0)
    L, H, T, S = weights.shape
    scores = None if record.scores is None else as_numbers("scores", record.scores, (L, H, T, S))
    for layer in range(0 if scores is None else L):
        check_scores(scores[layer], weights[layer], layer)
    norms = None if record.value_norms is None else as_numbers("value_norms", record.value_norms, (L, H, S))
    if norms is not None and not (np.isfinite(norms) & (norms >= 0)).all():
        raise ValueError(f"value_norms must be finite and at least 0; got {norms.min():.3g} to {norms.max():.3g}.")
    shared = record.n_kv_heads
    if shared is not None and (shared < 1 or H % shared):
        raise ValueError(f"n_kv_heads must divide the {H} heads; got {short_repr(shared)}.")
    return AttentionRecord(weights, query_tokens, key_tokens, scores, norms, None if shared == H else shared)


def patterns_of(record: AttentionRecord) -> list[HeadPattern]:
    """Return the patterns of a record's heads, their scores in the four digits that anyone may see."""
    found = head_patterns(record.weights, record.query_tokens, record.key_tokens)
    return [one._replace(score=round(one.score, 4)) for one in found]


def unscored(scores) -> list[int]:
    """Return the layers whose scores are unknown; none if no scores were given."""
    return [] if scores is None else np.flatnonzero(np.isnan(scores[:, 0, 0, 0])).tolist()


def check_scores(scores: np.ndarray, weights: np.ndarray, layer: int) -> None:
    """Raise ValueError unless a layer's weights (H, T, S) are the softmax of its scores, or the scores all NaN."""
    if np.isnan(scores).all():
        return
    with np.errstate(invalid="ignore"):  # of a row with every key masked: its weights are 0
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        apart = np.abs(np.nan_to_num(powers / powers.sum(axis=-1, keepdims=True)) - weights).max()
    if np.isnan(scores).any() or apart > ROUNDED:
        raise ValueError(
            f"scores must be what the softmax that made attention was given, -inf where masked; in layer {layer} their "
            f"softmax is up to {apart:.3f} away from it."
        )


def records_by_name(attention, query_tokens=None, key_tokens=None, **known) -> dict[str, AttentionRecord]:
    """Return the records by name; a single one is called "attention"."""
    if type(attention) is not dict:  # the output of a Hugging Face model is a kind of dict: as_weights knows it
        return {"attention": AttentionRecord(attention, query_tokens, key_tokens, **known)}
    if attention and query_tokens is None and all(isinstance(one, tuple) for one in attention.values()):
        return {name: AttentionRecord(*one) for name, one in attention.items()}
    # What record_attention gives: the decoder's tokens are the queries, the encoder's the keys, as in "cross".
    key_tokens = query_tokens if key_tokens is None else key_tokens
    tokens = {"cross": (query_tokens, key_tokens), "decoder": (query_tokens,) * 2, "encoder": (key_tokens,) * 2}
    if not attention or set(attention) - set(tokens):
        raise ValueError(f"attention, a dict, must have the names {', '.join(tokens)}; got {list(attention)}.")
    return {name: AttentionRecord(attention[name], *tokens[name], **known) for name in tokens if name in attention}
