"""Snapshots of attention during training."""

from dataclasses import dataclass

from ..arguments import check_at_least


@dataclass
class Snapshot:
    """The model's attention after `step` steps, as (weights, query tokens, key tokens)."""

    step: int
    loss: float
    attention: tuple


class AttentionSnapshots(list):
    """A listener for `train` that keeps a Snapshot of the task's example whenever the loss is reported.

    Only steps that are multiples of `every` are kept. `AttentionView.over_training(snapshots)` shows them.
    """

    def __init__(self, every: int = 1):
        super().__init__()
        check_at_least("every", every, 1)
        self.every = every

    def __call__(self, now) -> None:
        if now.step % self.every == 0:
            self.append(Snapshot(now.step, now.loss, now.task.attention()))
