"""What generation asks of a model: to read the ids so far, each only once, and say what may follow."""

from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .blocks import check_tokens, n_cached


class Reader:
    """A model at reading: from all ids so far, the logits of the next. Ids that are in the cache are not read again."""

    @torch.inference_mode()
    def __init__(self, model, mask=None, source=None, source_mask=None, use_cache=True):
        # A mask that hides nothing only costs time.
        self.mask = None if mask is None or mask.all() else mask
        source_mask = None if source_mask is None or source_mask.all() else source_mask
        self.model, self.memory = model, {}
        if source is not None:
            self.memory = {"memory": model.encode(source, source_mask), "memory_mask": source_mask}
        self.cache = model.decoder.new_cache() if use_cache else None

    @torch.inference_mode()
    def next_logits(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B V"]:
        """The logits of the token that follows ids."""
        mask = self.mask
        if mask is not None:  # it ends with the prompt; what was written since is real
            mask = F.pad(mask, (0, ids.shape[1] - mask.shape[1]), value=True)
        hidden = self.model.decode(ids[:, n_cached(self.cache) :], mask, cache=self.cache, **self.memory)
        return self.model.logits(hidden[:, -1:])[:, 0]

    def repeat(self, beams: int) -> None:
        """Each row of the batch becomes `beams` rows, side by side; nothing has been read yet."""
        self.mask = None if self.mask is None else self.mask.repeat_interleave(beams, dim=0)
        self.memory = {k: v if v is None else v.repeat_interleave(beams, dim=0) for k, v in self.memory.items()}

    def select(self, rows: Int[Tensor, "B"]) -> None:
        """Go on with the cached keys and values of these rows; mask and memory are the same for a row's beams."""
        for own, _of_memory in self.cache or []:
            own.select(rows)


@contextmanager
def evaluating(model):
    """Within the block the model is in eval mode (no dropout); afterwards each of its modules is as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def check_request(model, ids, max_new_tokens, mask=None, source=None, source_mask=None) -> None:
    """Raise ValueError unless this model can read these tokens and write so many."""
    if not hasattr(model, "decoder"):
        raise ValueError(f"Only a model with a decoder generates text; got {type(model).__name__}.")
    check_tokens(ids, mask, 0)
    T, max_len = ids.shape[1], model.config.max_len
    if T == 0:
        raise ValueError("ids are empty: give each row at least one token to begin with.")
    if mask is not None and not mask[:, -1].all():
        raise ValueError("mask[:, -1] must be True in every row: pad on the left.")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must be at least 0; got {max_new_tokens}.")
    if model.config.positions in ("sinusoidal", "learned") and T + max_new_tokens - 1 > max_len:  # the last is not read
        raise ValueError(
            f"{T} tokens and {max_new_tokens} new ones need {T + max_new_tokens - 1} positions; "
            f"this model's max_len is {max_len}."
        )
    if hasattr(model, "encoder") and source is None:
        raise ValueError("An encoder-decoder needs a source.")
    if not hasattr(model, "encoder") and (source is not None or source_mask is not None):
        raise ValueError("A decoder-only model reads no source: put the text into ids.")
    if source is not None:
        check_tokens(source, source_mask, 0)
        if len(source) != len(ids):
            raise ValueError(f"source and ids must have the same number of rows; got {len(source)} and {len(ids)}.")
