"""How a training run went: one line an evaluation, in memory and in metrics.jsonl."""

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Record:
    """The evaluations of a run, oldest first, each {"step", "loss", "tokens_per_s", "metrics": {...}}.

    metric names the one that says which evaluation is the best; interrupted: training was ended by Ctrl-C.
    """

    metric: str
    higher_is_better: bool
    path: Path | None = None
    evaluations: list[dict] = field(default_factory=list)
    interrupted: bool = False

    def add(self, evaluation: dict) -> None:
        """Keep an evaluation, and append it to the file."""
        self.evaluations.append(evaluation)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(evaluation) + "\n")

    def go_back(self, evaluations: list[dict]) -> None:
        """Be as at a checkpoint: what was written after it will be written again."""
        self.evaluations = list(evaluations)
        if self.path is not None:
            unfinished = self.path.with_suffix(".unfinished")
            unfinished.write_text("".join(json.dumps(line) + "\n" for line in evaluations), encoding="utf-8")
            unfinished.replace(self.path)

    @property
    def best(self) -> dict | None:
        """The evaluation with the best metric, the first of equals; None before there is one."""
        sign = 1 if self.higher_is_better else -1
        return max(self.evaluations, key=lambda one: sign * one["metrics"][self.metric], default=None)

    def has_stalled(self, patience: int | None) -> bool:
        """Are the last `patience` evaluations all no better than one before them?"""
        if patience is None or self.best is None:
            return False
        return len(self.evaluations) - 1 - self.evaluations.index(self.best) >= patience
