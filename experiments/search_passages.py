"""The old task: which of the search's questions find their passage among 120? After a fine-tuning it is asked again."""

import json
import random

from transformer_lab.data.passages import Passage, passages
from transformer_lab.experiments import find_file
from transformer_lab.models import BERT
from transformer_lab.search import sentence_vectors

N_PASSAGES = 120


def cases() -> tuple[list[Passage], list[tuple[str, int]]]:
    """The passages that the questions ask for and others, drawn; each question, and the place of its passage."""
    asked = json.loads(find_file("questions/documentation.json").read_text(encoding="utf-8"))
    found, homes = passages(), {}
    for one in asked:
        wanted = " ".join(one["passage_contains"].split())
        places = [i for i, passage in enumerate(found) if wanted in " ".join(passage.whole.split())]
        if places:  # another Python's manual may say it in other words
            homes[one["question"]] = places[0]
    kept = sorted({*homes.values()})
    others = [i for i in range(len(found)) if i not in kept]
    kept += random.Random(0).sample(others, N_PASSAGES - len(kept))
    return [found[i] for i in kept], [(question, kept.index(place)) for question, place in homes.items()]


def recall(model: BERT, tokenizer, ks=(1, 5)) -> dict[str, float]:
    """The share of the questions whose passage is among the k that are nearest."""
    found, asked = cases()
    passage_vectors = sentence_vectors(model, tokenizer, [passage.whole for passage in found])
    question_vectors = sentence_vectors(model, tokenizer, [question for question, _ in asked])
    scores = question_vectors @ passage_vectors.T
    ranks = [int((row > row[home]).sum()) for row, (_, home) in zip(scores, asked, strict=True)]
    return {f"recall@{k}": sum(rank < k for rank in ranks) / len(ranks) for k in ks}
