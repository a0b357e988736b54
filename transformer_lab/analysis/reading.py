"""A model's attention while it reads a text: weights, scores, queries, keys and value norms."""

import numpy as np
import torch
from torch import nn

from ..data.token_labels import labels_of
from ..data.tokenizers import ids_without_tokenizer, our_tokenizer
from ..generation import translate_ids
from ..models import BERT, GPT, Model, Transformer, evaluating, unwrapped
from ..sentences import kind_of, short_repr
from .access import KINDS, attention_modules, our_model
from .attention_record import AttentionRecord
from .recording import LayerRecord, record_heads
from .sizes import check_ids, check_size
from .transformers_models import checked_text, hf_attention


def read_attention(model: nn.Module, tokenizer, text, target=None) -> dict[str, AttentionRecord]:
    """Return each kind of attention by name, for a model of transformer_lab or of Hugging Face's transformers.

    Without a tokenizer (None), the text is what the model reads: a row of ids or, for a model of transformers, its
    pixel_values, its input_features, or a dict of all its inputs, as its processor returns them.
    An encoder-decoder has "cross", "encoder" and "decoder": it translates the text, or reads the given target.
    Decoder rows are labelled with the token they predict. Any other model has one kind, the text's self-attention.
    Raises ValueError for an empty text, a target for a model without a decoder, or a model without attention weights.
    """
    model = unwrapped(model)
    target = target if target is None or tokenizer is None else checked_text(target, "target")
    if not isinstance(model, Model) and not hasattr(model, "set_attn_implementation"):
        raise ValueError(
            f"model must be a GPT, BERT or Transformer of transformer_lab, or a model of transformers; "
            f"got {kind_of(model)}."
        )
    is_translator = isinstance(model, Transformer) or getattr(model.config, "is_encoder_decoder", False)
    if target is not None and not is_translator:
        raise ValueError(f"Only an encoder-decoder reads a target; got {kind_of(model)}.")
    if isinstance(model, Model):
        return read(model, tokenizer, *ids_of(model, tokenizer, text, target))[0]
    return hf_attention(model, tokenizer, text, target)


def text_attention(model, tokenizer, ids: list[int]):
    """Return (attention (L, H, T, T), tokens, tokens) of a GPT or BERT that reads a text; ValueError if it is empty."""
    model, ids = our_model(model, GPT, BERT), ids_without_tokenizer(ids)
    if not ids:
        raise ValueError("There is nothing to attend to: the text is empty.")
    records, _ = read(model, tokenizer, torch.tensor([ids], device=next(model.parameters()).device))
    return weights_and_tokens(*records.values())


def translation_attention(model, tokenizer, text: str, kind: str = "cross", max_new_tokens=None, target=None):
    """Return (attention (L, H, T, S), query tokens, key tokens) of one kind while the model translates text.

    If a target is given, the model reads it instead of its own translation. Decoder rows are labelled with the token
    they predict (the row that reads [BOS] predicts the first token). Raises ValueError for an unknown kind or an empty
    text.
    """
    model = our_model(model, Transformer)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {short_repr(kind)}.")
    records, _ = read(model, tokenizer, *ids_of(model, tokenizer, text, target, max_new_tokens))
    return weights_and_tokens(records[kind])


def weights_and_tokens(record: AttentionRecord) -> tuple[torch.Tensor, list[str] | None, list[str] | None]:
    return torch.tensor(record.weights), record.query_tokens, record.key_tokens


def source_ids(model: Model, tokenizer, text) -> torch.Tensor:
    """Encode the text for one of our models, as ids (1, S); without a tokenizer (None), the text is its ids.

    ValueError if there are none, too many to show, or some that the model does not know.
    """
    ids = ids_without_tokenizer(text) if tokenizer is None else our_tokenizer(tokenizer).encode(checked_text(text))
    if not ids:
        raise ValueError("There is nothing to attend to: the text is empty.")
    check_ids(ids, model.config.vocab_size)
    check_size(model.config.n_layers, model.config.n_heads, len(ids), len(ids))
    return torch.tensor([ids], device=next(model.parameters()).device)


def ids_of(
    model: Model,
    tokenizer,
    text,
    target: str | None = None,
    max_new_tokens: int | None = None,
):
    """Return the text's ids (1, S) and, for a Transformer, the target's (1, T + 1), which start with [BOS].

    The target is the given one, or else the model's own translation. Any other model has None.
    """
    source = source_ids(model, tokenizer, text)
    if not isinstance(model, Transformer):
        return source, None
    if tokenizer is None:
        raise ValueError("A Transformer needs a tokenizer: its [BOS] begins every translation; got None.")
    tokenizer = our_tokenizer(tokenizer)
    if target is None:
        # Without a cache: so the text is that of a model which reads all of it at once, as the attention shown does.
        written = translate_ids(model, tokenizer, [text], max_new_tokens, use_cache=False)
    else:
        written = tokenizer.batch([target], bos=True, eos=True)[0]
    T = written.shape[1] - 1
    check_size(model.config.n_layers, model.config.n_heads, T, max(T, source.shape[1]))
    return source, written.to(source.device)


@torch.no_grad()
def read(model: Model, tokenizer, ids, written=None) -> tuple[dict[str, AttentionRecord], torch.Tensor]:
    """Run one of our models on these ids; return each kind of attention, and the logits or an encoder's vectors.

    A Transformer without a target (`written`) runs its encoder only.
    """
    encodes = isinstance(model, Transformer) and written is None
    inputs = (ids,) if written is None else (ids, written[:, :-1])
    kinds = {kind: AllLayers(len(layers)) for kind, layers in attention_modules(model).items()}
    n = n_in_front(model)

    def keep(kind, layer, work):
        kinds[kind].keep(layer, of_text(work, n))

    with evaluating(model), record_heads(model, keep=keep):
        output = model.encode(ids) if isinstance(model, Transformer) and encodes else model(*inputs)
    source = labels_of(tokenizer, ids[0])
    tokens = {"encoder": (source, source), "decoder": (source, source)}
    if written is not None:
        target = labels_of(tokenizer, written[0])
        tokens |= {"cross": (target[1:], source), "decoder": (target[1:], target[:-1])}
    ordered = ["encoder"] if encodes else [kind for kind in ("cross", "encoder", "decoder") if kind in kinds]
    return {kind: kinds[kind].record(*tokens[kind]) for kind in ordered}, output


def n_in_front(model: Model) -> int:
    """Return how many learnt vectors stand in front of the text: those of prompt tuning, which are no tokens."""
    prompt = getattr(getattr(model, "encoder", None), "prompt", None)
    return 0 if prompt is None else len(prompt.vectors)


def of_text(work: LayerRecord, n: int) -> LayerRecord:
    """Return the part of a record that concerns the text, without the n places in front of it.

    Its weights are no softmax of the text's scores alone, so that with n > 0 scores, queries and keys are left out.
    """
    if n == 0:
        return work
    norms = None if work.value_norms is None else work.value_norms[:, n:]
    return LayerRecord(None, None, work.weights[:, n:, n:], None, norms, work.n_kv_heads)


class AllLayers:
    """Collects one kind of attention, layer by layer, so that no layer is in memory twice."""

    def __init__(self, n_layers: int):
        self.n_layers = n_layers
        self.layers: list[list[np.ndarray | None]] = []

    def keep(self, layer: int, work: LayerRecord) -> None:
        if not self.layers:
            shape = (self.n_layers, *work.weights.shape)
            self.weights, self.scores, self.n_kv_heads = np.empty(shape, "f4"), np.empty(shape, "f4"), work.n_kv_heads
        self.weights[layer] = as_array(work.weights)
        self.scores[layer] = np.nan if work.scores is None else as_array(work.scores)
        self.layers.append([as_array(one) for one in (work.value_norms, work.queries, work.keys)])

    def record(self, query_tokens, key_tokens) -> AttentionRecord:
        """Return the record. Scores are NaN in layers where they are unknown; other details are None in that case."""
        if len(self.layers) < self.n_layers:
            raise ValueError("The model ran without this attention: there is nothing to show.")
        self.weights.flags.writeable = False  # so that it can be shared without a copy
        value_norms, *queries_and_keys = (stacked(layers) for layers in zip(*self.layers, strict=True))
        return AttentionRecord(
            self.weights, query_tokens, key_tokens, self.scores, value_norms, self.n_kv_heads, *queries_and_keys
        )


def as_array(tensor: torch.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.float().cpu().numpy()


def stacked(layers) -> np.ndarray | None:
    return None if any(layer is None for layer in layers) else np.stack(layers)
