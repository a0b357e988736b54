"""Training a sequence-to-sequence model: batches, loss, gradient, step."""

import random
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from ..data.tokenizers import Tokenizer
from .schedules import warmup_cosine


def batches(pairs, tokenizer: Tokenizer, batch_size: int, seed: int) -> Iterator[dict[str, Tensor]]:
    """Shuffled batches for ever: source, target with [BOS] in front and [EOS] behind, and their masks."""
    rng = random.Random(seed)
    while True:
        order = rng.sample(pairs, len(pairs))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            source, source_mask = tokenizer.batch([pair.source for pair in chosen])
            target, target_mask = tokenizer.batch([pair.target for pair in chosen], bos=True, eos=True)
            yield dict(source=source, source_mask=source_mask, target=target, target_mask=target_mask)


def sequence_loss(model, batch: dict[str, Tensor]) -> Tensor:
    """Mean cross-entropy in nats of each next target token given those before it; padding does not count."""
    target, target_mask = batch["target"], batch["target_mask"]
    logits = model(batch["source"], target[:, :-1], batch["source_mask"], target_mask[:, :-1])
    wanted = target[:, 1:].masked_fill(~target_mask[:, 1:], -100)
    return F.cross_entropy(logits.flatten(end_dim=1), wanted.flatten(), ignore_index=-100)


def train(model, data: Iterator[dict[str, Tensor]], n_steps: int, lr: float = 2e-3, progress=True) -> list[float]:
    """AdamW with warm-up, a cosine and clipped gradients; returns the loss of every step."""
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, n_steps, n_steps // 10))
    model.train()
    losses = []
    bar = tqdm(range(n_steps), desc="training", unit="step", disable=not progress)
    for step in bar:
        batch = {name: tensor.to(device) for name, tensor in next(data).items()}
        loss = sequence_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 20 == 0 or step == n_steps - 1:
            bar.set_postfix(loss=f"{losses[-1]:.3f}")
    return losses
