"""Lesson 09: the checks of two costs: the memory of a cache, and the FLOPs of a forward pass."""

import random

import torch
from torch.utils.flop_counter import FlopCounterMode

from ...analysis.access import replace_attention
from ...attention import scaled_dot_product_attention
from ...config import TransformerConfig
from ...models import GPT
from ..score import Wrong, check
from ._block_count import asked, whole_number


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


class forward_flops:
    answers = ("forward_flops(config, T)",)

    @check("GPT-2's options, counted by torch", 2)
    def gpt2(flops):
        plain = {"positions": "learned", "activation": "gelu_tanh"}
        compare_flops(flops, plain, {**plain, "n_layers": 1})

    @check("Llama's options, counted by torch", 2)
    def llama(flops):
        compare_flops(
            flops,
            {"activation": "swiglu"},
            {"n_kv_heads": 2},
            {"d_head": 26},
            {"tie_embeddings": False},
            {"norm": "rms", "bias": False, "positions": "rotary", "activation": "swiglu", "n_kv_heads": 3},
        )


def sizes(n_heads: int = 6, **choices) -> TransformerConfig:
    """Sizes of which none is a small multiple of another: 8 bits, 4 bytes, 3 passes must not look like one of them."""
    fields = dict(vocab_size=53, d_model=n_heads * random.choice((14, 22)), n_heads=n_heads,
                  n_layers=random.choice((5, 7)), d_ff=random.choice((67, 71)), max_len=31,
                  positions="alibi")  # fmt: skip
    return TransformerConfig(**{**fields, **choices})


def compare_caches(cache_bytes, *changes: dict) -> None:
    for change in changes:
        config = sizes(n_heads=12, **change)  # with 6, sharing the values alone would look like four tensors a layer
        B, S, n_bytes = random.choice((9, 11)), random.choice((13, 17)), 19
        got = whole_number(asked(cache_bytes, config, B, S, n_bytes), "a number of bytes")
        wanted = held(config, B, S) * n_bytes  # only now: what is in no frame, the answer cannot copy
        if got != wanted:
            raise Wrong(
                f"n_layers={config.n_layers}, d_model={config.d_model}, n_heads={config.n_heads}, "
                f"n_kv_heads={config.n_kv_heads}, d_head={config.head_width}, B={B}, S={S}, {n_bytes} bytes a number: "
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
        "One token too many: wanted the S tokens read so far.": (S + 1) / S,
        "This is a cache of max_len tokens; wanted one of S tokens.": config.max_len / S,
        "The tokens of all steps are added up; after S tokens the cache holds S of them.": (S + 1) / 2,
        "S is counted twice: the cache grows with S, not with its square. (Scores are T x S, and are not kept.)": S,
        "One layer is missing.": (config.n_layers - 1) / config.n_layers,
        "One sequence too many.": (B + 1) / B,
        "One sequence is missing.": (B - 1) / B,
        "It is twice too much: keys and values are two tensors a layer, not four.": 2,
    }
    for words, factor in named.items():
        if factor != 1 and abs(got - wanted * factor) < 0.5:
            return words
    return "Two tensors a layer, each of shape (B, n_kv_heads, S, d_head)."


def compare_flops(flops, *changes: dict) -> None:
    for change in changes:
        config, T = sizes(**change), random.choice((13, 29))
        got = whole_number(asked(flops, config, T), "a number of FLOPs")
        wanted = measured(config, T)  # only now: what is in no frame, the answer cannot copy
        if got != wanted:
            names = ("vocab_size", "d_model", "n_heads", "n_kv_heads", "n_layers", "d_ff", "activation")
            said = ", ".join(f"{name}={getattr(config, name)!r}" for name in names)
            raise Wrong(
                f"{said}, d_head={config.head_width}, T={T}: yours is {got:,}, torch counts {wanted:,}. "
                + flop_fault(got, wanted, config, T)
            )


def measured(config: TransformerConfig, T: int) -> int:
    """What torch counts while the package's model runs, with attention written out as two products."""
    with torch.device("meta"):
        model, ids = GPT(config).eval(), torch.zeros(1, T, dtype=torch.long)
    counter = FlopCounterMode(display=False)
    with replace_attention(model, scaled_dot_product_attention), torch.no_grad(), counter:
        model(ids)
    return counter.get_total_flops()


def flops_with(config: TransformerConfig, T: int) -> int:
    """The formula, for naming a mistake: what is right is measured."""
    D, H, kv, d_head = config.d_model, config.n_heads, config.n_kv_heads or config.n_heads, config.head_width
    matrices = 2 * D * (H + kv) * d_head + (3 if config.activation == "swiglu" else 2) * D * config.d_ff
    return config.n_layers * (2 * T * matrices + 4 * T * T * H * d_head) + 2 * T * D * config.vocab_size


def flop_fault(got: int, wanted: int, config: TransformerConfig, T: int) -> str:
    D, L, F, V = config.d_model, config.n_layers, config.d_ff, config.vocab_size
    H, kv, d_head = config.n_heads, config.n_kv_heads or config.n_heads, config.head_width
    gated = config.activation == "swiglu"
    core, logits = 4 * L * T * T * H * d_head, 2 * T * D * V
    query, key, matrix = 2 * L * T * D * H * d_head, 2 * L * T * D * kv * d_head, 2 * L * T * D * F
    ff, attention = (2 + gated) * matrix, 2 * query + 2 * key
    biases = config.bias * L * T * (H * d_head + 2 * kv * d_head + 2 * D + (1 + gated) * F)
    factors = {
        "A multiplication and an addition are two operations: twice as much.": 1 / 2,
        "This is for one token; wanted for all T of them.": 1 / T,
        "This is forward and backward; wanted the forward pass alone.": 3,
        "T is counted once too often.": T,
        "This is twice what is wanted: a product of (n, k) and (k, m) costs 2 n k m, and one sequence is read.": 2,
        "Everything is multiplied by n_layers once more.": L,
    }
    for words, factor in factors.items():
        if got == round(wanted * factor):
            return words
    missing = {
        "the two products of the attention core, scores = q k^T and weights v": core,
        "one of the two products of the attention core (or half of each: one costs 2 n k m)": core // 2,
        "the logits, a product with a (d_model x vocab_size) matrix at each position": logits,
        "half of the logits (a product costs 2 n k m)": logits // 2,
        "half of all products with weights in the layers (each costs 2 n k m)": (attention + ff) // 2,
        "half of all products with weights (each costs 2 n k m)": (attention + ff + logits) // 2,
        "the gate of swiglu, a third matrix" if gated else "one of the two feed-forward matrices": matrix,
        "the feed-forward layers": ff,
        "the projections W_Q, W_K, W_V and W_O": attention,
        "one of the four projections W_Q, W_K, W_V and W_O" if kv == H else "W_O, or W_Q, which is as large": query,
        "W_K, or W_V, which is as large": key * (kv != H),
        "two of the four projections" if kv == H else "W_K and W_V": 2 * key,
        "the attention core with n_kv_heads heads (every query head scores, also with shared keys)": core
        - core * kv // H,
        "the logits at all positions but one (a GPT gives them at each)": logits - logits // T,
        "all layers but one": (core + attention + ff) * (L - 1) // L,
        "what W_Q and W_O have beyond d_model x d_model (config.head_width says how wide a head is)": 2 * query
        - 4 * L * T * D * D,
        "all four projections have beyond d_model x d_model (config.head_width says how wide a head is)": attention
        - 8 * L * T * D * D,
    }
    too_much = {
        "the embedding, if looking up were a product with its matrix (it multiplies nothing)": logits,
        "the embedding, at one operation for each number of its matrix (it multiplies nothing)": logits // 2,
        "the position table, if looking up were a product (it multiplies nothing)": 2 * T * config.max_len * D,
        "embedding and position table, if looking up were a product (it multiplies nothing)": logits
        + 2 * T * config.max_len * D,
        "the biases (they were to be left out)": biases,
        "the biases, two operations each (they were to be left out)": 2 * biases,
        "a third feed-forward matrix, which only swiglu has": matrix * (not gated),
        "W_K and W_V with a key for every head (n_kv_heads is smaller)": 4 * L * T * D * (H - kv) * d_head,
        "the logits of all layers but one (they are computed once)": logits * (L - 1),
        "feed-forward layers with d_ff = 4 d_model (config.d_ff says how wide they are)": (2 + gated)
        * 2
        * L
        * T
        * D
        * (4 * D - F),
        "one more core (is each of its products counted twice?)": core,
    }
    for words, size in missing.items():
        if size > 0 and wanted - got == size:
            return f"What is missing is as much as {words}."
    for words, size in too_much.items():
        if size > 0 and got - wanted == size:
            return f"What is too much is as much as {words}."
    if got == wanted - core + 2 * L * T * (T + 1) * H * d_head:
        return (
            "This counts only the lower triangle of the scores. A fused kernel may save it; the formula asked for not."
        )
    if got == flops_with(config, config.max_len):
        return "This is for config.max_len tokens; wanted for the T tokens that are read."
    cores = {
        4 * L * T * H * d_head: "In the core each of T queries meets T keys: T x T.",
        4 * L * T * config.max_len * H * d_head: "In the core T queries meet the T tokens read, not max_len.",
        core // H: "The core is counted for one head; each layer has n_heads of them.",
        4
        * L
        * T
        * T
        * D: "In the core d_model is taken for n_heads x d_head: config.head_width says how wide a head is.",
        4 * L * T * T * H * D: "In the core each head counts d_model features; a head is config.head_width wide.",
    }
    if got - wanted + core in cores:
        return cores[got - wanted + core]
    for grows, words in (
        (L * H * T * T, "H T x T: is the softmax or the scale counted? They were"),
        (L * T * F, "T x d_ff: is the activation counted? It was"),
        ((2 * L + 1) * T * D, "T x d_model and the norms: are they counted? They were"),
        (2 * L * T * D, "T x d_model: are the norms or the additions counted? They were"),
    ):
        if got - wanted in [k * grows for k in range(1, 13)]:
            return f"What is too much grows with {words} to be left out."
    with torch.device("meta"):
        total = sum(parameter.numel() for parameter in GPT(config).parameters())
    rest = "too, and leaves out the core: only matrix products are wanted, and all of them."
    if got in (2 * T * total, 2 * T * total + core):
        return f"2 x parameters x T counts embeddings, norms and biases {rest}"
    if got in (2 * T * (total - V * D), 2 * T * (total - V * D) + core):
        return f"2 x parameters x T without the embedding counts norms and biases {rest}"
    if got in (6 * T * total, 6 * T * total + 3 * core):
        return "6 x parameters x T is the rule of thumb for training, forward and backward, embeddings, norms and all."
    if got == 2 * total:
        return f"2 x parameters is for one token, counts embeddings, norms and biases {rest}"
    return (
        "Count product by product: (n x k) @ (k x m) costs 2 n k m. Four projections, two products in the core, two or "
        "three matrices in the feed-forward layer, and once the logits."
    )
