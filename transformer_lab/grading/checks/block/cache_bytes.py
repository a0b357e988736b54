"""Lesson 09: the checks of a formula for the memory of a cache."""

import torch

from ....config import TransformerConfig
from ....models import GPT
from ...checking import Wrong, check
from ...draw import draw
from .count_parameters import asked, whole_number


class cache_bytes:
    answers = ("cache_bytes(config, B, S, bytes_per_number)",)

    @check("the bytes that a full cache really holds", 1.5)
    def plain(cache_bytes):
        compare_caches(cache_bytes, {}, {"n_layers": 1})

    @check("with keys and values that heads share, and a d_head of its own", 1.5)
    def grouped(cache_bytes):
        compare_caches(
            cache_bytes, {"n_kv_heads": 2}, {"n_kv_heads": 1}, {"d_head": 26}, {"n_kv_heads": 3, "d_head": 10}
        )


def sizes(n_heads: int = 6, **choices) -> TransformerConfig:
    """Sizes of which none is a small multiple of another: 8 bits, 4 bytes, 3 passes must not look like one of them."""
    fields = dict(vocab_size=53, d_model=n_heads * draw.one_of(14, 22), n_heads=n_heads,
                  n_layers=draw.one_of(5, 7), d_ff=draw.one_of(67, 71), max_len=31,
                  positions="alibi")  # fmt: skip
    return TransformerConfig(**{**fields, **choices})


def compare_caches(cache_bytes, *changes: dict) -> None:
    for change in changes:
        config = sizes(n_heads=12, **change)  # with 6, sharing the values alone would look like four tensors per layer
        B, S, n_bytes = draw.one_of(9, 11), draw.one_of(13, 17), 19
        got = whole_number(asked(cache_bytes, config, B, S, n_bytes), "a number of bytes")
        wanted = held(config, B, S) * n_bytes  # only now: what is in no frame, the answer cannot copy
        if got != wanted:
            raise Wrong(
                f"n_layers={config.n_layers}, d_model={config.d_model}, n_heads={config.n_heads}, "
                f"n_kv_heads={config.n_kv_heads}, d_head={config.head_width}, B={B}, S={S}, {n_bytes} bytes "
                "per number: "
                f"yours is {got:,}, a full cache holds {wanted:,} bytes. "
                + cache_fault(got, wanted, config, B, S, n_bytes)
            )


def held(config: TransformerConfig, B: int, S: int) -> int:
    """How many numbers the package's own cache holds after S tokens of B sequences."""
    with torch.device("meta"):
        model = GPT(config).eval()
        cache = model.decoder.new_cache()
        with torch.no_grad():
            model.decode(torch.zeros(B, S, dtype=torch.long), cache=cache)
    return sum(tensor.numel() for own, _ in cache for tensor in (own.keys, own.values))


def cache_fault(got, wanted, config, B, S, n_bytes) -> str:
    kv, d_head = config.n_kv_heads or config.n_heads, config.head_width
    scores = config.n_layers * B * config.n_heads * S * S * n_bytes
    if got in (scores, 2 * scores):
        return "These are the scores, (B, n_heads, S, S) in each layer: they are not kept. Kept are keys and values."
    if got - wanted in (scores, 2 * scores):
        return "The scores, (B, n_heads, S, S) in each layer, are counted as well: they are not kept."
    if got in (wanted // 1000, wanted // 1024):
        return "These are kilobytes; wanted bytes."
    if got - wanted in [
        config.n_layers * B * S * n_bytes * width for width in (config.n_heads * d_head, config.d_model)
    ]:
        return "Queries are counted as well (or the layers' inputs); they are used once and not kept."
    one = kv * d_head
    named = {
        "Keys and values are both kept: twice as much.": 1 / 2,
        "Each layer has a cache of its own: times n_layers.": 1 / config.n_layers,
        "Each sequence has a cache of its own: times B.": 1 / B,
        "Every token read so far is kept: times S.": 1 / S,
        "This is how many numbers there are; wanted bytes.": 1 / n_bytes,
        "The width of a head is missing.": 1 / d_head,
        "The number of key heads is missing: n_kv_heads, or n_heads where that is None.": 1 / kv,
        "bytes_per_number is ignored: not every number takes 4 bytes.": 4 / n_bytes,
        "bytes_per_number is ignored: not every number takes 2 bytes.": 2 / n_bytes,
        "bytes_per_number is ignored: not every number takes 8 bytes.": 8 / n_bytes,
        "These are bits: a byte has 8.": 8,
        "It is divided by 8, as if bits were given; they are bytes.": 1 / 8,
        "n_kv_heads is ignored: the cache holds one key for each group of heads.": config.n_heads / kv,
        "n_heads / n_kv_heads is how many queries share a key; the cache holds n_kv_heads keys.": config.n_heads
        / kv**2,
        "Of keys and values, one is counted for every query head: n_kv_heads of each are kept.": (config.n_heads + kv)
        / (2 * kv),
        "d_head is not d_model / n_heads here: config.head_width says it.": config.d_model / config.n_heads / d_head,
        "d_model is the width taken; a cached key has n_kv_heads x d_head numbers.": config.d_model / one,
        "d_model is taken for the width of one head; that is config.head_width.": config.d_model / d_head,
        "d_ff is the width taken; a cached key has n_kv_heads x d_head numbers.": config.d_ff / one,
        "One token is missing: wanted all S tokens read so far.": (S - 1) / S,
        "There is one token too many: wanted the S tokens read so far.": (S + 1) / S,
        "This is a cache of max_len tokens; wanted one of S tokens.": config.max_len / S,
        "The tokens of all steps are added up; after S tokens the cache holds S of them.": (S + 1) / 2,
        "S is counted twice: the cache grows with S, not with its square. (Scores are T x S, and are not kept.)": S,
        "One layer is missing.": (config.n_layers - 1) / config.n_layers,
        "There is one sequence too many.": (B + 1) / B,
        "One sequence is missing.": (B - 1) / B,
        "It is twice too much: keys and values are two tensors per layer, not four.": 2,
    }
    for words, factor in named.items():
        if factor != 1 and abs(got - wanted * factor) < 0.5:
            return words
    return "Two tensors per layer, each of shape (B, n_kv_heads, S, d_head)."
