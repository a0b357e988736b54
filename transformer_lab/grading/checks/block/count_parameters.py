"""Lesson 09: the checks of a formula for the number of parameters, against models that are really built."""

import itertools
import numbers
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_module_registration_hook

from ....config import TransformerConfig
from ....models import BERT, GPT, Transformer
from ...checking import Wrong, check
from ...draw import draw

MODELS = {"Transformer": Transformer, "GPT": GPT, "BERT": BERT}


class count_parameters:
    answers = ("count_parameters(config, family)",)

    @check("one decoder block after another: GPT-2's options", 2)
    def gpt2(count):
        compare_counts(
            count,
            "GPT",
            {"positions": "learned", "activation": "gelu_tanh"},
            {"n_layers": 1},
            {"bias": False},
            {"norm_position": "post"},
            {"activation": "relu"},
        )

    @check("Llama's options: RMSNorm, gate, shared keys, a d_head of its own, an output layer", 1.5)
    def llama(count):
        plain = {"positions": "rotary", "bias": False}
        compare_counts(
            count, "GPT", plain, {"norm": "rms"}, {"activation": "swiglu"}, {"n_kv_heads": 1},
            {"d_head": 6}, {"tie_embeddings": False}, {"positions": "alibi"}, {"positions": "sinusoidal"},
            {"bias": True, "norm": "rms", "activation": "swiglu", "n_kv_heads": 1, "tie_embeddings": False},
        )  # fmt: skip

    @check("BERT's options: post-norm, segments, a norm on the embeddings, two heads", 1.5)
    def bert(count):
        plain = {"positions": "learned", "norm_position": "post", "activation": "gelu"}
        compare_counts(
            count, "BERT", plain, {"n_segments": 2}, {"norm_embeddings": True}, {"pooler": True},
            {"masked_lm_head": True}, {"norm_position": "pre"}, {"tie_embeddings": False},
            {"bias": False}, {"positions": "sinusoidal"},
            {"n_segments": 3, "norm_embeddings": True, "pooler": True, "masked_lm_head": True},
            {"norm": "rms", "bias": False, "norm_embeddings": True, "pooler": True, "masked_lm_head": True},
        )  # fmt: skip

    @check("two stacks: the encoder-decoder of 2017", 1)
    def encoder_decoder(count):
        plain = {"positions": "sinusoidal", "norm_position": "post"}
        compare_counts(
            count, "Transformer", plain, {"n_layers": 1}, {"tie_embeddings": False},
            {"norm_position": "pre"}, {"positions": "learned"}, {"d_head": 6}, {"n_kv_heads": 1},
            {"norm": "rms", "bias": False, "n_kv_heads": 1, "activation": "swiglu"},
        )  # fmt: skip


def compare_counts(count, family: str, plain: dict, *changes: dict) -> None:
    """The answer for a plain configuration, then for one change of it at a time: each change is a fact of its own."""
    for change in ({}, *changes):
        config = sizes(**{**plain, **change})
        with watching_for_models() as made:
            got = whole_number(asked(count, config, family))
        wanted = built(config, family)  # only now: what is in no frame, the answer cannot copy
        if made:
            raise Wrong(
                f"The number is read off a model that your function builds (a {made[0]} was made). Wanted is "
                "arithmetic with the config's fields, so that you know where each parameter comes from."
            )
        if got != wanted:
            raise explain(got, wanted, config, family, change)


def sizes(**choices) -> TransformerConfig:
    """Random sizes, no two of them alike, so that no formula is right by chance."""
    n_heads, width = 4, draw.one_of(6, 8, 10)
    fields = dict(
        vocab_size=draw.one_of(53, 59, 61), d_model=n_heads * width, n_heads=n_heads,
        n_layers=draw.one_of(3, 5), d_ff=draw.one_of(71, 73, 79), max_len=draw.one_of(17, 19, 23),
    )  # fmt: skip
    if choices.get("d_head") is not None:
        choices["d_head"] = width + 4
    return TransformerConfig(**{**fields, **choices})


def built(config: TransformerConfig, family: str) -> int:
    """What a model of this configuration really holds, without the memory for it."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in MODELS[family](config).parameters())


@contextmanager
def watching_for_models():
    """The names of the package's modules that are put together inside the with block."""
    made = []

    def seen(module, name, part):
        if type(module).__module__.startswith("transformer_lab."):
            made.append(type(module).__name__)

    handle = register_module_module_registration_hook(seen)
    try:
        yield made
    finally:
        handle.remove()


def asked(function, config: TransformerConfig, *args):
    """The answer for this config; if it stumbles over a field that is None, which field says more."""
    try:
        return function(config, *args)
    except TypeError as error:
        if "NoneType" in str(error):
            error.add_note(
                "config.n_kv_heads is None where each query head has a key of its own (n_heads of them), and "
                "config.d_head where a head is d_model / n_heads wide: config.head_width is always a number."
            )
        raise


def whole_number(value, what: str = "a number of parameters") -> int:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise Wrong(f"A {type(value).__name__} came back; wanted one whole number.")
    if value != value or abs(value) == float("inf") or value != int(value):
        raise Wrong(f"{value} came back: {what} is whole. Use // for a division, and no millions or megabytes.")
    return int(value)


def embedding_of(config: TransformerConfig, family: str) -> str:
    """The table of tokens, in words, and what else has its size in this model."""
    if family == "BERT":
        return "the token embedding (vocab_size x d_model; a BERT's output layer is the same table, counted once)"
    if not config.tie_embeddings:
        return "the token embedding, or the output layer: an untied model has both (vocab_size x d_model each)"
    return "the token embedding (vocab_size x d_model)"


def quantities(config: TransformerConfig, family: str) -> dict[str, int]:
    """Every part that can be forgotten or counted too often, and its size: the words complete "..."."""
    V, D, L, F = config.vocab_size, config.d_model, config.n_layers, config.d_ff
    queries, keys = config.n_heads * config.head_width, (config.n_kv_heads or config.n_heads) * config.head_width
    cross = family == "Transformer"
    attentions, blocks, norms = L * (3 if cross else 1), L * (2 if cross else 1), L * (5 if cross else 2)
    gate, b = (3 if config.activation == "swiglu" else 2), int(config.bias)
    norm = D if config.norm == "rms" else 2 * D
    attention_bias, ff_bias = queries + 2 * keys + D, (gate - 1) * F + D
    attention = 2 * D * queries + 2 * D * keys + b * attention_bias
    feed_forward = gate * D * F + b * ff_bias
    block = attention + feed_forward + 2 * norm
    stacks = 2 if cross else 1
    found = {
        embedding_of(config, family): V * D,
        "the table of positions (max_len x d_model)": config.max_len * D,
        "the norm at the end of one stack (a pre-norm stack has one, a post-norm stack none)": norm,
        "the norms of all blocks": norms * norm,
        "one of the two norms of each block": blocks * norm,
        "the shifts beta of all norms (a LayerNorm has gamma and beta, an RMSNorm gamma alone)": D
        * (norms + (stacks if config.norm_position == "pre" else 0) + config.norm_embeddings),
        "the beta of the norms inside the blocks (a LayerNorm has gamma and beta, an RMSNorm gamma alone)": D * norms,
        "all attentions": attentions * attention,
        "the output projections W_O of all attentions": attentions * (D * queries + b * D),
        "the matrices W_O of all attentions": attentions * D * queries,
        "the biases of all attentions": attentions * attention_bias,
        "the biases of W_O": attentions * D,
        "W_K and W_V with their biases (n_kv_heads is None where each query head has a key of its own)": attentions
        * 2
        * keys
        * (D + b),
        "the biases of W_Q, W_K and W_V": attentions * (queries + 2 * keys),
        "all feed-forward layers": blocks * feed_forward,
        "the second matrices W_2 of all feed-forward layers": blocks * D * F,
        "the biases of all feed-forward layers": blocks * ff_bias,
        "the first biases of all feed-forward layers (d_ff each)": blocks * F,
        "the second biases of all feed-forward layers (d_model each)": blocks * D,
        "the biases of all linear layers": attentions * attention_bias + blocks * ff_bias,
        "the gates of all feed-forward layers (swiglu has three matrices, not two)": blocks * (D * F + b * F),
        "the gates' matrices (swiglu has three, not two)": blocks * D * F,
        "the gates' biases": blocks * F,
        "one whole block": block,
        "all blocks but one (is n_layers in the formula?)": (L - 1) * block,
        "vocab_size numbers (is there a bias on the output layer? only the masked-LM head has one)": V
        * (not config.masked_lm_head),
    }
    if keys != queries:
        found["what W_K and W_V would hold if each query head had its own (n_kv_heads is smaller)"] = (
            attentions * 2 * (queries - keys) * (D + b)
        )
    if queries != D:
        found["what W_Q and W_O would hold if d_head were d_model / n_heads (config.head_width says what it is)"] = (
            attentions * 2 * (queries - D) * D
        )
        found["what the biases of W_O would hold if they were n_heads x d_head numbers (they are d_model)"] = (
            attentions * b * (queries - D)
        )
        plain = 4 * D * D + b * 4 * D
        found["what an attention holds beyond 4 d_model^2 (d_head is not d_model / n_heads here)"] = attentions * (
            attention - plain
        )
    if cross:
        found |= {
            "one block of each stack": 2 * block + attention + norm,
            "one block of each stack, without its cross-attention": 2 * block,
            "the norms at the end of both stacks (a pre-norm stack has one, a post-norm stack none)": 2 * norm,
            "a second table of positions (the package's model has one, for both stacks)": config.max_len * D,
            "one stack (an encoder and a decoder have n_layers blocks each)": L * block,
            "the cross-attentions of the decoder": L * attention,
            "the cross-attentions of the decoder, each with its norm": L * (attention + norm),
            "the third norm of each decoder block": L * norm,
            "the encoder's feed-forward layers and the decoder's attentions": L * (feed_forward + 2 * attention),
            "the encoder's feed-forward layers and the decoder's self-attentions": L * (feed_forward + attention),
            "the encoder's feed-forward layers": L * feed_forward,
            "the decoder's feed-forward layers": L * feed_forward,
        }
    if family == "BERT":
        found |= {
            "the segments (n_segments x d_model)": config.n_segments * D,
            "two segments (config.n_segments says how many there are)": 2 * D * (config.n_segments != 2),
            "one segment (config.n_segments says how many there are)": D * (config.n_segments == 0),
            "one of the segments (n_segments x d_model in all)": D * (config.n_segments > 1),
            "the shifts beta of all norms, that of the masked-LM head too (an RMSNorm has gamma alone)": D
            * (norms + (config.norm_position == "pre") + config.norm_embeddings + config.masked_lm_head),
            "the norm on the embeddings": norm,
            "the pooler (d_model x d_model and a bias)": D * D + D,
            "the pooler's bias": D,
            "the masked-LM head": D * D + D + norm + V,
            "the masked-LM head's dense layer": D * D + D,
            "the masked-LM head's norm": norm,
            "the masked-LM head's bias (vocab_size)": V,
            "the biases of pooler or masked-LM head (d_model), which stay whatever config.bias says": D,
        }
    return {words: size for words, size in found.items() if size}


# What is in question when a choice has just been changed; the words are those of `quantities`.
ABOUT = {
    "n_kv_heads": "n_kv_heads",
    "activation": "gate",
    "norm": "beta",
    "tie_embeddings": "token embedding",
    "d_head": "d_head",
    "n_segments": "segments",
    "norm_embeddings": "norm on the embeddings",
    "pooler": "pooler",
    "masked_lm_head": "masked-LM",
    "norm_position": "end of one stack",
    "bias": "bias",
    "positions": "positions",
}


def most_likely_first(parts: dict, change: dict, family: str) -> dict:
    """Two parts can be of one size: those that the last change is about come first, then what two stacks bring."""

    def order(words):
        about = any(ABOUT.get(name, "?") in words for name in change)
        stacks = family == "Transformer" and any(s in words for s in ("cross", "coder", "one stack (", "third"))
        return -2 * about - stacks

    return dict(sorted(parts.items(), key=lambda item: order(item[0])))


GPT2_SMALL = 124_439_808
MIXED = "the encoder's feed-forward layers and the decoder's"


def explain(got: int, wanted: int, config: TransformerConfig, family: str, change: dict) -> Wrong:
    """Which part, or which two, make up what is missing or too much."""
    missing = wanted - got
    text = f"{family} of {described(config)}: yours is {got:,}, the model holds {wanted:,}. "
    parts = most_likely_first(quantities(config, family), change, family)
    changed = ", ".join(f"{name}={value!r}" for name, value in change.items())
    only = f" (Without {changed} yours is right.)" if change else ""
    H = config.n_heads
    gated = config.activation == "swiglu" or missing < 0
    fitting = [words for words, size in parts.items() if size == abs(missing) and (gated or "gate" not in words)]
    if fitting:
        about = [words for words in fitting if any(ABOUT.get(name, "?") in words for name in change)]
        misconception = "M29" if fitting[0].startswith(MIXED) else None
        listed = ", or ".join((about or fitting)[: 1 if misconception else 3])
        what = "missing" if missing > 0 else "too much"
        return Wrong(f"{text}What is {what} is exactly {listed}.{only}", misconception)
    if got == GPT2_SMALL:
        return Wrong(f"{text}That is GPT-2 small, whatever the config: take the sizes from config.{only}")
    attentions = parts["all attentions"]
    if -missing in ((H - 1) * attentions, (H - 1) * (attentions - parts.get("the biases of all attentions", 0))):
        return Wrong(f"{text}Attention is counted {H} times: heads share the width, d_model = H d_head.{only}")
    if got == 4 * wanted:
        return Wrong(f"{text}This is the number of bytes in float32; wanted the number of parameters.{only}")
    if got == -wanted:
        return Wrong(f"{text}The sign is wrong.{only}")
    D, F, blocks = config.d_model, config.d_ff, config.n_layers * (2 if family == "Transformer" else 1)
    if got in (12 * config.n_layers * D * D, 12 * config.n_layers * D * D + config.vocab_size * D):
        words = "12 L d_model^2 is a rule of thumb for d_ff = 4 d_model, without biases and norms: take the fields"
        return Wrong(f"{text}{words} one by one.{only}")
    gate, bias = (3 if config.activation == "swiglu" else 2), int(config.bias)
    wide = blocks * (4 * D - F) * (gate * D + bias * (gate - 1))
    if -missing == wide or -missing == blocks * (4 * D - F) * gate * D:
        return Wrong(f"{text}It would be right if d_ff were 4 d_model: take config.d_ff.{only}")
    if len(pairs := list(two_parts(parts, missing))) == 1:  # of several, most would be there by chance
        return Wrong(f"{text}It would fit a model {pairs[0]}.{only}")
    direction = f"{missing:,} are missing" if missing > 0 else f"{-missing:,} are too many"
    return Wrong(f"{text}{direction}. Count part by part: embedding, one block, norm, output.{only}")


def two_parts(parts: dict, missing: int):
    """Which two parts, left out or counted too often, would make up what is missing; parts of one size count once."""
    sized = {size: words for words, size in reversed(parts.items())}
    for (a, first), (b, second) in itertools.combinations(reversed(sized.items()), 2):
        for s, t in itertools.product((1, -1), repeat=2):
            if missing == s * a + t * b and not (first in second or second in first):
                yield ", and ".join(
                    f"{'+' if sign < 0 else 'without'} {part}" for sign, part in ((s, first), (t, second))
                )


def described(config: TransformerConfig) -> str:
    names = ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "max_len", "norm", "norm_position", "activation")
    return ", ".join(f"{name}={getattr(config, name)!r}" for name in names)
