"""How a training run went: one entry for each evaluation, in memory and in metrics.jsonl."""

from dataclasses import dataclass, field
from pathlib import Path

from ..files import finite, to_json, write_whole


@dataclass
class History:
    """The evaluations of a run, oldest first, each {"step", "loss", "tokens_per_s", "metrics": {...}}.

    A number that is infinite or NaN is None, as in the file. metric names the one by which the best evaluation is
    chosen; interrupted: training was ended by Ctrl-C.
    """

    metric: str
    higher_is_better: bool
    path: Path | None = None
    evaluations: list[dict] = field(default_factory=list)
    interrupted: bool = False

    def add(self, evaluation: dict) -> None:
        """Append an evaluation."""
        self.evaluations.append(finite(evaluation))

    def go_back(self, evaluations: list[dict]) -> None:
        """Return to the evaluations of a checkpoint: what was measured after it will be measured again."""
        self.evaluations = finite(evaluations)

    def write(self) -> None:
        """Rewrite the whole file, so that a killed run leaves no half line; OSError, in a sentence."""
        if self.path is not None:
            write_whole(self.path, "".join(to_json(evaluation) + "\n" for evaluation in self.evaluations))

    @property
    def best(self) -> dict | None:
        """The evaluation with the best metric, the first of equals; None before there is one with a number."""
        sign = 1 if self.higher_is_better else -1
        measured = [one for one in self.evaluations if one["metrics"][self.metric] is not None]
        return max(measured, key=lambda one: sign * one["metrics"][self.metric], default=None)

    def has_stalled(self, patience: int | None) -> bool:
        """Are the last `patience` evaluations all no better than one before them?"""
        if patience is None or self.best is None:
            return False
        return len(self.evaluations) - 1 - self.evaluations.index(self.best) >= patience
