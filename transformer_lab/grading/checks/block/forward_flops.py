"""Lesson 09: the checks of a formula for the FLOPs of a forward pass, against what torch counts."""

from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from ....analysis.access import replace_attention
from ....attention import scaled_dot_product_attention
from ....config import TransformerConfig
from ....models import GPT
from ...checking import Wrong, check
from ...draw import draw
from .cache_bytes import sizes
from .count_parameters import asked, whole_number


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


def compare_flops(flops, *changes: dict) -> None:
    for change in changes:
        # T is not 13: a lower triangle, 156 x 13 x 14 / 2, would be as much as a core of width d_model, 84 x 13 x 13.
        config, T = sizes(**change), draw.one_of(17, 29)
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
            return f"What is missing is exactly {words}."
    for words, size in too_much.items():
        if size > 0 and got - wanted == size:
            return f"What is too much is exactly {words}."
    if got == wanted - core + 2 * L * T * (T + 1) * H * d_head:
        return (
            "This counts only the lower triangle of the scores. A fused kernel may save the rest; the "
            "formula must count it."
        )
    if got == flops_with(config, config.max_len):
        return "This is for config.max_len tokens; wanted for the T tokens that are read."
    if got == flops_with(replace(config, d_head=None), T):
        return "d_model is taken for n_heads x d_head everywhere: config.head_width says how wide a head is."
    if got == wanted + L * (2 * T * 2 * D + 4 * T * T) * (D - H * d_head):
        return (
            "In W_Q, W_O and the core d_model is taken for n_heads x d_head: config.head_width says how wide a head is."
        )
    cores = {
        4
        * L
        * config.max_len**2
        * H
        * d_head: "In the core max_len tokens meet max_len tokens; wanted the T that are read.",
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
