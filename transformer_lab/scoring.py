"""What a text costs a decoder-only model: the nats of each token over windows, and of candidate answers to a prompt.

Windows that overlap are how a text longer than max_len is judged (as in the evaluation of GPT-2, Radford et al. 2019).
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .analysis.access import our_model
from .arguments import check_at_least
from .data.tokenizers import ids_without_tokenizer
from .generation.reader import check_ids, check_length
from .models import GPT, evaluating, not_nan

IGNORED = -1


def windows(n: int, window: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """(start, first, end) of each window over n tokens: it reads start to end - 2, and judges first to end - 1.

    A window reads `window` tokens at most, and the next one begins `stride` tokens later. It judges what no window has
    judged before it, so that each token counts once; the first token of all has nothing before it, and does not count.
    """
    start, first = 0, 1
    while first < n:
        end = min(start + window + 1, n)
        yield start, first, end
        start, first = start + stride, end


def token_nats(
    model, ids: Int[Tensor, "n"], window: int | None = None, stride: int | None = None, batch_size: int = 16
) -> Float[Tensor, "n_judged"]:
    """The loss in nats of every token but the first, (n - 1,): -log P(token | tokens before it in its window).

    ids         one text; with [BOS] or another separator in front, its first token is judged too
    window      tokens that the model reads at once; the default is its max_len
    stride      from one window's begin to the next; the default is half a window. With stride = window no context is
                shared; with stride = 1 each token has as much as fits before it, at the price of a window a token

    Raises ValueError for fewer than two tokens, for ids that are not the model's, and unless 1 <= stride <= window. For
    a window longer than max_len, ValueError or a warning, as `generate` has it.
    """
    model = our_model(model, GPT)
    window = model.config.max_len if window is None else window
    check_at_least("window", window, 1)
    stride = max(1, window // 2) if stride is None else stride
    check_at_least("stride", stride, 1)
    check_at_least("batch_size", batch_size, 1)
    if stride > window:
        raise ValueError(f"With stride={stride} and window={window} some tokens would be judged by no window.")
    ids = as_ids(model, "ids", ids)
    if len(ids) < 2:
        raise ValueError(f"A text needs at least two tokens, one that is read and one that is judged; got {len(ids)}.")
    n_read = min(window, len(ids) - 1)
    check_length(f"A window of {n_read} tokens needs", n_read, model.config)
    spans, found = list(windows(len(ids), window, stride)), []
    for n in range(0, len(spans), batch_size):
        rows = [(ids[start:end], first - start) for start, first, end in spans[n : n + batch_size]]
        found += judged(model, rows)
    return torch.cat(found)


def answer_nats(model, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> Float[Tensor, "n_answers"]:
    """The loss in nats of each answer after the same prompt, summed over the answer's own tokens.

    prompt and answers are lists of ids. The answer with the smallest number is the one that the model holds to be the
    likeliest. Raises ValueError for an empty prompt, no answers, an empty answer, and ids that are not the model's. For
    more tokens than max_len, ValueError or a warning, as `generate` has it.
    """
    model = our_model(model, GPT)
    given, choices = as_ids(model, "prompt", prompt), [as_ids(model, "each answer", answer) for answer in answers]
    if not len(given) or not choices or not all(map(len, choices)):
        raise ValueError("The prompt and each answer need at least one token, and there must be an answer.")
    n_read = len(given) + max(map(len, choices)) - 1  # the last token is judged, but not read
    check_length(f"The prompt and an answer of {n_read + 1} tokens need", n_read, model.config)
    rows = [(torch.cat((given, choice)), len(given)) for choice in choices]
    return torch.stack([nats.sum() for nats in judged(model, rows)])


def as_ids(model, name: str, ids) -> Int[Tensor, "n"]:
    """The ids of a text as a tensor on the model's device; ValueError unless they are a row of the model's ids."""
    row = torch.tensor(ids_without_tokenizer(ids), dtype=torch.long, device=next(model.parameters()).device)
    check_ids(name, row, model.config)
    return row


@torch.no_grad()
def judged(model, rows: list[tuple[Tensor, int]]) -> list[Tensor]:
    """For each (ids, first): the nats of ids[first], ids[first + 1] ... given those before them. One pass for all."""
    texts = torch.nn.utils.rnn.pad_sequence([ids for ids, _ in rows], batch_first=True, padding_value=IGNORED)
    # Padding stands on the right, where no real token looks: it needs no mask.
    with evaluating(model):
        logits = not_nan(model(texts[:, :-1].clamp(min=0)))
    losses = F.cross_entropy(logits.mT.float(), texts[:, 1:].long(), ignore_index=IGNORED, reduction="none")
    return [losses[row, first - 1 : len(ids) - 1] for row, (ids, first) in enumerate(rows)]
