"""Distillation: MiniLM with a LoRA labels sentences of templates that nobody has labelled, for a small student.

The student is "nano" with a vocabulary of its own. Half of each batch is always the old labelled text; the other half
is more of it, or the new sentences, labelled by the teacher (its probabilities, or its best tag) or with the truth,
which is a ceiling. Judged is on sentences of the new sentences' templates with names that neither has seen. One
teacher, three paired seeds of the student.
"""

import math
import random

import torch
import torch.nn.functional as F

from fine_tuning_methods import OTHER_TEMPLATES, trained
from fine_tuning_methods import tests as testing
from transformer_lab import TransformerConfig
from transformer_lab.classifiers import Tagger
from transformer_lab.data import entities
from transformer_lab.data.tokenizers import BPETokenizer
from transformer_lab.distillation import distillation_loss
from transformer_lab.models import evaluating
from transformer_lab.tasks.labelling import AT_ONCE, Tagging

STEPS, BATCH, RATE, TEMPERATURE = 300, 32, 2e-3, 2.0
N_SENTENCES, SEEDS = 1200, range(3)
ARMS = (
    "old text only",
    "new text, soft labels",
    "new text, hard labels",
    "new text, true labels",
)


def sentences(seed: int) -> tuple[list, list]:
    """(old, new): labelled sentences of the training templates, and others whose tags only the ceiling may see."""
    old = entities.training_sentences(N_SENTENCES, seed=seed)
    return old, entities.make_sentences(N_SENTENCES, OTHER_TEMPLATES, ("en_US",), test=False, seed=f"other {seed}")


@torch.no_grad()
def word_logits(task: Tagging, found) -> list[torch.Tensor]:
    """The teacher's scores of each word's tags, (words, tags) for each sentence."""
    scores = []
    with evaluating(task.model):
        for start in range(0, len(found), AT_ONCE):
            pieces = [task.pieces(one.words) for one in found[start : start + AT_ONCE]]
            ids, mask = task.tokenizer.pad([ids for ids, _ in pieces])
            for row, (_, begun) in zip(task.model(ids, mask), pieces, strict=True):
                scores.append(row[[place for place, word in enumerate(begun) if word is not None]])
    return scores


def one_hot(found, size: float = 30.0) -> list[torch.Tensor]:
    """Scores that leave no doubt about the true tags."""
    return [size * F.one_hot(torch.tensor([entities.TAGS.index(t) for t in s.tags]), len(entities.TAGS)) for s in found]


def student(old, new, tests, seed: int) -> Tagging:
    """A nano that has learnt nothing, and the task that holds it; its vocabulary is of both texts' words."""
    tokenizer = BPETokenizer.train([word for one in (*old, *new) for word in one.words], vocab_size=1000)
    torch.manual_seed(seed)
    config = TransformerConfig.preset("nano", vocab_size=len(tokenizer), dropout=0.1)
    return Tagging(Tagger(config, entities.TAGS), tokenizer, old, tests)


def learn(task: Tagging, halves, seed: int, n_steps: int = STEPS) -> None:
    """Train on batches of which half comes from each list of (sentence, scores of its words' tags, soft or not)."""
    rng, model = random.Random(seed), task.model
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    torch.manual_seed(seed)
    model.train()
    for step in range(n_steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 30) * (1 + math.cos(math.pi * step / n_steps)) / 2
        loss = torch.zeros(())
        for half in halves:
            chosen = rng.sample(half, BATCH // 2)
            pieces = [task.pieces(sentence.words) for sentence, _, _ in chosen]
            ids, mask = task.tokenizer.pad([ids for ids, _ in pieces])
            logits = model(ids, mask)
            first = torch.tensor(
                [[i, j] for i, (_, begun) in enumerate(pieces) for j, w in enumerate(begun) if w is not None]
            )
            scores = torch.cat([scores for _, scores, _ in chosen])
            own = logits[first[:, 0], first[:, 1]]
            soft = chosen[0][2]
            loss = loss + (
                distillation_loss(own, scores, TEMPERATURE) if soft else F.cross_entropy(own, scores.argmax(-1))
            )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    model.eval()


def run(seeds=SEEDS, n_steps: int = STEPS) -> dict:
    """result: the teacher's F1 and, for each arm, the student's on each test set with each seed."""
    tests = testing()
    teacher, run_of_teacher = trained("lora", 0)
    found: dict = {"teacher": [run_of_teacher], **{arm: [] for arm in ARMS}}
    for seed in seeds:
        old, new = sentences(seed)
        truth, taught = one_hot(old), word_logits(teacher, new)
        first = list(zip(old, truth, [False] * len(old), strict=True))
        others = {
            "old text only": first,
            "new text, soft labels": list(zip(new, taught, [True] * len(new), strict=True)),
            "new text, hard labels": list(zip(new, taught, [False] * len(new), strict=True)),
            "new text, true labels": list(zip(new, one_hot(new), [False] * len(new), strict=True)),
        }
        for arm, half in others.items():
            task = student(old, new, tests, seed)
            learn(task, (first, half), seed, n_steps)
            found[arm].append(task.evaluate())
            print(seed, arm, found[arm][-1], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
