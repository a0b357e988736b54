"""Generating text one token at a time, with an encoder-decoder or a decoder-only model.

A batch of prompts is padded on the left, so that each row continues where its text ends. reader.py runs the model, on a
GPU replay.py makes its steps faster; sampling.py and beam_search.py choose the tokens.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..arguments import check_at_least
from ..models import evaluating, unwrapped
from .beam_search import beam_search, check_beams
from .reader import Reader, check_request
from .replay import ReplayReader, can_replay
from .sampling import Sampler, check_sampling


def generate(
    model,
    ids: Int[Tensor, "B T"],
    max_new_tokens: int,
    *,
    mask: Bool[Tensor, "B T"] | None = None,
    source: Int[Tensor, "B S"] | None = None,
    source_mask: Bool[Tensor, "B S"] | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int | None = None,
    stop: int | list[int] | None = None,
    pad_id: int | None = None,
    use_cache: bool = True,
    beams: int = 1,
    length_penalty: float = 1.0,
) -> Int[Tensor, "B T_new"]:
    """ids with at most max_new_tokens more: greedy, by sampling (temperature > 0) or by beam search (beams > 1).

    mask            True at real tokens; padding stands on the left
    source, source_mask     what an encoder-decoder reads first
    temperature, top_k, top_p, min_p    how a token is drawn (sampling.py); seed makes the draws repeatable
    stop, pad_id    the id or ids that end a row, and what fills it from there (default: the first stop)
    use_cache       keep keys and values, so that each token is read only once
    beams, length_penalty   how many texts are kept at each step; a penalty above 0 favours long ones (beam_search.py)

    Generation ends when every row has ended. Raises ValueError for arguments that make no sense, before any work. With
    a table of positions, ValueError too for a text longer than the model's max_len; with other kinds of positions a
    warning, because the model was not trained on such lengths.
    """
    model = unwrapped(model)
    check_beams(beams, length_penalty)
    if beams == 1:
        options: dict[str, Any] = dict(
            mask=mask, source=source, source_mask=source_mask, stop=stop, pad_id=pad_id, use_cache=use_cache
        )
        sampling: dict[str, Any] = dict(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed)
        columns = [new_ids[:, None] for new_ids in stream(model, ids, max_new_tokens, **options, **sampling)]
        return torch.cat((ids, *columns), dim=1)
    check_sampling(temperature, top_k, top_p, min_p, seed)
    if temperature > 0:
        raise ValueError(f"Sampling needs beams=1; got beams={beams} with temperature={temperature}.")
    check_request(model, ids, max_new_tokens, mask, source, source_mask)
    stop, pad_id = ending(stop, pad_id, model.config.vocab_size)
    if max_new_tokens == 0:
        return ids
    with evaluating(model):
        reader = Reader(model, mask, source, source_mask, use_cache)
        new_ids = beam_search(reader, ids, max_new_tokens, beams, length_penalty, stop, pad_id)
    return torch.cat((ids, new_ids), dim=1)


def stream(
    model,
    ids: Int[Tensor, "B T"],
    max_new_tokens: int,
    *,
    mask: Bool[Tensor, "B T"] | None = None,
    source: Int[Tensor, "B S"] | None = None,
    source_mask: Bool[Tensor, "B S"] | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int | None = None,
    stop: int | list[int] | None = None,
    pad_id: int | None = None,
    use_cache: bool = True,
) -> Iterator[Int[Tensor, "B"]]:
    """The columns that generate appends, each as soon as it is chosen, with the model in eval mode.

    It takes generate's options and raises as generate does. There is no beam search: which beam is best is known only
    at the end.
    """
    model = unwrapped(model)
    check_sampling(temperature, top_k, top_p, min_p, seed)
    check_request(model, ids, max_new_tokens, mask, source, source_mask)
    stop, pad_id = ending(stop, pad_id, model.config.vocab_size)
    choose = Sampler(temperature, top_k, top_p, min_p, seed, ids.device)

    def steps(ids):
        finished = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        stop_ids = torch.tensor(stop, device=ids.device)
        kind = ReplayReader if use_cache and can_replay(model, ids.device) else Reader
        with evaluating(model):
            reader = kind(model, mask, source, source_mask, use_cache)
        for _ in range(max_new_tokens):
            with evaluating(model):  # and not across a yield, where another stream of it may begin or end
                new_ids = choose(reader.next_logits(ids))
            if stop:
                new_ids = new_ids.masked_fill(finished, pad_id)
                finished |= torch.isin(new_ids, stop_ids)
            yield new_ids
            if stop and finished.all():
                return
            ids = torch.cat((ids, new_ids[:, None]), dim=1)

    return steps(ids)


def ending(stop: int | Iterable[int] | None, pad_id: int | None, vocab_size: int) -> tuple[list[int], int]:
    """The ids that end a row, as a list, and the id that fills ended rows; ValueError for what is not an id."""
    if isinstance(stop, Tensor):
        stop = stop.flatten().tolist()
    stop = [] if stop is None else list(stop) if isinstance(stop, Iterable) else [stop]
    for i in stop:
        check_at_least("stop", i, 0)
    if pad_id is None:
        return stop, stop[0] if stop else 0  # without a stop all rows end together, and none is filled
    check_at_least("pad_id", pad_id, 0)
    if pad_id >= vocab_size:  # the model reads what fills a row
        raise ValueError(f"pad_id must be an id of the vocabulary, which ends at {vocab_size - 1}; got {pad_id}.")
    return stop, pad_id
