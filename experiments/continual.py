"""A model learns to find names in texts A, then in texts B. What is left of what it knew about A, and what helps?

A are sentences of the training templates that hold persons, B those of the templates that hold none: firms, teams,
places. The tags and the head are the same, and no label of B contradicts one of A; B only never needs the tag of a
person. First A is learnt, with everything or with a LoRA, at the rates that fine_tuning_methods.py tuned; then B, at
the same rates, in one of these ways:

    everything                all of the model goes on to learn, from B only
    everything, rehearsal     two more sentences in each batch, drawn from a hundred of A that were kept
    rehearsal alone           the same batches, but the model never learnt A before: is A not kept but learnt again?
    rehearsal alone, longer   the same for three times the steps: does it only take more time?
    one LoRA                  the LoRA that learnt A goes on to learn B
    a LoRA each               B gets a LoRA and a head of its own; for texts A the first ones are put back

Judged is by entity F1 on sentences of A's and of B's templates whose names are all new. Three paired seeds: the same
sentences in the same order, the same new heads.
"""

import random

import torch

from fine_tuning_methods import BATCH, OPTIONS, generator
from transformer_lab import load
from transformer_lab.classifiers import Tagger
from transformer_lab.data import entities
from transformer_lab.experiments import recorded
from transformer_lab.fine_tuning import learnt, prepare
from transformer_lab.models import evaluating
from transformer_lab.tasks.labelling import Tagging

STEPS, N_TESTED, SEEDS = 80, 200, range(3)
KEPT, REHEARSED = 100, 2  # sentences of A that are kept for rehearsal; how many of them join a batch
LONGER = 3  # times the steps
WAYS = (
    "everything",
    "everything, rehearsal",
    "rehearsal alone",
    "rehearsal alone, longer",
    "one LoRA",
    "a LoRA each",
)
TEMPLATES = {
    "A": tuple(one for one in entities.TEMPLATES if "{person}" in one or "{surname}" in one),
    "B": tuple(one for one in entities.TEMPLATES if "{person}" not in one and "{surname}" not in one),
}


def sentences(text: str, seed: int, n: int = STEPS * BATCH) -> list[entities.Sentence]:
    """n training sentences of texts A or B."""
    return entities.make_sentences(n, TEMPLATES[text], ("en_US",), test=False, seed=f"{text} {seed}")


def fresh(method: str, seed: int) -> Tagging:
    """MiniLM with a new head, of which the method decides what is learnt; its tests are A and B."""
    base, tokenizer = load("minilm")
    torch.manual_seed(seed)
    model = Tagger.on(base, entities.TAGS)
    torch.nn.init.normal_(model.head.weight, std=0.02, generator=generator(seed))
    torch.nn.init.zeros_(model.head.bias)
    prepare(model, method, **OPTIONS.get(method, {}))
    tests = {
        text: entities.make_sentences(N_TESTED, found, ("en_US",), test=True, seed=f"continual {text}")
        for text, found in TEMPLATES.items()
    }
    return Tagging(model, tokenizer, [], tests)


def learn(task: Tagging, parts, method: str, seed: int, n_steps: int = STEPS) -> None:
    """Train on batches with n sentences of each part, (sentences, n); the rate rises for a tenth of the steps."""
    rate = recorded("fine_tuning_methods")["result"][method]["rate"]
    parameters = learnt(task.model).values()
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    rngs = [random.Random(f"{seed} {i}") for i in range(len(parts))]
    encoded = [[task.encode(one.words, one.tags) for one in part] for part, _ in parts]
    task.model.train()
    for step in range(n_steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min((step + 1) / (n_steps / 10), (n_steps - step) / (n_steps * 9 / 10))
        drawn = [rng.sample(part, n) for rng, part, (_, n) in zip(rngs, encoded, parts, strict=True)]
        batch = task.collate([one for part in drawn for one in part])
        loss = task.loss(task.logits(task.model, batch), batch) / (batch["labels"] >= 0).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
    task.model.eval()


def first_a(method: str, seed: int, n_steps: int = STEPS) -> Tagging:
    """The model that has learnt A."""
    task = fresh(method, seed)
    learn(task, [(sentences("A", seed), BATCH)], method, seed, n_steps)
    return task


def then_b(way: str, knows_a: dict[str, Tagging], seed: int, n_steps: int = STEPS) -> dict[str, float]:
    """The F1 on A and B after B was learnt in one of WAYS, by a copy of the model that knows A, or by a new one."""
    method = "lora" if "LoRA" in way else "everything"
    task = fresh(method, seed)
    if way != "a LoRA each" and "alone" not in way:
        task.model.load_state_dict(knows_a[method].model.state_dict())
    parts = [(sentences("B", seed), BATCH)]
    if "rehearsal" in way:
        parts.append((sentences("A", seed)[:KEPT], REHEARSED))
    learn(task, parts, method, seed, n_steps * (LONGER if "longer" in way else 1))
    found = measured(task)
    if way == "a LoRA each":
        put_back(task, knows_a["lora"])
        found["A"] = measured(task)["A"]
    return found


def put_back(task: Tagging, earlier: Tagging) -> None:
    """Give the model the other one's LoRA and head, which is all that was learnt; the body stays."""
    names = {*learnt(earlier.model)}
    state = {name: tensor for name, tensor in earlier.model.state_dict().items() if name in names}
    task.model.load_state_dict(state, strict=False)


def measured(task: Tagging) -> dict[str, float]:
    """The entity F1 on A and on B."""
    with evaluating(task.model), torch.no_grad():
        return task.evaluate()


def run(found: dict, keep) -> None:
    """Add what is lacking of result["A first"][method] and result[way]: the F1 on A and on B, for each seed."""
    found.setdefault("A first", {"everything": [], "lora": []})
    for seed in SEEDS:
        ways = [way for way in WAYS if len(found.setdefault(way, [])) == seed]
        methods = {"lora" if "LoRA" in way else "everything" for way in ways if "alone" not in way}
        knows_a = {method: first_a(method, seed) for method in sorted(methods)}
        for method, task in knows_a.items():
            found["A first"][method][seed:] = [measured(task)]
        for way in ways:
            found[way].append(then_b(way, knows_a, seed))
            print(seed, way, found[way][-1], flush=True)
        keep()


if __name__ == "__main__":
    from recording import go_on

    go_on(__file__, run)
