"""Lesson 09: the checks of a reader of weights: which family, which sizes, told by names and shapes alone."""

import random

import torch

from ...config import TransformerConfig
from ..score import Wrong, check
from ._block_count import MODELS
from .common import chosen

FAMILIES = {"encoder-decoder": "Transformer", "GPT-2": "GPT", "BERT": "BERT", "Llama": "GPT"}
SIZES = ("n_layers", "d_model", "d_ff", "vocab_size", "group")


class identify:
    answers = ("identify(shapes)", ("yes", "no"))

    @check("the family", 1)
    def family(identify, heads_known):
        for family in FAMILIES:
            shapes, wanted = listing(family)
            found = read(identify, shapes)
            expect(found, wanted, "family", shapes)

    @check("the sizes", 2)
    def sizes(identify, heads_known):
        for family in ("GPT-2", "BERT", "encoder-decoder", "Llama"):
            for n_layers in (2, 12):
                shapes, wanted = listing(family, n_layers)
                found = read(identify, shapes)
                for name in SIZES:
                    expect(found, wanted, name, shapes)

    @check("can n_heads be read off the shapes?", 1)
    def heads(identify, heads_known):
        if chosen(heads_known, ("yes", "no"), "heads_known") != "no":
            raise Wrong(
                'You chose "yes". W_Q has the shape (n_heads x d_head, d_model): 8 heads of 64 and 16 of 32 give the '
                "same shapes. Build two such models and compare. (Only a ratio is visible: n_heads / n_kv_heads.)"
            )


def listing(family: str, n_layers: int = 3) -> tuple[dict, dict]:
    """(names and shapes of a model's weights in random order, what is to be found)"""
    sizes = dict(vocab_size=random.choice((301, 307)), d_model=24, n_heads=4, n_layers=n_layers,
                 d_ff=random.choice((67, 90)), max_len=random.choice((35, 37)))  # fmt: skip
    choices = {
        "encoder-decoder": dict(norm_position="post"),
        "GPT-2": dict(positions="learned"),
        "BERT": dict(positions="learned", norm_position="post", n_segments=2, norm_embeddings=True, pooler=True),
        "Llama": dict(norm="rms", activation="swiglu", positions="rotary", bias=False, n_kv_heads=random.choice((1, 2)),
                      d_head=random.choice((8, 10)), tie_embeddings=random.choice((True, False))),
    }  # fmt: skip
    config = TransformerConfig(**sizes, **choices[family])
    with torch.device("meta"):
        state = MODELS[FAMILIES[family]](config).state_dict()
    names = list(state)
    random.shuffle(names)
    wanted = {name: getattr(config, name) for name in SIZES[:-1]}
    wanted |= {"family": family, "group": config.n_heads // (config.n_kv_heads or config.n_heads)}
    return {name: tuple(state[name].shape) for name in names}, wanted


def read(identify, shapes: dict) -> dict:
    found = identify(dict(shapes))
    if not isinstance(found, dict):
        raise Wrong(
            f"A {type(found).__name__} came back; wanted a dictionary with the keys family, {', '.join(SIZES)}."
        )
    return found


def expect(found: dict, wanted: dict, name: str, shapes: dict) -> None:
    if name not in found:
        raise Wrong(f"The dictionary has no key {name!r}; its keys are {', '.join(map(str, found)) or 'none'}.")
    got, right = found[name], wanted[name]
    if got == right:
        return
    text = f"A {wanted['family']} model with {wanted['n_layers']} layers: {name} is {got!r}, wanted {right!r}."
    raise Wrong(f"{text} {hint(name, got, wanted, shapes)}".strip())


def hint(name: str, got, wanted: dict, shapes: dict) -> str:
    if name == "family":
        return family_hint(got, wanted["family"])
    sizes = {key: wanted[key] for key in SIZES}
    q = next(shape for key, shape in shapes.items() if key.endswith("attention.w_q.weight"))
    k = next(shape for key, shape in shapes.items() if key.endswith("attention.w_k.weight"))
    if name == "n_layers":
        if got == wanted["n_layers"] - 1:
            return "The first block has the number 0."
        if got == 2 * wanted["n_layers"]:
            return "n_layers counts the blocks of one stack: the encoder has as many as the decoder."
        if got == 10 and wanted["n_layers"] == 12:
            return 'As text "9" is larger than "11": turn the numbers into int before you take the largest.'
        return "The numbers after `blocks.` count the layers; names come in any order."
    if name == "d_model" and got == q[0]:
        return "W_Q has shape (n_heads x d_head, d_model): d_model is its second number, or the embedding's."
    if name == "group":
        if got == 1 / wanted["group"]:
            return "It is upside down: n_heads / n_kv_heads is at least 1."
        if got == 1:
            return "Compare the rows of w_q, n_heads x d_head, with those of w_k, n_kv_heads x d_head."
        if isinstance(got, (int, float)) and got in (q[0] / q[1], k[1] / k[0], q[1] / k[0]):
            return f"w_q is {q}, w_k is {k}: compare their rows, not rows with columns (d_head may be of its own)."
    for other, size in sizes.items():
        if other != name and got == size:
            return f"That is {other}: nn.Linear keeps (outputs, inputs), an embedding (rows, d_model)."
    if any(got == n for n in (next((s for key, s in shapes.items() if "positions" in key), (None,)))[:1]):
        return "That is max_len, from the table of positions."
    return "nn.Linear keeps (outputs, inputs), an embedding (rows, d_model)."


def family_hint(got, right: str) -> str:
    if got not in FAMILIES:
        return f"The families are {', '.join(FAMILIES)}."
    return {
        "encoder-decoder": "It has both an encoder and a decoder, whose blocks have a cross_attention.",
        "BERT": "It has blocks of an encoder only, and a table of segments.",
        "GPT-2": "It has blocks of a decoder only, a table of positions, and feed-forward layers without a gate.",
        "Llama": "It has blocks of a decoder only, no table of positions, and a gate in each feed-forward layer.",
    }[right]
