"""Do the answers alone tell SmolLM2 what is wanted? Eight examples of in_context.py with questions of the next task.

The pages then hold "go: Paris" and the like: whoever gives the capital of Peru after them has it from the answers.
(With one seed a plural meets its own word by chance: dog, dogs.)
"""

from in_context import SEEDS, TASKS, Pairs, answers, count, drawn, page
from transformer_lab import load


def foreign(task: str, seed: int) -> Pairs:
    """The answers of the task's examples, each behind a question of the next task."""
    names = list(TASKS)
    other = names[(names.index(task) + 1) % len(names)]
    return [
        (question, answer)
        for (question, _), (_, answer) in zip(drawn(other, seed)[0], drawn(task, seed)[0], strict=True)
    ]


def run(tasks=tuple(TASKS), seeds=SEEDS) -> dict:
    """result[task]: the counts of each seed."""
    model, tokenizer = load("smollm2")
    found = {}
    for task in tasks:
        _, asked = drawn(task, 0)
        shown = [foreign(task, seed) for seed in seeds]
        found[task] = [count(answers(model, tokenizer, page(one), asked), one, asked) for one in shown]
        print(task, found[task], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
