"""Translations of texts by an encoder-decoder, as ids or as texts."""

from collections.abc import Sequence

from jaxtyping import Int
from torch import Tensor

from ..arguments import check_texts
from ..models import unwrapped
from .decoding import generate


def translate_ids(model, tokenizer, texts: Sequence[str], max_new_tokens: int = 32, **options) -> Int[Tensor, "B T"]:
    """Translations as ids, [BOS] in front, with generate's options; raises ValueError for a text without tokens."""
    check_texts("texts", texts)
    if any(not tokenizer.encode(text) for text in texts):
        raise ValueError("Nothing to translate: a text is empty.")
    model = unwrapped(model)
    device = next(model.parameters()).device
    source, source_mask = (t.to(device) for t in tokenizer.batch(texts))
    start = source.new_full((len(texts), 1), tokenizer.bos_id)
    if not len(texts):
        return start
    ends = dict(stop=tokenizer.eos_id, pad_id=tokenizer.pad_id)
    return generate(model, start, max_new_tokens, source=source, source_mask=source_mask, **ends, **options)


def translate(model, tokenizer, texts: Sequence[str], max_new_tokens: int = 32, **options) -> list[str]:
    """Translations, one for each text, with generate's options; raises ValueError for a text without tokens."""
    return [tokenizer.decode(row) for row in translate_ids(model, tokenizer, texts, max_new_tokens, **options)]
