"""Models of hidden words beside tables of counts, on the same hidden tokens of held-out documents.

Each table was counted in the text that the model has read. It guesses the token that stood most often between the same
two neighbours there; where they never met, behind the one on the left; and else the most frequent token of all. The
models see every token on both sides: one that has trained for 1,000 steps (one seed), and the one that comes with the
course, which has the same sizes and trained for 8,000 (`make weights`). A hidden token counts as right if it is the
first guess.
"""

from collections import Counter, defaultdict

import torch

from transformer_lab import load
from transformer_lab.tasks.catalogue import settings_for
from transformer_lab.tasks.masking import Masked
from transformer_lab.tasks.task import IGNORED
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

TABLES = ("most frequent", "left neighbour", "both neighbours")


class Tables:
    """What stood where: counts of tokens, by the neighbour on the left and by both; special tokens are not counted."""

    def __init__(self, ids: list[int], special: set[int]):
        self.all = Counter(i for i in ids if i not in special)
        self.left, self.both = defaultdict(Counter), defaultdict(Counter)
        for before, token, behind in zip(ids, ids[1:], ids[2:], strict=False):
            if token not in special:
                self.left[before][token] += 1
                self.both[before, behind][token] += 1

    def guesses(self, before: int | None, behind: int | None) -> list[int]:
        """The guess of each of TABLES; None is the edge of a window."""
        guess, found = self.all.most_common(1)[0][0], []
        for counts in (self.all, self.left.get(before), self.both.get((before, behind))):
            guess = counts.most_common(1)[0][0] if counts else guess
            found.append(guess)
        return found


def run() -> dict:
    """The share that is right, of all hidden tokens and of words, for each table, and for a model after 1,000 steps."""
    found, task = compare(), Masked()
    train(task, Settings(**settings_for("masked")), progress=False)
    found["right"]["1,000 steps"] = shares(task)
    return found


def compare(n_windows: int | None = None) -> dict:
    """The same for each table and the course's model, in the first n_windows windows (None: in all)."""
    model, tokenizer = load("course:docs-bert")
    task = Masked(tokenizer=tokenizer)
    task.model = model
    inputs, labels = (part[:n_windows] for part in task.held_out_rows)
    task.held_out_rows = inputs, labels
    tables = Tables(task.ids.tolist(), {tokenizer.id_of(role) for role in tokenizer.special})
    is_word = [any(map(str.isalpha, token)) for token in tokenizer.tokens(range(len(tokenizer)))]
    right, words = [], []
    for row, asked in zip(inputs.tolist(), labels.tolist(), strict=True):
        edged = [None, *row, None]
        for t, token in enumerate(asked):
            if token != IGNORED:
                right.append([guess == token for guess in tables.guesses(edged[t], edged[t + 2])])
                words.append(is_word[token])
    hits, among = torch.tensor(right).double(), torch.tensor(words)
    found = {
        name: {"all": round(hits[:, i].mean().item(), 4), "words": round(hits[among, i].mean().item(), 4)}
        for i, name in enumerate(TABLES)
    }
    found["docs-bert"] = shares(task)
    return {"tokens": len(right), "words": sum(words), "right": found}


def shares(task: Masked) -> dict[str, float]:
    """What the task's model gets right of its hidden tokens."""
    task.model.eval()
    with torch.no_grad():
        measured = task.evaluate()
    return {"all": round(measured["accuracy"], 4), "words": round(measured["word_accuracy"], 4)}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
