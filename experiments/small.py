"""The rung between "nano" and SmolLM2: the package's "small", six blocks of width 384, on the ladder's texts.

It is meant for a GPU; this is what one core of a CPU makes of it. One run. The model kept is the one that was best on
the held-out documentation, as the preset has it, so that text has been looked at ten times. Beside the measurements of
ladder.py and younger_probes.py: the curve, and what the model writes at several steps. Rate, batch, dropout and the
number of steps were chosen by hand, and not searched. The texts that are younger than SmolLM2 grow with the course:
compare the rungs on them only where all have read the same day's.
"""

import time

import ladder
import younger_probes
from transformer_lab import Settings, train
from transformer_lab.tasks.catalogue import make_task

DROPOUT, STEPS, EVERY, WRITING = 0.1, 1000, 100, (100, 200, 400, 1000)
SETTINGS = dict(batch_size=32, lr=1e-3, warmup=100, patience=5, precision="bfloat16")
FOLDER = ladder.ROOT / "build" / "small"  # where the run is kept, with its checkpoints: started again, it goes on


def trained(steps: int = STEPS, every: int = EVERY, preset: str = "small") -> tuple:
    """(task, record): the trained task, its curve and what it wrote on the way, with seed 0."""
    task = make_task("docs", preset=preset, seed=0, dropout=DROPOUT)
    written = {}

    def write(status) -> None:
        if status.step in WRITING:
            written[str(status.step)] = ladder.Network(task.model, task.tokenizer).write(ladder.PROMPT, seed=0)
            task.model.train()

    begin = time.process_time()
    settings = Settings(steps, evaluate_every=every, **SETTINGS)
    resume = (FOLDER / "checkpoints").exists()
    history = train(task, settings, FOLDER, resume, listeners=[write], progress=False)
    curve = [[row["step"], round(row["metrics"]["bits_per_character"], 4)] for row in history.evaluations]
    seconds = round(time.process_time() - begin)
    parameters = sum(parameter.numel() for parameter in task.model.parameters())
    return task, {"curve": curve, "writes at": written, "parameters": parameters, "CPU seconds": seconds}


def run() -> dict:
    task, found = trained()
    rung = ladder.Network(task.model, task.tokenizer)
    found |= ladder.measured(rung) | {"younger probes": younger_probes.measured(rung)}
    return found | {"all held-out": round(task.evaluate()["bits_per_character"], 4)}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
