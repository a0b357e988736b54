"""Lesson 09: the checks of a whole language model, held against the package's GPT with the same parameters."""

import torch
from torch import Tensor, nn

from ....blocks import Block as PackageBlock
from ....config import TransformerConfig
from ....models import BERT, GPT, Transformer
from ...answer import Answer
from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import close, compare, expect_tensor, has_gradient, keeps_dtype
from . import language_model_faults as faults
from .modules import expect_module, stays_in_training
from .stack import blocks_held

# vocab_size, d_model, n_heads, n_layers, d_ff, max_len; no two alike, and no root of d_model is whole.
SIZES = (13, 12, 2, 3, 20, 9), (17, 10, 2, 4, 16, 8), (11, 14, 2, 3, 24, 10)
FIELDS = "vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "max_len"
TEXTS = (3, 5), (1, 1), (2, None), (4, 4)  # B, T: T of None is max_len; as many sequences as tokens raise no error
OF_NORM = "norm, an nn.LayerNorm(d_model)"


class LanguageModel:
    answers = ("LanguageModel(config, make_block)",)

    @check("the parts, by their names, and nothing else that learns", 1)
    def parts(LanguageModel):
        for scaled, tied in ((False, True), (True, False)):
            model = built(LanguageModel, config_of(scaled, tied))[0]
            stays_in_training(model)

    @check("the logits of a GPT with these parameters: tied, not scaled, as GPT-2 is", 2)
    def logits(LanguageModel):
        compare_with_gpt(LanguageModel, scaled=False, tied=True)

    @check("scaled embeddings and an output layer of its own, where the config says so", 1)
    def options(LanguageModel):
        compare_with_gpt(LanguageModel, scaled=True, tied=False)
        compare_with_gpt(LanguageModel, scaled=True, tied=True)
        compare_with_gpt(LanguageModel, scaled=False, tied=False)

    @check("gradients reach all parameters in full; dtype and ids stay as they were", 1)
    def gradient(LanguageModel):
        for tied in (True, False):
            config = config_of(tied, tied)
            model, pairs, gpt = with_parameters_of_a_gpt(LanguageModel, config)
            ids = draw.integers(config.vocab_size, 3, 5)
            same_gradients(logits_of(model, ids, config), gpt(ids), pairs)
            keeps_dtype(logits_of(model.double(), ids, config), torch.float64, "the logits of model.double()")


def config_of(scaled: bool, tied: bool) -> TransformerConfig:
    sizes = dict(zip(FIELDS, draw.one_of(*SIZES), strict=True))
    return TransformerConfig(
        **sizes, positions="learned", activation="gelu_tanh", scale_embeddings=scaled, tie_embeddings=tied
    )


def built(LanguageModel, config: TransformerConfig) -> tuple[nn.Module, list]:
    """The learner's model and the blocks it had made, if all of its parts are there, and no more parameters."""
    made = []

    def make_block() -> nn.Module:
        made.append(draw.made(PackageBlock, config))
        return made[-1]

    make_block.__module__, make_block.__qualname__ = "builtins", "make_block"  # for torch's own error messages
    model = expect_module(LanguageModel(config, make_block), "LanguageModel")
    if any(isinstance(module, (GPT, BERT, Transformer)) for module in model.modules()):
        raise Wrong(
            "A model of the package is in it. That one is what yours is measured by: put yours together from parts."
        )
    if not hasattr(model, "tokens") and not made and "forward" not in vars(type(model)):
        raise NotDone("write __init__ and forward, run the cell, then run this one again.")
    V, D = config.vocab_size, config.d_model
    part(model, "tokens", (V, D), nn.Embedding, f"an nn.Embedding({V}, {D}), a row for each token")
    part(
        model, "positions", (config.max_len, D), (nn.Embedding, nn.Parameter), f"an nn.Embedding({config.max_len}, {D})"
    )
    blocks_held(model, made, config.n_layers, PackageBlock, "the model")
    if len(made) > config.n_layers:
        raise Wrong(f"make_block() was called {len(made)} times for n_layers = {config.n_layers}: once each is enough.")
    norm = getattr(model, "norm", None)
    if not isinstance(norm, nn.Module) or [tuple(p.shape) for p in norm.parameters()] != [(D,)] * 2:
        raise Wrong(
            f"self.{OF_NORM}, is missing, or it is something else. Pre-norm blocks leave their sum unnormalised: a "
            "norm with a scale and a shift stands behind the last one."
        )
    output(model, config)
    counted = sum(p.numel() for p in model.parameters())
    wanted = sum(p.numel() for p in GPT(config).parameters())
    if counted != wanted:
        known = ("tokens.", "positions", "blocks.", "norm.", "output.")
        others = ", ".join(
            f"{name} {tuple(p.shape)}" for name, p in model.named_parameters() if not name.startswith(known)
        )
        told = f"There is more than was asked for: {others}." if others else ""
        raise Wrong(f"The model has {counted} parameters; a GPT with this config has {wanted}. {told}".strip())
    return model, made


def part(model: nn.Module, name: str, shape: tuple[int, int], kinds, what: str) -> Tensor:
    """The matrix of the part of this name, if it is of this kind and shape."""
    found = getattr(model, name, None)
    if found is None:
        raise Wrong(f"The model has no self.{name}; wanted {what}.")
    if not isinstance(found, kinds):
        also = " A plain tensor is no parameter, and never learns." if isinstance(found, Tensor) else ""
        raise Wrong(f"self.{name} is of type {type(found).__name__}; wanted {what}.{also}")
    weight = found if isinstance(found, Tensor) else found.weight
    if tuple(weight.shape) != shape:
        raise Wrong(f"self.{name} is of shape {tuple(weight.shape)}; wanted {shape}, {what}.")
    return weight


def output(model: nn.Module, config: TransformerConfig) -> Tensor | None:
    """The matrix of the output layer, if the model ought to have one of its own."""
    V, D = config.vocab_size, config.d_model
    layer = getattr(model, "output", None)
    if config.tie_embeddings:
        others = [p for name, p in model.named_parameters() if p.shape == (V, D) and p is not model.tokens.weight]
        if others:
            raise Wrong(
                f"config.tie_embeddings is True, and there is a second matrix {(V, D)} beside tokens: the output layer "
                "*is* the embedding, one parameter used twice. A copy of it would learn something else."
            )
        return None
    what = f"nn.Linear({D}, {V}, bias=False)"
    if layer is None:
        raise Wrong(f"config.tie_embeddings is False: wanted an output layer of its own, self.output = {what}.")
    if not isinstance(layer, nn.Linear) or tuple(layer.weight.shape) != (V, D):
        raise Wrong(f"self.output is not {what}, which makes {V} logits out of a vector of {D} numbers.")
    if layer.bias is not None:
        raise Wrong(f"self.output has a bias; wanted {what}.")
    if layer.weight is model.tokens.weight:
        raise Wrong(
            "config.tie_embeddings is False, and self.output has the matrix of tokens: then it is tied. Wanted one of "
            "its own."
        )
    return layer.weight


def with_parameters_of_a_gpt(LanguageModel, config: TransformerConfig) -> tuple[nn.Module, list, GPT]:
    """(the learner's model, (its parameter, that of the GPT, a name) for each, a GPT), which have the same numbers."""
    model, made = built(LanguageModel, config)
    gpt = draw.made(GPT, config)
    with torch.no_grad():
        for parameter in gpt.parameters():
            wide = parameter.shape[-1] if parameter.ndim > 1 else 4
            parameter.copy_(draw.standard(*parameter.shape) * 1.2 / wide**0.5)
        for table in (gpt.embedding.tokens.weight, gpt.embedding.positions.table):
            table.copy_(draw.standard(*table.shape))
        for name, parameter in gpt.named_parameters():
            if name.endswith("gamma"):
                parameter.add_(1.0)
    scale, shift = model.norm.parameters()
    if not scale.any() and shift.any():  # by hand, the shift first
        scale, shift = shift, scale
    positions = model.positions if isinstance(model.positions, Tensor) else model.positions.weight
    pairs = [
        (model.tokens.weight, gpt.embedding.tokens.weight, "tokens"),
        (positions, gpt.embedding.positions.table, "positions"),
        (scale, gpt.decoder.norm.gamma, "the norm"),
        (shift, gpt.decoder.norm.beta, "the norm"),
    ]
    for number, (block, theirs) in enumerate(zip(made, gpt.decoder.blocks, strict=True)):
        pairs += [(mine, true, f"block {number} (counted from 0)") for mine, true in
                  zip(block.parameters(), theirs.parameters(), strict=True)]  # fmt: skip
    if not config.tie_embeddings:
        pairs.append((model.output.weight, gpt.output.weight, "output"))
    with torch.no_grad():
        for mine, true, _ in pairs:
            mine.copy_(true)
    return model, pairs, gpt


def compare_with_gpt(LanguageModel, scaled: bool, tied: bool) -> None:
    config = config_of(scaled, tied)
    model, _, gpt = with_parameters_of_a_gpt(LanguageModel, config)
    for B, T in TEXTS:
        ids = draw.integers(config.vocab_size, B, T or config.max_len)
        got = logits_of(model, ids, config)
        look = f"With scale_embeddings={scaled} and tie_embeddings={tied}, ids of shape {tuple(ids.shape)}."
        compare(got, gpt(ids), faults.models(ids, gpt), "the logits", 1e-4, look=look)


def logits_of(model: nn.Module, ids: Tensor, config: TransformerConfig) -> Tensor:
    (B, T), V, D = ids.shape, config.vocab_size, config.d_model
    call, given = Answer(model, "LanguageModel.forward(ids)"), ids.clone()
    try:
        got = call(given)
    except NotDone:
        raise
    except (RuntimeError, IndexError, TypeError) as error:
        if str(config.max_len) in str(error) and config.max_len != T:
            raise Wrong(
                f"This text has T = {T} tokens, and something else has max_len = {config.max_len} rows: positions and "
                "mask are cut to the text, the first T rows (and, of the mask, columns)."
            ) from error
        raise
    if not torch.equal(given, ids):
        raise Wrong("The ids were changed in place: whoever calls the model loses them.")
    if isinstance(got, Tensor) and tuple(got.shape) == (B, T, D):
        raise Wrong(faults.HIDDEN, "M34")
    if isinstance(got, Tensor) and got.shape in ((B, V), (B, 1, V)) and T > 1:
        raise Wrong(
            f"The logits have shape {tuple(got.shape)}: those of one token. Wanted (B, T, vocab_size), at all of them: "
            "in training each token is to say what follows it."
        )
    got = expect_tensor(got, "the logits", (B, T, V))
    if not close(call(given), got):
        raise Wrong("Two calls with the same ids give different logits: is there dropout, or a new layer in forward()?")
    return got


def same_gradients(got: Tensor, wanted: Tensor, pairs: list) -> None:
    """The gradients to the parameters of the learner's model are those to the parameters of the GPT."""
    if not close(got, wanted, 1e-4):
        raise Wrong("The logits are not right yet: the checks above say why. Fix that first.")
    upstream = draw.standard(*wanted.shape)
    ours, theirs = ([pair[which] for pair in pairs] for which in (0, 1))
    loss = (has_gradient(got, "the logits") * upstream).sum()
    found = torch.autograd.grad(loss, ours, allow_unused=True)
    right = torch.autograd.grad((wanted * upstream).sum(), theirs)
    for mine, true, name in zip(found, right, [name for *_, name in pairs], strict=True):
        if mine is None or not close(mine, true, 1e-3):
            how = "no" if mine is None else "not the whole"
            raise Wrong(
                f"The logits are right, but {how} gradient reaches {name}, which could not learn as it should. Look "
                "for .detach(), .data or torch.no_grad()."
            )
