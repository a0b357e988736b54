"""What a text costs a decoder-only model: the nats of each token over windows, and of candidate answers to a prompt.

Windows that overlap are how a text longer than max_len is judged (as in the evaluation of GPT-2, Radford et al. 2019).
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .arguments import check_at_least
from .models import evaluating, unwrapped

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

    Raises ValueError for fewer than two tokens, and unless 1 <= stride <= window.
    """
    model = unwrapped(model)
    window = model.config.max_len if window is None else window
    check_at_least("window", window, 1)
    stride = max(1, window // 2) if stride is None else stride
    check_at_least("stride", stride, 1)
    if stride > window:
        raise ValueError(f"With stride={stride} and window={window} some tokens would be judged by no window.")
    if len(ids) < 2:
        raise ValueError(f"A text needs at least two tokens, one that is read and one that is judged; got {len(ids)}.")
    spans, found = list(windows(len(ids), window, stride)), []
    for n in range(0, len(spans), batch_size):
        rows = [(ids[start:end], first - start) for start, first, end in spans[n : n + batch_size]]
        found += judged(model, rows)
    return torch.cat(found)


def answer_nats(model, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> Float[Tensor, "n_answers"]:
    """The loss in nats of each answer after the same prompt, summed over the answer's own tokens.

    prompt and answers are lists of ids. The answer with the smallest number is the one that the model holds to be the
    likeliest. Raises ValueError for an empty prompt, no answers, or an empty answer.
    """
    model = unwrapped(model)
    given, choices = list(prompt), [list(answer) for answer in answers]
    if not given or not choices or not all(choices):
        raise ValueError("The prompt and each answer need at least one token, and there must be an answer.")
    device = next(model.parameters()).device
    rows = [(torch.tensor(given + choice, device=device), len(given)) for choice in choices]
    return torch.stack([nats.sum() for nats in judged(model, rows)])


@torch.no_grad()
def judged(model, rows: list[tuple[Tensor, int]]) -> list[Tensor]:
    """For each (ids, first): the nats of ids[first], ids[first + 1] ... given those before them. One pass for all."""
    texts = torch.nn.utils.rnn.pad_sequence([ids for ids, _ in rows], batch_first=True, padding_value=IGNORED)
    # Padding stands on the right, where no real token looks: it needs no mask.
    with evaluating(model):
        logits = model(texts[:, :-1].clamp(min=0))
    losses = F.cross_entropy(logits.mT.float(), texts[:, 1:].long(), ignore_index=IGNORED, reduction="none")
    return [losses[row, first - 1 : len(ids) - 1] for row, (ids, first) in enumerate(rows)]
