"""Writing one token at a time."""

import torch
from jaxtyping import Int
from torch import Tensor


@torch.no_grad()
def generate(
    model, ids: Int[Tensor, "B T"], max_new_tokens: int, *, source, source_mask=None, stop=None, pad_id=None
) -> Int[Tensor, "B T_new"]:
    """Greedy decoding of an encoder-decoder: appends the most probable token until every row met `stop`.

    Rows that have met `stop` are filled with `pad_id` (default: `stop`).
    """
    model.eval()
    memory = model.encode(source, source_mask)
    done = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    fill = stop if pad_id is None else pad_id
    for _ in range(max_new_tokens):
        next_id = model.decode(ids, memory, source_mask)[:, -1].argmax(dim=-1)
        if stop is not None:
            next_id = next_id.masked_fill(done, fill)
            done |= next_id == stop
        ids = torch.cat((ids, next_id[:, None]), dim=1)
        if done.all():
            break
    return ids


def translate_ids(model, tokenizer, texts: list[str], max_new_tokens: int = 32) -> Int[Tensor, "B T"]:
    """Greedy translations as ids, [BOS] in front; raises ValueError for a text without tokens."""
    if any(not tokenizer.encode(text) for text in texts):
        raise ValueError("Nothing to translate: a text is empty.")
    device = model.embedding.weight.device
    source, source_mask = (t.to(device) for t in tokenizer.batch(texts))
    start = source.new_full((len(texts), 1), tokenizer.bos_id)
    return generate(
        model,
        start,
        max_new_tokens,
        source=source,
        source_mask=source_mask,
        stop=tokenizer.eos_id,
        pad_id=tokenizer.pad_id,
    )


def translate(model, tokenizer, texts: list[str], max_new_tokens: int = 32) -> list[str]:
    """Greedy translations, one for each text; raises ValueError for a text without tokens."""
    return [tokenizer.decode(row) for row in translate_ids(model, tokenizer, texts, max_new_tokens)]
