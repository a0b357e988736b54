"""Models of hidden words beside tables of counts, on the same hidden tokens of held-out documents.

Each table was counted in the text that the models have read. The third one guesses the token that stood most often
between the same two neighbours there; where they never met, after the one on the left; and else the most frequent token
of all. In the last one all choices of up to four neighbours vote: each token has its share of what stood beside them,
times the number of neighbours. The models see every token on both sides: one that has trained for 1,000 steps (one
seed), and the one that comes with the course, which has the same sizes and trained for 8,000 (`make weights`). A hidden
token counts as right if it is the first guess.
"""

from collections import Counter

import torch

from transformer_lab import load
from transformer_lab.tasks.catalogue import settings_for
from transformer_lab.tasks.masking import Masked
from transformer_lab.tasks.task import IGNORED
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

TABLES = ("most frequent", "left neighbour", "both neighbours", "up to four, mixed")
MOST = 4  # neighbours
SPANS = [(left, right) for left in range(MOST + 1) for right in range(MOST + 1 - left) if left + right]


def neighbours(row: list[int], t: int, span: tuple[int, int]) -> tuple[int, ...] | None:
    """So many tokens on the left of place t and so many on its right; None where the row ends before."""
    left, right = span
    return (*row[t - left : t], *row[t + 1 : t + 1 + right]) if left <= t < len(row) - right else None


class Tables:
    """For each span, counts of what stood beside the neighbours of these places; special tokens are not counted."""

    def __init__(self, ids: list[int], special: set[int], places: list[tuple[list[int], int]]):
        self.all = Counter(i for i in ids if i not in special)
        self.counts: dict = {
            span: {key: Counter() for row, t in places if (key := neighbours(row, t, span))} for span in SPANS
        }
        for t, token in enumerate(ids):
            if token not in special:
                for span, counts in self.counts.items():
                    if (found := counts.get(neighbours(ids, t, span))) is not None:
                        found[token] += 1

    def guesses(self, row: list[int], t: int) -> list[int]:
        """The guess of each of TABLES for the token at place t."""
        stood = {span: counts.get(neighbours(row, t, span), Counter()) for span, counts in self.counts.items()}
        guess, found, votes = None, [], Counter()
        for counts in (self.all, stood[1, 0], stood[1, 1]):
            guess = counts.most_common(1)[0][0] if counts else guess
            found.append(guess)
        for span, counts in stood.items():
            weight = sum(span) / (counts.total() + 1)
            for token, n in counts.items():
                votes[token] += weight * n
        return [*found, votes.most_common(1)[0][0] if votes else guess]


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
    asked = labels != IGNORED
    rows = inputs.tolist()
    places = [(rows[i], t) for i, t in asked.nonzero().tolist()]
    tables = Tables(task.ids.tolist(), {tokenizer.id_of(role) for role in tokenizer.special}, places)
    is_word = [any(map(str.isalpha, token)) for token in tokenizer.tokens(range(len(tokenizer)))]
    wanted = labels[asked].tolist()
    right = [[guess == token for guess in tables.guesses(*place)] for place, token in zip(places, wanted, strict=True)]
    words = [is_word[token] for token in wanted]
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
