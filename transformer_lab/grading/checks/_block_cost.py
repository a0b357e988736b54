"""Lesson 09: the checks of two costs: the memory of a cache, and the FLOPs of a forward pass."""

import random

import torch
from torch.utils.flop_counter import FlopCounterMode

from ...analysis import replace_attention
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
            cache_bytes, {"n_kv_heads": 2}, {"n_kv_heads": 1}, {"d_head": 14}, {"n_kv_heads": 3, "d_head": 4}
        )


class forward_flops:
    answers = ("forward_flops(config, T)",)

    @check("GPT-2's options, counted by torch", 2)
    def gpt2(flops):
        compare_flops(flops, {"positions": "learned"}, {"positions": "learned", "n_layers": 1})

    @check("Llama's options, counted by torch", 2)
    def llama(flops):
        compare_flops(
            flops,
            {"activation": "swiglu"},
            {"n_kv_heads": 2},
            {"d_head": 14},
            {"tie_embeddings": False},
            {"norm": "rms", "bias": False, "positions": "rotary", "activation": "swiglu", "n_kv_heads": 3},
        )


def sizes(**choices) -> TransformerConfig:
    fields = dict(vocab_size=53, d_model=6 * random.choice((8, 10)), n_heads=6, n_layers=random.choice((3, 5)),
                  d_ff=random.choice((67, 71)), max_len=31, positions="alibi")  # fmt: skip
    return TransformerConfig(**{**fields, **choices})


def compare_caches(cache_bytes, *changes: dict) -> None:
    for change in changes:
        config = sizes(**change)
        B, S, n_bytes = random.choice((7, 9)), random.choice((11, 13)), 16
        wanted = held(config, B, S) * n_bytes
        got = whole_number(asked(cache_bytes, config, B, S, n_bytes), "a number of bytes")
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
    group = config.n_heads // kv
    named = (
        (4 / n_bytes, "bytes_per_number is ignored: not every number takes 4 bytes."),
        (
            group / kv if group > 1 else 1,
            "n_heads / n_kv_heads is how many queries share a key; the cache holds n_kv_heads keys.",
        ),
        ((S - 1) / S, "One token is missing: wanted all S tokens read so far."),
        ((S + 1) / S, "One token too many: wanted the S tokens read so far."),
        (config.n_heads / kv, "n_kv_heads is ignored: the cache holds one key for each group of heads."),
        (
            (config.d_model // config.n_heads) / d_head,
            "d_head is not d_model / n_heads here: config.head_width says it.",
        ),
        (config.d_model / (kv * d_head), "d_model is the width taken; a cached key has n_kv_heads x d_head numbers."),
        (1 / 2, "Keys and values are both kept: twice as much."),
        (1 / config.n_layers, "Each layer has a cache of its own: times n_layers."),
        (1 / B, "Each sequence has a cache of its own: times B."),
        (1 / S, "Every token read so far is kept: times S."),
        (S, "S is counted twice: the cache grows with S, not with its square. (Scores are T x S, and are not kept.)"),
        (1 / n_bytes, "This is how many numbers there are; wanted bytes."),
        (8, "These are bits: a byte has 8."),
        (1 / d_head, "The width of a head is missing."),
        (1 / kv, "The number of key heads is missing: n_kv_heads, or n_heads where that is None."),
        (2, "It is counted twice: keys and values are two tensors, not four."),
        (3 / 2, "Queries are counted as well; they are used once and not kept."),
        (config.max_len / S, "This is a cache of max_len tokens; wanted one of S tokens."),
    )
    for factor, words in named:
        if factor != 1 and abs(got - wanted * factor) < 0.5:
            return words
    return "Two tensors a layer, each of shape (B, n_kv_heads, S, d_head)."


def compare_flops(flops, *changes: dict) -> None:
    for change in changes:
        config, T = sizes(**change), random.choice((13, 29))
        wanted = measured(config, T)
        got = whole_number(asked(flops, config, T), "a number of FLOPs")
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
    gate = 3 if config.activation == "swiglu" else 2
    core, logits = 4 * L * T * T * H * d_head, 2 * T * D * V
    keys, ff = 4 * L * T * D * kv * d_head, 2 * L * T * gate * D * F
    attention = 4 * L * T * D * H * d_head + keys
    per_token = [(1 / 2, "A multiplication and an addition are two operations: twice as much."),
                 (1 / T, "This is for one token; wanted for all T of them."),
                 (3, "This is forward and backward; wanted the forward pass alone."),
                 (T, "T is counted once too often.")]  # fmt: skip
    for factor, words in per_token:
        if got == round(wanted * factor):
            return words
    named = {
        "the two products of the attention core, scores = q k^T and weights v": core,
        "one of the two products of the attention core": core // 2,
        "the logits, a product with a (d_model x vocab_size) matrix at each position": logits,
        "the gate of swiglu, a third matrix": 2 * L * T * D * F,
        "the feed-forward layers": ff,
        "the projections W_Q, W_K, W_V and W_O": attention,
        "W_O": 2 * L * T * D * H * d_head,
        "W_Q": 2 * L * T * D * H * d_head,
        "W_K and W_V with a key for every head (n_kv_heads is smaller)": 4 * L * T * D * (H - kv) * d_head,
        "the attention core with n_kv_heads heads (every query head scores, also with shared keys)": core
        - core * kv // H,
        "the logits at all positions but one (a GPT gives them at each)": logits - logits // T,
        "the logits of all layers but one (they are computed once)": logits * (L - 1),
        "the biases (they were to be left out)": L * T * (config.bias * (H * d_head + 2 * kv * d_head + 2 * D + F)),
        "all layers but one": (core + attention + ff) * (L - 1) // L,
        "the position table or embedding (a look-up multiplies nothing)": 2 * T * config.max_len * D,
    }
    for words, size in named.items():
        if size and wanted - got == size:
            return f"What is missing is as much as {words}."
        if size and got - wanted == size:
            return f"What is too much is as much as {words}."
    if got == wanted - core + 2 * L * T * (T + 1) * H * d_head:
        return (
            "This counts only the lower triangle of the scores. A fused kernel may save it; the formula asked for not."
        )
    if got == flops_with(config, config.max_len):
        return "This is for config.max_len tokens; wanted for the T tokens that are read."
    if got - wanted in [k * L * H * T * T for k in range(1, 6)]:
        return "What is too much grows with H T x T: is the softmax or the scale counted? They were to be left out."
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
    with torch.device("meta"):
        total = sum(parameter.numel() for parameter in GPT(config).parameters())
    if got in (2 * T * total, 2 * T * total + core):
        return (
            "2 x parameters x T counts embeddings, norms and biases too: only matrix products are wanted, and the core."
        )
    return (
        "Count product by product: (n x k) @ (k x m) costs 2 n k m. Four projections, two products in the core, two or "
        "three matrices in the feed-forward layer, and once the logits."
    )
