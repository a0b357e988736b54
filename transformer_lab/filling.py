"""Fill in hidden words: what a BERT that was trained on hidden words holds to be likely at each [MASK]."""

import torch

from .arguments import check_at_least, check_text
from .data.tokenizers import Tokenizer
from .models import BERT, evaluating, not_nan, unwrapped
from .sentences import kind_of


@torch.no_grad()
def fill_masks(model, tokenizer: Tokenizer, text: str, k: int = 5) -> list[list[tuple[str, float]]]:
    """For each [MASK] in the text, the k likeliest tokens with their probabilities, the likeliest first.

    All are guessed in one pass, each without knowledge of the other guesses. Raises ValueError for a text without
    [MASK] or longer than max_len, and for a model without a head for masked tokens.
    """
    check_text(text)
    check_at_least("k", k, 1)
    model = unwrapped(model)
    if not isinstance(model, BERT):
        raise ValueError(f"Hidden words are filled in by a BERT, which reads both ways; got {kind_of(model)}.")
    mask_id = tokenizer.id_of("mask")
    ids = torch.tensor([tokenizer.encode(text, special=True)], device=next(model.parameters()).device)
    if mask_id not in ids:
        raise ValueError(f"The text holds no {tokenizer.special['mask']}: there is nothing to fill in.")
    if ids.shape[1] > model.config.max_len:
        raise ValueError(f"The text has {ids.shape[1]} tokens; this model's max_len is {model.config.max_len}.")
    with evaluating(model):
        hidden = not_nan(model(ids))[ids == mask_id]
        best = model.masked_lm_logits(hidden[None])[0].float().softmax(dim=-1).topk(min(k, model.config.vocab_size))
    return [
        list(zip(tokenizer.tokens(row), probabilities.tolist(), strict=True))
        for row, probabilities in zip(best.indices, best.values, strict=True)
    ]
