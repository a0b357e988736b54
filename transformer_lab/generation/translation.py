"""Translations of texts by an encoder-decoder, as ids or as texts."""

from collections.abc import Iterable

from jaxtyping import Int
from torch import Tensor

from ..arguments import check_texts
from ..models import unwrapped
from .decoding import generate


def translate_ids(
    model, tokenizer, texts: Iterable[str], max_new_tokens: int | None = None, **options
) -> Int[Tensor, "B T"]:
    """Translations as ids, beginning with [BOS], by generate's options; raises ValueError for a text without tokens.

    Without max_new_tokens a translation ends where the model ends it, or at the model's max_len.
    """
    check_texts("texts", texts)
    texts = list(texts)
    if any(not tokenizer.encode(text) for text in texts):
        raise ValueError("Nothing to translate: a text is empty.")
    model = unwrapped(model)
    if max_new_tokens is None:  # [BOS] is read, and the last token is not
        max_new_tokens = model.config.max_len
    device = next(model.parameters()).device
    source, source_mask = (t.to(device) for t in tokenizer.batch(texts))
    start = source.new_full((len(texts), 1), tokenizer.bos_id)
    if not len(texts):
        return start
    ends = dict(stop=tokenizer.eos_id, pad_id=tokenizer.pad_id)
    return generate(model, start, max_new_tokens, source=source, source_mask=source_mask, **ends, **options)


def translate(model, tokenizer, texts: Iterable[str], max_new_tokens: int | None = None, **options) -> list[str]:
    """Translations, one for each text, by generate's options; raises ValueError for a text without tokens.

    Without max_new_tokens a translation ends where the model ends it, or at the model's max_len.
    """
    return [tokenizer.decode(row) for row in translate_ids(model, tokenizer, texts, max_new_tokens, **options)]
