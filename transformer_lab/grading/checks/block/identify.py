"""Lesson 09: the checks of a reader of weights: which family, which sizes, told by names and shapes alone."""

import torch

from ....config import TransformerConfig
from ...checking import Wrong, check
from ...draw import draw
from ..common import chosen
from .count_parameters import MODELS

FAMILIES = {"encoder-decoder": "Transformer", "GPT-2": "GPT", "BERT": "BERT", "Llama": "GPT"}
N_HEADS = 4
SIZES = ("n_layers", "d_model", "d_ff", "vocab_size", "group")


class identify:
    answers = ("identify(shapes)", ("yes", "no"))

    @check("the family", 1)
    def family(identify, heads_known):
        families = (*((family, 2) for family in FAMILIES), ("Llama", None))
        compare_readings(identify, ("family",), [(f, 3, kv, more) for f, kv in families for more in (True, False)])

    @check("the sizes", 2)
    def sizes(identify, heads_known):
        families, layers = ("GPT-2", "BERT", "encoder-decoder", "Llama"), ((5, 2), (12, 1), (3, None))
        compare_readings(identify, SIZES, [(f, n, kv, n == 3) for f in families for n, kv in layers])

    @check("can n_heads be read off the shapes, with a norm for each head?", 1)
    def heads(identify, heads_known):
        if chosen(heads_known, ("yes", "no"), "heads_known") != "yes":
            raise Wrong(
                'You chose "no". Of the four lists that is true: W_Q has n_heads x d_head rows, and two heads of 64 '
                "have as many as four of 32. But a norm of one head's query has a scale for each of that query's "
                "numbers. How many are they here, and how often do they fit into the rows of W_Q?"
            )


def compare_readings(identify, names: tuple, cases: list) -> None:
    for case in cases:
        shapes = listing(*case)
        found = read(identify, shapes)
        wanted = to_be_found(shapes, *case)  # only now: what is in no frame, the answer cannot copy
        for name in names:
            expect(found, wanted, name, shapes)


def listing(family: str, n_layers: int, n_kv_heads: int | None, more: bool) -> dict:
    """Names and shapes of a model's weights, in random order; only Llama shares keys.

    more: with what a family may have or not, a BERT its pooler, a Llama an output layer of its own; then the vocabulary
    is the largest size of all, else the smallest but d_model.
    """
    vocab_size, d_ff, max_len = (301, 90, 35) if more else (47, 131, 307)
    sizes = dict(vocab_size=vocab_size + draw.one_of(0, 6), d_model=24, n_heads=N_HEADS, n_layers=n_layers,
                 d_ff=d_ff, max_len=max_len + draw.one_of(0, 2))  # fmt: skip
    choices = {
        "encoder-decoder": dict(norm_position="post"),
        "GPT-2": dict(positions="learned"),
        "BERT": dict(positions="learned", norm_position="post", n_segments=2, norm_embeddings=True, pooler=more,
                     masked_lm_head=not more),
        "Llama": dict(norm="rms", activation="swiglu", positions="rotary", bias=False, n_kv_heads=n_kv_heads,
                      d_head=draw.one_of(8, 10), tie_embeddings=not more),
    }  # fmt: skip
    config = TransformerConfig(**sizes, **choices[family])
    with torch.device("meta"):
        state = MODELS[FAMILIES[family]](config).state_dict()
    return {name: tuple(state[name].shape) for name in draw.shuffled(state)}


def to_be_found(shapes: dict, family: str, n_layers: int, n_kv_heads: int | None, more: bool) -> dict:
    vocab_size, d_model = shapes["embedding.tokens.weight"]
    d_ff = next(shape[0] for name, shape in shapes.items() if name.endswith("w_1.weight"))
    group = N_HEADS // n_kv_heads if family == "Llama" and n_kv_heads else 1
    return dict(family=family, n_layers=n_layers, d_model=d_model, d_ff=d_ff, vocab_size=vocab_size, group=group)


def read(identify, shapes: dict) -> dict:
    given = dict(shapes)
    try:
        found = identify(given)
    except (ValueError, IndexError) as error:
        if "unpack" in str(error) or "tuple index" in str(error):
            raise Wrong(
                "A shape was read as two numbers but has only one: those of biases and norms do. The list comes in "
                'any order, so look each shape up by its name, as in shapes["embedding.tokens.weight"].'
            ) from error
        raise
    if given != shapes:
        raise Wrong(
            "Your function changed the dictionary it was given: whoever calls it has lost the list. Look for pop(), "
            "del or an assignment to shapes[...], and work on a copy, dict(shapes)."
        )
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
    model = f"A model of the family {wanted['family']} with {wanted['n_layers']} layers"
    text = f"{model}: {name} is {got!r}, wanted {right!r}."
    if isinstance(got, str) and name in SIZES:
        raise Wrong(f"{text} A string came back; wanted a number: int(...).")
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
        if got in (2 * wanted["n_layers"], 3 * wanted["n_layers"]) and wanted["family"] == "encoder-decoder":
            return "A block of the decoder has two attentions, one of the encoder one: count blocks, not their parts."
        if got == 10 and wanted["n_layers"] == 12:
            return (
                'As text "9" is larger than "11", and one character cannot hold "11": split the name at its dots and '
                "turn the part into int."
            )
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
        return "group is n_heads / n_kv_heads: the rows of w_q divided by the rows of w_k."
    if name == "d_ff" and got == 4 * wanted["d_model"]:
        return "d_ff is not 4 d_model in every model: read it off the shape of w_1, (d_ff, d_model)."
    if name == "d_ff" and got == wanted["d_ff"] // 2:
        return "w_1 alone has d_ff rows, even with a gate: there is nothing to halve."
    if name == "d_ff" and got == 2 * wanted["d_ff"]:
        return "w_1 and w_gate have d_ff rows each: d_ff is the rows of w_1 alone."
    if isinstance(got, bool) or not isinstance(got, (int, float)) and not hasattr(got, "item"):
        return f"Wanted is a whole number; this is of type {type(got).__name__}."
    for other in ("d_model", "d_ff", "vocab_size"):
        if other != name and got == sizes[other]:
            return f"That is {other}: nn.Linear keeps (outputs, inputs), an embedding (rows, d_model)."
    if any(got == n for n in (next((s for key, s in shapes.items() if "positions" in key), (None,)))[:1]):
        return "That is max_len, from the table of positions."
    return "nn.Linear keeps (outputs, inputs), an embedding (rows, d_model)."


def family_hint(got, right: str) -> str:
    if got not in FAMILIES:
        return f"The families are {', '.join(FAMILIES)}."
    return {
        "encoder-decoder": "It has both an encoder and a decoder, whose blocks have a cross_attention.",
        "BERT": "It has blocks of an encoder only, no decoder; it may or may not have a pooler or a head for "
        "masked words.",
        "GPT-2": "It has blocks of a decoder only, a table of positions, and feed-forward layers without a gate.",
        "Llama": "It has blocks of a decoder only, no table of positions, and a gate in each feed-forward layer. (It "
        "may or may not have an output layer of its own.)",
    }[right]
