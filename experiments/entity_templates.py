"""How good is a tagger of names? It depends on what one counts, on which sentences, and on who chose the checkpoint.

The task `ner`: nano learns to tag persons, places and organisations in 18 templates, and is tested on names that it
never read in the same templates, and in six new ones. Counted are single tags, most of which are O, and whole
entities (F1). A tagger that says O everywhere is the control. The checkpoints of a run are compared on one half of the
test on new templates, and the best one is measured on that half, and on the other.
"""

from transformer_lab import Settings, train
from transformer_lab.data import entities
from transformer_lab.metrics import entity_f1
from transformer_lab.tasks.labelling import Entities

KINDS = entities.KINDS[:2]
SEEDS, STEPS, EVERY = range(5), 1000, 100


def token_accuracy(predicted: list[list[str]], gold: list[list[str]]) -> float:
    """The share of right tags, O counted in."""
    hits = [
        tag == truth
        for tags, truths in zip(predicted, gold, strict=True)
        for tag, truth in zip(tags, truths, strict=True)
    ]
    return sum(hits) / len(hits)


def scores(predicted: list[list[str]], gold: list[list[str]]) -> dict[str, float]:
    return {
        "tokens": round(token_accuracy(predicted, gold), 4),
        "entities": round(entity_f1(predicted, gold), 4),
    }


def gold_tags(kind: str) -> list[list[str]]:
    return [list(sentence.tags) for sentence in entities.test_sentences(kind)]


def always_o(kind: str) -> dict[str, float]:
    """What a tagger is given that says O everywhere."""
    gold = gold_tags(kind)
    return scores([["O"] * len(tags) for tags in gold], gold)


class Measured(Entities):
    """Evaluated on both tests, and on the halves of that on new templates: its even sentences and its odd ones."""

    def evaluate(self) -> dict[str, float]:
        found = {}
        for kind in KINDS:
            gold, said = gold_tags(kind), self.predict([sentence.words for sentence in self.tests[kind]])
            found |= {f"{kind}, {name}": value for name, value in scores(said, gold).items()}
        found |= {f"half {half}": round(entity_f1(said[half::2], gold[half::2]), 4) for half in (0, 1)}
        return found | {self.metric: found[f"{KINDS[1]}, entities"]}


def learn(seed: int = 0, steps: int = STEPS, every: int = EVERY) -> tuple[Measured, list[dict]]:
    """The trained task, and its evaluations."""
    task = Measured(seed=seed)
    history = train(task, Settings(steps, batch_size=32, seed=seed, evaluate_every=every), progress=False)
    return task, [{"step": one["step"], **one["metrics"]} for one in history.evaluations]


def optimism(evaluations: list[dict]) -> float:
    """By how much the best checkpoint of one half is better there than on the other half, mean of both directions."""
    gaps = []
    for chosen, other in (("half 0", "half 1"), ("half 1", "half 0")):
        best = max(evaluations, key=lambda one: one[chosen])
        gaps.append((best[chosen] - best[other]) / 2)
    return sum(gaps)


def run(seeds=SEEDS) -> dict:
    """The control; the evaluations of each seed; what the first model says of six sentences of each kind."""
    found: dict = {"always O": {kind: always_o(kind) for kind in KINDS}, "runs": [], "said": {}}
    for seed in seeds:
        task, evaluations = learn(seed)
        found["runs"].append(evaluations)
        for kind in KINDS if seed == seeds[0] else ():
            shown = task.tests[kind][:6]
            said = task.predict([sentence.words for sentence in shown])
            found["said"][kind] = [[list(s.words), list(s.tags), tags] for s, tags in zip(shown, said, strict=True)]
        print(seed, evaluations[-1], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
