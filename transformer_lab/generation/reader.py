"""Running a model step by step with a cache: it reads each token once, and predicts the next one."""

import warnings

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..arguments import check_at_least
from ..blocks import check_tokens, n_cached
from ..config import TransformerConfig
from ..models import not_nan


class Reader:
    """Runs a model step by step with a cache: it is given all ids so far, and reads only those that are new."""

    @torch.inference_mode()
    def __init__(self, model, mask=None, source=None, source_mask=None, use_cache=True):
        # A mask that hides nothing would only cost time.
        self.mask = None if mask is None or mask.all() else mask
        source_mask = None if source_mask is None or source_mask.all() else source_mask
        self.model, self.memory = model, {}
        if source is not None:
            self.memory = {"memory": model.encode(source, source_mask), "memory_mask": source_mask}
        self.cache = model.decoder.new_cache() if use_cache else None
        self.is_checked = False

    @torch.inference_mode()
    def next_logits(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B V"]:
        """The logits of the token that follows ids."""
        mask = self.mask
        if mask is not None:  # it ends with the prompt; all tokens since then are real
            mask = F.pad(mask, (0, ids.shape[1] - mask.shape[1]), value=True)
        hidden = self.model.decode(ids[:, n_cached(self.cache) :], mask, cache=self.cache, **self.memory)
        logits = self.model.logits(hidden[:, -1:])[:, 0]
        if not self.is_checked:  # only once, because on a GPU each check waits for the result
            not_nan(logits)
            self.is_checked = True
        return logits

    def repeat(self, beams: int) -> None:
        """Turn each row of the batch into `beams` adjacent rows; to be called before the first step."""
        self.mask = None if self.mask is None else self.mask.repeat_interleave(beams, dim=0)
        self.memory = {k: v if v is None else v.repeat_interleave(beams, dim=0) for k, v in self.memory.items()}

    def select(self, rows: Int[Tensor, "B"]) -> None:
        """Continue with the cached keys and values of these rows; the beams of a row share mask and memory."""
        for own, _of_memory in self.cache or []:
            own.select(rows)


def check_request(model, ids, max_new_tokens, mask=None, source=None, source_mask=None) -> None:
    """Raise ValueError unless this model can read these tokens and generate this many; warn beyond its max_len."""
    if not hasattr(model, "decoder"):
        raise ValueError(f"Only a model with a decoder generates text; got {type(model).__name__}.")
    check_tokens(ids, mask, 0)
    check_at_least("max_new_tokens", max_new_tokens, 0)
    if ids.numel() == 0:
        raise ValueError("ids are empty: give each row at least one token to begin with.")
    if mask is not None and not mask[:, -1].all():
        raise ValueError("mask[:, -1] must be True in every row: pad on the left.")
    if hasattr(model, "encoder") and source is None:
        raise ValueError("An encoder-decoder needs a source.")
    if not hasattr(model, "encoder") and (source is not None or source_mask is not None):
        raise ValueError("A decoder-only model reads no source: put the text into ids.")
    check_ids("ids", ids, model.config)
    if source is not None:
        check_tokens(source, source_mask, 0)
        if source.numel() == 0:
            raise ValueError("The source is empty: give each row at least one token to read.")
        if len(source) != len(ids):
            raise ValueError(f"source and ids must have the same number of rows; got {len(source)} and {len(ids)}.")
        check_ids("source", source, model.config)
        check_length(f"A source of {source.shape[1]} tokens needs", source.shape[1], model.config)
    T = ids.shape[1]
    # The last token is generated, but not read.
    check_length(f"{T} tokens and {max_new_tokens} new ones need", T + max(max_new_tokens - 1, 0), model.config)


def check_ids(name: str, ids: Tensor, config: TransformerConfig) -> None:
    """Raise ValueError unless the model has an embedding for each id: on a GPU a missing one would end the process."""
    for extreme in (int(ids.min()), int(ids.max())) if ids.numel() else ():
        if not 0 <= extreme < config.vocab_size:
            raise ValueError(f"{name} must be from 0 to {config.vocab_size - 1}, as in the vocabulary; got {extreme}.")


def check_length(what: str, n_positions: int, config: TransformerConfig) -> None:
    """Beyond max_len raise ValueError if the positions come from a table, which ends there, and warn otherwise."""
    if n_positions <= config.max_len:
        return
    sentence = f"{what} {n_positions} positions; this model's max_len is {config.max_len}"
    if config.positions in ("sinusoidal", "learned"):
        raise ValueError(f"{sentence}.")
    warnings.warn(f"{sentence}: what it makes of tokens beyond that may make no sense.", stacklevel=5)
