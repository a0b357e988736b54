"""Training curves for TensorBoard: a listener."""

import os
from pathlib import Path

from ..files import path_of
from ..optional import require_packages
from .meter import TrainingStatus


class TensorBoard:
    """Writes the loss, the speed and the metrics to folder; view them with `tensorboard --logdir FOLDER`."""

    def __init__(self, folder):
        require_packages("Training curves in TensorBoard", "tensorboard")
        self.folder, self.writer = Path(os.path.abspath(path_of(folder))), None

    def __call__(self, status: TrainingStatus) -> None:
        if self.writer is None:  # made only here, once there is something to write, and in the process that writes it
            from torch.utils.tensorboard import SummaryWriter

            # A resumed run writes again what it wrote after its checkpoint: the first version of that is hidden.
            self.writer = SummaryWriter(str(self.folder), purge_step=status.step)
        scalars = {"loss": status.loss, "learning_rate": status.learning_rate, "tokens_per_s": status.tokens_per_s}
        for name, value in (scalars | (status.metrics or {})).items():
            if value is not None:
                self.writer.add_scalar(name.replace(" ", "_").replace(",", ""), value, status.step)
        self.writer.flush()
