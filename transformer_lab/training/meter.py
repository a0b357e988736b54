"""How far a training run has come: its loss, and how many tokens per second it learns from."""

import math
import time
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor

from ..tasks.task import Task


@dataclass
class TrainingStatus:
    """What a listener is told every log_every steps and, together with metrics, at each evaluation."""

    step: int  # how many of the n_steps are done
    n_steps: int
    loss: float  # nats per label, averaged over the steps since the last status
    tokens_per_s: float  # labels that the model has learnt from, summed over all processes
    learning_rate: float
    task: Task  # task.sample() and task.attention() show what the model does at this step
    metrics: dict[str, float | None] | None = None

    def line(self) -> dict:
        """What metrics.jsonl keeps of an evaluation."""
        return {
            "step": self.step,
            "loss": self.loss,
            "tokens_per_s": round(self.tokens_per_s) if math.isfinite(self.tokens_per_s) else None,
            "metrics": self.metrics,
        }


class Meter:
    """Sums losses and labels until they are read; only then does it wait for a GPU."""

    def __init__(self, accelerator: Accelerator, device: torch.device):
        self.accelerator, self.device = accelerator, device
        self.restart()

    def restart(self) -> None:
        """Forget everything, and start the clock."""
        self.sums = torch.zeros(2, device=self.device)
        self.start = time.perf_counter()

    def add(self, loss: Tensor, n_labels: Tensor) -> None:
        """A step's loss, summed over its labels, and their number."""
        self.sums += torch.stack((loss, n_labels))

    def read(self) -> tuple[float, float]:
        """(nats per label, labels per second), over all processes, since the last reading."""
        loss, n_labels = self.accelerator.reduce(self.sums).tolist()
        seconds = max(time.perf_counter() - self.start, 1e-9)  # some clocks stand still for a while
        self.restart()
        return loss / max(n_labels, 1), n_labels / seconds
