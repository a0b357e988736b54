"""A model's attention while it reads a text: the one path from a text to weights, scores, queries, keys and norms."""

import numpy as np
import torch
from torch import nn

from ..generation import translate_ids
from ..models import BERT, GPT, Model, Transformer, evaluating, unwrapped
from ..sentences import short_repr
from .access import KINDS, attention_modules, our_model
from .attention_record import AttentionRecord
from .recording import LayerRecord, record_heads
from .sizes import check_size
from .transformers_models import hf_attention


def read_attention(model: nn.Module, tokenizer, text: str, target: str | None = None) -> dict[str, AttentionRecord]:
    """Each kind of attention by name, of a model of ours or of transformers.

    An encoder-decoder has "cross", "encoder" and "decoder": it translates the text, or reads the target that is given.
    Decoder rows are named by the token they write. Any other model has one kind, of the text to itself.
    Raises ValueError for an empty text, a target where none is read, and a model that gives no attention.
    """
    model, text = unwrapped(model), as_text(text)
    target = None if target is None else as_text(target, "target")
    if not isinstance(model, Model) and not hasattr(model, "set_attn_implementation"):
        raise ValueError(
            f"model must be a GPT, BERT or Transformer of transformer_lab, or a model of transformers; "
            f"got a {type(model).__name__}."
        )
    is_translator = isinstance(model, Transformer) or getattr(model.config, "is_encoder_decoder", False)
    if target is not None and not is_translator:
        raise ValueError(f"Only an encoder-decoder reads a target; got a {type(model).__name__}.")
    if isinstance(model, Model):
        return read(model, tokenizer, *ids_of(model, tokenizer, text, target))[0]
    return hf_attention(model, tokenizer, text, target)


def text_attention(model, tokenizer, ids: list[int]):
    """What each token of a text attends to in a GPT or a BERT: (attention (L, H, T, T), tokens, tokens); ValueError."""
    model = our_model(model, GPT, BERT)
    if not len(ids):
        raise ValueError("There is nothing to attend to: the text is empty.")
    records, _ = read(model, tokenizer, torch.tensor([ids], device=next(model.parameters()).device))
    return picture(*records.values())


def translation_attention(model, tokenizer, text: str, kind: str = "cross", max_new_tokens=None, target=None):
    """What the model attends to while it translates text: (attention (L, H, T, S), query tokens, key tokens).

    With a target it reads that, whatever it would have written itself. Decoder rows are named by the token they write
    (the row that reads [BOS] writes the first token). Raises ValueError for another kind, and for an empty text.
    """
    model = our_model(model, Transformer)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {short_repr(kind)}.")
    records, _ = read(model, tokenizer, *ids_of(model, tokenizer, text, target, max_new_tokens))
    return picture(records[kind])


def picture(record: AttentionRecord) -> tuple[torch.Tensor, list[str] | None, list[str] | None]:
    return torch.tensor(record.weights), record.query_tokens, record.key_tokens


def source_ids(model: Model, tokenizer, text: str) -> torch.Tensor:
    """The text's ids (1, S), for one of our models; ValueError where there are none, or too many to show."""
    if not hasattr(tokenizer, "tokens"):
        ours, came = type(model).__name__, type(tokenizer).__name__
        raise ValueError(f"A {ours} of transformer_lab needs a tokenizer of transformer_lab; got a {came}.")
    ids = tokenizer.encode(as_text(text))
    if not ids:
        raise ValueError("There is nothing to attend to: the text is empty.")
    check_size(model.config.n_layers, model.config.n_heads, len(ids), len(ids))
    return torch.tensor([ids], device=next(model.parameters()).device)


def ids_of(
    model: Model,
    tokenizer,
    text: str,
    target: str | None = None,
    max_new_tokens: int | None = None,
):
    """The text's ids (1, S), and those that a Transformer writes of its own or is given (1, T + 1), [BOS] in front."""
    source = source_ids(model, tokenizer, text)
    if not isinstance(model, Transformer):
        return source, None
    if target is None:
        written = translate_ids(model, tokenizer, [text], max_new_tokens)
    else:
        written = tokenizer.batch([target], bos=True, eos=True)[0]
    T = written.shape[1] - 1
    check_size(model.config.n_layers, model.config.n_heads, T, max(T, source.shape[1]))
    return source, written.to(source.device)


@torch.no_grad()
def read(model: Model, tokenizer, ids, written=None) -> tuple[dict[str, AttentionRecord], torch.Tensor]:
    """Each kind of attention as one of our models reads these ids, and its output (logits, or an encoder's vectors).

    Of a Transformer without anything written, the encoder's alone.
    """
    encodes = isinstance(model, Transformer) and written is None
    inputs = (ids,) if written is None else (ids, written[:, :-1])
    kinds = {kind: AllLayers(len(layers)) for kind, layers in attention_modules(model).items()}
    with evaluating(model), record_heads(model, keep=lambda kind, layer, work: kinds[kind].keep(layer, work)):
        output = model.encode(ids) if isinstance(model, Transformer) and encodes else model(*inputs)
    source = tokenizer.tokens(ids[0])
    tokens = {"encoder": (source, source), "decoder": (source, source)}
    if written is not None:
        target = tokenizer.tokens(written[0])
        tokens |= {"cross": (target[1:], source), "decoder": (target[1:], target[:-1])}
    ordered = ["encoder"] if encodes else [kind for kind in ("cross", "encoder", "decoder") if kind in kinds]
    return {kind: kinds[kind].record(*tokens[kind]) for kind in ordered}, output


class AllLayers:
    """One kind of attention in all its layers, put together as they come, so that no layer is in memory twice."""

    def __init__(self, n_layers: int):
        self.n_layers = n_layers
        self.layers: list[list[np.ndarray | None]] = []

    def keep(self, layer: int, work: LayerRecord) -> None:
        if not self.layers:
            shape = (self.n_layers, *work.weights.shape)
            self.weights, self.scores, self.n_kv_heads = np.empty(shape, "f4"), np.empty(shape, "f4"), work.n_kv_heads
        self.weights[layer] = as_array(work.weights)
        self.scores[layer] = np.nan if work.scores is None else as_array(work.scores)
        self.layers.append([as_array(one) for one in (work.written, work.queries, work.keys)])

    def record(self, query_tokens, key_tokens) -> AttentionRecord:
        """Scores are NaN in a layer where they are not known; of the rest, None is what is not known in every layer."""
        if len(self.layers) < self.n_layers:
            raise ValueError("The model ran without this attention: there is nothing to show.")
        self.weights.flags.writeable = False  # so that nobody needs a copy of it
        norms, *queries_and_keys = (stacked(layers) for layers in zip(*self.layers, strict=True))
        return AttentionRecord(
            self.weights, query_tokens, key_tokens, self.scores, norms, self.n_kv_heads, *queries_and_keys
        )


def as_array(tensor: torch.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.float().cpu().numpy()


def stacked(layers) -> np.ndarray | None:
    return None if any(layer is None for layer in layers) else np.stack(layers)


def as_text(text, name: str = "text") -> str:
    """The text; ValueError, naming the argument, where it is something else than a string."""
    if not isinstance(text, str):
        advice = " One text at a time." if isinstance(text, (list, tuple)) else ""
        raise ValueError(f"{name} must be a string; got {short_repr(text)}.{advice}")
    return text
