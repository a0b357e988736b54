"""How fast the loss falls, and how fast the model reads: what is said while it trains."""

import math
import time
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor

from ..tasks.task import Task


@dataclass
class TrainingStatus:
    """What a listener hears every log_every steps, and, with metrics, at each evaluation."""

    step: int  # so many of n_steps are done
    n_steps: int
    loss: float  # nats a label, over the steps since the last look
    tokens_per_s: float  # labels that the model has learnt from, over all processes
    learning_rate: float
    task: Task  # task.sample() and task.attention() show what the model does just now
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
    """Sums losses and labels until they are read; a GPU is waited for only then."""

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
        """(nats a label, labels a second) over all processes since the last reading."""
        loss, n_labels = self.accelerator.reduce(self.sums).tolist()
        seconds = max(time.perf_counter() - self.start, 1e-9)  # some clocks stand still for a while
        self.restart()
        return loss / max(n_labels, 1), n_labels / seconds
