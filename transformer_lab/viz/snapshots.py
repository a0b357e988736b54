"""Attention kept while a model trains, to be looked at afterwards."""

from dataclasses import dataclass

from ..arguments import check_at_least


@dataclass
class Snapshot:
    """What the model attended to when so many steps were done: attention is (weights, query tokens, key tokens)."""

    step: int
    loss: float
    attention: tuple


class AttentionSnapshots(list):
    """A listener for `train` that keeps a Snapshot of the task's example at each look at the loss.

    every: only at steps that are a multiple of it. `AttentionView.over_training(snapshots)` shows them.
    """

    def __init__(self, every: int = 1):
        super().__init__()
        check_at_least("every", every, 1)
        self.every = every

    def __call__(self, now) -> None:
        if now.step % self.every == 0:
            self.append(Snapshot(now.step, now.loss, now.task.attention()))
