"""What of MiniLM must change so that it finds names in sentences of new templates? Eight methods, and from scratch.

Each method has its own learning rate, the best of those tried with one seed: there the model learns from thirteen of
the eighteen training templates, and is judged on the other five. No test sentence is looked at for that. Then five
paired seeds (three from scratch): the same sentences in the same order, the same new head. "from scratch" is
MiniLM's architecture and vocabulary with weights drawn anew: what it lacks is nothing but the old training. Then LoRA
with other ranks, at the rate of rank 8; and rank 1 again, with a higher rate, and with three times the steps.

After some of the trainings lesson 15's search is asked again (three seeds): which of its questions still find their
passage among 120, with the body as it is now. A head alone leaves the body as it was.
"""

import random
import time
from functools import cache

import torch

from search_passages import recall
from transformer_lab import Settings, load, train
from transformer_lab.classifiers import Tagger
from transformer_lab.data import entities
from transformer_lab.experiments import recorded
from transformer_lab.fine_tuning import prepare
from transformer_lab.tasks.labelling import Tagging

STEPS, BATCH, N_TESTED = 120, 16, 300
SEEDS, FEWER_SEEDS = range(5), range(3)
N_SEEDS = {"from scratch": 3}  # of all others, five
RATES = {
    "from scratch": (3e-4, 1e-3),
    "everything": (5e-5, 1e-4, 2e-4, 4e-4),
    "last block": (2e-4, 6e-4, 2e-3, 6e-3),
    "head": (5e-3, 2e-2, 6e-2),
    "biases": (1e-3, 3e-3, 1e-2),
    "lora": (1e-3, 3e-3, 6e-3, 1e-2),
    "adapters": (1e-3, 3e-3, 1e-2, 3e-2),
    "prefix": (1e-2, 3e-2, 1e-1),
    "prompt": (1e-2, 3e-2, 1e-1, 3e-1),
}
OPTIONS: dict[str, dict] = {"lora": {"rank": 8, "alpha": 16.0}, "adapters": {"width": 8}}
OTHER_TEMPLATES = (
    "{person} will speak in {city} on Friday.",
    "The headquarters of {company} are in {city}.",
    "{team} signed {person} until {year}.",
    "A parcel from {surname} reached {company} after {number} days.",
    "Police closed {street} after a fire at {company}.",
    "{country} exports more wool than {country}.",
    "In {year} {person} founded {company} with {number} friends.",
    "Fans of {team} sang all the way to {city}.",
    "{person}, who lives on {street}, works for {company}.",
    "Flights from {city} to {country} were cancelled.",
    "Did {surname} ever answer {person}?",
    "The lawyer of {surname} wrote to {company} {number} times.",
    "{company} and {company} will merge in {year}.",
    "Snow fell on {city} and most of {country}.",
    "Our guide, {person}, showed us {street}.",
    "For {surname} the road to {city} was too long.",
)
RANKS = (1, 2, 4, 8, 16, 32)
OTHER_RANKS = (1, 2, 32)  # of LoRA


def made(method: str, seed: int, sentences, tests, **options) -> Tagging:
    """MiniLM with a new head, of which the method decides what is learnt."""
    base, tokenizer = load("minilm")
    torch.manual_seed(seed)
    model = Tagger(base.config, entities.TAGS) if method == "from scratch" else Tagger.on(base, entities.TAGS)
    head = torch.nn.init.normal_(model.head.weight.detach().clone(), std=0.02, generator=generator(seed))
    model.head.load_state_dict({"weight": head, "bias": torch.zeros(len(entities.TAGS))})
    prepare(model, "everything" if method == "from scratch" else method, **{**OPTIONS.get(method, {}), **options})
    return Tagging(model, tokenizer, sentences, tests)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def learnt(
    method: str, rate: float, seed: int, sentences, tests, n_steps: int = STEPS, **options
) -> tuple[Tagging, dict]:
    """The trained task, and what is kept of the run: parameters, seconds, the F1 of each test."""
    task = made(method, seed, sentences, tests, **options)
    start = time.process_time()
    settings = Settings(n_steps, batch_size=BATCH, lr=rate, seed=seed, evaluate_every=n_steps)
    held, task.tests = task.tests, {task.metric: tests[task.metric][:2]}  # the clock is for the training
    train(task, settings, progress=False)
    seconds, task.tests = time.process_time() - start, held
    count = sum(parameter.numel() for parameter in task.model.parameters() if parameter.requires_grad)
    return task, {"seed": seed, "parameters": count, "seconds": round(seconds, 1), **task.evaluate()}


@cache
def tests() -> dict:
    """New templates, six of the package's and sixteen of this file's; and the training templates with new names."""
    others = entities.make_sentences(N_TESTED, OTHER_TEMPLATES, ("en_US",), test=True, seed="other test")
    kinds = {kind: entities.test_sentences(kind, N_TESTED) for kind in ("new templates", "same templates")}
    return {**kinds, "other templates": others}


def tuning_sentences(n_steps: int = STEPS) -> tuple[list, dict]:
    """Sentences of thirteen training templates, and of the other five."""
    templates = random.Random(0).sample(entities.TEMPLATES, len(entities.TEMPLATES))
    parts = [
        entities.make_sentences(n, chosen, ("en_US",), test=False, seed=f"tuning {n}")
        for n, chosen in ((n_steps * BATCH, templates[:13]), (N_TESTED, templates[13:]))
    ]
    return parts[0], {"held-out templates": parts[1]}


def tuned(method: str, rate: float, n_steps: int = STEPS) -> float:
    """The F1 on held-out training templates with this rate, and seed 0."""
    sentences, held_out = tuning_sentences(n_steps)
    return learnt(method, rate, 0, sentences, held_out, n_steps)[1]["held-out templates"]


def trained(method: str, seed: int, rate: float | None = None, n_steps: int = STEPS, **options) -> tuple[Tagging, dict]:
    """The method's model with this seed, and what is kept of the run; without a rate, at the recorded one."""
    rate = recorded("fine_tuning_methods")["result"][method]["rate"] if rate is None else rate
    sentences = entities.training_sentences(n_steps * BATCH, seed=seed)
    return learnt(method, rate, seed, sentences, tests(), n_steps, **options)


def on_new_templates(rate: float, seed: int, sentences=None) -> Tagging:
    """The model of which everything was tuned, on the usual sentences or on these; its test is the new templates."""
    sentences = sentences or entities.training_sentences(STEPS * BATCH, seed=seed)
    return learnt("everything", rate, seed, sentences, {"new templates": tests()["new templates"]})[0]


def change_of(task: Tagging) -> dict:
    """Of everything tuned: how much the blocks' matrices changed, how flat the change is, and what rank r of it does.

    "energy" is the share of the change's squared size in its r largest singular values, in the mean of the matrices;
    beside it the same of the old matrices and of random ones. "F1, largest" is of a model that is the old one but for
    the new head and the r largest pieces of each matrix's change; "F1, all but the largest" has all others instead.
    """
    old, new = old_and_new(task)
    matrices = matrices_of(new)
    factors = {name: torch.linalg.svd(new[name] - old[name], full_matrices=False) for name in matrices}
    energy = {
        "change": [energies(factors[name].S) for name in matrices],
        "old matrix": [energies(torch.linalg.svdvals(old[name])) for name in matrices],
        "random matrix": [
            energies(torch.linalg.svdvals(torch.randn(new[name].shape, generator=generator(0)))) for name in matrices
        ],
    }
    found: dict = {
        "energy": {
            kind: [sum(column) / len(rows) for column in zip(*rows, strict=True)] for kind, rows in energy.items()
        }
    }
    sizes = [((new[name] - old[name]).norm() / old[name].norm()).item() for name in matrices]
    found["size of the change"] = {"smallest": min(sizes), "mean": sum(sizes) / len(sizes), "largest": max(sizes)}
    rest = {**new, **{name: old[name] for name in old if name in new}}
    for kind, part in (("largest", lambda rank: slice(rank)), ("all but the largest", lambda rank: slice(rank, None))):
        found[f"F1, {kind}"] = {}
        for rank in (0, *RANKS):
            at = part(rank)
            kept = {name: old[name] + U[:, at] * S[at] @ V[at] for name, (U, S, V) in factors.items()}
            task.model.load_state_dict({**rest, **kept})
            found[f"F1, {kind}"][str(rank)] = task.evaluate()
    task.model.load_state_dict(new)
    return found


def old_and_new(task: Tagging) -> tuple[dict, dict]:
    """The weights of MiniLM, and a copy of the task's model's."""
    new = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    return load("minilm")[0].state_dict(), new


def matrices_of(weights: dict) -> list[str]:
    """The names of the blocks' matrices."""
    return [name for name, tensor in weights.items() if name.startswith("encoder.blocks") and tensor.ndim == 2]


def nonsense(rate: float, seed: int) -> list[float]:
    """result["nonsense"][seed]: the energy of the change, as above, after a training on tags in a shuffled order."""
    sentences = entities.training_sentences(STEPS * BATCH, seed=seed)
    tags = [tag for one in sentences for tag in one.tags]
    random.Random(seed).shuffle(tags)
    left = iter(tags)
    mixed = [entities.Sentence(one.words, tuple(next(left) for _ in one.words)) for one in sentences]
    old, new = old_and_new(on_new_templates(rate, seed, mixed))
    rows = [energies(torch.linalg.svdvals(new[name] - old[name])) for name in matrices_of(new)]
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def energies(values: torch.Tensor) -> list[float]:
    """The share of the squared singular values in the r largest, for each r of RANKS."""
    shares = (values**2).cumsum(0) / (values**2).sum()
    return [shares[rank - 1].item() for rank in RANKS]


def add_rates(method: str, row: dict, keep) -> None:
    """Add to row["tuning"] the F1 of each rate that it lacks; if that makes another rate the best, no run counts."""
    for rate in RATES[method]:
        if str(rate) not in row["tuning"]:
            row["tuning"][str(rate)] = tuned(method, rate)
            print(method, row["tuning"], flush=True)
            keep()
    best = float(max(row["tuning"], key=row["tuning"].__getitem__))
    if row.get("rate") != best:
        row |= {"rate": best, "runs": []}


def add_runs(method: str, row: dict, keep) -> None:
    """Add to row["runs"] those that it lacks."""
    for seed in SEEDS[len(row["runs"]) : N_SEEDS.get(method)]:
        task, run = trained(method, seed, row["rate"])
        if seed in FEWER_SEEDS and method in ("everything", "last block", "biases", "lora"):
            run["search"] = recall(task.model, task.tokenizer)
        row["runs"].append(run)
        print(method, run, flush=True)
        keep()


def ranks(rate: float) -> dict[str, list[dict]]:
    """result["ranks"]: LoRA with other ranks than 8, three seeds; alpha stays twice the rank."""
    return {
        str(rank): [trained("lora", seed, rate, rank=rank, alpha=2.0 * rank)[1] for seed in FEWER_SEEDS]
        for rank in OTHER_RANKS
    }


def rank_1_again(rate: float) -> dict[str, dict]:
    """result["rank 1 again"]: is it the rank that keeps rank 1 behind, or the rate? Seed 0."""
    ways = {"higher rate": {"rate": 1e-2}, "three times the steps": {"rate": rate, "n_steps": 3 * STEPS}}
    return {way: trained("lora", 0, rank=1, alpha=2.0, **options)[1] for way, options in ways.items()}


def run(found: dict, keep) -> None:
    """Add to the result what it lacks: all rates first, then all runs, and the rest."""
    for add in (add_rates, add_runs):
        for method in RATES:
            add(method, found.setdefault(method, {"tuning": {}, "runs": []}), keep)
    rate = found["everything"]["rate"]
    each = {
        "changes": lambda seed: change_of(on_new_templates(rate, seed)),
        "nonsense": lambda seed: nonsense(rate, seed),
    }
    for part, compute_one in each.items():
        for seed in FEWER_SEEDS[len(found.setdefault(part, [])) :]:
            found[part].append(compute_one(seed))
            print(part, seed, found[part][-1], flush=True)
            keep()
    others = {
        "search before": lambda: recall(*load("minilm")),
        "ranks": lambda: ranks(found["lora"]["rate"]),
        "rank 1 again": lambda: rank_1_again(found["lora"]["rate"]),
    }
    for part, compute in others.items():
        if part not in found:
            found[part] = compute()
            keep()


if __name__ == "__main__":
    from recording import go_on

    go_on(__file__, run)
