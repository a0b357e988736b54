"""A model's attention while it reads a text, ready to be drawn: a model of ours, or of Hugging Face's transformers."""

from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from ..analysis import attention_modules, uncompiled
from ..generation import translate_ids
from ..models import BERT, GPT, Transformer, evaluating, unwrapped
from .heads_at_work import HeadsAtWork, record_heads
from .inputs import as_text, check_size
from .shown import Seen


def model_attention(model: nn.Module, tokenizer, text: str, target: str | None = None) -> dict[str, Seen]:
    """Each kind of attention by name.

    An encoder-decoder has "cross", "encoder" and "decoder": it translates the text, or reads the target that is given.
    Decoder rows are named by the token they write. Any other model has one kind, of the text to itself.
    Raises ValueError for an empty text, a target where none is read, and a model that gives no attention.
    """
    model, text = unwrapped(model), as_text(text)
    target = None if target is None else as_text(target, "target")
    ours = isinstance(model, (Transformer, GPT, BERT))
    if not ours and not hasattr(model, "set_attn_implementation"):
        raise ValueError(
            f"model must be a GPT, BERT or Transformer of transformer_lab, or a model of transformers; "
            f"got a {type(model).__name__}."
        )
    is_translator = isinstance(model, Transformer) or getattr(model.config, "is_encoder_decoder", False)
    if target is not None and not is_translator:
        raise ValueError(f"Only an encoder-decoder reads a target; got a {type(model).__name__}.")
    if ours:
        return read(model, tokenizer, *ids_of(model, tokenizer, text, target))[0]
    return hf_attention(model, tokenizer, text, target)


def source_ids(model: nn.Module, tokenizer, text: str) -> torch.Tensor:
    """The text's ids (1, S), for one of our models; ValueError where there are none, or too many to show."""
    if not hasattr(tokenizer, "tokens"):
        ours, came = type(model).__name__, type(tokenizer).__name__
        raise ValueError(f"A {ours} of transformer_lab needs a tokenizer of transformer_lab; got a {came}.")
    ids = tokenizer.encode(as_text(text))
    if not ids:
        raise ValueError("There is nothing to attend to: the text is empty.")
    check_size(model.config.n_layers, model.config.n_heads, len(ids), len(ids))
    return torch.tensor([ids], device=next(model.parameters()).device)


def ids_of(model: nn.Module, tokenizer, text: str, target: str | None = None):
    """The text's ids (1, S), and those that a Transformer writes of its own or is given (1, T + 1), [BOS] in front."""
    source = source_ids(model, tokenizer, text)
    if not isinstance(model, Transformer):
        return source, None
    given = target is not None
    written = tokenizer.batch([target], bos=True, eos=True)[0] if given else translate_ids(model, tokenizer, [text])
    T = written.shape[1] - 1
    check_size(model.config.n_layers, model.config.n_heads, T, max(T, source.shape[1]))
    return source, written.to(source.device)


@torch.no_grad()
def read(model: nn.Module, tokenizer, ids, written=None) -> tuple[dict[str, Seen], torch.Tensor]:
    """Each kind of attention as one of our models reads these ids, and its output (logits, or an encoder's vectors)."""
    kinds = {kind: AllLayers(len(layers)) for kind, layers in attention_modules(model).items()}
    with evaluating(model), record_heads(model, keep=lambda kind, layer, work: kinds[kind].keep(layer, work)):
        output = model(ids) if written is None else model(ids, written[:, :-1])
    source = tokenizer.tokens(ids[0])
    tokens = {"encoder": (source, source), "decoder": (source, source)}
    if written is not None:
        target = tokenizer.tokens(written[0])
        tokens |= {"cross": (target[1:], source), "decoder": (target[1:], target[:-1])}
    ordered = [kind for kind in ("cross", "encoder", "decoder") if kind in kinds]
    return {kind: kinds[kind].seen(*tokens[kind]) for kind in ordered}, output


class AllLayers:
    """One kind of attention in all its layers, put together as they come, so that no layer is in memory twice."""

    def __init__(self, n_layers: int):
        self.n_layers, self.norms = n_layers, []

    def keep(self, layer: int, work: HeadsAtWork) -> None:
        if not self.norms:
            shape = (self.n_layers, *work.weights.shape)
            self.weights, self.scores, self.n_kv_heads = np.empty(shape, "f4"), np.empty(shape, "f4"), work.n_kv_heads
        self.weights[layer] = work.weights.float().cpu().numpy()
        self.scores[layer] = np.nan if work.scores is None else work.scores.float().cpu().numpy()
        self.norms.append(None if work.written is None else work.written.float().cpu().numpy())

    def seen(self, query_tokens, key_tokens) -> Seen:
        """Scores are NaN in a layer where they are not known; norms are None unless they are known in every layer."""
        if len(self.norms) < self.n_layers:
            raise ValueError("The model ran without this attention: there is nothing to show.")
        self.weights.flags.writeable = False  # so that nobody needs a copy of it
        norms = None if any(one is None for one in self.norms) else np.stack(self.norms)
        return Seen(self.weights, query_tokens, key_tokens, self.scores, norms, self.n_kv_heads)


@torch.no_grad()
def hf_attention(model: nn.Module, tokenizer, text: str, target: str | None) -> dict[str, Seen]:
    """The same of a model of transformers and its tokenizer."""
    if not callable(tokenizer):
        raise ValueError(f"A {type(model).__name__} needs its own tokenizer; got a {type(tokenizer).__name__}.")
    inputs = tokenizer(text, return_tensors="pt").to(model.device)
    S, sizes = inputs["input_ids"].shape[1], model.config.get_text_config()
    if S == 0:
        raise ValueError("There is nothing to attend to: the text is empty.")
    check_size(sizes.num_hidden_layers, sizes.num_attention_heads, S, S)
    source = pieces(tokenizer, inputs["input_ids"][0])
    shared = getattr(model.config, "num_key_value_heads", None)
    with uncompiled(), evaluating_eagerly(model):
        if not model.config.is_encoder_decoder:
            attentions = model(**inputs, output_attentions=True).attentions
            return {"attention": Seen(attentions, source, source, n_kv_heads=shared)}
        ids = model.generate(**inputs) if target is None else target_ids(model, tokenizer, target)
        T = ids.shape[1] - 1
        check_size(sizes.num_hidden_layers, sizes.num_attention_heads, T, max(T, S))
        output = model(**inputs, decoder_input_ids=ids[:, :-1], output_attentions=True)
    reads, writes = pieces(tokenizer, ids[0, :-1]), pieces(tokenizer, ids[0, 1:])
    return {
        "cross": Seen(output.cross_attentions, writes, source),
        "encoder": Seen(output.encoder_attentions, source, source),
        "decoder": Seen(output.decoder_attentions, writes, reads),
    }


def target_ids(model: nn.Module, tokenizer, target: str) -> torch.Tensor:
    """The start token, and the target's ids behind it."""
    ids = tokenizer(text_target=target, return_tensors="pt")["input_ids"]
    start = torch.full((1, 1), model.config.decoder_start_token_id)
    return torch.cat((start, ids), dim=1).to(model.device)


def pieces(tokenizer, ids) -> list[str]:
    """Each token as the text it stands for: with its space, without a tokenizer's private signs for one."""
    return [tokenizer.decode([int(i)]) for i in ids]


@contextmanager
def evaluating_eagerly(model: nn.Module):
    """Within the block: eval mode, and attention computed step by step, for a fused kernel returns no weights."""
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with evaluating(model):
            yield
    finally:
        model.set_attn_implementation(implementation)
